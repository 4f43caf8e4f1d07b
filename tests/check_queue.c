/* SPDX-License-Identifier: MIT */
/* Claims, whose run it is, transactions. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "queue_support.h"
#include "store_support.h"
#include "support.h"

/* ---- claims -------------------------------------------------------------- */

START_TEST(claims_in_order)
{
    struct store *s = test_store();
    int64_t a = test_run(s, "a"), b = test_run(s, "b"), c = test_run(s, "c");
    int changed, kept;

    OK(store_move(s, &(struct run_ids){&c, 1, 1}, MOVE_TOP, 0, &changed, &kept,
                  e));
    ck_assert_int_eq(queue_claim(s), c);
    ck_assert_int_eq(queue_claim(s), a);
    ck_assert_int_eq(queue_claim(s), b);
    ck_assert_int_eq(queue_claim(s), 0);
    queue_status_is(s, a, "running");
    store_close(s);
}
END_TEST

START_TEST(claims_what_it_may)
{
    struct store *s = test_store();
    struct claim c = queue_claim_of(0);
    int64_t a = test_run(s, "a"), b = test_run(s, "b");
    int64_t id, d = test_run(s, "d");

    test_sql("UPDATE run SET user = 'mallory' WHERE name = 'a';"
             "UPDATE run SET engine = 'slurm' WHERE name = 'b'");
    ck_assert_int_eq(queue_claim(s), d);
    ck_assert_int_eq(queue_claim(s), 0);
    c.run = a;
    FAILS(ERR_FAIL, "of user mallory", store_claim(s, &c, &id, e));
    c.run = b;
    FAILS(ERR_FAIL, "engine \"slurm\"", store_claim(s, &c, &id, e));
    c.run = d;
    FAILS(ERR_FAIL, "is running, not queued", store_claim(s, &c, &id, e));
    c.run = 99;
    FAILS(ERR_NOTFOUND, "no run 99", store_claim(s, &c, &id, e));
    ck_assert_int_eq(id, 0);
    store_close(s);
}
END_TEST

/* What is in the trash is not trained, and comes back as it went. */
START_TEST(claims_nothing_of_the_trash)
{
    struct store *s = test_store();
    int64_t all[2] = {test_run(s, "a"), test_run(s, "b")};
    struct run_ids ids = {all, 2, 2};
    struct claim c = queue_claim_of(all[0]);
    int64_t id;
    int changed, kept;

    OK(queue_steer(s, all[1], STEER_PAUSE, 0, e));
    OK(store_run_trash(s, &ids, &changed, &kept, e));
    ck_assert_int_eq(changed, 2);
    ck_assert_int_eq(queue_claim(s), 0);
    FAILS(ERR_FAIL, "in the trash", store_claim(s, &c, &id, e));
    OK(store_run_restore(s, &ids, &changed, e));
    queue_status_is(s, all[0], "queued");
    queue_status_is(s, all[1], "paused");
    ck_assert_int_eq(queue_claim(s), all[0]);
    store_close(s);
}
END_TEST

static void
stopped_with(struct store *s, int64_t id, int epochs)
{
    test_start(s, id);
    for (int k = 1; k <= epochs; k++)
        test_epoch(s, id, k, k);
    test_end(s, id, "stopped", epochs);
    OK(queue_steer(s, id, STEER_RESUME, 0, e));
}

START_TEST(goes_on_with_the_kernel_that_began)
{
    struct store *s = test_store();
    struct claim c = queue_claim_of(0);
    int64_t a = test_run(s, "a"), b = test_run(s, "b"), id;
    struct run r;
    char why[200];

    stopped_with(s, a, 1);
    test_sql("UPDATE run SET kernel = 'slide-rule' WHERE name = 'a'");
    OK(store_claim_waits(s, &c, &id, why, e));
    ck_assert_int_eq(id, a);
    ck_assert_ptr_nonnull(strstr(why, "kernel slide-rule and numerics 1"));
    c.run = b;
    OK(store_claim_waits(s, &c, &id, why, e));
    ck_assert_int_eq(id, 0);
    c.run = a;
    FAILS(ERR_FAIL, "\"slide-rule\"", store_claim(s, &c, &id, e));
    ck_assert_int_eq(queue_claim(s), b);
    ck_assert_int_eq(queue_claim(s), 0);
    /* Any kernel of the list will do, and stays the run's. */
    test_sql("UPDATE run SET kernel = 'abacus' WHERE name = 'a'");
    ck_assert_int_eq(queue_claim(s), a);
    r = queue_run(s, a);
    ck_assert_str_eq(r.kernel, "abacus");
    store_close(s);
}
END_TEST

START_TEST(goes_on_with_the_numerics_that_began)
{
    struct store *s = test_store();
    struct claim c = queue_claim_of(0);
    int64_t a = test_run(s, "a"), id;
    struct run r;
    char why[200];

    stopped_with(s, a, 1);
    test_sql("UPDATE run SET numerics = 7");
    ck_assert_int_eq(queue_claim(s), 0);
    OK(store_claim_waits(s, &c, &id, why, e));
    ck_assert_int_eq(id, a);
    ck_assert_ptr_nonnull(strstr(why, "numerics 7"));
    /* From the beginning every kernel and numerics will do. */
    test_sql("UPDATE run SET kernel = 'slide-rule'; DELETE FROM checkpoint");
    OK(store_claim_waits(s, &c, &id, why, e));
    ck_assert_int_eq(id, 0);
    ck_assert_str_eq(why, "");
    ck_assert_int_eq(queue_claim(s), a);
    r = queue_run(s, a);
    ck_assert_str_eq(r.kernel, "scalar");
    ck_assert_int_eq(r.numerics, NUMERICS);
    store_close(s);
}
END_TEST

START_TEST(claims_nothing_of_a_paused_queue)
{
    struct store *s = test_store();
    int64_t a = test_run(s, "a"), b = test_run(s, "b"), id;
    struct claim c = queue_claim_of(b);
    int on;

    OK(store_queue_paused(s, &on, e));
    ck_assert_int_eq(on, 0);
    OK(store_queue_pause(s, 1, e));
    OK(store_queue_pause(s, 1, e));
    OK(store_queue_paused(s, &on, e));
    ck_assert_int_eq(on, 1);
    ck_assert_int_eq(queue_claim(s), 0);
    OK(store_claim(s, &c, &id, e));
    ck_assert_int_eq(id, b);
    OK(store_queue_pause(s, 0, e));
    ck_assert_int_eq(queue_claim(s), a);
    store_close(s);
}
END_TEST

START_TEST(threads_are_as_wanted)
{
    struct store *s = test_store();
    int64_t a = test_run(s, "a"), b = test_run(s, "b");
    struct run r;

    test_sql("UPDATE run SET threads_wanted = CASE name WHEN 'a' THEN 1 ELSE 9 "
             "END");
    queue_claim(s);
    queue_claim(s);
    r = queue_run(s, a);
    ck_assert_int_eq(r.threads, 1);
    r = queue_run(s, b);
    ck_assert_int_eq(r.threads, 2);
    store_close(s);
}
END_TEST

/* ---- whose run it is ----------------------------------------------------- */

START_TEST(only_its_worker_writes_to_a_run)
{
    struct store *a = test_store(), *b = test_store();
    int64_t id = test_run(a, "x"), wa = queue_join(a), wb = queue_join(b);
    enum run_request request;
    struct run r;

    ck_assert_int_eq(queue_claim(a), id);
    ck_assert_int_eq(queue_claim(b), 0);
    r = queue_run(b, id);
    ck_assert_int_eq(r.worker_id, wa);
    ck_assert_int_eq(queue_worker(b, 0).run_id, id);
    ck_assert_int_eq(queue_worker(b, 1).run_id, 0);
    FAILS(ERR_LOST, "any more", store_run_end(b, id, "finished", "", NULL, e));
    FAILS(ERR_LOST, "any more", store_request(b, wb, id, &request, e));
    OK(store_request(b, wa, id, &request, e));
    test_epoch(a, id, 1, 3);
    test_end(a, id, "finished", 3);
    FAILS(ERR_LOST, "any more", store_request(a, wa, id, &request, e));
    ck_assert_int_eq(queue_worker(b, 0).run_id, 0);
    queue_is_sound(a);
    store_close(a);
    store_close(b);
}
END_TEST

static int
write_epoch(struct store *s, int64_t id, struct err *e)
{
    uint8_t predicted[TEST_PART] = {0};
    struct epoch_metrics m = {.epoch = 2};
    struct confusion c;
    struct epoch_report r = {.metrics = &m,
                             .confusion = &c,
                             .predicted = predicted,
                             .n_test = TEST_PART};

    confusion_clear(&c);
    for (int i = 0; i < TEST_PART; i++)
        confusion_add(&c, i, 0);
    return store_run_epoch(s, id, &r, e);
}

/* A worker that was taken for dead writes nothing more; with a new row it goes
 * on with other runs. */
START_TEST(the_buried_lose_their_run)
{
    struct store *a = test_store(), *b = test_store();
    int64_t id = test_run(a, "x"), got;
    struct claim c = queue_claim_of(0);
    struct worker w;

    queue_join(a);
    ck_assert_int_eq(queue_claim(a), id);
    test_epoch(a, id, 1, 3);
    w = queue_worker(b, 0);
    ck_assert_int_eq(queue_bury(b, &w), 1);
    queue_status_is(b, id, "queued");
    queue_join(b);
    ck_assert_int_eq(queue_claim(b), id);
    FAILS(ERR_LOST, "any more", write_epoch(a, id, e));
    FAILS(ERR_LOST, "any more", store_run_end(a, id, "failed", "x", NULL, e));
    FAILS(ERR_LOST, "taken for dead", store_claim(a, &c, &got, e));
    ck_assert_int_eq(queue_run(b, id).epochs_done, 1);
    test_epoch(b, id, 2, 4);
    test_end(b, id, "finished", 4);
    queue_join(a);
    got = test_run(a, "y");
    ck_assert_int_eq(queue_claim(a), got);
    queue_is_sound(a);
    store_close(a);
    store_close(b);
}
END_TEST

START_TEST(heartbeats_and_progress)
{
    struct store *s = test_store();
    const struct batch_report at = {.epoch = 3,
                                    .batch = 40,
                                    .batches = 75,
                                    .loss = 0.5,
                                    .acc = 0.75,
                                    .samples_per_second = 1000,
                                    .eta_seconds = 12};
    int64_t id = test_run(s, "x"), w = queue_join(s);
    struct worker row = queue_worker(s, 0), later;

    ck_assert_int_eq(row.threads, 2);
    ck_assert(row.host[0] && row.user[0] && row.process.pid > 0);
    queue_claim(s);
    test_sql("UPDATE worker SET heartbeat_clock = 1, heartbeat_at = 'x'");
    OK(store_worker_beat(s, w, id, &at, e));
    later = queue_worker(s, 0);
    ck_assert(later.heartbeat_clock >= row.heartbeat_clock);
    ck_assert_str_ne(later.heartbeat_at, "x");
    ck_assert_int_eq(later.at.epoch, 3);
    ck_assert_int_eq(later.at.batch, 40);
    ck_assert_int_eq(later.at.epochs, 100);
    ck_assert(later.at.eta_seconds == 12);
    /* Progress of a run that is not its any more is none. */
    OK(store_worker_beat(s, w, id + 1, &(struct batch_report){.epoch = 9}, e));
    ck_assert_int_eq(queue_worker(s, 0).at.epoch, 3);
    /* The next run does not begin where this one was. */
    test_sql("UPDATE run SET status = 'queued', worker_id = NULL");
    queue_claim(s);
    ck_assert_int_eq(queue_worker(s, 0).at.epoch, 0);
    OK(store_worker_beat(s, w + 1, 0, NULL, e));
    OK(store_worker_remove(s, w, "", e));
    OK(store_worker_beat(s, w, 0, NULL, e));
    store_close(s);
}
END_TEST

/* ---- transactions -------------------------------------------------------- */

START_TEST(transactions_nest)
{
    struct store *s = test_store(), *other = test_store();

    OK(store_begin(s, e));
    test_run(s, "a");
    OK(store_begin(s, e));
    test_run(s, "b");
    OK(store_end(s, 0, e));
    ck_assert_str_eq(test_value(other, "SELECT count(*) FROM run"), "0");
    OK(store_end(s, 0, e));
    ck_assert_str_eq(test_value(other, "SELECT count(*) FROM run"), "2");
    /* What fails inside undoes what is around it. */
    OK(store_begin(s, e));
    test_run(s, "c");
    FAILS(ERR_FAIL, "",
          store_end(s, queue_steer(s, 99, STEER_STOP, 0, e) ? -1 : 0, e));
    ck_assert_str_eq(test_value(other, "SELECT count(*) FROM run"), "2");
    test_run(s, "c");
    ck_assert_str_eq(test_value(other, "SELECT count(*) FROM run"), "3");
    store_close(s);
    store_close(other);
}
END_TEST

START_TEST(changes_are_noticed)
{
    struct store *s = test_store(), *other;
    int changed;

    test_run(s, NULL);
    OK(store_open(test_db(), STORE_READ, &other, e));
    OK(store_changed(other, &changed, e));
    ck_assert_int_eq(changed, 1);
    OK(store_changed(other, &changed, e));
    ck_assert_int_eq(changed, 0);
    test_run(s, NULL);
    OK(store_changed(other, &changed, e));
    ck_assert_int_eq(changed, 1);
    OK(store_changed(other, &changed, e));
    ck_assert_int_eq(changed, 0);
    /* One's own are none. */
    OK(store_changed(s, &changed, e));
    test_run(s, NULL);
    OK(store_changed(s, &changed, e));
    ck_assert_int_eq(changed, 0);
    store_close(s);
    store_close(other);
}
END_TEST

/* A statement that is left open would keep an old state, in which nothing can
 * be written once others have. */
#define LEAVES_NOTHING_OPEN(call)                    \
    do {                                             \
        OK(call);                                    \
        test_sql("UPDATE run SET note = hex(note)"); \
        OK(store_begin(s, e));                       \
        OK(store_end(s, 0, e));                      \
    } while (0)

START_TEST(reading_leaves_nothing_open)
{
    struct store *s = test_store();
    int64_t id = test_finished(s, "a", 2), other;
    const struct claim c = queue_claim_of(0);
    struct confusion m;
    struct predictions p;
    struct checkpoint k;
    struct run r;
    struct run_ids ids = {0};
    struct worker *w;
    struct dataset_row d;
    uint8_t pixels[IMAGE_PIXELS], label;
    size_t n;
    char why[200];
    int i;

    queue_join(s);
    LEAVES_NOTHING_OPEN(store_confusion(s, id, 0, &m, e));
    LEAVES_NOTHING_OPEN(store_predictions(s, id, &p, e));
    LEAVES_NOTHING_OPEN(store_checkpoint(s, id, "last", &k, e));
    LEAVES_NOTHING_OPEN(store_run_get(s, id, &r, e));
    LEAVES_NOTHING_OPEN(store_run_resolve(s, "a", &ids, e));
    LEAVES_NOTHING_OPEN(store_run_resolve(s, "@best", &ids, e));
    mem_free(ids.ids);
    LEAVES_NOTHING_OPEN(store_run_twins(s, &r.h, r.dataset_id, &ids, e));
    LEAVES_NOTHING_OPEN(store_workers(s, &w, &n, e));
    LEAVES_NOTHING_OPEN(store_claim_waits(s, &c, &other, why, e));
    LEAVES_NOTHING_OPEN(store_queue_paused(s, &i, e));
    LEAVES_NOTHING_OPEN(store_changed(s, &i, e));
    LEAVES_NOTHING_OPEN(store_dataset_get(s, r.dataset_id, &d, e));
    LEAVES_NOTHING_OPEN(store_dataset_find(s, "tiny", &d, e));
    LEAVES_NOTHING_OPEN(store_image(s, r.dataset_id, 99, pixels, &label, e) ==
                                ERR_NOTFOUND
                            ? 0
                            : -1);
    LEAVES_NOTHING_OPEN(store_check(s, test_count_fault, &i, &i, e));
    predictions_release(&p);
    checkpoint_release(&k);
    mem_free(ids.ids);
    mem_free(w);
    store_close(s);
}
END_TEST

int
main(void)
{
    const TTest *const claims[] = {claims_in_order,
                                   claims_what_it_may,
                                   claims_nothing_of_the_trash,
                                   goes_on_with_the_kernel_that_began,
                                   goes_on_with_the_numerics_that_began,
                                   claims_nothing_of_a_paused_queue,
                                   threads_are_as_wanted,
                                   only_its_worker_writes_to_a_run,
                                   the_buried_lose_their_run,
                                   heartbeats_and_progress,
                                   NULL};
    const TTest *const transactions[] = {transactions_nest, changes_are_noticed,
                                         reading_leaves_nothing_open, NULL};
    Suite *s = suite_create("queue");

    test_case(s, "claims", claims);
    test_case(s, "transactions", transactions);
    return run_suites(s, NULL);
}
