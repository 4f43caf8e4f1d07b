/* SPDX-License-Identifier: MIT */
/* Rows that go from one database to another, value by value. */
#include "config.h"

#include "store/transfer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* ---- values -------------------------------------------------------------- */

static int
expected(const struct field *f, const char *what, const struct cell *found,
         struct err *e)
{
    struct str b;

    str_init(&b);
    switch (found->type) {
    case CELL_NULL:
        str_add(&b, "nothing");
        break;
    case CELL_INT:
        str_addf(&b, "%lld", (long long)found->i);
        break;
    case CELL_REAL:
        str_addf(&b, "%g", found->r);
        break;
    case CELL_TEXT:
        str_addf(&b, "\"%.60s\"", found->s);
        break;
    case CELL_BLOB:
        str_addf(&b, "%zu bytes", found->n);
        break;
    }
    err_set(e, ERR_FAIL, "%s: expected %s, found %s", f->column, what, b.s);
    str_release(&b);
    return ERR_FAIL;
}

/* The pattern's letters: 0 any digit, x any digit of a hexadecimal number in
 * lower case; all else itself. */
static int
matches(const char *pattern, const char *s)
{
    static const char HEX[] = "0123456789abcdef";

    for (; *pattern && *s; pattern++, s++) {
        const char *at = strchr(HEX, *s);

        if (*pattern == '0'   ? !at || at - HEX > 9
            : *pattern == 'x' ? !at
                              : *pattern != *s)
            return 0;
    }
    return *pattern == *s;
}

static int
is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

int
is_line(const char *text, struct err *e)
{
    struct str b;
    int same, failed;

    str_init(&b);
    str_add_visible(&b, text);
    failed = str_failed(&b);
    same = strcmp(b.s, text) == 0;
    str_release(&b);
    return failed ? err_nomem(e, "a text", strlen(text)) : same;
}

static int
check_word(const struct field *f, const struct cell *c, struct err *e)
{
    struct str all;
    int i;

    str_init(&all);
    for (i = 0; f->words[i]; i++) {
        if (strcmp(f->words[i], c->s) == 0) {
            str_release(&all);
            return 0;
        }
        str_addf(&all, "%s%s", i ? ", " : "one of ", f->words[i]);
    }
    expected(f, all.s, c, e);
    str_release(&all);
    return ERR_FAIL;
}

static int
check_line(const struct field *f, const struct cell *c, struct err *e)
{
    int rc = is_line(c->s, e);

    if (rc == 0)
        return expected(f, "a text without control characters", c, e);
    return rc < 0 ? rc : 0;
}

static int
check_form(const struct field *f, const struct cell *c, struct err *e)
{
    switch (f->form) {
    case FORM_INT:
    case FORM_REAL:
    case FORM_BLOB:
    case FORM_TEXT:
        break;
    case FORM_LINE:
        return check_line(f, c, e);
    case FORM_NAME:
        return db_check_name(c->s, e);
    case FORM_TAG:
        return db_check_tag(c->s, e);
    case FORM_WORD:
        return check_word(f, c, e);
    case FORM_TIME:
        if (!matches("0000-00-00T00:00:00.000Z", c->s))
            return expected(f, "a time", c, e);
        break;
    case FORM_UUID:
        if (!matches("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", c->s))
            return expected(f, "a UUID", c, e);
        break;
    case FORM_SHA256:
        if (!is_sha256(c->s))
            return expected(f, "a SHA-256", c, e);
        break;
    }
    return 0;
}

static int
check_number(const struct field *f, const struct cell *c, double v,
             struct err *e)
{
    char what[80];

    /* In this form it refuses NaN too. */
    if (v >= f->min && v <= f->max)
        return 0;
    snprintf(what, sizeof(what), "a number from %.10g to %.10g", f->min,
             f->max);
    return expected(f, what, c, e);
}

static int
check_size(const struct field *f, const struct cell *c, struct err *e)
{
    char what[80];

    /* The other forms are as long as they say. */
    if (f->max == 0 || ((double)c->n >= f->min && (double)c->n <= f->max))
        return 0;
    snprintf(what, sizeof(what), "%.0f to %.0f bytes", f->min, f->max);
    return expected(f, what, c, e);
}

static void
read_cell(sqlite3_stmt *st, int col, struct cell *c)
{
    memset(c, 0, sizeof(*c));
    switch (sqlite3_column_type(st, col)) {
    case SQLITE_INTEGER:
        c->type = CELL_INT;
        c->i = sqlite3_column_int64(st, col);
        break;
    case SQLITE_FLOAT:
        c->type = CELL_REAL;
        c->r = sqlite3_column_double(st, col);
        break;
    case SQLITE_TEXT:
        c->type = CELL_TEXT;
        c->s = (const char *)sqlite3_column_text(st, col);
        c->n = (size_t)sqlite3_column_bytes(st, col);
        break;
    case SQLITE_BLOB:
        c->type = CELL_BLOB;
        c->s = sqlite3_column_blob(st, col);
        c->n = (size_t)sqlite3_column_bytes(st, col);
        break;
    }
}

/* A column's value, if the column may have it. */
static int
take(const struct field *f, sqlite3_stmt *st, int col, struct cell *c,
     struct err *e)
{
    int rc;

    read_cell(st, col, c);
    if (c->type == CELL_NULL)
        return f->null ? 0 : expected(f, "a value", c, e);
    if ((c->type == CELL_TEXT || (c->type == CELL_BLOB && c->n)) && !c->s)
        return err_nomem(e, f->column, c->n);
    switch (f->form) {
    case FORM_INT:
        if (c->type != CELL_INT)
            return expected(f, "a whole number", c, e);
        return check_number(f, c, (double)c->i, e);
    case FORM_REAL:
        if (c->type != CELL_INT && c->type != CELL_REAL)
            return expected(f, "a number", c, e);
        return check_number(f, c, c->type == CELL_INT ? (double)c->i : c->r, e);
    case FORM_BLOB:
        if (c->type != CELL_BLOB)
            return expected(f, "bytes", c, e);
        return check_size(f, c, e);
    case FORM_TEXT:
    case FORM_LINE:
    case FORM_NAME:
    case FORM_TAG:
    case FORM_WORD:
    case FORM_TIME:
    case FORM_UUID:
    case FORM_SHA256:
        break;
    }
    if (c->type != CELL_TEXT)
        return expected(f, "a text", c, e);
    if (memchr(c->s, '\0', c->n))
        return expected(f, "a text without NUL", c, e);
    rc = check_size(f, c, e);
    return rc < 0 ? rc : check_form(f, c, e);
}

/* ---- rows ---------------------------------------------------------------- */

int
transfer_blame(const struct transfer *t, enum table_id p, int64_t there, int rc,
               struct err *e)
{
    const struct table *table = &t->tables[p];
    int own = strcmp(table->of, "id") == 0;

    if (rc == ERR_USAGE)
        rc = ERR_FAIL;
    if (rc != ERR_FAIL)
        return rc;
    return err_wrap(e, rc, "%s: %s %lld%s%s", t->from->path, table->what,
                    (long long)there, own ? "" : ", table ",
                    own ? "" : table->name);
}

void
transfer_fault(const char *line, void *arg)
{
    char *out = arg;

    line += strcspn(line, "0123456789");
    line += strspn(line, "0123456789");
    if (!*out)
        snprintf(out, TRANSFER_FAULT, "%s", line);
}

/* 1: the next row, 0: there is none. */
static int
next(struct transfer *t, enum table_id p, int64_t there, struct cell *cells,
     struct err *e)
{
    const struct table *table = &t->tables[p];
    int i, rc = db_step(t->from, t->get[p], e);

    if (rc <= 0)
        return rc;
    for (i = 0, rc = 0; rc == 0 && i < table->n; i++)
        rc = take(&table->fields[i], t->get[p], i, &cells[i], e);
    if (rc == 0)
        return 1;
    table_done(t, p);
    return transfer_blame(t, p, there, rc, e);
}

static void
begin(struct transfer *t, enum table_id p, int64_t there)
{
    db_done(t->get[p]);
    sqlite3_bind_int64(t->get[p], 1, there);
}

int
table_get(struct transfer *t, enum table_id p, int64_t there,
          struct cell *cells, struct err *e)
{
    begin(t, p, there);
    return next(t, p, there, cells, e);
}

void
table_done(struct transfer *t, enum table_id p)
{
    db_done(t->get[p]);
}

int
table_put(struct transfer *t, enum table_id p, int64_t here,
          const struct cell *cells, struct err *e)
{
    const struct table *table = &t->tables[p];
    sqlite3_stmt *st = t->put[p];
    int i, first = 1;

    if (table->put_of)
        sqlite3_bind_int64(st, first++, here);
    for (i = 0; i < table->n; i++)
        db_cell(t->to, st, first + i, &cells[i]);
    return db_run(t->to, st, e);
}

int
transfer_rows(struct transfer *t, enum table_id p, int64_t there, int64_t here,
              row_check fn, void *arg, struct err *e)
{
    struct cell cells[RUN_FIELDS_MAX];
    int rc;

    begin(t, p, there);
    while ((rc = next(t, p, there, cells, e)) > 0) {
        rc = fn ? fn(t, cells, arg, e) : 0;
        if (rc < 0) {
            rc = transfer_blame(t, p, there, rc, e);
            break;
        }
        if (rc == 0)
            rc = table_put(t, p, here, cells, e);
        if (rc < 0)
            break;
    }
    table_done(t, p);
    return rc;
}

int
table_field(const struct transfer *t, enum table_id p, const char *column)
{
    int i;

    for (i = 0; i < t->tables[p].n; i++)
        if (strcmp(t->tables[p].fields[i].column, column) == 0)
            return i;
    assert(!"column exists");
    return 0;
}

/* ---- numbers there and here ---------------------------------------------- */

void
map_release(struct map *m)
{
    mem_free(m->pairs);
    memset(m, 0, sizeof(*m));
}

/* The place of the first pair that is not before `there`. */
static size_t
place(const struct map *m, int64_t there)
{
    size_t a = 0, b = m->n, mid;

    while (a < b) {
        mid = a + (b - a) / 2;
        if (m->pairs[mid].there < there)
            a = mid + 1;
        else
            b = mid;
    }
    return a;
}

const struct pair *
map_find(const struct map *m, int64_t there)
{
    size_t i = place(m, there);

    return i < m->n && m->pairs[i].there == there ? &m->pairs[i] : NULL;
}

int
map_add(struct map *m, const struct pair *p, struct err *e)
{
    size_t cap = m->cap ? 2 * m->cap : 64, i = place(m, p->there);
    struct pair *more;

    if (m->n == m->cap) {
        more = mem_resize(m->pairs, cap, sizeof(*more));
        if (!more)
            return err_nomem(e, "a list of runs", cap * sizeof(*more));
        m->pairs = more;
        m->cap = cap;
    }
    memmove(m->pairs + i + 1, m->pairs + i, (m->n - i) * sizeof(*m->pairs));
    m->pairs[i] = *p;
    m->n++;
    return 0;
}
