/* SPDX-License-Identifier: MIT */
/* The progress of a run on stderr. */
#ifndef FMNIST_CLI_PROGRESS_H
#define FMNIST_CLI_PROGRESS_H

#include "cli/cli.h"
#include "fmnist/trainer.h"

/*
 * On a terminal one line that is drawn again at most ten times a second and
 * never wraps; elsewhere a line every few seconds.  Says nothing if --quiet.
 */
struct progress {
    const struct cli *c;
    int live;        /* a terminal */
    double shown_at; /* sys_monotonic; 0: not yet */
    int drawn;       /* columns in use on the line */
    double test_acc; /* of the last epoch; NaN before */
};

void progress_init(struct progress *p, const struct cli *c);
void progress_batch(struct progress *p, const struct batch_report *r);
void progress_epoch(struct progress *p, const struct epoch_metrics *m);
/* Leaves the terminal's line empty. */
void progress_clear(struct progress *p);

/* The line as a terminal of `width` columns gets it, at most width - 1. */
void progress_line(struct str *b, const struct batch_report *r, double test_acc,
                   int width, int ascii);

#endif
