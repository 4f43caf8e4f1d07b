/* SPDX-License-Identifier: MIT */
/* What the tests of the queue share. */
#ifndef FMNIST_TESTS_QUEUE_SUPPORT_H
#define FMNIST_TESTS_QUEUE_SUPPORT_H

#include "fmnist/store_queue.h"

/* A claim (run 0: of any) with the kernels "scalar" and "abacus". */
struct claim queue_claim_of(int64_t run);
/* Claims the first that can be had; 0: none. */
int64_t queue_claim(struct store *s);
/* A row of `worker` for s. */
int64_t queue_join(struct store *s);
/* The i-th of all workers. */
struct worker queue_worker(struct store *s, size_t i);
/* Counts runs. */
int queue_bury(struct store *s, const struct worker *w);
/* One run; what store_steer returns. */
int queue_steer(struct store *s, int64_t id, enum steer what, int fresh,
                struct err *e);

struct run queue_run(struct store *s, int64_t id);
void queue_status_is(struct store *s, int64_t id, const char *status);
/* store_check finds nothing. */
void queue_is_sound(struct store *s);

#endif
