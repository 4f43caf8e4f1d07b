/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"

/* What s points at while nothing is owned; never written to. */
static char empty[1];

void
str_init(struct str *b)
{
    *b = (struct str){.s = empty};
}

void
str_release(struct str *b)
{
    if (b->cap)
        mem_free(b->s);
    str_init(b);
}

void
str_clear(struct str *b)
{
    b->len = 0;
    if (b->cap)
        b->s[0] = '\0';
}

/* Room for n more bytes and the NUL; 0, or -1 with oom set. */
static int
reserve(struct str *b, size_t n)
{
    size_t cap;
    char *s;

    if (b->oom)
        return -1;
    if (b->cap - b->len > n)
        return 0;
    if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
        b->oom = 1;
        return -1;
    }
    cap = (b->len + n + 1) * 3 / 2 + 16;
    s = mem_resize(b->cap ? b->s : NULL, cap, 1);
    if (!s) {
        b->oom = 1;
        return -1;
    }
    b->s = s;
    b->cap = cap;
    s[b->len] = '\0';
    return 0;
}

void
str_addn(struct str *b, const void *p, size_t n)
{
    if (n == 0 || reserve(b, n) < 0)
        return;
    memcpy(b->s + b->len, p, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void
str_add(struct str *b, const char *s)
{
    str_addn(b, s, strlen(s));
}

void
str_addc(struct str *b, char c)
{
    str_addn(b, &c, 1);
}

void
str_addf(struct str *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0 || reserve(b, (size_t)n) < 0)
        return;
    va_start(ap, fmt);
    vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

int
str_failed(const struct str *b)
{
    return b->oom;
}

char *
str_detach(struct str *b)
{
    char *s = NULL;

    /* An empty text must be a heap string too. */
    if (reserve(b, 0) == 0) {
        s = b->s;
        str_init(b);
    } else {
        str_release(b);
    }
    return s;
}

void
num_format(double v, char out[NUM_TEXT])
{
    /* %.15g drops trailing zeros and reproduces every decimal of up to 15
     * digits, so it is the shortest where it round-trips.  Subnormals have
     * fewer digits than that. */
    int digits = fabs(v) < 0x1p-1022 ? 1 : 15;

    if (!isfinite(v)) {
        snprintf(out, NUM_TEXT, "null");
        return;
    }
    do {
        snprintf(out, NUM_TEXT, "%.*g", digits, v);
    } while (digits++ < 17 && strtod(out, NULL) != v);
}

void
str_add_json_num(struct str *b, double v)
{
    char text[NUM_TEXT];

    num_format(v, text);
    str_add(b, text);
}

int
str_to_i64(const char *s, long long *out)
{
    const char *p = s + (*s == '-' || *s == '+');
    char *end;

    if (*p < '0' || *p > '9')
        return -1;
    errno = 0;
    *out = strtoll(s, &end, 10);
    return *end || errno ? -1 : 0;
}

int
str_to_double(const char *s, double *out)
{
    char *end;

    /* Only these characters: keeps out blanks, hex, nan and inf. */
    if (!*s || s[strspn(s, "0123456789+-.eE")])
        return -1;
    errno = 0;
    *out = strtod(s, &end);
    if (*end || end == s || !isfinite(*out))
        return -1;
    return 0;
}
