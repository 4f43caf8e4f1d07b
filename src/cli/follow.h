/* SPDX-License-Identifier: MIT */
/* `log --follow`: what a run says, as it says it. */
#ifndef FMNIST_CLI_FOLLOW_H
#define FMNIST_CLI_FOLLOW_H

#include "cli/cli.h"
#include "cli/output.h"

/* Prints the messages and epochs so far, then those that come, until the run
 * has ended or a signal comes.  JSON is one object a line; it and CSV have the
 * epochs only. */
int follow_run(struct cli *c, int64_t id, enum output_mode mode,
               struct err *e) MUST_CHECK;

#endif
