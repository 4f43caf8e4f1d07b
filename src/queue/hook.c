/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/hook.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

enum { N_OWN = 5 };

/* The environment with these in front; a copy of our own of a name that occurs
 * later does not count. */
static char **
environment(char *const own[N_OWN])
{
    size_t n = 0, k = 0;
    char **all;

    while (environ[n]) {
        n++;
    }
    all = mem_zalloc(n + N_OWN + 1, sizeof *all);
    for (; all && k < N_OWN; k++) {
        all[k] = own[k];
    }
    for (size_t i = 0; all && i < n; i++) {
        size_t name = strcspn(environ[i], "=") + 1;
        int is_own = 0;

        for (size_t j = 0; j < N_OWN; j++) {
            is_own |= !strncmp(environ[i], own[j], name);
        }
        if (!is_own) {
            all[k++] = environ[i];
        }
    }
    return all;
}

static int
start(const char *command, char *const env[], struct err *e)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    pid_t pid;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
    /* What the worker's stderr goes to; stdout is for data. */
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    rc = posix_spawn(&pid, "/bin/sh", &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (rc) {
        errno = rc;
        return err_sys(e, "the hook");
    }
    return 0;
}

int
hook_start(const char *command, const struct run *r, const char *db,
           struct err *e)
{
    struct str text[N_OWN];
    char *own[N_OWN];
    char **env = NULL;
    int failed = 0;
    int rc;

    for (int i = 0; i < N_OWN; i++) {
        str_init(&text[i]);
    }
    str_addf(&text[0], "FMNIST_RUN_ID=%lld", (long long)r->id);
    str_addf(&text[1], "FMNIST_RUN_NAME=%s", r->name);
    str_addf(&text[2], "FMNIST_RUN_STATUS=%s", r->status);
    str_addf(&text[3], "FMNIST_RUN_ERROR=%s", r->error);
    str_addf(&text[4], "FMNIST_DB=%s", db);
    for (int i = 0; i < N_OWN; i++) {
        failed |= str_failed(&text[i]);
        own[i] = text[i].s;
    }
    if (!failed) {
        env = environment(own);
    }
    rc = env ? start(command, env, e) : err_nomem(e, "the hook", 1024);
    mem_free(env);
    for (int i = 0; i < N_OWN; i++) {
        str_release(&text[i]);
    }
    return rc;
}

void
hook_reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}
