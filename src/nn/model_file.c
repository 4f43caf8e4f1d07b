/* SPDX-License-Identifier: MIT */
/* A model's tensors as a safetensors file. */
#include "config.h"

#include <string.h>

#include "fmnist/mem.h"
#include "nn/model_impl.h"
#include "nn/safetensors.h"

/* The list of tensors as the file has them; mem_free it. */
static struct st_tensor *
list_tensors(const struct model *m, struct err *e)
{
    size_t bytes = (size_t)m->n_tensors * sizeof(struct st_tensor);
    struct st_tensor *t = mem_zalloc(m->n_tensors, sizeof *t);
    int i;

    if (t == NULL) {
        err_nomem(e, "a list of tensors", bytes);
        return NULL;
    }
    for (i = 0; i < m->n_tensors; i++) {
        const struct model_tensor *info = &m->tensors[i].info;

        strcpy(t[i].name, info->name);
        t[i].is_int64 = info->is_int64;
        t[i].ndim = info->ndim;
        memcpy(t[i].dim, info->dim, sizeof t[i].dim);
    }
    return t;
}

int
model_save(const struct model *m, void **out, size_t *size, struct err *e)
{
    struct st_tensor *t = list_tensors(m, e);
    unsigned char *bytes;
    int i, rc;

    if (t == NULL) {
        return ERR_NOMEM;
    }
    rc = st_create(t, m->n_tensors, NULL, 0, &bytes, size, e);
    for (i = 0; rc == 0 && i < m->n_tensors; i++) {
        model_tensor_get(m, i, NULL, bytes + t[i].offset);
    }
    if (rc == 0) {
        *out = bytes;
    }
    mem_free(t);
    return rc;
}

int
model_check(const struct model *m, const void *bytes, size_t size,
            struct err *e)
{
    struct st_tensor *t = list_tensors(m, e);
    int rc;

    if (t == NULL) {
        return ERR_NOMEM;
    }
    rc = st_open(bytes, size, t, m->n_tensors, NULL, 0, e);
    mem_free(t);
    return rc;
}

int
model_compare(const struct model *m, const void *a, size_t a_size,
              const void *b, size_t b_size, struct tensor_difference *out,
              struct err *e)
{
    struct st_tensor *ta = list_tensors(m, e);
    struct st_tensor *tb = ta != NULL ? list_tensors(m, e) : NULL;
    int rc = ERR_NOMEM;

    if (tb != NULL) {
        rc = st_open(a, a_size, ta, m->n_tensors, NULL, 0, e);
    }
    if (rc == 0) {
        rc = st_open(b, b_size, tb, m->n_tensors, NULL, 0, e);
    }
    if (rc == 0) {
        st_compare(a, ta, b, tb, m->n_tensors, out);
    }
    mem_free(ta);
    mem_free(tb);
    return rc;
}

int
model_load(struct model *m, const void *bytes, size_t size, struct err *e)
{
    struct st_tensor *t = list_tensors(m, e);
    int i, rc;

    if (t == NULL) {
        return ERR_NOMEM;
    }
    rc = st_open(bytes, size, t, m->n_tensors, NULL, 0, e);
    for (i = 0; rc == 0 && i < m->n_tensors; i++) {
        model_tensor_set(m, i, NULL,
                         (const unsigned char *)bytes + t[i].offset);
    }
    mem_free(t);
    return rc;
}
