/* SPDX-License-Identifier: MIT */
/* What a run produces: epochs, matrices, predictions, checkpoints. */
#include "config.h"

#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sha256.h"
#include "fmnist/sys.h"

static const char *const P_NAMES[N_CLASSES] = {
    ":p0", ":p1", ":p2", ":p3", ":p4", ":p5", ":p6", ":p7", ":p8", ":p9"};

/* ---- an epoch ------------------------------------------------------------ */

static void
bind_metrics(struct store *s, sqlite3_stmt *st, const struct epoch_metrics *m)
{
    db_int(s, st, ":epoch", m->epoch);
    db_real(s, st, ":train_loss", m->train_loss);
    db_real(s, st, ":train_acc", m->train_acc);
    db_real(s, st, ":val_loss", m->val_loss);
    db_real(s, st, ":val_acc", m->val_acc);
    db_real(s, st, ":test_loss", m->test_loss);
    db_real(s, st, ":test_acc", m->test_acc);
}

static int
put_metrics(struct store *s, int64_t id, const struct epoch_metrics *m,
            struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EPOCH_INSERT, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    bind_metrics(s, st, m);
    db_real(s, st, ":lr", m->lr);
    db_real(s, st, ":seconds", m->seconds);
    db_real(s, st, ":samples_per_second", m->samples_per_second);
    return db_run(s, st, e);
}

static int
put_cell(struct store *s, int64_t id, int epoch, int t, int p, uint32_t count,
         struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_CONFUSION_INSERT, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", epoch);
    db_int(s, st, ":truth", t);
    db_int(s, st, ":predicted", p);
    db_int(s, st, ":count", count);
    return db_run(s, st, e);
}

static int
put_confusion(struct store *s, int64_t id, int epoch, const struct confusion *c,
              struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_CONFUSION_CLEAR, &st, e);
    int t, p;

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", epoch);
    rc = db_run(s, st, e);
    for (t = 0; t < N_CLASSES; t++)
        for (p = 0; rc == 0 && p < N_CLASSES; p++)
            if (c->count[t][p])
                rc = put_cell(s, id, epoch, t, p, c->count[t][p], e);
    return rc;
}

static int
put_predicted(struct store *s, int64_t id, const struct epoch_report *r,
              struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EPOCH_PREDICTION_PUT, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", r->metrics->epoch);
    db_blob(s, st, ":predicted", r->predicted, r->n_test);
    return db_run(s, st, e);
}

/* The columns of `run` that the newest epoch decides. */
static int
put_denormalised(struct store *s, int64_t id, const struct epoch_report *r,
                 struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_EPOCH, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    bind_metrics(s, st, r->metrics);
    db_int(s, st, ":result_epoch", r->result_epoch);
    db_int(s, st, ":peak_epoch", r->peak_epoch);
    db_real(s, st, ":peak_test_acc", r->peak_test_acc);
    rc = db_run(s, st, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_RUN_TIMES, &st, e);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    return db_run(s, st, e);
}

/* Hashed before the transaction begins: it holds the only write lock. */
struct hashed {
    const struct checkpoint *c; /* NULL: none is due */
    char weights[SHA256_HEX], state[SHA256_HEX];
};

static int
hash_checkpoint(const struct checkpoint *c, struct hashed *out, struct err *e)
{
    int rc = 0;

    out->c = c;
    if (c)
        rc = sha256_of(c->weights, c->weights_size, out->weights, e);
    if (rc == 0 && c && c->state)
        rc = sha256_of(c->state, c->state_size, out->state, e);
    return rc;
}

static int
put_checkpoint(struct store *s, int64_t id, const char *kind,
               const struct hashed *h, struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc;

    if (!h->c)
        return 0;
    rc = db_stmt(s, SQL_CHECKPOINT_PUT, &st, e);
    if (rc < 0)
        return rc;
    sys_now(now);
    db_int(s, st, ":id", id);
    db_text(s, st, ":kind", kind);
    db_int(s, st, ":epoch", h->c->epoch);
    db_text(s, st, ":sha256", h->weights);
    db_text(s, st, ":now", now);
    db_blob(s, st, ":weights", h->c->weights, h->c->weights_size);
    if (h->c->state) {
        db_text(s, st, ":state_sha256", h->state);
        db_blob(s, st, ":state", h->c->state, h->c->state_size);
    }
    return db_run(s, st, e);
}

int
store_run_epoch(struct store *s, int64_t id, const struct epoch_report *r,
                struct err *e)
{
    struct hashed last, best;
    int rc = hash_checkpoint(r->last, &last, e);

    assert(confusion_total(r->confusion) == r->n_test);
    if (rc == 0)
        rc = hash_checkpoint(r->best, &best, e);
    if (rc == 0)
        rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    rc = db_require_own(s, id, e);
    if (rc == 0)
        rc = put_metrics(s, id, r->metrics, e);
    if (rc == 0)
        rc = put_confusion(s, id, r->metrics->epoch, r->confusion, e);
    if (rc == 0)
        rc = put_predicted(s, id, r, e);
    if (rc == 0)
        rc = put_denormalised(s, id, r, e);
    if (rc == 0)
        rc = put_checkpoint(s, id, "last", &last, e);
    if (rc == 0)
        rc = put_checkpoint(s, id, "best", &best, e);
    return db_end(s, rc, e);
}

/* ---- the end ------------------------------------------------------------- */

static int
put_prediction(struct store *s, int64_t id, const struct predictions *p,
               uint32_t i, struct err *e)
{
    const float *prob = p->p + (size_t)i * N_CLASSES;
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_PREDICTION_INSERT, &st, e);
    int k;

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":image", p->images[i]);
    db_int(s, st, ":truth", p->truth[i]);
    db_int(s, st, ":predicted", p->predicted[i]);
    db_real(s, st, ":confidence", prob[p->predicted[i]]);
    for (k = 0; k < N_CLASSES; k++)
        db_real(s, st, P_NAMES[k], prob[k]);
    return db_run(s, st, e);
}

static int
put_predictions(struct store *s, int64_t id, const struct predictions *p,
                struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_PREDICTION_CLEAR, &st, e);
    uint32_t i;

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = db_run(s, st, e);
    for (i = 0; rc == 0 && i < p->n; i++)
        rc = put_prediction(s, id, p, i, e);
    return rc;
}

int
store_run_end(struct store *s, int64_t id, const char *status,
              const char *error, const struct predictions *p, struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    sys_now(now);
    rc = db_require_own(s, id, e);
    if (rc == 0 && p && p->n > 0)
        rc = put_predictions(s, id, p, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_RUN_END, &st, e);
    if (rc == 0) {
        db_int(s, st, ":id", id);
        db_text(s, st, ":status", status);
        db_text(s, st, ":error", error ? error : "");
        db_text(s, st, ":now", now);
        rc = db_run(s, st, e);
    }
    if (rc == 0 && s->worker)
        rc = db_stmt(s, SQL_WORKER_IDLE, &st, e);
    if (rc == 0 && s->worker) {
        db_int(s, st, ":id", s->worker);
        rc = db_run(s, st, e);
    }
    return db_end(s, rc, e);
}

/* ---- reading ------------------------------------------------------------- */

static int
nothing(int64_t id, int epoch, struct err *e)
{
    if (epoch > 0)
        return err_set(e, ERR_NOTFOUND, "run %lld has no epoch %d",
                       (long long)id, epoch);
    return err_set(e, ERR_NOTFOUND, "run %lld has no result yet",
                   (long long)id);
}

int
store_confusion(struct store *s, int64_t id, int epoch, struct confusion *out,
                struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EPOCH_EXISTS, &st, e);
    int t, p;

    confusion_clear(out);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", epoch);
    rc = db_step(s, st, e);
    db_done(st);
    if (rc <= 0)
        return rc < 0 ? rc : nothing(id, epoch, e);
    db_done(st);
    rc = db_stmt(s, SQL_CONFUSION_GET, &st, e);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", epoch);
    while ((rc = db_step(s, st, e)) > 0) {
        t = db_column_class(st, 0);
        p = db_column_class(st, 1);
        if (t >= 0 && p >= 0)
            out->count[t][p] = (uint32_t)sqlite3_column_int64(st, 2);
    }
    return rc;
}

int
store_predicted(struct store *s, int64_t id, int epoch, uint8_t **out,
                uint32_t *n, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EPOCH_PREDICTION_GET, &st, e);

    *out = NULL;
    *n = 0;
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":epoch", epoch);
    rc = db_step(s, st, e);
    if (rc <= 0)
        return rc;
    *n = (uint32_t)sqlite3_column_bytes(st, 0);
    *out = mem_zalloc(*n, 1);
    if (*out && *n)
        memcpy(*out, sqlite3_column_blob(st, 0), *n);
    db_done(st);
    return *out ? 0 : err_nomem(e, "predicted classes", *n);
}

static int
alloc_predictions(struct predictions *p, uint32_t n, struct err *e)
{
    p->images = mem_zalloc(n, sizeof(*p->images));
    p->truth = mem_zalloc(n, 1);
    p->predicted = mem_zalloc(n, 1);
    p->p = mem_zalloc(n, N_CLASSES * sizeof(*p->p));
    if (!p->images || !p->truth || !p->predicted || !p->p)
        return err_nomem(e, "predictions", 46ull * n);
    return 0;
}

static int
count_predictions(struct store *s, int64_t id, uint32_t *n, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_PREDICTION_COUNT, &st, e);

    *n = 0;
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = db_step(s, st, e);
    if (rc <= 0)
        return rc;
    *n = (uint32_t)sqlite3_column_int64(st, 0);
    db_done(st);
    return *n ? 0
              : err_set(e, ERR_NOTFOUND, "run %lld has no predictions",
                        (long long)id);
}

/* The row at the statement becomes the next prediction. */
static int
take_prediction(sqlite3_stmt *st, int64_t id, struct predictions *out,
                struct err *e)
{
    uint32_t i = out->n;
    int truth = db_column_class(st, 1), predicted = db_column_class(st, 2);
    int k;

    out->images[i] = (uint32_t)sqlite3_column_int64(st, 0);
    if (truth < 0 || predicted < 0)
        return err_set(e, ERR_FAIL,
                       "run %lld, image %u: damaged: its classes are not of "
                       "0–9; see `db check`",
                       (long long)id, (unsigned)out->images[i]);
    out->truth[i] = (uint8_t)truth;
    out->predicted[i] = (uint8_t)predicted;
    for (k = 0; k < N_CLASSES; k++)
        out->p[(size_t)i * N_CLASSES + (size_t)k] =
            (float)sqlite3_column_double(st, 3 + k);
    out->n++;
    return 0;
}

int
store_predictions(struct store *s, int64_t id, struct predictions *out,
                  struct err *e)
{
    sqlite3_stmt *st = NULL;
    uint32_t n;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = count_predictions(s, id, &n, e);
    if (rc == 0)
        rc = alloc_predictions(out, n, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_PREDICTION_GET, &st, e);
    if (rc == 0)
        db_int(s, st, ":id", id);
    /* A row more than were counted was added meanwhile by a new result. */
    while (rc == 0 && out->n < n && (rc = db_step(s, st, e)) > 0)
        rc = take_prediction(st, id, out, e);
    if (st)
        db_done(st);
    if (rc < 0)
        predictions_release(out);
    return rc;
}

/* A blob's copy, after its hash is found right. */
static int
take_part(sqlite3_stmt *st, int col, const char *sha256, void **out,
          size_t *size, struct err *e)
{
    const void *p = sqlite3_column_blob(st, col);
    size_t n = (size_t)sqlite3_column_bytes(st, col);
    char is[SHA256_HEX];
    int rc;

    if (sqlite3_column_type(st, col) == SQLITE_NULL)
        return 0;
    rc = sha256_of(p, n, is, e);
    if (rc < 0)
        return rc;
    if (strcmp(is, sha256) != 0)
        return err_set(e, ERR_FAIL,
                       "damaged: its SHA-256 is %.16s…, recorded is %.16s…", is,
                       sha256);
    *out = mem_alloc(n ? n : 1);
    if (!*out)
        return err_nomem(e, "a checkpoint", n);
    if (n)
        memcpy(*out, p, n);
    *size = n;
    return 0;
}

int
store_checkpoint(struct store *s, int64_t id, const char *kind,
                 struct checkpoint *out, struct err *e)
{
    char weights[SHA256_HEX], state[SHA256_HEX];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_CHECKPOINT_GET, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_text(s, st, ":kind", kind);
    rc = db_step(s, st, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "run %lld has no checkpoint \"%s\"",
                       (long long)id, kind);
    out->epoch = sqlite3_column_int(st, 0);
    db_column_text(st, 1, weights, sizeof(weights));
    db_column_text(st, 2, state, sizeof(state));
    rc = take_part(st, 3, weights, &out->weights, &out->weights_size, e);
    if (rc == 0)
        rc = take_part(st, 4, state, &out->state, &out->state_size, e);
    db_done(st);
    if (rc < 0) {
        checkpoint_release(out);
        return err_wrap(e, rc, "checkpoint \"%s\" of run %lld", kind,
                        (long long)id);
    }
    return 0;
}
