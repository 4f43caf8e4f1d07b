/* SPDX-License-Identifier: MIT */
/*
 * Layer types and what they are given to work on.
 *
 * A layer type is one file that ends in a struct layer_ops.  It says how many
 * parameters and how much working memory it needs, and lists its *passes*: the
 * functions that make up its forward and backward, with the tensors that each
 * touches.  plan.c strings the passes of all layers together so that the
 * tensors stay in cache; exec.c runs them.
 */
#ifndef FMNIST_NN_LAYER_H
#define FMNIST_NN_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/kern.h"
#include "fmnist/model.h"
#include "fmnist/spec.h"

/* Sums over a batch that are not owned by one thread are made in slices. */
#define MODEL_SLICES 16

/*
 * An activation or gradient.  A flat tensor is h*w*cp features, where h, w, c
 * are the map that it was flattened from (1 x 1 x units after a dense layer).
 * Features that pad the channels of the map to cp are zero.
 */
struct view {
    float *base;      /* first interior element; NULL: the batch given */
    ptrdiff_t offset; /* of base in its part of the plan's memory; -1: none */
    ptrdiff_t sample; /* floats to the next sample; 0: one for each thread */
    ptrdiff_t thread; /* floats to the next thread's; 0: one for each sample */
    ptrdiff_t pix, row;
    int h, w, c, cp;
    int flat;
    int halo; /* zeros around the map */
};

/* A layer of one model: where its memory is.  Offsets are in elements. */
struct layer {
    const struct layer_ops *ops;
    struct layer_spec spec; /* of the input and the loss: shapes only */
    int number;             /* in the spec; -1: input or loss */
    int in_cp;              /* channels of the input, with padding */
    int flat_in;            /* dense, bn: features of a flat input; else 0 */
    size_t weight, bias;    /* in parameters and gradients */
    size_t mean, var;       /* in the running statistics */
    size_t work;            /* in model.work */
    size_t bytes;           /* in model.bytes, of sample 0 */
    size_t bytes_sample;    /* from one sample's bytes to the next */
    int64_t tracked;        /* batches that the running statistics have seen */
    const uint8_t *masks;   /* given from outside, or NULL */
};

/* A layer within a plan. */
struct node {
    struct layer *layer;
    struct view in, out;   /* activations */
    struct view din, dout; /* their gradients */
    int need_dx;           /* is there anything to train before this layer? */
    int relu;   /* the layer's forward kernel applies the ReLU that follows */
    int masked; /* the layer's backward kernel applies the ReLU before it */
    const struct node *pool; /* BatchNorm: does this pooling, which follows */
    int skip; /* enum pass_skip: another layer does this one's work */
};

/* What a pass needs to know of the batch at hand; one for each thread. */
struct exec {
    struct model *m;
    const struct kern *k;
    const float *x;        /* n x 784 */
    const uint8_t *labels; /* training only */
    float *logits;         /* evaluation only: n x 10 */
    const struct model_step *step;
    int n, slices;
    int thread, threads;
};

enum pass_when {
    PASS_END,
    PASS_SAMPLE, /* on each sample, following it through the layers */
    PASS_BLOCK,  /* once on all samples of a thread */
    PASS_FIRST,  /* by the team, before all else */
    PASS_TEAM,   /* by the team, between two barriers */
    PASS_LATE,   /* by the team, after all else */
};

/* Tensors that a pass reads or writes. */
enum pass_uses { USE_IN = 1, USE_OUT = 2, USE_DIN = 4, USE_DOUT = 8 };

/* Flags of a node whose passes are left out. */
enum pass_skip { SKIP_FORWARD = 1, SKIP_BACKWARD = 2 };

/*
 * Samples i0 … i1-1 (all of one thread) for SAMPLE and BLOCK.  The team's
 * passes get 0, 0 and share the work by x->thread and x->threads.  On flat
 * tensors a SAMPLE pass is given blocks.
 */
typedef void pass_fn(const struct exec *x, const struct node *nd, int i0,
                     int i1);

struct pass {
    enum pass_when when;
    int uses; /* enum pass_uses */
    pass_fn *run;
};

#define LAYER_MAX_PASSES 4

/* Sizes of the model's slabs while layers reserve their parts. */
struct needs {
    size_t params, stats, work, bytes;
    int train, max_batch;
};

struct layer_ops {
    /* Reserves memory in *need and notes the offsets; NULL: needs none. */
    void (*reserve)(struct layer *l, struct needs *need);
    /* Lists the tensors that have names, with param_add, in PyTorch's order;
     * `in`: what the input is stored as.  NULL: there is nothing to train. */
    void (*tensors)(struct model *m, struct layer *l, const struct view *in);
    int in_place; /* may work on its input's storage */
    /* Ended by PASS_END.  A backward pass exists for layers that have
     * something to train in or before them. */
    struct pass train[LAYER_MAX_PASSES];
    struct pass eval[LAYER_MAX_PASSES];
    struct pass back[LAYER_MAX_PASSES];
};

/* Reserves n floats (rounded up to whole cache lines); returns their
 * offset. */
size_t needs_floats(size_t *slab, size_t n);

extern const struct layer_ops LAYER_OPS_CONV, LAYER_OPS_RELU, LAYER_OPS_BN,
    LAYER_OPS_POOL, LAYER_OPS_FLATTEN, LAYER_OPS_DENSE, LAYER_OPS_DROPOUT,
    LAYER_OPS_INPUT, LAYER_OPS_LOSS;

/* The first interior element of sample i. */
static inline float *
view_at(const struct exec *x, const struct view *v, int i)
{
    return v->base + v->thread * x->thread + v->sample * i;
}

/* The same of a layer's input, which may be the batch given. */
static inline const float *
view_in(const struct exec *x, const struct view *v, int i)
{
    return v->base == NULL ? x->x + v->sample * i : view_at(x, v, i);
}

/* Features of a sample, with padding and without halo. */
static inline size_t
view_features(const struct view *v)
{
    return (size_t)v->h * v->w * v->cp;
}

/* Slice s of a batch is samples slice_begin(s) … slice_begin(s + 1) - 1. */
static inline int
slice_begin(const struct exec *x, int s)
{
    return (int)((int64_t)s * x->n / x->slices);
}

/* The slice that sample i is in. */
static inline int
slice_of(const struct exec *x, int i)
{
    return (int)(((int64_t)(i + 1) * x->slices - 1) / x->n);
}

/* Part `thread` of n elements in whole cache lines: begin … end - 1. */
void team_share(const struct exec *x, size_t n, size_t *begin, size_t *end);

/*
 * Adds up the slices' sums, each n floats, `stride` apart, as a fixed binary
 * tree, for elements begin … end - 1; the total replaces slice 0.
 */
void team_merge(const struct exec *x, float *sums, size_t stride, size_t begin,
                size_t end);

/* Geometry of a pass per channel over maps a (x in kern.h) and b (y); flat
 * tensors of `rows` samples count as one row of pixels. */
struct kern_map layer_map(const struct view *a, const struct view *b, int rows);

/* Of a max-pool layer: its geometry between two maps, and where the winners of
 * sample i are kept. */
struct kern_pool pool_geometry(const struct layer *l, const struct view *big,
                               const struct view *small);
uint8_t *pool_winners(const struct exec *x, const struct layer *l, int i);

#endif
