/* SPDX-License-Identifier: MIT */
/* Errors: a caller-owned record, set where the fault is found. */
#ifndef FMNIST_ERR_H
#define FMNIST_ERR_H

/*
 * Functions that can fail return 0 or one of these negative codes, and describe
 * the fault in a struct err that the caller owns (or in none: NULL is
 * accepted).  A code exists only where a caller branches on it.
 */
enum err_code {
    ERR_FAIL = -1,     /* the work failed: exit 1; any cause without a code */
    ERR_USAGE = -2,    /* a value the user gave is wrong: exit 2 */
    ERR_CANCEL = -3,   /* stopped on request; never logged as a fault */
    ERR_NOMEM = -4,    /* an allocation failed */
    ERR_NOTFOUND = -5, /* the named run, set, file or class does not exist */
    ERR_IO = -6,       /* the system refused a read or write; sys = errno */
    ERR_DIVERGED = -7, /* a loss became infinite or NaN */
    ERR_LOST = -8,     /* the run is not this worker's any more: it was taken
                          for dead; nothing more is written */
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct err {
    int code;      /* 0, or an enum err_code */
    int sys;       /* errno, or 0 */
    char msg[512]; /* one line, no final newline; may hold raw bytes of files,
                      so what prints it escapes control characters */
};

/* Sets e (unless NULL) and returns code. */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets ERR_IO with errno's text appended as ": text"; returns ERR_IO. */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prefixes "context: " to the message that e holds already; returns code. */
int err_wrap(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets ERR_NOMEM, naming what needed how many bytes; returns ERR_NOMEM. */
int err_nomem(struct err *e, const char *what, unsigned long long bytes);

#endif
