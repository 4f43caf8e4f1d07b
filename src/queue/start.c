/* SPDX-License-Identifier: MIT */
/* Workers in the background. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"
#include "queue/spawn.h"

/* Log files that are kept; the oldest go. */
#define LOGS_KEPT 50
#define START_SECONDS 10.0

/* Names begin with the time, so that they sort by it. */
static int
new_log(char path[1024], struct err *e)
{
    char now[SYS_TIME_LEN], name[80], *p;
    int rc;

    sys_now(now);
    for (p = now; *p; p++) {
        if (*p == ':' || *p == '.') {
            *p = '-';
        }
    }
    snprintf(name, sizeof name, "worker-%.19s-%ld.log", now, (long)getpid());
    rc = sys_state_path(name, &p, e);
    if (rc == 0) {
        rc = sys_make_parents(p, e);
    }
    if (rc == 0 && strlen(p) >= 1024) {
        rc = err_set(e, ERR_FAIL, "%.80s…: the path is too long", p);
    }
    if (rc == 0) {
        memcpy(path, p, strlen(p) + 1);
    }
    mem_free(p);
    return rc;
}

/* Counts the logs in a folder, and copies the name of the oldest. */
static int
count_logs(DIR *dir, char oldest[256])
{
    struct dirent *d;
    int n = 0;

    rewinddir(dir);
    while ((d = readdir(dir))) {
        if (fnmatch("worker-*.log*", d->d_name, 0) == 0 &&
            (n++ == 0 || strcmp(d->d_name, oldest) < 0)) {
            snprintf(oldest, 256, "%s", d->d_name);
        }
    }
    return n;
}

/* In the folder of `path`. */
static void
remove_old_logs(const char *path)
{
    char folder[1024], oldest[256];
    DIR *dir;

    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path),
             path);
    dir = opendir(folder);
    if (!dir) {
        return;
    }
    while (count_logs(dir, oldest) > LOGS_KEPT &&
           unlinkat(dirfd(dir), oldest, 0) == 0) {
    }
    closedir(dir);
}

/* The last line of a log, "" without one. */
static void
last_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    char line[400];

    out[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", line);
    }
    if (f) {
        fclose(f);
    }
}

/* 1: a worker that logs to that file, or one beside it, has joined. */
static int
has_joined(struct store *s, const char *log_file, struct err *e)
{
    struct worker *all;
    size_t n;
    int rc = store_workers(s, &all, &n, e);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!strncmp(all[i].log_file, log_file, strlen(log_file))) {
            rc = 1;
        }
    }
    mem_free(all);
    return rc;
}

static int
await(struct store *s, pid_t pid, const char *log_file, struct err *e)
{
    const struct timespec pause = {0, 20000000};
    double until = sys_monotonic() + START_SECONDS;
    char line[400];
    int status, rc;

    do {
        rc = has_joined(s, log_file, e);
        if (rc != 0) {
            return rc < 0 ? rc : 0;
        }
        if (waitpid(pid, &status, WNOHANG) == pid) {
            /* It may have found the queue empty, and left. */
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                return 0;
            }
            last_line(log_file, line, sizeof line);
            return err_set(e, ERR_FAIL, "the worker ended at once (%s): %s",
                           log_file, line);
        }
        nanosleep(&pause, NULL);
    } while (sys_monotonic() < until);
    return 0;
}

int
worker_start(struct store *s, const struct worker_spawn *o, char log_file[1024],
             struct err *e)
{
    pid_t pid;
    int rc = new_log(log_file, e);

    if (rc < 0) {
        return rc;
    }
    remove_old_logs(log_file);
    rc = spawn_worker(o, 0, log_file, &pid, e);
    return rc < 0 ? rc : await(s, pid, log_file, e);
}
