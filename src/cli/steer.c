/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/steer.h"

#include <inttypes.h>
#include <string.h>

#include "cli/runs.h"
#include "fmnist/mem.h"

/* So many runs are told one by one. */
enum { TOLD_SINGLY = 10, N_STEERED = STEERED_WITHDRAWN + 1 };

struct told {
    struct cli *c;
    enum steer what;
    int singly;
    int count[N_STEERED];
    struct worker *workers;
    size_t n_workers;
};

/* The epoch that a run is at; 0 where its worker has not told. */
static int
epoch_of(const struct told *t, int64_t run)
{
    for (size_t i = 0; i < t->n_workers; i++) {
        if (t->workers[i].run_id == run) {
            return t->workers[i].at.epoch;
        }
    }
    return 0;
}

static void
tell_asked(const struct told *t, int64_t id)
{
    int epoch = epoch_of(t, id);
    if (t->what == STEER_PAUSE) {
        cli_message(t->c, "run %" PRId64 ": pauses after its batch", id);
    } else if (t->what == STEER_STOP_NOW) {
        cli_message(t->c, "run %" PRId64 ": stops after its batch", id);
    } else if (epoch > 0) {
        cli_message(t->c, "run %" PRId64 ": stops after epoch %d", id, epoch);
    } else {
        cli_message(t->c, "run %" PRId64 ": stops after its epoch", id);
    }
}

static void
tell(int64_t id, enum steered what, const char *why, void *arg)
{
    struct told *t = arg;
    t->count[what]++;
    if (!t->singly) {
        return;
    }
    switch (what) {
    case STEERED_NOT:
        cli_message(t->c, "%s", why);
        break;
    case STEERED_STOPPED:
        cli_message(t->c, "run %" PRId64 ": stopped", id);
        break;
    case STEERED_ASKED:
        tell_asked(t, id);
        break;
    case STEERED_PAUSED:
        cli_message(t->c, "run %" PRId64 ": paused", id);
        break;
    case STEERED_QUEUED:
        cli_message(t->c, "run %" PRId64 ": back in the queue", id);
        break;
    case STEERED_WITHDRAWN:
        cli_message(t->c, "run %" PRId64 ": trains on", id);
        break;
    }
}

static void
tell_counts(const struct told *t)
{
    static const char *const WORDS[N_STEERED] = {
        [STEERED_NOT] = "left as they are",
        [STEERED_STOPPED] = "stopped",
        [STEERED_ASKED] = "asked to",
        [STEERED_PAUSED] = "paused",
        [STEERED_QUEUED] = "back in the queue",
        [STEERED_WITHDRAWN] = "train on"};
    struct str line;
    str_init(&line);
    for (int i = N_STEERED - 1; i >= 0; i--) {
        if (t->count[i] > 0) {
            str_addf(&line, "%s%d %s", line.len ? ", " : "", t->count[i],
                     WORDS[i]);
        }
    }
    cli_message(t->c, "%s", line.len ? line.s : "no runs");
    str_release(&line);
}

int
steer_runs(struct cli *c, enum steer what, int *queued, struct err *e)
{
    struct told t = {.c = c, .what = what};
    struct run_ids ids = {0};
    int fresh = cli_given(c, "fresh");
    int rc = cli_store_existing(c, e);
    *queued = 0;
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0) {
        rc = store_workers(c->store, &t.workers, &t.n_workers, e);
    }
    t.singly = ids.n > 0 && ids.n <= TOLD_SINGLY;
    if (rc == 0) {
        rc = store_steer(c->store, &ids, what, fresh, tell, &t, e);
    }
    if (rc == 0 && !t.singly) {
        tell_counts(&t);
    }
    *queued = t.count[STEERED_QUEUED];
    mem_free(t.workers);
    mem_free(ids.ids);
    return rc;
}

int
steer_queue(struct cli *c, int pause, struct err *e)
{
    if (c->argc > 0 || cli_given(c, "filter")) {
        return err_set(e, ERR_USAGE, "--queue goes without RUN and --filter");
    }
    int rc = cli_store_existing(c, e);
    if (rc == 0) {
        rc = store_queue_pause(c->store, pause, e);
    }
    if (rc == 0) {
        cli_message(c, pause ? "the queue is paused: nothing new is begun; "
                               "what runs goes on"
                             : "the queue goes on");
    }
    return rc;
}
