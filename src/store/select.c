/* SPDX-License-Identifier: MIT */
/* RUN words to ids. */
#include "config.h"

#include "store/db.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"

static const char DIGITS[] = "0123456789";

/* Once each: `1 1..3` names run 1 once. */
int
db_append_id(struct run_ids *out, int64_t id, struct err *e)
{
    size_t i, cap;
    int64_t *more;

    for (i = 0; i < out->n; i++)
        if (out->ids[i] == id)
            return 0;
    if (out->n == out->cap) {
        cap = out->cap ? 2 * out->cap : 16;
        more = mem_resize(out->ids, cap, sizeof(*more));
        if (!more)
            return err_nomem(e, "a list of runs", cap * sizeof(*more));
        out->ids = more;
        out->cap = cap;
    }
    out->ids[out->n++] = id;
    return 0;
}

/* Appends what a bound statement finds; returns how many, or a code. */
static int
take(struct store *s, sqlite3_stmt *st, struct run_ids *out, struct err *e)
{
    int n = 0;
    int rc;

    while ((rc = db_step(s, st, e)) > 0) {
        rc = db_append_id(out, sqlite3_column_int64(st, 0), e);
        if (rc < 0)
            break;
        n++;
    }
    db_done(st);
    return rc < 0 ? rc : n;
}

static int
by_id(struct store *s, const char *word, struct run_ids *out, struct err *e)
{
    long long id;
    sqlite3_stmt *st;
    int rc;

    if (str_to_i64(word, &id) < 0)
        return 0;
    rc = db_stmt(s, SQL_SELECT_ID, &st, e);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    return take(s, st, out, e);
}

/* "a..b" of digits; either end may be left out, not both. */
static int
parse_range(const char *word, long long *first, long long *last)
{
    size_t a = strspn(word, DIGITS);
    const char *end = word + a + 2;
    char text[24];

    *first = 1;
    *last = INT64_MAX;
    if (strncmp(word + a, "..", 2) != 0 || end[strspn(end, DIGITS)] ||
        (a == 0 && !*end) || a >= sizeof(text))
        return 0;
    memcpy(text, word, a);
    text[a] = '\0';
    return (a == 0 || str_to_i64(text, first) == 0) &&
           (!*end || str_to_i64(end, last) == 0);
}

static int
by_range(struct store *s, const char *word, long long first, long long last,
         struct run_ids *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_SELECT_RANGE, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":first", first);
    db_int(s, st, ":last", last);
    rc = take(s, st, out, e);
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "no run in %s", word);
    return rc;
}

static int
by_text(struct store *s, enum sql id, const char *param, const char *word,
        struct run_ids *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    if (rc < 0)
        return rc;
    db_text(s, st, param, word);
    return take(s, st, out, e);
}

static int
by_uuid(struct store *s, const char *word, struct run_ids *out, struct err *e)
{
    char prefix[37];
    size_t i, digits = 0, before = out->n;
    int rc;

    for (i = 0; word[i]; i++) {
        if (i == sizeof(prefix) - 1 ||
            !strchr("0123456789abcdefABCDEF-", word[i]))
            return 0;
        digits += word[i] != '-';
        prefix[i] =
            word[i] >= 'A' && word[i] <= 'F' ? (char)(word[i] + 32) : word[i];
    }
    prefix[i] = '\0';
    if (digits < 8)
        return 0;
    rc = by_text(s, SQL_SELECT_UUID, ":prefix", prefix, out, e);
    if (rc > 1) {
        out->n = before;
        return err_set(e, ERR_USAGE,
                       "\"%s\" begins the UUID of several runs; give more of "
                       "it",
                       word);
    }
    return rc;
}

static int
by_at(struct store *s, const char *word, struct run_ids *out, struct err *e)
{
    int best = strcmp(word, "@best") == 0;
    sqlite3_stmt *st;
    int rc;

    if (!best && strcmp(word, "@last") != 0)
        return err_set(e, ERR_USAGE, "\"%s\": there are @last and @best", word);
    rc = db_stmt(s, best ? SQL_SELECT_BEST : SQL_SELECT_LAST, &st, e);
    if (rc < 0)
        return rc;
    rc = take(s, st, out, e);
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "%s: no run has %s yet", word,
                       best ? "finished" : "been made");
    return rc;
}

int
store_run_resolve(struct store *s, const char *word, struct run_ids *out,
                  struct err *e)
{
    int all_digits = *word && word[strspn(word, DIGITS)] == '\0';
    long long first, last;
    int rc;

    if (*word == '@')
        rc = by_at(s, word, out, e);
    else if (parse_range(word, &first, &last))
        rc = by_range(s, word, first, last, out, e);
    else if (all_digits)
        rc = by_id(s, word, out, e);
    else
        rc = by_text(s, SQL_SELECT_NAME, ":name", word, out, e);
    if (rc == 0)
        rc = by_uuid(s, word, out, e);
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND,
                       all_digits ? "no run %s" : "no run \"%s\"", word);
    return rc < 0 ? rc : 0;
}
