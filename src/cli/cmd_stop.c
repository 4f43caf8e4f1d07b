/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/steer.h"

static int
run_stop(struct cli *c, struct err *e)
{
    int queued;
    return steer_runs(c, cli_given(c, "now") ? STEER_STOP_NOW : STEER_STOP,
                      &queued, e);
}

static const struct cli_option OPTIONS[] = {
    {.name = "now",
     .help = "after its batch; the part of its epoch is dropped"},
    {.name = NULL},
};

const struct cli_command cmd_stop = {
    .name = "stop",
    .operands = "RUN...",
    .summary = "end runs: a running one after its epoch",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "What a stopped run has trained is kept; resume goes on with it.",
    .examples = "fmnist-tui stop 7\n"
                "fmnist-tui stop --now --filter 'status:running tag:old'\n",
    .run = run_stop,
};
