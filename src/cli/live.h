/* SPDX-License-Identifier: MIT */
/* What the runs that train are at: their workers' rows. */
#ifndef FMNIST_CLI_LIVE_H
#define FMNIST_CLI_LIVE_H

#include "cli/cli.h"
#include "fmnist/str.h"
#include "fmnist/worker.h"

/* The workers as they were when it was loaded. */
struct live {
    struct store *store;
    struct worker *workers;
    size_t n;
};

int live_load(struct cli *c, struct live *out, struct err *e) MUST_CHECK;
void live_release(struct live *l);
/* Who trains the run; NULL: nobody. */
const struct worker *live_worker(const struct live *l, int64_t run);

/* The part of a run's row that the words below depend on. */
struct live_run {
    int64_t id;
    const char *status, *request; /* request "" or NULL: none */
    int epochs_done;
};

/* Appends the state with what is asked of the run and not yet obeyed, and what
 * is amiss: "running, stops after epoch 12, silent for 4m05s".  Safe to
 * print. */
void live_state(const struct live *l, const struct live_run *r, struct str *b);
/* Only what is asked: "stops after epoch 12"; "": nothing. */
void live_request(const struct live *l, const struct live_run *r, char out[64]);
/* How much of the epoch at work is done, 0 to 1. */
double live_share(const struct worker *w);

/*
 * Rows of run_summary (all columns) with more at their end: "live_state" as
 * above; "live_epoch", how many epochs are done, of a run that trains with a
 * part of the one at work ("3.4"); "live_eta" in seconds.
 */
struct live_rows {
    const struct live *live;
    row_fn fn; /* gets them */
    void *arg;
    int n; /* the rest is live_row's own */
    const char **names;
    struct cell *cells;
    struct str state, epoch;
};
void live_rows_init(struct live_rows *r, const struct live *l, row_fn fn,
                    void *arg);
void live_rows_release(struct live_rows *r);
/* A row_fn; arg is the struct live_rows. */
int live_row(const struct row *r, void *rows, struct err *e) MUST_CHECK;
/* Whether any worker tells how long its run will take. */
int live_has_eta(const struct live *l);

#endif
