/* SPDX-License-Identifier: MIT */
/*
 * Speed of the kernels on the shapes of the reference models, one thread: for
 * each variant that can run here (or those named as arguments) GFLOP/s and
 * share of the peak that the same process measures just before and after; for
 * passes over memory, GB/s.  `make bench-kern` builds and runs it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fmnist/kern.h"
#include "fmnist/mem.h"

enum { FLOATS = 8 << 20, BATCH = 64, ROUNDS = 25 };

/* A tensor each for what is read (3) and written (3). */
struct arena {
    float *a, *b, *c, *d, *e, *f;
    uint8_t *which;
};

struct job {
    const char *what;
    double flops; /* of one call; 0: `bytes` counts */
    double bytes;
    void (*run)(const struct kern *k, const struct arena *t,
                const struct job *j);
    int m, n, k, transposed;
    struct kern_conv conv;
    struct kern_map map;
};

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
run_gemm(const struct kern *k, const struct arena *t, const struct job *j)
{
    k->gemm(t->d, j->n, t->a, j->transposed ? 1 : j->k,
            j->transposed ? j->m : 1, t->b, j->n, NULL, 0, 0, j->m, j->n, j->k);
}

static void
run_transpose(const struct kern *k, const struct arena *t, const struct job *j)
{
    k->transpose(t->d, j->m, t->a, j->n, j->m, j->n);
}

static size_t
in_image(const struct job *j)
{
    return (size_t)j->conv.in_row * (size_t)(j->conv.h + j->conv.k - 1);
}

static size_t
out_image(const struct job *j)
{
    return (size_t)j->conv.out_row * (size_t)j->conv.h;
}

static void
run_conv(const struct kern *k, const struct arena *t, const struct job *j)
{
    for (size_t i = 0; i < BATCH; i++) {
        k->conv(t->d + i * out_image(j), t->a + i * in_image(j), t->b, t->c, 1,
                &j->conv);
    }
}

static void
run_conv_dw(const struct kern *k, const struct arena *t, const struct job *j)
{
    for (size_t i = 0; i < BATCH; i++) {
        k->conv_dw(t->d, t->e, t->a + i * in_image(j), t->b + i * out_image(j),
                   &j->conv);
    }
}

static size_t
map_image(const struct job *j)
{
    return (size_t)j->map.x_row * (size_t)j->map.h;
}

static void
run_bn_stats(const struct kern *k, const struct arena *t, const struct job *j)
{
    int64_t count = 0;

    for (size_t i = 0; i < BATCH; i++) {
        k->bn_stats(&count, t->d, t->e, t->a + i * map_image(j), &j->map);
    }
}

static void
run_bn_norm(const struct kern *k, const struct arena *t, const struct job *j)
{
    for (size_t i = 0; i < BATCH; i++) {
        k->bn_norm(t->d + i * map_image(j), t->a + i * map_image(j), t->b, t->c,
                   &j->map);
    }
}

static void
run_bn_sums(const struct kern *k, const struct arena *t, const struct job *j)
{
    for (size_t i = 0; i < BATCH; i++) {
        k->bn_sums(t->d, t->e, t->a + i * map_image(j), t->b + i * map_image(j),
                   t->c, t->c + 64, &j->map);
    }
}

static void
run_bn_dx(const struct kern *k, const struct arena *t, const struct job *j)
{
    for (size_t i = 0; i < BATCH; i++) {
        k->bn_dx(t->d + i * map_image(j), t->d + i * map_image(j),
                 t->a + i * map_image(j), t->b, t->c, t->c + 64, 1, &j->map);
    }
}

static struct kern_pool
half_pool(const struct job *j)
{
    struct kern_pool g = {2, 2, j->map.h / 2, j->map.w / 2, j->map};

    g.map.y_row = g.map.y_pix * g.ow;
    return g;
}

static void
run_pool(const struct kern *k, const struct arena *t, const struct job *j)
{
    struct kern_pool g = half_pool(j);

    for (size_t i = 0; i < BATCH; i++) {
        k->pool(t->d + i * map_image(j) / 4, t->which + i * map_image(j) / 4,
                t->a + i * map_image(j), &g);
    }
}

static void
run_pool_dx(const struct kern *k, const struct arena *t, const struct job *j)
{
    struct kern_pool g = half_pool(j);

    for (size_t i = 0; i < BATCH; i++) {
        k->pool_dx(t->d + i * map_image(j), t->a + i * map_image(j) / 4,
                   t->which + i * map_image(j) / 4, &g);
    }
}

static void
run_bn_pool(const struct kern *k, const struct arena *t, const struct job *j)
{
    struct kern_pool g = half_pool(j);

    for (size_t i = 0; i < BATCH; i++) {
        k->bn_pool(t->d + i * map_image(j) / 4, t->which + i * map_image(j) / 4,
                   t->a + i * map_image(j), t->b, t->c, &g);
    }
}

static void
run_bn_pool_sums(const struct kern *k, const struct arena *t,
                 const struct job *j)
{
    struct kern_pool g = half_pool(j);

    for (size_t i = 0; i < BATCH; i++) {
        k->bn_pool_sums(t->d, t->e, t->a + i * map_image(j) / 4,
                        t->which + i * map_image(j) / 4,
                        t->b + i * map_image(j), t->c, t->c + 64, &g);
    }
}

static void
run_bn_pool_dx(const struct kern *k, const struct arena *t, const struct job *j)
{
    struct kern_pool g = half_pool(j);

    for (size_t i = 0; i < BATCH; i++) {
        k->bn_pool_dx(t->d + i * map_image(j), j->map.x_pix, j->map.x_row,
                      t->a + i * map_image(j) / 4,
                      t->which + i * map_image(j) / 4, t->b + i * map_image(j),
                      t->c, t->c + 64, t->c + 128, 1, &g);
    }
}

static void
run_adam(const struct kern *k, const struct arena *t, const struct job *j)
{
    struct kern_adam o = {.lr = 1e-3,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .eps = 1e-8,
                          .bias1 = 0.5,
                          .sqrt_bias2 = 0.5};

    k->adam(t->d, t->e, t->f, t->a, (size_t)j->m, &o);
}

#define GEMM(m_, n_, k_, t_, text)                                        \
    {                                                                     \
        .what = text, .flops = 2.0 * (m_) * (n_) * (k_), .run = run_gemm, \
        .m = m_, .n = n_, .k = k_, .transposed = t_                       \
    }
#define CONV_JOB(run_, side, ci, co, text)                                    \
    {                                                                         \
        .what = text, .flops = 2.0 * BATCH * (side) * (side)*9 * (ci) * (co), \
        .run = run_, .conv = {                                                \
            side,                                                             \
            side,                                                             \
            3,                                                                \
            ci,                                                               \
            ci,                                                               \
            (ci) * ((side) + 2),                                              \
            co,                                                               \
            co,                                                               \
            (co) * (side)                                                     \
        }                                                                     \
    }
#define MAP_JOB(run_, side, c_, passes, text)                                  \
    {                                                                          \
        .what = text,                                                          \
        .bytes = 4.0 * BATCH * (side) * (side) * (c_) * (passes), .run = run_, \
        .map = {                                                               \
            side,                                                              \
            side,                                                              \
            c_,                                                                \
            c_,                                                                \
            (c_) * (side),                                                     \
            c_,                                                                \
            (c_) * (side)                                                      \
        }                                                                      \
    }

static const struct job JOBS[] = {
    CONV_JOB(run_conv, 28, 1, 32, "conv 28x28 1>32"),
    CONV_JOB(run_conv, 14, 32, 64, "conv 14x14 32>64"),
    CONV_JOB(run_conv, 14, 64, 32, "conv 14x14 64>32 (dx)"),
    CONV_JOB(run_conv, 7, 64, 64, "conv 7x7 64>64"),
    CONV_JOB(run_conv_dw, 28, 1, 32, "conv_dw 28x28 1>32"),
    CONV_JOB(run_conv_dw, 14, 32, 64, "conv_dw 14x14 32>64"),
    CONV_JOB(run_conv_dw, 14, 32, 32, "conv_dw 14x14 32>32"),
    GEMM(64, 128, 3136, 0, "gemm 64x128x3136 (y)"),
    GEMM(3136, 128, 64, 1, "gemm 3136x128x64 (dw)"),
    GEMM(64, 3136, 128, 0, "gemm 64x3136x128 (dx)"),
    GEMM(64, 128, 784, 0, "gemm 64x128x784 (y)"),
    GEMM(784, 128, 64, 1, "gemm 784x128x64 (dw)"),
    GEMM(64, 64, 128, 0, "gemm 64x64x128"),
    GEMM(64, 16, 64, 0, "gemm 64x16x64"),
    {.what = "transpose 3136x128",
     .bytes = 8.0 * 3136 * 128,
     .run = run_transpose,
     .m = 3136,
     .n = 128},
    MAP_JOB(run_bn_stats, 28, 32, 1, "bn_stats 28x28 32"),
    MAP_JOB(run_bn_norm, 28, 32, 2, "bn_norm 28x28 32"),
    MAP_JOB(run_pool, 28, 32, 1.3125, "pool 28x28 32"),
    MAP_JOB(run_pool_dx, 28, 32, 1.3125, "pool_dx 28x28 32"),
    MAP_JOB(run_bn_sums, 28, 32, 2, "bn_sums 28x28 32"),
    MAP_JOB(run_bn_dx, 28, 32, 3, "bn_dx 28x28 32"),
    MAP_JOB(run_bn_pool, 28, 32, 1.3125, "bn_pool 28x28 32"),
    MAP_JOB(run_bn_pool_sums, 28, 32, 1.3125, "bn_pool_sums 28x28 32"),
    MAP_JOB(run_bn_pool_dx, 28, 32, 2.3125, "bn_pool_dx 28x28 32"),
    {.what = "adam 430k",
     .bytes = 7.0 * 4 * 430000,
     .run = run_adam,
     .m = 430000},
};

/* Best seconds of a call: other work on the machine only ever adds. */
static double
seconds(const struct kern *k, const struct arena *t, const struct job *j)
{
    double best = 1e9;
    long calls = 1;

    for (int round = 0; round < ROUNDS;) {
        double start = now(), spent;

        for (long i = 0; i < calls; i++) {
            j->run(k, t, j);
        }
        spent = now() - start;
        if (spent < 0.001) {
            calls *= 2;
            continue;
        }
        if (spent / (double)calls < best) {
            best = spent / (double)calls;
        }
        round++;
    }
    return best;
}

static double
peak_gflops(const struct kern *k)
{
    double best = 0.0;
    float sink = 0.0f;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        double flops = k->peak(100000, &sink);
        double rate = flops / (now() - start) * 1e-9;

        if (rate > best) {
            best = rate;
        }
    }
    return best;
}

static void
report(const struct kern *k, const struct arena *t)
{
    double peak = peak_gflops(k);

    printf("%s: peak %.1f GFLOP/s\n", k->name, peak);
    for (size_t i = 0; i < sizeof(JOBS) / sizeof(JOBS[0]); i++) {
        const struct job *j = &JOBS[i];
        double s = seconds(k, t, j);

        printf("  %-24s %9.1f us", j->what, s * 1e6);
        if (j->flops > 0.0) {
            double rate = j->flops / s * 1e-9;

            printf("  %7.1f GFLOP/s %5.1f %%\n", rate, 100.0 * rate / peak);
        } else {
            printf("  %7.1f GB/s\n", j->bytes / s * 1e-9);
        }
    }
    printf("  peak again: %.1f GFLOP/s\n", peak_gflops(k));
}

static float *
tensor(uint32_t seed)
{
    float *x = mem_aligned(FLOATS, sizeof(*x));

    for (size_t i = 0; x && i < FLOATS; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 16777216.0f;
    }
    return x;
}

int
main(int argc, char **argv)
{
    struct arena t = {tensor(1),
                      tensor(2),
                      tensor(3),
                      tensor(4),
                      tensor(5),
                      tensor(6),
                      mem_zalloc(FLOATS, 1)};

    if (!t.a || !t.b || !t.c || !t.d || !t.e || !t.f || !t.which) {
        fputs("kern_bench: not enough memory\n", stderr);
        return 1;
    }
    kern_thread_init();
    for (const struct kern *const *k = kern_available(); *k; k++) {
        int wanted = argc < 2;

        for (int i = 1; i < argc; i++) {
            wanted |= strcmp(argv[i], (*k)->name) == 0;
        }
        if (wanted) {
            report(*k, &t);
        }
    }
    mem_free(t.a);
    mem_free(t.b);
    mem_free(t.c);
    mem_free(t.d);
    mem_free(t.e);
    mem_free(t.f);
    mem_free(t.which);
    return 0;
}
