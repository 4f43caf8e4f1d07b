/* SPDX-License-Identifier: MIT */
/* A run in memory: what trainer_run builds, loops over, and frees. */
#ifndef FMNIST_TRAIN_SESSION_H
#define FMNIST_TRAIN_SESSION_H

#include "fmnist/batch.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/pace.h"
#include "train/predictions.h"

struct session {
    const struct hyper *h;
    const struct split *split;
    const struct trainer_hooks *hooks;

    struct model *model;
    struct optim *optim;
    struct augment augment;
    struct batch_feed *feed;
    struct evaluator *val, *test; /* val is NULL without a validation part */
    struct schedule_options schedule;
    int batches; /* of an epoch */
    struct pace pace;
    enum trainer_verdict verdict;

    /* As of the last finished epoch. */
    struct progress at;
    struct epoch_metrics metrics;
    struct outcome now;     /* on the test part */
    struct outcome best;    /* of at.best_epoch; with a validation part */
    struct checkpoint last; /* of that epoch, always: a stop or a divergence
                                   inside the next one needs it */
    struct checkpoint last_best; /* weights of at.best_epoch, if not those of
                                   `last` or of a run that was resumed */
    int last_recorded, best_recorded; /* whether they have been handed over */

    /* Of the epoch being evaluated, until its figures are known to be good. */
    struct outcome trial, trial_val;
};

/* Builds everything; d, h, s and hooks are borrowed.  Release in any case. */
int session_init(struct session *t, const struct hyper *h,
                 const struct dataset *d, const struct split *s,
                 const struct trainer_options *opt,
                 const struct trainer_hooks *hooks, struct err *e) MUST_CHECK;
/* Goes to the end of the epoch of a checkpoint. */
int session_resume(struct session *t, const struct checkpoint *last,
                   const struct checkpoint *best, struct err *e) MUST_CHECK;
void session_release(struct session *t);

#endif
