/* SPDX-License-Identifier: MIT */
/* Workers in this process: they claim, train, obey, leave. */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fmnist/mem.h"
#include "fmnist/worker.h"
#include "queue_support.h"
#include "store_support.h"
#include "support.h"
#include "tiny.h"

static struct dataset *data;
static struct store *store, *other; /* the worker's, and the user's */
static int64_t dataset_id;

static void
setup(void)
{
    tmp_setup();
    data = tiny_new(200, 5);
    mem_free(data->source);
    data->source = mem_strdup(tmp_path("tiny.csv"));
    tiny_write(data, data->source);
    store = test_store();
    other = test_store();
    OK(store_dataset_put(store, data, &dataset_id, e));
}

static void
teardown(void)
{
    store_close(store);
    store_close(other);
    dataset_free(data);
    tmp_teardown();
}

/* Five batches an epoch. */
static int64_t
enqueue(int epochs)
{
    struct run_new n = {.dataset_id = dataset_id};
    struct hyper h;
    int64_t id;

    OK(hyper_preset("ann", &h, e));
    OK(hyper_set(&h, hyper_field("spec"), "dense 16 relu dropout 0.2 dense 10",
                 e));
    h.epochs = epochs;
    h.batch_size = 32;
    h.optimizer = OPTIM_ADAM;
    h.lr = 0.01;
    h.schedule = SCHED_STEP;
    h.step_size = 3;
    h.gamma = 0.5;
    n.h = &h;
    OK(store_run_insert(other, &n, &id, e));
    return id;
}

/* What a test does while a run trains. */
struct script {
    struct worker_leave leave;
    int epoch, batch; /* before it acts */
    void (*act)(struct script *s);
    int acted, begun, ended;
    int slow; /* from the act on, so that it is noticed in time */
    char said[400];
};

static void
on_begins(const struct run *r, const struct dataset *d, void *arg)
{
    struct script *s = arg;

    (void)r;
    (void)d;
    s->begun++;
}

static void
on_batch(const struct batch_report *r, void *arg)
{
    const struct timespec pause = {0, 20000000};
    struct script *s = arg;

    if (s->act && !s->acted && r->epoch >= s->epoch && r->batch >= s->batch) {
        s->acted = 1;
        s->act(s);
    }
    if (s->acted && s->slow) {
        nanosleep(&pause, NULL);
    }
}

static void
on_ended(const struct run *r, const char *fault, void *arg)
{
    struct script *s = arg;

    (void)r;
    ck_assert(!fault[0] || strstr(fault, "is not this worker's any more"));
    s->ended++;
}

static void
on_says(const char *line, void *arg)
{
    struct script *s = arg;
    size_t n = strlen(s->said);

    snprintf(s->said + n, sizeof s->said - n, "%s|", line);
}

static void
drain(struct script *s)
{
    struct worker_options o = {
        .threads = 2,
        .drain = 1,
        .idle_exit = -1,
        .checkpoint_every = 0.001,
        .leave = &s->leave,
        .begins = on_begins,
        .batch = on_batch,
        .ended = on_ended,
        .says = on_says,
        .arg = s,
    };

    s->leave.order = RUNNER_LEAVE;
    OK(worker_run(store, &o, e));
    ck_assert_str_eq(test_value(other, "SELECT count(*) FROM worker"), "0");
}

/* The weights, state and figures of two runs are the same. */
static void
same(int64_t a, int64_t b)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT kind, epoch, sha256, state_sha256 "
             "FROM checkpoint WHERE run_id = %d EXCEPT SELECT kind, epoch, "
             "sha256, state_sha256 FROM checkpoint WHERE run_id = %d)",
             (int)a, (int)b);
    ck_assert_str_eq(test_value(other, sql), "0");
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM epoch AS a LEFT JOIN epoch AS b ON b.epoch "
             "= a.epoch AND b.run_id = %d AND a.train_loss = b.train_loss AND "
             "a.test_loss = b.test_loss AND a.lr = b.lr WHERE a.run_id = %d "
             "AND b.epoch IS NULL",
             (int)b, (int)a);
    ck_assert_str_eq(test_value(other, sql), "0");
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT image, p0, p9 FROM prediction WHERE "
             "run_id = %d EXCEPT SELECT image, p0, p9 FROM prediction WHERE "
             "run_id = %d)",
             (int)a, (int)b);
    ck_assert_str_eq(test_value(other, sql), "0");
    queue_is_sound(other);
}

START_TEST(trains_what_is_queued)
{
    int64_t a = enqueue(2), b = enqueue(2);
    struct script s = {0};

    drain(&s);
    ck_assert_int_eq(s.begun, 2);
    ck_assert_int_eq(s.ended, 2);
    queue_status_is(other, a, "finished");
    queue_status_is(other, b, "finished");
    same(a, b);
    ck_assert_str_eq(s.said, "no work|");
}
END_TEST

START_TEST(an_extended_run_is_a_longer_one)
{
    int64_t longer = enqueue(7), parent = enqueue(3), child;
    const struct run_new none = {0};
    struct script s = {0};

    drain(&s);
    OK(store_run_extend(other, parent, 7, &none, &child, e));
    drain(&s);
    queue_status_is(other, child, "finished");
    same(longer, child);
    same(child, longer);
}
END_TEST

START_TEST(a_paused_queue_is_left_alone)
{
    int64_t id = enqueue(2);
    struct script s = {0};

    OK(store_queue_pause(other, 1, e));
    drain(&s);
    queue_status_is(other, id, "queued");
    ck_assert_str_eq(s.said, "the queue is paused|");
}
END_TEST

/* ---- obeying ------------------------------------------------------------- */

static void
steer(enum steer what)
{
    OK(queue_steer(other, 1, what, 0, e));
}

static void
act_stop(struct script *s)
{
    (void)s;
    steer(STEER_STOP);
}

static void
act_stop_now(struct script *s)
{
    (void)s;
    steer(STEER_STOP_NOW);
}

static void
act_pause(struct script *s)
{
    (void)s;
    steer(STEER_PAUSE);
}

static void
act_leave(struct script *s)
{
    s->leave.signal = 15;
}

static const struct {
    void (*act)(struct script *s);
    const char *status;
    enum steer again;
} ENDS[] = {{act_stop, "stopped", STEER_RETRY},
            {act_stop_now, "stopped", STEER_RESUME},
            {act_pause, "paused", STEER_RESUME},
            {act_leave, "queued", 0}};

/* However it is ended, it goes on to the same weights. */
START_TEST(obeys_and_goes_on)
{
    struct script s = {.act = ENDS[_i].act, .epoch = 2, .batch = 2, .slow = 1};
    struct script rest = {0};
    int64_t id = enqueue(400), whole;
    struct run r;

    drain(&s);
    r = queue_run(other, id);
    ck_assert_str_eq(r.status, ENDS[_i].status);
    ck_assert_str_eq(r.request, "");
    ck_assert_int_ge(r.epochs_done, 1);
    ck_assert_int_lt(r.epochs_done, 400);
    queue_is_sound(other);
    if (strcmp(r.status, "queued") != 0) {
        steer(ENDS[_i].again);
    }
    test_sql("UPDATE run SET epochs = epochs_done + 5");
    whole = enqueue((int)queue_run(other, id).h.epochs);
    drain(&rest);
    queue_status_is(other, id, "finished");
    same(whole, id);
}
END_TEST

/* ---- taken for dead ------------------------------------------------------ */

static void
act_bury(struct script *s)
{
    struct worker w;

    (void)s;
    /* Its heart may beat between the look and the burial. */
    do {
        w = queue_worker(other, 0);
    } while (queue_bury(other, &w) == 0);
}

/* The run is lost to it, and is then trained by whom claims it: here by the
 * same, with another row. */
START_TEST(joins_again_when_taken_for_dead)
{
    struct script s = {.act = act_bury, .epoch = 2, .batch = 2};
    int64_t id = enqueue(4), whole = enqueue(4);

    drain(&s);
    ck_assert_int_eq(s.begun, 3);
    ck_assert_ptr_nonnull(strstr(s.said, "joined again"));
    queue_status_is(other, id, "finished");
    same(whole, id);
}
END_TEST

/* ---- withdrawn ----------------------------------------------------------- */

struct order {
    int from, to; /* calls of the hook that say stop */
    enum runner_order order;
    int calls, holds;
};

static enum runner_order
on_order(const struct batch_report *r, void *arg)
{
    struct order *o = arg;

    (void)r;
    o->calls++;
    return o->calls >= o->from && o->calls <= o->to ? o->order : RUNNER_GO;
}

static int
on_holds(void *arg, struct err *e)
{
    const struct order *o = arg;

    (void)e;
    return o->holds;
}

static void
execute(int64_t id, struct order *o)
{
    const struct runner_hooks hooks = {
        .batch = on_order, .arg = o, .holds = on_holds};
    struct runner_engine g;
    struct claim c = {.run = id};
    int64_t claimed;

    OK(runner_engine_init(&g, 2, e));
    c.engine = g.run;
    c.kernels = g.kernels;
    OK(store_claim(store, &c, &claimed, e));
    OK(runner_execute(store, id, data, 2, &hooks, e));
}

START_TEST(a_stop_can_be_withdrawn)
{
    struct order o = {6, 9, RUNNER_STOP_AFTER_EPOCH, 0, 1};
    int64_t id = enqueue(3);

    execute(id, &o);
    queue_status_is(other, id, "finished");
    ck_assert_int_eq(queue_run(other, id).epochs_done, 3);
}
END_TEST

/* The last batch is trained already: it ends, but not for good. */
START_TEST(a_stop_can_be_withdrawn_late)
{
    struct order o = {6, 99, RUNNER_STOP_AFTER_EPOCH, 0, 0}, none = {0};
    int64_t id = enqueue(3), whole = enqueue(3);

    execute(id, &o);
    queue_status_is(other, id, "queued");
    ck_assert_int_eq(queue_run(other, id).epochs_done, 2);
    o = (struct order){1, 99, RUNNER_PAUSE, 0, 0};
    execute(id, &o);
    queue_status_is(other, id, "queued");
    execute(id, &none);
    execute(whole, &none);
    queue_status_is(other, id, "finished");
    same(whole, id);
}
END_TEST

/* Epochs that were recorded before a crash have no weights until they are
 * trained again. */
START_TEST(a_stop_among_recorded_epochs_waits_for_the_last)
{
    struct order o = {16, 99, RUNNER_STOP, 0, 1};
    int64_t id = enqueue(5);

    execute(id, &o);
    ck_assert_int_eq(queue_run(other, id).epochs_done, 3);
    test_sql("DELETE FROM checkpoint");
    OK(queue_steer(other, id, STEER_RESUME, 0, e));
    o = (struct order){2, 99, RUNNER_STOP_AFTER_EPOCH, 0, 1};
    execute(id, &o);
    queue_status_is(other, id, "stopped");
    ck_assert_int_eq(queue_run(other, id).epochs_done, 3);
    ck_assert_str_eq(test_value(other, "SELECT epoch FROM checkpoint"), "3");
    queue_is_sound(other);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("worker");
    TCase *tc = tcase_create("worker");

    /* libgomp's threads do not survive a fork. */
    setenv("CK_FORK", "no", 1);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, trains_what_is_queued);
    tcase_add_test(tc, an_extended_run_is_a_longer_one);
    tcase_add_test(tc, a_paused_queue_is_left_alone);
    tcase_add_loop_test(tc, obeys_and_goes_on, 0,
                        (int)(sizeof ENDS / sizeof ENDS[0]));
    tcase_add_test(tc, joins_again_when_taken_for_dead);
    tcase_add_test(tc, a_stop_can_be_withdrawn);
    tcase_add_test(tc, a_stop_can_be_withdrawn_late);
    tcase_add_test(tc, a_stop_among_recorded_epochs_waits_for_the_last);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
