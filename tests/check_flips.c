/* SPDX-License-Identifier: MIT */
/* Single bits of a database flip, anywhere: it is noticed or harmless, or in a
 * value of which there is no second copy; and a run that goes on from it ends
 * with the same weights or says why not. */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "fmnist/mem.h"
#include "fmnist/rng.h"
#include "fmnist/runner.h"
#include "fmnist/sha256.h"
#include "store_support.h"
#include "support.h"
#include "tiny.h"

enum { FINISHED = 1, HALF_WAY, GONE };

static struct dataset *data;
static struct runner_engine engine;
static char path[100]; /* of the database */
static char *whole;    /* its bytes */
static size_t size;
static char good[SHA256_HEX]; /* weights that HALF_WAY ends with */

/* ---- the database -------------------------------------------------------- */

static int64_t
enqueue(struct store *s)
{
    struct hyper h;
    struct run_new n = {.h = &h};
    int64_t id;

    OK(store_dataset_put(s, data, &n.dataset_id, e));
    OK(hyper_preset("ann", &h, e));
    OK(hyper_set(&h, hyper_field("spec"), "dense 8 relu dropout 0.2 dense 10",
                 e));
    h.epochs = 4;
    h.batch_size = 32;
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    h.val_fraction = 0.25;
    OK(store_run_insert(s, &n, &id, e));
    return id;
}

/* In epoch 3, so that two are done. */
static enum runner_order
leave(const struct batch_report *r, void *arg)
{
    (void)arg;
    return r->epoch > 2 ? RUNNER_LEAVE : RUNNER_GO;
}

static int
train(struct store *s, int64_t run, int part, struct err *e)
{
    const struct runner_hooks hooks = {.batch = part ? leave : NULL,
                                       .checkpoint_every = 1e-9};
    const struct claim c = {run, engine.run, engine.kernels};
    int64_t id;
    int rc = store_claim(s, &c, &id, e);

    return rc < 0 ? rc : runner_execute(s, run, data, 1, &hooks, e);
}

/* With pages that nobody uses any more. */
static void
make_database(void)
{
    struct run_ids one = {(int64_t[]){GONE}, 1, 1};
    struct store *s = test_store();
    int changed, kept;

    ck_assert_int_eq(enqueue(s), FINISHED);
    OK(train(s, FINISHED, 0, e));
    ck_assert_int_eq(enqueue(s), HALF_WAY);
    OK(train(s, HALF_WAY, 1, e));
    ck_assert_int_eq(enqueue(s), GONE);
    OK(train(s, GONE, 0, e));
    OK(store_run_trash(s, &one, &changed, &kept, e));
    OK(store_run_purge(s, &one, &changed, e));
    store_close(s);
    whole = file_read(path, &size);
}

static int
read_weights(struct store *s, char out[SHA256_HEX], struct err *e)
{
    struct checkpoint k;
    int rc = store_checkpoint(s, HALF_WAY, "last", &k, e);

    if (rc == 0)
        rc = sha256_of(k.weights, k.weights_size, out, e);
    checkpoint_release(&k);
    return rc;
}

/* ---- what differs -------------------------------------------------------- */

/* Every cell of every table, in order. */
struct cells {
    struct cell_hash {
        char name[60]; /* table.column */
        uint64_t hash;
    } * c;
    size_t n, cap;
};

static uint64_t
fnv(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

static void
add_cell(struct cells *all, const char *table, sqlite3_stmt *st, int col)
{
    int type = sqlite3_column_type(st, col);
    struct cell_hash *c;
    uint64_t h = fnv(0xcbf29ce484222325u, &type, sizeof(type));
    double r = sqlite3_column_double(st, col);
    int64_t i = sqlite3_column_int64(st, col);

    if (all->n == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 4096;
        all->c = realloc(all->c, all->cap * sizeof(*all->c));
        ck_assert_ptr_nonnull(all->c);
    }
    c = &all->c[all->n++];
    snprintf(c->name, sizeof(c->name), "%s.%s", table,
             sqlite3_column_name(st, col));
    if (type == SQLITE_INTEGER)
        h = fnv(h, &i, sizeof(i));
    else if (type == SQLITE_FLOAT)
        h = fnv(h, &r, sizeof(r));
    else if (type != SQLITE_NULL)
        h = fnv(h, sqlite3_column_blob(st, col),
                (size_t)sqlite3_column_bytes(st, col));
    c->hash = h;
}

static int
add_table(struct cells *all, sqlite3 *db, const char *table)
{
    sqlite3_stmt *st;
    char sql[100];
    int rc, i;

    snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"", table);
    rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        for (i = 0; i < sqlite3_column_count(st); i++)
            add_cell(all, table, st, i);
    sqlite3_finalize(st);
    return rc;
}

/* Whether all could be read. */
static int
read_cells(struct cells *all)
{
    static const char *const TABLES[] = {
        "run",        "dataset",          "image",      "epoch", "confusion",
        "prediction", "epoch_prediction", "checkpoint", "sweep", "tag",
        "event",      "worker",           "setting"};
    sqlite3 *db;
    size_t i;
    int rc;

    all->n = 0;
    rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    for (i = 0; rc == SQLITE_OK && i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        if (add_table(all, db, TABLES[i]) != SQLITE_DONE)
            rc = SQLITE_ERROR;
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

static struct cells sound, now;

/* The name of the first cell that differs, or NULL. */
static const char *
difference(void)
{
    size_t i;

    if (!read_cells(&now))
        return "(unreadable)";
    for (i = 0; i < sound.n && i < now.n; i++)
        if (sound.c[i].hash != now.c[i].hash ||
            strcmp(sound.c[i].name, now.c[i].name) != 0)
            return sound.c[i].name;
    return sound.n == now.n ? NULL : "(rows)";
}

/* ---- flips --------------------------------------------------------------- */

static char what[80];

/* What is to be seen of a flip. */
static long refused, found, harmless, unnoticed;
/* What becomes of the run. */
static long same, warned, failed, other, silent;

static void
count(const char *line, void *arg)
{
    ck_assert_msg(line[0] && !strchr(line, '\n'), "%s: \"%s\"", what, line);
    ++*(int *)arg;
}

static void
clear(const struct err *e)
{
    ck_assert_msg(e->msg[0] && !strchr(e->msg, '\n') &&
                      !strstr(e->msg, "not an error") &&
                      !strstr(e->msg, "unknown error"),
                  "%s: \"%s\"", what, e->msg);
}

/* What is trained and what follows from it has a second copy, or a hash, all of
 * it; a row of figures, a picture or a text need not have one. */
static int
must_be_noticed(const char *cell)
{
    static const char *const TABLES[] = {"checkpoint.", "confusion.",
                                         "epoch_prediction.", "("};
    size_t i;

    for (i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        if (!strncmp(cell, TABLES[i], strlen(TABLES[i])))
            return 1;
    return !strcmp(cell, "prediction.truth") ||
           !strcmp(cell, "prediction.predicted");
}

/* Whether it is noticed, or does no harm. */
static int
look(void)
{
    struct err e = {0};
    struct store *s;
    const char *name;
    int faults = 0, n = 0, rc = store_open(path, STORE_READ, &s, &e);

    if (rc < 0) {
        clear(&e);
        refused++;
        return 1;
    }
    rc = store_check(s, count, &n, &faults, &e);
    store_close(s);
    if (rc < 0)
        clear(&e);
    if (rc < 0 || faults > 0) {
        found++;
        return 1;
    }
    name = difference();
    if (!name) {
        harmless++;
        return 1;
    }
    unnoticed++;
    printf("# unnoticed %s: %s\n", what, name);
    ck_assert_msg(!must_be_noticed(name), "%s: %s", what, name);
    return 0;
}

static void
resume(int noticed)
{
    char weights[SHA256_HEX] = "";
    struct err e = {0};
    struct store *s;
    int rc = store_open(path, STORE_WRITE, &s, &e);

    if (rc == 0)
        rc = train(s, HALF_WAY, 0, &e);
    if (rc == 0)
        rc = read_weights(s, weights, &e);
    if (rc < 0) {
        clear(&e);
        failed++;
    } else if (!strcmp(weights, good)) {
        if (!strcmp(test_value(s, "SELECT count(*) FROM event WHERE run_id = 2 "
                                  "AND level = 'warning'"),
                    "0"))
            same++;
        else
            warned++;
    } else if (noticed) {
        other++;
    } else {
        silent++;
        printf("# silent %s\n", what);
    }
    store_close(s);
}

static void
put(const char *bytes)
{
    static const char *const SUFFIX[] = {"-wal", "-shm", "-journal"};
    char name[120];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, SUFFIX[i]);
        unlink(name);
    }
    file_write(path, bytes, size);
}

START_TEST(in_a_page)
{
    const struct rng r = {.seed = 1, .stream = RNG_SAMPLE};
    long n = getenv("FMNIST_TEST_FULL") ? 500 : 40, i;

    for (i = 0; i < n; i++) {
        size_t at = rng_below(&r, (uint32_t)(2 * i), (uint32_t)size);
        int bit = (int)rng_below(&r, (uint32_t)(2 * i + 1), 8), noticed;

        snprintf(what, sizeof(what), "byte %zu, bit %d", at, bit);
        whole[at] = (char)(whole[at] ^ 1 << bit);
        put(whole);
        noticed = look();
        resume(noticed);
        whole[at] = (char)(whole[at] ^ 1 << bit);
    }
    printf("# %ld flips in %zu bytes: %ld refused, %ld found by the check, %ld "
           "harmless, %ld unnoticed\n",
           n, size, refused, found, harmless, unnoticed);
    printf("# the run: %ld the same, %ld the same with a warning, %ld failed, "
           "%ld otherwise, %ld otherwise and unnoticed\n",
           same, warned, failed, other, silent);
    ck_assert_int_eq(refused + found + harmless + unnoticed, n);
    ck_assert_int_eq(silent, 0);
    ck_assert_int_gt(found, 0);
    ck_assert_int_gt(warned, 0);
}
END_TEST

static void
setup(void)
{
    struct store *s;

    tmp_setup();
    snprintf(path, sizeof(path), "%s/runs.db", tmp_dir());
    fault_vfs_install();
    data = tiny_new(120, 5);
    OK(runner_engine_init(&engine, 1, e));
    make_database();
    ck_assert(read_cells(&sound));
    s = test_store();
    OK(train(s, HALF_WAY, 0, e));
    OK(read_weights(s, good, e));
    store_close(s);
}

static void
teardown(void)
{
    dataset_free(data);
    free(sound.c);
    free(now.c);
    tmp_teardown();
}

int
main(void)
{
    Suite *s = suite_create("flips");
    TCase *tc = tcase_create("flips");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, in_a_page);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
