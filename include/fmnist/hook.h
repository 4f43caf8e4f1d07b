/* SPDX-License-Identifier: MIT */
/* The user's command for the end of a run. */
#ifndef FMNIST_HOOK_H
#define FMNIST_HOOK_H

#include "fmnist/err.h"
#include "fmnist/store.h"

/*
 * Starts `/bin/sh -c command` and does not wait for it.  What it learns of the
 * run stands in its environment: FMNIST_RUN_ID, FMNIST_RUN_NAME,
 * FMNIST_RUN_STATUS, FMNIST_RUN_ERROR, FMNIST_DB.  Nothing of it becomes part
 * of the command.
 */
int hook_start(const char *command, const struct run *r, const char *db,
               struct err *e) MUST_CHECK;
/* Takes leave of hooks that have ended. */
void hook_reap(void);

#endif
