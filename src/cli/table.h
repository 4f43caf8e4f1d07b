/* SPDX-License-Identifier: MIT */
/* Text cells to aligned columns that fit a width. */
#ifndef FMNIST_CLI_TABLE_H
#define FMNIST_CLI_TABLE_H

#include <stdio.h>

#include "fmnist/err.h"

/*
 * Rows are kept until table_flush or until enough have come to know the widths;
 * from then on they are written at once.  Texts must be safe to print.
 */
struct table;

struct table_style {
    int width;  /* of the terminal; 0: as wide as it needs */
    int ascii;  /* a cut ends in ">" */
    int colors; /* 0: none */
};

int table_new(FILE *f, const struct table_style *style, struct table **out,
              struct err *e) MUST_CHECK;
void table_free(struct table *t);
/* Before the first row.  leaves: see output_column. */
int table_column(struct table *t, const char *title, int leaves,
                 struct err *e) MUST_CHECK;
/* One cell of the row, in order of columns; right: a number. */
int table_cell(struct table *t, const char *text, int right,
               struct err *e) MUST_CHECK;
/* Colours the cell that comes next: an SGR sequence that outlives the table, or
 * NULL.  Ignored where the style has no colours. */
void table_paint(struct table *t, const char *sgr);
/* Writes what is kept: the heading in any case. */
int table_flush(struct table *t, struct err *e) MUST_CHECK;

#endif
