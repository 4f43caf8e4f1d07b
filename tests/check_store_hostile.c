/* SPDX-License-Identifier: MIT */
/* Databases that were made to harm whoever opens them. */
#include "config.h"

#include <check.h>
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
        sql_migrations()[0],
        "UPDATE run SET note = 'seen'; PRAGMA user_version = 2", NULL};
    struct store_env env = {local_fs, 1000, steps};
    struct store *s;

    make_db();
    test_sql("PRAGMA user_version = 1;"
             "CREATE TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM epoch;"
             "END");
    FAILS(ERR_FAIL, "not as this program made it (trigger \"evil\")",
          store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert(!file_exists(tmp_path("runs.db.bak-v1")));
    test_sql("DROP TRIGGER evil");
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_str_eq(test_value(s, "SELECT note, count(*) FROM run"), "seen");
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
    return run_suites(s, NULL);
}
