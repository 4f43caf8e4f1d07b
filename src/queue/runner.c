/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/split.h"
#include "fmnist/sys.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* A run at work. */
struct job {
    struct store *store;
    int64_t id;
    const struct dataset *data;
    int threads;
    const struct runner_hooks *hooks;

    struct run run; /* its row as it was claimed */
    const struct kern *kern;
    struct split split;
    struct checkpoint last, best; /* to go on from; weights NULL: none */
    double checkpoint_at;         /* when the last one was written, monotonic */
    int recorded;                 /* the newest epoch that the caller knows */
    enum runner_order order;      /* the last one */
};

/* The variants that pass their self-test, from $FMNIST_CPU down. */
static void
list_kernels(struct runner_engine *g)
{
    const char *only = getenv("FMNIST_CPU");
    const struct kern *const *v = kern_available();
    const struct kern *kern;
    size_t n = 0;

    for (; *v && n + 1 < sizeof g->kernels / sizeof *g->kernels; v++) {
        const char *name = (*v)->name;

        if (only && *only && n == 0 && strcmp(only, name) != 0) {
            continue;
        }
        if (kern_choose(name, &kern, NULL) == 0) {
            g->kernels[n++] = name;
        }
    }
    g->kernels[n] = NULL;
}

int
runner_engine_init(struct runner_engine *g, int threads, struct err *e)
{
    const struct kern *kern;
    int rc = kern_choose(NULL, &kern, e);

    memset(g, 0, sizeof *g);
    if (rc < 0) {
        return rc;
    }
    snprintf(g->version, sizeof g->version, "%s%s%s%s", PACKAGE_VERSION,
             FMNIST_COMMIT[0] ? " (" : "", FMNIST_COMMIT,
             FMNIST_COMMIT[0] ? ")" : "");
    sys_host(g->host, sizeof g->host);
    list_kernels(g);
    g->run = (struct run_engine){
        .kernel = kern->name,
        .version = g->version,
        .compiler = COMPILER,
        .host = g->host,
        .numerics = NUMERICS,
        .threads = threads,
    };
    return 0;
}

void
runner_start_threads(int n)
{
    int started = 0;
#pragma omp parallel num_threads(n) reduction(+ : started)
    started += 1;
    (void)started;
}

/* Loads one kind of checkpoint; none is fine. */
static int
load_checkpoint(struct job *j, const char *kind, struct checkpoint *out,
                struct err *e)
{
    struct err own = {0};
    int rc = store_checkpoint(j->store, j->id, kind, out, &own);

    if (rc == ERR_NOTFOUND) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    return rc < 0 ? err_set(e, rc, "%s", own.msg) : 0;
}

static void
drop_checkpoints(struct job *j)
{
    checkpoint_release(&j->last);
    checkpoint_release(&j->best);
}

/* What there is to go on from.  The same values train to the same weights, so
 * that a damaged checkpoint costs time and nothing else. */
static int
load_checkpoints(struct job *j, struct err *e)
{
    struct err own = {0};
    char text[400];
    int rc = load_checkpoint(j, "last", &j->last, &own);

    if (rc == 0 && j->last.weights && j->run.h.val_fraction > 0) {
        rc = load_checkpoint(j, "best", &j->best, &own);
    }
    if (rc == ERR_FAIL) {
        drop_checkpoints(j);
        snprintf(text, sizeof text, "%.300s; trained again from epoch 1",
                 own.msg);
        return store_event(j->store, j->id, "warning", text, e);
    }
    return rc < 0 ? err_set(e, rc, "%s", own.msg) : 0;
}

/* Reads the row and what is there to go on from. */
static int
prepare(struct job *j, struct err *e)
{
    char text[160];
    int rc = kern_choose(j->run.kernel, &j->kern, e);

    j->recorded = j->run.epochs_done;
    if (rc == 0) {
        rc = load_checkpoints(j, e);
    }
    if (rc < 0) {
        return rc;
    }
    snprintf(text, sizeof text, "started at epoch %d: kernel %s, threads %d",
             j->last.weights ? j->last.epoch + 1 : 1, j->kern->name,
             j->threads);
    return store_event(j->store, j->id, "info", text, e);
}

/* The images must be those that the run was queued with. */
static int
check_identity(struct job *j, struct err *e)
{
    struct dataset_row row;
    int rc = store_dataset_get(j->store, j->run.dataset_id, &row, e);

    if (rc == 0 && strcmp(row.sha256, j->data->sha256) != 0) {
        rc = err_set(e, ERR_FAIL,
                     "run %lld needs data set \"%s\" (%.12s…), but %s holds "
                     "%.12s…",
                     (long long)j->id, row.name, row.sha256, j->data->source,
                     j->data->sha256);
    }
    return rc;
}

/* ---- while it trains ----------------------------------------------------- */

static enum trainer_verdict
on_batch(const struct batch_report *r, void *arg)
{
    struct job *j = arg;
    enum runner_order order = RUNNER_GO;

    if (j->hooks && j->hooks->batch) {
        order = j->hooks->batch(r, j->hooks->arg);
    }
    j->order = order;
    if (order >= RUNNER_PAUSE) {
        return TRAINER_STOP_NOW;
    }
    if (order == RUNNER_GO || r->epoch < j->run.epochs_done) {
        return TRAINER_GO;
    }
    return order == RUNNER_STOP && r->epoch > j->run.epochs_done
               ? TRAINER_STOP_NOW
               : TRAINER_STOP_AFTER_EPOCH;
}

static int
on_epoch(const struct epoch_report *r, void *arg, struct err *e)
{
    struct job *j = arg;
    int rc = store_run_epoch(j->store, j->id, r, e);

    if (rc < 0) {
        return rc;
    }
    if (r->last) {
        j->checkpoint_at = sys_monotonic();
    }
    if (r->metrics->epoch > j->recorded) {
        j->recorded = r->metrics->epoch;
        if (j->hooks && j->hooks->epoch) {
            j->hooks->epoch(r, j->hooks->arg);
        }
    }
    return 0;
}

static int
on_due(int epoch, void *arg)
{
    const struct job *j = arg;
    double every = j->hooks ? j->hooks->checkpoint_every : 0;

    (void)epoch;
    return sys_monotonic() - j->checkpoint_at >=
           (every > 0 ? every : RUNNER_CHECKPOINT_SECONDS);
}

/* From the started row to the end of training. */
static int
work(struct job *j, struct trainer_result *out, struct err *e)
{
    const struct hyper *h = &j->run.h;
    const struct trainer_hooks hooks = {on_batch, on_epoch, on_due, j};
    struct trainer_options opt = {.kern = j->kern, .threads = j->threads};
    int rc = check_identity(j, e);

    if (j->last.weights) {
        opt.resume = &j->last;
    }
    if (j->best.weights) {
        opt.resume_best = &j->best;
    }
    if (rc == 0) {
        rc = split_make(j->data, (uint64_t)h->split_seed, h->test_fraction,
                        h->val_fraction, &j->split, e);
    }
    if (rc == 0) {
        rc = trainer_check(h, &j->split, e);
    }
    if (rc == 0) {
        rc = store_dataset_images(j->store, j->run.dataset_id, j->data,
                                  j->split.images[PART_TEST],
                                  j->split.n[PART_TEST], e);
    }
    if (rc == 0) {
        j->checkpoint_at = sys_monotonic();
        rc = trainer_run(h, j->data, &j->split, &opt, &hooks, out, e);
    }
    return rc;
}

/* ---- its end ------------------------------------------------------------- */

/* Writes down how a run failed.  The first fault is the one to pass up, so a
 * store that is at fault itself only gets the attempt. */
static void
end_failed(struct job *j, const struct predictions *p, const char *message)
{
    const struct predictions *kept = p->n > 0 ? p : NULL;
    int rc = store_begin(j->store, NULL);

    if (rc < 0) {
        return;
    }
    rc = store_event(j->store, j->id, "error", message, NULL);
    if (rc == 0) {
        rc = store_run_end(j->store, j->id, "failed", message, kept, NULL);
    }
    (void)!store_end(j->store, rc, NULL);
}

/* The status that a run which did not fail ends with. */
static const char *
end_status(const struct job *j, const struct trainer_result *r, int holds)
{
    if (r->end == TRAINER_FINISHED) {
        return "finished";
    }
    if (j->order == RUNNER_LEAVE || !holds) {
        return "queued";
    }
    return j->order == RUNNER_PAUSE ? "paused" : "stopped";
}

static int
write_end(struct job *j, const struct trainer_result *r, const char *status,
          struct err *e)
{
    const struct predictions *p = &r->predictions;
    int goes_on = !strcmp(status, "paused") || !strcmp(status, "queued");
    char text[80];
    int rc;

    snprintf(text, sizeof text, "%s after epoch %d",
             strcmp(status, "queued") ? status : "back in the queue",
             r->epochs_done);
    rc = store_event(j->store, j->id, "info", text, e);
    return rc < 0 ? rc
                  : store_run_end(j->store, j->id, status, "",
                                  p->n > 0 && !goes_on ? p : NULL, e);
}

static int
end_well(struct job *j, const struct trainer_result *r, struct err *e)
{
    const struct runner_hooks *k = j->hooks;
    int holds = 1;
    int rc = store_begin(j->store, e);

    if (rc < 0) {
        return rc;
    }
    if (r->end == TRAINER_STOPPED && k && k->holds) {
        holds = k->holds(k->arg, e);
    }
    rc = holds < 0 ? holds : write_end(j, r, end_status(j, r, holds), e);
    return store_end(j->store, rc, e);
}

int
runner_execute(struct store *s, int64_t id, const struct dataset *d,
               int threads, const struct runner_hooks *hooks, struct err *e)
{
    struct job j = {
        .store = s, .id = id, .data = d, .threads = threads, .hooks = hooks};
    struct trainer_result result = {.end = TRAINER_FAILED};
    struct err own = {0};
    int rc = store_run_get(s, id, &j.run, &own);

    if (rc == 0) {
        rc = prepare(&j, &own);
    }
    if (rc == 0) {
        rc = work(&j, &result, &own);
    }
    if (rc == 0) {
        rc = end_well(&j, &result, &own);
    }
    /* A full disk is not the run's fault: others would fail just so. */
    if (rc < 0 && rc != ERR_LOST && rc != ERR_IO) {
        end_failed(&j, &result.predictions, own.msg);
    }
    if (rc < 0 && e) {
        *e = own;
    }
    trainer_result_release(&result);
    split_release(&j.split);
    drop_checkpoints(&j);
    return rc;
}
