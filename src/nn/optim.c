/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/optim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/num.h"
#include "fmnist/str.h"
#include "nn/model_impl.h"
#include "nn/safetensors.h"

#define BETA1 0.9
#define BETA2 0.999
#define ADAM_EPS 1e-8

const char *const OPTIM_NAMES[N_OPTIMIZERS] = {
    [OPTIM_SGD] = "sgd",
    [OPTIM_ADAM] = "adam",
    [OPTIM_ADAMW] = "adamw",
};

/* Slabs of moments: SGD has the momentum's, if any; Adam two. */
struct optim {
    struct model *m;
    struct optim_options opt;
    uint64_t steps;
    int n_slabs;
    float *slab[2];
};

static int
count_slabs(const struct optim_options *opt)
{
    return opt->kind == OPTIM_SGD ? opt->momentum != 0 : 2;
}

int
optim_new(struct model *m, const struct optim_options *opt, struct optim **out,
          struct err *e)
{
    size_t floats = model_slab_size(m) + KERN_LANES;
    struct optim *o = mem_zalloc(1, sizeof *o);
    int i;

    if (o == NULL) {
        return err_nomem(e, "the optimizer", sizeof *o);
    }
    o->m = m;
    o->opt = *opt;
    o->n_slabs = count_slabs(opt);
    for (i = 0; i < o->n_slabs; i++) {
        o->slab[i] = mem_aligned(floats, sizeof(float));
        if (o->slab[i] == NULL) {
            optim_free(o);
            return err_nomem(e, "the optimizer's moments",
                             floats * sizeof(float));
        }
    }
    *out = o;
    return 0;
}

void
optim_free(struct optim *o)
{
    if (o == NULL) {
        return;
    }
    mem_free(o->slab[0]);
    mem_free(o->slab[1]);
    mem_free(o);
}

uint64_t
optim_steps(const struct optim *o)
{
    return o->steps;
}

static void
step_sgd(const struct optim *o, double lr, size_t begin, size_t n)
{
    const struct kern_sgd step = {
        .lr = lr,
        .momentum = o->opt.momentum,
        .weight_decay = o->opt.weight_decay,
        .nesterov = o->opt.nesterov,
        .first = o->steps == 1,
    };

    model_kern(o->m)->sgd(model_params(o->m) + begin,
                          o->slab[0] ? o->slab[0] + begin : NULL,
                          model_grads(o->m) + begin, n, &step);
}

static void
step_adam(const struct optim *o, double lr, size_t begin, size_t n)
{
    unsigned t = o->steps < UINT32_MAX ? (unsigned)o->steps : UINT32_MAX;
    const struct kern_adam step = {
        .lr = lr,
        .beta1 = BETA1,
        .beta2 = BETA2,
        .eps = ADAM_EPS,
        .bias1 = 1 - num_powi(BETA1, t),
        .sqrt_bias2 = sqrt(1 - num_powi(BETA2, t)),
        .weight_decay = o->opt.weight_decay,
        .decoupled = o->opt.kind == OPTIM_ADAMW,
    };

    model_kern(o->m)->adam(model_params(o->m) + begin, o->slab[0] + begin,
                           o->slab[1] + begin, model_grads(o->m) + begin, n,
                           &step);
}

struct optim_job {
    const struct optim *o;
    double lr;
};

static void
step_share(void *arg, int member, int members)
{
    const struct optim_job *j = arg;
    struct exec x = {.thread = member, .threads = members};
    size_t begin, end;

    kern_thread_init();
    team_share(&x, model_slab_size(j->o->m), &begin, &end);
    if (begin < end && j->o->opt.kind == OPTIM_SGD) {
        step_sgd(j->o, j->lr, begin, end - begin);
    } else if (begin < end) {
        step_adam(j->o, j->lr, begin, end - begin);
    }
}

void
optim_step(struct optim *o, double lr)
{
    struct optim_job j = {o, lr};

    o->steps++;
    team_run(o->m->team, step_share, &j);
}

/* Which tensor of the model and which slab a tensor of the file is. */
struct moment {
    int tensor, slab;
};

struct listing {
    struct st_tensor *t;
    struct moment *which;
    int n;
    struct meta_pair *meta; /* "step" first */
};

static void
listing_release(struct listing *l)
{
    mem_free(l->t);
    mem_free(l->which);
    mem_free(l->meta);
}

/* The tensors and metadata keys of a state file. */
static int
listing_init(struct listing *l, const struct optim *o,
             const struct meta_pair *meta, int n_meta, struct err *e)
{
    static const char *const adam[] = {"exp_avg", "exp_avg_sq"};
    size_t max = (size_t)model_tensors(o->m) * 2;
    int i, s;

    memset(l, 0, sizeof *l);
    l->t = mem_zalloc(max, sizeof *l->t);
    l->which = mem_zalloc(max, sizeof *l->which);
    l->meta = mem_zalloc((size_t)n_meta + 1, sizeof *l->meta);
    if (l->t == NULL || l->which == NULL || l->meta == NULL) {
        return err_nomem(e, "a list of tensors", max * sizeof *l->t);
    }
    strcpy(l->meta[0].key, "step");
    snprintf(l->meta[0].value, sizeof l->meta[0].value, "%" PRIu64, o->steps);
    for (i = 0; i < n_meta; i++) {
        l->meta[i + 1] = meta[i];
    }
    for (s = 0; s < o->n_slabs; s++) {
        const char *prefix = o->opt.kind == OPTIM_SGD ? "momentum" : adam[s];

        for (i = 0; i < model_tensors(o->m); i++) {
            struct st_tensor *t = &l->t[l->n];
            struct model_tensor info;

            model_tensor(o->m, i, &info);
            if (!info.trainable) {
                continue;
            }
            snprintf(t->name, sizeof t->name, "%s.%s", prefix, info.name);
            t->ndim = info.ndim;
            memcpy(t->dim, info.dim, sizeof t->dim);
            l->which[l->n++] = (struct moment){i, s};
        }
    }
    return 0;
}

int
optim_save(const struct optim *o, const struct meta_pair *meta, int n_meta,
           void **out, size_t *size, struct err *e)
{
    struct listing l;
    unsigned char *bytes;
    int i, rc = listing_init(&l, o, meta, n_meta, e);

    if (rc == 0) {
        rc = st_create(l.t, l.n, l.meta, n_meta + 1, &bytes, size, e);
    }
    for (i = 0; rc == 0 && i < l.n; i++) {
        model_tensor_get(o->m, l.which[i].tensor, o->slab[l.which[i].slab],
                         bytes + l.t[i].offset);
    }
    if (rc == 0) {
        *out = bytes;
    }
    listing_release(&l);
    return rc;
}

/* Checks the whole file, and fills l and the values of meta. */
static int
read_listing(struct listing *l, const struct optim *o, const void *bytes,
             size_t size, struct meta_pair *meta, int n_meta, long long *steps,
             struct err *e)
{
    int i, rc = listing_init(l, o, meta, n_meta, e);

    if (rc == 0) {
        rc = st_open(bytes, size, l->t, l->n, l->meta, n_meta + 1, e);
    }
    if (rc == 0 && (str_to_i64(l->meta[0].value, steps) < 0 || *steps < 0)) {
        rc = err_set(e, ERR_FAIL, "metadata step: not a number of steps");
    }
    for (i = 0; rc == 0 && i < n_meta; i++) {
        meta[i] = l->meta[i + 1];
    }
    return rc;
}

int
optim_load(struct optim *o, const void *bytes, size_t size,
           struct meta_pair *meta, int n_meta, struct err *e)
{
    struct listing l;
    long long steps;
    int i, rc = read_listing(&l, o, bytes, size, meta, n_meta, &steps, e);

    for (i = 0; rc == 0 && i < l.n; i++) {
        model_tensor_set(o->m, l.which[i].tensor, o->slab[l.which[i].slab],
                         (const unsigned char *)bytes + l.t[i].offset);
    }
    if (rc == 0) {
        o->steps = (uint64_t)steps;
    }
    listing_release(&l);
    return rc;
}

int
optim_check(struct model *m, const struct optim_options *opt, const void *bytes,
            size_t size, struct meta_pair *meta, int n_meta, struct err *e)
{
    struct optim o = {.m = m, .opt = *opt, .n_slabs = count_slabs(opt)};
    struct listing l;
    long long steps;
    int rc = read_listing(&l, &o, bytes, size, meta, n_meta, &steps, e);

    listing_release(&l);
    return rc;
}

int
optim_compare(struct model *m, const struct optim_options *opt, const void *a,
              size_t a_size, const void *b, size_t b_size,
              struct tensor_difference *out, struct err *e)
{
    struct optim o = {.m = m, .opt = *opt, .n_slabs = count_slabs(opt)};
    struct listing la = {0}, lb = {0};
    long long steps;
    int rc = read_listing(&la, &o, a, a_size, NULL, 0, &steps, e);

    if (rc == 0) {
        rc = read_listing(&lb, &o, b, b_size, NULL, 0, &steps, e);
    }
    if (rc == 0) {
        st_compare(a, la.t, b, lb.t, la.n, out);
    }
    listing_release(&la);
    listing_release(&lb);
    return rc;
}
