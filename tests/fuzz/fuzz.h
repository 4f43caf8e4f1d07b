/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.  A target is one file fuzz_NAME.c; linked with
 * libFuzzer it is searched for faults (`make fuzz`), linked with replay.c it
 * takes the inputs of corpus/NAME and found/NAME (`make check`).
 */
#ifndef FMNIST_TESTS_FUZZ_H
#define FMNIST_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process where an invariant does not hold, saying which. */
#define MUST(cond) fuzz_must(!!(cond), #cond, __FILE__, __LINE__)
void fuzz_must(int holds, const char *what, const char *file, int line);

/* What every refusal must be: a code, and a message that is one line on a
 * terminal. */
void fuzz_refused(int rc, const struct err *e);
/* Text as the program prints it has no control character. */
void fuzz_visible(const char *text);

/* Takes n bytes off the front: NULL where there are fewer. */
struct bytes {
    const uint8_t *at;
    size_t left;
};
const uint8_t *fuzz_take(struct bytes *b, size_t n);
/* One or two bytes (low one first) as a number, 0 where they are missing. */
unsigned fuzz_byte(struct bytes *b);
unsigned fuzz_word(struct bytes *b);
/* The rest as a heap string (mem_free), which ends at its first NUL. */
char *fuzz_text(struct bytes *b);

/* The path of a file in memory that holds these bytes until the next call. */
const char *fuzz_file(const void *p, size_t n);

/* A folder of this process, in memory where the system has such a place;
 * removed at exit. */
const char *fuzz_folder(void);
/* "FOLDER/name"; kept until the 8th call from now. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *path, const void *p, size_t n);
/* Removes all files of the folder. */
void fuzz_clear(void);

#endif
