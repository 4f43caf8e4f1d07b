/* SPDX-License-Identifier: MIT */
/* Making struct predictions (fmnist/trainer.h). */
#ifndef FMNIST_TRAIN_PREDICTIONS_H
#define FMNIST_TRAIN_PREDICTIONS_H

#include "fmnist/trainer.h"
#include "train/evaluate.h"

/* Image numbers (NULL: 0 … n-1) and, where d has labels, the truth. */
int predictions_init(struct predictions *p, const struct dataset *d,
                     const uint32_t *images, uint32_t n,
                     struct err *e) MUST_CHECK;
/* Moves classes and probabilities out of o, for as many images. */
void predictions_take(struct predictions *p, struct outcome *o);

#endif
