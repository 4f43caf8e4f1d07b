/* SPDX-License-Identifier: MIT */
/* The part of sys.h about files, paths and names; machine.c has the rest. */
#include "config.h"

#include "fmnist/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

void
sys_now(char out[SYS_TIME_LEN])
{
    struct timespec now;
    struct tm tm;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
    memcpy(out, text, SYS_TIME_LEN - 1);
    out[SYS_TIME_LEN - 1] = '\0';
}

double
sys_monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The text of b in *out, or ERR_NOMEM; b is empty afterwards. */
static int
give(struct str *b, char **out, struct err *e)
{
    size_t len = b->len;

    *out = str_detach(b);
    return *out ? 0 : err_nomem(e, "a path", len + 1);
}

/* The home folder: $HOME, else the password file's; "" if there is none. */
static void
add_home(struct str *b)
{
    const char *home = getenv("HOME");
    struct passwd pw, *found = NULL;
    char buf[4096];

    if (home && home[0] == '/')
        str_add(b, home);
    else if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &found) == 0 && found)
        str_add(b, found->pw_dir);
}

/* $VARIABLE/fmnist-tui/NAME, or the same under `otherwise` of the home folder.
 */
static int
xdg_path(const char *variable, const char *otherwise, const char *name,
         char **out, struct err *e)
{
    const char *xdg = getenv(variable);
    struct str b;

    *out = NULL;
    str_init(&b);
    /* The XDG specification says to ignore a relative value. */
    if (xdg && xdg[0] == '/') {
        str_add(&b, xdg);
    } else {
        add_home(&b);
        if (b.len == 0 && !str_failed(&b)) {
            str_release(&b);
            return err_set(e, ERR_FAIL, "no home folder: set HOME or %s",
                           variable);
        }
        str_add(&b, otherwise);
    }
    str_addf(&b, "/fmnist-tui/%s", name);
    return give(&b, out, e);
}

int
sys_data_path(const char *name, char **out, struct err *e)
{
    return xdg_path("XDG_DATA_HOME", "/.local/share", name, out, e);
}

int
sys_state_path(const char *name, char **out, struct err *e)
{
    return xdg_path("XDG_STATE_HOME", "/.local/state", name, out, e);
}

int
sys_config_path(const char *name, char **out, struct err *e)
{
    return xdg_path("XDG_CONFIG_HOME", "/.config", name, out, e);
}

int
sys_make_parents(const char *path, struct err *e)
{
    char *copy = mem_strdup(path);
    struct stat st;
    char *p;
    int rc = 0;

    if (!copy)
        return err_nomem(e, "a path", strlen(path) + 1);
    for (p = strchr(copy + 1, '/'); p && rc == 0; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0700) < 0) {
            /* EACCES and EROFS come before EEXIST on some systems. */
            int saved = errno;

            if (stat(copy, &st) < 0) {
                errno = saved;
                rc = err_sys(e, "cannot make folder %s", copy);
            } else if (!S_ISDIR(st.st_mode)) {
                errno = ENOTDIR;
                rc = err_sys(e, "%s", copy);
            }
        }
        *p = '/';
    }
    mem_free(copy);
    return rc;
}

static int
write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    ssize_t put;

    while (n > 0) {
        put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

/* For what cannot be replaced: a terminal, a pipe, /dev/null. */
static int
write_in_place(const char *path, const void *p, size_t n, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "cannot write %s", path);
    if (write_all(fd, p, n) < 0) {
        int rc = err_sys(e, "cannot write %s", path);

        close(fd);
        return rc;
    }
    if (close(fd) < 0)
        return err_sys(e, "cannot write %s", path);
    return 0;
}

/* Replaces `target`, a regular file with st, or none where st is NULL. */
static int
replace_file(const char *target, const struct stat *st, const void *p, size_t n,
             struct err *e)
{
    char uuid[37];
    struct str tmp;
    int fd = -1;
    int rc = sys_uuid(uuid, e);

    if (rc < 0)
        return rc;
    str_init(&tmp);
    str_addf(&tmp, "%s.%.8s.tmp", target, uuid);
    if (str_failed(&tmp)) {
        rc = err_nomem(e, "a path", strlen(target) + 14);
        goto out;
    }
    fd = open(tmp.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = err_sys(e, "cannot write %s", target);
        goto out;
    }
    if (st)
        (void)!fchmod(fd, st->st_mode & 0777);
    if (write_all(fd, p, n) < 0 || fsync(fd) < 0 || rename(tmp.s, target) < 0) {
        rc = err_sys(e, "cannot write %s", target);
        unlink(tmp.s);
    }
out:
    if (fd >= 0)
        close(fd);
    str_release(&tmp);
    return rc;
}

int
sys_write_file(const char *path, const void *p, size_t n, struct err *e)
{
    struct stat st;
    char *target;
    int rc;

    if (strcmp(path, "-") == 0) {
        fflush(stdout);
        if (write_all(STDOUT_FILENO, p, n) < 0)
            return err_sys(e, "cannot write to standard output");
        return 0;
    }
    if (stat(path, &st) < 0)
        return replace_file(path, NULL, p, n, e);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return err_sys(e, "cannot write %s", path);
    }
    if (!S_ISREG(st.st_mode))
        return write_in_place(path, p, n, e);
    /* The file behind a link is replaced, not the link. */
    target = realpath(path, NULL);
    if (!target)
        return err_sys(e, "cannot write %s", path);
    rc = replace_file(target, &st, p, n, e);
    free(target);
    return rc;
}

int
sys_absolute(const char *path, char **out, struct err *e)
{
    struct str b;
    char *cwd;
    size_t n;

    *out = NULL;
    str_init(&b);
    if (path[0] != '/') {
        cwd = getcwd(NULL, 0);
        if (!cwd)
            return err_sys(e, "the current folder");
        str_add(&b, strcmp(cwd, "/") == 0 ? "" : cwd);
        free(cwd);
    }
    /* "." and doubled slashes go; ".." stays, as links may be in the way. */
    while (*path) {
        n = strcspn(path, "/");
        if (n > 0 && !(n == 1 && *path == '.')) {
            str_addc(&b, '/');
            str_addn(&b, path, n);
        }
        path += n;
        path += strspn(path, "/");
    }
    if (b.len == 0)
        str_addc(&b, '/');
    return give(&b, out, e);
}

void
sys_user(char *out, size_t size)
{
    struct passwd pw, *found = NULL;
    char buf[4096];

    if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &found) == 0 && found)
        snprintf(out, size, "%s", found->pw_name);
    else
        snprintf(out, size, "uid %lu", (unsigned long)getuid());
}

void
sys_host(char *out, size_t size)
{
    if (gethostname(out, size) < 0)
        snprintf(out, size, "localhost");
    out[size - 1] = '\0';
}

int
sys_uuid(char out[37], struct err *e)
{
    unsigned char b[16];
    char *p = out;
    int i;

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return err_sys(e, "cannot read random bytes");
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += snprintf(p, 3, "%02x", b[i]);
    }
    return 0;
}
