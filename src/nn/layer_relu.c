/* SPDX-License-Identifier: MIT */
/* ReLU, where no neighbour's kernel does it in passing; works in place. */
#include "config.h"

#include "nn/layer.h"

static void
forward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    int rows = nd->in.flat ? i1 - i0 : 1;
    struct kern_map g = layer_map(&nd->in, &nd->out, rows);
    int i;

    for (i = i0; i < i1; i += rows) {
        x->k->relu(view_at(x, &nd->out, i), view_in(x, &nd->in, i), &g);
    }
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    int rows = nd->in.flat ? i1 - i0 : 1;
    struct kern_map g = layer_map(&nd->din, &nd->out, rows);
    int i;

    for (i = i0; i < i1; i += rows) {
        x->k->relu_dx(view_at(x, &nd->din, i), view_at(x, &nd->dout, i),
                      view_at(x, &nd->out, i), &g);
    }
}

const struct layer_ops LAYER_OPS_RELU = {
    .in_place = 1,
    .train = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .eval = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .back = {{PASS_SAMPLE, USE_OUT | USE_DIN | USE_DOUT, backward}},
};
