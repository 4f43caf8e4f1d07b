/* SPDX-License-Identifier: MIT */
/* No run is stolen from a living worker, none is lost with a dead one. */
#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmnist/sys.h"
#include "fmnist/worker.h"
#include "queue/watch.h"
#include "queue_support.h"
#include "store/db.h"
#include "store_support.h"
#include "support.h"

static int
is_local(const char *path, unsigned long *type)
{
    (void)path;
    *type = 0xEF53; /* ext4 */
    return 0;
}

static int
is_nfs(const char *path, unsigned long *type)
{
    (void)path;
    *type = 0x6969;
    return 0;
}

static struct store *
open_on(int (*fs_type)(const char *, unsigned long *), enum store_mode mode)
{
    const struct store_env env = {
        .fs_type = fs_type, .busy_ms = 10000, .migrations = sql_migrations()};
    struct store *s;

    OK(store_open_env(test_db(), mode, &env, &s, e));
    return s;
}

/* A run that this process trains as the worker of the result. */
static struct store *
at_work(int (*fs_type)(const char *, unsigned long *))
{
    struct store *s = open_on(fs_type, STORE_WRITE);
    int64_t id = test_run(s, NULL);

    queue_join(s);
    ck_assert_int_eq(queue_claim(s), id);
    return s;
}

/* The row of the one worker, edited. */
static void
edit(const char *set)
{
    char sql[300];

    snprintf(sql, sizeof(sql), "UPDATE worker SET %s", set);
    test_sql(sql);
}

static void
edit_clock(double ago)
{
    char set[80];

    snprintf(set, sizeof(set), "heartbeat_clock = %.6f", sys_monotonic() - ago);
    edit(set);
}

static void
is(struct store *s, enum worker_life want)
{
    struct worker w = queue_worker(s, 0);
    int runs;

    ck_assert_int_eq(worker_life(s, &w), want);
    OK(worker_recover(s, &runs, e));
    ck_assert_int_eq(runs, want == WORKER_DEAD);
    queue_status_is(s, 1, want == WORKER_DEAD ? "queued" : "running");
}

#define OTHER_BOOT "boot_id = '00000000-0000-4000-8000-000000000000'"
#define OTHER_NAMESPACE "pid_ns = pid_ns + 1"

static const struct {
    const char *what, *set;
    int nfs;
    enum worker_life want;
} ROWS[] = {
    {"as it is", "threads = 1", 0, WORKER_ALIVE},
    {"an ancient heartbeat",
     "heartbeat_clock = 0, heartbeat_at = '1970-01-01T00:00:00.000Z'", 0,
     WORKER_ALIVE},
    {"a wall clock of the future", "heartbeat_at = '2999-01-01T00:00:00.000Z'",
     0, WORKER_ALIVE},
    {"a heartbeat of the future", "heartbeat_clock = 1e12", 0, WORKER_ALIVE},
    {"another host name", "host = 'elsewhere'", 0, WORKER_ALIVE},
    {"a start that nobody recorded", "pid_start = 0", 0, WORKER_ALIVE},
    {"the pid is used again", "pid_start = pid_start + 1", 0, WORKER_DEAD},
    {"though the wall clock says it beats",
     "pid_start = pid_start + 1, heartbeat_at = '2999-01-01T00:00:00.000Z'", 0,
     WORKER_DEAD},
    {"though the host has another name",
     "pid_start = pid_start + 1, host = 'elsewhere'", 0, WORKER_DEAD},
    {"no pid at all", "pid = 0", 0, WORKER_DEAD},
    {"all processes", "pid = -1", 0, WORKER_DEAD},
    {"a pid of another size", "pid = pid + 4294967296", 0, WORKER_DEAD},
    {"before a reboot", OTHER_BOOT, 0, WORKER_DEAD},
    {"on another machine", OTHER_BOOT, 1, WORKER_UNSEEN},
    {"there, by its clock", OTHER_BOOT ", heartbeat_clock = 0", 1,
     WORKER_UNSEEN},
    {"beside, on a network file system", "pid_start = pid_start + 1", 1,
     WORKER_DEAD},
    {"in another namespace", OTHER_NAMESPACE, 0, WORKER_UNSEEN},
    {"there, of the future", OTHER_NAMESPACE ", heartbeat_clock = 1e12", 0,
     WORKER_UNSEEN},
    {"there, by a wrong wall clock",
     OTHER_NAMESPACE ", heartbeat_at = '1970-01-01T00:00:00.000Z'", 0,
     WORKER_UNSEEN},
    {"there, silent for ever", OTHER_NAMESPACE ", heartbeat_clock = -1e6", 0,
     WORKER_DEAD},
    {"of a boot that nobody knows", "boot_id = '', heartbeat_clock = -1e6", 0,
     WORKER_UNSEEN},
};

START_TEST(by_its_row)
{
    struct store *s = at_work(ROWS[_i].nfs ? is_nfs : is_local);

    edit(ROWS[_i].set);
    ck_assert_msg(queue_worker(s, 0).id, "%s", ROWS[_i].what);
    is(s, ROWS[_i].want);
    store_close(s);
}
END_TEST

START_TEST(silence_in_another_namespace)
{
    struct store *s = at_work(is_local);

    edit(OTHER_NAMESPACE);
    edit_clock(WORKER_STILL / 2);
    is(s, WORKER_UNSEEN);
    edit_clock(WORKER_STILL + 1);
    is(s, WORKER_DEAD);
    store_close(s);
}
END_TEST

/* Commands that only read tell the same. */
START_TEST(read_from_a_network_file_system)
{
    struct store *s = at_work(is_nfs), *reader;
    struct worker w;

    edit(OTHER_BOOT);
    reader = open_on(is_nfs, STORE_READ);
    w = queue_worker(reader, 0);
    ck_assert_int_eq(worker_life(reader, &w), WORKER_UNSEEN);
    store_close(reader);
    store_close(s);
}
END_TEST

/* ---- real processes ------------------------------------------------------ */

/* A child that waits to be killed; its row is written over the worker's. */
static pid_t
child(void)
{
    struct process p;
    int fd[2];
    pid_t pid;
    char set[200];

    ck_assert_int_eq(pipe(fd), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sys_process_self(&p);
        if (write(fd[1], &p, sizeof(p)) != sizeof(p))
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(fd[0], &p, sizeof(p)), sizeof(p));
    close(fd[0]);
    close(fd[1]);
    snprintf(set, sizeof(set), "pid = %lld, pid_start = %lld, pid_ns = %lld",
             (long long)p.pid, (long long)p.pid_start, (long long)p.pid_ns);
    edit(set);
    return pid;
}

static void
reap(pid_t pid)
{
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_stopped_process_lives)
{
    struct store *s = at_work(is_local);
    pid_t pid = child();
    int status;

    kill(pid, SIGSTOP);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    edit("heartbeat_clock = -1e6");
    is(s, WORKER_ALIVE);
    kill(pid, SIGKILL);
    reap(pid);
    is(s, WORKER_DEAD);
    store_close(s);
}
END_TEST

START_TEST(a_zombie_does_not)
{
    struct store *s = at_work(is_local);
    pid_t pid = child();
    siginfo_t info;

    is(s, WORKER_ALIVE);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    is(s, WORKER_DEAD);
    reap(pid);
    store_close(s);
}
END_TEST

START_TEST(counts_who_is_not_dead)
{
    struct store *s = at_work(is_local),
                 *other = open_on(is_local, STORE_WRITE);
    int n;

    queue_join(other);
    OK(worker_count(s, &n, e));
    ck_assert_int_eq(n, 2);
    test_sql("UPDATE worker SET user = 'mallory' WHERE id = 1");
    OK(worker_count(s, &n, e));
    ck_assert_int_eq(n, 1);
    test_sql("UPDATE worker SET pid_start = pid_start + 1 WHERE id = 2");
    OK(worker_count(s, &n, e));
    ck_assert_int_eq(n, 0);
    store_close(other);
    store_close(s);
}
END_TEST

/* ---- the watch ----------------------------------------------------------- */

static double now;

static double
fake_clock(void)
{
    return now;
}

struct watcher {
    struct store *s;
    struct watch w;
};

/* Another machine's worker, and one who watches. */
static struct watcher
watcher_new(void)
{
    struct watcher v = {.s = at_work(is_nfs), .w.clock = fake_clock};

    edit(OTHER_BOOT);
    now = 5000;
    return v;
}

static void
watcher_release(struct watcher *v)
{
    watch_release(&v->w);
    store_close(v->s);
}

/* Looks at that time; whether the run was put back. */
static int
put_back(struct watcher *v, double at)
{
    int runs, unseen;

    now = 5000 + at;
    OK(watch_look(&v->w, v->s, &runs, &unseen, e));
    ck_assert_int_eq(runs + unseen, 1);
    queue_status_is(v->s, 1, runs ? "queued" : "running");
    return runs;
}

START_TEST(silence_is_death)
{
    struct watcher v = watcher_new();

    ck_assert(!put_back(&v, 0));
    ck_assert(!put_back(&v, WORKER_STILL - 1));
    ck_assert(put_back(&v, WORKER_STILL));
    ck_assert_str_eq(test_value(v.s, "SELECT count(*) FROM worker"), "0");
    watcher_release(&v);
}
END_TEST

/* Whatever the clocks of the other machine show, if only they move. */
START_TEST(a_beat_is_life)
{
    static const char *const BEATS[] = {
        "heartbeat_clock = heartbeat_clock + 5",
        "heartbeat_clock = heartbeat_clock - 5000", /* started again */
        "heartbeat_at = '1970-01-01T00:00:00.000Z'",
    };
    struct watcher v = watcher_new();
    double t = 0;

    for (size_t i = 0; i < sizeof(BEATS) / sizeof(BEATS[0]); i++) {
        ck_assert(!put_back(&v, t));
        ck_assert(!put_back(&v, t + WORKER_STILL - 1));
        edit(BEATS[i]);
        t += WORKER_STILL + 1;
    }
    ck_assert(!put_back(&v, t));
    ck_assert(put_back(&v, t + WORKER_STILL));
    watcher_release(&v);
}
END_TEST

/* Another worker with the same number begins anew. */
START_TEST(who_is_new_is_watched_anew)
{
    struct watcher v = watcher_new();

    ck_assert(!put_back(&v, 0));
    edit("uuid = '11111111-1111-4111-8111-111111111111'");
    ck_assert(!put_back(&v, WORKER_STILL + 1));
    ck_assert(put_back(&v, 2 * WORKER_STILL + 1));
    watcher_release(&v);
}
END_TEST

/* While the watcher itself cannot write, as behind a long lock, silence tells
 * nothing. */
START_TEST(a_watcher_that_cannot_write_waits)
{
    struct watcher v = watcher_new();
    struct store *own = open_on(is_nfs, STORE_WRITE);
    int64_t id = queue_join(own);

    ck_assert(!put_back(&v, 0));
    test_sql("UPDATE worker SET heartbeat_clock = heartbeat_clock - 100 "
             "WHERE id = 2");
    ck_assert(!put_back(&v, WORKER_STILL + 1));
    OK(store_worker_beat(own, id, 0, NULL, e));
    ck_assert(!put_back(&v, 2 * WORKER_STILL));
    ck_assert(put_back(&v, 2 * WORKER_STILL + 1));
    store_close(own);
    watcher_release(&v);
}
END_TEST

/* Whose process can be seen is no matter of hearts. */
START_TEST(the_living_beside_are_not_watched)
{
    struct store *s = at_work(is_nfs);
    struct watch w = {.clock = fake_clock};
    int runs, unseen;

    edit("heartbeat_clock = 0");
    for (now = 0; now < 4 * WORKER_STILL; now += WORKER_STILL) {
        OK(watch_look(&w, s, &runs, &unseen, e));
        ck_assert_int_eq(runs + unseen, 0);
    }
    queue_status_is(s, 1, "running");
    watch_release(&w);
    store_close(s);
}
END_TEST

int
main(void)
{
    const TTest *const processes[] = {
        silence_in_another_namespace, read_from_a_network_file_system,
        a_stopped_process_lives,      a_zombie_does_not,
        counts_who_is_not_dead,       NULL};
    const TTest *const watching[] = {silence_is_death,
                                     a_beat_is_life,
                                     who_is_new_is_watched_anew,
                                     a_watcher_that_cannot_write_waits,
                                     the_living_beside_are_not_watched,
                                     NULL};
    Suite *s = suite_create("life");
    TCase *rows = tcase_create("rows");

    tcase_add_checked_fixture(rows, tmp_setup, tmp_teardown);
    tcase_add_loop_test(rows, by_its_row, 0,
                        (int)(sizeof(ROWS) / sizeof(ROWS[0])));
    suite_add_tcase(s, rows);
    test_case(s, "processes", processes);
    test_case(s, "watch", watching);
    return run_suites(s, NULL);
}
