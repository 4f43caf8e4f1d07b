/* SPDX-License-Identifier: MIT */
/* Evaluation of a part: predictions, loss, accuracy. */
#ifndef FMNIST_TRAIN_EVALUATE_H
#define FMNIST_TRAIN_EVALUATE_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"
#include "fmnist/metrics.h"
#include "fmnist/model.h"

/* What weights make of a part. */
struct outcome {
    uint8_t *predicted; /* n: the first maximum of the logits */
    float *p;           /* n x 10 probabilities */
    struct confusion confusion;
    double loss; /* mean cross-entropy without smoothing */
    double acc;
};

/* Room for n images; what fails leaves nothing to release. */
int outcome_init(struct outcome *o, uint32_t n, struct err *e) MUST_CHECK;
void outcome_release(struct outcome *o);

struct evaluator; /* opaque */

/*
 * Evaluates images[0..n) of d on m, whose max_batch is at least `batch`.  All
 * are borrowed and must outlive the evaluator.  The figures do not depend on
 * `batch`: each image's logits are its own, and losses are summed in double in
 * the order of the images.
 */
int evaluator_new(struct model *m, const struct dataset *d,
                  const uint32_t *images, uint32_t n, int batch,
                  struct evaluator **out, struct err *e) MUST_CHECK;
void evaluator_free(struct evaluator *v);
/* Cannot fail.  Where d has no labels only predicted and p are filled. */
void evaluator_run(struct evaluator *v, struct outcome *out);

#endif
