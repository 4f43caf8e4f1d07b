/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/compare.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "fmnist/mem.h"

enum { METRIC_MACRO_F1 = 6 };

const struct metric METRICS[N_METRICS] = {
    {"test_acc", "test accuracy", FORM_PERCENT},
    {"test_loss", "test loss", FORM_LOSS},
    {"val_acc", "validation accuracy", FORM_PERCENT},
    {"val_loss", "validation loss", FORM_LOSS},
    {"train_acc", "training accuracy", FORM_PERCENT},
    {"train_loss", "training loss", FORM_LOSS},
    [METRIC_MACRO_F1] = {"macro_f1", "macro F1", FORM_PERCENT},
    {"seconds", "time", FORM_SECONDS},
    {"samples_per_second", "images/s", FORM_RATE},
};

static int
load_run(struct cli *c, int64_t id, int place, struct compared *r,
         struct err *e)
{
    struct confusion m;
    r->letter[0] = (char)('a' + place);
    int rc = store_run_get(c->store, id, &r->run, e);
    if (rc == 0) {
        rc = record_load(c, id, &r->record, e);
    }
    for (int i = 0; rc == 0 && i < N_METRICS; i++) {
        r->metric[i] = record_number(&r->record, METRICS[i].name);
    }
    if (rc == 0 && r->run.result_epoch > 0 &&
        store_confusion(c->store, id, 0, &m, NULL) == 0) {
        struct class_metrics classes[N_CLASSES];
        class_metrics_of(&m, classes);
        r->metric[METRIC_MACRO_F1] = class_metrics_macro_f1(classes);
    }
    return rc;
}

static int
same_images(const struct predictions *a, const struct predictions *b)
{
    return a->n == b->n && a->truth && b->truth &&
           memcmp(a->images, b->images, a->n * sizeof *a->images) == 0 &&
           memcmp(a->truth, b->truth, a->n) == 0;
}

static void
pair(const struct compared *first, const struct predictions *a,
     struct compared *r, const struct predictions *b)
{
    if (a->n == 0 || b->n == 0) {
        snprintf(r->why, sizeof r->why, "%s has no predictions",
                 a->n == 0 ? first->letter : r->letter);
    } else if (first->run.dataset_id != r->run.dataset_id) {
        snprintf(r->why, sizeof r->why, "they have different data sets");
    } else if (!same_images(a, b)) {
        snprintf(r->why, sizeof r->why, "their test parts are different");
    } else {
        paired_of(a->truth, a->predicted, b->predicted, a->n, &r->paired);
    }
}

/* A run without predictions is left with none; anything else is an error. */
static int
load_predictions(struct cli *c, int64_t id, struct predictions *out,
                 struct err *e)
{
    *out = (struct predictions){0};
    int rc = store_predictions(c->store, id, out, e);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

static int
pair_all(struct cli *c, struct comparison *k, struct err *e)
{
    struct predictions a, b;
    int rc = load_predictions(c, k->runs[0].run.id, &a, e);
    for (int i = 1; rc == 0 && i < k->n; i++) {
        rc = load_predictions(c, k->runs[i].run.id, &b, e);
        if (rc == 0) {
            pair(&k->runs[0], &a, &k->runs[i], &b);
            predictions_release(&b);
        }
    }
    predictions_release(&a);
    return rc;
}

int
compare_load(struct cli *c, const struct run_ids *ids, struct comparison *out,
             struct err *e)
{
    *out = (struct comparison){0};
    if (ids->n < 2 || ids->n > COMPARE_MOST) {
        return err_set(e, ERR_USAGE, "name 2 to %d runs; these are %zu",
                       COMPARE_MOST, ids->n);
    }
    out->runs = mem_zalloc(ids->n, sizeof *out->runs);
    if (!out->runs) {
        return err_nomem(e, "the runs", ids->n * sizeof *out->runs);
    }
    int rc = varying_init(&out->varying, e);
    for (size_t i = 0; rc == 0 && i < ids->n; i++) {
        struct compared *r = &out->runs[out->n++];
        rc = load_run(c, ids->ids[i], (int)i, r, e);
        if (rc == 0) {
            struct row row = {r->record.n, r->record.names, r->record.cells};
            rc = varying_row(&row, &out->varying, e);
        }
    }
    return rc ? rc : pair_all(c, out, e);
}

void
compare_release(struct comparison *k)
{
    for (int i = 0; i < k->n; i++) {
        record_release(&k->runs[i].record);
    }
    mem_free(k->runs);
    varying_release(&k->varying);
}

/* ---- rows ---------------------------------------------------------------- */

enum { MOST_CELLS = 64 };

struct wide_row {
    struct row row;
    const char *names[MOST_CELLS];
    struct cell cells[MOST_CELLS];
};

static void
add_cell(struct wide_row *w, const char *name, struct cell cell)
{
    if (w->row.n < MOST_CELLS) {
        w->names[w->row.n] = name;
        w->cells[w->row.n++] = cell;
    }
}

static void
add_real(struct wide_row *w, const char *name, double v)
{
    add_cell(
        w, name,
        (struct cell){.type = isfinite(v) ? CELL_REAL : CELL_NULL, .r = v});
}

static void
add_count(struct wide_row *w, const char *name, int known, uint32_t v)
{
    add_cell(w, name,
             (struct cell){.type = known ? CELL_INT : CELL_NULL, .i = v});
}

static void
fill_row(const struct comparison *k, int i, struct wide_row *w)
{
    const struct compared *r = &k->runs[i];
    const struct paired *p = &r->paired;
    int known = i > 0 && !r->why[0];
    w->row = (struct row){.names = w->names, .cells = w->cells};
    add_cell(w, "id", *record_cell(&r->record, "id"));
    add_cell(w, "name", *record_cell(&r->record, "name"));
    add_cell(w, "status", *record_cell(&r->record, "status"));
    for (int f = 0; f < k->varying.n; f++) {
        if (k->varying.differs[f]) {
            const char *name = k->varying.columns[f];
            add_cell(w, name, *record_cell(&r->record, name));
        }
    }
    for (int m = 0; m < N_METRICS; m++) {
        add_real(w, METRICS[m].name, r->metric[m]);
    }
    add_real(w, "delta_test_acc", r->metric[0] - k->runs[0].metric[0]);
    add_count(w, "both_right", known, p->both_right);
    add_count(w, "only_first", known, p->only_a);
    add_count(w, "only_this", known, p->only_b);
    add_count(w, "both_wrong", known, p->both_wrong);
    add_real(w, "p", known ? p->p : (double)NAN);
}

int
compare_rows(struct cli *c, const struct comparison *k, struct err *e)
{
    struct output_spec spec = {0};
    struct output *o;
    int rc = output_open(c, &spec, &o, e);
    if (rc) {
        return rc;
    }
    for (int i = 0; rc == 0 && i < k->n; i++) {
        struct wide_row w;
        fill_row(k, i, &w);
        rc = output_row(&w.row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

/* ---- the conclusion ------------------------------------------------------ */

void
compare_add_p(struct str *b, double p)
{
    if (p < 1e-6) {
        str_add(b, "< 1e-06");
    } else if (p < 0.01) {
        str_addf(b, "= %.2g", p);
    } else {
        str_addf(b, "= %.2f", p);
    }
}

static void
conclude_pair(const struct compared *first, const struct compared *r,
              double level, struct str *out)
{
    const struct paired *p = &r->paired;
    const char *a = first->letter;
    const char *b = r->letter;
    if (r->why[0]) {
        str_addf(out, "%s and %s cannot be compared image by image: %s.\n", a,
                 b, r->why);
        return;
    }
    if (p->only_a + p->only_b == 0) {
        str_addf(out,
                 "%s and %s are right on the same images; this test set cannot "
                 "tell them apart.\n",
                 a, b);
        return;
    }
    str_addf(out,
             "%s is right on %" PRIu32 " images that %s misses, %s on %" PRIu32
             " that %s misses: p ",
             b, p->only_b, a, a, p->only_a, b);
    compare_add_p(out, p->p);
    if (p->p >= level) {
        str_add(out, "; this test set cannot tell them apart.\n");
        return;
    }
    str_addf(out,
             "; %s is the better of these two trained models on such images. "
             "Whether its settings are better, more seeds would tell.\n",
             p->only_b > p->only_a ? b : a);
}

void
compare_conclusion(const struct comparison *k, struct str *out)
{
    int tests = 0;
    for (int i = 1; i < k->n; i++) {
        tests += !k->runs[i].why[0];
    }
    /* Bonferroni: of many comparisons some look surprising by chance. */
    double level = tests > 1 ? 0.05 / tests : 0.05;
    for (int i = 1; i < k->n; i++) {
        conclude_pair(&k->runs[0], &k->runs[i], level, out);
    }
    if (tests > 1) {
        str_addf(out,
                 "With %d comparisons, one counts where p is below %.2g.\n",
                 tests, level);
    }
}
