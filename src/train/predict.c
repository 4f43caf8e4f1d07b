/* SPDX-License-Identifier: MIT */
/* Predictions by stored weights. */
#include "config.h"

#include "fmnist/trainer.h"

#include <assert.h>
#include <string.h>

#include "fmnist/mem.h"
#include "train/evaluate.h"
#include "train/predictions.h"

/* Images at once: enough to share out, little enough for the caches. */
#define PREDICT_BATCH 64

int
predictions_init(struct predictions *p, const struct dataset *d,
                 const uint32_t *images, uint32_t n, struct err *e)
{
    memset(p, 0, sizeof *p);
    p->n = n;
    p->images = mem_zalloc(n, sizeof *p->images);
    if (d->labels) {
        p->truth = mem_zalloc(n, 1);
    }
    if (!p->images || (d->labels && !p->truth)) {
        predictions_release(p);
        return err_nomem(e, "the predictions",
                         n * (unsigned long long)sizeof *p->images);
    }
    for (uint32_t i = 0; i < n; i++) {
        p->images[i] = images ? images[i] : i;
        if (d->labels) {
            p->truth[i] = d->labels[p->images[i]];
        }
    }
    return 0;
}

void
predictions_take(struct predictions *p, struct outcome *o)
{
    mem_free(p->predicted);
    mem_free(p->p);
    p->predicted = o->predicted;
    p->p = o->p;
    o->predicted = NULL;
    o->p = NULL;
}

/* Runs a loaded model over out->images. */
static int
predict(struct model *m, const struct dataset *d, int batch,
        struct predictions *out, struct err *e)
{
    struct evaluator *v = NULL;
    struct outcome o;
    int rc = outcome_init(&o, out->n, e);

    if (rc < 0) {
        return rc;
    }
    rc = evaluator_new(m, d, out->images, out->n, batch, &v, e);
    if (rc == 0) {
        evaluator_run(v, &o);
        predictions_take(out, &o);
    }
    evaluator_free(v);
    outcome_release(&o);
    return rc;
}

int
trainer_predict(const char *spec, const void *weights, size_t size,
                const struct dataset *d, const uint32_t *images, uint32_t n,
                const struct kern *kern, int threads, struct predictions *out,
                struct err *e)
{
    struct model_options opt = {.threads = threads};
    struct model *m = NULL;
    struct spec s;
    int rc;

    assert(images || n == d->n);
    memset(out, 0, sizeof *out);
    if (n == 0) {
        return err_set(e, ERR_USAGE, "there are no images to classify");
    }
    opt.max_batch = n < PREDICT_BATCH ? (int)n : PREDICT_BATCH;
    rc = spec_parse(spec, &s, e);
    if (rc == 0) {
        rc = model_new(&s, kern, &opt, &m, e);
    }
    if (rc == 0) {
        rc = model_load(m, weights, size, e);
    }
    if (rc == 0) {
        rc = predictions_init(out, d, images, n, e);
    }
    if (rc == 0) {
        rc = predict(m, d, opt.max_batch, out, e);
    }
    if (rc < 0) {
        predictions_release(out);
    }
    model_free(m);
    return rc;
}
