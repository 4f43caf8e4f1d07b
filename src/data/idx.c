/* SPDX-License-Identifier: MIT */
/* The IDX format of Y. LeCun's MNIST page: big-endian numbers, then bytes. */
#include "config.h"

#include "data/reader.h"

#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* Unsigned bytes in one dimension, and in three. */
static const uint32_t MAGIC_LABELS = 0x00000801;
static const uint32_t MAGIC_IMAGES = 0x00000803;

/* Room is made for so many images at a time: a header can claim anything. */
enum { BLOCK = 1 << 16 };

static uint32_t
big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

int
idx_kind(struct input *in, enum idx_kind *out, struct err *e)
{
    unsigned char head[4];
    long got = input_peek(in, head, sizeof(head), e);

    *out = IDX_NONE;
    if (got < 0)
        return (int)got;
    if (got == sizeof(head) && big_endian(head) == MAGIC_LABELS)
        *out = IDX_LABELS;
    if (got == sizeof(head) && big_endian(head) == MAGIC_IMAGES)
        *out = IDX_IMAGES;
    return 0;
}

static int
truncated(struct input *in, unsigned long long got, unsigned long long want,
          struct err *e)
{
    return err_set(e, ERR_FAIL,
                   "%s: truncated: the file ends after %llu of %llu bytes",
                   input_path(in), got, want);
}

/* Reads `words` numbers of the header and checks the first. */
static int
read_header(struct input *in, uint32_t magic, uint32_t *head, int words,
            struct err *e)
{
    unsigned char raw[16];
    long want = words * 4;
    long got = input_read(in, raw, (size_t)want, e);
    int i;

    if (got < 0)
        return (int)got;
    if (got == 0)
        return err_set(e, ERR_FAIL, "%s: the file is empty", input_path(in));
    if (got >= 4 && big_endian(raw) != magic)
        return err_set(
            e, ERR_FAIL,
            "%s: wrong magic number 0x%08x, expected 0x%08x (IDX %s)",
            input_path(in), big_endian(raw), magic,
            magic == MAGIC_IMAGES ? "images" : "labels");
    if (got < want)
        return truncated(in, (unsigned long long)got, (unsigned long long)want,
                         e);
    for (i = 0; i < words; i++)
        head[i] = big_endian(raw + 4 * i);
    return 0;
}

/* Nothing may follow the last item; this also reads the gzip trailer. */
static int
expect_end(struct input *in, struct err *e)
{
    unsigned char extra;
    long got = input_read(in, &extra, 1, e);

    if (got < 0)
        return (int)got;
    if (got > 0)
        return err_set(e, ERR_FAIL,
                       "%s: more bytes than the count in its header",
                       input_path(in));
    return 0;
}

/* Appends all images of the file behind d->n; their number in *n. */
static int
read_images(struct reader *r, struct input *in, uint32_t *n, struct err *e)
{
    uint32_t head[4] = {0}, done, part;
    unsigned long long want;
    size_t bytes;
    long got;
    int rc = read_header(in, MAGIC_IMAGES, head, 4, e);

    if (rc < 0)
        return rc;
    if (head[2] != IMAGE_SIDE || head[3] != IMAGE_SIDE)
        return err_set(e, ERR_FAIL, "%s: images are %u×%u, expected 28×28",
                       input_path(in), head[2], head[3]);
    if (head[1] == 0)
        return err_set(e, ERR_FAIL, "%s: no images", input_path(in));
    for (done = 0; done < head[1]; done += part) {
        part = head[1] - done < BLOCK ? head[1] - done : BLOCK;
        rc = reader_reserve(r, done + part, e);
        if (rc < 0)
            return rc;
        bytes = (size_t)part * IMAGE_PIXELS;
        got = input_read(in,
                         r->d->pixels + ((size_t)r->d->n + done) * IMAGE_PIXELS,
                         bytes, e);
        if (got < 0)
            return (int)got;
        want = 16 + (unsigned long long)done * IMAGE_PIXELS;
        if ((size_t)got < bytes)
            return truncated(in, want + (unsigned long long)got,
                             16 + (unsigned long long)head[1] * IMAGE_PIXELS,
                             e);
    }
    *n = head[1];
    return expect_end(in, e);
}

/* Reads the labels of the n images behind d->n. */
static int
read_labels(struct reader *r, struct input *in, const char *images, uint32_t n,
            struct err *e)
{
    uint8_t *labels = r->d->labels + r->d->n;
    uint32_t head[2] = {0}, i;
    long got;
    int rc = read_header(in, MAGIC_LABELS, head, 2, e);

    if (rc < 0)
        return rc;
    if (head[1] != n)
        return err_set(e, ERR_FAIL, "%s has %u images, but %s has %u labels",
                       images, n, input_path(in), head[1]);
    got = input_read(in, labels, n, e);
    if (got < 0)
        return (int)got;
    if ((uint32_t)got < n)
        return truncated(in, 8ULL + (unsigned long long)got, 8ULL + n, e);
    for (i = 0; i < n && rc == 0; i++) {
        if (labels[i] >= N_CLASSES)
            rc = reader_fault(r, e, "%s: label %u: expected 0–9, found %u",
                              input_path(in), i + 1, labels[i]);
    }
    return rc < 0 ? rc : expect_end(in, e);
}

int
reader_idx_images(struct reader *r, struct input *in, struct err *e)
{
    uint32_t n;
    int rc = read_images(r, in, &n, e);

    if (rc < 0)
        return rc;
    r->d->n += n;
    mem_free(r->d->labels);
    r->d->labels = NULL;
    return 0;
}

/* Opens dir/name or dir/name.gz; *out is NULL where neither exists. */
static int
open_either(const char *dir, const char *name, struct input **out,
            struct err *e)
{
    struct str path;
    int rc;

    *out = NULL;
    str_init(&path);
    str_addf(&path, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/",
             name);
    if (!str_failed(&path) && access(path.s, F_OK) < 0) {
        str_add(&path, ".gz");
        if (!str_failed(&path) && access(path.s, F_OK) < 0) {
            str_release(&path);
            return 0;
        }
    }
    rc = str_failed(&path) ? err_nomem(e, "a path", strlen(dir) + 40)
                           : input_open(path.s, out, e);
    str_release(&path);
    return rc;
}

/* Reads a pair; 1, or 0 where neither of its files is there. */
static int
read_pair(struct reader *r, const char *dir, const char *image_file,
          const char *label_file, struct err *e)
{
    struct input *images = NULL, *labels = NULL;
    uint32_t n;
    int rc = open_either(dir, image_file, &images, e);

    if (rc == 0)
        rc = open_either(dir, label_file, &labels, e);
    if (rc < 0 || (!images && !labels))
        goto out;
    if (!images || !labels) {
        rc = err_set(e, ERR_NOTFOUND, "%s: no file %s (or %s.gz)", dir,
                     images ? label_file : image_file,
                     images ? label_file : image_file);
        goto out;
    }
    rc = read_images(r, images, &n, e);
    if (rc == 0)
        rc = read_labels(r, labels, input_path(images), n, e);
    if (rc == 0) {
        r->d->n += n;
        rc = 1;
    }
out:
    input_close(images);
    input_close(labels);
    return rc;
}

int
reader_idx_folder(struct reader *r, const char *dir, struct err *e)
{
    uint32_t n_train;
    int rc = read_pair(r, dir, "train-images-idx3-ubyte",
                       "train-labels-idx1-ubyte", e);

    if (rc == 0)
        return err_set(e, ERR_NOTFOUND,
                       "%s: a folder without train-images-idx3-ubyte (or .gz)",
                       dir);
    if (rc < 0)
        return rc;
    n_train = r->d->n;
    rc = read_pair(r, dir, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
                   e);
    r->d->n_fixed_test = r->d->n - n_train;
    return rc < 0 ? rc : 0;
}
