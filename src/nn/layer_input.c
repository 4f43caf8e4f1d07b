/* SPDX-License-Identifier: MIT */
/* The batch as the first layer takes it: with a halo, or with its one channel
 * padded.  A network that starts flat reads the batch itself. */
#include "config.h"

#include <string.h>

#include "nn/layer.h"

static void
load(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct view *v = &nd->out;
    int i, r, q;

    for (i = i0; i < i1; i++) {
        const float *image = x->x + (ptrdiff_t)i * v->h * v->w;
        float *to = view_at(x, v, i);

        for (r = 0; r < v->h; r++, image += v->w, to += v->row) {
            if (v->pix == 1) {
                memcpy(to, image, v->w * sizeof *to);
                continue;
            }
            for (q = 0; q < v->w; q++) {
                to[q * v->pix] = image[q];
            }
        }
    }
}

const struct layer_ops LAYER_OPS_INPUT = {
    .train = {{PASS_SAMPLE, USE_OUT, load}},
    .eval = {{PASS_SAMPLE, USE_OUT, load}},
};
