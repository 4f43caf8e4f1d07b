/* SPDX-License-Identifier: MIT */
/* Every allocation of a whole short life of a run fails in turn, the program's
 * own and SQLite's: a clean error, no leak, a sound database, and the run ends
 * with the same weights once there is memory again. */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "support.h"
#include "tiny.h"

/* ---- SQLite's allocations ------------------------------------------------ */

static sqlite3_mem_methods real;
static long sql_calls, sql_fail_at, sql_live;
static int sql_sticky;

static int
sql_fails(void)
{
    sql_calls++;
    return sql_fail_at &&
           (sql_sticky ? sql_calls >= sql_fail_at : sql_calls == sql_fail_at);
}

static void *
sql_malloc(int n)
{
    void *p = sql_fails() ? NULL : real.xMalloc(n);

    sql_live += p != NULL;
    return p;
}

static void
sql_free(void *p)
{
    sql_live -= p != NULL;
    real.xFree(p);
}

static void *
sql_realloc(void *p, int n)
{
    return sql_fails() ? NULL : real.xRealloc(p, n);
}

/* Before SQLite is used at all: whether it went. */
static int
wrap_sqlite(void)
{
    sqlite3_mem_methods m;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK)
        return 0;
    m = real;
    m.xMalloc = sql_malloc;
    m.xFree = sql_free;
    m.xRealloc = sql_realloc;
    /* Without memory of its own for small things it allocates more often. */
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
           sqlite3_initialize() == SQLITE_OK;
}

/* ---- a run's life -------------------------------------------------------- */

static struct dataset *data;
static struct runner_engine engine;
static char path[100];
/* What a life ends with, and one without faults. */
static char weights[SHA256_HEX], good[SHA256_HEX];
static struct run run, good_run;

static int
insert(struct store *s, int64_t *id, struct err *e)
{
    struct hyper h;
    struct run_new n = {.h = &h};
    int rc = hyper_preset("ann", &h, e);

    if (rc == 0)
        rc = hyper_set(&h, hyper_field("spec"), "dense 4 relu dense 10", e);
    h.epochs = 3;
    h.batch_size = 16;
    h.optimizer = OPTIM_ADAM;
    h.val_fraction = 0.25;
    if (rc == 0)
        rc = store_dataset_put(s, data, &n.dataset_id, e);
    if (rc == 0)
        rc = store_run_insert(s, &n, id, e);
    return rc;
}

static int
read_back(struct store *s, int64_t id, struct err *e)
{
    struct checkpoint k = {0};
    struct predictions p = {0};
    struct confusion c;
    int rc = store_run_get(s, id, &run, e);

    if (rc == 0)
        rc = store_confusion(s, id, 0, &c, e);
    if (rc == 0)
        rc = store_predictions(s, id, &p, e);
    if (rc == 0)
        rc = store_checkpoint(s, id, "last", &k, e);
    if (rc == 0)
        rc = sha256_of(k.weights, k.weights_size, weights, e);
    predictions_release(&p);
    checkpoint_release(&k);
    return rc;
}

static int
train(struct store *s, int64_t id, int64_t *worker, struct err *e)
{
    const struct runner_hooks hooks = {.checkpoint_every = 1e-9};
    const struct claim c = {id, engine.run, engine.kernels};
    int rc = store_worker_add(s, 1, NULL, worker, e);

    if (rc == 0)
        rc = store_claim(s, &c, &id, e);
    if (rc == 0)
        rc = runner_execute(s, id, data, 1, &hooks, e);
    return rc;
}

/* Which allocation fails. */
struct lack {
    int sqlite; /* SQLite's, or the program's own */
    int open;   /* counted from before the database is opened, or from after */
    int sticky;
    long nth; /* 0: none */
};

static void
arm(const struct lack *f)
{
    sql_calls = 0;
    sql_sticky = f->sticky;
    sql_fail_at = f->sqlite ? f->nth : 0;
    mem_fail_at(f->sqlite ? 0 : f->nth, f->sticky);
}

/* Whether it has come to pass; none will any more. */
static int
disarm(const struct lack *f)
{
    int own = !mem_fail_at(0, 0);

    sql_fail_at = 0;
    return f->nth && (f->sqlite ? sql_calls >= f->nth : own);
}

/* As a worker does it. */
static int
life(const struct lack *f, struct err *e)
{
    struct store *s = NULL;
    int64_t id = 0, worker = 0;
    int rc;

    if (f->open)
        arm(f);
    rc = store_open(path, STORE_WRITE, &s, e);
    if (f->open) {
        store_close(s);
        return rc;
    }
    arm(f);
    if (rc == 0)
        rc = insert(s, &id, e);
    if (rc == 0)
        rc = train(s, id, &worker, e);
    if (worker) {
        int gone = store_worker_remove(s, worker, rc < 0 ? e->msg : "",
                                       rc < 0 ? NULL : e);

        rc = rc < 0 ? rc : gone;
    }
    if (rc == 0)
        rc = read_back(s, id, e);
    store_close(s);
    return rc;
}

/* ---- afterwards ---------------------------------------------------------- */

static char what[120];

static void
no_fault(const char *line, void *arg)
{
    (void)arg;
    ck_abort_msg("%s: %s", what, line);
}

#define FINE(call)                                                      \
    do {                                                                \
        struct err fine_err = {0};                                      \
        struct err *e = &fine_err;                                      \
        int fine_rc = (call);                                           \
        ck_assert_msg(fine_rc == 0, "%s: %s: %s", what, #call, e->msg); \
    } while (0)

/* This process is not dead, so that nobody buries what it could not remove. */
static void
bury(struct store *s)
{
    struct worker *all;
    size_t n, i;
    int runs;

    FINE(store_workers(s, &all, &n, e));
    for (i = 0; i < n; i++)
        FINE(store_worker_bury(s, &all[i], &runs, e));
    mem_free(all);
}

static void
ignore(int64_t id, enum steered did, const char *why, void *arg)
{
    (void)id;
    (void)did;
    (void)why;
    (void)arg;
}

/* No lack of memory has changed what is trained. */
static void
same(void)
{
    ck_assert_msg(!strcmp(weights, good), "%s: other weights", what);
    ck_assert_msg(!strcmp(run.name, good_run.name) &&
                      !strcmp(run.h.spec, good_run.h.spec) &&
                      !strcmp(run.h.preset, good_run.h.preset),
                  "%s: \"%s\", %s %s", what, run.name, run.h.preset,
                  run.h.spec);
}

static long n_failed, n_queued, n_none, n_done;

/* The run is failed, queued, not there yet or done, and can be. */
static void
recovers(void)
{
    struct run_ids one = {(int64_t[]){1}, 1, 1};
    struct store *s;
    struct run r;
    int64_t worker, id = 1;
    int faults;

    FINE(store_open(path, STORE_WRITE, &s, e));
    bury(s);
    FINE(store_check(s, no_fault, NULL, &faults, e));
    if (store_run_get(s, 1, &r, NULL) < 0) {
        n_none++;
        FINE(insert(s, &id, e));
        FINE(store_run_get(s, 1, &r, e));
    } else if (!strcmp(r.status, "failed")) {
        n_failed++;
        ck_assert_msg(strstr(r.error, "memory"), "%s: \"%s\"", what, r.error);
        FINE(store_steer(s, &one, STEER_RETRY, 0, ignore, NULL, e));
    } else if (!strcmp(r.status, "queued")) {
        n_queued++;
    } else {
        n_done++;
        ck_assert_msg(!strcmp(r.status, "finished"), "%s: %s", what, r.status);
    }
    if (strcmp(r.status, "finished") != 0)
        FINE(train(s, id, &worker, e));
    FINE(read_back(s, id, e));
    same();
    store_close(s);
}

/* The database can be opened and is sound. */
static void
opens(void)
{
    struct store *s;
    int faults;

    FINE(store_open(path, STORE_WRITE, &s, e));
    FINE(store_check(s, no_fault, NULL, &faults, e));
    store_close(s);
}

/* A file without runs, or none. */
static char *fresh;
static size_t fresh_size;

static void
begin(const struct lack *f)
{
    static const char *const SUFFIX[] = {"", "-wal", "-shm", "-journal"};
    char name[120];
    int i;

    for (i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", path, SUFFIX[i]);
        unlink(name);
    }
    if (!f->open)
        file_write(path, fresh, fresh_size);
}

/* One allocation fails: whether there was one. */
static int
without(const struct lack *f)
{
    long live = mem_live(), sql = sql_live;
    struct err e = {0};
    int rc, fired;

    snprintf(what, sizeof(what), "%s allocation %ld%s %s",
             f->sqlite ? "SQLite's" : "own", f->nth,
             f->sticky ? " and later" : "", f->open ? "of opening" : "");
    begin(f);
    rc = life(f, &e);
    fired = disarm(f);
    ck_assert_msg(fired || rc == 0, "%s: %s", what, e.msg);
    ck_assert_msg(
        rc == 0 || (rc == ERR_NOMEM && e.code == rc && strstr(e.msg, "memory")),
        "%s: %d \"%s\"", what, rc, e.msg);
    ck_assert_msg(mem_live() == live, "%s: %ld leaked", what,
                  mem_live() - live);
    ck_assert_msg(sql_live == sql, "%s: SQLite has %ld more", what,
                  sql_live - sql);
    if (!f->open && rc == 0)
        same();
    else if (!f->open)
        recovers();
    else if (fired)
        opens();
    return fired;
}

static void
setup(void)
{
    struct lack none = {0};
    struct store *s;

    tmp_setup();
    snprintf(path, sizeof(path), "%s/runs.db", tmp_dir());
    data = tiny_new(60, 5);
    FINE(runner_engine_init(&engine, 1, e));
    FINE(store_open(path, STORE_WRITE, &s, e));
    store_close(s);
    fresh = file_read(path, &fresh_size);
    FINE(life(&none, e));
    strcpy(good, weights);
    good_run = run;
}

static void
teardown(void)
{
    dataset_free(data);
    tmp_teardown();
}

/* Every one; or, to be quick, one of `step`. */
static void
all_allocations(struct lack f, long step)
{
    long cases = 0;

    if (getenv("FMNIST_TEST_FULL"))
        step = 1;
    n_failed = n_queued = n_none = n_done = 0;
    for (f.nth = 1; without(&f); f.nth += step)
        cases++;
    printf("# %s: %ld cases; the run was failed %ld, queued %ld, not there "
           "%ld, done %ld times\n",
           what, cases, n_failed, n_queued, n_none, n_done);
}

START_TEST(own)
{
    all_allocations((struct lack){.sticky = _i}, _i ? 5 : 1);
}
END_TEST

START_TEST(own_while_opening)
{
    all_allocations((struct lack){.open = 1, .sticky = _i}, 1);
}
END_TEST

START_TEST(sqlites)
{
    all_allocations((struct lack){.sqlite = 1, .sticky = _i}, 61);
}
END_TEST

START_TEST(sqlites_while_opening)
{
    all_allocations((struct lack){.sqlite = 1, .open = 1, .sticky = _i}, 499);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("no memory");
    TCase *tc = tcase_create("no memory");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    if (!wrap_sqlite())
        return EXIT_FAILURE;
    fault_vfs_install();
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, own, 0, 2);
    tcase_add_loop_test(tc, own_while_opening, 0, 2);
    tcase_add_loop_test(tc, sqlites, 0, 2);
    tcase_add_loop_test(tc, sqlites_while_opening, 0, 2);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
