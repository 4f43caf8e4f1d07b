/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"

#include <string.h>
#include <unistd.h>

#include "cli/table.h"
#include "fmnist/mem.h"

/* A column of this output, found in the rows. */
struct shown {
    struct output_column column;
    int at, second; /* indices in the row; -1: none */
};

struct output {
    struct cli *c;
    struct output_spec spec;
    enum output_mode mode;
    int visible; /* CSV on a terminal: control characters shown */
    int ascii;
    struct table *table;
    struct shown *shown;
    int n_shown;
    int id;       /* index of the id column */
    char **names; /* --columns, or NULL */
    int n_names;
    int begun;
    uint64_t rows;
    struct str text; /* reused for every line */
};

/* No name may be empty. */
static int
check_columns(const char *list, struct err *e)
{
    size_t n = strlen(list);
    if (n == 0 || list[0] == ',' || list[n - 1] == ',' || strstr(list, ",,")) {
        return err_set(e, ERR_USAGE,
                       "--columns: expected names separated by commas, "
                       "found \"%.80s\"",
                       list);
    }
    return 0;
}

int
output_mode(const struct cli *c, enum output_mode *mode, struct err *e)
{
    int json = cli_given(c, "json");
    int csv = cli_given(c, "csv");
    int ids = cli_given(c, "-q");
    *mode = json  ? OUTPUT_JSON
            : csv ? OUTPUT_CSV
            : ids ? OUTPUT_IDS
                  : OUTPUT_TABLE;
    if (json + csv + ids > 1) {
        return err_set(e, ERR_USAGE, "--json, --csv and -q exclude each other");
    }
    if (ids && cli_given(c, "columns")) {
        return err_set(e, ERR_USAGE,
                       "-q prints ids only; it excludes "
                       "--columns");
    }
    const char *list = cli_text(c, "columns");
    return list ? check_columns(list, e) : 0;
}

int
output_columns(const struct cli *c, char ***out, int *n, struct err *e)
{
    const char *list = cli_text(c, "columns");
    *out = NULL;
    *n = 0;
    if (!list) {
        return 0;
    }
    /* One block: the pointers, then the text cut at its commas. */
    size_t len = strlen(list);
    size_t most = 2;
    for (size_t i = 0; i < len; i++) {
        most += list[i] == ',';
    }
    char **names = mem_zalloc(1, most * sizeof *names + len + 1);
    if (!names) {
        return err_nomem(e, "--columns", most * sizeof *names + len + 1);
    }
    char *p = memcpy((char *)(names + most), list, len + 1);
    while (p) {
        names[*n] = p;
        p = strchr(p, ',');
        if (p) {
            *p++ = '\0';
        }
        ++*n;
    }
    *out = names;
    return 0;
}

int
output_text(struct cli *c, struct str *b, struct err *e)
{
    int rc = 0;
    if (str_failed(b)) {
        rc = err_nomem(e, "a line of output", b->len);
    } else if (fwrite(b->s, 1, b->len, c->out) != b->len) {
        rc = err_sys(e, "standard output");
    }
    str_clear(b);
    return rc;
}

int
output_open(struct cli *c, const struct output_spec *spec, struct output **out,
            struct err *e)
{
    struct output *o = mem_zalloc(1, sizeof *o);
    *out = NULL;
    if (!o) {
        return err_nomem(e, "the output", sizeof *o);
    }
    o->c = c;
    o->spec = *spec;
    o->ascii = c->ascii;
    o->visible = isatty(fileno(c->out));
    str_init(&o->text);
    int rc = output_mode(c, &o->mode, e);
    if (rc == 0) {
        rc = output_columns(c, &o->names, &o->n_names, e);
    }
    if (rc == 0 && o->mode == OUTPUT_TABLE) {
        struct table_style style = {.width = cli_width(c->out),
                                    .ascii = c->ascii,
                                    .colors = cli_colors(c, c->out)};
        rc = table_new(c->out, &style, &o->table, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    *out = o;
    return 0;
}

void
output_free(struct output *o)
{
    if (!o) {
        return;
    }
    table_free(o->table);
    mem_free(o->shown);
    mem_free(o->names);
    str_release(&o->text);
    mem_free(o);
}

uint64_t
output_rows(const struct output *o)
{
    return o->rows;
}

static int
index_of(const struct row *r, const char *name)
{
    for (int i = 0; name && i < r->n; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static int
unknown_column(const struct row *r, const char *name, struct err *e)
{
    const char **names = mem_zalloc((size_t)r->n + 1, sizeof *names);
    const char *like = NULL;
    if (names) {
        memcpy(names, r->names, (size_t)r->n * sizeof *names);
        like = cli_suggest(name, names);
    }
    int rc = like ? err_set(e, ERR_USAGE,
                            "--columns: unknown column \"%.80s\" (did you "
                            "mean %s?)",
                            name, like)
                  : err_set(e, ERR_USAGE, "--columns: unknown column \"%.80s\"",
                            name);
    mem_free(names);
    return rc;
}

/* --columns, else the command's own (tables only), else all. */
static int
choose_columns(struct output *o, const struct row *r, struct err *e)
{
    int own = o->mode == OUTPUT_TABLE && o->spec.columns && !o->names;
    int n = o->names ? o->n_names : own ? o->spec.n_columns : r->n;
    o->shown = mem_zalloc((size_t)n + 1, sizeof *o->shown);
    if (!o->shown) {
        return err_nomem(e, "the columns", (size_t)n * sizeof *o->shown);
    }
    for (int i = 0; i < n; i++) {
        struct shown *s = &o->shown[o->n_shown++];
        if (own) {
            s->column = o->spec.columns[i];
        } else {
            s->column.name = o->names ? o->names[i] : r->names[i];
            s->column.form =
                o->spec.raw ? FORM_PLAIN : output_form_of(s->column.name);
        }
        /* Without a choice by name equal names stay apart (SELECT 1, 1). */
        s->at = own || o->names ? index_of(r, s->column.name) : i;
        s->second = index_of(r, s->column.second);
        if (s->at < 0 && o->names) {
            return unknown_column(r, o->names[i], e);
        }
    }
    return 0;
}

static int
begin(struct output *o, const struct row *r, struct err *e)
{
    int rc = choose_columns(o, r, e);
    o->begun = 1;
    if (rc) {
        return rc;
    }
    if (o->mode == OUTPUT_IDS) {
        const char *name = o->spec.id ? o->spec.id : "id";
        o->id = index_of(r, name);
        if (o->id < 0) {
            return err_set(e, ERR_USAGE, "-q: there is no column \"%s\"", name);
        }
    }
    for (int i = 0; o->mode == OUTPUT_TABLE && rc == 0 && i < o->n_shown; i++) {
        const struct output_column *col = &o->shown[i].column;
        str_clear(&o->text);
        str_add_visible(&o->text, col->title ? col->title : col->name);
        rc = table_column(o->table, o->text.s, col->leaves, e);
    }
    str_clear(&o->text);
    if (o->mode == OUTPUT_CSV) {
        for (int i = 0; i < o->n_shown; i++) {
            str_add(&o->text, i ? "," : "");
            str_add_csv(&o->text, o->shown[i].column.name);
        }
        str_addc(&o->text, '\n');
        rc = output_text(o->c, &o->text, e);
    }
    return rc;
}

static int
row_table(struct output *o, const struct row *r, struct err *e)
{
    int rc = 0;
    static const struct cell NONE = {.type = CELL_NULL};
    for (int i = 0; rc == 0 && i < o->n_shown; i++) {
        const struct shown *s = &o->shown[i];
        const struct cell *cell = s->at < 0 ? &NONE : &r->cells[s->at];
        str_clear(&o->text);
        output_form(&o->text, s->column.form, cell, o->ascii);
        if (s->second >= 0) {
            str_addc(&o->text, '/');
            output_form(&o->text, FORM_PLAIN, &r->cells[s->second], o->ascii);
        }
        if (str_failed(&o->text)) {
            return err_nomem(e, "a cell", o->text.len);
        }
        if (s->column.form == FORM_STATE && cell->type == CELL_TEXT) {
            table_paint(o->table, state_paint(cell->s));
        }
        int right = cell->type == CELL_INT || cell->type == CELL_REAL ||
                    s->column.form == FORM_EPOCH;
        rc = table_cell(o->table, o->text.s, right, e);
    }
    return rc;
}

static int
row_json(struct output *o, const struct row *r, struct err *e)
{
    struct str *b = &o->text;
    if (!o->spec.single) {
        str_add(b, o->rows ? ",\n  " : "[\n  ");
    }
    str_addc(b, '{');
    for (int i = 0; i < o->n_shown; i++) {
        str_add(b, i ? ", " : "");
        str_add_json(b, o->shown[i].column.name);
        str_add(b, ": ");
        output_json_cell(b, &r->cells[o->shown[i].at]);
    }
    str_addc(b, '}');
    return output_text(o->c, b, e);
}

static int
row_csv(struct output *o, const struct row *r, struct err *e)
{
    struct str cell;
    str_init(&cell);
    for (int i = 0; i < o->n_shown; i++) {
        str_clear(&cell);
        output_cell(&cell, &r->cells[o->shown[i].at]);
        str_add(&o->text, i ? "," : "");
        str_add_csv(&o->text, cell.s);
        o->text.oom |= cell.oom;
    }
    str_release(&cell);
    if (o->visible) {
        struct str safe;
        str_init(&safe);
        str_add_visible(&safe, o->text.s);
        str_clear(&o->text);
        str_add(&o->text, safe.s);
        o->text.oom |= safe.oom;
        str_release(&safe);
    }
    str_addc(&o->text, '\n');
    return output_text(o->c, &o->text, e);
}

static int
row_id(struct output *o, const struct row *r, struct err *e)
{
    struct str raw;
    str_init(&raw);
    output_cell(&raw, &r->cells[o->id]);
    str_add_visible(&o->text, raw.s);
    str_addc(&o->text, '\n');
    str_release(&raw);
    return output_text(o->c, &o->text, e);
}

int
output_row(const struct row *r, void *output, struct err *e)
{
    struct output *o = output;
    int rc = o->begun ? 0 : begin(o, r, e);
    if (rc || !r->cells) {
        return rc;
    }
    switch (o->mode) {
    case OUTPUT_TABLE:
        rc = row_table(o, r, e);
        break;
    case OUTPUT_JSON:
        rc = row_json(o, r, e);
        break;
    case OUTPUT_CSV:
        rc = row_csv(o, r, e);
        break;
    case OUTPUT_IDS:
        rc = row_id(o, r, e);
        break;
    }
    o->rows++;
    return rc;
}

int
output_close(struct output *o, struct err *e)
{
    int rc = 0;
    if (o->mode == OUTPUT_TABLE) {
        rc = table_flush(o->table, e);
    } else if (o->mode == OUTPUT_JSON) {
        if (!o->spec.single) {
            str_add(&o->text, o->rows ? "\n]\n" : "[]\n");
        } else {
            str_add(&o->text, o->rows ? "\n" : "null\n");
        }
        rc = output_text(o->c, &o->text, e);
    }
    output_free(o);
    return rc;
}
