/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/split.h"

#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"

const char *const PART_NAMES[N_PARTS] = {"train", "val", "test"};

static int
check_fractions(const struct dataset *d, double test, double val, struct err *e)
{
    if (!(test >= 0 && test < 1))
        return err_set(e, ERR_USAGE,
                       "test fraction: expected 0 or more and below 1");
    if (!(val >= 0 && val < 1))
        return err_set(e, ERR_USAGE,
                       "validation fraction: expected 0 or more and below 1");
    if (d->n_fixed_test > 0 && test > 0)
        return err_set(e, ERR_USAGE,
                       "test fraction: data set %s has a test part of its own",
                       d->name);
    return 0;
}

/* To the nearest, halves up. */
static uint32_t
share(double fraction, uint32_t count)
{
    return (uint32_t)(fraction * count + 0.5);
}

/* Marks the test and validation images of one class in part[].  `order` is
 * scratch for all images of the class. */
static void
draw_class(const struct dataset *d, uint8_t label, uint64_t seed, double test,
           double val, uint32_t *order, uint8_t *part)
{
    const struct rng r = {.seed = seed, .stream = RNG_SPLIT, .epoch = label};
    uint32_t n_drawn = d->n - d->n_fixed_test;
    uint32_t count = 0, n_test, n_val, i;

    for (i = 0; i < n_drawn; i++) {
        if (d->labels[i] == label)
            order[count++] = i;
    }
    rng_shuffle(&r, order, count);
    n_test = share(test, count);
    n_val = share(val, count - n_test);
    for (i = 0; i < n_test + n_val; i++)
        part[order[i]] = i < n_test ? PART_TEST : PART_VAL;
}

/* Turns part[] into the ascending lists of s. */
static int
collect(const uint8_t *part, uint32_t n, struct split *s, struct err *e)
{
    uint32_t i, at[N_PARTS] = {0};
    int p;

    for (i = 0; i < n; i++)
        s->n[part[i]]++;
    for (p = 0; p < N_PARTS; p++) {
        s->images[p] = mem_zalloc(s->n[p], sizeof(uint32_t));
        if (!s->images[p])
            return err_nomem(e, "the split", s->n[p] * sizeof(uint32_t));
    }
    for (i = 0; i < n; i++)
        s->images[part[i]][at[part[i]]++] = i;
    return 0;
}

int
split_make(const struct dataset *d, uint64_t split_seed, double test_fraction,
           double val_fraction, struct split *out, struct err *e)
{
    uint32_t *order = NULL;
    uint8_t *part = NULL;
    int c, rc;

    memset(out, 0, sizeof(*out));
    rc = check_fractions(d, test_fraction, val_fraction, e);
    if (rc < 0)
        return rc;
    order = mem_zalloc(d->n, sizeof(*order));
    part = mem_zalloc(d->n, 1);
    if (!order || !part) {
        rc = err_nomem(e, "the split", d->n * 5ULL);
        goto out;
    }
    for (c = 0; c < N_CLASSES; c++)
        draw_class(d, (uint8_t)c, split_seed, test_fraction, val_fraction,
                   order, part);
    memset(part + (d->n - d->n_fixed_test), PART_TEST, d->n_fixed_test);
    rc = collect(part, d->n, out, e);
    if (rc == 0 && (out->n[PART_TRAIN] == 0 ||
                    (test_fraction > 0 && out->n[PART_TEST] == 0) ||
                    (val_fraction > 0 && out->n[PART_VAL] == 0)))
        rc = err_set(e, ERR_USAGE,
                     "these fractions leave %u training, %u validation and %u "
                     "test images of %u: each part needs at least one",
                     out->n[PART_TRAIN], out->n[PART_VAL], out->n[PART_TEST],
                     d->n);
out:
    mem_free(order);
    mem_free(part);
    if (rc < 0)
        split_release(out);
    return rc;
}

void
split_release(struct split *s)
{
    int p;

    for (p = 0; p < N_PARTS; p++)
        mem_free(s->images[p]);
    memset(s, 0, sizeof(*s));
}
