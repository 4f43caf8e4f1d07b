/* SPDX-License-Identifier: MIT */
/*
 * Batch normalisation, per channel of a map or per feature of a flat tensor:
 *     out = gamma (in - mean) / sqrt(var + eps) + beta
 * Ioffe and Szegedy, "Batch normalization", 2015.  Statistics are of the batch
 * in training (biased variance; the running ones take the unbiased) and the
 * running ones in evaluation.
 *
 * With s = gamma / sqrt(var + eps), xhat the normalised input and N its values
 * a channel, the gradient of the input is
 *     s (dout - sum(dout) / N - xhat sum(dout xhat) / N)
 * which is a dout + b in + c with constants per channel.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "nn/layer.h"
#include "nn/model_impl.h"

#define EPS 1e-5
#define MOMENTUM 0.1

/* Vectors of one float a channel in the layer's working memory, then the
 * slices' pairs of sums. */
enum { V_MEAN, V_RSTD, V_SCALE, V_SHIFT, V_A, V_B, V_C, N_VECTORS };

static int
channels(const struct layer *l)
{
    return l->flat_in ? l->flat_in : l->in_cp;
}

static float *
vector(const struct exec *x, const struct layer *l, int which)
{
    return x->m->work + l->work + (size_t)which * channels(l);
}

/* Slice s: mean and m2 going forward; sums of dout and dout * xhat going
 * back. */
static float *
slice_sums(const struct exec *x, const struct layer *l, int s)
{
    return vector(x, l, N_VECTORS + 2 * s);
}

static void
reserve(struct layer *l, struct needs *need)
{
    size_t c = channels(l), slices = need->train ? 2 * MODEL_SLICES : 0;

    l->weight = needs_floats(&need->params, c);
    l->bias = needs_floats(&need->params, c);
    l->mean = needs_floats(&need->stats, c);
    l->var = needs_floats(&need->stats, c);
    l->work = needs_floats(&need->work, (N_VECTORS + slices) * c);
}

static void
tensors(struct model *m, struct layer *l, const struct view *in)
{
    static const char *const names[] = {"weight", "bias", "running_mean",
                                        "running_var"};
    const size_t offsets[] = {l->weight, l->bias, l->mean, l->var};
    struct param *p;
    int i;

    for (i = 0; i < 4; i++) {
        p = param_add(m, l, names[i], offsets[i]);
        p->in_stats = i >= 2;
        p->info.trainable = i < 2;
        param_dim(p, 0, in->c, 1);
        if (in->flat) {
            param_dim(p, 1, in->h, (ptrdiff_t)in->w * in->cp);
            param_dim(p, 2, in->w, in->cp);
        }
        param_shape(p, 1, &l->spec.in.c);
    }
    p = param_add(m, l, "num_batches_tracked", 0);
    p->info.is_int64 = 1;
    p->info.trainable = 0;
}

/* Samples from i on that one call of a kernel takes: a flat tensor's up to the
 * end of the slice or of the block, one of a map. */
static int
group(const struct exec *x, const struct node *nd, int i, int i1)
{
    int end = slice_begin(x, slice_of(x, i) + 1);

    if (!nd->in.flat) {
        return 1;
    }
    return (end < i1 ? end : i1) - i;
}

static void
statistics(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int pixels = nd->in.flat ? 1 : nd->in.h * nd->in.w;
    int i, rows, c = channels(l);

    for (i = i0; i < i1; i += rows) {
        int s = slice_of(x, i), first = slice_begin(x, s);
        float *sums = slice_sums(x, l, s);
        int64_t count = (int64_t)(i - first) * pixels;
        struct kern_map g;

        rows = group(x, nd, i, i1);
        g = layer_map(&nd->in, &nd->in, rows);
        if (i == first) {
            memset(sums, 0, 2 * c * sizeof *sums);
        }
        x->k->bn_stats(&count, sums, sums + c, view_in(x, &nd->in, i), &g);
    }
}

struct moments {
    double n, mean, m2;
};

/* Chan, Golub and LeVeque (1979). */
static void
moments_merge(struct moments *a, const struct moments *b)
{
    double n = a->n + b->n, delta = b->mean - a->mean;

    a->mean += delta * (b->n / n);
    a->m2 += b->m2 + delta * delta * (a->n * b->n / n);
    a->n = n;
}

/* The moments of one channel over the batch. */
static struct moments
merge_channel(const struct exec *x, const struct node *nd, int c)
{
    int pixels = nd->in.flat ? 1 : nd->in.h * nd->in.w;
    int n = channels(nd->layer), s, step;
    struct moments m[MODEL_SLICES];

    for (s = 0; s < x->slices; s++) {
        const float *sums = slice_sums(x, nd->layer, s);

        m[s].n = (double)(slice_begin(x, s + 1) - slice_begin(x, s)) * pixels;
        m[s].mean = sums[c];
        m[s].m2 = sums[n + c];
    }
    for (step = 1; step < x->slices; step *= 2) {
        for (s = 0; s + step < x->slices; s += 2 * step) {
            moments_merge(&m[s], &m[s + step]);
        }
    }
    return m[0];
}

/* Notes scale and shift of one channel from its mean and variance. */
static void
fold(const struct exec *x, const struct layer *l, size_t c, double mean,
     double var)
{
    float *mu = vector(x, l, V_MEAN), *rstd = vector(x, l, V_RSTD);
    float *scale = vector(x, l, V_SCALE), *shift = vector(x, l, V_SHIFT);

    mu[c] = (float)mean;
    rstd[c] = (float)(1.0 / sqrt(var + EPS));
    scale[c] = x->m->params[l->weight + c] * rstd[c];
    shift[c] = x->m->params[l->bias + c] - mu[c] * scale[c];
}

static void
merge_statistics(const struct exec *x, const struct node *nd, int i0, int i1)
{
    struct layer *l = nd->layer;
    float *mean = x->m->stats + l->mean, *var = x->m->stats + l->var;
    size_t begin, end, c;

    (void)i0;
    (void)i1;
    team_share(x, channels(l), &begin, &end);
    for (c = begin; c < end; c++) {
        struct moments m = merge_channel(x, nd, (int)c);
        double unbiased = m.n > 1 ? m.m2 / (m.n - 1) : m.m2;

        fold(x, l, c, m.mean, m.m2 / m.n);
        mean[c] = (float)((1 - MOMENTUM) * mean[c] + MOMENTUM * m.mean);
        var[c] = (float)((1 - MOMENTUM) * var[c] + MOMENTUM * unbiased);
    }
    if (x->thread == 0) {
        l->tracked++;
    }
}

static void
fold_running(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    size_t begin, end, c;

    (void)i0;
    (void)i1;
    team_share(x, channels(l), &begin, &end);
    for (c = begin; c < end; c++) {
        fold(x, l, c, x->m->stats[l->mean + c], x->m->stats[l->var + c]);
    }
}

/* Normalises and does the max-pool that follows, whose output alone is
 * stored. */
static void
normalise_and_pool(const struct exec *x, const struct node *nd, int i)
{
    const struct node *p = nd->pool;
    const struct kern_pool g = pool_geometry(p->layer, &nd->in, &p->out);

    x->k->bn_pool(view_at(x, &p->out, i), pool_winners(x, p->layer, i),
                  view_in(x, &nd->in, i), vector(x, nd->layer, V_SCALE),
                  vector(x, nd->layer, V_SHIFT), &g);
}

static void
normalise(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int rows = nd->in.flat ? i1 - i0 : 1, i;
    struct kern_map g = layer_map(&nd->in, &nd->out, rows);

    for (i = i0; i < i1; i += rows) {
        if (nd->pool != NULL) {
            normalise_and_pool(x, nd, i);
            continue;
        }
        x->k->bn_norm(view_at(x, &nd->out, i), view_in(x, &nd->in, i),
                      vector(x, l, V_SCALE), vector(x, l, V_SHIFT), &g);
    }
}

static void
pooled_sums(const struct exec *x, const struct node *nd, int i, float *at)
{
    const struct node *p = nd->pool;
    const struct kern_pool g = pool_geometry(p->layer, &nd->in, &p->dout);

    x->k->bn_pool_sums(at, at + channels(nd->layer), view_at(x, &p->dout, i),
                       pool_winners(x, p->layer, i), view_in(x, &nd->in, i),
                       vector(x, nd->layer, V_MEAN),
                       vector(x, nd->layer, V_RSTD), &g);
}

static void
pooled_backward(const struct exec *x, const struct node *nd, int i)
{
    const struct node *p = nd->pool;
    const struct layer *l = nd->layer;
    const struct kern_pool g = pool_geometry(p->layer, &nd->in, &p->dout);

    x->k->bn_pool_dx(view_at(x, &nd->din, i), nd->din.pix, nd->din.row,
                     view_at(x, &p->dout, i), pool_winners(x, p->layer, i),
                     view_in(x, &nd->in, i), vector(x, l, V_A),
                     vector(x, l, V_B), vector(x, l, V_C), nd->masked, &g);
}

static void
sums(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int i, rows, c = channels(l);

    for (i = i0; i < i1; i += rows) {
        int s = slice_of(x, i);
        float *at = slice_sums(x, l, s);
        struct kern_map g;

        rows = group(x, nd, i, i1);
        g = layer_map(&nd->in, &nd->dout, rows);
        if (i == slice_begin(x, s)) {
            memset(at, 0, 2 * c * sizeof *at);
        }
        if (nd->pool != NULL) {
            pooled_sums(x, nd, i, at);
            continue;
        }
        x->k->bn_sums(at, at + c, view_at(x, &nd->dout, i),
                      view_in(x, &nd->in, i), vector(x, l, V_MEAN),
                      vector(x, l, V_RSTD), &g);
    }
}

static void
merge_sums(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    size_t begin, end, c, n = channels(l);
    float *total = slice_sums(x, l, 0);
    float *a = vector(x, l, V_A), *b = vector(x, l, V_B);
    double count = (double)x->n;

    (void)i0;
    (void)i1;
    if (!nd->in.flat) {
        count *= nd->in.h * nd->in.w;
    }
    team_share(x, n, &begin, &end);
    team_merge(x, total, 2 * n, begin, end);
    team_merge(x, total, 2 * n, n + begin, n + end);
    for (c = begin; c < end; c++) {
        double s = vector(x, l, V_SCALE)[c];
        double slope = -s * vector(x, l, V_RSTD)[c] * total[n + c] / count;

        x->m->grads[l->weight + c] = total[n + c];
        x->m->grads[l->bias + c] = total[c];
        a[c] = (float)s;
        b[c] = (float)slope;
        vector(x, l, V_C)[c] =
            (float)(-s * total[c] / count - slope * vector(x, l, V_MEAN)[c]);
    }
}

static void
backward(const struct exec *x, const struct node *nd, int i0, int i1)
{
    const struct layer *l = nd->layer;
    int rows = nd->in.flat ? i1 - i0 : 1, i;
    struct kern_map g = layer_map(&nd->in, &nd->din, rows);

    for (i = i0; nd->need_dx && i < i1; i += rows) {
        if (nd->pool != NULL) {
            pooled_backward(x, nd, i);
            continue;
        }
        x->k->bn_dx(view_at(x, &nd->din, i), view_at(x, &nd->dout, i),
                    view_in(x, &nd->in, i), vector(x, l, V_A),
                    vector(x, l, V_B), vector(x, l, V_C), nd->masked, &g);
    }
}

const struct layer_ops LAYER_OPS_BN = {
    .reserve = reserve,
    .tensors = tensors,
    .train = {{PASS_SAMPLE, USE_IN, statistics},
              {PASS_TEAM, 0, merge_statistics},
              {PASS_SAMPLE, USE_IN | USE_OUT, normalise}},
    .eval = {{PASS_FIRST, 0, fold_running},
             {PASS_SAMPLE, USE_IN | USE_OUT, normalise}},
    .back = {{PASS_SAMPLE, USE_IN | USE_DOUT, sums},
             {PASS_TEAM, 0, merge_sums},
             {PASS_SAMPLE, USE_IN | USE_DIN | USE_DOUT, backward}},
};
