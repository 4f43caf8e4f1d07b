/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/workers.h"

#include "fmnist/store_queue.h"
#include "fmnist/worker.h"

/* Seconds without work after which a worker that --start began leaves. */
#define IDLE_EXIT 60.0

static int
start(struct cli *c, struct err *e)
{
    const struct worker_spawn o = {
        .db = store_file(c->store), .jobs = 1, .idle_exit = IDLE_EXIT};
    char log_file[1024];
    int rc = worker_start(c->store, &o, log_file, e);
    if (rc == 0) {
        cli_message(c, "a worker is started; its log is %s", log_file);
    }
    return rc;
}

int
workers_tell(struct cli *c, struct err *e)
{
    int workers, paused;
    int rc = worker_count(c->store, &workers, e);
    if (rc == 0 && workers == 0 && cli_given(c, "start")) {
        rc = start(c, e);
    } else if (rc == 0 && workers == 0) {
        cli_message(c, "no worker is alive: 'fmnist-tui worker' or --start");
    }
    if (rc == 0) {
        rc = store_queue_paused(c->store, &paused, e);
    }
    if (rc == 0 && paused) {
        cli_message(c, "the queue is paused: 'fmnist-tui resume --queue'");
    }
    return rc;
}
