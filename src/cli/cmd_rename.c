/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"

static int
run_rename(struct cli *c, struct err *e)
{
    int64_t id;
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_run(c, c->argv[0], &id, e);
    }
    return rc ? rc : store_run_rename(c->store, id, c->argv[1], e);
}

const struct cli_command cmd_rename = {
    .name = "rename",
    .operands = "RUN NAME",
    .summary = "give a run another name",
    .group = GROUP_KEEP,
    .min = 2,
    .max = 2,
    .notes = "A name is not all digits, has no @ and no control characters, "
             "and no other run has it.",
    .examples = "fmnist-tui rename 17 'wide net'\n",
    .run = run_rename,
};
