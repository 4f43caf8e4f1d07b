/* SPDX-License-Identifier: MIT */
/* Gradients against differences, the same bits with any number of threads, and
 * what training and evaluation do differently. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/optim.h"
#include "fmnist/rng.h"
#include "nn/model_debug.h"
#include "nn/model_impl.h"
#include "nn_lab.h"
#include "support.h"

/* Each layer type, in the neighbourhoods that the plan treats differently. */
static const char *const NETS[] = {
    "flatten dense 12 dense 10",
    "flatten dense 20 relu dense 17 relu dense 10",
    "conv 3x3 pool 4 flatten dense 10",
    "conv 3x5 valid relu pool 5/3 dense 10",
    "conv 4x3 bn pool 4 dense 10",
    "conv 4x3 relu bn pool 4 conv 17x3 relu bn pool 7 dense 10",
    "pool 4 conv 5x3 valid conv 6x3 valid conv 4x1 dense 10",
    "pool 3/2 bn relu pool 4 conv 3x3 dropout 0.3 relu dense 10",
    "pool 4 conv 4x3 relu flatten bn dropout 0.2 dense 16 bn relu dense 10",
    "pool 7 relu flatten dropout 0.5 dense 10",
    "dropout 0.2 pool 4 conv 3x3 relu dropout 0.1 conv 3x3 bn relu dense 10",
    "flatten dropout 0.2 relu dense 12 dropout 0.4 dense 10",
};
#define N_NETS ((int)(sizeof NETS / sizeof NETS[0]))

/* A direction in one tensor, in PyTorch's order. */
struct way {
    struct model *m;
    int tensor, n;
    float *start, *to;
    double length2; /* of `to` */
};

static double
loss_at(struct way *w, double h)
{
    float *at = mem_zalloc(w->n, sizeof *at);
    double loss;
    int i;

    for (i = 0; i < w->n; i++) {
        at[i] = (float)(w->start[i] + h * w->to[i]);
    }
    model_tensor_set(w->m, w->tensor, NULL, at);
    loss = lab_train(w->m, 6, 0);
    mem_free(at);
    return loss;
}

static double
difference(struct way *w, double h)
{
    return (loss_at(w, h) - loss_at(w, -h)) / (2 * h);
}

/*
 * The slope along w must be `want`.  Two differences bound the error of the
 * shorter: its truncation (curvature, and kinks of ReLU and max-pool that lie
 * in the way, here and there) is less than twice what halving the step
 * changed; rounding adds a few units in the last place of the loss.
 */
static void
expect_slope(struct way *w, double want, double h)
{
    double far = difference(w, 2 * h), near = difference(w, h);
    double bound = 2 * fabs(far - near) + 16 * FLT_EPSILON / h;

    ck_assert_msg(fabs(near - want) <= bound,
                  "tensor %d: slope %g, gradient says %g, bound %g", w->tensor,
                  near, want, bound);
}

/* Along the gradient itself, then along directions of random signs. */
static void
check_tensor(struct model *m, int t, const struct model_tensor *info)
{
    struct way w = {.m = m, .tensor = t, .n = 1};
    const struct rng r = {9, RNG_SAMPLE, (uint32_t)t};
    double norm = 0, slope;
    float *g;
    int i, k;

    for (i = 0; i < info->ndim; i++) {
        w.n *= info->dim[i];
    }
    g = mem_zalloc(w.n, sizeof *g);
    w.start = mem_zalloc(w.n, sizeof *w.start);
    w.to = mem_zalloc(w.n, sizeof *w.to);
    model_tensor_get(m, t, NULL, w.start);
    lab_train(m, 6, 0);
    model_tensor_get(m, t, model_grads(m), g);
    for (i = 0; i < w.n; i++) {
        norm += (double)g[i] * g[i];
    }
    norm = sqrt(norm);
    for (k = 0; k < 3; k++) {
        slope = 0;
        for (i = 0; i < w.n; i++) {
            float sign = rng_u32(&r, (uint64_t)k * w.n + i) & 1 ? 1.f : -1.f;

            w.to[i] = k == 0 && norm > 1e-6 ? (float)(g[i] / norm)
                                            : sign / sqrtf((float)w.n);
            slope += (double)w.to[i] * g[i];
        }
        expect_slope(&w, slope, 1e-3 / (norm + 0.1));
    }
    model_tensor_set(m, t, NULL, w.start);
    mem_free(g);
    mem_free(w.start);
    mem_free(w.to);
}

START_TEST(gradients_are_slopes)
{
    struct model *m = lab_model(NETS[_i], &kern_scalar, 1, 6);
    struct model_tensor info;
    int t;

    for (t = 0; t < model_tensors(m); t++) {
        model_tensor(m, t, &info);
        if (info.trainable) {
            check_tensor(m, t, &info);
        }
    }
    model_free(m);
}
END_TEST

/* A few steps; the bytes of the weights and statistics, and the logits. */
static void
short_run(const char *net, const struct kern *k, int threads, int n, void **out,
          size_t *size, float *logits)
{
    const struct optim_options opt = {.kind = OPTIM_ADAM, .weight_decay = 0.01};
    struct model *m = lab_model(net, k, threads, n);
    struct optim *o;
    struct err e;
    int i;

    ck_assert_int_eq(optim_new(m, &opt, &o, &e), 0);
    for (i = 0; i < 2; i++) {
        lab_train(m, n, (uint64_t)i * n);
        optim_step(o, 0.01);
    }
    model_forward(m, lab_images(), n, logits);
    ck_assert_int_eq(model_save(m, out, size, &e), 0);
    optim_free(o);
    model_free(m);
}

static const char *const INVARIANT[] = {
    "flatten dense 20 relu dropout 0.3 dense 17 relu dense 10",
    ("conv 5x3 relu bn pool 2 conv 20x3 valid relu bn pool 4/3 "
     "dense 24 relu dropout 0.4 dense 10"),
    "pool 4 conv 4x3 relu flatten bn dense 16 bn relu dense 10",
};

START_TEST(threads_do_not_change_a_bit)
{
    static const int batches[] = {1, 2, 7, 17, 64};
    const struct kern *k = lab_kernel(_i / 3);
    const char *net = INVARIANT[_i % 3];
    float logits[2][LAB_BATCH * 10];
    void *bytes[2];
    size_t size[2];
    int b, threads;

    /* A flat BatchNorm cannot take a batch of one. */
    for (b = _i % 3 == 2; b < (k == &kern_scalar ? 4 : 5); b++) {
        int n = batches[b];

        short_run(net, k, 1, n, &bytes[0], &size[0], logits[0]);
        for (threads = 2; threads <= 4; threads++) {
            short_run(net, k, threads, n, &bytes[1], &size[1], logits[1]);
            ck_assert_uint_eq(size[0], size[1]);
            ck_assert_msg(!memcmp(bytes[0], bytes[1], size[0]),
                          "%s: weights differ, batch %d, %d threads", k->name,
                          n, threads);
            ck_assert_mem_eq(logits[0], logits[1], n * 10 * sizeof(float));
            mem_free(bytes[1]);
        }
        mem_free(bytes[0]);
    }
}
END_TEST

/* Zeroes what has a name in PyTorch; nothing may be left. */
static void
expect_zero_padding(struct model *m, float *slab)
{
    struct model_tensor info;
    void *zeros;
    size_t i;
    int t;

    for (t = 0; t < model_tensors(m); t++) {
        size_t n = 1;

        model_tensor(m, t, &info);
        for (i = 0; i < (size_t)info.ndim; i++) {
            n *= (size_t)info.dim[i];
        }
        zeros = mem_zalloc(n, 8);
        if (info.trainable) {
            model_tensor_set(m, t, slab, zeros);
        }
        mem_free(zeros);
    }
    for (i = 0; i < model_slab_size(m); i++) {
        ck_assert_msg(slab[i] == 0, "element %zu is %g", i, slab[i]);
    }
}

START_TEST(padding_stays_zero)
{
    const struct optim_options opt = {.kind = (enum optimizer)(_i % 3),
                                      .momentum = 0.9,
                                      .nesterov = 1,
                                      .weight_decay = 0.1};
    struct model *m = lab_model(NETS[_i], lab_kernel(0), 2, 16);
    struct optim *o;
    struct err e;
    int i;

    ck_assert_int_eq(optim_new(m, &opt, &o, &e), 0);
    for (i = 0; i < 10; i++) {
        lab_train(m, 16, 0);
        optim_step(o, 0.01);
    }
    expect_zero_padding(m, model_grads(m));
    expect_zero_padding(m, model_params(m));
    optim_free(o);
    model_free(m);
}
END_TEST

/* With every tensor in a place of its own nothing is overwritten too early. */
START_TEST(keeping_all_tensors_changes_nothing)
{
    const struct model_options opt = {2, 17, 1};
    struct spec s = lab_spec(NETS[_i]);
    struct model *a = lab_model(NETS[_i], lab_kernel(0), 2, 17), *b;
    struct err e;

    ck_assert_int_eq(model_new_debug(&s, lab_kernel(0), &opt, &b, &e), 0);
    model_init(b, 1);
    ck_assert(lab_train(a, 17, 3) == lab_train(b, 17, 3));
    ck_assert_mem_eq(model_grads(a), model_grads(b),
                     model_slab_size(a) * sizeof(float));
    model_free(a);
    model_free(b);
}
END_TEST

START_TEST(learns)
{
    const struct optim_options opt = {.kind = OPTIM_ADAM};
    struct model *m = lab_model("pool 4 conv 8x3 relu bn dense 32 relu "
                                "dropout 0.1 dense 10",
                                lab_kernel(_i), 2, LAB_BATCH);
    float logits[LAB_BATCH * 10];
    struct optim *o;
    struct err e;
    double loss = lab_train(m, LAB_BATCH, 0);
    int i;

    ck_assert_double_gt(loss, 1.5);
    ck_assert_int_eq(optim_new(m, &opt, &o, &e), 0);
    for (i = 0; i < 100; i++) {
        lab_train(m, LAB_BATCH, (uint64_t)i * LAB_BATCH);
        optim_step(o, 0.005);
    }
    model_forward(m, lab_images(), LAB_BATCH, logits);
    loss = loss_cross_entropy(logits, 10, lab_labels(), LAB_BATCH, 0, NULL);
    ck_assert_double_lt(loss / LAB_BATCH, 0.2);
    optim_free(o);
    model_free(m);
}
END_TEST

/* In evaluation an image's logits do not depend on its company. */
START_TEST(evaluation_takes_images_one_by_one)
{
    struct model *m = lab_model("conv 5x3 relu bn pool 4 dense 24 bn relu "
                                "dropout 0.4 dense 10",
                                lab_kernel(_i), 2, LAB_BATCH);
    float all[LAB_BATCH * 10], one[10];
    int i;

    lab_train(m, LAB_BATCH, 0);
    model_forward(m, lab_images(), LAB_BATCH, all);
    for (i = 0; i < LAB_BATCH; i += 9) {
        model_forward(m, lab_images() + i * 784, 1, one);
        ck_assert_mem_eq(one, all + i * 10, sizeof one);
    }
    model_free(m);
}
END_TEST

/* The running statistics of a BatchNorm that sees the images themselves. */
START_TEST(bn_keeps_running_statistics)
{
    struct model *m = lab_model("bn flatten dense 10", &kern_scalar, 1, 32);
    double n = 32 * 784, sum = 0, dev = 0, mean;
    const float *x = lab_images();
    int64_t tracked;
    float got;
    int i;

    for (i = 0; i < 32 * 784; i++) {
        sum += x[i];
    }
    mean = sum / n;
    for (i = 0; i < 32 * 784; i++) {
        dev += (x[i] - mean) * (x[i] - mean);
    }
    lab_train(m, 32, 0);
    model_tensor_get(m, 2, NULL, &got);
    ck_assert_double_eq_tol(got, 0.1 * mean, 1e-6);
    model_tensor_get(m, 3, NULL, &got);
    ck_assert_double_eq_tol(got, 0.9 + 0.1 * dev / (n - 1), 1e-6);
    model_tensor_get(m, 4, NULL, &tracked);
    ck_assert_int_eq(tracked, 1);
    model_forward(m, x, 32, (float[320]){0});
    model_tensor_get(m, 4, NULL, &tracked);
    ck_assert_int_eq(tracked, 1);
    model_free(m);
}
END_TEST

/* Dropout's output of n images from `position` of the epoch on. */
static void
dropped(int n, uint64_t position, float *out)
{
    const struct model_options opt = {2, LAB_BATCH, 1};
    struct spec s = lab_spec("flatten dropout 0.3 dense 10");
    struct model_step step = {5, 2, position, 0};
    struct model *m;
    struct err e;
    double loss;
    int hits;

    ck_assert_int_eq(model_new_debug(&s, &kern_scalar, &opt, &m, &e), 0);
    model_train_batch(m, lab_images() + position * 784, lab_labels(), n, &step,
                      &loss, &hits);
    model_layer_output(m, 1, n, out);
    model_free(m);
}

START_TEST(dropout_masks_belong_to_the_position)
{
    static float all[LAB_BATCH * 784], part[LAB_BATCH * 784];
    const float *x = lab_images();
    const float scale = (float)(1 / 0.7);
    int i, kept = 0, seen = 0;

    dropped(LAB_BATCH, 0, all);
    dropped(20, 13, part);
    ck_assert_mem_eq(part, all + 13 * 784, 20 * 784 * sizeof *part);
    for (i = 0; i < LAB_BATCH * 784; i++) {
        ck_assert(all[i] == 0 || all[i] == x[i] * scale);
        kept += x[i] != 0 && all[i] != 0;
        seen += x[i] != 0;
    }
    /* 6 standard deviations of a binomial. */
    ck_assert_double_lt(fabs(kept - 0.7 * seen), 6 * sqrt(0.21 * seen));
}
END_TEST

START_TEST(masks_can_be_given)
{
    const struct model_options opt = {2, 4, 1};
    struct spec s = lab_spec("conv 3x3 dropout 0.5 flatten dense 10");
    static uint8_t mask[4 * 3 * 784];
    static float plain[4 * 3 * 784], out[4 * 3 * 784];
    struct model *m;
    struct err e;
    int i;

    ck_assert_int_eq(model_new_debug(&s, lab_kernel(0), &opt, &m, &e), 0);
    memset(mask, 1, sizeof mask);
    model_set_masks(m, 1, mask);
    lab_train(m, 4, 0);
    model_layer_output(m, 1, 4, plain);
    for (i = 0; i < 4 * 3 * 784; i++) {
        mask[i] = i % 3 != 1;
    }
    lab_train(m, 4, 0);
    model_layer_output(m, 1, 4, out);
    for (i = 0; i < 4 * 3 * 784; i++) {
        ck_assert(out[i] == (mask[i] ? plain[i] : 0));
    }
    model_free(m);
}
END_TEST

START_TEST(initial_weights_are_pytorchs_distribution)
{
    struct model *m =
        lab_model("conv 32x3 flatten dense 10", &kern_scalar, 1, 1);
    static float w[288], again[288];
    double sum2 = 0;
    int i;

    model_tensor_get(m, 0, NULL, w);
    for (i = 0; i < 288; i++) {
        ck_assert(fabsf(w[i]) <= 1.0f / 3);
        sum2 += (double)w[i] * w[i];
    }
    /* Variance of a uniform; its square's standard deviation is 0.89 of it. */
    ck_assert_double_eq_tol(sum2 / 288, 1.0 / 27, 6 * 0.9 / 27 / sqrt(288));
    model_init(m, 2);
    model_tensor_get(m, 0, NULL, again);
    ck_assert_mem_ne(w, again, sizeof w);
    model_init(m, 1);
    model_tensor_get(m, 0, NULL, again);
    ck_assert_mem_eq(w, again, sizeof w);
    model_free(m);
}
END_TEST

START_TEST(too_little_memory_is_refused)
{
    const struct model_options opt = {2, 1000 * 1000 * 1000, 1};
    struct spec s = lab_spec("conv 64x3 bn flatten dense 10");
    struct model *m;
    struct err e;

    ck_assert_int_eq(model_new(&s, &kern_scalar, &opt, &m, &e), ERR_NOMEM);
    ck_assert_ptr_nonnull(strstr(e.msg, "MB are available"));
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    const struct model_options opt = {2, 8, 1};
    const struct optim_options adam = {.kind = OPTIM_ADAM};
    struct spec s = lab_spec(INVARIANT[1]);
    int at, rc = ERR_NOMEM;

    for (at = 1; rc != 0; at++) {
        struct model *m = NULL;
        struct optim *o = NULL;
        void *bytes = NULL;
        size_t size;
        struct err e = {0};

        ck_assert_int_lt(at, 200);
        mem_fail_at(at, _i);
        rc = model_new(&s, &kern_scalar, &opt, &m, &e);
        if (rc == 0) {
            rc = optim_new(m, &adam, &o, &e);
        }
        if (rc == 0) {
            rc = optim_save(o, NULL, 0, &bytes, &size, &e);
        }
        if (rc == 0) {
            rc = optim_load(o, bytes, size, NULL, 0, &e);
            mem_free(bytes);
        }
        if (rc == 0 && (rc = model_save(m, &bytes, &size, &e)) == 0) {
            rc = model_load(m, bytes, size, &e);
            mem_free(bytes);
        }
        mem_fail_at(0, 0);
        ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%d: %s", at, e.msg);
        optim_free(o);
        model_free(m);
    }
    ck_assert_int_gt(at, 20);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("nn");
    TCase *tc = tcase_create("model");
    int kernels = lab_kernels();

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, gradients_are_slopes, 0, N_NETS);
    tcase_add_loop_test(tc, threads_do_not_change_a_bit, 0, 3 * kernels);
    tcase_add_loop_test(tc, padding_stays_zero, 0, N_NETS);
    tcase_add_loop_test(tc, keeping_all_tensors_changes_nothing, 0, N_NETS);
    tcase_add_loop_test(tc, learns, 0, kernels);
    tcase_add_loop_test(tc, evaluation_takes_images_one_by_one, 0, kernels);
    tcase_add_test(tc, bn_keeps_running_statistics);
    tcase_add_test(tc, dropout_masks_belong_to_the_position);
    tcase_add_test(tc, masks_can_be_given);
    tcase_add_test(tc, initial_weights_are_pytorchs_distribution);
    tcase_add_test(tc, too_little_memory_is_refused);
    tcase_add_loop_test(tc, every_allocation_may_fail, 0, 2);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
