/* SPDX-License-Identifier: MIT */
/* The kernels that pass over pixels and slabs, against scalar and, for the
 * optimizers and BatchNorm, against the formula in double. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kern_lab.h"
#include "support.h"

/* h, w, c, floats between pixels of x and of y. */
static const int MAPS[][5] = {
    {1, 1, 16, 0, 0},   {5, 7, 48, 16, 0},   {3, 2, 80, 0, 32},
    {14, 14, 64, 0, 0}, {1, 9, 112, 16, 16}, {6, 6, 32, 0, 0},
};
enum { N_MAPS = sizeof(MAPS) / sizeof(MAPS[0]) };

static size_t
map_size(const struct kern_map *g, ptrdiff_t pix, ptrdiff_t row)
{
    return (size_t)((g->h - 1) * row + (g->w - 1) * pix + g->c);
}

static struct kern_map
map_geometry(int i, size_t *nx, size_t *ny)
{
    const int *m = MAPS[i];
    struct kern_map g = {.h = m[0],
                         .w = m[1],
                         .c = m[2],
                         .x_pix = m[2] + m[3],
                         .y_pix = m[2] + m[4]};

    g.x_row = g.w * g.x_pix + i % 2 * 32;
    g.y_row = g.w * g.y_pix + i % 3 * 16;
    *nx = map_size(&g, g.x_pix, g.x_row);
    *ny = map_size(&g, g.y_pix, g.y_row);
    return g;
}

START_TEST(relu_is_scalars)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_MAPS * 2; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        size_t nx, ny;
        struct kern_map g = map_geometry(i / 2, &nx, &ny);
        float *x = lab_floats(nx, place, 1), *y = lab_floats(ny, place, 2);
        float *x2 = lab_copy(x, nx, place), *y2 = lab_copy(y, ny, place);

        v->relu(y, x, &g);
        kern_scalar.relu(y2, x, &g);
        lab_compare(v, "relu", y, y2, NULL, ny, 0);
        v->relu_dx(x, x, y, &g);
        kern_scalar.relu_dx(x2, x2, y, &g);
        lab_compare(v, "relu_dx", x, x2, NULL, nx, 0);
        lab_teardown();
    }
}
END_TEST

/* mean and m2 of the images so far, in double, of one channel. */
static void
stats_of(const float *x, int images, const struct kern_map *g, int c,
         double *mean, double *m2)
{
    double n = 0.0, sum = 0.0;

    for (int pass = 0; pass < 2; pass++) {
        for (int p = 0; p < images * g->h * g->w; p++) {
            int i = p / (g->h * g->w), r = p / g->w % g->h, q = p % g->w;
            double d = (double)x[r * g->x_row + q * g->x_pix + c + i];

            if (pass == 0) {
                sum += d;
                n += 1.0;
            } else {
                *m2 += (d - *mean) * (d - *mean);
            }
        }
        if (pass == 0) {
            *mean = sum / n;
            *m2 = 0.0;
        }
    }
}

START_TEST(bn_stats_are_the_formula)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_MAPS; i++) {
        size_t nx, ny;
        struct kern_map g = map_geometry(i, &nx, &ny);
        float *x = lab_floats(nx + 2, LAB_END, 3);
        float *mean = lab_floats((size_t)g.c, LAB_END, 0);
        float *m2 = lab_floats((size_t)g.c, LAB_START, 0);
        int64_t count = 0;

        for (int image = 0; image < 3; image++) {
            v->bn_stats(&count, mean, m2, x + image, &g);
        }
        ck_assert_int_eq(count, 3 * g.h * g.w);
        for (int c = 0; c < g.c; c++) {
            double mu, dev, n = (double)count;

            /* Sums of n terms below 1 and of n squares below 4, and three
             * merges. */
            stats_of(x, 3, &g, c, &mu, &dev);
            ck_assert_double_eq_tol((double)mean[c], mu,
                                    (n + 16) * FLT_EPSILON);
            ck_assert_double_eq_tol((double)m2[c], dev,
                                    4 * n * (n + 16) * FLT_EPSILON);
        }
        lab_teardown();
    }
}
END_TEST

START_TEST(bn_passes_are_scalars)
{
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_MAPS * 4; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        size_t nx, ny;
        struct kern_map g = map_geometry(i / 4, &nx, &ny);
        size_t nc = (size_t)g.c;
        float *x = lab_floats(nx, place, 1), *y = lab_floats(ny, place, 2);
        float *a = lab_floats(nc, place, 3), *b = lab_floats(nc, place, 4);
        float *c = lab_floats(nc, place, 5), *y2 = lab_copy(y, ny, place);
        float *s = lab_floats(nc, place, 6), *s2 = lab_copy(s, nc, place);
        float *sx = lab_floats(nc, place, 7), *sx2 = lab_copy(sx, nc, place);
        float *mag = lab_floats(nc, place, 0);

        v->bn_sums(s, sx, y, x, a, b, &g);
        kern_scalar.bn_sums(s2, sx2, y, x, a, b, &g);
        for (size_t j = 0; j < nc; j++) {
            mag[j] = 2.0f * (float)(g.h * g.w) + 1.0f; /* terms below 2 */
        }
        lab_compare(v, "bn_sums", s, s2, mag, nc, g.h * g.w + 1);
        lab_compare(v, "bn_sums (x)", sx, sx2, mag, nc, g.h * g.w + 4);

        mag = lab_floats(ny, place, 0);
        for (size_t j = 0; j < ny; j++) {
            mag[j] = 3.0f;
        }
        v->bn_dx(y, y, x, a, b, c, i & 2, &g);
        kern_scalar.bn_dx(y2, y2, x, a, b, c, i & 2, &g);
        lab_compare(v, "bn_dx", y, y2, mag, ny, 3);
        v->bn_norm(y, x, a, b, &g);
        kern_scalar.bn_norm(y2, x, a, b, &g);
        lab_compare(v, "bn_norm", y, y2, mag, ny, 3);
        lab_teardown();
    }
}
END_TEST

START_TEST(pool_is_scalars)
{
    static const int windows[][2] = {{2, 2}, {3, 3}, {3, 2}, {2, 3},
                                     {1, 1}, {3, 1}, {5, 2}};
    const struct kern *v = lab_variant(_i);

    for (int i = 0; i < N_MAPS * 7; i++) {
        enum lab_place place = i & 1 ? LAB_END : LAB_START;
        size_t nx, ny, nw;
        struct kern_pool g = {.k = windows[i % 7][0], .s = windows[i % 7][1]};
        float *x, *y, *y2, *dx, *dx2, *mag;
        uint8_t *which, *which2;

        g.map = map_geometry(i / 7, &nx, &ny);
        if (g.map.h < g.k || g.map.w < g.k) {
            continue;
        }
        g.oh = (g.map.h - g.k) / g.s + 1;
        g.ow = (g.map.w - g.k) / g.s + 1;
        ny = (size_t)((g.oh - 1) * g.map.y_row + (g.ow - 1) * g.map.y_pix +
                      g.map.c);
        nw = (size_t)(g.oh * g.ow * g.map.c);
        x = lab_floats(nx, place, 1);
        y = lab_floats(ny, place, 2);
        y2 = lab_copy(y, ny, place);
        which = lab_bytes(nw, place, 3);
        which2 = lab_bytes(nw, place, 4);
        v->pool(y, which, x, &g);
        kern_scalar.pool(y2, which2, x, &g);
        lab_compare(v, "pool", y, y2, NULL, ny, 0);
        ck_assert_mem_eq(which, which2, nw);

        dx = lab_floats(nx, place, 5);
        dx2 = lab_copy(dx, nx, place);
        v->pool_dx(dx, y, which, &g);
        kern_scalar.pool_dx(dx2, y, which, &g);
        mag = lab_abs(dx2, nx);
        lab_compare(v, "pool_dx", dx, dx2, mag, nx, 0);
        lab_teardown();
    }
}
END_TEST

START_TEST(pool_takes_the_first_of_equals)
{
    const struct kern *v = lab_variant(_i);
    struct kern_pool g = {
        .k = 2, .s = 2, .oh = 1, .ow = 1, .map = {2, 2, 16, 16, 32, 16, 16}};
    float x[4 * 16], y[16], dx[4 * 16];
    uint8_t which[16];

    for (int i = 0; i < 4 * 16; i++) {
        x[i] = i % 16 < 4 ? -1.0f : (float)(i / 16 == i % 4 || i / 16 == 3);
    }
    x[2 * 16 + 9] = NAN; /* greater than all, though not the last */
    v->pool(y, which, x, &g);
    for (int c = 0; c < 4; c++) {
        ck_assert_int_eq(which[c], 0);
        ck_assert(y[c] == -1.0f);
    }
    for (int c = 4; c < 16; c++) {
        ck_assert_int_eq(which[c], c == 9 ? 2 : c % 4);
        ck_assert(c == 9 ? isnan(y[c]) : y[c] == 1.0f);
    }
    v->pool_dx(dx, x, which, &g);
    for (int c = 4; c < 16; c++) {
        for (int i = 0; i < 4; i++) {
            ck_assert(dx[i * 16 + c] == (which[c] == i ? x[c] : 0.0f));
        }
    }
}
END_TEST

START_TEST(slabs_are_scalars)
{
    const struct kern *v = lab_variant(_i);

    for (size_t n = 0; n < 80; n++) {
        enum lab_place place = n & 1 ? LAB_END : LAB_START;
        float *x = lab_floats(n, place, 1), *y = lab_floats(n, place, 2);
        float *x2 = lab_copy(x, n, place), *y2 = lab_copy(y, n, place);
        uint8_t *mask = lab_bytes(n, place, 3);

        v->dropout(x, mask, 1.7f, n);
        kern_scalar.dropout(x2, mask, 1.7f, n);
        lab_compare(v, "dropout", x, x2, NULL, n, 0);
        v->add(y, x, n);
        kern_scalar.add(y2, x2, n);
        lab_compare(v, "add", y, y2, NULL, n, 0);
        lab_teardown();
    }
}
END_TEST

static void
sgd_case(const struct kern *v, size_t n, const struct kern_sgd *o,
         enum lab_place place)
{
    float *w = lab_floats(n, place, 1), *g = lab_floats(n, place, 2);
    float *b = lab_floats(n, place, 3), *w0 = lab_copy(w, n, place);
    float *b0 = lab_copy(b, n, place);

    v->sgd(w, o->momentum != 0.0 ? b : NULL, g, n, o);
    for (size_t i = 0; i < n; i++) {
        double d = (double)g[i] + o->weight_decay * (double)w0[i];
        double buf = (double)b0[i];

        if (o->momentum != 0.0) {
            buf = o->first ? d : o->momentum * buf + d;
            d = o->nesterov ? d + o->momentum * buf : buf;
        }
        /* Terms below 5 in six roundings, constants rounded too. */
        ck_assert_double_eq_tol((double)b[i], buf, 16 * FLT_EPSILON);
        ck_assert_double_eq_tol((double)w[i], (double)w0[i] - o->lr * d,
                                (1 + o->lr * 32) * FLT_EPSILON);
    }
}

START_TEST(sgd_is_the_formula)
{
    for (int flags = 0; flags < 16; flags++) {
        struct kern_sgd o = {.lr = 0.05,
                             .momentum = flags & 1 ? 0.9 : 0.0,
                             .weight_decay = flags & 2 ? 0.01 : 0.0,
                             .nesterov = flags & 4,
                             .first = flags & 8};

        for (size_t n = 1; n < 70; n += 17) {
            sgd_case(lab_variant(_i), n, &o, LAB_END);
            sgd_case(lab_variant(_i), n, &o, LAB_START);
            lab_teardown();
        }
    }
}
END_TEST

static void
adam_case(const struct kern *v, size_t n, const struct kern_adam *o,
          enum lab_place place)
{
    float *w = lab_floats(n, place, 1), *g = lab_floats(n, place, 2);
    float *m = lab_floats(n, place, 3), *s = lab_abs(g, n);
    float *w0 = lab_copy(w, n, place), *m0 = lab_copy(m, n, place);
    float *s0 = lab_copy(s, n, place);

    v->adam(w, m, s, g, n, o);
    for (size_t i = 0; i < n; i++) {
        double decay = o->weight_decay, wi = (double)w0[i];
        double d = (double)g[i] + (o->decoupled ? 0.0 : decay * wi);
        double mi = o->beta1 * (double)m0[i] + (1 - o->beta1) * d;
        double si = o->beta2 * (double)s0[i] + (1 - o->beta2) * d * d;
        double size = fabs(o->beta1 * (double)m0[i]) + fabs((1 - o->beta1) * d);
        double scale = o->lr / o->bias1 / (sqrt(si) / o->sqrt_bias2 + o->eps);

        ck_assert_double_eq_tol((double)m[i], mi, 4 * size * FLT_EPSILON);
        ck_assert_double_eq_tol((double)s[i], si, 4 * si * FLT_EPSILON);
        wi *= o->decoupled ? 1 - o->lr * decay : 1.0;
        ck_assert_double_eq_tol((double)w[i], wi - scale * mi,
                                (2 + 12 * scale * size) * FLT_EPSILON);
    }
}

START_TEST(adam_is_the_formula)
{
    for (int flags = 0; flags < 4; flags++) {
        struct kern_adam o = {.lr = 0.003,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .bias1 = 1 - 0.81,
                              .sqrt_bias2 = sqrt(1 - 0.999 * 0.999),
                              .weight_decay = flags & 1 ? 0.01 : 0.0,
                              .decoupled = flags & 2};

        for (size_t n = 1; n < 70; n += 17) {
            adam_case(lab_variant(_i), n, &o, LAB_END);
            adam_case(lab_variant(_i), n, &o, LAB_START);
            lab_teardown();
        }
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("kern maps");
    TCase *maps = tcase_create("maps"), *slabs = tcase_create("slabs");
    int n = lab_variants();

    tcase_add_checked_fixture(maps, lab_setup, lab_teardown);
    tcase_add_loop_test(maps, relu_is_scalars, 0, n);
    tcase_add_loop_test(maps, bn_stats_are_the_formula, 0, n);
    tcase_add_loop_test(maps, bn_passes_are_scalars, 0, n);
    tcase_add_loop_test(maps, pool_is_scalars, 0, n);
    tcase_add_loop_test(maps, pool_takes_the_first_of_equals, 0, n);
    suite_add_tcase(s, maps);
    tcase_add_checked_fixture(slabs, lab_setup, lab_teardown);
    tcase_add_loop_test(slabs, slabs_are_scalars, 0, n);
    tcase_add_loop_test(slabs, sgd_is_the_formula, 0, n);
    tcase_add_loop_test(slabs, adam_is_the_formula, 0, n);
    suite_add_tcase(s, slabs);
    return run_suites(s, NULL);
}
