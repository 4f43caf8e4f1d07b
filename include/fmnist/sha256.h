/* SPDX-License-Identifier: MIT */
/* SHA-256 (libcrypto). */
#ifndef FMNIST_SHA256_H
#define FMNIST_SHA256_H

#include <stddef.h>

#include "fmnist/err.h"

#define SHA256_HEX 65 /* 64 lower-case digits and NUL */

struct sha256; /* opaque */

struct sha256 *sha256_new(void); /* NULL: no memory */
void sha256_add(struct sha256 *h, const void *p, size_t n);
void sha256_hex(struct sha256 *h, char hex[SHA256_HEX]); /* ends it */
void sha256_free(struct sha256 *h);

/* All in one; 0 or ERR_NOMEM. */
int sha256_of(const void *p, size_t n, char hex[SHA256_HEX],
              struct err *e) MUST_CHECK;

#endif
