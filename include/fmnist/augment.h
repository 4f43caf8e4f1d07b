/* SPDX-License-Identifier: MIT */
/* Random changes to training images: "shift:2+flip+erase:4". */
#ifndef FMNIST_AUGMENT_H
#define FMNIST_AUGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/rng.h"

struct augment {
    int shift; /* 0..27: up to so many pixels in x and in y, uniform; blank
                  moves in */
    int flip;  /* 1: left-right, probability 1/2 */
    int erase; /* 0..28: one square of this side, wholly inside, set to 0 */
};

#define AUGMENT_TEXT 48

/* "" and "none" mean nothing.  ERR_USAGE names the part at fault. */
int augment_parse(const char *s, struct augment *out, struct err *e) MUST_CHECK;
/* Canonical text, parts in the order shift, flip, erase; "none" if empty. */
void augment_format(const struct augment *a, char out[AUGMENT_TEXT]);
int augment_is_none(const struct augment *a);

/*
 * dst and src: 784 pixels, not overlapping.  `r` has stream RNG_AUGMENT and the
 * epoch; `index` is the image's position in the epoch's order, so the result
 * does not depend on threads or resumption.
 */
void augment_apply(const struct augment *a, const struct rng *r, uint64_t index,
                   uint8_t *dst, const uint8_t *src);

#endif
