/* SPDX-License-Identifier: MIT */
/* Making queued runs: what `queue` and `clone` share. */
#ifndef FMNIST_CLI_ENQUEUE_H
#define FMNIST_CLI_ENQUEUE_H

#include "cli/cli.h"
#include "fmnist/forecast.h"
#include "fmnist/grid.h"

/* --random, --dry-run … */
extern const struct cli_option ENQUEUE_OPTIONS[];
#define ENQUEUE_TAKES (CLI_TAKES_HYPER | CLI_TAKES_OUTPUT)

/* What the options change. */
struct enqueue_base {
    int64_t run; /* whose these are; 0: nobody's */
    struct hyper h;
    int64_t dataset_id; /* 0: the set "small" */
    int threads;        /* where --threads is not given; 0: the worker's */
};

/* For struct cli_command. */
int enqueue_check(const struct cli *c, struct err *e) MUST_CHECK;
/* The whole command, for n >= 1 bases. */
int enqueue(struct cli *c, const struct enqueue_base *bases, size_t n,
            struct err *e) MUST_CHECK;
/* Opens the database as --dry-run or its absence asks for; c->store stays NULL
 * in a dry run where there is none, unless one must exist. */
int enqueue_store(struct cli *c, int existing, struct err *e) MUST_CHECK;

/* ---- a call at work ------------------------------------------------------ */

/* A run of the grid. */
struct planned {
    struct hyper *h;
    int set;
    int threads;         /* 0: its worker's choice */
    uint32_t n[N_PARTS]; /* images of each part */
    struct forecast time;
    double bytes;
    int64_t twin; /* a run that is the same; 0: none */
    char twin_status[12];
    char name[160]; /* more than a run's may have: the store refuses it */
    int64_t id;     /* 0: not queued */
};

struct planned_set {
    struct dataset *d;
    int64_t id; /* 0: unknown to the database */
    int put;    /* its row is as d says */
};

struct plan {
    struct cli *c;
    const struct enqueue_base *bases;
    struct grid grid;
    struct planned *runs;          /* grid.n */
    struct planned_set *sets;      /* grid.n_sets */
    int skip;                      /* --skip-existing */
    size_t twins;                  /* runs that have one */
    struct forecaster *forecaster; /* NULL: no database */
    int workers;                   /* at least 1; of those not skipped: */
    double seconds, bytes;
};

static inline int
plan_skips(const struct plan *p, const struct planned *r)
{
    return p->skip && r->twin;
}

/* Time and size of each run. */
int plan_forecast(struct plan *p, struct err *e) MUST_CHECK;
/* Prints what is queued and who will train it; obeys --start. */
int plan_report(struct plan *p, struct err *e) MUST_CHECK;
/* Prints what would be queued. */
int plan_dry_run(struct plan *p, struct err *e) MUST_CHECK;

#endif
