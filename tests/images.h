/* SPDX-License-Identifier: MIT */
/* Made-up images for tests, in memory and as files. */
#ifndef FMNIST_TESTS_IMAGES_H
#define FMNIST_TESTS_IMAGES_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/str.h"

/* Pixel `p` and the label of image `i` of the made-up set. */
uint8_t image_pixel(uint32_t i, int p);
uint8_t image_label(uint32_t i);

/* The first n of them; dataset_free. */
struct dataset *images_new(uint32_t n);

/* Appends the header, or n rows of the made-up set, with 785 fields. */
void csv_add_header(struct str *b);
void csv_add_images(struct str *b, uint32_t n);

/*
 * Appends one row of `fields` fields: 3, then zeros, but `value` (`len` bytes)
 * at index `at`, where 0 is the label; none if at < 0.
 */
void csv_add_row(struct str *b, int fields, int at, const char *value,
                 size_t len);

/*
 * Writes IDX files into `dir`: PREFIX-images-idx3-ubyte and
 * PREFIX-labels-idx1-ubyte, of images `first` … first + n - 1, gzipped or not.
 */
void idx_write(const char *dir, const char *prefix, uint32_t first, uint32_t n,
               int gz);
/* A file of 4-byte numbers, high byte first, and then bytes. */
void idx_write_raw(const char *path, const uint32_t *head, int words,
                   const void *bytes, size_t n, int gz);

#endif
