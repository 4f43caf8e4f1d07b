/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/trainer.h"
#include "support.h"
#include "tiny.h"
#include "train/pace.h"

#define MAX_EPOCHS 12
#define ANN "dense 16 relu dense 10"
/* Linear layers in a row explode where dead ReLUs would end in peace. */
#define DEEP "dense 16 dense 16 dense 10"
#define CNN                                                                  \
    "conv 5x3 relu bn pool 2 conv 6x3 relu bn pool 2 dense 20 relu dropout " \
    "0.3 dense 10"

static struct dataset *data;
static const struct kern *kern;

static void
setup(void)
{
    struct err e = {0};

    data = tiny_new(200, 5);
    ck_assert_msg(kern_choose(NULL, &kern, &e) == 0, "%s", e.msg);
}

static void
teardown(void)
{
    dataset_free(data);
}

/* What a run left behind, and what steers it. */
struct record {
    struct epoch_metrics epochs[MAX_EPOCHS];
    struct confusion confusion[MAX_EPOCHS];
    struct checkpoint last[MAX_EPOCHS], best[MAX_EPOCHS];
    int result_epoch[MAX_EPOCHS], final[MAX_EPOCHS];
    int reports; /* calls of the epoch hook */
    int batches; /* calls of the batch hook */
    int max_epoch;

    int stop_at; /* the batch hook's verdict from that call on; 0: never */
    enum trainer_verdict verdict;
    int due_every;  /* checkpoints every so many epochs; 0: each */
    int fail_epoch; /* the epoch hook fails there */
    struct trainer_result result;
    struct err e;
};

static void
copy_checkpoint(struct checkpoint *to, const struct checkpoint *from)
{
    checkpoint_release(to);
    to->epoch = from->epoch;
    to->weights_size = from->weights_size;
    to->weights = mem_alloc(from->weights_size);
    memcpy(to->weights, from->weights, from->weights_size);
    to->state_size = from->state_size;
    if (from->state) {
        to->state = mem_alloc(from->state_size);
        memcpy(to->state, from->state, from->state_size);
    }
}

static enum trainer_verdict
on_batch(const struct batch_report *r, void *arg)
{
    struct record *c = arg;

    ck_assert_int_le(r->batch, r->batches);
    ck_assert_int_ge(r->batch, 1);
    ck_assert(isnan(r->eta_seconds) || r->eta_seconds >= 0);
    c->batches++;
    return c->stop_at && c->batches >= c->stop_at ? c->verdict : TRAINER_GO;
}

static int
on_epoch(const struct epoch_report *r, void *arg, struct err *e)
{
    struct record *c = arg;
    int at = r->metrics->epoch;

    ck_assert_int_le(at, MAX_EPOCHS);
    c->reports++;
    c->epochs[at - 1] = *r->metrics;
    c->confusion[at - 1] = *r->confusion;
    c->result_epoch[at - 1] = r->result_epoch;
    c->final[at - 1] = r->final;
    c->max_epoch = at;
    ck_assert_uint_eq(confusion_total(r->confusion), r->n_test);
    if (r->last) {
        ck_assert_int_eq(r->last->epoch, at);
        copy_checkpoint(&c->last[at - 1], r->last);
    }
    if (r->best) {
        ck_assert_int_eq(r->best->epoch, at);
        ck_assert_int_eq(r->result_epoch, at);
        ck_assert_ptr_nonnull(r->last);
        copy_checkpoint(&c->best[at - 1], r->best);
    }
    return at == c->fail_epoch ? err_set(e, ERR_IO, "disk full") : 0;
}

static int
on_due(int epoch, void *arg)
{
    const struct record *c = arg;

    return epoch % c->due_every == 0;
}

static void
record_release(struct record *c)
{
    for (int i = 0; i < MAX_EPOCHS; i++) {
        checkpoint_release(&c->last[i]);
        checkpoint_release(&c->best[i]);
    }
    trainer_result_release(&c->result);
}

static void
configure(struct hyper *h, const char *spec)
{
    ck_assert_int_eq(hyper_preset("ann", h, NULL), 0);
    ck_assert_int_eq(hyper_set(h, hyper_field("spec"), spec, NULL), 0);
    h->epochs = 5;
    h->batch_size = 32;
    h->lr = 0.05;
}

static void
part(const struct hyper *h, struct split *s)
{
    struct err e = {0};

    ck_assert_msg(split_make(data, (uint64_t)h->split_seed, h->test_fraction,
                             h->val_fraction, s, &e) == 0,
                  "%s", e.msg);
}

/* Trains h, from `from`'s checkpoint of `epoch` if given. */
static int
train(const struct hyper *h, int threads, const struct record *from, int epoch,
      struct record *c)
{
    const struct trainer_hooks hooks = {
        .batch = on_batch,
        .epoch = on_epoch,
        .checkpoint_due = c->due_every ? on_due : NULL,
        .arg = c,
    };
    struct trainer_options opt = {.kern = kern, .threads = threads};
    struct split s;
    int rc;

    part(h, &s);
    if (from) {
        opt.resume = &from->last[epoch - 1];
        if (from->result_epoch[epoch - 1] && h->val_fraction > 0) {
            opt.resume_best = &from->best[from->result_epoch[epoch - 1] - 1];
        }
    }
    rc = trainer_run(h, data, &s, &opt, &hooks, &c->result, &c->e);
    split_release(&s);
    return rc;
}

static int
same_figures(const struct epoch_metrics *a, const struct epoch_metrics *b)
{
    return a->epoch == b->epoch && a->train_loss == b->train_loss &&
           a->train_acc == b->train_acc && a->test_loss == b->test_loss &&
           a->test_acc == b->test_acc && a->lr == b->lr &&
           !memcmp(&a->val_loss, &b->val_loss, sizeof a->val_loss) &&
           !memcmp(&a->val_acc, &b->val_acc, sizeof a->val_acc);
}

static int
same_checkpoint(const struct checkpoint *a, const struct checkpoint *b)
{
    return a->epoch == b->epoch && a->weights_size == b->weights_size &&
           a->state_size == b->state_size &&
           !memcmp(a->weights, b->weights, a->weights_size) &&
           (!a->state || !memcmp(a->state, b->state, a->state_size));
}

static void
same_predictions(const struct predictions *a, const struct predictions *b)
{
    ck_assert_uint_eq(a->n, b->n);
    ck_assert(!memcmp(a->images, b->images, a->n * sizeof *a->images));
    ck_assert(!memcmp(a->truth, b->truth, a->n));
    ck_assert(!memcmp(a->predicted, b->predicted, a->n));
    ck_assert(!memcmp(a->p, b->p, a->n * 10 * sizeof *a->p));
}

/* Epochs from `epoch` on, and what they led to, are the same bits. */
static void
same_from(const struct record *a, const struct record *b, int epoch)
{
    ck_assert_int_eq(a->max_epoch, b->max_epoch);
    for (int i = epoch - 1; i < a->max_epoch; i++) {
        ck_assert_msg(same_figures(&a->epochs[i], &b->epochs[i]), "epoch %d",
                      i + 1);
        ck_assert(!memcmp(&a->confusion[i], &b->confusion[i],
                          sizeof a->confusion[i]));
        ck_assert_msg(same_checkpoint(&a->last[i], &b->last[i]), "epoch %d",
                      i + 1);
        ck_assert_int_eq(a->result_epoch[i], b->result_epoch[i]);
    }
    ck_assert_int_eq(a->result.result_epoch, b->result.result_epoch);
    same_predictions(&a->result.predictions, &b->result.predictions);
}

/* The predictions of the result and its epoch's figures agree exactly. */
static void
result_agrees(const struct record *c)
{
    const struct predictions *p = &c->result.predictions;
    int at = c->result.result_epoch - 1;
    uint32_t right = 0;

    ck_assert_int_ge(at, 0);
    for (uint32_t i = 0; i < p->n; i++) {
        const float *row = p->p + (size_t)i * 10;
        float sum = 0;

        right += p->truth[i] == p->predicted[i];
        for (int k = 0; k < 10; k++) {
            sum += row[k];
            ck_assert(row[k] <= row[p->predicted[i]]);
        }
        ck_assert_float_eq_tol(sum, 1, 1e-6);
        ck_assert_uint_eq(p->truth[i], data->labels[p->images[i]]);
    }
    ck_assert_uint_eq(right, confusion_correct(&c->confusion[at]));
    ck_assert(c->epochs[at].test_acc == (double)right / p->n);
}

static void
finishes(const struct hyper *h, int threads, struct record *c)
{
    int rc = train(h, threads, NULL, 0, c);

    ck_assert_msg(rc == 0, "%s", c->e.msg);
    ck_assert_int_eq(c->result.end, TRAINER_FINISHED);
    result_agrees(c);
}

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
    ck_assert_int_eq(
        trainer_predict(h.spec, c.last[0].weights, c.last[0].weights_size, data,
                        s.images[PART_TRAIN], s.n[PART_TRAIN], kern, 1, &p, &e),
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

struct variety {
    const char *spec;
    const char *pairs[9]; /* field, value, … */
};

static const struct variety VARIETIES[] = {
    {ANN, {"momentum", "0.9", "nesterov", "1", "weight_decay", "0.001"}},
    {ANN, {"schedule", "cosine", "warmup", "1", "lr", "0.1"}},
    {ANN, {"optimizer", "adam", "lr", "0.003", "augment", "shift:2+erase:5"}},
    {CNN, {"optimizer", "adamw", "lr", "0.01", "weight_decay", "0.01"}},
    {CNN,
     {"val_fraction", "0.2", "label_smoothing", "0.1", "schedule", "onecycle"}},
    {ANN, {"val_fraction", "0.25", "patience", "2", "lr", "0.8"}},
};

START_TEST(resumes_to_the_same_bits)
{
    const struct variety *v = &VARIETIES[_i];
    struct hyper h;
    struct record whole = {0};

    configure(&h, v->spec);
    for (int i = 0; v->pairs[i]; i += 2) {
        struct err e = {0};

        ck_assert_msg(
            hyper_set(&h, hyper_field(v->pairs[i]), v->pairs[i + 1], &e) == 0,
            "%s", e.msg);
    }
    finishes(&h, 2, &whole);
    for (int epoch = 1; epoch < whole.max_epoch; epoch++) {
        struct record c = {0};

        ck_assert_int_eq(train(&h, 1, &whole, epoch, &c), 0);
        ck_assert_int_eq(c.reports, whole.max_epoch - epoch);
        same_from(&whole, &c, epoch + 1);
        record_release(&c);
    }
    record_release(&whole);
}
END_TEST

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
    h.lr = 1e-4;
    h.schedule = SCHED_STEP;
    h.step_size = 1;
    h.gamma = 1e10;
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
    int best = 0;

    configure(&h, ANN);
    h.val_fraction = 0.25;
    h.lr = 0.8;
    h.epochs = 12;
    h.patience = 3;
    c.due_every = 5;
    finishes(&h, 1, &c);
    for (int i = 1; i < c.max_epoch; i++) {
        if (c.epochs[i].val_loss < c.epochs[best].val_loss) {
            best = i;
        }
        ck_assert_int_eq(c.result_epoch[i], best + 1);
        ck_assert(!c.best[i].weights == (best != i));
        ck_assert(!c.best[i].weights || c.last[i].weights);
    }
    ck_assert_int_eq(c.result.result_epoch, best + 1);
    ck_assert_int_lt(c.max_epoch, 12);
    ck_assert_int_eq(c.max_epoch, best + 1 + 3);
    ck_assert_int_eq(c.final[c.max_epoch - 1], 1);
    ck_assert_ptr_nonnull(c.last[c.max_epoch - 1].weights);
    record_release(&c);
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

START_TEST(predicts_with_stored_weights)
{
    struct hyper h;
    struct record c = {0};
    struct predictions p;
    struct err e = {0};

    configure(&h, CNN);
    h.epochs = 1;
    finishes(&h, 2, &c);
    ck_assert_int_eq(trainer_predict(h.spec, c.last[0].weights,
                                     c.last[0].weights_size, data,
                                     c.result.predictions.images,
                                     c.result.predictions.n, kern, 1, &p, &e),
                     0);
    same_predictions(&c.result.predictions, &p);
    predictions_release(&p);
    ck_assert_int_eq(trainer_predict(h.spec, c.last[0].weights,
                                     c.last[0].weights_size, data, NULL,
                                     data->n, kern, 3, &p, &e),
                     0);
    ck_assert_uint_eq(p.n, 200);
    ck_assert_uint_eq(p.images[199], 199);
    predictions_release(&p);
    ck_assert_int_lt(trainer_predict(ANN, c.last[0].weights,
                                     c.last[0].weights_size, data, NULL,
                                     data->n, kern, 1, &p, &e),
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
        struct trainer_options opt = {.kern = kern, .threads = 1};
        const struct trainer_hooks none = {0};
        struct split s;
        int rc;

        part(&h, &s);
        mem_fail_at(n, 0);
        rc = trainer_run(&h, data, &s, &opt, &none, &c.result, &c.e);
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
    int n = (int)(sizeof VARIETIES / sizeof *VARIETIES);

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, learns);
    tcase_add_test(tc, epoch_means);
    tcase_add_test(tc, same_bits_with_any_threads);
    tcase_add_loop_test(tc, resumes_to_the_same_bits, 0, n);
    tcase_add_test(tc, resumes_at_the_end);
    tcase_add_test(tc, resume_refuses_what_does_not_fit);
    tcase_add_test(tc, diverges);
    tcase_add_test(tc, diverges_late);
    tcase_add_test(tc, stops_after_the_epoch);
    tcase_add_test(tc, stops_at_once);
    tcase_add_test(tc, best_epoch_and_patience);
    tcase_add_test(tc, earliest_of_ties_is_best);
    tcase_add_test(tc, predicts_with_stored_weights);
    tcase_add_test(tc, hook_errors_end_the_run);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, memory_failures);
    tcase_add_test(tc, paces);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
