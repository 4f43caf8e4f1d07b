/* SPDX-License-Identifier: MIT */
/*
 * Golden values: the arrays that tests/golden/make_golden.py writes, and the
 * numbers that both sides draw rather than store (tests/golden/given.py).
 */
#ifndef FMNIST_TESTS_GOLDEN_H
#define FMNIST_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/model.h"

enum { GOLDEN_NAME = 64, GOLDEN_CASES = 32 };

struct golden_array {
    char name[GOLDEN_NAME];
    char type[8];
    size_t n;
    const void *data;
};

/* One pair of files; a set that is not whole ends the program. */
struct golden {
    size_t n;
    struct golden_array *arrays;
    char *bytes;
    int n_cases;
    char cases[GOLDEN_CASES][GOLDEN_NAME]; /* the words of array "cases" */
};

void golden_open(struct golden *g, const char *name);
void golden_close(struct golden *g);

/* An array by its name, a printf format; each ends the program if there is
 * none, or it has another type or fewer than `least` elements. */
const float *golden_f32(const struct golden *g, size_t least, const char *fmt,
                        ...) __attribute__((format(printf, 3, 4)));
const double *golden_f64(const struct golden *g, size_t least, const char *fmt,
                         ...) __attribute__((format(printf, 3, 4)));
const int32_t *golden_i32(const struct golden *g, size_t least, const char *fmt,
                          ...) __attribute__((format(printf, 3, 4)));
void golden_text(const struct golden *g, char *out, size_t size,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* NULL if there is none. */
const struct golden_array *golden_find(const struct golden *g,
                                       const char *name);

/*
 * Compares n values with array `name` (every stride-th of them where the array
 * "name/stride" says so): each within its own bound in "name/bound", or all
 * within `tolerance` where it is not negative.
 */
void golden_check(const struct golden *g, const char *name, const char *what,
                  const float *got, size_t n, double tolerance);

/* The drawn numbers, as given.py has them. */
void given_tensor(float *out, int seed, int tensor, float base, float scale,
                  size_t n);
void given_images(float *out, int seed, int batch, int n);
void given_labels(uint8_t *out, int seed, int batch, int n);
void given_patterned(float *out, const uint8_t *labels, int seed, int batch,
                     int n);
void given_mask(uint8_t *out, int seed, int layer, int batch, double rate,
                size_t n);
void given_gradient(float *out, int seed, int step, size_t n);

/* Sets every tensor of a model; init has base and scale of each. */
void given_model(struct model *m, int seed, const float *init);

#endif
