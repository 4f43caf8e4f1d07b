/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lab.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sha256.h"
#include "fmnist/store.h"
#include "fuzz.h"
#include "store/sql.h"
#include "train/checkpoint.h"

#define SPEC "pool 14 flatten dense 10"

enum { IMAGES = 50 };

/* IMAGES images; image i is of class i modulo 10. */
const struct dataset *
lab_set(void)
{
    static uint8_t labels[IMAGES], pixels[IMAGES * IMAGE_PIXELS];
    static char name[] = "tiny", source[] = "/nowhere/tiny.csv";
    static struct dataset d = {.name = name,
                               .source = source,
                               .n = IMAGES,
                               .labels = labels,
                               .pixels = pixels};
    struct err e = {0};
    int i;

    if (!d.sha256[0]) {
        for (i = 0; i < IMAGES; i++) {
            labels[i] = (uint8_t)(i % N_CLASSES);
            pixels[i * IMAGE_PIXELS + i * 15] = 200;
        }
        for (i = 0; i < N_CLASSES; i++)
            snprintf(d.class_names[i], CLASS_NAME_MAX, "%s",
                     FASHION_CLASSES[i]);
        MUST(dataset_identify(&d, &e) == 0);
    }
    return &d;
}

static int64_t
add_set(struct store *s)
{
    const uint32_t stored[] = {10, 11};
    struct err e = {0};
    int64_t id;

    MUST(store_dataset_put(s, lab_set(), &id, &e) == 0);
    MUST(store_dataset_images(s, id, lab_set(), stored, 2, &e) == 0);
    return id;
}

static int64_t
add_run(struct store *s, int64_t set, const char *name)
{
    const char *const tags[] = {"old", "good"};
    struct run_new n = {.name = name,
                        .note = "a note",
                        .tags = tags,
                        .n_tags = 2,
                        .dataset_id = set};
    struct hyper h;
    struct err e = {0};
    int64_t id;

    MUST(hyper_preset("ann", &h, &e) == 0);
    MUST(hyper_set(&h, hyper_field("spec"), SPEC, &e) == 0);
    MUST(hyper_set(&h, hyper_field("batch_size"), "8", &e) == 0);
    n.h = &h;
    MUST(store_run_insert(s, &n, &id, &e) == 0);
    MUST(store_event(s, id, "info", "an event", &e) == 0);
    return id;
}

/*
 * Two epochs of run 1, as training records them: 5 of 10 test images are right.
 * Written past the store, which lets only a worker write them.
 */
static const char TRAINED[] =
    "UPDATE run SET status = 'running' WHERE id = 1;"
    "INSERT INTO epoch VALUES"
    "  (1, 1, 2.0, 0.25, NULL, NULL, 1.5, 0.5, 0.001, 0.5, 1000.0),"
    "  (1, 2, 1.0, 0.5, NULL, NULL, 1.25, 0.5, 0.001, 0.5, 1000.0);"
    "WITH RECURSIVE i (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i"
    "                         WHERE n < 9)"
    "INSERT INTO prediction (run_id, image, truth, predicted, confidence,"
    "    p0, p1, p2, p3, p4, p5, p6, p7, p8, p9)"
    "SELECT 1, 10 + n, n, n / 2 * 2, 1.0, n / 2 = 0, 0.0, n / 2 = 1, 0.0,"
    "       n / 2 = 2, 0.0, n / 2 = 3, 0.0, n / 2 = 4, 0.0 FROM i;"
    "INSERT INTO confusion"
    "  SELECT 1, e.epoch, p.truth, p.predicted, 1"
    "  FROM epoch AS e, prediction AS p;"
    "INSERT INTO epoch_prediction VALUES"
    "  (1, 1, x'00000202040406060808'), (1, 2, x'00000202040406060808');"
    "UPDATE run SET epochs_done = 2, result_epoch = 2, train_loss = 1.0,"
    "    train_acc = 0.5, test_loss = 1.25, test_acc = 0.5,"
    "    peak_test_acc = 0.5, peak_epoch = 1, seconds = 1.0,"
    "    samples_per_second = 1000.0, kernel = 'scalar', numerics = 1,"
    "    threads = 1, program_version = '0', compiler = 'cc', host = 'here'"
    "  WHERE id = 1;"
    "UPDATE run SET status = 'finished',"
    "    finished_at = '2026-01-31T10:00:00.000Z' WHERE id = 1;"
    "UPDATE run SET deleted_at = '2026-01-31T10:00:00.000Z' WHERE id = 3;";

static void
run_sql(sqlite3 *db, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fprintf(stderr, "%s\n", why);
    MUST(!why);
}

/* What training would have left after epoch 2. */
static void
take_checkpoint(struct checkpoint *out)
{
    static const struct optim_options sgd = {OPTIM_SGD, 0, 0, 0};
    const struct model_options opt = {1, 1, 1};
    const struct progress p = {.epoch = 2, .peak_epoch = 1, .peak_acc = 0.5};
    struct model *m;
    struct optim *o;
    struct spec spec;
    struct err e = {0};

    MUST(spec_parse(SPEC, &spec, &e) == 0);
    MUST(model_new(&spec, &kern_scalar, &opt, &m, &e) == 0);
    MUST(optim_new(m, &sgd, &o, &e) == 0);
    MUST(checkpoint_take(out, m, o, &p, &e) == 0);
    optim_free(o);
    model_free(m);
}

static void
add_checkpoint(sqlite3 *db)
{
    char weights[SHA256_HEX], state[SHA256_HEX];
    struct checkpoint c = {0};
    sqlite3_stmt *st;

    take_checkpoint(&c);
    MUST(sha256_of(c.weights, c.weights_size, weights, NULL) == 0);
    MUST(sha256_of(c.state, c.state_size, state, NULL) == 0);
    MUST(sqlite3_prepare_v2(db,
                            "INSERT INTO checkpoint (run_id, kind, epoch,"
                            "    sha256, state_sha256, created_at, weights,"
                            "    state)"
                            "VALUES (1, 'last', 2, ?, ?, '2026', ?, ?)",
                            -1, &st, NULL) == SQLITE_OK);
    sqlite3_bind_text(st, 1, weights, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, state, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 3, c.weights, (int)c.weights_size, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, c.state, (int)c.state_size, SQLITE_STATIC);
    MUST(sqlite3_step(st) == SQLITE_DONE);
    sqlite3_finalize(st);
    checkpoint_release(&c);
}

static void
complete(const char *path)
{
    char sql[60];
    sqlite3 *db;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    run_sql(db, "PRAGMA foreign_keys = ON");
    run_sql(db, TRAINED);
    add_checkpoint(db);
    run_sql(db, "PRAGMA journal_mode = DELETE");
    snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; VACUUM", LAB_PAGE);
    run_sql(db, sql);
    run_sql(db, "PRAGMA journal_mode = WAL");
    MUST(sqlite3_close(db) == SQLITE_OK);
}

/* What the program itself would find wrong. */
static void
on_fault(const char *line, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

static void
check(const char *path)
{
    struct store *s;
    struct err e = {0};
    int faults;

    MUST(store_open(path, STORE_READ, &s, &e) == 0);
    MUST(store_check(s, on_fault, NULL, &faults, &e) == 0 && faults == 0);
    store_close(s);
}

static void
make(const char *path)
{
    static const char *const NAMES[LAB_RUNS] = {"alpha", "beta", "gone"};
    struct store *s;
    struct err e = {0};
    int64_t set;
    int i;

    MUST(store_open(path, STORE_WRITE, &s, &e) == 0);
    set = add_set(s);
    for (i = 0; i < LAB_RUNS; i++)
        MUST(add_run(s, set, NAMES[i]) == i + 1);
    store_close(s);
    complete(path);
    check(path);
}

static size_t
take_file(const char *path, uint8_t *p, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    MUST(f);
    n = fread(p, 1, size, f);
    MUST(n > 0 && n < size);
    fclose(f);
    return n;
}

/* Copies the columns that a table of the old schema has. */
static void
copy_table(sqlite3 *db, const char *name)
{
    sqlite3_stmt *st;
    const char *columns;
    char *sql;

    MUST(sqlite3_prepare_v2(db,
                            "SELECT group_concat(name, ', ') "
                            "FROM pragma_table_info(?, 'main')",
                            -1, &st, NULL) == SQLITE_OK);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    MUST(sqlite3_step(st) == SQLITE_ROW);
    columns = (const char *)sqlite3_column_text(st, 0);
    sql = sqlite3_mprintf("INSERT INTO main.%s (%s) SELECT %s FROM newest.%s",
                          name, columns, columns, name);
    MUST(sql);
    run_sql(db, sql);
    sqlite3_free(sql);
    sqlite3_finalize(st);
}

/* The same rows in the first schema. */
static void
make_old(const char *path, const char *newest)
{
    sqlite3_stmt *st;
    sqlite3 *db;
    char page[40], *sql = sqlite3_mprintf("ATTACH %Q AS newest", newest);

    MUST(sql);
    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    snprintf(page, sizeof(page), "PRAGMA page_size = %d", LAB_PAGE);
    run_sql(db, page);
    run_sql(db, sql_migrations()[0]);
    run_sql(db, sql);
    sqlite3_free(sql);
    MUST(sqlite3_prepare_v2(db,
                            "SELECT name FROM main.sqlite_schema "
                            "WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
                            -1, &st, NULL) == SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        copy_table(db, (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

uint8_t *
lab_database(int old, size_t *n)
{
    static uint8_t kept[2][1 << 20];
    static size_t kept_n[2];
    const char *path = fuzz_path("lab.db"), *old_path = fuzz_path("old.db");

    if (kept_n[0] == 0) {
        make(path);
        make_old(old_path, path);
        kept_n[0] = take_file(path, kept[0], sizeof(kept[0]));
        kept_n[1] = take_file(old_path, kept[1], sizeof(kept[1]));
        fuzz_clear();
    }
    *n = kept_n[old];
    return kept[old];
}
