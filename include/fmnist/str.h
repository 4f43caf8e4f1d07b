/* SPDX-License-Identifier: MIT */
/* A growing byte string with a sticky out-of-memory flag. */
#ifndef FMNIST_STR_H
#define FMNIST_STR_H

#include <stddef.h>

/*
 * Invariants: s is NUL-terminated and never NULL after str_init; len excludes
 * the NUL.  The adders cannot fail at the call: when memory runs out `oom` is
 * set, the content stays as it was, and later additions do nothing.  Test
 * str_failed() once, where the text is used.
 */
struct str {
    char *s;
    size_t len;
    size_t cap; /* bytes owned; 0 while s is the shared empty string */
    int oom;
};

void str_init(struct str *b);
void str_release(struct str *b);
void str_clear(struct str *b); /* len = 0, memory and flag kept */
void str_add(struct str *b, const char *s);
void str_addn(struct str *b, const void *p, size_t n);
void str_addc(struct str *b, char c);
void str_addf(struct str *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int str_failed(const struct str *b);

/* Gives the heap string away (mem_free) and leaves b empty; NULL on oom. */
char *str_detach(struct str *b);

/* Appends s so that it is safe on a terminal: C0, C1 and DEL shown as ^[ ^?
 * or <9b>, invalid UTF-8 as <ff>; everything else as it is. */
void str_add_visible(struct str *b, const char *s);

/* Appends s as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void str_add_json(struct str *b, const char *s);
/* The shortest digits that read back as the same double ("0.1"); null where v
 * is not finite. */
#define NUM_TEXT 32
void num_format(double v, char out[NUM_TEXT]);
void str_add_json_num(struct str *b, double v);

/* Appends s as one CSV field (RFC 4180), quoted where needed. */
void str_add_csv(struct str *b, const char *s);

/* Appends s as one POSIX shell word, quoted where needed. */
void str_add_shell(struct str *b, const char *s);

/* Terminal columns of a UTF-8 string (wcwidth; invalid bytes count one). */
int str_width(const char *s);

/* Appends s, control characters shown, cut to at most `cols` terminal columns
 * and padded with blanks to exactly that many; a cut ends in "…" (or ">" if
 * ascii). */
void str_add_fit(struct str *b, const char *s, int cols, int ascii);

/* Reads a whole number or real from all of s (no blanks, no trailing text, no
 * hex, no "nan"/"inf").  Return 0, or -1 where s is not one or out of the
 * type's range. */
int str_to_i64(const char *s, long long *out);
int str_to_double(const char *s, double *out);

#endif
