/* SPDX-License-Identifier: MIT */
/* Dropout: keeps a value with probability 1 - rate and scales it by the
 * inverse, so that evaluation has nothing to do.  Works in place. */
#include "config.h"

#include <string.h>

#include "fmnist/rng.h"
#include "nn/layer.h"
#include "nn/model_impl.h"

static void
reserve(struct layer *l, struct needs *need)
{
    if (need->train) {
        l->bytes_sample = l->flat_in
                              ? (size_t)l->flat_in
                              : (size_t)l->spec.in.h * l->spec.in.w * l->in_cp;
        l->bytes = need->bytes;
        need->bytes += l->bytes_sample * need->max_batch;
    }
}

/* Draws the mask of sample i.  Elements are numbered in the order of storage,
 * padding left out: (y, x, c). */
static void
draw_mask(const struct exec *x, const struct node *nd, int i, uint8_t *mask)
{
    const struct view *v = &nd->in;
    const struct rng r = {
        x->step->seed, RNG_DROPOUT + (uint32_t)nd->layer->number * RNG_STRIDE,
        x->step->epoch};
    uint64_t features = (uint64_t)v->h * v->w * v->c;
    uint64_t at = (x->step->position + i) * features;
    uint32_t word[4];
    int p, c;

    rng_block(&r, at / 4, word);
    for (p = 0; p < v->h * v->w; p++, mask += v->cp) {
        for (c = 0; c < v->c; c++) {
            mask[c] = rng_to_float(word[at % 4]) >= nd->layer->spec.rate;
            if (++at % 4 == 0) {
                rng_block(&r, at / 4, word);
            }
        }
    }
}

/* The mask given from outside, which is in the order (c, y, x). */
static void
copy_mask(const struct node *nd, int i, uint8_t *mask)
{
    const struct view *v = &nd->in;
    int pixels = v->h * v->w, p, c;
    const uint8_t *from = nd->layer->masks + (size_t)i * pixels * v->c;

    for (p = 0; p < pixels; p++, mask += v->cp) {
        for (c = 0; c < v->c; c++) {
            mask[c] = from[c * pixels + p] != 0;
        }
    }
}

static void
apply_mask(const struct exec *x, const struct node *nd, const struct view *v,
           int i)
{
    const struct layer *l = nd->layer;
    const uint8_t *mask = x->m->bytes + l->bytes + l->bytes_sample * i;
    float scale = (float)(1.0 / (1.0 - l->spec.rate));
    size_t row = (size_t)v->w * v->cp;
    float *at = view_at(x, v, i);
    int r;

    for (r = 0; r < v->h; r++) {
        x->k->dropout(at + r * v->row, mask + r * row, scale, row);
    }
}

static void
forward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int i;

    for (i = i0; i < i1; i++) {
        uint8_t *mask = x->m->bytes + l->bytes + l->bytes_sample * i;

        if (nd->in.base == NULL) {
            /* The batch given, which is flat and not ours to change. */
            memcpy(view_at(x, &nd->out, i), view_in(x, &nd->in, i),
                   view_features(&nd->in) * sizeof(float));
        }
        if (l->masks != NULL) {
            copy_mask(nd, i, mask);
        } else {
            draw_mask(x, nd, i, mask);
        }
        apply_mask(x, nd, &nd->out, i);
    }
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    int i;

    for (i = i0; i < i1; i++) {
        apply_mask(x, nd, &nd->din, i);
    }
}

const struct layer_ops LAYER_OPS_DROPOUT = {
    .reserve = reserve,
    .in_place = 1,
    .train = {{PASS_SAMPLE, USE_IN | USE_OUT, forward}},
    .back = {{PASS_SAMPLE, USE_DIN | USE_DOUT, backward}},
};
