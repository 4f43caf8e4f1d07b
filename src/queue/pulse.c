/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue/pulse.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"

/* Requests are looked for this often: as quick as a person can tell. */
#define LOOK_SECONDS 0.05
/* Progress reaches readers at least four times a second. */
#define PROGRESS_SECONDS 0.15
#define HEARTBEAT_SECONDS 5.0
/* A signal's run is taken out of hands that do not let go. */
#define OVERDUE_SECONDS (WORKER_LEAVE_SECONDS - 0.6)

struct pulse {
    struct store *store; /* the thread's own */
    struct worker_leave *leave;
    pthread_t thread;
    int started;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    int end;
    int64_t worker, run;
    enum runner_order order; /* what is asked of the run */
    struct batch_report at;
    int fresh; /* `at` is not written yet */
};

/* ---- the thread ---------------------------------------------------------- */

static enum runner_order
order_of(enum run_request r)
{
    switch (r) {
    case REQUEST_NONE:
        break;
    case REQUEST_STOP:
        return RUNNER_STOP_AFTER_EPOCH;
    case REQUEST_STOP_NOW:
        return RUNNER_STOP;
    case REQUEST_PAUSE:
        return RUNNER_PAUSE;
    }
    return RUNNER_GO;
}

/* What the thread did last. */
struct turns {
    double tried, beat; /* to write; with success */
    double told;        /* to leave; 0: not yet */
    int64_t known;      /* the run whose request is; 0: none */
};

/* A fault here is left to the next look: the training thread will meet it. */
static void
look(struct pulse *p, int64_t worker, int64_t run, struct turns *t)
{
    enum run_request request;
    enum runner_order order;
    int changed;
    int rc = store_changed(p->store, &changed, NULL);

    if (rc == 0 && !changed && t->known == run) {
        return;
    }
    rc = store_request(p->store, worker, run, &request, NULL);
    t->known = rc == 0 || rc == ERR_LOST ? run : 0;
    if (!t->known) {
        return;
    }
    /* One that was lost is found so by the training thread. */
    order = rc < 0 ? RUNNER_LEAVE : order_of(request);
    pthread_mutex_lock(&p->mutex);
    if (p->run == run) {
        p->order = order;
    }
    pthread_mutex_unlock(&p->mutex);
}

/* The last resort: the row is put in order from here. */
static void
overdue(struct pulse *p, int64_t worker)
{
    /* There may be no writing at all: the next process does it then. */
    store_patience(p->store, 0.3);
    (void)!store_worker_remove(p->store, worker, "", NULL);
    p->leave->overdue(p->leave->signal);
}

static void
turn(struct pulse *p, struct turns *t)
{
    struct batch_report at;
    double now = sys_monotonic();
    int due = now - t->tried >= PROGRESS_SECONDS;
    int64_t worker, run;
    int fresh;

    pthread_mutex_lock(&p->mutex);
    worker = p->worker;
    run = p->run;
    at = p->at;
    fresh = p->fresh && due;
    p->fresh = p->fresh && !fresh;
    pthread_mutex_unlock(&p->mutex);
    if (run) {
        look(p, worker, run, t);
    }
    if (fresh || (due && now - t->beat >= HEARTBEAT_SECONDS)) {
        t->tried = now;
        if (store_worker_beat(p->store, worker, run, fresh ? &at : NULL,
                              NULL) == 0) {
            t->beat = now;
        }
    }
    if (p->leave->signal && t->told == 0) {
        t->told = now;
        pthread_cond_broadcast(&p->wake);
    }
    if (t->told > 0 && p->leave->overdue && now - t->told >= OVERDUE_SECONDS) {
        overdue(p, worker);
    }
}

static struct timespec
after(double seconds)
{
    struct timespec t;
    long long ns;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ns = t.tv_nsec + (long long)(seconds * 1e9);
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

static void *
work(void *arg)
{
    struct pulse *p = arg;
    double now = sys_monotonic();
    struct turns t = {.tried = now, .beat = now};

    pthread_mutex_lock(&p->mutex);
    while (!p->end) {
        struct timespec until = after(LOOK_SECONDS);

        pthread_cond_timedwait(&p->wake, &p->mutex, &until);
        pthread_mutex_unlock(&p->mutex);
        turn(p, &t);
        pthread_mutex_lock(&p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Signals are for the main thread, whose sleep they end. */
static int
start_thread(struct pulse *p, struct err *e)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->thread, NULL, work, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        errno = rc;
        return err_sys(e, "a thread for the heartbeat");
    }
    p->started = 1;
    return 0;
}

/* ---- the training thread ------------------------------------------------- */

int
pulse_start(const char *db, int64_t worker, struct worker_leave *leave,
            struct pulse **out, struct err *e)
{
    struct pulse *p = mem_zalloc(1, sizeof *p);
    pthread_condattr_t attr;
    int rc;

    *out = NULL;
    if (!p) {
        return err_nomem(e, "the heartbeat", sizeof *p);
    }
    p->worker = worker;
    p->leave = leave;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    rc = store_open(db, STORE_WRITE, &p->store, e);
    if (rc == 0) {
        /* One beat more or less is not worth waiting for. */
        store_patience(p->store, 0.2);
        rc = start_thread(p, e);
    }
    if (rc < 0) {
        pulse_stop(p);
        return rc;
    }
    *out = p;
    return 0;
}

void
pulse_worker(struct pulse *p, int64_t worker)
{
    pthread_mutex_lock(&p->mutex);
    p->worker = worker;
    pthread_mutex_unlock(&p->mutex);
}

void
pulse_run(struct pulse *p, int64_t run)
{
    pthread_mutex_lock(&p->mutex);
    p->run = run;
    p->order = RUNNER_GO;
    p->fresh = 0;
    pthread_mutex_unlock(&p->mutex);
}

enum runner_order
pulse_batch(struct pulse *p, const struct batch_report *r)
{
    enum runner_order order;

    pthread_mutex_lock(&p->mutex);
    p->at = *r;
    p->fresh = 1;
    order = p->order;
    pthread_mutex_unlock(&p->mutex);
    if (p->leave->signal && p->leave->order > order) {
        order = p->leave->order;
    }
    return order;
}

void
pulse_sleep(struct pulse *p, double seconds)
{
    struct timespec until = after(seconds);

    pthread_mutex_lock(&p->mutex);
    while (!p->leave->signal) {
        if (pthread_cond_timedwait(&p->wake, &p->mutex, &until) == ETIMEDOUT) {
            break;
        }
    }
    pthread_mutex_unlock(&p->mutex);
}

void
pulse_stop(struct pulse *p)
{
    if (!p) {
        return;
    }
    if (p->started) {
        pthread_mutex_lock(&p->mutex);
        p->end = 1;
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    store_close(p->store);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    mem_free(p);
}
