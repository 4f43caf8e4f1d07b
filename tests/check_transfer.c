/* SPDX-License-Identifier: MIT */
/* Whole runs from one database to another. */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"
#include "store/transfer.h"
#include "store_support.h"
#include "support.h"
#include "transfer_support.h"

/* ---- everything goes ----------------------------------------------------- */

/* Columns that stand in no list: numbers of other rows, and what is computed of
 * the epochs. */
static const char *const NOT_LISTED[] = {"dataset.id",
                                         "sweep.id",
                                         "run.id",
                                         "image.dataset_id",
                                         "tag.run_id",
                                         "epoch.run_id",
                                         "event.run_id",
                                         "confusion.run_id",
                                         "event.id",
                                         "run.dataset_id",
                                         "run.sweep_id",
                                         "run.parent_id",
                                         "run.worker_id",
                                         "run.val_loss",
                                         "run.train_acc",
                                         "run.val_acc",
                                         "run.train_loss",
                                         "run.test_loss",
                                         "run.test_acc",
                                         "run.peak_test_acc",
                                         "run.peak_epoch",
                                         "run.seconds",
                                         "run.epochs_done",
                                         "run.samples_per_second",
                                         "run.result_epoch",
                                         "epoch_prediction.run_id",
                                         "prediction.run_id",
                                         "checkpoint.run_id"};

static int
is_listed(const struct transfer *t, const char *name)
{
    const char *column = strchr(name, '.') + 1;
    size_t n = (size_t)(column - name) - 1;
    size_t i;
    int k, j;

    for (i = 0; i < sizeof(NOT_LISTED) / sizeof(NOT_LISTED[0]); i++)
        if (strcmp(NOT_LISTED[i], name) == 0)
            return 1;
    for (k = 0; k < N_TABLES; k++)
        for (j = 0; j < t->tables[k].n; j++)
            if (strlen(t->tables[k].name) == n &&
                strncmp(t->tables[k].name, name, n) == 0 &&
                strcmp(t->tables[k].fields[j].column, column) == 0)
                return 1;
    return 0;
}

struct columns {
    struct transfer t;
    int n;
};

static int
check_column(const struct row *r, void *arg, struct err *e)
{
    struct columns *c = arg;

    (void)e;
    if (!r->cells)
        return 0;
    ck_assert_msg(is_listed(&c->t, r->cells[0].s), "%s", r->cells[0].s);
    c->n++;
    return 0;
}

/* A column that a migration adds must not be forgotten here. */
START_TEST(all_columns)
{
    struct store *s = test_store();
    struct columns c = {.n = 0};

    OK(transfer_init(&c.t, s, s, NULL, e));
    OK(store_sql(s,
                 "SELECT m.name || '.' || p.name FROM sqlite_schema AS m "
                 "JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table' "
                 "AND m.name NOT IN ('worker', 'setting', 'sqlite_sequence')",
                 10, check_column, &c, e));
    ck_assert_int_gt(c.n, 110);
    transfer_release(&c.t);
    store_close(s);
}
END_TEST

START_TEST(export_as_it_is)
{
    struct store *s = test_store(), *x;
    int faults;

    small_fill(s);
    export_to(s, 0, "x.db");
    OK(store_open(tmp_path("x.db"), STORE_READ, &x, e));
    same_content(s, x);
    ck_assert_str_eq(test_value(x, "SELECT group_concat(status || "
                                   "coalesce(request, '') || "
                                   "coalesce(worker_id, '')) FROM run"),
                     "finished,queued,runningpause,failed,stopped,finished,"
                     "paused");
    OK(store_check(x, test_count_fault, &(int){0}, &faults, e));
    ck_assert_int_eq(faults, 0);
    store_close(x);
    store_close(s);
}
END_TEST

START_TEST(import_elsewhere)
{
    struct store *s = test_store(), *there = other_store("there.db");
    char user[128], *x, *y;

    small_fill(s);
    export_to(s, 0, "x.db");
    became(there, "x.db", 7, 0, 0);
    ck_assert_str_eq(
        test_value(there, "SELECT group_concat(status || coalesce(request, "
                          "'') || coalesce(worker_id, '') || deaths) FROM run"),
        "finished0,paused0,paused0,failed0,stopped0,finished0,paused0");
    ck_assert_str_eq(
        test_value(there, "SELECT group_concat(position) FROM run"),
        "1,2,3,4,5,6,7");
    ck_assert_str_eq(test_value(there, "SELECT group_concat(substr(text, "
                                       "-25), ';') FROM event WHERE text LIKE "
                                       "'%, where it was %'"),
                     "x.db, where it was queued;.db, where it was running;"
                     "x.db, where it was paused");
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM event WHERE text "
                                       "LIKE 'imported from /%'"),
                     "7");
    sys_user(user, sizeof(user));
    ck_assert_str_eq(test_value(there, "SELECT DISTINCT user FROM run"), user);
    /* All else is as it was. */
    raw_sql(store_file(s),
            "PRAGMA recursive_triggers = OFF; UPDATE run SET request = NULL, "
            "deaths = 0; UPDATE run SET status = 'paused' WHERE status IN "
            "('queued', 'running')");
    x = dump(s, 1);
    y = dump(there, 1);
    ck_assert_str_eq(x, y);
    /* Again, nothing changes. */
    became(there, "x.db", 0, 0, 7);
    mem_free(x);
    x = dump(there, 1);
    ck_assert_str_eq(x, y);
    mem_free(x);
    mem_free(y);
    store_close(there);
    store_close(s);
}
END_TEST

START_TEST(whose_runs)
{
    struct store *s = test_store(), *there = other_store("there.db");
    char user[128];

    small_fill(s);
    raw_sql(store_file(s), "UPDATE run SET user = 'alice', engine = 'slurm'");
    export_to(s, 0, "x.db");
    became(there, "x.db", 7, 0, 0);
    sys_user(user, sizeof(user));
    ck_assert_str_eq(test_value(there, "SELECT DISTINCT user || engine FROM "
                                       "run WHERE status = 'finished'"),
                     "aliceslurm");
    ck_assert_str_eq(test_value(there, "SELECT DISTINCT engine FROM run WHERE "
                                       "status <> 'finished'"),
                     "local");
    ck_assert_str_eq(test_value(there, "SELECT DISTINCT user FROM run WHERE "
                                       "status <> 'finished'"),
                     user);
    store_close(there);
    store_close(s);
}
END_TEST

START_TEST(dry_run)
{
    const struct import_options o = {.dry_run = 1};
    struct store *s = test_store(), *there = other_store("there.db");
    struct import_result r;

    small_fill(s);
    export_to(s, 0, "x.db");
    OK(store_import(there, tmp_path("x.db"), &o, &r, e));
    ck_assert_int_eq(r.runs[IMPORT_NEW], 7);
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM run"), "0");
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM dataset"), "0");
    store_close(there);
    OK(store_scratch(&there, e));
    OK(store_import(there, tmp_path("x.db"), &o, &r, e));
    ck_assert_int_eq(r.runs[IMPORT_NEW], 7);
    store_close(there);
    store_close(s);
}
END_TEST

/* ---- names and sets ------------------------------------------------------ */

START_TEST(names_are_unique)
{
    char name[128];
    struct store *s = test_store(), *there = other_store("there.db");

    memset(name, 'n', 127);
    name[127] = '\0';
    small_finished(s, "same", 1, 1);
    small_finished(s, name, 2, 1);
    export_to(s, 0, "x.db");
    small_run(there, "same", 3);
    small_run(there, name, 3);
    small_run(there, "same #2", 3);
    became(there, "x.db", 2, 0, 0);
    ck_assert_str_eq(test_value(there, "SELECT name FROM run WHERE id = 4"),
                     "same #3");
    name[110] = '\0';
    ck_assert_str_eq(test_value(there, "SELECT name FROM run WHERE id = 5"),
                     name);
    became(there, "x.db", 0, 0, 2);
    store_close(there);
    store_close(s);
}
END_TEST

START_TEST(sets_meet)
{
    struct store *s = test_store(), *there = other_store("there.db");
    struct dataset *other = test_set(9);
    int64_t set;

    /* Another set of the same name, and the same set under another. */
    OK(store_dataset_put(there, other, &set, e));
    dataset_free(other);
    small_fill(s);
    export_to(s, 0, "x.db");
    became(there, "x.db", 7, 0, 0);
    ck_assert_str_eq(
        test_value(there, "SELECT group_concat(name) FROM dataset"),
        "tiny,tiny #2");
    ck_assert_str_eq(test_value(there, "SELECT group_concat(dataset_id || '/' "
                                       "|| image) FROM image WHERE image > 17"),
                     "2/18,2/19");
    raw_sql(store_file(s),
            "UPDATE dataset SET name = 'else', class_names = "
            "'[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]'");
    small_finished(s, "more", 9, 1);
    export_to(s, 8, "y.db");
    raw_sql(store_file(there), "DELETE FROM image WHERE image = 19");
    became(there, "y.db", 1, 0, 0);
    ck_assert_str_eq(
        test_value(there, "SELECT group_concat(name) FROM dataset"),
        "tiny,tiny #2");
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM image"), "20");
    store_close(there);
    store_close(s);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("transfer");

    test_case(s, "whole",
              (const TTest *[]){all_columns, export_as_it_is, import_elsewhere,
                                whose_runs, dry_run, NULL});
    test_case(s, "names", (const TTest *[]){names_are_unique, sets_meet, NULL});
    return run_suites(s, NULL);
}
