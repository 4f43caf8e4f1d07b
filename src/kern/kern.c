/* SPDX-License-Identifier: MIT */
/*
 * Choosing a variant.  Built without instruction-set flags, so that it runs
 * anywhere.
 */
#include "config.h"

#include "fmnist/kern.h"
#include "kern/variants.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#ifdef __SSE__
#include <xmmintrin.h>
#endif

/* Best first.  A processor that runs one runs all after it (AVX-512 is only
 * taken together with AVX2), so what can run is always a tail of this. */
static const struct kern *const VARIANTS[] = {
#ifdef HAVE_ISA_AVX512
    &kern_avx512,
#endif
#ifdef HAVE_ISA_AVX2
    &kern_avx2,
#endif
#ifdef HAVE_ISA_NEON
    &kern_neon,
#endif
    &kern_scalar, NULL,
};

static const char *const NAMES[] = {"avx512", "avx2", "neon", "scalar"};

#if defined(__x86_64__) || defined(__i386__)
/* The register states that the operating system saves (XCR0); 0 without
 * XSAVE. */
static unsigned
os_states(void)
{
    unsigned a, b, c, d, low, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return 0;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int
has_avx2(void)
{
    unsigned a, b, c, d;
    const unsigned ymm = 0x06; /* SSE and AVX state */

    return (os_states() & ymm) == ymm && __get_cpuid(1, &a, &b, &c, &d) &&
           (c & bit_AVX) && (c & bit_FMA) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static int
has_avx512(void)
{
    unsigned a, b, c, d;
    const unsigned zmm = 0xe6; /* also masks and both halves of the zmm file */
    const unsigned need =
        bit_AVX512F | bit_AVX512VL | bit_AVX512BW | bit_AVX512DQ;

    return has_avx2() && (os_states() & zmm) == zmm &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & need) == need;
}
#else
static int
has_avx2(void)
{
    return 0;
}

static int
has_avx512(void)
{
    return 0;
}
#endif

static int
can_run(const struct kern *k)
{
    if (strcmp(k->name, "avx512") == 0) {
        return has_avx512();
    }
    if (strcmp(k->name, "avx2") == 0) {
        return has_avx2();
    }
    return 1; /* scalar; NEON is part of every aarch64 */
}

const struct kern *const *
kern_available(void)
{
    const struct kern *const *v = VARIANTS;

    while (!can_run(*v)) {
        v++;
    }
    return v;
}

static int
choose_named(const char *name, const struct kern **out, struct err *e)
{
    for (const struct kern *const *v = kern_available(); *v; v++) {
        if (strcmp((*v)->name, name) == 0) {
            *out = *v;
            return kern_selftest(*v, e);
        }
    }
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(NAMES[i], name) == 0) {
            return err_set(e, ERR_USAGE,
                           "FMNIST_CPU=%s: this processor or build has no "
                           "such instructions (the best here is %s)",
                           name, kern_available()[0]->name);
        }
    }
    return err_set(e, ERR_USAGE,
                   "FMNIST_CPU=%s: not one of scalar, avx2, avx512, neon",
                   name);
}

int
kern_choose(const char *name, const struct kern **out, struct err *e)
{
    int rc = 0;

    if (!name) {
        name = getenv("FMNIST_CPU");
    }
    if (name && *name) {
        return choose_named(name, out, e);
    }
    for (const struct kern *const *v = kern_available(); *v; v++) {
        rc = kern_selftest(*v, e);
        if (rc == 0) {
            *out = *v;
            return 0;
        }
    }
    return rc;
}

void
kern_thread_init(void)
{
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ, DAZ */
#elif defined(__aarch64__)
    unsigned long fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1ul << 24))); /* FZ */
#endif
}
