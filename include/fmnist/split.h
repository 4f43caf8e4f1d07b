/* SPDX-License-Identifier: MIT */
/* Which image is trained on, which chooses the epoch, which tests. */
#ifndef FMNIST_SPLIT_H
#define FMNIST_SPLIT_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"

enum split_part { PART_TRAIN, PART_VAL, PART_TEST, N_PARTS };
extern const char *const PART_NAMES[N_PARTS]; /* "train", "val", "test" */

/* Ascending image numbers of each part; the parts are disjoint and cover the
 * set. */
struct split {
    uint32_t n[N_PARTS];
    uint32_t *images[N_PARTS];
};

/*
 * Stratified by class and drawn from split_seed alone: in each class, the
 * images in an order shuffled by (split_seed, RNG_SPLIT, class) give first
 * round(test_fraction * count) to test, then round(val_fraction * rest) to val.
 * With a fixed test part test_fraction must be 0.  Each non-empty fraction must
 * leave every part at least one image, else ERR_USAGE.
 */
int split_make(const struct dataset *d, uint64_t split_seed,
               double test_fraction, double val_fraction, struct split *out,
               struct err *e) MUST_CHECK;
void split_release(struct split *s);

#endif
