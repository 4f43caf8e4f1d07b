/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/sha256.h"

#include <openssl/evp.h>

#include "fmnist/mem.h"

struct sha256 {
    EVP_MD_CTX *ctx;
    int failed;
};

struct sha256 *
sha256_new(void)
{
    struct sha256 *h = mem_zalloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)) {
        sha256_free(h);
        return NULL;
    }
    return h;
}

void
sha256_add(struct sha256 *h, const void *p, size_t n)
{
    h->failed |= !EVP_DigestUpdate(h->ctx, p, n);
}

void
sha256_hex(struct sha256 *h, char hex[SHA256_HEX])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    int i;

    h->failed |= !EVP_DigestFinal_ex(h->ctx, sum, NULL);
    for (i = 0; i < 32; i++) {
        hex[2 * i] = DIGITS[sum[i] >> 4];
        hex[2 * i + 1] = DIGITS[sum[i] & 15];
    }
    /* Never a digest that looks valid and is not. */
    hex[h->failed ? 0 : 64] = '\0';
}

void
sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    mem_free(h);
}

int
sha256_of(const void *p, size_t n, char hex[SHA256_HEX], struct err *e)
{
    struct sha256 *h = sha256_new();

    if (!h)
        return err_nomem(e, "a SHA-256 sum", sizeof(*h));
    sha256_add(h, p, n);
    sha256_hex(h, hex);
    sha256_free(h);
    return 0;
}
