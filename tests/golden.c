/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "golden.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/rng.h"
#include "support.h"

/* Streams of the drawn numbers, far above the program's own. */
enum {
    GIVEN_WEIGHTS = 1000,
    GIVEN_IMAGES = 2000,
    GIVEN_LABELS = 2001,
    GIVEN_MASKS = 3000,
    GIVEN_GRADIENTS = 4000,
    GIVEN_PATTERN = 5000,
};

/* A set of files that is not whole: no test can say so, since they are read
 * before the suite runs. */
static void
demand(int ok, const char *what, const char *name)
{
    if (!ok) {
        fprintf(stderr, "golden values: %s: %s\n", name, what);
        exit(99);
    }
}

static size_t
type_size(const char *type)
{
    if (!strcmp(type, "f64"))
        return 8;
    return strcmp(type, "text") ? 4 : 1;
}

/* The whole of a file of this folder; free it. */
static char *
slurp(const char *name, const char *ext, size_t *n)
{
    const char *srcdir = getenv("srcdir");
    char path[512];
    FILE *f;
    long size;
    char *out;

    snprintf(path, sizeof(path), "%s/tests/golden/%s.%s", srcdir ? srcdir : ".",
             name, ext);
    f = fopen(path, "rb");
    demand(f != NULL, "cannot be read", path);
    size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    demand(size >= 0, "has no size", path);
    rewind(f);
    out = malloc((size_t)size + 1);
    demand(out != NULL, "too large", path);
    *n = fread(out, 1, (size_t)size, f);
    demand(*n == (size_t)size, "cannot be read", path);
    out[*n] = '\0';
    fclose(f);
    return out;
}

static size_t
count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

void
golden_open(struct golden *g, const char *name)
{
    size_t index_size, size, at = 0;
    char *index = slurp(name, "idx", &index_size);
    char *line = strtok(index, "\n");
    char cases[GOLDEN_CASES * GOLDEN_NAME], *word;

    memset(g, 0, sizeof(*g));
    g->bytes = slurp(name, "bin", &size);
    g->arrays = calloc(count_lines(index) + index_size / 8, sizeof(*g->arrays));
    demand(g->arrays != NULL, "too large", name);
    for (; line; line = strtok(NULL, "\n")) {
        struct golden_array *a = &g->arrays[g->n++];

        demand(sscanf(line, "%63s %7s %zu", a->name, a->type, &a->n) == 3,
               "not a line of an index", line);
        a->data = g->bytes + at;
        at += (a->n * type_size(a->type) + 7) / 8 * 8;
    }
    demand(at == size, "index and data differ", name);
    free(index);
    golden_text(g, cases, sizeof(cases), "cases");
    for (word = strtok(cases, " "); word; word = strtok(NULL, " ")) {
        demand(g->n_cases < GOLDEN_CASES, "too many cases", name);
        snprintf(g->cases[g->n_cases++], GOLDEN_NAME, "%s", word);
    }
}

void
golden_close(struct golden *g)
{
    free(g->arrays);
    free(g->bytes);
}

const struct golden_array *
golden_find(const struct golden *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++) {
        if (!strcmp(g->arrays[i].name, name))
            return &g->arrays[i];
    }
    return NULL;
}

__attribute__((format(printf, 4, 0))) static const struct golden_array *
need(const struct golden *g, const char *type, size_t least, const char *fmt,
     va_list ap)
{
    char name[2 * GOLDEN_NAME];
    const struct golden_array *a;

    vsnprintf(name, sizeof(name), fmt, ap);
    a = golden_find(g, name);
    demand(a && !strcmp(a->type, type) && a->n >= least,
           "missing, short, or of another type", name);
    return a;
}

const float *
golden_f32(const struct golden *g, size_t least, const char *fmt, ...)
{
    va_list ap;
    const float *out;

    va_start(ap, fmt);
    out = need(g, "f32", least, fmt, ap)->data;
    va_end(ap);
    return out;
}

const double *
golden_f64(const struct golden *g, size_t least, const char *fmt, ...)
{
    va_list ap;
    const double *out;

    va_start(ap, fmt);
    out = need(g, "f64", least, fmt, ap)->data;
    va_end(ap);
    return out;
}

const int32_t *
golden_i32(const struct golden *g, size_t least, const char *fmt, ...)
{
    va_list ap;
    const int32_t *out;

    va_start(ap, fmt);
    out = need(g, "i32", least, fmt, ap)->data;
    va_end(ap);
    return out;
}

void
golden_text(const struct golden *g, char *out, size_t size, const char *fmt,
            ...)
{
    va_list ap;
    const struct golden_array *a;

    va_start(ap, fmt);
    a = need(g, "text", 1, fmt, ap);
    va_end(ap);
    demand(a->n < size, "too long a text", a->name);
    memcpy(out, a->data, a->n);
    out[a->n] = '\0';
}

void
golden_check(const struct golden *g, const char *name, const char *what,
             const float *got, size_t n, double tolerance)
{
    char side[2 * GOLDEN_NAME];
    const struct golden_array *a = golden_find(g, name), *s;
    const float *want, *bound = NULL;
    size_t stride = 1;

    ck_assert_msg(a != NULL, "no array %s", name);
    want = a->data;
    snprintf(side, sizeof(side), "%s/stride", name);
    s = golden_find(g, side);
    if (s)
        stride = (size_t) * (const int32_t *)s->data;
    ck_assert_msg((n + stride - 1) / stride == a->n, "%s: %zu of %zu values",
                  name, a->n, n);
    if (tolerance < 0.0)
        bound = golden_f32(g, a->n, "%s/bound", name);
    for (size_t i = 0; i < a->n; i++) {
        double off = fabs((double)got[i * stride] - (double)want[i]);
        double limit = bound ? (double)bound[i] : tolerance;

        ck_assert_msg(off <= limit,
                      "%s, %s, element %zu: %.9g, expected %.9g ± %.2g", what,
                      name, i * stride, (double)got[i * stride],
                      (double)want[i], limit);
    }
}

static uint32_t
word(int seed, int stream, int epoch, size_t i)
{
    const struct rng r = {(uint64_t)seed, (uint32_t)stream, (uint32_t)epoch};

    return rng_u32(&r, i);
}

static float
unit(int seed, int stream, int epoch, size_t i)
{
    return rng_to_float(word(seed, stream, epoch, i));
}

static uint32_t
below(int seed, int stream, int epoch, size_t i, uint32_t n)
{
    return (uint32_t)(((uint64_t)word(seed, stream, epoch, i) * n) >> 32);
}

void
given_tensor(float *out, int seed, int tensor, float base, float scale,
             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float u = unit(seed, GIVEN_WEIGHTS + tensor, 0, i);

        out[i] = base + scale * (2.0f * u - 1.0f);
    }
}

/* The 4x4 block of image i that pixel p is in, 49 to an image. */
static size_t
block_of(size_t p)
{
    return p / 28 / 4 * 7 + p % 28 / 4;
}

void
given_images(float *out, int seed, int batch, int n)
{
    for (size_t i = 0; i < (size_t)n * 784; i++) {
        size_t block = i / 784 * 49 + block_of(i % 784);

        out[i] = unit(seed, GIVEN_IMAGES, batch, i) *
                 unit(seed, GIVEN_PATTERN, batch, block);
    }
}

void
given_labels(uint8_t *out, int seed, int batch, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = (uint8_t)below(seed, GIVEN_LABELS, batch, (size_t)i, 10);
    }
}

void
given_patterned(float *out, const uint8_t *labels, int seed, int batch, int n)
{
    for (size_t i = 0; i < (size_t)n * 784; i++) {
        size_t block = labels[i / 784] * 49u + block_of(i % 784);
        int big = (int)(word(seed, GIVEN_PATTERN, 0, block) & 255);
        int noise = (int)(word(seed, GIVEN_IMAGES, batch, i) & 127);
        int pixel = big * 3 / 2 + noise - 255;

        pixel = pixel < 0 ? 0 : pixel > 255 ? 255 : pixel;
        out[i] = (float)pixel / 255.0f;
    }
}

void
given_mask(uint8_t *out, int seed, int layer, int batch, double rate, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = unit(seed, GIVEN_MASKS + layer, batch, i) >= (float)rate;
    }
}

void
given_gradient(float *out, int seed, int step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = 2.0f * unit(seed, GIVEN_GRADIENTS, step, i) - 1.0f;
        uint32_t k = below(seed, GIVEN_GRADIENTS + 1, step, i, 20);

        out[i] = k == 19 ? 0.0f : ldexpf(v, -(int)k);
    }
}

void
given_model(struct model *m, int seed, const float *init)
{
    for (int t = 0; t < model_tensors(m); t++) {
        struct model_tensor info;
        size_t n = 1;
        float *v;

        model_tensor(m, t, &info);
        if (info.is_int64)
            continue;
        for (int d = 0; d < info.ndim; d++) {
            n *= (size_t)info.dim[d];
        }
        v = malloc(n * sizeof(*v));
        ck_assert_ptr_nonnull(v);
        given_tensor(v, seed, t, init[2 * t], init[2 * t + 1], n);
        model_tensor_set(m, t, NULL, v);
        free(v);
    }
}
