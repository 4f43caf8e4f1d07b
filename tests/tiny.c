/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tiny.h"

#include <check.h>
#include <stdio.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"
#include "fmnist/str.h"
#include "support.h"

static void
draw(uint8_t *pixels, int class, const struct rng *r, uint32_t image)
{
    int top = 2 + class / 5 * 12, left = 1 + class % 5 * 5;

    for (uint32_t i = 0; i < IMAGE_PIXELS; i++) {
        pixels[i] = (uint8_t)rng_below(r, image * IMAGE_PIXELS + i, 90);
    }
    for (int y = top; y < top + 9; y++) {
        for (int x = left; x < left + 5; x++) {
            pixels[y * IMAGE_SIDE + x] += 100;
        }
    }
}

struct dataset *
tiny_new(uint32_t n, uint64_t seed)
{
    const struct rng noise = {.seed = seed, .stream = RNG_SAMPLE};
    const struct rng wrong = {.seed = seed, .stream = RNG_SAMPLE, .epoch = 1};
    struct dataset *d = mem_zalloc(1, sizeof *d);

    ck_assert_ptr_nonnull(d);
    d->name = mem_strdup("tiny");
    d->source = mem_strdup("/nowhere/tiny.csv");
    d->n = n;
    d->labels = mem_zalloc(n, 1);
    d->pixels = mem_zalloc(n, IMAGE_PIXELS);
    for (uint32_t i = 0; i < n; i++) {
        int class = (int)(i % N_CLASSES);

        draw(d->pixels + (size_t)i * IMAGE_PIXELS, class, &noise, i);
        if (rng_below(&wrong, i, 10) == 0) {
            class = (class + 1) % N_CLASSES;
        }
        d->labels[i] = (uint8_t) class;
    }
    for (int k = 0; k < N_CLASSES; k++) {
        snprintf(d->class_names[k], CLASS_NAME_MAX, "%s", FASHION_CLASSES[k]);
    }
    ck_assert_int_eq(dataset_identify(d, NULL), 0);
    return d;
}

void
tiny_write(const struct dataset *d, const char *path)
{
    struct str b;

    str_init(&b);
    for (uint32_t i = 0; i < d->n; i++) {
        str_addf(&b, "%d", d->labels[i]);
        for (int p = 0; p < IMAGE_PIXELS; p++) {
            str_addf(&b, ",%d", d->pixels[(size_t)i * IMAGE_PIXELS + p]);
        }
        str_addc(&b, '\n');
    }
    ck_assert(!str_failed(&b));
    file_write(path, b.s, b.len);
    str_release(&b);
}
