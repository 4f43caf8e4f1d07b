/* SPDX-License-Identifier: MIT */
/*
 * Steps of each optimizer on given gradients, and the learning rate of every
 * step of each schedule, against PyTorch's.
 */
#include "config.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/kern.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/spec.h"
#include "golden.h"
#include "support.h"

static struct golden optimizers, schedules;

static int
index_of(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    ck_abort_msg("unknown: %s", name);
    return -1;
}

static size_t
tensor_size(const struct model *m, int i)
{
    struct model_tensor t;
    size_t n = 1;

    model_tensor(m, i, &t);
    for (int d = 0; d < t.ndim; d++) {
        n *= (size_t)t.dim[d];
    }
    return n;
}

/* The gradients of a step, put where a backward pass would. */
static void
set_gradients(struct model *m, int seed, int step, float *room)
{
    for (int t = 0; t < model_tensors(m); t++) {
        given_gradient(room, seed + t, step, tensor_size(m, t));
        model_tensor_set(m, t, model_grads(m), room);
    }
}

static void
check_optimizer(const char *name, const struct kern *k, int threads)
{
    const double *rates = golden_f64(&optimizers, 1, "rates");
    const double *o = golden_f64(&optimizers, 3, "%s/options", name);
    const int seed = *golden_i32(&optimizers, 1, "%s/seed", name);
    const float init[4] = {0.0f, 0.5f, 0.0f, 0.5f};
    const struct model_options mo = {threads, 1, 1};
    struct optim_options opt = {OPTIM_SGD, o[0], (int)o[1], o[2]};
    char text[SPEC_TEXT], array[2 * GOLDEN_NAME];
    float room[7840];
    struct spec spec;
    struct model *m;
    struct optim *optim;
    struct err e = {0};

    golden_text(&optimizers, text, sizeof(text), "%s/kind", name);
    opt.kind = (enum optimizer)index_of(OPTIM_NAMES, N_OPTIMIZERS, text);
    golden_text(&optimizers, text, sizeof(text), "spec");
    ck_assert_int_eq(spec_parse(text, &spec, &e), 0);
    ck_assert_int_eq(model_new(&spec, k, &mo, &m, &e), 0);
    given_model(m, seed, init);
    ck_assert_int_eq(optim_new(m, &opt, &optim, &e), 0);
    for (int step = 0; step < 5; step++) {
        set_gradients(m, seed, step, room);
        optim_step(optim, rates[step]);
        for (int t = 0; t < model_tensors(m); t++) {
            snprintf(array, sizeof(array), "%s/%d.%d", name, step, t);
            model_tensor_get(m, t, NULL, room);
            golden_check(&optimizers, array, k->name, room, tensor_size(m, t),
                         -1.0);
        }
    }
    ck_assert_uint_eq(optim_steps(optim), 5);
    optim_free(optim);
    model_free(m);
}

START_TEST(steps)
{
    const struct kern *const *k;

    for (k = kern_available(); *k; k++) {
        check_optimizer(optimizers.cases[_i], *k, 1);
        check_optimizer(optimizers.cases[_i], *k, 3);
    }
}
END_TEST

/* Both sides compute in double precision, PyTorch by recurrence where it has
 * one: each step may add a rounding of the greatest rate. */
START_TEST(rates)
{
    const char *name = schedules.cases[_i];
    const double *o = golden_f64(&schedules, 4, "%s/options", name);
    struct schedule_options opt = {
        .lr = o[0],
        .epochs = *golden_i32(&schedules, 1, "epochs"),
        .steps_per_epoch = *golden_i32(&schedules, 1, "steps_per_epoch"),
        .warmup = (int)o[1],
        .step_size = (int)o[2],
        .gamma = o[3],
    };
    const int n = opt.epochs * opt.steps_per_epoch;
    const double *want = golden_f64(&schedules, (size_t)n, "%s/rates", name);
    const double limit = (n + 16) * DBL_EPSILON * o[0];
    char text[32];

    golden_text(&schedules, text, sizeof(text), "%s/kind", name);
    opt.kind = (enum schedule)index_of(SCHED_NAMES, N_SCHEDULES, text);
    for (int s = 0; s < n; s++) {
        double got = schedule_lr(&opt, (uint64_t)s);

        ck_assert_msg(fabs(got - want[s]) <= limit,
                      "%s, step %d: %.17g, expected %.17g", name, s, got,
                      want[s]);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("golden optim");
    TCase *tc = tcase_create("optim");
    int status;

    setenv("CK_FORK", "no", 1);
    golden_open(&optimizers, "optimizers");
    golden_open(&schedules, "schedules");
    tcase_add_loop_test(tc, steps, 0, optimizers.n_cases);
    tcase_add_loop_test(tc, rates, 0, schedules.n_cases);
    suite_add_tcase(s, tc);
    status = run_suites(s, NULL);
    golden_close(&optimizers);
    golden_close(&schedules);
    return status;
}
