/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "db_state.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/db.h"

static int
differs_anyway(const char *column)
{
    size_t n = strlen(column);

    /* A setting's value may be a time. */
    return strcmp(column, "uuid") == 0 || strcmp(column, "at") == 0 ||
           strcmp(column, "heartbeat_clock") == 0 ||
           strcmp(column, "value") == 0 ||
           (n > 3 && strcmp(column + n - 3, "_at") == 0);
}

static void
add_cell(struct sha256 *h, sqlite3_stmt *st, int col)
{
    int type = sqlite3_column_type(st, col);
    int64_t i = sqlite3_column_int64(st, col);
    double r = sqlite3_column_double(st, col);

    sha256_add(h, &type, sizeof(type));
    if (type == SQLITE_NULL || differs_anyway(sqlite3_column_name(st, col)))
        return;
    if (type == SQLITE_INTEGER)
        sha256_add(h, &i, sizeof(i));
    else if (type == SQLITE_FLOAT)
        sha256_add(h, &r, sizeof(r));
    else
        sha256_add(h, sqlite3_column_blob(st, col),
                   (size_t)sqlite3_column_bytes(st, col));
}

static int
add_rows(sqlite3 *db, const char *sql, struct sha256 *h)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    int i, n;

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        n = sqlite3_column_count(st);
        for (i = 0; i < n; i++)
            add_cell(h, st, i);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Pages, indexes, constraints. */
static int
intact(sqlite3 *db, char *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);

        if (strcmp(text, "ok") != 0)
            snprintf(out, SHA256_HEX, "%s", text);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    return rc;
}

static int
add_tables(sqlite3 *db, struct sha256 *h, int *n)
{
    sqlite3_stmt *st;
    char sql[160];
    int rc = sqlite3_prepare_v2(db,
                                "SELECT name FROM sqlite_schema "
                                "WHERE type = 'table' ORDER BY name",
                                -1, &st, NULL);

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);

        ++*n;
        sha256_add(h, name, strlen(name));
        snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"", name);
        rc = add_rows(db, sql, h);
        if (rc != SQLITE_OK)
            break;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
state(sqlite3 *db, char out[SHA256_HEX])
{
    struct sha256 *h = sha256_new();
    int rc, tables = 0;

    ck_assert_ptr_nonnull(h);
    snprintf(out, SHA256_HEX, "none");
    rc = add_rows(db, "PRAGMA user_version", h);
    if (rc == SQLITE_OK)
        rc = add_tables(db, h, &tables);
    if (tables > 0)
        sha256_hex(h, out);
    sha256_free(h);
    if (rc == SQLITE_OK)
        rc = intact(db, out);
    if (rc != SQLITE_OK)
        snprintf(out, SHA256_HEX, "%s", sqlite3_errmsg(db));
}

void
db_state(const char *path, char out[SHA256_HEX])
{
    struct stat st;
    sqlite3 *db;

    snprintf(out, SHA256_HEX, "none");
    if (stat(path, &st) < 0)
        return;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    state(db, out);
    sqlite3_close(db);
}

void
db_state_by(struct store *s, char out[SHA256_HEX])
{
    sqlite3_stmt *st = NULL;

    while ((st = sqlite3_next_stmt(s->db, st)))
        ck_assert_msg(!sqlite3_stmt_busy(st), "left at work: %s",
                      sqlite3_sql(st));
    ck_assert_int_eq(sqlite3_txn_state(s->db, NULL), SQLITE_TXN_NONE);
    state(s->db, out);
}

static void
no_fault(const char *line, void *arg)
{
    ck_abort_msg("%s: %s", (const char *)arg, line);
}

void
db_sound(struct store *s, const char *when)
{
    struct err e = {0};
    int faults;

    ck_assert_msg(store_check(s, no_fault, (void *)when, &faults, &e) == 0,
                  "%s: %s", when, e.msg);
}
