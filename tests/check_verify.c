/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/sha256.h"
#include "fmnist/str.h"
#include "fmnist/store_queue.h"
#include "fmnist/verify.h"
#include "store_support.h"
#include "support.h"
#include "tiny.h"

static struct dataset *data;
static struct store *store;

/* A set that can be loaded again, by its path. */
static void
write_set(const char *path, uint64_t seed)
{
    struct dataset *d = tiny_new(200, seed);
    struct str b;

    str_init(&b);
    for (uint32_t i = 0; i < d->n; i++) {
        str_addf(&b, "%d", d->labels[i]);
        for (int k = 0; k < IMAGE_PIXELS; k++) {
            str_addf(&b, ",%d", d->pixels[(size_t)i * IMAGE_PIXELS + k]);
        }
        str_addc(&b, '\n');
    }
    file_write(path, b.s, b.len);
    str_release(&b);
    dataset_free(d);
}

static void
open_store(enum store_mode mode)
{
    store_close(store);
    OK(store_open(test_db(), mode, &store, e));
}

static void
setup(void)
{
    tmp_setup();
    write_set(tmp_path("tiny.csv"), 5);
    OK(dataset_load(tmp_path("tiny.csv"), &data, e));
    store = NULL;
    open_store(STORE_WRITE);
}

static void
teardown(void)
{
    store_close(store);
    dataset_free(data);
    tmp_teardown();
}

static void
configure(struct hyper *h, const char *spec)
{
    OK(hyper_preset("ann", h, e));
    OK(hyper_set(h, hyper_field("spec"), spec, e));
    h->epochs = 4;
    h->batch_size = 32; /* five batches an epoch */
    h->lr = 0.05;
}

static int64_t
enqueue(const struct hyper *h)
{
    struct run_new n = {.h = h};
    int64_t id;

    OK(store_dataset_put(store, data, &n.dataset_id, e));
    OK(store_run_insert(store, &n, &id, e));
    return id;
}

static enum runner_order
stop_at(const struct batch_report *r, void *arg)
{
    int *left = arg;

    (void)r;
    return --*left == 0 ? RUNNER_STOP : RUNNER_GO;
}

/* Trains a queued run, for so many batches (0: all), on one thread. */
static int
train(int64_t id, int batches)
{
    const struct runner_hooks hooks = {.batch = stop_at, .arg = &batches};
    struct runner_engine g;
    int64_t claimed;

    OK(runner_engine_init(&g, 1, e));
    OK(store_claim(store, &(struct claim){id, g.run, g.kernels}, &claimed, e));
    ck_assert_int_eq(claimed, id);
    return runner_execute(store, id, data, 1, &hooks, NULL);
}

static int64_t
trained(const struct hyper *h, int batches)
{
    int64_t id = enqueue(h);

    ck_assert_int_eq(train(id, batches), 0);
    return id;
}

struct steering {
    int stop_at, calls, epochs;
    int of;     /* the last report's number of epochs */
    double eta; /* and time */
};

static int
on_batch(const struct batch_report *r, void *arg)
{
    struct steering *s = arg;

    s->of = r->epochs;
    s->eta = r->eta_seconds;
    return ++s->calls == s->stop_at;
}

static void
on_epoch(const struct epoch_metrics *m, void *arg)
{
    struct steering *s = arg;

    ck_assert_int_eq(m->epoch, ++s->epochs);
}

/* Verifies from a connection that cannot write. */
static void
verify_steered(int64_t id, struct steering *s, struct verify_report *out)
{
    const struct verify_hooks hooks = {on_batch, on_epoch, s};

    open_store(STORE_READ);
    OK(verify_run(store, id, 2, &hooks, out, e));
}

static void
verifies(int64_t id, enum verify_outcome want, const char *text)
{
    struct steering s = {0};
    struct verify_report v;

    verify_steered(id, &s, &v);
    ck_assert_msg(v.outcome == want && !strncmp(v.text, text, strlen(text)),
                  "%s: \"%s\", not \"%s\"", VERIFY_NAMES[v.outcome], v.text,
                  text);
}

#define ANN "dense 16 relu dense 10"
#define CNN "conv 5x3 relu bn pool 2 flatten dense 12 relu dropout 0.3 dense 10"

START_TEST(finished_run_is_identical)
{
    struct hyper h;
    struct steering s = {0};
    struct verify_report v;
    char *before, *after;
    size_t n, m;
    int64_t id;

    configure(&h, CNN);
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    h.val_fraction = 0.25;
    snprintf(h.augment, sizeof h.augment, "shift:2");
    id = trained(&h, 0);
    open_store(STORE_READ);
    before = file_read(test_db(), &n);
    verify_steered(id, &s, &v);
    after = file_read(test_db(), &m);
    ck_assert_int_eq(v.outcome, VERIFY_IDENTICAL);
    /* Eleven tensors in each file of weights, two moments of the eight that
     * are trained. */
    ck_assert_str_eq(v.text, "4 epochs, 38 tensors");
    ck_assert_int_eq(v.epochs, 4);
    ck_assert_int_eq(v.tensors, 38);
    ck_assert_int_eq(s.epochs, 4);
    ck_assert_int_eq(s.calls, 4 * 4);
    ck_assert_uint_eq(n, m);
    ck_assert(!memcmp(before, after, n));
}
END_TEST

/* Patience ended it, and must again. */
START_TEST(early_end_is_identical)
{
    struct hyper h;
    struct run run;
    int64_t id;

    configure(&h, ANN);
    h.lr = 0.8;
    h.val_fraction = 0.25;
    h.patience = 2;
    h.epochs = 30;
    id = trained(&h, 0);
    OK(store_run_get(store, id, &run, e));
    ck_assert_int_lt(run.epochs_done, 30);
    verifies(id, VERIFY_IDENTICAL, "");
    test_sql("UPDATE run SET patience = 3");
    verifies(id, VERIFY_DIFFERS, "finished after epoch");
    test_sql("UPDATE run SET patience = 1");
    verifies(id, VERIFY_DIFFERS, "");
}
END_TEST

START_TEST(stopped_run_is_identical)
{
    struct hyper h;
    struct steering s = {0};
    struct verify_report v;
    int64_t id;

    configure(&h, ANN);
    id = trained(&h, 12);
    verify_steered(id, &s, &v);
    ck_assert_int_eq(v.outcome, VERIFY_IDENTICAL);
    ck_assert_str_eq(v.text, "2 epochs, 4 tensors");
    ck_assert_int_eq(s.calls, 10);
    ck_assert_int_eq(s.of, 2);
    ck_assert(s.eta < 1);
    /* Resumed and finished. */
    open_store(STORE_WRITE);
    test_sql("UPDATE run SET status = 'queued'");
    verifies(id, VERIFY_IDENTICAL, "2 epochs, 4 tensors");
    open_store(STORE_WRITE);
    ck_assert_int_eq(train(id, 0), 0);
    verifies(id, VERIFY_IDENTICAL, "4 epochs, 4 tensors");
}
END_TEST

/* The epochs of a run at work, or of one whose process is gone: there may be
 * newer checkpoints than epochs when it is read, or none. */
START_TEST(running_run_is_identical)
{
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    id = trained(&h, 17);
    test_sql("UPDATE run SET status = 'queued';"
             "UPDATE run SET status = 'running';"
             "UPDATE run SET epochs_done = 2, result_epoch = 2");
    verifies(id, VERIFY_IDENTICAL, "2 epochs, no weights are stored");
    test_sql("DELETE FROM epoch_prediction");
    verifies(id, VERIFY_IDENTICAL, "2 epochs, no weights are stored");
    test_sql("DELETE FROM epoch WHERE epoch = 2");
    verifies(id, VERIFY_CANNOT, "epoch 2 is missing");
}
END_TEST

START_TEST(extended_run_is_identical)
{
    const struct run_new n = {0};
    struct hyper h;
    int64_t id, longer;

    configure(&h, ANN);
    h.momentum = 0.9;
    h.schedule = SCHED_STEP;
    h.step_size = 2;
    h.warmup = 1;
    id = trained(&h, 0);
    OK(store_run_extend(store, id, 6, &n, &longer, e));
    verifies(longer, VERIFY_IDENTICAL, "4 epochs, ");
    open_store(STORE_WRITE);
    ck_assert_int_eq(train(longer, 0), 0);
    verifies(longer, VERIFY_IDENTICAL, "6 epochs, 8 tensors");
}
END_TEST

START_TEST(nothing_to_verify)
{
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    id = enqueue(&h);
    verifies(id, VERIFY_CANNOT, "it is queued and has no epoch yet");
}
END_TEST

/* ---- differences --------------------------------------------------------- */

/* What is done to the database, and the outcome then. */
static const struct spoil {
    const char *sql;
    enum verify_outcome outcome;
    const char *text;
    int epoch;
} SPOILS[] = {
    {"UPDATE epoch SET test_loss = test_loss * (1 + 1e-15) WHERE epoch = 2",
     VERIFY_DIFFERS, "epoch 2, test_loss: ", 2},
    {"UPDATE epoch SET train_acc = NULL WHERE epoch = 3", VERIFY_DIFFERS,
     "epoch 3, train_acc: none recorded, 0.", 3},
    {"UPDATE epoch SET val_acc = 0.5 WHERE epoch = 1", VERIFY_DIFFERS,
     "epoch 1, val_acc: 0.5 recorded, none now", 1},
    {"UPDATE epoch SET lr = 0.06 WHERE epoch = 4", VERIFY_DIFFERS,
     "epoch 4, lr: 0.06 recorded, 0.05 now", 4},
    {"UPDATE epoch SET seconds = 9, samples_per_second = 7", VERIFY_IDENTICAL,
     "4 epochs, 4 tensors", 0},
    {"UPDATE confusion SET count = count + 1 WHERE epoch = 3 AND truth = 6",
     VERIFY_DIFFERS, "epoch 3, confusion matrix, 6 taken for ", 3},
    {"UPDATE epoch_prediction SET predicted = zeroblob(40) WHERE epoch = 2",
     VERIFY_DIFFERS, "epoch 2, class of image ", 2},
    {"UPDATE epoch_prediction SET predicted = zeroblob(39) WHERE epoch = 2",
     VERIFY_DIFFERS, "epoch 2, predicted classes: of 39 images recorded, of 40",
     2},
    {"DELETE FROM epoch_prediction", VERIFY_IDENTICAL, "4 epochs", 0},
    {"UPDATE prediction SET p3 = p3 * 1.001 WHERE image > 100", VERIFY_DIFFERS,
     "result, image 1", 4},
    {"UPDATE prediction SET truth = 9 - truth", VERIFY_DIFFERS,
     "result, image ", 4},
    {"DELETE FROM prediction WHERE image > 100", VERIFY_DIFFERS,
     "predictions of the result: of ", 4},
    {"UPDATE run SET seed = seed + 1", VERIFY_DIFFERS, "epoch 1, ", 1},
    {"UPDATE run SET epochs = 9", VERIFY_DIFFERS,
     "finished after epoch 4 recorded, not now", 5},
    {"UPDATE run SET epochs = 3", VERIFY_DIFFERS,
     "4 epochs recorded; it ends after 3 now", 4},
    {"DELETE FROM checkpoint", VERIFY_IDENTICAL,
     "4 epochs, no weights are stored", 0},
    {"UPDATE checkpoint SET weights = zeroblob(length(weights))", VERIFY_CANNOT,
     "checkpoint \"last\" of run 1: damaged", 0},
    {"UPDATE checkpoint SET state = NULL", VERIFY_IDENTICAL,
     "4 epochs, 4 tensors", 0},
    {"UPDATE run SET batch_size = 1000", VERIFY_CANNOT, "--batch-size: ", 0},
    /* A kernel or arithmetic that nobody has. */
    {"UPDATE run SET kernel = 'cray'", VERIFY_AGREES, "4 epochs, kernel ", 0},
    {"UPDATE run SET numerics = 99", VERIFY_AGREES, "4 epochs, kernel ", 0},
    {"UPDATE run SET kernel = 'cray';"
     "UPDATE epoch SET test_loss = 7, train_loss = train_loss * 1.04",
     VERIFY_AGREES, "4 epochs, ", 0},
    {"UPDATE run SET kernel = 'cray', lr = 20", VERIFY_DIFFERS,
     "epoch 1, train_loss: ", 1},
    {"UPDATE run SET kernel = 'cray'; UPDATE epoch SET test_acc = 1",
     VERIFY_DIFFERS, "test accuracy 100.00 % recorded, ", 4},
};

START_TEST(differences_are_found)
{
    const struct spoil *s = &SPOILS[_i];
    struct steering steering = {0};
    struct verify_report v;
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    id = trained(&h, 0);
    test_sql(s->sql);
    verify_steered(id, &steering, &v);
    ck_assert_msg(v.outcome == s->outcome &&
                      !strncmp(v.text, s->text, strlen(s->text)),
                  "%s: %s: \"%s\"", s->sql, VERIFY_NAMES[v.outcome], v.text);
    ck_assert_int_eq(v.differs_at, s->epoch);
    ck_assert_str_eq(v.tensor, "");
}
END_TEST

/* Changes one byte of a part of the checkpoint, and its hash with it. */
static void
flip(const char *part, const char *hash, int from_end)
{
    char sql[200], is[SHA256_HEX];
    unsigned char *bytes;
    sqlite3_stmt *st;
    sqlite3 *db;
    int n;

    ck_assert_int_eq(sqlite3_open(test_db(), &db), SQLITE_OK);
    snprintf(sql, sizeof sql, "SELECT %s FROM checkpoint", part);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_bytes(st, 0);
    bytes = mem_alloc((size_t)n);
    memcpy(bytes, sqlite3_column_blob(st, 0), (size_t)n);
    sqlite3_finalize(st);
    bytes[n - from_end] ^= 1;
    OK(sha256_of(bytes, (size_t)n, is, e));
    snprintf(sql, sizeof sql, "UPDATE checkpoint SET %s = ?1, %s = ?2", part,
             hash);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, bytes, n, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, is, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
    mem_free(bytes);
}

START_TEST(tensors_are_named)
{
    struct steering s = {0};
    struct verify_report v;
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    id = trained(&h, 0);
    /* The files end in the biases of layer 2, ten floats. */
    flip("state", "state_sha256", 8);
    verify_steered(id, &s, &v);
    ck_assert_int_eq(v.outcome, VERIFY_DIFFERS);
    ck_assert_str_eq(v.tensor, "exp_avg_sq.3.bias");
    ck_assert_int_eq(v.tensors, 4 + 7);
    flip("weights", "sha256", 40);
    s.epochs = 0;
    verify_steered(id, &s, &v);
    ck_assert_int_eq(v.outcome, VERIFY_DIFFERS);
    ck_assert_str_eq(v.tensor, "3.bias");
    ck_assert_int_eq(v.differs_at, 4);
    ck_assert_int_eq(v.epochs, 3);
    ck_assert_int_eq(v.tensors, 3);
    ck_assert_ptr_eq(
        strstr(v.text, "epoch 4, tensor 3.bias of checkpoint \"last\", element "
                       "0: "),
        v.text);
}
END_TEST

/* A late divergence: the epochs before it count, too. */
START_TEST(diverges_again)
{
    struct hyper h;
    struct run run;
    char text[20];
    int64_t id;

    configure(&h, "dense 16 dense 16 dense 10");
    h.epochs = 12;
    h.lr = 3;
    h.warmup = 11;
    id = enqueue(&h);
    ck_assert_int_eq(train(id, 0), ERR_DIVERGED);
    OK(store_run_get(store, id, &run, e));
    ck_assert_int_ge(run.epochs_done, 1);
    snprintf(text, sizeof text, "%d epoch", run.epochs_done);
    verifies(id, VERIFY_IDENTICAL, text);
    test_sql("UPDATE run SET lr = 0.3");
    verifies(id, VERIFY_DIFFERS, "epoch 1, lr: ");
    /* As if it had diverged in its last epoch. */
    test_sql("UPDATE run SET lr = 3, epochs_done = epochs_done - 1,"
             "result_epoch = result_epoch - 1,"
             "error = printf('diverged in epoch %d, batch 3', epochs_done)");
    verifies(id, VERIFY_DIFFERS, "diverged in epoch ");
    test_sql("UPDATE run SET kernel = 'cray', lr = 0.3");
    verifies(id, VERIFY_DIFFERS, "diverged recorded, not now");
    test_sql("UPDATE run SET lr = 3");
    verifies(id, VERIFY_AGREES, text);
    test_sql("UPDATE run SET error = 'disk full'");
    verifies(id, VERIFY_AGREES, "");
    test_sql("UPDATE run SET status = 'queued'; UPDATE run SET status = "
             "'running'; UPDATE run SET status = 'finished'");
    verifies(id, VERIFY_DIFFERS, "diverged now, not recorded");
}
END_TEST

START_TEST(divergence_differs)
{
    struct hyper h;
    int64_t id;

    configure(&h, "dense 16 dense 16 dense 10");
    h.lr = 1000;
    h.momentum = 0.999;
    h.batch_size = 8;
    id = enqueue(&h);
    ck_assert_int_eq(train(id, 0), ERR_DIVERGED);
    verifies(id, VERIFY_IDENTICAL, "diverged in epoch ");
    test_sql("UPDATE run SET error = replace(error, 'batch ', 'batch 1')");
    verifies(id, VERIFY_DIFFERS, "diverged in epoch ");
    test_sql("UPDATE run SET lr = 0.01, momentum = 0");
    verifies(id, VERIFY_DIFFERS, "diverged in epoch ");
    test_sql("UPDATE run SET error = 'disk full'");
    verifies(id, VERIFY_CANNOT, "it is failed and has no epoch yet");
}
END_TEST

START_TEST(data_that_is_gone)
{
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    id = trained(&h, 0);
    write_set(tmp_path("tiny.csv"), 6);
    verifies(id, VERIFY_CANNOT, "data set \"");
    remove(tmp_path("tiny.csv"));
    verifies(id, VERIFY_CANNOT, "data set \"");
}
END_TEST

START_TEST(gives_up)
{
    struct steering s = {.stop_at = 7};
    const struct verify_hooks hooks = {on_batch, on_epoch, &s};
    struct verify_report v;
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    id = trained(&h, 0);
    ck_assert_int_eq(verify_run(store, id, 1, &hooks, &v, NULL), ERR_CANCEL);
    ck_assert_int_eq(s.calls, 7);
    ck_assert_int_eq(s.epochs, 1);
}
END_TEST

START_TEST(memory_failures)
{
    const struct verify_hooks none = {0};
    struct verify_report v = {.outcome = VERIFY_CANNOT};
    struct hyper h;
    int64_t id;

    configure(&h, ANN);
    h.epochs = 1;
    id = trained(&h, 0);
    for (long n = 1; v.outcome != VERIFY_IDENTICAL; n++) {
        struct err e = {0};
        int rc;

        mem_fail_at(n, 0);
        rc = verify_run(store, id, 1, &none, &v, &e);
        mem_fail_at(0, 0);
        ck_assert_msg(rc == ERR_NOMEM || v.outcome == VERIFY_IDENTICAL,
                      "%ld: %d %s %s", n, rc, e.msg, v.text);
        ck_assert_int_lt(n, 2000);
    }
}
END_TEST

START_TEST(bounds)
{
    /* Both at half of 98 + 2: 3 * sqrt(2 * 0.25 / 98). */
    ck_assert_double_eq_tol(verify_bound(49, 49, 98, 0), 3 * sqrt(0.5 / 98),
                            1e-12);
    ck_assert_double_eq_tol(verify_bound(49, 49, 98, 0.1),
                            3 * sqrt(0.5 / 98 + 0.01), 1e-12);
    ck_assert_double_gt(verify_bound(100, 100, 100, 0), 0.03);
    ck_assert_double_lt(verify_bound(10000, 10000, 10000, 0), 0.001);
}
END_TEST

int
main(void)
{
    const TTest *const TESTS[] = {
        finished_run_is_identical,
        early_end_is_identical,
        stopped_run_is_identical,
        running_run_is_identical,
        extended_run_is_identical,
        nothing_to_verify,
        tensors_are_named,
        diverges_again,
        divergence_differs,
        data_that_is_gone,
        gives_up,
        memory_failures,
        bounds,
    };
    Suite *s = suite_create("verify");
    TCase *tc = tcase_create("verify");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < sizeof TESTS / sizeof *TESTS; i++) {
        tcase_add_test(tc, TESTS[i]);
    }
    tcase_add_loop_test(tc, differences_are_found, 0,
                        (int)(sizeof SPOILS / sizeof *SPOILS));
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
