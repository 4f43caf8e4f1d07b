/* SPDX-License-Identifier: MIT */
/* Weights and optimizer state as files, sound and hostile. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/optim.h"
#include "nn/safetensors.h"
#include "nn_lab.h"
#include "support.h"

static const char NET[] = "conv 3x3 relu bn pool 4 dense 6 bn dense 10";

static struct model *
trained(int steps)
{
    struct model *m = lab_model(NET, &kern_scalar, 1, 8);

    for (; steps > 0; steps--) {
        lab_train(m, 8, 0);
    }
    return m;
}

START_TEST(weights_round_trip)
{
    struct model *a = trained(2), *b = trained(0);
    float x[20], y[20];
    void *first, *second;
    size_t n, size;
    struct err e = {0};

    memset(x, 0, sizeof x);
    ck_assert_int_eq(model_save(a, &first, &n, &e), 0);
    ck_assert_msg(model_load(b, first, n, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(model_save(b, &second, &size, &e), 0);
    ck_assert_uint_eq(n, size);
    ck_assert_mem_eq(first, second, n);
    model_forward(a, lab_images(), 2, x);
    model_forward(b, lab_images(), 2, y);
    ck_assert_mem_eq(x, y, sizeof x);
    mem_free(first);
    mem_free(second);
    model_free(a);
    model_free(b);
}
END_TEST

START_TEST(names_are_pytorchs)
{
    static const char *const names[] = {"0.weight",
                                        "0.bias",
                                        "2.weight",
                                        "2.bias",
                                        "2.running_mean",
                                        "2.running_var",
                                        "2.num_batches_tracked",
                                        "5.weight",
                                        "5.bias",
                                        "6.weight",
                                        "6.bias",
                                        "6.running_mean",
                                        "6.running_var",
                                        "6.num_batches_tracked",
                                        "7.weight",
                                        "7.bias"};
    struct model *m = trained(0);
    struct model_tensor t;
    int i;

    ck_assert_int_eq(model_tensors(m), 16);
    for (i = 0; i < 16; i++) {
        model_tensor(m, i, &t);
        ck_assert_str_eq(t.name, names[i]);
    }
    model_tensor(m, 0, &t);
    ck_assert_int_eq(t.ndim, 4);
    ck_assert_int_eq(
        t.dim[0] * 1000 + t.dim[1] * 100 + t.dim[2] * 10 + t.dim[3], 3133);
    model_tensor(m, 7, &t);
    ck_assert_int_eq(t.ndim, 2);
    ck_assert_int_eq(t.dim[0], 6);
    ck_assert_int_eq(t.dim[1], 147);
    model_free(m);
}
END_TEST

/* The kernel's layout (y, x, c) against PyTorch's flatten (c, y, x). */
START_TEST(elements_are_in_pytorchs_order)
{
    struct model *m = trained(0);
    static float w[6 * 147];
    int i, c = 2, y = 3, x = 5, unit = 4;

    for (i = 0; i < 6 * 147; i++) {
        w[i] = (float)i;
    }
    model_tensor_set(m, 7, NULL, w);
    model_tensor_get(m, 7, NULL, w);
    for (i = 0; i < 6 * 147; i++) {
        ck_assert(w[i] == (float)i);
    }
    /* 3 x 9 weights x 16, bias 16, bn 2 x 16, then rows of 16. */
    ck_assert(model_params(m)[27 / 3 * 1 * 16 + 16 + 32 +
                              ((y * 7 + x) * 16 + c) * 16 + unit] ==
              (float)(unit * 147 + c * 49 + y * 7 + x));
    model_free(m);
}
END_TEST

static void
optim_steps_are_kept(const struct optim_options *opt)
{
    struct meta_pair meta[2] = {{"best_epoch", "7"}, {"note", "a \"b\" \\"}};
    struct meta_pair back[2] = {{"note", ""}, {"best_epoch", ""}};
    struct model *a = trained(0), *b = trained(0);
    struct optim *oa, *ob;
    void *state, *weights, *again;
    size_t n, size;
    struct err e = {0};
    int i;

    ck_assert_int_eq(optim_new(a, opt, &oa, &e), 0);
    ck_assert_int_eq(optim_new(b, opt, &ob, &e), 0);
    for (i = 0; i < 3; i++) {
        lab_train(a, 8, 0);
        optim_step(oa, 0.01);
    }
    ck_assert_int_eq(optim_save(oa, meta, 2, &state, &n, &e), 0);
    ck_assert_msg(optim_load(ob, state, n, back, 2, &e) == 0, "%s", e.msg);
    ck_assert_str_eq(back[0].value, "a \"b\" \\");
    ck_assert_str_eq(back[1].value, "7");
    ck_assert_uint_eq(optim_steps(ob), 3);
    ck_assert_int_eq(model_save(a, &weights, &size, &e), 0);
    ck_assert_int_eq(model_load(b, weights, size, &e), 0);
    mem_free(weights);
    lab_train(a, 8, 0);
    lab_train(b, 8, 0);
    optim_step(oa, 0.01);
    optim_step(ob, 0.01);
    ck_assert_mem_eq(model_params(a), model_params(b),
                     model_slab_size(a) * sizeof(float));
    ck_assert_int_eq(optim_save(ob, meta, 2, &again, &size, &e), 0);
    ck_assert_uint_eq(size, n);
    back[0] = (struct meta_pair){"patience", ""};
    ck_assert_int_eq(optim_load(ob, state, n, back, 1, &e), ERR_FAIL);
    ck_assert_str_eq(e.msg, "metadata patience: missing");
    mem_free(state);
    mem_free(again);
    optim_free(oa);
    optim_free(ob);
    model_free(a);
    model_free(b);
}

START_TEST(a_loaded_optimizer_goes_on)
{
    static const struct optim_options opt[] = {
        {OPTIM_SGD, 0, 0, 0.1},   {OPTIM_SGD, 0.9, 0, 0},
        {OPTIM_SGD, 0.9, 1, 0},   {OPTIM_ADAM, 0, 0, 0},
        {OPTIM_ADAMW, 0, 0, 0.1},
    };

    optim_steps_are_kept(&opt[_i]);
}
END_TEST

/* A file from a header, with `data` zero bytes after it. */
static unsigned char *
make_file(const char *header, size_t data, size_t *size)
{
    size_t n = strlen(header), i;
    unsigned char *p;

    *size = 8 + n + data;
    p = mem_zalloc(*size, 1);
    for (i = 0; i < 8; i++) {
        p[i] = (unsigned char)((unsigned long long)n >> (8 * i));
    }
    memcpy(p + 8, header, n);
    return p;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]}"
#define B "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}"

static int
open_ab(const void *bytes, size_t size, struct err *e)
{
    struct st_tensor t[2] = {{.name = "a", .ndim = 2, .dim = {2, 1}},
                             {.name = "b", .is_int64 = 1}};
    int rc = st_open(bytes, size, t, 2, NULL, 0, e);

    if (rc == 0) {
        ck_assert_uint_eq(t[1].offset + 8, t[0].offset);
        ck_assert_uint_eq(t[0].offset + 8, size);
    }
    return rc;
}

static const struct {
    const char *header, *message; /* NULL: sound */
} HEADERS[] = {
    {"{" A "," B "}", NULL},
    {"{" B "," A "}   ", NULL},
    {" {\n" A " ,\t" B "\r}", NULL},
    {"{\"__metadata__\":{\"x\":\"y\"}," A "," B "}", NULL},
    {"{\"__metadata__\":{}," A "," B "}", NULL},
    {"{\"__metadata__\":{},\"__metadata__\":{}," A "," B "}", "only once"},
    {"{\"__metadata__\":{\"x\":1}," A "," B "}", "expected a string"},
    {"", "expected \"{\""},
    {"{}", "tensor a: missing"},
    {"{" A "}", "tensor b: missing"},
    {"{" A "," A "," B "}", "tensor a: given twice"},
    {"{" A "," B ",\"c\":{}}", "tensor c: the model has none"},
    {"{" A "," B ",}", "expected a string"},
    {"{" A "," B "", "expected \"}\""},
    {"{" A "," B "}x", "expected its end"},
    {"{" A "," B, "expected \"}\""},
    {"{\"a", "expected the end of a string"},
    {"{\"a\\u0041\":1", "expected a plain escape"},
    {"{\"a\\", "expected a plain escape"},
    {"{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
     ":",
     "expected a shorter string"},
    {"{\"a\":[]}", "expected \"{\""},
    {"{\"a\":{}}", "expected a string"},
    {"{\"a\":{\"dtype\":\"F32\"}," B "}", "expected one dtype"},
    {"{\"a\":{\"type\":\"F32\"}," B "}", "expected dtype, shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2,1],"
     "\"data_offsets\":[8,16]}," B "}",
     "expected one dtype"},
    {"{\"a\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[8,16]}," B
     "}",
     "tensor a: its type is not F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}," B
     "}",
     "tensor a: shape [1, 2], the model's is [2, 1]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}," B "}",
     "tensor a: shape [2], the model's is [2, 1]"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1,1,1,1,1,1],"
     "\"data_offsets\":[8,16]}," B "}",
     "expected fewer numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,-1],\"data_offsets\":[8,16]}," B
     "}",
     "expected a whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8]}," B "}",
     "expected one dtype, one shape and two offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16,24]}," B
     "}",
     "expected fewer numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,8]}," B
     "}",
     "tensor a: its bytes lie outside"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]}," B
     "}",
     "tensor a: its bytes lie outside"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],"
     "\"data_offsets\":[18446744073709551615,7]}," B "}",
     "expected a smaller number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,12]}," B
     "}",
     "tensor a: its offsets do not fit"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]}," B
     "}",
     "tensor b: its bytes overlap"},
};

START_TEST(hostile_headers_are_refused)
{
    struct err e = {0};
    size_t size;
    unsigned char *p = make_file(HEADERS[_i].header, 16, &size);
    int rc = open_ab(p, size, &e);

    if (HEADERS[_i].message == NULL) {
        ck_assert_msg(rc == 0, "%s", e.msg);
    } else {
        ck_assert_int_eq(rc, ERR_FAIL);
        ck_assert_msg(strstr(e.msg, HEADERS[_i].message) != NULL, "\"%s\"",
                      e.msg);
    }
    mem_free(p);
}
END_TEST

START_TEST(unused_bytes_are_refused)
{
    struct err e = {0};
    size_t size;
    unsigned char *p = make_file("{" A "," B "}", 20, &size);

    ck_assert_int_eq(open_ab(p, size, &e), ERR_FAIL);
    ck_assert_str_eq(e.msg, "the weights have 20 bytes of data, not 16");
    mem_free(p);
}
END_TEST

/* Every cut, and every byte of the header turned: refused or read as sound,
 * with no byte read out of bounds (each copy is of exactly the size). */
START_TEST(damage_is_survived)
{
    struct model *m = trained(0);
    unsigned char *whole, *part;
    void *bytes;
    size_t size, n, header;
    struct err e;

    ck_assert_int_eq(model_save(m, &bytes, &size, &e), 0);
    whole = bytes;
    header = 8 + whole[0] + 256u * whole[1];
    ck_assert_uint_eq(header % 8, 0);
    for (n = 0; n < size; n += n < header ? 1 : 997) {
        part = mem_alloc(n);
        memcpy(part, whole, n);
        ck_assert_int_eq(model_load(m, part, n, &e), ERR_FAIL);
        mem_free(part);
    }
    part = mem_alloc(size);
    for (n = 0; n < header; n++) {
        int rc;

        memcpy(part, whole, size);
        part[n] ^= (unsigned char)(1 + n % 127);
        rc = model_load(m, part, size, &e);
        ck_assert(rc == 0 || rc == ERR_FAIL);
        ck_assert(n >= 8 || rc == ERR_FAIL);
    }
    memset(part, 0xff, 8);
    ck_assert_int_eq(model_load(m, part, size, &e), ERR_FAIL);
    mem_free(part);
    mem_free(bytes);
    model_free(m);
}
END_TEST

START_TEST(another_models_weights_change_nothing)
{
    struct model *a = trained(0);
    struct model *b = lab_model("conv 3x3 relu bn pool 4 dense 6 relu dense 10",
                                &kern_scalar, 1, 8);
    void *bytes, *before, *after;
    size_t size, n;
    struct err e;

    ck_assert_int_eq(model_save(b, &bytes, &size, &e), 0);
    ck_assert_int_eq(model_save(a, &before, &n, &e), 0);
    ck_assert_int_eq(model_load(a, bytes, size, &e), ERR_FAIL);
    ck_assert_str_eq(e.msg, "tensor 6.weight: missing");
    ck_assert_int_eq(model_save(a, &after, &n, &e), 0);
    ck_assert_mem_eq(before, after, n);
    mem_free(bytes);
    mem_free(before);
    mem_free(after);
    model_free(a);
    model_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("nn file");
    TCase *tc = tcase_create("file");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, weights_round_trip);
    tcase_add_test(tc, names_are_pytorchs);
    tcase_add_test(tc, elements_are_in_pytorchs_order);
    tcase_add_loop_test(tc, a_loaded_optimizer_goes_on, 0, 5);
    tcase_add_loop_test(tc, hostile_headers_are_refused, 0,
                        (int)(sizeof HEADERS / sizeof HEADERS[0]));
    tcase_add_test(tc, unused_bytes_are_refused);
    tcase_add_test(tc, damage_is_survived);
    tcase_add_test(tc, another_models_weights_change_nothing);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
