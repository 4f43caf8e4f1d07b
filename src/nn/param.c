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

/* Neighbours in memory, which follow axis 0, are a whole tensor's rest apart in
 * a file: a cache line of them at a time keeps both sides in reach. */
#define LINE 16

/* Copies between a slab and the bytes of a file, which may be anywhere. */
static inline void
copy_line(float *at, ptrdiff_t stride, int n, char *file, size_t apart, int in)
{
    int i;

    for (i = 0; i < n; i++) {
        if (in) {
            memcpy(at + i * stride, file + i * apart, sizeof *at);
        } else {
            memcpy(file + i * apart, at + i * stride, sizeof *at);
        }
    }
}

static inline void
copy_tensor(const struct param *p, float *slab, char *file, int in)
{
    size_t apart = (size_t)p->dim[1] * p->dim[2] * p->dim[3] * sizeof *slab;
    int a, b, c, d;

    for (a = 0; a < p->dim[0]; a += LINE) {
        int n = p->dim[0] - a < LINE ? p->dim[0] - a : LINE;
        float *line = slab + p->offset + a * p->stride[0];
        char *to = file + a * apart;

        for (b = 0; b < p->dim[1]; b++) {
            for (c = 0; c < p->dim[2]; c++) {
                float *at = line + b * p->stride[1] + c * p->stride[2];

                for (d = 0; d < p->dim[3]; d++, to += sizeof *slab) {
                    copy_line(at + d * p->stride[3], p->stride[0], n, to, apart,
                              in);
                }
            }
        }
    }
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
    copy_tensor(p, from, out, 0);
}

void
model_tensor_set(struct model *m, int i, float *slab, const void *in)
{
    const struct param *p = &m->tensors[i];

    if (p->info.is_int64) {
        memcpy(&m->layers[p->layer].tracked, in, sizeof(int64_t));
        return;
    }
    copy_tensor(p, slab != NULL ? slab : own_slab(m, p), (char *)in, 1);
}
