/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/grid.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"
#include "queue/grid_axis.h"

/* Spaces of up to so many combinations are drawn from without replacement. */
#define MAX_SHUFFLED (1u << 20)
/* Draws in a row that repeat runs before it is believed that no others are to
 * be found. */
#define MAX_MISSES 10000

struct work {
    const struct grid_request *q;
    struct grid *out;
    struct axis *axes;
    uint64_t total; /* combinations, UINT64_MAX for more; 0: not counted */
    size_t most;    /* of out->n */
};

/* ---- runs ---------------------------------------------------------------- */

/* " --lr 0.1 --seed 3": what is particular to the combination at work. */
static int
wrong_combination(const struct work *w, int rc, struct err *e)
{
    struct str b;

    str_init(&b);
    for (int i = 0; i < w->q->n_options; i++) {
        const struct axis *a = &w->axes[i];

        if (a->count != 1) {
            str_addf(&b, "%s--%s %.60s", b.len ? " " : "", a->name, a->now.s);
        }
    }
    if (b.len && !str_failed(&b)) {
        rc = err_wrap(e, rc, "%.300s", b.s);
    }
    str_release(&b);
    return rc;
}

static int
find_set(struct grid *g, const char *word)
{
    int i = 0;

    while (i < g->n_sets && strcmp(g->sets[i], word) != 0) {
        i++;
    }
    return i;
}

/* The number of a data set, which is new or not. */
static int
take_set(struct grid *g, const char *word, int *set, struct err *e)
{
    *set = find_set(g, word);
    if (*set < g->n_sets) {
        return 0;
    }
    char **p = mem_resize(g->sets, (size_t)g->n_sets + 1, sizeof *p);
    if (p) {
        g->sets = p;
        p[g->n_sets] = mem_strdup(word);
    }
    if (!p || !p[g->n_sets]) {
        return err_nomem(e, "the names of data sets", strlen(word) + 1);
    }
    g->n_sets++;
    return 0;
}

static const char **
model_part(struct hyper_model *m, const char *name)
{
    static const struct {
        const char *name;
        size_t offset;
    } parts[] = {
        {"preset", offsetof(struct hyper_model, preset)},
        {"spec", offsetof(struct hyper_model, spec)},
        {"hidden", offsetof(struct hyper_model, hidden)},
        {"filters", offsetof(struct hyper_model, filters)},
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, name) == 0) {
            return (const char **)(void *)((char *)m + parts[i].offset);
        }
    }
    return NULL;
}

/* The run of the combination at work. */
static int
make_run(const struct work *w, struct grid_run *r, struct err *e)
{
    struct hyper_model model = {0};
    const char *data = w->q->data;
    int n = w->q->n_options;
    int rc;

    for (int i = 0; i < n; i++) {
        const char **part = model_part(&model, w->axes[i].name);

        if (str_failed(&w->axes[i].now)) {
            return err_nomem(e, "a value", w->axes[i].now.cap);
        }
        if (part) {
            *part = w->axes[i].now.s;
        } else if (!w->axes[i].field) {
            data = w->axes[i].now.s;
        }
    }
    r->h = *w->q->base;
    rc = hyper_set_model(&r->h, &model, e);
    for (int i = 0; rc == 0 && i < n; i++) {
        const struct axis *a = &w->axes[i];

        if (a->field && !model_part(&model, a->name)) {
            rc = hyper_set(&r->h, a->field, a->now.s, e);
        }
    }
    if (rc == 0) {
        rc = hyper_check(&r->h, e);
    }
    return rc < 0 ? wrong_combination(w, rc, e)
                  : take_set(w->out, data, &r->set, e);
}

/* FNV-1a over the values that hyper_same compares. */
static uint64_t
hash_run(const struct grid_run *r)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)r->set;

    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const unsigned char *p = (const unsigned char *)&r->h + f->offset;
        size_t n = f->type == HYPER_TEXT ? strlen((const char *)p) : f->size;

        if (f->offset == offsetof(struct hyper, preset)) {
            continue;
        }
        while (n-- > 0) {
            hash = (hash ^ *p++) * 0x100000001b3u;
        }
    }
    return hash;
}

/* Where r is in `seen`, or the free place where it belongs. */
static size_t
bucket(const struct grid *g, const struct grid_run *r)
{
    size_t at = hash_run(r) & (g->buckets - 1);

    for (; g->seen[at]; at = (at + 1) & (g->buckets - 1)) {
        const struct grid_run *other = &g->runs[g->seen[at] - 1];

        if (other->set == r->set && hyper_same(&other->h, &r->h)) {
            break;
        }
    }
    return at;
}

/* Room for n runs, and one more that may prove to be a repetition. */
static int
reserve(struct grid *g, size_t n, struct err *e)
{
    struct grid_run *runs = mem_resize(g->runs, n + 1, sizeof *runs);
    size_t buckets = 16;
    uint32_t *seen;

    if (runs) {
        g->runs = runs;
    }
    while (buckets < 2 * n) {
        buckets *= 2;
    }
    seen = mem_zalloc(buckets, sizeof *seen);
    if (!runs || !seen) {
        mem_free(seen);
        return err_nomem(e, "the runs", n * sizeof *runs);
    }
    mem_free(g->seen);
    g->seen = seen;
    g->buckets = buckets;
    for (size_t i = 0; i < g->n; i++) {
        seen[bucket(g, &g->runs[i])] = (uint32_t)i + 1;
    }
    return 0;
}

/* Makes the run of the combination at work, unless there is such a one. */
static int
add_run(struct work *w, struct err *e)
{
    struct grid *g = w->out;
    struct grid_run *r = &g->runs[g->n];
    int rc = make_run(w, r, e);
    size_t at;

    if (rc < 0) {
        return rc;
    }
    r->request = g->requests;
    at = bucket(g, r);
    if (g->seen[at]) {
        g->repeated++;
    } else {
        g->seen[at] = (uint32_t)++g->n;
    }
    return 0;
}

/* ---- all of them --------------------------------------------------------- */

static void
set_combination(struct work *w, uint64_t number)
{
    for (int i = w->q->n_options - 1; i >= 0; i--) {
        struct axis *a = &w->axes[i];

        axis_value(a, number % a->count);
        number /= a->count;
    }
}

static int
expand_all(struct work *w, struct err *e)
{
    int rc = 0;

    for (uint64_t i = 0; rc == 0 && i < w->total; i++) {
        set_combination(w, i);
        rc = add_run(w, e);
    }
    return rc;
}

/* All combinations in an order that is drawn, until there are enough. */
static int
draw_shuffled(struct work *w, struct err *e)
{
    const struct rng r = {w->q->seed, RNG_GRID, UINT32_MAX};
    uint32_t n = (uint32_t)w->total;
    uint32_t *order = mem_alloc(n * sizeof *order);
    int rc = 0;

    if (!order) {
        return err_nomem(e, "an order", n * sizeof *order);
    }
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    rng_shuffle(&r, order, n);
    for (uint32_t i = 0; rc == 0 && i < n && w->out->n < w->most; i++) {
        set_combination(w, order[i]);
        rc = add_run(w, e);
    }
    mem_free(order);
    return rc;
}

static int
draw_each(struct work *w, struct err *e)
{
    size_t before, misses = 0;
    int rc = 0;

    for (uint64_t i = 0; w->out->n < w->most && misses < MAX_MISSES; i++) {
        for (int k = 0; k < w->q->n_options; k++) {
            axis_draw(&w->axes[k], w->q->seed, i);
        }
        before = w->out->n;
        rc = add_run(w, e);
        if (rc < 0) {
            break;
        }
        misses = w->out->n > before ? 0 : misses + 1;
    }
    return rc;
}

/* How many runs there are to make. */
static int
count(struct work *w, struct err *e)
{
    const struct grid_request *q = w->q;
    uint64_t n;

    w->total = 1;
    for (int i = 0; i < q->n_options; i++) {
        n = w->axes[i].count;
        w->total =
            n > 0 && w->total > UINT64_MAX / n ? UINT64_MAX : w->total * n;
    }
    if (q->draws > 0 && w->total == 1) {
        return err_set(e, ERR_USAGE,
                       "--random: there is nothing to draw from; give an "
                       "option a list or a range");
    }
    n = q->draws ? (uint64_t)q->draws : w->total;
    if (n > GRID_MAX_RUNS - w->out->n) {
        return err_set(e, ERR_USAGE,
                       "these are %llu runs; one call makes %d at most",
                       (unsigned long long)(n + w->out->n), GRID_MAX_RUNS);
    }
    w->most = w->out->n + (size_t)n;
    return 0;
}

/* Reads the options. */
static int
work_init(struct work *w, struct err *e)
{
    int n = w->q->n_options;
    int rc = 0;

    w->axes = mem_zalloc((size_t)n + 1, sizeof *w->axes);
    if (!w->axes) {
        return err_nomem(e, "the options", (size_t)n * sizeof *w->axes);
    }
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = axis_init(&w->axes[i], &w->q->options[i], w->q, e);
    }
    return rc == 0 ? count(w, e) : rc;
}

static void
work_release(struct work *w)
{
    for (int i = 0; w->axes && i < w->q->n_options; i++) {
        axis_release(&w->axes[i]);
    }
    mem_free(w->axes);
}

static int
expand(struct work *w, struct err *e)
{
    size_t repeated = w->out->repeated;
    int rc = reserve(w->out, w->most, e);

    if (rc < 0 || w->q->draws == 0) {
        return rc < 0 ? rc : expand_all(w, e);
    }
    rc = w->total > 0 && w->total <= MAX_SHUFFLED ? draw_shuffled(w, e)
                                                  : draw_each(w, e);
    w->out->repeated = repeated;
    return rc;
}

int
grid_check(const struct grid_request *q, struct err *e)
{
    struct grid none = {0};
    struct work w = {.q = q, .out = &none};
    int rc = work_init(&w, e);

    work_release(&w);
    return rc;
}

int
grid_add(struct grid *g, const struct grid_request *q, struct err *e)
{
    struct work w = {.q = q, .out = g};
    int rc = work_init(&w, e);

    if (rc == 0) {
        rc = expand(&w, e);
    }
    work_release(&w);
    g->requests++;
    if (rc < 0) {
        grid_release(g);
    }
    return rc;
}

void
grid_release(struct grid *g)
{
    for (int i = 0; i < g->n_sets; i++) {
        mem_free(g->sets[i]);
    }
    mem_free(g->sets);
    mem_free(g->runs);
    mem_free(g->seen);
    *g = (struct grid){0};
}
