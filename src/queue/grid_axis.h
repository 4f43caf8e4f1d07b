/* SPDX-License-Identifier: MIT */
/* One option of a grid: the values that its text stands for. */
#ifndef FMNIST_QUEUE_GRID_AXIS_H
#define FMNIST_QUEUE_GRID_AXIS_H

#include "fmnist/grid.h"
#include "fmnist/str.h"

/* One element of an option's list. */
struct piece {
    const char *text; /* the value, or the range as typed */
    enum { VALUE, WHOLE, REAL } kind;
    int log;
    long long first, step; /* of WHOLE */
    double low, high;      /* of a range */
    uint64_t count;        /* values; 0: only drawn, never counted */
};

/* One option with what it may be. */
struct axis {
    const char *name;
    const struct hyper_field *field; /* NULL: hidden, filters, data */
    uint32_t id;                     /* tells its draws from others' */
    char *text;                      /* that of the pieces */
    struct piece *pieces;
    int n;
    uint64_t count; /* of all pieces; 0: as there */
    struct str now; /* the value at work */
};

/* Reads the text of an option.  Release
 * it also after a failure. */
int axis_init(struct axis *a, const struct grid_option *o,
              const struct grid_request *q, struct err *e) MUST_CHECK;
void axis_release(struct axis *a);
/* Sets a->now to the i-th of its values, i < count. */
void axis_value(struct axis *a, uint64_t i);
/* Sets a->now to draw number i. */
void axis_draw(struct axis *a, uint64_t seed, uint64_t i);

#endif
