/* SPDX-License-Identifier: MIT */
/* Workers that cannot be seen from here, watched by their heartbeats. */
#ifndef FMNIST_QUEUE_WATCH_H
#define FMNIST_QUEUE_WATCH_H

#include <stddef.h>

#include "fmnist/err.h"
#include "fmnist/store_queue.h"

/*
 * What a watcher has seen of each WORKER_UNSEEN worker: a heartbeat that stands
 * still for WORKER_STILL seconds of the watcher's own monotonic clock is that
 * of a dead one.  No clock of another machine is trusted; and while the
 * watcher's own heartbeat does not get into the database either, as when it is
 * locked for long, nobody's counts.
 */
struct watch {
    struct watched *all;
    size_t n;
    double (*clock)(void); /* NULL: sys_monotonic; tests have their own */
};

void watch_release(struct watch *w);
/* Looks again; buries who is dead.  *unseen counts the workers that cannot be
 * seen and are busy: their runs may come back yet. */
int watch_look(struct watch *w, struct store *s, int *runs, int *unseen,
               struct err *e) MUST_CHECK;

#endif
