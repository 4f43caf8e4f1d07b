/* SPDX-License-Identifier: MIT */
/* The inside of a model, for the files of nn. */
#ifndef FMNIST_NN_MODEL_IMPL_H
#define FMNIST_NN_MODEL_IMPL_H

#include "fmnist/model.h"
#include "nn/layer.h"
#include "nn/plan.h"
#include "nn/team.h"

/*
 * A tensor with a name: its elements in PyTorch's order run over dim[0] …
 * dim[3] (fewer dimensions have 1s at the end), and lie `stride` apart.
 */
struct param {
    struct model_tensor info;
    int layer;    /* index into model.layers */
    int in_stats; /* in model.stats, else in the parameters */
    size_t offset;
    int dim[4];
    ptrdiff_t stride[4];
};

struct model {
    struct spec spec;
    const struct kern *k;
    struct team *team;
    struct model_options opt;
    int keep;     /* a debug model: see model_debug.h */
    int n_layers; /* input, the spec's, loss */
    struct layer layers[SPEC_MAX_LAYERS + 2];
    struct needs need;
    float *params, *grads, *stats, *work;
    uint8_t *bytes;
    double *losses; /* of each sample of a batch */
    uint8_t *hits;  /* was it classified rightly? */
    struct plan train, eval;
    int n_tensors;
    struct param *tensors;
};

/* Fills m->tensors; 0 or ERR_NOMEM. */
int param_table(struct model *m, struct err *e) MUST_CHECK;

/* For layers' lists: adds a tensor that begins at `offset` of the
 * parameters; its elements run over dim (along axis i, `stride` apart), its
 * shape is what PyTorch says.  A bias: one value a unit. */
struct param *param_add(struct model *m, const struct layer *l,
                        const char *name, size_t offset);
void param_dim(struct param *p, int i, int dim, ptrdiff_t stride);
void param_shape(struct param *p, int ndim, const int dim[]);
void param_add_bias(struct model *m, const struct layer *l);

/* Calls fn for every element of p in PyTorch's order, n counting from 0. */
void param_each(const struct param *p, float *slab,
                void (*fn)(float *at, size_t n, void *ctx), void *ctx);

/* Runs a plan on x->n samples; x->thread and x->threads are filled here. */
void exec_run(const struct plan *p, const struct exec *x);

#endif
