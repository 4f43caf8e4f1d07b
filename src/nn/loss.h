/* SPDX-License-Identifier: MIT */
#ifndef FMNIST_NN_LOSS_H
#define FMNIST_NN_LOSS_H

#include <stdint.h>

/* Softmax cross-entropy of one row of ten logits.  d (may be NULL) becomes the
 * gradient divided by `count`. */
double loss_row(const float *logits, int label, double smoothing, double count,
                float *d);

/* The first greatest logit. */
int loss_argmax(const float *logits);

#endif
