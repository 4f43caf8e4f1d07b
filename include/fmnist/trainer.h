/* SPDX-License-Identifier: MIT */
/* The training loop: epochs, evaluation, checkpoints, stopping. */
#ifndef FMNIST_TRAINER_H
#define FMNIST_TRAINER_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"
#include "fmnist/hyper.h"
#include "fmnist/kern.h"
#include "fmnist/metrics.h"
#include "fmnist/split.h"

/* Raised when a release changes any bit of any result. */
#define NUMERICS 1

/* Figures of one epoch.  Accuracies are fractions; what a run has no part for
 * is NaN, and so is a loss that is not finite. */
struct epoch_metrics {
    int epoch;                    /* from 1 */
    double train_loss, train_acc; /* in training mode, as trained */
    double val_loss, val_acc, test_loss, test_acc; /* evaluation mode; losses
                                                      without smoothing */
    double lr;                 /* of the epoch's last step */
    double seconds;            /* training and evaluation */
    double samples_per_second; /* training images over training time */
};

/* A checkpoint: two safetensors files (see model_save, optim_save). */
struct checkpoint {
    int epoch;
    void *weights, *state; /* mem_alloc'ed */
    size_t weights_size, state_size;
};
void checkpoint_release(struct checkpoint *c);
/* Whether a run of h could have made c, as far as names, types and shapes of
 * the tensors and the epoch tell; the numbers themselves may be any.  c may be
 * hostile; its state may be NULL. */
int checkpoint_check(const struct checkpoint *c, const struct hyper *h,
                     struct err *e) MUST_CHECK;
/* Compares the tensors of two checkpoints that checkpoint_check accepts, of
 * weights and, where both have one, of the state; else its error. */
int checkpoint_compare(const struct checkpoint *a, const struct checkpoint *b,
                       const struct hyper *h, struct tensor_difference *out,
                       struct err *e) MUST_CHECK;

/* What a finished epoch hands over; all borrowed during the callback. */
struct epoch_report {
    const struct epoch_metrics *metrics;
    const struct confusion *confusion; /* of the test part */
    const uint8_t *predicted;          /* test part, ascending image order */
    uint32_t n_test;
    const struct checkpoint *last; /* NULL where none is due at this epoch */
    const struct checkpoint *best; /* with `last`: the weights, without state,
                                      of the best epoch so far; NULL where they
                                      have been handed over */
    int result_epoch;              /* as of now */
    double result_val_loss; /* of that epoch; NaN without a validation part */
    int peak_epoch; /* of the highest test_acc so far; shown, not used */
    double peak_test_acc;
    int final; /* no epoch follows: all done, patience out, or stopped */
};

struct batch_report {
    int epoch, epochs;
    int batch, batches;
    double loss, acc;          /* running means of the epoch */
    double samples_per_second; /* of this run, recent */
    double eta_seconds;        /* to the run's end; NaN while unknown */
};

enum trainer_verdict { TRAINER_GO, TRAINER_STOP_AFTER_EPOCH, TRAINER_STOP_NOW };

struct trainer_hooks {
    /* After each batch.  STOP_NOW drops the part-epoch; STOP_AFTER_EPOCH counts
     * where it is still the answer at the epoch's last batch. */
    enum trainer_verdict (*batch)(const struct batch_report *r, void *arg);
    /* After each epoch; an error ends the run with it.  Writing it down before
     * returning is what makes an epoch durable.  A run that is stopped or
     * diverges inside an epoch reports the one before again, now with its
     * checkpoints and `final`, if those were not due at first. */
    int (*epoch)(const struct epoch_report *r, void *arg, struct err *e);
    /* Whether checkpoints are due now; asked once an epoch.  A final epoch
     * always has them.  NULL: every epoch. */
    int (*checkpoint_due)(int epoch, void *arg);
    void *arg;
};

/* Predictions of one part by given weights. */
struct predictions {
    uint32_t n;
    uint32_t *images;   /* image numbers, ascending */
    uint8_t *truth;     /* NULL where unknown */
    uint8_t *predicted; /* first maximum of the logits */
    float *p;           /* n x 10 probabilities */
};
void predictions_release(struct predictions *p);

struct trainer_options {
    const struct kern *kern;
    int threads;
    const struct checkpoint *resume;      /* NULL: from epoch 1 */
    const struct checkpoint *resume_best; /* with a validation part */
};

enum trainer_end { TRAINER_FINISHED, TRAINER_STOPPED, TRAINER_FAILED };

struct trainer_result {
    enum trainer_end end;
    int epochs_done;
    int result_epoch;               /* 0 where no epoch was done */
    struct predictions predictions; /* of the result, test part */
};

/*
 * Trains h on d with split s, from epoch 1 or a checkpoint.  Returns 0 with
 * out->end FINISHED (all epochs, or patience ran out) or STOPPED (a hook said
 * so); else a code: ERR_DIVERGED ("diverged in epoch 3, batch 17", earlier
 * epochs and checkpoint kept, out holds them), ERR_NOMEM, ERR_USAGE (a batch
 * larger than the training part, a BatchNorm that would see one value a
 * channel), or what a hook returned.
 *
 * With a validation part the result is the epoch of lowest val_loss (earliest
 * on ties), and its weights predict; else the last one.
 */
int trainer_run(const struct hyper *h, const struct dataset *d,
                const struct split *s, const struct trainer_options *opt,
                const struct trainer_hooks *hooks, struct trainer_result *out,
                struct err *e) MUST_CHECK;
void trainer_result_release(struct trainer_result *r);

/* What trainer_run would refuse, before a row is written: values that
 * hyper_check refuses, as a database that was changed by hand may have them,
 * and sizes. */
int trainer_check(const struct hyper *h, const struct split *s,
                  struct err *e) MUST_CHECK;

/* Predicts n images of d (NULL images: all, n = d->n) with stored weights. */
int trainer_predict(const char *spec, const void *weights, size_t size,
                    const struct dataset *d, const uint32_t *images, uint32_t n,
                    const struct kern *kern, int threads,
                    struct predictions *out, struct err *e) MUST_CHECK;

#endif
