/* SPDX-License-Identifier: MIT */
/* Rows of a query, kept until the query is done and then handed over. */
#include "config.h"

#include "store/db.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* What is kept at most: a larger result is handed over piece by piece, while
 * the query stands. */
enum { MAX_KEPT = 64 << 20 };

/*
 * In `kept` a cell is its type as one byte and, unless NULL, 8 bytes: the
 * number, or the length of the text or blob that follows with a NUL after it.
 */
struct rows {
    int n; /* columns */
    char **names;
    struct cell *cells;
    struct str kept;
    row_fn fn;
    void *arg;
};

static void
release(struct rows *r)
{
    int i;

    for (i = 0; r->names && i < r->n; i++)
        mem_free(r->names[i]);
    mem_free(r->names);
    mem_free(r->cells);
    str_release(&r->kept);
}

/* The names are copied: a change of the schema renews a statement. */
static int
init(struct rows *r, sqlite3_stmt *st, struct err *e)
{
    const char *name;
    int i;

    str_init(&r->kept);
    r->n = sqlite3_column_count(st);
    r->names = mem_zalloc((size_t)r->n + 1, sizeof(*r->names));
    r->cells = mem_zalloc((size_t)r->n + 1, sizeof(*r->cells));
    if (!r->names || !r->cells)
        return err_nomem(e, "a row", (size_t)r->n * sizeof(*r->cells));
    for (i = 0; i < r->n; i++) {
        name = sqlite3_column_name(st, i);
        r->names[i] = mem_strdup(name ? name : "");
        if (!r->names[i])
            return err_nomem(e, "a column's name", 64);
    }
    return 0;
}

static void
keep_cell(struct str *b, sqlite3_stmt *st, int col)
{
    char type = CELL_NULL;
    const void *p = NULL;
    uint64_t n = 0;
    int64_t i;
    double r;

    switch (sqlite3_column_type(st, col)) {
    case SQLITE_INTEGER:
        type = CELL_INT;
        i = sqlite3_column_int64(st, col);
        memcpy(&n, &i, sizeof(n));
        break;
    case SQLITE_FLOAT:
        type = CELL_REAL;
        r = sqlite3_column_double(st, col);
        memcpy(&n, &r, sizeof(n));
        break;
    case SQLITE_TEXT:
        type = CELL_TEXT;
        p = sqlite3_column_text(st, col);
        n = (uint64_t)sqlite3_column_bytes(st, col);
        break;
    case SQLITE_BLOB:
        type = CELL_BLOB;
        p = sqlite3_column_blob(st, col);
        n = (uint64_t)sqlite3_column_bytes(st, col);
        break;
    }
    str_addc(b, type);
    if (type != CELL_NULL)
        str_addn(b, &n, sizeof(n));
    if (type == CELL_TEXT || type == CELL_BLOB) {
        if (n)
            str_addn(b, p, n);
        str_addc(b, '\0');
    }
}

static const char *
take_cell(const char *p, struct cell *c)
{
    uint64_t n = 0;

    memset(c, 0, sizeof(*c));
    c->type = (enum cell_type) * p++;
    if (c->type == CELL_NULL)
        return p;
    memcpy(&n, p, sizeof(n));
    p += sizeof(n);
    if (c->type == CELL_INT) {
        memcpy(&c->i, &n, sizeof(n));
    } else if (c->type == CELL_REAL) {
        memcpy(&c->r, &n, sizeof(n));
    } else {
        c->s = p;
        c->n = n;
        p += n + 1;
    }
    return p;
}

static int
hand_over(struct rows *r, struct err *e)
{
    const char *p = r->kept.s, *end = p + r->kept.len;
    struct row row = {r->n, (const char *const *)r->names, r->cells};
    int rc = 0, i;

    while (rc == 0 && p < end) {
        for (i = 0; i < r->n; i++)
            p = take_cell(p, &r->cells[i]);
        rc = r->fn(&row, r->arg, e);
    }
    str_clear(&r->kept);
    return rc;
}

int
rows_deliver(struct store *s, sqlite3_stmt *st, row_fn fn, void *arg,
             struct err *e)
{
    struct rows r = {.fn = fn, .arg = arg};
    struct row head;
    int rc = init(&r, st, e);
    int i;

    head = (struct row){r.n, (const char *const *)r.names, NULL};
    if (rc == 0)
        rc = fn(&head, arg, e);
    while (rc == 0 && (rc = db_step(s, st, e)) > 0) {
        for (i = 0; i < r.n; i++)
            keep_cell(&r.kept, st, i);
        rc = 0;
        if (str_failed(&r.kept))
            rc = err_nomem(e, "the rows of a query", 2 * r.kept.cap);
        else if (r.kept.len > MAX_KEPT)
            rc = hand_over(&r, e);
    }
    db_done(st);
    if (rc == 0)
        rc = hand_over(&r, e);
    release(&r);
    return rc;
}

int
rows_add_id(struct run_ids *ids, int64_t id, struct err *e)
{
    size_t cap = ids->cap ? 2 * ids->cap : 64;
    int64_t *more = ids->ids;

    if (ids->n == ids->cap) {
        more = mem_resize(more, cap, sizeof(*more));
        if (!more)
            return err_nomem(e, "a list of ids", cap * sizeof(*more));
        ids->ids = more;
        ids->cap = cap;
    }
    more[ids->n++] = id;
    return 0;
}

int
rows_ids(struct store *s, enum sql id, struct run_ids *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    while ((rc = db_step(s, st, e)) > 0) {
        rc = rows_add_id(out, sqlite3_column_int64(st, 0), e);
        if (rc < 0)
            break;
    }
    db_done(st);
    if (rc < 0) {
        mem_free(out->ids);
        memset(out, 0, sizeof(*out));
    }
    return rc;
}
