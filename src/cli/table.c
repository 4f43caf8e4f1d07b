/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/table.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

enum { ROWS_KEPT = 1000, NARROWEST = 6, GAP = 2 };

struct column {
    char *title;
    int leaves;
    int widest; /* text */
    int width;  /* given to it */
    int right;  /* every cell so far is a number or "-" */
    int shown;
};

struct text_cell {
    char *text;
    const char *paint; /* SGR, or NULL */
};

struct table {
    FILE *f;
    struct table_style style;
    struct column *columns;
    int n_columns;
    struct text_cell *cells; /* of ROWS_KEPT rows at most */
    size_t n_cells, cap;
    const char *paint; /* of the next cell */
    int laid_out;
};

int
table_new(FILE *f, const struct table_style *style, struct table **out,
          struct err *e)
{
    struct table *t = mem_zalloc(1, sizeof *t);
    *out = t;
    if (!t) {
        return err_nomem(e, "a table", sizeof *t);
    }
    t->f = f;
    t->style = *style;
    return 0;
}

static void
drop_cells(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        mem_free(t->cells[i].text);
    }
    t->n_cells = 0;
}

void
table_free(struct table *t)
{
    if (!t) {
        return;
    }
    drop_cells(t);
    for (int i = 0; i < t->n_columns; i++) {
        mem_free(t->columns[i].title);
    }
    mem_free(t->columns);
    mem_free(t->cells);
    mem_free(t);
}

int
table_column(struct table *t, const char *title, int leaves, struct err *e)
{
    size_t n = (size_t)t->n_columns + 1;
    struct column *p = mem_resize(t->columns, n, sizeof *p);
    if (!p) {
        return err_nomem(e, "a table", n * sizeof *p);
    }
    t->columns = p;
    p[t->n_columns] = (struct column){.title = mem_strdup(title),
                                      .leaves = leaves,
                                      .widest = str_width(title),
                                      .right = 1,
                                      .shown = 1};
    if (!p[t->n_columns].title) {
        return err_nomem(e, "a table", strlen(title) + 1);
    }
    t->n_columns++;
    return 0;
}

static int
total_width(const struct table *t)
{
    int sum = 0;
    for (int i = 0; i < t->n_columns; i++) {
        if (t->columns[i].shown) {
            sum += t->columns[i].width + (sum ? GAP : 0);
        }
    }
    return sum;
}

static struct column *
next_to_leave(struct table *t)
{
    struct column *next = NULL;
    for (int i = 0; i < t->n_columns; i++) {
        struct column *c = &t->columns[i];
        if (c->shown && c->leaves > 0 && (!next || c->leaves > next->leaves)) {
            next = c;
        }
    }
    return next;
}

static struct column *
widest_text(struct table *t)
{
    struct column *widest = NULL;
    for (int i = 0; i < t->n_columns; i++) {
        struct column *c = &t->columns[i];
        if (c->shown && !c->right && c->width > NARROWEST &&
            (!widest || c->width > widest->width)) {
            widest = c;
        }
    }
    return widest;
}

/* Narrows texts to a third of the width, then drops columns, then narrows what
 * is left as far as it goes; room that is left over is given back. */
static void
lay_out(struct table *t)
{
    int limit = t->style.width;
    struct column *c;
    t->laid_out = 1;
    for (int i = 0; i < t->n_columns; i++) {
        t->columns[i].width = t->columns[i].widest;
    }
    if (limit <= 0) {
        return;
    }
    while (total_width(t) > limit && (c = widest_text(t)) &&
           c->width > limit / 3 && c->width > 12) {
        c->width--;
    }
    while (total_width(t) > limit && (c = next_to_leave(t))) {
        c->shown = 0;
    }
    while (total_width(t) > limit && (c = widest_text(t))) {
        c->width--;
    }
    for (int i = 0; i < t->n_columns; i++) {
        c = &t->columns[i];
        while (c->shown && c->width < c->widest && total_width(t) < limit) {
            c->width++;
        }
    }
}

static void
add_aligned(struct str *b, const struct table *t, const struct column *c,
            const char *text, int last)
{
    int n = str_width(text);
    /* Past the first rows a wider text spills where nothing must fit. */
    if (n > c->width && t->style.width > 0) {
        str_add_fit(b, text, c->width, t->style.ascii);
        return;
    }
    int pad = n < c->width ? c->width - n : 0;
    if (c->right) {
        str_addf(b, "%*s%s", pad, "", text);
    } else {
        str_addf(b, "%s%*s", text, last ? 0 : pad, "");
    }
}

static int
write_row(struct table *t, const struct text_cell *cells, struct err *e)
{
    struct str line;
    int first = 1;
    int last = t->n_columns - 1;
    while (last > 0 && !t->columns[last].shown) {
        last--;
    }
    str_init(&line);
    int bold = !cells && t->style.colors > 0;
    str_add(&line, bold ? "\033[1m" : "");
    for (int i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        if (!c->shown) {
            continue;
        }
        str_add(&line, first ? "" : "  ");
        first = 0;
        const char *paint = cells ? cells[i].paint : NULL;
        str_add(&line, paint ? paint : "");
        add_aligned(&line, t, c, cells ? cells[i].text : c->title, i == last);
        str_add(&line, paint ? "\033[0m" : "");
    }
    while (line.len > 0 && line.s[line.len - 1] == ' ') {
        line.s[--line.len] = '\0';
    }
    str_add(&line, bold ? "\033[0m\n" : "\n");
    int rc = 0;
    if (str_failed(&line)) {
        rc = err_nomem(e, "a line of the table", line.len);
    } else if (fputs(line.s, t->f) == EOF) {
        rc = err_sys(e, "standard output");
    }
    str_release(&line);
    return rc;
}

/* Writes the rows that are kept; the heading and the layout come first. */
static int
write_kept(struct table *t, struct err *e)
{
    int rc = 0;
    if (!t->laid_out) {
        lay_out(t);
        rc = write_row(t, NULL, e);
    }
    size_t n = (size_t)t->n_columns;
    for (size_t i = 0; rc == 0 && i + n <= t->n_cells; i += n) {
        rc = write_row(t, t->cells + i, e);
    }
    drop_cells(t);
    return rc;
}

int
table_cell(struct table *t, const char *text, int right, struct err *e)
{
    size_t n = (size_t)t->n_columns;
    if (t->n_cells == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct text_cell *p = mem_resize(t->cells, cap, sizeof *p);
        if (!p) {
            return err_nomem(e, "a table", cap * sizeof *p);
        }
        t->cells = p;
        t->cap = cap;
    }
    char *copy = mem_strdup(text);
    if (!copy) {
        return err_nomem(e, "a table", strlen(text) + 1);
    }
    if (!t->laid_out) {
        struct column *c = &t->columns[t->n_cells % n];
        int w = str_width(text);
        c->widest = w > c->widest ? w : c->widest;
        c->right &= right || strcmp(text, "-") == 0;
    }
    t->cells[t->n_cells++] = (struct text_cell){copy, t->paint};
    t->paint = NULL;
    if (t->n_cells % n == 0 && (t->laid_out || t->n_cells / n >= ROWS_KEPT)) {
        return write_kept(t, e);
    }
    return 0;
}

void
table_paint(struct table *t, const char *sgr)
{
    t->paint = t->style.colors > 0 ? sgr : NULL;
}

int
table_flush(struct table *t, struct err *e)
{
    return t->n_columns > 0 ? write_kept(t, e) : 0;
}
