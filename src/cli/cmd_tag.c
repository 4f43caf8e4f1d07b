/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

/* Digits alone are an id: the TAG was forgotten. */
static int
check_tag(const char *tag, struct err *e)
{
    if (tag[strspn(tag, "0123456789")] == '\0') {
        return err_set(e, ERR_USAGE,
                       "\"%.80s\" is no tag: the last operand is the TAG, and "
                       "not all digits",
                       tag);
    }
    return 0;
}

static int
run_tag(struct cli *c, struct err *e)
{
    const char *tag = c->argv[c->argc - 1];
    int on = !cli_given(c, "remove");
    struct run_ids ids;
    int changed = 0;
    int rc = check_tag(tag, e);
    if (rc == 0) {
        rc = cli_store_existing(c, e);
    }
    if (rc == 0) {
        rc = cli_runs(c, c->argc - 1, &ids, e);
    }
    if (rc) {
        return rc;
    }
    rc = store_run_tag(c->store, &ids, tag, on, &changed, e);
    if (rc == 0) {
        cli_message(c, "%d %s %s", changed, run_plural(changed),
                    on ? "tagged" : "untagged");
    }
    mem_free(ids.ids);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "remove", .help = "take the tag away"},
    {.name = NULL},
};

const struct cli_command cmd_tag = {
    .name = "tag",
    .operands = "RUN... TAG",
    .summary = "tag runs, or take a tag away",
    .group = GROUP_KEEP,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 2,
    .max = -1,
    .examples = "fmnist-tui tag 3 7..9 baseline\n"
                "fmnist-tui tag --filter 'test_acc<0.7' --remove good\n",
    .run = run_tag,
};
