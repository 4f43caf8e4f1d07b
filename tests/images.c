/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "images.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "support.h"

uint8_t
image_pixel(uint32_t i, int p)
{
    uint32_t x = i * 2654435761U + (uint32_t)p * 40503U;

    x ^= x >> 15;
    x *= 0x2c1b3c6dU;
    return (uint8_t)(x >> 20 & 1 ? x >> 24 : 0);
}

uint8_t
image_label(uint32_t i)
{
    return (uint8_t)(i * 7 % N_CLASSES);
}

struct dataset *
images_new(uint32_t n)
{
    struct dataset *d = mem_zalloc(1, sizeof(*d));
    uint32_t i;
    int p;

    ck_assert_ptr_nonnull(d);
    d->name = mem_strdup("made-up");
    d->source = mem_strdup("/made-up");
    d->n = n;
    d->labels = mem_zalloc(n, 1);
    d->pixels = mem_zalloc(n, IMAGE_PIXELS);
    ck_assert_ptr_nonnull(d->pixels);
    for (i = 0; i < n; i++) {
        d->labels[i] = image_label(i);
        for (p = 0; p < IMAGE_PIXELS; p++)
            d->pixels[(size_t)i * IMAGE_PIXELS + (size_t)p] = image_pixel(i, p);
    }
    ck_assert_int_eq(dataset_identify(d, NULL), 0);
    return d;
}

void
csv_add_header(struct str *b)
{
    int p;

    str_add(b, "label");
    for (p = 1; p <= IMAGE_PIXELS; p++)
        str_addf(b, ",pixel%d", p);
    str_addc(b, '\n');
}

void
csv_add_images(struct str *b, uint32_t n)
{
    uint32_t i;
    int p;

    for (i = 0; i < n; i++) {
        str_addf(b, "%d", image_label(i));
        for (p = 0; p < IMAGE_PIXELS; p++)
            str_addf(b, ",%d", image_pixel(i, p));
        str_addc(b, '\n');
    }
}

void
csv_add_row(struct str *b, int fields, int at, const char *value, size_t len)
{
    int i;

    for (i = 0; i < fields; i++) {
        if (i > 0)
            str_addc(b, ',');
        if (i == at)
            str_addn(b, value, len);
        else
            str_addc(b, i == 0 ? '3' : '0');
    }
    str_addc(b, '\n');
}

void
idx_write_raw(const char *path, const uint32_t *head, int words,
              const void *bytes, size_t n, int gz)
{
    unsigned char *all = malloc((size_t)words * 4 + n + 1);
    int i;

    ck_assert_ptr_nonnull(all);
    for (i = 0; i < words; i++) {
        all[4 * i] = (unsigned char)(head[i] >> 24);
        all[4 * i + 1] = (unsigned char)(head[i] >> 16);
        all[4 * i + 2] = (unsigned char)(head[i] >> 8);
        all[4 * i + 3] = (unsigned char)head[i];
    }
    if (n > 0)
        memcpy(all + (size_t)words * 4, bytes, n);
    if (gz)
        file_write_gz(path, all, (size_t)words * 4 + n);
    else
        file_write(path, all, (size_t)words * 4 + n);
    free(all);
}

void
idx_write(const char *dir, const char *prefix, uint32_t first, uint32_t n,
          int gz)
{
    struct dataset *d = images_new(first + n);
    const uint32_t images[4] = {0x803, n, IMAGE_SIDE, IMAGE_SIDE};
    const uint32_t labels[2] = {0x801, n};
    char path[256];

    snprintf(path, sizeof(path), "%s/%s-images-idx3-ubyte%s", dir, prefix,
             gz ? ".gz" : "");
    idx_write_raw(path, images, 4, d->pixels + (size_t)first * IMAGE_PIXELS,
                  (size_t)n * IMAGE_PIXELS, gz);
    snprintf(path, sizeof(path), "%s/%s-labels-idx1-ubyte%s", dir, prefix,
             gz ? ".gz" : "");
    idx_write_raw(path, labels, 2, d->labels + first, n, gz);
    dataset_free(d);
}
