/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "walk.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/worker.h"
#include "fuzz.h"
#include "lab.h"

enum { MAX_BATCHES = 12 };

static void
housekeeping(struct store *s)
{
    struct run_ids two = {(int64_t[]){1, 2}, 2, 2};
    const struct prune_options all = {1, 1, 1, 0};
    struct prune_result pruned;
    struct err e = {0};
    int n, kept;

    walk_result(store_run_tag(s, &two, "new", 1, &n, &e), &e);
    walk_result(store_run_note(s, &two, "another", &n, &e), &e);
    walk_result(store_run_star(s, &two, 0, &n, &e), &e);
    walk_result(store_run_rename(s, 1, "omega", &e), &e);
    walk_result(store_event(s, 1, "info", "seen", &e), &e);
    walk_result(store_run_trash(s, &two, &n, &kept, &e), &e);
    walk_result(store_run_restore(s, &two, &n, &e), &e);
    walk_result(store_prune(s, &all, &pruned, &e), &e);
}

static void
on_steered(int64_t id, enum steered what, const char *why, void *arg)
{
    (void)id;
    (void)arg;
    MUST(what != STEERED_NOT || *why);
    if (what == STEERED_NOT)
        fuzz_visible(why);
}

/* ---- the queue ----------------------------------------------------------- */

static void
make_runs(struct store *s)
{
    struct run_new n = {.name = NULL, .dataset_id = 1};
    struct run_ids twins = {0};
    struct hyper h;
    struct err e = {0};
    int64_t id;

    MUST(hyper_preset("ann", &h, &e) == 0);
    n.h = &h;
    walk_result(store_run_insert(s, &n, &id, &e), &e);
    walk_result(store_run_twins(s, &h, 1, &twins, &e), &e);
    mem_free(twins.ids);
    walk_result(store_run_extend(s, 1, 200, &n, &id, &e), &e);
    walk_result(store_run_edit(s, 2, &h, 0, -1, &e), &e);
}

static void
steer(struct store *s)
{
    static const enum steer ALL[] = {STEER_PAUSE, STEER_STOP, STEER_STOP_NOW,
                                     STEER_RETRY, STEER_RESUME};
    struct run_ids three = {(int64_t[]){1, 2, 3}, 3, 3};
    struct err e = {0};
    int changed, kept;
    size_t i;

    for (i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++)
        walk_result(store_steer(s, &three, ALL[i], 0, on_steered, NULL, &e),
                    &e);
    walk_result(store_move(s, &three, MOVE_TOP, 0, &changed, &kept, &e), &e);
    walk_result(store_move(s, &three, MOVE_AFTER, 2, &changed, &kept, &e), &e);
}

/* A set that the database may have an own idea of, and a copy of the file. */
static void
sets(struct store *s)
{
    struct dataset_row before;
    struct err e = {0};
    int64_t id;

    walk_result(store_dataset_put(s, lab_set(), &id, &e), &e);
    walk_result(store_dataset_locate(s, 1, "/elsewhere", &e), &e);
    walk_result(store_dataset_add(s, lab_set(), "other", NULL, &before, &e),
                &e);
    walk_result(store_backup(s, fuzz_path("copy.db"), 1, &e), &e);
}

static enum runner_order
on_batch(const struct batch_report *r, void *arg)
{
    int *batches = arg;

    MUST(r->epoch >= 1 && r->batch >= 1 && r->batch <= r->batches);
    return ++*batches < MAX_BATCHES ? RUNNER_GO : RUNNER_STOP;
}

/* As a worker does, but for a part of the training. */
static void
train(struct store *s)
{
    static struct runner_engine engine;
    struct claim c = {.run = 0};
    char why[200];
    struct runner_hooks hooks = {.batch = on_batch};
    struct run r;
    struct err e = {0};
    int64_t worker, id = 0;
    int batches = 0, rc;

    if (!engine.version[0])
        MUST(runner_engine_init(&engine, 1, &e) == 0);
    c.engine = engine.run;
    c.kernels = engine.kernels;
    hooks.arg = &batches;
    walk_result(store_claim_waits(s, &c, &id, why, &e), &e);
    rc = store_worker_add(s, 1, NULL, &worker, &e);
    walk_result(rc, &e);
    if (rc < 0)
        return;
    walk_result(store_claim(s, &c, &id, &e), &e);
    if (id != 0) {
        rc = store_run_get(s, id, &r, &e);
        walk_result(rc, &e);
        if (rc < 0 || walk_is_small(&r))
            walk_result(runner_execute(s, id, lab_set(), 1, &hooks, &e), &e);
    }
    walk_result(store_worker_remove(s, worker, "done", &e), &e);
}

void
walk_write(struct store *s)
{
    uint64_t before, after;
    struct err e = {0};
    int n;

    walk_result(worker_recover(s, &n, &e), &e);
    train(s);
    make_runs(s);
    steer(s);
    sets(s);
    housekeeping(s);
    walk_result(store_vacuum(s, &before, &after, &e), &e);
    walk_result(store_run_purge(s, NULL, &n, &e), &e);
}
