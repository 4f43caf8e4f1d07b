/* SPDX-License-Identifier: MIT */
/* Workers: their rows, heartbeats, and what a dead one leaves behind. */
#include "config.h"

#include "store/db.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"

int
store_worker_add(struct store *s, int threads, const char *log_file,
                 int64_t *id, struct err *e)
{
    char uuid[37], now[SYS_TIME_LEN], user[128], host[80];
    struct process self;
    sqlite3_stmt *st;
    int rc = sys_uuid(uuid, e);

    *id = 0;
    if (rc == 0)
        rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    sys_now(now);
    sys_user(user, sizeof(user));
    sys_host(host, sizeof(host));
    sys_process_self(&self);
    rc = db_stmt(s, SQL_WORKER_INSERT, &st, e);
    if (rc == 0) {
        db_text(s, st, ":uuid", uuid);
        db_text(s, st, ":user", user);
        db_text(s, st, ":host", host);
        db_text(s, st, ":boot_id", self.boot_id);
        db_int(s, st, ":pid", self.pid);
        db_int(s, st, ":pid_start", self.pid_start);
        db_int(s, st, ":pid_ns", self.pid_ns);
        db_int(s, st, ":threads", threads);
        db_text(s, st, ":now", now);
        db_real(s, st, ":clock", sys_monotonic());
        db_text(s, st, ":log_file", log_file ? log_file : "");
        rc = db_run(s, st, e);
    }
    if (rc == 0)
        *id = sqlite3_last_insert_rowid(s->db);
    rc = db_end(s, rc, e);
    s->worker = rc == 0 ? *id : 0;
    return rc;
}

int
store_worker_beat(struct store *s, int64_t id, int64_t run,
                  const struct batch_report *r, struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    sys_now(now);
    rc = db_stmt(s, r ? SQL_WORKER_PROGRESS : SQL_WORKER_BEAT, &st, e);
    if (rc == 0) {
        db_int(s, st, ":id", id);
        db_text(s, st, ":now", now);
        db_real(s, st, ":clock", sys_monotonic());
        if (r) {
            db_int(s, st, ":run", run);
            db_int(s, st, ":epoch", r->epoch);
            db_int(s, st, ":batch", r->batch);
            db_int(s, st, ":batches", r->batches);
            db_real(s, st, ":loss", r->loss);
            db_real(s, st, ":acc", r->acc);
            db_real(s, st, ":samples_per_second", r->samples_per_second);
            db_real(s, st, ":eta_seconds", r->eta_seconds);
        }
        rc = db_run(s, st, e);
    }
    return db_end(s, rc, e);
}

/* ---- reading ------------------------------------------------------------- */

static double
real_or_nan(sqlite3_stmt *st, int col)
{
    return sqlite3_column_type(st, col) == SQLITE_NULL
               ? (double)NAN
               : sqlite3_column_double(st, col);
}

static void
read_worker(sqlite3_stmt *st, struct worker *w)
{
    memset(w, 0, sizeof(*w));
    w->id = sqlite3_column_int64(st, 0);
    db_column_text(st, 1, w->uuid, sizeof(w->uuid));
    db_column_text(st, 2, w->user, sizeof(w->user));
    db_column_text(st, 3, w->host, sizeof(w->host));
    db_column_text(st, 4, w->process.boot_id, sizeof(w->process.boot_id));
    w->process.pid = sqlite3_column_int64(st, 5);
    w->process.pid_start = sqlite3_column_int64(st, 6);
    w->process.pid_ns = sqlite3_column_int64(st, 7);
    w->threads = sqlite3_column_int(st, 8);
    db_column_text(st, 9, w->started_at, sizeof(w->started_at));
    db_column_text(st, 10, w->heartbeat_at, sizeof(w->heartbeat_at));
    w->heartbeat_clock = sqlite3_column_double(st, 11);
    w->run_id = sqlite3_column_int64(st, 12);
    w->at.epoch = sqlite3_column_int(st, 13);
    w->at.batch = sqlite3_column_int(st, 14);
    w->at.batches = sqlite3_column_int(st, 15);
    w->at.loss = real_or_nan(st, 16);
    w->at.acc = real_or_nan(st, 17);
    w->at.samples_per_second = real_or_nan(st, 18);
    w->at.eta_seconds = real_or_nan(st, 19);
    db_column_text(st, 20, w->log_file, sizeof(w->log_file));
    w->at.epochs = sqlite3_column_int(st, 21);
}

int
store_workers(struct store *s, struct worker **out, size_t *n, struct err *e)
{
    struct worker *all = NULL, *more;
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_WORKER_LIST, &st, e);

    *out = NULL;
    *n = 0;
    while (rc == 0 && (rc = db_step(s, st, e)) > 0) {
        more = mem_resize(all, *n + 1, sizeof(*all));
        rc = more ? 0 : err_nomem(e, "the workers", (*n + 1) * sizeof(*all));
        if (rc == 0) {
            all = more;
            read_worker(st, &all[(*n)++]);
        }
    }
    if (rc < 0) {
        if (st)
            db_done(st);
        mem_free(all);
        *n = 0;
        return rc;
    }
    *out = all;
    return 0;
}

int
store_is_shared(const struct store *s)
{
    return s->shared;
}

/* ---- what is left behind ------------------------------------------------- */

/* Who left. */
struct left {
    int64_t worker;         /* 0: the runs of no worker */
    const struct worker *w; /* NULL: not known */
    int died;
    const char *why; /* of one that did not die */
};

struct orphan {
    int64_t id;
    int deaths;
    char request[12];
};

/* 1: *out is a run that the worker has left running. */
static int
next_orphan(struct store *s, const struct left *l, struct orphan *out,
            struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_WORKER_RUNS, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", l->worker);
    rc = db_step(s, st, e);
    if (rc > 0) {
        out->id = sqlite3_column_int64(st, 0);
        db_column_text(st, 1, out->request, sizeof(out->request));
        out->deaths = sqlite3_column_int(st, 2);
        db_done(st);
    }
    return rc;
}

static const char *
status_of(const struct left *l, const struct orphan *o)
{
    if (strcmp(o->request, "pause") == 0)
        return "paused";
    if (o->request[0])
        return "stopped";
    return l->died && o->deaths + 1 >= WORKER_DEATHS ? "failed" : "queued";
}

static void
describe(const struct left *l, const char *status, char *out, size_t size)
{
    char who[160] = "its worker";

    if (l->w)
        snprintf(who, sizeof(who), "its worker (process %lld on %.60s)",
                 (long long)l->w->process.pid, l->w->host);
    if (strcmp(status, "failed") == 0)
        snprintf(out, size,
                 "its worker died %d times in a row before an epoch was done "
                 "(too little memory?)",
                 WORKER_DEATHS);
    else
        snprintf(out, size, "%s %s%s%.250s; %s", who,
                 l->died ? "is gone" : "left", l->why[0] ? ": " : "", l->why,
                 strcmp(status, "queued") == 0    ? "back in the queue"
                 : strcmp(status, "stopped") == 0 ? "stopped, as was asked"
                                                  : "paused, as was asked");
}

/* Puts back one run and says so in its log. */
static int
put_back(struct store *s, const struct left *l, const struct orphan *o,
         struct err *e)
{
    const char *status = status_of(l, o);
    int failed = strcmp(status, "failed") == 0;
    char text[500], now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_BURY, &st, e);

    if (rc < 0)
        return rc;
    describe(l, status, text, sizeof(text));
    sys_now(now);
    db_int(s, st, ":id", o->id);
    db_text(s, st, ":status", status);
    db_text(s, st, ":error", failed ? text : "");
    db_int(s, st, ":died", l->died);
    db_text(s, st, ":now", now);
    rc = db_run(s, st, e);
    if (rc == 0)
        rc = db_event(s, o->id,
                      failed                 ? "error"
                      : l->died || l->why[0] ? "warning"
                                             : "info",
                      text, e);
    return rc;
}

static int
put_all_back(struct store *s, const struct left *l, int *runs, struct err *e)
{
    struct orphan o;
    int rc;

    /* A run that was put back is none of the worker's any more. */
    while ((rc = next_orphan(s, l, &o, e)) > 0) {
        rc = put_back(s, l, &o, e);
        if (rc < 0)
            return rc;
        ++*runs;
    }
    return rc;
}

static int
delete_worker(struct store *s, int64_t id, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_WORKER_DELETE, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    return db_run(s, st, e);
}

/* 1: its row is as it was when w was read. */
static int
is_unchanged(struct store *s, const struct worker *w, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_WORKER_UNCHANGED, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", w->id);
    db_text(s, st, ":uuid", w->uuid);
    db_real(s, st, ":clock", w->heartbeat_clock);
    rc = db_step(s, st, e);
    db_done(st);
    return rc;
}

int
store_worker_bury(struct store *s, const struct worker *w, int *runs,
                  struct err *e)
{
    const struct left l = {w ? w->id : 0, w, 1, ""};
    struct orphan o;
    int same = 1;
    int rc = 0;

    *runs = 0;
    /* There is seldom any: not worth a lock. */
    if (!w && (rc = next_orphan(s, &l, &o, e)) == 0)
        return 0;
    if (rc >= 0)
        rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    if (w)
        same = is_unchanged(s, w, e);
    rc = same < 0 ? same : 0;
    if (same > 0)
        rc = put_all_back(s, &l, runs, e);
    if (rc == 0 && same > 0 && w)
        rc = delete_worker(s, w->id, e);
    rc = db_end(s, rc, e);
    if (rc < 0)
        *runs = 0;
    return rc;
}

int
store_worker_remove(struct store *s, int64_t id, const char *why, struct err *e)
{
    const struct left l = {id, NULL, 0, why};
    int runs = 0;
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    rc = put_all_back(s, &l, &runs, e);
    if (rc == 0)
        rc = delete_worker(s, id, e);
    rc = db_end(s, rc, e);
    if (rc == 0 && s->worker == id)
        s->worker = 0;
    return rc;
}
