/* SPDX-License-Identifier: MIT */
/* The named tensors of a model: PyTorch's names, shapes and element order
 * on top of the kernels' layout. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "nn/model_impl.h"

/* Adds a tensor of layer j; its info still lacks the dimensions. */
static struct param *
add(struct model *m, int j, const char *name, size_t offset)
{
    struct param *p = &m->tensors[m->n_tensors++];
    int i;

    memset(p, 0, sizeof *p);
    snprintf(p->info.name, sizeof p->info.name, "%d.%s", m->layers[j].number,
             name);
    p->layer = j;
    p->offset = offset;
    p->info.trainable = 1;
    for (i = 0; i < 4; i++) {
        p->dim[i] = 1;
    }
    return p;
}

static void
set_dim(struct param *p, int i, int dim, ptrdiff_t stride)
{
    p->dim[i] = dim;
    p->stride[i] = stride;
}

static void
add_units(struct model *m, int j)
{
    struct param *p = add(m, j, "bias", m->layers[j].bias);

    p->info.ndim = 1;
    p->info.dim[0] = m->layers[j].spec.units;
    set_dim(p, 0, m->layers[j].spec.units, 1);
}

static void
add_conv(struct model *m, int j)
{
    const struct layer_spec *l = &m->layers[j].spec;
    ptrdiff_t units = KERN_PAD(l->units);
    struct param *p = add(m, j, "weight", m->layers[j].weight);
    int i;

    set_dim(p, 0, l->units, 1);
    set_dim(p, 1, l->in.c, units);
    set_dim(p, 2, l->k, l->k * l->in.c * units);
    set_dim(p, 3, l->k, l->in.c * units);
    p->info.ndim = 4;
    for (i = 0; i < 4; i++) {
        p->info.dim[i] = p->dim[i];
    }
    add_units(m, j);
}

/* PyTorch flattens a map in the order (c, y, x). */
static void
add_dense(struct model *m, int j, const struct view *in)
{
    const struct layer_spec *l = &m->layers[j].spec;
    ptrdiff_t units = KERN_PAD(l->units), pixel = in->cp * units;
    struct param *p = add(m, j, "weight", m->layers[j].weight);

    set_dim(p, 0, l->units, 1);
    set_dim(p, 1, in->c, units);
    set_dim(p, 2, in->h, in->w * pixel);
    set_dim(p, 3, in->w, pixel);
    p->info.ndim = 2;
    p->info.dim[0] = l->units;
    p->info.dim[1] = l->in.c;
    add_units(m, j);
}

static void
add_bn(struct model *m, int j, const struct view *in)
{
    static const char *const names[] = {"weight", "bias", "running_mean",
                                        "running_var"};
    const struct layer *l = &m->layers[j];
    const size_t offsets[] = {l->weight, l->bias, l->mean, l->var};
    struct param *p;
    int i;

    for (i = 0; i < 4; i++) {
        p = add(m, j, names[i], offsets[i]);
        p->in_stats = i >= 2;
        p->info.trainable = i < 2;
        p->info.ndim = 1;
        p->info.dim[0] = l->spec.in.c;
        set_dim(p, 0, in->c, 1);
        if (in->flat) {
            set_dim(p, 1, in->h, (ptrdiff_t)in->w * in->cp);
            set_dim(p, 2, in->w, in->cp);
        }
    }
    p = add(m, j, "num_batches_tracked", 0);
    p->info.is_int64 = 1;
    p->info.trainable = 0;
}

int
param_table(struct model *m, struct err *e)
{
    struct view shape[PLAN_NODES + 1];
    int j;

    m->tensors = mem_zalloc(5 * (size_t)m->n_layers, sizeof *m->tensors);
    if (m->tensors == NULL) {
        return err_nomem(e, "a model's table of tensors",
                         5ull * m->n_layers * sizeof *m->tensors);
    }
    plan_shapes(m, shape);
    for (j = 1; j < m->n_layers - 1; j++) {
        switch (m->layers[j].spec.kind) {
        case LAYER_CONV:
            add_conv(m, j);
            break;
        case LAYER_DENSE:
            add_dense(m, j, &shape[j]);
            break;
        case LAYER_BN:
            add_bn(m, j, &shape[j]);
            break;
        case LAYER_RELU:
        case LAYER_POOL:
        case LAYER_FLATTEN:
        case LAYER_DROPOUT:
            break;
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
