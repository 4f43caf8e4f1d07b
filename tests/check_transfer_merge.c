/* SPDX-License-Identifier: MIT */
/* Runs that come to a database which has them already. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "store_support.h"
#include "support.h"
#include "transfer_support.h"

/* ---- the same run, further along ----------------------------------------- */

/* Files of one run: queued, running after 2 and 4 epochs, stopped, finished. */
static void
snapshots(struct store *s)
{
    int64_t id = small_run(s, "run", 1);
    struct run_ids ids = {&id, 1, 1};

    export_to(s, id, "queued.db");
    small_train(s, id, 2);
    export_to(s, id, "two.db");
    small_train(s, id, 4);
    export_to(s, id, "four.db");
    small_end(s, id, "stopped");
    export_to(s, id, "stopped.db");
    OK(store_steer(s, &ids, STEER_RESUME, 0, NULL, NULL, e));
    export_to(s, id, "resumed.db");
    small_train(s, id, 6);
    small_end(s, id, "finished");
    export_to(s, id, "finished.db");
}

static const char *const FILES[] = {"queued.db",  "two.db",     "four.db",
                                    "stopped.db", "resumed.db", "finished.db"};

static const char *
state(struct store *s)
{
    return test_value(s, "SELECT status || ' ' || epochs_done || ' ' || "
                         "(SELECT count(*) FROM prediction) || ' ' || "
                         "(SELECT max(epoch) FROM checkpoint) FROM run");
}

START_TEST(brought_up_to_date)
{
    struct store *s = test_store(), *there = other_store("there.db");

    snapshots(s);
    became(there, "queued.db", 1, 0, 0);
    became(there, "queued.db", 0, 0, 1);
    became(there, "two.db", 0, 1, 0);
    ck_assert_str_eq(state(there), "paused 2 0 2");
    became(there, "queued.db", 0, 0, 1);
    became(there, "four.db", 0, 1, 0);
    became(there, "two.db", 0, 0, 1);
    ck_assert_str_eq(state(there), "paused 4 0 4");
    became(there, "stopped.db", 0, 1, 0);
    ck_assert_str_eq(state(there), "stopped 4 10 4");
    became(there, "four.db", 0, 0, 1);
    became(there, "resumed.db", 0, 0, 1);
    became(there, "finished.db", 0, 1, 0);
    ck_assert_str_eq(state(there), "finished 6 10 6");
    became(there, "stopped.db", 0, 0, 1);
    ck_assert_str_eq(state(there), "finished 6 10 6");
    same_content(s, there);
    ck_assert_str_eq(
        test_value(there, "SELECT substr(text, -44) FROM event WHERE text LIKE "
                          "'brought%' ORDER BY id"),
        "finished after 6 epochs, was stopped after 4");
    store_close(there);
    store_close(s);
}
END_TEST

/* Any two of them, in either order. */
START_TEST(either_order)
{
    struct store *s = test_store();
    size_t i, k, n = sizeof(FILES) / sizeof(FILES[0]);

    snapshots(s);
    for (i = 0; i < n; i++)
        for (k = 0; k < i; k++) {
            struct store *a = other_store("a.db"), *b = other_store("b.db");
            struct outcome o;

            import_from(a, FILES[i], &o);
            import_from(a, FILES[k], &o);
            import_from(b, FILES[k], &o);
            import_from(b, FILES[i], &o);
            same_content(a, b);
            store_close(a);
            store_close(b);
            unlink(tmp_path("a.db"));
            unlink(tmp_path("b.db"));
        }
    store_close(s);
}
END_TEST

START_TEST(keeps_house)
{
    struct store *s = test_store(), *there = other_store("there.db");
    int64_t id = 1;
    struct run_ids ids = {&id, 1, 1};

    snapshots(s);
    became(there, "two.db", 1, 0, 0);
    raw_sql(store_file(there),
            "UPDATE run SET name = 'mine', note = 'n', starred = 1, "
            "deleted_at = '2026-01-31T12:34:56.789Z';"
            "INSERT INTO tag VALUES (1, 'mine')");
    raw_sql(store_file(s), "INSERT INTO tag VALUES (1, 'theirs')");
    export_to(s, 1, "finished.db");
    became(there, "finished.db", 0, 1, 0);
    ck_assert_str_eq(
        test_value(there, "SELECT name || note || starred || (deleted_at IS "
                          "NULL) || (SELECT group_concat(tag) FROM tag) || "
                          "status FROM run"),
        "minen10minefinished");
    store_close(there);
    unlink(tmp_path("there.db"));
    /* One that is queued here has been told to go on. */
    there = other_store("there.db");
    became(there, "two.db", 1, 0, 0);
    OK(store_steer(there, &ids, STEER_RESUME, 0, NULL, NULL, e));
    became(there, "two.db", 0, 0, 1);
    ck_assert_str_eq(state(there), "queued 2 0 2");
    became(there, "stopped.db", 0, 1, 0);
    ck_assert_str_eq(state(there), "queued 4 10 4");
    became(there, "stopped.db", 0, 0, 1);
    ck_assert_str_eq(test_value(there, "SELECT finished_at FROM run"), "");
    became(there, "finished.db", 0, 1, 0);
    ck_assert_str_eq(state(there), "finished 6 10 6");
    store_close(there);
    store_close(s);
}
END_TEST

START_TEST(left_alone_while_it_trains)
{
    struct store *s = test_store(), *there = other_store("there.db");
    int64_t id = 1;
    struct run_ids ids = {&id, 1, 1};
    struct outcome o;
    char *before, *after;

    snapshots(s);
    became(there, "two.db", 1, 0, 0);
    OK(store_steer(there, &ids, STEER_RESUME, 0, NULL, NULL, e));
    test_start(there, id);
    before = dump(there, 1);
    import_from(there, "finished.db", &o);
    ck_assert_int_eq(o.runs[IMPORT_BUSY], 1);
    became(there, "queued.db", 0, 0, 1);
    after = dump(there, 1);
    ck_assert_str_eq(before, after);
    mem_free(before);
    mem_free(after);
    store_close(there);
    store_close(s);
}
END_TEST

/* What was pruned on one side comes back from the other. */
START_TEST(parts_of_either)
{
    const struct prune_options o = {.checkpoints = 1, .predictions = 1};
    struct prune_result r;
    struct store *s = test_store(), *x, *there = other_store("there.db");

    small_finished(s, "run", 1, 4);
    export_to(s, 1, "whole.db");
    export_to(s, 1, "pruned.db");
    x = other_store("pruned.db");
    OK(store_prune(x, &o, &r, e));
    raw_sql(store_file(x),
            "DELETE FROM prediction WHERE run_id = 1; UPDATE run SET status = "
            "'finished'");
    raw_sql(store_file(x), "DELETE FROM prediction");
    store_close(x);
    /* A finished run without predictions is a fault. */
    FAILS(ERR_FAIL, "run 1: 0 predictions",
          store_import(there, tmp_path("pruned.db"),
                       &(struct import_options){0}, &(struct import_result){0},
                       e));
    export_to(s, 1, "pruned.db");
    x = other_store("pruned.db");
    OK(store_prune(x, &o, &r, e));
    store_close(x);
    became(there, "pruned.db", 1, 0, 0);
    ck_assert_str_eq(test_value(there, "SELECT count(*) || (SELECT "
                                       "count(state) FROM checkpoint) FROM "
                                       "epoch_prediction"),
                     "10");
    became(there, "whole.db", 0, 1, 0);
    same_content(s, there);
    became(there, "pruned.db", 0, 0, 1);
    became(there, "whole.db", 0, 0, 1);
    same_content(s, there);
    store_close(there);
    store_close(s);
}
END_TEST

START_TEST(parents_and_sweeps)
{
    struct store *s = test_store(), *there = other_store("there.db");

    small_fill(s);
    export_to(s, 5, "child.db");
    export_to(s, 1, "parent.db");
    export_to(s, 0, "both.db");
    became(there, "child.db", 1, 0, 0);
    became(there, "parent.db", 1, 0, 0);
    ck_assert_str_eq(test_value(there, "SELECT count(parent_id) FROM run"),
                     "0");
    became(there, "both.db", 5, 0, 2);
    ck_assert_str_eq(test_value(there, "SELECT p.name FROM run AS p JOIN run "
                                       "AS c ON c.parent_id = p.id WHERE "
                                       "c.name = 'stopped'"),
                     "finished");
    ck_assert_str_eq(test_value(there, "SELECT p.name FROM run AS p JOIN run "
                                       "AS c ON c.parent_id = p.id WHERE "
                                       "c.name = 'failed'"),
                     "paused");
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM sweep"), "1");
    ck_assert_str_eq(
        test_value(there, "SELECT count(*) FROM run WHERE sweep_id = 1"), "2");
    store_close(there);
    /* No run descends from itself. */
    raw_sql(store_file(s), "UPDATE run SET parent_id = 5 WHERE id = 1");
    export_to(s, 0, "both.db");
    unlink(tmp_path("there.db"));
    there = other_store("there.db");
    became(there, "both.db", 7, 0, 0);
    ck_assert_str_eq(test_value(there, "SELECT count(*) FROM run AS p JOIN run "
                                       "AS c ON c.parent_id = p.id AND "
                                       "p.parent_id = c.id"),
                     "0");
    store_close(there);
    store_close(s);
}
END_TEST

/* ---- another history ----------------------------------------------------- */

START_TEST(another_history)
{
    static const struct {
        const char *change, *why;
    } OTHERS[] = {
        {"UPDATE epoch SET train_loss = 7 WHERE run_id = 1 AND epoch = 2",
         "one: epoch 2 is another\n"},
        {"UPDATE epoch SET val_acc = 0.5 WHERE run_id = 1 AND epoch = 1",
         "one: epoch 1 is another\n"},
        {"UPDATE run SET lr = 0.5 WHERE id = 1",
         "one: lr is 0.001 there and 0.5 here\n"},
        {"UPDATE run SET seed = 5 WHERE id = 1",
         "one: seed is 1 there and 5 here\n"},
        {"UPDATE checkpoint SET sha256 = replace(sha256, 'a', 'b') WHERE "
         "run_id = 1",
         "one: its weights after epoch 3 are others\n"},
        {"UPDATE dataset SET sha256 = replace(sha256, 'a', 'b')",
         "one: its data set is another\ntwo: its data set is another\n"},
        {"UPDATE run SET epochs_done = 4 WHERE id = 1; INSERT INTO epoch "
         "(run_id, epoch) VALUES (1, 4)",
         "one: it has 3 epochs there and 4 here, one of them at its end\n"},
    };
    struct store *s = test_store();
    size_t i;

    small_finished(s, "one", 1, 3);
    small_finished(s, "two", 2, 3);
    export_to(s, 0, "x.db");
    small_finished(s, "three", 3, 1);
    export_to(s, 0, "y.db");
    store_close(s);
    for (i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        struct store *there = other_store("there.db");
        const struct import_options o = {0};
        struct import_result r;
        char *before, *after;

        became(there, "x.db", 2, 0, 0);
        raw_sql(store_file(there), OTHERS[i].change);
        before = dump(there, 1);
        OK(store_import(there, tmp_path("y.db"), &o, &r, e));
        ck_assert_int_eq(r.runs[IMPORT_NEW], 1);
        ck_assert_int_ge(r.runs[IMPORT_REFUSED], 1);
        ck_assert_int_eq(r.runs[IMPORT_UPDATED], 0);
        raw_sql(store_file(there),
                "DELETE FROM run WHERE name = 'three'; DELETE FROM dataset "
                "WHERE NOT EXISTS (SELECT 1 FROM run WHERE dataset_id = "
                "dataset.id)");
        after = dump(there, 1);
        ck_assert_str_eq(before, after);
        store_close(there);
        unlink(tmp_path("there.db"));
        mem_free(before);
        mem_free(after);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("transfer merge");

    test_case(s, "merge",
              (const TTest *[]){brought_up_to_date, either_order, keeps_house,
                                left_alone_while_it_trains, parts_of_either,
                                parents_and_sweeps, another_history, NULL});
    return run_suites(s, NULL);
}
