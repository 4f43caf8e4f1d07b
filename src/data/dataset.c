/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/dataset.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/reader.h"
#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

#define SMALL_FILE "fmnist_small.csv.gz"
#define FULL_DIR "/usr/share/datasets/fashion-mnist"

const char *const FASHION_CLASSES[N_CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot",
};

int
reader_fault(struct reader *r, struct err *e, const char *fmt, ...)
{
    char msg[sizeof(e->msg)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (!r->report)
        return err_set(e, ERR_FAIL, "%s", msg);
    if (r->faults++ < r->max)
        r->report(msg, r->arg);
    return 0;
}

int
reader_reserve(struct reader *r, uint32_t extra, struct err *e)
{
    struct dataset *d = r->d;
    uint64_t want = (uint64_t)d->n + extra;
    uint8_t *p;

    if (want <= r->cap)
        return 0;
    if (extra == 1)
        want = r->cap < 1024 ? 1024 : r->cap * 2ULL;
    if (want > UINT32_MAX)
        return err_nomem(e, "the images", want * (IMAGE_PIXELS + 1));
    p = mem_resize(d->labels, want, 1);
    if (p) {
        d->labels = p;
        p = mem_resize(d->pixels, want, IMAGE_PIXELS);
    }
    if (!p)
        return err_nomem(e, "the images", want * (IMAGE_PIXELS + 1));
    d->pixels = p;
    r->cap = (uint32_t)want;
    return 0;
}

/* Gives back what growing by doubling left over. */
static void
trim(struct reader *r)
{
    uint8_t *p;

    if (r->cap == r->d->n || r->d->n == 0)
        return;
    p = mem_resize(r->d->pixels, r->d->n, IMAGE_PIXELS);
    if (p)
        r->d->pixels = p;
}

void
dataset_free(struct dataset *d)
{
    if (!d)
        return;
    mem_free(d->name);
    mem_free(d->source);
    mem_free(d->labels);
    mem_free(d->pixels);
    mem_free(d);
}

int
dataset_identify(struct dataset *d, struct err *e)
{
    const uint8_t n[4] = {(uint8_t)d->n, (uint8_t)(d->n >> 8),
                          (uint8_t)(d->n >> 16), (uint8_t)(d->n >> 24)};
    struct sha256 *h = sha256_new();

    if (!h)
        return err_nomem(e, "a SHA-256 sum", 1);
    sha256_add(h, n, sizeof(n));
    if (d->labels)
        sha256_add(h, d->labels, d->n);
    sha256_add(h, d->pixels, (size_t)d->n * IMAGE_PIXELS);
    sha256_hex(h, d->sha256);
    sha256_free(h);
    return 0;
}

/* Adds the folder of the running program; nothing where it is unknown. */
static void
add_program_folder(struct str *b)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));

    while (n > 0 && exe[n - 1] != '/')
        n--;
    str_addn(b, exe, n > 0 ? (size_t)n : 0);
}

/*
 * The path of the shipped sample in b: the folder that the user set, or the
 * installed one, or that of the build tree that the program was started from.
 * Where there is none the installed one stays, for the message.
 */
static void
find_small(struct str *b)
{
    static const char *const BUILD[] = {"data/", "../data/"};
    const char *dir = getenv("FMNIST_DATA_DIR");
    size_t i;

    if (dir && *dir) {
        str_addf(b, "%s/" SMALL_FILE, dir);
        return;
    }
    for (i = 0; i < 2; i++) {
        str_clear(b);
        str_add(b, FMNIST_DATADIR "/" SMALL_FILE);
        if (access(b->s, R_OK) == 0)
            return;
        str_clear(b);
        add_program_folder(b);
        str_addf(b, "%s" SMALL_FILE, BUILD[i]);
        if (access(b->s, R_OK) == 0)
            return;
    }
    str_clear(b);
    str_add(b, FMNIST_DATADIR "/" SMALL_FILE);
}

static const char *
full_dir(void)
{
    const char *dir = getenv("FMNIST_FULL_DIR");

    return dir && *dir ? dir : FULL_DIR;
}

/* The file or folder behind a name or path, in b. */
static int
resolve(const char *where, struct str *b, struct err *e)
{
    struct stat st;

    if (strcmp(where, "small") == 0)
        find_small(b);
    else if (strcmp(where, "full") == 0)
        str_add(b, full_dir());
    else
        str_add(b, where);
    if (str_failed(b))
        return err_nomem(e, "a path", strlen(where) + 1);
    if (strcmp(where, "small") == 0 && access(b->s, F_OK) < 0)
        return err_set(e, ERR_NOTFOUND,
                       "%s: the shipped sample is not there: set "
                       "FMNIST_DATA_DIR to the folder that has it",
                       b->s);
    if (strcmp(where, "full") == 0 &&
        (stat(b->s, &st) < 0 || !S_ISDIR(st.st_mode)))
        return err_set(e, ERR_NOTFOUND,
                       "%s: the full set is not there: install the package "
                       "dataset-fashion-mnist, or set FMNIST_FULL_DIR",
                       b->s);
    return 0;
}

static int
read_file(struct reader *r, const char *path, struct err *e)
{
    struct input *in = NULL;
    enum idx_kind kind;
    int rc = input_open(path, &in, e);

    if (rc < 0)
        return rc;
    rc = idx_kind(in, &kind, e);
    if (rc < 0)
        goto out;
    if (kind == IDX_NONE)
        rc = reader_csv(r, in, e);
    else if (kind == IDX_IMAGES && r->unlabelled)
        rc = reader_idx_images(r, in, e);
    else
        rc = err_set(e, ERR_FAIL,
                     "%s: a single IDX file of %s: name the folder that holds "
                     "both images and labels",
                     path, kind == IDX_IMAGES ? "images" : "labels");
out:
    input_close(in);
    return rc;
}

static int
read_any(struct reader *r, const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return reader_idx_folder(r, path, e);
    return read_file(r, path, e);
}

static void
name_classes(struct dataset *d)
{
    int known = strcmp(d->name, "small") == 0 || strcmp(d->name, "full") == 0;
    int c;

    for (c = 0; c < N_CLASSES; c++) {
        if (known)
            snprintf(d->class_names[c], CLASS_NAME_MAX, "%s",
                     FASHION_CLASSES[c]);
        else
            snprintf(d->class_names[c], CLASS_NAME_MAX, "%d", c);
    }
}

/* Fills r->d, which the caller frees in any case. */
static int
load(struct reader *r, const char *where, struct err *e)
{
    struct dataset *d = r->d;
    struct str path;
    int rc;

    str_init(&path);
    rc = resolve(where, &path, e);
    if (rc == 0)
        rc = sys_absolute(path.s, &d->source, e);
    if (rc == 0 && !(d->name = mem_strdup(where)))
        rc = err_nomem(e, "a name", strlen(where) + 1);
    if (rc == 0)
        rc = read_any(r, path.s, e);
    if (rc == 0) {
        trim(r);
        name_classes(d);
    }
    str_release(&path);
    return rc;
}

static int
load_as(const char *where, int unlabelled, struct dataset **out, struct err *e)
{
    struct reader r = {.unlabelled = unlabelled};
    int rc;

    *out = NULL;
    r.d = mem_zalloc(1, sizeof(*r.d));
    if (!r.d)
        return err_nomem(e, "a data set", sizeof(*r.d));
    rc = load(&r, where, e);
    if (rc == 0)
        rc = dataset_identify(r.d, e);
    if (rc < 0) {
        dataset_free(r.d);
        return rc;
    }
    *out = r.d;
    return 0;
}

int
dataset_load(const char *where, struct dataset **out, struct err *e)
{
    return load_as(where, 0, out, e);
}

int
dataset_load_unlabelled(const char *where, struct dataset **out, struct err *e)
{
    return load_as(where, 1, out, e);
}

long
dataset_check(const char *where, int max, dataset_report_fn report, void *arg,
              struct err *e)
{
    struct reader r = {.report = report, .arg = arg, .max = max};
    struct err own = {0};
    int rc;

    r.d = mem_zalloc(1, sizeof(*r.d));
    if (!r.d)
        return err_nomem(e, "a data set", sizeof(*r.d));
    rc = load(&r, where, &own);
    dataset_free(r.d);
    /* A fault after which nothing can be read is one more of the content. */
    if (rc == ERR_FAIL)
        rc = reader_fault(&r, &own, "%s", own.msg);
    if (rc < 0) {
        if (e)
            *e = own;
        return rc;
    }
    return r.faults;
}

static int
no_class(const char names[N_CLASSES][CLASS_NAME_MAX], const char *s,
         size_t prefix, const char *what, struct err *e)
{
    struct str list;
    int c, rc;

    str_init(&list);
    for (c = 0; c < N_CLASSES; c++) {
        if (strncasecmp(names[c], s, prefix) == 0)
            str_addf(&list, "%s%d %s", list.len ? ", " : "", c, names[c]);
    }
    rc = err_set(e, ERR_USAGE, "class \"%s\": %s: %s", s, what, list.s);
    str_release(&list);
    return rc;
}

int
dataset_class(const char names[N_CLASSES][CLASS_NAME_MAX], const char *s,
              struct err *e)
{
    size_t len = strlen(s);
    int c, found = -1, n_found = 0;

    if (len == 1 && *s >= '0' && *s <= '9')
        return *s - '0';
    for (c = 0; c < N_CLASSES; c++) {
        if (strcasecmp(names[c], s) == 0)
            return c;
        if (len > 0 && strncasecmp(names[c], s, len) == 0) {
            found = c;
            n_found++;
        }
    }
    if (n_found == 1)
        return found;
    if (n_found > 1)
        return no_class(names, s, len, "could be", e);
    return no_class(names, s, 0, "there is none of that name, but", e);
}
