/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_ALIGN = 64 };

/* Fault injection; both stay 0 outside tests, so threads only read them. */
static long fail_in;
static int fail_sticky;

static int
fails_now(void)
{
    if (fail_in == 0)
        return 0;
    if (fail_in > 1) {
        fail_in--;
        return 0;
    }
    if (!fail_sticky)
        fail_in = 0;
    return 1;
}

/* The product in *bytes, at least 1 so that NULL always means failure. */
static int
multiply(size_t n, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(n, size, bytes))
        return -1;
    if (*bytes == 0)
        *bytes = 1;
    return 0;
}

void
mem_fail_at(long nth, int sticky)
{
    fail_in = nth;
    fail_sticky = sticky;
}

void *
mem_alloc(size_t n)
{
    return fails_now() ? NULL : malloc(n ? n : 1);
}

void *
mem_zalloc(size_t n, size_t size)
{
    size_t bytes;

    if (multiply(n, size, &bytes) < 0 || fails_now())
        return NULL;
    return calloc(1, bytes);
}

void *
mem_resize(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (multiply(n, size, &bytes) < 0 || fails_now())
        return NULL;
    return realloc(p, bytes);
}

char *
mem_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = mem_alloc(len + 1);

    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *
mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void
mem_free(void *p)
{
    free(p);
}

void *
mem_aligned(size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (multiply(n, size, &bytes) < 0 || bytes > SIZE_MAX - MEM_ALIGN ||
        fails_now())
        return NULL;
    bytes = (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    p = aligned_alloc(MEM_ALIGN, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}
