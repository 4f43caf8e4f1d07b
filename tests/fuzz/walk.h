/* SPDX-License-Identifier: MIT */
/* Everything that is read of a database, and some of what is written. */
#ifndef FMNIST_TESTS_FUZZ_WALK_H
#define FMNIST_TESTS_FUZZ_WALK_H

#include "fmnist/store.h"

/* Each result is sound, or a refusal. */
void walk_result(int rc, const struct err *e);
/* Whether the run's model takes no time that other inputs need; what is no
 * model is left to the program to refuse. */
int walk_is_small(const struct run *r);

void walk_read(struct store *s);
void walk_write(struct store *s);

#endif
