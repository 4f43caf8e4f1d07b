/* SPDX-License-Identifier: MIT */
/* A set of labelled 28x28 grey images in memory, and its readers. */
#ifndef FMNIST_DATASET_H
#define FMNIST_DATASET_H

#include <stdint.h>
#include <stdio.h>

#include "fmnist/err.h"
#include "fmnist/sha256.h"

#define IMAGE_SIDE 28
#define IMAGE_PIXELS 784
#define N_CLASSES 10
#define CLASS_NAME_MAX 40 /* bytes with NUL; class names are short */

/*
 * Immutable once loaded.  `image` everywhere in the program is an index into
 * the stored order: training file first, then test file.
 */
struct dataset {
    char *name;            /* "small", "full", a registered name, or the path */
    char *source;          /* absolute path of the file or folder read */
    uint32_t n;            /* images */
    uint32_t n_fixed_test; /* the last so many are the set's own test part;
                              0: the test part is drawn by split_make */
    uint8_t *labels;       /* n, each < N_CLASSES */
    uint8_t *pixels;       /* n x 784, row-major, 0 = background */
    char sha256[SHA256_HEX]; /* of n (uint32 LE), labels, pixels */
    char class_names[N_CLASSES][CLASS_NAME_MAX];
};

/* The ten names of Fashion-MNIST, in label order. */
extern const char *const FASHION_CLASSES[N_CLASSES];

/*
 * Loads a set.  `where` is
 *   "small"  the shipped sample: $FMNIST_DATA_DIR, else the installed data
 *            folder, else ./data of a build tree;
 *   "full"   Debian's dataset-fashion-mnist (under $FMNIST_FULL_DIR, else
 *            /usr/share/datasets/fashion-mnist); when it is missing the message
 *            names the package to install;
 *   else a path: .csv, .csv.gz (or any file whose content is CSV, gzipped or
 *   not), or a folder of IDX files
 *   ({train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not; the t10k
 *   pair is optional and becomes the fixed test part).
 * A one-line message names file, line, row, field and value of the first fault.
 * Nothing is half-loaded: on failure *out is NULL.  Free with dataset_free.
 * Class names are Fashion-MNIST's for small and full, else "0" … "9".
 */
int dataset_load(const char *where, struct dataset **out,
                 struct err *e) MUST_CHECK;
void dataset_free(struct dataset *d);

/*
 * Reads all of a set and reports each malformed row through `report` (up to
 * `max` of them); returns the number of faults found, or a negative code where
 * the file cannot be read at all.  Same code and words as dataset_load.
 */
typedef void (*dataset_report_fn)(const char *message, void *arg);
long dataset_check(const char *where, int max, dataset_report_fn report,
                   void *arg, struct err *e) MUST_CHECK;

/*
 * Reads images to classify, with or without labels: rows of 784 or 785 fields
 * (785 = label first), or one IDX image file (alone, or a folder as above).
 * labels is NULL in the result if the file has none.
 */
int dataset_load_unlabelled(const char *where, struct dataset **out,
                            struct err *e) MUST_CHECK;

/* Computes d->sha256 from n, labels and pixels. */
int dataset_identify(struct dataset *d, struct err *e) MUST_CHECK;

/*
 * Draws `n` rows of d (the first n_train = n - n_fixed_test rows only) with a
 * seed: n / 10 of each class as evenly as possible, kept in stored order, and
 * writes them as CSV (header label,pixel1,…,pixel784), gzipped without name
 * and time where path ends in .gz, so equal calls give equal bytes.
 */
int dataset_sample(const struct dataset *d, uint32_t n, uint64_t seed,
                   const char *path, struct err *e) MUST_CHECK;

/* A class by digit, exact name, or unique prefix, case ignored.  Returns
 * 0..9, or ERR_USAGE with the candidates named. */
int dataset_class(const char names[N_CLASSES][CLASS_NAME_MAX], const char *s,
                  struct err *e) MUST_CHECK;

#endif
