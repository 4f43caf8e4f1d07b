/* SPDX-License-Identifier: MIT */
/* What is said of runs that are made, or would be. */
#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/enqueue.h"
#include "cli/output.h"
#include "cli/runs.h"
#include "cli/workers.h"
#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/store_cost.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

/* ---- forecasts ----------------------------------------------------------- */

int
plan_forecast(struct plan *p, struct err *e)
{
    const struct kern *kern;
    int rc = kern_choose(NULL, &kern, e);
    if (rc == 0 && p->c->store) {
        rc = forecaster_new(p->c->store, kern->name, &p->forecaster, e);
    }
    for (size_t i = 0; rc == 0 && i < p->grid.n; i++) {
        struct planned *r = &p->runs[i];
        struct forecast_task t = {
            .spec = r->h->spec,
            .dataset_id = p->sets[r->set].id,
            .batch_size = r->h->batch_size,
            .optimizer = r->h->optimizer,
            .epochs = r->h->epochs,
            .threads = r->threads ? r->threads : sys_cpus(),
        };
        memcpy(t.n, r->n, sizeof t.n);
        r->time.seconds = (double)NAN;
        if (p->forecaster) {
            forecast_run(p->forecaster, &t, &r->time);
        }
        r->bytes = forecast_bytes(r->h, r->n);
    }
    return rc;
}

/* Images of a set that the runs' test parts add to the database: those of some
 * independent splits overlap by chance. */
static double
new_images(const struct plan *p, int set, uint32_t stored)
{
    enum { SPLITS = 64 };
    const struct planned *seen[SPLITS];
    const struct dataset *d = p->sets[set].d;
    double missed = 1;
    int n = 0;
    for (size_t i = 0; i < p->grid.n && n < SPLITS; i++) {
        const struct planned *r = &p->runs[i];
        int k = 0;
        while (k < n && (seen[k]->n[PART_TEST] != r->n[PART_TEST] ||
                         (d->n_fixed_test == 0 &&
                          seen[k]->h->split_seed != r->h->split_seed))) {
            k++;
        }
        if (k == n && r->set == set && !plan_skips(p, r)) {
            seen[n++] = r;
            missed *= 1 - (double)r->n[PART_TEST] / d->n;
        }
    }
    double images = d->n * (1 - missed) - stored;
    return images > 0 ? images : 0;
}

/* What is left after twins are found; NaN seconds where one is unknown. */
static int
add_up(struct plan *p, struct err *e)
{
    double *seconds = mem_zalloc(p->grid.n, sizeof *seconds);
    size_t n = 0;
    int workers = 1;
    int rc = seconds ? 0 : err_nomem(e, "a sum", p->grid.n * sizeof *seconds);
    if (rc == 0 && p->c->store) {
        rc = worker_count(p->c->store, &workers, e);
    }
    p->workers = workers > 1 ? workers : 1;
    p->bytes = 0;
    p->seconds = 0;
    for (size_t i = 0; rc == 0 && i < p->grid.n; i++) {
        if (!plan_skips(p, &p->runs[i])) {
            seconds[n++] = p->runs[i].time.seconds;
            p->seconds += p->runs[i].time.seconds;
            p->bytes += p->runs[i].bytes;
        }
    }
    if (isfinite(p->seconds)) {
        p->seconds = forecast_makespan(seconds, n, p->workers);
    }
    for (int i = 0; rc == 0 && i < p->grid.n_sets; i++) {
        uint32_t stored = 0;
        if (p->sets[i].id) {
            rc = store_dataset_stored(p->c->store, p->sets[i].id, &stored, e);
        }
        p->bytes += forecast_image_bytes(new_images(p, i, stored));
    }
    mem_free(seconds);
    return rc;
}

static void
add_duration(struct str *out, double seconds)
{
    if (seconds < 0.1) {
        str_add(out, "less than 0.1 s");
    } else {
        str_add(out, "about ");
        format_seconds(out, seconds);
    }
}

/* "4 runs: about 4m10s with 1 worker (as run 3 took), 24.1 MB". */
static void
add_totals(const struct plan *p, struct str *out)
{
    const struct planned *weakest = NULL;
    size_t n = 0;
    for (size_t i = 0; i < p->grid.n; i++) {
        const struct planned *r = &p->runs[i];
        if (plan_skips(p, r)) {
            continue;
        }
        n++;
        if (!weakest || r->time.basis < weakest->time.basis) {
            weakest = r;
        }
    }
    str_addf(out, "%zu %s", n, run_plural((long long)n));
    if (!weakest) {
        return;
    }
    if (isfinite(p->seconds)) {
        str_add(out, ": ");
        add_duration(out, p->seconds);
        if (n > 1) {
            str_addf(out, " with %d worker%s", p->workers,
                     p->workers == 1 ? "" : "s");
        }
    } else {
        str_add(out, ": time unknown");
    }
    str_add(out, " (");
    forecast_words(&weakest->time, out);
    str_add(out, "), ");
    format_bytes(out, p->bytes);
}

/* ---- a listing ----------------------------------------------------------- */

enum { MAX_CELLS = 48 };

struct list_row {
    struct row row;
    const char *names[MAX_CELLS];
    struct cell cells[MAX_CELLS];
};

static struct cell *
next_cell(struct list_row *l, const char *name)
{
    assert(l->row.n < MAX_CELLS);
    l->names[l->row.n] = name;
    return &l->cells[l->row.n++];
}

/* 0 is none. */
static void
put_int(struct list_row *l, const char *name, int64_t v)
{
    *next_cell(l, name) =
        (struct cell){.type = v ? CELL_INT : CELL_NULL, .i = v};
}

static void
put_real(struct list_row *l, const char *name, double v)
{
    *next_cell(l, name) =
        (struct cell){.type = isfinite(v) ? CELL_REAL : CELL_NULL, .r = v};
}

static void
put_text(struct list_row *l, const char *name, const char *v)
{
    *next_cell(l, name) = (struct cell){
        .type = *v ? CELL_TEXT : CELL_NULL, .s = v, .n = strlen(v)};
}

static void
put_field(struct list_row *l, const struct hyper *h,
          const struct hyper_field *f)
{
    const char *at = (const char *)h + f->offset;
    struct cell *cell;
    long long whole;
    int small;
    switch (f->type) {
    case HYPER_INT:
        memcpy(&whole, at, sizeof whole);
        cell = next_cell(l, f->column);
        *cell = (struct cell){.type = CELL_INT, .i = whole};
        break;
    case HYPER_REAL:
        cell = next_cell(l, f->column);
        *cell = (struct cell){.type = CELL_REAL};
        memcpy(&cell->r, at, sizeof cell->r);
        break;
    case HYPER_FLAG:
        memcpy(&small, at, sizeof small);
        cell = next_cell(l, f->column);
        *cell = (struct cell){.type = CELL_INT, .i = small};
        break;
    case HYPER_CHOICE:
        memcpy(&small, at, sizeof small);
        put_text(l, f->column, f->choices[small]);
        break;
    case HYPER_TEXT:
        put_text(l, f->column, at);
        break;
    }
}

/* Texts are borrowed from the plan. */
static void
fill_row(const struct plan *p, size_t i, struct list_row *l)
{
    const struct planned *r = &p->runs[i];
    memset(l, 0, sizeof *l);
    l->row.names = l->names;
    l->row.cells = l->cells;
    put_int(l, "number", (int64_t)i + 1);
    put_int(l, "id", r->id);
    put_text(l, "name", r->name);
    for (int k = 0; k < hyper_n_fields(); k++) {
        put_field(l, r->h, &HYPER_FIELDS[k]);
    }
    put_text(l, "dataset", p->sets[r->set].d->name);
    put_int(l, "threads", r->threads);
    put_real(l, "forecast_seconds", r->time.seconds);
    put_real(l, "forecast_bytes", r->bytes);
    put_int(l, "twin", r->twin);
    put_text(l, "twin_status", r->twin_status);
}

/* Calls fn for all runs that are not skipped. */
static int
each_row(const struct plan *p, row_fn fn, void *arg, struct err *e)
{
    struct list_row l;
    fill_row(p, 0, &l);
    const struct row head = {l.row.n, l.names, NULL};
    int rc = fn(&head, arg, e);
    for (size_t i = 0; rc == 0 && i < p->grid.n; i++) {
        if (!plan_skips(p, &p->runs[i])) {
            fill_row(p, i, &l);
            rc = fn(&l.row, arg, e);
        }
    }
    return rc;
}

/* The table's: what differs, else the name. */
static int
table_columns(const struct plan *p, const struct varying *v,
              struct output_column out[MAX_CELLS])
{
    int n = 0;
    out[n++] = (struct output_column){.name = "number", .title = "#"};
    out[n++] = (struct output_column){.name = "name"};
    for (int i = 0; i < v->n; i++) {
        if (varying_shown(v, i)) {
            out[n++] = (struct output_column){
                .name = v->columns[i], .title = run_heading(v->columns[i])};
            out[1].leaves = 300;
        }
    }
    out[n++] = (struct output_column){
        .name = "forecast_seconds", .title = "time", .form = FORM_SECONDS};
    out[n++] = (struct output_column){
        .name = "forecast_bytes", .title = "size", .form = FORM_BYTES};
    if (p->twins > 0 && !p->skip) {
        out[n++] = (struct output_column){.name = "twin", .title = "exists as"};
        out[n++] = (struct output_column){
            .name = "twin_status", .title = "state", .form = FORM_STATE};
    }
    return n;
}

static int
list(const struct plan *p, struct err *e)
{
    struct output_column columns[MAX_CELLS];
    struct varying v;
    struct output *o = NULL;
    int rc = varying_init(&v, e);
    if (rc == 0) {
        rc = each_row(p, varying_row, &v, e);
    }
    if (rc == 0) {
        const struct output_spec spec = {
            .columns = columns, .n_columns = table_columns(p, &v, columns)};
        rc = output_open(p->c, &spec, &o, e);
    }
    if (rc == 0) {
        rc = each_row(p, output_row, o, e);
    }
    if (rc == 0) {
        rc = output_close(o, e);
    } else {
        output_free(o);
    }
    varying_release(&v);
    return rc;
}

/* ---- what it says -------------------------------------------------------- */

static void
say_twins(const struct plan *p)
{
    const struct planned *r = p->runs;
    if (p->twins == 0) {
        return;
    }
    while (!r->twin) {
        r++;
    }
    if (p->grid.n == 1) {
        cli_message(p->c, "it exists already: run %" PRId64 " is %s%s", r->twin,
                    r->twin_status, p->skip ? "; nothing is queued" : "");
    } else {
        cli_message(p->c, "%zu of %zu exist already (run %" PRId64 " is %s)%s",
                    p->twins, p->grid.n, r->twin, r->twin_status,
                    p->skip ? " and are left out"
                            : "; --skip-existing leaves such out");
    }
}

static int
say_queue(const struct plan *p, int workers, struct err *e)
{
    struct forecast_queue q;
    struct str text;
    int rc = forecast_queue(p->forecaster, p->c->store, workers, &q, e);
    if (rc) {
        return rc;
    }
    str_init(&text);
    if (q.unknown == 0) {
        str_add(&text, ": ");
        add_duration(&text, q.seconds);
        str_addf(&text, " to the end of the queue (%d %s)", q.runs,
                 run_plural(q.runs));
    }
    cli_message(p->c, "%d worker%s alive%s", workers,
                workers == 1 ? " is" : "s are", text.s);
    str_release(&text);
    return 0;
}

/* Who will train them. */
static int
say_workers(const struct plan *p, struct err *e)
{
    struct cli *c = p->c;
    int workers = 0;
    int rc = worker_count(c->store, &workers, e);
    if (rc == 0 && workers > 0) {
        rc = say_queue(p, workers, e);
    }
    return rc ? rc : workers_tell(c, e);
}

static int
print_ids(const struct plan *p, struct err *e)
{
    struct str text;
    str_init(&text);
    for (size_t i = 0; i < p->grid.n; i++) {
        if (p->runs[i].id) {
            str_addf(&text, "%" PRId64 "\n", p->runs[i].id);
        }
    }
    int rc = output_text(p->c, &text, e);
    str_release(&text);
    return rc;
}

/* The names that the runs were given: made-up ones may be numbered. */
static int
read_names(struct plan *p, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->grid.n; i++) {
        struct planned *r = &p->runs[i];
        struct run run;
        if (r->id) {
            rc = store_run_get(p->c->store, r->id, &run, e);
            snprintf(r->name, sizeof r->name, "%s", run.name);
        }
    }
    return rc;
}

/* The ids, or as the options of listings ask for. */
static int
print_runs(struct plan *p, struct err *e)
{
    enum output_mode mode;
    int rc = output_mode(p->c, &mode, e);
    if (rc) {
        return rc;
    }
    if (mode == OUTPUT_IDS ||
        (mode == OUTPUT_TABLE && !cli_given(p->c, "columns"))) {
        return print_ids(p, e);
    }
    rc = read_names(p, e);
    return rc ? rc : list(p, e);
}

int
plan_report(struct plan *p, struct err *e)
{
    struct cli *c = p->c;
    struct str totals;
    int rc = add_up(p, e);
    if (rc == 0) {
        rc = print_runs(p, e);
    }
    if (rc) {
        return rc;
    }
    say_twins(p);
    if (!p->skip || p->twins < p->grid.n) {
        str_init(&totals);
        add_totals(p, &totals);
        cli_message(c, "queued %s", totals.s);
        str_release(&totals);
    }
    return say_workers(p, e);
}

int
plan_dry_run(struct plan *p, struct err *e)
{
    struct str totals;
    enum output_mode mode;
    int rc = add_up(p, e);
    if (rc == 0) {
        rc = list(p, e);
    }
    if (rc == 0) {
        rc = output_mode(p->c, &mode, e);
    }
    if (rc == 0 && mode == OUTPUT_TABLE) {
        str_init(&totals);
        add_totals(p, &totals);
        str_addc(&totals, '\n');
        rc = output_text(p->c, &totals, e);
        str_release(&totals);
    }
    if (rc == 0) {
        say_twins(p);
    }
    return rc;
}
