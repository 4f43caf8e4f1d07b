/* SPDX-License-Identifier: MIT */
/* What the commands on runs share. */
#ifndef FMNIST_CLI_RUNS_H
#define FMNIST_CLI_RUNS_H

#include "cli/cli.h"
#include "cli/output.h"

/*
 * Which hyperparameters (and the data set) differ among rows that come one by
 * one: the first row's values are kept, the others compared with them.
 */
struct varying {
    int n;                /* fields, the data set last */
    const char **columns; /* their names */
    char **first;
    int *differs;
    int *blank; /* 1: some row has no value */
    int rows;
};
int varying_init(struct varying *v, struct err *e) MUST_CHECK;
/* Whether field i is worth a column: it differs, and where all runs have a
 * preset, the layers do not say it again. */
int varying_shown(const struct varying *v, int i);
void varying_release(struct varying *v);
/* A row_fn; arg is the struct varying.  Rows may have other columns too. */
int varying_row(const struct row *r, void *arg, struct err *e) MUST_CHECK;

/*
 * A row of run_summary, copied.
 */
struct record {
    int n;
    const char **names;
    struct cell *cells;
    char *text; /* of names and cells */
};
/* The run, in the trash or not; ERR_NOTFOUND. */
int record_load(struct cli *c, int64_t id, struct record *out,
                struct err *e) MUST_CHECK;
void record_release(struct record *r);
/* A cell of type CELL_NULL where there is no such column. */
const struct cell *record_cell(const struct record *r, const char *name);
double record_number(const struct record *r, const char *name); /* else NaN */
const char *record_text(const struct record *r, const char *name); /* else "" */

/* Appends the command that trains this run again. */
int run_command_line(const struct run *run, const struct dataset_row *data,
                     struct str *out, struct err *e) MUST_CHECK;

/* A heading that is short: "batch" for "batch_size". */
const char *run_heading(const char *column);

/* "run" or "runs". */
const char *run_plural(long long n);

/* A column of run_summary, or ERR_USAGE with the nearest name; `option` is what
 * the message begins with. */
int run_column_check(struct cli *c, const char *option, const char *name,
                     struct err *e) MUST_CHECK;

/* The newest 20 runs, or what to do first. */
int cli_snapshot(struct cli *c, struct err *e) MUST_CHECK;

#endif
