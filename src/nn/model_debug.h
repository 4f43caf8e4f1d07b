/* SPDX-License-Identifier: MIT */
/* Looking inside a model, for tests. */
#ifndef FMNIST_NN_MODEL_DEBUG_H
#define FMNIST_NN_MODEL_DEBUG_H

#include "fmnist/model.h"

/*
 * As model_new with train = 1, but every activation and gradient of a whole
 * batch stays in memory until the next batch, and the gradient of the input is
 * computed too.  The arithmetic is the same, bit for bit.
 */
int model_new_debug(const struct spec *s, const struct kern *k,
                    const struct model_options *opt, struct model **out,
                    struct err *e) MUST_CHECK;

/*
 * Gives dropout layer number `layer` its masks for model_train_batch: n x
 * features bytes, 1 = keep, in PyTorch's element order (c, y, x), borrowed
 * until replaced; NULL: drawn at random again.
 */
void model_set_masks(struct model *m, int layer, const uint8_t *mask);

/*
 * Of the last model_train_batch of a debug model: the output of a layer, and
 * the gradient of the mean loss by its input; n x features floats in PyTorch's
 * order.  A ReLU or dropout works in place on what the layer before it made,
 * so that layer's output is seen after them, and the gradient by their input
 * is seen after everything that shares the storage was masked: ask for the
 * gradient of a layer that is not followed back by a ReLU, or of layer 0.
 */
void model_layer_output(const struct model *m, int layer, int n, float *out);
void model_layer_gradient(const struct model *m, int layer, int n, float *out);

#endif
