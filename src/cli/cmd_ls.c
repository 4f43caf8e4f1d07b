/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/live.h"
#include "cli/output.h"
#include "cli/runs.h"
#include "fmnist/filter.h"
#include "fmnist/mem.h"
#include "fmnist/store_queue.h"

enum { MAX_COLUMNS = 48, SNAPSHOT_ROWS = 20 };

/* Left of the hyperparameters that differ, and right of them. */
static const struct output_column LEFT[] = {
    {.name = "id"},
    {.name = "live_state", .title = "state", .form = FORM_STATE},
    {.name = "name"},
    {.name = "live_epoch",
     .title = "epoch",
     .form = FORM_EPOCH,
     .second = "epochs",
     .leaves = 5},
    {.name = "test_acc", .title = "accuracy", .form = FORM_PERCENT},
    {.name = "test_loss", .title = "loss", .form = FORM_LOSS, .leaves = 20},
};
static const struct output_column ETA = {
    .name = "live_eta", .title = "ETA", .form = FORM_SECONDS, .leaves = 6};
static const struct output_column RIGHT[] = {
    {.name = "samples_per_second",
     .title = "img/s",
     .form = FORM_RATE,
     .leaves = 40},
    {.name = "seconds", .title = "time", .form = FORM_SECONDS, .leaves = 30},
    {.name = "tags", .leaves = 10},
};

enum {
    N_LEFT = sizeof LEFT / sizeof LEFT[0],
    N_RIGHT = sizeof RIGHT / sizeof RIGHT[0],
};

/* The table's columns; those that differ leave first, the last one before all.
 */
static int
table_columns(const struct varying *v, int with_eta, struct output_column *out)
{
    int n = 0;
    for (int i = 0; i < N_LEFT; i++) {
        out[n++] = LEFT[i];
    }
    for (int i = 0; i < v->n && n < MAX_COLUMNS - N_RIGHT - 1; i++) {
        /* The epochs are in the column k/N already. */
        if (varying_shown(v, i) && strcmp(v->columns[i], "epochs") != 0) {
            out[n++] =
                (struct output_column){.name = v->columns[i],
                                       .title = run_heading(v->columns[i]),
                                       .leaves = 100 + i};
        }
    }
    if (with_eta) {
        out[n++] = ETA;
    }
    for (int i = 0; i < N_RIGHT; i++) {
        out[n++] = RIGHT[i];
    }
    return n;
}

static int
list_rows(struct cli *c, const struct run_query *q, const struct varying *v,
          struct err *e)
{
    struct output_column columns[MAX_COLUMNS];
    struct output_spec spec = {.columns = columns};
    struct live live;
    struct live_rows rows;
    struct output *o = NULL;
    int rc = live_load(c, &live, e);
    if (rc == 0) {
        spec.n_columns = table_columns(v, live_has_eta(&live), columns);
        rc = output_open(c, &spec, &o, e);
    }
    live_rows_init(&rows, &live, output_row, o);
    if (rc == 0) {
        rc = store_runs(c->store, q, live_row, &rows, e);
    }
    if (rc == 0) {
        rc = output_close(o, e);
    } else {
        output_free(o);
    }
    live_rows_release(&rows);
    live_release(&live);
    return rc;
}

static int
tell_paused(struct cli *c, struct err *e)
{
    int on;
    int rc = store_queue_paused(c->store, &on, e);
    if (rc == 0 && on) {
        cli_message(c, "QUEUE PAUSED: 'fmnist-tui resume --queue'");
    }
    return rc;
}

static int
list_table(struct cli *c, struct run_query *q, struct err *e)
{
    struct varying v;
    int rc = varying_init(&v, e);
    if (rc) {
        return rc;
    }
    q->columns = v.columns;
    q->n_columns = v.n;
    rc = store_runs(c->store, q, varying_row, &v, e);
    q->columns = NULL;
    q->n_columns = 0;
    if (rc == 0 && v.rows > 0) {
        rc = list_rows(c, q, &v, e);
    }
    if (rc == 0) {
        rc = tell_paused(c, e);
    }
    if (rc == 0 && v.rows == 0) {
        cli_message(c, "no runs%s",
                    q->where   ? " that the filter selects"
                    : q->trash ? " in the trash"
                               : "");
    }
    varying_release(&v);
    return rc;
}

/* JSON, CSV, ids, or --columns: the columns that were asked for, else all. */
static int
list_plain(struct cli *c, struct run_query *q, enum output_mode mode,
           struct err *e)
{
    static const char *const ID[] = {"id"};
    struct output_spec spec = {0};
    struct output *o;
    char **names;
    int n;
    int rc = output_columns(c, &names, &n, e);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = run_column_check(c, "--columns", names[i], e);
    }
    if (rc == 0) {
        q->columns = mode == OUTPUT_IDS ? ID : (const char *const *)names;
        q->n_columns = mode == OUTPUT_IDS ? 1 : n;
        rc = output_open(c, &spec, &o, e);
    }
    if (rc == 0) {
        rc = store_runs(c->store, q, output_row, o, e);
        if (rc == 0) {
            rc = output_close(o, e);
        } else {
            output_free(o);
        }
    }
    mem_free(names);
    return rc;
}

/* A listing of a database that does not exist yet. */
static int
list_nothing(struct cli *c, enum output_mode mode, struct err *e)
{
    struct str none;
    str_init(&none);
    str_add(&none, mode == OUTPUT_JSON ? "[]\n" : "");
    int rc = output_text(c, &none, e);
    if (mode == OUTPUT_TABLE) {
        cli_message(c, "no runs yet; 'fmnist-tui train' makes one");
    }
    str_release(&none);
    return rc;
}

static int
run_ls(struct cli *c, struct err *e)
{
    const char *expr = cli_text(c, "filter");
    const char *sort = cli_text(c, "sort");
    int descending = sort && sort[0] == '-';
    struct run_query q = {.sort = sort ? sort + descending : NULL,
                          .descending = descending,
                          .trash = cli_given(c, "trash"),
                          .limit = cli_int(c, "limit", 0)};
    struct filter f = {0};
    enum output_mode mode;
    int empty;
    int rc = output_mode(c, &mode, e);
    if (rc == 0) {
        rc = cli_store_or_empty(c, &empty, e);
    }
    if (rc || empty) {
        return rc ? rc : list_nothing(c, mode, e);
    }
    if (sort) {
        rc = run_column_check(c, "--sort", q.sort, e);
    }
    if (rc == 0 && expr) {
        rc = filter_compile(expr, store_run_columns(c->store), &f, NULL, e);
        q.where = f.where;
        q.binds = f.binds;
        q.n_binds = f.n_binds;
        q.trash = f.trash && !q.trash ? 2 : q.trash;
    }
    if (rc == 0 && mode == OUTPUT_TABLE && !cli_given(c, "columns")) {
        rc = list_table(c, &q, e);
    } else if (rc == 0) {
        rc = list_plain(c, &q, mode, e);
    }
    if (expr) {
        filter_release(&f);
    }
    return rc;
}

int
cli_snapshot(struct cli *c, struct err *e)
{
    struct run_query q = {.limit = SNAPSHOT_ROWS};
    int empty;
    int rc = cli_store_or_empty(c, &empty, e);
    if (rc == 0 && empty) {
        fputs("No runs yet. 'fmnist-tui train' trains the small network, "
              "'fmnist-tui train --preset cnn'\nthe convolutional one, each in "
              "a minute or two; 'fmnist-tui --help' lists the commands.\n",
              c->out);
        return 0;
    }
    return rc ? rc : list_table(c, &q, e);
}

static const struct cli_option OPTIONS[] = {
    {.name = "filter",
     .type = CLI_TEXT,
     .arg = "EXPR",
     .help = "only the runs that a filter selects"},
    {.name = "sort",
     .type = CLI_TEXT,
     .arg = "COLUMN",
     .preset = "running first, then newest",
     .help = "smallest first; largest first with - before the name"},
    {.name = "limit",
     .letter = 'n',
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1e9,
     .help = "at most so many runs"},
    {.name = "trash", .help = "the runs in the trash instead"},
    {.name = NULL},
};

const struct cli_command cmd_ls = {
    .name = "ls",
    .operands = "",
    .summary = "list runs: state, figures, and the hyperparameters that differ",
    .group = GROUP_LOOK,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT,
    .notes =
        "Columns that do not fit the terminal are left out; --json and "
        "--csv have them all. A filter is a row of terms such as lr<=0.01, "
        "model:cnn, -tag:old or test_acc>0.8, with | for or.",
    .examples = "fmnist-tui ls --filter 'model:ann test_acc>0.8' "
                "--sort -test_acc\n"
                "fmnist-tui ls --csv --columns id,lr,test_acc\n",
    .run = run_ls,
};
