/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "walk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/filter.h"
#include "fmnist/forecast.h"
#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/store_cost.h"
#include "fmnist/worker.h"
#include "fuzz.h"

enum { MAX_ROWS = 500, MAX_RUNS = 6, MAX_BUILT = 20000 };

void
walk_result(int rc, const struct err *e)
{
    if (rc < 0)
        fuzz_refused(rc, e);
}

/* ---- rows ---------------------------------------------------------------- */

struct ids {
    int64_t id[MAX_RUNS];
    int n, rows;
};

/* Looks at each cell; keeps the first column of the first rows. */
static int
on_row(const struct row *r, void *arg, struct err *e)
{
    struct ids *ids = arg;
    int i;

    MUST(r->n > 0);
    for (i = 0; i < r->n; i++)
        MUST(r->names[i]);
    if (!r->cells)
        return 0;
    for (i = 0; i < r->n; i++) {
        const struct cell *c = &r->cells[i];

        if (c->type == CELL_TEXT) {
            MUST(c->s[c->n] == '\0');
            fuzz_visible(c->s);
        }
    }
    if (r->cells[0].type == CELL_INT && ids->n < MAX_RUNS)
        ids->id[ids->n++] = r->cells[0].i;
    if (++ids->rows == MAX_ROWS)
        return err_set(e, ERR_CANCEL, "enough");
    return 0;
}

static void
list(struct store *s, const char *filter, struct ids *out)
{
    struct run_query q = {.trash = 2, .sort = "id"};
    struct filter f;
    struct err e = {0};

    memset(out, 0, sizeof(*out));
    MUST(filter_compile(filter, store_run_columns(s), &f, NULL, &e) == 0);
    q.where = f.where;
    q.binds = f.binds;
    q.n_binds = f.n_binds;
    walk_result(store_runs(s, &q, on_row, out, &e), &e);
    filter_release(&f);
}

static void
select_all(struct store *s, const char *sql)
{
    struct ids ids = {0};
    struct err e = {0};

    walk_result(store_sql(s, sql, 10, on_row, &ids, &e), &e);
}

static void
resolve(struct store *s, const char *word)
{
    struct run_ids ids = {0};
    struct err e = {0};
    int rc = store_run_resolve(s, word, &ids, &e);

    walk_result(rc, &e);
    MUST(rc < 0 || ids.n > 0);
    mem_free(ids.ids);
}

/* ---- one run ------------------------------------------------------------- */

static void
predictions(struct store *s, int64_t id)
{
    struct predictions p;
    struct err e = {0};
    int rc = store_predictions(s, id, &p, &e);
    uint32_t i;

    walk_result(rc, &e);
    for (i = 0; rc == 0 && i < p.n; i++)
        MUST(p.truth[i] < N_CLASSES && p.predicted[i] < N_CLASSES);
    if (rc == 0)
        predictions_release(&p);
}

int
walk_is_small(const struct run *r)
{
    struct spec spec;

    return spec_parse(r->h.spec, &spec, NULL) < 0 ||
           (spec_parameters(&spec) <= MAX_BUILT &&
            spec_flops_train(&spec) <= 100.0 * MAX_BUILT);
}

/* What `predict` does with a run's weights. */
static void
predict(const struct run *r, const struct checkpoint *c)
{
    static uint8_t pixels[IMAGE_PIXELS];
    const struct dataset d = {.n = 1, .pixels = pixels};
    struct predictions p;
    struct err e = {0};
    int rc = trainer_predict(r->h.spec, c->weights, c->weights_size, &d, NULL,
                             1, &kern_scalar, 1, &p, &e);

    walk_result(rc, &e);
    if (rc == 0) {
        MUST(p.predicted[0] < N_CLASSES);
        predictions_release(&p);
    }
}

static void
checkpoint(struct store *s, const struct run *r, const char *kind)
{
    struct checkpoint c;
    struct err e = {0};
    int rc = store_checkpoint(s, r->id, kind, &c, &e);

    walk_result(rc, &e);
    if (rc == 0) {
        if (walk_is_small(r))
            predict(r, &c);
        checkpoint_release(&c);
    }
}

/* The texts that the program makes of a run's values. */
static void
describe(const struct run *r)
{
    struct hyper h = r->h;
    struct str b;
    struct err e = {0};
    int rc;

    str_init(&b);
    hyper_name(&h, &b);
    str_clear(&b);
    hyper_command(&h, &b);
    MUST(!str_failed(&b));
    str_release(&b);
    rc = hyper_check(&h, &e);
    walk_result(rc, &e);
    MUST(rc < 0 || forecast_bytes(&h, (const uint32_t[N_PARTS]){8, 1, 1}) > 0);
}

static void
one_run(struct store *s, int64_t id)
{
    struct confusion c;
    struct run r;
    struct err e = {0};
    int what, epoch, rc = store_run_get(s, id, &r, &e);

    walk_result(rc, &e);
    if (rc == 0) {
        MUST(memchr(r.name, '\0', sizeof(r.name)));
        describe(&r);
        checkpoint(s, &r, "last");
        checkpoint(s, &r, "best");
    }
    for (what = RUN_EPOCHS; what <= RUN_PREDICTIONS; what++) {
        struct ids ids = {0};

        walk_result(
            store_run_rows(s, id, (enum run_rows)what, on_row, &ids, &e), &e);
    }
    for (epoch = 0; epoch < 2; epoch++)
        walk_result(store_confusion(s, id, epoch, &c, &e), &e);
    predictions(s, id);
}

/* ---- data sets ----------------------------------------------------------- */

static void
sets(struct store *s)
{
    uint8_t pixels[IMAGE_PIXELS], label;
    struct dataset_row d;
    struct ids ids = {0};
    struct err e = {0};
    int i, k, rc;

    walk_result(store_datasets(s, on_row, &ids, &e), &e);
    for (i = 0; i < ids.n; i++) {
        walk_result(store_dataset_get(s, ids.id[i], &d, &e), &e);
        rc = store_image(s, ids.id[i], 10, pixels, &label, &e);
        walk_result(rc, &e);
        MUST(rc < 0 || label < N_CLASSES);
    }
    rc = store_dataset_find(s, "tiny", &d, &e);
    walk_result(rc, &e);
    for (k = 0; rc == 0 && k < N_CLASSES; k++)
        MUST(memchr(d.class_names[k], '\0', CLASS_NAME_MAX));
}

static void
workers(struct store *s)
{
    struct worker *w = NULL;
    struct err e = {0};
    size_t n = 0, i;
    int paused, count, rc = store_workers(s, &w, &n, &e);

    walk_result(rc, &e);
    for (i = 0; rc == 0 && i < n; i++)
        (void)worker_life(s, &w[i]);
    mem_free(w);
    walk_result(worker_count(s, &count, &e), &e);
    walk_result(store_queue_paused(s, &paused, &e), &e);
}

/* What runs to come will take, by what is said of those before. */
static void
forecast(struct store *s)
{
    struct forecast_task t = {.spec = "dense 10",
                              .dataset_id = 1,
                              .n = {800, 100, 100},
                              .batch_size = 10,
                              .epochs = 5,
                              .threads = 1};
    struct forecast_queue q;
    struct forecaster *f;
    struct forecast one;
    struct str words;
    struct err e = {0};
    uint32_t stored;
    int rc = forecaster_new(s, "scalar", &f, &e);

    walk_result(rc, &e);
    walk_result(store_dataset_stored(s, 1, &stored, &e), &e);
    if (rc < 0)
        return;
    forecast_run(f, &t, &one);
    MUST(isnan(one.seconds) || one.seconds >= 0);
    str_init(&words);
    forecast_words(&one, &words);
    MUST(!str_failed(&words));
    fuzz_visible(words.s);
    str_release(&words);
    walk_result(forecast_queue(f, s, 2, &q, &e), &e);
    forecaster_free(f);
}

static void
on_fault(const char *line, void *arg)
{
    MUST(line && *line);
    fuzz_visible(line);
    ++*(int *)arg;
}

void
walk_read(struct store *s)
{
    struct ids ids;
    struct err e = {0};
    int i, seen = 0, faults = 0;

    list(s, "", &ids);
    for (i = 0; i < ids.n; i++)
        one_run(s, ids.id[i]);
    list(s, "tag:o* | a name:?* -is:live", &ids);
    sets(s);
    workers(s);
    forecast(s);
    resolve(s, "@last");
    resolve(s, "@best");
    resolve(s, "alpha");
    resolve(s, "1..3");
    select_all(s, "SELECT * FROM leaderboard");
    select_all(s, "SELECT * FROM class_metrics");
    select_all(s, "SELECT * FROM confusion_pair");
    walk_result(store_check(s, on_fault, &seen, &faults, &e), &e);
    MUST(faults == seen);
}
