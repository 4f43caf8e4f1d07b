/* SPDX-License-Identifier: MIT */
/* Bits: what is computed in parts, by any compiler, is what is computed at
 * once; and a NaN is never lost. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "kern_lab.h"
#include "support.h"

enum { M = 23, N = 112, K = 203 };

/* Rows, columns and k of a product, cut anywhere. */
START_TEST(gemm_in_parts)
{
    const struct kern *v = lab_variant(_i);
    float *a = lab_floats(M * K, LAB_END, 1),
          *b = lab_floats(K * N, LAB_END, 2);
    float *bias = lab_floats(N, LAB_END, 3);
    float *whole = lab_floats(M * N, LAB_END, 0);
    float *parts = lab_floats(M * N, LAB_END, 0);

    v->gemm(whole, N, a, K, 1, b, N, bias, 0, 1, M, N, K);
    for (int i = 0, m; i < M; i += m) {
        m = 1 + i % 5 < M - i ? 1 + i % 5 : M - i;
        for (int j = 0, n; j < N; j += n) {
            n = N - j > 48 ? 16 * (1 + i % 3) : N - j;
            v->gemm(parts + i * N + j, N, a + i * K, K, 1, b + j, N, bias + j,
                    0, 1, m, n, K);
        }
    }
    lab_same(v, "gemm by rows and columns", parts, whole, M * N);

    v->gemm(whole, N, a, K, 1, b, N, bias, 0, 0, M, N, K);
    v->gemm(parts, N, a, K, 1, b, N, bias, 0, 0, M, N, 50);
    v->gemm(parts, N, a + 50, K, 1, b + 50 * N, N, NULL, 1, 0, M, N, 1);
    v->gemm(parts, N, a + 51, K, 1, b + 51 * N, N, NULL, 1, 0, M, N, K - 51);
    lab_same(v, "gemm by k", parts, whole, M * N);
}
END_TEST

/* Rows and columns of an image. */
START_TEST(conv_in_parts)
{
    const struct kern *v = lab_variant(_i);
    struct kern_conv g = {6, 29, 3, 9, 16, 16 * 31, 80, 80, 80 * 29};
    size_t n = 6 * 29 * 80;
    float *in = lab_floats(8 * 31 * 16, LAB_END, 1);
    float *w = lab_floats(81 * 80, LAB_END, 2);
    float *bias = lab_floats(80, LAB_END, 3);
    float *whole = lab_floats(n, LAB_END, 0);
    float *parts = lab_floats(n, LAB_END, 0);

    v->conv(whole, in, w, bias, 1, &g);
    for (int width = 1; width <= 29; width++) {
        memset(parts, 0, n * sizeof(*parts));
        for (int x = 0; x < 29; x += width) {
            struct kern_conv part = g;

            part.w = 29 - x < width ? 29 - x : width;
            part.h = 2;
            v->conv(parts + x * 80, in + x * 16, w, bias, 1, &part);
            part.h = 4;
            v->conv(parts + 2 * g.out_row + x * 80, in + 2 * g.in_row + x * 16,
                    w, bias, 1, &part);
        }
        lab_same(v, "conv", parts, whole, n);
    }
}
END_TEST

/* dw and db are one chain: an image of two halves is two images. */
START_TEST(conv_dw_in_parts)
{
    const struct kern *v = lab_variant(_i);
    struct kern_conv g = {6, 11, 3, 9, 16, 16 * 13, 80, 80, 80 * 11};
    struct kern_conv top = g, rest = g;
    float *in = lab_floats(8 * 13 * 16, LAB_END, 1);
    float *dout = lab_floats(6 * 11 * 80, LAB_END, 2);
    float *dw = lab_floats(81 * 80, LAB_END, 3), *db = lab_floats(80, 0, 4);
    float *dw2 = lab_copy(dw, 81 * 80, LAB_END), *db2 = lab_copy(db, 80, 0);

    top.h = 1;
    rest.h = 5;
    v->conv_dw(dw, db, in, dout, &g);
    v->conv_dw(dw2, db2, in, dout, &top);
    v->conv_dw(dw2, db2, in + g.in_row, dout + g.out_row, &rest);
    lab_same(v, "conv_dw", dw2, dw, 81 * 80);
    lab_same(v, "conv_dw (db)", db2, db, 80);
}
END_TEST

/* A slab, cut for threads; and columns of sum_rows. */
START_TEST(slabs_in_parts)
{
    const struct kern *v = lab_variant(_i);
    struct kern_adam o = {.lr = 0.01,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .eps = 1e-8,
                          .bias1 = 0.1,
                          .sqrt_bias2 = 0.03,
                          .weight_decay = 0.1};
    float *x[3][2], *g = lab_floats(500, LAB_END, 5);

    for (int i = 0; i < 3; i++) {
        x[i][0] = lab_abs(lab_floats(500, LAB_END, 6 + (uint32_t)i), 500);
        x[i][1] = lab_copy(x[i][0], 500, LAB_END);
    }
    v->adam(x[0][0], x[1][0], x[2][0], g, 500, &o);
    v->adam(x[0][1], x[1][1], x[2][1], g, 131, &o);
    v->adam(x[0][1] + 131, x[1][1] + 131, x[2][1] + 131, g + 131, 369, &o);
    for (int i = 0; i < 3; i++) {
        lab_same(v, "adam", x[i][1], x[i][0], 500);
    }
    v->sum_rows(x[0][0], g, 50, 0, 10, 50);
    v->sum_rows(x[0][1], g, 50, 0, 10, 21);
    v->sum_rows(x[0][1] + 21, g + 21, 50, 0, 10, 29);
    lab_same(v, "sum_rows", x[0][1], x[0][0], 50);
}
END_TEST

/* h, w, c, window side, stride; a row and a column left over, and none. */
static const int POOLS[][5] = {
    {6, 8, 32, 2, 2}, {7, 9, 48, 2, 2},  {7, 11, 80, 3, 3},
    {7, 7, 16, 3, 2}, {3, 2, 112, 1, 1}, {4, 9, 64, 4, 4},
};
enum { N_POOLS = sizeof(POOLS) / sizeof(POOLS[0]) };

/* All buffers of a BatchNorm with a pool behind it, ending at `place`. */
struct pooled {
    struct kern_pool g;
    struct kern_map full; /* x as in g, y of x's size and strides of its own */
    size_t nx, ny, nw, nt;
    float *x, *dy, *p[3];
};

static void
pooled_init(struct pooled *t, int i, enum lab_place place)
{
    const int *p = POOLS[i];
    struct kern_map m = {.h = p[0], .w = p[1], .c = p[2]};
    int oh = (p[0] - p[3]) / p[4] + 1, ow = (p[1] - p[3]) / p[4] + 1;

    m.x_pix = m.c + 16;
    m.x_row = m.w * m.x_pix + 5;
    m.y_pix = m.c + 32;
    m.y_row = ow * m.y_pix + 3;
    t->g = (struct kern_pool){p[3], p[4], oh, ow, m};
    t->full = m;
    t->full.y_pix = m.c;
    t->full.y_row = m.w * m.c + 7;
    t->nx = (size_t)((m.h - 1) * m.x_row + (m.w - 1) * m.x_pix + m.c);
    t->ny = (size_t)((oh - 1) * m.y_row + (ow - 1) * m.y_pix + m.c);
    t->nw = (size_t)(oh * ow * m.c);
    t->nt = (size_t)((m.h - 1) * t->full.y_row + m.w * m.c);
    t->x = lab_floats(t->nx, place, 1);
    t->dy = lab_floats(t->ny, place, 2);
    for (int j = 0; j < 3; j++) {
        t->p[j] = lab_floats((size_t)m.c, place, 3 + (uint32_t)j);
    }
}

START_TEST(bn_pool_is_its_parts)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_POOLS * 2; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        struct pooled t;
        struct kern_pool two;
        float *y, *y2, *norm;
        uint8_t *which, *which2;

        pooled_init(&t, i / 2, place);
        y = lab_floats(t.ny, place, 9);
        y2 = lab_copy(y, t.ny, place);
        norm = lab_floats(t.nt, place, 0);
        which = lab_bytes(t.nw, place, 1);
        which2 = lab_bytes(t.nw, place, 2);
        v->bn_norm(norm, t.x, t.p[0], t.p[1], &t.full);
        two = t.g;
        two.map.x_pix = t.full.y_pix;
        two.map.x_row = t.full.y_row;
        v->pool(y, which, norm, &two);
        v->bn_pool(y2, which2, t.x, t.p[0], t.p[1], &t.g);
        lab_same(v, "bn_pool", y2, y, t.ny);
        ck_assert_mem_eq(which2, which, t.nw);
        lab_teardown();
    }
}
END_TEST

START_TEST(bn_pool_gradients_are_their_parts)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_POOLS * 4; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        struct pooled t;
        struct kern_pool two;
        float *s[4], *dx, *dx2;
        uint8_t *which;

        pooled_init(&t, i / 4, place);
        if (t.g.s != t.g.k) {
            continue;
        }
        which = lab_bytes(t.nw, place, 6);
        for (size_t j = 0; j < t.nw; j++) {
            which[j] = (uint8_t)(j * 7 % (size_t)(t.g.k * t.g.k));
        }
        for (int j = 0; j < 4; j++) {
            s[j] = lab_floats((size_t)t.full.c, place, 7 + (uint32_t)j / 2);
        }
        dx = lab_floats(t.nt, place, 8);
        dx2 = lab_copy(dx, t.nt, place);
        two = t.g;
        two.map.x_pix = t.full.y_pix;
        two.map.x_row = t.full.y_row;
        v->pool_dx(dx, t.dy, which, &two);
        v->bn_sums(s[0], s[2], dx, t.x, t.p[0], t.p[1], &t.full);
        v->bn_dx(dx, dx, t.x, t.p[0], t.p[1], t.p[2], i & 2, &t.full);
        v->bn_pool_sums(s[1], s[3], t.dy, which, t.x, t.p[0], t.p[1], &t.g);
        v->bn_pool_dx(dx2, t.full.y_pix, t.full.y_row, t.dy, which, t.x, t.p[0],
                      t.p[1], t.p[2], i & 2, &t.g);
        lab_same(v, "bn_pool_sums", s[1], s[0], (size_t)t.full.c);
        lab_same(v, "bn_pool_sums (x)", s[3], s[2], (size_t)t.full.c);
        lab_same(v, "bn_pool_dx", dx2, dx, t.nt);
        lab_teardown();
    }
}
END_TEST

START_TEST(nan_stays)
{
    const struct kern *v = lab_variant(_i);
    struct kern_conv g = {1, 17, 1, 1, 1, 17, 16, 16, 16 * 17};
    struct kern_map m = {1, 17, 16, 16, 16 * 17, 16, 16 * 17};
    float *x = lab_floats(17 * 16, LAB_END, 1), *y = lab_floats(17 * 16, 0, 0);
    float *one = lab_floats(16, LAB_END, 0);

    for (int i = 0; i < 16; i++) {
        one[i] = 1.0f;
    }
    x[3] = x[16] = NAN;
    v->relu(y, x, &m);
    ck_assert(isnan(y[3]) && isnan(y[16]) && !isnan(y[4]));
    v->gemm(y, 16, x, 1, 1, one, 16, NULL, 0, 1, 17, 16, 1);
    for (int i = 0; i < 17 * 16; i++) {
        ck_assert_int_eq(isnan(y[i]) != 0, i / 16 == 3 || i / 16 == 16);
    }
    v->conv(y, x, one, NULL, 1, &g);
    for (int i = 0; i < 17 * 16; i++) {
        ck_assert_int_eq(isnan(y[i]) != 0, i / 16 == 3 || i / 16 == 16);
    }
    v->bn_dx(y, x, x, one, one, one, 1, &m);
    ck_assert(isnan(y[3]) && isnan(y[16]) && !isnan(y[4]));
}
END_TEST

/* A change here changes the weights of every run: raise `numerics` with it.
 * All variants that sum with fma make the same bits: only scalar rounds each
 * product. */
#define PRINT_SCALAR 0x201b1c391fd000deu
#define PRINT_FMA 0xc46a017d9222814du

START_TEST(bits_are_the_known_ones)
{
    const struct kern *v = lab_variant(_i);
    uint64_t want = v == &kern_scalar ? PRINT_SCALAR : PRINT_FMA;
    uint64_t print = kern_fingerprint(v);

    ck_assert_msg(print == want, "%s makes other bits: 0x%016" PRIx64, v->name,
                  print);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("kern bits");
    TCase *tc = tcase_create("bits");
    int n = lab_variants();

    tcase_add_checked_fixture(tc, lab_setup, lab_teardown);
    tcase_add_loop_test(tc, gemm_in_parts, 0, n);
    tcase_add_loop_test(tc, conv_in_parts, 0, n);
    tcase_add_loop_test(tc, conv_dw_in_parts, 0, n);
    tcase_add_loop_test(tc, slabs_in_parts, 0, n);
    tcase_add_loop_test(tc, bn_pool_is_its_parts, 0, n);
    tcase_add_loop_test(tc, bn_pool_gradients_are_their_parts, 0, n);
    tcase_add_loop_test(tc, nan_stays, 0, n);
    tcase_add_loop_test(tc, bits_are_the_known_ones, 0, n);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
