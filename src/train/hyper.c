/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/hyper.h"

#include <stdio.h>
#include <string.h>

#define MAX_EPOCHS 100000
#define MAX_BATCH 65536
#define MAX_SEED 9007199254740991.0 /* 2^53 - 1 */

/* NULL-ended, in the order of enum optimizer and enum schedule. */
static const char *const OPTIMIZERS[] = {"sgd", "adam", "adamw", NULL};
static const char *const SCHEDULES[] = {"constant", "step", "cosine",
                                        "onecycle", NULL};

_Static_assert(sizeof OPTIMIZERS / sizeof *OPTIMIZERS == N_OPTIMIZERS + 1,
               "every optimizer is a choice");
_Static_assert(sizeof SCHEDULES / sizeof *SCHEDULES == N_SCHEDULES + 1,
               "every schedule is a choice");

#define MEMBER(m)                                      \
    .column = #m, .offset = offsetof(struct hyper, m), \
    .size = sizeof(((struct hyper *)0)->m)

const struct hyper_field HYPER_FIELDS[] = {
    {MEMBER(preset), .option = "--preset", .arg = "NAME", .type = HYPER_TEXT,
     .help = "start from a reference model: ann or cnn"},
    {MEMBER(spec), .option = "--spec", .arg = "TEXT", .type = HYPER_TEXT,
     .help = "the layers of the model, such as \"dense 32 relu dense 10\""},
    {MEMBER(epochs), .option = "--epochs", .arg = "N", .type = HYPER_INT,
     .min = 1, .max = MAX_EPOCHS, .help = "passes over the training images"},
    {MEMBER(batch_size), .option = "--batch-size", .arg = "N",
     .type = HYPER_INT, .min = 1, .max = MAX_BATCH, .help = "images a step"},
    {MEMBER(lr), .option = "--lr", .arg = "X", .type = HYPER_REAL, .min = 0,
     .open_min = 1, .max = 1000, .help = "learning rate"},
    {MEMBER(optimizer), .option = "--optimizer", .arg = "NAME",
     .type = HYPER_CHOICE, .choices = OPTIMIZERS,
     .help = "how gradients become steps"},
    {MEMBER(momentum), .option = "--momentum", .arg = "X", .type = HYPER_REAL,
     .min = 0, .max = 1, .open_max = 1, .help = "momentum of sgd"},
    {MEMBER(nesterov), .option = "--nesterov", .type = HYPER_FLAG, .max = 1,
     .help = "Nesterov's form of the momentum"},
    {MEMBER(weight_decay), .option = "--weight-decay", .arg = "X",
     .type = HYPER_REAL, .min = 0, .max = 100,
     .help = "L2 penalty; with adamw the decoupled decay"},
    {MEMBER(dropout), .option = "--dropout", .arg = "X", .type = HYPER_REAL,
     .min = 0, .max = 1, .open_max = 1,
     .help = "rate of every dropout layer of the model"},
    {MEMBER(schedule), .option = "--schedule", .arg = "NAME",
     .type = HYPER_CHOICE, .choices = SCHEDULES,
     .help = "how the learning rate changes over the run"},
    {MEMBER(warmup), .option = "--warmup", .arg = "N", .type = HYPER_INT,
     .min = 0, .max = MAX_EPOCHS,
     .help = "epochs of linear warm-up before the schedule"},
    {MEMBER(step_size), .option = "--step-size", .arg = "N", .type = HYPER_INT,
     .min = 0, .max = MAX_EPOCHS,
     .help = "epochs between the steps of the step schedule"},
    {MEMBER(gamma), .option = "--gamma", .arg = "X", .type = HYPER_REAL,
     .min = 0, .open_min = 1, .max = 10,
     .help = "factor of each step of the step schedule"},
    {MEMBER(augment), .option = "--augment", .arg = "LIST", .type = HYPER_TEXT,
     .help = "random changes to training images: shift:N, flip, erase:N, "
             "joined by +"},
    {MEMBER(label_smoothing), .option = "--label-smoothing", .arg = "X",
     .type = HYPER_REAL, .min = 0, .max = 1, .open_max = 1,
     .help = "share of each label that is spread over all classes"},
    {MEMBER(seed), .option = "--seed", .arg = "N", .type = HYPER_INT, .min = 0,
     .max = MAX_SEED,
     .help = "seed of weights, order, dropout and augmentation"},
    {MEMBER(split_seed), .option = "--split-seed", .arg = "N",
     .type = HYPER_INT, .min = 0, .max = MAX_SEED,
     .help = "seed of the division into parts"},
    {MEMBER(test_fraction), .option = "--test-fraction", .arg = "X",
     .type = HYPER_REAL, .min = 0, .max = 1, .open_max = 1,
     .help = "share of the images that only tests"},
    {MEMBER(val_fraction), .option = "--val-fraction", .arg = "X",
     .type = HYPER_REAL, .min = 0, .max = 1, .open_max = 1,
     .help = "share of the training images that chooses the epoch"},
    {MEMBER(patience), .option = "--patience", .arg = "N", .type = HYPER_INT,
     .min = 0, .max = MAX_EPOCHS,
     .help = "stop after so many epochs without a lower validation loss"},
    {MEMBER(precision), .type = HYPER_TEXT,
     .help = "number format of the arithmetic"},
};

#define N_FIELDS ((int)(sizeof HYPER_FIELDS / sizeof *HYPER_FIELDS))

int
hyper_n_fields(void)
{
    return N_FIELDS;
}

/* Whether a name is a column's, '-' and '_' being one. */
static int
same_name(const char *name, const char *column)
{
    while (*name && (*name == *column || (*name == '-' && *column == '_'))) {
        name++;
        column++;
    }
    return *name == *column;
}

const struct hyper_field *
hyper_field(const char *name)
{
    int dashes = !strncmp(name, "--", 2) ? 2 : 0;

    for (int i = 0; i < N_FIELDS; i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];

        if (dashes ? f->option && !strcmp(name, f->option)
                   : same_name(name, f->column)) {
            return f;
        }
    }
    return NULL;
}

/* The name that a message calls a field by. */
static const char *
field_label(const struct hyper_field *f)
{
    return f->option ? f->option : f->column;
}

void
hyper_expected(const struct hyper_field *f, struct str *out)
{
    switch (f->type) {
    case HYPER_INT:
        str_addf(out, "a whole number from %.0f to %.0f", f->min, f->max);
        break;
    case HYPER_REAL:
        str_addf(out, "a number %s %g and %s %g",
                 f->open_min ? "above" : "of at least", f->min,
                 f->open_max ? "below" : "at most", f->max);
        break;
    case HYPER_CHOICE:
        for (int i = 0; f->choices[i]; i++) {
            const char *glue = i == 0 ? "" : f->choices[i + 1] ? ", " : " or ";

            str_addf(out, "%s%s", glue, f->choices[i]);
        }
        break;
    case HYPER_FLAG:
        str_add(out, "0 or 1");
        break;
    case HYPER_TEXT:
        str_add(out, "text");
        break;
    }
}

/* ERR_USAGE: "--lr: expected a number above 0 …, found "x"". */
static int
refuse(const struct hyper_field *f, const char *found, struct err *e)
{
    struct str want;

    str_init(&want);
    hyper_expected(f, &want);
    err_set(e, ERR_USAGE, "%s: expected %s, found \"%.80s\"", field_label(f),
            want.s, found);
    str_release(&want);
    return ERR_USAGE;
}

static int
in_range(const struct hyper_field *f, double v)
{
    return (f->open_min ? v > f->min : v >= f->min) &&
           (f->open_max ? v < f->max : v <= f->max);
}

/* ---- texts -------------------------------------------------------------- */

/* The rate to show for a spec: the one its dropout layers share, the highest
 * where they differ, 0 where there are none. */
static double
highest_dropout(const struct spec *s)
{
    double rate = 0;

    for (int i = 0; i < s->n; i++) {
        const struct layer_spec *l = &s->layers[i];

        if (l->kind == LAYER_DROPOUT && l->rate > rate) {
            rate = l->rate;
        }
    }
    return rate;
}

/* Whether s is what a preset builds, dropout rates apart. */
static int
is_preset(const struct spec *s, const char *preset)
{
    const char *text = spec_preset(preset);
    struct spec p;

    return text && spec_parse(text, &p, NULL) == 0 && spec_same_layers(s, &p);
}

static int
set_spec(struct hyper *h, const char *text, struct err *e)
{
    struct spec s;
    int rc = spec_parse(text, &s, e);

    if (rc < 0) {
        return err_wrap(e, rc, "--spec");
    }
    spec_format(&s, h->spec);
    h->dropout = highest_dropout(&s);
    if (!is_preset(&s, h->preset)) {
        h->preset[0] = '\0';
    }
    return 0;
}

static int
set_augment(struct hyper *h, const char *text, struct err *e)
{
    struct augment a;
    int rc = augment_parse(text, &a, e);

    if (rc < 0) {
        return err_wrap(e, rc, "--augment");
    }
    augment_format(&a, h->augment);
    return 0;
}

static int
set_text(struct hyper *h, const struct hyper_field *f, const char *text,
         struct err *e)
{
    if (f->offset == offsetof(struct hyper, preset)) {
        return hyper_preset(text, h, e);
    }
    if (f->offset == offsetof(struct hyper, spec)) {
        return set_spec(h, text, e);
    }
    if (f->offset == offsetof(struct hyper, augment)) {
        return set_augment(h, text, e);
    }
    if (strcmp(text, "fp32") != 0) {
        return err_set(e, ERR_USAGE, "%s: expected fp32, found \"%.80s\"",
                       field_label(f), text);
    }
    memcpy(h->precision, "fp32", sizeof "fp32");
    return 0;
}

/* ---- one field ---------------------------------------------------------- */

int
hyper_preset(const char *preset, struct hyper *out, struct err *e)
{
    const char *spec = spec_preset(preset);
    struct hyper h = {
        .epochs = 100,
        .batch_size = 64,
        .lr = 0.001,
        .optimizer = strcmp(preset, "cnn") ? OPTIM_SGD : OPTIM_ADAM,
        .schedule = SCHED_CONSTANT,
        .gamma = 0.1,
        .augment = "none",
        .seed = 1,
        .test_fraction = 0.2,
        .precision = "fp32",
    };
    int rc;

    if (!spec) {
        return err_set(e, ERR_USAGE,
                       "--preset: expected ann or cnn, found "
                       "\"%.80s\"",
                       preset);
    }
    snprintf(h.preset, sizeof h.preset, "%s", preset);
    rc = set_spec(&h, spec, e);
    if (rc == 0) {
        *out = h;
    }
    return rc;
}

/* The rate of every dropout layer of h's spec, at once, so that a spec with
 * several rates gets this one. */
static void
apply_dropout(struct hyper *h)
{
    struct spec s;

    if (spec_parse(h->spec, &s, NULL) == 0) {
        spec_set_dropout(&s, h->dropout);
        spec_format(&s, h->spec);
    }
}

static int
set_int(struct hyper *h, const struct hyper_field *f, const char *text,
        struct err *e)
{
    long long v;

    if (str_to_i64(text, &v) < 0 || (double)v < f->min || (double)v > f->max) {
        return refuse(f, text, e);
    }
    memcpy((char *)h + f->offset, &v, sizeof v);
    return 0;
}

static int
set_real(struct hyper *h, const struct hyper_field *f, const char *text,
         struct err *e)
{
    double v;

    if (str_to_double(text, &v) < 0 || !in_range(f, v)) {
        return refuse(f, text, e);
    }
    v += 0.0; /* no -0 */
    memcpy((char *)h + f->offset, &v, sizeof v);
    if (f->offset == offsetof(struct hyper, dropout)) {
        apply_dropout(h);
    }
    return 0;
}

static int
set_choice(struct hyper *h, const struct hyper_field *f, const char *text,
           struct err *e)
{
    for (int i = 0; f->choices[i]; i++) {
        if (!strcmp(text, f->choices[i])) {
            memcpy((char *)h + f->offset, &i, sizeof i);
            return 0;
        }
    }
    return refuse(f, text, e);
}

static int
set_flag(struct hyper *h, const struct hyper_field *f, const char *text,
         struct err *e)
{
    int v = text[0] == '1';

    if ((text[0] != '0' && text[0] != '1') || text[1]) {
        return refuse(f, text, e);
    }
    memcpy((char *)h + f->offset, &v, sizeof v);
    return 0;
}

int
hyper_set(struct hyper *h, const struct hyper_field *f, const char *text,
          struct err *e)
{
    switch (f->type) {
    case HYPER_INT:
        return set_int(h, f, text, e);
    case HYPER_REAL:
        return set_real(h, f, text, e);
    case HYPER_CHOICE:
        return set_choice(h, f, text, e);
    case HYPER_FLAG:
        return set_flag(h, f, text, e);
    case HYPER_TEXT:
        return set_text(h, f, text, e);
    }
    return err_set(e, ERR_FAIL, "%s: no such type", field_label(f));
}

void
hyper_get(const struct hyper *h, const struct hyper_field *f, struct str *out)
{
    const char *p = (const char *)h + f->offset;
    long long whole;
    double real;
    int small;

    switch (f->type) {
    case HYPER_INT:
        memcpy(&whole, p, sizeof whole);
        str_addf(out, "%lld", whole);
        break;
    case HYPER_REAL:
        memcpy(&real, p, sizeof real);
        str_add_json_num(out, real);
        break;
    case HYPER_CHOICE:
        memcpy(&small, p, sizeof small);
        str_add(out, f->choices[small]);
        break;
    case HYPER_FLAG:
        memcpy(&small, p, sizeof small);
        str_addc(out, small ? '1' : '0');
        break;
    case HYPER_TEXT:
        str_add(out, p);
        break;
    }
}

/* ---- all together ------------------------------------------------------- */

/* A value that was not set from text may be anything. */
static int
check_range(const struct hyper *h, const struct hyper_field *f, struct err *e)
{
    const char *p = (const char *)h + f->offset;
    long long whole;
    double v = 0;
    int small, n = 2, ok = 1;
    struct str text;

    if (f->type == HYPER_INT) {
        memcpy(&whole, p, sizeof whole);
        ok = (double)whole >= f->min && (double)whole <= f->max;
        v = (double)whole;
    } else if (f->type == HYPER_REAL) {
        memcpy(&v, p, sizeof v);
        ok = in_range(f, v);
    } else if (f->type != HYPER_TEXT) {
        memcpy(&small, p, sizeof small);
        for (n = f->choices ? 0 : 2; f->choices && f->choices[n];) {
            n++;
        }
        ok = small >= 0 && small < n;
        v = small;
    }
    if (ok) {
        return 0;
    }
    str_init(&text);
    str_addf(&text, "%.17g", v);
    refuse(f, text.s, e);
    str_release(&text);
    return ERR_USAGE;
}

/* Options that contradict each other, or that would have no effect. */
static int
check_pairs(const struct hyper *h, struct err *e)
{
    if (h->momentum > 0 && h->optimizer != OPTIM_SGD) {
        return err_set(e, ERR_USAGE,
                       "--momentum: %s has no momentum of its own to set; use "
                       "it with --optimizer sgd",
                       OPTIMIZERS[h->optimizer]);
    }
    if (h->nesterov && !(h->momentum > 0)) {
        return err_set(e, ERR_USAGE,
                       "--nesterov: needs --momentum above 0 and --optimizer "
                       "sgd");
    }
    if (h->patience > 0 && !(h->val_fraction > 0)) {
        return err_set(e, ERR_USAGE,
                       "--patience: needs a validation part; give "
                       "--val-fraction too, such as 0.1");
    }
    if (h->warmup >= h->epochs) {
        return err_set(e, ERR_USAGE,
                       "--warmup: %lld epochs of warm-up leave none of %lld "
                       "for the schedule",
                       h->warmup, h->epochs);
    }
    if (h->schedule == SCHED_STEP && h->step_size == 0) {
        return err_set(e, ERR_USAGE,
                       "--schedule step: needs --step-size, the epochs "
                       "between two steps");
    }
    if (h->schedule != SCHED_STEP && h->step_size != 0) {
        return err_set(e, ERR_USAGE,
                       "--step-size: has no effect without --schedule step");
    }
    if (h->schedule != SCHED_STEP && h->gamma != 0.1) {
        return err_set(e, ERR_USAGE,
                       "--gamma: has no effect without --schedule step");
    }
    return 0;
}

/* Makes spec, preset and dropout agree. */
static int
settle_spec(struct hyper *h, struct err *e)
{
    double rate = h->dropout;
    struct spec s;
    int rc = set_spec(h, h->spec, e);

    if (rc < 0) {
        return rc;
    }
    if (rate != h->dropout) {
        rc = spec_parse(h->spec, &s, e);
        if (rc < 0) {
            return rc;
        }
        if (spec_set_dropout(&s, rate) == 0) {
            h->dropout = rate;
            return err_set(e, ERR_USAGE,
                           "--dropout: has no effect, as the model has no "
                           "dropout layer; name one in --spec");
        }
        h->dropout = rate;
        spec_format(&s, h->spec);
    }
    return 0;
}

int
hyper_check(struct hyper *h, struct err *e)
{
    const struct hyper_field *precision = hyper_field("precision");
    int rc;

    for (int i = 0; i < N_FIELDS; i++) {
        rc = check_range(h, &HYPER_FIELDS[i], e);
        if (rc < 0) {
            return rc;
        }
    }
    rc = check_pairs(h, e);
    if (rc == 0) {
        rc = settle_spec(h, e);
    }
    if (rc == 0) {
        rc = set_augment(h, h->augment, e);
    }
    if (rc == 0) {
        rc = set_text(h, precision, h->precision, e);
    }
    return rc;
}
