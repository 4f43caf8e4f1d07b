/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fault_scenes.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/transfer.h"
#include "store_support.h"
#include "support.h"
#include "transfer_support.h"

struct store_env scene_env;

static char *template, *source;
static size_t template_size, source_size;

/* What the database holds at first. */
enum { FINISHED = 1, RUNNING, QUEUED, TRASHED, STOPPED, LATER, SMALL };
enum { WORKER = 1 };

const char *
scene_file(const char *name)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/%s", tmp_dir(), name);
    return path;
}

/* ---- opening ------------------------------------------------------------- */

static int
open_now(struct store **s, struct err *e)
{
    return store_open_env(scene_file("runs.db"), STORE_WRITE, &scene_env, s, e);
}

/* With a schema that is one step newer. */
static int
open_newer(struct store **s, struct err *e)
{
    static const char *steps[20];
    static char step[200];
    const char *const *known = scene_env.migrations;
    int i, rc;

    for (i = 0; known[i]; i++)
        steps[i] = known[i];
    steps[i] = step;
    snprintf(step, sizeof(step),
             "ALTER TABLE setting ADD COLUMN extra TEXT;"
             "CREATE TABLE more (a); INSERT INTO more SELECT id FROM run;"
             "PRAGMA user_version = %d;",
             i + 1);
    scene_env.migrations = steps;
    rc = open_now(s, e);
    scene_env.migrations = known;
    return rc;
}

static int
do_open(struct store *s, struct err *e)
{
    int rc = open_now(&s, e);

    store_close(s);
    return rc;
}

static int
do_migrate(struct store *s, struct err *e)
{
    int rc = open_newer(&s, e);

    store_close(s);
    return rc;
}

/* ---- changing and reading ------------------------------------------------ */

static struct run_ids
only(int64_t *id)
{
    return (struct run_ids){id, 1, 1};
}

static int
do_insert(struct store *s, struct err *e)
{
    static const char *const TAGS[] = {"x", "y"};
    struct hyper h;
    struct run_new n = {.h = &h, .tags = TAGS, .n_tags = 2, .dataset_id = 1};
    int64_t id;

    ck_assert_int_eq(hyper_preset("cnn", &h, NULL), 0);
    return store_run_insert(s, &n, &id, e);
}

static int
do_claim(struct store *s, struct err *e)
{
    static const char *const KERNELS[] = {"scalar", NULL};
    const struct claim c = {
        .engine = {"scalar", "0.1.0", "gcc 12", "here", NUMERICS, 2},
        .kernels = KERNELS};
    int64_t id;
    int rc = store_claim(s, &c, &id, e);

    ck_assert(rc < 0 || id == QUEUED);
    return rc;
}

static int
do_worker(struct store *s, struct err *e)
{
    int64_t id;
    int rc = store_worker_add(s, 2, "/somewhere/1.log", &id, e);

    if (rc == 0)
        s->worker = 0;
    return rc;
}

static int
do_beat(struct store *s, struct err *e)
{
    const struct batch_report at = {3, 9, 2, 20, 0.5, 0.75, 100, 12};

    return store_worker_beat(s, WORKER, RUNNING, &at, e);
}

static int
do_bury(struct store *s, struct err *e)
{
    struct worker *all;
    size_t n;
    int runs, rc = store_workers(s, &all, &n, e);

    if (rc == 0 && n > 0)
        rc = store_worker_bury(s, all, &runs, e);
    mem_free(all);
    return rc;
}

static int
do_steer(struct store *s, struct err *e)
{
    struct run_ids all = {(int64_t[]){RUNNING, QUEUED}, 2, 2};

    return store_steer(s, &all, STEER_PAUSE, 0, NULL, NULL, e);
}

static int
do_afresh(struct store *s, struct err *e)
{
    struct run_ids one = only((int64_t[]){STOPPED});

    return store_steer(s, &one, STEER_RETRY, 1, NULL, NULL, e);
}

static int
do_move(struct store *s, struct err *e)
{
    struct run_ids one = only((int64_t[]){LATER});
    int changed, left;

    return store_move(s, &one, MOVE_TOP, 0, &changed, &left, e);
}

static int
do_edit(struct store *s, struct err *e)
{
    struct hyper h;

    ck_assert_int_eq(hyper_preset("cnn", &h, NULL), 0);
    return store_run_edit(s, QUEUED, &h, 0, 1, e);
}

static int
do_extend(struct store *s, struct err *e)
{
    struct run_new n = {.name = "longer"};
    int64_t id;

    return store_run_extend(s, FINISHED, 200, &n, &id, e);
}

static int
do_hold(struct store *s, struct err *e)
{
    return store_queue_pause(s, 1, e);
}

/* As the command does: all the runs of a call, and why they belong together. */
static int
do_sweep(struct store *s, struct err *e)
{
    struct hyper h;
    struct run_new n = {.h = &h, .dataset_id = 1};
    int64_t id;
    int rc = store_begin(s, e), i;

    ck_assert_int_eq(hyper_preset("ann", &h, NULL), 0);
    if (rc < 0)
        return rc;
    rc = store_sweep_insert(s, "grid", "queue --seed 1..4", &n.sweep_id, e);
    for (i = 0; rc == 0 && i < 4; i++) {
        h.seed = i;
        rc = store_run_insert(s, &n, &id, e);
    }
    return store_end(s, rc, e);
}

static int
do_epoch(struct store *s, struct err *e)
{
    int rc;

    s->worker = WORKER;
    rc = test_put_epoch(s, RUNNING, 3, 7, e);
    s->worker = 0;
    return rc;
}

static int
do_end(struct store *s, struct err *e)
{
    int rc;

    s->worker = WORKER;
    rc = test_put_end(s, RUNNING, "finished", 2, e);
    s->worker = 0;
    return rc;
}

static int
do_failure(struct store *s, struct err *e)
{
    int rc;

    s->worker = WORKER;
    rc = store_run_end(s, RUNNING, "failed", "no room", NULL, e);
    s->worker = 0;
    return rc;
}

/* More pages than the cache takes: they are written before the commit. */
static int
do_spill(struct store *s, struct err *e)
{
    static char text[30000];
    int rc, i;

    memset(text, 'x', sizeof(text) - 1);
    ck_assert_int_eq(
        sqlite3_exec(s->db, "PRAGMA cache_size = 4", NULL, NULL, NULL),
        SQLITE_OK);
    rc = store_begin(s, e);
    if (rc < 0)
        return rc;
    for (i = 0; rc == 0 && i < 3; i++)
        rc = store_event(s, FINISHED, "info", text, e);
    return store_end(s, rc, e);
}

static int
do_rename(struct store *s, struct err *e)
{
    return store_run_rename(s, FINISHED, "other", e);
}

static int
do_tag(struct store *s, struct err *e)
{
    struct run_ids all = {(int64_t[]){FINISHED, RUNNING, QUEUED}, 3, 3};
    int changed;

    return store_run_tag(s, &all, "t", 1, &changed, e);
}

static int
do_trash(struct store *s, struct err *e)
{
    struct run_ids all = {(int64_t[]){FINISHED, QUEUED}, 2, 2};
    int changed, kept;

    return store_run_trash(s, &all, &changed, &kept, e);
}

static int
do_restore(struct store *s, struct err *e)
{
    struct run_ids one = only((int64_t[]){TRASHED});
    int changed;

    return store_run_restore(s, &one, &changed, e);
}

static int
do_purge(struct store *s, struct err *e)
{
    int changed;

    return store_run_purge(s, NULL, &changed, e);
}

static int
do_images(struct store *s, struct err *e)
{
    static const uint32_t IMAGES[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct dataset *d = test_set(0);
    int rc = store_dataset_images(s, 1, d, IMAGES, 10, e);

    dataset_free(d);
    return rc;
}

static int
do_add_set(struct store *s, struct err *e)
{
    struct dataset *d = test_set(7);
    struct dataset_row before;
    int rc = store_dataset_add(s, d, "second", NULL, &before, e);

    dataset_free(d);
    return rc;
}

static int
do_backup(struct store *s, struct err *e)
{
    return store_backup(s, scene_file("copy.db"), 1, e);
}

static int
do_export(struct store *s, struct err *e)
{
    struct run_ids one = only((int64_t[]){SMALL});
    int64_t n;

    return store_export(s, &one, scene_file("out.db"), 1, &n, e);
}

static int
do_import(struct store *s, struct err *e)
{
    const struct import_options o = {0};
    struct import_result r;

    return store_import(s, scene_file("source.db"), &o, &r, e);
}

static int
do_vacuum(struct store *s, struct err *e)
{
    uint64_t before, after;

    return store_vacuum(s, &before, &after, e);
}

static int
do_prune(struct store *s, struct err *e)
{
    const struct prune_options all = {1, 1, 1, 0};
    struct prune_result r;

    return store_prune(s, &all, &r, e);
}

/* What cannot be read is not damaged. */
static int
do_check(struct store *s, struct err *e)
{
    int faults, n = 0, rc = store_check(s, test_count_fault, &n, &faults, e);

    ck_assert(rc < 0 || faults == 0);
    return rc;
}

static int
read_run(struct store *s, int64_t id, struct err *e)
{
    struct listing l = {0};
    struct confusion c;
    struct predictions p = {0};
    struct checkpoint k = {0};
    struct run r;
    int what, rc = store_run_get(s, id, &r, e);

    for (what = RUN_EPOCHS; rc == 0 && what <= RUN_PREDICTIONS; what++)
        rc = store_run_rows(s, id, (enum run_rows)what, test_row, &l, e);
    if (rc == 0)
        rc = store_confusion(s, id, 0, &c, e);
    if (rc == 0)
        rc = store_predictions(s, id, &p, e);
    if (rc == 0)
        rc = store_checkpoint(s, id, "last", &k, e);
    predictions_release(&p);
    checkpoint_release(&k);
    return rc;
}

static int
read_queue(struct store *s, struct err *e)
{
    struct run_ids twins = {0};
    struct worker *all = NULL;
    enum run_request asked;
    struct hyper h;
    size_t n;
    int on, rc = store_workers(s, &all, &n, e);

    mem_free(all);
    ck_assert_int_eq(hyper_preset("ann", &h, NULL), 0);
    if (rc == 0)
        rc = store_queue_paused(s, &on, e);
    if (rc == 0)
        rc = store_request(s, WORKER, RUNNING, &asked, e);
    if (rc == 0)
        rc = store_run_twins(s, &h, 1, &twins, e);
    mem_free(twins.ids);
    return rc;
}

static int
do_read(struct store *s, struct err *e)
{
    struct run_query q = {0};
    struct run_ids best = {0};
    struct listing l = {0};
    struct dataset_row d;
    uint8_t pixels[IMAGE_PIXELS], label;
    int changed, rc = store_changed(s, &changed, e);

    if (rc == 0)
        rc = store_runs(s, &q, test_row, &l, e);
    if (rc == 0)
        rc = store_run_resolve(s, "@best", &best, e);
    if (rc == 0)
        rc = read_run(s, best.ids[0], e);
    if (rc == 0)
        rc = store_datasets(s, test_row, &l, e);
    if (rc == 0)
        rc = store_dataset_find(s, "tiny", &d, e);
    if (rc == 0)
        rc = store_image(s, d.id, 10, pixels, &label, e);
    if (rc == 0)
        rc = read_queue(s, e);
    mem_free(best.ids);
    return rc;
}

const struct scene SCENES[N_SCENES] = {
    {"insert", do_insert, open_now, 0, 0, 0},
    {"claim", do_claim, open_now, 0, 0, 0},
    {"worker", do_worker, open_now, 0, 0, 1},
    {"heartbeat", do_beat, open_now, 0, 0, 1},
    {"bury", do_bury, open_now, 0, 0, 1},
    {"steer", do_steer, open_now, 0, 0, 1},
    {"afresh", do_afresh, open_now, 0, 0, 0},
    {"move", do_move, open_now, 0, 0, 1},
    {"edit", do_edit, open_now, 0, 0, 1},
    {"extend", do_extend, open_now, 0, 0, 0},
    {"hold", do_hold, open_now, 0, 0, 1},
    {"sweep", do_sweep, open_now, 0, 0, 1},
    {"epoch", do_epoch, open_now, 0, 0, 0},
    {"spill", do_spill, open_now, 0, 0, 0},
    {"end", do_end, open_now, 0, 0, 0},
    {"failure", do_failure, open_now, 0, 0, 1},
    {"rename", do_rename, open_now, 0, 0, 1},
    {"tag", do_tag, open_now, 0, 0, 1},
    {"trash", do_trash, open_now, 0, 0, 1},
    {"restore", do_restore, open_now, 0, 0, 1},
    {"purge", do_purge, open_now, 0, 0, 0},
    {"images", do_images, open_now, 0, 0, 1},
    {"data set", do_add_set, open_now, 0, 0, 1},
    {"backup", do_backup, open_now, 0, 0, 0},
    {"export", do_export, open_now, 0, 0, 0},
    {"import", do_import, open_now, 0, 0, 0},
    {"vacuum", do_vacuum, open_now, 0, 0, 0},
    {"prune", do_prune, open_now, 0, 0, 0},
    {"check", do_check, open_now, 0, 0, 0},
    {"read", do_read, open_now, 0, 0, 0},
    {"open", do_open, open_now, 1, 0, 0},
    {"create", do_open, open_now, 1, 1, 0},
    {"migrate", do_migrate, open_newer, 1, 0, 0},
};

/* ---- before and after ---------------------------------------------------- */

/* A run that could be extended, on images of which one is there. */
static void
finished(struct store *s)
{
    struct dataset *d = test_set(0);
    struct hyper h;
    int64_t id;
    int k;

    OK(hyper_preset("ann", &h, e));
    h.epochs = 3;
    id = test_run_with(s, &h, "finished");
    ck_assert_int_eq(id, FINISHED);
    test_start(s, id);
    for (k = 1; k <= 3; k++)
        test_epoch(s, id, k, k);
    test_end(s, id, "finished", 3);
    OK(store_dataset_images(s, 1, d, (uint32_t[]){10}, 1, e));
    dataset_free(d);
}

/* What is imported: a run that is not here. */
static void
make_source(void)
{
    struct store *s;

    OK(open_now(&s, e));
    small_finished(s, "from elsewhere", 1, 2);
    store_close(s);
    source = file_read(scene_file("runs.db"), &source_size);
    ck_assert_int_eq(unlink(scene_file("runs.db")), 0);
}

void
scene_template(void)
{
    struct run_ids one;
    struct store *s;
    int64_t id, worker;
    int changed, left;

    make_source();
    OK(open_now(&s, e));
    finished(s);
    id = test_run(s, "running");
    OK(store_worker_add(s, 2, NULL, &worker, e));
    ck_assert_int_eq(worker, WORKER);
    test_start(s, id);
    test_epoch(s, id, 1, 1);
    test_epoch(s, id, 2, 2);
    s->worker = 0;
    test_run(s, "queued");
    id = test_finished(s, "trashed", 1);
    ck_assert_int_eq(id, TRASHED);
    one = only(&id);
    OK(store_run_trash(s, &one, &changed, &left, e));
    id = test_run(s, "stopped");
    test_start(s, id);
    test_epoch(s, id, 1, 4);
    test_end(s, id, "stopped", 4);
    id = test_run(s, "later");
    ck_assert_int_eq(id, LATER);
    id = small_finished(s, "small", 2, 1);
    ck_assert_int_eq(id, SMALL);
    store_close(s);
    template = file_read(scene_file("runs.db"), &template_size);
}

void
scene_reset(const struct scene *c)
{
    DIR *dir = opendir(tmp_dir());
    struct dirent *d;

    ck_assert_ptr_nonnull(dir);
    while ((d = readdir(dir)))
        if (d->d_name[0] != '.')
            ck_assert_int_eq(unlink(scene_file(d->d_name)), 0);
    closedir(dir);
    if (!c->empty)
        file_write(scene_file("runs.db"), template, template_size);
    if (c->act == do_import)
        file_write(scene_file("source.db"), source, source_size);
}

struct store *
scene_begin(const struct scene *c)
{
    struct store *s = NULL;

    if (!c->opens)
        OK(c->open(&s, e));
    return s;
}
