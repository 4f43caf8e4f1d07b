/* SPDX-License-Identifier: MIT */
/* A file read from its beginning to its end, unpacked where it is gzip. */
#ifndef FMNIST_DATA_INPUT_H
#define FMNIST_DATA_INPUT_H

#include <stddef.h>

#include "fmnist/err.h"

struct input; /* opaque */

/*
 * Opens a file, pipe or device for reading; gzip is known by its first two
 * bytes, not by the name.  ERR_NOTFOUND where it does not exist, ERR_IO where
 * the system refuses it (a folder too).
 */
int input_open(const char *path, struct input **out, struct err *e) MUST_CHECK;
void input_close(struct input *in);

/* The path as it was given; borrowed. */
const char *input_path(const struct input *in);

/*
 * Reads n bytes, fewer only at the end; returns their number.  ERR_FAIL for
 * gzip data that is damaged, cut short or followed by something else; members
 * one after another are one text, and zero bytes after the last are padding.
 */
long input_read(struct input *in, void *buf, size_t n,
                struct err *e) MUST_CHECK;

/* Reads n bytes (at most INPUT_PEEK) without consuming them. */
#define INPUT_PEEK 16
long input_peek(struct input *in, void *buf, size_t n,
                struct err *e) MUST_CHECK;

#endif
