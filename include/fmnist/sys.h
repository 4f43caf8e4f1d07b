/* SPDX-License-Identifier: MIT */
/* What the system knows: files, paths, clocks, processors. */
#ifndef FMNIST_SYS_H
#define FMNIST_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"

/* Time of day as ISO-8601 UTC "2026-01-31T12:34:56.789Z". */
#define SYS_TIME_LEN 25
void sys_now(char out[SYS_TIME_LEN]);
/* Seconds on a clock that never jumps; for rates and ETAs only. */
double sys_monotonic(void);

/* Threads this process may use: affinity mask and cgroup (v1, v2) CPU quota,
 * whichever is less, rounded up; at least 1. */
int sys_cpus(void);
/* Bytes this process may still allocate: MemAvailable, cgroup limit and
 * RLIMIT_AS, whichever is less; UINT64_MAX if nothing is known. */
uint64_t sys_memory_available(void);
/* "Intel(R) Xeon(R) …" as /proc/cpuinfo has it, else the machine name. */
void sys_cpu_name(char *out, size_t size);

/* $XDG_DATA_HOME/fmnist-tui/NAME (else ~/.local/share/…).  mem_free it. */
int sys_data_path(const char *name, char **out, struct err *e) MUST_CHECK;
/* Creates every missing folder above a file path, mode 0700. */
int sys_make_parents(const char *path, struct err *e) MUST_CHECK;
/* Writes bytes to path atomically: temporary file, fsync, rename.  path "-"
 * writes to stdout instead. */
int sys_write_file(const char *path, const void *p, size_t n,
                   struct err *e) MUST_CHECK;
/* Absolute form of a path that may not exist; mem_free it. */
int sys_absolute(const char *path, char **out, struct err *e) MUST_CHECK;
/* The user's login name, or "uid N". */
void sys_user(char *out, size_t size);
void sys_host(char *out, size_t size);
/* A random UUID (version 4) in text form: 36 characters and NUL. */
int sys_uuid(char out[37], struct err *e) MUST_CHECK;

/* A process, told apart from all that ever were: pids are used again, and mean
 * nothing in another boot or pid namespace. */
struct process {
    char boot_id[40]; /* of the kernel; "" where it does not tell */
    int64_t pid, pid_start, pid_ns;
};
void sys_process_self(struct process *out);
/* 1: lives; 0: is gone for certain; -1: cannot be seen from here (another
 * machine, boot or namespace). */
int sys_process_lives(const struct process *p);
/* $XDG_STATE_HOME/fmnist-tui/NAME (else ~/.local/state/…).  mem_free it. */
int sys_state_path(const char *name, char **out, struct err *e) MUST_CHECK;
/* $XDG_CONFIG_HOME/fmnist-tui/NAME (else ~/.config/…).  mem_free it. */
int sys_config_path(const char *name, char **out, struct err *e) MUST_CHECK;

#endif
