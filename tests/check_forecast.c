/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/forecast.h"
#include "fmnist/sys.h"
#include "store_support.h"
#include "support.h"

static struct store *s;
static struct hyper h;
static struct forecaster *f;

static void
setup(void)
{
    tmp_setup();
    s = test_store();
    OK(hyper_preset("ann", &h, e));
}

static void
teardown(void)
{
    forecaster_free(f);
    f = NULL;
    store_close(s);
    tmp_teardown();
}

/* A run of h that took so long an epoch, with columns of its own. */
static int64_t
past(double seconds, const char *columns)
{
    int64_t id = test_run_with(s, &h, NULL);
    char sql[1000], host[80];

    sys_host(host, sizeof host);
    snprintf(sql, sizeof sql,
             "UPDATE run SET epochs_done = 4, seconds = 4 * %.17g, "
             "kernel = 'fast', host = '%s', threads = 2 WHERE id = %lld;"
             "UPDATE run SET %s WHERE id = %lld",
             seconds, host, (long long)id, *columns ? columns : "note = NULL",
             (long long)id);
    test_sql(sql);
    return id;
}

/* What runs of h are forecast to take an epoch: 20 images, 4 of them to test,
 * as test_set has them. */
static struct forecast
forecast(void)
{
    struct forecast out;
    struct forecast_task t = {.spec = h.spec,
                              .dataset_id = 1,
                              .n = {16, 0, 4},
                              .batch_size = h.batch_size,
                              .optimizer = h.optimizer,
                              .epochs = 1,
                              .threads = 2};

    forecaster_free(f);
    OK(forecaster_new(s, "fast", &f, e));
    forecast_run(f, &t, &out);
    return out;
}

static void
says(const struct forecast *out, const char *want)
{
    struct str words;

    str_init(&words);
    forecast_words(out, &words);
    ck_assert_str_eq(words.s, want);
    str_release(&words);
}

static int
near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

START_TEST(nothing_is_known)
{
    struct forecast out = forecast();

    ck_assert(isnan(out.seconds));
    ck_assert_int_eq(out.basis, FORECAST_UNKNOWN);
    says(&out, "no run has an epoch yet");
    /* A queued run says nothing. */
    test_run(s, NULL);
    out = forecast();
    ck_assert(isnan(out.seconds));
}
END_TEST

START_TEST(as_runs_like_it)
{
    struct forecast out;

    past(0.5, "");
    out = forecast();
    ck_assert(near(out.seconds, 0.5));
    ck_assert_int_eq(out.basis, FORECAST_LIKE);
    ck_assert_int_eq(out.elsewhere, 0);
    says(&out, "as run 1 took");
    past(0.7, "");
    out = forecast();
    ck_assert(near(out.seconds, 0.6));
    ck_assert_int_eq(out.newest, 2);
    says(&out, "as 2 runs of this model took");
    /* The newest five. */
    for (int i = 0; i < 5; i++) {
        past(2, "");
    }
    out = forecast();
    ck_assert(near(out.seconds, 2));
    ck_assert_int_eq(out.runs, 5);
}
END_TEST

/* From least to most like: each new run is the one that counts. */
START_TEST(the_most_alike_counts)
{
    struct hyper ann = h, wide = h, near_by = h;
    struct forecast out;

    OK(hyper_set(&wide, hyper_field("spec"), "dense 999 dense 10", e));
    OK(hyper_set(&near_by, hyper_field("spec"),
                 "dense 128 relu dense 60 relu dense 10", e));
    h = wide;
    past(1, "host = 'far away', kernel = 'slow'");
    past(2, "host = 'far away'");
    past(3, "");
    h = near_by;
    past(4, "threads = 9");
    past(5, "");
    h = ann;
    out = forecast();
    ck_assert_int_eq(out.basis, FORECAST_SCALED);
    ck_assert_int_eq(out.newest, 5);
    says(&out, "scaled from run 5, another model");
    past(6, "host = 'far away', kernel = 'slow'");
    out = forecast();
    ck_assert(near(out.seconds, 6));
    says(&out, "as run 6 took, on another machine");
    past(7, "host = 'far away'");
    ck_assert(near(forecast().seconds, 7));
    past(8, "kernel = 'slow'");
    ck_assert(near(forecast().seconds, 8));
    past(9, "threads = 9");
    ck_assert(near(forecast().seconds, 9));
    past(10, "batch_size = 32");
    ck_assert(near(forecast().seconds, 10));
    past(11, "optimizer = 'adamw'");
    ck_assert(near(forecast().seconds, 11));
    past(12, "");
    ck_assert(near(forecast().seconds, 12));
    /* None of these is more like it. */
    past(13, "optimizer = 'adam'");
    past(14, "batch_size = 32");
    past(15, "threads = 9");
    past(16, "host = 'far away'");
    ck_assert(near(forecast().seconds, 12));
}
END_TEST

/* Time goes with images times arithmetic. */
START_TEST(time_is_scaled)
{
    struct hyper ann = h;
    struct spec a, b;
    double then, now;

    OK(spec_parse("dense 40 relu dense 10", &a, e));
    OK(spec_parse(ann.spec, &b, e));
    OK(hyper_set(&h, hyper_field("spec"), "dense 40 relu dense 10", e));
    past(3, "test_fraction = 0.5, val_fraction = 0.2");
    h = ann;
    /* 20 images: 10 test, 2 choose the epoch, 8 train; 40 x 784 + 10 x 40
     * multiply-adds forward, as many for the gradient of the weights, and
     * 10 x 40 for that of the inputs of the second layer. */
    then = 8 * 2.0 * (2 * (40 * 784 + 400) + 400) + 12 * 2.0 * (40 * 784 + 400);
    now = 16 * spec_flops_train(&b) + 4 * spec_flops_forward(&b);
    ck_assert(near(forecast().seconds, 3 * now / then));
}
END_TEST

START_TEST(a_set_with_a_test_part)
{
    struct forecast with, without;

    past(3, "");
    without = forecast();
    test_sql("UPDATE dataset SET n_fixed_test = 10");
    with = forecast();
    ck_assert(with.seconds > without.seconds);
}
END_TEST

START_TEST(what_cannot_be_read_is_passed_over)
{
    struct forecast out;

    past(1, "spec = 'transformer 12'");
    past(1, "seconds = 0");
    past(1, "seconds = -4");
    past(1, "seconds = 9e999");
    past(1, "val_fraction = -1");
    past(1, "test_fraction = 9e99");
    out = forecast();
    ck_assert_int_eq(out.basis, FORECAST_UNKNOWN);
    past(2, "optimizer = 'lion', kernel = NULL, host = NULL, threads = NULL");
    out = forecast();
    ck_assert(near(out.seconds, 2));
    ck_assert_int_eq(out.elsewhere, 1);
}
END_TEST

START_TEST(makespan)
{
    const double seconds[] = {5, 3, 2, 4};

    ck_assert(near(forecast_makespan(seconds, 4, 1), 14));
    ck_assert(near(forecast_makespan(seconds, 4, 2), 9)); /* 5+4, 3+2 */
    ck_assert(near(forecast_makespan(seconds, 4, 3), 6)); /* 5, 3, 2+4 */
    ck_assert(near(forecast_makespan(seconds, 4, 100000), 5));
    ck_assert(forecast_makespan(seconds, 0, 1) == 0);
}
END_TEST

START_TEST(the_queue)
{
    struct forecast_queue q;
    int64_t id;
    char sql[300];

    h.epochs = 10;
    OK(forecaster_new(s, "fast", &f, e));
    OK(forecast_queue(f, s, 1, &q, e));
    ck_assert(q.runs == 0 && q.unknown == 0 && q.seconds == 0);
    id = test_run_with(s, &h, NULL);
    OK(forecast_queue(f, s, 1, &q, e));
    ck_assert(q.runs == 1 && q.unknown == 1 && q.seconds == 0);
    /* One that runs, 4 of 10 epochs done in 0.5 s each, is its own measure. */
    test_start(s, id);
    snprintf(sql, sizeof sql,
             "UPDATE run SET epochs_done = 4, seconds = 2, threads = 2 WHERE "
             "id = %lld",
             (long long)id);
    test_sql(sql);
    test_run_with(s, &h, NULL);
    test_run_with(s, &h, NULL);
    /* Not counted: in the trash, not queued, another's, elsewhere. */
    id = test_run_with(s, &h, NULL);
    test_run_with(s, &h, NULL);
    test_run_with(s, &h, NULL);
    test_run_with(s, &h, NULL);
    snprintf(sql, sizeof sql,
             "UPDATE run SET deleted_at = 'x' WHERE id = %lld;"
             "UPDATE run SET status = 'paused' WHERE id = %lld + 1;"
             "UPDATE run SET user = 'nobody' WHERE id = %lld + 2;"
             "UPDATE run SET engine = 'slurm' WHERE id = %lld + 3",
             (long long)id, (long long)id, (long long)id, (long long)id);
    test_sql(sql);
    forecaster_free(f);
    OK(forecaster_new(s, "fast", &f, e));
    OK(forecast_queue(f, s, 1, &q, e));
    ck_assert_int_eq(q.runs, 3);
    ck_assert_int_eq(q.unknown, 0);
    ck_assert_msg(near(q.seconds, 6 * 0.5 + 2 * 10 * 0.5), "%g", q.seconds);
    OK(forecast_queue(f, s, 2, &q, e));
    ck_assert_msg(near(q.seconds, 6 * 0.5 + 10 * 0.5), "%g", q.seconds);
    OK(forecast_queue(f, s, 3, &q, e));
    ck_assert_msg(near(q.seconds, 10 * 0.5), "%g", q.seconds);
    /* Two that run have a worker each, whatever the caller thinks. */
    test_start(s, 2);
    OK(forecast_queue(f, s, 1, &q, e));
    ck_assert_msg(near(q.seconds, 6 * 0.5 + 10 * 0.5), "%g", q.seconds);
    /* What cannot be is not counted. */
    test_sql("UPDATE run SET test_fraction = -1 WHERE id = 3;"
             "UPDATE run SET epochs_done = 11 WHERE id = 1");
    OK(forecast_queue(f, s, 1, &q, e));
    ck_assert_int_eq(q.unknown, 2);
    ck_assert_msg(near(q.seconds, 10 * 0.5), "%g", q.seconds);
}
END_TEST

/* A database that is only read is enough. */
START_TEST(read_only)
{
    past(0.5, "");
    store_close(s);
    OK(store_open(test_db(), STORE_READ, &s, e));
    ck_assert(near(forecast().seconds, 0.5));
}
END_TEST

/* What each part of a run adds; that the sum is what a database grows by is
 * tested on real runs, in tests/cli/queue.sh. */
START_TEST(bytes)
{
    const uint32_t n[N_PARTS] = {4800, 0, 1200},
                   more[N_PARTS] = {4800, 0, 1300};
    const double ann = 4.0 * 109386;
    double plain = forecast_bytes(&h, n);
    struct hyper x = h;

    ck_assert(plain > ann + 1200 * 100 && plain < 1.1 * ann + 600000);
    x.momentum = 0.9;
    ck_assert(fabs(forecast_bytes(&x, n) - plain - ann) < 2 * 4096);
    x = h;
    x.optimizer = OPTIM_ADAM;
    ck_assert(fabs(forecast_bytes(&x, n) - plain - 2 * ann) < 2 * 4096);
    x = h;
    x.val_fraction = 0.1;
    ck_assert(fabs(forecast_bytes(&x, n) - plain - ann) < 2 * 4096);
    x = h;
    x.epochs = 200;
    ck_assert(forecast_bytes(&x, n) - plain > 100 * 1200);
    ck_assert(forecast_bytes(&h, more) > plain);
    ck_assert(forecast_image_bytes(1200) > 1200 * 784);
    memcpy(x.spec, "dense", sizeof "dense");
    ck_assert(isnan(forecast_bytes(&x, n)));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("forecast");
    TCase *tc = tcase_create("forecast");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nothing_is_known);
    tcase_add_test(tc, as_runs_like_it);
    tcase_add_test(tc, the_most_alike_counts);
    tcase_add_test(tc, time_is_scaled);
    tcase_add_test(tc, a_set_with_a_test_part);
    tcase_add_test(tc, what_cannot_be_read_is_passed_over);
    tcase_add_test(tc, makespan);
    tcase_add_test(tc, the_queue);
    tcase_add_test(tc, read_only);
    tcase_add_test(tc, bytes);
    suite_add_tcase(suite, tc);
    return run_suites(suite, NULL);
}
