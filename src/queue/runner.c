/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/runner.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/split.h"
#include "fmnist/sys.h"

/* Seconds between `last` checkpoints: every epoch of a slow run has one, and a
 * fast one loses at most so much when its process is killed. */
#define CHECKPOINT_SECONDS 5.0

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
    const struct kern *kern;
    int threads;
    const struct runner_hooks *hooks;

    struct run run; /* its row as it was queued */
    struct split split;
    struct checkpoint last, best; /* to go on from; weights NULL: none */
    double checkpoint_at;         /* when the last one was written, monotonic */
    int begun;                    /* whether its row says `running` */
    int recorded; /* the newest epoch that the caller has been told */
};

static int
same_weights_here(const struct job *j, struct err *e)
{
    const struct run *r = &j->run;

    if (strcmp(r->kernel, j->kern->name) != 0) {
        return err_set(e, ERR_FAIL,
                       "run %lld was begun with the kernel \"%s\" and goes on "
                       "only with it; here it is \"%s\" (FMNIST_CPU chooses)",
                       (long long)j->id, r->kernel, j->kern->name);
    }
    if (r->numerics != NUMERICS) {
        return err_set(e, ERR_FAIL,
                       "run %lld was begun by a version of numerics %d and "
                       "goes on only with it; this one has %d",
                       (long long)j->id, r->numerics, NUMERICS);
    }
    return 0;
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

/* Reads the row and what is there to go on from. */
static int
prepare(struct job *j, struct err *e)
{
    int rc = store_run_get(j->store, j->id, &j->run, e);

    j->recorded = rc == 0 ? j->run.epochs_done : 0;
    if (rc == 0 && strcmp(j->run.status, "queued") != 0) {
        rc = err_set(e, ERR_FAIL, "run %lld is %s, not queued",
                     (long long)j->id, j->run.status);
    }
    if (rc == 0) {
        rc = load_checkpoint(j, "last", &j->last, e);
    }
    if (rc == 0 && j->last.weights) {
        rc = same_weights_here(j, e);
    }
    if (rc == 0 && j->last.weights && j->run.h.val_fraction > 0) {
        rc = load_checkpoint(j, "best", &j->best, e);
    }
    return rc;
}

static int
start(struct job *j, struct err *e)
{
    char version[64], host[80], text[160];
    const struct run_engine engine = {
        .kernel = j->kern->name,
        .version = version,
        .compiler = COMPILER,
        .host = host,
        .numerics = NUMERICS,
        .threads = j->threads,
    };
    int rc;

    snprintf(version, sizeof version, "%s%s%s%s", PACKAGE_VERSION,
             FMNIST_COMMIT[0] ? " (" : "", FMNIST_COMMIT,
             FMNIST_COMMIT[0] ? ")" : "");
    sys_host(host, sizeof host);
    rc = store_run_start(j->store, j->id, &engine, e);
    if (rc < 0) {
        return rc;
    }
    j->begun = 1;
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

/* ---- while it trains ---------------------------------------------------- */

static enum trainer_verdict
on_batch(const struct batch_report *r, void *arg)
{
    struct job *j = arg;
    enum trainer_verdict v = TRAINER_GO;

    if (j->hooks && j->hooks->batch) {
        v = j->hooks->batch(r, j->hooks->arg);
    }
    /* Epochs that are recorded already are trained again after a crash, to the
     * same figures; a stop among them would leave rows without weights. */
    return r->epoch <= j->run.epochs_done ? TRAINER_GO : v;
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

    (void)epoch;
    return sys_monotonic() - j->checkpoint_at >= CHECKPOINT_SECONDS;
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

/* ---- its end ------------------------------------------------------------ */

/* Writes down how a run failed.  The first fault is the one to pass up, so a
 * store that is at fault itself only gets the attempt. */
static void
end_failed(struct job *j, const struct predictions *p, const char *message)
{
    const struct predictions *kept = p->n > 0 ? p : NULL;

    if (store_event(j->store, j->id, "error", message, NULL) < 0 ||
        store_run_end(j->store, j->id, "failed", message, kept, NULL) < 0) {
        return;
    }
}

static int
end_well(struct job *j, const struct trainer_result *r, struct err *e)
{
    const char *status = r->end == TRAINER_FINISHED ? "finished" : "stopped";
    const struct predictions *p = &r->predictions;
    char text[80];
    int rc;

    snprintf(text, sizeof text, "%s after epoch %d", status, r->epochs_done);
    rc = store_event(j->store, j->id, "info", text, e);
    if (rc == 0) {
        rc = store_run_end(j->store, j->id, status, "", p->n > 0 ? p : NULL, e);
    }
    return rc;
}

int
runner_execute(struct store *s, int64_t id, const struct dataset *d,
               const struct kern *k, int threads,
               const struct runner_hooks *hooks, struct err *e)
{
    struct job j = {.store = s,
                    .id = id,
                    .data = d,
                    .kern = k,
                    .threads = threads,
                    .hooks = hooks};
    struct trainer_result result = {.end = TRAINER_FAILED};
    struct err own = {0};
    int rc = prepare(&j, &own);

    if (rc == 0) {
        rc = start(&j, &own);
    }
    if (rc == 0) {
        rc = work(&j, &result, &own);
    }
    if (rc == 0) {
        rc = end_well(&j, &result, &own);
    }
    if (rc < 0 && j.begun) {
        end_failed(&j, &result.predictions, own.msg);
    }
    if (rc < 0 && e) {
        *e = own;
    }
    trainer_result_release(&result);
    split_release(&j.split);
    checkpoint_release(&j.last);
    checkpoint_release(&j.best);
    return rc;
}
