/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_ARGS = 24 };

/* An argument list with room for its numbers. */
struct args {
    char *v[MAX_ARGS];
    int n;
    char threads[16], jobs[16], idle[32], every[32];
};

static void
add(struct args *a, const char *word)
{
    a->v[a->n++] = (char *)word;
}

static void
add_pair(struct args *a, const char *option, const char *value)
{
    add(a, option);
    add(a, value);
}

static void
arguments(struct args *a, const struct worker_spawn *o, int solo,
          const char *log_file)
{
    a->n = 0;
    add(a, "fmnist-tui");
    add_pair(a, "--db", o->db);
    if (o->quiet) {
        add(a, "--quiet");
    }
    add(a, "worker");
    if (solo) {
        add(a, "--solo");
    } else {
        snprintf(a->jobs, sizeof a->jobs, "%d", o->jobs);
        add_pair(a, "--jobs", a->jobs);
    }
    if (o->threads > 0) {
        snprintf(a->threads, sizeof a->threads, "%d", o->threads);
        add_pair(a, "--threads", a->threads);
    }
    if (o->pin && !solo) {
        add(a, "--pin");
    }
    if (o->drain) {
        add(a, "--drain");
    }
    if (o->idle_exit >= 0) {
        snprintf(a->idle, sizeof a->idle, "%.17g", o->idle_exit);
        add_pair(a, "--idle-exit", a->idle);
    }
    if (o->checkpoint_every > 0) {
        snprintf(a->every, sizeof a->every, "%.17g", o->checkpoint_every);
        add_pair(a, "--checkpoint-every", a->every);
    }
    if (log_file) {
        add_pair(a, "--log", log_file);
    }
    if (o->on_finish) {
        add_pair(a, "--on-finish", o->on_finish);
    }
    add(a, NULL);
}

int
spawn_worker(const struct worker_spawn *o, int solo, const char *log_file,
             pid_t *pid, struct err *e)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, child;
    struct args a;
    int rc;

    arguments(&a, o, solo, log_file);
    sigemptyset(&none);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!solo) {
        flags |= POSIX_SPAWN_SETSID;
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&files, 2, log_file,
                                         O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    posix_spawnattr_setflags(&attr, flags);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &child);
    /* This very program, also where its file was replaced meanwhile. */
    rc = posix_spawn(pid, "/proc/self/exe", &files, &attr, a.v, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc) {
        errno = rc;
        return err_sys(e, "cannot start a worker");
    }
    return 0;
}
