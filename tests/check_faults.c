/* SPDX-License-Identifier: MIT */
/* Every call to the file system in turn fails under whole operations on the
 * database: each is all or nothing, says what went wrong, and can be done again
 * once the fault is gone. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db_state.h"
#include "fault_scenes.h"
#include "fault_vfs.h"
#include "store_support.h"
#include "support.h"

struct kind {
    const char *name;
    enum fault_call call;
    int code, torn;
};

/* By call. */
static const struct kind KINDS[] = {
    {"open", FAULT_OPEN, SQLITE_CANTOPEN, 0},
    {"delete", FAULT_DELETE, SQLITE_IOERR_DELETE, 0},
    {"access", FAULT_ACCESS, SQLITE_IOERR_ACCESS, 0},
    {"read", FAULT_READ, SQLITE_IOERR_READ, 0},
    {"full", FAULT_WRITE, SQLITE_FULL, 0},
    {"write", FAULT_WRITE, SQLITE_IOERR_WRITE, 0},
    {"torn", FAULT_WRITE, SQLITE_FULL, 1},
    {"truncate", FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE, 0},
    {"sync", FAULT_SYNC, SQLITE_IOERR_FSYNC, 0},
    {"size", FAULT_SIZE, SQLITE_IOERR_FSTAT, 0},
    {"lock", FAULT_LOCK, SQLITE_IOERR_LOCK, 0},
    {"busy", FAULT_LOCK, SQLITE_BUSY, 0},
    {"map", FAULT_SHM_MAP, SQLITE_IOERR_SHMMAP, 0},
    {"grow map", FAULT_SHM_MAP, SQLITE_IOERR_SHMSIZE, 0},
    {"shm lock", FAULT_SHM_LOCK, SQLITE_IOERR_SHMLOCK, 0},
    {"shm busy", FAULT_SHM_LOCK, SQLITE_BUSY, 0},
};
enum { N_KINDS = sizeof(KINDS) / sizeof(KINDS[0]), N_REACHES = 3 };

static const char *const REACHES[N_REACHES] = {"once", "stays", "death"};

/* What a case is, for messages. */
static char what[120];
static long cases, undone, done_anyway;

/* The states that all cases begin with and end in, found sound, and the calls
 * in between. */
static char before[SHA256_HEX], after[SHA256_HEX];
static long calls[N_FAULT_CALLS];

static void
reference(const struct scene *c)
{
    struct store *s;
    int i;

    scene_reset(c);
    s = scene_begin(c);
    db_state(scene_file("runs.db"), before);
    fault_arm(NULL);
    OK(c->act(s, e));
    for (i = 0; i < N_FAULT_CALLS; i++)
        calls[i] = fault_count((enum fault_call)i);
    if (!s)
        OK(c->open(&s, e));
    db_sound(s, c->name);
    store_close(s);
    db_state(scene_file("runs.db"), after);
}

/* A message for people: one line that names the file. */
static void
clear_message(int rc, const struct err *e)
{
    static const char *const WORDS[] = {
        "\n",      "unknown error", "not an error", "(null)",  "No error",
        "Success", "damaged",       "SQL logic",    "protocol"};
    size_t i;

    ck_assert_msg(rc < 0 && e->code == rc, "%s: %d, but %d in \"%s\"", what, rc,
                  e->code, e->msg);
    ck_assert_msg(!strstr(e->msg, "I/O error") || strstr(e->msg, " while "),
                  "%s: doing what: \"%s\"", what, e->msg);
    ck_assert_msg(strstr(e->msg, ".db") != NULL, "%s: no file in \"%s\"", what,
                  e->msg);
    for (i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        ck_assert_msg(strstr(e->msg, WORDS[i]) == NULL, "%s: \"%s\"", what,
                      e->msg);
}

static void
state_now(struct store *s, char is[SHA256_HEX])
{
    if (s)
        db_state_by(s, is);
    else
        db_state(scene_file("runs.db"), is);
}

/* The fault has passed; the database is as it was, or as it should become:
 * whether the latter.  What is made anew comes to be by steps. */
static int
is_done(const struct scene *c, struct store *s, int rc, const struct err *e)
{
    char is[SHA256_HEX];
    int same, done;

    state_now(s, is);
    same = strcmp(is, before) == 0;
    done = strcmp(is, after) == 0;
    ck_assert_msg(done || (rc < 0 && (same || c->empty)),
                  "%s: %d \"%s\", but the state is %s, before %s, after %s",
                  what, rc, e->msg, is, before, after);
    cases++;
    undone += rc < 0 && same;
    done_anyway += rc < 0 && !same && done;
    ck_assert_msg(rc == 0 || same || c->empty ||
                      !strstr(e->msg, "nothing was changed"),
                  "%s: %s", what, e->msg);
    return done;
}

/* Once more, on the same connection if it lives. */
static void
again(const struct scene *c, struct store *s)
{
    char is[SHA256_HEX];
    struct err e = {0};

    ck_assert_msg(c->act(s, &e) == 0, "%s: again: %s", what, e.msg);
    state_now(s, is);
    ck_assert_msg(strcmp(is, after) == 0, "%s: again: %s", what, is);
}

/* Copies are whole: none where making them failed, and nothing half-made. */
static void
copies_whole(int made)
{
    DIR *dir = opendir(tmp_dir());
    struct dirent *d;
    char is[SHA256_HEX];

    ck_assert_ptr_nonnull(dir);
    while ((d = readdir(dir))) {
        ck_assert_msg(!strstr(d->d_name, ".tmp"), "%s: left %s", what,
                      d->d_name);
        ck_assert_msg(made || !strstr(d->d_name, "out.db"), "%s: made %s", what,
                      d->d_name);
        if (!strstr(d->d_name, "copy.db") && !strstr(d->d_name, ".bak"))
            continue;
        ck_assert_msg(made || strstr(d->d_name, ".bak"), "%s: made %s", what,
                      d->d_name);
        db_state(scene_file(d->d_name), is);
        ck_assert_msg(strcmp(is, before) == 0, "%s: %s is %s", what, d->d_name,
                      is);
    }
    closedir(dir);
}

static void
one(const struct scene *c, const struct kind *k, int reach, long nth)
{
    const struct fault f = {k->call, k->code, k->torn, (enum fault_reach)reach,
                            nth,     0};
    struct err e = {0};
    struct store *s;
    int rc;

    snprintf(what, sizeof(what), "%s, %s %ld %s", c->name, k->name, nth,
             REACHES[reach]);
    scene_reset(c);
    s = scene_begin(c);
    fault_arm(&f);
    rc = c->act(s, &e);
    ck_assert_msg(fault_fired(), "%s: no fault", what);
    if (reach == FAULT_DEATH) {
        store_close(s);
        fault_arm(NULL);
        s = scene_begin(c);
    }
    fault_arm(NULL);
    if (rc < 0)
        clear_message(rc, &e);
    if (reach != FAULT_DEATH)
        copies_whole(rc == 0);
    if (!is_done(c, s, rc, &e))
        again(c, s);
    store_close(s);
}

/* All of them; or, to be quick, kinds and reaches in turn. */
static void
each_kind(const struct scene *c, int call, long nth, int all)
{
    int k, reach, n = 0;

    for (k = 0; k < N_KINDS; k++)
        n += (int)KINDS[k].call == call;
    for (k = 0; (int)KINDS[k].call != call; k++)
        ;
    if (!all) {
        one(c, &KINDS[k + nth % n], (int)(nth % N_REACHES), nth);
        return;
    }
    for (; n > 0; n--, k++)
        for (reach = 0; reach < N_REACHES; reach++)
            one(c, &KINDS[k], reach, nth);
}

static void
all_scenes(int (*fs)(const char *, unsigned long *), const char *name, int i)
{
    const int all = getenv("FMNIST_TEST_FULL") != NULL;
    const struct scene *c = &SCENES[i];
    int call;
    long n;

    scene_env = (struct store_env){fs, 1000, sql_migrations()};
    fault_vfs_install();
    scene_template();
    cases = undone = done_anyway = 0;
    reference(c);
    for (call = 0; call < N_FAULT_CALLS; call++)
        for (n = 1; n <= calls[call]; n += all || n < 20 ? 1 : 7)
            each_kind(c, call, n, all);
    printf("# %s, %s: %ld cases, %ld failed and left all as it was, %ld failed "
           "after all was done\n",
           name, c->name, cases, undone, done_anyway);
}

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

START_TEST(with_log)
{
    all_scenes(local_fs, "write-ahead log", _i);
}
END_TEST

START_TEST(with_journal)
{
    all_scenes(nfs, "rollback journal", _i);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("faults");
    TCase *tc = tcase_create("faults");
    int i;

    tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, with_log, 0, N_SCENES);
    for (i = 0; i < N_SCENES; i++)
        if (!SCENES[i].alike || getenv("FMNIST_TEST_FULL"))
            tcase_add_loop_test(tc, with_journal, i, i + 1);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
