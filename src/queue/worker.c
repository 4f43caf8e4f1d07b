/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/worker.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/store_queue.h"
#include "fmnist/sys.h"
#include "queue/pulse.h"
#include "queue/watch.h"

/* How often an idle worker looks for work, and a busy one for the dead. */
#define LOOK_SECONDS 0.25
#define WATCH_SECONDS 2.0
/* Another process may hold the database for long, as vacuum does: an epoch that
 * is trained can wait. */
#define PATIENCE_SECONDS 3600.0

struct worker_state {
    struct store *store;
    const struct worker_options *o;
    struct runner_engine engine;
    struct pulse *pulse;
    int64_t id, run; /* its row; the run at work */
    struct watch watch;
    double watched_at, idle_since;
    int unseen;           /* busy workers that may be dead */
    int64_t waits_for_us; /* the run last said to be passed over */
    /* Runs of one set follow each other. */
    struct dataset *data;
    int64_t data_id;
};

static void
say(const struct worker_state *w, const char *line)
{
    if (w->o->says) {
        w->o->says(line, w->o->arg);
    }
}

/* ---- one run ------------------------------------------------------------- */

static enum runner_order
on_batch(const struct batch_report *r, void *arg)
{
    struct worker_state *w = arg;

    if (w->o->batch) {
        w->o->batch(r, w->o->arg);
    }
    return pulse_batch(w->pulse, r);
}

/* Whether the run is to end still. */
static int
holds(void *arg, struct err *e)
{
    const struct worker_state *w = arg;
    enum run_request request;
    int rc;

    if (w->o->leave->signal) {
        return 1;
    }
    rc = store_request(w->store, w->id, w->run, &request, e);
    return rc < 0 ? rc : request != REQUEST_NONE;
}

static void
on_epoch(const struct epoch_report *r, void *arg)
{
    struct worker_state *w = arg;

    if (w->o->epoch) {
        w->o->epoch(r, w->o->arg);
    }
}

static int
load_data(struct worker_state *w, const struct run *r, struct err *e)
{
    int rc;

    if (w->data && w->data_id == r->dataset_id) {
        return 0;
    }
    dataset_free(w->data);
    w->data = NULL;
    rc = runner_dataset(w->store, r->dataset_id, &w->data, e);
    w->data_id = rc == 0 ? r->dataset_id : 0;
    return rc;
}

static int
threads_for(const struct worker_state *w, const struct run *r)
{
    return r->threads_wanted > 0 && r->threads_wanted < w->o->threads
               ? r->threads_wanted
               : w->o->threads;
}

static int
fail(struct worker_state *w, int64_t id, const char *why)
{
    int rc = store_begin(w->store, NULL);

    if (rc < 0) {
        return rc;
    }
    rc = store_event(w->store, id, "error", why, NULL);
    if (rc == 0) {
        rc = store_run_end(w->store, id, "failed", why, NULL, NULL);
    }
    return store_end(w->store, rc, NULL);
}

/*
 * Trains the claimed run on d.  The fault of a run is not the worker's, unless
 * it could not be written down.
 */
static int
execute(struct worker_state *w, struct run *r, const struct dataset *d,
        struct err *fault)
{
    const struct runner_hooks hooks = {on_batch, on_epoch, w,
                                       w->o->checkpoint_every, holds};
    int rc;

    w->run = r->id;
    if (w->o->begins) {
        w->o->begins(r, d, w->o->arg);
    }
    pulse_run(w->pulse, r->id);
    rc = runner_execute(w->store, r->id, d, threads_for(w, r), &hooks, fault);
    pulse_run(w->pulse, 0);
    return rc;
}

/* How the run is now; ERR_FAIL with `fault` where it is this worker's still. */
static int
conclude(struct worker_state *w, struct run *r, const struct err *fault,
         struct err *e)
{
    int rc = store_run_get(w->store, r->id, r, e);

    if (rc < 0) {
        return rc;
    }
    if (w->o->ended) {
        w->o->ended(r, fault->msg, w->o->arg);
    }
    if (!strcmp(r->status, "running") && r->worker_id == w->id) {
        return err_set(e, ERR_FAIL, "%s", fault->msg);
    }
    return 0;
}

static int
train(struct worker_state *w, int64_t id, struct err *e)
{
    struct err fault = {0};
    struct run r;
    int rc = store_run_get(w->store, id, &r, e);

    if (rc < 0) {
        return rc;
    }
    rc = load_data(w, &r, &fault);
    if (rc < 0) {
        (void)!fail(w, id, fault.msg);
    } else {
        rc = execute(w, &r, w->data, &fault);
    }
    return conclude(w, &r, &fault, e);
}

/* ---- the loop ------------------------------------------------------------ */

static int
watch_others(struct worker_state *w, struct err *e)
{
    double now = sys_monotonic();
    char line[80];
    int runs;
    int rc;

    if (now - w->watched_at < WATCH_SECONDS) {
        return 0;
    }
    w->watched_at = now;
    rc = watch_look(&w->watch, w->store, &runs, &w->unseen, e);
    if (rc == 0 && runs > 0) {
        snprintf(line, sizeof line, "%d run%s of dead workers put back", runs,
                 runs == 1 ? "" : "s");
        say(w, line);
    }
    return rc;
}

/* Says, once, which run no kernel here can go on with. */
static int
say_what_waits(struct worker_state *w, const struct claim *c, struct err *e)
{
    char why[200], line[260];
    int64_t id;
    int rc = store_claim_waits(w->store, c, &id, why, e);

    if (rc == 0 && id && id != w->waits_for_us) {
        snprintf(line, sizeof line, "run %lld waits: %s", (long long)id, why);
        say(w, line);
        w->waits_for_us = id;
        rc = store_event(w->store, id, "warning", line, e);
    }
    return rc;
}

/* Nothing could be claimed: 1 to go, 0 to look again. */
static int
idle(struct worker_state *w, const struct claim *c, struct err *e)
{
    double now = sys_monotonic();
    int changed, paused, rc;

    if (w->idle_since == 0) {
        w->idle_since = now;
        rc = say_what_waits(w, c, e);
        if (rc == 0) {
            rc = store_queue_paused(w->store, &paused, e);
        }
        if (rc < 0) {
            return rc;
        }
        say(w, paused ? "the queue is paused" : "no work");
    }
    if (w->o->drain && w->unseen == 0) {
        return 1;
    }
    if (w->o->idle_exit >= 0 && now - w->idle_since >= w->o->idle_exit) {
        return 1;
    }
    do {
        pulse_sleep(w->pulse, LOOK_SECONDS);
        rc = store_changed(w->store, &changed, e);
        now = sys_monotonic();
    } while (rc == 0 && !changed && !w->o->leave->signal &&
             now - w->watched_at < WATCH_SECONDS &&
             (w->o->idle_exit < 0 || now - w->idle_since < w->o->idle_exit));
    return rc;
}

static int
add_row(struct worker_state *w, struct err *e)
{
    return store_worker_add(w->store, w->o->threads, w->o->log_file, &w->id, e);
}

/* Another process has taken this one for dead, after it stood still for long:
 * its run, if it had one, is lost, but it can go on with others. */
static int
rejoin(struct worker_state *w, struct err *e)
{
    int rc = add_row(w, e);

    if (rc == 0) {
        pulse_worker(w->pulse, w->id);
        say(w, "taken for dead by another process; joined again");
    }
    return rc;
}

static int
loop(struct worker_state *w, struct err *e)
{
    const struct claim c = {.engine = w->engine.run,
                            .kernels = w->engine.kernels};
    int rc = 0;

    while (rc == 0 && !w->o->leave->signal) {
        int64_t run = 0;

        rc = watch_others(w, e);
        if (rc == 0) {
            rc = store_claim(w->store, &c, &run, e);
        }
        if (rc == ERR_LOST) {
            rc = rejoin(w, e);
        } else if (rc == 0 && run) {
            w->idle_since = 0;
            rc = train(w, run, e);
        } else if (rc == 0) {
            rc = idle(w, &c, e);
        }
    }
    return rc < 0 ? rc : 0;
}

static int
join(struct worker_state *w, struct err *e)
{
    int rc = runner_engine_init(&w->engine, w->o->threads, e);

    if (rc < 0) {
        return rc;
    }
    runner_start_threads(w->o->threads);
    rc = add_row(w, e);
    if (rc == 0) {
        rc =
            pulse_start(store_file(w->store), w->id, w->o->leave, &w->pulse, e);
    }
    /* From here on the pulse sees to it that a signal is obeyed in time. */
    store_patience(w->store, PATIENCE_SECONDS);
    return rc;
}

/* A fault that came before (in e) is the one to tell. */
static int
part(struct worker_state *w, int rc, struct err *e)
{
    if (w->id) {
        const char *why = rc < 0 && e ? e->msg : "";
        int gone = store_worker_remove(w->store, w->id, why, rc < 0 ? NULL : e);

        rc = rc < 0 ? rc : gone;
    }
    pulse_stop(w->pulse);
    watch_release(&w->watch);
    dataset_free(w->data);
    return rc;
}

int
worker_run(struct store *s, const struct worker_options *o, struct err *e)
{
    struct worker_state w = {.store = s, .o = o};
    int rc = join(&w, e);

    if (rc == 0) {
        rc = loop(&w, e);
    }
    return part(&w, rc, e);
}

/* In one transaction, so that no other worker takes it. */
static int
insert_and_claim(struct worker_state *w,
                 int (*insert)(int64_t *id, void *arg, struct err *e),
                 int64_t *id, struct err *e)
{
    struct claim c = {.engine = w->engine.run, .kernels = w->engine.kernels};
    int rc = store_begin(w->store, e);

    if (rc < 0) {
        return rc;
    }
    rc = insert(id, w->o->arg, e);
    c.run = *id;
    if (rc == 0) {
        rc = store_claim(w->store, &c, id, e);
    }
    rc = store_end(w->store, rc, e);
    if (rc < 0) {
        *id = 0;
    }
    return rc;
}

int
worker_run_one(struct store *s, const struct worker_options *o,
               const struct dataset *d,
               int (*insert)(int64_t *id, void *arg, struct err *e),
               int64_t *id, struct err *e)
{
    struct worker_state w = {.store = s, .o = o};
    struct err own = {0};
    struct run r;
    int rc = join(&w, &own);

    *id = 0;
    if (rc == 0) {
        rc = insert_and_claim(&w, insert, id, &own);
    }
    if (rc == 0) {
        rc = store_run_get(s, *id, &r, &own);
    }
    if (rc == 0) {
        rc = execute(&w, &r, d, &own);
    }
    rc = part(&w, rc, &own);
    if (rc < 0 && e) {
        *e = own;
    }
    return rc;
}
