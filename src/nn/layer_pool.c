/* SPDX-License-Identifier: MIT */
/* Max-pool; the winners' places are kept for the way back. */
#include "config.h"

#include "nn/layer.h"
#include "nn/model_impl.h"

static void
reserve(struct layer *l, struct needs *need)
{
    l->bytes_sample = (size_t)l->spec.out.h * l->spec.out.w * l->in_cp;
    l->bytes = need->bytes;
    need->bytes += l->bytes_sample * need->max_batch;
}

struct kern_pool
pool_geometry(const struct layer *l, const struct view *big,
              const struct view *small)
{
    return (struct kern_pool){l->spec.k, l->spec.stride, small->h, small->w,
                              layer_map(big, small, 1)};
}

uint8_t *
pool_winners(const struct exec *x, const struct layer *l, int i)
{
    return x->m->bytes + l->bytes + l->bytes_sample * i;
}

static void
forward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct kern_pool g = pool_geometry(nd->layer, &nd->in, &nd->out);
    int i;

    for (i = i0; i < i1; i++) {
        x->k->pool(view_at(x, &nd->out, i), pool_winners(x, nd->layer, i),
                   view_at(x, &nd->in, i), &g);
    }
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct kern_pool g = pool_geometry(nd->layer, &nd->din, &nd->dout);
    int i;

    for (i = i0; i < i1; i++) {
        x->k->pool_dx(view_at(x, &nd->din, i), view_at(x, &nd->dout, i),
                      pool_winners(x, nd->layer, i), &g);
    }
}

const struct layer_ops LAYER_OPS_POOL = {
    .reserve = reserve,
    .train = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .eval = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .back = {{PASS_SAMPLE, USE_DIN | USE_DOUT, backward}},
};
