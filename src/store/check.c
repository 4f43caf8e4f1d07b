/* SPDX-License-Identifier: MIT */
/* `db check`: does everything that is stored twice agree? */
#include "config.h"

#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sha256.h"

struct check {
    struct store *s;
    fault_fn report;
    void *arg;
    int faults;
};

static void
fault(struct check *c, const char *line)
{
    c->faults++;
    c->report(line, c->arg);
}

/* A statement whose rows are lines about faults, of one run or (0) of the file.
 * A line is NULL where a value in it is, in a column that the schema keeps free
 * of them: the integrity check has named that. */
static int
by_sql(struct check *c, enum sql id, int64_t run, struct err *e)
{
    const char *line;
    sqlite3_stmt *st;
    int rc = db_stmt(c->s, id, &st, e);

    if (rc < 0)
        return rc;
    if (run)
        db_int(c->s, st, ":id", run);
    while ((rc = db_step(c->s, st, e)) > 0) {
        line = (const char *)sqlite3_column_text(st, 0);
        fault(c, line ? line : "a row lacks a value that it must have");
    }
    return rc;
}

/* ---- SQLite's own check -------------------------------------------------- */

/* Whether a line tells of a page that the system did not give. */
static int
is_unread(const char *line)
{
    static const char UNABLE[] = "unable to get the page. error code=";
    const char *at = strstr(line, UNABLE);

    if (at)
        return (atoi(at + strlen(UNABLE)) & 0xFF) == SQLITE_IOERR;
    return strstr(line, "failed to get page") != NULL;
}

/* The lines of one row, but for the heading that names the database. */
static int
by_line(struct store *s, const char *text, fault_fn report, void *arg,
        struct err *e)
{
    char line[300];
    size_t n;

    for (; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)n, text);
        if (is_unread(line))
            return err_set(e, ERR_IO, "%s: disk I/O error while reading",
                           s->path);
        if (n > 0 && strncmp(line, "*** in database", 15) != 0)
            report(line, arg);
    }
    return 0;
}

int
db_integrity(struct store *s, sqlite3_stmt *st, fault_fn report, void *arg,
             struct err *e)
{
    const char *text;
    int rc;

    while ((rc = db_step(s, st, e)) > 0) {
        text = (const char *)sqlite3_column_text(st, 0);
        rc = by_line(s, text ? text : "a fault", report, arg, e);
        if (rc < 0)
            break;
    }
    db_done(st);
    return rc;
}

static void
integrity_fault(const char *line, void *arg)
{
    fault(arg, line);
}

static int
integrity(struct check *c, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(c->s, SQL_CHECK_INTEGRITY, &st, e);

    return rc < 0 ? rc : db_integrity(c->s, st, integrity_fault, c, e);
}

/* ---- checkpoints --------------------------------------------------------- */

static int
check_hash(struct check *c, int64_t id, const char *kind, struct err *e)
{
    struct checkpoint k;
    struct err why = {0};
    int rc = store_checkpoint(c->s, id, kind, &k, &why);

    if (rc == 0) {
        checkpoint_release(&k);
    } else if (rc == ERR_FAIL) {
        fault(c, why.msg);
        rc = 0;
    } else if (rc == ERR_NOTFOUND) {
        rc = 0;
    } else if (e) {
        *e = why;
    }
    return rc;
}

/* ---- predicted classes of each epoch ------------------------------------- */

struct truths {
    uint8_t *truth, *predicted;
    size_t n, cap;
};

static int
grow(struct truths *t, struct err *e)
{
    size_t cap = t->cap ? 2 * t->cap : 4096;
    uint8_t *truth = mem_resize(t->truth, cap, 1);
    uint8_t *predicted;

    if (truth)
        t->truth = truth;
    predicted = mem_resize(t->predicted, cap, 1);
    if (predicted)
        t->predicted = predicted;
    if (!truth || !predicted)
        return err_nomem(e, "predictions", 2 * cap);
    t->cap = cap;
    return 0;
}

static int
read_truths(struct store *s, int64_t id, struct truths *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_CHECK_TRUTHS, &st, e);

    out->n = 0;
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    while ((rc = db_step(s, st, e)) > 0) {
        if (out->n == out->cap && (rc = grow(out, e)) < 0) {
            db_done(st);
            return rc;
        }
        out->truth[out->n] = (uint8_t)sqlite3_column_int(st, 0);
        out->predicted[out->n] = (uint8_t)sqlite3_column_int(st, 1);
        out->n++;
    }
    return rc;
}

/* The stored matrix of an epoch against the one that truths and predicted
 * classes make. */
static int
same_matrix(struct check *c, int64_t id, int epoch, const uint8_t *p, size_t n,
            const struct truths *t, int *same, struct err *e)
{
    struct confusion stored, made;
    size_t i;
    int rc = store_confusion(c->s, id, epoch, &stored, e);

    /* An epoch that has gone from its table is no less a fault. */
    *same = rc == 0 && n == t->n;
    confusion_clear(&made);
    for (i = 0; *same && i < n; i++) {
        *same = p[i] < N_CLASSES && t->truth[i] < N_CLASSES;
        if (*same)
            confusion_add(&made, t->truth[i], p[i]);
    }
    *same = *same && memcmp(&stored, &made, sizeof(made)) == 0;
    return rc == ERR_NOTFOUND ? 0 : rc;
}

/* Of runs that have predictions. */
static int
check_predicted(struct check *c, int64_t id, struct truths *t, struct err *e)
{
    const uint8_t *p;
    sqlite3_stmt *st;
    char line[120];
    size_t n;
    int epoch, same;
    int rc = read_truths(c->s, id, t, e);

    if (rc < 0 || t->n == 0)
        return rc;
    rc = db_stmt(c->s, SQL_CHECK_PREDICTED, &st, e);
    if (rc < 0)
        return rc;
    db_int(c->s, st, ":id", id);
    while ((rc = db_step(c->s, st, e)) > 0) {
        epoch = sqlite3_column_int(st, 0);
        p = sqlite3_column_blob(st, 1);
        n = (size_t)sqlite3_column_bytes(st, 1);
        rc = same_matrix(c, id, epoch, p, n, t, &same, e);
        if (rc < 0)
            break;
        if (same && sqlite3_column_int(st, 2) && n)
            same = memcmp(p, t->predicted, n) == 0;
        snprintf(line, sizeof(line),
                 "run %lld, epoch %d: the predicted classes disagree with the "
                 "confusion matrix or the predictions",
                 (long long)id, epoch);
        if (!same)
            fault(c, line);
    }
    db_done(st);
    return rc;
}

/* ---- a run --------------------------------------------------------------- */

static int
check_run(struct check *c, int64_t id, struct truths *t, struct err *e)
{
    static const enum sql BY_SQL[] = {
        SQL_CHECK_MODEL,
        SQL_CHECK_EPOCHS,
        SQL_CHECK_RESULT,
        SQL_CHECK_METRICS,
        SQL_CHECK_PEAK,
        SQL_CHECK_TIMES,
        SQL_CHECK_CONFUSION,
        SQL_CHECK_PREDICTIONS,
        SQL_CHECK_PREDICTION_CELLS,
        SQL_CHECK_CONFIDENCE,
        SQL_CHECK_LABELS,
        SQL_CHECK_EPOCH_PREDICTIONS,
        SQL_CHECK_CHECKPOINTS,
        SQL_CHECK_NO_CHECKPOINT,
    };
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < sizeof(BY_SQL) / sizeof(BY_SQL[0]); i++)
        rc = by_sql(c, BY_SQL[i], id, e);
    if (rc == 0)
        rc = check_predicted(c, id, t, e);
    return rc;
}

int
db_check_run(struct store *s, int64_t id, fault_fn report, void *arg,
             struct err *e)
{
    struct check c = {s, report, arg, 0};
    struct truths t = {0};
    int rc = check_run(&c, id, &t, e);

    mem_free(t.truth);
    mem_free(t.predicted);
    return rc;
}

/* Each as of one moment. */
static int
check_runs(struct check *c, struct err *e)
{
    struct truths t = {0};
    struct run_ids all;
    size_t i;
    int rc = rows_ids(c->s, SQL_CHECK_RUNS, &all, e);

    if (rc < 0)
        return rc;
    for (i = 0; rc == 0 && i < all.n; i++) {
        rc = db_read_begin(c->s, e);
        if (rc < 0)
            break;
        rc = check_run(c, all.ids[i], &t, e);
        db_read_end(c->s);
        if (rc == 0)
            rc = check_hash(c, all.ids[i], "last", e);
        if (rc == 0)
            rc = check_hash(c, all.ids[i], "best", e);
    }
    mem_free(t.truth);
    mem_free(t.predicted);
    mem_free(all.ids);
    return rc;
}

/* ---- data sets that are stored whole ------------------------------------- */

static int
hash_column(struct store *s, enum sql id, int64_t set, struct sha256 *h,
            struct err *e)
{
    sqlite3_stmt *st;
    uint8_t label;
    int rc = db_stmt(s, id, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", set);
    while ((rc = db_step(s, st, e)) > 0) {
        label = (uint8_t)sqlite3_column_int(st, 0);
        if (sqlite3_column_type(st, 0) == SQLITE_BLOB)
            sha256_add(h, sqlite3_column_blob(st, 0),
                       (size_t)sqlite3_column_bytes(st, 0));
        else
            sha256_add(h, &label, 1);
    }
    return rc;
}

/* Of n images; the hash that they have. */
static int
hash_images(struct store *s, int64_t id, uint32_t count, char is[SHA256_HEX],
            struct err *e)
{
    const uint8_t n[4] = {(uint8_t)count, (uint8_t)(count >> 8),
                          (uint8_t)(count >> 16), (uint8_t)(count >> 24)};
    struct sha256 *h = sha256_new();
    int rc;

    if (!h)
        return err_nomem(e, "a hash", 128);
    sha256_add(h, n, sizeof(n));
    rc = hash_column(s, SQL_CHECK_SET_LABELS, id, h, e);
    if (rc == 0)
        rc = hash_column(s, SQL_CHECK_SET_PIXELS, id, h, e);
    sha256_hex(h, is);
    sha256_free(h);
    return rc;
}

static int
check_set(struct check *c, int64_t id, struct err *e)
{
    char is[SHA256_HEX], recorded[SHA256_HEX], line[120];
    sqlite3_stmt *st;
    uint32_t n;
    int rc = db_stmt(c->s, SQL_CHECK_WHOLE_SET, &st, e);

    if (rc < 0)
        return rc;
    db_int(c->s, st, ":id", id);
    rc = db_step(c->s, st, e);
    if (rc <= 0)
        return rc;
    db_column_text(st, 0, recorded, sizeof(recorded));
    n = (uint32_t)sqlite3_column_int64(st, 1);
    db_done(st);
    rc = hash_images(c->s, id, n, is, e);
    if (rc == 0 && strcmp(is, recorded) != 0) {
        snprintf(line, sizeof(line),
                 "data set %lld: its images have SHA-256 %.16s…, recorded is "
                 "%.16s…",
                 (long long)id, is, recorded);
        fault(c, line);
    }
    return rc;
}

int
db_check_set(struct store *s, int64_t id, fault_fn report, void *arg,
             struct err *e)
{
    struct check c = {s, report, arg, 0};

    return check_set(&c, id, e);
}

static int
check_sets(struct check *c, struct err *e)
{
    struct run_ids all;
    size_t i;
    int rc = rows_ids(c->s, SQL_CHECK_SETS, &all, e);

    if (rc < 0)
        return rc;
    for (i = 0; rc == 0 && i < all.n; i++)
        rc = check_set(c, all.ids[i], e);
    mem_free(all.ids);
    return rc;
}

int
store_check(struct store *s, fault_fn report, void *arg, int *faults,
            struct err *e)
{
    struct check c = {s, report, arg, 0};
    int rc = integrity(&c, e);

    if (rc == 0)
        rc = by_sql(&c, SQL_CHECK_REFERENCES, 0, e);
    if (rc == 0)
        rc = by_sql(&c, SQL_CHECK_IMAGES, 0, e);
    if (rc == 0)
        rc = check_runs(&c, e);
    if (rc == 0)
        rc = check_sets(&c, e);
    *faults = c.faults;
    return rc;
}
