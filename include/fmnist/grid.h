/* SPDX-License-Identifier: MIT */
/* Many runs from one line: lists and ranges of hyperparameters, a grid or a
 * random search. */
#ifndef FMNIST_GRID_H
#define FMNIST_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/hyper.h"

#define GRID_MAX_RUNS 10000
/* Significant digits of a number that is drawn. */
#define GRID_DIGITS 3

/*
 * An option as typed: "lr" "0.1,0.01".  The name is that of a field with an
 * option, or hidden, filters, data; each may come once.  The text holds values
 * separated by commas.  In a list of whole numbers A..B stands for all from A
 * to B, A..B:STEP for every STEP-th.  Only where runs are drawn, and then as
 * the whole text: A..B of reals (uniform), A..B:log of any numbers (their
 * logarithm uniform; A above 0).
 */
struct grid_option {
    const char *name;
    const char *text;
    int single; /* 1: one value, commas and all */
};

struct grid_request {
    const struct hyper *base; /* what the options change */
    const char *data;         /* the set where no option names one */
    const struct grid_option *options;
    int n_options;
    long long draws; /* 0: every combination */
    uint64_t seed;   /* of the draws */
};

struct grid_run {
    struct hyper h; /* checked and canonical */
    int set;        /* index in sets */
    int request;    /* which call made it, from 0 */
};

/* Begins as zeros. */
struct grid {
    struct grid_run *runs; /* no two alike */
    size_t n;
    size_t repeated; /* combinations that say the same as one before */
    char **sets;     /* data sets as typed */
    int n_sets;
    int requests;
    uint32_t *seen; /* hash table of run numbers + 1; 0: free */
    size_t buckets; /* a power of 2 */
};

/*
 * Adds the runs of a request that g does not have.
 *
 * Without draws: every combination, the first option varying slowest.  With
 * draws: so many different ones, or as many as there are (fewer are found only
 * where fewer exist or are likely at all).  Options that choose the model are
 * applied first, then the others in their order.
 *
 * Draw number i of an option is a function of (seed, the option, i) alone.
 * Numbers are rounded, so that they are the same when typed: to GRID_DIGITS
 * significant digits with :log, else to a power of ten that parts the range
 * into 100 to 1000.
 *
 * ERR_USAGE where a value, a range or a combination is wrong (its values are
 * named), where there are more than GRID_MAX_RUNS, or nothing to draw from.  A
 * failure releases g.
 */
int grid_add(struct grid *g, const struct grid_request *q,
             struct err *e) MUST_CHECK;
/* What can be said of the options alone, whatever the base. */
int grid_check(const struct grid_request *q, struct err *e) MUST_CHECK;
void grid_release(struct grid *g);

#endif
