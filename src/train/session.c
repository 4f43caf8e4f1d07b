/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "train/session.h"

#include <string.h>

#include "fmnist/mem.h"

/* Evaluation has no reason to go by small batches, and none to need the memory
 * of very large ones. */
#define EVAL_MIN 64
#define EVAL_MAX 256

static int
eval_batch(const struct hyper *h, const struct split *s)
{
    uint32_t most =
        s->n[PART_TEST] > s->n[PART_VAL] ? s->n[PART_TEST] : s->n[PART_VAL];
    int n = h->batch_size > EVAL_MAX ? EVAL_MAX : (int)h->batch_size;

    if (n < EVAL_MIN) {
        n = EVAL_MIN;
    }
    return (uint32_t)n < most ? n : (int)most;
}

static int
build_network(struct session *t, const struct trainer_options *opt,
              struct err *e)
{
    const struct hyper *h = t->h;
    const struct optim_options oo = {
        .kind = (enum optimizer)h->optimizer,
        .momentum = h->momentum,
        .nesterov = h->nesterov,
        .weight_decay = h->weight_decay,
    };
    struct model_options mo = {.threads = opt->threads, .train = 1};
    struct spec spec;
    int rc = spec_parse(h->spec, &spec, e);

    mo.max_batch = eval_batch(h, t->split);
    if (mo.max_batch < h->batch_size) {
        mo.max_batch = (int)h->batch_size;
    }
    if (rc == 0) {
        rc = model_new(&spec, opt->kern, &mo, &t->model, e);
    }
    if (rc == 0) {
        model_init(t->model, (uint64_t)h->seed);
        rc = optim_new(t->model, &oo, &t->optim, e);
    }
    return rc;
}

static int
build_feeds(struct session *t, const struct dataset *d, struct err *e)
{
    const struct split *s = t->split;
    struct batch_options bo = {
        .batch_size = (int)t->h->batch_size,
        .prefetch = 1,
        .seed = (uint64_t)t->h->seed,
        .shuffle = 1,
    };
    int batch = eval_batch(t->h, s);
    int rc = augment_parse(t->h->augment, &t->augment, e);

    if (rc == 0) {
        bo.augment = augment_is_none(&t->augment) ? NULL : &t->augment;
        rc = batch_feed_new(d, s->images[PART_TRAIN], s->n[PART_TRAIN], &bo,
                            &t->feed, e);
    }
    if (rc == 0) {
        rc = evaluator_new(t->model, d, s->images[PART_TEST], s->n[PART_TEST],
                           batch, &t->test, e);
    }
    if (rc == 0 && s->n[PART_VAL] > 0) {
        rc = evaluator_new(t->model, d, s->images[PART_VAL], s->n[PART_VAL],
                           batch, &t->val, e);
    }
    return rc;
}

static int
build_outcomes(struct session *t, struct err *e)
{
    uint32_t n = t->split->n[PART_TEST];
    int rc = outcome_init(&t->now, n, e);

    if (rc == 0) {
        rc = outcome_init(&t->trial, n, e);
    }
    if (rc == 0 && t->val) {
        rc = outcome_init(&t->best, n, e);
    }
    if (rc == 0 && t->val) {
        rc = outcome_init(&t->trial_val, t->split->n[PART_VAL], e);
    }
    return rc;
}

int
session_init(struct session *t, const struct hyper *h, const struct dataset *d,
             const struct split *s, const struct trainer_options *opt,
             const struct trainer_hooks *hooks, struct err *e)
{
    uint32_t n = s->n[PART_TRAIN];
    int rc;

    memset(t, 0, sizeof *t);
    t->h = h;
    t->split = s;
    t->hooks = hooks;
    t->batches = (int)((n + h->batch_size - 1) / h->batch_size);
    t->schedule = (struct schedule_options){
        .kind = (enum schedule)h->schedule,
        .lr = h->lr,
        .epochs = (int)h->epochs,
        .steps_per_epoch = t->batches,
        .warmup = (int)h->warmup,
        .step_size = (int)h->step_size,
        .gamma = h->gamma,
    };
    t->last_recorded = 1;
    t->best_recorded = 1;
    rc = build_network(t, opt, e);
    if (rc == 0) {
        rc = build_feeds(t, d, e);
    }
    if (rc == 0) {
        rc = build_outcomes(t, e);
    }
    return rc;
}

void
session_release(struct session *t)
{
    checkpoint_release(&t->last);
    checkpoint_release(&t->last_best);
    outcome_release(&t->now);
    outcome_release(&t->best);
    outcome_release(&t->trial);
    outcome_release(&t->trial_val);
    evaluator_free(t->val);
    evaluator_free(t->test);
    batch_feed_free(t->feed);
    optim_free(t->optim);
    model_free(t->model);
    memset(t, 0, sizeof *t);
}

/* The predictions of the best epoch so far, by its weights. */
static int
resume_best(struct session *t, const struct checkpoint *best, struct err *e)
{
    int rc;

    if (!best || best->epoch != t->at.best_epoch) {
        return err_set(e, ERR_FAIL,
                       "the checkpoint of epoch %d needs the best weights, of "
                       "epoch %d, to go on",
                       t->at.epoch, t->at.best_epoch);
    }
    rc = model_load(t->model, best->weights, best->weights_size, e);
    if (rc < 0) {
        return err_wrap(e, rc, "the weights of the best epoch");
    }
    evaluator_run(t->test, &t->best);
    return 0;
}

int
session_resume(struct session *t, const struct checkpoint *last,
               const struct checkpoint *best, struct err *e)
{
    int rc = checkpoint_restore(last, t->model, t->optim, &t->at, e);

    if (rc < 0) {
        return rc;
    }
    if (optim_steps(t->optim) != (uint64_t)t->at.epoch * t->batches) {
        return err_set(e, ERR_FAIL,
                       "the checkpoint of epoch %d is of a run with another "
                       "number of batches an epoch",
                       last->epoch);
    }
    if (t->at.best_epoch > 0 && t->val) {
        rc = resume_best(t, best, e);
    }
    if (rc == 0 && t->val) {
        rc = model_load(t->model, last->weights, last->weights_size, e);
    }
    if (rc == 0) {
        evaluator_run(t->test, &t->now);
    }
    return rc;
}
