/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/store_cost.h"

#include <math.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sys.h"
#include "store/db.h"

/* A column by name; -1: the statement has none. */
static int
column(sqlite3_stmt *st, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        if (strcmp(sqlite3_column_name(st, i), name) == 0) {
            return i;
        }
    }
    return -1;
}

static int64_t
whole(sqlite3_stmt *st, const char *name)
{
    int i = column(st, name);

    return i < 0 ? 0 : sqlite3_column_int64(st, i);
}

/* NaN where it is NULL. */
static double
real(sqlite3_stmt *st, const char *name)
{
    int i = column(st, name);

    return i < 0 || sqlite3_column_type(st, i) == SQLITE_NULL
               ? (double)NAN
               : sqlite3_column_double(st, i);
}

static void
text(sqlite3_stmt *st, const char *name, char *out, size_t size)
{
    db_column_text(st, column(st, name), out, size);
}

static void
read_row(sqlite3_stmt *st, struct cost_row *r)
{
    char optimizer[16];

    memset(r, 0, sizeof *r);
    r->id = whole(st, "id");
    text(st, "spec", r->spec, sizeof r->spec);
    r->dataset_id = whole(st, "dataset_id");
    r->n_images = (uint32_t)whole(st, "n_images");
    r->n_fixed_test = (uint32_t)whole(st, "n_fixed_test");
    r->test_fraction = real(st, "test_fraction");
    r->val_fraction = real(st, "val_fraction");
    r->batch_size = whole(st, "batch_size");
    text(st, "optimizer", optimizer, sizeof optimizer);
    while (r->optimizer < N_OPTIMIZERS - 1 &&
           strcmp(OPTIM_NAMES[r->optimizer], optimizer) != 0) {
        r->optimizer++;
    }
    text(st, "kernel", r->kernel, sizeof r->kernel);
    text(st, "host", r->host, sizeof r->host);
    r->threads = (int)whole(st, "threads");
    r->seconds = real(st, "seconds");
    r->runs = (int)whole(st, "runs");
    r->running = (int)whole(st, "running");
    r->epochs = whole(st, "epochs");
    r->epochs_done = (int)whole(st, "epochs_done");
}

/* All rows of a statement whose parameters are bound. */
static int
read_rows(struct store *s, sqlite3_stmt *st, struct cost_row **out, size_t *n,
          struct err *e)
{
    size_t cap = 0;
    int rc;

    while ((rc = db_step(s, st, e)) > 0) {
        if (*n == cap) {
            struct cost_row *p;

            cap = cap ? 2 * cap : 16;
            p = mem_resize(*out, cap, sizeof *p);
            if (!p) {
                db_done(st);
                rc = err_nomem(e, "the runs", cap * sizeof *p);
                break;
            }
            *out = p;
        }
        read_row(st, &(*out)[(*n)++]);
    }
    if (rc < 0) {
        mem_free(*out);
        *out = NULL;
        *n = 0;
    }
    return rc;
}

int
store_costs_past(struct store *s, struct cost_row **out, size_t *n,
                 struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_COST_PAST, &st, e);

    *out = NULL;
    *n = 0;
    return rc < 0 ? rc : read_rows(s, st, out, n, e);
}

int
store_costs_live(struct store *s, struct cost_row **out, size_t *n,
                 struct err *e)
{
    char user[128];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_COST_LIVE, &st, e);

    *out = NULL;
    *n = 0;
    if (rc < 0) {
        return rc;
    }
    sys_user(user, sizeof user);
    db_text(s, st, ":user", user);
    return read_rows(s, st, out, n, e);
}

int
store_dataset_stored(struct store *s, int64_t dataset_id, uint32_t *n,
                     struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_COST_IMAGES, &st, e);

    *n = 0;
    if (rc < 0) {
        return rc;
    }
    db_int(s, st, ":dataset_id", dataset_id);
    rc = db_step(s, st, e);
    if (rc > 0) {
        *n = (uint32_t)sqlite3_column_int64(st, 0);
        db_done(st);
        rc = 0;
    }
    return rc;
}
