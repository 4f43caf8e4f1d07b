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

void
watch_release(struct watch *w)
{
    mem_free(w->all);
    *w = (struct watch){0};
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

/* Remembers a heartbeat; how long it has stood still. */
static double
note(const struct watch *old, const struct worker *w, struct watched *out)
{
    const struct watched *before = find(old, w->uuid);
    double now = sys_monotonic();

    memcpy(out->uuid, w->uuid, sizeof out->uuid);
    memcpy(out->heartbeat_at, w->heartbeat_at, sizeof out->heartbeat_at);
    out->clock = w->heartbeat_clock;
    out->since = before && before->clock == out->clock &&
                         !strcmp(before->heartbeat_at, out->heartbeat_at)
                     ? before->since
                     : now;
    return now - out->since;
}

int
watch_look(struct watch *w, struct store *s, int *runs, int *unseen,
           struct err *e)
{
    struct watch now = {0};
    struct worker *all = NULL;
    size_t n = 0;
    int one;
    int rc = worker_recover(s, runs, e);

    *unseen = 0;
    if (rc == 0) {
        rc = store_workers(s, &all, &n, e);
    }
    if (rc == 0) {
        now.all = mem_zalloc(n, sizeof *now.all);
        rc = now.all ? 0 : err_nomem(e, "the workers", n * sizeof *now.all);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (worker_life(s, &all[i]) != WORKER_UNSEEN) {
            continue;
        }
        if (note(w, &all[i], &now.all[now.n++]) >= WORKER_STILL) {
            rc = store_worker_bury(s, &all[i], &one, e);
            *runs += one;
        } else {
            *unseen += all[i].run_id != 0;
        }
    }
    mem_free(all);
    watch_release(w);
    *w = now;
    return rc;
}
