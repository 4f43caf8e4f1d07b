/* SPDX-License-Identifier: MIT */
/* How fast a run goes, and when it will end. */
#ifndef FMNIST_TRAIN_PACE_H
#define FMNIST_TRAIN_PACE_H

/*
 * The rate is the mean over time with an exponentially fading memory of about
 * PACE_MEMORY seconds (before that, the plain mean), so that an ETA follows a
 * machine that gets busy without jumping at each batch.
 */
#define PACE_MEMORY 10.0

struct pace {
    double rate;        /* images a second */
    double elapsed;     /* seconds that went into it */
    long n;             /* batches that did */
    double end_seconds; /* of the last epoch's evaluation and record */
    int known;          /* whether end_seconds has been measured */
};

/* A batch of n images took `seconds`. */
void pace_batch(struct pace *p, int n, double seconds);
/* The end of an epoch (evaluation, checkpoint, record) took `seconds`. */
void pace_epoch_end(struct pace *p, double seconds);

/* Seconds for so many images and ends of epochs, each of which evaluates
 * n_eval images; NaN until a few batches are done. */
double pace_eta(const struct pace *p, double images, double ends,
                double n_eval);

#endif
