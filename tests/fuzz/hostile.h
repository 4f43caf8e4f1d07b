/* SPDX-License-Identifier: MIT */
/* Run databases as somebody else could have made them. */
#ifndef FMNIST_TESTS_FUZZ_HOSTILE_H
#define FMNIST_TESTS_FUZZ_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes a database to `path`: the input itself if it begins as an SQLite file
 * does, else lab_database after the changes that the input's lines name:
 *   s SQL          by a connection that checks nothing: neither NOT NULL nor
 *                  CHECK nor references, and no trigger acts
 *   p PAGE AT HEX  bytes of a page, both from decimal numbers
 *   c SIZE         cuts the file
 *   w HEX, j HEX   bytes added to a -wal or -journal beside it
 *   old            the database is of the first schema
 * Other lines mean nothing.  SQL goes first.
 */
void hostile_write(const char *path, const uint8_t *data, size_t size);

/* Keeps the bytes of the file; and makes sure that it has them still, unless
 * what is beside it belongs to it, which reading may put into it. */
void hostile_remember(const char *path);
void hostile_unchanged(const char *path);

#endif
