/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/steer.h"
#include "cli/workers.h"

static int
run_resume(struct cli *c, struct err *e)
{
    int queued = 0;
    int whole = cli_given(c, "queue");
    if (whole && cli_given(c, "fresh")) {
        return err_set(e, ERR_USAGE, "--fresh is for runs, not for --queue");
    }
    int rc =
        whole ? steer_queue(c, 0, e) : steer_runs(c, STEER_RESUME, &queued, e);
    return rc == 0 && (queued > 0 || whole) ? workers_tell(c, e) : rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "queue", .help = "the whole queue"},
    {.name = "fresh", .help = "begin again with epoch 1; the epochs so far go"},
    WORKERS_START,
    {.name = NULL},
};

const struct cli_command cmd_resume = {
    .name = "resume",
    .operands = "[RUN...]",
    .summary = "go on with paused, stopped and failed runs, or the whole queue",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 0,
    .max = -1,
    .notes = "A paused run has its old place in the queue, others come last. "
             "Of a running one, what was asked and is not yet obeyed is "
             "withdrawn.",
    .examples = "fmnist-tui resume 7 --start\n"
                "fmnist-tui resume --filter status:paused\n",
    .run = run_resume,
};
