/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "train/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

enum { META_EPOCH, META_BEST, META_LOSS, META_PEAK, META_ACC, N_META };

static const struct meta_pair META_KEYS[N_META] = {
    [META_EPOCH] = {.key = "epoch"},        [META_BEST] = {.key = "best_epoch"},
    [META_LOSS] = {.key = "best_val_loss"}, [META_PEAK] = {.key = "peak_epoch"},
    [META_ACC] = {.key = "peak_test_acc"},
};

void
checkpoint_release(struct checkpoint *c)
{
    mem_free(c->weights);
    mem_free(c->state);
    memset(c, 0, sizeof *c);
}

static void
meta_int(struct meta_pair *m, int v)
{
    snprintf(m->value, sizeof m->value, "%d", v);
}

static void
meta_real(struct meta_pair *m, double v)
{
    /* 17 digits identify a double. */
    snprintf(m->value, sizeof m->value, "%.17g", v);
}

int
checkpoint_take(struct checkpoint *out, const struct model *m,
                const struct optim *o, const struct progress *p, struct err *e)
{
    struct meta_pair meta[N_META];
    struct checkpoint c = {.epoch = p->epoch};
    int rc;

    memcpy(meta, META_KEYS, sizeof meta);
    meta_int(&meta[META_EPOCH], p->epoch);
    meta_int(&meta[META_BEST], p->best_epoch);
    meta_real(&meta[META_LOSS], p->best_loss);
    meta_int(&meta[META_PEAK], p->peak_epoch);
    meta_real(&meta[META_ACC], p->peak_acc);
    rc = model_save(m, &c.weights, &c.weights_size, e);
    if (rc == 0) {
        rc = optim_save(o, meta, N_META, &c.state, &c.state_size, e);
    }
    if (rc < 0) {
        checkpoint_release(&c);
        return rc;
    }
    checkpoint_release(out);
    *out = c;
    return 0;
}

void
checkpoint_move_weights(struct checkpoint *out, struct checkpoint *in)
{
    out->epoch = in->epoch;
    out->weights = in->weights;
    out->weights_size = in->weights_size;
    in->weights = NULL;
    in->weights_size = 0;
}

/* Reads what meta_int and meta_real wrote; -1 where it is something else. */
static int
read_progress(const struct meta_pair meta[N_META], struct progress *p)
{
    long long epoch, best, peak;

    if (str_to_i64(meta[META_EPOCH].value, &epoch) < 0 ||
        str_to_i64(meta[META_BEST].value, &best) < 0 ||
        str_to_i64(meta[META_PEAK].value, &peak) < 0 ||
        str_to_double(meta[META_LOSS].value, &p->best_loss) < 0 ||
        str_to_double(meta[META_ACC].value, &p->peak_acc) < 0) {
        return -1;
    }
    if (epoch < 1 || epoch > 1000000 || best < 0 || best > epoch || peak < 0 ||
        peak > epoch) {
        return -1;
    }
    p->epoch = (int)epoch;
    p->best_epoch = (int)best;
    p->peak_epoch = (int)peak;
    return 0;
}

/* rc: what reading the state gave, which filled meta. */
static int
accept_state(const struct checkpoint *c, int rc,
             const struct meta_pair meta[N_META], struct progress *p,
             struct err *e)
{
    if (rc < 0) {
        return err_wrap(e, rc, "the state of the checkpoint");
    }
    if (read_progress(meta, p) < 0 || p->epoch != c->epoch) {
        return err_set(e, ERR_FAIL,
                       "the state of the checkpoint of epoch %d is not that "
                       "of a run",
                       c->epoch);
    }
    return 0;
}

int
checkpoint_restore(const struct checkpoint *c, struct model *m, struct optim *o,
                   struct progress *p, struct err *e)
{
    struct meta_pair meta[N_META];
    int rc;

    memcpy(meta, META_KEYS, sizeof meta);
    rc = optim_load(o, c->state, c->state_size, meta, N_META, e);
    rc = accept_state(c, rc, meta, p, e);
    if (rc < 0) {
        return rc;
    }
    rc = model_load(m, c->weights, c->weights_size, e);
    if (rc < 0) {
        return err_wrap(e, rc, "the weights of the checkpoint");
    }
    return 0;
}

static struct optim_options
optim_of(const struct hyper *h)
{
    return (struct optim_options){
        .kind = (enum optimizer)h->optimizer,
        .momentum = h->momentum,
    };
}

static int
check_state(const struct checkpoint *c, const struct hyper *h, struct model *m,
            struct err *e)
{
    const struct optim_options oo = optim_of(h);
    struct meta_pair meta[N_META];
    struct progress p;
    int rc;

    memcpy(meta, META_KEYS, sizeof meta);
    rc = optim_check(m, &oo, c->state, c->state_size, meta, N_META, e);
    return accept_state(c, rc, meta, &p, e);
}

/* The tensors of h's model, to look at files by. */
static int
outline(const struct hyper *h, struct model **out, struct err *e)
{
    struct spec spec;
    int rc = spec_parse(h->spec, &spec, e);

    *out = NULL;
    return rc < 0 ? rc : model_outline(&spec, out, e);
}

int
checkpoint_check(const struct checkpoint *c, const struct hyper *h,
                 struct err *e)
{
    struct model *m;
    int rc = outline(h, &m, e);

    if (rc == 0) {
        rc = model_check(m, c->weights, c->weights_size, e);
        if (rc < 0) {
            err_wrap(e, rc, "the weights of the checkpoint");
        }
    }
    if (rc == 0 && c->state) {
        rc = check_state(c, h, m, e);
    }
    model_free(m);
    return rc;
}

int
checkpoint_compare(const struct checkpoint *a, const struct checkpoint *b,
                   const struct hyper *h, struct tensor_difference *out,
                   struct err *e)
{
    const struct optim_options oo = optim_of(h);
    struct tensor_difference weights;
    struct model *m;
    int rc = outline(h, &m, e);

    memset(out, 0, sizeof *out);
    if (rc == 0) {
        rc = model_compare(m, a->weights, a->weights_size, b->weights,
                           b->weights_size, out, e);
    }
    if (rc == 0 && !out->name[0] && a->state && b->state) {
        weights = *out;
        rc = optim_compare(m, &oo, a->state, a->state_size, b->state,
                           b->state_size, out, e);
        out->equal += weights.equal;
    }
    model_free(m);
    return rc;
}
