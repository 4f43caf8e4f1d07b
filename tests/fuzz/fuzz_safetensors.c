/* SPDX-License-Identifier: MIT */
/*
 * Weights and optimizer state, as they come from a database.  The first byte
 * chooses the model and what is read into it, and whether the rest is the file
 * as it is or a header only: then its length goes before it, and as many bytes
 * as the model's own file has, of small numbers, after it.
 */
#include "config.h"

#include <string.h>

#include "fmnist/dataset.h"
#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/trainer.h"
#include "fuzz.h"
#include "train/checkpoint.h"

static const char *const SPECS[] = {
    "flatten dense 1 dense 10",
    "conv 1x1 relu bn pool 14 flatten dense 10",
    ("conv 2x3 valid bn pool 13/13 conv 1x1 relu dense 2 bn dropout 0.5 "
     "dense 10"),
};
enum { N_SPECS = 3 };

static const struct optim_options OPTIMS[] = {
    {OPTIM_SGD, 0, 0, 0},
    {OPTIM_SGD, 0.9, 0, 0},
    {OPTIM_ADAM, 0, 0, 0},
};
enum { N_OPTIMS = 3 };

/* A model with its optimizer, and the files that they had at first. */
struct network {
    struct model *m;
    struct optim *o;
    void *weights, *state;
    size_t weights_size, state_size;
};

static const struct meta_pair META[] = {{.key = "epoch", .value = "7"}};

static void
network_new(struct network *w, const char *text, const struct optim_options *oo)
{
    const struct model_options opt = {1, 1, 1};
    struct err e = {0};
    struct spec s;

    MUST(spec_parse(text, &s, &e) == 0);
    MUST(model_new(&s, &kern_scalar, &opt, &w->m, &e) == 0);
    model_init(w->m, 1);
    MUST(optim_new(w->m, oo, &w->o, &e) == 0);
    MUST(model_save(w->m, &w->weights, &w->weights_size, &e) == 0);
    MUST(optim_save(w->o, META, 1, &w->state, &w->state_size, &e) == 0);
}

/* Two of each kind, made once. */
static struct network *
networks(unsigned spec, unsigned optim)
{
    static struct network all[N_SPECS][N_OPTIMS][2];
    struct network *pair = all[spec % N_SPECS][optim % N_OPTIMS];
    int i;

    for (i = 0; i < 2; i++)
        if (!pair[i].m)
            network_new(&pair[i], SPECS[spec % N_SPECS],
                        &OPTIMS[optim % N_OPTIMS]);
    return pair;
}

static size_t
header_size(const void *file)
{
    const uint8_t *p = file;

    return p[0] | (size_t)p[1] << 8;
}

/* A file of a header and as much data as a sound one has. */
static uint8_t *
complete(const struct bytes *header, const void *sound, size_t size, size_t *n)
{
    size_t data = size - 8 - header_size(sound), i;
    uint8_t *p;

    *n = 8 + header->left + data;
    p = mem_zalloc(*n, 1);
    MUST(p);
    for (i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)header->left >> (8 * i));
    if (header->left)
        memcpy(p + 8, header->at, header->left);
    for (i = 0; i < data; i++)
        p[8 + header->left + i] = (uint8_t)(i % 61);
    return p;
}

/* What is saved of `a` goes into `b`, which then saves the same. */
static void
weights_come_back(struct network *a, struct network *b)
{
    void *first, *second;
    size_t n, m;
    struct err e = {0};

    MUST(model_save(a->m, &first, &n, &e) == 0);
    MUST(n == a->weights_size);
    MUST(model_load(b->m, first, n, &e) == 0);
    MUST(model_save(b->m, &second, &m, &e) == 0);
    MUST(n == m && memcmp(first, second, n) == 0);
    mem_free(first);
    mem_free(second);
}

static void
state_comes_back(struct network *a, struct network *b)
{
    struct meta_pair meta[] = {{.key = "epoch"}};
    void *first, *second;
    size_t n, m;
    struct err e = {0};

    MUST(optim_save(a->o, META, 1, &first, &n, &e) == 0);
    MUST(optim_load(b->o, first, n, meta, 1, &e) == 0);
    MUST(strcmp(meta[0].value, META[0].value) == 0);
    MUST(optim_steps(a->o) == optim_steps(b->o));
    MUST(optim_save(b->o, META, 1, &second, &m, &e) == 0);
    MUST(n == m && memcmp(first, second, n) == 0);
    mem_free(first);
    mem_free(second);
}

/* A model that refuses a file is what it was. */
static void
unchanged(const struct network *w)
{
    struct err e = {0};
    size_t n;
    void *p;

    MUST(model_save(w->m, &p, &n, &e) == 0);
    MUST(n == w->weights_size && memcmp(p, w->weights, n) == 0);
    mem_free(p);
    MUST(optim_save(w->o, META, 1, &p, &n, &e) == 0);
    MUST(n == w->state_size && memcmp(p, w->state, n) == 0);
    mem_free(p);
}

static void
restore(struct network *w)
{
    struct meta_pair meta[] = {{.key = "epoch"}};
    struct err e = {0};

    MUST(model_load(w->m, w->weights, w->weights_size, &e) == 0);
    MUST(optim_load(w->o, w->state, w->state_size, meta, 1, &e) == 0);
}

/* Weights of any value predict a class. */
static void
predicts(const char *spec, const void *file, size_t n)
{
    static uint8_t pixels[IMAGE_PIXELS];
    struct dataset d = {.n = 1, .pixels = pixels};
    struct predictions p;
    struct err e = {0};

    memset(pixels, 100, sizeof(pixels) / 2);
    MUST(trainer_predict(spec, file, n, &d, NULL, 1, &kern_scalar, 1, &p, &e) ==
         0);
    MUST(p.n == 1 && p.predicted[0] < N_CLASSES);
    predictions_release(&p);
}

static int
read_weights(struct network *w, const char *spec, const void *file, size_t n,
             struct err *e)
{
    int rc = model_load(w[0].m, file, n, e);

    if (rc == 0) {
        weights_come_back(&w[0], &w[1]);
        predicts(spec, file, n);
    }
    return rc;
}

static int
read_state(struct network *w, const void *file, size_t n, struct err *e)
{
    struct meta_pair meta[] = {{.key = "epoch"}};
    int rc = optim_load(w[0].o, file, n, meta, 1, e);

    if (rc == 0) {
        MUST(memchr(meta[0].value, '\0', sizeof(meta[0].value)));
        state_comes_back(&w[0], &w[1]);
    }
    return rc;
}

/* A checkpoint with sound weights and this state. */
static int
read_checkpoint(struct network *w, void *file, size_t n, struct err *e)
{
    struct checkpoint c = {.epoch = 7,
                           .weights = w->weights,
                           .weights_size = w->weights_size,
                           .state = file,
                           .state_size = n};
    struct progress p;
    int rc = checkpoint_restore(&c, w->m, w->o, &p, e);

    if (rc == 0) {
        MUST(p.epoch == 7);
        MUST(p.best_epoch >= 0 && p.best_epoch <= p.epoch);
        MUST(p.peak_epoch >= 0 && p.peak_epoch <= p.epoch);
        state_comes_back(&w[0], &w[1]);
    }
    return rc;
}

enum { WEIGHTS, STATE, CHECKPOINT, N_KINDS };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    unsigned flags = fuzz_byte(&in), kind = flags / 18 % N_KINDS;
    struct network *w = networks(flags % 3, flags / 3 % 3);
    const int whole = flags / 9 % 2;
    uint8_t *made = NULL;
    void *file = (void *)in.at;
    size_t n = in.left;
    struct err e = {0};
    int rc = 0;

    if (!whole && kind == WEIGHTS)
        file = made = complete(&in, w->weights, w->weights_size, &n);
    else if (!whole)
        file = made = complete(&in, w->state, w->state_size, &n);
    if (kind == WEIGHTS)
        rc = read_weights(w, SPECS[flags % 3], file, n, &e);
    else if (kind == STATE)
        rc = read_state(w, file, n, &e);
    else
        rc = read_checkpoint(w, file, n, &e);
    if (rc < 0)
        fuzz_refused(rc, &e);
    if (rc < 0 && kind != CHECKPOINT)
        unchanged(w);
    restore(w);
    mem_free(made);
    return 0;
}
