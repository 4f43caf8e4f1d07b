/* SPDX-License-Identifier: MIT */
/* Signals that ask a training to end. */
#ifndef FMNIST_CLI_SIGNALS_H
#define FMNIST_CLI_SIGNALS_H

#include "fmnist/worker.h"

/*
 * SIGINT, SIGTERM and SIGHUP set leave->signal from now on; what was ignored
 * (nohup) stays so.  once: the second signal of a kind kills.  SIGPIPE is
 * ignored: a reader of stderr that goes away must not end a run.  One at a
 * time.
 */
void signals_catch(struct worker_leave *leave, int once);
void signals_restore(void);

#endif
