/* SPDX-License-Identifier: MIT */
/*
 * A run that goes to a database which has it already.
 *
 * The states of one run are in an order: more epochs come later; after the same
 * epochs one that has ended comes after one that has not, and a finished one
 * last; else the times of start and end decide.  What is stored in the end is
 * the latest state, with the parts that either side has and that fit that
 * state.  So it does not matter in which order states arrive.
 */
#include "config.h"

#include "store/transfer.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/str.h"

/* ---- is it the same run? ------------------------------------------------- */

static int
same_hyper(const struct arrival *a, const struct hyper *h, struct str *why,
           struct err *e)
{
    struct str there, here;
    int i, same = 1;

    str_init(&there);
    str_init(&here);
    for (i = 0; same && i < hyper_n_fields(); i++) {
        str_clear(&there);
        str_clear(&here);
        hyper_get(&a->h, &HYPER_FIELDS[i], &there);
        hyper_get(h, &HYPER_FIELDS[i], &here);
        same = strcmp(there.s, here.s) == 0;
        if (!same)
            str_addf(why, "%s is %.60s there and %.60s here",
                     HYPER_FIELDS[i].column, there.s, here.s);
    }
    if (str_failed(&there) || str_failed(&here))
        same = err_nomem(e, "a hyperparameter", there.len + here.len);
    str_release(&there);
    str_release(&here);
    return same;
}

static int
set_hash(struct store *s, int64_t set, char out[SHA256_HEX], struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_TRANSFER_SET_HASH, &st, e);

    out[0] = '\0';
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", set);
    rc = db_step(s, st, e);
    if (rc > 0)
        db_column_text(st, 0, out, SHA256_HEX);
    db_done(st);
    return rc < 0 ? rc : 0;
}

static int
same_set(struct transfer *t, const struct arrival *a, const struct run *r,
         struct str *why, struct err *e)
{
    char there[SHA256_HEX], here[SHA256_HEX];
    int rc = set_hash(t->from, a->set, there, e);

    if (rc == 0)
        rc = set_hash(t->to, r->dataset_id, here, e);
    if (rc < 0)
        return rc;
    if (strcmp(there, here) == 0)
        return 1;
    str_add(why, "its data set is another");
    return 0;
}

/* The figures that decide, of a row of rows_epochs. */
enum { N_FIGURES = 8 };

static int
same_figures(sqlite3_stmt *a, sqlite3_stmt *b)
{
    int i;

    for (i = 0; i < N_FIGURES; i++) {
        double x = sqlite3_column_double(a, i), y = sqlite3_column_double(b, i);

        if (sqlite3_column_type(a, i) != sqlite3_column_type(b, i) ||
            memcmp(&x, &y, sizeof(x)) != 0)
            return 0;
    }
    return 1;
}

/* Of the epochs that both have. */
static int
same_epochs(struct transfer *t, const struct arrival *a, int64_t here,
            struct str *why, struct err *e)
{
    sqlite3_stmt *x, *y;
    int rx, ry, same = 1;
    int rc = db_stmt(t->from, SQL_ROWS_EPOCHS, &x, e);

    if (rc == 0)
        rc = db_stmt(t->to, SQL_ROWS_EPOCHS, &y, e);
    if (rc < 0)
        return rc;
    db_int(t->from, x, ":id", a->there);
    db_int(t->to, y, ":id", here);
    do {
        rx = db_step(t->from, x, e);
        ry = rx > 0 ? db_step(t->to, y, e) : 0;
        if (rx > 0 && ry > 0 && !same_figures(x, y)) {
            str_addf(why, "epoch %d is another", sqlite3_column_int(y, 0));
            same = 0;
        }
    } while (same && rx > 0 && ry > 0);
    db_done(x);
    db_done(y);
    return rx < 0 ? rx : ry < 0 ? ry : same;
}

/* ---- checkpoints --------------------------------------------------------- */

struct stored {
    int64_t epoch; /* 0: none */
    char sha256[SHA256_HEX];
    int state; /* whether it has one */
};

static int
stored_checkpoint(struct store *s, int64_t id, const char *kind,
                  struct stored *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_TRANSFER_CHECKPOINT, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_text(s, st, ":kind", kind);
    rc = db_step(s, st, e);
    if (rc > 0) {
        out->epoch = sqlite3_column_int64(st, 0);
        db_column_text(st, 1, out->sha256, sizeof(out->sha256));
        out->state = sqlite3_column_int(st, 2);
    }
    db_done(st);
    return rc < 0 ? rc : 0;
}

/* Weights after the same epoch must be the same. */
static int
same_weights(struct transfer *t, const struct arrival *a, int64_t here,
             struct str *why, struct err *e)
{
    static const char *const KINDS[] = {"last", "best"};
    struct stored x, y;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < 2; i++) {
        rc = stored_checkpoint(t->from, a->there, KINDS[i], &x, e);
        if (rc == 0)
            rc = stored_checkpoint(t->to, here, KINDS[i], &y, e);
        if (rc == 0 && x.epoch && x.epoch == y.epoch &&
            strcmp(x.sha256, y.sha256) != 0) {
            str_addf(why, "its weights after epoch %lld are others",
                     (long long)x.epoch);
            return 0;
        }
    }
    return rc < 0 ? rc : 1;
}

/* Whether a checkpoint of that epoch has its place beside the run as it is. */
static int
fits(const struct run *r, const char *kind, int64_t epoch)
{
    int64_t newest =
        strcmp(kind, "best") == 0 ? r->result_epoch : r->epochs_done;

    return strcmp(r->status, "finished") == 0 ? epoch == newest
                                              : epoch <= newest;
}

struct wanted {
    struct arrival *a;
    int last, best;
};

static int
leave_unwanted(struct transfer *t, struct cell *cells, void *arg, struct err *e)
{
    const struct wanted *w = arg;

    if (strcmp(cells[0].s, "best") == 0 ? !w->best : !w->last)
        return 1;
    return arrival_check_checkpoint(t, cells, w->a, e);
}

/* Whether the checkpoint there is to replace the one here. */
static int
is_better(struct transfer *t, const struct arrival *a, const struct run *r,
          const char *kind, int *better, struct err *e)
{
    struct stored x, y;
    int rc = stored_checkpoint(t->from, a->there, kind, &x, e);

    if (rc == 0)
        rc = stored_checkpoint(t->to, r->id, kind, &y, e);
    *better = rc == 0 && x.epoch && fits(r, kind, x.epoch) &&
              (x.epoch > y.epoch || (x.epoch == y.epoch && x.state > y.state));
    return rc;
}

static int
merge_checkpoints(struct transfer *t, struct arrival *a, const struct run *r,
                  struct err *e)
{
    struct wanted w = {.a = a};
    sqlite3_stmt *st;
    int rc = is_better(t, a, r, "last", &w.last, e);

    if (rc == 0)
        rc = is_better(t, a, r, "best", &w.best, e);
    if (rc == 0 && (w.last || w.best)) {
        arrival_limit(t, a, TABLE_CHECKPOINT);
        rc = transfer_rows(t, TABLE_CHECKPOINT, a->there, r->id, leave_unwanted,
                           &w, e);
    }
    if (rc == 0)
        rc = db_stmt(t->to, SQL_TRANSFER_CHECKPOINTS_OLD, &st, e);
    if (rc < 0)
        return rc;
    db_int(t->to, st, ":id", r->id);
    return db_run(t->to, st, e);
}

/* ---- which state comes later? -------------------------------------------- */

static int
rank(const char *status)
{
    return strcmp(status, "finished") == 0 ? 2
           : strcmp(status, "stopped") == 0 || strcmp(status, "failed") == 0
               ? 1
               : 0;
}

/* Below 0, 0, above 0: the state there comes before the one here, is it, comes
 * after it. */
static int
compare(const struct arrival *a, const struct run *r)
{
    int there = rank(a->status), here = rank(r->status), order;

    if (a->epochs != r->epochs_done)
        return a->epochs < r->epochs_done ? -1 : 1;
    /* Whoever queued it here did so knowing that it had ended. */
    if (strcmp(r->status, "queued") == 0 && there < 2)
        return -1;
    if (there != here)
        return there - here;
    order = strcmp(a->finished_at, r->finished_at);
    if (order == 0)
        order = strcmp(a->started_at, r->started_at);
    return order ? order : strcmp(a->status, r->status);
}

/* A finished run has no more epochs. */
static int
same_end(const struct arrival *a, const struct run *r, struct str *why)
{
    if ((rank(a->status) == 2 && r->epochs_done > a->epochs) ||
        (rank(r->status) == 2 && a->epochs > r->epochs_done)) {
        str_addf(why,
                 "it has %lld epochs there and %d here, one of them at "
                 "its end",
                 (long long)a->epochs, r->epochs_done);
        return 0;
    }
    return 1;
}

/* ---- the later state ----------------------------------------------------- */

static int
leave_known(struct transfer *t, struct cell *cells, void *arg, struct err *e)
{
    const int64_t *here = arg;
    sqlite3_stmt *st;
    int rc = db_stmt(t->to, SQL_TRANSFER_EVENT_KNOWN, &st, e);

    if (rc < 0)
        return rc;
    db_int(t->to, st, ":id", *here);
    db_text(t->to, st, ":at", cells[0].s);
    db_text(t->to, st, ":level", cells[1].s);
    db_text(t->to, st, ":text", cells[2].s);
    rc = db_step(t->to, st, e);
    db_done(st);
    return rc;
}

static int
follow_row(struct transfer *t, struct arrival *a, int64_t here, struct err *e)
{
    const struct table *p = &t->tables[TABLE_RUN];
    int i;

    sqlite3_bind_int64(t->follow, 1, here);
    for (i = 0; i < p->n; i++)
        if (p->fields[i].keeper == KEEP_LIFE)
            db_cell(t->to, t->follow, i + 2, &a->cells[i]);
    return db_run(t->to, t->follow, e);
}

/* By the steps that the schema allows. */
static int
set_status(struct transfer *t, const struct run *r, const char *status,
           struct err *e)
{
    const char *const steps[] = {"queued", "running", status};
    sqlite3_stmt *st;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < 3 && strcmp(r->status, status) != 0; i++) {
        rc = db_stmt(t->to, SQL_TRANSFER_STATUS, &st, e);
        if (rc < 0)
            break;
        db_int(t->to, st, ":id", r->id);
        db_text(t->to, st, ":status", steps[i]);
        rc = db_run(t->to, st, e);
    }
    return rc;
}

static int
tell_progress(struct transfer *t, const struct arrival *a, const struct run *r,
              struct err *e)
{
    struct str b;
    int rc;

    str_init(&b);
    str_addf(&b,
             "brought up to date from %s: %s after %lld epochs, was %s "
             "after %d",
             t->origin, a->was, (long long)a->epochs, r->status,
             r->epochs_done);
    rc = str_failed(&b) ? err_nomem(e, "a message", b.len)
                        : db_event(t->to, r->id, "info", b.s, e);
    str_release(&b);
    return rc;
}

/* Its figures, events and status become those that it has there. */
static int
follow(struct transfer *t, struct arrival *a, const struct run *r,
       struct err *e)
{
    int queued = strcmp(r->status, "queued") == 0 && rank(a->status) < 2;
    int64_t here = r->id;
    int rc;

    if (queued)
        arrival_requeue(t, a);
    rc = follow_row(t, a, here, e);
    if (rc == 0)
        rc = arrival_rows(t, a, TABLE_EPOCH, here, e);
    if (rc == 0)
        rc = arrival_rows(t, a, TABLE_CONFUSION, here, e);
    arrival_limit(t, a, TABLE_EVENT);
    if (rc == 0)
        rc = transfer_rows(t, TABLE_EVENT, a->there, here, leave_known, &here,
                           e);
    if (rc == 0)
        rc = arrival_settle(t, here, e);
    if (rc == 0)
        rc = set_status(t, r, queued ? "queued" : a->status, e);
    return rc < 0 ? rc : tell_progress(t, a, r, e);
}

/* ---- parts that either side may have ------------------------------------- */

static int
run_statement(struct transfer *t, enum sql id, int64_t here, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(t->to, id, &st, e);

    if (rc < 0)
        return rc;
    db_int(t->to, st, ":id", here);
    rc = db_step(t->to, st, e);
    if (rc > 0)
        rc = sqlite3_column_int64(st, 0) > 0;
    db_done(st);
    return rc;
}

/* Predictions are those of the result. */
static int
merge_predictions(struct transfer *t, struct arrival *a, int64_t was,
                  const struct run *r, struct err *e)
{
    int rc = 0;

    if (r->result_epoch != was)
        rc = run_statement(t, SQL_PREDICTION_CLEAR, r->id, e);
    if (rc == 0)
        rc = run_statement(t, SQL_PREDICTION_COUNT, r->id, e);
    if (rc == 0 && r->result_epoch == a->result_epoch)
        rc = arrival_rows(t, a, TABLE_PREDICTION, r->id, e);
    return rc < 0 ? rc : 0;
}

static int
merge(struct transfer *t, struct arrival *a, struct run *r, struct err *e)
{
    int64_t was = r->result_epoch;
    int rc = 0;

    if (compare(a, r) > 0) {
        rc = follow(t, a, r, e);
        if (rc == 0)
            rc = store_run_get(t->to, r->id, r, e);
    }
    if (rc == 0)
        rc = merge_predictions(t, a, was, r, e);
    if (rc == 0)
        rc = arrival_rows(t, a, TABLE_EPOCH_PREDICTION, r->id, e);
    return rc < 0 ? rc : merge_checkpoints(t, a, r, e);
}

static int
is_same(struct transfer *t, struct arrival *a, struct run *r, struct str *why,
        struct err *e)
{
    int same = same_hyper(a, &r->h, why, e);

    if (same > 0)
        same = same_set(t, a, r, why, e);
    if (same > 0)
        same = same_epochs(t, a, r->id, why, e);
    if (same > 0)
        same = same_weights(t, a, r->id, why, e);
    return same > 0 ? same_end(a, r, why) : same;
}

int
arrival_merge(struct transfer *t, struct arrival *a, int64_t here,
              enum import_what *what, struct str *why, struct err *e)
{
    struct pair set;
    struct run r;
    int changes, rc = store_run_get(t->to, here, &r, e);

    if (rc == 0)
        rc = is_same(t, a, &r, why, e);
    if (rc <= 0) {
        *what = IMPORT_REFUSED;
        return rc;
    }
    if (strcmp(r.status, "running") == 0) {
        *what = compare(a, &r) > 0 ? IMPORT_BUSY : IMPORT_KNOWN;
        return 0;
    }
    rc = transfer_set(t, a->set, &set, e);
    changes = sqlite3_total_changes(t->to->db);
    if (rc == 0)
        rc = merge(t, a, &r, e);
    *what = sqlite3_total_changes(t->to->db) != changes ? IMPORT_UPDATED
                                                        : IMPORT_KNOWN;
    if (rc == 0 && *what == IMPORT_UPDATED)
        rc = arrival_check(t, a, here, e);
    return rc;
}
