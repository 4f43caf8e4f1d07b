/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

static const char *const CELLS[] = {"counts", "row", "column", NULL};

/* What the cells are, where it is not counts. */
static const char *const CELLS_MEAN[] = {
    "", "cells are per cent of the images of a class (truth)\n",
    "cells are per cent of the images taken for a class (predicted)\n"};

static const struct cli_option OPTIONS[] = {
    {.name = "json", .help = "one object, the counts as rows of the matrix"},
    {.name = "csv", .help = "truth,predicted,count of every cell"},
    {.name = "epoch",
     .type = CLI_INT,
     .arg = "E",
     .min = 1,
     .max = 1e9,
     .help = "the matrix after epoch E",
     .preset = "the result's epoch"},
    {.name = "cells",
     .type = CLI_CHOICE,
     .arg = "WHAT",
     .choices = CELLS,
     .help = "counts, per cent of the row (truth) or of the column",
     .preset = "counts"},
    {0}};

/* The pairs that a matrix confuses most, in words. */
static void
add_pairs(struct str *b, const struct confusion *m, const struct subject *s)
{
    struct confusion_pair pairs[N_CLASSES * (N_CLASSES - 1)];
    struct class_metrics classes[N_CLASSES];
    int n = confusion_pairs(m, pairs);

    class_metrics_of(m, classes);
    if (n == 0) {
        str_add(b, "\nNo image was taken for another class.\n");
        return;
    }
    str_add(b, "\nMost often confused:\n");
    for (int i = 0; i < n && i < 5; i++) {
        const struct confusion_pair *p = &pairs[i];
        str_addf(b, "  %u of %u ", p->count, classes[p->truth].support);
        str_add_visible(b, s->data.class_names[p->truth]);
        str_add(b, " were taken for ");
        str_add_visible(b, s->data.class_names[p->predicted]);
        str_addc(b, '\n');
    }
}

static void
add_text(struct str *b, struct cli *c, const struct confusion *m, int epoch,
         const struct subject *s)
{
    struct art_style style = subject_style(c);
    uint32_t n = confusion_total(m), right = confusion_correct(m);
    int cells = cli_choice(c, "cells", ART_COUNTS);

    subject_add_name(b, &s->run);
    str_addf(b, ", epoch %d: %u of %u test images right, ", epoch, right, n);
    format_percent(b, n ? (double)right / n : 0);
    str_addf(b, "\n%s\n", CELLS_MEAN[cells]);
    art_confusion(m, s->data.class_names, (enum art_cells)cells, &style, b);
    add_pairs(b, m, s);
}

static void
add_json(struct str *b, const struct confusion *m, int epoch,
         const struct subject *s)
{
    str_addf(b, "{\"run_id\":%lld,\"epoch\":%d,\"classes\":[",
             (long long)s->run.id, epoch);
    for (int i = 0; i < N_CLASSES; i++) {
        str_add(b, i ? "," : "");
        str_add_json(b, s->data.class_names[i]);
    }
    str_add(b, "],\"counts\":[");
    for (int t = 0; t < N_CLASSES; t++) {
        str_add(b, t ? ",[" : "[");
        for (int p = 0; p < N_CLASSES; p++) {
            str_addf(b, "%s%u", p ? "," : "", m->count[t][p]);
        }
        str_addc(b, ']');
    }
    str_add(b, "]}\n");
}

/* All cells, zeros too: a pivot needs them. */
static int
write_rows(struct cli *c, const struct confusion *m, struct err *e)
{
    static const struct output_spec spec = {0};
    struct output *o;
    int rc = output_open(c, &spec, &o, e);
    for (int i = 0; !rc && i < N_CLASSES * N_CLASSES; i++) {
        struct row_builder b;
        row_begin(&b);
        row_int(&b, "truth", i / N_CLASSES);
        row_int(&b, "predicted", i % N_CLASSES);
        row_int(&b, "count", m->count[i / N_CLASSES][i % N_CLASSES]);
        rc = output_row(&b.row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

static int
run_confusion(struct cli *c, struct err *e)
{
    struct subject s;
    struct confusion m;
    enum output_mode mode = OUTPUT_TABLE;
    int epoch = (int)cli_int(c, "epoch", 0);

    int rc = output_mode(c, &mode, e);
    if (!rc && mode != OUTPUT_TABLE && cli_given(c, "cells")) {
        rc = err_set(e, ERR_USAGE,
                     "--json and --csv have counts; they exclude "
                     "--cells");
    }
    if (!rc) {
        rc = subject_load(c, c->argv[0], &s, e);
    }
    if (!rc) {
        rc = store_confusion(c->store, s.run.id, epoch, &m, e);
    }
    if (rc) {
        return rc;
    }
    epoch = epoch ? epoch : s.run.result_epoch;
    if (mode == OUTPUT_CSV) {
        return write_rows(c, &m, e);
    }
    struct str b;
    str_init(&b);
    if (mode == OUTPUT_JSON) {
        add_json(&b, &m, epoch, &s);
    } else {
        add_text(&b, c, &m, epoch, &s);
    }
    rc = output_text(c, &b, e);
    str_release(&b);
    return rc;
}

const struct cli_command cmd_confusion = {
    .name = "confusion",
    .operands = "RUN",
    .summary = "which classes a run takes for which",
    .group = GROUP_EVALUATE,
    .options = OPTIONS,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui confusion @best\n"
                "fmnist-tui confusion 7 --epoch 3 --cells row\n",
    .run = run_confusion,
};
