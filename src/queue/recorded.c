/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue/recorded.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* The figures of an epoch that must come out again: columns of `epoch`. */
static const struct figure {
    const char *name;
    size_t offset;
} FIGURES[] = {
    {"lr", offsetof(struct epoch_metrics, lr)},
    {"train_loss", offsetof(struct epoch_metrics, train_loss)},
    {"train_acc", offsetof(struct epoch_metrics, train_acc)},
    {"val_loss", offsetof(struct epoch_metrics, val_loss)},
    {"val_acc", offsetof(struct epoch_metrics, val_acc)},
    {"test_loss", offsetof(struct epoch_metrics, test_loss)},
    {"test_acc", offsetof(struct epoch_metrics, test_acc)},
};
enum { N_FIGURES = sizeof FIGURES / sizeof *FIGURES };

static double
figure_of(const struct epoch_metrics *m, const struct figure *f)
{
    double v;

    memcpy(&v, (const char *)m + f->offset, sizeof v);
    return v;
}

/* ---- reading ------------------------------------------------------------- */

/* One kind of checkpoint; none is fine. */
static int
load_checkpoint(struct recorded *r, int64_t id, const char *kind,
                struct checkpoint *out, struct err *e)
{
    struct err own = {0};
    int rc = store_checkpoint(r->store, id, kind, out, &own);

    if (rc == ERR_NOTFOUND) {
        return 0;
    }
    return rc < 0 ? err_set(e, rc, "%s", own.msg) : 0;
}

/* A cell of a row of `epoch`; what is not a number leaves NaN. */
static void
take_cell(struct epoch_metrics *m, const char *name, const struct cell *c)
{
    double v = c->type == CELL_REAL  ? c->r
               : c->type == CELL_INT ? (double)c->i
                                     : (double)NAN;

    if (!strcmp(name, "epoch") && c->type == CELL_INT) {
        m->epoch = c->i > 0 && c->i <= 1000000 ? (int)c->i : 0;
    }
    for (int k = 0; k < N_FIGURES; k++) {
        if (!strcmp(name, FIGURES[k].name)) {
            memcpy((char *)m + FIGURES[k].offset, &v, sizeof v);
        }
    }
}

static int
take_epoch(const struct row *row, void *arg, struct err *e)
{
    struct recorded *r = arg;
    struct epoch_metrics m = {0};

    (void)e;
    for (int i = 0; row->cells && i < row->n; i++) {
        take_cell(&m, row->names[i], &row->cells[i]);
    }
    /* A run that is being trained may have got further than its row said. */
    if (m.epoch >= 1 && m.epoch <= r->run.epochs_done) {
        r->epochs[m.epoch - 1] = m;
    }
    return 0;
}

static int
load_epochs(struct recorded *r, struct err *e)
{
    int n = r->run.epochs_done;
    int rc;

    r->epochs = mem_zalloc((size_t)n, sizeof *r->epochs);
    if (!r->epochs) {
        return err_nomem(e, "the epochs", (size_t)n * sizeof *r->epochs);
    }
    rc = store_run_rows(r->store, r->run.id, RUN_EPOCHS, take_epoch, r, e);
    for (int i = 0; rc == 0 && i < n; i++) {
        if (r->epochs[i].epoch == 0) {
            rc = err_set(e, ERR_FAIL, "epoch %d is missing in the database",
                         i + 1);
        }
    }
    return rc;
}

/* Checkpoints that are newer than the row, of a run that is being trained (or
 * begins again), are not for these epochs. */
static void
drop_newer(struct checkpoint *c, int epoch)
{
    if (c->epoch > epoch) {
        checkpoint_release(c);
    }
}

/* The trainer's words in the run's error. */
static void
find_divergence(struct recorded *r)
{
    const char *p = strstr(r->run.error, "diverged in epoch ");
    int epoch, batch;

    if (!strcmp(r->run.status, "failed") && p &&
        sscanf(p, "diverged in epoch %d, batch %d", &epoch, &batch) == 2) {
        snprintf(r->diverged, sizeof r->diverged,
                 "diverged in epoch %d, batch %d", epoch, batch);
    }
}

int
recorded_load(struct recorded *r, struct store *s, int64_t id, struct err *e)
{
    int rc;

    memset(r, 0, sizeof *r);
    r->store = s;
    /* Before the row, so that the row is not behind them. */
    rc = load_checkpoint(r, id, "last", &r->last, e);
    if (rc == 0) {
        rc = load_checkpoint(r, id, "best", &r->best, e);
    }
    if (rc == 0) {
        rc = store_run_get(s, id, &r->run, e);
    }
    if (rc < 0) {
        return rc;
    }
    find_divergence(r);
    if (r->run.epochs_done < 0 ||
        (r->run.epochs_done > 0 &&
         (r->run.result_epoch < 1 ||
          r->run.result_epoch > r->run.epochs_done))) {
        return err_set(e, ERR_FAIL, "its row has no sense; see 'db check'");
    }
    if (r->run.epochs_done == 0 && !r->diverged[0]) {
        return err_set(e, ERR_NOTFOUND, "it is %s and has no epoch yet",
                       r->run.status);
    }
    drop_newer(&r->last, r->run.epochs_done);
    drop_newer(&r->best, r->run.epochs_done);
    return load_epochs(r, e);
}

void
recorded_release(struct recorded *r)
{
    mem_free(r->epochs);
    checkpoint_release(&r->last);
    checkpoint_release(&r->best);
    memset(r, 0, sizeof *r);
}

static int
stands_at(const struct checkpoint *c, int epoch)
{
    return c->weights && c->epoch == epoch;
}

int
recorded_has_weights(const struct recorded *r, int epoch)
{
    return stands_at(&r->last, epoch) || stands_at(&r->best, epoch);
}

double
recorded_wobble(const struct recorded *r)
{
    int n = r->run.epochs_done, first = n / 2 > 1 ? n / 2 : 1;
    double sum = 0;

    for (int i = first; i < n; i++) {
        double step = r->epochs[i].test_acc - r->epochs[i - 1].test_acc;

        sum += step * step;
    }
    return n > first ? sqrt(sum / (n - first)) : 0;
}

/* ---- comparing ----------------------------------------------------------- */

int
verify_differs(struct verify_report *out, int epoch, const char *fmt, ...)
{
    va_list ap;

    out->outcome = VERIFY_DIFFERS;
    out->differs_at = epoch;
    va_start(ap, fmt);
    vsnprintf(out->text, sizeof out->text, fmt, ap);
    va_end(ap);
    return 0;
}

/* All digits that a value has. */
static const char *
digits(char text[40], double v)
{
    struct str b;

    str_init(&b);
    str_add_json_num(&b, v);
    snprintf(text, 40, "%s", isfinite(v) ? b.s : "none");
    str_release(&b);
    return text;
}

static int
same_figures(const struct recorded *r, const struct epoch_metrics *now,
             struct verify_report *out)
{
    const struct epoch_metrics *then = &r->epochs[now->epoch - 1];

    for (int k = 0; k < N_FIGURES; k++) {
        double a = figure_of(then, &FIGURES[k]);
        double b = figure_of(now, &FIGURES[k]);
        char ta[40], tb[40];

        /* The database has no difference between what is not finite. */
        if (a != b && (isfinite(a) || isfinite(b))) {
            return verify_differs(
                out, now->epoch, "epoch %d, %s: %s recorded, %s now",
                now->epoch, FIGURES[k].name, digits(ta, a), digits(tb, b));
        }
    }
    return 1;
}

static int
same_confusion(const struct recorded *r, const struct epoch_report *now,
               struct verify_report *out, struct err *e)
{
    int epoch = now->metrics->epoch;
    struct confusion then;
    int rc = store_confusion(r->store, r->run.id, epoch, &then, e);

    if (rc < 0) {
        return rc;
    }
    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            if (then.count[t][p] != now->confusion->count[t][p]) {
                return verify_differs(
                    out, epoch,
                    "epoch %d, confusion matrix, %d taken for %d: "
                    "%u recorded, %u now",
                    epoch, t, p, then.count[t][p], now->confusion->count[t][p]);
            }
        }
    }
    return 1;
}

static int
same_predicted(const struct recorded *r, const struct epoch_report *now,
               const uint32_t *images, struct verify_report *out, struct err *e)
{
    int epoch = now->metrics->epoch;
    uint8_t *then;
    uint32_t n;
    int rc = store_predicted(r->store, r->run.id, epoch, &then, &n, e);
    int same = 1;

    if (rc < 0 || !then) {
        return rc < 0 ? rc : 1;
    }
    if (n != now->n_test) {
        same = verify_differs(
            out, epoch,
            "epoch %d, predicted classes: of %u images recorded, "
            "of %u now",
            epoch, n, now->n_test);
    }
    for (uint32_t i = 0; same && i < n; i++) {
        if (then[i] != now->predicted[i]) {
            same = verify_differs(
                out, epoch, "epoch %d, class of image %u: %d recorded, %d now",
                epoch, images[i], then[i], now->predicted[i]);
        }
    }
    mem_free(then);
    return same;
}

/* `now` is the whole checkpoint of that epoch. */
static int
same_tensors(const struct recorded *r, const char *kind,
             const struct checkpoint *then, const struct checkpoint *now,
             struct verify_report *out)
{
    struct tensor_difference d;
    struct err own = {0};
    char a[40], b[40];

    if (checkpoint_compare(then, now, &r->run.h, &d, &own) < 0) {
        return verify_differs(out, now->epoch,
                              "epoch %d, checkpoint \"%s\": %s", now->epoch,
                              kind, own.msg);
    }
    out->tensors += d.equal;
    if (d.name[0]) {
        snprintf(out->tensor, sizeof out->tensor, "%s", d.name);
        return verify_differs(
            out, now->epoch,
            "epoch %d, tensor %s of checkpoint \"%s\", element "
            "%zu: %s recorded, %s now",
            now->epoch, d.name, kind, d.element, digits(a, d.a),
            digits(b, d.b));
    }
    if (then->state && (then->state_size != now->state_size ||
                        memcmp(then->state, now->state, now->state_size))) {
        return verify_differs(
            out, now->epoch,
            "epoch %d, checkpoint \"%s\": the state differs beside "
            "its tensors",
            now->epoch, kind);
    }
    return 1;
}

int
recorded_epoch_is(const struct recorded *r, const struct epoch_report *now,
                  const uint32_t *images, struct verify_report *out,
                  struct err *e)
{
    int epoch = now->metrics->epoch;
    int rc = same_figures(r, now->metrics, out);

    if (rc == 1) {
        rc = same_confusion(r, now, out, e);
    }
    if (rc == 1) {
        rc = same_predicted(r, now, images, out, e);
    }
    if (rc == 1 && stands_at(&r->last, epoch)) {
        rc = same_tensors(r, "last", &r->last, now->last, out);
    }
    if (rc == 1 && stands_at(&r->best, epoch)) {
        rc = same_tensors(r, "best", &r->best, now->last, out);
    }
    return rc;
}

static int
same_prediction(const struct predictions *then, const struct predictions *now,
                uint32_t i, int epoch, struct verify_report *out)
{
    const float *a = then->p + (size_t)i * N_CLASSES;
    const float *b = now->p + (size_t)i * N_CLASSES;
    char ta[40], tb[40];

    if (then->images[i] != now->images[i]) {
        return verify_differs(
            out, epoch,
            "predictions of the result: of image %u recorded, of "
            "%u now",
            then->images[i], now->images[i]);
    }
    for (int k = 0; k < N_CLASSES; k++) {
        if (a[k] != b[k]) {
            return verify_differs(
                out, epoch,
                "result, image %u, probability of class %d: %s "
                "recorded, %s now",
                now->images[i], k, digits(ta, (double)a[k]),
                digits(tb, (double)b[k]));
        }
    }
    if (then->truth[i] != now->truth[i] ||
        then->predicted[i] != now->predicted[i]) {
        return verify_differs(
            out, epoch,
            "result, image %u: %d taken for %d recorded, %d for %d "
            "now",
            now->images[i], then->truth[i], then->predicted[i], now->truth[i],
            now->predicted[i]);
    }
    return 1;
}

int
recorded_result_is(const struct recorded *r, const struct predictions *now,
                   struct verify_report *out, struct err *e)
{
    struct predictions then;
    int rc = store_predictions(r->store, r->run.id, &then, e);
    int epoch = r->run.result_epoch;
    int same = 1;

    if (rc < 0) {
        return rc == ERR_NOTFOUND ? 1 : rc;
    }
    if (then.n != now->n) {
        same = verify_differs(
            out, epoch,
            "predictions of the result: of %u images recorded, of "
            "%u now",
            then.n, now->n);
    }
    for (uint32_t i = 0; same && i < now->n; i++) {
        same = same_prediction(&then, now, i, epoch, out);
    }
    predictions_release(&then);
    return same;
}
