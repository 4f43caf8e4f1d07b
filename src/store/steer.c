/* SPDX-License-Identifier: MIT */
/* Stopping, pausing, resuming runs, and their order in the queue. */
#include "config.h"

#include "store/db.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"

/* ---- steering ------------------------------------------------------------ */

static int
set_status(struct store *s, int64_t id, const char *status, int last,
           struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_STATUS, &st, e);

    if (rc < 0)
        return rc;
    sys_now(now);
    db_int(s, st, ":id", id);
    db_text(s, st, ":status", status);
    db_int(s, st, ":last", last);
    db_text(s, st, ":now", now);
    return db_run(s, st, e);
}

static int
set_request(struct store *s, int64_t id, const char *request, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_REQUEST, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_text(s, st, ":request", request);
    return db_run(s, st, e);
}

/* Everything that a run has trained goes. */
static int
forget(struct store *s, int64_t id, struct err *e)
{
    static const enum sql ALL[] = {
        SQL_PREDICTION_CLEAR, SQL_RUN_FORGET_CHECKPOINTS, SQL_RUN_FORGET_EPOCHS,
        SQL_RUN_FORGET_FIGURES};
    sqlite3_stmt *st;
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        rc = db_stmt(s, ALL[i], &st, e);
        if (rc == 0) {
            db_int(s, st, ":id", id);
            rc = db_run(s, st, e);
        }
    }
    return rc;
}

static int
is(const struct run_status *r, const char *status)
{
    return strcmp(r->status, status) == 0;
}

/* What steering does to a run of that status; STEERED_NOT: nothing. */
static enum steered
outcome(const struct run_status *r, enum steer what)
{
    if (r->trashed)
        return STEERED_NOT;
    switch (what) {
    case STEER_STOP:
    case STEER_STOP_NOW:
        if (is(r, "running"))
            return STEERED_ASKED;
        return is(r, "queued") || is(r, "paused") ? STEERED_STOPPED
                                                  : STEERED_NOT;
    case STEER_PAUSE:
        if (is(r, "running"))
            return STEERED_ASKED;
        return is(r, "queued") ? STEERED_PAUSED : STEERED_NOT;
    case STEER_RESUME:
        if (is(r, "running") && r->request[0])
            return STEERED_WITHDRAWN;
        if (is(r, "paused"))
            return STEERED_QUEUED;
        break;
    case STEER_RETRY:
        break;
    }
    return is(r, "stopped") || is(r, "failed") ? STEERED_QUEUED : STEERED_NOT;
}

static int
apply(struct store *s, int64_t id, const struct run_status *r, enum steer what,
      enum steered to, struct err *e)
{
    static const char *const REQUESTS[] = {[STEER_STOP] = "stop",
                                           [STEER_STOP_NOW] = "stop-now",
                                           [STEER_PAUSE] = "pause"};

    switch (to) {
    case STEERED_NOT:
        return 0;
    case STEERED_STOPPED:
        return set_status(s, id, "stopped", 0, e);
    case STEERED_PAUSED:
        return set_status(s, id, "paused", 0, e);
    case STEERED_QUEUED:
        /* One that was only paused has its place still. */
        return set_status(s, id, "queued", !is(r, "paused"), e);
    case STEERED_ASKED:
        return set_request(s, id, REQUESTS[what], e);
    case STEERED_WITHDRAWN:
        return set_request(s, id, "", e);
    }
    return 0;
}

static void
reason(const struct run_status *r, int64_t id, enum steer what, char *why,
       size_t size)
{
    int again = what == STEER_RESUME || what == STEER_RETRY;
    const char *hint = "";

    if (again && is(r, "finished"))
        hint = "; `extend` trains it for more epochs, `clone` trains it anew";
    else if (what == STEER_RETRY && is(r, "paused"))
        hint = "; `resume` puts it back in the queue";
    snprintf(why, size, "run %lld is %s%s", (long long)id,
             r->trashed ? "in the trash" : r->status,
             r->trashed ? "; `restore` takes it out" : hint);
}

static int
steer_one(struct store *s, int64_t id, enum steer what, int fresh,
          enum steered *to, char *why, size_t size, struct err *e)
{
    struct run_status r;
    int rc = db_status(s, id, &r, e);

    why[0] = '\0';
    if (rc < 0)
        return rc;
    *to = outcome(&r, what);
    if (fresh && *to == STEERED_WITHDRAWN)
        *to = STEERED_NOT;
    if (*to == STEERED_NOT)
        reason(&r, id, what, why, size);
    else if (*to == STEERED_QUEUED && fresh)
        rc = forget(s, id, e);
    return rc < 0 ? rc : apply(s, id, &r, what, *to, e);
}

int
store_steer(struct store *s, const struct run_ids *r, enum steer what,
            int fresh, steer_fn each, void *arg, struct err *e)
{
    enum steered *to = mem_zalloc(r->n, sizeof(*to));
    char(*why)[160] = mem_zalloc(r->n, sizeof(*why));
    size_t i;
    int rc = to && why ? db_begin(s, e)
                       : err_nomem(e, "the runs", r->n * sizeof(*why));

    if (rc == 0) {
        for (i = 0; rc == 0 && i < r->n; i++)
            rc = steer_one(s, r->ids[i], what, fresh, &to[i], why[i],
                           sizeof(why[i]), e);
        if (rc == 0 && r->n == 1 && to[0] == STEERED_NOT)
            rc = err_set(e, ERR_FAIL, "%s", why[0]);
        rc = db_end(s, rc, e);
    }
    for (i = 0; rc == 0 && each && i < r->n; i++)
        each(r->ids[i], to[i], why[i], arg);
    mem_free(to);
    mem_free(why);
    return rc;
}

/* ---- order --------------------------------------------------------------- */

/* The queue as a list of places; `moved` marks the runs to move. */
struct place {
    int64_t id, position;
    int moved;
    size_t nth; /* in the list of runs to move */
};

struct places {
    struct place *all;
    size_t n;
};

static int
load_places(struct store *s, struct places *p, struct err *e)
{
    struct place *more;
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_QUEUE_ORDER, &st, e);

    while (rc == 0 && (rc = db_step(s, st, e)) > 0) {
        more = mem_resize(p->all, p->n + 1, sizeof(*more));
        rc = more ? 0 : err_nomem(e, "the queue", (p->n + 1) * sizeof(*more));
        if (more) {
            p->all = more;
            more[p->n++] = (struct place){sqlite3_column_int64(st, 0),
                                          sqlite3_column_int64(st, 1), 0, 0};
        }
    }
    if (st)
        db_done(st);
    return rc;
}

static void
mark(struct places *p, const struct run_ids *r, int *changed, int *kept)
{
    size_t i, k;

    for (k = 0; k < r->n; k++) {
        for (i = 0; i < p->n && p->all[i].id != r->ids[k]; i++)
            ;
        if (i < p->n) {
            p->all[i].moved = 1;
            p->all[i].nth = k;
            ++*changed;
        } else {
            ++*kept;
        }
    }
}

static int
by_nth(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return (x->nth > y->nth) - (x->nth < y->nth);
}

/* All moved ones, in the order they were named, before index `at` of the ones
 * that stay. */
static void
gather(const struct places *p, size_t at, struct place *out)
{
    size_t i, k, n = 0, stay = 0, first;

    for (i = 0; i < p->n && stay < at; i++)
        if (!p->all[i].moved) {
            out[n++] = p->all[i];
            stay++;
        }
    first = n;
    for (k = 0; k < p->n; k++)
        if (p->all[k].moved)
            out[n++] = p->all[k];
    qsort(out + first, n - first, sizeof(*out), by_nth);
    for (; i < p->n; i++)
        if (!p->all[i].moved)
            out[n++] = p->all[i];
}

/* Each moved one changes places with the one above that stays. */
static void
step(const struct places *p, int up, struct place *out)
{
    struct place old;
    size_t i, k;

    memcpy(out, p->all, p->n * sizeof(*out));
    for (k = 1; k < p->n; k++) {
        i = up ? k : p->n - 1 - k;
        if (out[i].moved && !out[up ? i - 1 : i + 1].moved) {
            old = out[i];
            out[i] = out[up ? i - 1 : i + 1];
            out[up ? i - 1 : i + 1] = old;
        }
    }
}

/* *n: how many of those that stay come before `other`, with `after` that one
 * too. */
static int
stay_before(const struct places *p, int64_t other, int after, size_t *n,
            struct err *e)
{
    size_t i;

    *n = 0;
    for (i = 0; i < p->n && p->all[i].id != other; i++)
        *n += !p->all[i].moved;
    if (i == p->n)
        return err_set(e, ERR_FAIL, "run %lld is not in the queue",
                       (long long)other);
    if (p->all[i].moved)
        return err_set(e, ERR_FAIL, "run %lld is one of those to move",
                       (long long)other);
    *n += (size_t)after;
    return 0;
}

static int
arrange(const struct places *p, enum move how, int64_t other, struct place *out,
        struct err *e)
{
    size_t at;
    int rc;

    switch (how) {
    case MOVE_UP:
    case MOVE_DOWN:
        step(p, how == MOVE_UP, out);
        return 0;
    case MOVE_TOP:
        gather(p, 0, out);
        return 0;
    case MOVE_BOTTOM:
        gather(p, p->n, out);
        return 0;
    case MOVE_BEFORE:
    case MOVE_AFTER:
        break;
    }
    rc = stay_before(p, other, how == MOVE_AFTER, &at, e);
    if (rc == 0)
        gather(p, at, out);
    return rc;
}

/* Whether no two are equal, as an import may bring them. */
static int
are_distinct(const struct places *p)
{
    size_t i;

    for (i = 1; i < p->n; i++)
        if (p->all[i].position == p->all[i - 1].position)
            return 0;
    return 1;
}

/* The places stay as they are; who stands in them changes. */
static int
write_places(struct store *s, const struct places *p, const struct place *order,
             struct err *e)
{
    int distinct = are_distinct(p);
    int64_t position;
    sqlite3_stmt *st;
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < p->n; i++) {
        position = distinct ? p->all[i].position : (int64_t)i + 1;
        if (order[i].position == position)
            continue;
        rc = db_stmt(s, SQL_RUN_POSITION, &st, e);
        if (rc == 0) {
            db_int(s, st, ":id", order[i].id);
            db_int(s, st, ":position", position);
            rc = db_run(s, st, e);
        }
    }
    return rc;
}

static int
move_marked(struct store *s, const struct places *p, enum move how,
            int64_t other, struct err *e)
{
    struct place *order = mem_zalloc(p->n, sizeof(*order));
    int rc = order ? arrange(p, how, other, order, e)
                   : err_nomem(e, "the queue", p->n * sizeof(*order));

    if (rc == 0)
        rc = write_places(s, p, order, e);
    mem_free(order);
    return rc;
}

static int
has_no_place(struct store *s, int64_t id, struct err *e)
{
    struct run_status r;
    int rc = db_status(s, id, &r, e);

    if (rc < 0)
        return rc;
    return err_set(e, ERR_FAIL, "run %lld is %s, not in the queue",
                   (long long)id, r.trashed ? "in the trash" : r.status);
}

int
store_move(struct store *s, const struct run_ids *r, enum move how,
           int64_t other, int *changed, int *kept, struct err *e)
{
    struct places p = {0};
    int rc = db_begin(s, e);

    *changed = *kept = 0;
    if (rc < 0)
        return rc;
    rc = load_places(s, &p, e);
    if (rc == 0)
        mark(&p, r, changed, kept);
    if (rc == 0 && r->n == 1 && *kept)
        rc = has_no_place(s, r->ids[0], e);
    if (rc == 0 && *changed)
        rc = move_marked(s, &p, how, other, e);
    mem_free(p.all);
    rc = db_end(s, rc, e);
    if (rc < 0)
        *changed = *kept = 0;
    return rc;
}

int
store_place(struct store *s, int64_t id, int *place, int *of, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_QUEUE_PLACE, &st, e);

    *place = *of = 0;
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = db_step(s, st, e);
    if (rc > 0) {
        *of = sqlite3_column_int(st, 0);
        *place = sqlite3_column_int(st, 1);
    }
    db_done(st);
    return rc < 0 ? rc : 0;
}
