/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

#include "fmnist/kern.h"
#include "fmnist/sys.h"

static const struct cli_option OPTIONS[] = {
    {.name = "weights",
     .type = CLI_CHOICE,
     .arg = "WHICH",
     .choices = CHECKPOINT_KINDS,
     .help = "weights of the last epoch, or of the one that the validation "
             "part chose",
     .preset = "the result's"},
    {.name = "threads",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1024,
     .help = "threads to use",
     .preset = "all that the process may use"},
    {0}};

static const struct output_column COLUMNS[] = {
    {"image", NULL, FORM_PLAIN, NULL, 0},
    {"predicted", NULL, FORM_PLAIN, NULL, 0},
    {"predicted_name", "class", FORM_PLAIN, NULL, 0},
    {"confidence", NULL, FORM_PERCENT, NULL, 0},
    {"truth", NULL, FORM_PLAIN, NULL, 1},
};

static int
write_predictions(struct cli *c, const struct subject *s,
                  const struct dataset *d, const struct predictions *p,
                  struct err *e)
{
    static const char *const P[N_CLASSES] = {"p0", "p1", "p2", "p3", "p4",
                                             "p5", "p6", "p7", "p8", "p9"};
    const struct output_spec spec = {
        .columns = COLUMNS,
        .n_columns = d->labels ? 5 : 4,
        .id = "predicted",
    };
    struct output *o;
    int rc = output_open(c, &spec, &o, e);

    for (uint32_t i = 0; !rc && i < p->n; i++) {
        const float *probs = p->p + (size_t)i * N_CLASSES;
        struct row_builder b;
        row_begin(&b);
        row_int(&b, "image", p->images[i]);
        row_int(&b, "predicted", p->predicted[i]);
        row_text(&b, "predicted_name", s->data.class_names[p->predicted[i]]);
        row_real(&b, "confidence", probs[p->predicted[i]]);
        if (d->labels) {
            row_int(&b, "truth", d->labels[i]);
        }
        for (int k = 0; k < N_CLASSES; k++) {
            row_real(&b, P[k], probs[k]);
        }
        rc = output_row(&b.row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

static void
say_accuracy(const struct cli *c, const struct dataset *d,
             const struct predictions *p)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        right += p->predicted[i] == d->labels[i];
    }
    cli_message(c, "%u of %u right, %.2f %%", right, p->n,
                p->n ? 100.0 * right / p->n : 0);
}

static int
run_predict(struct cli *c, struct err *e)
{
    struct subject s;
    struct checkpoint w = {0};
    struct dataset *d = NULL;
    struct predictions p = {0};
    const struct kern *k;
    int threads = (int)cli_int(c, "threads", sys_cpus());

    int rc = subject_load(c, c->argv[0], &s, e);
    if (!rc) {
        rc = kern_choose(NULL, &k, e);
    }
    if (!rc) {
        rc = subject_weights(c, &s.run, "weights", &w, e);
    }
    if (!rc) {
        rc = dataset_load_unlabelled(c->argv[1], &d, e);
    }
    if (!rc) {
        rc = trainer_predict(s.run.h.spec, w.weights, w.weights_size, d, NULL,
                             d->n, k, threads, &p, e);
    }
    if (!rc) {
        rc = write_predictions(c, &s, d, &p, e);
    }
    if (!rc && d->labels) {
        say_accuracy(c, d, &p);
    }
    predictions_release(&p);
    checkpoint_release(&w);
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_predict = {
    .name = "predict",
    .operands = "RUN FILE",
    .summary = "classify the images of a CSV or IDX file",
    .group = GROUP_EVALUATE,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT,
    .min = 2,
    .max = 2,
    .notes = "FILE has rows of 784 pixels, or of a label and 784 pixels, or is "
             "an IDX image file or folder.\n",
    .examples = "fmnist-tui predict @best new.csv --csv > predicted.csv\n",
    .run = run_predict,
};
