/* SPDX-License-Identifier: MIT */
/*
 * A model's threads, working in step.
 *
 * OpenMP's own barriers wait by spinning, for longer than a batch takes: on a
 * machine that is busy with anything else a thread that waits then keeps the
 * one it waits for from running, and training is ten times slower.  So the
 * threads are OpenMP's, and the waiting is done here: briefly on the
 * processor, then asleep.
 */
#ifndef FMNIST_NN_TEAM_H
#define FMNIST_NN_TEAM_H

#include "fmnist/err.h"

struct team; /* opaque */

/* Called on every thread: member 0 … members - 1. */
typedef void team_fn(void *arg, int member, int members);

int team_new(int threads, struct team **out, struct err *e) MUST_CHECK;
void team_free(struct team *t);

/* Runs fn on all threads of the team; the caller is member 0.  Not from within
 * fn. */
void team_run(struct team *t, team_fn *fn, void *arg);

/* From within fn only: waits until all members have come here. */
void team_barrier(struct team *t);

/* Keeps the threads at hand while body runs on the calling thread: a team_run
 * within starts none.  Not from within itself. */
void team_session(struct team *t, void (*body)(void *arg), void *arg);

#endif
