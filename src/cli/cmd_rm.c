/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

static int
to_trash(struct cli *c, struct err *e)
{
    struct run_ids ids;
    int changed = 0;
    int kept = 0;
    int rc = cli_runs(c, c->argc, &ids, e);
    if (rc) {
        return rc;
    }
    rc = store_run_trash(c->store, &ids, &changed, &kept, e);
    if (rc == 0 && kept > 0) {
        cli_message(c,
                    "%d %s moved to the trash; %d kept, being starred or "
                    "running",
                    changed, run_plural(changed), kept);
    } else if (rc == 0) {
        cli_message(c, "%d %s moved to the trash", changed,
                    run_plural(changed));
    }
    mem_free(ids.ids);
    return rc;
}

/* All of the trash, or only the named runs in it. */
static int
purge(struct cli *c, struct err *e)
{
    struct run_ids ids = {0};
    int all = c->argc == 0 && !cli_given(c, "filter");
    int changed = 0;
    int rc = all ? 0 : cli_runs_in(c, c->argc, 1, &ids, e);
    if (rc == 0) {
        rc = store_run_purge(c->store, all ? NULL : &ids, &changed, e);
    }
    if (rc == 0) {
        cli_message(c, "%d %s deleted for good", changed, run_plural(changed));
    }
    mem_free(ids.ids);
    return rc;
}

static int
run_rm(struct cli *c, struct err *e)
{
    int rc = 0;
    if (!cli_given(c, "purge") && c->argc == 0 && !cli_given(c, "filter")) {
        rc = err_set(e, ERR_USAGE, "name a RUN, or give --filter or --purge");
    }
    if (rc == 0) {
        rc = cli_store_existing(c, e);
    }
    if (rc) {
        return rc;
    }
    return cli_given(c, "purge") ? purge(c, e) : to_trash(c, e);
}

static const struct cli_option OPTIONS[] = {
    {.name = "purge",
     .help = "delete for good what is in the trash, or the named runs in it"},
    {.name = NULL},
};

const struct cli_command cmd_rm = {
    .name = "rm",
    .operands = "[RUN...]",
    .summary = "move runs to the trash, or empty it",
    .group = GROUP_KEEP,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 0,
    .max = -1,
    .notes = "Of several runs, those that are starred or running are kept; "
             "one that is named alone is refused.",
    .examples = "fmnist-tui rm 3..5\n"
                "fmnist-tui rm --filter status:failed\n"
                "fmnist-tui rm --purge\n",
    .run = run_rm,
};
