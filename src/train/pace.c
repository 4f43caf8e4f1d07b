/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "train/pace.h"

#include <math.h>

/* The first batches pay for page faults and sleeping threads. */
#define MIN_BATCHES 3

/* A guess of what evaluating an image costs beside training on it, until the
 * first epoch's end has been measured: the forward third. */
#define EVAL_SHARE 0.35

void
pace_batch(struct pace *p, int n, double seconds)
{
    double memory;

    /* A clock that did not move says nothing. */
    if (!(seconds > 0)) {
        return;
    }
    p->elapsed += seconds;
    p->n++;
    memory = p->elapsed < PACE_MEMORY ? p->elapsed : PACE_MEMORY;
    if (seconds >= memory) {
        p->rate = n / seconds;
    } else {
        p->rate += (n / seconds - p->rate) * seconds / memory;
    }
}

void
pace_epoch_end(struct pace *p, double seconds)
{
    p->end_seconds = seconds > 0 ? seconds : 0;
    p->known = 1;
}

double
pace_eta(const struct pace *p, double images, double ends, double n_eval)
{
    double end;

    if (p->n < MIN_BATCHES || !(p->rate > 0)) {
        return NAN;
    }
    end = p->known ? p->end_seconds : n_eval * EVAL_SHARE / p->rate;
    return images / p->rate + ends * end;
}
