/* SPDX-License-Identifier: MIT */
/* Data sets as files: sample, split, check. */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

#include "cli/data_arg.h"
#include "fmnist/split.h"

#define MAX_SEED 9007199254740991.0 /* 2^53 - 1 */

/* ---- data sample -- */

static const struct cli_option SAMPLE_OPTIONS[] = {
    {.name = "data",
     .type = CLI_TEXT,
     .arg = "DATA",
     .help = "the set to draw from",
     .preset = "full"},
    {.name = "count",
     .letter = 'n',
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 4294967295.0,
     .help = "how many images; as many of each class as can be",
     .preset = "6000"},
    {.name = "seed",
     .type = CLI_INT,
     .arg = "N",
     .min = 0,
     .max = MAX_SEED,
     .help = "which ones are drawn",
     .preset = "0"},
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .arg = "FILE",
     .help = "the file to write, gzipped where it ends in .gz; needed"},
    {0}};

static int
run_sample(struct cli *c, struct err *e)
{
    const char *word = cli_text(c, "data"), *path = cli_text(c, "output");
    uint32_t n = (uint32_t)cli_int(c, "count", 6000);
    struct dataset *d = NULL;

    if (!path) {
        return err_set(e, ERR_USAGE, "--output is needed");
    }
    int rc = data_arg_load(c, word ? word : "full", &d, e);
    if (!rc) {
        rc = dataset_sample(d, n, (uint64_t)cli_int(c, "seed", 0), path, e);
    }
    if (!rc) {
        cli_message(c, "%s: %u images of %s", path, n, d->name);
    }
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_data_sample = {
    .name = "data sample",
    .operands = "",
    .summary = "draw a smaller set from a set's training images",
    .group = GROUP_DATA,
    .options = SAMPLE_OPTIONS,
    .notes = DATA_ARG_NOTES,
    .examples = "fmnist-tui data sample -n 6000 --seed 0 -o "
                "fmnist_small.csv.gz\n",
    .run = run_sample,
};

/* ---- data split -- */

static const struct cli_option SPLIT_OPTIONS[] = {
    {.name = "data",
     .type = CLI_TEXT,
     .arg = "DATA",
     .help = "which set",
     .preset = "small"},
    {.name = "split-seed",
     .type = CLI_INT,
     .arg = "N",
     .min = 0,
     .max = MAX_SEED,
     .help = "which images go where",
     .preset = "0"},
    {.name = "test-fraction",
     .type = CLI_REAL,
     .arg = "F",
     .min = 0,
     .max = 1,
     .help = "part of each class to test with",
     .preset = "0.2; not with full"},
    {.name = "val-fraction",
     .type = CLI_REAL,
     .arg = "F",
     .min = 0,
     .max = 1,
     .help = "part of the training images to choose the epoch with",
     .preset = "0"},
    {.name = "csv", .help = "image,part of every image"},
    {0}};

static void
add_split_csv(struct str *b, const struct split *s)
{
    uint32_t at[N_PARTS] = {0};
    uint32_t n = s->n[PART_TRAIN] + s->n[PART_VAL] + s->n[PART_TEST];
    str_add(b, "image,part\n");
    /* The parts are ascending and cover the set: merge them. */
    for (uint32_t i = 0; i < n; i++) {
        for (int k = 0; k < N_PARTS; k++) {
            if (at[k] < s->n[k] && s->images[k][at[k]] == i) {
                str_addf(b, "%u,%s\n", i, PART_NAMES[k]);
                at[k]++;
                break;
            }
        }
    }
}

static void
add_split_text(struct str *b, const struct split *s, const struct dataset *d)
{
    str_addf(b, "%-16s%8s%8s%8s\n", "", "train", "val", "test");
    for (int k = 0; k <= N_CLASSES; k++) {
        str_add_fit(b, k < N_CLASSES ? d->class_names[k] : "all", 16, 0);
        for (int p = 0; p < N_PARTS; p++) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < s->n[p]; i++) {
                count += k == N_CLASSES || d->labels[s->images[p][i]] == k;
            }
            str_addf(b, "%8u", count);
        }
        str_addc(b, '\n');
    }
}

static int
run_split(struct cli *c, struct err *e)
{
    const char *word = cli_text(c, "data");
    struct dataset *d = NULL;
    struct split s = {0};
    struct str b;

    str_init(&b);
    int rc = data_arg_load(c, word ? word : "small", &d, e);
    if (!rc && d->n_fixed_test > 0 && cli_given(c, "test-fraction")) {
        rc = err_set(e, ERR_USAGE,
                     "--test-fraction: the data set \"%s\" has a test part "
                     "of its own",
                     d->name);
    }
    if (!rc) {
        double fallback = d->n_fixed_test > 0 ? 0 : 0.2;
        rc = split_make(d, (uint64_t)cli_int(c, "split-seed", 0),
                        cli_real(c, "test-fraction", fallback),
                        cli_real(c, "val-fraction", 0), &s, e);
    }
    if (!rc) {
        if (cli_given(c, "csv")) {
            add_split_csv(&b, &s);
        } else {
            add_split_text(&b, &s, d);
        }
        rc = output_text(c, &b, e);
    }
    str_release(&b);
    split_release(&s);
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_data_split = {
    .name = "data split",
    .operands = "",
    .summary = "show which images train, choose and test",
    .group = GROUP_DATA,
    .options = SPLIT_OPTIONS,
    .notes = DATA_ARG_NOTES,
    .examples = "fmnist-tui data split --csv > split.csv\n",
    .run = run_split,
};

/* ---- data check -- */

#define FAULTS_SHOWN 20

static void
print_fault(const char *message, void *arg)
{
    struct cli *c = arg;
    struct str b;
    str_init(&b);
    str_add_visible(&b, message);
    fprintf(c->out, "%s\n", b.s);
    str_release(&b);
}

static int
run_check(struct cli *c, struct err *e)
{
    const char *where = c->argv[0];
    long faults = dataset_check(where, FAULTS_SHOWN, print_fault, c, e);
    if (faults < 0) {
        return (int)faults;
    }
    if (faults > 0) {
        return err_set(e, ERR_FAIL, "%s: %ld fault%s found%s", where, faults,
                       faults == 1 ? "" : "s",
                       faults > FAULTS_SHOWN ? ", the first 20 are shown" : "");
    }
    cli_message(c, "%s: no fault found", where);
    return 0;
}

const struct cli_command cmd_data_check = {
    .name = "data check",
    .operands = "FILE",
    .summary = "list what is malformed in a file",
    .group = GROUP_DATA,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui data check mine.csv\n",
    .run = run_check,
};
