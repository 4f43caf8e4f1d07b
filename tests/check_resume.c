/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "train_support.h"

/* A checkpoint of the last epoch only needs its predictions made. */
START_TEST(resumes_at_the_end)
{
    struct hyper h;
    struct record whole = {0}, c = {0};

    configure(&h, ANN);
    finishes(&h, 1, &whole);
    ck_assert_int_eq(train(&h, 1, &whole, 5, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_FINISHED);
    ck_assert_int_eq(c.reports, 0);
    ck_assert_int_eq(c.result.epochs_done, 5);
    same_predictions(&whole.result.predictions, &c.result.predictions);
    record_release(&c);
    record_release(&whole);
}
END_TEST

START_TEST(resume_refuses_what_does_not_fit)
{
    struct hyper h;
    struct record whole = {0}, c = {0};

    configure(&h, ANN);
    h.epochs = 2;
    h.val_fraction = 0.2;
    finishes(&h, 1, &whole);
    h.batch_size = 16;
    ck_assert_int_eq(train(&h, 1, &whole, 2, &c), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(c.e.msg, "batches"));
    h.batch_size = 32;
    checkpoint_release(&whole.best[whole.result_epoch[1] - 1]);
    ck_assert_int_eq(train(&h, 1, &whole, 2, &c), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(c.e.msg, "best"));
    ck_assert_uint_eq(c.result.predictions.n, 0);
    ((char *)whole.last[1].state)[whole.last[1].state_size / 16] ^= 1;
    whole.last[1].state_size -= 4;
    ck_assert_int_lt(train(&h, 1, &whole, 2, &c), 0);
    h.val_fraction = 0;
    configure(&h, "dense 17 relu dense 10");
    ck_assert_int_lt(train(&h, 1, &whole, 1, &c), 0);
    record_release(&c);
    record_release(&whole);
}
END_TEST

static void
is_refused(const struct checkpoint *c, const struct hyper *h, const char *words)
{
    struct err e = {0};

    ck_assert_int_lt(checkpoint_check(c, h, &e), 0);
    ck_assert_msg(strstr(e.msg, words) != NULL, "\"%s\"", e.msg);
}

/* What the check of a file says, nothing being loaded. */
START_TEST(checkpoints_of_others_are_known)
{
    struct hyper h, other;
    struct record whole = {0};
    struct checkpoint *c = &whole.last[1];
    struct err e = {0};
    void *state;

    configure(&h, CNN);
    h.momentum = 0.9;
    h.epochs = 2;
    finishes(&h, 1, &whole);
    ck_assert_int_eq(checkpoint_check(c, &h, &e), 0);
    other = h;
    other.momentum = 0.5;
    ck_assert_int_eq(checkpoint_check(c, &other, &e), 0);
    other.momentum = 0;
    is_refused(c, &other, "the state of the checkpoint: tensor momentum.0.");
    other.optimizer = OPTIM_ADAM;
    is_refused(c, &other, "the state of the checkpoint: tensor momentum.0.");
    configure(&other, ANN);
    is_refused(c, &other, "the weights of the checkpoint: tensor 2.");
    strcpy(other.spec, "dense 10 nonsense");
    is_refused(c, &other, "nonsense");
    c->epoch = 1;
    is_refused(c, &h, "the state of the checkpoint of epoch 1 is not that");
    c->epoch = 2;
    c->state_size -= 4;
    is_refused(c, &h, "its bytes lie outside of the file");
    state = c->state;
    c->state = NULL;
    ck_assert_int_eq(checkpoint_check(c, &h, &e), 0);
    c->weights_size = 7;
    is_refused(c, &h, "the weights of the checkpoint: these are not weights");
    c->state = state;
    record_release(&whole);
}
END_TEST

/* The tensor and element that differ first, of weights, then of the state. */
START_TEST(checkpoints_are_compared)
{
    struct hyper h;
    struct record a = {0}, b = {0};
    struct tensor_difference d;
    struct err e = {0};
    const struct checkpoint *ca = &a.last[0];
    struct checkpoint *cb = &b.last[0];

    configure(&h, CNN);
    h.momentum = 0.9;
    h.epochs = 2;
    finishes(&h, 1, &a);
    finishes(&h, 2, &b);
    ck_assert_int_eq(checkpoint_compare(ca, cb, &h, &d, &e), 0);
    ck_assert_str_eq(d.name, "");
    ck_assert_int_eq(d.equal, 18 + 12); /* statistics have no momentum */
    /* The file ends in the state of the last bias. */
    ((char *)cb->state)[cb->state_size - 1] ^= 0x40;
    ck_assert_int_eq(checkpoint_compare(ca, cb, &h, &d, &e), 0);
    ck_assert_str_eq(d.name, "momentum.12.bias");
    ck_assert_uint_eq(d.element, 9);
    ck_assert_int_eq(d.equal, 18 + 11);
    ck_assert(d.a != d.b);
    ((char *)cb->weights)[cb->weights_size - 8] ^= 1;
    ck_assert_int_eq(checkpoint_compare(ca, cb, &h, &d, &e), 0);
    ck_assert_str_eq(d.name, "12.bias");
    ck_assert_uint_eq(d.element, 8);
    ck_assert_int_eq(d.equal, 17);
    /* Of other epochs all differ, the count of batches too. */
    ck_assert_int_eq(checkpoint_compare(ca, &a.last[1], &h, &d, &e), 0);
    ck_assert_str_eq(d.name, "0.weight");
    cb->weights_size -= 4;
    ck_assert_int_eq(checkpoint_compare(ca, cb, &h, &d, &e), ERR_FAIL);
    record_release(&a);
    record_release(&b);
}
END_TEST

START_TEST(stops_after_the_epoch)
{
    struct hyper h;
    struct record whole = {0}, c = {0};

    configure(&h, ANN);
    finishes(&h, 1, &whole);
    c.stop_at = 7; /* the second batch of epoch 2 */
    c.verdict = TRAINER_STOP_AFTER_EPOCH;
    c.due_every = 100;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_STOPPED);
    ck_assert_int_eq(c.result.epochs_done, 2);
    ck_assert_int_eq(c.batches, 10);
    ck_assert_int_eq(c.final[1], 1);
    ck_assert_int_eq(c.reports, 2);
    ck_assert(same_checkpoint(&c.last[1], &whole.last[1]));
    result_agrees(&c);
    record_release(&c);
    /* In the last epoch there is nothing to stop. */
    memset(&c, 0, sizeof c);
    c.stop_at = 22;
    c.verdict = TRAINER_STOP_AFTER_EPOCH;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_FINISHED);
    record_release(&c);
    record_release(&whole);
}
END_TEST

START_TEST(stops_at_once)
{
    struct hyper h;
    struct record whole = {0}, c = {0};

    configure(&h, ANN);
    finishes(&h, 1, &whole);
    c.stop_at = 17; /* the second batch of epoch 4 */
    c.verdict = TRAINER_STOP_NOW;
    c.due_every = 2; /* a checkpoint of epoch 2, but none of epoch 3 */
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_STOPPED);
    ck_assert_int_eq(c.batches, 17);
    ck_assert_int_eq(c.result.epochs_done, 3);
    ck_assert_int_eq(c.reports, 4);
    ck_assert_int_eq(c.final[2], 1);
    ck_assert_ptr_null(c.last[0].weights);
    ck_assert(same_checkpoint(&c.last[1], &whole.last[1]));
    ck_assert(same_checkpoint(&c.last[2], &whole.last[2]));
    ck_assert(same_figures(&c.epochs[2], &whole.epochs[2]));
    result_agrees(&c);
    record_release(&c);
    /* Before the first epoch's end there is nothing to keep. */
    memset(&c, 0, sizeof c);
    c.stop_at = 1;
    c.verdict = TRAINER_STOP_NOW;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_STOPPED);
    ck_assert_int_eq(c.result.epochs_done, 0);
    ck_assert_int_eq(c.result.result_epoch, 0);
    ck_assert_uint_eq(c.result.predictions.n, 0);
    ck_assert_int_eq(c.reports, 0);
    record_release(&c);
    record_release(&whole);
}
END_TEST

START_TEST(best_epoch_and_patience)
{
    struct hyper h;
    struct record c = {0};
    int best = 0, given = -1;

    configure(&h, ANN);
    h.val_fraction = 0.25;
    h.lr = 0.8;
    h.epochs = 12;
    h.patience = 3;
    c.due_every = 5;
    finishes(&h, 1, &c);
    for (int i = 0; i < c.max_epoch; i++) {
        int due = (i + 1) % 5 == 0 || i + 1 == c.max_epoch;

        if (c.epochs[i].val_loss < c.epochs[best].val_loss) {
            best = i;
        }
        ck_assert_int_eq(c.result_epoch[i], best + 1);
        ck_assert(!c.last[i].weights == !due);
        given = due ? best : given;
        ck_assert(given < 0 || c.best[given].weights);
    }
    ck_assert_int_eq(given, best);
    ck_assert_int_eq(c.result.result_epoch, best + 1);
    ck_assert_int_lt(c.max_epoch, 12);
    ck_assert_int_eq(c.max_epoch, best + 1 + 3);
    ck_assert_int_eq(c.final[c.max_epoch - 1], 1);
    ck_assert_ptr_nonnull(c.last[c.max_epoch - 1].weights);
    record_release(&c);
}
END_TEST

/* What was not due is owed to a run that is stopped inside the next epoch: the
 * best weights, too, which are those of an earlier epoch here. */
START_TEST(stopped_run_has_its_best)
{
    struct hyper h;
    struct record whole = {0}, c = {0};
    int last;

    configure(&h, ANN);
    h.val_fraction = 0.25;
    h.lr = 0.8;
    h.epochs = 12;
    h.patience = 3;
    finishes(&h, 1, &whole);
    last = whole.max_epoch - 1;
    ck_assert_int_lt(whole.result_epoch[last - 1], last);
    c.stop_at = last * 4 + 2; /* four batches an epoch */
    c.verdict = TRAINER_STOP_NOW;
    c.due_every = 100;
    ck_assert_int_eq(train(&h, 1, NULL, 0, &c), 0);
    ck_assert_int_eq(c.result.end, TRAINER_STOPPED);
    ck_assert_int_eq(c.max_epoch, last);
    ck_assert_int_eq(c.reports, last + 1);
    ck_assert(same_checkpoint(&c.last[last - 1], &whole.last[last - 1]));
    for (int i = 0; i < last; i++) {
        ck_assert(!c.best[i].weights == (i + 1 != c.result_epoch[last - 1]));
        ck_assert(!c.best[i].weights ||
                  same_checkpoint(&c.best[i], &whole.best[i]));
    }
    record_release(&c);
    record_release(&whole);
}
END_TEST

/* With steps that change nothing every val_loss ties with the first. */
START_TEST(earliest_of_ties_is_best)
{
    struct hyper h;
    struct record c = {0};

    configure(&h, ANN);
    h.val_fraction = 0.25;
    h.lr = 1e-30;
    h.patience = 4;
    h.epochs = 12;
    finishes(&h, 1, &c);
    ck_assert_int_eq(c.result.result_epoch, 1);
    ck_assert_int_eq(c.max_epoch, 5);
    record_release(&c);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("resume");
    TCase *tc = tcase_create("resume");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, train_setup, train_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, resumes_at_the_end);
    tcase_add_test(tc, resume_refuses_what_does_not_fit);
    tcase_add_test(tc, checkpoints_of_others_are_known);
    tcase_add_test(tc, checkpoints_are_compared);
    tcase_add_test(tc, stops_after_the_epoch);
    tcase_add_test(tc, stops_at_once);
    tcase_add_test(tc, best_epoch_and_patience);
    tcase_add_test(tc, stopped_run_has_its_best);
    tcase_add_test(tc, earliest_of_ties_is_best);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
