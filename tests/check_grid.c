/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/grid.h"
#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "support.h"

#define N(list) ((int)(sizeof(list) / sizeof(list)[0]))

static struct hyper base;
static struct grid g;
static struct str text;

static void
setup(void)
{
    ck_assert_int_eq(hyper_preset("ann", &base, NULL), 0);
    str_init(&text);
}

static void
teardown(void)
{
    grid_release(&g);
    str_release(&text);
}

static int
expand(const struct grid_option *options, int n, long long draws, uint64_t seed,
       struct err *e)
{
    const struct grid_request q = {.base = &base,
                                   .data = "small",
                                   .options = options,
                                   .n_options = n,
                                   .draws = draws,
                                   .seed = seed};

    grid_release(&g);
    return grid_add(&g, &q, e);
}

static void
expands(const struct grid_option *options, int n, long long draws,
        uint64_t seed)
{
    struct err e = {0};

    ck_assert_msg(expand(options, n, draws, seed, &e) == 0, "%s", e.msg);
    for (size_t i = 0; i < g.n; i++) {
        struct hyper h = g.runs[i].h;

        ck_assert_int_ge(g.runs[i].set, 0);
        ck_assert_int_lt(g.runs[i].set, g.n_sets);
        ck_assert_int_eq(hyper_check(&h, NULL), 0);
        ck_assert(!memcmp(&h, &g.runs[i].h, sizeof h));
    }
}

/* "0.1/2 0.1/3 …": these fields of every run. */
static const char *
listing(const char *const *columns, int n)
{
    str_clear(&text);
    for (size_t i = 0; i < g.n; i++) {
        for (int k = 0; k < n; k++) {
            str_add(&text, k ? "/" : i ? " " : "");
            hyper_get(&g.runs[i].h, hyper_field(columns[k]), &text);
        }
    }
    ck_assert(!str_failed(&text));
    return text.s;
}

/* One option gives these values of its field. */
static void
values(const char *name, const char *list, const char *want)
{
    const struct grid_option o = {name, list, 0};
    const char *const column[] = {name};

    expands(&o, 1, 0, 0);
    ck_assert_str_eq(listing(column, 1), want);
}

START_TEST(lists_and_ranges)
{
    values("lr", "0.01,0.001", "0.01 0.001");
    values("lr", "1e-2", "0.01");
    values("seed", "1..5", "1 2 3 4 5");
    values("seed", "3..3", "3");
    values("seed", "7,1..3,20..30:5", "7 1 2 3 20 25 30");
    values("batch-size", "10..35:10", "10 20 30");
    values("optimizer", "adamw,sgd", "adamw sgd");
    values("augment", "none,shift:2+flip", "none shift:2+flip");
    values("seed", "9007199254740990..9007199254740991",
           "9007199254740990 9007199254740991");
}
END_TEST

START_TEST(first_varies_slowest)
{
    const struct grid_option o[] = {
        {"lr", "0.1,0.2", 0}, {"seed", "1..2", 0}, {"batch-size", "8,16", 0}};
    const char *const columns[] = {"lr", "seed", "batch_size"};

    expands(o, N(o), 0, 0);
    ck_assert_str_eq(listing(columns, N(columns)),
                     "0.1/1/8 0.1/1/16 0.1/2/8 0.1/2/16 "
                     "0.2/1/8 0.2/1/16 0.2/2/8 0.2/2/16");
    ck_assert_uint_eq(g.repeated, 0);
    ck_assert_int_eq(g.n_sets, 1);
    ck_assert_str_eq(g.sets[0], "small");
}
END_TEST

START_TEST(no_options_are_one_run)
{
    base.lr = 0.5;
    expands(NULL, 0, 0, 0);
    ck_assert_uint_eq(g.n, 1);
    ck_assert(hyper_same(&g.runs[0].h, &base));
}
END_TEST

/* Options of the model come first wherever they stand. */
START_TEST(models_vary)
{
    const struct grid_option presets[] = {{"optimizer", "sgd", 0},
                                          {"preset", "ann,cnn", 0}},
                             hidden[] = {{"hidden", "128-64,256", 0}},
                             filters[] = {{"dropout", "0.1", 0},
                                          {"preset", "cnn", 0},
                                          {"filters", "8,16", 0}},
                             specs[] = {
                                 {"spec", "dense 10,dense 5 dense 10", 0}};
    const char *const columns[] = {"spec", "optimizer"}, *const spec[] = {
                                                             "spec"};

    expands(presets, N(presets), 0, 0);
    str_clear(&text);
    ck_assert_uint_eq(g.n, 2);
    ck_assert_str_eq(g.runs[0].h.preset, "ann");
    ck_assert_str_eq(g.runs[1].h.preset, "cnn");
    ck_assert_int_eq(g.runs[1].h.optimizer, OPTIM_SGD);
    expands(hidden, N(hidden), 0, 0);
    ck_assert_str_eq(listing(columns, N(columns)),
                     "flatten dense 128 relu dense 64 relu dense 10/sgd "
                     "flatten dense 256 relu dense 10/sgd");
    ck_assert_str_eq(g.runs[0].h.preset, "ann");
    expands(filters, N(filters), 0, 0);
    ck_assert_ptr_nonnull(strstr(g.runs[1].h.spec, "conv 16x3"));
    ck_assert_ptr_nonnull(strstr(g.runs[1].h.spec, "dropout 0.1"));
    expands(specs, N(specs), 0, 0);
    ck_assert_str_eq(listing(spec, 1),
                     "flatten dense 10 flatten dense 5 dense 10");
}
END_TEST

START_TEST(sets_vary)
{
    const struct grid_option two[] = {{"data", "full,a/b.csv", 0},
                                      {"seed", "1,2", 0}},
                             one[] = {{"data", "a,b.csv", 1}};

    expands(two, N(two), 0, 0);
    ck_assert_uint_eq(g.n, 4);
    ck_assert_int_eq(g.n_sets, 2);
    ck_assert_str_eq(g.sets[g.runs[1].set], "full");
    ck_assert_str_eq(g.sets[g.runs[2].set], "a/b.csv");
    expands(one, N(one), 0, 0);
    ck_assert_uint_eq(g.n, 1);
    ck_assert_str_eq(g.sets[0], "a,b.csv");
}
END_TEST

/* Equal runs are made once, however they are typed. */
START_TEST(repetitions_are_left_out)
{
    const struct grid_option o[] = {{"lr", "0.1,1e-1,0.2", 0},
                                    {"spec", "dense 10,flatten dense 10", 0},
                                    {"data", "small,full,small", 0}};

    expands(o, N(o), 0, 0);
    ck_assert_uint_eq(g.n, 4);
    ck_assert_uint_eq(g.repeated, 14);
}
END_TEST

/* A second request adds what is new, and keeps what is there. */
START_TEST(requests_add_up)
{
    const struct grid_option o[] = {{"lr", "0.1,0.2", 0}};
    const char *const columns[] = {"lr", "seed"};
    struct grid_request q = {
        .base = &base, .data = "small", .options = o, .n_options = N(o)};
    struct hyper second = base;
    struct err e = {0};

    ck_assert_int_eq(grid_add(&g, &q, &e), 0);
    second.seed = 2;
    q.base = &second;
    ck_assert_int_eq(grid_add(&g, &q, &e), 0);
    ck_assert_int_eq(grid_add(&g, &q, &e), 0);
    ck_assert_str_eq(listing(columns, N(columns)), "0.1/1 0.2/1 0.1/2 0.2/2");
    ck_assert_uint_eq(g.repeated, 2);
    ck_assert_int_eq(g.requests, 3);
    ck_assert_int_eq(g.runs[1].request, 0);
    ck_assert_int_eq(g.runs[2].request, 1);
    q.data = "full";
    ck_assert_int_eq(grid_add(&g, &q, &e), 0);
    ck_assert_uint_eq(g.n, 6);
    q.draws = GRID_MAX_RUNS - 5;
    ck_assert_int_eq(grid_add(&g, &q, &e), ERR_USAGE);
    ck_assert_str_eq(e.msg,
                     "these are 10001 runs; one call makes 10000 at most");
}
END_TEST

START_TEST(flags_are_0_and_1)
{
    const struct grid_option o[] = {{"momentum", "0.9", 0},
                                    {"nesterov", "0,1", 0}};
    const char *const column[] = {"nesterov"};

    expands(o, N(o), 0, 0);
    ck_assert_str_eq(listing(column, 1), "0 1");
}
END_TEST

#define WHOLE_RANGE "expected a range such as 1..5, 10..50:10 or 16..512:log"
#define REAL_RANGE "expected a range such as 0.1..0.5 or 1e-4..1e-1:log"
#define A_SEED "expected a whole number from 0 to 9007199254740991"
#define ANY_SEED "0..9007199254740991"

/* Options, the number of draws, and how the message begins. */
static const struct {
    struct grid_option o[3];
    long long draws;
    const char *message;
} WRONG[] = {
    {{{"lr", "0.1,abc", 0}}, 0, "--lr: expected a number above 0 and at"},
    {{{"lr", "0.1,,0.2", 0}}, 0, "--lr: a value is empty; they stand"},
    {{{"lr", "0.1,", 0}}, 0, "--lr: a value is empty; they stand"},
    {{{"hidden", "", 0}}, 0, "--hidden: a value is empty; they stand"},
    {{{"seed", "5..1", 0}}, 0, "--seed: the range \"5..1\" must begin below"},
    {{{"seed", "1..", 0}}, 0, "--seed: " WHOLE_RANGE ", found \"1..\""},
    {{{"seed", "..5", 0}}, 0, "--seed: " WHOLE_RANGE ", found \"..5\""},
    {{{"seed", "1:2..5", 0}}, 0, "--seed: " A_SEED ", found \"1:2\""},
    {{{"seed", "1..5:0", 0}}, 0, "--seed: " WHOLE_RANGE ", found \"1..5:0\""},
    {{{"seed", "1..5:x", 0}}, 0, "--seed: " WHOLE_RANGE ", found \"1..5:x\""},
    {{{"seed", "1.5..3", 0}}, 0, "--seed: " A_SEED ", found \"1.5\""},
    {{{"epochs", "0..3", 0}}, 0, "--epochs: expected a whole number from 1 to"},
    {{{"epochs", "1..3:log", 0}},
     0,
     "--epochs: \"1..3:log\" can only be drawn"},
    {{{"lr", "0.1..0.5", 0}}, 0, "--lr: \"0.1..0.5\" can only be drawn from"},
    {{{"lr", "0..0.5", 0}}, 5, "--lr: expected a number above 0 and at most"},
    {{{"lr", "0.5..0.5", 0}}, 5, "--lr: the range \"0.5..0.5\" must begin"},
    {{{"lr", "0.1..0.5:2", 0}},
     5,
     "--lr: " REAL_RANGE ", found \"0.1..0.5:2\""},
    {{{"weight-decay", "0..0.5:log", 0}},
     5,
     "--weight-decay: \"0..0.5:log\" has no logarithm: both ends must be"},
    {{{"lr", "0.1..0.5,1", 0}},
     5,
     "--lr: the range \"0.1..0.5\" is drawn from, so it cannot be one of"},
    {{{"optimizer", "sgd..adam", 0}}, 5, "--optimizer: expected sgd, adam or "},
    {{{"seed", "1..10001", 0}},
     0,
     "these are 10001 runs; one call makes 10000"},
    {{{"seed", ANY_SEED, 0}, {"split-seed", ANY_SEED, 0}},
     0,
     "these are 18446744073709551615 runs; one call makes 10000"},
    {{{"seed", "1..2", 0}},
     10001,
     "these are 10001 runs; one call makes 10000"},
    {{{"lr", "0.1", 0}}, 5, "--random: there is nothing to draw from; give"},
    {{{"seed", "3", 0}, {"momentum", "0,0.9", 0}, {"optimizer", "sgd,adam", 0}},
     0,
     "--momentum 0.9 --optimizer adam: --momentum: adam has no momentum"},
    {{{"momentum", "0.9", 0}, {"optimizer", "adam", 0}},
     0,
     "--momentum: adam has no momentum of its own to set; use it with"},
    {{{"hidden", "64,6x", 0}},
     0,
     "--hidden 6x: --hidden: expected widths joined by \"-\", such as"},
    {{{"preset", "ann,cnn", 0}, {"dropout", "0.2", 0}},
     0,
     "--preset ann: --dropout: has no effect, as the model has no dropout"},
};

START_TEST(refusals)
{
    const char *want = WRONG[_i].message;
    struct err e = {0};
    int n = 0;

    while (n < 3 && WRONG[_i].o[n].name) {
        n++;
    }
    ck_assert_int_eq(expand(WRONG[_i].o, n, WRONG[_i].draws, 0, &e), ERR_USAGE);
    ck_assert_msg(!strncmp(e.msg, want, strlen(want)), "%s", e.msg);
    ck_assert_ptr_null(g.runs);
    ck_assert_uint_eq(g.n, 0);
}
END_TEST

/* ---- random search ------------------------------------------------------- */

/* What a call draws is a promise: the same call makes the same runs. */
START_TEST(draws_are_what_they_were)
{
    const struct grid_option o[] = {{"lr", "1e-4..1e-1:log", 0},
                                    {"momentum", "0.1..0.5", 0},
                                    {"batch-size", "16..512:log", 0},
                                    {"seed", "1..1000000", 0},
                                    {"schedule", "constant,cosine", 0}};
    const char *const columns[] = {"lr", "momentum", "batch_size", "seed",
                                   "schedule"};

    expands(o, N(o), 4, 7);
    ck_assert_str_eq(listing(columns, N(columns)),
                     "0.00182/0.224/364/12775/cosine "
                     "0.000647/0.204/48/883773/constant "
                     "0.00315/0.426/28/264486/cosine "
                     "0.0004/0.123/162/652810/cosine");
}
END_TEST

START_TEST(draws_of_a_finite_space)
{
    const struct grid_option o[] = {{"lr", "0.1,0.2,0.3", 0},
                                    {"seed", "1..4", 0}};
    const char *const columns[] = {"lr", "seed"};

    expands(o, N(o), 5, 1);
    ck_assert_str_eq(listing(columns, N(columns)),
                     "0.3/3 0.1/4 0.1/1 0.2/3 0.1/3");
    expands(o, N(o), 5, 2);
    ck_assert_str_ne(listing(columns, N(columns)),
                     "0.3/3 0.1/4 0.1/1 0.2/3 0.1/3");
}
END_TEST

static void
all_differ(void)
{
    for (size_t i = 0; i < g.n; i++) {
        for (size_t k = 0; k < i; k++) {
            ck_assert(g.runs[i].set != g.runs[k].set ||
                      !hyper_same(&g.runs[i].h, &g.runs[k].h));
        }
    }
}

/* All there are, where more are asked for; and never one twice. */
START_TEST(draws_never_repeat)
{
    const struct grid_option twelve[] = {{"lr", "0.1,0.2,0.3", 0},
                                         {"seed", "1..4", 0}},
                             typed_twice[] = {{"lr", "0.1,1e-1,0.2", 0},
                                              {"seed", "1..4", 0}},
                             reals[] = {{"momentum", "0.1..0.2", 0}},
                             whole[] = {{"batch-size", "16..64:log", 0}},
                             huge[] = {{"seed", "0..9007199254740991", 0}};

    expands(twelve, N(twelve), 11, 3);
    ck_assert_uint_eq(g.n, 11);
    all_differ();
    expands(twelve, N(twelve), 50, 3);
    ck_assert_uint_eq(g.n, 12);
    all_differ();
    expands(typed_twice, N(typed_twice), 7, 3);
    ck_assert_uint_eq(g.n, 7);
    all_differ();
    expands(typed_twice, N(typed_twice), 9, 3);
    ck_assert_uint_eq(g.n, 8);
    /* 0.100 to 0.200 */
    expands(reals, N(reals), 2000, 3);
    ck_assert_uint_eq(g.n, 101);
    all_differ();
    expands(whole, N(whole), 2000, 3);
    ck_assert_uint_eq(g.n, 49);
    expands(huge, N(huge), 300, 3);
    ck_assert_uint_eq(g.n, 300);
    all_differ();
}
END_TEST

/* A third of 3,000 draws falls into each decade; 6 standard deviations of a
 * binomial count are 155. */
START_TEST(draws_are_spread)
{
    const struct grid_option log_lr[] = {{"lr", "1e-4..1e-1:log", 0},
                                         {"seed", "1..1000000000", 0}},
                             linear[] = {{"dropout", "0..0.75", 0},
                                         {"seed", "1..1000000000", 0}};
    int decade[3] = {0}, third[3] = {0};

    expands(log_lr, N(log_lr), 3000, 5);
    ck_assert_uint_eq(g.n, 3000);
    for (size_t i = 0; i < g.n; i++) {
        double lr = g.runs[i].h.lr;

        ck_assert(lr >= 1e-4 && lr <= 1e-1);
        decade[lr < 1e-3 ? 0 : lr < 1e-2 ? 1 : 2]++;
    }
    ck_assert_int_eq(hyper_preset("cnn", &base, NULL), 0);
    expands(linear, N(linear), 3000, 5);
    for (size_t i = 0; i < g.n; i++) {
        double v = g.runs[i].h.dropout;

        ck_assert(v >= 0 && v <= 0.75);
        third[v < 0.25 ? 0 : v < 0.5 ? 1 : 2]++;
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_le(abs(decade[i] - 1000), 155);
        ck_assert_int_le(abs(third[i] - 1000), 155);
    }
}
END_TEST

/* What is drawn for an option does not depend on the others. */
START_TEST(draws_are_of_the_option)
{
    const struct grid_option few[] = {{"lr", "1e-4..1e-1:log", 0}},
                             more[] = {{"seed", "1..1000000000", 0},
                                       {"lr", "1e-4..1e-1:log", 0},
                                       {"data", "small,full", 0}};
    const char *const column[] = {"lr"};
    char before[400];

    expands(few, N(few), 20, 11);
    snprintf(before, sizeof before, "%s", listing(column, 1));
    expands(more, N(more), 20, 11);
    ck_assert_str_eq(listing(column, 1), before);
}
END_TEST

/* A draw has few digits, reads back to itself, and keeps to its range. */
START_TEST(draws_are_short)
{
    static const struct {
        const char *name, *range;
        size_t most;
    } cases[] = {
        {"lr", "1e-4..1e-1:log", 8},       /* 0.000123 */
        {"lr", "0.99..0.999", 7},          /* 0.99123 */
        {"lr", "0.123456..0.123457", 11},  /* 0.123456123 */
        {"lr", "0.15551..0.15559:log", 7}, /* its ends only */
        {"lr", "1..1000", 4},
        {"lr", "10..20", 4}, /* 12.3 */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct grid_option o[] = {{cases[i].name, cases[i].range, 0},
                                        {"seed", "1..1000000", 0}};
        double low, high;
        char end[40];

        snprintf(end, sizeof end, "%s", cases[i].range);
        *strstr(end, "..") = '\0';
        ck_assert_int_eq(str_to_double(end, &low), 0);
        snprintf(end, sizeof end, "%s", strstr(cases[i].range, "..") + 2);
        end[strcspn(end, ":")] = '\0';
        ck_assert_int_eq(str_to_double(end, &high), 0);
        expands(o, N(o), 300, 1);
        for (size_t k = 0; k < g.n; k++) {
            double lr = g.runs[k].h.lr;

            ck_assert_msg(lr >= low && lr <= high, "%.17g", lr);
            str_clear(&text);
            hyper_get(&g.runs[k].h, hyper_field("lr"), &text);
            ck_assert_msg(text.len <= cases[i].most, "%s", text.s);
        }
    }
}
END_TEST

START_TEST(wrong_draws_name_their_values)
{
    const struct grid_option o[] = {{"momentum", "0.5..0.9", 0},
                                    {"optimizer", "sgd,adam", 0}};
    struct err e = {0};
    double v;

    ck_assert_int_eq(expand(o, N(o), 50, 0, &e), ERR_USAGE);
    ck_assert_msg(sscanf(e.msg, "--momentum %lf --optimizer adam: ", &v) == 1,
                  "%s", e.msg);
}
END_TEST

/* Every allocation may fail. */
START_TEST(memory_runs_out)
{
    const struct grid_option o[] = {{"lr", "1e-4..1e-1:log", 0},
                                    {"data", "small,full", 0},
                                    {"seed", "1..3", 0}};
    int rc = ERR_NOMEM, draws = _i ? 5 : 0;

    for (long nth = 1; rc; nth++) {
        struct err e = {0};

        mem_fail_at(nth, 1);
        rc = expand(o + !draws, N(o) - !draws, draws, 0, &e);
        mem_fail_at(0, 0);
        ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%ld: %s", nth, e.msg);
        ck_assert_int_lt(nth, 200);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("grid");
    TCase *tc = tcase_create("grid"), *draws = tcase_create("draws");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, lists_and_ranges);
    tcase_add_test(tc, first_varies_slowest);
    tcase_add_test(tc, no_options_are_one_run);
    tcase_add_test(tc, models_vary);
    tcase_add_test(tc, sets_vary);
    tcase_add_test(tc, repetitions_are_left_out);
    tcase_add_test(tc, requests_add_up);
    tcase_add_test(tc, flags_are_0_and_1);
    tcase_add_loop_test(tc, refusals, 0, N(WRONG));
    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(draws, setup, teardown);
    tcase_add_test(draws, draws_are_what_they_were);
    tcase_add_test(draws, draws_of_a_finite_space);
    tcase_add_test(draws, draws_never_repeat);
    tcase_add_test(draws, draws_are_spread);
    tcase_add_test(draws, draws_are_of_the_option);
    tcase_add_test(draws, draws_are_short);
    tcase_add_test(draws, wrong_draws_name_their_values);
    tcase_add_loop_test(draws, memory_runs_out, 0, 2);
    suite_add_tcase(s, draws);
    return run_suites(s, NULL);
}
