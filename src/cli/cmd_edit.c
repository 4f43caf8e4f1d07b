/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/new_run.h"
#include "cli/runs.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/store_queue.h"

/* A run as it was, and as it is to be. */
struct edited {
    int64_t id;
    struct hyper before, after;
};

/* The set that is loaded; runs of one set follow each other. */
struct loaded {
    struct dataset *d;
    int64_t id;
    int typed; /* --data: the same for all runs */
};

static int
load(struct cli *c, struct loaded *l, int64_t id, struct err *e)
{
    if (l->typed || (l->d && l->id == id)) {
        return 0;
    }
    dataset_free(l->d);
    l->d = NULL;
    l->id = id;
    return runner_dataset(c->store, id, &l->d, e);
}

static int
plan_one(struct cli *c, struct loaded *l, struct edited *x, struct err *e)
{
    struct run r;
    uint32_t n[N_PARTS];
    int rc = store_run_get(c->store, x->id, &r, e);
    if (rc) {
        return rc;
    }
    x->before = x->after = r.h;
    rc = cli_hyper_change(c, &x->after, e);
    if (rc == 0) {
        rc = load(c, l, r.dataset_id, e);
    }
    if (rc == 0) {
        rc = new_run_test_part(c, l->d, &x->after, e);
    }
    if (rc == 0) {
        rc = new_run_check(l->d, &x->after, n, e);
    }
    return rc ? err_wrap(e, rc, "run %" PRId64, x->id) : 0;
}

/* Inside the transaction: a run that someone else has edited since it was read
 * is not overwritten. */
static int
write_one(struct cli *c, const struct edited *x, int64_t dataset, struct err *e)
{
    int threads = (int)cli_int(c, "threads", -1);
    struct run r;
    int rc = store_run_get(c->store, x->id, &r, e);
    if (rc == 0 && !hyper_same(&r.h, &x->before)) {
        rc = err_set(e, ERR_FAIL,
                     "run %" PRId64 " was edited meanwhile; look at it again",
                     x->id);
    }
    return rc ? rc
              : store_run_edit(c->store, x->id, &x->after, dataset, threads, e);
}

static int
write_all(struct cli *c, const struct edited *all, size_t n,
          const struct loaded *l, struct err *e)
{
    int64_t dataset = 0;
    int rc = store_begin(c->store, e);
    if (rc) {
        return rc;
    }
    if (l->typed) {
        rc = store_dataset_put(c->store, l->d, &dataset, e);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = write_one(c, &all[i], dataset, e);
    }
    if (rc == 0 && cli_given(c, "name")) {
        rc = store_run_rename(c->store, all[0].id, cli_text(c, "name"), e);
    }
    return store_end(c->store, rc, e);
}

static int
edit(struct cli *c, const struct run_ids *ids, struct err *e)
{
    struct edited *all = mem_zalloc(ids->n, sizeof *all);
    struct loaded l = {.typed = cli_given(c, "data")};
    int rc = all ? 0 : err_nomem(e, "the runs", (uint64_t)ids->n * sizeof *all);
    if (rc == 0 && l.typed) {
        rc = runner_data(c->store, cli_text(c, "data"), &l.d, e);
    }
    for (size_t i = 0; rc == 0 && i < ids->n; i++) {
        all[i].id = ids->ids[i];
        rc = plan_one(c, &l, &all[i], e);
    }
    if (rc == 0) {
        rc = write_all(c, all, ids->n, &l, e);
    }
    if (rc == 0) {
        cli_message(c, "%zu %s edited", ids->n, run_plural((long long)ids->n));
    }
    dataset_free(l.d);
    mem_free(all);
    return rc;
}

/* Each value alone; what several say together is checked with the run's. */
static int
check_values(const struct cli *c, struct err *e)
{
    struct hyper any;
    int rc = hyper_preset("ann", &any, e);
    for (int i = 0; rc == 0 && i < c->n_values; i++) {
        const struct cli_value *v = &c->values[i];
        if (v->option->field) {
            rc = hyper_set(&any, v->option->field, v->text ? v->text : "1", e);
        }
    }
    return rc;
}

static int
check(const struct cli *c, struct err *e)
{
    int changes = cli_given(c, "data") || cli_given(c, "threads") ||
                  cli_given(c, "hidden") || cli_given(c, "filters") ||
                  cli_given(c, "name");
    for (int i = 0; i < c->n_values; i++) {
        changes |= c->values[i].option->field != NULL;
    }
    if (cli_given(c, "tag") || cli_given(c, "note")) {
        return err_set(e, ERR_USAGE,
                       "--tag, --note: the commands tag and note change these, "
                       "of any run");
    }
    return changes ? check_values(c, e)
                   : err_set(e, ERR_USAGE, "say what is to change");
}

static int
run_edit(struct cli *c, struct err *e)
{
    struct run_ids ids = {0};
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0 && ids.n != 1 && cli_given(c, "name")) {
        rc = err_set(e, ERR_USAGE, "--name: for one run, not %zu", ids.n);
    }
    if (rc == 0 && ids.n > 0) {
        rc = edit(c, &ids, e);
    } else if (rc == 0) {
        cli_message(c, "no runs that the filter selects");
    }
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_edit = {
    .name = "edit",
    .operands = "RUN...",
    .summary = "give queued runs other hyperparameters",
    .group = GROUP_QUEUE,
    .takes = CLI_TAKES_HYPER | CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .check = check,
    .notes = "For queued runs that have trained no epoch: all of those named "
             "are changed, or none. A name that was made up from the values "
             "follows them. clone makes new runs of any others.",
    .examples = "fmnist-tui edit 12 --lr 0.01 --epochs 20\n"
                "fmnist-tui edit --filter 'status:queued model:cnn' "
                "--threads 1\n",
    .run = run_edit,
};
