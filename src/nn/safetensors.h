/* SPDX-License-Identifier: MIT */
/*
 * The safetensors format: 8 bytes of header length (little-endian), a JSON
 * header {"name":{"dtype":…,"shape":[…],"data_offsets":[begin,end]}, …} with
 * an optional "__metadata__" of strings, then the tensors' bytes without gaps.
 */
#ifndef FMNIST_NN_SAFETENSORS_H
#define FMNIST_NN_SAFETENSORS_H

#include <stddef.h>

#include "fmnist/err.h"
#include "fmnist/optim.h"

#define ST_NAME 64

struct st_tensor {
    char name[ST_NAME];
    int is_int64; /* "I64", else "F32" */
    int ndim;
    int dim[4];
    size_t offset; /* of its bytes in the file: filled by these functions */
};

/* Bytes of a tensor. */
size_t st_bytes(const struct st_tensor *t);

/*
 * Makes a file with its header complete and room for n tensors, 8-byte ones
 * first; the caller fills the room.  mem_free *out.  Equal arguments give
 * equal bytes.
 */
int st_create(struct st_tensor *t, int n, const struct meta_pair *meta,
              int n_meta, unsigned char **out, size_t *size,
              struct err *e) MUST_CHECK;

/*
 * Checks that a file holds exactly the n tensors t, and fills their offsets
 * and the values of meta's keys.  The file may be hostile: it is refused,
 * naming the tensor or key, if anything is missing, unknown, given twice, of
 * another type or shape, out of bounds or overlapping.
 */
int st_open(const void *bytes, size_t size, struct st_tensor *t, int n,
            struct meta_pair *meta, int n_meta, struct err *e) MUST_CHECK;

/* Compares n tensors of two files that st_open has read; ta and tb differ in
 * nothing but offsets. */
void st_compare(const void *a, const struct st_tensor *ta, const void *b,
                const struct st_tensor *tb, int n,
                struct tensor_difference *out);

#endif
