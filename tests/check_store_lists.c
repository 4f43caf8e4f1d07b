/* SPDX-License-Identifier: MIT */
/* How runs are listed, chosen and kept, and their data sets. */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "store_support.h"
#include "support.h"

/* ---- listings ------------------------------------------------------------ */

static const char *
list(struct store *s, struct run_query q)
{
    static const char *const COLUMNS[] = {"id", "test_acc"};
    static struct listing l;

    memset(&l, 0, sizeof(l));
    q.columns = COLUMNS;
    q.n_columns = 2;
    OK(store_runs(s, &q, test_row, &l, e));
    ck_assert_int_eq(l.heads, 1);
    return l.text;
}

START_TEST(listings)
{
    static const char *const WRONG[] = {"id; DROP TABLE run"};
    struct store *s = test_store();
    struct run_query q = {0};
    struct run_ids two = {(int64_t[]){2}, 1, 1};
    struct listing l = {.stop = 1};
    struct cell bind = {.type = CELL_REAL, .r = 0.25};
    int changed, kept;

    ck_assert_str_eq(list(s, q), "id test_acc | ");
    test_finished(s, "a", 2);
    test_finished(s, "b", 3);
    test_run(s, "c");
    test_start(s, test_run(s, "d"));
    test_run(s, "e");
    ck_assert_str_eq(list(s, q), "id test_acc | 4 - 5 - 3 - 2 0.3 1 0.2 ");
    q.sort = "test_acc";
    ck_assert_str_eq(list(s, q), "id test_acc | 1 0.2 2 0.3 3 - 4 - 5 - ");
    q.descending = 1;
    q.limit = 2;
    ck_assert_str_eq(list(s, q), "id test_acc | 2 0.3 1 0.2 ");
    q.limit = 0;
    q.where = "test_acc > ?1";
    q.binds = &bind;
    q.n_binds = 1;
    ck_assert_str_eq(list(s, q), "id test_acc | 2 0.3 ");
    OK(store_run_trash(s, &two, &changed, &kept, e));
    ck_assert_str_eq(list(s, q), "id test_acc | ");
    q.trash = 1;
    ck_assert_str_eq(list(s, q), "id test_acc | 2 0.3 ");
    q = (struct run_query){.trash = 2, .sort = "id"};
    ck_assert_str_eq(list(s, q), "id test_acc | 1 0.2 2 0.3 3 - 4 - 5 - ");
    q.sort = "nothing";
    FAILS(ERR_USAGE, "no column \"nothing\"",
          store_runs(s, &q, test_row, &l, e));
    q = (struct run_query){.columns = WRONG, .n_columns = 1};
    FAILS(ERR_USAGE, "no column", store_runs(s, &q, test_row, &l, e));
    q = (struct run_query){0};
    FAILS(ERR_CANCEL, "enough", store_runs(s, &q, test_row, &l, e));
    ck_assert_int_eq(l.rows, 1);
    store_close(s);
}
END_TEST

START_TEST(rows_of_a_run)
{
    struct store *s = test_store();
    int64_t id = test_finished(s, "a", 2);
    struct run_ids r = {&id, 1, 1};
    struct listing l = {0};
    int changed;

    OK(store_run_rows(s, id, RUN_EPOCHS, test_row, &l, e));
    ck_assert_str_eq(l.text,
                     "epoch train_loss train_acc val_loss val_acc test_loss "
                     "test_acc lr seconds samples_per_second | 1 2 0.05 - - 3 "
                     "0.1 0.001 0.5 1000 2 1 0.1 - - 1.5 0.2 0.001 0.5 1000 ");
    OK(store_run_tag(s, &r, "z", 1, &changed, e));
    OK(store_run_tag(s, &r, "b", 1, &changed, e));
    memset(&l, 0, sizeof(l));
    OK(store_run_rows(s, id, RUN_TAGS, test_row, &l, e));
    ck_assert_str_eq(l.text, "tag | b z ");
    ck_assert_str_eq(test_value(s, "SELECT tags FROM run_summary"), "b,z");
    OK(store_event(s, id, "warning", "hot \x1b[2J", e));
    memset(&l, 0, sizeof(l));
    OK(store_run_rows(s, id, RUN_EVENTS, test_row, &l, e));
    ck_assert_ptr_nonnull(strstr(l.text, " warning hot \x1b[2J "));
    FAILS(ERR_FAIL, "", store_event(s, id, "shout", "x", e));
    memset(&l, 0, sizeof(l));
    OK(store_run_rows(s, id, RUN_PREDICTIONS, test_row, &l, e));
    ck_assert_int_eq(l.rows, TEST_PART);
    store_close(s);
}
END_TEST

/* The view's figures are those of the code that screens use. */
START_TEST(class_view)
{
    struct store *s = test_store();
    int64_t id = test_finished(s, "a", 4);
    struct class_metrics m[N_CLASSES];
    struct confusion c;
    struct listing l = {0};
    char want[2000] = "class name support predicted precision recall f1 | ";
    size_t n = strlen(want);
    int k;

    OK(store_confusion(s, id, 0, &c, e));
    class_metrics_of(&c, m);
    for (k = 0; k < N_CLASSES; k++) {
        n += (size_t)snprintf(want + n, sizeof(want) - n, "%d %s %u %u ", k,
                              FASHION_CLASSES[k], m[k].support, m[k].predicted);
        if (isnan(m[k].precision))
            n += (size_t)snprintf(want + n, sizeof(want) - n, "- ");
        else
            n += (size_t)snprintf(want + n, sizeof(want) - n, "%g ",
                                  m[k].precision);
        n += (size_t)snprintf(want + n, sizeof(want) - n, "%g %g ", m[k].recall,
                              m[k].f1);
    }
    OK(store_run_rows(s, id, RUN_CLASSES, test_row, &l, e));
    ck_assert_str_eq(l.text, want);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM confusion_pair"), "6");
    ck_assert_str_eq(
        test_value(s, "SELECT truth_name || '>' || predicted_name || count "
                      "FROM confusion_pair"),
        "Ankle boot>T-shirt/top1");
    store_close(s);
}
END_TEST

/* ---- the leaderboard ----------------------------------------------------- */

START_TEST(leaderboard)
{
    static const char *const ORDER =
        "SELECT group_concat(board || '/' || place || '/' || id || '/' || "
        "chosen_by, ' ') FROM leaderboard";
    struct store *s = test_store();
    struct run_ids r = {(int64_t[]){3}, 1, 1}, best = {0};
    struct hyper h;
    int64_t id;
    int changed, kept;

    FAILS(ERR_NOTFOUND, "no run has finished yet",
          store_run_resolve(s, "@best", &best, e));
    test_finished(s, "a", 2);
    test_finished(s, "b", 4);
    test_finished(s, "c", 5);
    test_start(s, test_run(s, "d"));
    ck_assert_str_eq(test_value(s, ORDER),
                     "1/1/3/last_test_acc 1/2/2/last_test_acc "
                     "1/3/1/last_test_acc");
    OK(store_run_trash(s, &r, &changed, &kept, e));
    OK(store_run_resolve(s, "@best", &best, e));
    ck_assert_int_eq(best.ids[0], 2);
    /* Another split is another board, and the newer one is first. */
    OK(hyper_preset("ann", &h, e));
    h.split_seed = 7;
    id = test_run_with(s, &h, "e");
    test_start(s, id);
    test_epoch(s, id, 1, 1);
    test_end(s, id, "finished", 1);
    ck_assert_str_eq(test_value(s, ORDER),
                     "1/1/5/last_test_acc 2/1/2/last_test_acc "
                     "2/2/1/last_test_acc");
    store_close(s);
    /* With a validation part in all of a board, that decides. */
    test_sql("UPDATE epoch SET val_acc = 1 - test_acc;"
             "UPDATE run SET val_acc = 1 - test_acc");
    OK(store_open(test_db(), STORE_READ, &s, e));
    ck_assert_str_eq(test_value(s, ORDER),
                     "1/1/5/val_acc 2/1/1/val_acc 2/2/2/val_acc");
    store_close(s);
    test_sql("UPDATE run SET val_acc = NULL WHERE id = 2");
    OK(store_open(test_db(), STORE_READ, &s, e));
    ck_assert_str_eq(test_value(s, ORDER), "1/1/5/val_acc 2/1/2/last_test_acc "
                                           "2/2/1/last_test_acc");
    store_close(s);
    mem_free(best.ids);
}
END_TEST

/* ---- RUN words ----------------------------------------------------------- */

static const char *
resolve(struct store *s, const char *word)
{
    static char out[600];
    struct run_ids r = {0};
    struct err e = {0};
    size_t i, n = 0;
    int rc = store_run_resolve(s, word, &r, &e);

    if (rc < 0)
        snprintf(out, sizeof(out), "%d %s", rc, e.msg);
    else
        out[0] = '\0';
    for (i = 0; rc == 0 && i < r.n; i++)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%lld ",
                              (long long)r.ids[i]);
    mem_free(r.ids);
    return out;
}

START_TEST(run_words)
{
    static const char *const NOT[] = {
        "",
        "0",
        "9",
        "7..9",
        "99999999999999999999",
        "five",
        "FOUR",
        "-1",
        "..",
        "1...3",
        "0x1",
        "1 ",
        "' OR 1=1 --",
        "%",
        "aaaaaaa",
        "aaaaaaaa-1111-1111-1111-1111111111111111",
        "1..2..3"};
    struct store *s = test_store();
    struct run_ids r = {0}, four = {(int64_t[]){4}, 1, 1};
    int changed, kept;
    size_t i;

    for (i = 1; i <= 5; i++)
        test_run(s, i == 3 ? "deadbeef" : i == 4 ? "four" : NULL);
    OK(store_run_trash(s, &four, &changed, &kept, e));
    store_close(s);
    test_sql("UPDATE run SET uuid = 'aaaaaaaa-1111-4111-8111-11111111111' || "
             "id WHERE id < 3;"
             "UPDATE run SET uuid = '12345678-1111-4111-8111-111111111111' "
             "WHERE id = 5;"
             "UPDATE run SET uuid = 'deadbeef-1111-4111-8111-111111111111' "
             "WHERE id = 1;");
    s = test_store();
    ck_assert_str_eq(resolve(s, "2"), "2 ");
    ck_assert_str_eq(resolve(s, "002"), "2 ");
    ck_assert_str_eq(resolve(s, "4"), "4 ");
    ck_assert_str_eq(resolve(s, "2..9"), "2 3 5 ");
    ck_assert_str_eq(resolve(s, "2.."), "2 3 5 ");
    ck_assert_str_eq(resolve(s, "..2"), "1 2 ");
    ck_assert_str_eq(resolve(s, "deadbeef"), "3 ");
    ck_assert_str_eq(resolve(s, "deadbeef-1"), "1 ");
    ck_assert_str_eq(resolve(s, "AAAAAAAA"), "2 ");
    ck_assert_str_eq(resolve(s, "12345678"), "5 ");
    ck_assert_str_eq(resolve(s, "@last"), "5 ");
    for (i = 0; i < sizeof(NOT) / sizeof(NOT[0]); i++)
        ck_assert_msg(strncmp(resolve(s, NOT[i]), "-5 no run ", 10) == 0,
                      "%s: %s", NOT[i], resolve(s, NOT[i]));
    ck_assert_ptr_nonnull(strstr(resolve(s, "four"), "no run \"four\""));
    ck_assert_ptr_nonnull(strstr(resolve(s, "@worst"), "@last and @best"));
    store_close(s);
    test_sql("UPDATE run SET uuid = 'aaaaaaaa-2111-4111-8111-111111111111' "
             "WHERE id = 3;");
    s = test_store();
    ck_assert_ptr_nonnull(strstr(resolve(s, "aaaaaaaa"), "several runs"));
    /* Words add up, each run once. */
    OK(store_run_resolve(s, "3", &r, e));
    OK(store_run_resolve(s, "2..5", &r, e));
    ck_assert_uint_eq(r.n, 3);
    ck_assert_int_eq(r.ids[0], 3);
    ck_assert_int_eq(r.ids[2], 5);
    mem_free(r.ids);
    store_close(s);
}
END_TEST

/* ---- housekeeping -------------------------------------------------------- */

START_TEST(notes_stars_tags)
{
    struct store *s = test_store();
    struct run_ids all = {(int64_t[]){1, 2, 9}, 3, 3};
    char big[2000];
    struct run r;
    int n;

    test_run(s, "a");
    test_run(s, "b");
    OK(store_run_note(s, &all, "it's; -- a note", &n, e));
    ck_assert_int_eq(n, 2);
    OK(store_run_note(s, &all, "it's; -- a note", &n, e));
    ck_assert_int_eq(n, 0);
    OK(store_run_get(s, 2, &r, e));
    ck_assert_str_eq(r.note, "it's; -- a note");
    memset(big, 'n', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    FAILS(ERR_USAGE, "note: longer", store_run_note(s, &all, big, &n, e));
    OK(store_run_note(s, &all, "", &n, e));
    ck_assert_str_eq(test_value(s, "SELECT count(note) FROM run"), "0");
    OK(store_run_star(s, &all, 1, &n, e));
    ck_assert_int_eq(n, 2);
    OK(store_run_star(s, &all, 0, &n, e));
    ck_assert_int_eq(n, 2);
    OK(store_run_tag(s, &(struct run_ids){all.ids, 2, 2}, "x'y", 1, &n, e));
    ck_assert_int_eq(n, 2);
    OK(store_run_tag(s, &(struct run_ids){all.ids, 2, 2}, "x'y", 1, &n, e));
    ck_assert_int_eq(n, 0);
    OK(store_run_tag(s, &all, "x'y", 0, &n, e));
    ck_assert_int_eq(n, 2);
    FAILS(ERR_USAGE, "tag: ", store_run_tag(s, &all, "a b", 1, &n, e));
    FAILS(ERR_USAGE, "tag: ", store_run_tag(s, &all, "", 1, &n, e));
    OK(store_run_rename(s, 1, "c", e));
    FAILS(ERR_USAGE, "run 2 is called \"b\" already",
          store_run_rename(s, 1, "b", e));
    OK(store_run_rename(s, 2, "b", e));
    FAILS(ERR_NOTFOUND, "no run 9", store_run_rename(s, 9, "z", e));
    FAILS(ERR_USAGE, "all digits", store_run_rename(s, 1, "17", e));
    store_close(s);
}
END_TEST

START_TEST(trash)
{
    struct store *s = test_store();
    struct run_ids all = {(int64_t[]){1, 2, 3}, 3, 3};
    struct run_ids one = {(int64_t[]){1}, 1, 1};
    struct run_ids two = {(int64_t[]){2}, 1, 1};
    struct run_ids three = {(int64_t[]){3}, 1, 1};
    int n, kept;
    struct run r;

    test_finished(s, "a", 2);
    test_run(s, "b");
    OK(store_run_star(s, &two, 1, &n, e));
    test_start(s, test_run(s, "c"));
    FAILS(ERR_FAIL, "run 2 is starred", store_run_trash(s, &two, &n, &kept, e));
    FAILS(ERR_FAIL, "run 3 is running",
          store_run_trash(s, &three, &n, &kept, e));
    OK(store_run_trash(s, &all, &n, &kept, e));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(kept, 2);
    OK(store_run_get(s, 1, &r, e));
    ck_assert_int_eq(r.trashed, 1);
    /* Its name is free; coming back it makes way. */
    test_run(s, "a");
    OK(store_run_restore(s, &one, &n, e));
    ck_assert_int_eq(n, 1);
    OK(store_run_get(s, 1, &r, e));
    ck_assert_str_eq(r.name, "a #2");
    OK(store_run_restore(s, &one, &n, e));
    ck_assert_int_eq(n, 0);
    FAILS(ERR_FAIL, "not in the trash", store_run_purge(s, &one, &n, e));
    OK(store_run_trash(s, &one, &n, &kept, e));
    OK(store_run_purge(s, &one, &n, e));
    ck_assert_int_eq(n, 1);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM epoch"), "0");
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM confusion"), "0");
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM checkpoint"), "0");
    OK(store_run_star(s, &two, 0, &n, e));
    OK(store_run_trash(s, &two, &n, &kept, e));
    OK(store_run_purge(s, NULL, &n, e));
    ck_assert_int_eq(n, 1);
    /* Ids are not used again. */
    ck_assert_int_eq(test_run(s, "new"), 5);
    store_close(s);
}
END_TEST

/* ---- data sets ----------------------------------------------------------- */

START_TEST(data_sets)
{
    static const uint32_t SOME[] = {3, 19};
    char names[N_CLASSES][CLASS_NAME_MAX] = {"a\"b", "naïve", "c,d"};
    struct store *s = test_store();
    struct dataset *d = test_set(0), *other = test_set(9);
    struct dataset_row row;
    uint8_t pixels[IMAGE_PIXELS], label;
    struct listing l = {0};
    int64_t a, b, again;

    OK(store_dataset_put(s, d, &a, e));
    OK(store_dataset_put(s, d, &again, e));
    ck_assert_int_eq(a, again);
    OK(store_dataset_put(s, other, &b, e));
    ck_assert_int_ne(a, b);
    OK(store_dataset_get(s, b, &row, e));
    ck_assert_str_eq(row.name, "tiny #2");
    ck_assert_str_eq(row.sha256, other->sha256);
    ck_assert_str_eq(row.class_names[9], "Ankle boot");
    ck_assert_uint_eq(row.n, TEST_IMAGES);
    OK(store_dataset_images(s, a, d, SOME, 2, e));
    OK(store_dataset_images(s, a, d, SOME, 2, e));
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM image"), "2");
    OK(store_image(s, a, 19, pixels, &label, e));
    ck_assert_int_eq(label, 9);
    ck_assert_mem_eq(pixels, d->pixels + 19 * IMAGE_PIXELS, IMAGE_PIXELS);
    FAILS(ERR_NOTFOUND, "image 4", store_image(s, a, 4, pixels, &label, e));
    OK(store_dataset_name(s, a, "mine", NULL, e));
    OK(store_dataset_name(s, a, NULL, (const char(*)[CLASS_NAME_MAX])names, e));
    FAILS(ERR_USAGE, "already", store_dataset_name(s, b, "mine", NULL, e));
    FAILS(ERR_USAGE, "name", store_dataset_name(s, b, "a\n", NULL, e));
    OK(store_dataset_locate(s, a, "/else/where", e));
    OK(store_dataset_find(s, "mine", &row, e));
    ck_assert_int_eq(row.id, a);
    ck_assert_str_eq(row.source, "/else/where");
    ck_assert_str_eq(row.class_names[0], "a\"b");
    ck_assert_str_eq(row.class_names[1], "naïve");
    ck_assert_str_eq(row.class_names[2], "c,d");
    FAILS(ERR_NOTFOUND, "\"no\"", store_dataset_find(s, "no", &row, e));
    FAILS(ERR_NOTFOUND, "no data set 7", store_dataset_get(s, 7, &row, e));
    FAILS(ERR_NOTFOUND, "no data set 7", store_dataset_locate(s, 7, "x", e));
    FAILS(ERR_NOTFOUND, "no data set 7",
          store_dataset_name(s, 7, "x", NULL, e));
    OK(store_datasets(s, test_row, &l, e));
    ck_assert_int_eq(l.rows, 2);
    dataset_free(d);
    dataset_free(other);
    store_close(s);
}
END_TEST

static Suite *
suite(void)
{
    Suite *s = suite_create("store lists");

    test_case(s, "listings",
              (const TTest *[]){listings, rows_of_a_run, class_view,
                                leaderboard, NULL});
    test_case(
        s, "keeping",
        (const TTest *[]){run_words, notes_stars_tags, trash, data_sets, NULL});
    return s;
}

int
main(void)
{
    return run_suites(suite(), NULL);
}
