/* SPDX-License-Identifier: MIT */
/* From what was typed to the row of a run. */
#ifndef FMNIST_CLI_NEW_RUN_H
#define FMNIST_CLI_NEW_RUN_H

#include "cli/cli.h"
#include "fmnist/split.h"

/* A set with a test part of its own is not divided again: --test-fraction is
 * refused, and the fraction of h is 0; on another set a fraction that was left
 * out is the default, not such a 0. */
int new_run_test_part(const struct cli *c, const struct dataset *d,
                      struct hyper *h, struct err *e) MUST_CHECK;
/* The sizes of h's parts of d; whether it can be trained on them. */
int new_run_check(const struct dataset *d, const struct hyper *h,
                  uint32_t n[N_PARTS], struct err *e) MUST_CHECK;

/* Name, note and tags as typed; the tags are in a list to mem_free. */
int new_run_init(const struct cli *c, struct run_new *out, const char ***tags,
                 struct err *e) MUST_CHECK;

#endif
