/* SPDX-License-Identifier: MIT */
/* Who will train what a command has queued. */
#ifndef FMNIST_CLI_WORKERS_H
#define FMNIST_CLI_WORKERS_H

#include "cli/cli.h"

/* --start, for a command's table of options. */
#define WORKERS_START                                                 \
    {                                                                 \
        .name = "start", .help = "start a worker unless one is alive" \
    }

/* Where no worker of the user is alive: starts one if --start was given, else
 * says so.  Says too where the whole queue is paused. */
int workers_tell(struct cli *c, struct err *e) MUST_CHECK;

#endif
