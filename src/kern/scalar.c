/* SPDX-License-Identifier: MIT */
/*
 * The truth: every kernel as plain loops, in the order that kern.h states.  The
 * innermost loops run over channels, which are contiguous and independent of
 * each other, so that a compiler may vectorise them without changing a sum.
 */
#include "config.h"

#include "fmnist/kern.h"

#include <math.h>
#include <string.h>

/* max(x, 0) that keeps a NaN. */
static inline float
relu1(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static void
gemm(float *restrict c, ptrdiff_t c_row, const float *restrict a,
     ptrdiff_t a_row, ptrdiff_t a_col, const float *restrict b, ptrdiff_t b_row,
     const float *restrict bias, int accumulate, int relu, int m, int n, int k)
{
    for (int i = 0; i < m; i++) {
        float *restrict ci = c + i * c_row;

        if (bias) {
            memcpy(ci, bias, (size_t)n * sizeof(*ci));
        } else if (!accumulate) {
            memset(ci, 0, (size_t)n * sizeof(*ci));
        }
        for (int p = 0; p < k; p++) {
            float aip = a[i * a_row + p * a_col];

            for (int j = 0; j < n; j++) {
                ci[j] += aip * b[p * b_row + j];
            }
        }
        for (int j = 0; relu && j < n; j++) {
            ci[j] = relu1(ci[j]);
        }
    }
}

static void
transpose(float *restrict t, ptrdiff_t t_row, const float *restrict s,
          ptrdiff_t s_row, int m, int n)
{
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
            t[j * t_row + i] = s[i * s_row + j];
        }
    }
}

static void
sum_rows(float *restrict y, const float *restrict x, ptrdiff_t x_row,
         int accumulate, int m, int n)
{
    if (!accumulate) {
        memset(y, 0, (size_t)n * sizeof(*y));
    }
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            y[j] += x[i * x_row + j];
        }
    }
}

/* One output pixel; `in` is the first element of its window. */
static void
conv_pixel(float *restrict o, const float *restrict in, const float *restrict w,
           const float *restrict bias, int relu, const struct kern_conv *g)
{
    for (int co = 0; co < g->c_out; co++) {
        o[co] = bias ? bias[co] : 0.0f;
    }
    for (int ky = 0; ky < g->k; ky++) {
        for (int kx = 0; kx < g->k; kx++) {
            const float *px = in + ky * g->in_row + kx * g->in_pix;

            for (int ci = 0; ci < g->c_in; ci++, w += g->c_out) {
                for (int co = 0; co < g->c_out; co++) {
                    o[co] += px[ci] * w[co];
                }
            }
        }
    }
    for (int co = 0; relu && co < g->c_out; co++) {
        o[co] = relu1(o[co]);
    }
}

static void
conv(float *restrict out, const float *restrict in, const float *restrict w,
     const float *restrict bias, int relu, const struct kern_conv *g)
{
    for (int y = 0; y < g->h; y++) {
        for (int x = 0; x < g->w; x++) {
            conv_pixel(out + y * g->out_row + x * g->out_pix,
                       in + y * g->in_row + x * g->in_pix, w, bias, relu, g);
        }
    }
}

/* One row of dw: `in` is what its weight meets at output (0, 0). */
static void
conv_dw_row(float *restrict dw, const float *restrict in,
            const float *restrict dout, const struct kern_conv *g)
{
    for (int y = 0; y < g->h; y++) {
        for (int x = 0; x < g->w; x++) {
            float a = in[y * g->in_row + x * g->in_pix];
            const float *restrict d = dout + y * g->out_row + x * g->out_pix;

            for (int co = 0; co < g->c_out; co++) {
                dw[co] += a * d[co];
            }
        }
    }
}

static void
conv_dw(float *restrict dw, float *restrict db, const float *restrict in,
        const float *restrict dout, const struct kern_conv *g)
{
    for (int ky = 0; ky < g->k; ky++) {
        for (int kx = 0; kx < g->k; kx++) {
            for (int ci = 0; ci < g->c_in; ci++, dw += g->c_out) {
                conv_dw_row(dw, in + ky * g->in_row + kx * g->in_pix + ci, dout,
                            g);
            }
        }
    }
    for (int y = 0; y < g->h; y++) {
        for (int x = 0; x < g->w; x++) {
            const float *restrict d = dout + y * g->out_row + x * g->out_pix;

            for (int co = 0; co < g->c_out; co++) {
                db[co] += d[co];
            }
        }
    }
}

static void
relu(float *y, const float *x, const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            const float *xp = x + r * g->x_row + q * g->x_pix;
            float *yp = y + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c++) {
                yp[c] = relu1(xp[c]);
            }
        }
    }
}

static void
relu_dx(float *dx, const float *dy, const float *y, const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            ptrdiff_t ix = r * g->x_row + q * g->x_pix;
            const float *yp = y + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c++) {
                dx[ix + c] = yp[c] > 0.0f ? dy[ix + c] : 0.0f;
            }
        }
    }
}

/* One channel at a time: the two sums need no storage.  Slow and plain. */
static void
bn_stats(int64_t *count, float *restrict mean, float *restrict m2,
         const float *restrict x, const struct kern_map *g)
{
    float n_b = (float)(g->h * g->w);
    float n = (float)*count + n_b;
    float w_mean = n_b / n;
    float w_m2 = (float)*count * w_mean;

    for (int c = 0; c < g->c; c++) {
        float sum = 0.0f, dev = 0.0f, mu, delta;

        for (int r = 0; r < g->h; r++) {
            for (int q = 0; q < g->w; q++) {
                sum += x[r * g->x_row + q * g->x_pix + c];
            }
        }
        mu = sum / n_b;
        for (int r = 0; r < g->h; r++) {
            for (int q = 0; q < g->w; q++) {
                float d = x[r * g->x_row + q * g->x_pix + c] - mu;

                dev += d * d;
            }
        }
        delta = mu - mean[c];
        mean[c] += delta * w_mean;
        m2[c] = (m2[c] + dev) + delta * delta * w_m2;
    }
    *count += (int64_t)g->h * g->w;
}

static void
bn_norm(float *restrict y, const float *restrict x, const float *restrict scale,
        const float *restrict shift, const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            const float *restrict xp = x + r * g->x_row + q * g->x_pix;
            float *restrict yp = y + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c++) {
                yp[c] = xp[c] * scale[c] + shift[c];
            }
        }
    }
}

static void
bn_sums(float *restrict sum_dy, float *restrict sum_dyx,
        const float *restrict dy, const float *restrict x,
        const float *restrict mean, const float *restrict rstd,
        const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            const float *restrict xp = x + r * g->x_row + q * g->x_pix;
            const float *restrict dp = dy + r * g->y_row + q * g->y_pix;

            for (int c = 0; c < g->c; c++) {
                sum_dy[c] += dp[c];
                sum_dyx[c] += dp[c] * ((xp[c] - mean[c]) * rstd[c]);
            }
        }
    }
}

static void
bn_dx(float *dx, const float *dy, const float *restrict x,
      const float *restrict a, const float *restrict b, const float *restrict c,
      int relu_made_x, const struct kern_map *g)
{
    for (int r = 0; r < g->h; r++) {
        for (int q = 0; q < g->w; q++) {
            const float *xp = x + r * g->x_row + q * g->x_pix;
            ptrdiff_t iy = r * g->y_row + q * g->y_pix;

            for (int i = 0; i < g->c; i++) {
                float d = a[i] * dy[iy + i] + (b[i] * xp[i] + c[i]);

                dx[iy + i] = relu_made_x && xp[i] <= 0.0f ? 0.0f : d;
            }
        }
    }
}

/* One window, one channel: its greatest element, the first of equals. */
static float
pool_window(const float *x, const struct kern_pool *g, uint8_t *which)
{
    float best = x[0];

    *which = 0;
    for (int ky = 0; ky < g->k; ky++) {
        for (int kx = 0; kx < g->k; kx++) {
            float v = x[ky * g->map.x_row + kx * g->map.x_pix];

            if (v > best || isnan(v)) {
                best = v;
                *which = (uint8_t)(ky * g->k + kx);
            }
        }
    }
    return best;
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

            for (int c = 0; c < m->c; c++) {
                yp[c] = pool_window(xp + c, g, &wp[c]);
            }
        }
    }
}

static void
pool_dx(float *restrict dx, const float *restrict dy,
        const uint8_t *restrict which, const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    for (int r = 0; r < m->h; r++) {
        for (int q = 0; q < m->w; q++) {
            memset(dx + r * m->x_row + q * m->x_pix, 0,
                   (size_t)m->c * sizeof(*dx));
        }
    }
    for (int r = 0; r < g->oh; r++) {
        for (int q = 0; q < g->ow; q++) {
            float *xp = dx + r * g->s * m->x_row + q * g->s * m->x_pix;
            const float *yp = dy + r * m->y_row + q * m->y_pix;
            const uint8_t *wp = which + (ptrdiff_t)(r * g->ow + q) * m->c;

            for (int c = 0; c < m->c; c++) {
                xp[wp[c] / g->k * m->x_row + wp[c] % g->k * m->x_pix + c] +=
                    yp[c];
            }
        }
    }
}

static void
bn_pool(float *restrict y, uint8_t *restrict which, const float *restrict x,
        const float *restrict scale, const float *restrict shift,
        const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    for (int i = 0; i < g->oh * g->ow * m->c; i++) {
        int r = i / m->c / g->ow, q = i / m->c % g->ow, c = i % m->c;
        const float *xp = x + r * g->s * m->x_row + q * g->s * m->x_pix + c;
        float best = 0.0f;

        for (int j = 0; j < g->k * g->k; j++) {
            float v = xp[j / g->k * m->x_row + j % g->k * m->x_pix];

            v = v * scale[c] + shift[c];
            if (j == 0 || v > best || isnan(v)) {
                best = v;
                which[i] = (uint8_t)j;
            }
        }
        y[r * m->y_row + q * m->y_pix + c] = best;
    }
}

/* What pool_dx gives pixel (r, q) of channel c, where windows tile. */
static float
unpooled(const float *dy, const uint8_t *which, const struct kern_pool *g,
         int r, int q, int c)
{
    int wr = r / g->k, wq = q / g->k;

    if (wr >= g->oh || wq >= g->ow ||
        which[(wr * g->ow + wq) * g->map.c + c] != r % g->k * g->k + q % g->k) {
        return 0.0f;
    }
    return dy[wr * g->map.y_row + wq * g->map.y_pix + c];
}

static void
bn_pool_sums(float *restrict sum_dy, float *restrict sum_dyx,
             const float *restrict dy, const uint8_t *restrict which,
             const float *restrict x, const float *restrict mean,
             const float *restrict rstd, const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    for (int r = 0; r < m->h; r++) {
        for (int q = 0; q < m->w; q++) {
            const float *xp = x + r * m->x_row + q * m->x_pix;

            for (int c = 0; c < m->c; c++) {
                float d = unpooled(dy, which, g, r, q, c);

                sum_dy[c] += d;
                sum_dyx[c] += d * ((xp[c] - mean[c]) * rstd[c]);
            }
        }
    }
}

static void
bn_pool_dx(float *restrict dx, ptrdiff_t dx_pix, ptrdiff_t dx_row,
           const float *restrict dy, const uint8_t *restrict which,
           const float *restrict x, const float *restrict a,
           const float *restrict b, const float *restrict c, int relu_made_x,
           const struct kern_pool *g)
{
    const struct kern_map *m = &g->map;

    for (int r = 0; r < m->h; r++) {
        for (int q = 0; q < m->w; q++) {
            const float *xp = x + r * m->x_row + q * m->x_pix;
            float *dp = dx + r * dx_row + q * dx_pix;

            for (int i = 0; i < m->c; i++) {
                float d = unpooled(dy, which, g, r, q, i);

                d = a[i] * d + (b[i] * xp[i] + c[i]);
                dp[i] = relu_made_x && xp[i] <= 0.0f ? 0.0f : d;
            }
        }
    }
}

static void
dropout(float *restrict x, const uint8_t *restrict mask, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = mask[i] ? x[i] * scale : 0.0f;
    }
}

static void
add(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

static void
sgd(float *restrict w, float *restrict buf, const float *restrict g, size_t n,
    const struct kern_sgd *o)
{
    float lr = (float)o->lr;
    float mu = (float)o->momentum;
    float decay = (float)o->weight_decay;

    for (size_t i = 0; i < n; i++) {
        float d = g[i];

        if (decay != 0.0f) {
            d += decay * w[i];
        }
        if (mu != 0.0f) {
            buf[i] = o->first ? d : mu * buf[i] + d;
            d = o->nesterov ? d + mu * buf[i] : buf[i];
        }
        w[i] -= lr * d;
    }
}

static void
adam(float *restrict w, float *restrict m, float *restrict v,
     const float *restrict g, size_t n, const struct kern_adam *o)
{
    float beta1 = (float)o->beta1, rest1 = (float)(1.0 - o->beta1);
    float beta2 = (float)o->beta2, rest2 = (float)(1.0 - o->beta2);
    float step = (float)(o->lr / o->bias1);
    float sqrt_bias2 = (float)o->sqrt_bias2, eps = (float)o->eps;
    float l2 = o->decoupled ? 0.0f : (float)o->weight_decay;
    float shrink = o->decoupled ? (float)(1.0 - o->lr * o->weight_decay) : 1.0f;

    for (size_t i = 0; i < n; i++) {
        float d = l2 != 0.0f ? g[i] + l2 * w[i] : g[i];

        m[i] = m[i] * beta1 + rest1 * d;
        v[i] = v[i] * beta2 + rest2 * d * d;
        w[i] = w[i] * shrink - step * m[i] / (sqrtf(v[i]) / sqrt_bias2 + eps);
    }
}

static double
peak(long n, float *sink)
{
    float acc[64];

    for (int i = 0; i < 64; i++) {
        acc[i] = (float)i;
    }
    for (long r = 0; r < n; r++) {
        for (int i = 0; i < 64; i++) {
            acc[i] = acc[i] * 0.5f + 0.25f;
        }
    }
    for (int i = 0; i < 64; i++) {
        *sink += acc[i];
    }
    return 2.0 * 64.0 * (double)n;
}

const struct kern kern_scalar = {
    .name = "scalar",
    .lanes = 1,
    .gemm_rows = 1,
    .gemm_cols = KERN_LANES,
    .gemm = gemm,
    .transpose = transpose,
    .sum_rows = sum_rows,
    .conv = conv,
    .conv_dw = conv_dw,
    .relu = relu,
    .relu_dx = relu_dx,
    .bn_stats = bn_stats,
    .bn_norm = bn_norm,
    .bn_sums = bn_sums,
    .bn_dx = bn_dx,
    .pool = pool,
    .pool_dx = pool_dx,
    .bn_pool = bn_pool,
    .bn_pool_sums = bn_pool_sums,
    .bn_pool_dx = bn_pool_dx,
    .dropout = dropout,
    .add = add,
    .sgd = sgd,
    .adam = adam,
    .peak = peak,
};
