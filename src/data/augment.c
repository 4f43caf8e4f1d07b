/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/augment.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/dataset.h"
#include "fmnist/str.h"

/* "name" or "name:number" of a part; which number it takes. */
enum part { SHIFT, FLIP, ERASE, N_KINDS };

static const struct {
    const char *name;
    int max; /* 0: takes no number */
} KINDS[N_KINDS] = {
    [SHIFT] = {"shift", IMAGE_SIDE - 1},
    [FLIP] = {"flip", 0},
    [ERASE] = {"erase", IMAGE_SIDE},
};

/* Reads one part of n bytes into value[] and seen[]. */
static int
parse_part(const char *s, size_t n, int value[N_KINDS], int seen[N_KINDS],
           struct err *e)
{
    size_t name_len = strcspn(s, ":+");
    char digits[8] = "";
    long long v = 1;
    int k;

    for (k = 0; k < N_KINDS; k++) {
        if (strlen(KINDS[k].name) == name_len &&
            strncmp(s, KINDS[k].name, name_len) == 0)
            break;
    }
    if (k == N_KINDS)
        return err_set(e, ERR_USAGE,
                       "augmentation \"%.*s\": expected shift:N, flip or "
                       "erase:N, joined by +",
                       n < 40 ? (int)n : 40, s);
    if (seen[k]++)
        return err_set(e, ERR_USAGE, "augmentation: %s is given twice",
                       KINDS[k].name);
    if (KINDS[k].max == 0 && n > name_len)
        return err_set(e, ERR_USAGE, "augmentation: %s takes no number",
                       KINDS[k].name);
    if (KINDS[k].max > 0) {
        if (n > name_len + 1 && n - name_len - 1 < sizeof(digits))
            memcpy(digits, s + name_len + 1, n - name_len - 1);
        if (str_to_i64(digits, &v) < 0 || v < 0 || v > KINDS[k].max)
            return err_set(e, ERR_USAGE,
                           "augmentation \"%.*s\": expected %s:0 to %s:%d",
                           n < 40 ? (int)n : 40, s, KINDS[k].name,
                           KINDS[k].name, KINDS[k].max);
    }
    value[k] = (int)v;
    return 0;
}

int
augment_parse(const char *s, struct augment *out, struct err *e)
{
    int value[N_KINDS] = {0}, seen[N_KINDS] = {0};
    size_t n;
    int rc = 0;

    memset(out, 0, sizeof(*out));
    if (*s == '\0' || strcmp(s, "none") == 0)
        return 0;
    for (;; s += n + 1) {
        n = strcspn(s, "+");
        rc = parse_part(s, n, value, seen, e);
        if (rc < 0)
            return rc;
        if (s[n] == '\0')
            break;
    }
    out->shift = value[SHIFT];
    out->flip = value[FLIP];
    out->erase = value[ERASE];
    return 0;
}

int
augment_is_none(const struct augment *a)
{
    return a->shift == 0 && a->flip == 0 && a->erase == 0;
}

void
augment_format(const struct augment *a, char out[AUGMENT_TEXT])
{
    int n = 0;

    snprintf(out, AUGMENT_TEXT, "none");
    if (a->shift)
        n = snprintf(out, AUGMENT_TEXT, "shift:%d", a->shift);
    if (a->flip)
        n += snprintf(out + n, (size_t)(AUGMENT_TEXT - n), "%sflip",
                      n ? "+" : "");
    if (a->erase)
        snprintf(out + n, (size_t)(AUGMENT_TEXT - n), "%serase:%d",
                 n ? "+" : "", a->erase);
}

/* Uniform in 0 … n-1 from 16 bits. */
static int
below(uint32_t bits, int n)
{
    return (int)(((bits & 0xFFFF) * (uint32_t)n) >> 16);
}

/* Moves the image dx to the right and dy down. */
static void
move(uint8_t *dst, const uint8_t *src, int dx, int dy)
{
    int left = dx > 0 ? dx : 0, y;
    int n = IMAGE_SIDE - (dx > 0 ? dx : -dx);

    memset(dst, 0, IMAGE_PIXELS);
    for (y = 0; y < IMAGE_SIDE; y++) {
        if (y - dy >= 0 && y - dy < IMAGE_SIDE)
            memcpy(dst + y * IMAGE_SIDE + left,
                   src + (y - dy) * IMAGE_SIDE + left - dx, (size_t)n);
    }
}

static void
flip(uint8_t *p)
{
    uint8_t swap;
    int x, y;

    for (y = 0; y < IMAGE_SIDE; y++, p += IMAGE_SIDE) {
        for (x = 0; x < IMAGE_SIDE / 2; x++) {
            swap = p[x];
            p[x] = p[IMAGE_SIDE - 1 - x];
            p[IMAGE_SIDE - 1 - x] = swap;
        }
    }
}

void
augment_apply(const struct augment *a, const struct rng *r, uint64_t index,
              uint8_t *dst, const uint8_t *src)
{
    /* All four words are drawn whatever the parts, so that adding a part does
     * not change what another one does. */
    uint32_t w[4];
    int places = IMAGE_SIDE - a->erase + 1, i;
    uint8_t *corner;

    rng_block(r, index, w);
    move(dst, src, below(w[0], 2 * a->shift + 1) - a->shift,
         below(w[1], 2 * a->shift + 1) - a->shift);
    if (a->flip && (w[2] & 1))
        flip(dst);
    corner = dst + below(w[3] >> 16, places) * IMAGE_SIDE + below(w[3], places);
    for (i = 0; i < a->erase; i++)
        memset(corner + i * IMAGE_SIDE, 0, (size_t)a->erase);
}
