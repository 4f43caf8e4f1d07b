/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/enqueue.h"

static int
run_queue(struct cli *c, struct err *e)
{
    struct enqueue_base base = {0};
    int rc = hyper_preset("ann", &base.h, e);
    return rc ? rc : enqueue(c, &base, 1, e);
}

const struct cli_command cmd_queue = {
    .name = "queue",
    .operands = "",
    .summary = "queue runs for a worker, and print their ids",
    .group = GROUP_TRAIN,
    .options = ENQUEUE_OPTIONS,
    .takes = ENQUEUE_TAKES,
    .notes = "Every hyperparameter and --data take values separated by "
             "commas, whole numbers also ranges (1..5, 10..50:10): one run is "
             "queued for each combination, the first option varying slowest. "
             "With --random N so many are drawn, numbers also from ranges "
             "such as 0.1..0.5 or 1e-4..1e-1:log. All are queued, or none.",
    .examples = "fmnist-tui queue --lr 0.1,0.01 --seed 1..5 --start\n"
                "fmnist-tui queue --preset ann,cnn --epochs 20 --dry-run\n"
                "fmnist-tui queue --random 30 --lr 1e-4..1e-1:log "
                "--hidden 128-64,256\n",
    .check = enqueue_check,
    .run = run_queue,
};
