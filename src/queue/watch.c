/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue/watch.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

struct watched {
    char uuid[37];
    char heartbeat_at[32];
    double clock; /* the other's */
    double since; /* ours: since when both have been these */
};

/* The watcher's own heartbeat is that old where it cannot be written. */
#define OWN_SECONDS 15.0

void
watch_release(struct watch *w)
{
    mem_free(w->all);
    w->all = NULL;
    w->n = 0;
}

static struct watched *
find(const struct watch *w, const char *uuid)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!strcmp(w->all[i].uuid, uuid)) {
            return &w->all[i];
        }
    }
    return NULL;
}

/* Whether this process is one of the workers and its heart cannot be heard. */
static int
is_deaf(const struct worker *all, size_t n)
{
    struct process self;

    sys_process_self(&self);
    for (size_t i = 0; i < n; i++) {
        const struct process *p = &all[i].process;

        if (p->pid == self.pid && p->pid_start == self.pid_start &&
            p->pid_ns == self.pid_ns && !strcmp(p->boot_id, self.boot_id)) {
            return sys_monotonic() - all[i].heartbeat_clock >= OWN_SECONDS;
        }
    }
    return 0;
}

/* Remembers a heartbeat; how long it has stood still at `now`. */
static double
note(const struct watch *old, const struct worker *w, double now,
     struct watched *out)
{
    const struct watched *before = find(old, w->uuid);

    memcpy(out->uuid, w->uuid, sizeof out->uuid);
    memcpy(out->heartbeat_at, w->heartbeat_at, sizeof out->heartbeat_at);
    out->clock = w->heartbeat_clock;
    out->since = before && before->clock == out->clock &&
                         !strcmp(before->heartbeat_at, out->heartbeat_at)
                     ? before->since
                     : now;
    return now - out->since;
}

/* One look at all workers; `next` is what is known after it. */
static int
look(const struct watch *w, struct store *s, const struct worker *all, size_t n,
     struct watch *next, int *runs, int *unseen, struct err *e)
{
    const struct watch *old = is_deaf(all, n) ? next : w;
    double now = w->clock ? w->clock() : sys_monotonic();
    int one;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (worker_life(s, &all[i]) != WORKER_UNSEEN) {
            continue;
        }
        if (note(old, &all[i], now, &next->all[next->n++]) >= WORKER_STILL) {
            rc = store_worker_bury(s, &all[i], &one, e);
            *runs += one;
        } else {
            *unseen += all[i].run_id != 0;
        }
    }
    return rc;
}

int
watch_look(struct watch *w, struct store *s, int *runs, int *unseen,
           struct err *e)
{
    struct watch next = {.clock = w->clock};
    struct worker *all = NULL;
    size_t n = 0;
    int rc = worker_recover(s, runs, e);

    *unseen = 0;
    if (rc == 0) {
        rc = store_workers(s, &all, &n, e);
    }
    if (rc == 0) {
        next.all = mem_zalloc(n, sizeof *next.all);
        rc = next.all ? 0 : err_nomem(e, "the workers", n * sizeof *next.all);
    }
    if (rc == 0) {
        rc = look(w, s, all, n, &next, runs, unseen, e);
    }
    mem_free(all);
    watch_release(w);
    *w = next;
    return rc;
}
