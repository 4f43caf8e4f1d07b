/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/runs.h"
#include "cli/signals.h"
#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

/* How often the database is asked whether anything is new. */
#define LOOK_SECONDS 0.25
/* How often it is looked whether any worker lives. */
#define WORKERS_SECONDS 5.0

struct waiting {
    struct cli *c;
    struct run_ids ids;
    char *ended; /* of each */
    size_t n_ended;
    int not_finished; /* of those ended */
    struct progress progress;
    struct worker_leave leave;
    double workers_at; /* when it was last looked for them */
    int said_none;
};

/* A paused run waits for somebody too, and may do so for ever. */
static int
has_ended(const struct run *r)
{
    return r->trashed || (strcmp(r->status, "queued") != 0 &&
                          strcmp(r->status, "running") != 0);
}

static void
tell_end(struct waiting *w, const struct run *r)
{
    progress_clear(&w->progress);
    cli_message(w->c, "run %" PRId64 " %s%s%s%s", r->id,
                r->trashed ? "is in the trash, " : "", r->status,
                r->error[0] ? ": " : "", r->error);
}

/* Which have ended since the last look. */
static int
look(struct waiting *w, struct err *e)
{
    struct run r;
    for (size_t i = 0; i < w->ids.n; i++) {
        if (w->ended[i]) {
            continue;
        }
        int rc = store_run_get(w->c->store, w->ids.ids[i], &r, e);
        if (rc) {
            return rc;
        }
        if (has_ended(&r)) {
            w->ended[i] = 1;
            w->n_ended++;
            w->not_finished += strcmp(r.status, "finished") != 0;
            tell_end(w, &r);
        }
    }
    return 0;
}

static int
is_awaited(const struct waiting *w, int64_t run)
{
    for (size_t i = 0; i < w->ids.n; i++) {
        if (w->ids.ids[i] == run) {
            return !w->ended[i];
        }
    }
    return 0;
}

/* The progress of the first awaited run that is trained. */
static int
show_progress(struct waiting *w, struct err *e)
{
    struct worker *all;
    size_t n;
    int rc = store_workers(w->c->store, &all, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (all[i].at.epoch > 0 && is_awaited(w, all[i].run_id)) {
            progress_batch(&w->progress, &all[i].at);
            break;
        }
    }
    mem_free(all);
    return rc;
}

/* Says, once at a time, that nobody will train what is awaited. */
static int
look_for_workers(struct waiting *w, struct err *e)
{
    double now = sys_monotonic();
    int n;
    if (w->workers_at > 0 && now - w->workers_at < WORKERS_SECONDS) {
        return 0;
    }
    w->workers_at = now;
    int rc = worker_count(w->c->store, &n, e);
    if (rc == 0 && n == 0 && !w->said_none) {
        progress_clear(&w->progress);
        cli_message(w->c, "no worker is alive: 'fmnist-tui worker' trains what "
                          "is queued");
    }
    w->said_none = rc == 0 && n == 0;
    return rc;
}

static int
wait_all(struct waiting *w, double until, struct err *e)
{
    const struct timespec pause = {0, (long)(LOOK_SECONDS * 1e9)};
    int changed;
    int rc = 0;
    while (rc == 0 && !w->leave.signal) {
        rc = store_changed(w->c->store, &changed, e);
        if (rc == 0 && changed) {
            rc = look(w, e);
        }
        if (rc || w->n_ended == w->ids.n) {
            break;
        }
        if (changed) {
            rc = show_progress(w, e);
        }
        if (rc == 0) {
            rc = look_for_workers(w, e);
        }
        if (rc == 0 && sys_monotonic() >= until) {
            rc = err_set(e, ERR_FAIL, "time is up: %zu of %zu %s not ended",
                         w->ids.n - w->n_ended, w->ids.n,
                         run_plural((long long)w->ids.n));
        }
        if (rc == 0) {
            nanosleep(&pause, NULL);
        }
    }
    progress_clear(&w->progress);
    return rc;
}

static int
run_wait(struct cli *c, struct err *e)
{
    struct waiting w = {.c = c};
    double seconds = cli_real(c, "timeout", (double)INFINITY);
    int rc = cli_store(c, STORE_READ, e);
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &w.ids, e);
    }
    if (rc == 0) {
        w.ended = mem_zalloc(w.ids.n, 1);
        rc = w.ended ? 0 : err_nomem(e, "the runs", w.ids.n);
    }
    if (rc == 0) {
        progress_init(&w.progress, c);
        signals_catch(&w.leave, 1);
        rc = wait_all(&w, sys_monotonic() + seconds, e);
        signals_restore();
    }
    mem_free(w.ended);
    size_t n = w.ids.n;
    mem_free(w.ids.ids);
    if (rc == 0 && w.leave.signal) {
        c->signal = w.leave.signal;
        return ERR_CANCEL;
    }
    if (rc == 0 && w.not_finished) {
        rc = err_set(e, ERR_FAIL, "%d of %zu %s not finished", w.not_finished,
                     n, run_plural((long long)n));
    }
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "timeout",
     .type = CLI_REAL,
     .arg = "S",
     .min = 0,
     .max = 1e9,
     .preset = "never",
     .help = "give up after S seconds"},
    {.name = NULL},
};

const struct cli_command cmd_wait = {
    .name = "wait",
    .operands = "RUN...",
    .summary = "wait until runs have ended",
    .group = GROUP_QUEUE,
    .options = OPTIONS,
    .takes = CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "A run has ended when it is finished, stopped, failed or paused. "
             "The exit status is 0 if all are finished, else 1.",
    .examples = "fmnist-tui wait $(fmnist-tui queue --seed 1..5 --start)\n"
                "fmnist-tui wait --filter is:live --timeout 3600\n",
    .run = run_wait,
};
