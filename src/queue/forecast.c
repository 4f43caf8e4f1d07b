/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/forecast.h"

#include <math.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_cost.h"
#include "fmnist/sys.h"

/* More workers than a machine has are no forecast. */
#define MAX_WORKERS 256

/* What a model costs for one image. */
struct arithmetic {
    double train, forward;
};

struct forecaster {
    struct cost_row *past;
    struct arithmetic *cost; /* of each */
    size_t n;
    char kernel[16], host[80];
};

static struct arithmetic
arithmetic(const char *text)
{
    struct arithmetic a = {0};
    struct spec s;

    if (spec_parse(text, &s, NULL) == 0) {
        a.train = spec_flops_train(&s);
        a.forward = spec_flops_forward(&s);
    }
    return a;
}

int
forecaster_new(struct store *s, const char *kernel, struct forecaster **out,
               struct err *e)
{
    struct forecaster *f = mem_zalloc(1, sizeof *f);
    int rc;

    *out = NULL;
    if (!f) {
        return err_nomem(e, "a forecast", sizeof *f);
    }
    strncpy(f->kernel, kernel, sizeof f->kernel - 1);
    sys_host(f->host, sizeof f->host);
    rc = store_costs_past(s, &f->past, &f->n, e);
    if (rc == 0) {
        f->cost = mem_zalloc(f->n + 1, sizeof *f->cost);
        rc = f->cost ? 0 : err_nomem(e, "a forecast", f->n * sizeof *f->cost);
    }
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        f->cost[i] = arithmetic(f->past[i].spec);
    }
    if (rc < 0) {
        forecaster_free(f);
        return rc;
    }
    *out = f;
    return 0;
}

void
forecaster_free(struct forecaster *f)
{
    if (!f) {
        return;
    }
    mem_free(f->past);
    mem_free(f->cost);
    mem_free(f);
}

/* ---- time ---------------------------------------------------------------- */

/* A row that was changed by hand can hold anything, and casts of its figures
 * must not overflow. */
static int
is_sound(const struct cost_row *r)
{
    return r->n_images > 0 && r->n_fixed_test <= r->n_images &&
           r->test_fraction >= 0 && r->test_fraction <= 1 &&
           r->val_fraction >= 0 && r->val_fraction <= 1 &&
           r->epochs_done >= 0 && r->epochs >= r->epochs_done &&
           !(r->seconds < 0);
}

/* The sizes of the parts, but for rounding in each class. */
static void
parts_of(const struct cost_row *r, double n[N_PARTS])
{
    double all = r->n_images;

    n[PART_TEST] = r->n_fixed_test ? r->n_fixed_test : all * r->test_fraction;
    n[PART_VAL] = (all - n[PART_TEST]) * r->val_fraction;
    n[PART_TRAIN] = all - n[PART_TEST] - n[PART_VAL];
}

/* Of one epoch. */
static double
work(const struct arithmetic *a, const double n[N_PARTS])
{
    return n[PART_TRAIN] * a->train + (n[PART_VAL] + n[PART_TEST]) * a->forward;
}

/* How well an earlier run serves: what counts most first. */
struct likeness {
    int place;    /* same model, host, kernel: a bit each */
    double ratio; /* of the arithmetic of both models, >= 1 */
    int detail;   /* threads, batch size, set, optimizer */
};

static struct likeness
compare(const struct forecaster *f, size_t i, const struct forecast_task *t,
        const struct arithmetic *cost)
{
    const struct cost_row *r = &f->past[i];
    double ratio = f->cost[i].train / cost->train;

    return (struct likeness){
        .place = (strcmp(r->spec, t->spec) == 0) << 2 |
                 (strcmp(r->host, f->host) == 0) << 1 |
                 (strcmp(r->kernel, f->kernel) == 0),
        .ratio = ratio < 1 ? 1 / ratio : ratio,
        .detail = (r->threads == t->threads) << 3 |
                  (r->batch_size == t->batch_size) << 2 |
                  (r->dataset_id == t->dataset_id) << 1 |
                  (r->optimizer == t->optimizer),
    };
}

static int
is_better(const struct likeness *a, const struct likeness *b)
{
    if (a->place != b->place) {
        return a->place > b->place;
    }
    if (a->ratio != b->ratio) {
        return a->ratio < b->ratio;
    }
    return a->detail > b->detail;
}

void
forecast_run(const struct forecaster *f, const struct forecast_task *t,
             struct forecast *out)
{
    const struct arithmetic cost = arithmetic(t->spec);
    const double n[N_PARTS] = {t->n[0], t->n[1], t->n[2]};
    struct likeness best = {0};
    double then[N_PARTS];
    size_t at = f->n;

    *out = (struct forecast){.seconds = (double)NAN};
    for (size_t i = 0; i < f->n; i++) {
        struct likeness l = compare(f, i, t, &cost);

        /* Models that this program does not know have no arithmetic. */
        if (f->cost[i].train > 0 && is_sound(&f->past[i]) &&
            isfinite(f->past[i].seconds) &&
            (at == f->n || is_better(&l, &best))) {
            best = l;
            at = i;
        }
    }
    if (at == f->n) {
        return;
    }
    const struct cost_row *r = &f->past[at];
    parts_of(r, then);
    out->seconds = r->seconds * work(&cost, n) / work(&f->cost[at], then) *
                   (double)t->epochs;
    out->basis = best.place & 4 ? FORECAST_LIKE : FORECAST_SCALED;
    out->runs = r->runs;
    out->newest = r->id;
    out->elsewhere = (best.place & 3) != 3;
}

void
forecast_words(const struct forecast *f, struct str *out)
{
    long long run = f->newest;

    switch (f->basis) {
    case FORECAST_UNKNOWN:
        str_add(out, "no run has an epoch yet");
        return;
    case FORECAST_LIKE:
        if (f->runs == 1) {
            str_addf(out, "as run %lld took", run);
        } else {
            str_addf(out, "as %d runs of this model took", f->runs);
        }
        break;
    case FORECAST_SCALED:
        str_addf(out, "scaled from run %lld, another model", run);
        break;
    }
    str_add(out, f->elsewhere ? ", on another machine" : "");
}

double
forecast_makespan(const double *seconds, size_t n, int workers)
{
    double busy[MAX_WORKERS] = {0}, last = 0;
    int k = workers < MAX_WORKERS ? workers : MAX_WORKERS;

    for (size_t i = 0; i < n; i++) {
        int next = 0;

        for (int w = 1; w < k; w++) {
            next = busy[w] < busy[next] ? w : next;
        }
        busy[next] += seconds[i];
        last = busy[next] > last ? busy[next] : last;
    }
    return last;
}

/* What is left of a run; NaN: unknown. */
static double
time_left(const struct forecaster *f, const struct cost_row *r)
{
    double n[N_PARTS];
    struct forecast out;
    struct forecast_task t = {
        .spec = r->spec,
        .dataset_id = r->dataset_id,
        .batch_size = r->batch_size,
        .optimizer = r->optimizer,
        .threads = r->threads ? r->threads : sys_cpus(),
    };

    if (!is_sound(r)) {
        return (double)NAN;
    }
    t.epochs = r->epochs - r->epochs_done;
    if (isfinite(r->seconds)) {
        return r->seconds * (double)t.epochs;
    }
    parts_of(r, n);
    for (int i = 0; i < N_PARTS; i++) {
        t.n[i] = (uint32_t)n[i];
    }
    forecast_run(f, &t, &out);
    return out.seconds;
}

int
forecast_queue(const struct forecaster *f, struct store *s, int workers,
               struct forecast_queue *out, struct err *e)
{
    struct cost_row *rows;
    size_t n, known = 0;
    double *seconds;
    int running = 0;
    int rc = store_costs_live(s, &rows, &n, e);

    *out = (struct forecast_queue){0};
    if (rc < 0) {
        return rc;
    }
    seconds = mem_zalloc(n + 1, sizeof *seconds);
    if (!seconds) {
        mem_free(rows);
        return err_nomem(e, "a forecast", n * sizeof *seconds);
    }
    for (size_t i = 0; i < n; i++) {
        double left = time_left(f, &rows[i]);

        running += rows[i].running;
        if (isfinite(left)) {
            seconds[known++] = left;
        }
    }
    out->runs = (int)n;
    out->unknown = (int)(n - known);
    out->seconds = forecast_makespan(seconds, known,
                                     running > workers ? running : workers);
    mem_free(seconds);
    mem_free(rows);
    return 0;
}
