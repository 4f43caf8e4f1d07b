/* SPDX-License-Identifier: MIT */
/*
 * Counter-based random numbers: every draw is a pure function of (seed,
 * stream, epoch, index), so there is no state to save and nothing depends on
 * the number of threads or on the point at which a run was resumed.
 *
 * Generator: Philox4x32-10, J. Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC'11.  Key = seed (64 bits); counter = (index low, index high,
 * epoch, stream).
 */
#ifndef FMNIST_RNG_H
#define FMNIST_RNG_H

#include <stdint.h>

/* What a draw is for.  The values are part of `numerics`: never renumber.  A
 * stream that exists once a layer is RNG_x + layer number * RNG_STRIDE. */
enum rng_stream {
    RNG_INIT = 1,    /* initial weights; epoch 0; per layer */
    RNG_SHUFFLE = 2, /* order of the training images of an epoch */
    RNG_DROPOUT = 3, /* per layer */
    RNG_AUGMENT = 4, /* index = position in the epoch's order */
    RNG_SPLIT = 5,   /* train / validation / test, seeded by split_seed */
    RNG_SAMPLE = 6,  /* rows drawn by `data sample` */
    RNG_GRID = 7,    /* hyperparameters drawn by `queue --random` */
    RNG_STRIDE = 16,
};

struct rng {
    uint64_t seed;
    uint32_t stream;
    uint32_t epoch;
};

/* The raw block function. */
void rng_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]);

/* Four words: draw number `index` of r. */
void rng_block(const struct rng *r, uint64_t index, uint32_t out[4]);

/* Word number i of r: word i % 4 of block i / 4. */
uint32_t rng_u32(const struct rng *r, uint64_t i);

/* Uniform in [0, n), n >= 1: the high word of rng_u32 * n (bias < n / 2^32). */
uint32_t rng_below(const struct rng *r, uint64_t i, uint32_t n);

/* A word as a float in [0, 1) with 24 bits, or a double with 32. */
float rng_to_float(uint32_t w);
double rng_to_double(uint32_t w);

/* Fisher-Yates over p[0..n): for i = n-1 down to 1, p[i] changes places with
 * p[rng_below(r, i, i + 1)]. */
void rng_shuffle(const struct rng *r, uint32_t *p, uint32_t n);

#endif
