/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/filter.h"
#include "fmnist/mem.h"
#include "store_support.h"
#include "support.h"

/*
 * The runs that the filters below choose from:
 *   id name    lr     batch test_acc state    tags   note
 *   1  alpha   0.001  64    0.2      finished old
 *   2  Beta    0.01   32    0.4      finished best,exp1  100% "sure"
 *   3  gamma_x 0.1    64    -        queued   exp2
 *   4  del'ta  0.001  64    0.3      finished (starred)
 *   5  gone    0.001  64    -        queued   (in the trash)
 */
static struct store *
runs(void)
{
    struct store *s = test_store();
    struct run_ids two = {(int64_t[]){2}, 1, 1}, four = {(int64_t[]){4}, 1, 1},
                   five = {(int64_t[]){5}, 1, 1}, one = {(int64_t[]){1}, 1, 1},
                   three = {(int64_t[]){3}, 1, 1};
    struct hyper h;
    int n, kept;

    test_finished(s, "alpha", 2);
    test_finished(s, "Beta", 4);
    OK(hyper_preset("ann", &h, e));
    h.lr = 0.1;
    test_run_with(s, &h, "gamma_x");
    test_finished(s, "del'ta", 3);
    test_run(s, "gone");
    OK(store_run_tag(s, &one, "old", 1, &n, e));
    OK(store_run_tag(s, &two, "best", 1, &n, e));
    OK(store_run_tag(s, &two, "exp1", 1, &n, e));
    OK(store_run_tag(s, &three, "exp2", 1, &n, e));
    OK(store_run_note(s, &two, "100% \"sure\"", &n, e));
    OK(store_run_star(s, &four, 1, &n, e));
    OK(store_run_trash(s, &five, &n, &kept, e));
    store_close(s);
    test_sql("UPDATE run SET lr = 0.01, batch_size = 32 WHERE id = 2;"
             "UPDATE run SET created_at = '2026-01-31T10:00:00.000Z';"
             "UPDATE run SET created_at = '2026-02-01T10:00:00.000Z' "
             "WHERE id = 3");
    OK(store_open(test_db(), STORE_READ, &s, e));
    return s;
}

static int
take(const struct row *r, void *arg, struct err *e)
{
    char *out = arg;
    size_t n = strlen(out);

    (void)e;
    if (r->cells)
        snprintf(out + n, 40 - n, "%lld ", (long long)r->cells[0].i);
    return 0;
}

static const char *
matches(struct store *s, const char *text)
{
    static const char *const ID[] = {"id"};
    static char out[40];
    struct run_query q = {.columns = ID, .n_columns = 1, .sort = "id"};
    struct filter f;

    out[0] = '\0';
    OK(filter_compile(text, store_run_columns(s), &f, NULL, e));
    q.where = f.where;
    q.binds = f.binds;
    q.n_binds = f.n_binds;
    q.trash = f.trash ? 2 : 0;
    OK(store_runs(s, &q, take, out, e));
    filter_release(&f);
    return out;
}

static const struct {
    const char *text, *ids;
} RIGHT[] = {
    {"", "1 2 3 4 "},
    {"  ", "1 2 3 4 "},
    {"lr<=0.01", "1 2 4 "},
    {"lr<0.01", "1 4 "},
    {"lr>0.01", "3 "},
    {"lr>=1e-2", "2 3 "},
    {"lr=0.001", "1 4 "},
    {"lr!=0.001", "2 3 "},
    {"lr:0.001", "1 4 "},
    {"lr:..0.01", "1 2 4 "},
    {"lr:0.01..", "2 3 "},
    {"lr:0.005..0.05", "2 "},
    {"batch_size:32", "2 "},
    {"batch_size:32.0", "2 "},
    {"epochs:50..", "1 2 3 4 "},
    {"test_acc>0.25", "2 4 "},
    {"-test_acc>0.25", "1 "}, /* unknown is neither */
    {"-(test_acc>0.25)", "1 "},
    {"test_acc>0 | -test_acc>0", "1 2 4 "},
    {"status:queued", "3 "},
    {"-status:queued", "1 2 4 "},
    {"status!=queued", "1 2 4 "},
    {"model:ann", "1 2 3 4 "},
    {"model:ANN", "1 2 3 4 "},
    {"model=ANN", ""},
    {"name:b*", "2 "},
    {"name:?????", "1 "},
    {"name:*_x", "3 "},
    {"name:a_pha", ""},
    {"name:\"beta\"", "2 "},
    {"name=Beta", "2 "},
    {"name=b*", ""},
    {"name:del'ta", "4 "},
    {"name>=b", "3 4 "},
    {"tag:old", "1 "},
    {"tag:exp*", "2 3 "},
    {"tag:EXP1", "2 "},
    {"tag=EXP1", ""},
    {"-tag:old", "2 3 4 "},
    {"tag!=old", "2 3 4 "},
    {"tag:exp* -tag:best", "3 "},
    {"is:starred", "4 "},
    {"-is:starred", "1 2 3 "},
    {"is:live", "3 "},
    {"is:trash", "5 "},
    {"is:trash | is:starred", "4 5 "},
    {"alp", "1 "},
    {"BETA", "2 "},
    {"exp", "2 3 "},
    {"100%", "2 "},
    {"%", "2 "},
    {"_", "3 "},
    {"^", ""},
    {"\"\\\"sure\"", "2 "},
    {"\"a:b\"", ""},
    {"-exp", "1 4 "},
    {"a t", "2 4 "},
    {"lr:0.001 test_acc>0.25", "4 "},
    {"lr:0.1|lr:0.01", "2 3 "},
    {"lr:0.1 | lr:0.01 tag:best", "2 3 "},
    {"(lr:0.1 | lr:0.01) tag:best", "2 "},
    {"-(lr:0.1 | tag:best)", "1 4 "},
    {"--lr:0.1", "3 "},
    {"((((lr:0.1))))", "3 "},
    {"created_at:2026-01-31", "1 2 4 "},
    {"created_at>2026-01-31", "3 "},
    {"created_at<=2026-01", "1 2 4 "},
    {"created_at:2026-02*", "3 "},
    {"starred:1", "4 "},
    {"nesterov:0", "1 2 3 4 "},
    {"dataset:tiny", "1 2 3 4 "},
    {"preset:ann seed:0..5", "1 2 3 4 "},
    {"'; DROP TABLE run;--", ""},
    {"name:\"'); DELETE FROM run; --\"", ""},
    {"name=\"' OR 1=1 --\"", ""},
    {"tag:\"x' OR '1'='1\"", ""},
    {"?1", ""},
    {"name:\x1b[2J", ""},
};

START_TEST(right)
{
    struct store *s = runs();
    size_t i;

    for (i = 0; i < sizeof(RIGHT) / sizeof(RIGHT[0]); i++)
        ck_assert_msg(strcmp(matches(s, RIGHT[i].text), RIGHT[i].ids) == 0,
                      "%s: %snot %s", RIGHT[i].text, matches(s, RIGHT[i].text),
                      RIGHT[i].ids);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run"), "5");
    store_close(s);
}
END_TEST

static const struct {
    const char *text;
    int column;
    const char *words;
} WRONG[] = {
    {"lrr:1", 1, "unknown field \"lrr\" (did you mean lr?)"},
    {"lr:1 tst_acc>0", 6, "did you mean test_acc?"},
    {"nonsense:1", 1, "unknown field \"nonsense\"; fields are"},
    {"naïve zzzz:1", 7, "unknown field"},
    {"a_very_long_name_that_no_column_has:1", 1, "unknown field"},
    {"lr:", 4, "a value is missing"},
    {"lr: 1", 4, "a value is missing"},
    {"lr<", 4, "a value is missing"},
    {"lr<abc", 4, "expected a number, found \"abc\""},
    {"lr:nan", 4, "expected a number"},
    {"lr:inf", 4, "expected a number"},
    {"lr:0x10", 4, "expected a number"},
    {"lr:..", 4, "expected a number or a range"},
    {"lr:a..b", 4, "expected a number"},
    {"lr:1..2..3", 4, "expected a number"},
    {"lr<1..2", 4, "expected a number"},
    {"lr:1,2", 4, "expected a number"},
    {"(lr:1", 1, "a ( without its )"},
    {"lr:1)", 5, "a ) without its ("},
    {"()", 2, "a term is missing"},
    {"|", 1, "a term is missing"},
    {"lr:1 |", 7, "a term is missing"},
    {"a || b", 4, "a term is missing"},
    {"-", 1, "a - without a term"},
    {"a - b", 3, "a - without a term"},
    {"name:\"x", 6, "a quote without its end"},
    {"\"x\"y", 4, "expected a blank after the quote"},
    {"1<lr", 1, "expected a word or FIELD:VALUE"},
    {"<5", 1, "expected a word or FIELD:VALUE"},
    {"is:alive", 1, "unknown \"is:alive\""},
    {"is>live", 1, "a state is"},
    {"tag>x", 1, "a tag is tag:NAME"},
    {"sqlite_schema:1", 1, "unknown field"},
    {"rowid:1", 1, "unknown field"},
};

START_TEST(wrong)
{
    struct store *s = test_store();
    char want[40];
    struct filter f;
    size_t i;

    for (i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct err e = {0};
        int column = 0;
        int rc = filter_compile(WRONG[i].text, store_run_columns(s), &f,
                                &column, &e);

        snprintf(want, sizeof(want), "filter, column %d: ", WRONG[i].column);
        ck_assert_msg(rc == ERR_USAGE && column == WRONG[i].column &&
                          strstr(e.msg, want) == e.msg &&
                          strstr(e.msg, WRONG[i].words),
                      "%s: %d %d %s", WRONG[i].text, rc, column, e.msg);
        ck_assert_ptr_null(f.where);
    }
    store_close(s);
}
END_TEST

/* Repeats `piece` n times before `last`. */
static const char *
repeated(const char *piece, int n, const char *last)
{
    static char text[12000];
    size_t len = strlen(piece);
    int i;

    for (i = 0; i < n; i++)
        memcpy(text + (size_t)i * len, piece, len);
    strcpy(text + (size_t)n * len, last);
    return text;
}

/* Whatever compiles is something that SQLite's own limits let through. */
START_TEST(within_sqlites_limits)
{
    static const struct {
        const char *piece, *last;
        int most; /* times the piece that may be before the last */
    } NESTED[] = {
        {"-", "tag!=old", 11},
        {"(", "tag!=old", 11},
        {"a|b c (", "tag:old", 11},
        {"a|b c -(d|", "-tag:old", 5},
    };
    struct store *s = runs();
    struct filter f;
    char closing[40];
    size_t i;
    int n;

    for (i = 0; i < sizeof(NESTED) / sizeof(NESTED[0]); i++) {
        for (n = NESTED[i].most; n <= NESTED[i].most + 1; n++) {
            snprintf(closing, sizeof(closing), "%s%.*s", NESTED[i].last,
                     strchr(NESTED[i].piece, '(') ? n : 0, "))))))))))))))))");
            if (n == NESTED[i].most)
                (void)matches(s, repeated(NESTED[i].piece, n, closing));
            else
                FAILS(ERR_USAGE, "nested too deeply",
                      filter_compile(repeated(NESTED[i].piece, n, closing),
                                     store_run_columns(s), &f, NULL, e));
        }
    }
    ck_assert_str_eq(matches(s, repeated("-is:live ", 399, "a")), "1 2 4 ");
    ck_assert_str_eq(matches(s, repeated("is:live|", 399, "a*")), "3 ");
    FAILS(ERR_USAGE, "column 3601: more than 400 terms",
          filter_compile(repeated("-is:live ", 400, "a"), store_run_columns(s),
                         &f, NULL, e));
    store_close(s);
}
END_TEST

START_TEST(limits)
{
    struct store *s = test_store();
    char text[12000];
    struct filter f;
    int i;

    memset(text, '(', 200);
    text[200] = '\0';
    FAILS(ERR_USAGE, "nested too deeply",
          filter_compile(text, store_run_columns(s), &f, NULL, e));
    memset(text, 'a', 10001);
    text[10001] = '\0';
    FAILS(ERR_USAGE, "longer than",
          filter_compile(text, store_run_columns(s), &f, NULL, e));
    for (i = 0; i < 2000; i += 2)
        memcpy(text + i, "a ", 3);
    FAILS(ERR_USAGE, "more than 400 values",
          filter_compile(text, store_run_columns(s), &f, NULL, e));
    /* As many as may be are a query that SQLite takes. */
    text[2 * 133] = '\0';
    ck_assert_str_eq(matches(s, text), "");
    filter_release(&(struct filter){0});
    store_close(s);
}
END_TEST

/* The table of text columns in the code is the schema's. */
START_TEST(types)
{
    static const char *const SQL =
        "SELECT count(*) FROM pragma_table_info('run') AS t "
        "WHERE name = '%s' AND type = 'TEXT'";
    struct store *s = test_store();
    const char *const *c;
    char text[64], sql[200];

    for (c = store_run_columns(s); *c; c++) {
        struct filter f;
        int rc, is_text;

        snprintf(text, sizeof(text), "%s:word", *c);
        rc = filter_compile(text, store_run_columns(s), &f, NULL, NULL);
        snprintf(sql, sizeof(sql), SQL, *c);
        is_text = strcmp(test_value(s, sql), "1") == 0 ||
                  strcmp(*c, "dataset") == 0 || strcmp(*c, "tags") == 0;
        ck_assert_msg((rc == 0) == is_text, "%s: %d %d", *c, rc, is_text);
        filter_release(&f);
    }
    store_close(s);
}
END_TEST

START_TEST(no_memory)
{
    struct store *s = test_store();
    struct filter f;
    struct err e = {0};
    int rc = ERR_NOMEM;
    long nth;

    for (nth = 1; rc == ERR_NOMEM; nth++) {
        mem_fail_at(nth, 1);
        rc = filter_compile("(a|-\"b c\") tag:x* lr:1..2 is:live name:y",
                            store_run_columns(s), &f, NULL, &e);
        mem_fail_at(0, 0);
    }
    ck_assert_msg(rc == 0, "%s", e.msg);
    ck_assert_int_gt(nth, 10);
    filter_release(&f);
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("filter");

    test_case(s, "language",
              (const TTest *[]){right, wrong, within_sqlites_limits, limits,
                                types, no_memory, NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
