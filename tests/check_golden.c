/* SPDX-License-Identifier: MIT */
/*
 * Forward and backward of every layer type against PyTorch's float64, in small
 * networks.  Each value has a bound of its own: six standard deviations of the
 * rounding errors that the network's formulas allow (tests/golden/bound.py).
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/kern.h"
#include "fmnist/model.h"
#include "fmnist/spec.h"
#include "golden.h"
#include "nn/model_debug.h"
#include "support.h"

static struct golden golden;

/* A case at hand: the model, what it is given, and room for what it gives. */
struct lab {
    const char *name;
    char what[64];
    int seed, n;
    struct spec spec;
    struct model *m;
    float *x, *values;
    uint8_t *labels, *masks[SPEC_MAX_LAYERS];
};

static void *
room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    ck_assert_ptr_nonnull(p);
    return p;
}

static size_t
features(const struct shape *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

static size_t
tensor_size(const struct model_tensor *t)
{
    size_t n = 1;

    for (int d = 0; d < t->ndim; d++) {
        n *= (size_t)t->dim[d];
    }
    return n;
}

/* Enough floats for any activation of a batch and for any tensor. */
static size_t
largest(const struct lab *l)
{
    size_t most = (size_t)l->n * 784;

    for (int i = 0; i < l->spec.n; i++) {
        size_t n = (size_t)l->n * features(&l->spec.layers[i].out);

        most = n > most ? n : most;
    }
    for (int t = 0; t < model_tensors(l->m); t++) {
        struct model_tensor info;

        model_tensor(l->m, t, &info);
        most = tensor_size(&info) > most ? tensor_size(&info) : most;
    }
    return most;
}

static void
lab_open(struct lab *l, const char *name, const struct kern *k, int threads)
{
    struct model_options opt = {threads, 0, 1};
    struct err e = {0};
    char text[SPEC_TEXT];

    memset(l, 0, sizeof(*l));
    l->name = name;
    snprintf(l->what, sizeof(l->what), "%s, threads %d", k->name, threads);
    l->seed = *golden_i32(&golden, 1, "%s/seed", name);
    l->n = *golden_i32(&golden, 1, "%s/batch", name);
    opt.max_batch = l->n;
    golden_text(&golden, text, sizeof(text), "%s/spec", name);
    ck_assert_msg(spec_parse(text, &l->spec, &e) == 0, "%s", e.msg);
    ck_assert_msg(model_new_debug(&l->spec, k, &opt, &l->m, &e) == 0, "%s",
                  e.msg);
    given_model(
        l->m, l->seed,
        golden_f32(&golden, 2 * (size_t)model_tensors(l->m), "%s/init", name));
    l->x = room((size_t)l->n * 784, sizeof(*l->x));
    l->labels = room((size_t)l->n, 1);
    l->values = room(largest(l), sizeof(*l->values));
    given_images(l->x, l->seed, 0, l->n);
    given_labels(l->labels, l->seed, 0, l->n);
    for (int i = 0; i < l->spec.n; i++) {
        const struct layer_spec *s = &l->spec.layers[i];
        size_t n = (size_t)l->n * features(&s->out);

        if (s->kind == LAYER_DROPOUT) {
            l->masks[i] = room(n, 1);
            given_mask(l->masks[i], l->seed, i, 0, s->rate, n);
            model_set_masks(l->m, i, l->masks[i]);
        }
    }
}

static void
lab_close(struct lab *l)
{
    model_free(l->m);
    free(l->x);
    free(l->labels);
    free(l->values);
    for (int i = 0; i < SPEC_MAX_LAYERS; i++) {
        free(l->masks[i]);
    }
}

/* Outputs, and gradients by inputs, of the layers that show them. */
static void
check_layers(struct lab *l)
{
    char name[2 * GOLDEN_NAME];

    for (int i = 0; i < l->spec.n; i++) {
        const struct layer_spec *s = &l->spec.layers[i];

        snprintf(name, sizeof(name), "%s/output.%d", l->name, i);
        if (golden_find(&golden, name)) {
            model_layer_output(l->m, i, l->n, l->values);
            golden_check(&golden, name, l->what, l->values,
                         (size_t)l->n * features(&s->out), -1.0);
        }
        snprintf(name, sizeof(name), "%s/dinput.%d", l->name, i);
        if (golden_find(&golden, name)) {
            model_layer_gradient(l->m, i, l->n, l->values);
            golden_check(&golden, name, l->what, l->values,
                         (size_t)l->n * features(&s->in), -1.0);
        }
    }
}

/* Gradients of all that is trained, and the running statistics. */
static void
check_tensors(struct lab *l)
{
    char name[2 * GOLDEN_NAME];
    struct model_tensor t;

    for (int i = 0; i < model_tensors(l->m); i++) {
        model_tensor(l->m, i, &t);
        if (t.is_int64) {
            int64_t batches = 0;

            model_tensor_get(l->m, i, NULL, &batches);
            ck_assert_int_eq(batches, 1);
            continue;
        }
        snprintf(name, sizeof(name), "%s/%s.%s", l->name,
                 t.trainable ? "grad" : "stat", t.name);
        model_tensor_get(l->m, i, t.trainable ? model_grads(l->m) : NULL,
                         l->values);
        golden_check(&golden, name, l->what, l->values, tensor_size(&t), -1.0);
    }
}

static void
check_case(const char *case_name, const struct kern *k, int threads)
{
    const struct model_step step = {
        .seed = 1,
        .epoch = 1,
        .label_smoothing = *golden_f64(&golden, 1, "%s/smoothing", case_name),
    };
    struct lab l;
    char name[2 * GOLDEN_NAME];
    double loss_sum;
    float loss;
    int correct;

    lab_open(&l, case_name, k, threads);
    model_train_batch(l.m, l.x, l.labels, l.n, &step, &loss_sum, &correct);
    loss = (float)loss_sum;
    snprintf(name, sizeof(name), "%s/loss", case_name);
    golden_check(&golden, name, l.what, &loss, 1, -1.0);
    ck_assert_int_eq(correct, *golden_i32(&golden, 1, "%s/correct", case_name));
    check_layers(&l);
    check_tensors(&l);
    model_forward(l.m, l.x, l.n, l.values);
    snprintf(name, sizeof(name), "%s/eval", case_name);
    golden_check(&golden, name, l.what, l.values, (size_t)l.n * 10, -1.0);
    lab_close(&l);
}

START_TEST(layers)
{
    const struct kern *const *k;

    for (k = kern_available(); *k; k++) {
        check_case(golden.cases[_i], *k, 1);
        check_case(golden.cases[_i], *k, 3);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("golden");
    TCase *tc = tcase_create("layers");
    int status;

    /* Check's forked children would hang in their OpenMP regions. */
    setenv("CK_FORK", "no", 1);
    golden_open(&golden, "layers");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, layers, 0, golden.n_cases);
    suite_add_tcase(s, tc);
    status = run_suites(s, NULL);
    golden_close(&golden);
    return status;
}
