/* SPDX-License-Identifier: MIT */
/*
 * A database that somebody else has made (hostile.h says how), opened to be
 * read and to be written.
 */
#include "config.h"

#include "fuzz.h"
#include "hostile.h"
#include "lab.h"
#include "walk.h"

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
    int64_t n = -1;
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
        lab = lab_database(0, &size);
        fuzz_write(fuzz_path("own.db"), lab, size);
        MUST(store_open(fuzz_path("own.db"), STORE_READ, &s, &e) == 0);
        n = triggers(s);
        store_close(s);
        MUST(n > 0);
    }
    return n;
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_path("runs.db");

    (void)own_triggers();
    fuzz_clear();
    hostile_write(path, data, size);
    hostile_remember(path);
    open_and(STORE_READ, path, walk_read);
    hostile_unchanged(path);
    open_and(STORE_WRITE, path, walk_write);
    return 0;
}
