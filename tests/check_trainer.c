/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/batch.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "support.h"
#include "train_support.h"
#include "train/pace.h"

START_TEST(learns)
{
    struct hyper h;
    struct record c = {0};

    configure(&h, ANN);
    finishes(&h, 1, &c);
    ck_assert_int_eq(c.reports, 5);
    ck_assert_int_eq(c.batches, 5 * 5);
    ck_assert_int_eq(c.result.epochs_done, 5);
    ck_assert_int_eq(c.result.result_epoch, 5);
    ck_assert_uint_eq(c.result.predictions.n, 40);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(c.final[i], i == 4);
        ck_assert(isnan(c.epochs[i].val_loss) && isnan(c.epochs[i].val_acc));
        ck_assert(c.epochs[i].lr == 0.05);
        ck_assert(c.epochs[i].seconds > 0);
        ck_assert(c.epochs[i].samples_per_second > 0);
    }
    ck_assert(c.epochs[4].train_loss < c.epochs[0].train_loss);
    ck_assert(c.epochs[4].test_acc > 0.3);
    record_release(&c);
}
END_TEST

/* Sample-weighted: with a step too small to matter, the epoch's figures are
 * those of the initial weights over the training part. */
START_TEST(epoch_means)
{
    struct hyper h;
    struct record c = {0};
    struct predictions p;
    struct split s;
    struct err e = {0};
    uint32_t right = 0;
    double loss = 0;

    configure(&h, ANN);
    h.epochs = 1;
    h.batch_size = 48; /* 160 images: the last batch has 16 */
    h.lr = 1e-30;
    finishes(&h, 1, &c);
    part(&h, &s);
    ck_assert_int_eq(trainer_predict(h.spec, c.last[0].weights,
                                     c.last[0].weights_size, train_data,
                                     s.images[PART_TRAIN], s.n[PART_TRAIN],
                                     train_kern, 1, &p, &e),
                     0);
    for (uint32_t i = 0; i < p.n; i++) {
        right += p.predicted[i] == p.truth[i];
        loss -= log(p.p[i * 10 + p.truth[i]]);
    }
    ck_assert(c.epochs[0].train_acc == right / 160.0);
    ck_assert_double_eq_tol(c.epochs[0].train_loss, loss / 160, 1e-6);
    predictions_release(&p);
    split_release(&s);
    record_release(&c);
}
END_TEST

/* Two epochs by hand, step by step, end at the same weights. */
START_TEST(steps_are_as_agreed)
{
    const struct model_options mo = {.threads = 1, .max_batch = 48, .train = 1};
    const struct optim_options oo = {.kind = OPTIM_ADAMW, .weight_decay = 0.01};
    const struct schedule_options so = {.kind = SCHED_COSINE,
                                        .lr = 0.01,
                                        .epochs = 2,
                                        .steps_per_epoch = 4,
                                        .warmup = 1};
    const struct augment augment = {.shift = 3};
    const struct batch_options bo = {
        .batch_size = 48, .augment = &augment, .seed = 9, .shuffle = 1};
    struct record c = {0};
    struct hyper h;
    struct split s;
    struct spec spec;
    struct model *m;
    struct optim *o;
    struct batch_feed *f;
    struct batch b;
    struct err e = {0};
    void *weights;
    size_t size;

    configure(&h, CNN);
    h.epochs = 2;
    h.batch_size = 48;
    h.lr = 0.01;
    h.optimizer = OPTIM_ADAMW;
    h.weight_decay = 0.01;
    h.schedule = SCHED_COSINE;
    h.warmup = 1;
    h.seed = 9;
    h.label_smoothing = 0.1;
    strcpy(h.augment, "shift:3");
    finishes(&h, 1, &c);
    part(&h, &s);
    ck_assert_int_eq(spec_parse(h.spec, &spec, &e), 0);
    ck_assert_int_eq(model_new(&spec, train_kern, &mo, &m, &e), 0);
    model_init(m, 9);
    ck_assert_int_eq(optim_new(m, &oo, &o, &e), 0);
    ck_assert_int_eq(
        batch_feed_new(train_data, s.images[PART_TRAIN], 160, &bo, &f, &e), 0);
    for (uint32_t epoch = 1; epoch <= 2; epoch++) {
        struct model_step step = {
            .seed = 9, .epoch = epoch, .label_smoothing = 0.1};
        double loss, sum = 0;
        int right;

        batch_feed_start(f, epoch);
        while (batch_feed_next(f, &b)) {
            model_train_batch(m, b.x, b.labels, b.n, &step, &loss, &right);
            optim_step(o, schedule_lr(&so, optim_steps(o)));
            step.position += (uint64_t)b.n;
            sum += loss;
        }
        ck_assert(c.epochs[epoch - 1].train_loss == sum / 160);
    }
    ck_assert_int_eq(model_save(m, &weights, &size, &e), 0);
    ck_assert_uint_eq(size, c.last[1].weights_size);
    ck_assert(!memcmp(weights, c.last[1].weights, size));
    ck_assert(c.epochs[1].lr == schedule_lr(&so, 7));
    mem_free(weights);
    batch_feed_free(f);
    optim_free(o);
    model_free(m);
    split_release(&s);
    record_release(&c);
}
END_TEST

START_TEST(same_bits_with_any_threads)
{
    struct hyper h;
    struct record one = {0};

    configure(&h, CNN);
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    h.epochs = 2;
    h.val_fraction = 0.2;
    finishes(&h, 1, &one);
    for (int threads = 2; threads <= 4; threads++) {
        struct record c = {0};

        finishes(&h, threads, &c);
        same_from(&one, &c, 1);
        record_release(&c);
    }
    record_release(&one);
}
END_TEST

START_TEST(diverges)
{
    struct hyper h;
    struct record c = {0};
    int epoch, batch;

    configure(&h, DEEP);
    h.lr = 1000;
    h.momentum = 0.999;
    h.batch_size = 8;
    h.epochs = 12;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_DIVERGED);
    ck_assert_int_eq(c.result.end, TRAINER_FAILED);
    ck_assert_int_eq(
        sscanf(c.e.msg, "diverged in epoch %d, batch %d", &epoch, &batch), 2);
    ck_assert_int_eq(c.result.epochs_done, epoch - 1);
    ck_assert_int_eq(c.max_epoch, epoch - 1);
    record_release(&c);
}
END_TEST

/* A learning rate that explodes in a later epoch leaves the ones before. */
START_TEST(diverges_late)
{
    struct hyper h;
    struct record c = {0};

    configure(&h, DEEP);
    h.lr = 3;
    h.epochs = 12;
    h.warmup = 11;
    c.due_every = 100;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_DIVERGED);
    ck_assert_int_ge(c.result.epochs_done, 1);
    ck_assert_int_eq(c.result.epochs_done, c.max_epoch);
    /* The epoch was reported again with the checkpoint it owed. */
    ck_assert_int_eq(c.reports, c.max_epoch + 1);
    ck_assert_ptr_nonnull(c.last[c.max_epoch - 1].weights);
    ck_assert_int_eq(c.final[c.max_epoch - 1], 1);
    result_agrees(&c);
    record_release(&c);
}
END_TEST

START_TEST(predicts_with_stored_weights)
{
    struct hyper h;
    struct record c = {0};
    struct predictions p;
    struct err e = {0};

    configure(&h, CNN);
    h.epochs = 1;
    finishes(&h, 2, &c);
    ck_assert_int_eq(
        trainer_predict(h.spec, c.last[0].weights, c.last[0].weights_size,
                        train_data, c.result.predictions.images,
                        c.result.predictions.n, train_kern, 1, &p, &e),
        0);
    same_predictions(&c.result.predictions, &p);
    predictions_release(&p);
    ck_assert_int_eq(trainer_predict(h.spec, c.last[0].weights,
                                     c.last[0].weights_size, train_data, NULL,
                                     train_data->n, train_kern, 3, &p, &e),
                     0);
    ck_assert_uint_eq(p.n, 200);
    ck_assert_uint_eq(p.images[199], 199);
    predictions_release(&p);
    ck_assert_int_lt(trainer_predict(ANN, c.last[0].weights,
                                     c.last[0].weights_size, train_data, NULL,
                                     train_data->n, train_kern, 1, &p, &e),
                     0);
    ck_assert_uint_eq(p.n, 0);
    record_release(&c);
}
END_TEST

START_TEST(hook_errors_end_the_run)
{
    struct hyper h;
    struct record c = {0};

    configure(&h, ANN);
    c.fail_epoch = 2;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_IO);
    ck_assert_str_eq(c.e.msg, "disk full");
    ck_assert_int_eq(c.reports, 2);
    ck_assert_int_eq(c.result.end, TRAINER_FAILED);
    record_release(&c);
}
END_TEST

static void
sizes_refused(const struct hyper *h, uint32_t n_train, uint32_t n_test,
              const char *message)
{
    struct split s = {.n = {[PART_TRAIN] = n_train, [PART_TEST] = n_test}};
    struct err e = {0};

    ck_assert_int_eq(trainer_check(h, &s, &e), ERR_USAGE);
    ck_assert_str_eq(e.msg, message);
}

START_TEST(sizes)
{
    const struct split fits = {.n = {[PART_TRAIN] = 65, [PART_TEST] = 9}};
    struct hyper h;

    configure(&h, ANN);
    h.batch_size = 64;
    ck_assert_int_eq(trainer_check(&h, &fits, NULL), 0);
    sizes_refused(&h, 63, 9,
                  "--batch-size: 64 is more than the 63 images of the "
                  "training part");
    sizes_refused(&h, 640, 0,
                  "--test-fraction: there is no test part to report on; "
                  "choose a number above 0");
    configure(&h, "conv 4x3 bn flatten bn dense 10");
    h.batch_size = 64;
    sizes_refused(&h, 65, 9,
                  "--batch-size: 65 training images in batches of 64 leave a "
                  "last batch of 1, in which layer 3 (bn) would see one value "
                  "a channel; choose another size");
    h.batch_size = 1;
    sizes_refused(&h, 65, 9,
                  "--batch-size: layer 3 (bn) would see one value a channel "
                  "in a batch of 1 image; choose 2 or more");
    h.batch_size = 3;
    ck_assert_int_eq(trainer_check(&h, &fits, NULL), 0);
    configure(&h, "conv 4x3 bn flatten dense 10");
    h.batch_size = 1;
    ck_assert_int_eq(trainer_check(&h, &fits, NULL), 0);
}
END_TEST

/* A row that was changed by hand can hold anything: a step of no epochs was a
 * division by zero. */
START_TEST(values_refused)
{
    struct record c = {0};
    struct hyper h;

    configure(&h, ANN);
    h.schedule = SCHED_STEP;
    h.step_size = 0;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(c.e.msg, "--step-size"));
    configure(&h, ANN);
    h.epochs = 1LL << 40;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(c.e.msg, "--epochs"));
    configure(&h, ANN);
    h.batch_size = 0;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(c.e.msg, "--batch-size"));
    ck_assert_int_eq(c.batches, 0);
    record_release(&c);
}
END_TEST

/* Every allocation of a run fails once: an error, no leak, no crash. */
START_TEST(memory_failures)
{
    struct hyper h;
    int done = 0;

    configure(&h, ANN);
    h.epochs = 2;
    h.val_fraction = 0.2;
    for (long n = 1; !done; n++) {
        struct record c = {0};
        struct trainer_options opt = {.kern = train_kern, .threads = 1};
        const struct trainer_hooks none = {0};
        struct split s;
        int rc;

        part(&h, &s);
        mem_fail_at(n, 0);
        rc = trainer_run(&h, train_data, &s, &opt, &none, &c.result, &c.e);
        mem_fail_at(0, 0);
        done = rc == 0;
        ck_assert(done || rc == ERR_NOMEM);
        ck_assert(done || c.e.msg[0]);
        ck_assert_int_lt(n, 2000);
        split_release(&s);
        record_release(&c);
    }
}
END_TEST

START_TEST(paces)
{
    struct pace p = {0};

    ck_assert(isnan(pace_eta(&p, 100, 1, 10)));
    for (int i = 0; i < 100; i++) {
        pace_batch(&p, 64, 0.01);
    }
    ck_assert_double_eq_tol(p.rate, 6400, 1e-6);
    ck_assert_double_eq_tol(pace_eta(&p, 6400, 2, 0), 1, 1e-9);
    ck_assert_double_gt(pace_eta(&p, 6400, 2, 1000), 1.05);
    pace_epoch_end(&p, 0.25);
    ck_assert_double_eq_tol(pace_eta(&p, 6400, 2, 1000), 1.5, 1e-9);
    /* Ten times slower: after three memories hardly anything of before. */
    for (int i = 0; i < 300; i++) {
        pace_batch(&p, 64, 0.1);
    }
    ck_assert_double_eq_tol(p.rate, 640, 400);
    pace_batch(&p, 64, 1000);
    ck_assert_double_eq_tol(p.rate, 0.064, 1e-9);
    pace_batch(&p, 64, 0);
    ck_assert_double_eq_tol(p.rate, 0.064, 1e-9);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("trainer");
    TCase *tc = tcase_create("trainer");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, train_setup, train_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, learns);
    tcase_add_test(tc, epoch_means);
    tcase_add_test(tc, steps_are_as_agreed);
    tcase_add_test(tc, same_bits_with_any_threads);
    tcase_add_test(tc, diverges);
    tcase_add_test(tc, diverges_late);
    tcase_add_test(tc, predicts_with_stored_weights);
    tcase_add_test(tc, hook_errors_end_the_run);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, values_refused);
    tcase_add_test(tc, memory_failures);
    tcase_add_test(tc, paces);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
