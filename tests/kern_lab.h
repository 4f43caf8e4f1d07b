/* SPDX-License-Identifier: MIT */
/* What the tests of the kernels share: guarded buffers and derived bounds. */
#ifndef FMNIST_TESTS_KERN_LAB_H
#define FMNIST_TESTS_KERN_LAB_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/kern.h"

/* Which side of a buffer touches an unreadable page. */
enum lab_place { LAB_END, LAB_START, LAB_PLACES };

/* Variants that can run here, scalar last; `i` is a loop test's index. */
int lab_variants(void);
const struct kern *lab_variant(int i);

/* Checked fixture: frees what the functions below return. */
void lab_setup(void);
void lab_teardown(void);

/* n values in (-1, 1), a function of the seed; zeros if it is 0. */
float *lab_floats(size_t n, enum lab_place place, uint32_t seed);
float *lab_copy(const float *x, size_t n, enum lab_place place);
/* |x|, or NULL if x is. */
float *lab_abs(const float *x, size_t n);
/* Bytes of 0 and 1. */
uint8_t *lab_bytes(size_t n, enum lab_place place, uint32_t seed);

/*
 * Fails the test unless got and want agree within what two orders of rounding
 * of a sum of `length` products can differ by; mag[i] is the sum of their
 * magnitudes (NULL: they must be equal).
 */
void lab_compare(const struct kern *k, const char *what, const float *got,
                 const float *want, const float *mag, size_t n, int length);

/* Fails the test unless the bytes are equal. */
void lab_same(const struct kern *k, const char *what, const float *got,
              const float *want, size_t n);

/* Hash of the bits of every kernel's results on fixed inputs. */
uint64_t kern_fingerprint(const struct kern *k);

#endif
