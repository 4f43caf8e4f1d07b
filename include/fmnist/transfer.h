/* SPDX-License-Identifier: MIT */
/* Whole runs between databases. */
#ifndef FMNIST_TRANSFER_H
#define FMNIST_TRANSFER_H

#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/store.h"

/*
 * Writes a new database `to` that holds the given runs and all that belongs to
 * them, at once or not at all; replaces a file only with `force`.  A run that
 * is being trained goes as it is at that moment.  *n counts the runs: those
 * that were deleted meanwhile are left out.
 */
int store_export(struct store *s, const struct run_ids *runs, const char *to,
                 int force, int64_t *n, struct err *e) MUST_CHECK;

/* What became of a run of an imported file. */
enum import_what {
    IMPORT_NEW,     /* it was not here */
    IMPORT_UPDATED, /* it was here, and the file had more of it */
    IMPORT_KNOWN,   /* the file had nothing that is not here */
    IMPORT_BUSY,    /* the file has more, but the run is being trained here */
    IMPORT_REFUSED, /* its history there is not its history here */
    N_IMPORT
};

struct import_options {
    int dry_run; /* takes everything back at the end */
    /* Of each run that is refused, with the reason: "epoch 3 differs". */
    void (*refused)(const char *uuid, const char *name, const char *why,
                    void *arg);
    void *arg;
};

struct import_result {
    int64_t runs[N_IMPORT];
};

/*
 * Takes all runs of a database file that may have been made to harm, in one
 * transaction: everything, or nothing where the file is not a sound run
 * database in every value.  The file is not written to.  Sets are recognized by
 * sha256, runs and sweeps by uuid; importing is idempotent, and the order in
 * which files are imported does not matter:
 *
 * - A run that was not here is added.  Its name gets " #2" … where it is taken.
 *   One that was queued, running or paused there is paused here.
 * - Of a run that is here, whatever the file has more of is added: later
 *   epochs, the state that follows, predictions and checkpoints.  Of two states
 *   after the same epochs the one that has ended comes later, and a finished
 *   one last.  Name, note, tags, star and trash stay as they are here, and a
 *   queued run stays queued unless it is finished there.
 * - A run of the same uuid with other values, or with other figures of an epoch
 *   that both have, is refused, and the others are imported.
 * - A run that is being trained here is left alone.
 *
 * A run that is not finished becomes one of this user, so that it can be
 * resumed here.
 */
int store_import(struct store *s, const char *path,
                 const struct import_options *o, struct import_result *out,
                 struct err *e) MUST_CHECK;

/* A new, empty database that is gone when it is closed. */
int store_scratch(struct store **out, struct err *e) MUST_CHECK;

#endif
