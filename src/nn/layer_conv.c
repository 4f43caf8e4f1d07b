/* SPDX-License-Identifier: MIT */
/*
 * Convolution.  Weights are (ky, kx, ci) x units (padded).  For the gradient
 * of the input they are turned by half a circle and transposed once a step, so
 * that it is a convolution too.  Weight gradients are summed in slices; a
 * slice's sums are dW followed by db.
 */
#include "config.h"

#include <string.h>

#include "nn/layer.h"
#include "nn/model_impl.h"

static size_t
weights(const struct layer *l)
{
    return (size_t)l->spec.k * l->spec.k * l->spec.in.c *
           KERN_PAD(l->spec.units);
}

static size_t
turned(const struct layer *l)
{
    return (size_t)l->spec.k * l->spec.k * l->spec.units *
           KERN_PAD(l->spec.in.c);
}

static void
reserve(struct layer *l, struct needs *need)
{
    size_t units = KERN_PAD(l->spec.units);

    l->weight = needs_floats(&need->params, weights(l));
    l->bias = needs_floats(&need->params, units);
    if (need->train) {
        l->work = needs_floats(&need->work,
                               turned(l) + MODEL_SLICES * (weights(l) + units));
    }
}

static void
tensors(struct model *m, struct layer *l, const struct view *in)
{
    ptrdiff_t units = KERN_PAD(l->spec.units), tap = l->spec.in.c * units;
    struct param *p = param_add(m, l, "weight", l->weight);

    (void)in;
    param_dim(p, 0, l->spec.units, 1);
    param_dim(p, 1, l->spec.in.c, units);
    param_dim(p, 2, l->spec.k, l->spec.k * tap);
    param_dim(p, 3, l->spec.k, tap);
    param_shape(p, 4, p->dim);
    param_add_bias(m, l);
}

/* The sums of slice s. */
static float *
slice_sums(const struct exec *x, const struct layer *l, int s)
{
    return x->m->work + l->work + turned(l) +
           s * (weights(l) + KERN_PAD(l->spec.units));
}

static void
turn(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    ptrdiff_t units = KERN_PAD(l->spec.units), c = KERN_PAD(l->spec.in.c);
    int taps = l->spec.k * l->spec.k, t;

    (void)i0;
    (void)i1;
    for (t = x->thread; nd->need_dx && t < taps; t += x->threads) {
        x->k->transpose(x->m->work + l->work +
                            (taps - 1 - t) * l->spec.units * c,
                        c, x->m->params + l->weight + t * l->spec.in.c * units,
                        units, l->spec.in.c, l->spec.units);
    }
}

/* Geometry of a convolution with `in` read from `pad` before its interior. */
static struct kern_conv
geometry(const struct layer *l, const struct view *out, const struct view *in)
{
    struct kern_conv g = {.h = out->h, .w = out->w, .k = l->spec.k};

    g.c_in = in->c;
    g.in_pix = in->pix;
    g.in_row = in->row;
    g.c_out = out->cp;
    g.out_pix = out->pix;
    g.out_row = out->row;
    return g;
}

static void
forward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    const struct kern_conv g = geometry(l, &nd->out, &nd->in);
    ptrdiff_t corner = l->spec.pad * (nd->in.row + nd->in.pix);
    int i;

    for (i = i0; i < i1; i++) {
        x->k->conv(view_at(x, &nd->out, i), view_at(x, &nd->in, i) - corner,
                   x->m->params + l->weight, x->m->params + l->bias, nd->relu,
                   &g);
    }
}

static void
input_gradient(const struct exec *x, const struct node *nd, int i)
{
    const struct layer *l = nd->layer;
    const struct kern_conv g = geometry(l, &nd->din, &nd->dout);
    ptrdiff_t corner =
        (l->spec.k - 1 - l->spec.pad) * (nd->dout.row + nd->dout.pix);

    x->k->conv(view_at(x, &nd->din, i), view_at(x, &nd->dout, i) - corner,
               x->m->work + l->work, NULL, 0, &g);
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    /* The gradient's strides may differ from the output's. */
    const struct kern_conv g = geometry(l, &nd->dout, &nd->in);
    ptrdiff_t corner = l->spec.pad * (nd->in.row + nd->in.pix);
    size_t n = weights(l);
    int i;

    for (i = i0; i < i1; i++) {
        int s = slice_of(x, i);
        float *dw = slice_sums(x, l, s);

        if (i == slice_begin(x, s)) {
            memset(dw, 0, (n + g.c_out) * sizeof *dw);
        }
        x->k->conv_dw(dw, dw + n, view_at(x, &nd->in, i) - corner,
                      view_at(x, &nd->dout, i), &g);
        if (nd->need_dx) {
            input_gradient(x, nd, i);
        }
    }
}

static void
gradients(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    size_t n = weights(l), units = KERN_PAD(l->spec.units);
    float *sums = slice_sums(x, l, 0);
    size_t begin, end;

    (void)i0;
    (void)i1;
    team_share(x, n + units, &begin, &end);
    team_merge(x, sums, n + units, begin, end);
    if (begin < n) {
        memcpy(x->m->grads + l->weight + begin, sums + begin,
               ((end < n ? end : n) - begin) * sizeof *sums);
    }
    if (end > n) {
        begin = begin > n ? begin : n;
        memcpy(x->m->grads + l->bias + (begin - n), sums + begin,
               (end - begin) * sizeof *sums);
    }
}

const struct layer_ops LAYER_OPS_CONV = {
    .reserve = reserve,
    .tensors = tensors,
    .train = {{PASS_FIRST, 0, turn}, {PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .eval = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .back = {{PASS_SAMPLE, USE_IN | USE_DIN | USE_DOUT, backward},
             {PASS_LATE, 0, gradients}},
};
