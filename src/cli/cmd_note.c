/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

static int
run_note(struct cli *c, struct err *e)
{
    const char *note = c->argv[c->argc - 1];
    struct run_ids ids;
    int changed = 0;
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_runs(c, c->argc - 1, &ids, e);
    }
    if (rc) {
        return rc;
    }
    rc = store_run_note(c->store, &ids, note, &changed, e);
    if (rc == 0) {
        cli_message(c, "note of %d %s %s", changed, run_plural(changed),
                    note[0] ? "set" : "cleared");
    }
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_note = {
    .name = "note",
    .operands = "RUN... TEXT",
    .summary = "set the note of runs; an empty text clears it",
    .group = GROUP_KEEP,
    .takes = CLI_TAKES_RUNS,
    .min = 2,
    .max = -1,
    .examples = "fmnist-tui note @last 'after the bias fix'\n",
    .run = run_note,
};
