/* SPDX-License-Identifier: MIT */
/* Predictions to figures: confusion, per-class metrics, paired tests. */
#ifndef FMNIST_METRICS_H
#define FMNIST_METRICS_H

#include <stdint.h>

#include "fmnist/dataset.h"

/* count[truth][predicted] */
struct confusion {
    uint32_t count[N_CLASSES][N_CLASSES];
};

void confusion_clear(struct confusion *c);
void confusion_add(struct confusion *c, int truth, int predicted);
uint32_t confusion_total(const struct confusion *c);
uint32_t confusion_correct(const struct confusion *c); /* the trace */

/* Of one class; a ratio whose denominator is 0 is NaN (shown as "-"). */
struct class_metrics {
    uint32_t support;   /* images of the class: the row's sum */
    uint32_t predicted; /* images predicted so: the column's sum */
    double precision, recall, f1;
};
void class_metrics_of(const struct confusion *c,
                      struct class_metrics out[N_CLASSES]);
/* Unweighted mean over the classes with support > 0; f1 of a class never
 * predicted counts 0. */
double class_metrics_macro_f1(const struct class_metrics m[N_CLASSES]);

/* The off-diagonal cells, most frequent first, ties by (truth, predicted);
 * returns how many have a count. */
struct confusion_pair {
    int truth, predicted;
    uint32_t count;
};
int confusion_pairs(const struct confusion *c,
                    struct confusion_pair out[N_CLASSES * (N_CLASSES - 1)]);

/* Two classifiers on the same images. */
struct paired {
    uint32_t both_right, only_a, only_b,
        both_wrong; /* only_a: a right, b not */
    double p; /* McNemar's exact two-sided test: twice the lower binomial tail
                 of min(only_a, only_b) among only_a + only_b at 1/2, at most 1;
                 1 when they never disagree.  McNemar (1947) */
};
void paired_of(const uint8_t *truth, const uint8_t *a, const uint8_t *b,
               uint32_t n, struct paired *out);
double paired_mcnemar(uint32_t only_a, uint32_t only_b);

/* 95 % Wilson score interval of a fraction (Wilson 1927). */
void wilson_interval(uint32_t correct, uint32_t n, double *low, double *high);

#endif
