/* SPDX-License-Identifier: MIT */
/*
 * A filter.  What compiles is a condition that SQLite takes, with the bound
 * values that it has, and that a store of a few runs answers.
 */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/filter.h"
#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fuzz.h"
#include "lab.h"

static struct store *store;
static sqlite3 *raw;

static void
open_once(void)
{
    struct err e = {0};
    const char *path;
    size_t n;
    uint8_t *file;

    if (store)
        return;
    file = lab_database(0, &n);
    path = fuzz_path("runs.db");
    fuzz_write(path, file, n);
    MUST(store_open(path, STORE_READ, &store, &e) == 0);
    MUST(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
}

static void
prepares(const struct filter *f)
{
    sqlite3_stmt *st;
    struct str sql;

    str_init(&sql);
    str_addf(&sql, "SELECT id FROM run_summary WHERE (%s)", f->where);
    MUST(!str_failed(&sql));
    MUST(sqlite3_prepare_v2(raw, sql.s, -1, &st, NULL) == SQLITE_OK);
    MUST(sqlite3_bind_parameter_count(st) == f->n_binds);
    MUST(sqlite3_stmt_readonly(st));
    sqlite3_finalize(st);
    str_release(&sql);
}

static int
count(const struct row *r, void *arg, struct err *e)
{
    (void)e;
    *(int *)arg += r->cells != NULL;
    return 0;
}

static void
chooses(const struct filter *f)
{
    static const char *const ID[] = {"id"};
    struct run_query q = {.columns = ID,
                          .n_columns = 1,
                          .where = f->where,
                          .binds = f->binds,
                          .n_binds = f->n_binds,
                          .trash = f->trash ? 2 : 0};
    struct err e = {0};
    int n = 0;

    MUST(store_runs(store, &q, count, &n, &e) == 0);
    MUST(n <= LAB_RUNS);
}

/* The message begins with the column, which is one of the text. */
static void
refused(const char *text, int rc, int column, const struct err *e)
{
    char begin[40];

    fuzz_refused(rc, e);
    MUST(rc == ERR_USAGE);
    MUST(column >= 1 && (size_t)column <= strlen(text) + 1);
    snprintf(begin, sizeof(begin), "filter, column %d: ", column);
    MUST(strncmp(e->msg, begin, strlen(begin)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    char *text = fuzz_text(&in);
    struct err e = {0};
    struct filter f;
    int column = 0;
    int rc;

    open_once();
    rc = filter_compile(text, store_run_columns(store), &f, &column, &e);
    if (rc == 0) {
        prepares(&f);
        chooses(&f);
    } else {
        MUST(!f.where && !f.binds);
        refused(text, rc, column, &e);
    }
    filter_release(&f);
    mem_free(text);
    return 0;
}
