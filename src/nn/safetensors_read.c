/* SPDX-License-Identifier: MIT */
/* Reading what may be hostile: every byte is checked, nothing is allocated but
 * a flag for each tensor. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "nn/safetensors.h"

/* A bound on what a header can sensibly need. */
#define HEADER_MAX (1u << 20)

struct reader {
    const char *at, *end;
    const char *begin;
    size_t data; /* bytes after the header */
    struct st_tensor *tensors;
    unsigned char *seen; /* flags: n tensors, then n_meta keys */
    int n;
    struct meta_pair *meta;
    int n_meta;
    struct err *e;
};

static int
bad_json(struct reader *r, const char *expected)
{
    return err_set(r->e, ERR_FAIL,
                   "the weights' header is damaged at byte %zu: expected %s",
                   (size_t)(r->at - r->begin), expected);
}

static void
skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' ||
                              *r->at == '\n' || *r->at == '\r')) {
        r->at++;
    }
}

/* 1 if the next character is c, which is then behind. */
static int
take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at < r->end && *r->at == c) {
        r->at++;
        return 1;
    }
    return 0;
}

static int
need(struct reader *r, char c, const char *name)
{
    return take(r, c) ? 0 : bad_json(r, name);
}

/* What \c stands for; 0: not supported. */
static char
unescape(char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *p = c ? strchr(from, c) : NULL;

    return p != NULL ? to[p - from] : '\0';
}

/* A string of less than `size` bytes; \u is not understood (nothing that the
 * program writes or compares needs it). */
static int
read_string(struct reader *r, char *out, size_t size)
{
    size_t n = 0;

    if (need(r, '"', "a string") < 0) {
        return ERR_FAIL;
    }
    for (;;) {
        char c = r->at < r->end ? *r->at : '\0';

        if ((unsigned char)c < 0x20) {
            return bad_json(r, "the end of a string");
        }
        r->at++;
        if (c == '"') {
            out[n] = '\0';
            return 0;
        }
        if (c == '\\') {
            c = r->at < r->end ? unescape(*r->at) : '\0';
            if (c == '\0') {
                return bad_json(r, "a plain escape");
            }
            r->at++;
        }
        if (n + 1 >= size) {
            return bad_json(r, "a shorter string");
        }
        out[n++] = c;
    }
}

static int
read_number(struct reader *r, uint64_t *out)
{
    uint64_t v = 0;
    int digits = 0;

    skip_blanks(r);
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (++digits > 18) {
            return bad_json(r, "a smaller number");
        }
        v = v * 10 + (uint64_t)(*r->at++ - '0');
    }
    if (digits == 0) {
        return bad_json(r, "a whole number");
    }
    *out = v;
    return 0;
}

/* [a, b, …], at most max numbers. */
static int
read_list(struct reader *r, uint64_t *out, int max, int *n)
{
    *n = 0;
    if (need(r, '[', "\"[\"") < 0) {
        return ERR_FAIL;
    }
    if (take(r, ']')) {
        return 0;
    }
    do {
        if (*n == max) {
            return bad_json(r, "fewer numbers");
        }
        if (read_number(r, &out[(*n)++]) < 0) {
            return ERR_FAIL;
        }
    } while (take(r, ','));
    return need(r, ']', "\"]\"");
}

static int
bad_tensor(struct reader *r, const char *name, const char *what)
{
    return err_set(r->e, ERR_FAIL, "tensor %s: %s", name, what);
}

/* What a header says of one tensor. */
struct claim {
    char dtype[8];
    uint64_t dim[8], offsets[2];
    int n_dtype, n_shape, n_offsets; /* times given */
    int ndim, ends;
};

static int
read_claim(struct reader *r, struct claim *c)
{
    char key[16];
    int rc;

    memset(c, 0, sizeof *c);
    if (need(r, '{', "\"{\"") < 0) {
        return ERR_FAIL;
    }
    do {
        if (read_string(r, key, sizeof key) < 0 || need(r, ':', "\":\"") < 0) {
            return ERR_FAIL;
        }
        if (!strcmp(key, "dtype")) {
            c->n_dtype++;
            rc = read_string(r, c->dtype, sizeof c->dtype);
        } else if (!strcmp(key, "shape")) {
            c->n_shape++;
            rc = read_list(r, c->dim, 8, &c->ndim);
        } else if (!strcmp(key, "data_offsets")) {
            c->n_offsets++;
            rc = read_list(r, c->offsets, 2, &c->ends);
        } else {
            rc = bad_json(r, "dtype, shape or data_offsets");
        }
        if (rc < 0) {
            return rc;
        }
    } while (take(r, ','));
    if (need(r, '}', "\"}\"") < 0) {
        return ERR_FAIL;
    }
    if (c->n_dtype != 1 || c->n_shape != 1 || c->n_offsets != 1 ||
        c->ends != 2) {
        return bad_json(r, "one dtype, one shape and two offsets before this");
    }
    return 0;
}

static int
same_shape(const struct st_tensor *t, const struct claim *c)
{
    int i;

    if (c->ndim != t->ndim) {
        return 0;
    }
    for (i = 0; i < t->ndim; i++) {
        if (c->dim[i] != (uint64_t)t->dim[i]) {
            return 0;
        }
    }
    return 1;
}

static int
wrong_shape(struct reader *r, const struct st_tensor *t, const struct claim *c)
{
    char what[200] = "shape [";
    size_t n = strlen(what);
    int i;

    for (i = 0; i < c->ndim; i++) {
        n += (size_t)snprintf(what + n, sizeof what - n, i ? ", %llu" : "%llu",
                              (unsigned long long)c->dim[i]);
    }
    n += (size_t)snprintf(what + n, sizeof what - n, "], the model's is [");
    for (i = 0; i < t->ndim && n < sizeof what; i++) {
        n += (size_t)snprintf(what + n, sizeof what - n, i ? ", %d" : "%d",
                              t->dim[i]);
    }
    return err_set(r->e, ERR_FAIL, "tensor %s: %s]", t->name, what);
}

static int
read_tensor(struct reader *r, const char *name)
{
    struct st_tensor *t;
    struct claim c;
    int i;

    for (i = 0; i < r->n && strcmp(r->tensors[i].name, name) != 0; i++) {
    }
    if (i == r->n) {
        return bad_tensor(r, name, "the model has none of this name");
    }
    t = &r->tensors[i];
    if (r->seen[i]++) {
        return bad_tensor(r, name, "given twice");
    }
    if (read_claim(r, &c) < 0) {
        return ERR_FAIL;
    }
    if (strcmp(c.dtype, t->is_int64 ? "I64" : "F32") != 0) {
        return bad_tensor(r, name,
                          t->is_int64 ? "its type is not I64"
                                      : "its type is not F32");
    }
    if (!same_shape(t, &c)) {
        return wrong_shape(r, t, &c);
    }
    if (c.offsets[0] > c.offsets[1] || c.offsets[1] > r->data) {
        return bad_tensor(r, name, "its bytes lie outside of the file");
    }
    if (c.offsets[1] - c.offsets[0] != st_bytes(t)) {
        return bad_tensor(r, name, "its offsets do not fit its shape");
    }
    t->offset = (size_t)c.offsets[0];
    return 0;
}

/* {"key":"value", …}; keys that nobody asked for are passed over. */
static int
read_metadata(struct reader *r)
{
    char key[64], value[256];
    int i;

    if (need(r, '{', "\"{\"") < 0) {
        return ERR_FAIL;
    }
    if (take(r, '}')) {
        return 0;
    }
    do {
        if (read_string(r, key, sizeof key) < 0 || need(r, ':', "\":\"") < 0 ||
            read_string(r, value, sizeof value) < 0) {
            return ERR_FAIL;
        }
        for (i = 0; i < r->n_meta; i++) {
            if (strcmp(r->meta[i].key, key) != 0) {
                continue;
            }
            if (r->seen[r->n + i]++) {
                return err_set(r->e, ERR_FAIL, "metadata %s: given twice", key);
            }
            if (strlen(value) >= sizeof r->meta[i].value) {
                return err_set(r->e, ERR_FAIL, "metadata %s: too long", key);
            }
            strcpy(r->meta[i].value, value);
        }
    } while (take(r, ','));
    return need(r, '}', "\"}\"");
}

static int
read_header(struct reader *r)
{
    char name[ST_NAME];
    int metadata = 0, rc;

    if (need(r, '{', "\"{\"") < 0) {
        return ERR_FAIL;
    }
    if (!take(r, '}')) {
        do {
            if (read_string(r, name, sizeof name) < 0 ||
                need(r, ':', "\":\"") < 0) {
                return ERR_FAIL;
            }
            if (strcmp(name, "__metadata__") != 0) {
                rc = read_tensor(r, name);
            } else if (metadata++) {
                rc = bad_json(r, "__metadata__ only once");
            } else {
                rc = read_metadata(r);
            }
            if (rc < 0) {
                return rc;
            }
        } while (take(r, ','));
        if (need(r, '}', "\"}\"") < 0) {
            return ERR_FAIL;
        }
    }
    skip_blanks(r);
    return r->at == r->end ? 0 : bad_json(r, "its end");
}

/* Nothing missing, no two tensors on the same bytes, no byte unused. */
static int
check_whole(struct reader *r)
{
    const struct st_tensor *t = r->tensors;
    size_t sum = 0;
    int i, j;

    for (i = 0; i < r->n; i++) {
        if (!r->seen[i]) {
            return bad_tensor(r, t[i].name, "missing");
        }
        sum += st_bytes(&t[i]);
        for (j = 0; j < i; j++) {
            if (t[i].offset < t[j].offset + st_bytes(&t[j]) &&
                t[j].offset < t[i].offset + st_bytes(&t[i])) {
                return bad_tensor(r, t[i].name,
                                  "its bytes overlap those of another");
            }
        }
    }
    for (i = 0; i < r->n_meta; i++) {
        if (!r->seen[r->n + i]) {
            return err_set(r->e, ERR_FAIL, "metadata %s: missing",
                           r->meta[i].key);
        }
    }
    if (sum != r->data) {
        return err_set(r->e, ERR_FAIL,
                       "the weights have %zu bytes of data, not %zu", r->data,
                       sum);
    }
    return 0;
}

int
st_open(const void *bytes, size_t size, struct st_tensor *t, int n,
        struct meta_pair *meta, int n_meta, struct err *e)
{
    const unsigned char *p = bytes;
    struct reader r = {.tensors = t, .n = n, .meta = meta, .n_meta = n_meta};
    uint64_t header = 0;
    int i, rc;

    for (i = 0; i < 8 && size >= 8; i++) {
        header |= (uint64_t)p[i] << (8 * i);
    }
    if (size < 8 || header > size - 8 || header > HEADER_MAX) {
        return err_set(e, ERR_FAIL,
                       "these are not weights in the safetensors format, or "
                       "they are cut short");
    }
    r.e = e;
    r.begin = r.at = (const char *)bytes + 8;
    r.end = r.at + header;
    r.data = size - 8 - (size_t)header;
    r.seen = mem_zalloc((size_t)n + n_meta + 1, 1);
    if (r.seen == NULL) {
        return err_nomem(e, "reading weights", (size_t)n + n_meta + 1);
    }
    rc = read_header(&r);
    if (rc == 0) {
        rc = check_whole(&r);
    }
    for (i = 0; rc == 0 && i < n; i++) {
        t[i].offset += 8 + (size_t)header;
    }
    mem_free(r.seen);
    return rc;
}
