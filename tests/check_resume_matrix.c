/* SPDX-License-Identifier: MIT */
/* A run that is interrupted ends with the bits of one that was not: every
 * optimizer, schedule and warm-up, for both models, each with one of the other
 * hyperparameters' settings in turn, and any thread count on either side. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "train_support.h"

/* Fields and their values. */
struct setting {
    const char *pairs[13];
};

static const struct setting OPTIMIZERS[] = {
    {{"momentum", "0", "lr", "0.1"}},
    {{"momentum", "0.9"}},
    {{"momentum", "0.9", "nesterov", "1"}},
    {{"optimizer", "adam", "lr", "0.003"}},
    {{"optimizer", "adamw", "lr", "0.01"}},
};

static const struct setting SCHEDULES[] = {
    {{"schedule", "constant"}},
    {{"schedule", "step", "step_size", "2", "gamma", "0.5"}},
    {{"schedule", "cosine"}},
    {{"schedule", "onecycle"}},
};

static const struct setting WARMUPS[] = {
    {{"warmup", "0"}}, {{"warmup", "1"}}, {{"warmup", "2"}}};

/* 48 does not divide the training part. */
static const struct setting OTHERS[] = {
    {{"batch_size", "32"}},
    {{"label_smoothing", "0.1", "weight_decay", "0.01"}},
    {{"augment", "shift:2+flip+erase:5", "batch_size", "48"}},
    {{"val_fraction", "0.25", "patience", "2"}},
    {{"val_fraction", "0.2", "label_smoothing", "0.2", "batch_size", "48",
      "weight_decay", "0.001", "augment", "shift:1"}},
};

#define DENSE "dense 16 relu dropout 0.2 dense 10"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

enum { N_OPTIM = COUNT(OPTIMIZERS), N_SCHED = COUNT(SCHEDULES) };
enum { N_WARM = COUNT(WARMUPS), N_OTHER = COUNT(OTHERS) };
/* The dense model with all of them, then the other, the warm-ups in turn. */
enum { N_DENSE = N_OPTIM * N_SCHED * N_WARM };
enum { N_CASES = N_DENSE + N_OPTIM * N_SCHED };

static void
apply(struct hyper *h, const struct setting *s)
{
    struct err e = {0};

    for (int i = 0; s->pairs[i]; i += 2) {
        ck_assert_msg(
            hyper_set(h, hyper_field(s->pairs[i]), s->pairs[i + 1], &e) == 0,
            "%s", e.msg);
    }
}

static void
configure_case(struct hyper *h, int at)
{
    struct err e = {0};
    int schedule = at / N_OPTIM % N_SCHED;
    int round = at / (N_OPTIM * N_SCHED);

    configure(h, at < N_DENSE ? DENSE : CNN);
    apply(h, &OPTIMIZERS[at % N_OPTIM]);
    apply(h, &SCHEDULES[schedule]);
    apply(h, &WARMUPS[(at < N_DENSE ? round : at) % N_WARM]);
    apply(h, &OTHERS[(at + schedule + round) % N_OTHER]);
    ck_assert_msg(hyper_check(h, &e) == 0, "%s", e.msg);
}

/* From each epoch's end to the run's. */
static void
resume_everywhere(const struct hyper *h, const struct record *whole)
{
    for (int epoch = 1; epoch < whole->max_epoch; epoch++) {
        struct record c = {0};

        ck_assert_int_eq(train(h, epoch % 3 + 1, whole, epoch, &c), 0);
        ck_assert_int_eq(c.result.end, TRAINER_FINISHED);
        ck_assert_int_eq(c.reports, whole->max_epoch - epoch);
        same_from(whole, &c, epoch + 1);
        record_release(&c);
    }
}

static int
batches_of(const struct hyper *h)
{
    struct split s;
    int n;

    part(h, &s);
    n = (int)((s.n[PART_TRAIN] + h->batch_size - 1) / h->batch_size);
    split_release(&s);
    return n;
}

/* Stopped inside the second epoch and again two later, where checkpoints are
 * owed, each time going on with another number of threads. */
static void
stop_and_go(const struct hyper *h, const struct record *whole, int threads)
{
    struct record c = {.due_every = 100, .verdict = TRAINER_STOP_NOW};
    int batches = batches_of(h);

    c.stop_at = batches + 2;
    ck_assert_int_eq(train(h, threads, NULL, 0, &c), 0);
    while (c.result.end == TRAINER_STOPPED) {
        int done = c.max_epoch;

        ck_assert_int_eq(done, c.result.epochs_done);
        ck_assert(same_checkpoint(&c.last[done - 1], &whole->last[done - 1]));
        trainer_result_release(&c.result);
        threads = threads % 3 + 1;
        c.batches = 0;
        c.stop_at = 2 * batches + 2;
        ck_assert_int_eq(train(h, threads, &c, done, &c), 0);
    }
    ck_assert_int_eq(c.max_epoch, whole->max_epoch);
    ck_assert(same_checkpoint(&c.last[c.max_epoch - 1],
                              &whole->last[c.max_epoch - 1]));
    ck_assert_int_eq(c.result.result_epoch, whole->result.result_epoch);
    same_predictions(&c.result.predictions, &whole->result.predictions);
    for (int i = 0; i < c.max_epoch; i++) {
        ck_assert(same_figures(&c.epochs[i], &whole->epochs[i]));
    }
    record_release(&c);
}

START_TEST(resumes_to_the_same_bits)
{
    struct hyper h;
    struct record whole = {0};

    configure_case(&h, _i);
    finishes(&h, _i % 3 + 1, &whole);
    resume_everywhere(&h, &whole);
    stop_and_go(&h, &whole, (_i + 1) % 3 + 1);
    record_release(&whole);
}
END_TEST

/* Patience counts from a best epoch that lies before the checkpoint, whose
 * predictions are made again from the best weights. */
START_TEST(resumes_after_the_best_epoch)
{
    struct hyper h;
    struct record whole = {0};

    configure(&h, ANN);
    h.val_fraction = 0.25;
    h.lr = 0.8;
    h.epochs = 12;
    h.patience = 3;
    finishes(&h, 2, &whole);
    ck_assert_int_lt(whole.result_epoch[whole.max_epoch - 2],
                     whole.max_epoch - 1);
    ck_assert_int_lt(whole.max_epoch, 12);
    resume_everywhere(&h, &whole);
    stop_and_go(&h, &whole, 1);
    record_release(&whole);
}
END_TEST

/* Three epochs, then on to five: as `h` says, or by its schedule not. */
static int
extends_to_the_same(struct hyper *h, int threads)
{
    struct record whole = {0}, part = {0}, rest = {0};
    int same;

    finishes(h, threads, &whole);
    h->epochs = 3;
    finishes(h, threads % 3 + 1, &part);
    h->epochs = 5;
    ck_assert_int_eq(train(h, (threads + 1) % 3 + 1, &part, 3, &rest), 0);
    ck_assert_int_eq(rest.result.end, TRAINER_FINISHED);
    ck_assert_int_eq(rest.max_epoch, whole.max_epoch);
    same = same_checkpoint(&whole.last[4], &rest.last[4]);
    if (same) {
        for (int i = 0; i < 3; i++) {
            ck_assert(same_figures(&whole.epochs[i], &part.epochs[i]));
            ck_assert(same_checkpoint(&whole.last[i], &part.last[i]));
        }
        same_from(&whole, &rest, 4);
    }
    record_release(&rest);
    record_release(&part);
    record_release(&whole);
    return same;
}

/* A finished run whose last checkpoint goes on to more epochs. */
START_TEST(extends_to_the_same_bits)
{
    struct hyper h;
    int same;

    configure_case(&h, _i);
    h.patience = 0;
    same = extends_to_the_same(&h, _i % 3 + 1);
    ck_assert_int_eq(same,
                     h.schedule == SCHED_CONSTANT || h.schedule == SCHED_STEP);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("resume matrix");
    TCase *tc = tcase_create("matrix");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, train_setup, train_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, resumes_to_the_same_bits, 0, N_CASES);
    tcase_add_test(tc, resumes_after_the_best_epoch);
    tcase_add_loop_test(tc, extends_to_the_same_bits, 0, N_CASES);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
