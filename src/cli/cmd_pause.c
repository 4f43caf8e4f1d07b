/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/steer.h"

static int
run_pause(struct cli *c, struct err *e)
{
    int queued;
    return cli_given(c, "queue") ? steer_queue(c, 1, e)
                                 : steer_runs(c, STEER_PAUSE, &queued, e);
}

static const struct cli_option OPTIONS[] = {
    {.name = "queue",
     .help = "the whole queue: workers begin nothing new; running runs go on"},
    {.name = NULL},
};

const struct cli_command cmd_pause = {
    .name = "pause",
    .operands = "[RUN...]",
    .summary = "keep runs from being trained, or the whole queue",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 0,
    .max = -1,
    .notes = "A running run leaves its worker after its batch; the part of its "
             "epoch is trained again when it goes on.",
    .examples = "fmnist-tui pause 7\n"
                "fmnist-tui pause --queue\n",
    .run = run_pause,
};
