/* SPDX-License-Identifier: MIT */
/* The end of the network: softmax cross-entropy in training, the logits handed
 * out in evaluation. */
#include "config.h"

#include <string.h>

#include "nn/layer.h"
#include "nn/loss.h"
#include "nn/model_impl.h"

static void
loss(const struct exec *x, const struct node *nd, int i0, int i1)
{
    int i;

    for (i = i0; i < i1; i++) {
        const float *logits = view_at(x, &nd->in, i);
        int label = x->labels[i];

        x->m->losses[i] = loss_row(logits, label, x->step->label_smoothing,
                                   x->n, view_at(x, &nd->din, i));
        x->m->hits[i] = loss_argmax(logits) == label;
    }
}

static void
hand_out(const struct exec *x, const struct node *nd, int i0, int i1)
{
    int i;

    for (i = i0; i < i1; i++) {
        memcpy(x->logits + (ptrdiff_t)i * nd->in.c, view_at(x, &nd->in, i),
               nd->in.c * sizeof(float));
    }
}

const struct layer_ops LAYER_OPS_LOSS = {
    .train = {{PASS_BLOCK, USE_IN | USE_DIN, loss}},
    .eval = {{PASS_BLOCK, USE_IN, hand_out}},
};
