/* SPDX-License-Identifier: MIT */
/* Names and folders of data sets, IDX files, splits and samples. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmnist/dataset.h"
#include "fmnist/mem.h"
#include "fmnist/split.h"
#include "images.h"
#include "support.h"

#define SMALL_SHA256 \
    "24a29eddeedb3f3e5931c37c379b9463bb20bb1034c0a31454ee69a2ca48e8c2"
#define FULL_SHA256 \
    "cc14769519e4cdd26e872646ea58c101ddfb58822430783fdbf6df575a528de7"
#define FULL_DIR "/usr/share/datasets/fashion-mnist"

static struct err e;

static struct dataset *
load(const char *where)
{
    struct dataset *d;

    ck_assert_msg(dataset_load(where, &d, &e) == 0, "%s", e.msg);
    return d;
}

static void
expect_fault(const char *where, int code, const char *part)
{
    struct dataset *d;

    ck_assert_int_eq(dataset_load(where, &d, &e), code);
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(e.msg, part) != NULL, "%s", e.msg);
}

START_TEST(small_set)
{
    struct dataset *d;
    uint32_t count[N_CLASSES] = {0}, i;

    ck_assert_int_eq(setenv("FMNIST_DATA_DIR", source_path("data"), 1), 0);
    d = load("small");
    ck_assert_uint_eq(d->n, 6000);
    ck_assert_uint_eq(d->n_fixed_test, 0);
    ck_assert_str_eq(d->name, "small");
    ck_assert_str_eq(d->sha256, SMALL_SHA256);
    ck_assert_str_eq(d->class_names[0], "T-shirt/top");
    ck_assert_int_eq(d->source[0], '/');
    for (i = 0; i < d->n; i++)
        count[d->labels[i]]++;
    for (i = 0; i < N_CLASSES; i++)
        ck_assert_uint_eq(count[i], 600);
    dataset_free(d);
    /* Beside the program, in the build tree. */
    ck_assert_int_eq(unsetenv("FMNIST_DATA_DIR"), 0);
    d = load("small");
    ck_assert_str_eq(d->sha256, SMALL_SHA256);
    dataset_free(d);
    ck_assert_int_eq(setenv("FMNIST_DATA_DIR", tmp_dir(), 1), 0);
    expect_fault("small", ERR_NOTFOUND, "set FMNIST_DATA_DIR");
}
END_TEST

START_TEST(full_set)
{
    struct dataset *d, *again;
    char *path = tmp_path("sample.csv");

    ck_assert_int_eq(setenv("FMNIST_FULL_DIR", tmp_path("none"), 1), 0);
    expect_fault("full", ERR_NOTFOUND, "dataset-fashion-mnist");
    ck_assert_int_eq(unsetenv("FMNIST_FULL_DIR"), 0);
    if (!file_exists(FULL_DIR))
        return;
    d = load("full");
    ck_assert_uint_eq(d->n, 70000);
    ck_assert_uint_eq(d->n_fixed_test, 10000);
    ck_assert_str_eq(d->sha256, FULL_SHA256);
    ck_assert_str_eq(d->class_names[9], "Ankle boot");
    /* The shipped file can be made again. */
    ck_assert_int_eq(dataset_sample(d, 6000, 0, path, &e), 0);
    again = load(path);
    ck_assert_str_eq(again->sha256, SMALL_SHA256);
    dataset_free(again);
    dataset_free(d);
}
END_TEST

START_TEST(idx_folder)
{
    struct dataset *d, *whole = images_new(60), *train = images_new(40);
    int gz = _i;

    idx_write(tmp_dir(), "train", 0, 40, gz);
    d = load(tmp_dir());
    ck_assert_uint_eq(d->n, 40);
    ck_assert_uint_eq(d->n_fixed_test, 0);
    ck_assert_str_eq(d->sha256, train->sha256);
    ck_assert_str_eq(d->class_names[3], "3");
    dataset_free(d);
    idx_write(tmp_dir(), "t10k", 40, 20, !gz);
    d = load(tmp_dir());
    ck_assert_uint_eq(d->n, 60);
    ck_assert_uint_eq(d->n_fixed_test, 20);
    ck_assert_str_eq(d->sha256, whole->sha256);
    ck_assert_mem_eq(d->labels, whole->labels, 60);
    dataset_free(d);
    dataset_free(whole);
    dataset_free(train);
}
END_TEST

/* Header words, and bytes of content, of an image and a label file. */
static const struct {
    uint32_t images[4];
    size_t image_bytes;
    uint32_t labels[2];
    size_t label_bytes;
    const char *message;
} IDX[] = {
    {{0x801, 3, 28, 28},
     3 * 784,
     {0x801, 3},
     3,
     "train-images-idx3-ubyte: wrong magic number 0x00000801, expected "
     "0x00000803 (IDX images)"},
    {{0x803, 3, 28, 28},
     3 * 784,
     {0x803, 3},
     3,
     "train-labels-idx1-ubyte: wrong magic number 0x00000803, expected "
     "0x00000801 (IDX labels)"},
    {{0x803, 3, 28, 28},
     3 * 784,
     {0x801, 4},
     4,
     "train-labels-idx1-ubyte has 4 labels"},
    {{0x803, 3, 32, 28},
     3 * 32 * 28,
     {0x801, 3},
     3,
     "train-images-idx3-ubyte: images are 32×28, expected 28×28"},
    {{0x803, 3, 28, 28},
     3 * 784 - 1,
     {0x801, 3},
     3,
     "truncated: the file ends after 2367 of 2368 bytes"},
    {{0x803, 4000000000U, 28, 28},
     3 * 784,
     {0x801, 3},
     3,
     "truncated: the file ends after 2368 of 3136000000016 bytes"},
    {{0x803, 3, 28, 28},
     3 * 784,
     {0x801, 3},
     2,
     "truncated: the file ends after 10 of 11 bytes"},
    {{0x803, 3, 28, 28},
     3 * 784 + 1,
     {0x801, 3},
     3,
     "train-images-idx3-ubyte: more bytes than the count in its header"},
    {{0x803, 3, 28, 28},
     3 * 784,
     {0x801, 3},
     4,
     "train-labels-idx1-ubyte: more bytes than the count in its header"},
    {{0x803, 0, 28, 28},
     0,
     {0x801, 0},
     0,
     "train-images-idx3-ubyte: no images"},
};

START_TEST(idx_faults)
{
    static const uint8_t ZEROS[8 * 784];
    char *images = tmp_path("train-images-idx3-ubyte");
    char *labels = tmp_path("train-labels-idx1-ubyte");

    idx_write_raw(images, IDX[_i].images, 4, ZEROS, IDX[_i].image_bytes, 0);
    idx_write_raw(labels, IDX[_i].labels, 2, ZEROS, IDX[_i].label_bytes, 0);
    expect_fault(tmp_dir(), ERR_FAIL, IDX[_i].message);
}
END_TEST

static void
count_report(const char *message, void *arg)
{
    ck_assert_ptr_nonnull(strstr(message, "label 2:"));
    ++*(int *)arg;
}

START_TEST(idx_more_faults)
{
    static const uint8_t LABELS[3] = {1, 10, 255};
    const uint32_t head[2] = {0x801, 3};
    char *images = tmp_path("train-images-idx3-ubyte");
    char *labels = tmp_path("train-labels-idx1-ubyte");
    int n_reports = 0;
    char *all;
    size_t n;

    idx_write(tmp_dir(), "train", 0, 3, 0);
    all = file_read(images, &n);
    idx_write_raw(labels, head, 2, LABELS, 3, 0);
    expect_fault(tmp_dir(), ERR_FAIL,
                 "train-labels-idx1-ubyte: label 2: expected 0–9, found 10");
    ck_assert_int_eq(dataset_check(tmp_dir(), 1, count_report, &n_reports, &e),
                     2);
    ck_assert_int_eq(n_reports, 1);
    file_write(images, "", 0);
    expect_fault(tmp_dir(), ERR_FAIL, "ubyte: the file is empty");
    file_write(images, all, 7);
    expect_fault(tmp_dir(), ERR_FAIL, "the file ends after 7 of 16 bytes");
    file_write_gz(images, all, n);
    all = file_read(images, &n);
    file_write(images, all, n - 1);
    expect_fault(tmp_dir(), ERR_FAIL, "the gzip data ends too early");
    unlink(labels);
    expect_fault(tmp_dir(), ERR_NOTFOUND, "no file train-labels-idx1-ubyte");
    unlink(images);
    idx_write(tmp_dir(), "train", 0, 3, 0);
    unlink(images);
    expect_fault(tmp_dir(), ERR_NOTFOUND, "no file train-images-idx3-ubyte");
    expect_fault(labels, ERR_FAIL, "a single IDX file of labels");
}
END_TEST

START_TEST(idx_single_file)
{
    struct dataset *d;
    char *images = tmp_path("train-images-idx3-ubyte.gz");

    idx_write(tmp_dir(), "train", 0, 3, 1);
    expect_fault(images, ERR_FAIL, "a single IDX file of images");
    ck_assert_int_eq(dataset_load_unlabelled(images, &d, &e), 0);
    ck_assert_uint_eq(d->n, 3);
    ck_assert_ptr_null(d->labels);
    ck_assert_uint_eq(d->pixels[2 * 784 + 5], image_pixel(2, 5));
    dataset_free(d);
    ck_assert_int_eq(dataset_load_unlabelled(tmp_dir(), &d, &e), 0);
    ck_assert_uint_eq(d->labels[2], image_label(2));
    dataset_free(d);
}
END_TEST

START_TEST(idx_no_memory)
{
    struct dataset *d;
    long nth;
    int rc;

    idx_write(tmp_dir(), "train", 0, 5, 1);
    idx_write(tmp_dir(), "t10k", 5, 5, 0);
    for (nth = 1;; nth++) {
        mem_fail_at(nth, 0);
        rc = dataset_load(tmp_dir(), &d, &e);
        mem_fail_at(0, 0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, ERR_NOMEM);
        ck_assert_ptr_null(d);
    }
    ck_assert_int_gt(nth, 10);
    dataset_free(d);
}
END_TEST

/* The parts are ascending, disjoint and cover all; `in` counts by class. */
static void
expect_partition(const struct dataset *d, const struct split *s,
                 uint32_t in[N_PARTS][N_CLASSES])
{
    uint8_t *seen = calloc(d->n, 1);
    uint32_t i, total = 0;
    int p;

    ck_assert_ptr_nonnull(seen);
    memset(in, 0, N_PARTS * N_CLASSES * sizeof(in[0][0]));
    for (p = 0; p < N_PARTS; p++) {
        for (i = 0; i < s->n[p]; i++) {
            ck_assert_uint_lt(s->images[p][i], d->n);
            ck_assert(i == 0 || s->images[p][i] > s->images[p][i - 1]);
            ck_assert_uint_eq(seen[s->images[p][i]]++, 0);
            in[p][d->labels[s->images[p][i]]]++;
        }
        total += s->n[p];
    }
    ck_assert_uint_eq(total, d->n);
    free(seen);
}

START_TEST(split_is_stratified)
{
    struct dataset *d = images_new(1003);
    uint32_t in[N_PARTS][N_CLASSES];
    struct split s, t;
    int c;

    ck_assert_int_eq(split_make(d, 0, 0.2, 0.1, &s, &e), 0);
    expect_partition(d, &s, in);
    for (c = 0; c < N_CLASSES; c++) {
        ck_assert_uint_eq(in[PART_TEST][c], 20);
        ck_assert_uint_eq(in[PART_VAL][c], 8);
    }
    /* The validation part comes out of the training part only. */
    ck_assert_int_eq(split_make(d, 0, 0.2, 0, &t, &e), 0);
    ck_assert_uint_eq(t.n[PART_VAL], 0);
    ck_assert_mem_eq(s.images[PART_TEST], t.images[PART_TEST],
                     s.n[PART_TEST] * sizeof(uint32_t));
    split_release(&t);
    ck_assert_int_eq(split_make(d, 1, 0.2, 0, &t, &e), 0);
    ck_assert_int_ne(memcmp(s.images[PART_TEST], t.images[PART_TEST],
                            s.n[PART_TEST] * sizeof(uint32_t)),
                     0);
    split_release(&t);
    split_release(&s);
    dataset_free(d);
}
END_TEST

START_TEST(split_is_fixed)
{
    /* Part of `numerics`: the first test images of the default split. */
    static const uint32_t FIRST[] = {3,  6,  15, 18, 37, 39,
                                     49, 58, 59, 60, 61, 62};
    struct dataset *d;
    struct split s;

    ck_assert_int_eq(setenv("FMNIST_DATA_DIR", source_path("data"), 1), 0);
    d = load("small");
    ck_assert_int_eq(split_make(d, 0, 0.2, 0, &s, &e), 0);
    ck_assert_uint_eq(s.n[PART_TRAIN], 4800);
    ck_assert_uint_eq(s.n[PART_TEST], 1200);
    ck_assert_mem_eq(s.images[PART_TEST], FIRST, sizeof(FIRST));
    split_release(&s);
    dataset_free(d);
}
END_TEST

START_TEST(split_own_test_part)
{
    struct dataset *d = images_new(100);
    uint32_t in[N_PARTS][N_CLASSES], i;
    struct split s;

    d->n_fixed_test = 30;
    ck_assert_int_eq(split_make(d, 0, 0.2, 0, &s, &e), ERR_USAGE);
    ck_assert_int_eq(split_make(d, 0, 0, 0.25, &s, &e), 0);
    expect_partition(d, &s, in);
    ck_assert_uint_eq(s.n[PART_TEST], 30);
    for (i = 0; i < 30; i++)
        ck_assert_uint_eq(s.images[PART_TEST][i], 70 + i);
    ck_assert_uint_eq(s.n[PART_VAL], 20);
    split_release(&s);
    dataset_free(d);
}
END_TEST

START_TEST(split_refusals)
{
    static const double BAD[] = {-0.1, 1.0, 1.5, 0.0 / 0.0};
    struct dataset *d = images_new(30);
    struct split s;
    long nth;
    int rc;
    size_t i;

    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(split_make(d, 0, BAD[i], 0, &s, &e), ERR_USAGE);
        ck_assert_int_eq(split_make(d, 0, 0, BAD[i], &s, &e), ERR_USAGE);
    }
    ck_assert_int_eq(split_make(d, 0, 0.01, 0, &s, &e), ERR_USAGE);
    ck_assert_int_eq(split_make(d, 0, 0.2, 0.01, &s, &e), ERR_USAGE);
    ck_assert_int_eq(split_make(d, 0, 0.999, 0, &s, &e), ERR_USAGE);
    for (nth = 1;; nth++) {
        mem_fail_at(nth, 0);
        rc = split_make(d, 0, 0.2, 0.4, &s, &e);
        mem_fail_at(0, 0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, ERR_NOMEM);
    }
    ck_assert_int_eq(nth, 6);
    split_release(&s);
    split_release(&s);
    dataset_free(d);
}
END_TEST

START_TEST(samples)
{
    struct dataset *d = images_new(500), *got;
    char *csv = tmp_path("s.csv"), *gz = tmp_path("s.csv.gz");
    uint32_t count[N_CLASSES] = {0}, i;
    size_t n, m;
    char *one;

    d->n_fixed_test = 100;
    ck_assert_int_eq(dataset_sample(d, 73, 1, gz, &e), 0);
    ck_assert_int_eq(dataset_sample(d, 73, 1, csv, &e), 0);
    one = file_read(gz, &n);
    ck_assert_mem_eq(one + 3, "\0\0\0\0\0", 5); /* no flags, no time */
    ck_assert_int_eq(dataset_sample(d, 73, 1, gz, &e), 0);
    ck_assert_mem_eq(one, file_read(gz, &m), n);
    ck_assert_uint_eq(n, m);
    got = load(gz);
    ck_assert_uint_eq(got->n, 73);
    for (i = 0; i < 73; i++)
        count[got->labels[i]]++;
    for (i = 0; i < N_CLASSES; i++)
        ck_assert_uint_eq(count[i], i < 3 ? 8 : 7);
    dataset_free(got);
    /* All that may be drawn, in stored order: the first 400. */
    ck_assert_int_eq(dataset_sample(d, 400, 1, csv, &e), 0);
    got = load(csv);
    ck_assert_mem_eq(got->pixels, d->pixels, 400 * IMAGE_PIXELS);
    ck_assert_mem_eq(got->labels, d->labels, 400);
    dataset_free(got);
    ck_assert_int_eq(dataset_sample(d, 401, 1, csv, &e), ERR_USAGE);
    ck_assert_int_eq(dataset_sample(d, 0, 1, csv, &e), ERR_USAGE);
    ck_assert_int_eq(dataset_sample(d, 5, 1, "/dev/full", &e), ERR_IO);
    for (i = 1; i < 40; i++) {
        mem_fail_at(i, 1);
        (void)!dataset_sample(d, 73, 1, gz, &e);
        mem_fail_at(0, 0);
    }
    dataset_free(d);
}
END_TEST

START_TEST(sample_of_uneven_classes)
{
    struct dataset *d = images_new(100), *got;
    char *csv = tmp_path("s.csv");
    uint32_t count[N_CLASSES] = {0}, i;

    for (i = 0; i < 100; i++)
        d->labels[i] = i < 97 ? 4 : 7;
    ck_assert_int_eq(dataset_sample(d, 20, 1, csv, &e), 0);
    got = load(csv);
    for (i = 0; i < got->n; i++)
        count[got->labels[i]]++;
    ck_assert_uint_eq(count[4], 17);
    ck_assert_uint_eq(count[7], 3);
    dataset_free(got);
    dataset_free(d);
}
END_TEST

START_TEST(classes)
{
    static const struct {
        const char *text;
        int want;
    } CASES[] = {{"7", 7},           {"shirt", 6},     {"ANK", 9},
                 {"t-shirt/top", 0}, {"S", ERR_USAGE}, {"x", ERR_USAGE},
                 {"", ERR_USAGE},    {"10", ERR_USAGE}};
    char names[N_CLASSES][CLASS_NAME_MAX];
    const char(*const_names)[CLASS_NAME_MAX] = (const void *)names;
    size_t i;

    for (i = 0; i < N_CLASSES; i++)
        snprintf(names[i], CLASS_NAME_MAX, "%s", FASHION_CLASSES[i]);
    for (i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        ck_assert_int_eq(dataset_class(const_names, CASES[i].text, &e),
                         CASES[i].want);
    ck_assert_int_eq(dataset_class(const_names, "S", &e), ERR_USAGE);
    ck_assert_str_eq(e.msg,
                     "class \"S\": could be: 5 Sandal, 6 Shirt, 7 Sneaker");
    ck_assert_int_eq(dataset_class(const_names, "x", &e), ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "9 Ankle boot"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("data");
    TCase *tc = tcase_create("data");

    tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, small_set);
    tcase_add_test(tc, full_set);
    tcase_add_loop_test(tc, idx_folder, 0, 2);
    tcase_add_loop_test(tc, idx_faults, 0, sizeof(IDX) / sizeof(IDX[0]));
    tcase_add_test(tc, idx_more_faults);
    tcase_add_test(tc, idx_single_file);
    tcase_add_test(tc, idx_no_memory);
    tcase_add_test(tc, split_is_stratified);
    tcase_add_test(tc, split_is_fixed);
    tcase_add_test(tc, split_own_test_part);
    tcase_add_test(tc, split_refusals);
    tcase_add_test(tc, samples);
    tcase_add_test(tc, sample_of_uneven_classes);
    tcase_add_test(tc, classes);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
