/* SPDX-License-Identifier: MIT */
/* Importing and exporting runs. */
#include "config.h"

#include "store/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

static int
bind_two(struct transfer *t, enum sql id, int64_t here, const char *name,
         int64_t other, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(t->to, id, &st, e);

    if (rc < 0)
        return rc;
    db_int(t->to, st, ":id", here);
    db_int(t->to, st, name, other);
    return db_run(t->to, st, e);
}

/* The run that a run goes on from, and the sweep that it is of, where it has
 * none here yet. */
static int
link_run(struct transfer *t, const struct pair *run, struct err *e)
{
    const struct pair *up = NULL;
    int64_t sweep = 0, parent = 0, here = 0;
    sqlite3_stmt *st;
    int rc = db_stmt(t->from, SQL_TRANSFER_LINKS, &st, e);

    if (rc < 0)
        return rc;
    db_int(t->from, st, ":id", run->there);
    rc = db_step(t->from, st, e);
    if (rc > 0) {
        sweep = sqlite3_column_int64(st, 1);
        parent = sqlite3_column_int64(st, 2);
    }
    db_done(st);
    up = map_find(&t->runs, parent);
    if (rc >= 0 && up)
        rc =
            bind_two(t, SQL_TRANSFER_PARENT, run->here, ":parent", up->here, e);
    if (rc >= 0 && sweep)
        rc = transfer_sweep(t, sweep, &here, e);
    if (rc >= 0 && here)
        rc = bind_two(t, SQL_TRANSFER_SWEEP, run->here, ":sweep", here, e);
    return rc < 0 ? rc : 0;
}

static int
link_runs(struct transfer *t, struct err *e)
{
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < t->runs.n; i++)
        rc = link_run(t, &t->runs.pairs[i], e);
    return rc;
}

static int
note_run(struct transfer *t, int64_t there, int64_t here, struct err *e)
{
    const struct pair p = {.there = there, .here = here};

    return map_add(&t->runs, &p, e);
}

/* ---- import -------------------------------------------------------------- */

struct import {
    struct transfer t;
    const struct import_options *o;
    struct import_result *out;
};

/* One that is here already. */
static int
meet(struct import *m, struct arrival *a, int64_t here, enum import_what *what,
     struct err *e)
{
    struct str why;
    int rc;

    str_init(&why);
    rc = arrival_merge(&m->t, a, here, what, &why, e);
    if (rc == 0 && str_failed(&why))
        rc = err_nomem(e, "a message", why.len);
    if (rc == 0 && *what == IMPORT_REFUSED && m->o->refused)
        m->o->refused(a->uuid, a->name, why.s, m->o->arg);
    str_release(&why);
    return rc;
}

static int
import_run(struct import *m, int64_t there, struct err *e)
{
    struct arrival a;
    enum import_what what = IMPORT_NEW;
    int64_t here = 0;
    int rc = arrival_read(&m->t, there, &a, e);

    if (rc <= 0)
        return rc;
    rc = db_find(m->t.to, SQL_TRANSFER_FIND_RUN, ":uuid", a.uuid, &here, e);
    if (rc == 0)
        rc = here ? meet(m, &a, here, &what, e)
                  : arrival_add(&m->t, &a, &here, e);
    table_done(&m->t, TABLE_RUN);
    if (rc == 0)
        m->out->runs[what]++;
    if (rc == 0 && what != IMPORT_REFUSED)
        rc = note_run(&m->t, there, here, e);
    return rc;
}

static int
import_all(struct import *m, struct source *src, struct store *s, struct err *e)
{
    struct run_ids ids = {0};
    size_t i;
    int rc = transfer_init(&m->t, src->store, s, src->store->path, e);

    if (rc == 0)
        rc = rows_ids(src->store, SQL_CHECK_RUNS, &ids, e);
    for (i = 0; rc == 0 && i < ids.n; i++)
        rc = import_run(m, ids.ids[i], e);
    if (rc == 0)
        rc = link_runs(&m->t, e);
    mem_free(ids.ids);
    transfer_release(&m->t);
    return rc < 0 ? rc : source_unchanged(src, e);
}

int
store_import(struct store *s, const char *path, const struct import_options *o,
             struct import_result *out, struct err *e)
{
    struct import m = {.o = o, .out = out};
    struct source src;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = source_open(path, s, &src, e);
    if (rc < 0)
        return rc;
    rc = db_begin(s, e);
    if (rc == 0) {
        rc = import_all(&m, &src, s, e);
        if (rc < 0 || !o->dry_run)
            rc = db_end(s, rc, e);
        else if (db_end(s, ERR_CANCEL, NULL) == ERR_CANCEL)
            rc = 0;
    }
    source_close(&src);
    if (rc < 0)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- export -------------------------------------------------------------- */

/* As of one moment, which the next run may be after. */
static int
export_run(struct transfer *t, int64_t there, struct err *e)
{
    struct arrival a;
    int64_t here;
    int rc = db_exec(t->from, SQL_READ_BEGIN, e);

    if (rc < 0)
        return rc;
    rc = arrival_read(t, there, &a, e);
    if (rc > 0)
        rc = arrival_add(t, &a, &here, e);
    if (rc == 0 && a.uuid[0])
        rc = note_run(t, there, here, e);
    table_done(t, TABLE_RUN);
    sqlite3_exec(t->from->db, sql_text(SQL_ROLLBACK), NULL, NULL, NULL);
    return rc;
}

static int
by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int
export_all(struct store *s, struct store *to, const struct run_ids *runs,
           int64_t *n, struct err *e)
{
    struct transfer t;
    size_t i;
    int rc = transfer_init(&t, s, to, NULL, e);

    for (i = 0; rc == 0 && i < runs->n; i++)
        if (i == 0 || runs->ids[i] != runs->ids[i - 1])
            rc = export_run(&t, runs->ids[i], e);
    if (rc == 0)
        rc = link_runs(&t, e);
    *n = (int64_t)t.runs.n;
    transfer_release(&t);
    return rc;
}

static int
export_to(struct store *s, const struct run_ids *runs, const char *tmp,
          const char *name, int64_t *n, struct err *e)
{
    struct store *to;
    int rc = db_create(tmp, name, &s->env, &to, e);

    if (rc < 0)
        return rc;
    rc = db_begin(to, e);
    if (rc == 0)
        rc = db_end(to, export_all(s, to, runs, n, e), e);
    store_close(to);
    return rc;
}

int
store_export(struct store *s, const struct run_ids *runs, const char *to,
             int force, int64_t *n, struct err *e)
{
    struct run_ids sorted = {0};
    struct str tmp;
    size_t i;
    int rc = db_check_target(s, to, force, e);

    *n = 0;
    str_init(&tmp);
    for (i = 0; rc == 0 && i < runs->n; i++)
        rc = rows_add_id(&sorted, runs->ids[i], e);
    if (rc == 0)
        rc = db_temporary(to, &tmp, e);
    if (rc == 0) {
        if (sorted.n)
            qsort(sorted.ids, sorted.n, sizeof(*sorted.ids), by_number);
        rc = export_to(s, &sorted, tmp.s, to, n, e);
        if (rc == 0)
            rc = db_put_in_place(tmp.s, to, force, e);
        if (rc < 0)
            unlink(tmp.s);
    }
    mem_free(sorted.ids);
    str_release(&tmp);
    return rc;
}
