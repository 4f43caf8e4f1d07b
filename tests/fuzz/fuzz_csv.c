/* SPDX-License-Identifier: MIT */
/*
 * A CSV file of images, gzipped or not.  The input is the file, but for \1 and
 * a number (two bytes, low one first, modulo 1024), which stand for so many
 * more times the two bytes before them ("0," in most cases, so that a row takes
 * a dozen bytes); for none it is \1 itself.
 */
#include "config.h"

#include <string.h>

#include "fmnist/dataset.h"
#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fuzz.h"

enum { MAX_FILE = 1 << 20, MAX_SHOWN = 20 };

static void
expand(struct bytes in, struct str *out)
{
    const uint8_t *p;
    unsigned n;

    while ((p = fuzz_take(&in, 1)) && out->len < MAX_FILE) {
        n = *p == 1 ? fuzz_word(&in) % 1024 : 0;
        if (*p != 1 || n == 0)
            str_addn(out, p, 1);
        for (; n > 0 && out->len >= 2; n--)
            str_addn(out, (char[2]){out->s[out->len - 2], out->s[out->len - 1]},
                     2);
    }
    MUST(!str_failed(out));
}

struct faults {
    long n;
    char first[512];
};

static void
on_fault(const char *message, void *arg)
{
    struct faults *f = arg;

    if (f->n++ == 0) {
        MUST(strlen(message) < sizeof(f->first));
        strcpy(f->first, message);
    }
    MUST(*message && !strchr(message, '\n'));
    fuzz_visible(message);
}

static void
sound(const struct dataset *d)
{
    uint32_t i;

    MUST(d->n > 0 && d->n_fixed_test == 0);
    for (i = 0; i < d->n && d->labels; i++)
        MUST(d->labels[i] < N_CLASSES);
    MUST(strlen(d->sha256) == 64);
}

/* What the program writes of a set is the same set, plain and packed. */
static void
comes_back(const struct dataset *d)
{
    static const char *const NAMES[] = {"again.csv", "again.csv.gz"};
    struct dataset *again;
    struct err e = {0};
    size_t i;

    for (i = 0; i < 2; i++) {
        MUST(dataset_sample(d, d->n, 1, fuzz_path(NAMES[i]), &e) == 0);
        MUST(dataset_load(fuzz_path(NAMES[i]), &again, &e) == 0);
        MUST(strcmp(again->sha256, d->sha256) == 0);
        dataset_free(again);
    }
}

/* The same file, whose labels may be missing: a set is one in both ways. */
static void
unlabelled(const char *path, const struct dataset *labelled)
{
    struct dataset *d;
    struct err e = {0};
    int rc = dataset_load_unlabelled(path, &d, &e);

    if (rc < 0) {
        MUST(!labelled && !d);
        fuzz_refused(rc, &e);
        return;
    }
    sound(d);
    MUST(!labelled || (d->labels && strcmp(d->sha256, labelled->sha256) == 0));
    dataset_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct faults f = {0};
    struct dataset *d;
    struct err e = {0};
    struct str file;
    const char *path;
    long faults;
    int rc;

    str_init(&file);
    expand((struct bytes){data, size}, &file);
    path = fuzz_file(file.s, file.len);
    str_release(&file);
    rc = dataset_load(path, &d, &e);
    faults = dataset_check(path, MAX_SHOWN, on_fault, &f, NULL);
    if (rc == 0) {
        MUST(faults == 0);
        sound(d);
        if (d->n <= 64)
            comes_back(d);
    } else {
        MUST(!d && faults > 0);
        fuzz_refused(rc, &e);
        MUST(strcmp(f.first, e.msg) == 0);
    }
    MUST(f.n == (faults < MAX_SHOWN ? faults : MAX_SHOWN));
    unlabelled(path, d);
    dataset_free(d);
    return 0;
}
