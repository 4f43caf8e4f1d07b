/* SPDX-License-Identifier: MIT */
/* Decoding UTF-8, whatever the locale. */
#ifndef FMNIST_BASE_UTF8_H
#define FMNIST_BASE_UTF8_H

#include <stdint.h>

/*
 * Decodes the character at s (NUL-terminated, not at its end) into *cp and
 * returns its length in bytes.  A byte that begins no valid sequence (overlong
 * forms, surrogates and values above U+10FFFF included) gives *cp = UTF8_BAD
 * and length 1.
 */
#define UTF8_BAD UINT32_MAX
int utf8_decode(const char *s, uint32_t *cp);

#endif
