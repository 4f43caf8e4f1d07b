/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern_lab.h"

enum { MAX_MAPS = 256 };

static struct {
    void *p;
    size_t size;
} maps[MAX_MAPS];
static int n_maps;

int
lab_variants(void)
{
    int n = 0;

    while (kern_available()[n]) {
        n++;
    }
    return n;
}

const struct kern *
lab_variant(int i)
{
    return kern_available()[i];
}

void
lab_setup(void)
{
    n_maps = 0;
}

void
lab_teardown(void)
{
    while (n_maps > 0) {
        n_maps--;
        munmap(maps[n_maps].p, maps[n_maps].size);
    }
}

/* n zero bytes with unreadable pages on both sides, one of them touching. */
static void *
guarded(size_t n, enum lab_place place)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (n + page - 1) / page * page;
    char *p = mmap(NULL, body + 2 * page, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(p, MAP_FAILED);
    ck_assert_int_lt(n_maps, MAX_MAPS);
    maps[n_maps].p = p;
    maps[n_maps].size = body + 2 * page;
    n_maps++;
    if (body > 0) {
        ck_assert_int_eq(mprotect(p + page, body, PROT_READ | PROT_WRITE), 0);
    }
    return place == LAB_END ? p + page + body - n : p + page;
}

static uint32_t
next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

float *
lab_floats(size_t n, enum lab_place place, uint32_t seed)
{
    float *x = guarded(n * sizeof(*x), place);

    for (size_t i = 0; seed && i < n; i++) {
        x[i] = ((float)next(&seed) + 0.5f) / 8388608.0f - 1.0f;
    }
    return x;
}

float *
lab_copy(const float *x, size_t n, enum lab_place place)
{
    float *y = guarded(n * sizeof(*y), place);

    memcpy(y, x, n * sizeof(*y));
    return y;
}

float *
lab_abs(const float *x, size_t n)
{
    float *y;

    if (!x) {
        return NULL;
    }
    y = guarded(n * sizeof(*y), LAB_END);
    for (size_t i = 0; i < n; i++) {
        y[i] = fabsf(x[i]);
    }
    return y;
}

uint8_t *
lab_bytes(size_t n, enum lab_place place, uint32_t seed)
{
    uint8_t *x = guarded(n, place);

    for (size_t i = 0; i < n; i++) {
        x[i] = next(&seed) >> 20 & 1;
    }
    return x;
}

void
lab_compare(const struct kern *k, const char *what, const float *got,
            const float *want, const float *mag, size_t n, int length)
{
    float unit = (float)(length + 2) * FLT_EPSILON;

    for (size_t i = 0; i < n; i++) {
        float bound = mag ? unit * mag[i] : 0.0f;

        ck_assert_msg(fabsf(got[i] - want[i]) <= bound,
                      "%s %s: element %zu of %zu is %.9g, scalar says %.9g, "
                      "bound %.3g",
                      k->name, what, i, n, (double)got[i], (double)want[i],
                      (double)bound);
    }
}

void
lab_same(const struct kern *k, const char *what, const float *got,
         const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(memcmp(&got[i], &want[i], sizeof(*got)) == 0,
                      "%s %s: element %zu of %zu: %a and %a", k->name, what, i,
                      n, (double)got[i], (double)want[i]);
    }
}
