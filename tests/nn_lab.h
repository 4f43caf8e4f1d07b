/* SPDX-License-Identifier: MIT */
/* Small models and batches for the tests of nn. */
#ifndef FMNIST_TESTS_NN_LAB_H
#define FMNIST_TESTS_NN_LAB_H

#include <stdint.h>

#include "fmnist/kern.h"
#include "fmnist/model.h"

#define LAB_BATCH 64

/* Fails the test unless the text is a spec. */
struct spec lab_spec(const char *text);

/* A training model with weights of seed 1 (lab_free it with model_free). */
struct model *lab_model(const char *text, const struct kern *k, int threads,
                        int max_batch);

/* n images of noise with structure, and their labels; static storage. */
const float *lab_images(void);
const uint8_t *lab_labels(void);

/* One training batch of the first n images; the mean loss. */
double lab_train(struct model *m, int n, uint64_t position);

/* The scalar kernels, then each variant that can run here. */
int lab_kernels(void);
const struct kern *lab_kernel(int i);

#endif
