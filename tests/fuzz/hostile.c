/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "hostile.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "lab.h"

enum {
    MAX_LINE = 4096,
    MAX_FILE = 4 << 20,
    MAX_VALUE = 100000, /* bytes of a text or blob */
    MAX_STEPS = 200     /* thousands of virtual instructions */
};

/* Takes the next line; 0 where there is none. */
static int
next_line(struct bytes *in, char line[MAX_LINE])
{
    size_t n = 0;
    const uint8_t *p;

    if (in->left == 0)
        return 0;
    while ((p = fuzz_take(in, 1)) && *p != '\n')
        if (n < MAX_LINE - 1)
            line[n++] = (char)*p;
    line[n] = '\0';
    return 1;
}

/* ---- by SQL -------------------------------------------------------------- */

/* Nothing may leave the file or outlive the connection. */
static int
authorize(void *arg, int action, const char *a, const char *b, const char *db,
          const char *trigger)
{
    static const char *const HARMFUL[] = {
        "hard_heap_limit",      "soft_heap_limit", "temp_store_directory",
        "data_store_directory", "max_page_count",  NULL};
    int i;

    (void)arg;
    (void)b;
    (void)db;
    (void)trigger;
    if (action == SQLITE_ATTACH)
        return a && *a ? SQLITE_DENY : SQLITE_OK; /* "" is VACUUM's */
    for (i = 0; action == SQLITE_PRAGMA && HARMFUL[i]; i++)
        if (sqlite3_stricmp(a, HARMFUL[i]) == 0)
            return SQLITE_DENY;
    return SQLITE_OK;
}

static int
tired(void *steps)
{
    return ++*(int *)steps > MAX_STEPS;
}

/* NOT NULL is taken out of the schema while the lines run, and put back where
 * they have not changed it. */
static const char LOOSEN[] =
    "PRAGMA synchronous = OFF;"
    "PRAGMA max_page_count = 4000;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA ignore_check_constraints = ON;"
    "PRAGMA writable_schema = ON;"
    "CREATE TEMP TABLE kept AS"
    "  SELECT name, sql, replace(sql, ' NOT NULL', '') AS loose"
    "  FROM main.sqlite_schema WHERE type = 'table';"
    "UPDATE main.sqlite_schema AS t SET sql = k.loose FROM temp.kept AS k"
    "  WHERE k.name = t.name;"
    "PRAGMA writable_schema = RESET;"
    "PRAGMA writable_schema = ON;";
static const char TIGHTEN[] =
    "PRAGMA writable_schema = ON;"
    "UPDATE main.sqlite_schema AS t SET sql = k.sql FROM temp.kept AS k"
    "  WHERE k.name = t.name AND k.loose = t.sql;";

static void
run(sqlite3 *db, const char *sql)
{
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void
by_sql(const char *path, struct bytes in)
{
    char line[MAX_LINE];
    sqlite3 *db;
    int steps = 0;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    MUST(sqlite3_exec(db, LOOSEN, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, MAX_VALUE);
    sqlite3_set_authorizer(db, authorize, NULL);
    sqlite3_progress_handler(db, 1000, tired, &steps);
    while (next_line(&in, line))
        if (line[0] == 's' && line[1] == ' ')
            run(db, line + 2);
    steps = 0;
    run(db, "COMMIT");
    run(db, TIGHTEN);
    sqlite3_close_v2(db);
}

/* Whether a line begins so. */
static int
has_line(struct bytes in, const char *begin)
{
    char line[MAX_LINE];

    while (next_line(&in, line))
        if (strncmp(line, begin, strlen(begin)) == 0)
            return 1;
    return 0;
}

/* ---- by bytes ------------------------------------------------------------ */

/* Replaces hexadecimal digits by their bytes; returns how many. */
static size_t
from_hex(char *s)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *high, *low;
    size_t n;

    for (n = 0; s[2 * n] && s[2 * n + 1]; n++) {
        high = strchr(DIGITS, s[2 * n]);
        low = strchr(DIGITS, s[2 * n + 1]);
        if (!high || !low)
            break;
        s[n] = (char)((high - DIGITS) * 16 + (low - DIGITS));
    }
    return n;
}

static void
write_at(const char *path, long at, const char *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    if (at >= 0 && at < MAX_FILE && n > 0)
        MUST(pwrite(fd, p, n, at) == (ssize_t)n);
    close(fd);
}

static void
write_page(const char *path, char *line)
{
    char *hex;
    long page = strtol(line, &hex, 10), at = strtol(hex, &hex, 10);

    if (page < 1 || page > MAX_FILE / LAB_PAGE || at < 0 || at >= LAB_PAGE ||
        *hex++ != ' ')
        return;
    write_at(path, (page - 1) * LAB_PAGE + at, hex, from_hex(hex));
}

static void
cut(const char *path, const char *line)
{
    long n = strtol(line, NULL, 10);
    struct stat st;

    if (n >= 0 && stat(path, &st) == 0 && n < st.st_size)
        MUST(truncate(path, n) == 0);
}

static void
add_beside(const char *path, const char *suffix, char *hex)
{
    char name[400];
    struct stat st;
    long at;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    at = stat(name, &st) == 0 ? (long)st.st_size : 0;
    write_at(name, at, hex, from_hex(hex));
}

static void
by_bytes(const char *path, struct bytes in)
{
    char line[MAX_LINE];

    while (next_line(&in, line)) {
        if (line[0] && line[1] != ' ')
            continue;
        switch (line[0]) {
        case 'p':
            write_page(path, line + 2);
            break;
        case 'c':
            cut(path, line + 2);
            break;
        case 'w':
            add_beside(path, "-wal", line + 2);
            break;
        case 'j':
            add_beside(path, "-journal", line + 2);
            break;
        }
    }
}

void
hostile_write(const char *path, const uint8_t *data, size_t size)
{
    static const char MAGIC[] = "SQLite format 3";
    const struct bytes in = {data, size};
    uint8_t *lab;
    size_t n;

    if (size >= sizeof(MAGIC) && memcmp(data, MAGIC, sizeof(MAGIC)) == 0) {
        fuzz_write(path, data, size);
        return;
    }
    lab = lab_database(has_line(in, "old"), &n);
    fuzz_write(path, lab, n);
    if (has_line(in, "s "))
        by_sql(path, in);
    by_bytes(path, in);
}

/* ---- afterwards ---------------------------------------------------------- */

static struct {
    uint8_t bytes[2 * MAX_FILE];
    size_t n;
    int alone;
} was;

static size_t
slurp(const char *path, uint8_t *p, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    MUST(f);
    n = fread(p, 1, size, f);
    fclose(f);
    return n;
}

static int
is_beside(const char *path, const char *suffix)
{
    char name[400];

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

void
hostile_remember(const char *path)
{
    was.alone = !is_beside(path, "-wal") && !is_beside(path, "-journal");
    was.n = slurp(path, was.bytes, sizeof(was.bytes));
}

void
hostile_unchanged(const char *path)
{
    static uint8_t now[sizeof(was.bytes)];

    MUST(!was.alone || (slurp(path, now, sizeof(now)) == was.n &&
                        memcmp(now, was.bytes, was.n) == 0));
}
