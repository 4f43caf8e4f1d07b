/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nn/team.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fmnist/mem.h"

/* Some 10 µs: longer than threads of equal work differ, shorter than it takes
 * to notice on a machine that others use. */
#define SPINS 200

struct team {
    int threads; /* asked for */
    int members; /* granted; set when a region begins */
    int in_session;

    /* What to do next; fn NULL: go home.  Written by member 0 before a
     * barrier, read by the others after it. */
    team_fn *fn;
    void *arg;

    atomic_int arrived;
    atomic_uint phase; /* barriers passed; changed under the lock */
    pthread_mutex_t lock;
    pthread_cond_t turned;
};

int
team_new(int threads, struct team **out, struct err *e)
{
    struct team *t = mem_zalloc(1, sizeof(*t));

    if (!t) {
        return err_nomem(e, "the threads", sizeof(*t));
    }
    t->threads = threads;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->turned, NULL);
    *out = t;
    return 0;
}

void
team_free(struct team *t)
{
    if (t) {
        pthread_mutex_destroy(&t->lock);
        pthread_cond_destroy(&t->turned);
        mem_free(t);
    }
}

static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void
team_barrier(struct team *t)
{
    unsigned phase = atomic_load(&t->phase);

    if (atomic_fetch_add(&t->arrived, 1) + 1 == t->members) {
        atomic_store(&t->arrived, 0);
        pthread_mutex_lock(&t->lock);
        atomic_store(&t->phase, phase + 1);
        pthread_cond_broadcast(&t->turned);
        pthread_mutex_unlock(&t->lock);
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&t->phase) != phase) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->phase) == phase) {
        pthread_cond_wait(&t->turned, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Members 1 … during a session. */
static void
serve(struct team *t, int member)
{
    for (;;) {
        team_barrier(t);
        if (!t->fn) {
            return;
        }
        t->fn(t->arg, member, t->members);
        team_barrier(t);
    }
}

void
team_session(struct team *t, void (*body)(void *arg), void *arg)
{
#pragma omp parallel num_threads(t->threads)
    {
        int member = omp_get_thread_num();
#pragma omp single
        t->members = omp_get_num_threads();
        if (member > 0) {
            serve(t, member);
        } else {
            t->in_session = 1;
            body(arg);
            t->in_session = 0;
            t->fn = NULL;
            team_barrier(t);
        }
    }
}

struct job {
    struct team *t;
    team_fn *fn;
    void *arg;
};

static void
run_in_session(void *arg)
{
    const struct job *j = arg;

    j->t->fn = j->fn;
    j->t->arg = j->arg;
    team_barrier(j->t); /* begin */
    j->fn(j->arg, 0, j->t->members);
    team_barrier(j->t); /* all are done */
}

void
team_run(struct team *t, team_fn *fn, void *arg)
{
    struct job j = {t, fn, arg};

    if (t->in_session) {
        run_in_session(&j);
    } else {
        team_session(t, run_in_session, &j);
    }
}
