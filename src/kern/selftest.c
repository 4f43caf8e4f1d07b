/* SPDX-License-Identifier: MIT */
/*
 * A variant against the scalar truth, at start-up.  Each check runs the two on
 * the same inputs, and the scalar kernel once more on the inputs' magnitudes:
 * that gives the sum of |a b| behind each element.  A sum of n products is off
 * by at most n + 1 half-eps times it, so two roundings differ by n + 1 eps.
 */
#include "config.h"

#include "fmnist/kern.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SIZE = 4096 };

/* Inputs, their magnitudes, and three results of one check. */
struct bench {
    float a[SIZE], b[SIZE], c[SIZE], d[SIZE];
    float abs_a[SIZE], abs_b[SIZE], abs_c[SIZE];
    float got[SIZE], want[SIZE], mag[SIZE];
    float got2[SIZE], want2[SIZE], mag2[SIZE];
    uint8_t which[SIZE], which2[SIZE];
};

/* Values in (-1, 1) with full mantissas; never 0. */
static void
fill(float *x, uint32_t seed)
{
    uint32_t s = seed * 2654435761u + 1;

    for (int i = 0; i < SIZE; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = ((float)(s >> 8) + 0.5f) / 8388608.0f - 1.0f;
    }
}

static void
magnitude(float *y, const float *x)
{
    for (int i = 0; i < SIZE; i++) {
        y[i] = fabsf(x[i]);
    }
}

static void
bench_init(struct bench *t)
{
    memset(t, 0, sizeof(*t));
    fill(t->a, 1);
    fill(t->b, 2);
    fill(t->c, 3);
    fill(t->d, 4);
    magnitude(t->abs_a, t->a);
    magnitude(t->abs_b, t->b);
    magnitude(t->abs_c, t->c);
}

/* Whole buffers are compared, so what must stay untouched is checked too. */
static int
compare(const struct kern *k, const char *what, const float *got,
        const float *want, const float *mag, int length, struct err *e)
{
    float unit = (float)(length + 2) * FLT_EPSILON;

    for (int i = 0; i < SIZE; i++) {
        if (!(fabsf(got[i] - want[i]) <= unit * mag[i])) {
            return err_set(e, ERR_FAIL,
                           "kernel %s: %s differs from scalar at element %d",
                           k->name, what, i);
        }
    }
    return 0;
}

static int
check_gemm(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    enum { M = 7, N = 48, K = 67 };

    k->gemm(t->got, N, t->a, 1, M, t->b, N, t->c, 0, 1, M, N, K);
    s->gemm(t->want, N, t->a, 1, M, t->b, N, t->c, 0, 1, M, N, K);
    s->gemm(t->mag, N, t->abs_a, 1, M, t->abs_b, N, t->abs_c, 0, 1, M, N, K);
    k->gemm(t->got, N, t->b, K, 1, t->a, N, NULL, 1, 0, M, N, K);
    s->gemm(t->want, N, t->b, K, 1, t->a, N, NULL, 1, 0, M, N, K);
    s->gemm(t->mag, N, t->abs_b, K, 1, t->abs_a, N, NULL, 1, 0, M, N, K);
    if (compare(k, "gemm", t->got, t->want, t->mag, 2 * K, e) < 0) {
        return ERR_FAIL;
    }
    k->sum_rows(t->got2, t->a, 37, 0, 53, 35);
    s->sum_rows(t->want2, t->a, 37, 0, 53, 35);
    s->sum_rows(t->mag2, t->abs_a, 37, 0, 53, 35);
    if (compare(k, "sum_rows", t->got2, t->want2, t->mag2, 53, e) < 0) {
        return ERR_FAIL;
    }
    k->transpose(t->got, 40, t->a, 53, 37, 53);
    s->transpose(t->want, 40, t->a, 53, 37, 53);
    return compare(k, "transpose", t->got, t->want, t->mag, 0, e);
}

/* 3 x 17 pixels, 5 channels in a pixel of 7, 48 out in a pixel of 64: odd
 * numbers of rows, pixels and vectors. */
static const struct kern_conv CONV = {
    .h = 3,
    .w = 17,
    .k = 3,
    .c_in = 5,
    .in_pix = 7,
    .in_row = 7 * 19 + 3,
    .c_out = 48,
    .out_pix = 64,
    .out_row = 64 * 17 + 16,
};

static int
check_conv(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    int length = CONV.k * CONV.k * CONV.c_in;

    k->conv(t->got, t->a, t->b, t->c, 1, &CONV);
    s->conv(t->want, t->a, t->b, t->c, 1, &CONV);
    s->conv(t->mag, t->abs_a, t->abs_b, t->abs_c, 1, &CONV);
    return compare(k, "conv", t->got, t->want, t->mag, length + 1, e);
}

static int
check_conv_dw(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    int length = CONV.h * CONV.w;

    k->conv_dw(t->got, t->got2, t->a, t->b, &CONV);
    s->conv_dw(t->want, t->want2, t->a, t->b, &CONV);
    s->conv_dw(t->mag, t->mag2, t->abs_a, t->abs_b, &CONV);
    if (compare(k, "conv_dw (db)", t->got2, t->want2, t->mag2, length, e) < 0) {
        return ERR_FAIL;
    }
    return compare(k, "conv_dw", t->got, t->want, t->mag, length, e);
}

static const struct kern_map MAP = {
    .h = 5,
    .w = 7,
    .c = 48,
    .x_pix = 64,
    .x_row = 64 * 8,
    .y_pix = 48,
    .y_row = 48 * 9,
};

static int
check_map(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;

    k->relu(t->got, t->a, &MAP);
    s->relu(t->want, t->a, &MAP);
    if (compare(k, "relu", t->got, t->want, t->mag, 0, e) < 0) {
        return ERR_FAIL;
    }
    k->relu_dx(t->got2, t->b, t->a, &MAP);
    s->relu_dx(t->want2, t->b, t->a, &MAP);
    if (compare(k, "relu_dx", t->got2, t->want2, t->mag, 0, e) < 0) {
        return ERR_FAIL;
    }
    k->dropout(t->a, t->which, 1.25f, 0);
    for (int i = 0; i < SIZE; i++) {
        t->which[i] = t->b[i] > 0.0f;
    }
    memcpy(t->got, t->a, sizeof(t->a));
    memcpy(t->want, t->a, sizeof(t->a));
    k->dropout(t->got, t->which, 1.25f, 1003);
    s->dropout(t->want, t->which, 1.25f, 1003);
    k->add(t->got, t->b, 77);
    s->add(t->want, t->b, 77);
    return compare(k, "dropout or add", t->got, t->want, t->mag, 0, e);
}

static int
check_bn(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    int n = MAP.h * MAP.w;
    int64_t count = 0, count2 = 0;

    for (int i = 0; i < 2; i++) {
        k->bn_stats(&count, t->got, t->got2, t->a + i, &MAP);
        s->bn_stats(&count2, t->want, t->want2, t->a + i, &MAP);
    }
    for (int i = 0; i < MAP.c; i++) {
        t->mag[i] = 1.0f; /* |x| < 1 bounds the mean; (2 n) 4 the squares */
        t->mag2[i] = 8.0f * (float)n;
    }
    if (count != count2 || count != 2 * n ||
        compare(k, "bn_stats", t->got, t->want, t->mag, n, e) < 0 ||
        compare(k, "bn_stats", t->got2, t->want2, t->mag2, n, e) < 0) {
        return err_set(e, ERR_FAIL, "kernel %s: bn_stats is wrong", k->name);
    }
    k->bn_norm(t->got, t->a, t->b, t->c, &MAP);
    s->bn_norm(t->want, t->a, t->b, t->c, &MAP);
    s->bn_norm(t->mag, t->abs_a, t->abs_b, t->abs_c, &MAP);
    k->bn_dx(t->got, t->got, t->a, t->b, t->c, t->d, 1, &MAP);
    s->bn_dx(t->want, t->want, t->a, t->b, t->c, t->d, 1, &MAP);
    for (int i = 0; i < SIZE; i++) {
        t->mag[i] += 2.0f; /* b x + c, each below 1 */
    }
    if (compare(k, "bn_norm or bn_dx", t->got, t->want, t->mag, 4, e) < 0) {
        return ERR_FAIL;
    }
    k->bn_sums(t->got, t->got2, t->b, t->a, t->c, t->d, &MAP);
    s->bn_sums(t->want, t->want2, t->b, t->a, t->c, t->d, &MAP);
    for (int i = 0; i < MAP.c; i++) {
        t->mag[i] += (float)n;
        t->mag2[i] += 2.0f * (float)n;
    }
    if (compare(k, "bn_sums", t->got, t->want, t->mag, n, e) < 0) {
        return ERR_FAIL;
    }
    return compare(k, "bn_sums", t->got2, t->want2, t->mag2, n, e);
}

/* Windows of 3 that overlap (stride 2), and of 2 that leave a column over. */
static int
check_pool(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    struct kern_pool g = {.k = 3, .s = 2, .oh = 2, .ow = 3, .map = MAP};

    for (int pass = 0; pass < 2; pass++) {
        k->pool(t->got, t->which, t->a, &g);
        s->pool(t->want, t->which2, t->a, &g);
        if (memcmp(t->which, t->which2, sizeof(t->which)) != 0 ||
            compare(k, "pool", t->got, t->want, t->mag, 0, e) < 0) {
            return err_set(e, ERR_FAIL, "kernel %s: pool is wrong", k->name);
        }
        k->pool_dx(t->got2, t->b, t->which, &g);
        s->pool_dx(t->want2, t->b, t->which, &g);
        if (compare(k, "pool_dx", t->got2, t->want2, t->mag, 0, e) < 0) {
            return ERR_FAIL;
        }
        g.k = 2;
    }
    return 0;
}

/* BatchNorm and pool in one pass: against scalar's one pass. */
static int
check_bn_pool(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    struct kern_pool g = {.k = 2, .s = 2, .oh = 2, .ow = 3, .map = MAP};
    int n = MAP.h * MAP.w;

    for (int i = 0; i < SIZE; i++) {
        t->which[i] = (uint8_t)(i * 5 % 4);
        t->mag[i] = 4.0f; /* no term is greater */
        t->mag2[i] = 4.0f * (float)n;
    }
    k->bn_pool_sums(t->got, t->got2, t->a, t->which, t->b, t->c, t->d, &g);
    s->bn_pool_sums(t->want, t->want2, t->a, t->which, t->b, t->c, t->d, &g);
    if (compare(k, "bn_pool_sums", t->got, t->want, t->mag2, n, e) < 0 ||
        compare(k, "bn_pool_sums", t->got2, t->want2, t->mag2, n, e) < 0) {
        return ERR_FAIL;
    }
    k->bn_pool_dx(t->got, 48, 48 * 9, t->a, t->which, t->b, t->c, t->d,
                  t->abs_c, 1, &g);
    s->bn_pool_dx(t->want, 48, 48 * 9, t->a, t->which, t->b, t->c, t->d,
                  t->abs_c, 1, &g);
    if (compare(k, "bn_pool_dx", t->got, t->want, t->mag, 4, e) < 0) {
        return ERR_FAIL;
    }
    k->bn_pool(t->got2, t->which, t->a, t->b, t->c, &g);
    s->bn_pool(t->want2, t->which2, t->a, t->b, t->c, &g);
    return compare(k, "bn_pool", t->got2, t->want2, t->mag, 4, e);
}

static int
check_optimizers(const struct kern *k, struct bench *t, struct err *e)
{
    const struct kern *s = &kern_scalar;
    struct kern_sgd sgd = {.lr = 0.1,
                           .momentum = 0.9,
                           .weight_decay = 0.01,
                           .nesterov = 1,
                           .first = 0};
    struct kern_adam adam = {.lr = 0.01,
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .eps = 1e-8,
                             .bias1 = 0.19,
                             .sqrt_bias2 = 0.0447,
                             .weight_decay = 0.01};

    memcpy(t->got, t->a, sizeof(t->a));
    memcpy(t->want, t->a, sizeof(t->a));
    for (int i = 0; i < SIZE; i++) {
        t->mag[i] = 4.0f; /* no intermediate result is greater */
        t->mag2[i] = 4.0f;
    }
    k->sgd(t->got, t->got2, t->b, 131, &sgd);
    s->sgd(t->want, t->want2, t->b, 131, &sgd);
    if (compare(k, "sgd", t->got, t->want, t->mag, 8, e) < 0 ||
        compare(k, "sgd", t->got2, t->want2, t->mag2, 8, e) < 0) {
        return ERR_FAIL;
    }
    for (adam.decoupled = 0; adam.decoupled < 2; adam.decoupled++) {
        memcpy(t->c, t->abs_c, sizeof(t->c));
        memcpy(t->d, t->abs_c, sizeof(t->d));
        k->adam(t->got, t->got2, t->c, t->b, 131, &adam);
        s->adam(t->want, t->want2, t->d, t->b, 131, &adam);
    }
    if (compare(k, "adam", t->c, t->d, t->mag, 4, e) < 0 ||
        compare(k, "adam", t->got2, t->want2, t->mag, 16, e) < 0) {
        return ERR_FAIL;
    }
    return compare(k, "adam", t->got, t->want, t->mag, 16, e);
}

int
kern_selftest(const struct kern *k, struct err *e)
{
    static int (*const checks[])(const struct kern *, struct bench *,
                                 struct err *) = {
        check_gemm, check_conv, check_conv_dw, check_map,
        check_bn,   check_pool, check_bn_pool, check_optimizers,
    };
    struct bench t;

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        bench_init(&t);
        if (checks[i](k, &t, e) < 0) {
            return ERR_FAIL;
        }
    }
    return 0;
}
