/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "support.h"
#include "tiny.h"

static struct dataset *data;
static const struct kern *kern;
static struct store *store;
static int64_t dataset_id;

static void
open_store(void)
{
    struct err e = {0};

    ck_assert_msg(store_open(tmp_path("runs.db"), STORE_WRITE, &store, &e) == 0,
                  "%s", e.msg);
}

static void
setup(void)
{
    struct err e = {0};

    tmp_setup();
    data = tiny_new(200, 5);
    ck_assert_msg(kern_choose(NULL, &kern, &e) == 0, "%s", e.msg);
    open_store();
    ck_assert_msg(store_dataset_put(store, data, &dataset_id, &e) == 0, "%s",
                  e.msg);
}

static void
teardown(void)
{
    store_close(store);
    dataset_free(data);
    tmp_teardown();
}

/* Writes behind the store's back. */
static void
execute(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open(tmp_path("runs.db"), &db), SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, &message);
    ck_assert_msg(message == NULL, "%s: %s", sql, message);
    sqlite3_close(db);
}

static int
take_text(const struct row *r, void *arg, struct err *e)
{
    (void)e;
    if (r->cells && r->cells[0].type == CELL_TEXT) {
        snprintf(arg, 600, "%s", r->cells[0].s);
    }
    return 0;
}

/* The query's one cell, a text, is `want`. */
static void
sql_is(const char *want, const char *sql)
{
    char text[600] = "";
    struct err e = {0};

    ck_assert_msg(store_sql(store, sql, 10, take_text, text, &e) == 0, "%s",
                  e.msg);
    ck_assert_msg(!strcmp(text, want), "%s: \"%s\", not \"%s\"", sql, text,
                  want);
}

static void
report_fault(const char *line, void *arg)
{
    (void)arg;
    printf("# %s\n", line);
}

/* What the result's figures, confusion matrix and predictions must share. */
static void
result_agrees(int n_test)
{
    char want[40];
    int faults = -1;

    ck_assert_int_eq(store_check(store, report_fault, NULL, &faults, NULL), 0);
    ck_assert_int_eq(faults, 0);
    snprintf(want, sizeof want, "%d", n_test);
    sql_is(want, "SELECT CAST(count(*) AS TEXT) FROM prediction");
    sql_is(want, "SELECT CAST(sum(c.count) AS TEXT) FROM confusion AS c JOIN "
                 "run AS r ON r.id = c.run_id AND r.result_epoch = c.epoch");
    sql_is("yes",
           "SELECT CASE WHEN "
           "(SELECT test_acc FROM epoch WHERE run_id = r.id AND epoch = "
           "r.result_epoch) = r.test_acc AND "
           "(SELECT sum(count) FROM confusion WHERE run_id = r.id AND epoch = "
           "r.result_epoch AND truth = predicted) * 1.0 / "
           "(SELECT count(*) FROM prediction WHERE run_id = r.id) = r.test_acc "
           "AND (SELECT sum(truth = predicted) FROM prediction WHERE run_id = "
           "r.id) * 1.0 / (SELECT count(*) FROM prediction WHERE run_id = r.id)"
           " = r.test_acc THEN 'yes' ELSE 'no' END FROM run AS r");
}

static void
configure(struct hyper *h)
{
    ck_assert_int_eq(hyper_preset("ann", h, NULL), 0);
    ck_assert_int_eq(
        hyper_set(h, hyper_field("spec"), "dense 16 relu dense 10", NULL), 0);
    h->epochs = 4;
    h->batch_size = 32;
    h->lr = 0.05;
}

static int64_t
enqueue(const struct hyper *h)
{
    const struct run_new n = {.h = h, .dataset_id = dataset_id};
    struct err e = {0};
    int64_t id;

    ck_assert_msg(store_run_insert(store, &n, &id, &e) == 0, "%s", e.msg);
    return id;
}

/* Stops at call number `stop_at` of the batch hook. */
struct steering {
    int stop_at, calls, epochs, last_epoch;
    enum runner_order verdict;
    double every;    /* seconds between checkpoints; 0: as usual */
    int checkpoints; /* `last` ones */
};

static enum runner_order
on_batch(const struct batch_report *r, void *arg)
{
    struct steering *s = arg;

    (void)r;
    s->calls++;
    return s->stop_at && s->calls >= s->stop_at ? s->verdict : RUNNER_GO;
}

static void
on_epoch(const struct epoch_report *r, void *arg)
{
    struct steering *s = arg;

    ck_assert_int_eq(r->metrics->epoch, s->last_epoch + 1);
    s->last_epoch = r->metrics->epoch;
    s->epochs++;
    s->checkpoints += r->last != NULL;
}

static int
run(int64_t id, struct steering *s, struct err *e)
{
    const struct runner_hooks hooks = {.batch = on_batch,
                                       .epoch = on_epoch,
                                       .arg = s,
                                       .checkpoint_every = s->every};
    struct runner_engine g;
    int64_t claimed;
    int rc = runner_engine_init(&g, 2, e);

    if (rc == 0) {
        rc = store_claim(store, &(struct claim){id, g.run, g.kernels}, &claimed,
                         e);
    }
    return rc < 0 ? rc : runner_execute(store, id, data, 2, &hooks, e);
}

static void
runs(int64_t id, struct steering *s)
{
    struct err e = {0};

    ck_assert_msg(run(id, s, &e) == 0, "%s", e.msg);
}

START_TEST(finishes)
{
    struct hyper h;
    struct steering s = {0};
    struct run r;
    int64_t id;

    configure(&h);
    id = enqueue(&h);
    runs(id, &s);
    ck_assert_int_eq(s.epochs, 4);
    ck_assert_int_eq(store_run_get(store, id, &r, NULL), 0);
    ck_assert_str_eq(r.status, "finished");
    ck_assert_str_eq(r.error, "");
    ck_assert_str_eq(r.kernel, kern->name);
    ck_assert_int_eq(r.numerics, NUMERICS);
    ck_assert_int_eq(r.threads, 2);
    ck_assert_int_eq(
        strncmp(r.program_version, PACKAGE_VERSION, strlen(PACKAGE_VERSION)),
        0);
    ck_assert(!strncmp(r.compiler, "gcc ", 4) ||
              !strncmp(r.compiler, "clang ", 6));
    ck_assert(r.host[0] && r.started_at[0] && r.finished_at[0]);
    ck_assert_int_eq(r.epochs_done, 4);
    ck_assert_int_eq(r.result_epoch, 4);
    result_agrees(40);
    sql_is("40", "SELECT CAST(count(*) AS TEXT) FROM image");
    sql_is("4", "SELECT CAST(max(epoch) AS TEXT) FROM checkpoint");
    /* A finished run is not trained again. */
    ck_assert_int_eq(run(id, &s, NULL), ERR_FAIL);
    sql_is("finished", "SELECT status FROM run");
}
END_TEST

START_TEST(checkpoints_as_often_as_asked)
{
    struct steering every_epoch = {.every = 1e-9}, seldom = {.every = 3600};
    struct hyper h;

    configure(&h);
    runs(enqueue(&h), &every_epoch);
    ck_assert_int_eq(every_epoch.checkpoints, 4);
    runs(enqueue(&h), &seldom);
    ck_assert_int_eq(seldom.checkpoints, 1);
}
END_TEST

START_TEST(best_epoch_is_the_result)
{
    struct hyper h;
    struct steering s = {0};

    configure(&h);
    h.val_fraction = 0.25;
    h.lr = 0.8;
    h.epochs = 12;
    h.patience = 3;
    runs(enqueue(&h), &s);
    result_agrees(40);
    sql_is("yes", "SELECT CASE WHEN (SELECT epoch FROM checkpoint WHERE kind = "
                  "'best') = result_epoch AND result_epoch = (SELECT epoch "
                  "FROM epoch ORDER BY val_loss, epoch LIMIT 1) AND "
                  "epochs_done = result_epoch + 3 THEN 'yes' ELSE 'no' END "
                  "FROM run");
}
END_TEST

START_TEST(stops_at_once)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};

    configure(&h); /* five batches an epoch */
    runs(enqueue(&h), &s);
    ck_assert_int_eq(s.epochs, 2);
    sql_is("stopped", "SELECT status FROM run");
    sql_is("2", "SELECT CAST(epochs_done AS TEXT) FROM run");
    sql_is("2", "SELECT CAST(epoch AS TEXT) FROM checkpoint");
    result_agrees(40);
}
END_TEST

START_TEST(stops_before_anything)
{
    struct hyper h;
    struct steering s = {.stop_at = 1, .verdict = RUNNER_STOP};

    configure(&h);
    runs(enqueue(&h), &s);
    sql_is("stopped", "SELECT status FROM run");
    sql_is("0", "SELECT CAST(count(*) AS TEXT) FROM prediction");
}
END_TEST

START_TEST(goes_on_where_it_stopped)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};
    struct steering whole = {0}, rest = {.last_epoch = 2};
    int64_t id, other;
    struct checkpoint a, b;

    configure(&h);
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    other = enqueue(&h);
    runs(other, &whole);
    id = enqueue(&h);
    runs(id, &s);
    execute("UPDATE run SET status = 'queued' WHERE status = 'stopped'");
    runs(id, &rest);
    ck_assert_int_eq(rest.epochs, 2);
    ck_assert_int_eq(store_checkpoint(store, other, "last", &a, NULL), 0);
    ck_assert_int_eq(store_checkpoint(store, id, "last", &b, NULL), 0);
    ck_assert_uint_eq(a.weights_size, b.weights_size);
    ck_assert(!memcmp(a.weights, b.weights, a.weights_size));
    ck_assert(!memcmp(a.state, b.state, a.state_size));
    checkpoint_release(&a);
    checkpoint_release(&b);
    sql_is("0", "SELECT CAST(count(*) AS TEXT) FROM prediction AS a JOIN "
                "prediction AS b ON a.image = b.image AND a.run_id < b.run_id "
                "WHERE (a.p0, a.p9, a.predicted) <> (b.p0, b.p9, b.predicted)");
    sql_is("yes", "SELECT CASE WHEN count(*) = 4 AND min(a.train_loss = "
                  "b.train_loss AND a.test_loss = b.test_loss) = 1 THEN 'yes' "
                  "ELSE 'no' END FROM epoch AS a JOIN epoch AS b ON a.epoch = "
                  "b.epoch AND a.run_id < b.run_id");
}
END_TEST

/* As a killed process leaves it: epochs are recorded, of which the newest has
 * no checkpoint.  A stop among them waits until they are trained again. */
START_TEST(goes_on_after_a_crash)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};
    struct steering rest = {
        .last_epoch = 4, .stop_at = 2, .verdict = RUNNER_STOP};
    int64_t id;

    configure(&h);
    h.epochs = 6;
    id = enqueue(&h);
    runs(id, &s);
    execute("UPDATE run SET status = 'queued'");
    execute("CREATE TABLE kept AS SELECT * FROM checkpoint");
    s = (struct steering){
        .last_epoch = 2, .stop_at = 12, .verdict = RUNNER_STOP};
    runs(id, &s);
    execute("REPLACE INTO checkpoint SELECT * FROM kept; DROP TABLE kept;"
            "UPDATE run SET status = 'queued'");
    sql_is("4", "SELECT CAST(epochs_done AS TEXT) FROM run");
    runs(id, &rest);
    ck_assert_int_eq(rest.epochs, 0);
    sql_is("stopped", "SELECT status FROM run");
    sql_is("4", "SELECT CAST(epochs_done AS TEXT) FROM run");
    sql_is("4", "SELECT CAST(epoch AS TEXT) FROM checkpoint");
    result_agrees(40);
}
END_TEST

START_TEST(goes_on_only_with_its_kernel)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};
    struct err e = {0};
    int64_t id;

    configure(&h);
    id = enqueue(&h);
    runs(id, &s);
    execute("UPDATE run SET status = 'queued', kernel = 'abacus'");
    ck_assert_int_eq(run(id, &s, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(e.msg, "\"abacus\""));
    sql_is("queued", "SELECT status FROM run");
}
END_TEST

/* A flipped bit costs the time to train again, and no bit of the result. */
START_TEST(a_damaged_checkpoint_costs_time_only)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};
    struct steering whole = {0}, rest = {.last_epoch = 2};

    configure(&h);
    runs(enqueue(&h), &whole);
    runs(enqueue(&h), &s);
    execute("UPDATE run SET status = 'queued' WHERE status = 'stopped';"
            "UPDATE checkpoint SET weights = weights || x'00' "
            "WHERE run_id = 2");
    runs(2, &rest);
    ck_assert_int_eq(rest.epochs, 2);
    sql_is("1", "SELECT CAST(count(DISTINCT sha256) AS TEXT) FROM checkpoint");
    sql_is("checkpoint \"last\" of run 2: damaged",
           "SELECT substr(text, 1, 35) FROM event WHERE level = 'warning'");
}
END_TEST

START_TEST(diverged_runs_keep_their_epochs)
{
    struct hyper h;
    struct steering s = {0};
    struct err e = {0};
    char text[600] = "";

    configure(&h);
    ck_assert_int_eq(
        hyper_set(&h, hyper_field("spec"), "dense 16 dense 16 dense 10", NULL),
        0);
    h.lr = 3;
    h.epochs = 12;
    h.warmup = 11;
    ck_assert_int_eq(run(enqueue(&h), &s, &e), ERR_DIVERGED);
    ck_assert_int_ge(s.epochs, 1);
    sql_is("failed", "SELECT status FROM run");
    ck_assert_int_eq(
        store_sql(store, "SELECT error FROM run", 10, take_text, text, NULL),
        0);
    ck_assert_str_eq(text, e.msg);
    ck_assert_int_eq(strncmp(text, "diverged in epoch ", 18), 0);
    sql_is("yes", "SELECT CASE WHEN epochs_done = (SELECT epoch FROM "
                  "checkpoint) THEN 'yes' ELSE 'no' END FROM run");
    result_agrees(40);
}
END_TEST

START_TEST(other_images_fail_the_run)
{
    struct hyper h;
    struct steering s = {0};
    struct err e = {0};
    char was[13], is[13];

    configure(&h);
    snprintf(was, sizeof was, "%.12s", data->sha256);
    data->pixels[5] ^= 1;
    ck_assert_int_eq(dataset_identify(data, NULL), 0);
    snprintf(is, sizeof is, "%.12s", data->sha256);
    ck_assert_int_eq(run(enqueue(&h), &s, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(e.msg, was));
    ck_assert_ptr_nonnull(strstr(e.msg, is));
    sql_is("failed", "SELECT status FROM run");
    sql_is(e.msg, "SELECT error FROM run");
    sql_is(e.msg, "SELECT text FROM event WHERE level = 'error'");
}
END_TEST

START_TEST(sizes_fail_the_run)
{
    struct hyper h;
    struct steering s = {0};
    struct err e = {0};

    configure(&h);
    h.batch_size = 161;
    ck_assert_int_eq(run(enqueue(&h), &s, &e), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "161"));
    sql_is("failed", "SELECT status FROM run");
}
END_TEST

/* Epoch 3 cannot be written: what was recorded stays. */
START_TEST(store_faults_fail_the_run)
{
    struct hyper h;
    struct steering s = {0};
    struct err e = {0};

    configure(&h);
    execute("CREATE TRIGGER full BEFORE INSERT ON epoch WHEN new.epoch = 3 "
            "BEGIN SELECT raise(ABORT, 'no room'); END");
    ck_assert_int_lt(run(enqueue(&h), &s, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.msg, "no room"));
    ck_assert_int_eq(s.epochs, 2);
    sql_is("failed", "SELECT status FROM run");
    sql_is("2", "SELECT CAST(epochs_done AS TEXT) FROM run");
}
END_TEST

/* A run that goes on after a stop and then fails has no predictions that are
 * older than its result. */
START_TEST(no_stale_predictions)
{
    struct hyper h;
    struct steering s = {.stop_at = 12, .verdict = RUNNER_STOP};
    int64_t id;
    int faults = -1;

    configure(&h);
    id = enqueue(&h);
    runs(id, &s);
    execute("UPDATE run SET status = 'queued';"
            "CREATE TRIGGER full BEFORE INSERT ON epoch WHEN new.epoch = 4 "
            "BEGIN SELECT raise(ABORT, 'no room'); END");
    s = (struct steering){.last_epoch = 2};
    ck_assert_int_lt(run(id, &s, NULL), 0);
    sql_is("3", "SELECT CAST(result_epoch AS TEXT) FROM run");
    execute("DROP TRIGGER full");
    ck_assert_int_eq(store_check(store, report_fault, NULL, &faults, NULL), 0);
    ck_assert_int_eq(faults, 0);
}
END_TEST

START_TEST(finds_data)
{
    static char classes[N_CLASSES][CLASS_NAME_MAX] = {"a", "b", "c", "d", "e",
                                                      "f", "g", "h", "i", "j"};
    char *path = tmp_path("mine.csv");
    struct dataset *d;
    struct err e = {0};
    int64_t id;

    tiny_write(data, path);
    ck_assert_int_lt(runner_data(store, "mine", &d, &e), 0);
    ck_assert_int_eq(runner_data(NULL, path, &d, &e), 0);
    ck_assert_str_eq(d->sha256, data->sha256);
    ck_assert_int_eq(store_dataset_put(store, d, &id, &e), 0);
    ck_assert_int_eq(store_dataset_name(store, id, "mine",
                                        (const char(*)[CLASS_NAME_MAX])classes,
                                        &e),
                     0);
    dataset_free(d);
    ck_assert_msg(runner_data(store, "mine", &d, &e) == 0, "%s", e.msg);
    ck_assert_str_eq(d->name, "mine");
    ck_assert_str_eq(d->class_names[9], "j");
    dataset_free(d);
    /* A name promises its images … */
    data->labels[3] ^= 1;
    tiny_write(data, path);
    ck_assert_int_eq(runner_data(store, "mine", &d, &e), ERR_FAIL);
    ck_assert_ptr_null(d);
    ck_assert_ptr_nonnull(strstr(e.msg, "holds other images"));
    /* … a path does not. */
    ck_assert_int_eq(runner_data(store, path, &d, &e), 0);
    ck_assert_int_eq(store_dataset_put(store, d, &id, &e), 0);
    dataset_free(d);
    data->labels[3] ^= 1;
    tiny_write(data, path);
    ck_assert_int_eq(runner_data(store, path, &d, &e), 0);
    dataset_free(d);
    remove(path);
    ck_assert_int_lt(runner_data(store, "mine", &d, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.msg, "data set \"mine\""));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("runner");
    TCase *tc = tcase_create("runner");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, finishes);
    tcase_add_test(tc, checkpoints_as_often_as_asked);
    tcase_add_test(tc, best_epoch_is_the_result);
    tcase_add_test(tc, stops_at_once);
    tcase_add_test(tc, stops_before_anything);
    tcase_add_test(tc, goes_on_where_it_stopped);
    tcase_add_test(tc, goes_on_after_a_crash);
    tcase_add_test(tc, goes_on_only_with_its_kernel);
    tcase_add_test(tc, a_damaged_checkpoint_costs_time_only);
    tcase_add_test(tc, diverged_runs_keep_their_epochs);
    tcase_add_test(tc, other_images_fail_the_run);
    tcase_add_test(tc, sizes_fail_the_run);
    tcase_add_test(tc, store_faults_fail_the_run);
    tcase_add_test(tc, no_stale_predictions);
    tcase_add_test(tc, finds_data);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
