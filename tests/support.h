/* SPDX-License-Identifier: MIT */
/* What the Check programs share: running, and files to read and spoil. */
#ifndef FMNIST_TESTS_SUPPORT_H
#define FMNIST_TESTS_SUPPORT_H

#include <check.h>
#include <stddef.h>

/* Runs a suite (and a second, or NULL) with TAP on stdout; main's result. */
int run_suites(Suite *s, Suite *more);

/*
 * Checked fixtures: a folder of the test's own, removed with all in it
 * afterwards, as are the strings and buffers that the functions below return.
 *     tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
 */
void tmp_setup(void);
void tmp_teardown(void);
const char *tmp_dir(void);
/* "FOLDER/name" of that folder. */
char *tmp_path(const char *name);

/* Each fails the test where the system refuses. */
void file_write(const char *path, const void *p, size_t n);
void file_write_text(const char *path, const char *text);
void file_write_gz(const char *path, const void *p, size_t n);
void file_append(const char *path, const void *p, size_t n);
/* All bytes and a NUL after them. */
char *file_read(const char *path, size_t *n);
int file_exists(const char *path);

/* A file of the source tree: "$srcdir/name". */
char *source_path(const char *name);

#endif
