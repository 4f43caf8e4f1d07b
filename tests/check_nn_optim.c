/* SPDX-License-Identifier: MIT */
/* The loss, the optimizers' steps and the schedules, against their
 * formulas. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "fmnist/optim.h"
#include "nn_lab.h"
#include "support.h"

static const float ROW[10] = {1, -2, 0.5f, 3, 0, 0, -1, 2.5f, 3, -4};

START_TEST(softmax_is_the_formula)
{
    double p[10], sum = 0, total = 0;
    int j;

    for (j = 0; j < 10; j++) {
        sum += exp(ROW[j]);
    }
    loss_softmax(ROW, p);
    for (j = 0; j < 10; j++) {
        ck_assert_double_eq_tol(p[j], exp(ROW[j]) / sum, 1e-14);
        total += p[j];
    }
    ck_assert_double_eq_tol(total, 1, 1e-14);
}
END_TEST

START_TEST(cross_entropy_is_the_formula)
{
    static const double smoothing[] = {0, 0.1, 0.9};
    const uint8_t labels[2] = {7, 1};
    float rows[2][12], d[2][12];
    double want = 0, sum = 0, p[10];
    int i, j;

    for (j = 0; j < 10; j++) {
        rows[0][j] = ROW[j];
        rows[1][j] = ROW[9 - j];
        sum += exp(ROW[j]);
    }
    for (i = 0; i < 2; i++) {
        for (j = 0; j < 10; j++) {
            double target = smoothing[_i] / 10;

            target += j == labels[i] ? 1 - smoothing[_i] : 0;
            want += target * (log(sum) - rows[i][j]);
        }
    }
    ck_assert_double_eq_tol(
        loss_cross_entropy(rows[0], 12, labels, 2, smoothing[_i], d[0]), want,
        1e-13);
    for (i = 0; i < 2; i++) {
        loss_softmax(rows[i], p);
        for (j = 0; j < 10; j++) {
            double target = smoothing[_i] / 10;

            target += j == labels[i] ? 1 - smoothing[_i] : 0;
            ck_assert_double_eq_tol(d[i][j], (p[j] - target) / 2, FLT_EPSILON);
        }
    }
}
END_TEST

START_TEST(cross_entropy_is_stable)
{
    const float huge[10] = {3e38f, -3e38f, 0};
    const float small[10] = {-2000, -2001, -2001, -2001, -2001,
                             -2001, -2001, -2001, -2001, -2001};
    const uint8_t first = 0, second = 1;
    double p[10];

    ck_assert(loss_cross_entropy(huge, 10, &first, 1, 0, NULL) == 0);
    ck_assert_double_eq_tol(loss_cross_entropy(huge, 10, &second, 1, 0, NULL),
                            6e38, 1e32);
    ck_assert_double_eq_tol(loss_cross_entropy(small, 10, &first, 1, 0, NULL),
                            log1p(9 * exp(-1)), 1e-12);
    loss_softmax(huge, p);
    ck_assert(p[0] == 1 && p[1] == 0);
}
END_TEST

START_TEST(what_is_not_finite_stays_so)
{
    float row[10], d[10];
    uint8_t label = 3;
    int at;

    for (at = 0; at < 10; at++) {
        memcpy(row, ROW, sizeof row);
        row[at] = NAN;
        ck_assert(isnan(loss_cross_entropy(row, 10, &label, 1, 0, d)));
        ck_assert(isnan(d[0]));
        row[at] = INFINITY;
        ck_assert(!isfinite(loss_cross_entropy(row, 10, &label, 1, 0, NULL)));
    }
}
END_TEST

/* Two steps of one weight, whose gradient is then 0.5 and -0.25. */
static void
two_steps(const struct optim_options *opt, double lr, double w[3])
{
    struct model *m = lab_model("dense 10", &kern_scalar, 1, 1);
    struct optim *o;
    struct err e;

    ck_assert_int_eq(optim_new(m, opt, &o, &e), 0);
    memset(model_grads(m), 0, model_slab_size(m) * sizeof(float));
    model_params(m)[0] = 0.75f;
    w[0] = 0.75;
    model_grads(m)[0] = 0.5f;
    optim_step(o, lr);
    w[1] = model_params(m)[0];
    model_grads(m)[0] = -0.25f;
    optim_step(o, lr);
    w[2] = model_params(m)[0];
    ck_assert_uint_eq(optim_steps(o), 2);
    optim_free(o);
    model_free(m);
}

START_TEST(sgd_steps_are_the_formula)
{
    struct optim_options opt = {OPTIM_SGD, 0, 0, 0.01};
    double w[3], g1 = 0.5 + 0.01 * 0.75, g2, v;

    two_steps(&opt, 0.1, w);
    ck_assert_double_eq_tol(w[1], 0.75 - 0.1 * g1, 1e-7);
    opt.momentum = 0.9;
    two_steps(&opt, 0.1, w);
    ck_assert_double_eq_tol(w[1], 0.75 - 0.1 * g1, 1e-7);
    g2 = -0.25 + 0.01 * w[1];
    v = 0.9 * g1 + g2;
    ck_assert_double_eq_tol(w[2], w[1] - 0.1 * v, 1e-7);
    opt.nesterov = 1;
    two_steps(&opt, 0.1, w);
    ck_assert_double_eq_tol(w[1], 0.75 - 0.1 * (g1 + 0.9 * g1), 1e-7);
    g2 = -0.25 + 0.01 * w[1];
    v = 0.9 * g1 + g2;
    ck_assert_double_eq_tol(w[2], w[1] - 0.1 * (g2 + 0.9 * v), 1e-7);
}
END_TEST

START_TEST(adam_steps_are_the_formula)
{
    struct optim_options opt = {.kind = _i ? OPTIM_ADAMW : OPTIM_ADAM,
                                .weight_decay = 0.1};
    double w[3], want = 0.75, m = 0, v = 0;
    int t;

    two_steps(&opt, 0.01, w);
    for (t = 1; t <= 2; t++) {
        double g = t == 1 ? 0.5 : -0.25;

        if (_i) {
            want -= 0.01 * 0.1 * want;
        } else {
            g += 0.1 * want;
        }
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        want -= 0.01 * (m / (1 - pow(0.9, t))) /
                (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
        ck_assert_double_eq_tol(w[t], want, 2e-7);
    }
}
END_TEST

START_TEST(schedules_are_the_formulas)
{
    struct schedule_options o = {SCHED_CONSTANT, 0.1, 10, 7, 0, 3, 0.5};
    const double pi = acos(-1);
    int s;

    for (s = 0; s < 70; s++) {
        o.kind = SCHED_CONSTANT;
        ck_assert(schedule_lr(&o, s) == 0.1);
        o.kind = SCHED_STEP;
        ck_assert(schedule_lr(&o, s) == 0.1 * pow(0.5, s / 21));
        o.kind = SCHED_COSINE;
        ck_assert_double_eq_tol(schedule_lr(&o, s),
                                0.05 * (1 + cos(pi * s / 70)), 1e-15);
    }
    o.kind = SCHED_ONECYCLE;
    ck_assert_double_eq_tol(schedule_lr(&o, 0), 0.1 / 25, 1e-15);
    ck_assert_double_eq_tol(schedule_lr(&o, 20), 0.1, 1e-15);
    ck_assert_double_eq_tol(schedule_lr(&o, 10), (0.1 + 0.1 / 25) / 2, 1e-15);
    ck_assert_double_eq_tol(schedule_lr(&o, 69), 0.1 / 25e4, 1e-15);
}
END_TEST

START_TEST(warm_up_comes_first)
{
    struct schedule_options o = {SCHED_STEP, 0.1, 10, 7, 2, 3, 0.5};
    struct schedule_options rest = {SCHED_STEP, 0.1, 8, 7, 0, 3, 0.5};
    int kind, s;

    for (kind = 0; kind < N_SCHEDULES; kind++) {
        o.kind = rest.kind = (enum schedule)kind;
        for (s = 0; s < 70; s++) {
            double want =
                s < 14 ? 0.1 * (s + 1) / 14 : schedule_lr(&rest, s - 14);

            ck_assert(schedule_lr(&o, s) == want);
        }
    }
    /* Nothing but warm-up, and one single step. */
    o.warmup = 10;
    ck_assert(schedule_lr(&o, 69) == 0.1);
    ck_assert(isfinite(schedule_lr(&o, 70)));
    o = (struct schedule_options){SCHED_ONECYCLE, 0.1, 1, 1, 0, 1, 1};
    ck_assert(isfinite(schedule_lr(&o, 0)));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("nn optim");
    TCase *tc = tcase_create("optim");

    tcase_add_test(tc, softmax_is_the_formula);
    tcase_add_loop_test(tc, cross_entropy_is_the_formula, 0, 3);
    tcase_add_test(tc, cross_entropy_is_stable);
    tcase_add_test(tc, what_is_not_finite_stays_so);
    tcase_add_test(tc, sgd_steps_are_the_formula);
    tcase_add_loop_test(tc, adam_steps_are_the_formula, 0, 2);
    tcase_add_test(tc, schedules_are_the_formulas);
    tcase_add_test(tc, warm_up_comes_first);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
