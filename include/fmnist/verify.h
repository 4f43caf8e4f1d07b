/* SPDX-License-Identifier: MIT */
/* A recorded run, trained again in memory and held against its record. */
#ifndef FMNIST_VERIFY_H
#define FMNIST_VERIFY_H

#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/store.h"
#include "fmnist/trainer.h"

enum verify_outcome {
    VERIFY_IDENTICAL, /* all that is recorded came out again, bit for bit */
    VERIFY_AGREES,    /* under another kernel or numerics: within the bounds */
    VERIFY_DIFFERS,
    VERIFY_CANNOT, /* nothing can be said */
    N_VERIFY_OUTCOMES
};
/* "identical", "agrees within bounds", "differs", "cannot". */
extern const char *const VERIFY_NAMES[N_VERIFY_OUTCOMES];

struct verify_report {
    enum verify_outcome outcome;
    int epochs;         /* trained up to here, and found as recorded */
    int tensors;        /* of stored checkpoints, likewise */
    int differs_at;     /* DIFFERS: the first epoch that does; 0: none did */
    char tensor[64];    /* DIFFERS: the tensor that does, or "" */
    const char *kernel; /* that it was trained with; NULL: it was not */
    char text[512];     /* what was found, or why nothing was: one line without
                           the outcome's name; may hold raw bytes */
};

struct verify_hooks {
    /* After each batch; nonzero: give up.  `epochs` and the time left are those
     * of what is to be trained again. */
    int (*batch)(const struct batch_report *r, void *arg);
    void (*epoch)(const struct epoch_metrics *m, void *arg);
    void *arg;
};

/*
 * Trains run `id`, whatever its status, from epoch 1 to its last recorded one,
 * and writes nothing.  Compared are the figures of each epoch but its times,
 * its confusion matrix and predicted classes, the stored checkpoints at their
 * epochs, tensor by tensor, and of a finished run that it ends there and its
 * predictions; what was pruned is passed over.  A run that diverged must do so
 * again, in the same batch.  The first difference ends it.
 *
 * Where the recorded kernel or numerics cannot be had, the best kernel here is
 * used instead, and what must agree is
 *  - the training loss of epoch 1, in which rounding has hardly had time to
 *    grow, within VERIFY_LOSS of the recorded one;
 *  - the test accuracy of the result, within verify_bound;
 *  - of a run that diverged, instead: that it does again.
 *
 * Returns 0 with *out filled in; ERR_CANCEL where a hook gave up; ERR_NOMEM.
 */
int verify_run(struct store *s, int64_t id, int threads,
               const struct verify_hooks *hooks, struct verify_report *out,
               struct err *e) MUST_CHECK;

#define VERIFY_LOSS 0.05

/*
 * Three standard errors of the difference of two models' test accuracies, of
 * which a and b of n images are right: of the images drawn (independent
 * binomials, each rate taken as (right + 1) / (n + 2), so that none is certain)
 * and of the training, whose accuracy varies by `wobble` from epoch to epoch.
 */
double verify_bound(uint32_t a, uint32_t b, uint32_t n, double wobble);

#endif
