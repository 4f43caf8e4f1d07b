/* SPDX-License-Identifier: MIT */
/*
 * A database that somebody else has made (hostile.h says how), imported into an
 * empty one and into one that has sound runs of the same names and uuids.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/transfer.h"
#include "fuzz.h"
#include "hostile.h"
#include "lab.h"
#include "walk.h"

static void
on_refused(const char *uuid, const char *name, const char *why, void *arg)
{
    int64_t *n = arg;

    MUST(uuid && name && *why);
    fuzz_visible(uuid);
    fuzz_visible(name);
    fuzz_visible(why);
    ++*n;
}

static int
import(struct store *s, const char *path, struct import_result *out)
{
    int64_t refused = 0;
    const struct import_options o = {0, on_refused, &refused};
    struct err e = {0};
    int rc = store_import(s, path, &o, out, &e);

    walk_result(rc, &e);
    MUST(rc < 0 || refused == out->runs[IMPORT_REFUSED]);
    return rc;
}

static int
take_text(const struct row *r, void *arg, struct err *e)
{
    (void)e;
    if (r->cells)
        snprintf(arg, 400, "%s", r->cells[0].s ? r->cells[0].s : "");
    return 0;
}

/* How many rows each table has, and the runs there are. */
static void
counts(struct store *s, char out[400])
{
    static const char SQL[] =
        "SELECT (SELECT count(*) FROM dataset)"
        " || ' ' || (SELECT count(*) FROM image)"
        " || ' ' || (SELECT count(*) FROM epoch)"
        " || ' ' || (SELECT count(*) FROM confusion)"
        " || ' ' || (SELECT count(*) FROM epoch_prediction)"
        " || ' ' || (SELECT count(*) FROM prediction)"
        " || ' ' || (SELECT count(*) FROM checkpoint)"
        " || ' ' || (SELECT count(*) FROM event)"
        " || ' ' || (SELECT count(*) FROM tag)"
        " || ' ' || (SELECT count(*) FROM sweep)"
        " || ' ' || (SELECT count(*) FROM worker)"
        " || ' ' || (SELECT count(*) FROM setting)"
        " || ' ' || (SELECT coalesce(group_concat(name || status), '')"
        "            FROM (SELECT name, status FROM run ORDER BY id))";
    struct err e = {0};

    out[0] = '\0';
    MUST(store_sql(s, SQL, 10, take_text, out, &e) == 0);
}

static void
on_fault(const char *line, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

static void
still_sound(struct store *s)
{
    struct err e = {0};
    int faults;

    MUST(store_check(s, on_fault, NULL, &faults, &e) == 0);
    MUST(faults == 0);
}

/* All or nothing, sound afterwards, and nothing more the second time. */
static void
into(struct store *s, const char *path)
{
    char before[400], after[400];
    struct import_result first, second;

    counts(s, before);
    if (import(s, path, &first) < 0) {
        counts(s, after);
        MUST(strcmp(before, after) == 0);
        return;
    }
    still_sound(s);
    counts(s, before);
    MUST(import(s, path, &second) == 0);
    MUST(second.runs[IMPORT_NEW] == 0 && second.runs[IMPORT_UPDATED] == 0);
    MUST(second.runs[IMPORT_REFUSED] == first.runs[IMPORT_REFUSED]);
    counts(s, after);
    MUST(strcmp(before, after) == 0);
}

static void
into_empty(const char *path)
{
    struct store *s;
    struct err e = {0};

    MUST(store_scratch(&s, &e) == 0);
    into(s, path);
    store_close(s);
}

static void
into_lab(const char *path)
{
    const char *here = fuzz_path("here.db");
    struct store *s;
    struct err e = {0};
    uint8_t *lab;
    size_t n;

    lab = lab_database(0, &n);
    fuzz_write(here, lab, n);
    MUST(store_open(here, STORE_WRITE, &s, &e) == 0);
    into(s, path);
    store_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_path("runs.db");
    size_t n;

    /* Made before there is anything to clear away. */
    (void)lab_database(0, &n);
    fuzz_clear();
    hostile_write(path, data, size);
    hostile_remember(path);
    into_empty(path);
    into_lab(path);
    hostile_unchanged(path);
    return 0;
}
