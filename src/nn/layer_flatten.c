/* SPDX-License-Identifier: MIT */
/* A flat tensor is its map's storage; only a gradient that must be given a
 * halo is copied. */
#include "config.h"

#include <string.h>

#include "nn/layer.h"

static void
unflatten(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct view *v = &nd->din;
    size_t row = (size_t)v->w * v->cp;
    int i, r;

    for (i = i0; i < i1; i++) {
        const float *from = view_at(x, &nd->dout, i);
        float *to = view_at(x, v, i);

        for (r = 0; r < v->h; r++) {
            memcpy(to + r * v->row, from + r * row, row * sizeof *to);
        }
    }
}

const struct layer_ops LAYER_OPS_FLATTEN = {
    .back = {{PASS_SAMPLE, USE_DIN | USE_DOUT, unflatten}},
};
