/* SPDX-License-Identifier: MIT */
/* Part of body.h: what the other parts share. */

/* Vectors in the next tile: the widest power of two that fits. */
static inline int
tile_width(int left, int max)
{
    while (max > left) {
        max /= 2;
    }
    return max;
}

/* Even shares of rows in tiles of at most `max`, so that no tile is left with
 * too few rows to hide latency: `larger` tiles of size + 1, then those of size.
 */
struct shares {
    int size, larger;
};

static inline struct shares
shares_of(int rows, int max)
{
    int tiles = (rows + max - 1) / max;

    return (struct shares){rows / tiles, rows % tiles};
}

/* Rows of the next tile. */
static inline int
shares_next(struct shares *s)
{
    return s->size + (s->larger-- > 0);
}

/* Calls fn(..., width) with a constant width for each block of channels that
 * starts at `ch`; fn is inlined three times. */
#define MAP_BLOCKS(ch, channels, fn, ...)                               \
    for (int ch = 0, width_; ch < (channels); ch += width_ * V_LANES) { \
        width_ = tile_width(((channels)-ch) / V_LANES, 4);              \
        if (width_ == 4) {                                              \
            fn(__VA_ARGS__, 4);                                         \
        } else if (width_ == 2) {                                       \
            fn(__VA_ARGS__, 2);                                         \
        } else {                                                        \
            fn(__VA_ARGS__, 1);                                         \
        }                                                               \
    }

/* The first n < V_LANES floats at p; the other lanes are 0. */
static inline V
v_load_part(const float *p, size_t n)
{
    float t[V_LANES] = {0.0f};

    memcpy(t, p, n * sizeof(*t));
    return v_load(t);
}

static inline void
v_store_part(float *p, V x, size_t n)
{
    float t[V_LANES];

    v_store(t, x);
    memcpy(p, t, n * sizeof(*t));
}

/* All accumulators busy with fma, none of which waits for another. */
static double
peak(long n, float *sink)
{
    enum { CHAINS = 12 };
    V acc[CHAINS], half = v_set1(0.5f), quarter = v_set1(0.25f);
    float lanes[V_LANES];

    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        acc[i] = v_set1((float)i);
    }
    for (long r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            acc[i] = v_fma(acc[i], half, quarter);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        v_store(lanes, acc[i]);
        *sink += lanes[0];
    }
    return 2.0 * CHAINS * V_LANES * (double)n;
}
