/* SPDX-License-Identifier: MIT */
/* What a run has recorded, and whether an epoch trained again is like it. */
#ifndef FMNIST_QUEUE_RECORDED_H
#define FMNIST_QUEUE_RECORDED_H

#include "fmnist/verify.h"

struct recorded {
    struct store *store;
    struct run run;
    struct epoch_metrics *epochs; /* run.epochs_done of them; no times */
    struct checkpoint last, best; /* weights NULL: not stored */
    char diverged[64];            /* "diverged in epoch 3, batch 17", or "" */
};

/* Reads it; release it in any case.  ERR_NOTFOUND where nothing is recorded. */
int recorded_load(struct recorded *r, struct store *s, int64_t id,
                  struct err *e) MUST_CHECK;
void recorded_release(struct recorded *r);

/* Whether a checkpoint of that epoch is stored. */
int recorded_has_weights(const struct recorded *r, int epoch);

/* How much the test accuracy varies from epoch to epoch: the root mean square
 * of its steps over the later half; 0 where there are none. */
double recorded_wobble(const struct recorded *r);

/*
 * Whether a new epoch, and the predictions of the result, are as recorded: 1
 * with what was compared counted in *out, or 0 with the first difference in it.
 * Negative: the record cannot be read.  images: those of the test part.
 */
int recorded_epoch_is(const struct recorded *r, const struct epoch_report *now,
                      const uint32_t *images, struct verify_report *out,
                      struct err *e) MUST_CHECK;
int recorded_result_is(const struct recorded *r, const struct predictions *now,
                       struct verify_report *out, struct err *e) MUST_CHECK;

/* Makes *out say that there is a difference, with its text; returns 0. */
int verify_differs(struct verify_report *out, int epoch, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
