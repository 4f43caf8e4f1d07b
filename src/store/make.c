/* SPDX-License-Identifier: MIT */
/* Sweeps; runs that are edited, extended, or exist already. */
#include "config.h"

#include "store/db.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

int
store_sweep_insert(struct store *s, const char *name, const char *command,
                   int64_t *id, struct err *e)
{
    char uuid[37], now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = sys_uuid(uuid, e);

    *id = 0;
    if (rc == 0)
        rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    sys_now(now);
    rc = db_stmt(s, SQL_SWEEP_INSERT, &st, e);
    if (rc == 0) {
        db_text(s, st, ":uuid", uuid);
        db_text(s, st, ":name", name ? name : "");
        db_text(s, st, ":command", command);
        db_text(s, st, ":now", now);
        rc = db_run(s, st, e);
    }
    if (rc == 0)
        *id = sqlite3_last_insert_rowid(s->db);
    return db_end(s, rc, e);
}

int
store_run_twins(struct store *s, const struct hyper *h, int64_t dataset_id,
                struct run_ids *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_TWINS, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    db_bind_hyper(s, st, h);
    db_int(s, st, ":dataset_id", dataset_id);
    while (rc == 0 && (rc = db_step(s, st, e)) > 0)
        rc = db_append_id(out, sqlite3_column_int64(st, 0), e);
    db_done(st);
    if (rc < 0) {
        mem_free(out->ids);
        memset(out, 0, sizeof(*out));
    }
    return rc;
}

/* ---- edit ---------------------------------------------------------------- */

/* Whether the run's name is the one that its values make, numbered or not. */
static int
is_made_up(const struct run *r, struct err *e)
{
    static const char DIGITS[] = "0123456789";
    struct str base;
    const char *rest;
    size_t digits;
    int rc;

    str_init(&base);
    rc = db_base_name(&r->h, &base, e);
    if (rc == 0 && strncmp(r->name, base.s, base.len) == 0) {
        rest = r->name + base.len;
        digits = strncmp(rest, " #", 2) == 0 ? strspn(rest + 2, DIGITS) : 0;
        if (digits)
            rest += 2 + digits;
        rc = *rest == '\0';
    }
    str_release(&base);
    return rc;
}

static int
new_name(struct store *s, const struct run *r, const struct hyper *h,
         struct str *out, struct err *e)
{
    struct str base, old;
    int rc = is_made_up(r, e);

    str_init(&base);
    str_init(&old);
    if (rc > 0)
        rc = db_base_name(&r->h, &old, e) < 0 || db_base_name(h, &base, e) < 0
                 ? ERR_NOMEM
                 : 1;
    if (rc <= 0 || strcmp(base.s, old.s) == 0)
        str_add(out, r->name);
    else
        rc = db_unique_name(s, base.s, out, e);
    if (rc >= 0)
        rc = str_failed(out) ? err_nomem(e, "a name", 128) : 0;
    str_release(&base);
    str_release(&old);
    return rc;
}

static int
can_edit(const struct run *r, struct err *e)
{
    if (strcmp(r->status, "queued") == 0 && r->epochs_done == 0 && !r->trashed)
        return 0;
    return err_set(e, ERR_FAIL,
                   "run %lld is %s%s: only a queued run that has trained no "
                   "epoch can be edited; `clone` makes a new one",
                   (long long)r->id, r->trashed ? "in the trash" : r->status,
                   r->epochs_done ? ", with epochs" : "");
}

int
store_run_edit(struct store *s, int64_t id, const struct hyper *h,
               int64_t dataset_id, int threads, struct err *e)
{
    struct str name;
    sqlite3_stmt *st;
    struct run r;
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    str_init(&name);
    rc = store_run_get(s, id, &r, e);
    if (rc == 0)
        rc = can_edit(&r, e);
    if (rc == 0)
        rc = new_name(s, &r, h, &name, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_RUN_EDIT, &st, e);
    if (rc == 0) {
        db_bind_hyper(s, st, h);
        db_int(s, st, ":id", id);
        db_text(s, st, ":name", name.s);
        db_text(s, st, ":model", hyper_model(h));
        db_int(s, st, ":dataset_id", dataset_id ? dataset_id : r.dataset_id);
        db_int(s, st, ":threads", threads < 0 ? r.threads_wanted : threads);
        rc = db_run(s, st, e);
    }
    rc = db_end(s, rc, e);
    str_release(&name);
    return rc;
}

/* ---- extend -------------------------------------------------------------- */

/* A longer run must begin as the parent did, bit for bit. */
static int
can_extend(const struct run *p, long long epochs, struct err *e)
{
    const struct hyper_field *schedule = hyper_field("schedule");

    if (p->trashed)
        return err_set(e, ERR_FAIL,
                       "run %lld is in the trash; `restore` takes it out",
                       (long long)p->id);
    if (strcmp(p->status, "finished") != 0)
        return err_set(e, ERR_FAIL,
                       "run %lld is %s; only a finished run is extended "
                       "(`resume` goes on with it)",
                       (long long)p->id, p->status);
    if (epochs <= p->h.epochs)
        return err_set(e, ERR_USAGE,
                       "--epochs: run %lld has %lld already; choose more",
                       (long long)p->id, p->h.epochs);
    if (p->h.schedule != SCHED_CONSTANT && p->h.schedule != SCHED_STEP)
        return err_set(e, ERR_USAGE,
                       "run %lld has the schedule %s, whose rates depend on "
                       "the number of epochs: a longer run differs from its "
                       "first epoch on; `clone --epochs %lld` trains it",
                       (long long)p->id, schedule->choices[p->h.schedule],
                       epochs);
    if (p->epochs_done < p->h.epochs ||
        (p->h.patience > 0 &&
         p->epochs_done - p->result_epoch >= p->h.patience))
        return err_set(e, ERR_USAGE,
                       "run %lld ended after epoch %d of %lld, as its patience "
                       "of %lld ran out; more epochs would not change that",
                       (long long)p->id, p->epochs_done, p->h.epochs,
                       p->h.patience);
    return 0;
}

static int
has_state(struct store *s, const struct run *p, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EXTEND_FROM, &st, e);
    int ready;

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", p->id);
    rc = db_step(s, st, e);
    if (rc < 0)
        return rc;
    ready = rc > 0 && sqlite3_column_int(st, 0) == p->epochs_done &&
            sqlite3_column_int(st, 1);
    db_done(st);
    if (ready)
        return 0;
    return err_set(e, ERR_FAIL,
                   "run %lld cannot go on: the state of its last epoch was "
                   "pruned; `clone --epochs` trains it anew",
                   (long long)p->id);
}

static int
copy_parent(struct store *s, int64_t id, int64_t parent, struct err *e)
{
    static const enum sql ALL[] = {SQL_EXTEND_EPOCHS, SQL_EXTEND_CONFUSION,
                                   SQL_EXTEND_EPOCH_PREDICTIONS,
                                   SQL_EXTEND_CHECKPOINTS, SQL_EXTEND_FIGURES};
    sqlite3_stmt *st;
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        rc = db_stmt(s, ALL[i], &st, e);
        if (rc == 0) {
            db_int(s, st, ":id", id);
            db_int(s, st, ":parent", parent);
            rc = db_run(s, st, e);
        }
    }
    return rc;
}

int
store_run_extend(struct store *s, int64_t parent, long long epochs,
                 const struct run_new *n, int64_t *id, struct err *e)
{
    struct run_new child = *n;
    struct run p;
    int rc = db_begin(s, e);

    *id = 0;
    if (rc < 0)
        return rc;
    rc = store_run_get(s, parent, &p, e);
    if (rc == 0)
        rc = can_extend(&p, epochs, e);
    if (rc == 0)
        rc = has_state(s, &p, e);
    if (rc == 0) {
        p.h.epochs = epochs;
        rc = hyper_check(&p.h, e);
    }
    if (rc == 0) {
        child.h = &p.h;
        child.dataset_id = p.dataset_id;
        child.sweep_id = 0;
        child.parent_id = parent;
        rc = store_run_insert(s, &child, id, e);
    }
    if (rc == 0)
        rc = copy_parent(s, *id, parent, e);
    return db_end(s, rc, e);
}
