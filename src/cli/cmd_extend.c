/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>

#include "cli/commands.h"
#include "cli/new_run.h"
#include "cli/workers.h"
#include "fmnist/mem.h"
#include "fmnist/store_queue.h"

static int
run_extend(struct cli *c, struct err *e)
{
    const char **tags = NULL;
    struct run_new n;
    int64_t parent, id;
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = cli_run(c, c->argv[0], &parent, e);
    }
    if (rc == 0) {
        rc = new_run_init(c, &n, &tags, e);
    }
    if (rc == 0) {
        rc = store_run_extend(c->store, parent, cli_int(c, "epochs", 0), &n,
                              &id, e);
    }
    mem_free(tags);
    if (rc) {
        return rc;
    }
    fprintf(c->out, "%" PRId64 "\n", id);
    cli_message(c, "run %" PRId64 " goes on from run %" PRId64, id, parent);
    return workers_tell(c, e);
}

static int
check(const struct cli *c, struct err *e)
{
    return cli_given(c, "epochs")
               ? 0
               : err_set(e, ERR_USAGE, "--epochs N: how many in all?");
}

static const struct cli_option OPTIONS[] = {
    {.name = "epochs",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 100000,
     .help = "epochs of the longer run in all"},
    {.name = "name",
     .type = CLI_TEXT,
     .arg = "NAME",
     .help = "name of the new run (default: model and what differs)"},
    {.name = "tag",
     .type = CLI_TEXT,
     .arg = "TAG",
     .repeat = 1,
     .help = "tag the new run; may be repeated"},
    {.name = "note", .type = CLI_TEXT, .arg = "TEXT", .help = "a note"},
    WORKERS_START,
    {.name = NULL},
};

const struct cli_command cmd_extend = {
    .name = "extend",
    .operands = "RUN",
    .summary = "queue a longer run that goes on from a finished one",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .min = 1,
    .max = 1,
    .check = check,
    .notes = "The new run begins with the epochs and the checkpoint of RUN, "
             "and ends as one of so many epochs would have, bit for bit. "
             "Schedules that depend on the length of a run, and runs that "
             "their patience ended, are refused.",
    .examples = "fmnist-tui extend 17 --epochs 200 --start\n",
    .run = run_extend,
};
