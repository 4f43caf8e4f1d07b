/* SPDX-License-Identifier: MIT */
/* Listings of runs, rows of one run, and the user's own SQL. */
#include "config.h"

#include "store/db.h"

#include <ctype.h>
#include <string.h>

#include "fmnist/str.h"
#include "fmnist/sys.h"

static int
is_column(const struct store *s, const char *name)
{
    char **c;

    for (c = s->columns; *c; c++)
        if (strcmp(*c, name) == 0)
            return 1;
    return 0;
}

static int
no_column(const struct store *s, const char *name, struct err *e)
{
    struct str all;
    char **c;

    str_init(&all);
    for (c = s->columns; *c; c++)
        str_addf(&all, "%s%s", c == s->columns ? "" : " ", *c);
    err_set(e, ERR_USAGE, "no column \"%.40s\"; there are: %s", name, all.s);
    str_release(&all);
    return ERR_USAGE;
}

static int
compose(struct store *s, const struct run_query *q, struct str *sql,
        struct err *e)
{
    static const enum sql TRASH[] = {SQL_RUNS_NOT_TRASH, SQL_RUNS_ONLY_TRASH,
                                     SQL_RUNS_ALL};
    int i;

    str_add(sql, "SELECT ");
    for (i = 0; i < q->n_columns; i++) {
        if (!is_column(s, q->columns[i]))
            return no_column(s, q->columns[i], e);
        str_addf(sql, "%s\"%s\"", i ? ", " : "", q->columns[i]);
    }
    if (!q->columns)
        str_addc(sql, '*');
    str_addf(sql, " %s %s", sql_text(SQL_RUNS_FROM), sql_text(TRASH[q->trash]));
    if (q->where && *q->where)
        str_addf(sql, " AND (%s)", q->where);
    if (q->sort && !is_column(s, q->sort))
        return no_column(s, q->sort, e);
    if (q->sort)
        str_addf(sql, " ORDER BY \"%s\" IS NULL, \"%s\" %s, id", q->sort,
                 q->sort, q->descending ? "DESC" : "ASC");
    else
        str_addf(sql, " %s", sql_text(SQL_RUNS_DEFAULT_ORDER));
    if (q->limit > 0)
        str_addf(sql, " LIMIT %lld", (long long)q->limit);
    return str_failed(sql) ? err_nomem(e, "a query", sql->len) : 0;
}

int
store_runs(struct store *s, const struct run_query *q, row_fn fn, void *arg,
           struct err *e)
{
    sqlite3_stmt *st = NULL;
    struct str sql;
    int i, rc;

    str_init(&sql);
    rc = compose(s, q, &sql, e);
    if (rc == 0) {
        rc = sqlite3_prepare_v2(s->db, sql.s, -1, &st, NULL);
        rc = rc == SQLITE_OK ? 0 : db_error(s, rc, e);
    }
    if (rc == 0) {
        s->bind_rc = 0;
        for (i = 0; i < q->n_binds; i++)
            db_cell(s, st, i + 1, &q->binds[i]);
        rc = rows_deliver(s, st, fn, arg, e);
    }
    sqlite3_finalize(st);
    str_release(&sql);
    return rc;
}

int
store_run_rows(struct store *s, int64_t id, enum run_rows what, row_fn fn,
               void *arg, struct err *e)
{
    static const enum sql WHAT[] = {
        [RUN_EPOCHS] = SQL_ROWS_EPOCHS,
        [RUN_EVENTS] = SQL_ROWS_EVENTS,
        [RUN_TAGS] = SQL_ROWS_TAGS,
        [RUN_CLASSES] = SQL_ROWS_CLASSES,
        [RUN_PREDICTIONS] = SQL_ROWS_PREDICTIONS,
    };
    sqlite3_stmt *st;
    int rc = db_stmt(s, WHAT[what], &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    return rows_deliver(s, st, fn, arg, e);
}

/* ---- the user's SQL ------------------------------------------------------ */

/* Pragmas that tell and change nothing. */
static int
pragma_allowed(const char *name, const char *value)
{
    static const char *const WITH_VALUE[] = {
        "table_info",  "table_xinfo", "index_list",       "index_info",
        "index_xinfo", "table_list",  "foreign_key_list", NULL};
    static const char *const ALONE[] = {"application_id",
                                        "user_version",
                                        "schema_version",
                                        "page_count",
                                        "page_size",
                                        "encoding",
                                        "database_list",
                                        "freelist_count",
                                        "table_list",
                                        "collation_list",
                                        "function_list",
                                        "compile_options",
                                        "foreign_keys",
                                        "data_version",
                                        "pragma_list",
                                        "integrity_check",
                                        "quick_check",
                                        "foreign_key_check",
                                        NULL};
    const char *const *p;

    for (p = value ? WITH_VALUE : ALONE; *p; p++)
        if (sqlite3_stricmp(*p, name) == 0)
            return 1;
    return 0;
}

static int
authorize(void *arg, int action, const char *a, const char *b, const char *db,
          const char *trigger)
{
    (void)arg;
    (void)db;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && (sqlite3_stricmp(b, "load_extension") == 0 ||
                     sqlite3_stricmp(b, "fts3_tokenizer") == 0)
                   ? SQLITE_DENY
                   : SQLITE_OK;
    case SQLITE_PRAGMA:
        return pragma_allowed(a, b) ? SQLITE_OK : SQLITE_DENY;
    }
    return SQLITE_DENY;
}

struct deadline {
    double at;
    int passed;
};

static int
check_deadline(void *arg)
{
    struct deadline *d = arg;

    d->passed = sys_monotonic() > d->at;
    return d->passed;
}

static int
sql_error(struct store *s, int rc, struct err *e)
{
    switch (rc & 0xFF) {
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return err_set(e, ERR_USAGE,
                       "this statement would change the database or leave it: "
                       "only reading is allowed here");
    case SQLITE_ERROR:
        return err_set(e, ERR_USAGE, "%s", sqlite3_errmsg(s->db));
    }
    return db_error(s, rc, e);
}

/* One statement; what follows it may only be blank or a comment. */
static int
prepare_one(struct store *s, const char *sql, sqlite3_stmt **st, struct err *e)
{
    const char *tail = sql;
    sqlite3_stmt *next = NULL;
    int rc;

    /* Comments before a statement make an empty one. */
    do {
        rc = sqlite3_prepare_v2(s->db, tail, -1, st, &tail);
        if (rc != SQLITE_OK)
            return sql_error(s, rc, e);
    } while (!*st && *tail);
    if (!*st)
        return err_set(e, ERR_USAGE, "no SQL statement");
    while (*tail && !next) {
        rc = sqlite3_prepare_v2(s->db, tail, -1, &next, &tail);
        if (rc != SQLITE_OK)
            break;
    }
    sqlite3_finalize(next);
    if (rc != SQLITE_OK || next)
        return err_set(e, ERR_USAGE, "more than one SQL statement");
    return 0;
}

int
store_sql(struct store *s, const char *sql, double seconds, row_fn fn,
          void *arg, struct err *e)
{
    struct deadline d = {sys_monotonic() + seconds, 0};
    sqlite3_stmt *st = NULL;
    int rc = db_exec(s, SQL_QUERY_ONLY_ON, e);

    if (rc < 0)
        return rc;
    sqlite3_set_authorizer(s->db, authorize, NULL);
    sqlite3_progress_handler(s->db, 10000, check_deadline, &d);
    rc = prepare_one(s, sql, &st, e);
    if (rc == 0 && !sqlite3_stmt_readonly(st))
        rc = sql_error(s, SQLITE_AUTH, e);
    if (rc == 0) {
        s->bind_rc = 0;
        rc = rows_deliver(s, st, fn, arg, e);
        if (rc < 0 && d.passed)
            rc = err_set(e, ERR_FAIL,
                         "the query took longer than %g seconds and was "
                         "ended",
                         seconds);
    }
    sqlite3_finalize(st);
    sqlite3_progress_handler(s->db, 0, NULL, NULL);
    sqlite3_set_authorizer(s->db, NULL, NULL);
    if (!s->read && db_exec(s, SQL_QUERY_ONLY_OFF, rc < 0 ? NULL : e) < 0)
        return rc < 0 ? rc : ERR_FAIL;
    return rc;
}
