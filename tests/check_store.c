/* SPDX-License-Identifier: MIT */
/* The life of runs in the database, and how they are listed. */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "store_support.h"
#include "support.h"

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
    ck_assert_int_eq(r.epochs_done, 3);
    ck_assert_int_eq(r.result_epoch, 3);
    ck_assert_str_eq(r.kernel, "scalar");
    ck_assert_int_eq(r.threads, 2);
    ck_assert_str_eq(r.h.preset, "ann");
    ck_assert_int_eq(r.h.epochs, 100);
    ck_assert_double_eq(r.h.lr, 0.001);
    ck_assert_str_eq(test_value(s, "SELECT test_acc FROM run_summary"), "0.3");
    ck_assert_str_eq(test_value(s, "SELECT seconds FROM run_summary"), "1.5");
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

static Suite *
suite(void)
{
    Suite *s = suite_create("store");
    TCase *tc = tcase_create("life");

    tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
    tcase_add_test(tc, life);
    suite_add_tcase(s, tc);
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
