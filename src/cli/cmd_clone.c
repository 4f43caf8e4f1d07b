/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/enqueue.h"
#include "fmnist/mem.h"

static int
load_base(struct cli *c, int64_t id, struct enqueue_base *out, struct err *e)
{
    struct run run;
    int rc = store_run_get(c->store, id, &run, e);
    if (rc == 0) {
        out->run = id;
        out->h = run.h;
        out->dataset_id = run.dataset_id;
        out->threads = run.threads_wanted;
    }
    return rc;
}

static int
run_clone(struct cli *c, struct err *e)
{
    struct enqueue_base *bases = NULL;
    struct run_ids ids = {0};
    int rc = enqueue_store(c, 1, e);
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0 && ids.n == 0) {
        cli_message(c, "no runs that the filter selects");
        return 0;
    }
    if (rc == 0) {
        bases = mem_zalloc(ids.n, sizeof *bases);
        rc = bases ? 0 : err_nomem(e, "the runs", ids.n * sizeof *bases);
    }
    for (size_t i = 0; rc == 0 && i < ids.n; i++) {
        rc = load_base(c, ids.ids[i], &bases[i], e);
    }
    if (rc == 0) {
        rc = enqueue(c, bases, ids.n, e);
    }
    mem_free(bases);
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_clone = {
    .name = "clone",
    .operands = "RUN...",
    .summary = "queue runs like others, with changes",
    .group = GROUP_TRAIN,
    .options = ENQUEUE_OPTIONS,
    .takes = ENQUEUE_TAKES | CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "For each RUN, runs are queued with its hyperparameters and data "
             "but for what the options say; they take lists and ranges as "
             "those of queue do. Name, tags and note are not taken over.",
    .examples = "fmnist-tui clone 17 --seed 2..5\n"
                "fmnist-tui clone @best --lr 0.003,0.03 --start\n"
                "fmnist-tui clone --filter 'is:starred' --data full\n",
    .check = enqueue_check,
    .run = run_clone,
};
