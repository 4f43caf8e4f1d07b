/* SPDX-License-Identifier: MIT */
/* One claimed run to its result: load, train, record. */
#ifndef FMNIST_RUNNER_H
#define FMNIST_RUNNER_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"
#include "fmnist/store.h"
#include "fmnist/store_queue.h"
#include "fmnist/trainer.h"

/*
 * Finds a data set by what the user typed: "small", "full", a name registered
 * in the database (its recorded source is loaded, its identity compared: a
 * difference is an error naming both), else a path.  s may be NULL: no names.
 */
int runner_data(struct store *s, const char *word, struct dataset **out,
                struct err *e) MUST_CHECK;
/* The set of a row: its recorded source is loaded, its identity compared. */
int runner_dataset(struct store *s, int64_t id, struct dataset **out,
                   struct err *e) MUST_CHECK;

/* What this program and processor bring to a run. */
struct runner_engine {
    struct run_engine run;  /* to claim with; its texts are here */
    const char *kernels[8]; /* NULL-ended: the variants that can run here, the
                               best first; none above $FMNIST_CPU */
    char version[64], host[80];
};
int runner_engine_init(struct runner_engine *g, int threads,
                       struct err *e) MUST_CHECK;
/* Starts the threads of the engine.  Where the system refuses, libgomp ends the
 * process: do it before a row is written. */
void runner_start_threads(int n);

/* What a run's trainer is told; a later one outweighs those above it. */
enum runner_order {
    RUNNER_GO,
    RUNNER_STOP_AFTER_EPOCH,
    RUNNER_STOP,  /* now; the part-epoch is dropped */
    RUNNER_PAUSE, /* now; it is left `paused` */
    RUNNER_LEAVE  /* now; it goes back to the queue */
};

struct runner_hooks {
    /* After each batch; the newest answer counts, so that an order can be
     * withdrawn.  While epochs that were recorded before a crash are trained
     * again, a stop waits for the last of them: rows without weights would be
     * left. */
    enum runner_order (*batch)(const struct batch_report *r, void *arg);
    /* After its rows are written, once for each epoch that is new. */
    void (*epoch)(const struct epoch_report *r, void *arg);
    void *arg;
    double checkpoint_every; /* seconds; 0: RUNNER_CHECKPOINT_SECONDS */
    /* Inside the transaction that ends a run which was told to end: 1 where
     * that still holds; 0: it was withdrawn while the last epoch was evaluated
     * or written, and the run goes back to the queue.  NULL: it holds. */
    int (*holds)(void *arg, struct err *e);
};

/* Between `last` checkpoints, at least: every epoch of a slow run has one, and
 * a fast one loses at most so much when its process is killed. */
#define RUNNER_CHECKPOINT_SECONDS 5.0

/*
 * Trains run `id`, which the worker of s has claimed, on d, and records
 * everything.  d's identity must be the run's, else the run fails and the
 * message names both.  It goes on from its checkpoint; where that is damaged it
 * says so in the run's log and trains again from epoch 1, to the same weights.
 * The run ends finished, stopped, paused, queued or failed (then the cause is
 * returned too).  ERR_LOST: it was taken from this worker, and nothing is
 * written.  ERR_IO: the database could not be read or written, which is not the
 * run's fault.  Then, and where a failure cannot be written down, it stays
 * `running`, to be put back when its worker leaves.
 */
int runner_execute(struct store *s, int64_t id, const struct dataset *d,
                   int threads, const struct runner_hooks *hooks,
                   struct err *e) MUST_CHECK;

#endif
