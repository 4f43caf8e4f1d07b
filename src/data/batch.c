/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/batch.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"

/*
 * A ring of slots.  The consumer holds the slot of batch `taken - 1` until it
 * asks for the next; the worker fills batches ahead, at most n_slots - 1 beyond
 * it.  To save wake-ups the worker sleeps until half of the ring is free again.
 */
enum { MAX_SLOTS = 16, SLOT_BYTES = 1 << 21 };

struct slot {
    float *x;        /* batch_size x 784 */
    uint8_t *labels; /* batch_size */
};

struct batch_feed {
    const struct dataset *d;
    const uint32_t *images;
    uint32_t n;
    uint32_t n_batches; /* in an epoch */
    struct batch_options opt;
    struct augment augment;
    uint32_t *order; /* the images in this epoch's order */
    uint32_t epoch;
    int n_slots;
    struct slot slots[MAX_SLOTS];

    /* With a worker the lock guards all below. */
    uint32_t filled; /* batches of this epoch that are ready or were */
    uint32_t taken;
    int threaded;
    int filling; /* the worker is in a slot, outside the lock */
    int quit;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t to_worker;
    pthread_cond_t to_consumer;
};

static uint32_t
batch_length(const struct batch_feed *f, uint32_t number)
{
    uint32_t size = (uint32_t)f->opt.batch_size;
    uint32_t left = f->n - number * size;

    return left < size ? left : size;
}

/* Prepares batch `number` of the epoch in its slot. */
static void
fill(struct batch_feed *f, uint32_t number)
{
    const struct rng r = {
        .seed = f->opt.seed, .stream = RNG_AUGMENT, .epoch = f->epoch};
    struct slot *slot = &f->slots[number % (uint32_t)f->n_slots];
    uint32_t first = number * (uint32_t)f->opt.batch_size;
    uint32_t n = batch_length(f, number), i, j;
    int augmented = !augment_is_none(&f->augment);
    uint8_t changed[IMAGE_PIXELS];

    for (i = 0; i < n; i++) {
        uint32_t image = f->order[first + i];
        const uint8_t *p = f->d->pixels + (size_t)image * IMAGE_PIXELS;
        float *x = slot->x + (size_t)i * IMAGE_PIXELS;

        if (augmented) {
            augment_apply(&f->augment, &r, first + i, changed, p);
            p = changed;
        }
        for (j = 0; j < IMAGE_PIXELS; j++)
            x[j] = (float)p[j] / 255.0F;
        slot->labels[i] = f->d->labels ? f->d->labels[image] : 0;
    }
}

/* Batches that may be filled now: one slot is the consumer's. */
static uint32_t
room(const struct batch_feed *f)
{
    uint32_t held = f->taken > 0;
    uint32_t ready = f->filled - f->taken;
    uint32_t free_slots = (uint32_t)f->n_slots - held - ready;
    uint32_t left = f->n_batches - f->filled;

    return left < free_slots ? left : free_slots;
}

static void *
work(void *arg)
{
    struct batch_feed *f = arg;
    uint32_t number;

    pthread_mutex_lock(&f->lock);
    while (!f->quit) {
        if (room(f) == 0) {
            pthread_cond_wait(&f->to_worker, &f->lock);
            continue;
        }
        number = f->filled;
        f->filling = 1;
        pthread_mutex_unlock(&f->lock);
        fill(f, number);
        pthread_mutex_lock(&f->lock);
        f->filling = 0;
        f->filled++;
        pthread_cond_signal(&f->to_consumer);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Without a thread to spare the consumer fills the slots: the same bytes. */
static void
start_worker(struct batch_feed *f)
{
    sigset_t all, old;

    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->to_worker, NULL);
    pthread_cond_init(&f->to_consumer, NULL);
    /* Signals are for the thread that called. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    f->threaded = pthread_create(&f->thread, NULL, work, f) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!f->threaded) {
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->to_worker);
        pthread_cond_destroy(&f->to_consumer);
    }
}

static int
make_slots(struct batch_feed *f, struct err *e)
{
    size_t most = f->n > 0 ? f->n : 1;
    size_t size =
        (size_t)f->opt.batch_size < most ? (size_t)f->opt.batch_size : most;
    size_t bytes = size * IMAGE_PIXELS * sizeof(float);
    int i, want = 1;

    if (f->opt.prefetch) {
        want = (int)(SLOT_BYTES / bytes) + 1;
        want = want < 3 ? 3 : want > MAX_SLOTS ? MAX_SLOTS : want;
    }
    for (i = 0; i < want; i++) {
        f->slots[i].x = mem_aligned(size, IMAGE_PIXELS * sizeof(float));
        f->slots[i].labels = mem_zalloc(size, 1);
        if (!f->slots[i].x || !f->slots[i].labels)
            return err_nomem(e, "the batches", bytes * (size_t)want);
    }
    f->n_slots = want;
    return 0;
}

int
batch_feed_new(const struct dataset *d, const uint32_t *images, uint32_t n,
               const struct batch_options *opt, struct batch_feed **out,
               struct err *e)
{
    struct batch_feed *f;
    int rc;

    *out = NULL;
    if (opt->batch_size < 1)
        return err_set(e, ERR_USAGE, "batch size: expected 1 or more, not %d",
                       opt->batch_size);
    f = mem_zalloc(1, sizeof(*f));
    if (!f)
        return err_nomem(e, "the batches", sizeof(*f));
    f->d = d;
    f->images = images;
    f->n = n;
    f->opt = *opt;
    if (opt->augment)
        f->augment = *opt->augment;
    f->n_batches =
        n / (uint32_t)opt->batch_size + (n % (uint32_t)opt->batch_size != 0);
    f->order = mem_zalloc(n, sizeof(*f->order));
    rc = f->order ? make_slots(f, e)
                  : err_nomem(e, "the order of images", n * 4ULL);
    if (rc < 0) {
        batch_feed_free(f);
        return rc;
    }
    /* Nothing to do before the first epoch starts. */
    f->filled = f->taken = f->n_batches;
    if (opt->prefetch)
        start_worker(f);
    *out = f;
    return 0;
}

void
batch_feed_start(struct batch_feed *f, uint32_t epoch)
{
    const struct rng r = {
        .seed = f->opt.seed, .stream = RNG_SHUFFLE, .epoch = epoch};

    if (f->threaded) {
        pthread_mutex_lock(&f->lock);
        /* The batch being filled becomes the last: no other is begun. */
        f->n_batches = f->filled + (uint32_t)f->filling;
        while (f->filling)
            pthread_cond_wait(&f->to_consumer, &f->lock);
    }
    memcpy(f->order, f->images, f->n * sizeof(*f->order));
    if (f->opt.shuffle)
        rng_shuffle(&r, f->order, f->n);
    f->epoch = epoch;
    f->filled = f->taken = 0;
    f->n_batches = f->n / (uint32_t)f->opt.batch_size +
                   (f->n % (uint32_t)f->opt.batch_size != 0);
    if (f->threaded) {
        pthread_cond_signal(&f->to_worker);
        pthread_mutex_unlock(&f->lock);
    }
}

/* Makes batch f->taken ready. */
static void
await(struct batch_feed *f)
{
    if (!f->threaded) {
        fill(f, f->taken);
        f->filled = f->taken + 1;
        return;
    }
    while (f->filled == f->taken)
        pthread_cond_wait(&f->to_consumer, &f->lock);
}

int
batch_feed_next(struct batch_feed *f, struct batch *out)
{
    struct slot *slot;
    int more;

    if (f->threaded)
        pthread_mutex_lock(&f->lock);
    more = f->taken < f->n_batches;
    if (more) {
        await(f);
        slot = &f->slots[f->taken % (uint32_t)f->n_slots];
        out->n = (int)batch_length(f, f->taken);
        out->x = slot->x;
        out->labels = slot->labels;
        out->images = f->order + (size_t)f->taken * (size_t)f->opt.batch_size;
        f->taken++;
    }
    if (f->threaded) {
        if (room(f) * 2 >= (uint32_t)f->n_slots ||
            (f->filled == f->taken && room(f) > 0))
            pthread_cond_signal(&f->to_worker);
        pthread_mutex_unlock(&f->lock);
    }
    return more;
}

void
batch_feed_free(struct batch_feed *f)
{
    int i;

    if (!f)
        return;
    if (f->threaded) {
        pthread_mutex_lock(&f->lock);
        f->quit = 1;
        pthread_cond_signal(&f->to_worker);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->to_worker);
        pthread_cond_destroy(&f->to_consumer);
    }
    for (i = 0; i < MAX_SLOTS; i++) {
        mem_free(f->slots[i].x);
        mem_free(f->slots[i].labels);
    }
    mem_free(f->order);
    mem_free(f);
}
