/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/spec.h"
#include "nn_lab.h"
#include "support.h"

static const struct {
    const char *text, *canonical;
} GOOD[] = {
    {"dense 10", "flatten dense 10"},
    {"flatten dense 10", "flatten dense 10"},
    {"  conv 32x3\tsame relu\nbn pool 2/2 dense 10 ",
     "conv 32x3 relu bn pool 2 flatten dense 10"},
    {"conv 1x1 valid dense 10", "conv 1x1 flatten dense 10"},
    {"conv 4x3 valid dense 10", "conv 4x3 valid flatten dense 10"},
    {"pool 3/2 dense 20 dense 10", "pool 3/2 flatten dense 20 dense 10"},
    {"dropout 0.25 dropout 0 dense 10",
     "dropout 0.25 dropout 0 flatten dense 10"},
    {"flatten bn relu dense 10", "flatten bn relu dense 10"},
    {"pool 2 conv 65536x1 pool 14 dense 10",
     "pool 2 conv 65536x1 pool 14 flatten dense 10"},
    {"conv 4x27 valid dense 10", "conv 4x27 valid flatten dense 10"},
};

START_TEST(specs_round_trip)
{
    char text[SPEC_TEXT];
    struct spec a = lab_spec(GOOD[_i].text), b;

    spec_format(&a, text);
    ck_assert_str_eq(text, GOOD[_i].canonical);
    b = lab_spec(text);
    ck_assert_int_eq(a.n, b.n);
    ck_assert_mem_eq(a.layers, b.layers, a.n * sizeof a.layers[0]);
}
END_TEST

static const struct {
    const char *text, *message; /* the start of it */
} BAD[] = {
    {"", "the model has no layers"},
    {" \n", "the model has no layers"},
    {"relu", "layer 0 (relu): the last layer must be \"dense 10\""},
    {"dense 11", "layer 1 (dense 11): the last layer must be \"dense 10\""},
    {"dense 10 relu", "layer 2 (relu): the last layer must be"},
    {"dense", "layer 0 (dense): expected a width of 1 to 65536"},
    {"dense 0", "layer 0 (dense 0): expected a width"},
    {"dense 65537", "layer 0 (dense 65537): expected a width"},
    {"dense -1", "layer 0 (dense -1): expected a width"},
    {"dense 10x", "layer 0 (dense 10x): expected a width"},
    {"dense 99999999999999999999", "layer 0 (dense 99999999999999999999)"},
    {"conv 32", "layer 0 (conv 32): expected FILTERSxKERNEL"},
    {"conv 32x", "layer 0 (conv 32x): expected"},
    {"conv 32x4 dense 10", "layer 0 (conv 32x4): expected"},
    {"conv 0x3 dense 10", "layer 0 (conv 0x3): expected"},
    {"conv 3x57 dense 10", "layer 0 (conv 3x57): expected"},
    {"conv 3x3 full dense 10", "layer 1 (full): unknown"},
    {"Conv 3x3 dense 10", "layer 0 (Conv): unknown; expected conv, relu"},
    {"pool 0 dense 10", "layer 0 (pool 0): expected WINDOW"},
    {"pool 2/0 dense 10", "layer 0 (pool 2/0): expected WINDOW"},
    {"pool 2/ dense 10", "layer 0 (pool 2/): expected WINDOW"},
    {"pool 17 dense 10", "layer 0 (pool 17): expected WINDOW"},
    {"pool 16 pool 2 dense 10",
     "layer 1 (pool 2): input 1x1x1 is smaller than the window"},
    {"pool 8 conv 64x5 valid dense 10",
     "layer 1 (conv 64x5 valid): input 3x3x1 is smaller than the kernel"},
    {"dense 20 conv 3x3 dense 10",
     "layer 2 (conv 3x3): input 20 is flat; this layer needs an image"},
    {"flatten pool 2 dense 10", "layer 1 (pool 2): input 784 is flat"},
    {"dropout 1 dense 10", "layer 0 (dropout 1): expected a rate"},
    {"dropout -0.1 dense 10", "layer 0 (dropout -0.1): expected a rate"},
    {"dropout nan dense 10", "layer 0 (dropout nan): expected a rate"},
    {"dropout dense 10", "layer 0 (dropout dense): expected a rate"},
    {"conv 65536x3 dense 10",
     "layer 0 (conv 65536x3): output 28x28x65536 has more than"},
    {"dense 65536 dense 65536 dense 10",
     "layer 2 (dense 65536): the model has more than 268435456 parameters"},
};

START_TEST(wrong_specs_name_layer_and_shape)
{
    struct spec s = {.n = 77};
    struct err e = {0};

    ck_assert_int_eq(spec_parse(BAD[_i].text, &s, &e), ERR_USAGE);
    ck_assert_msg(!strncmp(e.msg, BAD[_i].message, strlen(BAD[_i].message)),
                  "\"%s\"", e.msg);
    ck_assert_int_eq(s.n, 77);
}
END_TEST

START_TEST(long_specs_are_refused)
{
    char text[4096] = "";
    struct spec s;
    struct err e;
    int i;

    for (i = 0; i < 62; i++) {
        strcat(text, "relu ");
    }
    strcat(text, "flatten dense 10");
    ck_assert_int_eq(spec_parse(text, &s, &e), 0);
    memmove(text + 5, text, strlen(text) + 1);
    memcpy(text, "relu ", 5);
    ck_assert_int_eq(spec_parse(text, &s, &e), ERR_USAGE);
    ck_assert_str_eq(e.msg, "a model has at most 64 layers");
    text[0] = '\0';
    for (i = 0; i < 60; i++) {
        strcat(text, "dropout 0.12345678901234567 ");
    }
    strcat(text, "dense 10");
    ck_assert_int_eq(spec_parse(text, &s, &e), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "longer than 1023 characters"));
}
END_TEST

/* Setting other rates never makes a text that does not fit. */
START_TEST(any_rate_fits_in_the_text)
{
    char text[SPEC_TEXT];
    struct spec s, again;
    struct err e;
    int i, n;

    for (n = 1; n < 62; n++) {
        char given[4096] = "";

        for (i = 0; i < n; i++) {
            strcat(given, "dropout 0 ");
        }
        strcat(given, "dense 10");
        if (spec_parse(given, &s, &e) < 0) {
            break;
        }
        ck_assert_int_eq(spec_set_dropout(&s, 2.2250738585072014e-308), n);
        spec_format(&s, text);
        ck_assert_int_eq(spec_parse(text, &again, &e), 0);
        ck_assert_mem_eq(&s, &again, sizeof s);
    }
    ck_assert_int_gt(n, 20);
}
END_TEST

START_TEST(presets_are_pytorchs_models)
{
    struct spec ann = lab_spec(spec_preset("ann"));
    struct spec cnn = lab_spec(spec_preset("cnn"));

    ck_assert_ptr_null(spec_preset("rnn"));
    ck_assert_int_eq(spec_parameters(&ann), 109386);
    ck_assert_int_eq(spec_parameters(&cnn), 429450);
    ck_assert_int_eq(spec_has_conv(&ann), 0);
    ck_assert_int_eq(spec_has_conv(&cnn), 1);
    ck_assert(spec_flops_forward(&ann) == 2.0 * (784 * 128 + 128 * 64 + 640));
    ck_assert(spec_flops_train(&ann) ==
              2.0 * (2 * 784 * 128 + 3 * 128 * 64 + 3 * 640));
    ck_assert(spec_flops_forward(&cnn) ==
              2.0 * (784 * 288 + 196 * 9 * 32 * 64 + 3136 * 128 + 8192 + 640));
}
END_TEST

START_TEST(dropout_can_be_set)
{
    struct spec s = lab_spec(spec_preset("cnn"));

    ck_assert(spec_dropout(&s) == 0.4);
    ck_assert_int_eq(spec_set_dropout(&s, 0.1), 2);
    ck_assert(spec_dropout(&s) == 0.1);
    s = lab_spec("dropout 0.1 dropout 0.2 dense 10");
    ck_assert(spec_dropout(&s) == -1);
    s = lab_spec(spec_preset("ann"));
    ck_assert(spec_dropout(&s) == -1);
    ck_assert_int_eq(spec_set_dropout(&s, 0.1), 0);
}
END_TEST

START_TEST(single_value_bn_is_found)
{
    struct spec s = lab_spec("bn dense 20 bn dense 10");

    ck_assert_int_eq(spec_bn_single(&s), 3);
    s = lab_spec(spec_preset("cnn"));
    ck_assert_int_eq(spec_bn_single(&s), -1);
    s = lab_spec("pool 16 bn dense 10");
    ck_assert_int_eq(spec_bn_single(&s), 1);
}
END_TEST

START_TEST(widths_build_specs)
{
    char text[SPEC_TEXT];
    struct err e;

    ck_assert_int_eq(spec_build("ann", NULL, NULL, text, &e), 0);
    ck_assert_str_eq(text, spec_preset("ann"));
    ck_assert_int_eq(spec_build("cnn", NULL, NULL, text, &e), 0);
    ck_assert_str_eq(text, spec_preset("cnn"));
    ck_assert_int_eq(spec_build("ann", "7", NULL, text, &e), 0);
    ck_assert_str_eq(text, "flatten dense 7 relu dense 10");
    ck_assert_int_eq(spec_build("cnn", "9", "8", text, &e), 0);
    ck_assert_str_eq(text, "conv 8x3 relu bn pool 2 flatten dense 9 relu "
                           "dropout 0.4 dense 10");
    ck_assert_int_eq(spec_build("rnn", NULL, NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", NULL, "32", text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", "", NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", "12-", NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", "0", NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", "-3", NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("ann", "3,4", NULL, text, &e), ERR_USAGE);
    ck_assert_int_eq(spec_build("cnn", NULL, "4-4-4-4-4", text, &e), ERR_USAGE);
}
END_TEST

START_TEST(families_are_found)
{
    static const struct {
        const char *spec, *family, *hidden, *filters;
    } cases[] = {
        {"dense 128 relu dense 64 relu dense 10", "ann", "128-64", ""},
        {"dense 7 relu dense 10", "ann", "7", ""},
        {"conv 8x3 relu bn pool 2 dense 9 relu dropout 0.1 dense 10", "cnn",
         "9", "8"},
        {"conv 4096x3 relu bn pool 2 conv 5x3 relu bn pool 2 dense 4096 relu "
         "dropout 0 dense 10",
         "cnn", "4096", "4096-5"},
        {"conv 8x5 relu bn pool 2 dense 9 relu dropout 0.1 dense 10", NULL, "",
         ""},
        {"conv 8x3 relu bn pool 2 dense 9 relu dense 10", NULL, "", ""},
        {"dense 7 relu dropout 0.1 dense 10", NULL, "", ""},
        {"dense 7 dense 10", NULL, "", ""},
        {"dense 10", NULL, "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hidden[SPEC_TEXT], filters[SPEC_TEXT];
        struct spec s;
        const char *family;

        ck_assert_int_eq(spec_parse(cases[i].spec, &s, NULL), 0);
        family = spec_family(&s, hidden, filters);
        if (!cases[i].family) {
            ck_assert_msg(!family, "%s", cases[i].spec);
            continue;
        }
        ck_assert_ptr_nonnull(family);
        ck_assert_str_eq(family, cases[i].family);
        ck_assert_str_eq(hidden, cases[i].hidden);
        ck_assert_str_eq(filters, cases[i].filters);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("nn spec");
    TCase *tc = tcase_create("spec");

    tcase_add_loop_test(tc, specs_round_trip, 0,
                        (int)(sizeof GOOD / sizeof GOOD[0]));
    tcase_add_loop_test(tc, wrong_specs_name_layer_and_shape, 0,
                        (int)(sizeof BAD / sizeof BAD[0]));
    tcase_add_test(tc, long_specs_are_refused);
    tcase_add_test(tc, any_rate_fits_in_the_text);
    tcase_add_test(tc, presets_are_pytorchs_models);
    tcase_add_test(tc, dropout_can_be_set);
    tcase_add_test(tc, single_value_bn_is_found);
    tcase_add_test(tc, widths_build_specs);
    tcase_add_test(tc, families_are_found);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
