/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nn/plan.h"

#include <assert.h>
#include <string.h>

#include "fmnist/mem.h"
#include "nn/model_impl.h"

/* Storage that one or more tensors share; sizes are of one sample. */
struct buffer {
    int first_run, last_run; /* -1: not used */
    int whole;               /* room for a batch is needed anyway */
    int given;               /* the batch that the caller gives */
    int halo;
    size_t floats, offset;
    ptrdiff_t origin; /* of the first interior element */
};

/*
 * Tensor j (0 … n_nodes) lies before node j: 0 is the batch given, 1 what the
 * input layer makes of it, n_nodes - 1 the logits.  Its activation is buffer
 * act[j], its gradient grad[j].
 */
struct maker {
    struct plan *p;
    struct model *m;
    int train;
    int n_buffers;
    int act[PLAN_NODES + 1], grad[PLAN_NODES + 1];
    int act_halo[PLAN_NODES + 1], grad_halo[PLAN_NODES + 1];
    struct view shape[PLAN_NODES + 1], grad_shape[PLAN_NODES + 1];
    struct buffer buffers[2 * (PLAN_NODES + 1)];
};

static int
is_kind(const struct maker *k, int j, enum layer_kind kind)
{
    return j >= 1 && j < k->m->n_layers - 1 &&
           k->m->layers[j].spec.kind == kind;
}

static int
trainable(const struct maker *k, int j)
{
    return k->m->layers[j].ops->tensors != NULL;
}

static int
in_place(const struct maker *k, int j)
{
    return k->m->layers[j].ops->in_place;
}

/* What a tensor of shape s is stored as; `in`: the tensor that it is made of
 * channel by channel, or NULL. */
static struct view
shape_view(const struct shape *s, const struct view *in)
{
    struct view v = {.h = s->h, .w = s->w, .c = s->c, .flat = s->flat};

    v.cp = in == NULL ? KERN_PAD(s->c) : in->cp;
    if (in != NULL && s->flat) {
        v.h = in->h;
        v.w = in->w;
        v.c = in->c;
    }
    return v;
}

void
plan_shapes(const struct model *m, struct view shape[PLAN_NODES + 1])
{
    enum layer_kind first = m->layers[1].spec.kind;
    int j;

    shape[0] = (struct view){.h = 28, .w = 28, .c = 1, .cp = 1};
    shape[1] = shape[0];
    if (first != LAYER_CONV && first != LAYER_FLATTEN) {
        shape[1].cp = KERN_LANES;
    }
    for (j = 1; j < m->n_layers - 1; j++) {
        const struct layer_spec *l = &m->layers[j].spec;
        int fresh = l->kind == LAYER_CONV || l->kind == LAYER_DENSE;

        shape[j + 1] = shape_view(&l->out, fresh ? NULL : &shape[j]);
    }
}

static void
find_shapes(struct maker *k)
{
    int j;

    plan_shapes(k->m, k->shape);
    memcpy(k->grad_shape, k->shape, sizeof k->shape);
    for (j = 1; j < k->p->n_nodes - 1; j++) {
        if (is_kind(k, j, LAYER_CONV)) {
            k->grad_shape[j].cp = KERN_PAD(k->shape[j].c);
        }
    }
}

/* Which layer does the work of a neighbour, and who needs a gradient. */
static void
find_flags(struct maker *k)
{
    int j, inner = k->m->keep;

    for (j = 0; j < k->p->n_nodes; j++) {
        struct node *nd = &k->p->nodes[j];

        nd->need_dx = inner;
        inner |= trainable(k, j);
        if (is_kind(k, j, LAYER_RELU) &&
            (is_kind(k, j - 1, LAYER_CONV) || is_kind(k, j - 1, LAYER_DENSE))) {
            nd->skip |= SKIP_FORWARD;
            nd[-1].relu = 1;
        }
        if (is_kind(k, j, LAYER_BN) && is_kind(k, j - 1, LAYER_RELU)) {
            nd[-1].skip |= SKIP_BACKWARD;
            nd->masked = 1;
        }
        if (is_kind(k, j, LAYER_POOL) && is_kind(k, j - 1, LAYER_BN) &&
            nd->layer->spec.k == nd->layer->spec.stride && !k->m->keep) {
            nd->skip |= SKIP_FORWARD | SKIP_BACKWARD;
            nd[-1].pool = nd;
        }
    }
}

static void
find_halos(struct maker *k)
{
    int j;

    for (j = 1; j < k->p->n_nodes - 1; j++) {
        const struct layer_spec *l = &k->p->nodes[j].layer->spec;

        if (is_kind(k, j, LAYER_CONV)) {
            k->act_halo[j] = l->pad;
            if (k->p->nodes[j].need_dx) {
                k->grad_halo[j + 1] = l->k - 1 - l->pad;
            }
        } else if (in_place(k, j) ||
                   (is_kind(k, j, LAYER_BN) && !k->p->nodes[j].pool)) {
            /* Gradients of both sides share storage, or at least strides. */
            k->grad_halo[j + 1] = k->grad_halo[j];
        }
    }
}

/* Is node j a pooling that the BatchNorm before it does?  The tensor between
 * them is never stored; in the tables it stands for the pooling's result. */
static int
pooled(const struct maker *k, int j)
{
    return j > 0 && k->p->nodes[j - 1].pool != NULL;
}

static int
new_buffer(struct maker *k)
{
    k->buffers[k->n_buffers] = (struct buffer){.first_run = -1, .last_run = -1};
    return k->n_buffers++;
}

static void
share_buffers(struct maker *k)
{
    int j, n = k->p->n_nodes;

    k->act[0] = new_buffer(k);
    k->buffers[k->act[0]].given = 1;
    for (j = 0; j < n - 1; j++) {
        int given = k->buffers[k->act[j]].given;
        int same = is_kind(k, j, LAYER_FLATTEN) || (in_place(k, j) && !given);

        same |= is_kind(k, j, LAYER_DROPOUT) && !k->train;
        same |= pooled(k, j);
        if (j == 0 && is_kind(k, 1, LAYER_FLATTEN)) {
            same = 1;
            k->p->nodes[0].skip |= SKIP_FORWARD;
        }
        k->act[j + 1] = same ? k->act[j] : new_buffer(k);
    }
    k->grad[n - 1] = new_buffer(k);
    for (j = n - 2; j >= 0; j--) {
        int same = in_place(k, j) || pooled(k, j);

        if (is_kind(k, j, LAYER_FLATTEN) && k->grad_halo[j] == 0) {
            same = 1;
            k->p->nodes[j].skip |= SKIP_BACKWARD;
        }
        k->grad[j] = same ? k->grad[j + 1] : new_buffer(k);
    }
}

/* The halo of a buffer is the widest that any of its tensors needs. */
static void
size_buffers(struct maker *k)
{
    int j, pass;

    for (j = 0; j < k->p->n_nodes; j++) {
        struct buffer *a = &k->buffers[k->act[j]];
        struct buffer *g = &k->buffers[k->grad[j]];

        a->halo = a->halo > k->act_halo[j] ? a->halo : k->act_halo[j];
        g->halo = g->halo > k->grad_halo[j] ? g->halo : k->grad_halo[j];
    }
    for (j = 0; j < k->p->n_nodes; j++) {
        for (pass = 0; pass < 2 && !pooled(k, j); pass++) {
            struct view *v = pass ? &k->grad_shape[j] : &k->shape[j];
            struct buffer *b = &k->buffers[pass ? k->grad[j] : k->act[j]];
            size_t floats;

            v->halo = b->halo;
            v->pix = v->cp;
            v->row = (ptrdiff_t)(v->w + 2 * v->halo) * v->cp;
            floats = (size_t)(v->h + 2 * v->halo) * v->row;
            b->floats = KERN_PAD(floats);
            b->origin = v->halo * (v->row + v->pix);
        }
    }
}

static void
add_step(struct plan *p, const struct node *nd, const struct pass *pass,
         enum pass_when when)
{
    struct run *r = p->n_runs > 0 ? &p->runs[p->n_runs - 1] : NULL;
    int team = when != PASS_SAMPLE && when != PASS_BLOCK;

    assert(p->n_steps < PLAN_STEPS);
    if (team) {
        when = PASS_TEAM;
    }
    if (r == NULL || r->when != when) {
        int barrier = r != NULL && (team || r->when == PASS_TEAM);

        p->runs[p->n_runs++] = (struct run){when, barrier, p->n_steps, 0};
        r = &p->runs[p->n_runs - 1];
    }
    r->n++;
    p->steps[p->n_steps++] = (struct step){pass->run, nd, pass->uses};
}

/* Adds the passes of a node that stand aside (FIRST or LATE), or else those
 * that run in their place. */
static void
add_passes(struct plan *p, const struct node *nd, const struct pass *pass,
           int aside, int skip)
{
    for (; pass->when != PASS_END && !(nd->skip & skip); pass++) {
        enum pass_when when = pass->when;

        if ((when == PASS_FIRST || when == PASS_LATE) != aside) {
            continue;
        }
        if (when == PASS_SAMPLE && nd->in.flat && nd->out.flat) {
            when = PASS_BLOCK;
        }
        add_step(p, nd, pass, when);
    }
}

static void
add_forward(struct maker *k, int aside)
{
    int j;

    for (j = 0; j < k->p->n_nodes; j++) {
        const struct node *nd = &k->p->nodes[j];
        const struct layer_ops *ops = nd->layer->ops;

        add_passes(k->p, nd, k->train ? ops->train : ops->eval, aside,
                   SKIP_FORWARD);
    }
}

static void
add_backward(struct maker *k, int aside)
{
    int j;

    for (j = k->p->n_nodes - 1; j >= 0; j--) {
        const struct node *nd = &k->p->nodes[j];

        if (nd->need_dx || trainable(k, j)) {
            add_passes(k->p, nd, nd->layer->ops->back, aside, SKIP_BACKWARD);
        }
    }
}

static void
add_all(struct maker *k)
{
    add_forward(k, 1);
    add_forward(k, 0);
    if (k->train) {
        add_backward(k, 0);
        add_backward(k, 1);
    }
}

static void
use_buffer(struct maker *k, int b, int run)
{
    struct buffer *u = &k->buffers[b];

    if (u->first_run < 0) {
        u->first_run = run;
    }
    u->last_run = run;
    u->whole |= k->p->runs[run].when != PASS_SAMPLE || k->m->keep;
}

static void
find_lifetimes(struct maker *k)
{
    int r, s;

    for (r = 0; r < k->p->n_runs; r++) {
        const struct run *run = &k->p->runs[r];

        for (s = run->first; s < run->first + run->n; s++) {
            const struct step *st = &k->p->steps[s];
            int j = (int)(st->node - k->p->nodes);

            if (st->uses & USE_IN) {
                use_buffer(k, k->act[j], r);
            }
            if (st->uses & USE_OUT) {
                use_buffer(k, k->act[j + 1], r);
            }
            if ((st->uses & USE_DIN) && st->node->need_dx) {
                use_buffer(k, k->grad[j], r);
            }
            if (st->uses & USE_DOUT) {
                use_buffer(k, k->grad[j + 1], r);
            }
        }
    }
}

static void
place_buffers(struct maker *k)
{
    struct plan *p = k->p;
    int i;

    for (i = 0; i < k->n_buffers; i++) {
        struct buffer *b = &k->buffers[i];
        int whole = b->whole || b->first_run != b->last_run;

        if (b->given || b->first_run < 0) {
            continue;
        }
        if (whole) {
            b->offset = p->batch_floats;
            p->batch_floats += b->floats * k->m->opt.max_batch;
        } else {
            b->offset = p->thread_floats;
            p->thread_floats += b->floats;
        }
        b->whole = whole;
    }
}

static void
place_view(struct maker *k, struct view *v, const struct view *shape, int b)
{
    const struct buffer *u = &k->buffers[b];

    *v = *shape;
    v->sample = u->given ? 784 : u->whole ? (ptrdiff_t)u->floats : 0;
    v->offset = -1;
    if (!u->given && u->first_run >= 0) {
        v->offset = (ptrdiff_t)u->offset + u->origin;
    }
}

static void
place_views(struct maker *k)
{
    int j;

    for (j = 0; j < k->p->n_nodes; j++) {
        struct node *nd = &k->p->nodes[j];

        place_view(k, &nd->in, &k->shape[j], k->act[j]);
        place_view(k, &nd->din, &k->grad_shape[j], k->grad[j]);
        if (j + 1 < k->p->n_nodes) {
            place_view(k, &nd->out, &k->shape[j + 1], k->act[j + 1]);
            place_view(k, &nd->dout, &k->grad_shape[j + 1], k->grad[j + 1]);
        }
    }
}

int
plan_make(struct plan *p, struct model *m, int train, struct err *e)
{
    struct maker *k = mem_zalloc(1, sizeof *k);
    int j;

    if (k == NULL) {
        return err_nomem(e, "a model's plan", sizeof *k);
    }
    memset(p, 0, sizeof *p);
    *k = (struct maker){.p = p, .m = m, .train = train};
    p->n_nodes = m->n_layers;
    for (j = 0; j < p->n_nodes; j++) {
        p->nodes[j].layer = &m->layers[j];
        p->nodes[j].in.flat = m->layers[j].spec.in.flat;
        p->nodes[j].out.flat = m->layers[j].spec.out.flat;
    }
    find_shapes(k);
    find_flags(k);
    find_halos(k);
    share_buffers(k);
    size_buffers(k);
    add_all(k);
    find_lifetimes(k);
    place_buffers(k);
    place_views(k);
    mem_free(k);
    return 0;
}

/* Threads' scratch areas lie a page and a line apart, so that equal offsets of
 * two threads do not fall on the same sets of a shared cache. */
static size_t
thread_stride(const struct plan *p)
{
    return p->thread_floats + 1024 + KERN_LANES;
}

size_t
plan_floats(const struct plan *p, const struct model *m)
{
    return p->batch_floats + thread_stride(p) * m->opt.threads;
}

static void
bind_view(struct view *v, const struct plan *p)
{
    float *thread0 = p->memory + p->batch_floats;

    if (v->offset < 0) {
        return;
    }
    v->base = (v->sample ? p->memory : thread0) + v->offset;
    v->thread = v->sample ? 0 : (ptrdiff_t)thread_stride(p);
}

void
plan_bind(struct plan *p)
{
    int j;

    for (j = 0; j < p->n_nodes; j++) {
        bind_view(&p->nodes[j].in, p);
        bind_view(&p->nodes[j].out, p);
        bind_view(&p->nodes[j].din, p);
        bind_view(&p->nodes[j].dout, p);
    }
}

void
plan_release(struct plan *p)
{
    mem_free(p->memory);
    p->memory = NULL;
}
