/* SPDX-License-Identifier: MIT */
/* Checking, compacting, copying and pruning the file; the user's SQL. */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "store_support.h"
#include "support.h"

/* ---- db check ------------------------------------------------------------ */

static void
take_line(const char *line, void *arg)
{
    char *all = arg;
    size_t n = strlen(all);

    snprintf(all + n, 4000 - n, "%s\n", line);
}

/* What the check says of the file, one fault a line. */
static const char *
faults(void)
{
    static char all[4000];
    struct store *s;
    int n, lines = 0;
    char *p;

    all[0] = '\0';
    OK(store_open(test_db(), STORE_READ, &s, e));
    OK(store_check(s, take_line, all, &n, e));
    store_close(s);
    for (p = all; *p; p++)
        lines += *p == '\n';
    ck_assert_int_eq(lines, n);
    return all;
}

/* A run of two epochs with its whole set, in a fresh file. */
static void
make_db(void)
{
    uint32_t images[TEST_IMAGES];
    struct dataset *d = test_set(0);
    struct store *s;
    uint32_t i;

    unlink(test_db());
    s = test_store();
    test_finished(s, "a", 2);
    for (i = 0; i < TEST_IMAGES; i++)
        images[i] = i;
    OK(store_dataset_images(s, 1, d, images, TEST_IMAGES, e));
    dataset_free(d);
    store_close(s);
}

/* Each statement spoils something; the check must say these words. */
static const char *const SPOIL[][2] = {
    {"UPDATE run SET epochs_done = 3", "run 1: epochs_done is 3, the table has "
                                       "2 epochs up to 2"},
    {"UPDATE run SET result_epoch = 1",
     "run 1: result_epoch is 1, should be 2"},
    {"UPDATE run SET test_acc = 0.21",
     "run 1: its metrics are not those of epoch 2"},
    {"UPDATE run SET train_loss = NULL", "run 1: its metrics are not those"},
    {"UPDATE run SET val_acc = 0.5", "run 1: its metrics are not those"},
    {"UPDATE run SET peak_test_acc = 0.9", "run 1: peak_test_acc"},
    {"UPDATE run SET peak_epoch = 1", "run 1: peak_test_acc"},
    {"UPDATE run SET seconds = 1.1", "run 1: seconds"},
    {"UPDATE run SET samples_per_second = NULL", "run 1: seconds or samples"},
    {"UPDATE run SET model = 'cnn'", "run 1: model is cnn"},
    {"UPDATE epoch SET test_acc = 0.3 WHERE epoch = 1",
     "run 1, epoch 1: test_acc is 0.3, the confusion matrix has 1 of 10 right"},
    {"UPDATE confusion SET count = 2 WHERE epoch = 1 AND truth = 0",
     "run 1, epoch 1: test_acc is 0.1, the confusion matrix has 2 of 11"},
    {"DELETE FROM confusion WHERE epoch = 2 AND truth = 9",
     "run 1: 1 predictions of 0 for 9, the confusion matrix has 0"},
    {"DELETE FROM prediction WHERE image = 19",
     "run 1: 9 predictions, 2 right, but test_acc is 0.2"},
    {"DELETE FROM prediction", "run 1: 0 predictions, 0 right"},
    {"UPDATE prediction SET predicted = 5, p5 = 0.75, p4 = 0 "
     "WHERE image = 13",
     "run 1: 1 predictions of 5 for 3, the confusion matrix has 0"},
    {"UPDATE prediction SET confidence = 0.7 WHERE image = 12",
     "run 1, image 12: confidence"},
    {"UPDATE prediction SET p1 = 0.9 WHERE image = 12",
     "run 1, image 12: confidence and probabilities"},
    {"UPDATE image SET label = 0 WHERE image = 12",
     "run 1, image 12: truth is 2, the image's label 0"},
    {"UPDATE image SET pixels = zeroblob(784) WHERE image = 3",
     "data set 1: its images have SHA-256"},
    {"UPDATE epoch_prediction SET predicted = x'00' WHERE epoch = 1",
     "run 1, epoch 1: 1 predicted classes, the confusion matrix has 10"},
    {"UPDATE epoch_prediction SET predicted = x'00010203040506070809' "
     "WHERE epoch = 1",
     "run 1, epoch 1: the predicted classes disagree"},
    {"UPDATE epoch_prediction SET predicted = x'ffffffffffffffffffff' "
     "WHERE epoch = 1",
     "run 1, epoch 1: the predicted classes disagree"},
    {"UPDATE checkpoint SET weights = x'00'",
     "checkpoint \"last\" of run 1: damaged"},
    {"UPDATE checkpoint SET state = x'00'",
     "checkpoint \"last\" of run 1: damaged"},
    {"UPDATE checkpoint SET epoch = 1",
     "run 1: checkpoint \"last\" of epoch 1 does not fit"},
    {"UPDATE checkpoint SET kind = 'best', epoch = 1",
     "run 1: checkpoint \"best\" of epoch 1 does not fit"},
    {"DELETE FROM checkpoint", "run 1: no checkpoint"},
    {"PRAGMA foreign_keys = OFF; DELETE FROM dataset",
     "table run, row 1: refers to a row of dataset that does not exist"},
    {"PRAGMA ignore_check_constraints = ON; UPDATE run SET starred = 5",
     "CHECK constraint failed in run"},
    {"DELETE FROM epoch WHERE epoch = 1", "run 1: epochs_done is 2"},
};

START_TEST(check_finds)
{
    size_t i;

    make_db();
    ck_assert_str_eq(faults(), "");
    for (i = 0; i < sizeof(SPOIL) / sizeof(SPOIL[0]); i++) {
        size_t n;
        char *good = file_read(test_db(), &n);

        test_sql(SPOIL[i][0]);
        ck_assert_msg(strstr(faults(), SPOIL[i][1]) != NULL, "%s: %s",
                      SPOIL[i][0], faults());
        file_write(test_db(), good, n);
    }
    ck_assert_str_eq(faults(), "");
}
END_TEST

START_TEST(check_accepts)
{
    struct store *s = test_store();
    struct run_ids left = {(int64_t[1]){0}, 1, 1};
    int64_t id;
    int n;

    /* Killed before a checkpoint was due, and stopped in the queue. */
    left.ids[0] = id = test_run(s, "left");
    test_start(s, id);
    test_epoch(s, id, 1, 4);
    test_sql("DELETE FROM checkpoint");
    OK(store_worker_bury(s, NULL, &n, e));
    ck_assert_int_eq(n, 1);
    OK(store_steer(s, &left, STEER_STOP, 0, NULL, NULL, e));
    test_run(s, "queued");
    id = test_run(s, "running");
    test_start(s, id);
    test_epoch(s, id, 1, 4);
    id = test_run(s, "failed");
    test_start(s, id);
    test_epoch(s, id, 1, 4);
    OK(store_run_end(s, id, "failed", "diverged", NULL, e));
    id = test_run(s, "stopped at once");
    test_start(s, id);
    OK(store_run_end(s, id, "stopped", "", NULL, e));
    ck_assert_str_eq(test_value(s, "SELECT group_concat(status) FROM run"),
                     "stopped,queued,running,failed,stopped");
    store_close(s);
    ck_assert_str_eq(faults(), "");
}
END_TEST

/* ---- the file ------------------------------------------------------------ */

START_TEST(backup)
{
    char *to = tmp_path("copy.db");
    struct store *s, *copy;
    size_t n;

    make_db();
    s = test_store();
    OK(store_backup(s, to, 0, e));
    FAILS(ERR_FAIL, "exists already", store_backup(s, to, 0, e));
    test_run(s, "later");
    OK(store_open(to, STORE_READ, &copy, e));
    ck_assert_str_eq(test_value(copy, "SELECT count(*) FROM run"), "1");
    store_close(copy);
    OK(store_backup(s, to, 1, e));
    OK(store_open(to, STORE_WRITE, &copy, e));
    ck_assert_str_eq(test_value(copy, "SELECT count(*) FROM run"), "2");
    store_close(copy);
    FAILS(ERR_USAGE, "the database itself", store_backup(s, test_db(), 1, e));
    FAILS(ERR_USAGE, "a folder", store_backup(s, tmp_dir(), 1, e));
    FAILS(ERR_IO, "no/where: ", store_backup(s, tmp_path("no/where"), 0, e));
    store_close(s);
    /* From a file that is only read, too. */
    OK(store_open(test_db(), STORE_READ, &s, e));
    OK(store_backup(s, tmp_path("second"), 0, e));
    store_close(s);
    file_read(tmp_path("second"), &n);
    ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(vacuum)
{
    struct store *s;
    uint64_t before, after;
    struct stat st;
    int i, n, kept;

    make_db();
    s = test_store();
    for (i = 2; i <= 40; i++)
        test_finished(s, NULL, 5);
    for (i = 2; i <= 40; i++) {
        struct run_ids r = {(int64_t[]){i}, 1, 1};

        OK(store_run_trash(s, &r, &n, &kept, e));
    }
    OK(store_run_purge(s, NULL, &n, e));
    ck_assert_int_eq(n, 39);
    OK(store_vacuum(s, &before, &after, e));
    ck_assert_uint_lt(after, before);
    ck_assert_int_eq(stat(test_db(), &st), 0);
    ck_assert_uint_eq((uint64_t)st.st_size, after);
    store_close(s);
    OK(store_open(test_db(), STORE_READ, &s, e));
    FAILS(ERR_FAIL, "opened for reading only",
          store_vacuum(s, &before, &after, e));
    store_close(s);
    ck_assert_str_eq(faults(), "");
}
END_TEST

/* One right test image; the best epoch so far, with checkpoints or without. */
static void
best_epoch(struct store *s, int64_t id, int epoch, int checkpoints)
{
    char last[] = "weights", best[] = "best", state[] = "st";
    struct checkpoint l = {epoch, last, state, 7, 2};
    struct checkpoint b = {epoch, best, state, 4, 2};
    struct epoch_metrics m = {epoch, 1, 1, 1.0 / epoch, 1, 1, 1, 1, 1, 1};
    struct confusion c = {{{1}}};
    const uint8_t predicted[] = {0};
    struct epoch_report r = {.metrics = &m,
                             .confusion = &c,
                             .predicted = predicted,
                             .n_test = 1,
                             .last = checkpoints ? &l : NULL,
                             .best = checkpoints ? &b : NULL,
                             .result_epoch = epoch,
                             .peak_epoch = 1,
                             .peak_test_acc = 1};

    OK(store_run_epoch(s, id, &r, e));
}

/* A running run with a validation part, after its first epoch. */
static int64_t
with_val(struct store *s)
{
    struct hyper h;
    int64_t id;

    OK(hyper_preset("ann", &h, e));
    h.val_fraction = 0.5;
    id = test_run_with(s, &h, "best");
    test_start(s, id);
    best_epoch(s, id, 1, 1);
    return id;
}

/* A finished one: `last` and `best`. */
static void
with_best(struct store *s)
{
    uint8_t predicted[] = {0}, truth[] = {0};
    uint32_t images[] = {0};
    float p[N_CLASSES] = {1};
    struct predictions all = {1, images, truth, predicted, p};
    int64_t id = with_val(s);

    OK(store_run_end(s, id, "finished", "", &all, e));
}

/* Checkpoints may lie behind while a run has epochs to go, not ahead. */
START_TEST(checkpoints_of_a_running_run)
{
    struct store *s = test_store();

    best_epoch(s, with_val(s), 2, 0);
    store_close(s);
    ck_assert_str_eq(faults(), "");
    test_sql("UPDATE run SET result_epoch = 1");
    test_sql("UPDATE checkpoint SET epoch = 2 WHERE kind = 'best'");
    ck_assert_ptr_nonnull(
        strstr(faults(), "checkpoint \"best\" of epoch 2 does not fit"));
}
END_TEST

START_TEST(prune)
{
    struct prune_options all = {1, 1, 1, 1};
    struct prune_result r;
    struct checkpoint k;
    struct run_ids one = {(int64_t[]){3}, 1, 1};
    struct store *s;
    int n, kept;

    make_db();
    s = test_store();
    with_best(s);
    test_finished(s, "trashed", 3);
    test_start(s, test_run(s, "running"));
    test_epoch(s, 4, 1, 1);
    test_epoch(s, 4, 2, 2);
    OK(store_run_trash(s, &one, &n, &kept, e));
    OK(store_prune(s, &all, &r, e));
    /* `last` of run 2 and its state, the states of run 1 and of `best`. */
    ck_assert_int_eq(r.checkpoints, 3);
    ck_assert_int_eq(r.predictions, 1);
    ck_assert_int_eq(r.runs, 1);
    ck_assert_uint_gt(r.bytes, 7 + 2 + 2 + 7 + 10);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run"), "4");
    all.dry_run = 0;
    OK(store_prune(s, &all, &r, e));
    ck_assert_int_eq(r.checkpoints, 3);
    ck_assert_int_eq(r.runs, 1);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run"), "3");
    ck_assert_str_eq(test_value(s, "SELECT group_concat(run_id || kind || "
                                   "coalesce(state, '')) FROM checkpoint"),
                     "1last,2best,4laststate 2");
    ck_assert_str_eq(test_value(s, "SELECT group_concat(run_id || '/' || epoch)"
                                   " FROM epoch_prediction"),
                     "1/2,2/1,4/1,4/2");
    OK(store_checkpoint(s, 1, "last", &k, e));
    ck_assert_ptr_null(k.state);
    checkpoint_release(&k);
    OK(store_prune(s, &all, &r, e));
    ck_assert_int_eq(r.checkpoints + r.predictions + r.runs, 0);
    ck_assert_uint_eq(r.bytes, 0);
    store_close(s);
    ck_assert_str_eq(faults(), "");
}
END_TEST

/* ---- the user's SQL ------------------------------------------------------ */

static const char *const REFUSED[] = {
    "DELETE FROM run",
    "INSERT INTO tag VALUES (1, 'x')",
    "UPDATE run SET name = 'x'",
    "DROP TABLE run",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMP VIEW x AS SELECT 1",
    "ATTACH '/tmp/fmnist-test-attached' AS x",
    "ATTACH ':memory:' AS x",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '/tmp/fmnist-test-attached'",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT x",
    "PRAGMA query_only = OFF",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA trusted_schema = ON",
    "PRAGMA wal_checkpoint",
    "PRAGMA temp_store_directory = '/'",
    "PRAGMA page_size = 512",
    "REINDEX",
    "ANALYZE",
    "SELECT load_extension('x')",
    "WITH x AS (SELECT 1) DELETE FROM run",
    "EXPLAIN DELETE FROM run",
    "INSERT INTO run DEFAULT VALUES RETURNING id",
};

START_TEST(sql_reads_only)
{
    struct store *s;
    struct listing l;
    int mode;
    size_t i;

    make_db();
    for (mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        OK(store_open(test_db(), (enum store_mode)mode, &s, e));
        for (i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
            memset(&l, 0, sizeof(l));
            FAILS(ERR_USAGE, "", store_sql(s, REFUSED[i], 5, test_row, &l, e));
            ck_assert_int_eq(l.rows, 0);
        }
        ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
        ck_assert_str_eq(test_value(s, "PRAGMA user_version"), "2");
        /* Writing still works where it did. */
        if (mode == STORE_WRITE)
            test_run(s, "after");
        store_close(s);
    }
    ck_assert_int_ne(access("/tmp/fmnist-test-attached", F_OK), 0);
}
END_TEST

START_TEST(sql_texts)
{
    struct store *s;
    struct listing l = {0};

    make_db();
    s = test_store();
    OK(store_sql(s, "SELECT 1 AS a, NULL AS b, 'x' AS c; -- done\n ", 5,
                 test_row, &l, e));
    ck_assert_str_eq(l.text, "a b c | 1 - x ");
    memset(&l, 0, sizeof(l));
    OK(store_sql(s, "-- first\n/* then */ SELECT 1 AS a WHERE 0", 5, test_row,
                 &l, e));
    ck_assert_str_eq(l.text, "a | ");
    FAILS(ERR_USAGE, "no SQL statement", store_sql(s, "", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "no SQL statement",
          store_sql(s, " -- x", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "more than one",
          store_sql(s, "SELECT 1; SELECT 2", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "more than one",
          store_sql(s, "SELECT 1; nonsense", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "near \"SELEC\"",
          store_sql(s, "SELEC 1", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "no such column: nought",
          store_sql(s, "SELECT nought FROM run", 5, test_row, &l, e));
    FAILS(ERR_USAGE, "only reading",
          store_sql(s, "DELETE FROM run", 5, test_row, &l, e));
    FAILS(ERR_CANCEL, "enough",
          store_sql(s, "SELECT * FROM prediction", 5, test_row,
                    &(struct listing){.stop = 3}, e));
    store_close(s);
}
END_TEST

START_TEST(sql_time)
{
    static const char *const LONG =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT count(*) FROM n";
    struct store *s = test_store();
    struct listing l = {0};

    FAILS(ERR_FAIL, "longer than 0.1 seconds",
          store_sql(s, LONG, 0.1, test_row, &l, e));
    ck_assert_str_eq(test_value(s, "SELECT 1"), "1");
    store_close(s);
}
END_TEST

/* More than is kept in memory is handed over in pieces, in order. */
START_TEST(sql_large)
{
    static const char *const LARGE =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "LIMIT 100) SELECT i, zeroblob(1000000) AS b FROM n";
    struct store *s = test_store();
    struct listing l = {0};

    OK(store_sql(s, LARGE, 60, test_row, &l, e));
    ck_assert_int_eq(l.rows, 100);
    ck_assert_int_eq(l.heads, 1);
    ck_assert_str_eq(l.text + strlen(l.text) - 11, "  99  100  ");
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("store care");

    test_case(s, "check",
              (const TTest *[]){check_finds, check_accepts,
                                checkpoints_of_a_running_run, NULL});
    test_case(s, "file", (const TTest *[]){backup, vacuum, prune, NULL});
    test_case(s, "sql",
              (const TTest *[]){sql_reads_only, sql_texts, sql_time, sql_large,
                                NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
