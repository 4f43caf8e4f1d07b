/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/model.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"
#include "fmnist/sys.h"
#include "nn/model_debug.h"
#include "nn/model_impl.h"

static const struct layer_ops *const OPS[] = {
    [LAYER_CONV] = &LAYER_OPS_CONV,       [LAYER_RELU] = &LAYER_OPS_RELU,
    [LAYER_BN] = &LAYER_OPS_BN,           [LAYER_POOL] = &LAYER_OPS_POOL,
    [LAYER_FLATTEN] = &LAYER_OPS_FLATTEN, [LAYER_DENSE] = &LAYER_OPS_DENSE,
    [LAYER_DROPOUT] = &LAYER_OPS_DROPOUT,
};

size_t
needs_floats(size_t *slab, size_t n)
{
    size_t at = *slab;

    *slab += KERN_PAD(n);
    return at;
}

static void
make_layers(struct model *m)
{
    struct view shape[PLAN_NODES + 1];
    const struct spec *s = &m->spec;
    int j;

    m->n_layers = s->n + 2;
    m->layers[0].ops = &LAYER_OPS_INPUT;
    m->layers[0].number = -1;
    m->layers[0].spec.in = m->layers[0].spec.out = s->layers[0].in;
    for (j = 0; j < s->n; j++) {
        m->layers[j + 1].ops = OPS[s->layers[j].kind];
        m->layers[j + 1].spec = s->layers[j];
        m->layers[j + 1].number = j;
    }
    m->layers[s->n + 1].ops = &LAYER_OPS_LOSS;
    m->layers[s->n + 1].number = -1;
    m->layers[s->n + 1].spec.in = s->layers[s->n - 1].out;
    m->layers[s->n + 1].spec.out = s->layers[s->n - 1].out;
    plan_shapes(m, shape);
    m->need.train = m->opt.train;
    m->need.max_batch = m->opt.max_batch;
    for (j = 0; j < m->n_layers; j++) {
        m->layers[j].in_cp = shape[j].cp;
        if (shape[j].flat) {
            m->layers[j].flat_in = (int)view_features(&shape[j]);
        }
        if (m->layers[j].ops->reserve != NULL) {
            m->layers[j].ops->reserve(&m->layers[j], &m->need);
        }
    }
}

static int
check_memory(const struct model *m, struct err *e)
{
    uint64_t available = sys_memory_available();
    uint64_t floats = m->need.params * (m->opt.train ? 2 : 1) + m->need.stats +
                      m->need.work + plan_floats(&m->eval, m);
    uint64_t bytes;

    if (m->opt.train) {
        floats += plan_floats(&m->train, m);
    }
    bytes = floats * sizeof(float) + m->need.bytes;
    if (bytes > available) {
        return err_set(e, ERR_NOMEM,
                       "the model needs %" PRIu64 " MB of memory with batches "
                       "of %d, %" PRIu64 " MB are available",
                       bytes >> 20, m->opt.max_batch, available >> 20);
    }
    return 0;
}

/* A slab of n zeros, or NULL in *failed's stead. */
static float *
slab(size_t n, size_t *failed)
{
    float *p = mem_aligned(n + KERN_LANES, sizeof *p);

    if (p == NULL) {
        *failed = (n + KERN_LANES) * sizeof *p;
    }
    return p;
}

static int
allocate(struct model *m, struct err *e)
{
    size_t failed = 0, batch = m->opt.max_batch;

    m->params = slab(m->need.params, &failed);
    m->stats = slab(m->need.stats, &failed);
    m->work = slab(m->need.work, &failed);
    m->eval.memory = slab(plan_floats(&m->eval, m), &failed);
    m->bytes = mem_aligned(m->need.bytes + 64, 1);
    if (m->opt.train) {
        m->grads = slab(m->need.params, &failed);
        m->train.memory = slab(plan_floats(&m->train, m), &failed);
        m->losses = mem_zalloc(batch, sizeof *m->losses);
        m->hits = mem_zalloc(batch, sizeof *m->hits);
        if (m->losses == NULL || m->hits == NULL) {
            failed = batch * sizeof *m->losses;
        }
    }
    if (m->bytes == NULL) {
        failed = m->need.bytes + 64;
    }
    return failed ? err_nomem(e, "the model", failed) : 0;
}

static int
build(struct model *m, struct err *e)
{
    int rc;

    make_layers(m);
    if ((rc = param_table(m, e)) < 0 ||
        (rc = plan_make(&m->eval, m, 0, e)) < 0) {
        return rc;
    }
    if (m->opt.train && (rc = plan_make(&m->train, m, 1, e)) < 0) {
        return rc;
    }
    if ((rc = check_memory(m, e)) < 0 || (rc = allocate(m, e)) < 0) {
        return rc;
    }
    plan_bind(&m->eval);
    if (m->opt.train) {
        plan_bind(&m->train);
    }
    model_init(m, 0);
    return 0;
}

static int
model_make(const struct spec *s, const struct kern *k,
           const struct model_options *opt, int keep, struct model **out,
           struct err *e)
{
    struct model *m = mem_zalloc(1, sizeof *m);
    int rc;

    assert(opt->threads >= 1 && opt->max_batch >= 1 && s->n >= 1);
    if (m == NULL) {
        return err_nomem(e, "the model", sizeof *m);
    }
    m->spec = *s;
    m->k = k;
    m->opt = *opt;
    m->keep = keep;
    rc = team_new(opt->threads, &m->team, e);
    if (rc < 0 || (rc = build(m, e)) < 0) {
        model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

int
model_new(const struct spec *s, const struct kern *k,
          const struct model_options *opt, struct model **out, struct err *e)
{
    return model_make(s, k, opt, 0, out, e);
}

int
model_outline(const struct spec *s, struct model **out, struct err *e)
{
    struct model *m = mem_zalloc(1, sizeof *m);
    int rc;

    if (m == NULL) {
        return err_nomem(e, "the model", sizeof *m);
    }
    m->spec = *s;
    m->opt = (struct model_options){.threads = 1, .max_batch = 1};
    make_layers(m);
    rc = param_table(m, e);
    if (rc < 0) {
        model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

int
model_new_debug(const struct spec *s, const struct kern *k,
                const struct model_options *opt, struct model **out,
                struct err *e)
{
    struct model_options train = *opt;

    train.train = 1;
    return model_make(s, k, &train, 1, out, e);
}

void
model_free(struct model *m)
{
    if (m == NULL) {
        return;
    }
    team_free(m->team);
    plan_release(&m->train);
    plan_release(&m->eval);
    mem_free(m->params);
    mem_free(m->grads);
    mem_free(m->stats);
    mem_free(m->work);
    mem_free(m->bytes);
    mem_free(m->losses);
    mem_free(m->hits);
    mem_free(m->tensors);
    mem_free(m);
}

struct init {
    struct rng rng;
    uint64_t first; /* draw of the tensor's element 0 */
    double bound;
};

static void
set_uniform(float *at, size_t n, void *ctx)
{
    const struct init *d = ctx;
    double u = rng_to_double(rng_u32(&d->rng, d->first + n));

    *at = (float)((2 * u - 1) * d->bound);
}

static void
set_constant(float *at, size_t n, void *ctx)
{
    (void)n;
    *at = *(const float *)ctx;
}

/* Convolution and dense layers: weight, then bias. */
static void
init_weights(struct model *m, const struct param *t, uint64_t seed)
{
    const struct layer *l = &m->layers[t->layer];
    double fan_in = (double)l->spec.in.c;
    struct init d = {
        {seed, RNG_INIT + (uint32_t)l->number * RNG_STRIDE, 0}, 0, 0};

    if (l->spec.kind == LAYER_CONV) {
        fan_in *= (double)l->spec.k * l->spec.k;
    }
    if (t->info.ndim == 1) {
        d.first = (uint64_t)(fan_in * l->spec.units);
    }
    d.bound = 1.0 / sqrt(fan_in);
    param_each(t, m->params, set_uniform, &d);
}

void
model_init(struct model *m, uint64_t seed)
{
    int i;

    for (i = 0; i < m->n_tensors; i++) {
        const struct param *t = &m->tensors[i];
        struct layer *l = &m->layers[t->layer];
        float *to = t->in_stats ? m->stats : m->params;
        float value;

        if (t->info.is_int64) {
            l->tracked = 0;
        } else if (l->spec.kind == LAYER_BN) {
            value = strstr(t->info.name, "weight") != NULL ||
                    strstr(t->info.name, "running_var") != NULL;
            param_each(t, to, set_constant, &value);
        } else {
            init_weights(m, t, seed);
        }
    }
}

void
model_train_batch(struct model *m, const float *x, const uint8_t *labels, int n,
                  const struct model_step *step, double *loss_sum, int *correct)
{
    const struct exec job = {
        .m = m, .x = x, .labels = labels, .step = step, .n = n};
    int i;

    assert(m->opt.train && n >= 1 && n <= m->opt.max_batch);
    exec_run(&m->train, &job);
    *loss_sum = 0;
    *correct = 0;
    for (i = 0; i < n; i++) {
        *loss_sum += m->losses[i];
        *correct += m->hits[i];
    }
}

void
model_forward(struct model *m, const float *x, int n, float *logits)
{
    const struct exec job = {.m = m, .x = x, .logits = logits, .n = n};

    assert(n >= 1 && n <= m->opt.max_batch);
    exec_run(&m->eval, &job);
}

void
model_session(struct model *m, void (*body)(void *arg), void *arg)
{
    team_session(m->team, body, arg);
}

size_t
model_slab_size(const struct model *m)
{
    return m->need.params;
}

float *
model_params(struct model *m)
{
    return m->params;
}

float *
model_grads(struct model *m)
{
    return m->grads;
}

const struct kern *
model_kern(const struct model *m)
{
    return m->k;
}

void
model_set_masks(struct model *m, int layer, const uint8_t *mask)
{
    assert(m->spec.layers[layer].kind == LAYER_DROPOUT);
    m->layers[layer + 1].masks = mask;
}

/* Copies n samples of a tensor out in PyTorch's order (c, y, x). */
static void
copy_view(const struct view *v, int n, float *out)
{
    int i, c, y, q;

    for (i = 0; i < n; i++) {
        for (c = 0; c < v->c; c++) {
            for (y = 0; y < v->h; y++) {
                for (q = 0; q < v->w; q++) {
                    *out++ =
                        v->base[i * v->sample + y * v->row + q * v->pix + c];
                }
            }
        }
    }
}

void
model_layer_output(const struct model *m, int layer, int n, float *out)
{
    assert(m->keep);
    copy_view(&m->train.nodes[layer + 1].out, n, out);
}

void
model_layer_gradient(const struct model *m, int layer, int n, float *out)
{
    assert(m->keep);
    copy_view(&m->train.nodes[layer + 1].din, n, out);
}
