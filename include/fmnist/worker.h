/* SPDX-License-Identifier: MIT */
/* Workers: processes that claim queued runs, train them, and leave their place
 * in order whatever ends them. */
#ifndef FMNIST_WORKER_H
#define FMNIST_WORKER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/runner.h"
#include "fmnist/store.h"
#include "fmnist/trainer.h"

/* ---- the dead ------------------------------------------------------------ */

enum worker_life {
    WORKER_ALIVE,
    WORKER_DEAD,   /* for certain */
    WORKER_UNSEEN, /* on another machine or in another pid namespace */
};

/*
 * Whether a worker lives.  Only what cannot err decides: the process and its
 * start time where they can be seen; another boot of a database that no other
 * machine can have open.  The wall clock and the host's name play no part.
 * WORKER_UNSEEN of the same boot is DEAD where its heartbeat, on the monotonic
 * clock, has stood still for WORKER_STILL seconds.
 */
#define WORKER_STILL 120.0
enum worker_life worker_life(const struct store *s, const struct worker *w);

/*
 * Puts the runs of dead workers back in the queue; everything that opens the
 * database for writing does it.  *runs counts.
 */
int worker_recover(struct store *s, int *runs, struct err *e) MUST_CHECK;

/* Workers of this user that are not dead, whatever they are at. */
int worker_count(struct store *s, int *n, struct err *e) MUST_CHECK;

/* ---- one process --------------------------------------------------------- */

/*
 * How a worker is told to leave: a handler sets `signal`.  Where training does
 * not get to the end of a batch in time, the run is put back in the queue by
 * another thread, and `overdue` ends the process.
 */
struct worker_leave {
    volatile sig_atomic_t signal; /* 0: stay */
    enum runner_order order;      /* what it means for the run */
    void (*overdue)(int signal);  /* NULL: wait for the batch */
};

/* From the signal to the end of the process, at most. */
#define WORKER_LEAVE_SECONDS 2.0

struct worker_options {
    int threads;      /* for each run, unless the run asks for fewer */
    int drain;        /* end when nothing is left in the queue */
    double idle_exit; /* end after so many seconds without work; < 0: never */
    double checkpoint_every; /* seconds; 0: RUNNER_CHECKPOINT_SECONDS */
    const char *log_file;    /* for its row; NULL: none */
    struct worker_leave *leave;

    /* For the user; each may be NULL.  From the training thread. */
    void (*begins)(const struct run *r, const struct dataset *d, void *arg);
    void (*batch)(const struct batch_report *r, void *arg);
    void (*epoch)(const struct epoch_report *r, void *arg);
    /* fault: why a run failed, or "" */
    void (*ended)(const struct run *r, const char *fault, void *arg);
    void (*says)(const char *line, void *arg);
    void *arg;
};

/*
 * Claims and trains until told to leave, or as the options say.  Adds a row of
 * its own and removes it.  A run that fails is no failure of the worker; a
 * database that cannot be written is.
 */
int worker_run(struct store *s, const struct worker_options *o,
               struct err *e) MUST_CHECK;

/*
 * The same for one run, which the caller has made: `insert` adds the row (in
 * the transaction that claims it, so that no other worker can) and gives its
 * id.  d is the run's set.  What runner_execute returns.
 */
int worker_run_one(struct store *s, const struct worker_options *o,
                   const struct dataset *d,
                   int (*insert)(int64_t *id, void *arg, struct err *e),
                   int64_t *id, struct err *e) MUST_CHECK;

/* ---- several processes, and detached ones -------------------------------- */

struct worker_spawn {
    const char *db; /* as store_file gives it */
    int jobs;       /* runs side by side; the processors are divided */
    int threads;    /* of each; 0: processors / jobs */
    int pin;        /* each keeps to processors of its own */
    int drain;
    double idle_exit;
    double checkpoint_every; /* 0: RUNNER_CHECKPOINT_SECONDS */
    const char *log_file;    /* NULL: the caller's stderr */
    const char *on_finish;   /* NULL: what the settings say */
    int quiet;
};

/*
 * Starts `jobs` processes that call worker_run, starts one again that was
 * killed, and returns when all have ended or leave->signal was set and they
 * have left.  ERR_FAIL where one of them failed.
 */
int worker_supervise(const struct worker_spawn *o, struct worker_leave *leave,
                     void (*says)(const char *line, void *arg), void *arg,
                     struct err *e) MUST_CHECK;

/*
 * Starts a supervisor in the background, in a session of its own, with a log
 * file under $XDG_STATE_HOME (its path in log_file; o's is not used), and waits
 * until a worker of its has joined the database of s.  The caller's child: a
 * caller that stays reaps it.
 */
int worker_start(struct store *s, const struct worker_spawn *o,
                 char log_file[1024], struct err *e) MUST_CHECK;

#endif
