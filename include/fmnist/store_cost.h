/* SPDX-License-Identifier: MIT */
/* What runs took, and what is still to be trained: for forecasts. */
#ifndef FMNIST_STORE_COST_H
#define FMNIST_STORE_COST_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/store.h"

/* A run, or several that are alike in all that decides their speed. */
struct cost_row {
    int64_t id; /* of the newest */
    char spec[SPEC_TEXT];
    int64_t dataset_id;
    uint32_t n_images, n_fixed_test; /* of the set */
    double test_fraction, val_fraction;
    long long batch_size;
    int optimizer;             /* enum optimizer */
    char kernel[16], host[80]; /* "" before a run has started */
    int threads;               /* 0 as there */
    double seconds;            /* an epoch, evaluation included; NaN: unknown */
    int runs;                  /* how many, of earlier ones */
    int running;               /* live runs: else queued */
    long long epochs;          /* live runs: all, and those done */
    int epochs_done;
};

/* Earlier runs that have an epoch, newest first; mem_free *out. */
int store_costs_past(struct store *s, struct cost_row **out, size_t *n,
                     struct err *e) MUST_CHECK;
/* The user's running and queued runs in the order of the queue; mem_free. */
int store_costs_live(struct store *s, struct cost_row **out, size_t *n,
                     struct err *e) MUST_CHECK;
/* How many images of a set are stored. */
int store_dataset_stored(struct store *s, int64_t dataset_id, uint32_t *n,
                         struct err *e) MUST_CHECK;

#endif
