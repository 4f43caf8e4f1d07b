/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/runner.h"
#include "fmnist/split.h"
#include "queue/recorded.h"

const char *const VERIFY_NAMES[N_VERIFY_OUTCOMES] = {
    [VERIFY_IDENTICAL] = "identical",
    [VERIFY_AGREES] = "agrees within bounds",
    [VERIFY_DIFFERS] = "differs",
    [VERIFY_CANNOT] = "cannot",
};

/* A run that is trained again. */
struct again {
    struct recorded then;
    struct dataset *data;
    struct split split;
    const struct kern *kern;
    int threads;
    int exact; /* the recorded kernel and numerics are had */
    int last;  /* no epoch after it is needed */
    const struct verify_hooks *hooks;
    struct verify_report *out;

    int given_up; /* by the hook */
    int differs;  /* which ended the training */
};

/* ---- while it trains ----------------------------------------------------- */

/* The run's own report, cut to what is trained again of it. */
static struct batch_report
shorten(const struct batch_report *r, int last)
{
    struct batch_report cut = *r;
    double begun = (double)r->batch / r->batches;
    double all = r->epochs - r->epoch + 1 - begun;

    if (last < r->epochs && all > 0) {
        cut.epochs = last;
        cut.eta_seconds *= (last - r->epoch + 1 - begun) / all;
    }
    return cut;
}

static enum trainer_verdict
on_batch(const struct batch_report *r, void *arg)
{
    struct again *a = arg;
    const struct batch_report cut = shorten(r, a->last);

    if (r->epoch > a->last) {
        return TRAINER_STOP_NOW;
    }
    if (a->hooks->batch && a->hooks->batch(&cut, a->hooks->arg)) {
        a->given_up = 1;
        return TRAINER_STOP_NOW;
    }
    /* An epoch that diverged is in no row, but must be tried again. */
    return r->epoch == a->last && !a->then.diverged[0]
               ? TRAINER_STOP_AFTER_EPOCH
               : TRAINER_GO;
}

/* Whether the first epoch's loss is near the recorded one. */
static int
is_near(struct again *a, const struct epoch_metrics *now)
{
    double then = a->then.run.epochs_done > 0 ? a->then.epochs[0].train_loss
                                              : now->train_loss;

    if (now->epoch > 1 ||
        fabs(now->train_loss - then) <= VERIFY_LOSS * fabs(then)) {
        return 1;
    }
    return verify_differs(
        a->out, 1,
        "epoch 1, train_loss: %.4f recorded, %.4f now with kernel "
        "%s, more than %.0f %% apart",
        then, now->train_loss, a->kern->name, VERIFY_LOSS * 100);
}

static int
on_epoch(const struct epoch_report *r, void *arg, struct err *e)
{
    struct again *a = arg;
    int rc;

    /* The one before a stop or a divergence comes twice. */
    if (r->metrics->epoch <= a->out->epochs) {
        return 0;
    }
    if (a->exact && r->metrics->epoch > a->then.run.epochs_done) {
        rc = verify_differs(a->out, r->metrics->epoch, "%s recorded, not now",
                            a->then.diverged);
    } else if (a->exact) {
        rc = recorded_epoch_is(&a->then, r, a->split.images[PART_TEST], a->out,
                               e);
    } else {
        rc = is_near(a, r->metrics);
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        a->differs = 1;
        return err_set(e, ERR_FAIL, "%s", a->out->text);
    }
    a->out->epochs = r->metrics->epoch;
    if (a->hooks->epoch) {
        a->hooks->epoch(r->metrics, a->hooks->arg);
    }
    return 0;
}

static int
on_due(int epoch, void *arg)
{
    const struct again *a = arg;

    return a->exact && recorded_has_weights(&a->then, epoch);
}

/* ---- its end ------------------------------------------------------------- */

static void
say_identical(struct verify_report *out, const char *diverged)
{
    char epochs[40] = "", weights[40] = "no weights are stored";

    if (out->epochs > 0) {
        snprintf(epochs, sizeof epochs, "%d epoch%s, ", out->epochs,
                 out->epochs == 1 ? "" : "s");
    } else {
        weights[0] = '\0';
    }
    if (out->tensors > 0) {
        snprintf(weights, sizeof weights, "%d tensors", out->tensors);
    }
    out->outcome = VERIFY_IDENTICAL;
    snprintf(out->text, sizeof out->text, "%s%s%s%s", epochs, weights,
             out->epochs > 0 && diverged[0] ? ", " : "", diverged);
}

/* All recorded epochs are the same; so must be what came after them. */
static int
same_end(struct again *a, const struct trainer_result *now, int diverged,
         const char *words, struct err *e)
{
    const struct run *run = &a->then.run;
    int finished = !strcmp(run->status, "finished");

    if (diverged && !a->then.diverged[0]) {
        return verify_differs(a->out, now->epochs_done + 1,
                              "%s now, not recorded", words);
    }
    if (a->then.diverged[0] && (!diverged || strcmp(words, a->then.diverged))) {
        return verify_differs(a->out, now->epochs_done + 1,
                              "%s recorded, %s now", a->then.diverged,
                              diverged ? words : "not");
    }
    if (a->out->epochs < run->epochs_done) {
        return verify_differs(a->out, a->out->epochs + 1,
                              "%d epochs recorded; it ends after %d now",
                              run->epochs_done, a->out->epochs);
    }
    if (finished && now->end != TRAINER_FINISHED) {
        return verify_differs(a->out, run->epochs_done + 1,
                              "finished after epoch %d recorded, not now",
                              run->epochs_done);
    }
    return finished ? recorded_result_is(&a->then, &now->predictions, a->out, e)
                    : 1;
}

double
verify_bound(uint32_t a, uint32_t b, uint32_t n, double wobble)
{
    double p = (a + 1.0) / (n + 2.0), q = (b + 1.0) / (n + 2.0);

    return 3 * sqrt((p * (1 - p) + q * (1 - q)) / n + wobble * wobble);
}

/* Under another kernel or numerics: how and how far it may be apart. */
static void
say_agrees(struct again *a, const char *what)
{
    const struct run *run = &a->then.run;
    char numerics[60] = "";

    if (run->numerics != NUMERICS) {
        snprintf(numerics, sizeof numerics, ", numerics %d instead of %d",
                 NUMERICS, run->numerics);
    }
    a->out->outcome = VERIFY_AGREES;
    snprintf(a->out->text, sizeof a->out->text,
             "%d epoch%s, kernel %s instead of %s%s: %s", a->out->epochs,
             a->out->epochs == 1 ? "" : "s", a->kern->name, run->kernel,
             numerics, what);
}

static void
near_end(struct again *a, const struct trainer_result *now, int diverged)
{
    const struct run *run = &a->then.run;
    const struct predictions *p = &now->predictions;
    uint32_t right = 0, before;
    double then, bound;
    char what[160];

    if (a->then.diverged[0] || diverged) {
        if (a->then.diverged[0] && diverged) {
            say_agrees(a, "it diverges again");
        } else {
            verify_differs(a->out, now->epochs_done + 1, "diverged %s",
                           diverged ? "now, not recorded"
                                    : "recorded, not now");
        }
        return;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        right += p->truth[i] == p->predicted[i];
    }
    then = a->then.epochs[run->result_epoch - 1].test_acc;
    before = (uint32_t)lround(then * p->n);
    bound = verify_bound(before, right, p->n, recorded_wobble(&a->then));
    snprintf(what, sizeof what,
             "test accuracy %.2f %% recorded, %.2f %% now, bound %.2f",
             then * 100, 100.0 * right / p->n, bound * 100);
    if (fabs((double)right / p->n - then) <= bound) {
        say_agrees(a, what);
    } else {
        verify_differs(a->out, run->result_epoch,
                       "%s (kernel %s instead of %s)", what, a->kern->name,
                       run->kernel);
    }
}

/* ---- from its beginning -------------------------------------------------- */

/* The recorded kernel, else the best one here. */
static int
choose_kernel(struct again *a, struct err *e)
{
    const struct run *run = &a->then.run;

    a->exact = run->numerics == NUMERICS && run->kernel[0] &&
               kern_choose(run->kernel, &a->kern, NULL) == 0;
    return a->exact ? 0 : kern_choose(NULL, &a->kern, e);
}

static int
prepare(struct again *a, struct store *s, int64_t id, struct err *e)
{
    const struct run *run = &a->then.run;
    int rc = recorded_load(&a->then, s, id, e);

    if (rc == 0) {
        rc = choose_kernel(a, e);
    }
    if (rc == 0) {
        rc = runner_dataset(s, run->dataset_id, &a->data, e);
    }
    if (rc == 0) {
        rc =
            split_make(a->data, (uint64_t)run->h.split_seed,
                       run->h.test_fraction, run->h.val_fraction, &a->split, e);
    }
    if (rc == 0) {
        a->last = run->epochs_done + (a->then.diverged[0] != '\0');
    }
    /* Rounding may move where it diverges, or which epoch is the best. */
    if (rc == 0 && !a->exact &&
        (a->then.diverged[0] || !strcmp(run->status, "finished"))) {
        a->last = (int)run->h.epochs;
    }
    return rc;
}

static int
train(struct again *a, struct err *e)
{
    const struct trainer_hooks hooks = {on_batch, on_epoch, on_due, a};
    const struct trainer_options opt = {.kern = a->kern, .threads = a->threads};
    struct trainer_result now;
    struct err own = {0};
    int rc;

    a->out->kernel = a->kern->name;
    rc = trainer_run(&a->then.run.h, a->data, &a->split, &opt, &hooks, &now,
                     &own);
    if (a->given_up) {
        rc = err_set(e, ERR_CANCEL, "given up");
    } else if (a->differs) {
        rc = 0;
    } else if (rc < 0 && rc != ERR_DIVERGED) {
        rc = err_set(e, rc, "%s", own.msg);
    } else if (!a->exact) {
        near_end(a, &now, rc == ERR_DIVERGED);
        rc = 0;
    } else {
        rc = same_end(a, &now, rc == ERR_DIVERGED, own.msg, e);
        if (rc == 1) {
            say_identical(a->out, a->then.diverged);
            rc = 0;
        }
    }
    trainer_result_release(&now);
    return rc;
}

int
verify_run(struct store *s, int64_t id, int threads,
           const struct verify_hooks *hooks, struct verify_report *out,
           struct err *e)
{
    struct again a = {.threads = threads, .hooks = hooks, .out = out};
    struct err own = {0};
    int rc;

    memset(out, 0, sizeof *out);
    rc = prepare(&a, s, id, &own);
    if (rc == 0) {
        rc = train(&a, &own);
    }
    if (rc < 0 && rc != ERR_CANCEL && rc != ERR_NOMEM) {
        out->outcome = VERIFY_CANNOT;
        snprintf(out->text, sizeof out->text, "%s", own.msg);
        rc = 0;
    }
    if (rc < 0 && e) {
        *e = own;
    }
    recorded_release(&a.then);
    split_release(&a.split);
    dataset_free(a.data);
    return rc;
}
