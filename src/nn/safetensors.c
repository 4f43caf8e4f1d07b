/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nn/safetensors.h"

#include <stdint.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error safetensors are little-endian, and so must the processor be
#endif

size_t
st_bytes(const struct st_tensor *t)
{
    size_t n = t->is_int64 ? 8 : 4;
    int i;

    for (i = 0; i < t->ndim; i++) {
        n *= (size_t)t->dim[i];
    }
    return n;
}

static void
add_tensor(struct str *b, const struct st_tensor *t)
{
    int i;

    str_addc(b, ',');
    str_add_json(b, t->name);
    str_addf(b, ":{\"dtype\":\"%s\",\"shape\":[", t->is_int64 ? "I64" : "F32");
    for (i = 0; i < t->ndim; i++) {
        str_addf(b, i ? ",%d" : "%d", t->dim[i]);
    }
    str_addf(b, "],\"data_offsets\":[%zu,%zu]}", t->offset,
             t->offset + st_bytes(t));
}

/* The header, padded with blanks to whole words; offsets are set, counted from
 * the end of the header. */
static void
add_header(struct str *b, struct st_tensor *t, int n,
           const struct meta_pair *meta, int n_meta, size_t *data)
{
    int i, wide;

    str_add(b, "{\"__metadata__\":{");
    for (i = 0; i < n_meta; i++) {
        if (i > 0) {
            str_addc(b, ',');
        }
        str_add_json(b, meta[i].key);
        str_addc(b, ':');
        str_add_json(b, meta[i].value);
    }
    str_addc(b, '}');
    *data = 0;
    for (wide = 1; wide >= 0; wide--) {
        for (i = 0; i < n; i++) {
            if (t[i].is_int64 == wide) {
                t[i].offset = *data;
                *data += st_bytes(&t[i]);
                add_tensor(b, &t[i]);
            }
        }
    }
    str_addc(b, '}');
    while (b->len % 8 != 0 && !str_failed(b)) {
        str_addc(b, ' ');
    }
}

int
st_create(struct st_tensor *t, int n, const struct meta_pair *meta, int n_meta,
          unsigned char **out, size_t *size, struct err *e)
{
    struct str b;
    size_t data;
    int i;

    str_init(&b);
    add_header(&b, t, n, meta, n_meta, &data);
    *size = 8 + b.len + data;
    *out = str_failed(&b) ? NULL : mem_alloc(*size);
    if (*out == NULL) {
        str_release(&b);
        return err_nomem(e, "the weights' file", *size);
    }
    for (i = 0; i < 8; i++) {
        (*out)[i] = (unsigned char)((unsigned long long)b.len >> (8 * i));
    }
    memcpy(*out + 8, b.s, b.len);
    for (i = 0; i < n; i++) {
        t[i].offset += 8 + b.len;
    }
    str_release(&b);
    return 0;
}

static double
element_of(const unsigned char *p, int is_int64)
{
    int64_t i;
    float f;

    if (is_int64) {
        memcpy(&i, p, sizeof i);
        return (double)i;
    }
    memcpy(&f, p, sizeof f);
    return (double)f;
}

void
st_compare(const void *a, const struct st_tensor *ta, const void *b,
           const struct st_tensor *tb, int n, struct tensor_difference *out)
{
    memset(out, 0, sizeof *out);
    for (; out->equal < n; out->equal++, ta++, tb++) {
        const unsigned char *pa = (const unsigned char *)a + ta->offset;
        const unsigned char *pb = (const unsigned char *)b + tb->offset;
        size_t bytes = st_bytes(ta), width = ta->is_int64 ? 8 : 4, at = 0;

        while (at < bytes && !memcmp(pa + at, pb + at, width)) {
            at += width;
        }
        if (at < bytes) {
            strcpy(out->name, ta->name);
            out->element = at / width;
            out->a = element_of(pa + at, ta->is_int64);
            out->b = element_of(pb + at, ta->is_int64);
            return;
        }
    }
}
