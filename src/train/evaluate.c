/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "train/evaluate.h"

#include <string.h>

#include "fmnist/batch.h"
#include "fmnist/mem.h"
#include "fmnist/trainer.h"

struct evaluator {
    struct model *model;
    struct batch_feed *feed;
    float *logits; /* batch x 10 */
    uint32_t n;
    int labelled;
};

int
outcome_init(struct outcome *o, uint32_t n, struct err *e)
{
    memset(o, 0, sizeof *o);
    o->predicted = mem_zalloc(n, 1);
    o->p = mem_zalloc(n, N_CLASSES * sizeof *o->p);
    if (!o->predicted || !o->p) {
        outcome_release(o);
        return err_nomem(e, "the predictions",
                         n * (1ULL + N_CLASSES * sizeof *o->p));
    }
    return 0;
}

void
outcome_release(struct outcome *o)
{
    mem_free(o->predicted);
    mem_free(o->p);
    memset(o, 0, sizeof *o);
}

int
evaluator_new(struct model *m, const struct dataset *d, const uint32_t *images,
              uint32_t n, int batch, struct evaluator **out, struct err *e)
{
    const struct batch_options opt = {.batch_size = batch};
    struct evaluator *v = mem_zalloc(1, sizeof *v);
    int rc;

    *out = NULL;
    if (!v) {
        return err_nomem(e, "the evaluation", sizeof *v);
    }
    v->model = m;
    v->n = n;
    v->labelled = d->labels != NULL;
    v->logits = mem_zalloc((size_t)batch, N_CLASSES * sizeof *v->logits);
    rc = v->logits ? batch_feed_new(d, images, n, &opt, &v->feed, e)
                   : err_nomem(e, "the evaluation",
                               batch * N_CLASSES * sizeof *v->logits);
    if (rc < 0) {
        evaluator_free(v);
        return rc;
    }
    *out = v;
    return 0;
}

void
evaluator_free(struct evaluator *v)
{
    if (v) {
        batch_feed_free(v->feed);
        mem_free(v->logits);
        mem_free(v);
    }
}

/* One image: its class and probabilities. */
static int
classify(const float logits[N_CLASSES], float *p)
{
    double soft[N_CLASSES];
    int best = 0;

    loss_softmax(logits, soft);
    for (int k = 0; k < N_CLASSES; k++) {
        p[k] = (float)soft[k];
        if (logits[k] > logits[best]) {
            best = k;
        }
    }
    return best;
}

void
evaluator_run(struct evaluator *v, struct outcome *out)
{
    struct batch b;
    double loss = 0;
    uint32_t at = 0;

    confusion_clear(&out->confusion);
    batch_feed_start(v->feed, 1);
    while (batch_feed_next(v->feed, &b)) {
        model_forward(v->model, b.x, b.n, v->logits);
        for (int i = 0; i < b.n; i++, at++) {
            const float *row = v->logits + (size_t)i * N_CLASSES;
            int k = classify(row, out->p + (size_t)at * N_CLASSES);

            out->predicted[at] = (uint8_t)k;
            if (v->labelled) {
                confusion_add(&out->confusion, b.labels[i], k);
                /* Row by row: one chain of sums, whatever the batch. */
                loss += loss_cross_entropy(row, N_CLASSES, b.labels + i, 1, 0,
                                           NULL);
            }
        }
    }
    out->loss = loss / v->n;
    out->acc = (double)confusion_correct(&out->confusion) / v->n;
}

void
predictions_release(struct predictions *p)
{
    mem_free(p->images);
    mem_free(p->truth);
    mem_free(p->predicted);
    mem_free(p->p);
    memset(p, 0, sizeof *p);
}
