/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/output.h"
#include "cli/table.h"
#include "fmnist/mem.h"

static struct table_style
style_of(const struct cli *c)
{
    return (struct table_style){.width = cli_width(c->out),
                                .ascii = c->ascii,
                                .colors = cli_colors(c, c->out)};
}

/* A first column, then one a run, headed by its letter. */
static int
open_table(struct cli *c, const struct comparison *k, const char *first,
           struct table **out, struct err *e)
{
    struct table_style style = style_of(c);
    int rc = table_new(c->out, &style, out, e);
    if (rc == 0) {
        rc = table_column(*out, first, 0, e);
    }
    for (int i = 0; rc == 0 && i < k->n; i++) {
        rc = table_column(*out, k->runs[i].letter, 0, e);
    }
    return rc;
}

static int
print_names(struct cli *c, const struct comparison *k, struct err *e)
{
    struct str text;
    str_init(&text);
    for (int i = 0; i < k->n; i++) {
        const struct compared *r = &k->runs[i];
        str_addf(&text, "%s  run %" PRId64 " ", r->letter, r->run.id);
        str_add_visible(&text, r->run.name);
        str_addf(&text, ", %s %s, %d of %lld epochs\n",
                 state_symbol(r->run.status, c->ascii), r->run.status,
                 r->run.epochs_done, r->run.h.epochs);
    }
    str_addc(&text, '\n');
    int rc = output_text(c, &text, e);
    str_release(&text);
    return rc;
}

static int
print_differing(struct cli *c, const struct comparison *k, struct err *e)
{
    struct table *t = NULL;
    struct str text;
    int differ = 0;
    str_init(&text);
    int rc = open_table(c, k, "", &t, e);
    for (int f = 0; rc == 0 && f < k->varying.n; f++) {
        differ += k->varying.differs[f];
        if (!varying_shown(&k->varying, f)) {
            continue;
        }
        const char *name = k->varying.columns[f];
        rc = table_cell(t, name, 0, e);
        for (int i = 0; rc == 0 && i < k->n; i++) {
            const struct cell *cell = record_cell(&k->runs[i].record, name);
            str_clear(&text);
            output_form(&text, FORM_PLAIN, cell, c->ascii);
            rc = table_cell(t, text.s, 1, e);
        }
    }
    if (rc == 0 && differ > 0) {
        rc = table_flush(t, e);
    }
    table_free(t);
    str_clear(&text);
    /* The data set is compared too. */
    str_addf(&text,
             differ ? "(%d other hyperparameters and settings are equal)\n\n"
                    : "All %d hyperparameters are equal, the data set too.\n\n",
             k->varying.n - differ);
    rc = rc ? rc : output_text(c, &text, e);
    str_release(&text);
    return rc;
}

static void
add_metric(struct str *b, const struct metric *m, double v, double first,
           int is_first)
{
    struct cell cell = {.type = isfinite(v) ? CELL_REAL : CELL_NULL, .r = v};
    output_form(b, m->form, &cell, 1);
    if (is_first || !isfinite(v) || !isfinite(first)) {
        return;
    }
    if (m->form == FORM_PERCENT) {
        str_addf(b, " (%+.2f)", (v - first) * 100);
    } else if (m->form == FORM_LOSS) {
        str_addf(b, " (%+.4f)", v - first);
    } else if (first > 0) {
        str_addf(b, " (x%.2f)", v / first);
    }
}

static int
print_metrics(struct cli *c, const struct comparison *k, struct err *e)
{
    struct table *t = NULL;
    struct str text;
    str_init(&text);
    int rc = open_table(c, k, "", &t, e);
    for (int m = 0; rc == 0 && m < N_METRICS; m++) {
        int known = 0;
        for (int i = 0; i < k->n; i++) {
            known |= isfinite(k->runs[i].metric[m]) != 0;
        }
        if (!known) {
            continue;
        }
        rc = table_cell(t, METRICS[m].title, 0, e);
        for (int i = 0; rc == 0 && i < k->n; i++) {
            str_clear(&text);
            add_metric(&text, &METRICS[m], k->runs[i].metric[m],
                       k->runs[0].metric[m], i == 0);
            rc = table_cell(t, text.s, 1, e);
        }
    }
    if (rc == 0) {
        rc = table_flush(t, e);
    }
    table_free(t);
    str_clear(&text);
    str_addc(&text, '\n');
    rc = rc ? rc : output_text(c, &text, e);
    str_release(&text);
    return rc;
}

static int
print_pairs(struct cli *c, const struct comparison *k, struct err *e)
{
    struct str text;
    const char *a = k->runs[0].letter;
    str_init(&text);
    for (int i = 1; i < k->n; i++) {
        const struct compared *r = &k->runs[i];
        if (r->why[0]) {
            continue;
        }
        const char *b = r->letter;
        const struct paired *p = &r->paired;
        str_addf(&text, "images   %10s right %10s wrong\n", b, b);
        str_addf(&text, "%s right  %16" PRIu32 " %16" PRIu32 "\n", a,
                 p->both_right, p->only_a);
        str_addf(&text, "%s wrong  %16" PRIu32 " %16" PRIu32 "\n", a, p->only_b,
                 p->both_wrong);
        str_add(&text, "McNemar's exact test, two-sided: p ");
        compare_add_p(&text, p->p);
        str_add(&text, "\n\n");
    }
    compare_conclusion(k, &text);
    int rc = output_text(c, &text, e);
    str_release(&text);
    return rc;
}

static int
print_text(struct cli *c, const struct comparison *k, struct err *e)
{
    int rc = print_names(c, k, e);
    rc = rc ? rc : print_differing(c, k, e);
    rc = rc ? rc : print_metrics(c, k, e);
    return rc ? rc : print_pairs(c, k, e);
}

static int
run_compare(struct cli *c, struct err *e)
{
    struct comparison k = {0};
    struct run_ids ids = {0};
    enum output_mode mode;
    int rc = output_mode(c, &mode, e);
    if (rc == 0) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0) {
        rc = compare_load(c, &ids, &k, e);
    }
    if (rc == 0 && mode == OUTPUT_TABLE && !cli_given(c, "columns")) {
        rc = print_text(c, &k, e);
    } else if (rc == 0) {
        rc = compare_rows(c, &k, e);
    }
    compare_release(&k);
    mem_free(ids.ids);
    return rc;
}

const struct cli_command cmd_compare = {
    .name = "compare",
    .operands = "RUN RUN...",
    .summary = "what differs between runs, and what that says",
    .group = GROUP_LOOK,
    .takes = CLI_TAKES_OUTPUT | CLI_TAKES_RUNS,
    .min = 1, /* a range names several */
    .max = -1,
    .notes = "The runs are compared with the first, image by image where they "
             "tested the same ones.",
    .examples = "fmnist-tui compare 3 7\n"
                "fmnist-tui compare @best 10..14 --json\n",
    .run = run_compare,
};
