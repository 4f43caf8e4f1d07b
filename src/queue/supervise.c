/* SPDX-License-Identifier: MIT */
/* Workers side by side, started again when they are killed. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "fmnist/mem.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"
#include "queue/spawn.h"

/* A worker that does not live so long is started again after ever longer
 * pauses, and given up after so many. */
#define YOUNG_SECONDS 5.0
#define FIRST_PAUSE 0.2
#define LONGEST_PAUSE 10.0
#define MAX_YOUNG 20

struct child {
    pid_t pid; /* 0: not running */
    int ended; /* for good */
    int young; /* deaths in a row before YOUNG_SECONDS */
    double started, start_at;
};

struct crew {
    const struct worker_spawn *o;
    struct worker_leave *leave;
    void (*says)(const char *line, void *arg);
    void *arg;
    struct child *children;
    int failed;
};

static void
say(const struct crew *c, const char *line)
{
    if (c->says) {
        c->says(line, c->arg);
    }
}

/* The i-th share of the processors of `all`. */
static void
share(const cpu_set_t *all, int i, int jobs, cpu_set_t *out)
{
    int n = CPU_COUNT(all);
    int first = i * n / jobs, last = (i + 1) * n / jobs;
    int k = 0;

    if (last == first) {
        last = first + 1;
    }
    CPU_ZERO(out);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, all)) {
            if (k >= first && k < last) {
                CPU_SET(cpu, out);
            }
            k++;
        }
    }
}

/* A child inherits the processors that this process has meanwhile. */
static int
spawn_pinned(const struct crew *c, int i, const struct worker_spawn *o,
             const char *log_file, pid_t *pid, struct err *e)
{
    cpu_set_t all, own;
    int pinned = o->pin && sched_getaffinity(0, sizeof all, &all) == 0;
    int rc;

    if (pinned) {
        share(&all, i, c->o->jobs, &own);
        sched_setaffinity(0, sizeof own, &own);
    }
    rc = spawn_worker(o, 1, log_file, pid, e);
    if (pinned) {
        sched_setaffinity(0, sizeof all, &all);
    }
    return rc;
}

static int
start(struct crew *c, int i, struct err *e)
{
    struct worker_spawn o = *c->o;
    struct child *child = &c->children[i];
    int share_of = sys_cpus() / o.jobs;
    char log_file[1040];

    if (o.threads == 0) {
        o.threads = share_of > 0 ? share_of : 1;
    }
    if (o.log_file && o.jobs > 1) {
        snprintf(log_file, sizeof log_file, "%s.%d", o.log_file, i + 1);
    } else if (o.log_file) {
        snprintf(log_file, sizeof log_file, "%s", o.log_file);
    }
    child->started = sys_monotonic();
    return spawn_pinned(c, i, &o, o.log_file ? log_file : NULL, &child->pid, e);
}

static void
start_due(struct crew *c)
{
    struct err e = {0};

    for (int i = 0; i < c->o->jobs; i++) {
        struct child *child = &c->children[i];

        if (!child->pid && !child->ended &&
            sys_monotonic() >= child->start_at && start(c, i, &e) < 0) {
            say(c, e.msg);
            child->ended = 1;
            c->failed = 1;
        }
    }
}

/* A child was killed: again, after a pause. */
static void
revive(struct crew *c, struct child *child, pid_t pid, int signal)
{
    double now = sys_monotonic();
    double pause = FIRST_PAUSE;
    char line[120];

    child->young = now - child->started < YOUNG_SECONDS ? child->young + 1 : 1;
    for (int i = 1; i < child->young && pause < LONGEST_PAUSE; i++) {
        pause *= 2;
    }
    if (child->young > MAX_YOUNG) {
        snprintf(line, sizeof line,
                 "worker %ld: killed by signal %d (%s); given up after %d "
                 "times in a row",
                 (long)pid, signal, strsignal(signal), MAX_YOUNG);
        child->ended = 1;
        c->failed = 1;
    } else {
        snprintf(line, sizeof line,
                 "worker %ld: killed by signal %d (%s); started again",
                 (long)pid, signal, strsignal(signal));
        child->start_at = now + (pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
    }
    say(c, line);
}

static void
reap(struct crew *c)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < c->o->jobs; i++) {
            struct child *child = &c->children[i];

            if (child->pid != pid) {
                continue;
            }
            child->pid = 0;
            if (WIFSIGNALED(status) && !c->leave->signal) {
                revive(c, child, pid, WTERMSIG(status));
            } else {
                child->ended = 1;
                /* 128 + n: it was told to leave. */
                c->failed |= WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
                             WEXITSTATUS(status) < 128;
            }
        }
    }
}

/* How many children run or will. */
static int
alive(const struct crew *c)
{
    int n = 0;

    for (int i = 0; i < c->o->jobs; i++) {
        const struct child *child = &c->children[i];

        n += child->pid || (!child->ended && !c->leave->signal);
    }
    return n;
}

static void
pass_on(const struct crew *c)
{
    for (int i = 0; i < c->o->jobs; i++) {
        if (c->children[i].pid) {
            kill(c->children[i].pid, SIGTERM);
        }
    }
}

/* With SIGCHLD blocked, so that none is missed. */
static void
run(struct crew *c, const sigset_t *child)
{
    const struct timespec tick = {0, 250000000};
    int passed = 0;

    while (alive(c)) {
        if (!c->leave->signal) {
            start_due(c);
        } else if (!passed) {
            passed = 1;
            pass_on(c);
        }
        /* A signal to leave ends the wait. */
        (void)sigtimedwait(child, NULL, &tick);
        reap(c);
    }
}

int
worker_supervise(const struct worker_spawn *o, struct worker_leave *leave,
                 void (*says)(const char *line, void *arg), void *arg,
                 struct err *e)
{
    struct crew c = {.o = o, .leave = leave, .says = says, .arg = arg};
    sigset_t child, old;

    c.children = mem_zalloc((size_t)o->jobs, sizeof *c.children);
    if (!c.children) {
        return err_nomem(e, "the workers", (size_t)o->jobs * 64);
    }
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &old);
    run(&c, &child);
    sigprocmask(SIG_SETMASK, &old, NULL);
    mem_free(c.children);
    return c.failed ? err_set(e, ERR_FAIL,
                              "a worker failed; what it said stands above")
                    : 0;
}
