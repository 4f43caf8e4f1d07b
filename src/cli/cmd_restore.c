/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

static int
run_restore(struct cli *c, struct err *e)
{
    struct run_ids ids;
    int changed = 0;
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_runs_in(c, c->argc, 1, &ids, e);
    }
    if (rc) {
        return rc;
    }
    rc = store_run_restore(c->store, &ids, &changed, e);
    if (rc == 0) {
        cli_message(c, "%d %s restored", changed, run_plural(changed));
    }
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_restore = {
    .name = "restore",
    .operands = "RUN...",
    .summary = "take runs out of the trash",
    .group = GROUP_KEEP,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "Runs in the trash are named by their ids; 'fmnist-tui ls "
             "--trash' shows them.",
    .examples = "fmnist-tui restore 17\n",
    .run = run_restore,
};
