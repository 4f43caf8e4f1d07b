/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"
#include "fmnist/store_queue.h"

/* In the order of enum move. */
static const char *const HOW[] = {"top",  "bottom", "up",
                                  "down", "before", "after"};
enum { N_HOW = sizeof HOW / sizeof HOW[0] };

static int
choose(struct cli *c, enum move *how, int64_t *other, struct err *e)
{
    int n = 0;
    *other = 0;
    for (int i = 0; i < N_HOW; i++) {
        if (cli_given(c, HOW[i])) {
            *how = (enum move)i;
            n++;
        }
    }
    if (n != 1) {
        return err_set(e, ERR_USAGE,
                       "choose one of --top, --bottom, --up, --down, --before "
                       "RUN, --after RUN");
    }
    return 0;
}

static int
run_move(struct cli *c, struct err *e)
{
    struct run_ids ids = {0};
    enum move how = MOVE_TOP;
    int64_t other;
    int changed, kept;
    int rc = choose(c, &how, &other, e);
    if (rc == 0) {
        rc = cli_store_existing(c, e);
    }
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0 && (how == MOVE_BEFORE || how == MOVE_AFTER)) {
        rc = cli_run(c, cli_text(c, HOW[how]), &other, e);
    }
    if (rc == 0) {
        rc = store_move(c->store, &ids, how, other, &changed, &kept, e);
    }
    if (rc == 0 && kept > 0) {
        cli_message(c, "%d %s moved; %d not in the queue", changed,
                    run_plural(changed), kept);
    } else if (rc == 0) {
        cli_message(c, "%d %s moved", changed, run_plural(changed));
    }
    mem_free(ids.ids);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "top", .help = "next after the running ones"},
    {.name = "bottom", .help = "to the end"},
    {.name = "up", .help = "one place"},
    {.name = "down", .help = "one place"},
    {.name = "before",
     .type = CLI_TEXT,
     .arg = "RUN",
     .help = "before another run of the queue"},
    {.name = "after", .type = CLI_TEXT, .arg = "RUN", .help = "behind it"},
    {.name = NULL},
};

const struct cli_command cmd_move = {
    .name = "move",
    .operands = "RUN...",
    .summary = "change the order of the queue",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "Several runs stay together, in the order in which they are "
             "named.",
    .examples = "fmnist-tui move 12 --top\n"
                "fmnist-tui move 20..25 --before 18\n",
    .run = run_move,
};
