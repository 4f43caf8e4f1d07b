/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: BatchNorm and the max-pool after it in one pass.  Each
 * element goes through the operations of the two separate passes in their
 * order, so that both ways give the same bits.
 */

/* One window of `width` vectors, whose scale and shift are in registers. */
SIMD void
bn_pool_window(float *y, uint8_t *which, const float *x, const V *scale,
               const V *shift, const struct kern_map *m, int k, int width)
{
    V best[4], index[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        best[j] = v_fma(v_load(x + j * V_LANES), scale[j], shift[j]);
        index[j] = v_set1(0.0f);
    }
    for (int i = 0; i < k * k; i++) {
        const float *p = x + i / k * m->x_row + i % k * m->x_pix;
        V here = v_set1((float)i);

        UNROLL
        for (int j = 0; j < width; j++) {
            V v = v_fma(v_load(p + j * V_LANES), scale[j], shift[j]);
            VM wins = vm_or(v_gt(v, best[j]), v_nan(v));

            best[j] = v_blend(wins, v, best[j]);
            index[j] = v_blend(wins, here, index[j]);
        }
    }
    UNROLL
    for (int j = 0; j < width; j++) {
        v_store(y + j * V_LANES, best[j]);
        v_store_u8(which + j * V_LANES, index[j]);
    }
}

SIMD void
bn_pool_block(float *y, uint8_t *which, const float *x, const float *scale,
              const float *shift, const struct kern_pool *g, int k, int width)
{
    const struct kern_map *m = &g->map;
    V a[4], b[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        a[j] = v_load(scale + j * V_LANES);
        b[j] = v_load(shift + j * V_LANES);
    }
    for (int r = 0; r < g->oh; r++) {
        for (int q = 0; q < g->ow; q++) {
            bn_pool_window(y + r * m->y_row + q * m->y_pix,
                           which + (ptrdiff_t)(r * g->ow + q) * m->c,
                           x + r * g->s * m->x_row + q * g->s * m->x_pix, a, b,
                           m, k, width);
        }
    }
}

static void
bn_pool(float *restrict y, uint8_t *restrict which, const float *restrict x,
        const float *restrict scale, const float *restrict shift,
        const struct kern_pool *g)
{
    if (g->k == 2) {
        MAP_BLOCKS(c, g->map.c, bn_pool_block, y + c, which + c, x + c,
                   scale + c, shift + c, g, 2)
    } else {
        MAP_BLOCKS(c, g->map.c, bn_pool_block, y + c, which + c, x + c,
                   scale + c, shift + c, g, g->k)
    }
}

/* Adds one row of the larger map.  Pixels outside all windows have gradient 0
 * and add nothing; those that did not win add 0 in their turn. */
SIMD void
bn_pool_sums_row(V *s, V *sx, const V *mu, const V *rs, const float *dy,
                 const uint8_t *which, const float *x,
                 const struct kern_pool *g, int ky, int k, int width)
{
    V zero = v_set1(0.0f);

    for (int q = 0; q < g->ow; q++) {
        for (int kx = 0; kx < k; kx++) {
            V here = v_set1((float)(ky * k + kx));

            UNROLL
            for (int j = 0; j < width; j++) {
                VM won = v_eq(v_load_u8(which + j * V_LANES), here);
                V d = v_blend(won, v_load(dy + j * V_LANES), zero);
                V centred = v_sub(v_load(x + j * V_LANES), mu[j]);

                s[j] = v_add(s[j], d);
                sx[j] = v_fma(d, v_mul(centred, rs[j]), sx[j]);
            }
            x += g->map.x_pix;
        }
        dy += g->map.y_pix;
        which += g->map.c;
    }
}

SIMD void
bn_pool_sums_block(float *sum_dy, float *sum_dyx, const float *dy,
                   const uint8_t *which, const float *x, const float *mean,
                   const float *rstd, const struct kern_pool *g, int k,
                   int width)
{
    V s[4], sx[4], mu[4], rs[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        s[j] = v_load(sum_dy + j * V_LANES);
        sx[j] = v_load(sum_dyx + j * V_LANES);
        mu[j] = v_load(mean + j * V_LANES);
        rs[j] = v_load(rstd + j * V_LANES);
    }
    for (int r = 0; r < g->oh * k; r++) {
        bn_pool_sums_row(s, sx, mu, rs, dy + r / k * g->map.y_row,
                         which + (ptrdiff_t)(r / k * g->ow) * g->map.c,
                         x + r * g->map.x_row, g, r % k, k, width);
    }
    UNROLL
    for (int j = 0; j < width; j++) {
        v_store(sum_dy + j * V_LANES, s[j]);
        v_store(sum_dyx + j * V_LANES, sx[j]);
    }
}

static void
bn_pool_sums(float *restrict sum_dy, float *restrict sum_dyx,
             const float *restrict dy, const uint8_t *restrict which,
             const float *restrict x, const float *restrict mean,
             const float *restrict rstd, const struct kern_pool *g)
{
    if (g->k == 2) {
        MAP_BLOCKS(c, g->map.c, bn_pool_sums_block, sum_dy + c, sum_dyx + c,
                   dy + c, which + c, x + c, mean + c, rstd + c, g, 2)
    } else {
        MAP_BLOCKS(c, g->map.c, bn_pool_sums_block, sum_dy + c, sum_dyx + c,
                   dy + c, which + c, x + c, mean + c, rstd + c, g, g->k)
    }
}

struct bn_pool_dx {
    const float *dy, *x;
    const uint8_t *which;
    float *dx;
    ptrdiff_t dx_pix, dx_row;
    int relu;
    const struct kern_pool *g;
};

/* One vector of dx.  x is cut where it is not above `floor`, and not NaN. */
SIMD void
bn_pool_dx_vector(float *dx, V d, const float *x, V a, V b, V c, V floor)
{
    V xv = v_load(x);
    VM keep = vm_or(v_gt(xv, floor), v_nan(xv));

    d = v_fma(a, d, v_fma(b, xv, c));
    v_store(dx, v_blend(keep, d, v_set1(0.0f)));
}

/* One row of the larger map.  Pixels outside all windows have gradient 0. */
SIMD void
bn_pool_dx_row(const struct bn_pool_dx *t, const V *a, const V *b, const V *c,
               int r, int k, int width)
{
    const struct kern_map *m = &t->g->map;
    const float *x = t->x + r * m->x_row, *dy = t->dy + r / k * m->y_row;
    const uint8_t *which = t->which + (ptrdiff_t)(r / k * t->g->ow) * m->c;
    float *dx = t->dx + r * t->dx_row;
    int windows = r / k < t->g->oh ? t->g->ow : 0;
    V zero = v_set1(0.0f);
    V floor = v_set1(t->relu ? 0.0f : -__builtin_inff());

    for (int q = 0; q < windows; q++) {
        for (int kx = 0; kx < k; kx++) {
            V here = v_set1((float)(r % k * k + kx));

            UNROLL
            for (int j = 0; j < width; j++) {
                VM won = v_eq(v_load_u8(which + j * V_LANES), here);
                V d = v_blend(won, v_load(dy + j * V_LANES), zero);

                bn_pool_dx_vector(dx + j * V_LANES, d, x + j * V_LANES, a[j],
                                  b[j], c[j], floor);
            }
            x += m->x_pix;
            dx += t->dx_pix;
        }
        dy += m->y_pix;
        which += m->c;
    }
    for (int q = windows * k; q < m->w; q++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            bn_pool_dx_vector(dx + j * V_LANES, zero, x + j * V_LANES, a[j],
                              b[j], c[j], floor);
        }
        x += m->x_pix;
        dx += t->dx_pix;
    }
}

SIMD void
bn_pool_dx_block(const struct bn_pool_dx *all, const float *a, const float *b,
                 const float *c, int ch, int k, int width)
{
    struct bn_pool_dx t = *all;
    V av[4], bv[4], cv[4];

    t.dy += ch;
    t.x += ch;
    t.which += ch;
    t.dx += ch;
    UNROLL
    for (int j = 0; j < width; j++) {
        av[j] = v_load(a + ch + j * V_LANES);
        bv[j] = v_load(b + ch + j * V_LANES);
        cv[j] = v_load(c + ch + j * V_LANES);
    }
    for (int r = 0; r < t.g->map.h; r++) {
        bn_pool_dx_row(&t, av, bv, cv, r, k, width);
    }
}

static void
bn_pool_dx(float *restrict dx, ptrdiff_t dx_pix, ptrdiff_t dx_row,
           const float *restrict dy, const uint8_t *restrict which,
           const float *restrict x, const float *restrict a,
           const float *restrict b, const float *restrict c, int relu_made_x,
           const struct kern_pool *g)
{
    const struct bn_pool_dx t = {.dy = dy,
                                 .x = x,
                                 .which = which,
                                 .dx = dx,
                                 .dx_pix = dx_pix,
                                 .dx_row = dx_row,
                                 .relu = relu_made_x,
                                 .g = g};

    MAP_BLOCKS(i, g->map.c, bn_pool_dx_block, &t, a, b, c, i, g->k)
}
