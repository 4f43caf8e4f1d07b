/* SPDX-License-Identifier: MIT */
/* Several runs beside the first of them. */
#ifndef FMNIST_CLI_COMPARE_H
#define FMNIST_CLI_COMPARE_H

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/runs.h"
#include "fmnist/metrics.h"

enum { N_METRICS = 9, COMPARE_MOST = 26 };

struct metric {
    const char *name; /* in JSON and CSV */
    const char *title;
    enum form form;
};
extern const struct metric METRICS[N_METRICS];

struct compared {
    char letter[2]; /* "a" is the first */
    struct run run;
    struct record record;
    double metric[N_METRICS]; /* NaN: unknown */
    char why[96];         /* no pairing with the first: the reason, else "" */
    struct paired paired; /* of the first (a) and this (b) */
};

struct comparison {
    int n;
    struct compared *runs;
    struct varying varying;
};

/* ERR_USAGE for fewer than two runs or more than COMPARE_MOST. */
int compare_load(struct cli *c, const struct run_ids *ids,
                 struct comparison *out, struct err *e) MUST_CHECK;
void compare_release(struct comparison *k);
/* A row for each run: JSON, CSV, ids, or chosen columns. */
int compare_rows(struct cli *c, const struct comparison *k,
                 struct err *e) MUST_CHECK;
/* The sentences that say what follows, one a line. */
void compare_conclusion(const struct comparison *k, struct str *out);
/* A p-value: "= 0.65", "= 0.0031", "< 1e-06". */
void compare_add_p(struct str *b, double p);

#endif
