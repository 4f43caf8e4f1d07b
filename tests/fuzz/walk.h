/* SPDX-License-Identifier: MIT */
/* Everything that is read of a database, and some of what is written. */
#ifndef FMNIST_TESTS_FUZZ_WALK_H
#define FMNIST_TESTS_FUZZ_WALK_H

#include "fmnist/store.h"

/* Each result is sound, or a refusal. */
void walk_read(struct store *s);
void walk_write(struct store *s);

#endif
