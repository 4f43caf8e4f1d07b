/* SPDX-License-Identifier: MIT */
/*
 * Ten steps of both reference models from given weights, batches and dropout
 * masks: the losses, and with SGD the weights, within four times the largest
 * difference between PyTorch's own float32 and float64 over those steps.
 */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/kern.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/spec.h"
#include "golden.h"
#include "nn/model_debug.h"
#include "support.h"

enum { STEPS = 10, BATCH = 64 };

static struct golden golden;

struct lab {
    const char *name, *kern;
    int seed;
    struct spec spec;
    struct model *m;
    struct optim *optim;
    float x[BATCH * 784];
    uint8_t labels[BATCH];
    uint8_t masks[SPEC_MAX_LAYERS][BATCH * 128];
};

static struct lab *
lab_open(const char *name, const struct kern *k)
{
    const double *o = golden_f64(&golden, 2, "%s/options", name);
    const struct model_options mo = {2, BATCH, 1};
    struct optim_options opt = {OPTIM_SGD, o[1], 0, 0.0};
    struct lab *l = calloc(1, sizeof(*l));
    char text[SPEC_TEXT];
    struct err e = {0};

    ck_assert_ptr_nonnull(l);
    l->name = name;
    l->kern = k->name;
    l->seed = *golden_i32(&golden, 1, "%s/seed", name);
    golden_text(&golden, text, sizeof(text), "%s/optimizer", name);
    if (strcmp(text, "sgd")) {
        opt.kind = OPTIM_ADAM;
    }
    golden_text(&golden, text, sizeof(text), "%s/spec", name);
    ck_assert_int_eq(spec_parse(text, &l->spec, &e), 0);
    ck_assert_msg(model_new(&l->spec, k, &mo, &l->m, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(optim_new(l->m, &opt, &l->optim, &e), 0);
    given_model(
        l->m, l->seed,
        golden_f32(&golden, 2 * (size_t)model_tensors(l->m), "%s/init", name));
    return l;
}

/* The mean loss of one step. */
static double
step(struct lab *l, int s, int n, double lr)
{
    const struct model_step ms = {.seed = 1, .epoch = 1};
    double loss_sum;
    int correct;

    given_labels(l->labels, l->seed, s, n);
    given_patterned(l->x, l->labels, l->seed, s, n);
    for (int i = 0; i < l->spec.n; i++) {
        const struct layer_spec *spec = &l->spec.layers[i];

        if (spec->kind == LAYER_DROPOUT) {
            ck_assert_int_le(spec->out.c, 128);
            given_mask(l->masks[i], l->seed, i, s, spec->rate,
                       (size_t)n * (size_t)spec->out.c);
            model_set_masks(l->m, i, l->masks[i]);
        }
    }
    model_train_batch(l->m, l->x, l->labels, n, &ms, &loss_sum, &correct);
    optim_step(l->optim, lr);
    return loss_sum / n;
}

static void
check_tensors(const struct lab *l)
{
    for (int i = 0; i < model_tensors(l->m); i++) {
        char name[2 * GOLDEN_NAME];
        struct model_tensor t;
        size_t n = 1;
        float *v;

        model_tensor(l->m, i, &t);
        snprintf(name, sizeof(name), "%s/tensor.%s", l->name, t.name);
        if (!t.trainable || !golden_find(&golden, name))
            continue;
        for (int d = 0; d < t.ndim; d++) {
            n *= (size_t)t.dim[d];
        }
        v = malloc(n * sizeof(*v));
        ck_assert_ptr_nonnull(v);
        model_tensor_get(l->m, i, NULL, v);
        golden_check(&golden, name, l->kern, v, n,
                     *golden_f64(&golden, 1, "%s/tolerance.weights", l->name));
        free(v);
    }
}

static void
check_case(const char *name, const struct kern *k)
{
    const double *want = golden_f64(&golden, STEPS, "%s/losses", name);
    const double limit = *golden_f64(&golden, 1, "%s/tolerance", name);
    const double lr = *golden_f64(&golden, 2, "%s/options", name);
    const int32_t *batch = golden_i32(&golden, STEPS, "%s/batch", name);
    struct lab *l = lab_open(name, k);

    for (int s = 0; s < STEPS; s++) {
        double loss = step(l, s, batch[s], lr);

        ck_assert_msg(fabs(loss - want[s]) <= limit,
                      "%s, %s, step %d: loss %.9f, expected %.9f ± %.1e", name,
                      k->name, s, loss, want[s], limit);
    }
    check_tensors(l);
    optim_free(l->optim);
    model_free(l->m);
    free(l);
}

START_TEST(ten_steps)
{
    const struct kern *const *k;

    for (k = kern_available(); *k; k++) {
        check_case(golden.cases[_i], *k);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("golden steps");
    TCase *tc = tcase_create("steps");
    int status;

    setenv("CK_FORK", "no", 1);
    golden_open(&golden, "steps");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, ten_steps, 0, golden.n_cases);
    suite_add_tcase(s, tc);
    status = run_suites(s, NULL);
    golden_close(&golden);
    return status;
}
