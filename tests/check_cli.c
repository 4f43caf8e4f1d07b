/* SPDX-License-Identifier: MIT */
/* The parts of the command line that need no database. */
#include "config.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "fmnist/mem.h"
#include "support.h"

/* What a command line writes, caught in a file. */
static struct cli cli;

static void
setup(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    cli = (struct cli){.out = tmpfile(), .log = tmpfile()};
    ck_assert_ptr_nonnull(cli.out);
    ck_assert_ptr_nonnull(cli.log);
}

static void
teardown(void)
{
    fclose(cli.out);
    fclose(cli.log);
    mem_free(cli.values);
    mem_free(cli.argv);
}

/* All of a file, in a static buffer. */
static const char *
written(FILE *f)
{
    static char text[65536];
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    return text;
}

enum { MOST_WORDS = 8 };

/* Parses words, NULL-ended after "fmnist-tui". */
static int
parse(const char *const *words, struct err *e)
{
    static char *argv[MOST_WORDS + 2];
    int argc = 0;
    int help;
    argv[argc++] = (char *)(uintptr_t) "fmnist-tui";
    for (int i = 0; words[i]; i++) {
        argv[argc++] = (char *)(uintptr_t)words[i];
    }
    argv[argc] = NULL;
    int rc = cli_parse(&cli, argc, argv, &help, e);
    return rc ? rc : help;
}

START_TEST(parse_places)
{
    static const char *const WORDS[] = {"--db", "x.db",       "ls",      "-n",
                                        "3",    "--sort=-id", "--ascii", NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert_str_eq(cli.command->name, "ls");
    ck_assert_str_eq(cli.db, "x.db");
    ck_assert_int_eq(cli_int(&cli, "limit", 0), 3);
    ck_assert_str_eq(cli_text(&cli, "sort"), "-id");
    ck_assert_int_eq(cli.ascii, 1);
    ck_assert_int_eq(cli.argc, 0);
}
END_TEST

START_TEST(parse_operands)
{
    static const char *const WORDS[] = {"show", "1",      "--json", "2",
                                        "--",   "--json", NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert_int_eq(cli.argc, 3);
    ck_assert_str_eq(cli.argv[2], "--json");
    ck_assert(cli_given(&cli, "json"));
}
END_TEST

START_TEST(parse_two_words)
{
    static const char *const WORDS[] = {"data", "--quiet", "check", "f", NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert_str_eq(cli.command->name, "data check");
    ck_assert_int_eq(cli.argc, 1);
    ck_assert_int_eq(cli.quiet, 1);
}
END_TEST

START_TEST(parse_letters)
{
    static const char *const WORDS[] = {"ls", "-qn3", NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert(cli_given(&cli, "-q"));
    ck_assert_int_eq(cli_int(&cli, "limit", 0), 3);
}
END_TEST

START_TEST(parse_repeats)
{
    static const char *const WORDS[] = {"train", "--tag=a", "--lr=1", "--tag",
                                        "b",     "--lr=2",  NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert_str_eq(cli_nth(&cli, "tag", 0), "a");
    ck_assert_str_eq(cli_nth(&cli, "tag", 1), "b");
    ck_assert_ptr_null(cli_nth(&cli, "tag", 2));
    ck_assert_str_eq(cli_text(&cli, "lr"), "2");
}
END_TEST

START_TEST(parse_help)
{
    static const char *const WORDS[] = {"show", "--help", NULL};
    struct err e = {0};
    ck_assert_int_eq(parse(WORDS, &e), 1);
}
END_TEST

START_TEST(hyper_in_any_order)
{
    static const char *const WORDS[] = {"train", "--dropout=0.1", "--preset",
                                        "cnn",   "--filters=8-8", NULL};
    struct err e = {0};
    struct hyper h;
    ck_assert_int_eq(parse(WORDS, &e), 0);
    ck_assert_int_eq(cli_hyper(&cli, &h, &e), 0);
    ck_assert_double_eq(h.dropout, 0.1);
    ck_assert_int_eq(h.optimizer, OPTIM_ADAM);
    ck_assert_ptr_nonnull(strstr(h.spec, "conv 8x3"));
    ck_assert_ptr_nonnull(strstr(h.spec, "dropout 0.1"));
}
END_TEST

START_TEST(suggestions)
{
    static const char *const NAMES[] = {"epochs", "lr", "batch-size", "", NULL};
    ck_assert_str_eq(cli_suggest("epohcs", NAMES), "epochs");
    ck_assert_str_eq(cli_suggest("ep", NAMES), "epochs");
    ck_assert_str_eq(cli_suggest("lrr", NAMES), "lr");
    ck_assert_str_eq(cli_suggest("batchsize", NAMES), "batch-size");
    ck_assert_ptr_null(cli_suggest("frobnicate", NAMES));
    ck_assert_ptr_null(cli_suggest("", NAMES));
}
END_TEST

static const char *
seconds_text(double s)
{
    static struct str b;
    str_release(&b);
    str_init(&b);
    format_seconds(&b, s);
    return b.s;
}

START_TEST(formats)
{
    struct str b;
    ck_assert_str_eq(seconds_text(0), "0.0 s");
    ck_assert_str_eq(seconds_text(59.94), "59.9 s");
    ck_assert_str_eq(seconds_text(59.96), "1m00s");
    ck_assert_str_eq(seconds_text(3599.4), "59m59s");
    ck_assert_str_eq(seconds_text(3599.6), "1h00m");
    ck_assert_str_eq(seconds_text((double)NAN), "-");
    ck_assert_str_eq(seconds_text((double)INFINITY), "-");
    str_init(&b);
    format_rate(&b, 999.4);
    format_rate(&b, 999.6);
    format_rate(&b, 99949);
    format_rate(&b, 999499);
    format_rate(&b, 999501);
    ck_assert_str_eq(b.s, "9991.0k99.9k999k1.0M");
    str_clear(&b);
    format_percent(&b, 1);
    ck_assert_str_eq(b.s, "100.00 %");
    str_release(&b);
    ck_assert_str_eq(state_symbol("failed", 1), "!");
    ck_assert_str_eq(state_symbol("failed", 0), "✗");
    ck_assert_str_eq(state_symbol("odd", 0), "?");
}
END_TEST

START_TEST(progress_never_wraps)
{
    struct batch_report r = {.epoch = 99999,
                             .epochs = 100000,
                             .batch = 75,
                             .batches = 75,
                             .loss = 123.4567,
                             .acc = 1,
                             .samples_per_second = 123456,
                             .eta_seconds = 360000};
    struct str b;
    str_init(&b);
    for (int width = 1; width < 200; width++) {
        for (int ascii = 0; ascii < 2; ascii++) {
            str_clear(&b);
            progress_line(&b, &r, width % 2 ? (double)NAN : 0.5, width, ascii);
            ck_assert_int_lt(str_width(b.s), width);
            ck_assert(!ascii ||
                      strspn(b.s, " !\"#$%&'()*+,-./0123456789:"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ[]"
                                  "abcdefghijklmnopqrstuvwxyz") == b.len);
        }
    }
    ck_assert_ptr_nonnull(strstr(b.s, "ETA 100h00m"));
    ck_assert_ptr_nonnull(strstr(b.s, "99999/100000"));
    str_release(&b);
}
END_TEST

/* A table of `rows` equal rows: a number, a text, and a number that may leave.
 */
static const char *
table_text(int width, int rows, const char *text)
{
    struct table_style style = {.width = width, .ascii = 1};
    struct table *t;
    struct err e = {0};
    ck_assert_int_eq(table_new(cli.out, &style, &t, &e), 0);
    ck_assert_int_eq(table_column(t, "id", 0, &e), 0);
    ck_assert_int_eq(table_column(t, "name", 0, &e), 0);
    ck_assert_int_eq(table_column(t, "extra", 1, &e), 0);
    for (int i = 0; i < rows; i++) {
        ck_assert_int_eq(table_cell(t, "7", 1, &e), 0);
        ck_assert_int_eq(table_cell(t, text, 0, &e), 0);
        ck_assert_int_eq(table_cell(t, i ? "-" : "12345.5", 1, &e), 0);
    }
    ck_assert_int_eq(table_flush(t, &e), 0);
    table_free(t);
    return written(cli.out);
}

START_TEST(table_aligned)
{
    ck_assert_str_eq(table_text(0, 2, "ab"), "id  name    extra\n"
                                             " 7  ab    12345.5\n"
                                             " 7  ab          -\n");
}
END_TEST

START_TEST(table_empty)
{
    ck_assert_str_eq(table_text(0, 0, ""), "id  name  extra\n");
}
END_TEST

START_TEST(table_wide_text)
{
    /* Twice as wide as it has characters. */
    ck_assert_str_eq(table_text(0, 1, "花花花"), "id  name      extra\n"
                                                 " 7  花花花  12345.5\n");
}
END_TEST

START_TEST(table_narrow)
{
    const char *text = table_text(20, 1, "a name that is long");
    ck_assert_str_eq(text, "id  name\n"
                           " 7  a name that is >\n");
}
END_TEST

START_TEST(table_streams)
{
    const char *text = table_text(0, 2500, "x");
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        lines++;
    }
    ck_assert_int_eq(lines, 2501);
}
END_TEST

static const char *const ROW_NAMES[] = {"id", "na\"me", "test_acc", "b", "x"};
static const struct cell ROW_CELLS[] = {
    {.type = CELL_INT, .i = INT64_MIN},
    {.type = CELL_TEXT, .s = "a,\"b\"\033", .n = 6},
    {.type = CELL_REAL, .r = 0.1},
    {.type = CELL_BLOB, .s = "\0\xff", .n = 2},
    {.type = CELL_REAL, .r = (double)INFINITY},
};

/* What one such row becomes under an option. */
static const char *
row_text(const char *option, const struct output_spec *spec)
{
    const char *words[] = {"ls", option, NULL};
    struct row r = {5, ROW_NAMES, ROW_CELLS};
    struct output *o;
    struct err e = {0};
    ck_assert_int_eq(parse(words, &e), 0);
    cli.ascii = 1;
    ck_assert_int_eq(output_open(&cli, spec, &o, &e), 0);
    ck_assert_int_eq(output_row(&r, o, &e), 0);
    ck_assert_int_eq(output_close(o, &e), 0);
    return written(cli.out);
}

START_TEST(row_json)
{
    struct output_spec spec = {.single = 1};
    ck_assert_str_eq(row_text("--json", &spec),
                     "{\"id\": -9223372036854775808, \"na\\\"me\": "
                     "\"a,\\\"b\\\"\\u001b\", \"test_acc\": 0.1, "
                     "\"b\": \"00ff\", \"x\": null}\n");
}
END_TEST

START_TEST(row_csv)
{
    struct output_spec spec = {0};
    ck_assert_str_eq(row_text("--csv", &spec),
                     "id,\"na\"\"me\",test_acc,b,x\n"
                     "-9223372036854775808,\"a,\"\"b\"\"\033\",0.1,00ff,\n");
}
END_TEST

START_TEST(row_columns)
{
    struct output_spec spec = {0};
    ck_assert_str_eq(row_text("--columns=test_acc,b", &spec),
                     "test_acc  b\n"
                     " 10.00 %  <2 bytes>\n");
}
END_TEST

START_TEST(row_raw)
{
    struct output_spec spec = {.raw = 1};
    ck_assert_str_eq(row_text("--columns=test_acc,na\"me", &spec),
                     "test_acc  na\"me\n"
                     "     0.1  a,\"b\"^[\n");
}
END_TEST

START_TEST(row_ids)
{
    struct output_spec spec = {0};
    ck_assert_str_eq(row_text("-q", &spec), "-9223372036854775808\n");
}
END_TEST

START_TEST(row_unknown_column)
{
    const char *words[] = {"ls", "--columns=test_ac", NULL};
    struct output_spec spec = {0};
    struct row r = {5, ROW_NAMES, ROW_CELLS};
    struct output *o;
    struct err e = {0};
    ck_assert_int_eq(parse(words, &e), 0);
    ck_assert_int_eq(output_open(&cli, &spec, &o, &e), 0);
    ck_assert_int_eq(output_row(&r, o, &e), ERR_USAGE);
    ck_assert_str_eq(e.msg, "--columns: unknown column \"test_ac\" (did you "
                            "mean test_acc?)");
    output_free(o);
}
END_TEST

START_TEST(messages_are_visible)
{
    cli_message(&cli, "%s", "a\033[2Jb");
    ck_assert_str_eq(written(cli.log), "a^[[2Jb\n");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cli");
    TCase *tc = tcase_create("parts");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, parse_places);
    tcase_add_test(tc, parse_operands);
    tcase_add_test(tc, parse_two_words);
    tcase_add_test(tc, parse_letters);
    tcase_add_test(tc, parse_repeats);
    tcase_add_test(tc, parse_help);
    tcase_add_test(tc, hyper_in_any_order);
    tcase_add_test(tc, suggestions);
    tcase_add_test(tc, formats);
    tcase_add_test(tc, progress_never_wraps);
    tcase_add_test(tc, table_aligned);
    tcase_add_test(tc, table_empty);
    tcase_add_test(tc, table_wide_text);
    tcase_add_test(tc, table_narrow);
    tcase_add_test(tc, table_streams);
    tcase_add_test(tc, row_json);
    tcase_add_test(tc, row_csv);
    tcase_add_test(tc, row_columns);
    tcase_add_test(tc, row_raw);
    tcase_add_test(tc, row_ids);
    tcase_add_test(tc, row_unknown_column);
    tcase_add_test(tc, messages_are_visible);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
