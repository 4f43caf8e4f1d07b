/* SPDX-License-Identifier: MIT */
/* CSV files, right and wrong. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmnist/dataset.h"
#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "images.h"
#include "support.h"

enum { N = 25 };

static struct str text;
static char *path;
static struct dataset *made_up;

static void
setup(void)
{
    tmp_setup();
    str_init(&text);
    path = tmp_path("mine.csv");
    made_up = images_new(N);
}

static void
teardown(void)
{
    dataset_free(made_up);
    str_release(&text);
    tmp_teardown();
}

/* Writes `text`, loads it, and expects the made-up set. */
static void
expect_made_up(const char *file)
{
    struct dataset *d;
    struct err e = {0};

    ck_assert_msg(dataset_load(file, &d, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(d->n, N);
    ck_assert_uint_eq(d->n_fixed_test, 0);
    ck_assert_mem_eq(d->labels, made_up->labels, N);
    ck_assert_mem_eq(d->pixels, made_up->pixels, (size_t)N * IMAGE_PIXELS);
    ck_assert_str_eq(d->sha256, made_up->sha256);
    ck_assert_str_eq(d->name, file);
    ck_assert_str_eq(d->class_names[9], "9");
    dataset_free(d);
}

/* Loads `path` and expects "PATH" and `rest` as the message. */
static void
expect_fault(int code, const char *rest)
{
    struct dataset *d = made_up;
    struct err e = {0};
    char want[700];

    snprintf(want, sizeof(want), "%s%s", path, rest);
    ck_assert_int_eq(dataset_load(path, &d, &e), code);
    ck_assert_ptr_null(d);
    ck_assert_str_eq(e.msg, want);
    ck_assert_int_eq(e.code, code);
}

START_TEST(forms)
{
    char *quoted = tmp_path("quoted.csv"), *crlf = tmp_path("crlf.csv");
    struct str other;
    size_t i;

    csv_add_images(&text, N);
    file_write(path, text.s, text.len);
    expect_made_up(path);
    file_write(path, text.s, text.len - 1);
    expect_made_up(path);
    file_write_gz(path, text.s, text.len);
    expect_made_up(path);

    str_clear(&text);
    str_add(&text, "\xEF\xBB\xBF");
    csv_add_header(&text);
    csv_add_images(&text, N);
    file_write(path, text.s, text.len);
    expect_made_up(path);

    /* Every field in quotes or blanks, so that libcsv reads all of them. */
    str_init(&other);
    str_add(&other, "\"");
    for (i = 3; i + 1 < text.len; i++) {
        if (text.s[i] == ',')
            str_add(&other, i % 3 ? "\",\"" : "\" ,\t\"");
        else if (text.s[i] == '\n')
            str_add(&other, "\"\n\"");
        else
            str_addc(&other, text.s[i]);
    }
    str_add(&other, "\"\n");
    file_write(quoted, other.s, other.len);
    expect_made_up(quoted);

    str_clear(&other);
    for (i = 0; i < text.len; i++) {
        if (text.s[i] == '\n')
            str_add(&other, i % 2 ? "\r\n" : "\r\n\r\n");
        else
            str_addc(&other, text.s[i]);
    }
    file_write(crlf, other.s, other.len);
    expect_made_up(crlf);
    str_release(&other);
}
END_TEST

/* What is wrong with one field of the third row: index, value, message. */
static const struct {
    int at;
    const char *value;
    size_t len;
    const char *message;
} FIELDS[] = {
    {311, "25 6", 4,
     "field pixel311: expected an integer 0–255, found "
     "\"25 6\""},
    {1, "256", 3, "field pixel1: expected an integer 0–255, found \"256\""},
    {1, "-1", 2, "field pixel1: expected an integer 0–255, found \"-1\""},
    {2, "3.5", 3, "field pixel2: expected an integer 0–255, found \"3.5\""},
    {2, "+5", 2, "field pixel2: expected an integer 0–255, found \"+5\""},
    {784, "0x10", 4,
     "field pixel784: expected an integer 0–255, found "
     "\"0x10\""},
    {784, "", 0, "field pixel784: expected an integer 0–255, found \"\""},
    {5, "cat", 3, "field pixel5: expected an integer 0–255, found \"cat\""},
    {5, "99999999999999999999", 20,
     "field pixel5: expected an integer 0–255, found "
     "\"99999999999999999999\""},
    {5, "\x1b[31m", 5,
     "field pixel5: expected an integer 0–255, found "
     "\"\x1b[31m\""},
    {5, "1\0002", 3,
     "field pixel5: expected an integer 0–255, found a NUL "
     "byte"},
    {0, "10", 2, "field label: expected an integer 0–9, found \"10\""},
    {0, "-1", 2, "field label: expected an integer 0–9, found \"-1\""},
    {0, "300", 3, "field label: expected an integer 0–9, found \"300\""},
    {0, "shirt", 5, "field label: expected an integer 0–9, found \"shirt\""},
    {0, "", 0, "field label: expected an integer 0–9, found \"\""},
    {7, "\"12", 3, "field pixel7: the quote is not closed"},
    {0, "\"3", 2, "field label: the quote is not closed"},
    {9, "0123456789012345678901234567890123456789", 40,
     "field pixel9: expected an integer 0–255, found "
     "\"0123456789012345678901234567890123456789\""},
    {9, "ab0123456789012345678901234567890123456789", 42,
     "field pixel9: expected an integer 0–255, found "
     "\"ab01234567890123456789012345678901234567…\""},
    {9, "a0123456789012345678901234567890123456éxyz", 43,
     "field pixel9: expected an integer 0–255, found "
     "\"a0123456789012345678901234567890123456é…\""},
    {9, "ab0123456789012345678901234567890123456éxyz", 44,
     "field pixel9: expected an integer 0–255, found "
     "\"ab0123456789012345678901234567890123456…\""},
};

START_TEST(wrong_field)
{
    char rest[300];

    csv_add_header(&text);
    csv_add_images(&text, 2);
    csv_add_row(&text, 785, FIELDS[_i].at, FIELDS[_i].value, FIELDS[_i].len);
    csv_add_images(&text, 2);
    file_write(path, text.s, text.len);
    snprintf(rest, sizeof(rest), ":4: row 3, %s", FIELDS[_i].message);
    expect_fault(ERR_FAIL, rest);
    /* The same through gzip. */
    file_write_gz(path, text.s, text.len);
    expect_fault(ERR_FAIL, rest);
}
END_TEST

START_TEST(wrong_width)
{
    csv_add_row(&text, 785, -1, "", 0);
    csv_add_row(&text, 784, -1, "", 0);
    file_write(path, text.s, text.len);
    expect_fault(ERR_FAIL, ":2: row 2: expected 785 fields, found 784");
    str_clear(&text);
    csv_add_row(&text, 786, -1, "", 0);
    file_write(path, text.s, text.len);
    expect_fault(ERR_FAIL, ":1: row 1: expected 785 fields, found 786");
    file_write_text(path, "label,pixel1\n1,2\n");
    expect_fault(ERR_FAIL, ":1: header: expected 785 fields, found 2");
    file_write_text(path, "1,2\n");
    expect_fault(ERR_FAIL, ":1: row 1: expected 785 fields, found 2");
    /* The width goes first where both are wrong. */
    str_clear(&text);
    csv_add_row(&text, 784, 5, "x", 1);
    file_write(path, text.s, text.len);
    expect_fault(ERR_FAIL, ":1: row 1: expected 785 fields, found 784");
}
END_TEST

START_TEST(header_in_the_middle)
{
    csv_add_header(&text);
    csv_add_images(&text, 3);
    csv_add_header(&text);
    file_write(path, text.s, text.len);
    expect_fault(ERR_FAIL, ":5: row 4: a header in the middle of the file");
}
END_TEST

START_TEST(nothing_to_read)
{
    file_write_text(path, "");
    expect_fault(ERR_FAIL, ": the file is empty");
    file_write_gz(path, "", 0);
    expect_fault(ERR_FAIL, ": the file is empty");
    file_write_text(path, "\xEF\xBB\xBF");
    expect_fault(ERR_FAIL, ": no rows of data");
    file_write_text(path, "\n\r\n \n");
    expect_fault(ERR_FAIL, ": no rows of data");
    csv_add_header(&text);
    file_write(path, text.s, text.len);
    expect_fault(ERR_FAIL, ": no rows of data");
    ck_assert_int_eq(unlink(path), 0);
    expect_fault(ERR_NOTFOUND, ": no such file or folder");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_fault(ERR_NOTFOUND,
                 ": a folder without train-images-idx3-ubyte (or .gz)");
}
END_TEST

START_TEST(unreadable)
{
    file_write_text(path, "1\n");
    ck_assert_int_eq(chmod(path, 0), 0);
    ck_assert_int_eq(chmod(tmp_dir(), 0755), 0);
    /* Nothing is unreadable for root: this test has a process of its own. */
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    expect_fault(ERR_IO, ": Permission denied");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* Peak resident size of this process, bytes. */
static long
peak(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss * 1024L;
}

START_TEST(long_line)
{
    enum { LONG = 10 << 20 };
    char *filler = malloc(LONG);
    long before;
    int i;

    ck_assert_ptr_nonnull(filler);
    for (i = 0; i < 3; i++) {
        memset(filler, "7,\""[i], LONG);
        str_clear(&text);
        csv_add_images(&text, 2);
        str_addn(&text, filler, LONG);
        str_addc(&text, '\n');
        csv_add_images(&text, 2);
        file_write(path, text.s, text.len);
        before = peak();
        expect_fault(ERR_FAIL,
                     ":3: row 3: the line is longer than 65536 bytes");
        ck_assert_int_lt(peak() - before, 4 << 20);
        /* The same without an end of line. */
        file_write(path, filler, LONG);
        expect_fault(ERR_FAIL,
                     ":1: row 1: the line is longer than 65536 bytes");
    }
    free(filler);
}
END_TEST

START_TEST(gzip_cut_short)
{
    size_t n, cut;
    char *all;

    csv_add_images(&text, N);
    file_write_gz(path, text.s, text.len);
    all = file_read(path, &n);
    for (cut = 2; cut < n; cut += cut < 40 || cut + 20 > n ? 1 : 997) {
        file_write(path, all, cut);
        expect_fault(ERR_FAIL,
                     ": the gzip data ends too early (truncated file)");
    }
    file_write(path, all, 1);
    expect_fault(ERR_FAIL, ":1: header: expected 785 fields, found 1");
}
END_TEST

START_TEST(gzip_damaged)
{
    struct err e = {0};
    struct dataset *d;
    size_t n;
    char *all;

    csv_add_images(&text, N);
    file_write_gz(path, text.s, text.len);
    all = file_read(path, &n);
    all[n - 6] ^= 1; /* the checksum in the trailer */
    file_write(path, all, n);
    ck_assert_int_eq(dataset_load(path, &d, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(e.msg, "the gzip data is damaged"));
    all[n - 6] ^= 1;
    file_write(path, all, n);
    file_append(path, "\0\0\0\0", 4);
    expect_made_up(path);
    file_append(path, "more", 4);
    expect_fault(ERR_FAIL, ": something follows the gzip data");
    file_write(path, all, n);
    file_append(path, "x", 1);
    expect_fault(ERR_FAIL, ": something follows the gzip data");
}
END_TEST

START_TEST(gzip_members)
{
    char *first = tmp_path("a.gz"), *second = tmp_path("b.gz");
    size_t n;
    char *part;

    csv_add_images(&text, N);
    file_write_gz(first, text.s, 4321);
    file_write_gz(second, text.s + 4321, text.len - 4321);
    part = file_read(first, &n);
    file_write(path, part, n);
    part = file_read(second, &n);
    file_append(path, part, n);
    expect_made_up(path);
}
END_TEST

START_TEST(pipes)
{
    pid_t child;
    int status, gz;

    csv_add_images(&text, N);
    for (gz = 0; gz <= 1; gz++) {
        char *packed = tmp_path("packed"), *bytes = text.s;
        size_t n = text.len;

        if (gz) {
            file_write_gz(packed, text.s, text.len);
            bytes = file_read(packed, &n);
        }
        unlink(path);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        child = fork();
        if (child == 0) {
            file_write(path, bytes, n);
            _exit(0);
        }
        expect_made_up(path);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
    }
}
END_TEST

static char reports[64][600];
static int n_reports;

static void
report(const char *message, void *arg)
{
    ck_assert_ptr_eq(arg, reports);
    ck_assert_int_lt(n_reports, 64);
    snprintf(reports[n_reports++], sizeof(reports[0]), "%s", message);
}

static void
expect_report(int i, const char *rest)
{
    char want[700];

    snprintf(want, sizeof(want), "%s%s", path, rest);
    ck_assert_int_lt(i, n_reports);
    ck_assert_str_eq(reports[i], want);
}

START_TEST(check_lists_faults)
{
    struct err e = {0};
    int i;

    csv_add_header(&text);
    csv_add_images(&text, 3);
    csv_add_row(&text, 785, 5, "x", 1);
    csv_add_row(&text, 785, 6, "\"1", 2);
    csv_add_row(&text, 786, -1, "", 0);
    csv_add_images(&text, 1);
    for (i = 0; i < 100000; i++)
        str_add(&text, "9,");
    str_add(&text, "\n");
    for (i = 0; i < 30; i++)
        csv_add_row(&text, 785, 0, "10", 2);
    file_write(path, text.s, text.len);
    ck_assert_int_eq(dataset_check(path, 20, report, reports, &e), 34);
    ck_assert_int_eq(n_reports, 20);
    expect_report(0, ":5: row 4, field pixel5: expected an integer 0–255, "
                     "found \"x\"");
    expect_report(1, ":6: row 5, field pixel6: the quote is not closed");
    expect_report(2, ":7: row 6: expected 785 fields, found 786");
    expect_report(3, ":9: row 8: the line is longer than 65536 bytes");
    expect_report(4, ":10: row 9, field label: expected an integer 0–9, found "
                     "\"10\"");
}
END_TEST

START_TEST(check_other_ends)
{
    struct err e = {0};
    size_t n;
    char *all;

    csv_add_images(&text, N);
    file_write(path, text.s, text.len);
    ck_assert_int_eq(dataset_check(path, 20, report, reports, &e), 0);
    file_write_gz(path, text.s, text.len);
    all = file_read(path, &n);
    file_write(path, all, n / 2);
    ck_assert_int_eq(dataset_check(path, 20, report, reports, &e), 1);
    expect_report(0, ": the gzip data ends too early (truncated file)");
    unlink(path);
    ck_assert_int_eq(dataset_check(path, 20, report, reports, &e),
                     ERR_NOTFOUND);
    ck_assert_int_eq(n_reports, 1);
}
END_TEST

START_TEST(without_labels)
{
    struct err e = {0};
    struct dataset *d;
    int i;

    csv_add_images(&text, N);
    file_write(path, text.s, text.len);
    ck_assert_int_eq(dataset_load_unlabelled(path, &d, &e), 0);
    ck_assert_str_eq(d->sha256, made_up->sha256);
    dataset_free(d);

    str_clear(&text);
    str_add(&text, "pixel1");
    for (i = 2; i <= IMAGE_PIXELS; i++)
        str_addf(&text, ",pixel%d", i);
    str_addc(&text, '\n');
    csv_add_row(&text, 784, 0, "200", 3);
    csv_add_row(&text, 784, 783, "7", 1);
    file_write(path, text.s, text.len);
    ck_assert_msg(dataset_load_unlabelled(path, &d, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(d->n, 2);
    ck_assert_ptr_null(d->labels);
    ck_assert_uint_eq(d->pixels[0], 200);
    ck_assert_uint_eq(d->pixels[2 * IMAGE_PIXELS - 1], 7);
    dataset_free(d);

    csv_add_row(&text, 785, -1, "", 0);
    csv_add_row(&text, 784, 783, "256", 3);
    file_write(path, text.s, text.len);
    ck_assert_int_eq(dataset_load_unlabelled(path, &d, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(
        strstr(e.msg, ":4: row 3: expected 784 fields, found 785"));
    str_clear(&text);
    csv_add_row(&text, 784, 0, "256", 3);
    file_write(path, text.s, text.len);
    ck_assert_int_eq(dataset_load_unlabelled(path, &d, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(e.msg, ":1: row 1, field pixel1: "));
    file_write_text(path, "1,2\n");
    ck_assert_int_eq(dataset_load_unlabelled(path, &d, &e), ERR_FAIL);
    ck_assert_ptr_nonnull(strstr(e.msg, "expected 784 or 785 fields"));
}
END_TEST

START_TEST(no_memory)
{
    struct dataset *d;
    struct err e = {0};
    long nth;
    int rc;

    /* Quotes, so that libcsv allocates too; gzip for zlib. */
    csv_add_images(&text, 5);
    csv_add_row(&text, 785, 4, "\"255\"", 5);
    file_write_gz(path, text.s, text.len);
    for (nth = 1;; nth++) {
        d = made_up;
        mem_fail_at(nth, _i);
        rc = dataset_load(path, &d, &e);
        mem_fail_at(0, 0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, ERR_NOMEM);
        ck_assert_ptr_null(d);
        ck_assert_ptr_nonnull(strstr(e.msg, "out of memory"));
    }
    ck_assert_int_gt(nth, 8);
    ck_assert_uint_eq(d->n, 6);
    dataset_free(d);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("csv");
    TCase *tc = tcase_create("csv");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, forms);
    tcase_add_loop_test(tc, wrong_field, 0, sizeof(FIELDS) / sizeof(FIELDS[0]));
    tcase_add_test(tc, wrong_width);
    tcase_add_test(tc, header_in_the_middle);
    tcase_add_test(tc, nothing_to_read);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, long_line);
    tcase_add_test(tc, gzip_cut_short);
    tcase_add_test(tc, gzip_damaged);
    tcase_add_test(tc, gzip_members);
    tcase_add_test(tc, pipes);
    tcase_add_test(tc, check_lists_faults);
    tcase_add_test(tc, check_other_ends);
    tcase_add_test(tc, without_labels);
    tcase_add_loop_test(tc, no_memory, 0, 2);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
