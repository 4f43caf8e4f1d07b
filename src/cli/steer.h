/* SPDX-License-Identifier: MIT */
/* What the commands that steer runs share. */
#ifndef FMNIST_CLI_STEER_H
#define FMNIST_CLI_STEER_H

#include "cli/cli.h"
#include "fmnist/store_queue.h"

/* Steers the runs that were typed, and says what was done to each (of many: to
 * how many).  *queued counts the runs that are queued by it. */
int steer_runs(struct cli *c, enum steer what, int *queued,
               struct err *e) MUST_CHECK;

/* `pause --queue`, `resume --queue`. */
int steer_queue(struct cli *c, int pause, struct err *e) MUST_CHECK;

#endif
