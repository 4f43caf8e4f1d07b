/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: passes over the pixels of an image.  Those with values of
 * their own for each channel (BatchNorm) take up to four vectors of channels at
 * a time and hold these values, and sums, in registers over all pixels.
 */

static void
relu(float *y, const float *x, const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            const float *xp = x + r * g->x_row + q * g->x_pix;
            float *yp = y + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c += V_LANES) {
                v_store(yp + c, v_relu(v_load(xp + c)));
            }
        }
    }
}

static void
relu_dx(float *dx, const float *dy, const float *y, const struct kern_map *g)
{
    V zero = v_set1(0.0f);

    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            ptrdiff_t ix = r * g->x_row + q * g->x_pix;
            const float *yp = y + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c += V_LANES) {
                VM on = v_gt(v_load(yp + c), zero);

                v_store(dx + ix + c, v_blend(on, v_load(dy + ix + c), zero));
            }
        }
    }
}

/* The mean over all pixels, then the squares of the deviations from it. */
SIMD void
bn_image_stats(V mu[4], V dev[4], const float *x, const struct kern_map *g,
               int width)
{
    V n = v_set1((float)(g->h * g->w));

    UNROLL
    for (int j = 0; j < width; j++) {
        mu[j] = dev[j] = v_set1(0.0f);
    }
    for (int r = 0; r < g->h; r++) {
        const float *xp = x + r * g->x_row;

        for (int q = 0; q < g->w; q++, xp += g->x_pix) {
            UNROLL
            for (int j = 0; j < width; j++) {
                mu[j] = v_add(mu[j], v_load(xp + j * V_LANES));
            }
        }
    }
    UNROLL
    for (int j = 0; j < width; j++) {
        mu[j] = v_div(mu[j], n);
    }
    for (int r = 0; r < g->h; r++) {
        const float *xp = x + r * g->x_row;

        for (int q = 0; q < g->w; q++, xp += g->x_pix) {
            UNROLL
            for (int j = 0; j < width; j++) {
                V d = v_sub(v_load(xp + j * V_LANES), mu[j]);

                dev[j] = v_fma(d, d, dev[j]);
            }
        }
    }
}

SIMD void
bn_stats_block(float *mean, float *m2, const float *x, int64_t count,
               const struct kern_map *g, int width)
{
    float pixels = (float)(g->h * g->w);
    float weight = pixels / ((float)count + pixels);
    V w_mean = v_set1(weight), w_m2 = v_set1((float)count * weight);
    V mu[4], dev[4];

    bn_image_stats(mu, dev, x, g, width);
    UNROLL
    for (int j = 0; j < width; j++) {
        V old = v_load(mean + j * V_LANES);
        V delta = v_sub(mu[j], old);
        V sum = v_add(v_load(m2 + j * V_LANES), dev[j]);

        v_store(mean + j * V_LANES, v_fma(delta, w_mean, old));
        v_store(m2 + j * V_LANES, v_fma(v_mul(delta, delta), w_m2, sum));
    }
}

static void
bn_stats(int64_t *count, float *restrict mean, float *restrict m2,
         const float *restrict x, const struct kern_map *g)
{
    MAP_BLOCKS(c, g->c, bn_stats_block, mean + c, m2 + c, x + c, *count, g)
    *count += (int64_t)g->h * g->w;
}

SIMD void
bn_norm_block(float *restrict y, const float *restrict x, const float *scale,
              const float *shift, const struct kern_map *g, int width)
{
    V a[4], b[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        a[j] = v_load(scale + j * V_LANES);
        b[j] = v_load(shift + j * V_LANES);
    }
    for (int r = 0; r < g->h; r++) {
        const float *xp = x + r * g->x_row;
        float *yp = y + r * g->y_row;

        for (int q = 0; q < g->w; q++, xp += g->x_pix, yp += g->y_pix) {
            UNROLL
            for (int j = 0; j < width; j++) {
                V v = v_load(xp + j * V_LANES);

                v_store(yp + j * V_LANES, v_fma(v, a[j], b[j]));
            }
        }
    }
}

static void
bn_norm(float *restrict y, const float *restrict x, const float *restrict scale,
        const float *restrict shift, const struct kern_map *g){
    MAP_BLOCKS(c, g->c, bn_norm_block, y + c, x + c, scale + c, shift + c, g)}

SIMD void bn_sums_block(float *sum_dy, float *sum_dyx, const float *dy,
                        const float *x, const float *mean, const float *rstd,
                        const struct kern_map *g, int width)
{
    V s[4], sx[4], mu[4], rs[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        s[j] = v_load(sum_dy + j * V_LANES);
        sx[j] = v_load(sum_dyx + j * V_LANES);
        mu[j] = v_load(mean + j * V_LANES);
        rs[j] = v_load(rstd + j * V_LANES);
    }
    for (int r = 0; r < g->h; r++) {
        const float *xp = x + r * g->x_row, *dp = dy + r * g->y_row;

        for (int q = 0; q < g->w; q++, xp += g->x_pix, dp += g->y_pix) {
            UNROLL
            for (int j = 0; j < width; j++) {
                V d = v_load(dp + j * V_LANES);
                V centred = v_sub(v_load(xp + j * V_LANES), mu[j]);

                s[j] = v_add(s[j], d);
                sx[j] = v_fma(d, v_mul(centred, rs[j]), sx[j]);
            }
        }
    }
    UNROLL
    for (int j = 0; j < width; j++) {
        v_store(sum_dy + j * V_LANES, s[j]);
        v_store(sum_dyx + j * V_LANES, sx[j]);
    }
}

static void
bn_sums(float *restrict sum_dy, float *restrict sum_dyx,
        const float *restrict dy, const float *restrict x,
        const float *restrict mean, const float *restrict rstd,
        const struct kern_map *g){MAP_BLOCKS(c, g->c, bn_sums_block, sum_dy + c,
                                             sum_dyx + c, dy + c, x + c,
                                             mean + c, rstd + c, g)}

SIMD void bn_dx_block(float *dx, const float *dy, const float *x,
                      const float *a, const float *b, const float *c,
                      int relu_made_x, const struct kern_map *g, int width)
{
    V av[4], bv[4], cv[4], zero = v_set1(0.0f);
    /* x is cut where it is not above this, and not NaN. */
    V floor = v_set1(relu_made_x ? 0.0f : -__builtin_inff());

    UNROLL
    for (int j = 0; j < width; j++) {
        av[j] = v_load(a + j * V_LANES);
        bv[j] = v_load(b + j * V_LANES);
        cv[j] = v_load(c + j * V_LANES);
    }
    for (int r = 0; r < g->h; r++) {
        const float *xp = x + r * g->x_row, *dp = dy + r * g->y_row;
        float *op = dx + r * g->y_row;

        for (int q = 0; q < g->w; q++) {
            UNROLL
            for (int j = 0; j < width; j++) {
                V xv = v_load(xp + j * V_LANES);
                V d = v_fma(av[j], v_load(dp + j * V_LANES),
                            v_fma(bv[j], xv, cv[j]));
                VM keep = vm_or(v_gt(xv, floor), v_nan(xv));

                v_store(op + j * V_LANES, v_blend(keep, d, zero));
            }
            xp += g->x_pix;
            dp += g->y_pix;
            op += g->y_pix;
        }
    }
}

static void
bn_dx(float *dx, const float *dy, const float *restrict x,
      const float *restrict a, const float *restrict b, const float *restrict c,
      int relu_made_x, const struct kern_map *g)
{
    MAP_BLOCKS(i, g->c, bn_dx_block, dx + i, dy + i, x + i, a + i, b + i, c + i,
               relu_made_x, g)
}
