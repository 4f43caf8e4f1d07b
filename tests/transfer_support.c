/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "transfer_support.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/str.h"
#include "store_support.h"
#include "support.h"

/* ---- runs ---------------------------------------------------------------- */

int64_t
small_run(struct store *s, const char *name, int seed)
{
    struct hyper h;

    OK(hyper_preset("ann", &h, e));
    OK(hyper_set(&h, hyper_field("spec"), "dense 10", e));
    h.epochs = 20;
    h.momentum = 0.9;
    h.seed = seed;
    return test_run_with(s, &h, name);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st;

    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK,
                  "%s: %s", sql, sqlite3_errmsg(db));
    return st;
}

static sqlite3 *
open_raw(const char *path)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    ck_assert_int_eq(
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

static void
run_sql(sqlite3 *db, const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
                  "%s: %s", sql, sqlite3_errmsg(db));
}

void
raw_sql(const char *path, const char *sql)
{
    sqlite3 *db = open_raw(path);

    run_sql(db, sql);
    sqlite3_close(db);
}

/* The weights that a run of that seed has after an epoch, and its state. */
static void
make_checkpoint(const struct hyper *h, int epoch, struct checkpoint *c)
{
    const struct optim_options oo = {OPTIM_SGD, h->momentum, 0, 0};
    const struct model_options mo = {1, 1, 0};
    struct meta_pair meta[] = {{"epoch", ""},
                               {"best_epoch", "0"},
                               {"best_val_loss", "0"},
                               {"peak_epoch", "1"},
                               {"peak_test_acc", "0"}};
    struct model *m;
    struct optim *o;
    struct spec spec;

    OK(spec_parse(h->spec, &spec, e));
    OK(model_new(&spec, &kern_scalar, &mo, &m, e));
    model_init(m, (uint64_t)h->seed * 1000 + (uint64_t)epoch);
    OK(optim_new(m, &oo, &o, e));
    snprintf(meta[0].value, sizeof(meta[0].value), "%d", epoch);
    OK(model_save(m, &c->weights, &c->weights_size, e));
    OK(optim_save(o, meta, 5, &c->state, &c->state_size, e));
    optim_free(o);
    model_free(m);
}

/* Puts the real thing where the support of the store's tests writes a text. */
static void
make_sound(struct store *s, int64_t id, int epoch)
{
    sqlite3 *db = open_raw(store_file(s));
    struct checkpoint c;
    char weights[SHA256_HEX], state[SHA256_HEX];
    struct run r;
    sqlite3_stmt *st;

    OK(store_run_get(s, id, &r, e));
    make_checkpoint(&r.h, epoch, &c);
    OK(sha256_of(c.weights, c.weights_size, weights, e));
    OK(sha256_of(c.state, c.state_size, state, e));
    st = prepare(db, "UPDATE checkpoint SET weights = ?2, sha256 = ?3, "
                     "state = ?4, state_sha256 = ?5 WHERE run_id = ?1");
    sqlite3_bind_int64(st, 1, id);
    sqlite3_bind_blob(st, 2, c.weights, (int)c.weights_size, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, weights, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, c.state, (int)c.state_size, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, state, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    checkpoint_release(&c);
    sqlite3_close(db);
}

static int
right_in(const struct run *r, int epoch)
{
    return (epoch + (int)r->h.seed) % TEST_PART;
}

void
small_train(struct store *s, int64_t id, int epoch)
{
    struct run r;
    int i;

    OK(store_run_get(s, id, &r, e));
    if (strcmp(r.status, "running") != 0)
        test_start(s, id);
    for (i = r.epochs_done + 1; i <= epoch; i++)
        test_epoch(s, id, i, right_in(&r, i));
    if (epoch > r.epochs_done)
        make_sound(s, id, epoch);
    /* The support of the store's tests takes the newest epoch for the best. */
    raw_sql(store_file(s),
            "UPDATE run SET peak_test_acc = (SELECT max(test_acc) FROM epoch "
            "WHERE run_id = run.id), peak_epoch = (SELECT epoch FROM epoch "
            "WHERE run_id = run.id ORDER BY test_acc DESC, epoch LIMIT 1)");
}

void
small_end(struct store *s, int64_t id, const char *status)
{
    struct run r;

    OK(store_run_get(s, id, &r, e));
    if (strcmp(status, "finished") == 0 || strcmp(status, "stopped") == 0)
        test_end(s, id, status, right_in(&r, r.epochs_done));
    else
        OK(store_run_end(s, id, status,
                         strcmp(status, "failed") == 0 ? "out of luck" : "",
                         NULL, e));
}

int64_t
small_finished(struct store *s, const char *name, int seed, int epochs)
{
    int64_t id = small_run(s, name, seed);

    small_train(s, id, epochs);
    small_end(s, id, "finished");
    return id;
}

void
small_fill(struct store *s)
{
    uint32_t images[TEST_IMAGES];
    struct dataset *d = test_set(0);
    uint32_t i;

    small_finished(s, "finished", 1, 4);
    small_run(s, "queued", 2);
    small_train(s, small_run(s, "running", 3), 3);
    small_train(s, small_run(s, "failed", 4), 2);
    small_end(s, 4, "failed");
    small_train(s, small_run(s, "stopped", 5), 2);
    small_end(s, 5, "stopped");
    small_finished(s, "trashed", 6, 2);
    small_train(s, small_run(s, "paused", 7), 2);
    small_end(s, 7, "paused");
    for (i = 0; i < TEST_IMAGES; i++)
        images[i] = i;
    OK(store_dataset_images(s, 1, d, images, TEST_IMAGES, e));
    dataset_free(d);
    OK(store_event(s, 1, "warning", "it was \x1b[31mred", e));
    raw_sql(store_file(s),
            "INSERT INTO sweep (uuid, name, command, created_at) VALUES "
            "('0b8c7a4e-1111-4222-8333-444455556666', 'a sweep', 'queue --lr "
            "1,2', '2026-01-31T12:34:56.789Z');"
            "UPDATE run SET sweep_id = 1 WHERE id IN (1, 2);"
            "UPDATE run SET parent_id = 1 WHERE id = 5;"
            "UPDATE run SET parent_id = 7, threads_wanted = 3 WHERE id = 4;"
            "UPDATE run SET note = 'a' || char(10) || 'b', starred = 1 "
            "WHERE id = 1;"
            "UPDATE run SET request = 'pause' WHERE id = 3;"
            "UPDATE run SET deaths = 2 WHERE id = 2;"
            "INSERT INTO tag VALUES (1, 'x'), (1, 'y'), (4, 'x');"
            "UPDATE run SET deleted_at = '2026-01-31T12:34:56.789Z' "
            "WHERE id = 6");
}

/* ---- files --------------------------------------------------------------- */

struct store *
other_store(const char *name)
{
    struct store *s;

    OK(store_open(tmp_path(name), STORE_WRITE, &s, e));
    return s;
}

void
force_sql(const char *path, const char *sql)
{
    sqlite3 *db = open_raw(path);

    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    run_sql(db, "PRAGMA ignore_check_constraints = ON;"
                "PRAGMA writable_schema = ON;"
                "CREATE TEMP TABLE kept AS SELECT name, sql FROM sqlite_schema;"
                "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')"
                "  WHERE type = 'table';"
                "PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON;");
    run_sql(db, sql);
    run_sql(db, "UPDATE main.sqlite_schema AS t SET sql = k.sql FROM kept AS k "
                "WHERE k.name = t.name AND t.sql IS NOT NULL");
    sqlite3_close(db);
}

/* ---- what a database holds ----------------------------------------------- */

/* Columns of a table but those of a list ",a,b,". */
static void
add_columns(sqlite3 *db, const char *table, const char *but, struct str *out)
{
    sqlite3_stmt *st =
        prepare(db, "SELECT group_concat('quote(t.' || name || ')', ' || ''|'' "
                    "|| ') FROM pragma_table_info(?1) "
                    "WHERE instr(?2, ',' || name || ',') = 0");

    sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, but, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    str_add(out, (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
}

static void
add_rows(sqlite3 *db, const char *sql, struct str *out)
{
    sqlite3_stmt *st = prepare(db, sql);

    while (sqlite3_step(st) == SQLITE_ROW)
        str_addf(out, "%.1500s\n", sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
}

static void
add_table(sqlite3 *db, const char *table, const char *but, const char *owner,
          const char *from, struct str *out)
{
    struct str sql;

    str_init(&sql);
    str_addf(&sql, "SELECT '%s ' || %s || ' ' || ", table, owner);
    add_columns(db, table, but, &sql);
    str_addf(&sql, " FROM %s AS t %s ORDER BY 1", table, from);
    add_rows(db, sql.s, out);
    str_release(&sql);
}

char *
dump(struct store *s, int names)
{
    static const char *const OF_RUNS[] = {"tag",        "epoch",
                                          "confusion",  "epoch_prediction",
                                          "prediction", "checkpoint"};
    static const char TOLD[] = "JOIN run AS r ON r.id = t.run_id WHERE t.text "
                               "NOT LIKE 'imported %' AND t.text NOT LIKE "
                               "'brought %'";
    sqlite3 *db = open_raw(store_file(s));
    struct str out;
    size_t i;

    str_init(&out);
    add_table(db, "dataset", ",id,", "''", "", &out);
    add_table(db, "image", ",dataset_id,", "d.sha256",
              "JOIN dataset AS d ON d.id = t.dataset_id", &out);
    add_table(db, "sweep", ",id,", "''", "", &out);
    add_table(db, "run",
              names ? ",id,position,dataset_id,sweep_id,parent_id,worker_id,"
                    : ",id,position,dataset_id,sweep_id,parent_id,worker_id,"
                      "name,",
              "(SELECT quote(d.sha256) FROM dataset AS d WHERE d.id = "
              "t.dataset_id) || coalesce((SELECT w.uuid FROM sweep AS w WHERE "
              "w.id = t.sweep_id), '') || coalesce((SELECT p.uuid FROM run AS "
              "p WHERE p.id = t.parent_id), '')",
              "", &out);
    for (i = 0; i < sizeof(OF_RUNS) / sizeof(OF_RUNS[0]); i++)
        add_table(db, OF_RUNS[i], ",run_id,", "r.uuid",
                  "JOIN run AS r ON r.id = t.run_id", &out);
    add_table(db, "event", ",id,run_id,", "r.uuid", TOLD, &out);
    sqlite3_close(db);
    ck_assert(!str_failed(&out));
    return out.s;
}

void
same_content(struct store *a, struct store *b)
{
    char *x = dump(a, 1), *y = dump(b, 1);

    ck_assert_str_eq(x, y);
    mem_free(x);
    mem_free(y);
}

/* ---- transfers ----------------------------------------------------------- */

static void
take_refusal(const char *uuid, const char *name, const char *why, void *arg)
{
    struct outcome *o = arg;
    size_t n = strlen(o->refused);

    ck_assert_uint_eq(strlen(uuid), 36);
    snprintf(o->refused + n, sizeof(o->refused) - n, "%s: %s\n", name, why);
}

void
import_from(struct store *s, const char *file, struct outcome *o)
{
    const struct import_options opt = {.refused = take_refusal, .arg = o};
    struct import_result r;
    int faults;

    memset(o, 0, sizeof(*o));
    OK(store_import(s, tmp_path(file), &opt, &r, e));
    memcpy(o->runs, r.runs, sizeof(o->runs));
    OK(store_check(s, test_count_fault, &(int){0}, &faults, e));
    ck_assert_int_eq(faults, 0);
}

void
became(struct store *s, const char *file, int64_t added, int64_t updated,
       int64_t known)
{
    struct outcome o;

    import_from(s, file, &o);
    ck_assert_str_eq(o.refused, "");
    ck_assert_int_eq(o.runs[IMPORT_NEW], added);
    ck_assert_int_eq(o.runs[IMPORT_UPDATED], updated);
    ck_assert_int_eq(o.runs[IMPORT_KNOWN], known);
}

void
export_to(struct store *s, int64_t id, const char *file)
{
    struct run_ids ids = {0};
    int64_t n;

    if (id)
        ids = (struct run_ids){mem_alloc(sizeof(id)), 1, 1};
    if (id)
        ids.ids[0] = id;
    for (n = 1; !id && n < 100; n++) {
        struct run r;

        if (store_run_get(s, n, &r, NULL) < 0)
            continue;
        ids.ids = mem_resize(ids.ids, ids.n + 1, sizeof(*ids.ids));
        ids.ids[ids.n++] = n;
    }
    OK(store_export(s, &ids, tmp_path(file), 1, &n, e));
    ck_assert_int_eq(n, (int64_t)ids.n);
    mem_free(ids.ids);
}
