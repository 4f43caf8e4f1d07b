/* SPDX-License-Identifier: MIT */
/*
 * A database that somebody else has made (hostile.h says how), opened to be
 * read and to be written.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "hostile.h"
#include "lab.h"
#include "walk.h"

enum { MAX_FILE = 8 << 20 };

static int
take_count(const struct row *r, void *arg, struct err *e)
{
    (void)e;
    if (r->cells)
        *(int64_t *)arg = r->cells[0].i;
    return 0;
}

/* How many triggers a database has; negative where that cannot be told. */
static int64_t
triggers(struct store *s)
{
    struct err e = {0};
    int64_t n;
    int rc = store_sql(s,
                       "SELECT count(*) FROM sqlite_schema "
                       "WHERE type LIKE 'trigger'",
                       10, take_count, &n, &e);

    return rc < 0 ? rc : n;
}

/* How many the program's own schema has. */
static int64_t
own_triggers(void)
{
    static int64_t n;
    struct err e = {0};
    struct store *s;
    uint8_t *lab;
    size_t size;

    if (n == 0) {
        lab = lab_database(&size);
        fuzz_write(fuzz_path("own.db"), lab, size);
        MUST(store_open(fuzz_path("own.db"), STORE_READ, &s, &e) == 0);
        n = triggers(s);
        store_close(s);
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
    int rc = store_open(path, mode, &s, &e);
    int64_t n;

    MUST((rc == 0) == (s != NULL));
    if (rc < 0) {
        fuzz_refused(rc, &e);
        return;
    }
    n = triggers(s);
    MUST(n < 0 || n == own_triggers());
    walk(s);
    store_close(s);
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
