/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nn/model_impl.h"

static void
run_steps(const struct step *st, int n, const struct exec *x, int i0, int i1)
{
    int s;

    for (s = 0; s < n; s++) {
        st[s].run(x, st[s].node, i0, i1);
    }
}

/* All of a plan as one thread sees it; its samples are whole slices. */
static void
run_plan(const struct plan *p, const struct exec *x)
{
    int i0 = slice_begin(x, x->slices * x->thread / x->threads);
    int i1 = slice_begin(x, x->slices * (x->thread + 1) / x->threads);
    int r, i;

    for (r = 0; r < p->n_runs; r++) {
        const struct run *run = &p->runs[r];
        const struct step *st = &p->steps[run->first];

        if (run->barrier) {
            team_barrier(x->m->team);
        }
        if (run->when == PASS_TEAM) {
            run_steps(st, run->n, x, 0, 0);
        } else if (run->when == PASS_BLOCK && i0 < i1) {
            run_steps(st, run->n, x, i0, i1);
        } else {
            for (i = i0; i < i1; i++) {
                run_steps(st, run->n, x, i, i + 1);
            }
        }
    }
}

struct job {
    const struct plan *plan;
    const struct exec *exec;
};

static void
run_member(void *arg, int member, int members)
{
    const struct job *j = arg;
    struct exec x = *j->exec;

    kern_thread_init();
    x.k = x.m->k;
    x.slices = x.n < MODEL_SLICES ? x.n : MODEL_SLICES;
    x.thread = member;
    x.threads = members;
    run_plan(j->plan, &x);
}

void
exec_run(const struct plan *p, const struct exec *x)
{
    struct job j = {p, x};

    team_run(x->m->team, run_member, &j);
}

void
team_share(const struct exec *x, size_t n, size_t *begin, size_t *end)
{
    size_t lines = (n + KERN_LANES - 1) / KERN_LANES;

    *begin = lines * x->thread / x->threads * KERN_LANES;
    *end = lines * (x->thread + 1) / x->threads * KERN_LANES;
    *end = *end < n ? *end : n;
    *begin = *begin < n ? *begin : n;
}

/* Pieces of a merge that stay in the nearest cache for all slices. */
#define MERGE_PIECE 256

void
team_merge(const struct exec *x, float *sums, size_t stride, size_t begin,
           size_t end)
{
    size_t at, len;
    int s, step;

    for (at = begin; at < end; at += len) {
        len = end - at < MERGE_PIECE ? end - at : MERGE_PIECE;
        for (step = 1; step < x->slices; step *= 2) {
            for (s = 0; s + step < x->slices; s += 2 * step) {
                x->k->add(sums + s * stride + at,
                          sums + (s + step) * stride + at, len);
            }
        }
    }
}

struct kern_map
layer_map(const struct view *a, const struct view *b, int rows)
{
    struct kern_map g = {a->h, a->w, a->cp, a->pix, a->row, b->pix, b->row};

    if (a->flat) {
        g.h = 1;
        g.w = rows;
        g.c = (int)view_features(a);
        g.x_pix = a->sample;
        g.y_pix = b->sample;
    }
    return g;
}
