/* SPDX-License-Identifier: MIT */
/*
 * Training and inference speed of the reference models, beside the measured
 * peak: nn_bench [VARIANT [THREADS [MODEL [BATCH [train]]]]]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/sys.h"

/* Processor time of all threads, so that other work on the machine does not
 * count (what it does to caches and clocks does). */
static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
peak_flops(const struct kern *k, int threads)
{
    double best = 0;
    int r;

    for (r = 0; r < 3; r++) {
        double flops = 0, t = seconds();

#pragma omp parallel num_threads(threads) reduction(+ : flops)
        {
            float sink = 0;

            flops += k->peak(2000000, &sink);
        }
        t = threads * flops / (seconds() - t);
        best = t > best ? t : best;
    }
    return best;
}

struct bench {
    struct model *m;
    struct optim *o;
    float *x, *logits;
    unsigned char *labels;
    int batch, threads;
    unsigned long position;
    void (*step)(struct bench *);
    double rate;
};

static void
train_step(struct bench *b)
{
    struct model_step step = {1, 1, b->position, 0};
    double loss;
    int correct;

    model_train_batch(b->m, b->x, b->labels, b->batch, &step, &loss, &correct);
    optim_step(b->o, 0.001);
    b->position += (unsigned long)b->batch;
}

static void
forward_step(struct bench *b)
{
    model_forward(b->m, b->x, b->batch, b->logits);
}

/* Best rate of fifteen rounds. */
static void
time_steps(void *arg)
{
    struct bench *b = arg;
    void (*step)(struct bench *) = b->step;
    int r;

    b->rate = 0;
    step(b);
    for (r = 0; r < 15; r++) {
        double t0 = seconds(), t = t0;
        long n = 0;

        do {
            step(b);
            n += b->batch;
            t = seconds();
        } while (t - t0 < 0.1);
        n *= b->threads;
        b->rate = n / (t - t0) > b->rate ? n / (t - t0) : b->rate;
    }
}

static double
rate(struct bench *b, void (*step)(struct bench *))
{
    b->step = step;
    model_session(b->m, time_steps, b);
    return b->rate;
}

static void
fail(const struct err *e)
{
    fprintf(stderr, "nn_bench: %s\n", e->msg);
    exit(1);
}

static void
bench_model(const struct kern *k, const char *name, int threads, int batch,
            double peak, int train_only)
{
    struct model_options mo = {threads, batch, 1};
    struct optim_options oo = {.kind = OPTIM_ADAM};
    struct bench b = {.batch = batch, .threads = threads};
    struct spec s;
    struct err e = {0};
    double r;
    int i;

    if (spec_parse(spec_preset(name), &s, &e) < 0 ||
        model_new(&s, k, &mo, &b.m, &e) < 0 ||
        optim_new(b.m, &oo, &b.o, &e) < 0) {
        fail(&e);
    }
    model_init(b.m, 1);
    b.x = mem_aligned((size_t)batch * 784, sizeof *b.x);
    b.logits = mem_aligned((size_t)batch * 10, sizeof *b.logits);
    b.labels = mem_zalloc(batch, 1);
    for (i = 0; i < batch * 784; i++) {
        b.x[i] = (float)(i * 2654435761u >> 24) / 255.0f;
    }
    for (i = 0; i < batch; i++) {
        b.labels[i] = (unsigned char)(i % 10);
    }
    r = rate(&b, train_step);
    printf("%s %s threads %d batch %d: train %.0f/s %.1f%% of %.0f GFLOP/s",
           k->name, name, threads, batch, r,
           100 * r * spec_flops_train(&s) / peak, peak / 1e9);
    if (!train_only) {
        r = rate(&b, forward_step);
        printf(", forward %.0f/s %.1f%%", r,
               100 * r * spec_flops_forward(&s) / peak);
    }
    printf("\n");
    mem_free(b.x);
    mem_free(b.logits);
    mem_free(b.labels);
    optim_free(b.o);
    model_free(b.m);
}

int
main(int argc, char **argv)
{
    const struct kern *k;
    struct err e = {0};
    int threads;

    if (kern_choose(argc > 1 ? argv[1] : NULL, &k, &e) < 0) {
        fail(&e);
    }
    for (threads = 1; threads <= sys_cpus(); threads++) {
        double peak = peak_flops(k, threads);
        int batch = argc > 4 ? atoi(argv[4]) : 64;

        if (argc > 2 && threads != atoi(argv[2])) {
            continue;
        }
        if (argc <= 3 || !strcmp(argv[3], "ann")) {
            bench_model(k, "ann", threads, batch, peak, argc > 5);
        }
        if (argc <= 3 || !strcmp(argv[3], "cnn")) {
            bench_model(k, "cnn", threads, batch, peak, argc > 5);
        }
    }
    return 0;
}
