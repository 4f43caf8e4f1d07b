/* SPDX-License-Identifier: MIT */
/* The part of sys.h about processors and memory. */
#include "config.h"

#include "fmnist/sys.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { CGROUP_PATH = 1024 };

/* The first line of a small file without its newline; 0, or -1. */
static int
read_line(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");
    int rc = -1;

    if (!f)
        return -1;
    if (fgets(buf, (int)size, f)) {
        buf[strcspn(buf, "\n")] = '\0';
        rc = 0;
    }
    fclose(f);
    return rc;
}

/* Finds "key<blanks>number" in a file such as /proc/meminfo; 0, or -1. */
static int
read_keyed(const char *path, const char *key, uint64_t *out)
{
    FILE *f = fopen(path, "re");
    size_t len = strlen(key);
    char line[256];
    int rc = -1;

    if (!f)
        return -1;
    while (rc < 0 && fgets(line, sizeof(line), f)) {
        if (strncmp(line, key, len) == 0) {
            *out = strtoull(line + len, NULL, 10);
            rc = 0;
        }
    }
    fclose(f);
    return rc;
}

static int
read_number(const char *path, uint64_t *out)
{
    char line[64], *end;

    if (read_line(path, line, sizeof(line)) < 0)
        return -1;
    *out = strtoull(line, &end, 10);
    return end == line ? -1 : 0;
}

/*
 * This process's folder of a cgroup controller ("cpu", "memory"), in version 2
 * where `controller` is "".  0, or -1.
 */
static int
cgroup_path(const char *controller, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[CGROUP_PATH];
    int rc = -1;

    if (!f)
        return -1;
    while (rc < 0 && fgets(line, sizeof(line), f)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        char *one, *save = NULL;

        if (!path)
            continue;
        *path++ = '\0';
        names++;
        path[strcspn(path, "\n")] = '\0';
        if (*controller == '\0' && *names == '\0')
            rc = 0;
        for (one = strtok_r(names, ",", &save); one && *controller;
             one = strtok_r(NULL, ",", &save)) {
            if (strcmp(one, controller) == 0)
                rc = 0;
        }
        if (rc == 0 && snprintf(out, size, "%s", path) >= (int)size)
            rc = -1;
    }
    fclose(f);
    return rc;
}

/* Calls visit for the folder of a controller and every folder above it: a limit
 * anywhere on the way up holds. */
static void
cgroup_walk(const char *controller, void (*visit)(const char *dir, void *arg),
            void *arg)
{
    char path[CGROUP_PATH], dir[CGROUP_PATH + 64];
    char *slash;

    if (cgroup_path(controller, path, sizeof(path)) < 0)
        return;
    for (;;) {
        snprintf(dir, sizeof(dir), "/sys/fs/cgroup%s%s%s",
                 *controller ? "/" : "", controller,
                 strcmp(path, "/") == 0 ? "" : path);
        visit(dir, arg);
        slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* Lowers *arg (a double) to the CPUs that dir's quota allows. */
static void
quota_visit(const char *dir, void *arg)
{
    char file[CGROUP_PATH + 128], line[64];
    uint64_t quota = 0, period = 0;
    double *least = arg;

    snprintf(file, sizeof(file), "%s/cpu.max", dir);
    if (read_line(file, line, sizeof(line)) == 0) {
        char *end;

        quota = strtoull(line, &end, 10);
        period = strtoull(end, NULL, 10);
    } else {
        snprintf(file, sizeof(file), "%s/cpu.cfs_quota_us", dir);
        if (read_line(file, line, sizeof(line)) < 0 || line[0] == '-')
            return;
        quota = strtoull(line, NULL, 10);
        snprintf(file, sizeof(file), "%s/cpu.cfs_period_us", dir);
        (void)read_number(file, &period);
    }
    if (quota > 0 && period > 0 && (double)quota / (double)period < *least)
        *least = (double)quota / (double)period;
}

int
sys_cpus(void)
{
    double least = 1 << 20;
    cpu_set_t set;
    int n;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = CPU_COUNT(&set);
    else
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    cgroup_walk("", quota_visit, &least);
    cgroup_walk("cpu", quota_visit, &least);
    if (least < n)
        n = (int)least + (least > (int)least);
    return n < 1 ? 1 : n;
}

/* Lowers *arg (a uint64_t) to what dir's limit leaves.  Cached file pages that
 * the kernel would drop do not count as used. */
static void
memory_visit(const char *dir, void *arg)
{
    char file[CGROUP_PATH + 128];
    uint64_t limit, used, cached = 0;
    uint64_t *least = arg;

    snprintf(file, sizeof(file), "%s/memory.max", dir);
    if (read_number(file, &limit) == 0) {
        snprintf(file, sizeof(file), "%s/memory.current", dir);
    } else {
        snprintf(file, sizeof(file), "%s/memory.limit_in_bytes", dir);
        if (read_number(file, &limit) < 0)
            return;
        snprintf(file, sizeof(file), "%s/memory.usage_in_bytes", dir);
    }
    if (read_number(file, &used) < 0)
        return;
    snprintf(file, sizeof(file), "%s/memory.stat", dir);
    if (read_keyed(file, "total_inactive_file ", &cached) < 0)
        (void)read_keyed(file, "inactive_file ", &cached);
    used -= cached < used ? cached : used;
    limit = limit > used ? limit - used : 0;
    if (limit < *least)
        *least = limit;
}

uint64_t
sys_memory_available(void)
{
    uint64_t least = UINT64_MAX, kib, pages, used;
    struct rlimit as;

    if (read_keyed("/proc/meminfo", "MemAvailable:", &kib) == 0)
        least = kib * 1024;
    cgroup_walk("", memory_visit, &least);
    cgroup_walk("memory", memory_visit, &least);
    if (getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY &&
        read_number("/proc/self/statm", &pages) == 0) {
        used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
        used = as.rlim_cur > used ? as.rlim_cur - used : 0;
        least = used < least ? used : least;
    }
    return least;
}

void
sys_cpu_name(char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    struct utsname u;
    char line[256];
    char *colon;

    if (uname(&u) == 0)
        snprintf(out, size, "%s", u.machine);
    else
        snprintf(out, size, "unknown");
    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            line[strcspn(line, "\n")] = '\0';
            colon++;
            snprintf(out, size, "%s", colon + strspn(colon, " "));
            break;
        }
    }
    fclose(f);
}
