/* SPDX-License-Identifier: MIT */
/* The variants that a build may have; each is the one symbol of its object. */
#ifndef KERN_VARIANTS_H
#define KERN_VARIANTS_H

#include "fmnist/kern.h"

extern const struct kern kern_avx512;
extern const struct kern kern_avx2;
extern const struct kern kern_neon;

#endif
