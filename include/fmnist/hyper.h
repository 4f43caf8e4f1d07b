/* SPDX-License-Identifier: MIT */
/* The hyperparameters of a run, and the one table that describes them. */
#ifndef FMNIST_HYPER_H
#define FMNIST_HYPER_H

#include <stdint.h>

#include "fmnist/augment.h"
#include "fmnist/err.h"
#include "fmnist/optim.h"
#include "fmnist/spec.h"
#include "fmnist/str.h"

/*
 * Everything a user chooses that decides a run's numbers (the data set apart,
 * which is stored by its identity).  Defaults are the preset "ann" of DESIGN.
 */
struct hyper {
    char preset[16];      /* "ann", "cnn", or "" where the spec is the user's */
    char spec[SPEC_TEXT]; /* canonical, dropout rate included */
    long long epochs, batch_size;
    double lr;
    int optimizer; /* enum optimizer */
    double momentum;
    int nesterov;
    double weight_decay;
    double dropout; /* of the spec's dropout layers: the highest where they
                       differ, 0 without any */
    int schedule;   /* enum schedule */
    long long warmup, step_size;
    double gamma;
    char augment[AUGMENT_TEXT]; /* canonical; "none" */
    double label_smoothing;
    long long seed, split_seed; /* 0 … 2^53 - 1: exact in JSON */
    double test_fraction, val_fraction;
    long long patience; /* 0: off */
    char precision[8];  /* "fp32" */
};

enum hyper_type { HYPER_INT, HYPER_REAL, HYPER_CHOICE, HYPER_FLAG, HYPER_TEXT };

/* One field.  The table gives the option, the column, the range, the help. */
struct hyper_field {
    const char *column; /* name in table `run` */
    const char *option; /* "--batch-size"; NULL if there is none */
    const char *arg;    /* "N" in the help; NULL for a flag */
    enum hyper_type type;
    unsigned short offset;      /* in struct hyper */
    unsigned short size;        /* of a text */
    double min, max;            /* inclusive; for numbers */
    int open_min, open_max;     /* 1: that end is excluded */
    const char *const *choices; /* NULL-ended; index = value */
    const char *help;           /* one line, without range and default */
};

/* In the order of the columns of `run`. */
extern const struct hyper_field HYPER_FIELDS[];
int hyper_n_fields(void);
/* By column name, or by option with or without "--"; NULL if unknown. */
const struct hyper_field *hyper_field(const char *name);

/* The defaults of a preset; ERR_USAGE for an unknown one, naming them all. */
int hyper_preset(const char *preset, struct hyper *out,
                 struct err *e) MUST_CHECK;

/* What a field accepts, in words: "a number above 0 and at most 1000". */
void hyper_expected(const struct hyper_field *f, struct str *out);

/*
 * Sets one field from text, checked alone: "--lr: expected a number above 0 and
 * at most 1000, found "nan"".  Setting `preset` resets every field; setting
 * `spec` takes dropout from it, and clears preset unless the layers are the
 * preset's; setting `dropout` changes the spec.  A flag's text is "0" or "1".
 */
int hyper_set(struct hyper *h, const struct hyper_field *f, const char *text,
              struct err *e) MUST_CHECK;
/* The value as the shortest text that hyper_set reads back to the same. */
void hyper_get(const struct hyper *h, const struct hyper_field *f,
               struct str *out);

/* The options that choose the layers, as typed; NULL: not given. */
struct hyper_model {
    const char *preset, *spec, *hidden, *filters;
};
/*
 * Gives h other layers and keeps its other values, but for those that go with
 * the layers: a preset brings its optimizer, and what is new its dropout rate.
 * Widths alone (hidden, filters) are put into layers that h has from a preset,
 * with the rate of h.  ERR_USAGE, also where spec comes with another.
 */
int hyper_set_model(struct hyper *h, const struct hyper_model *m,
                    struct err *e) MUST_CHECK;

/* Whether two, as hyper_check leaves them, describe the same training: all
 * fields are equal but the preset, which only says where the spec is from. */
int hyper_same(const struct hyper *a, const struct hyper *b);

/*
 * What needs several fields: nesterov without momentum, momentum with Adam,
 * patience without val_fraction, warmup >= epochs, step without step_size or a
 * one that has no effect …; then makes the spec canonical and puts the dropout
 * rate into it.  ERR_USAGE.
 */
int hyper_check(struct hyper *h, struct err *e) MUST_CHECK;

/* The model kind for column `model`: "cnn" if the spec has a convolution. */
const char *hyper_model(const struct hyper *h);

/* The options that make h from nothing, beginning with --preset or --spec and
 * naming only what differs: "--preset ann --batch-size 32 --seed 2". */
void hyper_command(const struct hyper *h, struct str *out);
/* A run's default name: its model and what differs from the preset, the seed
 * included: "ann batch 32 seed 2"; never all digits. */
void hyper_name(const struct hyper *h, struct str *out);

#endif
