/* SPDX-License-Identifier: MIT */
/* The file system fails under a worker in the middle of its work, or the
 * database is taken away: it leaves with a clear message, no run has failed for
 * that, and all end with the same weights once that is over. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "fmnist/mem.h"
#include "fmnist/worker.h"
#include "queue_support.h"
#include "store_support.h"
#include "support.h"
#include "tiny.h"

enum { RUNS = 2, EPOCHS = 3, BATCHES = 5 };

static struct dataset *data;
static char weights[SHA256_HEX]; /* that each run ends with */

static void
enqueue(struct store *s)
{
    struct hyper h;
    struct run_new n = {.h = &h};
    int64_t id;
    int i;

    OK(store_dataset_put(s, data, &n.dataset_id, e));
    OK(hyper_preset("ann", &h, e));
    OK(hyper_set(&h, hyper_field("spec"), "dense 16 relu dropout 0.2 dense 10",
                 e));
    h.epochs = EPOCHS;
    h.batch_size = 32;
    h.optimizer = OPTIM_ADAM;
    for (i = 0; i < RUNS; i++)
        OK(store_run_insert(s, &n, &id, e));
}

/* ---- a worker to which something happens --------------------------------- */

struct mishap {
    const char *name;
    const char *message; /* a part of it */
    struct fault fault;
    void (*act)(void); /* instead */
};

struct script {
    struct worker_leave leave;
    const struct mishap *m;
    int epoch, batch; /* of the first run, before which it happens */
    int happened;
};

static void
on_batch(const struct batch_report *r, void *arg)
{
    struct script *s = arg;

    if (!s->m || s->happened || r->epoch < s->epoch || r->batch < s->batch)
        return;
    s->happened = 1;
    if (s->m->act)
        s->m->act();
    else
        fault_arm(&s->m->fault);
}

static int
work(struct script *script, struct err *e)
{
    const struct worker_options o = {
        .threads = 1,
        .drain = 1,
        .idle_exit = -1,
        .checkpoint_every = 1e-9,
        .leave = &script->leave,
        .batch = on_batch,
        .arg = script,
    };
    struct store *s = test_store();
    int rc;

    script->leave.order = RUNNER_LEAVE;
    rc = worker_run(s, &o, e);
    store_close(s);
    return rc;
}

/* ---- what may happen ----------------------------------------------------- */

static void
take_away(void)
{
    ck_assert_int_eq(rename(test_db(), tmp_path("moved.db")), 0);
}

static void
replace(void)
{
    take_away();
    file_write(test_db(), "another", 7);
}

static const struct mishap MISHAPS[] = {
    {"full",
     "the disk is full",
     {FAULT_WRITE, SQLITE_FULL, 1, FAULT_STAYS, 1, 0},
     NULL},
    {"full for once",
     "the disk is full",
     {FAULT_WRITE, SQLITE_FULL, 0, FAULT_ONCE, 1, 0},
     NULL},
    {"read-only",
     "Read-only file system",
     {FAULT_WRITE, SQLITE_IOERR_WRITE, 0, FAULT_STAYS, 1, EROFS},
     NULL},
    {"unlocked",
     "while locking",
     {FAULT_SHM_LOCK, SQLITE_IOERR_SHMLOCK, 0, FAULT_STAYS, 1, 0},
     NULL},
    {"removed", "removed or replaced while in use", {0}, take_away},
    {"replaced", "removed or replaced while in use", {0}, replace},
};
enum { N_MISHAPS = sizeof(MISHAPS) / sizeof(MISHAPS[0]) };

static const int MOMENTS[][2] = {{1, 1}, {2, 3}, {EPOCHS, BATCHES}};
enum { N_MOMENTS = sizeof(MOMENTS) / sizeof(MOMENTS[0]) };

/* ---- afterwards ---------------------------------------------------------- */

/* The worker of this living process could not always remove its row. */
static void
bury_all(struct store *s)
{
    struct worker *all;
    size_t n, i;

    OK(store_workers(s, &all, &n, e));
    for (i = 0; i < n; i++)
        queue_bury(s, &all[i]);
    mem_free(all);
}

/* No run has failed, no finished epoch is lost, and they can be trained. */
static void
recovers(int epochs)
{
    struct script well = {0};
    struct store *s = test_store();
    char sql[200];
    int i;

    bury_all(s);
    queue_is_sound(s);
    for (i = 1; i <= RUNS; i++)
        queue_status_is(s, i, "queued");
    ck_assert_str_eq(
        test_value(s, "SELECT count(*) FROM event WHERE run_id = 2"), "0");
    ck_assert_int_ge(queue_run(s, 1).epochs_done, epochs);
    store_close(s);
    OK(work(&well, e));
    s = test_store();
    queue_is_sound(s);
    for (i = 1; i <= RUNS; i++) {
        queue_status_is(s, i, "finished");
        snprintf(sql, sizeof(sql),
                 "SELECT sha256 FROM checkpoint WHERE kind = 'last' AND "
                 "run_id = %d",
                 i);
        ck_assert_str_eq(test_value(s, sql), weights);
    }
    store_close(s);
}

START_TEST(mishap)
{
    const struct mishap *m = &MISHAPS[_i / N_MOMENTS];
    const int *moment = MOMENTS[_i % N_MOMENTS];
    struct script script = {.m = m, .epoch = moment[0], .batch = moment[1]};
    struct err e = {0};
    size_t n;
    int rc;

    rc = work(&script, &e);
    fault_arm(NULL);
    ck_assert(script.happened);
    ck_assert_msg(rc < 0 && strstr(e.msg, "runs.db: ") &&
                      strstr(e.msg, m->message),
                  "%s in epoch %d: %d \"%s\"", m->name, moment[0], rc, e.msg);
    if (m->act) {
        ck_assert(!file_exists(tmp_path("runs.db-wal")));
        ck_assert(!file_exists(tmp_path("runs.db-shm")));
        if (m->act == take_away)
            ck_assert(!file_exists(test_db()));
        else
            ck_assert_str_eq(file_read(test_db(), &n), "another");
        ck_assert_int_eq(rename(tmp_path("moved.db"), test_db()), 0);
    }
    recovers(moment[0] - 1);
}
END_TEST

static void
setup(void)
{
    struct script well = {0};
    struct store *s;

    tmp_setup();
    fault_vfs_install();
    data = tiny_new(200, 5);
    mem_free(data->source);
    data->source = mem_strdup(tmp_path("tiny.csv"));
    tiny_write(data, data->source);
    s = test_store();
    enqueue(s);
    store_close(s);
    if (!weights[0]) {
        OK(work(&well, e));
        s = test_store();
        snprintf(weights, sizeof(weights), "%s",
                 test_value(s, "SELECT sha256 FROM checkpoint"));
        store_close(s);
        ck_assert_int_eq(unlink(test_db()), 0);
        s = test_store();
        enqueue(s);
        store_close(s);
    }
}

static void
teardown(void)
{
    dataset_free(data);
    tmp_teardown();
}

int
main(void)
{
    Suite *s = suite_create("worker faults");
    TCase *tc = tcase_create("worker faults");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, mishap, 0, N_MISHAPS * N_MOMENTS);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
