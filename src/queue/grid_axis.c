/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue/grid_axis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/num.h"
#include "fmnist/rng.h"

/* Bytes of one end of a range. */
#define END_TEXT 32

/* ---- ranges -------------------------------------------------------------- */

static int
bad_range(const struct axis *a, const char *text, struct err *e)
{
    int whole = a->field->type == HYPER_INT;

    return err_set(
        e, ERR_USAGE, "--%s: expected a range such as %s, found \"%.80s\"",
        a->name,
        whole ? "1..5, 10..50:10 or 16..512:log" : "0.1..0.5 or 1e-4..1e-1:log",
        text);
}

/* Cuts "A..B:TAIL" up; tail is NULL where there is none. */
static int
cut_range(const char *text, char low[END_TEXT], char high[END_TEXT],
          const char **tail)
{
    const char *dots = strstr(text, "..");
    const char *colon = strchr(dots, ':');
    size_t n = (size_t)(dots - text);
    size_t k = colon ? (size_t)(colon - dots) - 2 : strlen(dots + 2);

    if (n >= END_TEXT || k >= END_TEXT || n == 0 || k == 0 ||
        (colon && colon < dots)) {
        return -1;
    }
    snprintf(low, END_TEXT, "%.*s", (int)n, text);
    snprintf(high, END_TEXT, "%.*s", (int)k, dots + 2);
    *tail = colon ? colon + 1 : NULL;
    return 0;
}

/* Both ends must be values of the option. */
static int
check_ends(const struct axis *a, const struct hyper *base, struct piece *p,
           const char *low, const char *high, struct err *e)
{
    struct hyper h = *base;
    int rc = hyper_set(&h, a->field, low, e);

    if (rc == 0) {
        rc = hyper_set(&h, a->field, high, e);
    }
    if (rc < 0) {
        return rc;
    }
    if (str_to_double(low, &p->low) < 0 || str_to_double(high, &p->high) < 0) {
        return bad_range(a, p->text, e);
    }
    if (p->high < p->low || (p->kind == REAL && p->high == p->low)) {
        return err_set(e, ERR_USAGE,
                       "--%s: the range \"%.80s\" must begin below its end",
                       a->name, p->text);
    }
    return 0;
}

static int
parse_tail(const struct axis *a, struct piece *p, const char *tail,
           struct err *e)
{
    p->log = tail && strcmp(tail, "log") == 0;
    p->step = 1;
    if (p->log && p->low <= 0) {
        return err_set(e, ERR_USAGE,
                       "--%s: \"%.80s\" has no logarithm: both ends must be "
                       "above 0",
                       a->name, p->text);
    }
    if (tail && !p->log &&
        (p->kind == REAL || str_to_i64(tail, &p->step) < 0 || p->step < 1)) {
        return bad_range(a, p->text, e);
    }
    return 0;
}

static int
parse_range(const struct axis *a, const struct grid_request *q, struct piece *p,
            struct err *e)
{
    char low[END_TEXT], high[END_TEXT];
    const char *tail;
    int rc;

    p->kind = a->field->type == HYPER_INT ? WHOLE : REAL;
    if (cut_range(p->text, low, high, &tail) < 0) {
        return bad_range(a, p->text, e);
    }
    rc = check_ends(a, q->base, p, low, high, e);
    if (rc == 0) {
        rc = parse_tail(a, p, tail, e);
    }
    if (rc < 0) {
        return rc;
    }
    if (p->kind == WHOLE && !p->log) {
        p->first = (long long)p->low;
        p->count =
            ((uint64_t)p->high - (uint64_t)p->first) / (uint64_t)p->step + 1;
        return 0;
    }
    if (q->draws == 0) {
        return err_set(e, ERR_USAGE,
                       "--%s: \"%.80s\" can only be drawn from: give --random "
                       "N, or list the values",
                       a->name, p->text);
    }
    return 0;
}

/* ---- options ------------------------------------------------------------- */

static int
parse_piece(const struct axis *a, const struct grid_request *q, struct piece *p,
            struct err *e)
{
    struct hyper h = *q->base;

    if (p->text[0] == '\0') {
        return err_set(e, ERR_USAGE,
                       "--%s: a value is empty; they stand "
                       "between single commas",
                       a->name);
    }
    if (a->field &&
        (a->field->type == HYPER_INT || a->field->type == HYPER_REAL) &&
        strstr(p->text, "..")) {
        return parse_range(a, q, p, e);
    }
    p->kind = VALUE;
    p->count = 1;
    return a->field ? hyper_set(&h, a->field, p->text, e) : 0;
}

static int
count_pieces(struct axis *a, struct err *e)
{
    for (int i = 0; i < a->n; i++) {
        if (a->pieces[i].count == 0 && a->n > 1) {
            return err_set(e, ERR_USAGE,
                           "--%s: the range \"%.80s\" is drawn from, so it "
                           "cannot be one of a list",
                           a->name, a->pieces[i].text);
        }
        a->count += a->pieces[i].count; /* of 2^53 at most each */
    }
    return 0;
}

int
axis_init(struct axis *a, const struct grid_option *o,
          const struct grid_request *q, struct err *e)
{
    int most = 1, rc = 0;
    char *at;

    a->name = o->name;
    a->field = hyper_field(o->name);
    a->id = a->field ? (uint32_t)(a->field - HYPER_FIELDS)
                     : (uint32_t)hyper_n_fields() + (uint32_t)o->name[0];
    str_init(&a->now);
    for (const char *p = o->text; *p; p++) {
        most += *p == ',';
    }
    a->text = mem_strdup(o->text);
    a->pieces = mem_zalloc((size_t)most, sizeof *a->pieces);
    if (!a->text || !a->pieces) {
        return err_nomem(e, "a list of values", strlen(o->text));
    }
    for (at = a->text; rc == 0 && at;) {
        char *comma = o->single ? NULL : strchr(at, ',');

        if (comma) {
            *comma++ = '\0';
        }
        a->pieces[a->n].text = at;
        rc = parse_piece(a, q, &a->pieces[a->n++], e);
        at = comma;
    }
    return rc == 0 ? count_pieces(a, e) : rc;
}

void
axis_release(struct axis *a)
{
    if (a->name) {
        str_release(&a->now);
    }
    mem_free(a->text);
    mem_free(a->pieces);
}

void
axis_value(struct axis *a, uint64_t i)
{
    const struct piece *p = a->pieces;

    while (i >= p->count) {
        i -= p->count;
        p++;
    }
    str_clear(&a->now);
    if (p->kind == VALUE) {
        str_add(&a->now, p->text);
    } else {
        str_addf(&a->now, "%lld", p->first + (long long)i * p->step);
    }
}

/* ---- drawing ------------------------------------------------------------- */

/* 64 bits: draw number i of an option. */
static uint64_t
word(const struct axis *a, uint64_t seed, uint64_t i)
{
    const struct rng r = {seed, RNG_GRID, a->id};
    uint32_t block[4];

    rng_block(&r, i, block);
    return (uint64_t)block[1] << 32 | block[0];
}

/* The power of ten of v's first digit. */
static int
exponent(double v)
{
    char text[40];

    snprintf(text, sizeof text, "%.17e", v);
    return atoi(strchr(text, 'e') + 1);
}

/* One number of a range that is only drawn from; u is uniform in [0, 1). */
static void
draw_number(struct axis *a, double u)
{
    const struct piece *p = a->pieces;
    double from = p->low, to = p->high, v;
    int decimals = GRID_DIGITS - 1 - exponent(to - from);

    str_clear(&a->now);
    if (p->kind == WHOLE) {
        v = from * num_exp(u * num_log((to + 1) / from));
        str_addf(&a->now, "%lld", (long long)(v < to ? v : to));
    } else if (p->log) {
        v = from * num_exp(u * num_log(to / from));
        str_addf(&a->now, "%.*g", GRID_DIGITS, v);
    } else {
        v = from + u * (to - from);
        str_addf(&a->now, "%.*f", decimals > 0 ? decimals : 0, v);
    }
    /* Rounding may have led out of the range. */
    if (str_to_double(a->now.s, &v) < 0 || v < from || v > to) {
        str_clear(&a->now);
        str_addf(&a->now, "%.17g", v > to ? to : from);
    }
}

void
axis_draw(struct axis *a, uint64_t seed, uint64_t i)
{
    uint64_t bits = word(a, seed, i);

    if (a->count > 0) {
        axis_value(a, bits % a->count); /* bias < count / 2^64 */
    } else {
        draw_number(a, (double)(bits >> 11) * 0x1p-53);
    }
}
