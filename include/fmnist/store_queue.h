/* SPDX-License-Identifier: MIT */
/* The queue in the database: workers, claims, requests, order. */
#ifndef FMNIST_STORE_QUEUE_H
#define FMNIST_STORE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/hyper.h"
#include "fmnist/store.h"
#include "fmnist/sys.h"

/* ---- workers ------------------------------------------------------------- */

/* A row of `worker`: a process that trains. */
struct worker {
    int64_t id;
    char uuid[37], user[128], host[80];
    struct process process; /* tells it apart from all others */
    int threads;
    char started_at[32], heartbeat_at[32]; /* wall clock: to show */
    double heartbeat_clock; /* monotonic clock of its boot: to decide by */
    int64_t run_id;         /* 0: idle */
    struct batch_report at; /* of that run; epoch 0: nothing is trained yet */
    char log_file[1024];    /* "": none */
};

/*
 * Adds a row for this process.  From then on s acts as that worker: the runs it
 * claims are that worker's, and it writes to no others.
 */
int store_worker_add(struct store *s, int threads, const char *log_file,
                     int64_t *id, struct err *e) MUST_CHECK;
/* A worker leaves: its row goes; its run, if it has one, is stopped or paused
 * where that was asked for, else goes back to the queue, and its log says why
 * ("" if there is no more to say). */
int store_worker_remove(struct store *s, int64_t id, const char *why,
                        struct err *e) MUST_CHECK;
/* The heartbeat; with progress of `run` (r NULL: none that is new).  From any
 * connection.  A row that is gone is no fault. */
int store_worker_beat(struct store *s, int64_t id, int64_t run,
                      const struct batch_report *r, struct err *e) MUST_CHECK;
/* All rows, by id; mem_free *out. */
int store_workers(struct store *s, struct worker **out, size_t *n,
                  struct err *e) MUST_CHECK;
/*
 * Removes a dead worker's row, and puts its run where its request says: stopped
 * or paused if that was asked for, else back in the queue; failed after
 * WORKER_DEATHS in a row without a new epoch.  Does nothing where the row has
 * changed since w was read.  w NULL: the running runs that have no worker.
 * *runs counts.
 */
#define WORKER_DEATHS 10
int store_worker_bury(struct store *s, const struct worker *w, int *runs,
                      struct err *e) MUST_CHECK;
/* Whether another machine may have the file open: it is on a network file
 * system. */
int store_is_shared(const struct store *s);

/* ---- claiming ------------------------------------------------------------ */

struct claim {
    int64_t run;                /* this one; 0: the first that can be had */
    struct run_engine engine;   /* kernel: for a run without a checkpoint */
    const char *const *kernels; /* NULL-ended: those that can go on here */
};

/*
 * Makes one queued run `running`, the worker's of s (of none if s has no
 * worker): one of the same user, of engine "local", whose checkpoint (if any)
 * can go on under one of `kernels` and these numerics.  *id is 0 where there is
 * none, or the queue is paused; a run that was named is claimed while the queue
 * is paused too, and ERR_FAIL says why it cannot be.  ERR_LOST: the worker's
 * row is gone, as it was taken for dead; with another one it can claim again.
 */
int store_claim(struct store *s, const struct claim *c, int64_t *id,
                struct err *e) MUST_CHECK;
/* What is asked of the run that the worker of s trains: enum run_request;
 * ERR_LOST where the run is not its any more. */
enum run_request {
    REQUEST_NONE,
    REQUEST_STOP,
    REQUEST_STOP_NOW,
    REQUEST_PAUSE
};
int store_request(struct store *s, int64_t worker, int64_t run,
                  enum run_request *out, struct err *e) MUST_CHECK;
/* A queued run of this user that store_claim passes over, as no kernel here can
 * go on with it: *id (0: none) and in why[] the reason.  With c->run: that
 * one. */
int store_claim_waits(struct store *s, const struct claim *c, int64_t *id,
                      char why[200], struct err *e) MUST_CHECK;

/* ---- steering: sets of runs, one transaction ----------------------------- */

enum steer {
    STEER_STOP,     /* queued, paused: stopped; running: asked to stop after its
                       epoch */
    STEER_STOP_NOW, /* running: asked to stop after its batch */
    STEER_PAUSE,    /* queued: paused; running: asked to pause */
    STEER_RESUME,   /* paused, stopped, failed: queued; running: what was asked
                       of it is withdrawn */
    STEER_RETRY,    /* stopped, failed: queued */
};

/* What was done to a run. */
enum steered {
    STEERED_NOT,       /* nothing; `why` says why */
    STEERED_STOPPED,   /* it is stopped */
    STEERED_ASKED,     /* its worker is asked to */
    STEERED_PAUSED,    /* it is paused */
    STEERED_QUEUED,    /* it is queued */
    STEERED_WITHDRAWN, /* it trains on */
};
typedef void (*steer_fn)(int64_t id, enum steered what, const char *why,
                         void *arg);

/*
 * Steers each run of r and tells `each` (may be NULL).  fresh, with
 * STEER_RESUME and STEER_RETRY: its epochs, checkpoints and predictions go, and
 * it begins again with epoch 1.  Where r is one run and nothing can be done:
 * ERR_FAIL.
 */
int store_steer(struct store *s, const struct run_ids *r, enum steer what,
                int fresh, steer_fn each, void *arg, struct err *e) MUST_CHECK;

/* The whole queue: while it is paused nothing is claimed; what runs goes on. */
int store_queue_pause(struct store *s, int on, struct err *e) MUST_CHECK;
int store_queue_paused(struct store *s, int *on, struct err *e) MUST_CHECK;

/* ---- order --------------------------------------------------------------- */

enum move {
    MOVE_TOP,
    MOVE_BOTTOM,
    MOVE_UP,
    MOVE_DOWN,
    MOVE_BEFORE,
    MOVE_AFTER
};

/*
 * Moves queued and paused runs; those moved keep r's order among themselves.
 * `other` is the run of BEFORE and AFTER.  *changed counts; runs that have no
 * place in the queue are counted in *kept, and a single one is ERR_FAIL.
 */
int store_move(struct store *s, const struct run_ids *r, enum move how,
               int64_t other, int *changed, int *kept,
               struct err *e) MUST_CHECK;
/* A run's place among the queued ones, from 1, and how many those are. */
int store_place(struct store *s, int64_t id, int *place, int *of,
                struct err *e) MUST_CHECK;

/* ---- making and changing ------------------------------------------------- */

/* A row of `sweep`; command is the call that makes its runs. */
int store_sweep_insert(struct store *s, const char *name, const char *command,
                       int64_t *id, struct err *e) MUST_CHECK;

/*
 * Gives a queued run that has trained no epoch other values; ERR_FAIL for all
 * else.  A name that was made up from the values follows them.  dataset_id 0
 * and threads -1: kept; threads 0: its worker's choice.
 */
int store_run_edit(struct store *s, int64_t id, const struct hyper *h,
                   int64_t dataset_id, int threads, struct err *e) MUST_CHECK;

/*
 * Adds a queued run that goes on from the finished run `parent` to more epochs:
 * it begins with a copy of the parent's epochs and checkpoints.  Of n only
 * name, note, tags, threads count.  ERR_FAIL or ERR_USAGE where a longer run
 * would not begin as the parent did (a schedule that depends on its length, an
 * early stop), or the parent's last checkpoint was pruned.
 */
int store_run_extend(struct store *s, int64_t parent, long long epochs,
                     const struct run_new *n, int64_t *id,
                     struct err *e) MUST_CHECK;

/* Finished (first), running, queued and paused runs of the same set and values;
 * mem_free out->ids. */
int store_run_twins(struct store *s, const struct hyper *h, int64_t dataset_id,
                    struct run_ids *out, struct err *e) MUST_CHECK;

#endif
