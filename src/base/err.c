/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (e) {
        e->code = code;
        e->sys = 0;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
    }
    return code;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char text[96];
    va_list ap;
    size_t len;

    if (e) {
        e->code = ERR_IO;
        e->sys = saved;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        len = strlen(e->msg);
        snprintf(e->msg + len, sizeof(e->msg) - len, ": %s",
                 strerror_r(saved, text, sizeof(text)));
    }
    return ERR_IO;
}

int
err_wrap(struct err *e, int code, const char *fmt, ...)
{
    char old[sizeof(e->msg)];
    va_list ap;
    size_t len;

    if (e) {
        memcpy(old, e->msg, sizeof(old));
        e->code = code;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        len = strlen(e->msg);
        snprintf(e->msg + len, sizeof(e->msg) - len, ": %s", old);
    }
    return code;
}

int
err_nomem(struct err *e, const char *what, unsigned long long bytes)
{
    return err_set(e, ERR_NOMEM, "out of memory: %s needs %llu bytes", what,
                   bytes);
}
