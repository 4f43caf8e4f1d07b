/* SPDX-License-Identifier: MIT */
/* Part of body.h: max-pooling. */

/* One vector of channels of one window.  Indices are whole numbers in floats:
 * one type of mask for both. */
SIMD void
pool_window(float *y, uint8_t *which, const float *x, const struct kern_pool *g,
            int k)
{
    V best = v_load(x), index = v_set1(0.0f);

    for (int ky = 0; ky < k; ky++) {
        for (int kx = 0; kx < k; kx++) {
            V v = v_load(x + ky * g->map.x_row + kx * g->map.x_pix);
            VM wins = vm_or(v_gt(v, best), v_nan(v));

            best = v_blend(wins, v, best);
            index = v_blend(wins, v_set1((float)(ky * k + kx)), index);
        }
    }
    v_store(y, best);
    v_store_u8(which, index);
}

static void
pool(float *restrict y, uint8_t *restrict which, const float *restrict x,
     const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    for (int r = 0; r < g->oh; r++) {
        for (int q = 0; q < g->ow; q++) {
            const float *xp = x + r * g->s * m->x_row + q * g->s * m->x_pix;
            float *yp = y + r * m->y_row + q * m->y_pix;
            uint8_t *wp = which + (ptrdiff_t)(r * g->ow + q) * m->c;

            for (int c = 0; c < m->c; c += V_LANES) {
                if (g->k == 2) {
                    pool_window(yp + c, wp + c, xp + c, g, 2);
                } else {
                    pool_window(yp + c, wp + c, xp + c, g, g->k);
                }
            }
        }
    }
}

/* Sets pixels to 0 from column `from` on, in rows from `top` on. */
static void
pool_clear(float *dx, const struct kern_map *m, int top, int from)
{
    for (int r = top; r < m->h; r++) {
        for (int q = from; q < m->w; q++) {
            memset(dx + r * m->x_row + q * m->x_pix, 0,
                   (size_t)m->c * sizeof(*dx));
        }
    }
}

/* Windows that neither overlap nor leave gaps: each element is written once. */
SIMD void
pool_dx_window(float *dx, const float *dy, const uint8_t *which,
               const struct kern_map *m, int k)
{
    V zero = v_set1(0.0f);

    for (int c = 0; c < m->c; c += V_LANES) {
        V d = v_load(dy + c), winner = v_load_u8(which + c);

        for (int i = 0; i < k * k; i++) {
            VM here = v_eq(winner, v_set1((float)i));

            v_store(dx + i / k * m->x_row + i % k * m->x_pix + c,
                    v_blend(here, d, zero));
        }
    }
}

static void
pool_dx_add_window(float *dx, const float *dy, const uint8_t *which,
                   const struct kern_map *m, int k)
{
    for (int c = 0; c < m->c; c += V_LANES) {
        V d = v_load(dy + c), winner = v_load_u8(which + c);

        for (int i = 0; i < k * k; i++) {
            float *p = dx + i / k * m->x_row + i % k * m->x_pix + c;
            VM here = v_eq(winner, v_set1((float)i));
            V old = v_load(p);

            v_store(p, v_blend(here, v_add(old, d), old));
        }
    }
}

static void
pool_dx(float *restrict dx, const float *restrict dy,
        const uint8_t *restrict which, const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    if (g->s == g->k) {
        pool_clear(dx, m, 0, g->ow * g->k);
        pool_clear(dx, m, g->oh * g->k, 0);
    } else {
        pool_clear(dx, m, 0, 0);
    }
    for (int r = 0; r < g->oh; r++) {
        for (int q = 0; q < g->ow; q++) {
            float *xp = dx + r * g->s * m->x_row + q * g->s * m->x_pix;
            const float *yp = dy + r * m->y_row + q * m->y_pix;
            const uint8_t *wp = which + (ptrdiff_t)(r * g->ow + q) * m->c;

            if (g->s != g->k) {
                pool_dx_add_window(xp, yp, wp, m, g->k);
            } else if (g->k == 2) {
                pool_dx_window(xp, yp, wp, m, 2);
            } else {
                pool_dx_window(xp, yp, wp, m, g->k);
            }
        }
    }
}
