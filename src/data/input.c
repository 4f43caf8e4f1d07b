/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "fmnist/mem.h"

enum { RAW_SIZE = 1 << 17 };

struct input {
    int fd;
    int eof; /* read(2) has returned 0 */
    int gzip;
    int inflating; /* inside a gzip member */
    z_stream z;    /* next_in, avail_in: the raw bytes not yet used, also for
                      plain files */
    char *path;
    unsigned char *raw;
    unsigned char peeked[INPUT_PEEK];
    size_t peek_len, peek_pos;
};

static void *
zlib_alloc(void *arg, unsigned n, unsigned size)
{
    (void)arg;
    return mem_zalloc(n, size);
}

static void
zlib_free(void *arg, void *p)
{
    (void)arg;
    mem_free(p);
}

/* Adds raw bytes behind those not yet used.  At the end sets eof. */
static int
fill(struct input *in, struct err *e)
{
    size_t have = in->z.avail_in;
    ssize_t got;

    if (have > 0)
        memmove(in->raw, in->z.next_in, have);
    in->z.next_in = in->raw;
    do {
        got = read(in->fd, in->raw + have, RAW_SIZE - have);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_sys(e, "%s", in->path);
    in->eof = got == 0;
    in->z.avail_in += (unsigned)got;
    return 0;
}

/* Makes at least n raw bytes available, or all that are left. */
static int
need(struct input *in, size_t n, struct err *e)
{
    int rc = 0;

    while (rc == 0 && in->z.avail_in < n && !in->eof)
        rc = fill(in, e);
    return rc;
}

static int
has_magic(const struct input *in)
{
    return in->z.avail_in >= 2 && in->z.next_in[0] == 0x1f &&
           in->z.next_in[1] == 0x8b;
}

int
input_open(const char *path, struct input **out, struct err *e)
{
    struct input *in = mem_zalloc(1, sizeof(*in));
    int rc = 0;

    *out = NULL;
    if (in)
        in->fd = -1;
    if (!in || !(in->raw = mem_alloc(RAW_SIZE)) ||
        !(in->path = mem_strdup(path))) {
        rc = err_nomem(e, "a read buffer", RAW_SIZE);
        goto fail;
    }
    in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        rc = err_set(e, ERR_NOTFOUND, "%s: no such file or folder", path);
        goto fail;
    }
    if (in->fd < 0) {
        rc = err_sys(e, "%s", path);
        goto fail;
    }
    rc = need(in, 2, e);
    if (rc < 0)
        goto fail;
    if (has_magic(in)) {
        in->z.zalloc = zlib_alloc;
        in->z.zfree = zlib_free;
        /* 16: a gzip header and trailer; 15: the largest window. */
        if (inflateInit2(&in->z, 16 + 15) != Z_OK) {
            rc = err_nomem(e, "zlib", 1 << 15);
            goto fail;
        }
        in->gzip = in->inflating = 1;
    }
    *out = in;
    return 0;
fail:
    input_close(in);
    return rc;
}

void
input_close(struct input *in)
{
    if (!in)
        return;
    if (in->gzip)
        inflateEnd(&in->z);
    if (in->fd >= 0)
        close(in->fd);
    mem_free(in->raw);
    mem_free(in->path);
    mem_free(in);
}

const char *
input_path(const struct input *in)
{
    return in->path;
}

static long
read_plain(struct input *in, unsigned char *buf, size_t n, struct err *e)
{
    size_t done = 0, part;
    int rc;

    while (done < n) {
        rc = need(in, 1, e);
        if (rc < 0)
            return rc;
        part = in->z.avail_in < n - done ? in->z.avail_in : n - done;
        if (part == 0)
            break;
        memcpy(buf + done, in->z.next_in, part);
        in->z.next_in += part;
        in->z.avail_in -= (unsigned)part;
        done += part;
    }
    return (long)done;
}

/* After a member: begins the next one, or makes sure that nothing follows. */
static int
next_member(struct input *in, struct err *e)
{
    int rc = need(in, 2, e);

    if (rc < 0)
        return rc;
    if (has_magic(in)) {
        inflateReset(&in->z);
        in->inflating = 1;
        return 0;
    }
    for (;;) {
        for (; in->z.avail_in > 0; in->z.avail_in--) {
            if (*in->z.next_in++ != 0)
                return err_set(e, ERR_FAIL,
                               "%s: something follows the gzip data", in->path);
        }
        if (in->eof)
            return 0;
        rc = need(in, 1, e);
        if (rc < 0)
            return rc;
    }
}

static long
read_gzip(struct input *in, unsigned char *buf, size_t n, struct err *e)
{
    int rc;

    in->z.next_out = buf;
    in->z.avail_out = (unsigned)n;
    while (in->z.avail_out > 0 && in->inflating) {
        rc = need(in, 1, e);
        if (rc < 0)
            return rc;
        switch (inflate(&in->z, Z_NO_FLUSH)) {
        case Z_OK:
            break;
        case Z_STREAM_END:
            in->inflating = 0;
            rc = next_member(in, e);
            if (rc < 0)
                return rc;
            break;
        case Z_BUF_ERROR:
            return err_set(e, ERR_FAIL,
                           "%s: the gzip data ends too early (truncated file)",
                           in->path);
        case Z_MEM_ERROR:
            return err_nomem(e, "zlib", 1 << 15);
        default:
            return err_set(e, ERR_FAIL, "%s: the gzip data is damaged (%s)",
                           in->path, in->z.msg ? in->z.msg : "zlib");
        }
    }
    return (long)(n - in->z.avail_out);
}

long
input_read(struct input *in, void *buf, size_t n, struct err *e)
{
    unsigned char *p = buf;
    size_t ready = in->peek_len - in->peek_pos;
    long got;

    if (ready > n)
        ready = n;
    if (ready > 0) {
        memcpy(p, in->peeked + in->peek_pos, ready);
        in->peek_pos += ready;
    }
    got = in->gzip ? read_gzip(in, p + ready, n - ready, e)
                   : read_plain(in, p + ready, n - ready, e);
    return got < 0 ? got : (long)ready + got;
}

long
input_peek(struct input *in, void *buf, size_t n, struct err *e)
{
    long got = input_read(in, in->peeked, n, e);

    if (got < 0)
        return got;
    in->peek_len = (size_t)got;
    in->peek_pos = 0;
    memcpy(buf, in->peeked, (size_t)got);
    return got;
}
