/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"

static char folder[200];

static void
remove_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
    rmdir(folder);
}

void
fuzz_must(int holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    if (folder[0])
        remove_folder();
    abort();
}

void
fuzz_visible(const char *text)
{
    const unsigned char *p;
    struct str b;

    str_init(&b);
    str_add_visible(&b, text);
    MUST(!str_failed(&b));
    for (p = (const unsigned char *)b.s; *p; p++) {
        MUST(*p >= 0x20 && *p != 0x7F);
        MUST(!(p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0));
    }
    str_release(&b);
}

void
fuzz_refused(int rc, const struct err *e)
{
    MUST(rc < 0 && rc >= ERR_DIVERGED);
    MUST(e->code == rc);
    MUST(memchr(e->msg, '\0', sizeof(e->msg)) && e->msg[0]);
    fuzz_visible(e->msg);
}

const uint8_t *
fuzz_take(struct bytes *b, size_t n)
{
    const uint8_t *p = b->at;

    if (n > b->left)
        return NULL;
    b->at += n;
    b->left -= n;
    return p;
}

unsigned
fuzz_byte(struct bytes *b)
{
    const uint8_t *p = fuzz_take(b, 1);

    return p ? p[0] : 0;
}

unsigned
fuzz_word(struct bytes *b)
{
    const uint8_t *p = fuzz_take(b, 2);

    return p ? p[0] | (unsigned)p[1] << 8 : 0;
}

char *
fuzz_text(struct bytes *b)
{
    char *s = mem_strndup((const char *)b->at, b->left);

    MUST(s);
    b->at += b->left;
    b->left = 0;
    return s;
}

static void
put(int fd, const void *p, size_t n)
{
    MUST(n == 0 || pwrite(fd, p, n, 0) == (ssize_t)n);
    MUST(ftruncate(fd, (off_t)n) == 0);
}

const char *
fuzz_file(const void *p, size_t n)
{
    static char path[40];
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    put(fd, p, n);
    return path;
}

const char *
fuzz_folder(void)
{
    const char *dir = getenv("TMPDIR");

    if (folder[0])
        return folder;
    if (!dir || strlen(dir) > 150)
        dir = "/tmp";
    if (access("/dev/shm", W_OK | X_OK) == 0)
        dir = "/dev/shm";
    snprintf(folder, sizeof(folder), "%s/fmnist-fuzz-XXXXXX", dir);
    MUST(mkdtemp(folder));
    atexit(remove_folder);
    return folder;
}

const char *
fuzz_path(const char *name)
{
    static char path[8][300];
    static unsigned next;
    char *p = path[next++ % 8];

    MUST(strlen(name) < 80);
    snprintf(p, sizeof(path[0]), "%s/%s", fuzz_folder(), name);
    return p;
}

void
fuzz_write(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    put(fd, p, n);
    close(fd);
}

void
fuzz_clear(void)
{
    DIR *d = opendir(fuzz_folder());
    struct dirent *entry;

    MUST(d);
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.')
            MUST(unlinkat(dirfd(d), entry->d_name, 0) == 0);
    closedir(d);
}
