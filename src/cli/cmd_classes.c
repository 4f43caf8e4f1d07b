/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

static const struct output_column COLUMNS[] = {
    {"class", NULL, FORM_PLAIN, NULL, 0},
    {"name", NULL, FORM_PLAIN, NULL, 0},
    {"support", "images", FORM_PLAIN, NULL, 0},
    {"predicted", "taken for it", FORM_PLAIN, NULL, 3},
    {"precision", NULL, FORM_PERCENT, NULL, 2},
    {"recall", NULL, FORM_PERCENT, NULL, 1},
    {"f1", "F1", FORM_PERCENT, NULL, 0},
};

static int
run_classes(struct cli *c, struct err *e)
{
    static const struct output_spec spec = {
        .columns = COLUMNS,
        .n_columns = sizeof(COLUMNS) / sizeof(COLUMNS[0]),
        .id = "class",
    };
    struct subject s;
    struct output *o = NULL;

    int rc = subject_load(c, c->argv[0], &s, e);
    if (!rc) {
        rc = output_open(c, &spec, &o, e);
    }
    if (!rc) {
        rc = store_run_rows(c->store, s.run.id, RUN_CLASSES, output_row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

const struct cli_command cmd_classes = {
    .name = "classes",
    .operands = "RUN",
    .summary = "precision, recall and F1 of each class",
    .group = GROUP_EVALUATE,
    .takes = CLI_TAKES_OUTPUT,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui classes @last\n",
    .run = run_classes,
};
