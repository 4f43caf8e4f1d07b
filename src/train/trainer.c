/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/trainer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "fmnist/sys.h"
#include "train/session.h"

/* Sums of the epoch being trained. */
struct epoch_sums {
    int epoch;
    double loss; /* of images, in the order of training */
    uint32_t correct, n;
    double lr;         /* of the last step */
    double start, end; /* of training, on the monotonic clock */
};

/* Whether the run goes on after a batch: 0, or 1 to drop the epoch. */
static int
report_batch(struct session *t, const struct epoch_sums *s, int batch)
{
    const struct trainer_hooks *k = t->hooks;
    double left, ends = (double)(t->h->epochs - s->epoch + 1);
    struct batch_report r = {
        .epoch = s->epoch,
        .epochs = (int)t->h->epochs,
        .batch = batch,
        .batches = t->batches,
        .loss = s->loss / s->n,
        .acc = (double)s->correct / s->n,
        .samples_per_second = t->pace.rate,
    };

    if (!k->batch) {
        return 0;
    }
    left = ends * t->split->n[PART_TRAIN] - s->n;
    r.eta_seconds =
        pace_eta(&t->pace, left, ends,
                 (double)t->split->n[PART_TEST] + t->split->n[PART_VAL]);
    t->verdict = k->batch(&r, k->arg);
    return t->verdict == TRAINER_STOP_NOW;
}

/*
 * Trains one epoch.  1: stopped inside it.  ERR_DIVERGED leaves the model with
 * what made the loss what it is.
 */
static int
train_epoch(struct session *t, struct epoch_sums *s, struct err *e)
{
    struct model_step step = {
        .seed = (uint64_t)t->h->seed,
        .epoch = (uint32_t)s->epoch,
        .label_smoothing = t->h->label_smoothing,
    };
    double before, now;
    struct batch b;

    s->start = before = sys_monotonic();
    batch_feed_start(t->feed, (uint32_t)s->epoch);
    for (int i = 1; batch_feed_next(t->feed, &b); i++) {
        double loss;
        int correct;

        step.position = s->n;
        model_train_batch(t->model, b.x, b.labels, b.n, &step, &loss, &correct);
        if (!isfinite(loss)) {
            return err_set(e, ERR_DIVERGED, "diverged in epoch %d, batch %d",
                           s->epoch, i);
        }
        s->lr = schedule_lr(&t->schedule, optim_steps(t->optim));
        optim_step(t->optim, s->lr);
        s->loss += loss;
        s->correct += (uint32_t)correct;
        s->n += (uint32_t)b.n;
        now = sys_monotonic();
        pace_batch(&t->pace, b.n, now - before);
        before = now;
        if (report_batch(t, s, i)) {
            return 1;
        }
    }
    s->end = sys_monotonic();
    return 0;
}

/* Evaluates the weights at the end of an epoch into the trial outcomes. */
static int
evaluate_epoch(struct session *t, int epoch, struct err *e)
{
    if (t->val) {
        evaluator_run(t->val, &t->trial_val);
    }
    evaluator_run(t->test, &t->trial);
    /* The last step was one too far. */
    if (!isfinite(t->trial.loss) || (t->val && !isfinite(t->trial_val.loss))) {
        return err_set(e, ERR_DIVERGED, "diverged in epoch %d, batch %d", epoch,
                       t->batches);
    }
    return 0;
}

static void
fill_metrics(struct session *t, const struct epoch_sums *s)
{
    double trained = s->end - s->start;

    t->metrics = (struct epoch_metrics){
        .epoch = s->epoch,
        .train_loss = s->loss / s->n,
        .train_acc = (double)s->correct / s->n,
        .val_loss = t->val ? t->trial_val.loss : NAN,
        .val_acc = t->val ? t->trial_val.acc : NAN,
        .test_loss = t->trial.loss,
        .test_acc = t->trial.acc,
        .lr = s->lr,
        .seconds = sys_monotonic() - s->start,
        .samples_per_second = trained > 0 ? s->n / trained : NAN,
    };
}

/* Makes the trial the last finished epoch. */
static void
accept(struct session *t, const struct epoch_sums *s)
{
    struct outcome old = t->now;

    fill_metrics(t, s);
    t->now = t->trial;
    t->trial = old;
    t->at.epoch = s->epoch;
    if (t->at.peak_epoch == 0 || t->now.acc > t->at.peak_acc) {
        t->at.peak_epoch = s->epoch;
        t->at.peak_acc = t->now.acc;
    }
    if (t->val &&
        (t->at.best_epoch == 0 || t->trial_val.loss < t->at.best_loss)) {
        size_t n = t->split->n[PART_TEST];

        t->at.best_epoch = s->epoch;
        t->at.best_loss = t->trial_val.loss;
        t->best_recorded = 0;
        memcpy(t->best.predicted, t->now.predicted, n);
        memcpy(t->best.p, t->now.p, n * N_CLASSES * sizeof *t->now.p);
    }
}

/* Replaces `last`; weights that are the best so far are kept. */
static int
take_checkpoint(struct session *t, int best_before, struct err *e)
{
    if (t->last.weights && t->last.epoch == best_before) {
        checkpoint_release(&t->last_best);
        checkpoint_move_weights(&t->last_best, &t->last);
    }
    return checkpoint_take(&t->last, t->model, t->optim, &t->at, e);
}

static int
result_epoch(const struct session *t)
{
    return t->val ? t->at.best_epoch : t->at.epoch;
}

/* Hands the last finished epoch over. */
static int
report_epoch(struct session *t, int due, int final, struct err *e)
{
    const struct trainer_hooks *k = t->hooks;
    const struct checkpoint now = {
        .epoch = t->last.epoch,
        .weights = t->last.weights,
        .weights_size = t->last.weights_size,
    };
    const struct checkpoint *best =
        t->at.best_epoch == now.epoch ? &now : &t->last_best;
    const struct epoch_report r = {
        .metrics = &t->metrics,
        .confusion = &t->now.confusion,
        .predicted = t->now.predicted,
        .n_test = t->split->n[PART_TEST],
        .last = due ? &t->last : NULL,
        .best = due && !t->best_recorded ? best : NULL,
        .result_epoch = result_epoch(t),
        .result_val_loss = t->val ? t->at.best_loss : NAN,
        .peak_epoch = t->at.peak_epoch,
        .peak_test_acc = t->at.peak_acc,
        .final = final,
    };

    t->last_recorded = due;
    t->best_recorded |= due;
    return k->epoch ? k->epoch(&r, k->arg, e) : 0;
}

/* Whether the last finished epoch is the last that was asked for. */
static int
is_complete(const struct session *t)
{
    const struct hyper *h = t->h;

    return t->at.epoch >= h->epochs ||
           (h->patience > 0 && t->at.best_epoch > 0 &&
            t->at.epoch - t->at.best_epoch >= h->patience);
}

/* Whether no epoch follows. */
static int
is_over(const struct session *t)
{
    return is_complete(t) || t->verdict != TRAINER_GO;
}

/* Evaluates, keeps and reports the epoch that has just been trained. */
static int
end_epoch(struct session *t, const struct epoch_sums *s, struct err *e)
{
    const struct trainer_hooks *k = t->hooks;
    int best_before = t->at.best_epoch;
    int rc = evaluate_epoch(t, s->epoch, e);
    int final, due;

    if (rc < 0) {
        return rc;
    }
    accept(t, s);
    rc = take_checkpoint(t, best_before, e);
    if (rc < 0) {
        return rc;
    }
    final = is_over(t);
    due = !k->checkpoint_due || k->checkpoint_due(s->epoch, k->arg);
    rc = report_epoch(t, due || final, final, e);
    pace_epoch_end(&t->pace, sys_monotonic() - s->end);
    return rc;
}

/* Epochs until the run is over.  1: stopped. */
static int
train(struct session *t, struct err *e)
{
    while (!is_over(t)) {
        struct epoch_sums s = {.epoch = t->at.epoch + 1};
        int rc = train_epoch(t, &s, e);

        if (rc == 0) {
            rc = end_epoch(t, &s, e);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return !is_complete(t);
}

struct train_job {
    struct session *session;
    struct err *e;
    int rc;
};

static void
train_in_session(void *arg)
{
    struct train_job *j = arg;

    j->rc = train(j->session, j->e);
}

/*
 * A run that ends inside an epoch may owe the checkpoint of the one before;
 * `rc` is what it ended with.
 */
static int
settle(struct session *t, int rc, struct err *e)
{
    int hook = 0;

    if ((rc == 1 || rc == ERR_DIVERGED) && !t->last_recorded) {
        struct err own = {0};

        hook = report_epoch(t, 1, 1, &own);
        if (hook < 0 && e) {
            *e = own;
        }
    }
    return hook < 0 ? hook : rc;
}

static void
fill_result(struct session *t, int rc, struct trainer_result *out)
{
    if (rc < 0 && rc != ERR_DIVERGED) {
        predictions_release(&out->predictions);
        return;
    }
    if (rc >= 0) {
        out->end = rc == 1 ? TRAINER_STOPPED : TRAINER_FINISHED;
    }
    out->epochs_done = t->at.epoch;
    out->result_epoch = result_epoch(t);
    if (t->at.epoch > 0) {
        predictions_take(&out->predictions, t->val ? &t->best : &t->now);
    } else {
        predictions_release(&out->predictions);
    }
}

int
trainer_run(const struct hyper *h, const struct dataset *d,
            const struct split *s, const struct trainer_options *opt,
            const struct trainer_hooks *hooks, struct trainer_result *out,
            struct err *e)
{
    struct session t;
    int rc = trainer_check(h, s, e);

    assert(opt->threads >= 1);
    memset(out, 0, sizeof *out);
    out->end = TRAINER_FAILED;
    if (rc < 0) {
        return rc;
    }
    kern_thread_init();
    rc = session_init(&t, h, d, s, opt, hooks, e);
    if (rc == 0) {
        rc = predictions_init(&out->predictions, d, s->images[PART_TEST],
                              s->n[PART_TEST], e);
    }
    if (rc == 0 && opt->resume) {
        rc = session_resume(&t, opt->resume, opt->resume_best, e);
    }
    if (rc < 0) {
        predictions_release(&out->predictions);
    } else {
        struct train_job job = {&t, e, 0};

        model_session(t.model, train_in_session, &job);
        rc = settle(&t, job.rc, e);
        fill_result(&t, rc, out);
    }
    session_release(&t);
    return rc < 0 ? rc : 0;
}

void
trainer_result_release(struct trainer_result *r)
{
    predictions_release(&r->predictions);
    memset(r, 0, sizeof *r);
}

/* BatchNorm over one value has no variance. */
static int
check_batchnorm(const struct hyper *h, uint32_t n, struct err *e)
{
    struct spec spec;
    int rc = spec_parse(h->spec, &spec, e);
    int layer;

    if (rc < 0) {
        return err_wrap(e, rc, "--spec");
    }
    layer = spec_bn_single(&spec);
    if (layer < 0) {
        return 0;
    }
    if (h->batch_size == 1) {
        return err_set(e, ERR_USAGE,
                       "--batch-size: layer %d (bn) would see one value a "
                       "channel in a batch of 1 image; choose 2 or more",
                       layer);
    }
    if (n % h->batch_size == 1) {
        return err_set(e, ERR_USAGE,
                       "--batch-size: %u training images in batches of %lld "
                       "leave a last batch of 1, in which layer %d (bn) would "
                       "see one value a channel; choose another size",
                       n, h->batch_size, layer);
    }
    return 0;
}

int
trainer_check(const struct hyper *h, const struct split *s, struct err *e)
{
    uint32_t n = s->n[PART_TRAIN];
    struct hyper settled = *h;
    int rc = hyper_check(&settled, e);

    if (rc < 0) {
        return rc;
    }
    if (h->batch_size > n) {
        return err_set(e, ERR_USAGE,
                       "--batch-size: %lld is more than the %u images of the "
                       "training part",
                       h->batch_size, n);
    }
    if (s->n[PART_TEST] == 0) {
        return err_set(e, ERR_USAGE,
                       "--test-fraction: there is no test part to report on; "
                       "choose a number above 0");
    }
    return check_batchnorm(h, n, e);
}
