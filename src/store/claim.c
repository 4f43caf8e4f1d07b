/* SPDX-License-Identifier: MIT */
/* Who trains which run. */
#include "config.h"

#include "store/db.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/store_queue.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

/* Whether the worker trains the run, 1 or 0, and what is asked of that. */
static int
owns(struct store *s, int64_t worker, int64_t run, char request[12],
     struct err *e)
{
    char status[12] = "";
    int64_t owner = -1;
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_OWNER, &st, e);

    request[0] = '\0';
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", run);
    rc = db_step(s, st, e);
    if (rc > 0) {
        db_column_text(st, 0, status, sizeof(status));
        owner = sqlite3_column_int64(st, 1);
        db_column_text(st, 2, request, 12);
        db_done(st);
    }
    return rc < 0 ? rc : owner == worker && strcmp(status, "running") == 0;
}

int
db_require_own(struct store *s, int64_t id, struct err *e)
{
    char request[12];
    int rc = owns(s, s->worker, id, request, e);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    return err_set(e, ERR_LOST,
                   "run %lld is not this worker's any more: it was taken for "
                   "dead, or the run was changed by hand",
                   (long long)id);
}

int
store_queue_paused(struct store *s, int *on, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_QUEUE_PAUSED, &st, e);

    if (rc == 0)
        rc = db_step(s, st, e);
    *on = rc > 0;
    if (st)
        db_done(st);
    return rc < 0 ? rc : 0;
}

int
store_queue_pause(struct store *s, int on, struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    sys_now(now);
    rc = db_stmt(s, on ? SQL_QUEUE_PAUSE : SQL_QUEUE_RESUME, &st, e);
    if (rc == 0 && on)
        db_text(s, st, ":now", now);
    if (rc == 0)
        rc = db_run(s, st, e);
    return db_end(s, rc, e);
}

/* What both statements that look for a run to claim want to know. */
struct wanted {
    char user[128];
    struct str kernels; /* a JSON array */
};

static int
wanted_init(struct wanted *w, const struct claim *c, struct err *e)
{
    const char *const *k;

    sys_user(w->user, sizeof(w->user));
    str_init(&w->kernels);
    for (k = c->kernels; *k; k++) {
        str_addc(&w->kernels, k == c->kernels ? '[' : ',');
        str_add_json(&w->kernels, *k);
    }
    str_add(&w->kernels, *c->kernels ? "]" : "[]");
    return str_failed(&w->kernels) ? err_nomem(e, "the kernels", 64) : 0;
}

static int
bind_wanted(struct store *s, enum sql id, const struct claim *c,
            const struct wanted *w, sqlite3_stmt **st, struct err *e)
{
    int rc = db_stmt(s, id, st, e);

    if (rc < 0)
        return rc;
    db_text(s, *st, ":user", w->user);
    db_text(s, *st, ":kernels", w->kernels.s);
    db_int(s, *st, ":numerics", c->engine.numerics);
    db_int(s, *st, ":run", c->run);
    return 0;
}

static int
find(struct store *s, const struct claim *c, const struct wanted *w,
     int64_t *id, struct err *e)
{
    sqlite3_stmt *st;
    int rc = bind_wanted(s, SQL_CLAIM_NEXT, c, w, &st, e);

    if (rc < 0)
        return rc;
    rc = db_step(s, st, e);
    if (rc > 0)
        *id = sqlite3_column_int64(st, 0);
    db_done(st);
    return rc < 0 ? rc : 0;
}

static int
take(struct store *s, const struct claim *c, int64_t id, struct err *e)
{
    const struct run_engine *g = &c->engine;
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_PREDICTION_CLEAR, &st, e);

    sys_now(now);
    /* Predictions of an earlier stop would soon be older than the result. */
    if (rc == 0) {
        db_int(s, st, ":id", id);
        rc = db_run(s, st, e);
    }
    if (rc == 0)
        rc = db_stmt(s, SQL_RUN_CLAIM, &st, e);
    if (rc == 0) {
        db_int(s, st, ":id", id);
        db_int(s, st, ":worker", s->worker);
        db_text(s, st, ":now", now);
        db_text(s, st, ":kernel", g->kernel);
        db_int(s, st, ":numerics", g->numerics);
        db_int(s, st, ":threads", g->threads);
        db_text(s, st, ":version", g->version);
        db_text(s, st, ":compiler", g->compiler);
        db_text(s, st, ":host", g->host);
        rc = db_run(s, st, e);
    }
    if (rc == 0 && s->worker)
        rc = db_stmt(s, SQL_WORKER_TAKES, &st, e);
    if (rc == 0 && s->worker) {
        db_int(s, st, ":id", s->worker);
        db_int(s, st, ":run", id);
        db_text(s, st, ":now", now);
        db_real(s, st, ":clock", sys_monotonic());
        rc = db_run(s, st, e);
    }
    return rc;
}

/* Why a run that was named cannot be claimed. */
static int
refuse(struct store *s, const struct claim *c, struct err *e)
{
    struct run r;
    int rc = store_run_get(s, c->run, &r, e);
    char user[128];

    if (rc < 0)
        return rc;
    sys_user(user, sizeof(user));
    if (strcmp(r.status, "queued") != 0)
        return err_set(e, ERR_FAIL, "run %lld is %s, not queued",
                       (long long)r.id, r.status);
    if (r.trashed)
        return err_set(e, ERR_FAIL, "run %lld is in the trash",
                       (long long)r.id);
    if (strcmp(r.user, user) != 0)
        return err_set(e, ERR_FAIL, "run %lld is of user %s", (long long)r.id,
                       r.user);
    if (strcmp(r.engine, "local") != 0)
        return err_set(e, ERR_FAIL, "run %lld is for the engine \"%s\"",
                       (long long)r.id, r.engine);
    return err_set(e, ERR_FAIL,
                   "run %lld was begun with the kernel \"%s\" and numerics %d "
                   "and goes on only with them",
                   (long long)r.id, r.kernel, r.numerics);
}

/* A worker that was taken for dead has no row to claim for. */
static int
has_row(struct store *s, struct err *e)
{
    sqlite3_stmt *st;
    int rc;

    if (s->worker == 0)
        return 0;
    rc = db_stmt(s, SQL_WORKER_EXISTS, &st, e);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", s->worker);
    rc = db_step(s, st, e);
    if (rc == 0)
        return err_set(e, ERR_LOST, "this worker was taken for dead");
    db_done(st);
    return rc < 0 ? rc : 0;
}

/* The run to claim, 0 if there is none. */
static int
choose(struct store *s, const struct claim *c, const struct wanted *w,
       int64_t *id, struct err *e)
{
    int paused = 0;
    int rc = has_row(s, e);

    *id = 0;
    if (rc == 0 && c->run == 0)
        rc = store_queue_paused(s, &paused, e);
    return rc < 0 || paused ? rc : find(s, c, w, id, e);
}

static int
choose_and_take(struct store *s, const struct claim *c, const struct wanted *w,
                int64_t *id, struct err *e)
{
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    rc = choose(s, c, w, id, e);
    if (rc == 0 && *id)
        rc = take(s, c, *id, e);
    else if (rc == 0 && c->run)
        rc = refuse(s, c, e);
    return db_end(s, rc, e);
}

int
store_claim(struct store *s, const struct claim *c, int64_t *id, struct err *e)
{
    struct wanted w;
    int rc = wanted_init(&w, c, e);

    *id = 0;
    /* An idle worker asks often: not worth a lock where there is nothing. */
    if (rc == 0)
        rc = choose(s, c, &w, id, e);
    if (rc == 0 && (*id || c->run))
        rc = choose_and_take(s, c, &w, id, e);
    str_release(&w.kernels);
    if (rc < 0)
        *id = 0;
    return rc;
}

int
store_claim_waits(struct store *s, const struct claim *c, int64_t *id,
                  char why[200], struct err *e)
{
    struct wanted w;
    sqlite3_stmt *st = NULL;
    char kernel[16];
    int rc = wanted_init(&w, c, e);

    *id = 0;
    why[0] = '\0';
    if (rc == 0)
        rc = bind_wanted(s, SQL_CLAIM_PASSED_OVER, c, &w, &st, e);
    if (rc == 0)
        rc = db_step(s, st, e);
    if (rc > 0) {
        *id = sqlite3_column_int64(st, 0);
        db_column_text(st, 1, kernel, sizeof(kernel));
        snprintf(why, 200,
                 "begun with kernel %s and numerics %d, which this program or "
                 "processor does not have",
                 kernel, sqlite3_column_int(st, 2));
    }
    if (st)
        db_done(st);
    str_release(&w.kernels);
    return rc < 0 ? rc : 0;
}

int
store_request(struct store *s, int64_t worker, int64_t run,
              enum run_request *out, struct err *e)
{
    char request[12];
    int rc = owns(s, worker, run, request, e);

    *out = REQUEST_NONE;
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_LOST, "run %lld is not this worker's any more",
                       (long long)run);
    if (strcmp(request, "stop") == 0)
        *out = REQUEST_STOP;
    else if (strcmp(request, "stop-now") == 0)
        *out = REQUEST_STOP_NOW;
    else if (strcmp(request, "pause") == 0)
        *out = REQUEST_PAUSE;
    return 0;
}
