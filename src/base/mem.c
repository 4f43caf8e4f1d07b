/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_ALIGN = 64 };

/* For tests.  Any thread may allocate. */
static atomic_long fail_in; /* 0: never; 1: the next one; -1: each one */
static atomic_int fail_sticky;
static atomic_long live;

static int
fails_now(void)
{
    long n = fail_in, next;

    do {
        if (n <= 0)
            return n < 0;
        next = n == 1 && fail_sticky ? -1 : n - 1;
    } while (!atomic_compare_exchange_weak(&fail_in, &n, next));
    return n == 1;
}

/* A new allocation, or NULL. */
static void *
count(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
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

int
mem_fail_at(long nth, int sticky)
{
    long was;

    fail_sticky = sticky;
    was = atomic_exchange(&fail_in, nth);
    return was > 0;
}

long
mem_live(void)
{
    return live;
}

void *
mem_alloc(size_t n)
{
    return fails_now() ? NULL : count(malloc(n ? n : 1));
}

void *
mem_zalloc(size_t n, size_t size)
{
    size_t bytes;

    if (multiply(n, size, &bytes) < 0 || fails_now())
        return NULL;
    return count(calloc(1, bytes));
}

void *
mem_resize(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (multiply(n, size, &bytes) < 0 || fails_now())
        return NULL;
    return p ? realloc(p, bytes) : count(malloc(bytes));
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
    if (p)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
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
    return count(p);
}
