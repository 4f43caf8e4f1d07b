/* SPDX-License-Identifier: MIT */
/* Choosing a variant, and the kernels that sum: gemm, conv, conv_dw. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "kern_lab.h"
#include "support.h"

START_TEST(choose_takes_the_best)
{
    const struct kern *k = NULL;
    struct err e = {0};

    unsetenv("FMNIST_CPU");
    ck_assert_int_eq(kern_choose(NULL, &k, &e), 0);
    ck_assert_ptr_eq(k, lab_variant(0));
    setenv("FMNIST_CPU", "", 1);
    ck_assert_int_eq(kern_choose(NULL, &k, &e), 0);
    ck_assert_ptr_eq(k, lab_variant(0));
}
END_TEST

START_TEST(choose_by_name)
{
    const struct kern *k = NULL;
    struct err e = {0};

    setenv("FMNIST_CPU", lab_variant(_i)->name, 1);
    ck_assert_int_eq(kern_choose(NULL, &k, &e), 0);
    ck_assert_ptr_eq(k, lab_variant(_i));
    ck_assert_int_eq(kern_choose("scalar", &k, &e), 0);
    ck_assert_ptr_eq(k, &kern_scalar);
}
END_TEST

START_TEST(choose_refuses)
{
    static const char *const names[] = {"avx512", "avx2", "neon", "AVX2",
                                        "scalar "};
    const struct kern *k = NULL;
    struct err e = {0};
    int refused = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int rc = kern_choose(names[i], &k, &e);

        if (rc == 0) {
            ck_assert_str_eq(k->name, names[i]);
        } else {
            ck_assert_int_eq(rc, ERR_USAGE);
            ck_assert_ptr_nonnull(strstr(e.msg, names[i]));
            refused++;
        }
    }
    ck_assert_int_ge(refused, 3); /* no processor has NEON and AVX */
}
END_TEST

START_TEST(selftest_passes)
{
    struct kern copy = *lab_variant(_i);
    struct err e = {0};

    copy.name = "copy"; /* also when it is scalar */
    ck_assert_msg(kern_selftest(&copy, &e) == 0, "%s", e.msg);
}
END_TEST

static void
bad_gemm(float *restrict c, ptrdiff_t c_row, const float *restrict a,
         ptrdiff_t a_row, ptrdiff_t a_col, const float *restrict b,
         ptrdiff_t b_row, const float *restrict bias, int accumulate, int relu,
         int m, int n, int k)
{
    kern_scalar.gemm(c, c_row, a, a_row, a_col, b, b_row, bias, accumulate,
                     relu, m, n, k - 1);
}

static void
bad_conv(float *restrict out, const float *restrict in, const float *restrict w,
         const float *restrict bias, int relu, const struct kern_conv *g)
{
    struct kern_conv less = *g;

    less.w--;
    kern_scalar.conv(out, in, w, bias, relu, &less);
}

static void
bad_conv_dw(float *restrict dw, float *restrict db, const float *restrict in,
            const float *restrict dout, const struct kern_conv *g)
{
    kern_scalar.conv_dw(dw, db, in + 1, dout, g);
}

static void
bad_relu(float *y, const float *x, const struct kern_map *g)
{
    kern_scalar.relu_dx(y, x, x, g);
    y[0] += 1e-6f;
}

static void
bad_pool(float *restrict y, uint8_t *restrict which, const float *restrict x,
         const struct kern_pool *g)
{
    kern_scalar.pool(y, which, x, g);
    which[0]++;
}

static void
bad_adam(float *restrict w, float *restrict m, float *restrict v,
         const float *restrict g, size_t n, const struct kern_adam *o)
{
    kern_scalar.adam(w, m, v, g, n - 1, o);
}

START_TEST(selftest_finds_what_is_wrong)
{
    struct kern bad[6];
    struct err e;

    for (int i = 0; i < 6; i++) {
        bad[i] = kern_scalar;
        bad[i].name = "bad";
    }
    bad[0].gemm = bad_gemm;
    bad[1].conv = bad_conv;
    bad[2].conv_dw = bad_conv_dw;
    bad[3].relu = bad_relu;
    bad[4].pool = bad_pool;
    bad[5].adam = bad_adam;
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(kern_selftest(&bad[i], &e), ERR_FAIL);
        ck_assert_ptr_nonnull(strstr(e.msg, "bad"));
    }
}
END_TEST

static float
tenth(volatile float x)
{
    return x * 0.1f;
}

START_TEST(thread_init_flushes)
{
    kern_thread_init();
#if defined(__SSE__) || defined(__aarch64__)
    ck_assert(tenth(1.2e-38f) == 0.0f);
#endif
    ck_assert(tenth(1.0f) > 0.0f);
}
END_TEST

enum {
    TRANSPOSED = 1,
    BIAS = 2,
    ACCUMULATE = 4,
    RELU = 8,
    WIDE = 16,
    GEMM_FLAGS = 32
};

static void
gemm_case(const struct kern *v, int m, int n, int k, int flags,
          enum lab_place place)
{
    ptrdiff_t gap = flags & WIDE ? 19 : 0;
    ptrdiff_t a_row = flags & TRANSPOSED ? 1 : k + gap;
    ptrdiff_t a_col = flags & TRANSPOSED ? m + gap : 1;
    ptrdiff_t b_row = n + gap, c_row = n + 2 * gap;
    size_t na = (size_t)((m - 1) * a_row + (k - 1) * a_col + 1);
    size_t nb = (size_t)((k - 1) * b_row + n);
    size_t nc = (size_t)((m - 1) * c_row + n);
    float *a = lab_floats(na, place, 11), *b = lab_floats(nb, place, 12);
    float *bias = flags & BIAS ? lab_floats((size_t)n, place, 13) : NULL;
    float *got = lab_floats(nc, place, 14), *want = lab_copy(got, nc, place);
    float *mag = lab_abs(got, nc);
    int acc = flags & ACCUMULATE, relu = flags & RELU;

    v->gemm(got, c_row, a, a_row, a_col, b, b_row, bias, acc, relu, m, n, k);
    kern_scalar.gemm(want, c_row, a, a_row, a_col, b, b_row, bias, acc, relu, m,
                     n, k);
    kern_scalar.gemm(mag, c_row, lab_abs(a, na), a_row, a_col, lab_abs(b, nb),
                     b_row, lab_abs(bias, (size_t)n), acc, relu, m, n, k);
    lab_compare(v, "gemm", got, want, mag, nc, k + 1);
}

START_TEST(gemm_is_scalars)
{
    static const int shapes[][3] = {
        {1, 16, 1},  {1, 16, 3},    {2, 32, 5},    {3, 48, 7},
        {5, 64, 96}, {6, 80, 97},   {7, 112, 193}, {13, 16, 70},
        {64, 16, 9}, {12, 128, 31}, {11, 144, 2},
    };

    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        for (int flags = 0; flags < GEMM_FLAGS; flags++) {
            gemm_case(lab_variant(_i), shapes[s][0], shapes[s][1], shapes[s][2],
                      flags, flags & 1 ? LAB_START : LAB_END);
            lab_teardown();
            gemm_case(lab_variant(_i), shapes[s][0], shapes[s][1], shapes[s][2],
                      flags, flags & 1 ? LAB_END : LAB_START);
            lab_teardown();
        }
    }
}
END_TEST

START_TEST(transpose_and_sum_rows_are_scalars)
{
    static const int sides[] = {1, 2, 7, 16, 17, 33, 64};
    const struct kern *v = lab_variant(_i);

    for (int s = 0; s < 49; s++) {
        int m = sides[s / 7], n = sides[s % 7];
        enum lab_place place = s % 2 ? LAB_END : LAB_START;
        ptrdiff_t t_row = m + s % 3, s_row = n + s % 5;
        size_t nt = (size_t)((n - 1) * t_row + m);
        size_t ns = (size_t)((m - 1) * s_row + n), ny = (size_t)n;
        float *x = lab_floats(ns, place, 21);
        float *got = lab_floats(nt, place, 22);
        float *want = lab_copy(got, nt, place);
        float *y = lab_floats(ny, place, 23), *yw = lab_copy(y, ny, place);
        float *mag = lab_abs(y, ny);

        v->transpose(got, t_row, x, s_row, m, n);
        kern_scalar.transpose(want, t_row, x, s_row, m, n);
        lab_compare(v, "transpose", got, want, NULL, nt, 0);
        v->sum_rows(y, x, s_row, s % 2, m, n);
        kern_scalar.sum_rows(yw, x, s_row, s % 2, m, n);
        kern_scalar.sum_rows(mag, lab_abs(x, ns), s_row, s % 2, m, n);
        lab_compare(v, "sum_rows", y, yw, mag, ny, m + 1);
        lab_teardown();
    }
}
END_TEST

/* h, w, k, c_in, in_pix, c_out, floats between output pixels. */
static const int CONVS[][7] = {
    {1, 1, 1, 1, 1, 16, 0},    {28, 28, 3, 1, 1, 32, 0},
    {14, 14, 3, 8, 16, 64, 0}, {7, 7, 3, 16, 16, 48, 16},
    {5, 3, 5, 3, 16, 80, 0},   {2, 29, 1, 17, 32, 16, 32},
    {3, 15, 3, 5, 5, 48, 0},   {1, 31, 3, 2, 16, 112, 16},
    {9, 2, 5, 1, 1, 16, 0},    {4, 13, 7, 2, 3, 32, 0},
};
enum { N_CONVS = sizeof(CONVS) / sizeof(CONVS[0]) };

struct conv_sizes {
    size_t in, out, w;
};

static struct kern_conv
conv_geometry(int i, struct conv_sizes *n)
{
    const int *c = CONVS[i];
    struct kern_conv g = {.h = c[0],
                          .w = c[1],
                          .k = c[2],
                          .c_in = c[3],
                          .in_pix = c[4],
                          .c_out = c[5],
                          .out_pix = c[5] + c[6]};

    g.in_row = (g.w + g.k - 1) * g.in_pix + i % 2 * 5;
    g.out_row = g.w * g.out_pix + i % 3 * 16;
    n->in = (size_t)((g.h + g.k - 2) * g.in_row + (g.w + g.k - 2) * g.in_pix +
                     g.c_in);
    n->out = (size_t)((g.h - 1) * g.out_row + (g.w - 1) * g.out_pix + g.c_out);
    n->w = (size_t)(g.k * g.k * g.c_in * g.c_out);
    return g;
}

START_TEST(conv_is_scalars)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_CONVS * 8; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        int relu = i & 2, with_bias = i & 4;
        struct conv_sizes n;
        struct kern_conv g = conv_geometry(i / 8, &n);
        size_t nb = (size_t)g.c_out;
        float *in = lab_floats(n.in, place, 31), *w = lab_floats(n.w, place, 2);
        float *bias = with_bias ? lab_floats(nb, place, 33) : NULL;
        float *got = lab_floats(n.out, place, 34);
        float *want = lab_copy(got, n.out, place), *mag = lab_abs(got, n.out);

        v->conv(got, in, w, bias, relu, &g);
        kern_scalar.conv(want, in, w, bias, relu, &g);
        kern_scalar.conv(mag, lab_abs(in, n.in), lab_abs(w, n.w),
                         lab_abs(bias, nb), relu, &g);
        lab_compare(v, "conv", got, want, mag, n.out, g.k * g.k * g.c_in + 1);
        lab_teardown();
    }
}
END_TEST

START_TEST(conv_dw_is_scalars)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_CONVS * 2; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        struct conv_sizes n;
        struct kern_conv g = conv_geometry(i / 2, &n);
        size_t nb = (size_t)g.c_out;
        float *in = lab_floats(n.in, place, 41);
        float *dout = lab_floats(n.out, place, 42);
        float *dw = lab_floats(n.w, place, 43), *db = lab_floats(nb, place, 44);
        float *dw2 = lab_copy(dw, n.w, place), *db2 = lab_copy(db, nb, place);
        float *mag = lab_abs(dw, n.w), *mag_b = lab_abs(db, nb);

        v->conv_dw(dw, db, in, dout, &g);
        kern_scalar.conv_dw(dw2, db2, in, dout, &g);
        kern_scalar.conv_dw(mag, mag_b, lab_abs(in, n.in), lab_abs(dout, n.out),
                            &g);
        lab_compare(v, "conv_dw", dw, dw2, mag, n.w, g.h * g.w + 1);
        lab_compare(v, "conv_dw (db)", db, db2, mag_b, nb, g.h * g.w + 1);
        lab_teardown();
    }
}
END_TEST

/* The truth itself: one output from the definition, in double. */
START_TEST(scalar_conv_is_the_definition)
{
    struct conv_sizes n;
    struct kern_conv g = conv_geometry(6, &n); /* 3 x 15, 5 channels to 48 */
    float *in = lab_floats(n.in, LAB_END, 51), *w = lab_floats(n.w, LAB_END, 2);
    float *out = lab_floats(n.out, LAB_END, 0);
    double sum = 0.0;
    enum { Y = 2, X = 11, CO = 37 };

    kern_scalar.conv(out, in, w, NULL, 0, &g);
    for (int ky = 0; ky < 3; ky++) {
        for (int kx = 0; kx < 3; kx++) {
            for (int ci = 0; ci < 5; ci++) {
                sum += (double)in[(Y + ky) * g.in_row + (X + kx) * 5 + ci] *
                       (double)w[((ky * 3 + kx) * 5 + ci) * 48 + CO];
            }
        }
    }
    ck_assert_double_eq_tol((double)out[Y * g.out_row + X * g.out_pix + CO],
                            sum, 46 * 46 * 6e-8);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("kern");
    TCase *choice = tcase_create("choice"), *sums = tcase_create("sums");
    int n = lab_variants();

    tcase_add_test(choice, choose_takes_the_best);
    tcase_add_loop_test(choice, choose_by_name, 0, n);
    tcase_add_test(choice, choose_refuses);
    tcase_add_loop_test(choice, selftest_passes, 0, n);
    tcase_add_test(choice, selftest_finds_what_is_wrong);
    tcase_add_test(choice, thread_init_flushes);
    suite_add_tcase(s, choice);
    tcase_add_checked_fixture(sums, lab_setup, lab_teardown);
    tcase_add_loop_test(sums, gemm_is_scalars, 0, n);
    tcase_add_loop_test(sums, transpose_and_sum_rows_are_scalars, 0, n);
    tcase_add_loop_test(sums, conv_is_scalars, 0, n);
    tcase_add_loop_test(sums, conv_dw_is_scalars, 0, n);
    tcase_add_test(sums, scalar_conv_is_the_definition);
    tcase_set_timeout(sums, 60);
    suite_add_tcase(s, sums);
    return run_suites(s, NULL);
}
