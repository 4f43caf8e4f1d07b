/* SPDX-License-Identifier: MIT */
/* One run from its row to its result: load, train, record. */
#ifndef FMNIST_RUNNER_H
#define FMNIST_RUNNER_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"
#include "fmnist/store.h"
#include "fmnist/trainer.h"

/*
 * Finds a data set by what the user typed: "small", "full", a name registered
 * in the database (its recorded source is loaded, its identity compared: a
 * difference is an error naming both), else a path.  s may be NULL: no names.
 */
int runner_data(struct store *s, const char *word, struct dataset **out,
                struct err *e) MUST_CHECK;

struct runner_hooks {
    /* As in trainer_hooks; called after the row is written, once for each
     * epoch that is new.  May be NULL.  Where a run goes on after a crash, a
     * verdict counts only once the epochs recorded before are trained again. */
    enum trainer_verdict (*batch)(const struct batch_report *r, void *arg);
    void (*epoch)(const struct epoch_report *r, void *arg);
    void *arg;
};

/*
 * Trains the queued run `id` on d and records everything.  d is loaded already;
 * its identity must be the run's, else the run fails and the message names
 * both.  It goes on from its checkpoint if it has one, whose kernel and
 * numerics must be these, else it stays queued.  The run ends finished, stopped
 * or failed; a failure is also returned.
 */
int runner_execute(struct store *s, int64_t id, const struct dataset *d,
                   const struct kern *k, int threads,
                   const struct runner_hooks *hooks, struct err *e) MUST_CHECK;

#endif
