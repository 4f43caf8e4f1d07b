/* SPDX-License-Identifier: MIT */
/* The part of sys.h about processes. */
#include "config.h"

#include "fmnist/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * State letter and start time (ticks since boot) of a process, fields 3 and 22
 * of proc(5)'s stat; the name in field 2 may hold anything, so fields count
 * from its last bracket.  -1 where they cannot be read.
 */
static int
read_stat(int64_t pid, char *state, int64_t *start)
{
    char path[64], line[1024], *p;
    FILE *f;
    int field;

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    f = fopen(path, "re");
    if (!f)
        return -1;
    p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!p || p[1] != ' ')
        return -1;
    *state = p[2];
    for (field = 3, p++; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return -1;
    *start = strtoll(p, NULL, 10);
    return 0;
}

static void
read_boot_id(char *out, size_t size)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    out[0] = '\0';
    if (!f)
        return;
    if (fgets(out, (int)size, f))
        out[strcspn(out, "\n")] = '\0';
    fclose(f);
}

void
sys_process_self(struct process *out)
{
    struct stat st;
    char state;

    memset(out, 0, sizeof(*out));
    read_boot_id(out->boot_id, sizeof(out->boot_id));
    out->pid = getpid();
    if (read_stat(out->pid, &state, &out->pid_start) < 0)
        out->pid_start = 0;
    if (stat("/proc/self/ns/pid", &st) == 0)
        out->pid_ns = (int64_t)st.st_ino;
}

int
sys_process_lives(const struct process *p)
{
    struct process self;
    int64_t start;
    char state;

    sys_process_self(&self);
    if (p->boot_id[0] == '\0' || strcmp(p->boot_id, self.boot_id) != 0 ||
        p->pid_ns != self.pid_ns)
        return -1;
    if (p->pid <= 0 || p->pid != (pid_t)p->pid)
        return 0;
    if (kill((pid_t)p->pid, 0) < 0 && errno == ESRCH)
        return 0;
    /* Other users' processes may be hidden; one that exists is taken for it. */
    if (read_stat(p->pid, &state, &start) < 0)
        return 1;
    if (state == 'Z' || state == 'X')
        return 0;
    return p->pid_start == 0 || p->pid_start == start;
}
