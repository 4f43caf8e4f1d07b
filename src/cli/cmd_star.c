/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

static int
run_star(struct cli *c, struct err *e)
{
    int on = !cli_given(c, "remove");
    struct run_ids ids;
    int changed = 0;
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc) {
        return rc;
    }
    rc = store_run_star(c->store, &ids, on, &changed, e);
    if (rc == 0) {
        cli_message(c, "%d %s %s", changed, run_plural(changed),
                    on ? "starred" : "unstarred");
    }
    mem_free(ids.ids);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "remove", .help = "take the star away"},
    {.name = NULL},
};

const struct cli_command cmd_star = {
    .name = "star",
    .operands = "RUN...",
    .summary = "star runs: rm keeps them",
    .group = GROUP_KEEP,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .examples = "fmnist-tui star @best\n",
    .run = run_star,
};
