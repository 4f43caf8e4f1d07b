/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"
#include "cli/runs.h"
#include "cli/subject.h"

#include <assert.h>
#include <string.h>

#include "fmnist/filter.h"
#include "fmnist/mem.h"
#include "fmnist/sys.h"
#include "fmnist/transfer.h"

static const char *const TABLES[] = {"epochs", "predictions", "classes",
                                     "events", NULL};
static const enum run_rows TABLE_ROWS[] = {RUN_EPOCHS, RUN_PREDICTIONS,
                                           RUN_CLASSES, RUN_EVENTS};

static const struct cli_option OPTIONS[] = {
    {.name = "all", .help = "every run that is not in the trash"},
    {.name = "csv", .help = "one table as CSV, with a column run_id"},
    {.name = "json", .help = "everything but pixels and weights (the default)"},
    {.name = "table",
     .type = CLI_CHOICE,
     .arg = "TABLE",
     .choices = TABLES,
     .help = "which table --csv writes",
     .preset = "epochs"},
    {.name = "weights",
     .type = CLI_TEXT,
     .arg = "FILE",
     .help = "write the weights of one run as safetensors; - is stdout"},
    {.name = "checkpoint",
     .type = CLI_CHOICE,
     .arg = "WHICH",
     .choices = CHECKPOINT_KINDS,
     .help = "which weights --weights writes",
     .preset = "the result's"},
    {.name = "sqlite",
     .type = CLI_TEXT,
     .arg = "FILE",
     .help = "write a run database that holds the runs with all they have"},
    {.name = "force", .help = "replace the FILE of --sqlite if it exists"},
    {0}};

/* ---- weights -- */

static int
export_weights(struct cli *c, const struct run_ids *ids, struct err *e)
{
    const char *path = cli_text(c, "weights");
    struct checkpoint w = {0};
    struct run r;

    if (ids->n != 1) {
        return err_set(e, ERR_USAGE, "--weights writes one run, %zu are named",
                       ids->n);
    }
    int rc = store_run_get(c->store, ids->ids[0], &r, e);
    if (!rc) {
        rc = subject_weights(c, &r, "checkpoint", &w, e);
    }
    if (!rc) {
        rc = sys_write_file(path, w.weights, w.weights_size, e);
    }
    if (!rc) {
        cli_message(c, "%s: weights of run %lld after epoch %d",
                    strcmp(path, "-") == 0 ? "standard output" : path,
                    (long long)r.id, w.epoch);
    }
    checkpoint_release(&w);
    return rc;
}

/* ---- a database -- */

static int
export_sqlite(struct cli *c, const struct run_ids *ids, struct err *e)
{
    const char *path = cli_text(c, "sqlite");
    int64_t n = 0;
    int rc = store_export(c->store, ids, path, cli_given(c, "force"), &n, e);
    if (!rc) {
        cli_message(c, "%s: %lld %s", path, (long long)n, run_plural(n));
    }
    return rc;
}

/* ---- CSV -- */

struct csv_writer {
    struct output *out;
    int64_t run_id;
};

/* The row with run_id before it. */
static int
csv_row(const struct row *r, void *arg, struct err *e)
{
    struct csv_writer *w = arg;
    struct row_builder b;
    row_begin(&b);
    row_int(&b, "run_id", w->run_id);
    assert(r->n < ROW_MAX);
    for (int i = 0; i < r->n; i++) {
        b.names[b.row.n] = r->names[i];
        if (r->cells) {
            b.cells[b.row.n] = r->cells[i];
        }
        b.row.n++;
    }
    b.row.cells = r->cells ? b.cells : NULL;
    return output_row(&b.row, w->out, e);
}

static int
export_csv(struct cli *c, const struct run_ids *ids, struct err *e)
{
    static const struct output_spec spec = {0};
    enum run_rows what = TABLE_ROWS[cli_choice(c, "table", 0)];
    struct csv_writer w = {0};

    int rc = output_open(c, &spec, &w.out, e);
    for (size_t i = 0; !rc && i < ids->n; i++) {
        w.run_id = ids->ids[i];
        rc = store_run_rows(c->store, w.run_id, what, csv_row, &w, e);
    }
    if (!rc && ids->n == 0) {
        /* No run has the id 0: the header alone. */
        rc = store_run_rows(c->store, 0, what, csv_row, &w, e);
    }
    if (rc) {
        output_free(w.out);
        return rc;
    }
    return output_close(w.out, e);
}

/* ---- JSON -- */

struct json_rows {
    struct cli *c;
    struct str *b;
    int n;
    int bare; /* members only: the caller writes the braces */
};

static int
json_row(const struct row *r, void *arg, struct err *e)
{
    struct json_rows *j = arg;
    if (!r->cells) {
        return 0;
    }
    if (j->bare) {
        output_json_members(j->b, r);
        return 0;
    }
    str_add(j->b, j->n++ ? ",\n  {" : "{");
    output_json_members(j->b, r);
    str_addc(j->b, '}');
    return j->b->len > 65536 ? output_text(j->c, j->b, e) : 0;
}

static int
add_summary(struct cli *c, int64_t id, struct str *b, struct err *e)
{
    struct json_rows j = {c, b, 0, 1};
    struct cell bind = {.type = CELL_INT, .i = id};
    struct run_query q = {.where = "id = ?1", .binds = &bind, .n_binds = 1};
    return store_runs(c->store, &q, json_row, &j, e);
}

static int
add_list(struct cli *c, int64_t id, const char *name, enum run_rows what,
         struct str *b, struct err *e)
{
    struct json_rows j = {c, b, 0, 0};
    str_addf(b, ",\n \"%s\":[", name);
    int rc = store_run_rows(c->store, id, what, json_row, &j, e);
    str_addc(b, ']');
    return rc;
}

static int
export_json(struct cli *c, const struct run_ids *ids, struct err *e)
{
    struct str b;
    int rc = 0;

    str_init(&b);
    str_addc(&b, '[');
    for (size_t i = 0; !rc && i < ids->n; i++) {
        int64_t id = ids->ids[i];
        str_add(&b, i ? ",\n{" : "{");
        rc = add_summary(c, id, &b, e);
        if (!rc) {
            rc = add_list(c, id, "epochs_log", RUN_EPOCHS, &b, e);
        }
        if (!rc) {
            rc = add_list(c, id, "class_metrics", RUN_CLASSES, &b, e);
        }
        if (!rc) {
            rc = add_list(c, id, "predictions", RUN_PREDICTIONS, &b, e);
        }
        if (!rc) {
            rc = add_list(c, id, "events", RUN_EVENTS, &b, e);
        }
        str_addc(&b, '}');
        if (!rc && b.len > 65536) {
            rc = output_text(c, &b, e);
        }
    }
    str_add(&b, "]\n");
    if (!rc) {
        rc = output_text(c, &b, e);
    }
    str_release(&b);
    return rc;
}

/* ---- the command -- */

static int
collect_id(const struct row *r, void *arg, struct err *e)
{
    struct run_ids *ids = arg;
    if (!r->cells) {
        return 0;
    }
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? 2 * ids->cap : 64;
        int64_t *p = mem_resize(ids->ids, cap, sizeof(*p));
        if (!p) {
            return err_nomem(e, "the list of runs", cap * sizeof(*p));
        }
        ids->ids = p;
        ids->cap = cap;
    }
    ids->ids[ids->n++] = r->cells[0].i;
    return 0;
}

static int
named_runs(struct cli *c, struct run_ids *ids, struct err *e)
{
    static const char *const columns[] = {"id"};
    if (!cli_given(c, "all")) {
        return cli_runs(c, c->argc, ids, e);
    }
    if (c->argc > 0 || cli_given(c, "filter")) {
        return err_set(e, ERR_USAGE, "--all goes without RUN and --filter");
    }
    struct run_query q = {.columns = columns, .n_columns = 1, .sort = "id"};
    int rc = cli_store(c, STORE_READ, e);
    return rc ? rc : store_runs(c->store, &q, collect_id, ids, e);
}

/* At most one form, and no option of another. */
static int
check_forms(const struct cli *c, struct err *e)
{
    static const char *const forms[] = {"csv", "json", "weights", "sqlite"};
    static const char *const goes[][2] = {
        {"table", "csv"}, {"checkpoint", "weights"}, {"force", "sqlite"}};
    int n = 0;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        n += cli_given(c, forms[i]);
    }
    if (n > 1) {
        return err_set(e, ERR_USAGE,
                       "choose one of --json, --csv, --weights, --sqlite");
    }
    for (size_t i = 0; i < sizeof(goes) / sizeof(goes[0]); i++) {
        if (cli_given(c, goes[i][0]) && !cli_given(c, goes[i][1])) {
            return err_set(e, ERR_USAGE, "--%s goes with --%s", goes[i][0],
                           goes[i][1]);
        }
    }
    return 0;
}

static int
run_export(struct cli *c, struct err *e)
{
    struct run_ids ids = {0};
    int rc = check_forms(c, e);

    if (!rc) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (!rc) {
        rc = named_runs(c, &ids, e);
    }
    if (!rc && cli_given(c, "weights")) {
        rc = export_weights(c, &ids, e);
    } else if (!rc && cli_given(c, "sqlite")) {
        rc = export_sqlite(c, &ids, e);
    } else if (!rc && cli_given(c, "csv")) {
        rc = export_csv(c, &ids, e);
    } else if (!rc) {
        rc = export_json(c, &ids, e);
    }
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_export = {
    .name = "export",
    .operands = "RUN...|--all",
    .summary = "write runs as JSON, CSV or a database, or their weights",
    .group = GROUP_KEEP,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 0,
    .max = -1,
    .examples = "fmnist-tui export --all > runs.json\n"
                "fmnist-tui export 7 8 --csv > epochs.csv\n"
                "fmnist-tui export @best --weights w.safetensors\n"
                "fmnist-tui export --filter is:starred --sqlite best.db\n",
    .run = run_export,
};
