/* SPDX-License-Identifier: MIT */
/* Telling dead workers from living ones. */
#include "config.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

enum worker_life
worker_life(const struct store *s, const struct worker *w)
{
    int lives = sys_process_lives(&w->process);
    struct process self;

    if (lives >= 0) {
        return lives ? WORKER_ALIVE : WORKER_DEAD;
    }
    sys_process_self(&self);
    if (!w->process.boot_id[0] || !self.boot_id[0]) {
        return WORKER_UNSEEN;
    }
    if (strcmp(self.boot_id, w->process.boot_id) != 0) {
        /* Another machine, or this one before it was started again. */
        return store_is_shared(s) ? WORKER_UNSEEN : WORKER_DEAD;
    }
    return sys_monotonic() - w->heartbeat_clock >= WORKER_STILL ? WORKER_DEAD
                                                                : WORKER_UNSEEN;
}

int
worker_recover(struct store *s, int *runs, struct err *e)
{
    struct worker *all;
    size_t n;
    int one;
    int rc = store_workers(s, &all, &n, e);

    *runs = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (worker_life(s, &all[i]) == WORKER_DEAD) {
            rc = store_worker_bury(s, &all[i], &one, e);
            *runs += one;
        }
    }
    mem_free(all);
    /* Schema 1 knew no workers: what it left running has none. */
    if (rc == 0) {
        rc = store_worker_bury(s, NULL, &one, e);
        *runs += one;
    }
    return rc;
}

int
worker_count(struct store *s, int *n, struct err *e)
{
    struct worker *all;
    size_t count;
    char user[128];
    int rc = store_workers(s, &all, &count, e);

    *n = 0;
    sys_user(user, sizeof user);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].user, user) == 0 &&
            worker_life(s, &all[i]) != WORKER_DEAD) {
            ++*n;
        }
    }
    mem_free(all);
    return rc;
}
