/* SPDX-License-Identifier: MIT */
/* Starting this program again as a worker. */
#ifndef FMNIST_QUEUE_SPAWN_H
#define FMNIST_QUEUE_SPAWN_H

#include <sys/types.h>

#include "fmnist/err.h"
#include "fmnist/worker.h"

/*
 * `fmnist-tui --db DB worker …` as o says.  solo: the process that trains;
 * else its supervisor, detached from this session and terminal.  log_file NULL:
 * it writes to this process's stderr.
 */
int spawn_worker(const struct worker_spawn *o, int solo, const char *log_file,
                 pid_t *pid, struct err *e) MUST_CHECK;

#endif
