/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"

#include <math.h>
#include <stdlib.h>

#include "fmnist/dataset.h"
#include "fmnist/hyper.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/rng.h"
#include "fmnist/sys.h"

static const char *const MODELS[] = {"ann", "cnn", NULL};

static const struct cli_option OPTIONS[] = {
    {.name = "json", .help = "one object"},
    {.name = "model",
     .type = CLI_CHOICE,
     .arg = "MODEL",
     .choices = MODELS,
     .help = "only one of the reference models",
     .preset = "both"},
    {.name = "batch-size",
     .type = CLI_INT,
     .arg = "N",
     .min = 2,
     .max = 65536,
     .help = "images a batch",
     .preset = "64"},
    {.name = "threads",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1024,
     .help = "measure with 1 and N threads",
     .preset = "all that the process may use"},
    {.name = "seconds",
     .type = CLI_REAL,
     .arg = "S",
     .min = 0.01,
     .max = 600,
     .help = "how long each measurement takes at the least",
     .preset = "1"},
    {0}};

/* One line of the result. */
struct measured {
    const char *model;
    int train; /* 1: training, 0: prediction */
    int threads;
    double samples_per_second, gflops;
};

#define MAX_RESULTS 8

struct bench {
    const struct kern *kern;
    int batch_size, threads;
    double seconds;
    double peak[2]; /* GFLOP/s with 1 thread and with all */
    struct measured results[MAX_RESULTS];
    int n;
    float *x; /* batch_size x 784 */
    uint8_t *labels;
};

/* ---- measuring -- */

/* The best of several rounds: what interrupts a loop of pure arithmetic only
 * makes it slower. */
static double
measure_peak(const struct kern *k, int threads, double seconds)
{
    double best = 0, end = sys_monotonic() + seconds;
    long n = 1000000;
    do {
        double flops = 0, start = sys_monotonic();
#pragma omp parallel num_threads(threads) reduction(+ : flops)
        {
            float sink;
            kern_thread_init();
            flops += k->peak(n, &sink);
        }
        double rate = flops / (sys_monotonic() - start);
        best = rate > best ? rate : best;
    } while (sys_monotonic() < end);
    return best / 1e9;
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Batches of one model, to be timed. */
struct timing {
    const struct bench *bench;
    struct model *model;
    struct optim *optim; /* NULL: prediction */
    float *logits;
    uint64_t step;
    double seconds; /* of a batch: the median */
};

/* Forward, backward and step, or forward only. */
static void
do_batch(struct timing *t)
{
    const struct bench *b = t->bench;
    struct model_step s = {1, 1, t->step++ * (uint64_t)b->batch_size, 0};
    double loss;
    int correct;

    if (!t->optim) {
        model_forward(t->model, b->x, b->batch_size, t->logits);
        return;
    }
    model_train_batch(t->model, b->x, b->labels, b->batch_size, &s, &loss,
                      &correct);
    /* So small a rate keeps the weights finite on labels drawn by chance. */
    optim_step(t->optim, 1e-6);
}

/* Rounds of at least 20 ms each. */
static void
time_batches(void *arg)
{
    enum { ROUNDS = 256 };
    struct timing *t = arg;
    double rounds[ROUNDS], end = 0;
    int n = 0, batches = 1;

    do_batch(t);
    while (n < ROUNDS) {
        double start = sys_monotonic();
        for (int i = 0; i < batches; i++) {
            do_batch(t);
        }
        double now = sys_monotonic(), took = now - start;
        if (n == 0 && took < 0.02) {
            batches *= 2; /* too short to time: not counted */
            continue;
        }
        end = end > 0 ? end : start + t->bench->seconds;
        rounds[n++] = took / batches;
        if (now >= end && n >= 3) {
            break;
        }
    }
    qsort(rounds, (size_t)n, sizeof(rounds[0]), compare_doubles);
    t->seconds = rounds[n / 2];
}

static int
measure_model(struct bench *b, const char *name, int train, int threads,
              struct err *e)
{
    struct hyper h;
    struct spec s;
    struct model *m = NULL;
    struct optim *o = NULL;
    float *logits =
        mem_zalloc((size_t)b->batch_size * N_CLASSES, sizeof(*logits));
    int rc = logits ? 0 : err_nomem(e, "the logits", 0);

    if (!rc) {
        rc = hyper_preset(name, &h, e);
    }
    if (!rc) {
        rc = spec_parse(h.spec, &s, e);
    }
    if (!rc) {
        struct model_options opt = {threads, b->batch_size, train};
        rc = model_new(&s, b->kern, &opt, &m, e);
    }
    if (!rc && train) {
        struct optim_options opt = {(enum optimizer)h.optimizer, h.momentum,
                                    h.nesterov, h.weight_decay};
        rc = optim_new(m, &opt, &o, e);
    }
    if (!rc) {
        model_init(m, 1);
        struct timing t = {b, m, o, logits, 0, 0};
        model_session(m, time_batches, &t);
        struct measured *r = &b->results[b->n++];
        r->model = name;
        r->train = train;
        r->threads = threads;
        r->samples_per_second = b->batch_size / t.seconds;
        r->gflops = r->samples_per_second / 1e9 *
                    (train ? spec_flops_train(&s) : spec_flops_forward(&s));
    }
    optim_free(o);
    model_free(m);
    mem_free(logits);
    return rc;
}

/* ---- results -- */

static double
share_of_peak(const struct bench *b, const struct measured *r)
{
    return r->gflops / b->peak[r->threads > 1];
}

static void
add_json(struct str *out, const struct bench *b)
{
    char cpu[128];
    sys_cpu_name(cpu, sizeof(cpu));
    str_add(out, "{\"cpu\":");
    str_add_json(out, cpu);
    str_addf(out, ",\"kernel\":\"%s\",\"threads\":%d,\"peak_gflops\":",
             b->kern->name, b->threads);
    str_add_json_num(out, b->peak[b->threads > 1]);
    str_add(out, ",\"results\":[");
    for (int i = 0; i < b->n; i++) {
        const struct measured *r = &b->results[i];
        str_addf(out,
                 "%s\n {\"model\":\"%s\",\"mode\":\"%s\",\"batch_size\":%d,"
                 "\"threads\":%d,\"samples_per_second\":",
                 i ? "," : "", r->model, r->train ? "train" : "predict",
                 b->batch_size, r->threads);
        str_add_json_num(out, r->samples_per_second);
        str_add(out, ",\"gflops\":");
        str_add_json_num(out, r->gflops);
        str_add(out, ",\"share_of_peak\":");
        str_add_json_num(out, share_of_peak(b, r));
        str_addc(out, '}');
    }
    str_add(out, "]}\n");
}

static void
add_text(struct str *out, const struct bench *b)
{
    char cpu[128];
    sys_cpu_name(cpu, sizeof(cpu));
    str_add_visible(out, cpu);
    str_addf(out, "\n%s kernels; measured fp32 peak %.0f GFLOP/s on 1 thread",
             b->kern->name, b->peak[0]);
    if (b->threads > 1) {
        str_addf(out, ", %.0f on %d", b->peak[1], b->threads);
    }
    str_addf(out, "; batches of %d\n\n%-6s%-9s%8s%12s%10s%9s\n", b->batch_size,
             "model", "", "threads", "images/s", "GFLOP/s", "of peak");
    for (int i = 0; i < b->n; i++) {
        const struct measured *r = &b->results[i];
        str_addf(out, "%-6s%-9s%8d%12.0f%10.1f%7.0f %%\n", r->model,
                 r->train ? "train" : "predict", r->threads,
                 r->samples_per_second, r->gflops, 100 * share_of_peak(b, r));
    }
}

/* ---- the command -- */

static int
bench_init(struct bench *b, const struct cli *c, struct err *e)
{
    b->batch_size = (int)cli_int(c, "batch-size", 64);
    b->threads = (int)cli_int(c, "threads", sys_cpus());
    b->seconds = cli_real(c, "seconds", 1);
    size_t n = (size_t)b->batch_size * IMAGE_PIXELS;
    b->x = mem_aligned(n, sizeof(*b->x));
    b->labels = mem_alloc((size_t)b->batch_size);
    if (!b->x || !b->labels) {
        return err_nomem(e, "a batch of images", n * sizeof(*b->x));
    }
    struct rng r = {1, RNG_SAMPLE, 0};
    for (size_t i = 0; i < n; i++) {
        b->x[i] = rng_to_float(rng_u32(&r, i));
    }
    for (int i = 0; i < b->batch_size; i++) {
        b->labels[i] = (uint8_t)(i % N_CLASSES);
    }
    return kern_choose(NULL, &b->kern, e);
}

static int
run_bench(struct cli *c, struct err *e)
{
    struct bench b = {0};
    int only = cli_choice(c, "model", -1);
    int rc = bench_init(&b, c, e);

    if (!rc) {
        b.peak[0] = measure_peak(b.kern, 1, b.seconds);
        b.peak[1] = b.threads > 1 ? measure_peak(b.kern, b.threads, b.seconds)
                                  : b.peak[0];
    }
    for (int m = 0; MODELS[m]; m++) {
        for (int train = 1; train >= 0; train--) {
            for (int all = 0; all <= (b.threads > 1); all++) {
                if (!rc && (only < 0 || only == m)) {
                    rc = measure_model(&b, MODELS[m], train,
                                       all ? b.threads : 1, e);
                }
            }
        }
    }
    if (!rc) {
        struct str out;
        str_init(&out);
        if (cli_given(c, "json")) {
            add_json(&out, &b);
        } else {
            add_text(&out, &b);
        }
        rc = output_text(c, &out, e);
        str_release(&out);
    }
    mem_free(b.x);
    mem_free(b.labels);
    return rc;
}

const struct cli_command cmd_bench = {
    .name = "bench",
    .operands = "",
    .summary = "measure training and prediction beside the machine's peak",
    .group = GROUP_TRAIN,
    .options = OPTIONS,
    .notes = "Peak is measured with the same threads: fused multiply-adds on "
             "registers only.\nOn a busy machine compare figures of one run.\n",
    .examples = "fmnist-tui bench --json\n",
    .run = run_bench,
};
