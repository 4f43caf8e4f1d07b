/* SPDX-License-Identifier: MIT */
/*
 * A database that somebody else has made (hostile.h says how), opened to be
 * read and to be written.
 */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "hostile.h"
#include "lab.h"
#include "walk.h"

enum { MAX_FILE = 8 << 20 };

/* Triggers in a file, -1 where SQLite cannot tell. */
static int
triggers(const char *path)
{
    sqlite3_stmt *st;
    sqlite3 *db;
    int rc, n = -1;

    MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    rc = sqlite3_prepare_v2(
        db, "SELECT count(*) FROM sqlite_schema WHERE type LIKE 'trigger'", -1,
        &st, NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* How many triggers the program's own schema has. */
static int
own_triggers(void)
{
    static int n;
    size_t size;
    const uint8_t *lab = lab_database(&size);

    if (n == 0) {
        fuzz_write(fuzz_path("own.db"), lab, size);
        n = triggers(fuzz_path("own.db"));
        MUST(n > 0);
    }
    return n;
}

static size_t
slurp(const char *path, uint8_t *p)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    MUST(f);
    n = fread(p, 1, MAX_FILE, f);
    fclose(f);
    return n;
}

static int
alone(void)
{
    return access(fuzz_path("runs.db-wal"), F_OK) < 0 &&
           access(fuzz_path("runs.db-journal"), F_OK) < 0;
}

static void
open_and(enum store_mode mode, const char *path, void (*walk)(struct store *s))
{
    struct store *s;
    struct err e = {0};
    int n, rc = store_open(path, mode, &s, &e);

    MUST((rc == 0) == (s != NULL));
    if (rc < 0) {
        fuzz_refused(rc, &e);
        return;
    }
    walk(s);
    store_close(s);
    n = triggers(path);
    MUST(n < 0 || n == own_triggers());
}

/* Reading changes nothing, where nothing beside the file is part of it. */
static void
read_only(const char *path)
{
    static uint8_t before[MAX_FILE], after[MAX_FILE];
    int was_alone = alone();
    size_t n = slurp(path, before);

    open_and(STORE_READ, path, walk_read);
    MUST(!was_alone ||
         (slurp(path, after) == n && memcmp(before, after, n) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_path("runs.db");

    (void)own_triggers();
    fuzz_clear();
    hostile_write(path, data, size);
    read_only(path);
    open_and(STORE_WRITE, path, walk_write);
    return 0;
}
