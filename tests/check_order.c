/* SPDX-License-Identifier: MIT */
/* The order of the queue; runs that are edited, extended, or exist already. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "queue_support.h"
#include "store_support.h"
#include "support.h"

/* ---- order --------------------------------------------------------------- */

enum { RUNS = 9 };

static uint32_t
draw(uint32_t n)
{
    static uint32_t x = 7;

    x = x * 1664525 + 1013904223;
    return (x >> 8) % n;
}

/* A list of ids, as the model keeps the queue. */
struct list {
    int64_t id[RUNS + 1];
    int n;
};

static int
has(const struct list *l, int64_t id)
{
    for (int i = 0; i < l->n; i++)
        if (l->id[i] == id)
            return 1;
    return 0;
}

static void
add(struct list *l, int64_t id)
{
    ck_assert_int_lt(l->n, RUNS + 1);
    l->id[l->n++] = id;
}

static void
reverse(struct list *l)
{
    struct list old = *l;

    for (int i = 0; i < l->n; i++)
        l->id[i] = old.id[l->n - 1 - i];
}

/* Each one that stays goes down past the moved ones that follow it. */
static void
model_up(struct list *queue, const struct list *moved)
{
    struct list old = *queue;
    int64_t held = 0;

    queue->n = 0;
    for (int i = 0; i < old.n; i++) {
        if (has(moved, old.id[i])) {
            add(queue, old.id[i]);
            continue;
        }
        if (held)
            add(queue, held);
        held = old.id[i];
    }
    if (held)
        add(queue, held);
}

static void
model_gather(struct list *queue, const struct list *moved, enum move how,
             int64_t other)
{
    struct list old = *queue;
    int at = how == MOVE_TOP ? 0 : old.n;

    for (int i = 0; i < old.n; i++)
        if (old.id[i] == other)
            at = i + (how == MOVE_AFTER);
    queue->n = 0;
    for (int i = 0; i <= old.n; i++) {
        for (int k = 0; i == at && k < moved->n; k++)
            if (has(&old, moved->id[k]))
                add(queue, moved->id[k]);
        if (i < old.n && !has(moved, old.id[i]))
            add(queue, old.id[i]);
    }
}

static void
model_move(struct list *queue, const struct list *moved, enum move how,
           int64_t other)
{
    switch (how) {
    case MOVE_UP:
        model_up(queue, moved);
        return;
    case MOVE_DOWN:
        reverse(queue);
        model_up(queue, moved);
        reverse(queue);
        return;
    case MOVE_TOP:
    case MOVE_BOTTOM:
    case MOVE_BEFORE:
    case MOVE_AFTER:
        model_gather(queue, moved, how, other);
        return;
    }
}

static void
order_is(struct store *s, const struct list *queue)
{
    char text[200] = "";
    size_t n = 0;

    for (int i = 0; i < queue->n; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld",
                              i ? "," : "", (long long)queue->id[i]);
    ck_assert_str_eq(
        test_value(s, "SELECT group_concat(id) FROM (SELECT id FROM run WHERE "
                      "status IN ('queued', 'paused') AND deleted_at IS NULL "
                      "ORDER BY position)"),
        text);
}

/* Some of all runs, in any order; those that have no place are among them. */
static void
choose(struct list *moved, int64_t first)
{
    int64_t id;

    moved->n = 0;
    for (uint32_t i = 1 + draw(RUNS); i > 0; i--) {
        id = first + (int64_t)draw(RUNS);
        if (!has(moved, id))
            add(moved, id);
    }
}

static void
move(struct store *s, struct list *queue, const struct list *moved,
     enum move how, int64_t other)
{
    struct run_ids ids = {(int64_t *)moved->id, (size_t)moved->n,
                          (size_t)moved->n};
    struct err e = {0};
    int changed, kept, in = 0;
    int rc = store_move(s, &ids, how, other, &changed, &kept, &e);

    for (int i = 0; i < moved->n; i++)
        in += has(queue, moved->id[i]);
    if ((moved->n == 1 && !in) || (in && how >= MOVE_BEFORE &&
                                   (!has(queue, other) || has(moved, other)))) {
        ck_assert_int_eq(rc, ERR_FAIL);
        ck_assert_int_eq(changed, 0);
    } else {
        ck_assert_msg(rc == 0, "%s", e.msg);
        ck_assert_int_eq(changed, in);
        ck_assert_int_eq(kept, moved->n - in);
        if (in)
            model_move(queue, moved, how, other);
    }
    order_is(s, queue);
}

/* The first of the runs trains, the second is stopped, the third paused. */
static struct list
make_queue(struct store *s)
{
    struct list queue = {.n = 0};

    for (int i = 0; i < RUNS; i++)
        add(&queue, test_run(s, NULL));
    test_start(s, queue.id[0]);
    OK(queue_steer(s, queue.id[1], STEER_STOP, 0, e));
    OK(queue_steer(s, queue.id[2], STEER_PAUSE, 0, e));
    memmove(queue.id, queue.id + 2, (RUNS - 2) * sizeof(queue.id[0]));
    queue.n -= 2;
    return queue;
}

START_TEST(moves_as_the_model_does)
{
    struct store *s = test_store();
    struct list moved, queue = make_queue(s);
    int64_t first = queue.id[0] - 2;

    for (int i = 0; i < 300; i++) {
        enum move how = (enum move)draw(MOVE_AFTER + 1);
        int64_t other = first + (int64_t)draw(RUNS);

        choose(&moved, first);
        move(s, &queue, &moved, how, how >= MOVE_BEFORE ? other : 0);
    }
    for (int i = 0; i < queue.n; i++)
        if (queue.id[i] != first + 2)
            ck_assert_int_eq(queue_claim(s), queue.id[i]);
    ck_assert_int_eq(queue_claim(s), 0);
    store_close(s);
}
END_TEST

START_TEST(says_why_nothing_moves)
{
    struct store *s = test_store();
    struct list queue = make_queue(s);
    int64_t id = queue.id[1], trains = queue.id[0] - 2;
    struct run_ids one = {&id, 1, 1}, other = {&trains, 1, 1};
    int changed, kept;

    FAILS(ERR_FAIL, "is running, not in the queue",
          store_move(s, &other, MOVE_TOP, 0, &changed, &kept, e));
    FAILS(ERR_FAIL, "run 1 is not in the queue",
          store_move(s, &one, MOVE_AFTER, trains, &changed, &kept, e));
    FAILS(ERR_FAIL, "is one of those to move",
          store_move(s, &one, MOVE_BEFORE, id, &changed, &kept, e));
    FAILS(ERR_FAIL, "run 77 is not in the queue",
          store_move(s, &one, MOVE_BEFORE, 77, &changed, &kept, e));
    order_is(s, &queue);
    store_close(s);
}
END_TEST

/* As an import may bring them. */
START_TEST(equal_places_become_distinct)
{
    struct store *s = test_store();
    struct list moved = {.n = 1}, queue = make_queue(s);

    test_sql("UPDATE run SET position = 9223372036854775807");
    moved.id[0] = queue.id[3];
    move(s, &queue, &moved, MOVE_UP, 0);
    ck_assert_str_eq(
        test_value(s, "SELECT count(DISTINCT position) FROM run WHERE status "
                      "IN ('queued', 'paused')"),
        "7");
    store_close(s);
}
END_TEST

/* ---- edit ---------------------------------------------------------------- */

static int
edit(struct store *s, int64_t id, const char *lr, struct err *e)
{
    struct run r;
    int rc = store_run_get(s, id, &r, e);

    if (rc == 0)
        rc = hyper_set(&r.h, hyper_field("lr"), lr, e);
    return rc < 0 ? rc : store_run_edit(s, id, &r.h, 0, -1, e);
}

static void
name_is(struct store *s, int64_t id, const char *name)
{
    struct run r = queue_run(s, id);

    ck_assert_str_eq(r.name, name);
}

START_TEST(made_up_names_follow)
{
    struct store *s = test_store();
    int64_t a = test_run(s, NULL), b = test_run(s, NULL);
    int64_t own = test_run(s, "mine"), like = test_run(s, "ann #");

    name_is(s, b, "ann #2");
    OK(edit(s, b, "0.01", e));
    name_is(s, b, "ann lr 0.01");
    OK(edit(s, a, "0.01", e));
    name_is(s, a, "ann lr 0.01 #2");
    /* A value that makes no other name leaves the number, too. */
    OK(edit(s, a, "0.01", e));
    name_is(s, a, "ann lr 0.01 #2");
    OK(edit(s, own, "0.01", e));
    name_is(s, own, "mine");
    OK(edit(s, like, "0.01", e));
    name_is(s, like, "ann #");
    ck_assert(queue_run(s, own).h.lr == 0.01);
    store_close(s);
}
END_TEST

START_TEST(edits_all_that_is_given)
{
    struct store *s = test_store();
    int64_t id = test_run(s, NULL), other;
    struct dataset *d = test_set(9);
    struct run r = queue_run(s, id);
    int64_t first = r.dataset_id;

    OK(store_dataset_put(s, d, &other, e));
    dataset_free(d);
    OK(hyper_preset("cnn", &r.h, e));
    OK(store_run_edit(s, id, &r.h, other, 3, e));
    r = queue_run(s, id);
    ck_assert_int_eq(r.dataset_id, other);
    ck_assert_int_eq(r.threads_wanted, 3);
    ck_assert_str_eq(r.name, "cnn");
    ck_assert_str_eq(test_value(s, "SELECT model || preset FROM run"),
                     "cnncnn");
    OK(store_run_edit(s, id, &r.h, 0, -1, e));
    r = queue_run(s, id);
    ck_assert_int_eq(r.dataset_id, other);
    ck_assert_int_eq(r.threads_wanted, 3);
    OK(store_run_edit(s, id, &r.h, first, 0, e));
    r = queue_run(s, id);
    ck_assert_int_eq(r.dataset_id, first);
    ck_assert_int_eq(r.threads_wanted, 0);
    store_close(s);
}
END_TEST

START_TEST(edits_only_what_has_not_begun)
{
    struct store *s = test_store();
    int64_t runs = test_run(s, NULL), paused = test_run(s, NULL);
    int64_t gone = test_run(s, NULL), begun = test_run(s, NULL);
    int changed, kept;

    OK(queue_steer(s, paused, STEER_PAUSE, 0, e));
    test_start(s, begun);
    test_epoch(s, begun, 1, 3);
    OK(store_run_end(s, begun, "queued", "", NULL, e));
    test_start(s, runs);
    OK(store_run_trash(s, &(struct run_ids){&gone, 1, 1}, &changed, &kept, e));
    FAILS(ERR_FAIL,
          "is running: only a queued run that has trained no epoch "
          "can be edited; `clone` makes a new one",
          edit(s, runs, "0.01", e));
    FAILS(ERR_FAIL, "is paused: ", edit(s, paused, "0.01", e));
    FAILS(ERR_FAIL, "is queued, with epochs: ", edit(s, begun, "0.01", e));
    FAILS(ERR_FAIL, "is in the trash: ", edit(s, gone, "0.01", e));
    FAILS(ERR_NOTFOUND, "no run 99", edit(s, 99, "0.01", e));
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run WHERE lr = 0.01"),
                     "0");
    store_close(s);
}
END_TEST

/* ---- extend -------------------------------------------------------------- */

static int
extend(struct store *s, int64_t parent, long long epochs, struct err *e)
{
    static const char *const TAGS[] = {"long"};
    const struct run_new n = {
        .name = "longer", .note = "more", .tags = TAGS, .n_tags = 1};
    int64_t id;

    return store_run_extend(s, parent, epochs, &n, &id, e);
}

static int64_t
finished(struct store *s, const struct hyper *h, int epochs)
{
    int64_t id = test_run_with(s, h, NULL);

    test_start(s, id);
    for (int k = 1; k <= epochs; k++)
        test_epoch(s, id, k, k);
    test_end(s, id, "finished", epochs);
    return id;
}

static struct hyper
short_run(int epochs)
{
    struct hyper h;

    OK(hyper_preset("ann", &h, e));
    h.epochs = epochs;
    return h;
}

#define ROWS_OF(columns, table, rest)                                       \
    "SELECT group_concat(v, ';') FROM (SELECT " columns " AS v FROM " table \
    " WHERE run_id = " rest ")"

/* Both runs have equal rows. */
#define SAME(s, columns, table, order)                                        \
    do {                                                                      \
        char *first = mem_strdup(                                             \
            test_value(s, ROWS_OF(columns, table, "1 ORDER BY " order)));     \
        ck_assert_str_ne(first, "");                                          \
        ck_assert_str_eq(first, test_value(s, ROWS_OF(columns, table,         \
                                                      "2 ORDER BY " order))); \
        mem_free(first);                                                      \
    } while (0)

START_TEST(an_extension_begins_as_its_parent_ended)
{
    struct store *s = test_store();
    struct hyper h = short_run(3);
    struct run r;

    h.schedule = SCHED_STEP;
    h.step_size = 2;
    h.gamma = 0.5;
    finished(s, &h, 3);
    OK(extend(s, 1, 7, e));
    SAME(s, "epoch || ':' || train_loss || ':' || test_acc || ':' || seconds",
         "epoch", "epoch");
    SAME(s, "epoch || ':' || truth || predicted || ':' || count", "confusion",
         "epoch, truth, predicted");
    SAME(s, "epoch || hex(predicted)", "epoch_prediction", "epoch");
    SAME(s,
         "kind || epoch || sha256 || state_sha256 || hex(weights) || "
         "hex(state)",
         "checkpoint", "kind");
    r = queue_run(s, 2);
    ck_assert_str_eq(r.status, "queued");
    ck_assert_str_eq(r.name, "longer");
    ck_assert_str_eq(r.note, "more");
    ck_assert_int_eq(r.parent_id, 1);
    ck_assert_int_eq(r.h.epochs, 7);
    ck_assert_int_eq(r.h.step_size, 2);
    ck_assert_int_eq(r.epochs_done, 3);
    ck_assert_str_eq(r.kernel, "scalar");
    ck_assert_str_eq(test_value(s, "SELECT tag FROM tag WHERE run_id = 2"),
                     "long");
    ck_assert_str_eq(
        test_value(s, "SELECT a.test_acc = b.test_acc AND a.peak_test_acc = "
                      "b.peak_test_acc AND a.seconds = b.seconds FROM run AS a "
                      "JOIN run AS b ON a.id = 1 AND b.id = 2"),
        "1");
    queue_is_sound(s);
    store_close(s);
}
END_TEST

START_TEST(what_cannot_be_extended)
{
    struct store *s = test_store();
    struct hyper h = short_run(3);
    int64_t id = finished(s, &h, 3), queued = test_run_with(s, &h, NULL);
    int changed, kept;

    FAILS(ERR_FAIL, "is queued; only a finished run", extend(s, queued, 9, e));
    FAILS(ERR_USAGE, "has 3 already; choose more", extend(s, id, 3, e));
    FAILS(ERR_USAGE, "--epochs", extend(s, id, 1000000000000, e));
    FAILS(ERR_NOTFOUND, "no run 99", extend(s, 99, 9, e));
    test_sql("UPDATE checkpoint SET state = NULL, state_sha256 = NULL");
    FAILS(ERR_FAIL, "was pruned; `clone --epochs`", extend(s, id, 9, e));
    test_sql("UPDATE checkpoint SET state = x'00', epoch = 2");
    FAILS(ERR_FAIL, "was pruned", extend(s, id, 9, e));
    test_sql("DELETE FROM checkpoint");
    FAILS(ERR_FAIL, "was pruned", extend(s, id, 9, e));
    OK(store_run_trash(s, &(struct run_ids){&id, 1, 1}, &changed, &kept, e));
    FAILS(ERR_FAIL, "is in the trash", extend(s, id, 9, e));
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM run"), "2");
    store_close(s);
}
END_TEST

START_TEST(schedules_that_know_the_end)
{
    static const int ALL[] = {SCHED_COSINE, SCHED_ONECYCLE};
    struct store *s = test_store();

    for (int i = 0; i < 2; i++) {
        struct hyper h = short_run(3);
        int64_t id;

        h.schedule = ALL[i];
        id = finished(s, &h, 3);
        FAILS(ERR_USAGE, "whose rates depend on the number of epochs",
              extend(s, id, 9, e));
    }
    store_close(s);
}
END_TEST

/* With patience 2: what ended early, and what ended where it would have. */
START_TEST(patience_that_ran_out)
{
    struct store *s = test_store();
    struct hyper h = short_run(5);
    int64_t early, late, on;

    h.val_fraction = 0.2;
    h.patience = 2;
    early = finished(s, &h, 4);
    late = finished(s, &h, 5);
    on = finished(s, &h, 5);
    test_sql("UPDATE run SET result_epoch = 3 WHERE id = 2;"
             "UPDATE run SET result_epoch = 4 WHERE id = 3");
    FAILS(ERR_USAGE, "ended after epoch 4 of 5, as its patience of 2 ran out",
          extend(s, early, 9, e));
    FAILS(ERR_USAGE, "as its patience of 2 ran out", extend(s, late, 9, e));
    OK(extend(s, on, 9, e));
    store_close(s);
}
END_TEST

/* ---- twins --------------------------------------------------------------- */

START_TEST(finds_twins)
{
    struct store *s = test_store();
    struct hyper h = short_run(2), other = h;
    int64_t queued = test_run_with(s, &h, NULL);
    int64_t done = finished(s, &h, 2), runs = test_run_with(s, &h, NULL);
    int64_t paused = test_run_with(s, &h, NULL);
    int64_t stopped = test_run_with(s, &h, NULL);
    int64_t gone = test_run_with(s, &h, NULL);
    int64_t set = queue_run(s, queued).dataset_id;
    struct run_ids out;
    int changed, kept;

    other.lr = 0.5;
    test_run_with(s, &other, NULL);
    test_start(s, runs);
    OK(queue_steer(s, paused, STEER_PAUSE, 0, e));
    OK(queue_steer(s, stopped, STEER_STOP, 0, e));
    OK(store_run_trash(s, &(struct run_ids){&gone, 1, 1}, &changed, &kept, e));
    /* From where the layers are is no difference. */
    h.preset[0] = '\0';
    OK(store_run_twins(s, &h, set, &out, e));
    ck_assert_uint_eq(out.n, 4);
    ck_assert_int_eq(out.ids[0], done);
    ck_assert_int_eq(out.ids[1], queued);
    ck_assert_int_eq(out.ids[2], runs);
    ck_assert_int_eq(out.ids[3], paused);
    mem_free(out.ids);
    OK(store_run_twins(s, &h, set + 1, &out, e));
    ck_assert_uint_eq(out.n, 0);
    h.seed = 77;
    OK(store_run_twins(s, &h, set, &out, e));
    ck_assert_uint_eq(out.n, 0);
    ck_assert_ptr_null(out.ids);
    store_close(s);
}
END_TEST

int
main(void)
{
    const TTest *const order[] = {moves_as_the_model_does,
                                  says_why_nothing_moves,
                                  equal_places_become_distinct, NULL};
    const TTest *const edits[] = {made_up_names_follow, edits_all_that_is_given,
                                  edits_only_what_has_not_begun, NULL};
    const TTest *const extensions[] = {
        an_extension_begins_as_its_parent_ended, what_cannot_be_extended,
        schedules_that_know_the_end, patience_that_ran_out, NULL};
    const TTest *const twins[] = {finds_twins, NULL};
    Suite *s = suite_create("order");

    test_case(s, "order", order);
    test_case(s, "edit", edits);
    test_case(s, "extend", extensions);
    test_case(s, "twins", twins);
    return run_suites(s, NULL);
}
