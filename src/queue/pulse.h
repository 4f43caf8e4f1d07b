/* SPDX-License-Identifier: MIT */
/*
 * The pulse of a worker: a thread with a connection of its own that writes the
 * heartbeat and the progress, and reads what is asked of the run.  Neither a
 * long batch nor a locked database holds it up, and training never waits for
 * it.
 */
#ifndef FMNIST_QUEUE_PULSE_H
#define FMNIST_QUEUE_PULSE_H

#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/runner.h"
#include "fmnist/store.h"
#include "fmnist/trainer.h"
#include "fmnist/worker.h"

struct pulse;

/* Begins to beat for the worker; `leave` is looked at by the thread. */
int pulse_start(const char *db, int64_t worker, struct worker_leave *leave,
                struct pulse **out, struct err *e) MUST_CHECK;
/* The worker has another row from now on. */
void pulse_worker(struct pulse *p, int64_t worker);
/* The run at work from now on; 0: none. */
void pulse_run(struct pulse *p, int64_t run);
/* From the training thread: where it is; what is asked of it. */
enum runner_order pulse_batch(struct pulse *p, const struct batch_report *r);
/* Sleeps; returns early when the worker is told to leave. */
void pulse_sleep(struct pulse *p, double seconds);
/* Joins the thread.  NULL is fine. */
void pulse_stop(struct pulse *p);

#endif
