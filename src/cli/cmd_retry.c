/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/steer.h"
#include "cli/workers.h"

static int
run_retry(struct cli *c, struct err *e)
{
    int queued;
    int rc = steer_runs(c, STEER_RETRY, &queued, e);
    return rc == 0 && queued > 0 ? workers_tell(c, e) : rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "fresh", .help = "begin again with epoch 1; the epochs so far go"},
    WORKERS_START,
    {.name = NULL},
};

const struct cli_command cmd_retry = {
    .name = "retry",
    .operands = "RUN...",
    .summary = "queue stopped and failed runs again",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "They go on from their last checkpoint.",
    .examples = "fmnist-tui retry --filter status:failed --start\n"
                "fmnist-tui retry 9 --fresh\n",
    .run = run_retry,
};
