/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_KEPT = 4096 };

static char folder[64];
static void *kept[MAX_KEPT];
static int n_kept;

int
run_suites(Suite *s, Suite *more)
{
    SRunner *sr = srunner_create(s);
    int failed;

    if (more)
        srunner_add_suite(sr, more);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void *
keep(void *p)
{
    ck_assert_ptr_nonnull(p);
    ck_assert_int_lt(n_kept, MAX_KEPT);
    kept[n_kept++] = p;
    return p;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void
tmp_setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fmnist-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void
tmp_teardown(void)
{
    while (n_kept > 0)
        free(kept[--n_kept]);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
tmp_dir(void)
{
    return folder;
}

static char *
join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = keep(malloc(size));

    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

char *
tmp_path(const char *name)
{
    return join(folder, name);
}

char *
source_path(const char *name)
{
    const char *dir = getenv("srcdir");

    return join(dir ? dir : ".", name);
}

static void
put(const char *path, const char *mode, const void *p, size_t n)
{
    FILE *f = fopen(path, mode);

    ck_assert_msg(f != NULL, "cannot open %s", path);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

void
file_write(const char *path, const void *p, size_t n)
{
    put(path, "wb", p, n);
}

void
file_append(const char *path, const void *p, size_t n)
{
    put(path, "ab", p, n);
}

void
file_write_text(const char *path, const char *text)
{
    file_write(path, text, strlen(text));
}

void
file_write_gz(const char *path, const void *p, size_t n)
{
    gzFile f = gzopen(path, "wb1");

    ck_assert_msg(f != NULL, "cannot open %s", path);
    ck_assert_int_eq(gzwrite(f, p, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

char *
file_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    char *p;

    ck_assert_msg(f != NULL, "cannot open %s", path);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    *n = (size_t)st.st_size;
    p = keep(malloc(*n + 1));
    ck_assert_uint_eq(fread(p, 1, *n, f), *n);
    p[*n] = '\0';
    fclose(f);
    return p;
}

int
file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
