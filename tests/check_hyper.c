/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/hyper.h"
#include "support.h"

static void
preset(struct hyper *h, const char *name)
{
    struct err e = {0};

    ck_assert_msg(hyper_preset(name, h, &e) == 0, "%s", e.msg);
}

static void
set(struct hyper *h, const char *name, const char *text)
{
    const struct hyper_field *f = hyper_field(name);
    struct err e = {0};

    ck_assert_ptr_nonnull(f);
    ck_assert_msg(hyper_set(h, f, text, &e) == 0, "%s", e.msg);
}

static void
check_ok(struct hyper *h)
{
    struct err e = {0};

    ck_assert_msg(hyper_check(h, &e) == 0, "%s", e.msg);
}

/* Setting fails with this message, and changes nothing. */
static void
refused(const char *name, const char *text, const char *message)
{
    const struct hyper_field *f = hyper_field(name);
    struct hyper h, before;
    struct err e = {0};

    preset(&h, "cnn");
    before = h;
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(hyper_set(&h, f, text, &e), ERR_USAGE);
    ck_assert_int_eq(e.code, ERR_USAGE);
    ck_assert_str_eq(e.msg, message);
    ck_assert(!memcmp(&h, &before, sizeof h));
}

START_TEST(presets)
{
    struct hyper h;
    struct err e = {0};

    preset(&h, "ann");
    ck_assert_str_eq(h.preset, "ann");
    ck_assert_str_eq(h.spec, "flatten dense 128 relu dense 64 relu dense 10");
    ck_assert_int_eq(h.optimizer, OPTIM_SGD);
    ck_assert_int_eq(h.epochs, 100);
    ck_assert_int_eq(h.batch_size, 64);
    ck_assert(h.lr == 0.001 && h.test_fraction == 0.2 && h.dropout == 0);
    ck_assert_str_eq(hyper_model(&h), "ann");
    check_ok(&h);
    preset(&h, "cnn");
    ck_assert_int_eq(h.optimizer, OPTIM_ADAM);
    ck_assert(h.dropout == 0.4);
    ck_assert_str_eq(hyper_model(&h), "cnn");
    ck_assert_str_eq(h.augment, "none");
    ck_assert_str_eq(h.precision, "fp32");
    check_ok(&h);
    ck_assert_int_eq(hyper_preset("rnn", &h, &e), ERR_USAGE);
    ck_assert_str_eq(e.msg, "--preset: expected ann or cnn, found \"rnn\"");
    ck_assert_str_eq(h.preset, "cnn");
}
END_TEST

START_TEST(names_of_fields)
{
    const struct hyper_field *f = hyper_field("batch_size");

    ck_assert_int_eq(hyper_n_fields(), 22);
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_eq(hyper_field("batch-size"), f);
    ck_assert_ptr_eq(hyper_field("--batch-size"), f);
    ck_assert_ptr_null(hyper_field("--batch_size"));
    ck_assert_ptr_null(hyper_field("batch"));
    ck_assert_ptr_null(hyper_field("batch-size-"));
    ck_assert_ptr_null(hyper_field(""));
    ck_assert_ptr_null(hyper_field("--"));
    ck_assert_ptr_null(hyper_field("--precision"));
    ck_assert_ptr_nonnull(hyper_field("precision"));
    for (int i = 0; i < hyper_n_fields(); i++) {
        f = &HYPER_FIELDS[i];
        ck_assert_ptr_eq(hyper_field(f->column), f);
        ck_assert(!f->option || hyper_field(f->option) == f);
        ck_assert(!f->arg == (f->type == HYPER_FLAG || !f->option));
        ck_assert_ptr_nonnull(f->help);
    }
}
END_TEST

/* The tables of nn and of this layer name the same things. */
START_TEST(choices_agree)
{
    const struct hyper_field *o = hyper_field("optimizer");
    const struct hyper_field *s = hyper_field("schedule");

    for (int i = 0; i < N_OPTIMIZERS; i++) {
        ck_assert_str_eq(o->choices[i], OPTIM_NAMES[i]);
    }
    ck_assert_ptr_null(o->choices[N_OPTIMIZERS]);
    for (int i = 0; i < N_SCHEDULES; i++) {
        ck_assert_str_eq(s->choices[i], SCHED_NAMES[i]);
    }
    ck_assert_ptr_null(s->choices[N_SCHEDULES]);
}
END_TEST

/* Sets a field, and expects to read `back` from it. */
static void
round_trip(const char *name, const char *text, const char *back)
{
    const struct hyper_field *f = hyper_field(name);
    struct hyper h, again;
    struct str got;

    preset(&h, "cnn");
    set(&h, name, text);
    str_init(&got);
    hyper_get(&h, f, &got);
    ck_assert_str_eq(got.s, back);
    again = h;
    set(&again, name, got.s);
    ck_assert(!memcmp(&h, &again, sizeof h));
    str_release(&got);
}

START_TEST(values_round_trip)
{
    round_trip("preset", "ann", "ann");
    round_trip("spec", "dense  32 relu dense 10",
               "flatten dense 32 relu dense 10");
    round_trip("epochs", "100000", "100000");
    round_trip("batch_size", "+7", "7");
    round_trip("lr", "1e-3", "0.001");
    round_trip("lr", "0.1", "0.1");
    round_trip("lr", "0.30000000000000004", "0.30000000000000004");
    round_trip("lr", "1000", "1000");
    round_trip("optimizer", "adamw", "adamw");
    round_trip("momentum", "0.9", "0.9");
    round_trip("nesterov", "1", "1");
    round_trip("weight_decay", "-0", "0");
    round_trip("dropout", "0.25", "0.25");
    round_trip("schedule", "onecycle", "onecycle");
    round_trip("warmup", "5", "5");
    round_trip("step_size", "30", "30");
    round_trip("gamma", "0.5", "0.5");
    round_trip("augment", "erase:4+shift:2", "shift:2+erase:4");
    round_trip("augment", "", "none");
    round_trip("label_smoothing", "0.05", "0.05");
    round_trip("seed", "9007199254740991", "9007199254740991");
    round_trip("split_seed", "0", "0");
    round_trip("test_fraction", ".5", "0.5");
    round_trip("val_fraction", "0.1", "0.1");
    round_trip("patience", "10", "10");
    round_trip("precision", "fp32", "fp32");
}
END_TEST

START_TEST(values_refused)
{
    refused("lr", "nan",
            "--lr: expected a number above 0 and at most 1000, "
            "found \"nan\"");
    refused("lr", "0",
            "--lr: expected a number above 0 and at most 1000, "
            "found \"0\"");
    refused("lr", "1000.1",
            "--lr: expected a number above 0 and at most "
            "1000, found \"1000.1\"");
    refused("lr", "inf",
            "--lr: expected a number above 0 and at most 1000, "
            "found \"inf\"");
    refused("lr", "0x10",
            "--lr: expected a number above 0 and at most 1000, "
            "found \"0x10\"");
    refused("lr", "",
            "--lr: expected a number above 0 and at most 1000, "
            "found \"\"");
    refused("epochs", "0",
            "--epochs: expected a whole number from 1 to "
            "100000, found \"0\"");
    refused("epochs", "1.5",
            "--epochs: expected a whole number from 1 to "
            "100000, found \"1.5\"");
    refused("batch-size", "-1",
            "--batch-size: expected a whole number from 1 "
            "to 65536, found \"-1\"");
    refused("seed", "9007199254740992",
            "--seed: expected a whole number from 0 to 9007199254740991, "
            "found \"9007199254740992\"");
    refused("momentum", "1",
            "--momentum: expected a number of at least 0 and "
            "below 1, found \"1\"");
    refused("dropout", "-0.1",
            "--dropout: expected a number of at least 0 "
            "and below 1, found \"-0.1\"");
    refused("optimizer", "rmsprop",
            "--optimizer: expected sgd, adam or "
            "adamw, found \"rmsprop\"");
    refused("schedule", "",
            "--schedule: expected constant, step, cosine or "
            "onecycle, found \"\"");
    refused("nesterov", "yes", "--nesterov: expected 0 or 1, found \"yes\"");
    refused("preset", "", "--preset: expected ann or cnn, found \"\"");
    refused("precision", "fp16", "precision: expected fp32, found \"fp16\"");
}
END_TEST

/* Messages of other layers get the option's name. */
START_TEST(texts_refused)
{
    struct hyper h;
    struct err e = {0};

    preset(&h, "ann");
    ck_assert_int_eq(hyper_set(&h, hyper_field("spec"), "dense 9", &e),
                     ERR_USAGE);
    ck_assert_int_eq(strncmp(e.msg, "--spec: ", 8), 0);
    ck_assert_int_eq(hyper_set(&h, hyper_field("augment"), "twist:9", &e),
                     ERR_USAGE);
    ck_assert_int_eq(strncmp(e.msg, "--augment: ", 11), 0);
}
END_TEST

START_TEST(spec_and_preset)
{
    struct hyper h;

    preset(&h, "cnn");
    set(&h, "dropout", "0.1");
    ck_assert_str_eq(h.preset, "cnn");
    ck_assert_ptr_nonnull(strstr(h.spec, "dropout 0.1 dense 64"));
    set(&h, "spec", spec_preset("cnn"));
    ck_assert_str_eq(h.preset, "cnn");
    ck_assert(h.dropout == 0.4);
    set(&h, "spec", "dense 20 relu dropout 0.2 dense 10");
    ck_assert_str_eq(h.preset, "");
    ck_assert(h.dropout == 0.2);
    ck_assert_int_eq(h.optimizer, OPTIM_ADAM);
    check_ok(&h);
    /* Several rates stay, until one is asked for. */
    set(&h, "spec", "dense 20 dropout 0.2 dense 20 dropout 0.5 dense 10");
    ck_assert(h.dropout == 0.5);
    check_ok(&h);
    ck_assert_ptr_nonnull(strstr(h.spec, "dropout 0.2"));
    set(&h, "dropout", "0.5");
    check_ok(&h);
    ck_assert_ptr_null(strstr(h.spec, "dropout 0.2"));
    /* A field that was set directly. */
    h.dropout = 0.3;
    check_ok(&h);
    ck_assert_ptr_nonnull(strstr(h.spec, "dense 20 dropout 0.3 dense 10"));
}
END_TEST

/* Field by field, then all together. */
static void
contradicts(const char *message, const char *const *pairs)
{
    struct hyper h;
    struct err e = {0};

    preset(&h, "ann");
    for (; pairs[0]; pairs += 2) {
        set(&h, pairs[0], pairs[1]);
    }
    ck_assert_int_eq(hyper_check(&h, &e), ERR_USAGE);
    ck_assert_msg(!strncmp(e.msg, message, strlen(message)), "%s", e.msg);
}

#define CONTRADICTS(message, ...) \
    contradicts(message, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(contradictions)
{
    struct hyper h;
    struct err e = {0};

    CONTRADICTS("--momentum: adam ", "optimizer", "adam", "momentum", "0.9");
    CONTRADICTS("--nesterov: ", "nesterov", "1");
    CONTRADICTS("--patience: needs a validation part", "patience", "3");
    CONTRADICTS("--warmup: 5 epochs ", "warmup", "5", "epochs", "5");
    CONTRADICTS("--schedule step: needs --step-size", "schedule", "step");
    CONTRADICTS("--step-size: has no effect", "step_size", "3");
    CONTRADICTS("--gamma: has no effect", "gamma", "0.5");
    CONTRADICTS("--dropout: has no effect", "dropout", "0.5");
    preset(&h, "ann");
    h.lr = NAN;
    ck_assert_int_eq(hyper_check(&h, &e), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "--lr: expected"));
    preset(&h, "ann");
    h.optimizer = 3;
    ck_assert_int_eq(hyper_check(&h, &e), ERR_USAGE);
    preset(&h, "ann");
    h.nesterov = -1;
    ck_assert_int_eq(hyper_check(&h, &e), ERR_USAGE);
    preset(&h, "ann");
    strcpy(h.spec, "dense");
    ck_assert_int_eq(hyper_check(&h, &e), ERR_USAGE);
}
END_TEST

static void
says(const struct hyper *h, const char *command, const char *name)
{
    struct str b;

    str_init(&b);
    hyper_command(h, &b);
    ck_assert_str_eq(b.s, command);
    str_clear(&b);
    hyper_name(h, &b);
    ck_assert_str_eq(b.s, name);
    str_release(&b);
}

START_TEST(commands_and_names)
{
    struct hyper h;

    preset(&h, "ann");
    says(&h, "--preset ann", "ann");
    set(&h, "batch_size", "32");
    set(&h, "seed", "2");
    says(&h, "--preset ann --batch-size 32 --seed 2", "ann batch 32 seed 2");
    preset(&h, "cnn");
    h.test_fraction = 0; /* a set with test files of its own */
    set(&h, "dropout", "0.1");
    set(&h, "optimizer", "sgd");
    set(&h, "momentum", "0.9");
    set(&h, "nesterov", "1");
    set(&h, "augment", "flip");
    says(&h,
         "--preset cnn --optimizer sgd --momentum 0.9 --nesterov --dropout 0.1"
         " --augment flip",
         "cnn sgd momentum 0.9 nesterov dropout 0.1 flip");
    preset(&h, "ann");
    set(&h, "spec",
        "conv 8x3 relu pool 2 conv 16x3 relu pool 2 dense 50 relu dropout 0.5 "
        "dense 10");
    says(&h,
         "--spec 'conv 8x3 relu pool 2 conv 16x3 relu pool 2 flatten dense 50 "
         "relu dropout 0.5 dense 10'",
         "cnn 8-16/50");
    set(&h, "spec", "dense 10");
    says(&h, "--spec 'flatten dense 10'", "ann");
}
END_TEST

START_TEST(long_names_are_cut)
{
    struct hyper h;
    struct str b;

    preset(&h, "cnn");
    for (int i = 2; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        double tiny = 0.12345678901234567;
        long long big = 9007199254740991;

        if (f->type == HYPER_REAL) {
            memcpy((char *)&h + f->offset, &tiny, sizeof tiny);
        } else if (f->type == HYPER_INT) {
            memcpy((char *)&h + f->offset, &big, sizeof big);
        }
    }
    str_init(&b);
    hyper_name(&h, &b);
    ck_assert_uint_le(b.len, 100);
    ck_assert_uint_gt(b.len, 70);
    ck_assert_uint_eq(strlen(b.s), b.len);
    str_release(&b);
}
END_TEST

/* The model of `from`, changed so, is `spec`. */
static void
becomes(const struct hyper *from, const struct hyper_model *m, const char *spec,
        const char *preset_name, int optimizer)
{
    struct hyper h = *from;
    struct err e = {0};

    ck_assert_msg(hyper_set_model(&h, m, &e) == 0, "%s", e.msg);
    ck_assert_str_eq(h.spec, spec);
    ck_assert_str_eq(h.preset, preset_name);
    ck_assert_int_eq(h.optimizer, optimizer);
    ck_assert_int_eq(h.seed, from->seed);
    ck_assert(h.lr == from->lr);
    check_ok(&h);
}

START_TEST(models_change)
{
    const struct hyper_model none = {0};
    struct hyper h, small;

    preset(&h, "ann");
    set(&h, "seed", "9");
    set(&h, "lr", "0.5");
    becomes(&h, &none, spec_preset("ann"), "ann", OPTIM_SGD);
    becomes(&h, &(struct hyper_model){.preset = "cnn"}, spec_preset("cnn"),
            "cnn", OPTIM_ADAM);
    becomes(&h, &(struct hyper_model){.spec = "dense 10"}, "flatten dense 10",
            "", OPTIM_SGD);
    becomes(&h, &(struct hyper_model){.hidden = "7"},
            "flatten dense 7 relu dense 10", "", OPTIM_SGD);
    becomes(&h, &(struct hyper_model){.preset = "cnn", .hidden = "7"},
            "conv 32x3 relu bn pool 2 conv 64x3 relu bn pool 2 flatten "
            "dense 7 relu dropout 0.4 dense 10",
            "", OPTIM_ADAM);
    /* Widths that are not given stay, as does the rate of dropout. */
    preset(&small, "cnn");
    set(&small, "optimizer", "sgd");
    set(&small, "dropout", "0.25");
    ck_assert_int_eq(
        hyper_set_model(&small, &(struct hyper_model){.filters = "8"}, NULL),
        0);
    becomes(&small, &(struct hyper_model){.hidden = "5"},
            "conv 8x3 relu bn pool 2 flatten dense 5 relu dropout 0.25 "
            "dense 10",
            "", OPTIM_SGD);
    becomes(&small,
            &(struct hyper_model){.hidden = "128-64", .filters = "32-64"},
            "conv 32x3 relu bn pool 2 conv 64x3 relu bn pool 2 flatten "
            "dense 128 relu dropout 0.25 dense 64 relu dropout 0.25 dense 10",
            "", OPTIM_SGD);
}
END_TEST

START_TEST(models_refused)
{
    static const struct {
        struct hyper_model m;
        const char *message;
    } cases[] = {
        {{.spec = "dense 10", .hidden = "7"}, "--spec describes the whole"},
        {{.spec = "dense 10", .preset = "ann"}, "--spec describes the whole"},
        {{.preset = "vgg"}, "--preset: expected ann or cnn"},
        {{.preset = "ann", .filters = "8"}, "--filters: the preset ann has no"},
        {{.hidden = "7"}, "--hidden: the model is none of a preset"},
        {{.filters = "7"}, "--filters: the model is none of a preset"},
        {{.preset = "ann", .hidden = "7x"},
         "--hidden: expected widths joined by \"-\", such as 128-64, found "
         "\"7x\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hyper h, before;
        struct err e = {0};

        preset(&h, "ann");
        set(&h, "spec", "dense 5 dense 10");
        before = h;
        ck_assert_int_eq(hyper_set_model(&h, &cases[i].m, &e), ERR_USAGE);
        ck_assert_msg(
            !strncmp(e.msg, cases[i].message, strlen(cases[i].message)), "%s",
            e.msg);
        ck_assert(!memcmp(&h, &before, sizeof h));
    }
}
END_TEST

START_TEST(every_field_tells_runs_apart)
{
    struct hyper a, b;

    preset(&a, "cnn");
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];

        preset(&b, "cnn");
        memset(b.spec + strlen(b.spec) + 1, 'x', 5);
        ck_assert(hyper_same(&a, &b) && hyper_same(&b, &a));
        *((char *)&b + f->offset) ^= 1;
        ck_assert_msg(hyper_same(&a, &b) == !strcmp(f->column, "preset"), "%s",
                      f->column);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("hyper");
    TCase *tc = tcase_create("hyper");

    tcase_add_test(tc, presets);
    tcase_add_test(tc, names_of_fields);
    tcase_add_test(tc, choices_agree);
    tcase_add_test(tc, values_round_trip);
    tcase_add_test(tc, values_refused);
    tcase_add_test(tc, texts_refused);
    tcase_add_test(tc, spec_and_preset);
    tcase_add_test(tc, contradictions);
    tcase_add_test(tc, commands_and_names);
    tcase_add_test(tc, long_names_are_cut);
    tcase_add_test(tc, models_change);
    tcase_add_test(tc, models_refused);
    tcase_add_test(tc, every_field_tells_runs_apart);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
