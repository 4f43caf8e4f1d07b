/* SPDX-License-Identifier: MIT */
/* Databases that were made to harm whoever opens them. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"
#include "store_support.h"
#include "support.h"

#define WORDS "not as this program made it"

static int
local_fs(const char *path, unsigned long *type)
{
    (void)path;
    *type = 0xEF53;
    return 0;
}

/* One run in the file. */
static void
make_db(void)
{
    struct store *s = test_store();

    test_finished(s, "a", 2);
    store_close(s);
}

START_TEST(hostile_schema)
{
    static const char *const HOSTILE[] = {
        "CREATE TRIGGER evil AFTER INSERT ON run BEGIN DELETE FROM run; END",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES "
        "('TRIGGER', 'evil', 'run', 0, 'CREATE TRIGGER evil AFTER INSERT ON "
        "run BEGIN DELETE FROM run; END')",
        "DROP TABLE setting; CREATE VIEW setting AS SELECT 1 AS key",
        "DROP TRIGGER run_status",
        "DROP VIEW run_summary; CREATE VIEW run_summary AS SELECT 1 AS id",
        "DROP INDEX run_name",
        "ALTER TABLE event ADD COLUMN more TEXT",
    };
    struct store *s;
    size_t i;

    for (i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
        unlink(test_db());
        make_db();
        test_sql(HOSTILE[i]);
        FAILS(ERR_FAIL, WORDS, store_open(test_db(), STORE_WRITE, &s, e));
        FAILS(ERR_FAIL, WORDS, store_open(test_db(), STORE_READ, &s, e));
    }
    /* A user's own additions that change nothing are welcome. */
    unlink(test_db());
    make_db();
    test_sql("CREATE INDEX mine ON run (lr); CREATE TABLE notes (a);"
             "CREATE VIEW v AS SELECT * FROM run; ANALYZE");
    OK(store_open(test_db(), STORE_WRITE, &s, e));
    store_close(s);
}
END_TEST

/* It would act before the schema is what it should be. */
START_TEST(hostile_before_migration)
{
    const char *steps[] = {
        sql_migrations()[0], sql_migrations()[1],
        "UPDATE run SET note = 'seen'; PRAGMA user_version = 3", NULL};
    struct store_env env = {local_fs, 1000, steps};
    struct store *s;

    make_db();
    test_sql("CREATE TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM epoch;"
             "END");
    FAILS(ERR_FAIL, "not as this program made it (trigger \"evil\")",
          store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert(!file_exists(tmp_path("runs.db.bak-v2")));
    test_sql("DROP TRIGGER evil");
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_str_eq(test_value(s, "SELECT note, count(*) FROM run"), "seen");
    store_close(s);
}
END_TEST

/* ---- rows that the schema's checks would not let in ---------------------- */

/* Changes rows past CHECK and NOT NULL. */
static void
force_sql(const char *sql)
{
    char all[2000];

    snprintf(all, sizeof(all),
             "PRAGMA ignore_check_constraints = ON;"
             "PRAGMA writable_schema = ON;"
             "CREATE TEMP TABLE kept AS SELECT name, sql FROM sqlite_schema;"
             "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')"
             "  WHERE type = 'table';"
             "PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON; %s;"
             "UPDATE main.sqlite_schema AS t SET sql = k.sql FROM kept AS k"
             "  WHERE k.name = t.name",
             sql);
    test_sql(all);
}

static void
take_line(const char *line, void *arg)
{
    char *all = arg;
    size_t n = strlen(all);

    snprintf(all + n, 2000 - n, "%s\n", line);
}

/* A number beyond the classes is an index beyond a table. */
START_TEST(hostile_classes)
{
    static const char *const SQL[] = {
        "UPDATE prediction SET truth = -3",
        "UPDATE prediction SET predicted = 10",
        "UPDATE prediction SET truth = 4294967296",
    };
    uint8_t pixels[IMAGE_PIXELS], label;
    struct dataset *d = test_set(0);
    struct predictions p;
    struct store *s;
    size_t i;

    for (i = 0; i < sizeof(SQL) / sizeof(SQL[0]); i++) {
        unlink(test_db());
        make_db();
        force_sql(SQL[i]);
        OK(store_open(test_db(), STORE_READ, &s, e));
        FAILS(ERR_FAIL, "run 1, image 10: damaged",
              store_predictions(s, 1, &p, e));
        ck_assert_ptr_null(p.truth);
        store_close(s);
    }
    OK(store_open(test_db(), STORE_WRITE, &s, e));
    OK(store_dataset_images(s, 1, d, (uint32_t[]){0}, 1, e));
    store_close(s);
    dataset_free(d);
    force_sql("UPDATE image SET label = -1");
    OK(store_open(test_db(), STORE_READ, &s, e));
    FAILS(ERR_FAIL, "image 0 is damaged",
          store_image(s, 1, 0, pixels, &label, e));
    store_close(s);
}
END_TEST

/* A fault whose line cannot be made is one all the same. */
START_TEST(hostile_nulls)
{
    char lines[2000] = "";
    struct store *s;
    int n;

    make_db();
    force_sql("UPDATE checkpoint SET kind = NULL, epoch = 99");
    OK(store_open(test_db(), STORE_READ, &s, e));
    OK(store_check(s, take_line, lines, &n, e));
    ck_assert_ptr_nonnull(strstr(lines, "NULL value in checkpoint.kind\n"));
    ck_assert_ptr_nonnull(strstr(lines, "a row lacks a value that it must"));
    store_close(s);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("store hostile");

    test_case(
        s, "schema",
        (const TTest *[]){hostile_schema, hostile_before_migration, NULL});
    test_case(s, "rows",
              (const TTest *[]){hostile_classes, hostile_nulls, NULL});
    return run_suites(s, NULL);
}
