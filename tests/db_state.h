/* SPDX-License-Identifier: MIT */
/* What a run database holds, in short, to tell before from after. */
#ifndef FMNIST_TESTS_DB_STATE_H
#define FMNIST_TESTS_DB_STATE_H

#include "fmnist/sha256.h"
#include "fmnist/store.h"

/*
 * The hash of all tables' rows and of the schema's version, read by a
 * connection of its own.  Of what differs between two equal doings (times,
 * UUIDs) only counts whether it is there.  "none" where there is no file or
 * nothing in it; a message where it cannot be read or SQLite finds it damaged.
 */
void db_state(const char *path, char out[SHA256_HEX]);
/* The same by the connection of an open store. */
void db_state_by(struct store *s, char out[SHA256_HEX]);

/* Asserts that store_check finds nothing; `when` is said if not. */
void db_sound(struct store *s, const char *when);

#endif
