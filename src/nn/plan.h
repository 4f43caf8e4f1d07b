/* SPDX-License-Identifier: MIT */
/*
 * Where every tensor lies, and in which order passes run.
 *
 * The passes of all layers form one list: forward, loss, backward.  Passes
 * next to each other that work on single samples form a *run*: a thread takes
 * one sample through all of them while it is in its cache, then the next.
 * Only what needs all samples (BatchNorm's statistics, the sums of weight
 * gradients) stands between barriers.  A tensor that is used in one such run
 * only needs room for one sample a thread; all others have room for the batch.
 */
#ifndef FMNIST_NN_PLAN_H
#define FMNIST_NN_PLAN_H

#include <stddef.h>

#include "nn/layer.h"

#define PLAN_NODES (SPEC_MAX_LAYERS + 2)
#define PLAN_STEPS (PLAN_NODES * 2 * LAYER_MAX_PASSES)

struct step {
    pass_fn *run;
    const struct node *node;
    int uses; /* enum pass_uses */
};

/* Steps first … first + n - 1. */
struct run {
    enum pass_when when; /* SAMPLE, BLOCK or TEAM */
    int barrier;         /* before it */
    int first, n;
};

struct plan {
    int n_nodes, n_steps, n_runs;
    struct node nodes[PLAN_NODES];
    struct step steps[PLAN_STEPS];
    struct run runs[PLAN_STEPS];
    size_t batch_floats, thread_floats; /* of one thread */
    float *memory;
};

struct model;

/* Shapes of the tensors before each layer, and of the logits; no places
 * yet. */
void plan_shapes(const struct model *m, struct view shape[PLAN_NODES + 1]);
/* Lays a plan out for m->layers; ERR_NOMEM if there is no memory to plan
 * in. */
int plan_make(struct plan *p, struct model *m, int train,
              struct err *e) MUST_CHECK;
/* Floats that plan_bind needs. */
size_t plan_floats(const struct plan *p, const struct model *m);
/* Points the views into p->memory, plan_floats of zeros. */
void plan_bind(struct plan *p);
void plan_release(struct plan *p);

#endif
