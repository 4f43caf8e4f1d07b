/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "train_support.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "fmnist/mem.h"

struct dataset *train_data;
const struct kern *train_kern;

void
train_setup(void)
{
    struct err e = {0};

    train_data = tiny_new(200, 5);
    ck_assert_msg(kern_choose(NULL, &train_kern, &e) == 0, "%s", e.msg);
}

void
train_teardown(void)
{
    dataset_free(train_data);
}

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
        ck_assert_int_eq(r->best->epoch, r->result_epoch);
        ck_assert_ptr_null(r->best->state);
        ck_assert_ptr_nonnull(r->last);
        copy_checkpoint(&c->best[r->best->epoch - 1], r->best);
    }
    return at == c->fail_epoch ? err_set(e, ERR_IO, "disk full") : 0;
}

static int
on_due(int epoch, void *arg)
{
    const struct record *c = arg;

    return epoch % c->due_every == 0;
}

void
record_release(struct record *c)
{
    for (int i = 0; i < MAX_EPOCHS; i++) {
        checkpoint_release(&c->last[i]);
        checkpoint_release(&c->best[i]);
    }
    trainer_result_release(&c->result);
}

void
configure(struct hyper *h, const char *spec)
{
    ck_assert_int_eq(hyper_preset("ann", h, NULL), 0);
    ck_assert_int_eq(hyper_set(h, hyper_field("spec"), spec, NULL), 0);
    h->epochs = 5;
    h->batch_size = 32;
    h->lr = 0.05;
}

void
part(const struct hyper *h, struct split *s)
{
    struct err e = {0};

    ck_assert_msg(split_make(train_data, (uint64_t)h->split_seed,
                             h->test_fraction, h->val_fraction, s, &e) == 0,
                  "%s", e.msg);
}

int
train(const struct hyper *h, int threads, const struct record *from, int epoch,
      struct record *c)
{
    const struct trainer_hooks hooks = {
        .batch = on_batch,
        .epoch = on_epoch,
        .checkpoint_due = c->due_every ? on_due : NULL,
        .arg = c,
    };
    struct trainer_options opt = {.kern = train_kern, .threads = threads};
    struct split s;
    int rc;

    part(h, &s);
    if (from) {
        opt.resume = &from->last[epoch - 1];
        if (from->result_epoch[epoch - 1] && h->val_fraction > 0) {
            opt.resume_best = &from->best[from->result_epoch[epoch - 1] - 1];
        }
    }
    rc = trainer_run(h, train_data, &s, &opt, &hooks, &c->result, &c->e);
    split_release(&s);
    return rc;
}

int
same_figures(const struct epoch_metrics *a, const struct epoch_metrics *b)
{
    return a->epoch == b->epoch && a->train_loss == b->train_loss &&
           a->train_acc == b->train_acc && a->test_loss == b->test_loss &&
           a->test_acc == b->test_acc && a->lr == b->lr &&
           !memcmp(&a->val_loss, &b->val_loss, sizeof a->val_loss) &&
           !memcmp(&a->val_acc, &b->val_acc, sizeof a->val_acc);
}

int
same_checkpoint(const struct checkpoint *a, const struct checkpoint *b)
{
    return a->epoch == b->epoch && a->weights_size == b->weights_size &&
           a->state_size == b->state_size &&
           !memcmp(a->weights, b->weights, a->weights_size) &&
           (!a->state || !memcmp(a->state, b->state, a->state_size));
}

void
same_predictions(const struct predictions *a, const struct predictions *b)
{
    ck_assert_uint_eq(a->n, b->n);
    ck_assert(!memcmp(a->images, b->images, a->n * sizeof *a->images));
    ck_assert(!memcmp(a->truth, b->truth, a->n));
    ck_assert(!memcmp(a->predicted, b->predicted, a->n));
    ck_assert(!memcmp(a->p, b->p, a->n * 10 * sizeof *a->p));
}

void
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
void
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
        ck_assert_uint_eq(p->truth[i], train_data->labels[p->images[i]]);
    }
    ck_assert_uint_eq(right, confusion_correct(&c->confusion[at]));
    ck_assert(c->epochs[at].test_acc == (double)right / p->n);
}

void
finishes(const struct hyper *h, int threads, struct record *c)
{
    int rc = train(h, threads, NULL, 0, c);

    ck_assert_msg(rc == 0, "%s", c->e.msg);
    ck_assert_int_eq(c->result.end, TRAINER_FINISHED);
    result_agrees(c);
}
