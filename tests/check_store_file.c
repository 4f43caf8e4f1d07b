/* SPDX-License-Identifier: MIT */
/* The file: what is opened, made, refused, migrated, and what survives. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "store/db.h"
#include "store_support.h"
#include "support.h"

static int
local_fs(const char *path, unsigned long *type)
{
    (void)path;
    *type = 0xEF53;
    return 0;
}

static int
nfs(const char *path, unsigned long *type)
{
    (void)path;
    *type = 0x6969;
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

static int
still_there(const char *suffix)
{
    char name[40];

    snprintf(name, sizeof(name), "runs.db%s", suffix);
    return file_exists(tmp_path(name));
}

static int
files(void)
{
    char *text = tmp_path("list"), command[200];
    size_t n, lines = 0;

    snprintf(command, sizeof(command), "ls -A %s > %s", tmp_dir(), text);
    ck_assert_int_eq(system(command), 0);
    for (text = file_read(text, &n); *text; text++)
        lines += *text == '\n';
    ck_assert_int_eq(unlink(tmp_path("list")), 0);
    return (int)lines - 1;
}

/* Runs in a process of its own that a fault or _exit ends; its result. */
static int
in_child(int (*work)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(work(arg));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* ---- what is refused ----------------------------------------------------- */

static void
refused(enum store_mode mode, int code, const char *words)
{
    struct store *s;

    FAILS(code, words, store_open(test_db(), mode, &s, e));
    ck_assert_ptr_null(s);
}

START_TEST(missing)
{
    struct store *s;

    refused(STORE_READ, ERR_NOTFOUND, "no run database there");
    ck_assert_int_eq(files(), 0);
    OK(store_open(tmp_path("deep/er/runs.db"), STORE_WRITE, &s, e));
    ck_assert_str_eq(store_file(s), tmp_path("deep/er/runs.db"));
    ck_assert_ptr_null(store_notice(s));
    store_close(s);
    file_write(test_db(), "", 0);
    refused(STORE_READ, ERR_NOTFOUND, "empty, no runs yet");
    make_db();
    FAILS(ERR_IO, "Not a directory",
          store_open(tmp_path("runs.db/x/y"), STORE_WRITE, &s, e));
}
END_TEST

START_TEST(paths)
{
    char *path;

    setenv("FMNIST_DB", "/a/./b.db", 1);
    OK(store_path(NULL, &path, e));
    ck_assert_str_eq(path, "/a/b.db");
    mem_free(path);
    setenv("FMNIST_DB", "", 1);
    setenv("XDG_DATA_HOME", "/x", 1);
    OK(store_path(NULL, &path, e));
    ck_assert_str_eq(path, "/x/fmnist-tui/runs.db");
    mem_free(path);
}
END_TEST

/* Characters that mean something in an SQLite URI or to a printf. */
START_TEST(odd_names)
{
    static const char *const NAMES[] = {"a?b=c",  "a#b",      "50%41", "ü n d",
                                        "file:x", ":memory:", "%s%n"};
    struct store *s;
    size_t i;

    for (i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        OK(store_open(tmp_path(NAMES[i]), STORE_WRITE, &s, e));
        test_run(s, "a");
        store_close(s);
        ck_assert(file_exists(tmp_path(NAMES[i])));
        OK(store_open(tmp_path(NAMES[i]), STORE_READ, &s, e));
        ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
        store_close(s);
    }
    ck_assert_int_eq(files(), (int)i);
}
END_TEST

START_TEST(not_a_database)
{
    size_t n;

    ck_assert_int_eq(mkdir(test_db(), 0700), 0);
    refused(STORE_WRITE, ERR_FAIL, "a folder, not a run database");
    refused(STORE_READ, ERR_FAIL, "a folder, not a run database");
    ck_assert_int_eq(rmdir(test_db()), 0);
    ck_assert_int_eq(mkfifo(test_db(), 0700), 0);
    refused(STORE_WRITE, ERR_FAIL, "not a regular file");
    ck_assert_int_eq(unlink(test_db()), 0);
    file_write_text(test_db(), "label,pixel1,pixel2\n1,2,3\n");
    refused(STORE_WRITE, ERR_FAIL, "not a run database (no SQLite file)");
    refused(STORE_READ, ERR_FAIL, "not a run database (no SQLite file)");
    ck_assert_str_eq(file_read(test_db(), &n), "label,pixel1,pixel2\n1,2,3\n");
    ck_assert_int_eq(files(), 1);
}
END_TEST

/* Both of other programs and of newer ones: not a byte changes. */
static void
untouched(const char *sql, const char *words)
{
    char *before, *after;
    size_t n, m;

    test_sql(sql);
    before = file_read(test_db(), &n);
    refused(STORE_WRITE, ERR_FAIL, words);
    refused(STORE_READ, ERR_FAIL, words);
    after = file_read(test_db(), &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(before, after, n);
    ck_assert_int_eq(files(), 1);
}

START_TEST(foreign)
{
    untouched("PRAGMA journal_mode = WAL; CREATE TABLE t (a)",
              "a database of another program");
    untouched("PRAGMA application_id = 17", "a database of another program");
    unlink(test_db());
    make_db();
    untouched("PRAGMA user_version = 99",
              "written by a newer fmnist-tui (schema 99, this one knows 2)");
    untouched("PRAGMA user_version = -1", "made it (schema -1); refused");
    untouched("PRAGMA user_version = -2147483648", "(schema -2147483648)");
}
END_TEST

/* Bits flip: a message or not, but no crash. */
START_TEST(damage)
{
    char *whole;
    struct store *s;
    size_t n, at, k;
    unsigned seed = 1;
    int i, faults, found = 0;

    make_db();
    whole = file_read(test_db(), &n);
    for (i = 0; i < 60; i++) {
        char *bad = malloc(n);

        ck_assert_ptr_nonnull(bad);
        memcpy(bad, whole, n);
        for (k = 0; k < 8; k++) {
            seed = seed * 1664525u + 1013904223u;
            at = 100 + seed % (n - 100);
            bad[at] = (char)(bad[at] ^ (1 << (seed >> 29)));
        }
        file_write(test_db(), bad, n);
        free(bad);
        faults = 1;
        if (store_open(test_db(), STORE_READ, &s, NULL) == 0) {
            if (store_check(s, test_count_fault, &(int){0}, &faults, NULL) < 0)
                faults = 1;
            store_close(s);
        }
        found += faults > 0;
    }
    /* Most of the file is in use, and most bits of it are checked. */
    ck_assert_int_gt(found, 20);
}
END_TEST

/* ---- read-only, locked, full --------------------------------------------- */

/* Says what went wrong on the test's stderr. */
static int
say(struct err *e, const char *what)
{
    fprintf(stderr, "# %s: %s\n", what, e->msg);
    return 1;
}

/* What must hold in a folder that cannot be written. */
static int
read_only_work(void *arg)
{
    const char *words = arg;
    struct err e = {0};
    struct store *s;

    if (getuid() == 0 && setuid(65534) < 0)
        return say(&e, "setuid");
    if (store_open(test_db(), STORE_WRITE, &s, &e) != ERR_IO ||
        !strstr(e.msg, "Permission denied"))
        return say(&e, "opened for writing");
    if (store_open(test_db(), STORE_READ, &s, &e) < 0)
        return words && strstr(e.msg, words) ? 0 : say(&e, "for reading");
    if (words)
        return say(&e, "opened");
    if (strcmp(test_value(s, "SELECT name FROM run"), "a") != 0)
        return say(&e, "row");
    if (store_event(s, 1, "info", "x", &e) != ERR_FAIL ||
        !strstr(e.msg, "opened for reading only"))
        return say(&e, "written");
    store_close(s);
    return 0;
}

/* Ends without closing, so that the log stays. */
static int
leave_log(void *arg)
{
    struct store *s = test_store();

    (void)arg;
    test_finished(s, "a", 1);
    return 0;
}

static void
protect(void)
{
    static const char *const SUFFIX[] = {"", "-wal", "-shm"};
    int i;

    for (i = 0; i < 3; i++)
        if (still_there(SUFFIX[i])) {
            char name[40];

            snprintf(name, sizeof(name), "runs.db%s", SUFFIX[i]);
            ck_assert_int_eq(chmod(tmp_path(name), 0444), 0);
        }
    ck_assert_int_eq(chmod(tmp_dir(), 0555), 0);
}

START_TEST(read_only)
{
    make_db();
    protect();
    ck_assert_int_eq(in_child(read_only_work, NULL), 0);
    ck_assert_int_eq(chmod(tmp_dir(), 0755), 0);
    ck_assert_int_eq(files(), 1);
}
END_TEST

START_TEST(read_only_with_log)
{
    static char words[] = "holds changes and the folder is read-only";

    ck_assert_int_eq(in_child(leave_log, NULL), 0);
    ck_assert(still_there("-wal") && still_there("-shm"));
    protect();
    ck_assert_int_eq(in_child(read_only_work, NULL), 0);
    ck_assert_int_eq(chmod(tmp_dir(), 0755), 0);
    ck_assert_int_eq(unlink(tmp_path("runs.db-shm")), 0);
    protect();
    ck_assert_int_eq(in_child(read_only_work, words), 0);
    ck_assert_int_eq(chmod(tmp_dir(), 0755), 0);
}
END_TEST

START_TEST(locked)
{
    struct store_env env = {local_fs, 30, sql_migrations()};
    struct store *s;
    sqlite3 *db;

    make_db();
    ck_assert_int_eq(sqlite3_open(test_db(), &db), SQLITE_OK);
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
    FAILS(ERR_FAIL, "runs.db: locked by another program",
          store_event(s, 1, "info", "x", e));
    ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), 0);
    OK(store_event(s, 1, "info", "x", e));
    sqlite3_close(db);
    store_close(s);
}
END_TEST

/* Writes until nothing more goes in; what was there stays. */
static void
fill(struct store *s, const char *words)
{
    char big[20000];
    struct err e = {0};
    int rc = 0, i;

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    for (i = 0; rc == 0 && i < 1000; i++)
        rc = store_event(s, 1, "info", big, &e);
    ck_assert_msg(rc == ERR_IO && strstr(e.msg, words) &&
                      strstr(e.msg, "runs.db: "),
                  "%d %s", rc, e.msg);
    ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
}

START_TEST(file_too_large)
{
    struct rlimit limit = {400000, 400000};
    struct store *s = test_store();
    int faults;

    test_finished(s, "a", 2);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill(s, "disk I/O error while writing");
    OK(store_check(s, test_count_fault, &(int){0}, &faults, e));
    ck_assert_int_eq(faults, 0);
    store_close(s);
}
END_TEST

START_TEST(disk_full)
{
    struct store *s;
    int faults;
    char *dir = tmp_path("small");

    ck_assert_int_eq(mkdir(dir, 0755), 0);
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir, "tmpfs", 0, "size=1m") < 0) {
        fprintf(stderr,
                "# disk_full not tested: no small file system can be "
                "mounted: %s\n",
                strerror(errno));
        return;
    }
    OK(store_open(tmp_path("small/runs.db"), STORE_WRITE, &s, e));
    test_finished(s, "a", 2);
    fill(s, "the disk is full");
    OK(store_check(s, test_count_fault, &(int){0}, &faults, e));
    ck_assert_int_eq(faults, 0);
    store_close(s);
    ck_assert_int_eq(umount(dir), 0);
}
END_TEST

/* In the file's header: 1 a rollback journal, 2 WAL. */
static int
journal_version(void)
{
    size_t n;

    return file_read(test_db(), &n)[18];
}

START_TEST(network)
{
    struct store_env env = {nfs, 1000, sql_migrations()};
    struct store *s;

    make_db();
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_ptr_nonnull(strstr(store_notice(s), "on a network file system"));
    ck_assert_int_eq(journal_version(), 1);
    test_finished(s, "b", 1);
    ck_assert(!still_there("-wal") && !still_there("-shm"));
    store_close(s);
    env.fs_type = local_fs;
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_int_eq(journal_version(), 2);
    ck_assert_ptr_null(store_notice(s));
    store_close(s);
}
END_TEST

/* ---- migrations ---------------------------------------------------------- */

START_TEST(migration)
{
    static const char *const ADD =
        "ALTER TABLE setting ADD COLUMN extra TEXT; PRAGMA user_version = 3;";
    static const char *const FAULTY =
        "CREATE TABLE half (a); PRAGMA user_version = 3; INSERT INTO nothing "
        "VALUES (1);";
    static const char *const ORPHANS =
        "DELETE FROM dataset; PRAGMA user_version = 3;";
    const char *steps[] = {sql_migrations()[0], sql_migrations()[1], FAULTY,
                           NULL};
    struct store_env env = {local_fs, 1000, steps};
    struct store *s;

    make_db();
    FAILS(ERR_FAIL, "bringing the database to schema 3: ",
          store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    steps[2] = ORPHANS;
    FAILS(ERR_FAIL, "rows refer to rows that do not exist",
          store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    OK(store_open(test_db(), STORE_WRITE, &s, e));
    ck_assert_str_eq(test_value(s, "PRAGMA user_version"), "2");
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM sqlite_schema "
                                   "WHERE name = 'half'"),
                     "0");
    store_close(s);
    steps[2] = ADD;
    FAILS(ERR_FAIL, "of an older schema",
          store_open_env(test_db(), STORE_READ, &env, &s, e));
    OK(store_open_env(test_db(), STORE_WRITE, &env, &s, e));
    ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
    ck_assert_str_eq(test_value(s, "PRAGMA foreign_keys"), "1");
    store_close(s);
    refused(STORE_WRITE, ERR_FAIL, "written by a newer fmnist-tui (schema 3");
    OK(store_open(tmp_path("runs.db.bak-v2"), STORE_READ, &s, e));
    ck_assert_str_eq(test_value(s, "SELECT name FROM run"), "a");
    store_close(s);
    ck_assert_int_eq(files(), 2);
}
END_TEST

/* ---- several processes --------------------------------------------------- */

static int
insert_some(void *arg)
{
    struct store *s = test_store();
    int i;

    (void)arg;
    for (i = 0; i < 10; i++)
        test_run(s, NULL);
    store_close(s);
    return 0;
}

/* All make the file at once, and then names. */
START_TEST(many_writers)
{
    struct store *s;
    pid_t pids[6];
    int i, status;

    for (i = 0; i < 6; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            _exit(insert_some(NULL));
    }
    for (i = 0; i < 6; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    s = test_store();
    ck_assert_str_eq(test_value(s, "SELECT count(DISTINCT name) FROM run"),
                     "60");
    ck_assert_int_eq(journal_version(), 2);
    store_close(s);
}
END_TEST

static int
train_and_die(void *arg)
{
    struct store *s = test_store();
    int64_t id = test_run(s, "killed");
    int k;

    (void)arg;
    test_start(s, id);
    for (k = 1; k <= 5; k++)
        test_epoch(s, id, k, k);
    raise(SIGKILL);
    return 0;
}

START_TEST(killed)
{
    struct store *s;
    int faults;

    ck_assert_int_eq(in_child(train_and_die, NULL), 256 + SIGKILL);
    OK(store_open(test_db(), STORE_READ, &s, e));
    ck_assert_str_eq(test_value(s, "SELECT epochs_done FROM run"), "5");
    ck_assert_str_eq(test_value(s, "SELECT status FROM run"), "running");
    OK(store_check(s, test_count_fault, &(int){0}, &faults, e));
    ck_assert_int_eq(faults, 0);
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("store file");

    test_case(s, "refused",
              (const TTest *[]){missing, paths, odd_names, not_a_database,
                                foreign, damage, NULL});
    test_case(s, "hindered",
              (const TTest *[]){read_only, read_only_with_log, locked,
                                file_too_large, disk_full, network, NULL});
    test_case(s, "changed",
              (const TTest *[]){migration, many_writers, killed, NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
