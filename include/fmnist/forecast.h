/* SPDX-License-Identifier: MIT */
/* What runs to come will take: time, by what earlier ones took, and space in
 * the database. */
#ifndef FMNIST_FORECAST_H
#define FMNIST_FORECAST_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/hyper.h"
#include "fmnist/split.h"
#include "fmnist/store.h"
#include "fmnist/str.h"

/* A run to come, or what is left of one. */
struct forecast_task {
    const char *spec;
    int64_t dataset_id;  /* 0: the database does not know the set */
    uint32_t n[N_PARTS]; /* images of each part */
    long long batch_size;
    int optimizer;
    long long epochs; /* still to train: all, as if patience never ran out */
    int threads;
};

enum forecast_basis {
    FORECAST_UNKNOWN, /* no run has an epoch yet */
    FORECAST_SCALED,  /* other models, by the arithmetic of both */
    FORECAST_LIKE,    /* the same model */
};

struct forecast {
    double seconds; /* NaN: unknown */
    enum forecast_basis basis;
    int runs;       /* earlier runs that it rests on */
    int64_t newest; /* of them */
    int elsewhere;  /* 1: another machine or kernel */
};

/* What earlier runs took, read once; of a store opened for reading too. */
struct forecaster; /* opaque */
/* kernel: the variant that runs to come will use. */
int forecaster_new(struct store *s, const char *kernel, struct forecaster **out,
                   struct err *e) MUST_CHECK;
void forecaster_free(struct forecaster *f);

/*
 * By runs of the same model if there are any, of those preferably on this host
 * and kernel, with as many threads, the same batch size and set; else by the
 * model whose arithmetic is nearest.  Time goes with the images an epoch and
 * the arithmetic of each: forward to evaluate, and backward to train.
 */
void forecast_run(const struct forecaster *f, const struct forecast_task *t,
                  struct forecast *out);
/* "as 3 runs of this model took", "by run 7, another model, on another
 * machine", "unknown: no run has an epoch yet". */
void forecast_words(const struct forecast *f, struct str *out);

/* Seconds until all is done where `workers` (>= 1) take the runs in order, each
 * as one becomes free. */
double forecast_makespan(const double *seconds, size_t n, int workers);

/* What is running and queued now. */
struct forecast_queue {
    int runs;
    int unknown;    /* how many of them have no forecast; left out of: */
    double seconds; /* until all is done */
};
int forecast_queue(const struct forecaster *f, struct store *s, int workers,
                   struct forecast_queue *out, struct err *e) MUST_CHECK;

/*
 * Bytes that a run adds to the database by its end: weights, state of the
 * optimizer, figures, confusion matrices and predictions.  `epochs` of h are
 * taken as trained all.
 */
double forecast_bytes(const struct hyper *h, const uint32_t n[N_PARTS]);
/* Bytes of so many stored images: of the test part, once for all runs that
 * share it. */
double forecast_image_bytes(double images);

#endif
