/* SPDX-License-Identifier: MIT */
/* One value as text. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/output.h"

static const struct {
    const char *status, *utf8, *ascii, *paint;
} STATES[] = {
    {"queued", "·", ".", "\033[2m"},   {"running", "▶", ">", "\033[1;36m"},
    {"paused", "‖", "=", "\033[36m"},  {"finished", "✓", "+", NULL},
    {"stopped", "■", "-", "\033[33m"}, {"failed", "✗", "!", "\033[1;31m"},
};

/* More may follow the word: "running, pauses". */
static int
is_status(const char *text, const char *status)
{
    size_t n = strlen(status);
    return strncmp(text, status, n) == 0 && (!text[n] || text[n] == ',');
}

const char *
state_symbol(const char *status, int ascii)
{
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        if (is_status(status, STATES[i].status)) {
            return ascii ? STATES[i].ascii : STATES[i].utf8;
        }
    }
    return "?";
}

const char *
state_paint(const char *status)
{
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        if (is_status(status, STATES[i].status)) {
            return STATES[i].paint;
        }
    }
    return NULL;
}

void
format_percent(struct str *b, double fraction)
{
    str_addf(b, "%.2f %%", fraction * 100);
}

void
format_seconds(struct str *b, double s)
{
    if (!(s < 1e9)) {
        str_add(b, "-");
    } else if (s < 59.95) {
        str_addf(b, "%.1f s", s);
    } else if (s < 3599.5) {
        long long n = llround(s);
        str_addf(b, "%lldm%02llds", n / 60, n % 60);
    } else {
        long long n = llround(s / 60);
        str_addf(b, "%lldh%02lldm", n / 60, n % 60);
    }
}

void
format_rate(struct str *b, double r)
{
    if (r < 999.5) {
        str_addf(b, "%.0f", r);
    } else if (r < 99950) {
        str_addf(b, "%.1fk", r / 1e3);
    } else if (r < 999500) {
        str_addf(b, "%.0fk", r / 1e3);
    } else {
        str_addf(b, "%.1fM", r / 1e6);
    }
}

void
format_bytes(struct str *b, double bytes)
{
    if (bytes < 999.5) {
        str_addf(b, "%.0f B", bytes);
    } else if (bytes < 999.5e3) {
        str_addf(b, "%.0f kB", bytes / 1e3);
    } else if (bytes < 999.95e6) {
        str_addf(b, "%.1f MB", bytes / 1e6);
    } else {
        str_addf(b, "%.1f GB", bytes / 1e9);
    }
}

/* Bytes have no text form: hexadecimal keeps them whole. */
static void
add_hex(struct str *b, const struct cell *c)
{
    for (size_t i = 0; i < c->n; i++) {
        str_addf(b, "%02x", (unsigned char)c->s[i]);
    }
}

/* SQLite gives infinities as REAL; NaN is NULL there. */
void
output_cell(struct str *b, const struct cell *c)
{
    switch (c->type) {
    case CELL_NULL:
        return;
    case CELL_INT:
        str_addf(b, "%lld", (long long)c->i);
        return;
    case CELL_REAL:
        if (isfinite(c->r)) {
            str_add_json_num(b, c->r);
        }
        return;
    case CELL_TEXT:
        str_add(b, c->s);
        return;
    case CELL_BLOB:
        add_hex(b, c);
        return;
    }
}

void
output_json_cell(struct str *b, const struct cell *c)
{
    switch (c->type) {
    case CELL_NULL:
        str_add(b, "null");
        return;
    case CELL_INT:
        str_addf(b, "%lld", (long long)c->i);
        return;
    case CELL_REAL:
        str_add_json_num(b, c->r);
        return;
    case CELL_TEXT:
        str_add_json(b, c->s);
        return;
    case CELL_BLOB:
        str_addc(b, '"');
        add_hex(b, c);
        str_addc(b, '"');
        return;
    }
}

void
output_json_members(struct str *b, const struct row *r)
{
    for (int i = 0; i < r->n; i++) {
        str_add(b, i ? ", " : "");
        str_add_json(b, r->names[i]);
        str_add(b, ": ");
        output_json_cell(b, &r->cells[i]);
    }
}

/* NaN where the cell holds no number. */
static double
number(const struct cell *c)
{
    if (c->type == CELL_INT) {
        return (double)c->i;
    }
    return c->type == CELL_REAL ? c->r : (double)NAN;
}

static void
form_number(struct str *b, enum form form, const struct cell *cell)
{
    double v = number(cell);
    if (!isfinite(v)) {
        str_add(b, "-");
        return;
    }
    switch (form) {
    case FORM_PERCENT:
        format_percent(b, v);
        return;
    case FORM_LOSS:
        str_addf(b, "%.4f", v);
        return;
    case FORM_SECONDS:
        format_seconds(b, v);
        return;
    case FORM_RATE:
        format_rate(b, v);
        return;
    case FORM_BYTES:
        format_bytes(b, v);
        return;
    case FORM_PLAIN:
    case FORM_EPOCH:
    case FORM_TIME:
    case FORM_STATE:
        output_cell(b, cell);
        return;
    }
}

void
output_form(struct str *b, enum form form, const struct cell *cell, int ascii)
{
    if (cell->type == CELL_NULL) {
        str_add(b, "-");
    } else if (cell->type == CELL_BLOB) {
        str_addf(b, "<%zu bytes>", cell->n);
    } else if (cell->type != CELL_TEXT) {
        form_number(b, form, cell);
    } else if (form == FORM_STATE) {
        str_addf(b, "%s ", state_symbol(cell->s, ascii));
        str_add_visible(b, cell->s);
    } else if (form == FORM_TIME && cell->n >= 19 && cell->s[10] == 'T') {
        str_addf(b, "%.10s %.8s", cell->s, cell->s + 11);
    } else {
        str_add_visible(b, cell->s);
    }
}

static int
ends_in(const char *s, const char *tail)
{
    size_t n = strlen(s);
    size_t k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

enum form
output_form_of(const char *name)
{
    static const char *const PERCENTS[] = {"accuracy", "precision",  "recall",
                                           "f1",       "confidence", NULL};
    for (int i = 0; PERCENTS[i]; i++) {
        if (strcmp(name, PERCENTS[i]) == 0) {
            return FORM_PERCENT;
        }
    }
    if (ends_in(name, "_acc") ||
        (name[0] == 'p' && name[1] >= '0' && name[1] <= '9' && !name[2])) {
        return FORM_PERCENT;
    }
    if (ends_in(name, "_loss")) {
        return FORM_LOSS;
    }
    if (ends_in(name, "_at") || strcmp(name, "at") == 0) {
        return FORM_TIME;
    }
    if (strcmp(name, "seconds") == 0 || ends_in(name, "_seconds")) {
        return FORM_SECONDS;
    }
    if (ends_in(name, "_bytes")) {
        return FORM_BYTES;
    }
    if (strcmp(name, "samples_per_second") == 0) {
        return FORM_RATE;
    }
    return strcmp(name, "status") == 0 ? FORM_STATE : FORM_PLAIN;
}
