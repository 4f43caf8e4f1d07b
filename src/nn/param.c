/* SPDX-License-Identifier: MIT */
/* The named tensors of a model: PyTorch's names, shapes and element order
 * on top of the kernels' layout. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "nn/model_impl.h"

/* Of one layer: a BatchNorm's. */
#define MAX_TENSORS 5

struct param *
param_add(struct model *m, const struct layer *l, const char *name,
          size_t offset)
{
    struct param *p = &m->tensors[m->n_tensors++];
    int i;

    memset(p, 0, sizeof *p);
    snprintf(p->info.name, sizeof p->info.name, "%d.%s", l->number, name);
    p->layer = (int)(l - m->layers);
    p->offset = offset;
    p->info.trainable = 1;
    for (i = 0; i < 4; i++) {
        p->dim[i] = 1;
    }
    return p;
}

void
param_dim(struct param *p, int i, int dim, ptrdiff_t stride)
{
    p->dim[i] = dim;
    p->stride[i] = stride;
}

void
param_shape(struct param *p, int ndim, const int dim[])
{
    p->info.ndim = ndim;
    memcpy(p->info.dim, dim, ndim * sizeof *dim);
}

void
param_add_bias(struct model *m, const struct layer *l)
{
    struct param *p = param_add(m, l, "bias", l->bias);

    param_dim(p, 0, l->spec.units, 1);
    param_shape(p, 1, &l->spec.units);
}

int
param_table(struct model *m, struct err *e)
{
    struct view shape[PLAN_NODES + 1];
    int j;

    m->tensors =
        mem_zalloc(MAX_TENSORS * (size_t)m->n_layers, sizeof *m->tensors);
    if (m->tensors == NULL) {
        return err_nomem(e, "a model's table of tensors",
                         (size_t)MAX_TENSORS * m->n_layers *
                             sizeof *m->tensors);
    }
    plan_shapes(m, shape);
    for (j = 0; j < m->n_layers; j++) {
        struct layer *l = &m->layers[j];

        if (l->ops->tensors != NULL) {
            l->ops->tensors(m, l, &shape[j]);
        }
    }
    return 0;
}

int
model_tensors(const struct model *m)
{
    return m->n_tensors;
}

void
model_tensor(const struct model *m, int i, struct model_tensor *out)
{
    *out = m->tensors[i].info;
}

void
param_each(const struct param *p, float *slab,
           void (*fn)(float *at, size_t n, void *ctx), void *ctx)
{
    size_t n = 0;
    int a, b, c, d;

    for (a = 0; a < p->dim[0]; a++) {
        for (b = 0; b < p->dim[1]; b++) {
            for (c = 0; c < p->dim[2]; c++) {
                float *at = slab + p->offset + a * p->stride[0] +
                            b * p->stride[1] + c * p->stride[2];

                for (d = 0; d < p->dim[3]; d++) {
                    fn(at + d * p->stride[3], n++, ctx);
                }
            }
        }
    }
}

/* The dense side may be part of a file, and not aligned. */
static void
copy_out(float *at, size_t n, void *out)
{
    memcpy((char *)out + n * sizeof *at, at, sizeof *at);
}

static void
copy_in(float *at, size_t n, void *in)
{
    memcpy(at, (const char *)in + n * sizeof *at, sizeof *at);
}

static float *
own_slab(const struct model *m, const struct param *p)
{
    return p->in_stats ? m->stats : m->params;
}

void
model_tensor_get(const struct model *m, int i, const float *slab, void *out)
{
    const struct param *p = &m->tensors[i];
    float *from = slab != NULL ? (float *)slab : own_slab(m, p);

    if (p->info.is_int64) {
        memcpy(out, &m->layers[p->layer].tracked, sizeof(int64_t));
        return;
    }
    param_each(p, from, copy_out, out);
}

void
model_tensor_set(struct model *m, int i, float *slab, const void *in)
{
    const struct param *p = &m->tensors[i];

    if (p->info.is_int64) {
        memcpy(&m->layers[p->layer].tracked, in, sizeof(int64_t));
        return;
    }
    param_each(p, slab != NULL ? slab : own_slab(m, p), copy_in, (void *)in);
}
