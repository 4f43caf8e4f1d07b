/* SPDX-License-Identifier: MIT */
/* A small run database to begin with. */
#ifndef FMNIST_TESTS_FUZZ_LAB_H
#define FMNIST_TESTS_FUZZ_LAB_H

#include <stddef.h>
#include <stdint.h>

/* A finished run with two epochs, a queued one, and one in the trash. */
enum { LAB_RUNS = 3, LAB_PAGE = 1024 };

struct dataset;

/* The set of its runs, which is not to be freed. */
const struct dataset *lab_set(void);

/* The bytes of such a file, of small pages, in WAL mode; or of one as the first
 * release made it, with a rollback journal.  Kept for ever.
 * Clears the folder of fuzz.h at the first call. */
uint8_t *lab_database(int old, size_t *n);

#endif
