/* SPDX-License-Identifier: MIT */
/*
 * A folder of IDX files.  The input describes them one after the other, images
 * and labels of the train pair, then of the t10k pair: a byte of flags, the
 * number of bytes that are given (two bytes), the number of zeros that follow
 * them (two bytes), and the bytes.
 */
#include "config.h"

#include <string.h>
#include <zlib.h>

#include "fmnist/dataset.h"
#include "fmnist/mem.h"
#include "fuzz.h"

enum {
    ABSENT = 1,
    NAMED_GZ = 2,
    PACKED = 4,      /* gzip of the bytes and zeros */
    PACKED_THEN = 8, /* gzip of the zeros, then the bytes as they are */
    MAX_ZEROS = 5000,
};

static const char *const NAMES[4][2] = {
    {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"},
    {"train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"},
    {"t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"},
    {"t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"},
};

/* Packs n bytes; returns the number of bytes in out. */
static size_t
pack(const uint8_t *p, size_t n, uint8_t *out, size_t size)
{
    z_stream z = {0};
    size_t len;

    MUST(deflateInit2(&z, 1, Z_DEFLATED, 16 + 15, 9, Z_DEFAULT_STRATEGY) ==
         Z_OK);
    z.next_in = (uint8_t *)p;
    z.avail_in = (unsigned)n;
    z.next_out = out;
    z.avail_out = (unsigned)size;
    MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
    len = z.total_out;
    deflateEnd(&z);
    return len;
}

/* Makes the next file; its path, or NULL where there is none. */
static const char *
next_file(struct bytes *in, int which)
{
    static uint8_t plain[65536 + MAX_ZEROS], packed[2 * sizeof(plain)];
    unsigned flags = fuzz_byte(in), n = fuzz_word(in);
    unsigned zeros = fuzz_word(in) % MAX_ZEROS;
    const char *path = fuzz_path(NAMES[which][(flags & NAMED_GZ) != 0]);
    size_t len;

    if (n > in->left)
        n = (unsigned)in->left;
    if (n)
        memcpy(plain, fuzz_take(in, n), n);
    memset(plain + n, 0, zeros);
    if (flags & ABSENT)
        return NULL;
    if (flags & PACKED_THEN) {
        len = pack(plain + n, zeros, packed, sizeof(packed));
        memcpy(packed + len, plain, n);
        fuzz_write(path, packed, len + n);
    } else if (flags & PACKED) {
        len = pack(plain, n + zeros, packed, sizeof(packed));
        fuzz_write(path, packed, len);
    } else {
        fuzz_write(path, plain, n + zeros);
    }
    return path;
}

static void
sound(const struct dataset *d, int has_test)
{
    uint32_t i;

    MUST(d->n > 0 && d->n_fixed_test < d->n);
    MUST((d->n_fixed_test > 0) == has_test);
    for (i = 0; i < d->n; i++)
        MUST(d->labels[i] < N_CLASSES);
    MUST(strlen(d->sha256) == 64);
}

static void
on_fault(const char *message, void *arg)
{
    (void)arg;
    MUST(*message && !strchr(message, '\n'));
    fuzz_visible(message);
}

/* A single file of images, to classify. */
static void
images_only(const char *path)
{
    struct dataset *d;
    struct err e = {0};
    int rc;

    if (!path)
        return;
    rc = dataset_load_unlabelled(path, &d, &e);
    if (rc < 0)
        fuzz_refused(rc, &e);
    else
        MUST(d->n > 0);
    dataset_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    const char *path[4];
    struct dataset *d;
    struct err e = {0};
    long faults;
    int i, rc;

    fuzz_clear();
    for (i = 0; i < 4; i++)
        path[i] = next_file(&in, i);
    rc = dataset_load(fuzz_folder(), &d, &e);
    if (rc == 0)
        sound(d, path[2] != NULL);
    else
        fuzz_refused(rc, &e);
    MUST((rc == 0) == (d != NULL));
    dataset_free(d);
    faults = dataset_check(fuzz_folder(), 3, on_fault, NULL, NULL);
    MUST((rc == 0) == (faults == 0));
    for (i = 0; i < 4; i++)
        images_only(path[i]);
    return 0;
}
