/* SPDX-License-Identifier: MIT */
/* One run as a whole. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/runs.h"
#include "fmnist/mem.h"

static size_t
text_size(const struct row *r)
{
    size_t n = 1;
    for (int i = 0; i < r->n; i++) {
        n += strlen(r->names[i]) + 1;
        if (r->cells[i].type == CELL_TEXT || r->cells[i].type == CELL_BLOB) {
            n += r->cells[i].n + 1;
        }
    }
    return n;
}

static int
copy_row(const struct row *r, void *arg, struct err *e)
{
    struct record *out = arg;
    if (!r->cells || out->n > 0) {
        return 0;
    }
    size_t n = (size_t)r->n;
    out->names = mem_zalloc(n, sizeof *out->names);
    out->cells = mem_zalloc(n, sizeof *out->cells);
    out->text = mem_zalloc(text_size(r), 1);
    if (!out->names || !out->cells || !out->text) {
        return err_nomem(e, "a run", text_size(r));
    }
    char *p = out->text;
    for (int i = 0; i < r->n; i++) {
        size_t len = strlen(r->names[i]) + 1;
        out->names[i] = memcpy(p, r->names[i], len);
        p += len;
        out->cells[i] = r->cells[i];
        if (r->cells[i].type == CELL_TEXT || r->cells[i].type == CELL_BLOB) {
            out->cells[i].s = memcpy(p, r->cells[i].s, r->cells[i].n);
            p += r->cells[i].n + 1; /* the NUL is there already */
        }
    }
    out->n = r->n;
    return 0;
}

int
record_load(struct cli *c, int64_t id, struct record *out, struct err *e)
{
    struct cell bind = {.type = CELL_INT, .i = id};
    struct run_query q = {.where = "id = ?1", .binds = &bind, .n_binds = 1};
    *out = (struct record){0};
    int rc = store_runs(c->store, &q, copy_row, out, e);
    if (rc == 0 && out->n == 0) {
        q.trash = 1;
        rc = store_runs(c->store, &q, copy_row, out, e);
    }
    if (rc == 0 && out->n == 0) {
        rc = err_set(e, ERR_NOTFOUND, "there is no run %" PRId64, id);
    }
    if (rc) {
        record_release(out);
    }
    return rc;
}

void
record_release(struct record *r)
{
    mem_free(r->names);
    mem_free(r->cells);
    mem_free(r->text);
    *r = (struct record){0};
}

const struct cell *
record_cell(const struct record *r, const char *name)
{
    static const struct cell NONE = {.type = CELL_NULL};
    for (int i = 0; i < r->n; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return &r->cells[i];
        }
    }
    return &NONE;
}

double
record_number(const struct record *r, const char *name)
{
    const struct cell *c = record_cell(r, name);
    if (c->type == CELL_INT) {
        return (double)c->i;
    }
    return c->type == CELL_REAL ? c->r : (double)NAN;
}

const char *
record_text(const struct record *r, const char *name)
{
    const struct cell *c = record_cell(r, name);
    return c->type == CELL_TEXT ? c->s : "";
}

/* What --data finds the set by: a name of the program's or the database's, else
 * where it was read. */
static const char *
data_word(const struct dataset_row *data)
{
    return strchr(data->name, '/') || strchr(data->name, '.') ? data->source
                                                              : data->name;
}

int
run_command_line(const struct run *run, const struct dataset_row *data,
                 struct str *out, struct err *e)
{
    const struct kern *kern;
    /* Another variant gives other bits; where it cannot run, say so anyway. */
    if (run->kernel[0] && kern_choose(NULL, &kern, NULL) == 0 &&
        strcmp(kern->name, run->kernel) != 0) {
        str_addf(out, "FMNIST_CPU=%s ", run->kernel);
    }
    str_add(out, "fmnist-tui train ");
    hyper_command(&run->h, out);
    if (strcmp(data->name, "small") != 0) {
        str_add(out, " --data ");
        str_add_shell(out, data_word(data));
    }
    return str_failed(out) ? err_nomem(e, "the command", out->len) : 0;
}
