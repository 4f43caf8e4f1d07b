/* SPDX-License-Identifier: MIT */
/* A small made-up data set that small models learn. */
#ifndef FMNIST_TESTS_TINY_H
#define FMNIST_TESTS_TINY_H

#include "fmnist/dataset.h"

/*
 * n images of classes 0 … 9 in turn: a bright block whose place depends on the
 * class, over seeded noise; a tenth of the labels is wrong, so that losses do
 * not fall for ever.  Free with dataset_free.
 */
struct dataset *tiny_new(uint32_t n, uint64_t seed);
/* As a CSV file without a header. */
void tiny_write(const struct dataset *d, const char *path);

#endif
