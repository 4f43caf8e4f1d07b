/* SPDX-License-Identifier: MIT */
/* The write-ahead log stays small whoever reads. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store_support.h"
#include "support.h"

#define MB (1 << 20)

/* Two connections that read by turns, each beginning before the other ends, so
 * that somebody reads at every moment. */
struct readers {
    pthread_t thread;
    atomic_int end;
    int turns;
};

static void
turn(sqlite3 *next, sqlite3 *last)
{
    sqlite3_exec(next, "BEGIN; SELECT count(*) FROM run", NULL, NULL, NULL);
    sqlite3_exec(last, "COMMIT", NULL, NULL, NULL);
}

static void *
read_by_turns(void *arg)
{
    const struct timespec pause = {0, 5000000};
    struct readers *r = arg;
    sqlite3 *c[2];
    int i;

    for (i = 0; i < 2; i++)
        sqlite3_open_v2(test_db(), &c[i], SQLITE_OPEN_READONLY, NULL);
    for (; !r->end; r->turns++) {
        turn(c[r->turns % 2], c[(r->turns + 1) % 2]);
        nanosleep(&pause, NULL);
    }
    for (i = 0; i < 2; i++)
        sqlite3_close(c[i]);
    return NULL;
}

static off_t
log_size(void)
{
    struct stat st;

    return stat(tmp_path("runs.db-wal"), &st) == 0 ? st.st_size : 0;
}

static void
write_mb(struct store *s, int64_t run)
{
    static char text[MB];

    memset(text, 'x', sizeof(text) - 1);
    OK(store_event(s, run, "info", text, e));
}

START_TEST(small_while_read)
{
    struct readers r = {0};
    struct store *s = test_store();
    int64_t run = test_run(s, "a");
    off_t most = 0;
    int i;

    ck_assert_int_eq(pthread_create(&r.thread, NULL, read_by_turns, &r), 0);
    for (i = 0; i < 200; i++) {
        write_mb(s, run);
        if (log_size() > most)
            most = log_size();
    }
    r.end = 1;
    pthread_join(r.thread, NULL);
    ck_assert_int_gt(r.turns, 0);
    ck_assert_msg(most < 64 * MB, "%lld MB", (long long)most / MB);
    store_close(s);
}
END_TEST

/* One who never ends costs a wait now and then, and nothing fails. */
START_TEST(someone_reads_for_ever)
{
    struct store *s = test_store();
    int64_t run = test_run(s, "a");
    sqlite3 *c;
    int i;

    ck_assert_int_eq(sqlite3_open_v2(test_db(), &c, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(c, "BEGIN; SELECT count(*) FROM run", NULL, NULL, NULL),
        SQLITE_OK);
    for (i = 0; i < 24; i++)
        write_mb(s, run);
    ck_assert_int_gt(log_size(), 24 * MB);
    sqlite3_close(c);
    /* Then it is begun anew, and cut. */
    for (i = 0; i < 6; i++)
        write_mb(s, run);
    ck_assert_int_le(log_size(), 17 * MB);
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("store wal");

    test_case(
        s, "log",
        (const TTest *[]){small_while_read, someone_reads_for_ever, NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
