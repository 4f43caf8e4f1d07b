/* SPDX-License-Identifier: MIT */
/* Allocation: the one door to the heap, so that tests can make it fail. */
#ifndef FMNIST_MEM_H
#define FMNIST_MEM_H

#include <stddef.h>

/* All return NULL on failure or when n * size overflows.  Free with mem_free
 * (NULL is fine), the aligned ones too. */
void *mem_alloc(size_t n) __attribute__((malloc));
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc));
void *mem_resize(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void mem_free(void *p);

/* Zeroed and aligned to 64 bytes: an AVX-512 register, a cache line. */
void *mem_aligned(size_t n, size_t size) __attribute__((malloc));

/* Tests only: the nth allocation from now on, in any thread, fails (1 = the
 * next), and so do all later ones if `sticky`; 0 switches it off.  Returns 1
 * where what was ordered before has not come to pass. */
int mem_fail_at(long nth, int sticky);
/* Allocations that have not been freed. */
long mem_live(void);

#endif
