/* SPDX-License-Identifier: MIT */
/* The life of runs in the database, and what happens without memory. */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "store_support.h"
#include "support.h"

/* ---- from queued to finished --------------------------------------------- */

START_TEST(life)
{
    struct store *s = test_store();
    int64_t id = test_finished(s, "first", 3);
    struct run r;
    struct confusion c;
    struct predictions p;
    struct checkpoint k;

    ck_assert_int_eq(id, 1);
    OK(store_run_get(s, id, &r, e));
    ck_assert_str_eq(r.name, "first");
    ck_assert_str_eq(r.status, "finished");
    ck_assert_uint_eq(strlen(r.uuid), 36);
    ck_assert_int_eq(r.epochs_done, 3);
    ck_assert_int_eq(r.result_epoch, 3);
    ck_assert_str_eq(r.kernel, "scalar");
    ck_assert_str_eq(r.host, "here");
    ck_assert_int_eq(r.threads, 2);
    ck_assert_str_ne(r.finished_at, "");
    ck_assert_str_eq(test_value(s, "SELECT test_acc FROM run_summary"), "0.3");
    ck_assert_str_eq(test_value(s, "SELECT seconds FROM run_summary"), "1.5");
    ck_assert_str_eq(
        test_value(s, "SELECT samples_per_second FROM run_summary"), "1000");
    OK(store_confusion(s, id, 0, &c, e));
    ck_assert_uint_eq(confusion_correct(&c), 3);
    ck_assert_uint_eq(confusion_total(&c), TEST_PART);
    OK(store_confusion(s, id, 1, &c, e));
    ck_assert_uint_eq(confusion_correct(&c), 1);
    FAILS(ERR_NOTFOUND, "no epoch 4", store_confusion(s, id, 4, &c, e));
    OK(store_predictions(s, id, &p, e));
    ck_assert_uint_eq(p.n, TEST_PART);
    ck_assert_uint_eq(p.images[9], 19);
    ck_assert_float_eq(p.p[0], 0.75f);
    predictions_release(&p);
    OK(store_checkpoint(s, id, "last", &k, e));
    ck_assert_int_eq(k.epoch, 3);
    ck_assert_uint_eq(k.weights_size, 9);
    ck_assert_mem_eq(k.state, "state 3", 7);
    checkpoint_release(&k);
    FAILS(ERR_NOTFOUND, "no checkpoint",
          store_checkpoint(s, id, "best", &k, e));
    store_close(s);
}
END_TEST

START_TEST(fields_round_trip)
{
    static const char *const SET[][2] = {{"batch_size", "32"},
                                         {"lr", "0.30000000000000004"},
                                         {"optimizer", "adamw"},
                                         {"weight_decay", "1e-300"},
                                         {"schedule", "onecycle"},
                                         {"warmup", "7"},
                                         {"augment", "shift:2"},
                                         {"label_smoothing", "0.1"},
                                         {"seed", "9007199254740991"},
                                         {"split_seed", "5"},
                                         {"test_fraction", "0.25"},
                                         {"val_fraction", "0.125"},
                                         {"patience", "9"},
                                         {"epochs", "12"}};
    struct store *s = test_store();
    struct hyper h;
    struct run r;
    size_t i;
    int64_t id;

    OK(hyper_preset("cnn", &h, e));
    for (i = 0; i < sizeof(SET) / sizeof(SET[0]); i++)
        OK(hyper_set(&h, hyper_field(SET[i][0]), SET[i][1], e));
    id = test_run_with(s, &h, NULL);
    OK(store_run_get(s, id, &r, e));
    for (i = 0; i < (size_t)hyper_n_fields(); i++) {
        struct str a, b;

        str_init(&a);
        str_init(&b);
        hyper_get(&h, &HYPER_FIELDS[i], &a);
        hyper_get(&r.h, &HYPER_FIELDS[i], &b);
        ck_assert_str_eq(a.s, b.s);
        str_release(&a);
        str_release(&b);
    }
    ck_assert(r.h.lr == h.lr && r.h.weight_decay == h.weight_decay);
    ck_assert_str_eq(test_value(s, "SELECT model FROM run"), "cnn");
    ck_assert_str_eq(test_value(s, "SELECT optimizer FROM run"), "adamw");
    ck_assert_str_eq(test_value(s, "SELECT status FROM run"), "queued");
    store_close(s);
}
END_TEST

/* Each hyperparameter has a column of its own and a column of the view. */
START_TEST(every_field_is_a_column)
{
    struct store *s = test_store();
    char sql[128];
    int i;

    for (i = 0; i < hyper_n_fields(); i++) {
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM pragma_table_info('%s') "
                 "WHERE name = '%s'",
                 i % 2 ? "run" : "run_summary", HYPER_FIELDS[i].column);
        ck_assert_str_eq(test_value(s, sql), "1");
    }
    ck_assert_str_eq(store_run_columns(s)[0], "id");
    store_close(s);
}
END_TEST

START_TEST(made_up_names)
{
    struct store *s = test_store();
    struct run r;
    char want[200], base[128];
    int i;

    test_run(s, NULL);
    OK(store_run_get(s, 1, &r, e));
    snprintf(base, sizeof(base), "%s", r.name);
    for (i = 2; i <= 12; i++) {
        ck_assert_int_eq(test_run(s, NULL), i);
        OK(store_run_get(s, i, &r, e));
        snprintf(want, sizeof(want), "%s #%d", base, i);
        ck_assert_str_eq(r.name, want);
    }
    store_close(s);
}
END_TEST

START_TEST(given_names)
{
    static const char *const BAD[] = {"",   "12", "1..3", "a@b", "a\x1b[2J",
                                      " a", "a ", "\xff", "..5", "\xc2\x9b"};
    static const char *const GOOD[] = {"'; DROP TABLE run; --",
                                       "12a",
                                       "a..b",
                                       "\"quoted\"",
                                       "naïve",
                                       "%_",
                                       "a#2"};
    struct store *s = test_store();
    struct hyper h;
    struct run_new n = {.h = &h};
    struct run r;
    int64_t id;
    size_t i;

    test_run(s, "one");
    OK(hyper_preset("ann", &h, e));
    n.dataset_id = 1;
    n.name = "one";
    FAILS(ERR_USAGE, "already", store_run_insert(s, &n, &id, e));
    for (i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        n.name = BAD[i];
        FAILS(ERR_USAGE, "name: ", store_run_insert(s, &n, &id, e));
    }
    for (i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        n.name = GOOD[i];
        OK(store_run_insert(s, &n, &id, e));
        OK(store_run_get(s, id, &r, e));
        ck_assert_str_eq(r.name, GOOD[i]);
    }
    n.name = "tagged";
    n.tags = (const char *const[]){"ok", "not ok"};
    n.n_tags = 2;
    FAILS(ERR_USAGE, "tag: ", store_run_insert(s, &n, &id, e));
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run"), "8");
    store_close(s);
}
END_TEST

START_TEST(wrong_moments)
{
    struct store *s = test_store();
    static const char *const KERNELS[] = {"scalar", NULL};
    struct claim c = {1, {"scalar", "0", "gcc", "h", 1, 1}, KERNELS};
    int64_t id = test_run(s, "one"), got;
    struct run r;

    FAILS(ERR_LOST, "run 1 is not this worker's",
          store_run_end(s, id, "finished", "", NULL, e));
    test_start(s, id);
    FAILS(ERR_FAIL, "run 1 is running, not queued",
          store_claim(s, &c, &got, e));
    c.run = 9;
    FAILS(ERR_NOTFOUND, "no run 9", store_claim(s, &c, &got, e));
    OK(store_run_end(s, id, "failed", "diverged in epoch 1, batch 2", NULL, e));
    OK(store_run_get(s, id, &r, e));
    ck_assert_str_eq(r.error, "diverged in epoch 1, batch 2");
    ck_assert_int_eq(r.result_epoch, 0);
    ck_assert_str_eq(
        test_value(s, "SELECT coalesce(test_acc, 'none') FROM run"), "none");
    FAILS(ERR_NOTFOUND, "no result",
          store_confusion(s, id, 0, &(struct confusion){0}, e));
    FAILS(ERR_NOTFOUND, "no predictions",
          store_predictions(s, id, &(struct predictions){0}, e));
    FAILS(ERR_NOTFOUND, "no run 9", store_run_get(s, 9, &r, e));
    store_close(s);
}
END_TEST

/* A resumed run trains again what came after its checkpoint: what readers saw
 * never goes back. */
START_TEST(epochs_again)
{
    struct store *s = test_store();
    int64_t id = test_run(s, "one");

    test_start(s, id);
    test_epoch(s, id, 1, 1);
    test_epoch(s, id, 2, 5);
    test_epoch(s, id, 3, 7);
    test_epoch(s, id, 2, 5);
    ck_assert_str_eq(test_value(s, "SELECT epochs_done FROM run"), "3");
    ck_assert_str_eq(test_value(s, "SELECT test_acc FROM run"), "0.7");
    test_epoch(s, id, 3, 7);
    test_epoch(s, id, 4, 8);
    test_end(s, id, "finished", 8);
    ck_assert_str_eq(test_value(s, "SELECT epochs_done FROM run"), "4");
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM epoch"), "4");
    ck_assert_str_eq(test_value(s, "SELECT sum(count) FROM confusion"), "40");
    store_close(s);
}
END_TEST

/* While running a list shows the newest epoch; then the result's. */
START_TEST(newest_then_result)
{
    struct store *s = test_store();
    struct epoch_metrics m = {.epoch = 1,
                              .train_loss = 1,
                              .train_acc = 0.5,
                              .val_loss = 0.25,
                              .val_acc = 0.75,
                              .test_loss = INFINITY,
                              .test_acc = 1,
                              .lr = 0.1,
                              .seconds = 1,
                              .samples_per_second = 10};
    struct confusion c = {{{0}}};
    uint8_t predicted[] = {3};
    char w[] = "w";
    struct checkpoint k = {.epoch = 1,
                           .weights = w,
                           .state = w,
                           .weights_size = 1,
                           .state_size = 1};
    struct epoch_report r = {.metrics = &m,
                             .confusion = &c,
                             .predicted = predicted,
                             .n_test = 1,
                             .last = &k,
                             .best = &k,
                             .result_epoch = 1,
                             .result_val_loss = 0.25,
                             .peak_epoch = 1,
                             .peak_test_acc = 1};
    int64_t id = test_run(s, "one");

    confusion_add(&c, 3, 3);
    test_start(s, id);
    OK(store_run_epoch(s, id, &r, e));
    ck_assert_str_eq(test_value(s, "SELECT test_loss FROM epoch"), "");
    m.epoch = 2;
    m.val_loss = 0.5;
    m.val_acc = 0.25;
    r.best = NULL;
    OK(store_run_epoch(s, id, &r, e));
    ck_assert_str_eq(test_value(s, "SELECT val_acc FROM run"), "0.25");
    OK(store_run_end(s, id, "stopped", "", NULL, e));
    ck_assert_str_eq(test_value(s, "SELECT val_acc FROM run"), "0.75");
    ck_assert_str_eq(test_value(s, "SELECT result_epoch FROM run"), "1");
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM checkpoint"), "2");
    /* Running again: the newest there is, from the first moment. */
    OK(store_steer(s, &(struct run_ids){&id, 1, 1}, STEER_RESUME, 0, NULL, NULL,
                   e));
    test_start(s, id);
    ck_assert_str_eq(test_value(s, "SELECT val_acc FROM run"), "0.25");
    /* An epoch that is trained again took another time. */
    m.epoch = 1;
    m.seconds = 3;
    OK(store_run_epoch(s, id, &r, e));
    ck_assert_str_eq(test_value(s, "SELECT val_acc FROM run"), "0.25");
    ck_assert_str_eq(test_value(s, "SELECT seconds FROM run"), "4");
    store_close(s);
}
END_TEST

/* Every pair of states against the list in the design. */
START_TEST(transitions)
{
    static const char *const STATES[] = {"queued",  "running",  "paused",
                                         "stopped", "finished", "failed"};
    static const char *const ALLOWED =
        "queued>running queued>paused queued>stopped running>queued "
        "running>paused running>stopped running>finished running>failed "
        "paused>queued paused>stopped stopped>queued failed>queued ";
    struct store *s = test_store();
    char sql[400], pair[40];
    int i, j, done;

    test_run(s, "one");
    store_close(s);
    for (i = 0; i < 6; i++)
        for (j = 0; j < 6; j++) {
            snprintf(sql, sizeof(sql),
                     "DELETE FROM run WHERE id = 2;"
                     "CREATE TEMP TABLE copy AS SELECT * FROM run;"
                     "UPDATE copy SET id = 2, uuid = '%036d', name = 'two', "
                     "    status = '%s';"
                     "INSERT INTO run SELECT * FROM copy;",
                     i * 6 + j, STATES[i]);
            test_sql(sql);
            snprintf(sql, sizeof(sql),
                     "UPDATE run SET status = '%s' WHERE id = 2", STATES[j]);
            done = test_try_sql(sql);
            snprintf(pair, sizeof(pair), "%s>%s ", STATES[i], STATES[j]);
            ck_assert_msg(done == (i == j || strstr(ALLOWED, pair) != NULL),
                          "%s", pair);
        }
}
END_TEST

/* ---- no memory ----------------------------------------------------------- */

/* Fails each allocation in turn of one call, until it succeeds. */
#define EACH_ALLOCATION(call)                                           \
    do {                                                                \
        struct err oom_err = {0};                                       \
        struct err *e = &oom_err;                                       \
        int oom_rc = ERR_NOMEM;                                         \
        for (long nth = 1; oom_rc == ERR_NOMEM; nth++) {                \
            ck_assert_int_lt(nth, 1000);                                \
            mem_fail_at(nth, 1);                                        \
            oom_rc = (call);                                            \
            mem_fail_at(0, 0);                                          \
        }                                                               \
        ck_assert_msg(oom_rc == 0, "%s: %d %s", #call, oom_rc, e->msg); \
    } while (0)

static void
no_fault(const char *line, void *arg)
{
    (void)arg;
    ck_abort_msg("%s", line);
}

START_TEST(no_memory)
{
    struct store *s = NULL;
    struct hyper h;
    struct run_new n = {.name = NULL, .h = &h, .dataset_id = 1};
    struct run_query q = {0};
    struct run_ids ids = {0}, one = {(int64_t[]){1}, 1, 1};
    struct predictions p;
    struct checkpoint k;
    struct listing l;
    int64_t id;
    int changed, faults;

    OK(hyper_preset("ann", &h, e));
    EACH_ALLOCATION(store_open(test_db(), STORE_WRITE, &s, e));
    test_finished(s, "a", 2);
    EACH_ALLOCATION(store_run_insert(s, &n, &id, e));
    ck_assert_int_eq(id, 2);
    memset(&l, 0, sizeof(l));
    EACH_ALLOCATION(store_runs(s, &q, test_row, &l, e));
    EACH_ALLOCATION(store_predictions(s, 1, &p, e));
    predictions_release(&p);
    EACH_ALLOCATION(store_checkpoint(s, 1, "last", &k, e));
    checkpoint_release(&k);
    EACH_ALLOCATION(store_run_resolve(s, "1..2", &ids, e));
    ck_assert_uint_eq(ids.n, 2);
    mem_free(ids.ids);
    EACH_ALLOCATION(store_run_tag(s, &one, "t", 1, &changed, e));
    EACH_ALLOCATION(store_run_rename(s, 1, "b", e));
    EACH_ALLOCATION(store_check(s, no_fault, NULL, &faults, e));
    ck_assert_int_eq(faults, 0);
    EACH_ALLOCATION(store_backup(s, tmp_path("copy"), 0, e));
    store_close(s);
    EACH_ALLOCATION(store_open(test_db(), STORE_READ, &s, e));
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("store");

    test_case(s, "life",
              (const TTest *[]){life, fields_round_trip,
                                every_field_is_a_column, made_up_names,
                                given_names, wrong_moments, epochs_again,
                                NULL});
    test_case(s, "states",
              (const TTest *[]){newest_then_result, transitions, NULL});
    test_case(s, "memory", (const TTest *[]){no_memory, NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
