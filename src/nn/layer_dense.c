/* SPDX-License-Identifier: MIT */
/*
 * Dense: out = in W + b.  W is in_features x units (padded), rows in the order
 * of the input's storage; rows of padding are zero.
 */
#include "config.h"

#include "nn/layer.h"
#include "nn/model_impl.h"

static void
reserve(struct layer *l, struct needs *need)
{
    size_t units = KERN_PAD(l->spec.units);

    l->weight = needs_floats(&need->params, l->flat_in * units);
    l->bias = needs_floats(&need->params, units);
    if (need->train) {
        l->work = needs_floats(&need->work, l->flat_in * units);
    }
}

/* PyTorch flattens a map in the order (c, y, x). */
static void
tensors(struct model *m, struct layer *l, const struct view *in)
{
    const int shape[] = {l->spec.units, l->spec.in.c};
    ptrdiff_t units = KERN_PAD(l->spec.units), pixel = in->cp * units;
    struct param *p = param_add(m, l, "weight", l->weight);

    param_dim(p, 0, l->spec.units, 1);
    param_dim(p, 1, in->c, units);
    param_dim(p, 2, in->h, in->w * pixel);
    param_dim(p, 3, in->w, pixel);
    param_shape(p, 2, shape);
    param_add_bias(m, l);
}

/* W transposed, for the gradient of the input. */
static void
turn(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    ptrdiff_t units = KERN_PAD(l->spec.units);
    size_t begin, end;

    (void)i0;
    (void)i1;
    if (!nd->need_dx) {
        return;
    }
    team_share(x, l->flat_in, &begin, &end);
    x->k->transpose(x->m->work + l->work + begin, l->flat_in,
                    x->m->params + l->weight + begin * units, units,
                    (int)(end - begin), l->spec.units);
}

static void
forward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int units = KERN_PAD(l->spec.units);

    x->k->gemm(view_at(x, &nd->out, i0), nd->out.sample,
               view_in(x, &nd->in, i0), nd->in.sample, 1,
               x->m->params + l->weight, units, x->m->params + l->bias, 0,
               nd->relu, i1 - i0, units, l->flat_in);
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;

    if (!nd->need_dx) {
        return;
    }
    x->k->gemm(view_at(x, &nd->din, i0), nd->din.sample,
               view_at(x, &nd->dout, i0), nd->dout.sample, 1,
               x->m->work + l->work, l->flat_in, NULL, 0, 0, i1 - i0,
               l->flat_in, l->spec.units);
}

/* Each thread owns rows of dW; the last one, with the fewest, sums db too. */
static void
gradients(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int units = KERN_PAD(l->spec.units);
    const float *dout = view_at(x, &nd->dout, 0);
    size_t begin, end;

    (void)i0;
    (void)i1;
    team_share(x, l->flat_in, &begin, &end);
    if (begin < end) {
        x->k->gemm(x->m->grads + l->weight + begin * units, units,
                   view_in(x, &nd->in, 0) + begin, 1, nd->in.sample, dout,
                   nd->dout.sample, NULL, 0, 0, (int)(end - begin), units,
                   x->n);
    }
    if (x->thread == x->threads - 1) {
        x->k->sum_rows(x->m->grads + l->bias, dout, nd->dout.sample, 0, x->n,
                       units);
    }
}

const struct layer_ops LAYER_OPS_DENSE = {
    .reserve = reserve,
    .tensors = tensors,
    .train = {{PASS_FIRST, 0, turn}, {PASS_BLOCK, USE_IN | USE_OUT, forward}},
    .eval = {{PASS_BLOCK, USE_IN | USE_OUT, forward}},
    .back = {{PASS_BLOCK, USE_DIN | USE_DOUT, backward},
             {PASS_LATE, USE_IN | USE_DOUT, gradients}},
};
