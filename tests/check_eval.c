/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "fmnist/metrics.h"
#include "support.h"

/* Class 0: 8 right, 2 taken for 1.  Class 1: 3 right, 1 taken for 0.  Class 2:
 * 5 images, all taken for 0.  No others. */
static void
fill(struct confusion *c)
{
    confusion_clear(c);
    c->count[0][0] = 8;
    c->count[0][1] = 2;
    c->count[1][0] = 1;
    c->count[1][1] = 2;
    confusion_add(c, 1, 1);
    c->count[2][0] = 5;
}

START_TEST(confusion_counts)
{
    struct confusion c;

    fill(&c);
    ck_assert_uint_eq(confusion_total(&c), 19);
    ck_assert_uint_eq(confusion_correct(&c), 11);
}
END_TEST

START_TEST(class_figures)
{
    struct confusion c;
    struct class_metrics m[N_CLASSES];

    fill(&c);
    class_metrics_of(&c, m);
    ck_assert_uint_eq(m[0].support, 10);
    ck_assert_uint_eq(m[0].predicted, 14);
    ck_assert_double_eq(m[0].precision, 8.0 / 14);
    ck_assert_double_eq(m[0].recall, 0.8);
    ck_assert_double_eq_tol(m[0].f1, 2.0 / 3, 1e-15);
    ck_assert_double_eq(m[1].precision, 0.6);
    ck_assert_double_eq(m[1].recall, 0.75);
    ck_assert_double_eq_tol(m[1].f1, 2.0 / 3, 1e-15);
    /* Never predicted. */
    ck_assert(isnan(m[2].precision));
    ck_assert_double_eq(m[2].recall, 0);
    ck_assert_double_eq(m[2].f1, 0);
    /* Not in the part. */
    ck_assert(isnan(m[9].precision) && isnan(m[9].recall) && isnan(m[9].f1));
    ck_assert_double_eq_tol(class_metrics_macro_f1(m), 4.0 / 9, 1e-15);
    confusion_clear(&c);
    class_metrics_of(&c, m);
    ck_assert(isnan(class_metrics_macro_f1(m)));
}
END_TEST

START_TEST(pairs_in_order)
{
    struct confusion_pair p[N_CLASSES * (N_CLASSES - 1)];
    struct confusion c;

    fill(&c);
    c.count[9][8] = 2;
    ck_assert_int_eq(confusion_pairs(&c, p), 4);
    ck_assert(p[0].truth == 2 && p[0].predicted == 0 && p[0].count == 5);
    ck_assert(p[1].truth == 0 && p[1].predicted == 1 && p[1].count == 2);
    ck_assert(p[2].truth == 9 && p[2].predicted == 8 && p[2].count == 2);
    ck_assert(p[3].truth == 1 && p[3].predicted == 0 && p[3].count == 1);
    memset(c.count, 1, sizeof c.count);
    ck_assert_int_eq(confusion_pairs(&c, p), 90);
    ck_assert(p[0].truth == 0 && p[0].predicted == 1);
    ck_assert(p[89].truth == 9 && p[89].predicted == 8);
}
END_TEST

START_TEST(paired_counts)
{
    const uint8_t truth[6] = {0, 1, 2, 3, 4, 5};
    const uint8_t a[6] = {0, 1, 2, 0, 0, 5};
    const uint8_t b[6] = {0, 0, 0, 3, 0, 0};
    struct paired p;

    paired_of(truth, a, b, 6, &p);
    ck_assert_uint_eq(p.both_right, 1);
    ck_assert_uint_eq(p.only_a, 3);
    ck_assert_uint_eq(p.only_b, 1);
    ck_assert_uint_eq(p.both_wrong, 1);
    ck_assert_double_eq(p.p, 0.625); /* 2 (1 + 4) / 16 */
}
END_TEST

/* Values computed in exact rational arithmetic. */
START_TEST(mcnemar_exact)
{
    static const struct {
        uint32_t a, b;
        double p;
    } known[] = {
        {0, 0, 1},
        {7, 7, 1},
        {0, 1, 1},
        {1, 0, 1},
        {0, 5, 0.0625},
        {10, 2, 0.03857421875},
        {2, 10, 0.03857421875},
        {121, 59, 4.434449263755176e-06},
        {5100, 4900, 0.04658552770494739},
        {520, 510, 0.7791639685715166},
        {6000, 4000, 1.7404316412268784e-89},
        {5001, 5000, 1},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double p = paired_mcnemar(known[i].a, known[i].b);

        ck_assert_double_eq_tol(p, known[i].p, known[i].p * 1e-11);
    }
    ck_assert(paired_mcnemar(60000, 0) == 0);
    ck_assert(paired_mcnemar(0, 1000) > 0);
}
END_TEST

START_TEST(wilson)
{
    double low, high;

    wilson_interval(0, 0, &low, &high);
    ck_assert(low == 0 && high == 1);
    wilson_interval(8, 10, &low, &high);
    ck_assert_double_eq_tol(low, 0.4901624715366418, 1e-12);
    ck_assert_double_eq_tol(high, 0.9433178485456247, 1e-12);
    wilson_interval(0, 10, &low, &high);
    ck_assert(low == 0);
    ck_assert_double_eq_tol(high, 0.2775327998628892, 1e-12);
    wilson_interval(10, 10, &low, &high);
    ck_assert(high == 1);
    ck_assert_double_eq_tol(low, 0.7224672001371106, 1e-12);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("eval");
    TCase *tc = tcase_create("metrics");

    tcase_add_test(tc, confusion_counts);
    tcase_add_test(tc, class_figures);
    tcase_add_test(tc, pairs_in_order);
    tcase_add_test(tc, paired_counts);
    tcase_add_test(tc, mcnemar_exact);
    tcase_add_test(tc, wilson);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
