/* SPDX-License-Identifier: MIT */
/* Steering, and what dead workers leave behind. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fmnist/store_queue.h"
#include "queue_support.h"
#include "store_support.h"
#include "support.h"

/* ---- steering ------------------------------------------------------------ */

enum made {
    QUEUED,
    PAUSED,
    RUNNING,
    ASKED,
    FINISHED,
    STOPPED,
    FAILED,
    TRASHED
};
static const char *const STATUS[] = {"queued",  "paused",   "running",
                                     "running", "finished", "stopped",
                                     "failed",  "queued"};

static int64_t
make(struct store *s, enum made what)
{
    int64_t id = test_run(s, NULL);
    struct run_ids one = {&id, 1, 1};
    int changed, kept;

    if (what == PAUSED)
        OK(queue_steer(s, id, STEER_PAUSE, 0, e));
    if (what == TRASHED)
        OK(store_run_trash(s, &one, &changed, &kept, e));
    if (what >= RUNNING && what <= FAILED) {
        test_start(s, id);
        test_epoch(s, id, 1, 3);
    }
    if (what == ASKED)
        OK(queue_steer(s, id, STEER_STOP, 0, e));
    if (what >= FINISHED && what <= FAILED)
        test_end(s, id, STATUS[what], 3);
    return id;
}

struct heard {
    int64_t id;
    enum steered what;
    char why[200];
    int n;
};

static void
hear(int64_t id, enum steered what, const char *why, void *arg)
{
    struct heard *h = arg;

    h->n++;
    h->id = id;
    h->what = what;
    snprintf(h->why, sizeof(h->why), "%s", why);
}

/* N nothing, S stopped, A asked, P paused, Q queued, W withdrawn; a letter for
 * each enum made. */
static const struct {
    enum steer what;
    const char *outcome, *request;
} MATRIX[] = {
    {STEER_STOP, "SSAANNNN", "stop"},
    {STEER_STOP_NOW, "SSAANNNN", "stop-now"},
    {STEER_PAUSE, "PNAANNNN", "pause"},
    {STEER_RESUME, "NQNWNQQN", ""},
    {STEER_RETRY, "NNNNNQQN", ""},
};

static void
steers_one(struct store *s, size_t row, enum made from, int fresh)
{
    static const char LETTERS[] = "NSAPQW";
    int64_t id = make(s, from);
    struct run_ids one = {&id, 1, 1};
    struct heard h = {0};
    struct err e = {0};
    struct run before = queue_run(s, id), r;
    int rc = store_steer(s, &one, MATRIX[row].what, fresh, hear, &h, &e);
    char want = MATRIX[row].outcome[from];
    const char *status = want == 'S'   ? "stopped"
                         : want == 'P' ? "paused"
                         : want == 'Q' ? "queued"
                                       : before.status;

    if (fresh && want == 'W')
        want = 'N';
    r = queue_run(s, id);
    ck_assert_str_eq(r.status, status);
    ck_assert_int_eq(rc, want == 'N' ? ERR_FAIL : 0);
    if (want == 'N') {
        ck_assert_int_eq(h.n, 0);
        ck_assert_ptr_nonnull(
            strstr(e.msg, from == TRASHED ? "in the trash" : STATUS[from]));
        ck_assert_str_eq(r.request, before.request);
        return;
    }
    ck_assert_int_eq(h.n, 1);
    ck_assert_int_eq(h.id, id);
    ck_assert_int_eq(LETTERS[h.what], want);
    ck_assert_str_eq(h.why, "");
    ck_assert_str_eq(r.request, want == 'A' ? MATRIX[row].request : "");
    ck_assert_int_eq(r.epochs_done,
                     fresh && want == 'Q' ? 0 : before.epochs_done);
    ck_assert_int_eq(r.finished_at[0] != '\0', want == 'S');
}

START_TEST(every_status_and_command)
{
    struct store *s = test_store();

    for (size_t row = 0; row < sizeof(MATRIX) / sizeof(MATRIX[0]); row++)
        for (enum made from = QUEUED; from <= TRASHED; from++) {
            steers_one(s, row, from, 0);
            if (MATRIX[row].what >= STEER_RESUME)
                steers_one(s, row, from, 1);
        }
    queue_is_sound(s);
    store_close(s);
}
END_TEST

START_TEST(says_what_else_there_is)
{
    struct store *s = test_store();
    int64_t done = make(s, FINISHED), paused = make(s, PAUSED);
    int64_t gone = make(s, TRASHED);

    FAILS(ERR_FAIL, "is finished; `extend` trains it for more epochs",
          queue_steer(s, done, STEER_RESUME, 0, e));
    FAILS(ERR_FAIL, "is paused; `resume`",
          queue_steer(s, paused, STEER_RETRY, 0, e));
    FAILS(ERR_FAIL, "in the trash; `restore`",
          queue_steer(s, gone, STEER_STOP, 0, e));
    FAILS(ERR_NOTFOUND, "no run 99", queue_steer(s, 99, STEER_STOP, 0, e));
    store_close(s);
}
END_TEST

/* Of several runs each gets what can be done; one that does not exist undoes
 * all. */
START_TEST(steers_several)
{
    struct store *s = test_store();
    int64_t all[3] = {make(s, QUEUED), make(s, FINISHED), make(s, RUNNING)};
    int64_t with[2] = {make(s, QUEUED), 99};
    struct heard h = {0};

    OK(store_steer(s, &(struct run_ids){all, 3, 3}, STEER_STOP, 0, hear, &h,
                   e));
    ck_assert_int_eq(h.n, 3);
    queue_status_is(s, all[0], "stopped");
    queue_status_is(s, all[1], "finished");
    ck_assert_str_eq(queue_run(s, all[2]).request, "stop");
    FAILS(ERR_NOTFOUND, "no run 99",
          store_steer(s, &(struct run_ids){with, 2, 2}, STEER_STOP, 0, hear, &h,
                      e));
    ck_assert_int_eq(h.n, 3);
    queue_status_is(s, with[0], "queued");
    store_close(s);
}
END_TEST

START_TEST(requests_are_read_and_withdrawn)
{
    struct store *s = test_store();
    static const struct {
        enum steer what;
        enum run_request request;
    } ALL[] = {{STEER_STOP, REQUEST_STOP},
               {STEER_STOP_NOW, REQUEST_STOP_NOW},
               {STEER_PAUSE, REQUEST_PAUSE},
               {STEER_RESUME, REQUEST_NONE}};
    int64_t id = test_run(s, NULL), w = queue_join(s);
    enum run_request request;

    queue_claim(s);
    OK(store_request(s, w, id, &request, e));
    ck_assert_int_eq(request, REQUEST_NONE);
    for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        OK(queue_steer(s, id, ALL[i].what, 0, e));
        OK(store_request(s, w, id, &request, e));
        ck_assert_int_eq(request, ALL[i].request);
    }
    /* What was asked of a run is not asked of it the next time. */
    OK(queue_steer(s, id, STEER_STOP, 0, e));
    test_end(s, id, "finished", 0);
    ck_assert_str_eq(queue_run(s, id).request, "");
    store_close(s);
}
END_TEST

START_TEST(fresh_forgets_all)
{
    struct store *s = test_store();
    int64_t id = make(s, STOPPED);
    struct run r;

    OK(queue_steer(s, id, STEER_RESUME, 1, e));
    r = queue_run(s, id);
    ck_assert_int_eq(r.epochs_done, 0);
    ck_assert_int_eq(r.result_epoch, 0);
    ck_assert_str_eq(r.kernel, "");
    ck_assert_str_eq(
        test_value(s, "SELECT (SELECT count(*) FROM epoch) + (SELECT count(*) "
                      "FROM checkpoint) + (SELECT count(*) FROM prediction) + "
                      "(SELECT count(*) FROM confusion) + (SELECT count(*) "
                      "FROM epoch_prediction)"),
        "0");
    ck_assert_str_eq(
        test_value(s, "SELECT count(*) FROM run WHERE test_acc IS NULL AND "
                      "peak_test_acc IS NULL AND seconds IS NULL"),
        "1");
    queue_is_sound(s);
    store_close(s);
}
END_TEST

/* A paused run keeps its place, one that had ended goes to the end. */
START_TEST(places_after_resume)
{
    struct store *s = test_store();
    int64_t paused = make(s, PAUSED), stopped = make(s, STOPPED);
    int64_t queued = make(s, QUEUED);

    OK(queue_steer(s, stopped, STEER_RESUME, 0, e));
    OK(queue_steer(s, paused, STEER_RESUME, 0, e));
    ck_assert_int_eq(queue_claim(s), paused);
    ck_assert_int_eq(queue_claim(s), queued);
    ck_assert_int_eq(queue_claim(s), stopped);
    store_close(s);
}
END_TEST

/* ---- the dead ------------------------------------------------------------ */

static int64_t
dies_with(struct store *s, enum steer what, int ask)
{
    int64_t id = test_run(s, NULL);
    struct worker w;

    queue_join(s);
    ck_assert_int_eq(queue_claim(s), id);
    if (ask)
        OK(queue_steer(s, id, what, 0, e));
    w = queue_worker(s, 0);
    ck_assert_int_eq(queue_bury(s, &w), 1);
    ck_assert_str_eq(test_value(s, "SELECT count(*) FROM worker"), "0");
    ck_assert_int_eq(queue_run(s, id).worker_id, 0);
    ck_assert_str_eq(queue_run(s, id).request, "");
    return id;
}

START_TEST(what_was_asked_of_the_dead_is_done)
{
    struct store *s = test_store();
    int64_t id = dies_with(s, STEER_STOP, 1);

    queue_status_is(s, id, "stopped");
    ck_assert(queue_run(s, id).finished_at[0]);
    id = dies_with(s, STEER_STOP_NOW, 1);
    queue_status_is(s, id, "stopped");
    id = dies_with(s, STEER_PAUSE, 1);
    queue_status_is(s, id, "paused");
    id = dies_with(s, 0, 0);
    queue_status_is(s, id, "queued");
    ck_assert_ptr_nonnull(strstr(
        test_value(s, "SELECT text FROM event ORDER BY id DESC"), "is gone; "));
    queue_is_sound(s);
    store_close(s);
}
END_TEST

START_TEST(who_leaves_leaves_order)
{
    struct store *s = test_store();
    int64_t id = test_run(s, NULL), w = queue_join(s);

    queue_claim(s);
    OK(store_worker_remove(s, w, "no room", e));
    queue_status_is(s, id, "queued");
    ck_assert_str_eq(test_value(s, "SELECT deaths FROM run"), "0");
    ck_assert_str_eq(test_value(s, "SELECT text FROM event"),
                     "its worker left: no room; back in the queue");
    w = queue_join(s);
    queue_claim(s);
    OK(queue_steer(s, id, STEER_PAUSE, 0, e));
    OK(store_worker_remove(s, w, "", e));
    queue_status_is(s, id, "paused");
    store_close(s);
}
END_TEST

static void
die(struct store *s, int64_t id, int epoch)
{
    struct worker w;

    queue_join(s);
    ck_assert_int_eq(queue_claim(s), id);
    if (epoch)
        test_epoch(s, id, epoch, 3);
    w = queue_worker(s, 0);
    ck_assert_int_eq(queue_bury(s, &w), 1);
}

/* What kills its worker again and again is put aside, unless it gets on. */
START_TEST(deaths_in_a_row)
{
    struct store *s = test_store();
    int64_t id = test_run(s, NULL);

    for (int i = 1; i < WORKER_DEATHS; i++)
        die(s, id, 0);
    /* The epoch of a checkpoint that is trained again is no new one. */
    die(s, id, 1);
    for (int i = 2; i < WORKER_DEATHS; i++)
        die(s, id, 1);
    queue_status_is(s, id, "queued");
    die(s, id, 0);
    queue_status_is(s, id, "failed");
    ck_assert_ptr_nonnull(
        strstr(queue_run(s, id).error, "died 10 times in a row"));
    OK(queue_steer(s, id, STEER_RETRY, 0, e));
    ck_assert_str_eq(queue_run(s, id).error, "");
    die(s, id, 0);
    queue_status_is(s, id, "queued");
    store_close(s);
}
END_TEST

/* Who looked at a row that has moved on since has seen a living worker. */
START_TEST(a_heartbeat_saves)
{
    struct store *s = test_store();
    int64_t id = test_run(s, NULL), w = queue_join(s);
    struct worker seen;

    queue_claim(s);
    seen = queue_worker(s, 0);
    test_sql("UPDATE worker SET heartbeat_clock = heartbeat_clock + 1");
    ck_assert_int_eq(queue_bury(s, &seen), 0);
    queue_status_is(s, id, "running");
    seen = queue_worker(s, 0);
    OK(store_worker_remove(s, w, "", e));
    ck_assert_int_eq(queue_bury(s, &seen), 0);
    store_close(s);
}
END_TEST

START_TEST(runs_without_a_worker)
{
    struct store *s = test_store(), *other = test_store();
    int64_t mine = test_run(s, NULL), lost = test_run(s, NULL);

    queue_join(s);
    ck_assert_int_eq(queue_claim(s), mine);
    ck_assert_int_eq(queue_claim(other), lost);
    ck_assert_int_eq(queue_bury(other, NULL), 1);
    queue_status_is(s, lost, "queued");
    queue_status_is(s, mine, "running");
    ck_assert_int_eq(queue_bury(other, NULL), 0);
    store_close(s);
    store_close(other);
}
END_TEST

int
main(void)
{
    const TTest *const steering[] = {every_status_and_command,
                                     says_what_else_there_is,
                                     steers_several,
                                     requests_are_read_and_withdrawn,
                                     fresh_forgets_all,
                                     places_after_resume,
                                     NULL};
    const TTest *const dead[] = {what_was_asked_of_the_dead_is_done,
                                 who_leaves_leaves_order,
                                 deaths_in_a_row,
                                 a_heartbeat_saves,
                                 runs_without_a_worker,
                                 NULL};
    Suite *s = suite_create("steer");

    test_case(s, "steering", steering);
    test_case(s, "the dead", dead);
    return run_suites(s, NULL);
}
