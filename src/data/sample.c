/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/dataset.h"

#include <string.h>
#include <zlib.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

/* Spreads n over the classes as evenly as their counts allow; what is over
 * goes to the lower labels. */
static void
set_quotas(const uint32_t count[N_CLASSES], uint32_t n,
           uint32_t quota[N_CLASSES])
{
    int c;

    memset(quota, 0, N_CLASSES * sizeof(*quota));
    while (n > 0) {
        for (c = 0; c < N_CLASSES && n > 0; c++) {
            if (quota[c] < count[c]) {
                quota[c]++;
                n--;
            }
        }
    }
}

/* Marks the drawn images of one class; `order` is scratch for n_rows. */
static void
draw_class(const struct dataset *d, uint32_t n_rows, int label, uint64_t seed,
           uint32_t quota, uint32_t *order, uint8_t *drawn)
{
    const struct rng r = {
        .seed = seed, .stream = RNG_SAMPLE, .epoch = (uint32_t)label};
    uint32_t count = 0, i;

    for (i = 0; i < n_rows; i++) {
        if (d->labels[i] == label)
            order[count++] = i;
    }
    rng_shuffle(&r, order, count);
    for (i = 0; i < quota; i++)
        drawn[order[i]] = 1;
}

static void
add_row(struct str *b, const struct dataset *d, uint32_t image)
{
    const uint8_t *p = d->pixels + (size_t)image * IMAGE_PIXELS;
    char text[4 * (IMAGE_PIXELS + 1)], *t = text;
    int i, v;

    for (i = -1; i < IMAGE_PIXELS; i++) {
        v = i < 0 ? d->labels[image] : p[i];
        if (v >= 100)
            *t++ = (char)('0' + v / 100);
        if (v >= 10)
            *t++ = (char)('0' + v / 10 % 10);
        *t++ = (char)('0' + v % 10);
        *t++ = ',';
    }
    t[-1] = '\n';
    str_addn(b, text, (size_t)(t - text));
}

/* Packs text into *out (mem_free it) without a name or time. */
static int
pack(const struct str *text, unsigned char **out, size_t *n, struct err *e)
{
    z_stream z = {0};
    uLong bound;
    int rc = 0;

    *out = NULL;
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + 15, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_nomem(e, "zlib", 1 << 18);
    bound = deflateBound(&z, text->len);
    *out = mem_alloc(bound);
    if (*out) {
        z.next_in = (unsigned char *)text->s;
        z.avail_in = (unsigned)text->len;
        z.next_out = *out;
        z.avail_out = (unsigned)bound;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            rc = err_set(e, ERR_FAIL, "zlib could not pack the rows");
        *n = z.total_out;
    } else {
        rc = err_nomem(e, "the packed rows", bound);
    }
    deflateEnd(&z);
    return rc;
}

static int
write_rows(const struct str *text, const char *path, struct err *e)
{
    size_t len = strlen(path), n = 0;
    unsigned char *packed;
    int rc;

    if (len < 3 || strcmp(path + len - 3, ".gz") != 0)
        return sys_write_file(path, text->s, text->len, e);
    /* zlib counts in unsigned int. */
    if (text->len > 1U << 30)
        return err_set(e, ERR_FAIL,
                       "too many rows for a .gz file: write a .csv file");
    rc = pack(text, &packed, &n, e);
    if (rc == 0)
        rc = sys_write_file(path, packed, n, e);
    mem_free(packed);
    return rc;
}

/* The header and every image that is marked. */
static void
add_rows(struct str *b, const struct dataset *d, const uint8_t *drawn,
         uint32_t n_rows)
{
    uint32_t i;

    str_add(b, "label");
    for (i = 1; i <= IMAGE_PIXELS; i++)
        str_addf(b, ",pixel%u", i);
    str_addc(b, '\n');
    for (i = 0; i < n_rows; i++) {
        if (drawn[i])
            add_row(b, d, i);
    }
}

int
dataset_sample(const struct dataset *d, uint32_t n, uint64_t seed,
               const char *path, struct err *e)
{
    uint32_t n_rows = d->n - d->n_fixed_test;
    uint32_t count[N_CLASSES] = {0}, quota[N_CLASSES];
    uint32_t *order = NULL, i;
    uint8_t *drawn = NULL;
    struct str text;
    int c, rc = 0;

    if (n == 0 || n > n_rows)
        return err_set(e, ERR_USAGE,
                       "sample size: expected 1 to %u (the rows of %s), not %u",
                       n_rows, d->name, n);
    str_init(&text);
    order = mem_zalloc(n_rows, sizeof(*order));
    drawn = mem_zalloc(n_rows, 1);
    if (!order || !drawn) {
        rc = err_nomem(e, "the sample", n_rows * 5ULL);
        goto out;
    }
    for (i = 0; i < n_rows; i++)
        count[d->labels[i]]++;
    set_quotas(count, n, quota);
    for (c = 0; c < N_CLASSES; c++)
        draw_class(d, n_rows, c, seed, quota[c], order, drawn);
    add_rows(&text, d, drawn, n_rows);
    rc = str_failed(&text) ? err_nomem(e, "the rows", n * 2400ULL)
                           : write_rows(&text, path, e);
out:
    mem_free(order);
    mem_free(drawn);
    str_release(&text);
    return rc;
}
