/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/rng.h"

/* The multipliers and Weyl constants of the paper. */
static const uint32_t M0 = 0xD2511F53;
static const uint32_t M1 = 0xCD9E8D57;
static const uint32_t W0 = 0x9E3779B9;
static const uint32_t W1 = 0xBB67AE85;

void
rng_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    uint32_t k0 = key[0], k1 = key[1];
    int round;

    for (round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)M0 * c0;
        uint64_t b = (uint64_t)M1 * c2;

        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void
rng_block(const struct rng *r, uint64_t index, uint32_t out[4])
{
    const uint32_t ctr[4] = {(uint32_t)index, (uint32_t)(index >> 32), r->epoch,
                             r->stream};
    const uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};

    rng_philox(out, ctr, key);
}

uint32_t
rng_u32(const struct rng *r, uint64_t i)
{
    uint32_t block[4];

    rng_block(r, i / 4, block);
    return block[i % 4];
}

uint32_t
rng_below(const struct rng *r, uint64_t i, uint32_t n)
{
    return (uint32_t)(((uint64_t)rng_u32(r, i) * n) >> 32);
}

float
rng_to_float(uint32_t w)
{
    return (float)(w >> 8) * 0x1p-24F;
}

double
rng_to_double(uint32_t w)
{
    return w * 0x1p-32;
}

void
rng_shuffle(const struct rng *r, uint32_t *p, uint32_t n)
{
    uint32_t i, j, swap;

    for (i = n; i > 1; i--) {
        j = rng_below(r, i - 1, i);
        swap = p[i - 1];
        p[i - 1] = p[j];
        p[j] = swap;
    }
}
