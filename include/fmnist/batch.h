/* SPDX-License-Identifier: MIT */
/* Batches of images as the network takes them, prepared ahead of use. */
#ifndef FMNIST_BATCH_H
#define FMNIST_BATCH_H

#include <stdint.h>

#include "fmnist/augment.h"
#include "fmnist/dataset.h"
#include "fmnist/err.h"

/*
 * One batch.  x: n x 784 floats, pixel / 255 (divided, not multiplied by the
 * reciprocal), aligned to 64 bytes; labels: n; images: n image numbers.
 * Borrowed from the feed until the next batch_feed_next.
 */
struct batch {
    int n;
    const float *x;
    const uint8_t *labels;
    const uint32_t *images;
};

/*
 * Yields the images of one part in order, `batch_size` at a time, the last
 * batch short.  With `prefetch` a thread of its own prepares the next batch
 * (augmentation, scaling) while the engine computes; the bytes are the same
 * either way.
 */
struct batch_feed; /* opaque */

struct batch_options {
    int batch_size;
    int prefetch;
    const struct augment *augment; /* NULL: none */
    uint64_t seed;                 /* for shuffle and augmentation */
    int shuffle;                   /* by (seed, RNG_SHUFFLE, epoch) */
};

/* d and images (n of them) must outlive the feed. */
int batch_feed_new(const struct dataset *d, const uint32_t *images, uint32_t n,
                   const struct batch_options *opt, struct batch_feed **out,
                   struct err *e) MUST_CHECK;
/* Starts epoch number `epoch` (from 1); may be called at any time. */
void batch_feed_start(struct batch_feed *f, uint32_t epoch);
/* 1 and the next batch, or 0 at the end of the epoch. */
int batch_feed_next(struct batch_feed *f, struct batch *out);
void batch_feed_free(struct batch_feed *f);

#endif
