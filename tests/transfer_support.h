/* SPDX-License-Identifier: MIT */
/* Runs that can be transferred, and databases compared but for their ids. */
#ifndef FMNIST_TESTS_TRANSFER_SUPPORT_H
#define FMNIST_TESTS_TRANSFER_SUPPORT_H

#include "fmnist/store.h"
#include "fmnist/transfer.h"

/* A queued run of a small model for 20 epochs. */
int64_t small_run(struct store *s, const char *name, int seed);
/* Starts it unless it is running, and trains it up to that epoch, in whose
 * predictions (epoch + seed) % 10 are right. */
void small_train(struct store *s, int64_t id, int epoch);
/* Ends it, with predictions where `status` is finished or stopped. */
void small_end(struct store *s, int64_t id, const char *status);
/* All of it at once. */
int64_t small_finished(struct store *s, const char *name, int seed, int epochs);

/* Seven runs in all states, two of a sweep, two that go on from others. */
void small_fill(struct store *s);

/* Another database of the test's folder, opened for writing. */
struct store *other_store(const char *name);
/* Changes a file without the store; and without what SQLite checks. */
void raw_sql(const char *path, const char *sql);
void force_sql(const char *path, const char *sql);

/* All that a database holds, without ids, places in the queue, and what an
 * import tells; the names of runs may be left out. */
char *dump(struct store *s, int names);
/* Asserts that both hold the same, names included. */
void same_content(struct store *a, struct store *b);

/* Imports a file of the folder; the result, and the reasons of refusals. */
struct outcome {
    int64_t runs[N_IMPORT];
    char refused[1000];
};
void import_from(struct store *s, const char *file, struct outcome *o);
/* The same, and asserts how many were added, brought up to date and known; none
 * was refused. */
void became(struct store *s, const char *file, int64_t added, int64_t updated,
            int64_t known);
/* Exports all runs, or one, to a file of the folder. */
void export_to(struct store *s, int64_t id, const char *file);

#endif
