/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmnist/err.h"
#include "fmnist/mem.h"
#include "fmnist/num.h"
#include "fmnist/rng.h"
#include "fmnist/sha256.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"
#include "support.h"

START_TEST(err_texts)
{
    struct err e = {0};
    char name[600];

    ck_assert_int_eq(err_set(&e, ERR_USAGE, "bad %d", 7), ERR_USAGE);
    ck_assert_int_eq(e.code, ERR_USAGE);
    ck_assert_str_eq(e.msg, "bad 7");
    errno = ENOENT;
    ck_assert_int_eq(err_sys(&e, "open %s", "x"), ERR_IO);
    ck_assert_str_eq(e.msg, "open x: No such file or directory");
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(err_wrap(&e, ERR_IO, "run %d", 3), ERR_IO);
    ck_assert_str_eq(e.msg, "run 3: open x: No such file or directory");
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(err_nomem(&e, "a model", 12), ERR_NOMEM);
    ck_assert_ptr_nonnull(strstr(e.msg, "a model needs 12 bytes"));
    ck_assert_int_eq(err_set(NULL, ERR_FAIL, "x"), ERR_FAIL);
    ck_assert_int_eq(err_sys(NULL, "x"), ERR_IO);
    ck_assert_int_eq(err_wrap(NULL, ERR_FAIL, "x"), ERR_FAIL);
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    err_set(&e, ERR_FAIL, "%s", name);
    err_wrap(&e, ERR_FAIL, "%s", name);
    ck_assert_uint_eq(strlen(e.msg), sizeof(e.msg) - 1);
}
END_TEST

START_TEST(mem_failures)
{
    void *p = mem_aligned(3, 5);
    void *a, *b;
    long live = mem_live();

    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    ck_assert_int_eq(((char *)p)[14], 0);
    mem_free(p);
    ck_assert_ptr_null(mem_zalloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(mem_aligned(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(mem_aligned(SIZE_MAX - 3, 1));
    ck_assert_ptr_null(mem_resize(NULL, SIZE_MAX / 2, 3));
    p = mem_zalloc(0, 8);
    ck_assert_ptr_nonnull(p);
    mem_free(p);
    mem_fail_at(2, 0);
    a = mem_alloc(1);
    b = mem_alloc(1);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_null(b);
    b = mem_strdup("x");
    ck_assert_ptr_nonnull(b);
    b = mem_resize(b, 100, 1);
    ck_assert_int_eq(mem_live(), live + 1);
    mem_free(a);
    mem_free(b);
    mem_free(NULL);
    ck_assert_int_eq(mem_live(), live - 1);
    ck_assert_int_eq(mem_fail_at(2, 1), 0);
    ck_assert_int_eq(mem_fail_at(1, 1), 1);
    ck_assert_ptr_null(mem_alloc(1));
    ck_assert_ptr_null(mem_strndup("x", 1));
    ck_assert_int_eq(mem_fail_at(0, 0), 0);
}
END_TEST

START_TEST(str_grows)
{
    struct str b;
    char *s;
    int i;

    str_init(&b);
    ck_assert_str_eq(b.s, "");
    for (i = 0; i < 1000; i++)
        str_addf(&b, "%03d", i);
    ck_assert_uint_eq(b.len, 3000);
    ck_assert_str_eq(b.s + 2997, "999");
    str_clear(&b);
    ck_assert_str_eq(b.s, "");
    str_add(&b, "a");
    str_addc(&b, 'b');
    s = str_detach(&b);
    ck_assert_str_eq(s, "ab");
    mem_free(s);
    s = str_detach(&b);
    ck_assert_str_eq(s, "");
    mem_free(s);
    str_add(&b, "kept");
    mem_fail_at(1, 1);
    str_addf(&b, "%100d", 1);
    mem_fail_at(0, 0);
    ck_assert_int_eq(str_failed(&b), 1);
    ck_assert_str_eq(b.s, "kept");
    str_add(&b, "x");
    ck_assert_str_eq(b.s, "kept");
    ck_assert_ptr_null(str_detach(&b));
    str_release(&b);
}
END_TEST

typedef void (*adder)(struct str *b, const char *s);

static void
expect(adder add, const char *in, const char *out)
{
    struct str b;

    str_init(&b);
    add(&b, in);
    ck_assert_str_eq(b.s, out);
    str_release(&b);
}

START_TEST(str_quoting)
{
    expect(str_add_visible, "a\x1b[31m\n\x7f", "a^[[31m^J^?");
    expect(str_add_visible, "\xc2\x9b\x9b\xc3\xa9", "<9b><9b>\xc3\xa9");
    expect(str_add_visible, "\xe2\x82", "<e2><82>");
    expect(str_add_visible, "\xed\xa0\x80\xc0\x80", "<ed><a0><80><c0><80>");
    expect(str_add_json, "q\"\\\n\x01\xc3\xa9\xff",
           "\"q\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd\"");
    expect(str_add_csv, "plain", "plain");
    expect(str_add_csv, "a,\"b\"", "\"a,\"\"b\"\"\"");
    expect(str_add_csv, " x", "\" x\"");
    expect(str_add_shell, "a-b_1.csv", "a-b_1.csv");
    expect(str_add_shell, "", "''");
    expect(str_add_shell, "it's $(x)", "'it'\\''s $(x)'");
}
END_TEST

START_TEST(str_numbers)
{
    static const double VALUES[] = {0.1,   1e-3, 1.0 / 3,   5e-324,   1.5e300,
                                    -0.25, 1e22, 123456789, 0x1p-1040};
    struct str b;
    size_t i;

    str_init(&b);
    str_add_json_num(&b, 0.1);
    str_addc(&b, ' ');
    str_add_json_num(&b, NAN);
    str_addc(&b, ' ');
    str_add_json_num(&b, -INFINITY);
    str_addc(&b, ' ');
    str_add_json_num(&b, 5e-324);
    ck_assert_str_eq(b.s, "0.1 null null 5e-324");
    for (i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        str_clear(&b);
        str_add_json_num(&b, VALUES[i]);
        ck_assert(strtod(b.s, NULL) == VALUES[i]);
    }
    str_release(&b);
}
END_TEST

START_TEST(str_reads_numbers)
{
    static const char *const BAD[] = {"",    " 1",  "1 ",  "0x10", "1a",
                                      "nan", "inf", "--1", "+"};
    long long i;
    double d;
    size_t k;

    for (k = 0; k < sizeof(BAD) / sizeof(BAD[0]); k++) {
        ck_assert_int_eq(str_to_i64(BAD[k], &i), -1);
        ck_assert_int_eq(str_to_double(BAD[k], &d), -1);
    }
    ck_assert_int_eq(str_to_i64("9223372036854775808", &i), -1);
    ck_assert_int_eq(str_to_i64("1.0", &i), -1);
    ck_assert_int_eq(str_to_i64("-9223372036854775808", &i), 0);
    ck_assert(i == INT64_MIN);
    ck_assert_int_eq(str_to_double("1e999", &d), -1);
    ck_assert_int_eq(str_to_double("1e", &d), -1);
    ck_assert_int_eq(str_to_double("-1.5e-3", &d), 0);
    ck_assert(d == -1.5e-3);
    ck_assert_int_eq(str_to_double("1e-310", &d), 0);
}
END_TEST

START_TEST(str_fits)
{
    struct str b;

    ck_assert_int_eq(str_width("a\xff"), 2);
    str_init(&b);
    str_add_fit(&b, "abc", 5, 1);
    str_add_fit(&b, "abcdef", 4, 1);
    str_add_fit(&b, "abcdef", 3, 0);
    str_add_fit(&b, "x", 0, 0);
    ck_assert_str_eq(b.s, "abc  abc>ab\xe2\x80\xa6");
    str_clear(&b);
    str_add_fit(&b, "a\x1b[2J", 6, 1);
    str_add_fit(&b, "\n\n\n", 4, 1);
    ck_assert_str_eq(b.s, "a^[[2J^J^>");
    str_release(&b);
}
END_TEST

START_TEST(philox_known_answers)
{
    /* From the kat_vectors file that comes with the paper's code. */
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } KAT[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    const struct rng r = {
        .seed = 0x299f31d0a4093822, .stream = 0x03707344, .epoch = 0x13198a2e};
    uint32_t out[4];
    size_t i;

    for (i = 0; i < 3; i++) {
        rng_philox(out, KAT[i].ctr, KAT[i].key);
        ck_assert_mem_eq(out, KAT[i].out, sizeof(out));
    }
    rng_block(&r, 0x85a308d3243f6a88, out);
    ck_assert_mem_eq(out, KAT[2].out, sizeof(out));
    rng_block(&r, 5, out);
    ck_assert_uint_eq(rng_u32(&r, 22), out[2]);
}
END_TEST

START_TEST(rng_draws)
{
    const struct rng r = {.seed = 1, .stream = RNG_SHUFFLE, .epoch = 2};
    uint32_t p[100], seen[100] = {0}, count[10] = {0};
    uint32_t i, moved = 0;

    for (i = 0; i < 100; i++)
        p[i] = i;
    rng_shuffle(&r, p, 100);
    for (i = 0; i < 100; i++) {
        seen[p[i]]++;
        moved += p[i] != i;
    }
    for (i = 0; i < 100; i++)
        ck_assert_uint_eq(seen[i], 1);
    ck_assert_uint_gt(moved, 90);
    for (i = 0; i < 10000; i++)
        count[rng_below(&r, i, 10)]++;
    for (i = 0; i < 10; i++) {
        ck_assert_uint_gt(count[i], 850);
        ck_assert_uint_lt(count[i], 1150);
    }
    ck_assert(rng_to_float(0) == 0.0F);
    ck_assert(rng_to_float(UINT32_MAX) < 1.0F);
    ck_assert(rng_to_double(UINT32_MAX) < 1.0);
    ck_assert(rng_to_float(0x80000000) == 0.5F);
    rng_shuffle(&r, p, 0);
}
END_TEST

/* |got - want| in units of want's relative error; exact zeros agree. */
static double
relative(double got, double want)
{
    return got == want ? 0 : fabs(got - want) / fabs(want);
}

START_TEST(num_against_libm)
{
    double x, worst_exp = 0, worst_log = 0, worst_cos = 0;
    int i;

    for (i = -70800; i <= 70970; i++) {
        x = i * 0.01 + 1e-4 * (i % 7);
        worst_exp = fmax(worst_exp, relative(num_exp(x), exp(x)));
        x = exp(i * 0.01);
        worst_log = fmax(worst_log, relative(num_log(x), log(x)));
        x = 1 + i * 1e-5;
        if (x > 0)
            worst_log = fmax(worst_log, relative(num_log(x), log(x)));
    }
    for (i = 0; i <= 100000; i++) {
        x = i / 100000.0;
        worst_cos =
            fmax(worst_cos,
                 fabs(num_cospi(x) -
                      (double)cosl(3.14159265358979323846L * (long double)x)));
    }
    ck_assert_double_lt(worst_exp, 1e-15);
    ck_assert_double_lt(worst_log, 1e-15);
    ck_assert_double_lt(worst_cos, 1e-15);
}
END_TEST

START_TEST(num_edges)
{
    ck_assert(num_exp(0) == 1);
    ck_assert(isinf(num_exp(710)) && num_exp(-746) == 0);
    ck_assert(isinf(num_exp(INFINITY)) && num_exp(-INFINITY) == 0);
    ck_assert(isfinite(num_exp(709.7)));
    ck_assert(fabs(num_exp(-740) - exp(-740)) <= 0x1p-1073);
    ck_assert(isnan(num_exp(NAN)) && isnan(num_log(NAN)));
    ck_assert(num_log(1) == 0);
    ck_assert(isinf(num_log(0)) && num_log(0) < 0);
    ck_assert(isnan(num_log(-1)));
    ck_assert(isinf(num_log(INFINITY)));
    ck_assert_double_lt(relative(num_log(5e-324), log(5e-324)), 1e-15);
    ck_assert(num_powi(0.9, 0) == 1 && num_powi(2, 10) == 1024);
    ck_assert_double_lt(relative(num_powi(0.999, 1000), pow(0.999, 1000)),
                        1e-13);
    ck_assert(num_cospi(0) == 1 && num_cospi(1) == -1);
    ck_assert(num_cospi(0.5) == 0);
}
END_TEST

START_TEST(sha256_known)
{
    static const char ABC[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct sha256 *h = sha256_new();
    char hex[SHA256_HEX];
    struct err e;

    ck_assert_int_eq(sha256_of("abc", 3, hex, &e), 0);
    ck_assert_str_eq(hex, ABC);
    sha256_add(h, "a", 1);
    sha256_add(h, "bc", 2);
    sha256_hex(h, hex);
    ck_assert_str_eq(hex, ABC);
    sha256_free(h);
    sha256_free(NULL);
    mem_fail_at(1, 0);
    ck_assert_int_eq(sha256_of("abc", 3, hex, &e), ERR_NOMEM);
}
END_TEST

START_TEST(sys_paths)
{
    struct err e;
    char *p, cwd[4096], want[4200];

    setenv("XDG_DATA_HOME", "/xdg", 1);
    ck_assert_int_eq(sys_data_path("runs.db", &p, &e), 0);
    ck_assert_str_eq(p, "/xdg/fmnist-tui/runs.db");
    mem_free(p);
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("HOME", "/home/me", 1);
    ck_assert_int_eq(sys_data_path("runs.db", &p, &e), 0);
    ck_assert_str_eq(p, "/home/me/.local/share/fmnist-tui/runs.db");
    mem_free(p);
    ck_assert_int_eq(sys_absolute("/a//b/./c/../d", &p, &e), 0);
    ck_assert_str_eq(p, "/a/b/c/../d");
    mem_free(p);
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    snprintf(want, sizeof(want), "%s/x", cwd);
    ck_assert_int_eq(sys_absolute("./x", &p, &e), 0);
    ck_assert_str_eq(p, want);
    mem_free(p);
    ck_assert_int_eq(sys_absolute("/", &p, &e), 0);
    ck_assert_str_eq(p, "/");
    mem_free(p);
    mem_fail_at(1, 1);
    ck_assert_int_eq(sys_absolute("x", &p, &e), ERR_NOMEM);
    ck_assert_int_eq(sys_data_path("x", &p, &e), ERR_NOMEM);
    ck_assert_ptr_null(p);
}
END_TEST

START_TEST(sys_writes)
{
    char *path = tmp_path("a/b/c.txt");
    char *link = tmp_path("link");
    struct err e;
    struct stat st;
    size_t n;

    ck_assert_int_eq(sys_write_file(path, "x", 1, &e), ERR_IO);
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(sys_make_parents(path, &e), 0);
    ck_assert_int_eq(sys_make_parents(path, &e), 0);
    ck_assert_int_eq(stat(tmp_path("a/b"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(sys_write_file(path, "one", 3, &e), 0);
    ck_assert_int_eq(symlink(path, link), 0);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(sys_write_file(link, "two!", 4, &e), 0);
    ck_assert_str_eq(file_read(path, &n), "two!");
    ck_assert_int_eq(lstat(link, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(sys_write_file("/dev/null", "x", 1, &e), 0);
    ck_assert_int_eq(sys_write_file("/dev/full", "x", 1, &e), ERR_IO);
    ck_assert_int_eq(e.sys, ENOSPC);
    ck_assert_int_eq(sys_write_file(tmp_dir(), "x", 1, &e), ERR_IO);
    ck_assert_int_eq(e.sys, EISDIR);
    ck_assert_int_eq(sys_make_parents(tmp_path("a/b/c.txt/d/e"), &e), ERR_IO);
    ck_assert_int_eq(e.sys, ENOTDIR);
}
END_TEST

START_TEST(sys_machine)
{
    char now[SYS_TIME_LEN], text[256], uuid[37], other[37];
    struct err e;
    double t = sys_monotonic();
    int y, mo, d, h, mi, s, ms;

    sys_now(now);
    ck_assert_uint_eq(strlen(now), SYS_TIME_LEN - 1);
    ck_assert_int_eq(
        sscanf(now, "%d-%d-%dT%d:%d:%d.%dZ", &y, &mo, &d, &h, &mi, &s, &ms), 7);
    ck_assert_double_ge(sys_monotonic(), t);
    ck_assert_int_ge(sys_cpus(), 1);
    ck_assert_int_le(sys_cpus(), (int)sysconf(_SC_NPROCESSORS_CONF));
    ck_assert(sys_memory_available() > 1 << 20);
    sys_cpu_name(text, sizeof(text));
    ck_assert_str_ne(text, "");
    sys_user(text, sizeof(text));
    ck_assert_str_ne(text, "");
    sys_host(text, sizeof(text));
    ck_assert_str_ne(text, "");
    ck_assert_int_eq(sys_uuid(uuid, &e), 0);
    ck_assert_int_eq(sys_uuid(other, &e), 0);
    ck_assert_uint_eq(strlen(uuid), 36);
    ck_assert_int_eq(uuid[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", uuid[19]));
    ck_assert_str_ne(uuid, other);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("base");
    TCase *tc = tcase_create("base");

    tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
    tcase_add_test(tc, err_texts);
    tcase_add_test(tc, mem_failures);
    tcase_add_test(tc, str_grows);
    tcase_add_test(tc, str_quoting);
    tcase_add_test(tc, str_numbers);
    tcase_add_test(tc, str_reads_numbers);
    tcase_add_test(tc, str_fits);
    tcase_add_test(tc, philox_known_answers);
    tcase_add_test(tc, rng_draws);
    tcase_add_test(tc, num_against_libm);
    tcase_add_test(tc, num_edges);
    tcase_add_test(tc, sha256_known);
    tcase_add_test(tc, sys_paths);
    tcase_add_test(tc, sys_writes);
    tcase_add_test(tc, sys_machine);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
