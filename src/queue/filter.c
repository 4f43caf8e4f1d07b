/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/filter.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* SQLite's parser has a stack of 100 symbols, of which a level takes up to 5
 * ("a OR b AND ("), and an expression may be 1000 deep, where each AND of a row
 * is one deeper than the last. */
enum {
    MAX_TEXT = 10000,
    MAX_DEPTH = 12,
    MAX_TERMS = 400,
    MAX_BINDS = 400,
    MAX_NAME = 32
};

/* Columns of run_summary that hold text; all others are numbers. */
static const char *const TEXT_COLUMNS[] = {
    "uuid",       "name",       "model",       "preset",     "spec",
    "status",     "request",    "user",        "engine",     "dataset",
    "tags",       "optimizer",  "schedule",    "augment",    "precision",
    "kernel",     "compiler",   "host",        "error",      "note",
    "created_at", "started_at", "finished_at", "deleted_at", "program_version",
    NULL};

struct parser {
    const char *text, *p;
    const char *const *columns;
    struct str sql;
    struct cell *binds;
    int n_binds;
    int n_terms;
    int depth;
    int trash;
    int column;
    struct err *e;
};

enum op { OP_MATCH, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };
static const char *const OP_SQL[] = {"", "=", "<>", "<", "<=", ">", ">="};

/* ---- errors -------------------------------------------------------------- */

/* The column in characters, as an editor counts. */
static int
column_of(const struct parser *f, const char *at)
{
    const char *p;
    int n = 1;

    for (p = f->text; p < at; p++)
        n += ((unsigned char)*p & 0xC0) != 0x80;
    return n;
}

static int wrong(struct parser *f, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
wrong(struct parser *f, const char *at, const char *fmt, ...)
{
    char why[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    f->column = column_of(f, at);
    return err_set(f->e, ERR_USAGE, "filter, column %d: %s", f->column, why);
}

/* Levenshtein distance of two short names. */
static int
distance(const char *a, const char *b)
{
    int row[MAX_NAME + 1];
    int n = (int)strlen(b);
    int i, j, diagonal, above;

    if (n > MAX_NAME)
        return MAX_NAME;
    for (j = 0; j <= n; j++)
        row[j] = j;
    for (i = 1; *a; a++, i++) {
        diagonal = row[0];
        row[0] = i;
        for (j = 1; j <= n; j++) {
            above = row[j];
            row[j] = diagonal + (*a != b[j - 1]);
            if (above + 1 < row[j])
                row[j] = above + 1;
            if (row[j - 1] + 1 < row[j])
                row[j] = row[j - 1] + 1;
            diagonal = above;
        }
    }
    return row[n];
}

static int
unknown_field(struct parser *f, const char *at, const char *name)
{
    const char *const *c;
    const char *best = NULL;
    int least = 3, d;

    for (c = f->columns; *c; c++) {
        d = distance(name, *c);
        if (d < least) {
            least = d;
            best = *c;
        }
    }
    if (best && least < (int)strlen(best))
        return wrong(f, at, "unknown field \"%s\" (did you mean %s?)", name,
                     best);
    return wrong(f, at,
                 "unknown field \"%s\"; fields are the columns of "
                 "run_summary, tag and is",
                 name);
}

/* ---- values -------------------------------------------------------------- */

/* Binds a value and writes its parameter. */
static int
bind(struct parser *f, const struct cell *c)
{
    struct cell *more;

    if (f->n_binds == MAX_BINDS)
        return wrong(f, f->p, "more than %d values", MAX_BINDS);
    more = mem_resize(f->binds, (size_t)f->n_binds + 1, sizeof(*more));
    if (!more)
        return err_nomem(f->e, "a filter",
                         ((size_t)f->n_binds + 1) * sizeof(*more));
    f->binds = more;
    more[f->n_binds++] = *c;
    str_addf(&f->sql, "?%d", f->n_binds);
    return 0;
}

static int
bind_text(struct parser *f, const char *text)
{
    struct cell c = {.type = CELL_TEXT, .n = strlen(text)};
    int rc;

    c.s = mem_strdup(text);
    if (!c.s)
        return err_nomem(f->e, "a filter", c.n + 1);
    rc = bind(f, &c);
    if (rc < 0)
        mem_free((char *)c.s);
    return rc;
}

/* A whole number stays one, so that it is compared exactly. */
static int
bind_number(struct parser *f, const char *at, const char *name,
            const char *text)
{
    struct cell c = {.type = CELL_INT};
    long long i;

    if (str_to_i64(text, &i) == 0) {
        c.i = i;
    } else if (str_to_double(text, &c.r) == 0) {
        c.type = CELL_REAL;
    } else {
        return wrong(f, at, "%s: expected a number, found \"%.80s\"", name,
                     text);
    }
    return bind(f, &c);
}

/* Text as a LIKE pattern with "^" as escape; wild: * and ? are wildcards. */
static void
add_pattern(struct str *out, const char *text, int wild)
{
    for (; *text; text++) {
        if (wild && (*text == '*' || *text == '?')) {
            str_addc(out, *text == '*' ? '%' : '_');
            continue;
        }
        if (strchr("%_^", *text))
            str_addc(out, '^');
        str_addc(out, *text);
    }
}

/* "SUBJECT LIKE ?n ESCAPE '^'" */
static int
like(struct parser *f, const char *subject, const char *text, int wild)
{
    struct str pattern;
    int rc;

    str_init(&pattern);
    if (!wild)
        str_addc(&pattern, '%');
    add_pattern(&pattern, text, wild);
    if (!wild)
        str_addc(&pattern, '%');
    str_addf(&f->sql, "%s LIKE ", subject);
    rc = str_failed(&pattern) ? err_nomem(f->e, "a filter", strlen(text))
                              : bind_text(f, pattern.s);
    str_add(&f->sql, " ESCAPE '^'");
    str_release(&pattern);
    return rc;
}

/* Takes a quoted text after its first quote. */
static int
quoted(struct parser *f, struct str *out)
{
    const char *from = f->p++;

    for (; *f->p && *f->p != '"'; f->p++) {
        if (*f->p == '\\' && (f->p[1] == '"' || f->p[1] == '\\'))
            f->p++;
        str_addc(out, *f->p);
    }
    if (!*f->p)
        return wrong(f, from, "a quote without its end");
    f->p++;
    if (*f->p && !strchr(" \t|)", *f->p))
        return wrong(f, f->p, "expected a blank after the quote");
    return 0;
}

static int
value(struct parser *f, struct str *out)
{
    const char *from = f->p;

    if (*f->p == '"')
        return quoted(f, out);
    while (*f->p && !strchr(" \t|)", *f->p))
        str_addc(out, *f->p++);
    if (f->p == from)
        return wrong(f, f->p, "a value is missing");
    return 0;
}

/* ---- terms --------------------------------------------------------------- */

static int
is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return 1;
    return 0;
}

static int
compare_number(struct parser *f, const char *at, const char *name, enum op op,
               const char *text)
{
    str_addf(&f->sql, "\"%s\" %s ", name, OP_SQL[op]);
    return bind_number(f, at, name, text);
}

/* FIELD:VALUE of a number: a value or a range. */
static int
match_number(struct parser *f, const char *at, const char *name,
             const char *text)
{
    const char *dots = strstr(text, "..");
    const char *high = dots ? dots + 2 : NULL;
    char low[64];
    int rc = 0;

    if (!dots)
        return compare_number(f, at, name, OP_EQ, text);
    if (dots - text >= (int)sizeof(low) || (dots == text && !*high))
        return wrong(f, at,
                     "%s: expected a number or a range like 1..5, found "
                     "\"%.80s\"",
                     name, text);
    memcpy(low, text, (size_t)(dots - text));
    low[dots - text] = '\0';
    str_addc(&f->sql, '(');
    if (*low)
        rc = compare_number(f, at, name, OP_GE, low);
    if (rc == 0 && *low && *high)
        str_add(&f->sql, " AND ");
    if (rc == 0 && *high)
        rc = compare_number(f, at, name, OP_LE, high);
    str_addc(&f->sql, ')');
    return rc;
}

static int
compare_text(struct parser *f, const char *name, enum op op, const char *text)
{
    size_t n = strlen(name);
    char subject[MAX_NAME + 8];

    snprintf(subject, sizeof(subject), "\"%s\"", name);
    /* A day is compared with the day of a time, a minute with the minute. */
    if (n > 3 && strcmp(name + n - 3, "_at") == 0 && !strpbrk(text, "*?")) {
        str_addf(&f->sql, "substr(%s, 1, %d) %s ", subject, (int)strlen(text),
                 OP_SQL[op == OP_MATCH ? OP_EQ : op]);
        return bind_text(f, text);
    }
    if (op == OP_MATCH)
        return like(f, subject, text, 1);
    str_addf(&f->sql, "%s %s ", subject, OP_SQL[op]);
    return bind_text(f, text);
}

static int
tag_term(struct parser *f, const char *at, enum op op, const char *text)
{
    int rc;

    if (op != OP_MATCH && op != OP_EQ && op != OP_NE)
        return wrong(f, at, "a tag is tag:NAME");
    str_addf(&f->sql,
             "%sEXISTS (SELECT 1 FROM tag WHERE run_id = run_summary.id AND ",
             op == OP_NE ? "NOT " : "");
    if (op == OP_MATCH) {
        rc = like(f, "tag", text, 1);
    } else {
        str_add(&f->sql, "tag = ");
        rc = bind_text(f, text);
    }
    str_addc(&f->sql, ')');
    return rc;
}

static int
is_term(struct parser *f, const char *at, enum op op, const char *text)
{
    if (op != OP_MATCH)
        return wrong(f, at, "a state is is:starred, is:trash or is:live");
    if (strcmp(text, "starred") == 0) {
        str_add(&f->sql, "starred = 1");
    } else if (strcmp(text, "trash") == 0) {
        str_add(&f->sql, "deleted_at IS NOT NULL");
        f->trash = 1;
    } else if (strcmp(text, "live") == 0) {
        str_add(&f->sql, "status IN ('queued', 'running', 'paused')");
    } else {
        return wrong(f, at,
                     "unknown \"is:%.40s\"; there are is:starred, is:trash "
                     "and is:live",
                     text);
    }
    return 0;
}

/* Takes an operator; -1 if there is none. */
static int
operator(struct parser *f)
{
    static const struct {
        const char *text;
        enum op op;
    } ALL[] = {{"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {":", OP_MATCH},
               {"=", OP_EQ},  {"<", OP_LT},  {">", OP_GT}};
    size_t i, n;

    for (i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        n = strlen(ALL[i].text);
        if (strncmp(f->p, ALL[i].text, n) == 0) {
            f->p += n;
            return ALL[i].op;
        }
    }
    return -1;
}

static int
field_term(struct parser *f, const char *at, const char *name, enum op op)
{
    const char *value_at = f->p;
    struct str v;
    int rc;

    str_init(&v);
    rc = value(f, &v);
    if (rc == 0 && str_failed(&v))
        rc = err_nomem(f->e, "a filter", strlen(f->text));
    if (rc < 0)
        ;
    else if (strcmp(name, "tag") == 0)
        rc = tag_term(f, at, op, v.s);
    else if (strcmp(name, "is") == 0)
        rc = is_term(f, at, op, v.s);
    else if (!is_listed(f->columns, name))
        rc = unknown_field(f, at, name);
    else if (is_listed(TEXT_COLUMNS, name))
        rc = compare_text(f, name, op, v.s);
    else if (op == OP_MATCH)
        rc = match_number(f, value_at, name, v.s);
    else
        rc = compare_number(f, value_at, name, op, v.s);
    str_release(&v);
    return rc;
}

static int
search(struct parser *f, const char *word)
{
    int rc;

    str_addc(&f->sql, '(');
    rc = like(f, "name", word, 0);
    str_add(&f->sql, " OR ");
    if (rc == 0)
        rc = like(f, "tags", word, 0);
    str_add(&f->sql, " OR ");
    if (rc == 0)
        rc = like(f, "coalesce(note, '')", word, 0);
    str_addc(&f->sql, ')');
    return rc;
}

static int
word_term(struct parser *f, const char *at)
{
    struct str v;
    int rc;

    str_init(&v);
    rc = value(f, &v);
    if (rc == 0 && *at != '"' && strpbrk(v.s, "<>=:"))
        rc = wrong(f, at,
                   "expected a word or FIELD:VALUE, found \"%.80s\" (quote a "
                   "word that has one of < > = :)",
                   v.s);
    if (rc == 0 && str_failed(&v))
        rc = err_nomem(f->e, "a filter", strlen(f->text));
    if (rc == 0)
        rc = search(f, v.s);
    str_release(&v);
    return rc;
}

/* FIELD OP VALUE, or a word. */
static int
atom(struct parser *f)
{
    const char *at = f->p;
    char name[MAX_NAME];
    size_t n = 0;
    int op;

    if (++f->n_terms > MAX_TERMS)
        return wrong(f, at, "more than %d terms", MAX_TERMS);
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    f->p = at + n;
    op = n > 0 && !isdigit((unsigned char)*at) ? operator(f) : -1;
    if (op < 0) {
        f->p = at;
        return word_term(f, at);
    }
    if (n >= sizeof(name))
        return wrong(f, at, "unknown field \"%.40s\"", at);
    memcpy(name, at, n);
    name[n] = '\0';
    return field_term(f, at, name, (enum op)op);
}

/* ---- structure ----------------------------------------------------------- */

static void
blanks(struct parser *f)
{
    f->p += strspn(f->p, " \t");
}

static int alternatives(struct parser *f);

static int
term(struct parser *f)
{
    const char *at = f->p;
    int rc;

    if (++f->depth > MAX_DEPTH)
        return wrong(f, at, "nested too deeply");
    if (*at == '-') {
        f->p++;
        if (!*f->p || strchr(" \t|)", *f->p))
            return wrong(f, at, "a - without a term after it");
        str_add(&f->sql, "NOT (");
        rc = term(f);
        str_addc(&f->sql, ')');
    } else if (*at == '(') {
        f->p++;
        str_addc(&f->sql, '(');
        rc = alternatives(f);
        if (rc == 0 && *f->p != ')')
            rc = wrong(f, at, "a ( without its )");
        f->p += rc == 0;
        str_addc(&f->sql, ')');
    } else {
        rc = atom(f);
    }
    f->depth--;
    return rc;
}

/* Terms side by side. */
static int
row(struct parser *f)
{
    int n, rc = 0;

    for (n = 0; rc == 0; n++) {
        blanks(f);
        if (!*f->p || *f->p == '|' || *f->p == ')')
            break;
        str_add(&f->sql, n ? " AND " : "");
        rc = term(f);
    }
    if (rc == 0 && n == 0)
        rc = wrong(f, f->p, "a term is missing");
    return rc;
}

static int
alternatives(struct parser *f)
{
    int rc = row(f);

    while (rc == 0 && *f->p == '|') {
        f->p++;
        str_add(&f->sql, " OR ");
        rc = row(f);
    }
    return rc;
}

int
filter_compile(const char *text, const char *const *columns, struct filter *out,
               int *column, struct err *e)
{
    struct parser f = {.text = text, .p = text, .columns = columns, .e = e};
    int rc = 0;

    memset(out, 0, sizeof(*out));
    str_init(&f.sql);
    blanks(&f);
    if (strlen(text) > MAX_TEXT)
        rc = wrong(&f, text, "longer than %d bytes", MAX_TEXT);
    else if (!*f.p)
        str_add(&f.sql, "1");
    else
        rc = alternatives(&f);
    if (rc == 0 && *f.p)
        rc = wrong(&f, f.p, "a ) without its (");
    if (column)
        *column = f.column;
    out->binds = f.binds;
    out->n_binds = f.n_binds;
    out->trash = f.trash;
    if (rc == 0) {
        out->where = str_detach(&f.sql);
        if (!out->where)
            rc = err_nomem(e, "a filter", strlen(text));
    }
    str_release(&f.sql);
    if (rc < 0)
        filter_release(out);
    return rc;
}

void
filter_release(struct filter *f)
{
    int i;

    for (i = 0; i < f->n_binds; i++)
        if (f->binds[i].type == CELL_TEXT)
            mem_free((char *)f->binds[i].s);
    mem_free(f->binds);
    mem_free(f->where);
    memset(f, 0, sizeof(*f));
}
