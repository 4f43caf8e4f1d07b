/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/str.h"

/* Limits that keep every size in the program far from overflow. */
#define MAX_UNITS 65536
#define MAX_KERNEL 55 /* a wider one sees nothing more of a 28x28 image */
#define MAX_WINDOW 16 /* the winner's index is a byte */
#define MAX_FEATURES (1L << 24)
#define MAX_PARAMETERS (1L << 28)

/* Of one layer, the NUL included: "dropout 2.2250738585072014e-308". */
#define LAYER_TEXT 48

static const char *const BLANKS = " \t\r\n";

/* The words of a text, one after the other. */
struct words {
    const char *at;
    char word[40];
};

/* 1 and the next word, 0 at the end.  A word that is too long for any of the
 * grammar's is cut; it is refused anyway. */
static int
words_next(struct words *w)
{
    size_t n, keep;

    w->at += strspn(w->at, BLANKS);
    n = strcspn(w->at, BLANKS);
    if (n == 0) {
        return 0;
    }
    keep = n < sizeof w->word ? n : sizeof w->word - 1;
    memcpy(w->word, w->at, keep);
    w->word[keep] = '\0';
    w->at += n;
    return 1;
}

/* Reads a whole number of lo … hi from s up to `end` (the final NUL if 0) and
 * returns what follows that character, or NULL. */
static const char *
read_int(const char *s, char end, int lo, int hi, int *out)
{
    int v = 0;

    if (*s < '0' || *s > '9') {
        return NULL;
    }
    while (*s >= '0' && *s <= '9') {
        v = v * 10 + (*s++ - '0');
        if (v > hi) {
            return NULL;
        }
    }
    if (*s != end || v < lo) {
        return NULL;
    }
    *out = v;
    return s + (end != '\0');
}

/* None of the texts here is allocated: no memory must not make a spec empty,
 * or equal to another. */
static void
format_layer(char out[LAYER_TEXT], const struct layer_spec *l)
{
    char rate[NUM_TEXT];

    switch (l->kind) {
    case LAYER_CONV:
        snprintf(out, LAYER_TEXT, "conv %dx%d%s", l->units, l->k,
                 l->pad == 0 && l->k > 1 ? " valid" : "");
        break;
    case LAYER_RELU:
        snprintf(out, LAYER_TEXT, "relu");
        break;
    case LAYER_BN:
        snprintf(out, LAYER_TEXT, "bn");
        break;
    case LAYER_POOL:
        if (l->stride != l->k) {
            snprintf(out, LAYER_TEXT, "pool %d/%d", l->k, l->stride);
        } else {
            snprintf(out, LAYER_TEXT, "pool %d", l->k);
        }
        break;
    case LAYER_FLATTEN:
        snprintf(out, LAYER_TEXT, "flatten");
        break;
    case LAYER_DENSE:
        snprintf(out, LAYER_TEXT, "dense %d", l->units);
        break;
    case LAYER_DROPOUT:
        num_format(l->rate, rate);
        snprintf(out, LAYER_TEXT, "dropout %s", rate);
        break;
    }
}

static void
format_shape(char out[48], const struct shape *s)
{
    if (s->flat) {
        snprintf(out, 48, "%d", s->c);
    } else {
        snprintf(out, 48, "%dx%dx%d", s->h, s->w, s->c);
    }
}

static int fail_at(struct err *e, const struct spec *s, int i, const char *fmt,
                   ...) __attribute__((format(printf, 4, 5)));

/* "layer N (its text): what" about layer i. */
static int
fail_at(struct err *e, const struct spec *s, int i, const char *fmt, ...)
{
    char what[200], text[LAYER_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    format_layer(text, &s->layers[i]);
    return err_set(e, ERR_USAGE, "layer %d (%s): %s", i, text, what);
}

/* Output size of a convolution or a window over one side; < 1 if too small. */
static int
window_out(int size, int pad, int k, int stride)
{
    return size + 2 * pad < k ? 0 : (size + 2 * pad - k) / stride + 1;
}

static int
shape_window(struct spec *s, struct layer_spec *l, struct err *e)
{
    const char *what = l->kind == LAYER_CONV ? "kernel" : "window";
    char in[48];

    format_shape(in, &l->in);
    if (l->in.flat) {
        return fail_at(e, s, s->n,
                       "input %s is flat; this layer needs an image", in);
    }
    l->out.h = window_out(l->in.h, l->pad, l->k, l->stride);
    l->out.w = window_out(l->in.w, l->pad, l->k, l->stride);
    if (l->out.h < 1 || l->out.w < 1) {
        return fail_at(e, s, s->n, "input %s is smaller than the %s", in, what);
    }
    if (l->kind == LAYER_CONV) {
        l->out.c = l->units;
    }
    if ((long)l->out.h * l->out.w * l->out.c > MAX_FEATURES) {
        return fail_at(e, s, s->n, "output %dx%dx%d has more than %ld values",
                       l->out.h, l->out.w, l->out.c, MAX_FEATURES);
    }
    return 0;
}

static int
shape_layer(struct spec *s, struct layer_spec *l, struct err *e)
{
    l->out = l->in;
    switch (l->kind) {
    case LAYER_CONV:
    case LAYER_POOL:
        return shape_window(s, l, e);
    case LAYER_FLATTEN:
        l->out = (struct shape){1, 1, l->in.h * l->in.w * l->in.c, 1};
        return 0;
    case LAYER_DENSE:
        l->out.c = l->units;
        return 0;
    case LAYER_RELU:
    case LAYER_BN:
    case LAYER_DROPOUT:
        return 0;
    }
    return 0;
}

static int
add_layer(struct spec *s, struct layer_spec *l, struct err *e)
{
    const struct shape image = {28, 28, 1, 0};

    l->in = s->n == 0 ? image : s->layers[s->n - 1].out;
    if (l->kind == LAYER_DENSE && !l->in.flat) {
        struct layer_spec flatten = {.kind = LAYER_FLATTEN};
        int rc = add_layer(s, &flatten, e);

        if (rc < 0) {
            return rc;
        }
        l->in = s->layers[s->n - 1].out;
    }
    if (s->n == SPEC_MAX_LAYERS) {
        return err_set(e, ERR_USAGE, "a model has at most %d layers",
                       SPEC_MAX_LAYERS);
    }
    s->layers[s->n] = *l;
    if (shape_layer(s, &s->layers[s->n], e) < 0) {
        return ERR_USAGE;
    }
    s->n++;
    if (spec_parameters(s) > MAX_PARAMETERS) {
        s->n--;
        return fail_at(e, s, s->n,
                       "the model has more than %ld parameters here",
                       MAX_PARAMETERS);
    }
    return 0;
}

static int
bad_argument(struct err *e, const struct spec *s, const char *layer,
             const char *got, const char *want)
{
    if (got[0] == '\0') {
        return err_set(e, ERR_USAGE, "layer %d (%s): expected %s", s->n, layer,
                       want);
    }
    return err_set(e, ERR_USAGE, "layer %d (%s %s): expected %s", s->n, layer,
                   got, want);
}

static int
parse_conv(struct spec *s, struct words *w, struct layer_spec *l, struct err *e)
{
    struct words ahead;
    const char *k;

    k = read_int(w->word, 'x', 1, MAX_UNITS, &l->units);
    if (k == NULL || read_int(k, '\0', 1, MAX_KERNEL, &l->k) == NULL ||
        l->k % 2 == 0) {
        return bad_argument(e, s, "conv", w->word,
                            "FILTERSxKERNEL, 1 to 65536 filters and an odd "
                            "kernel up to 55, such as 32x3");
    }
    l->stride = 1;
    l->pad = (l->k - 1) / 2;
    ahead = *w;
    if (words_next(&ahead) &&
        (!strcmp(ahead.word, "same") || !strcmp(ahead.word, "valid"))) {
        *w = ahead;
        if (w->word[0] == 'v') {
            l->pad = 0;
        }
    }
    return 0;
}

static int
parse_pool(struct spec *s, struct words *w, struct layer_spec *l, struct err *e)
{
    const char *stride = strchr(w->word, '/');
    int ok;

    if (stride == NULL) {
        ok = read_int(w->word, '\0', 1, MAX_WINDOW, &l->k) != NULL;
        l->stride = l->k;
    } else {
        ok = read_int(w->word, '/', 1, MAX_WINDOW, &l->k) != NULL &&
             read_int(stride + 1, '\0', 1, MAX_WINDOW, &l->stride) != NULL;
    }
    if (!ok) {
        return bad_argument(e, s, "pool", w->word,
                            "WINDOW or WINDOW/STRIDE, each 1 to 16");
    }
    return 0;
}

/* Layers that take an argument; w holds the layer's name. */
static int
parse_argument(struct spec *s, struct words *w, struct layer_spec *l,
               struct err *e)
{
    static const char *const names[] = {[LAYER_CONV] = "conv",
                                        [LAYER_POOL] = "pool",
                                        [LAYER_DENSE] = "dense",
                                        [LAYER_DROPOUT] = "dropout"};

    if (!words_next(w)) {
        w->word[0] = '\0';
    }
    if (l->kind == LAYER_CONV) {
        return parse_conv(s, w, l, e);
    }
    if (l->kind == LAYER_POOL) {
        return parse_pool(s, w, l, e);
    }
    if (l->kind == LAYER_DENSE) {
        if (read_int(w->word, '\0', 1, MAX_UNITS, &l->units) == NULL) {
            return bad_argument(e, s, names[l->kind], w->word,
                                "a width of 1 to 65536");
        }
        return 0;
    }
    if (str_to_double(w->word, &l->rate) < 0 ||
        !(l->rate >= 0 && l->rate < 1)) {
        return bad_argument(e, s, names[l->kind], w->word,
                            "a rate of at least 0 and less than 1");
    }
    return 0;
}

static int
parse_layer(struct spec *s, struct words *w, struct err *e)
{
    static const struct {
        const char *name;
        enum layer_kind kind;
        int argument;
    } table[] = {
        {"conv", LAYER_CONV, 1},       {"relu", LAYER_RELU, 0},
        {"bn", LAYER_BN, 0},           {"pool", LAYER_POOL, 1},
        {"flatten", LAYER_FLATTEN, 0}, {"dense", LAYER_DENSE, 1},
        {"dropout", LAYER_DROPOUT, 1},
    };
    struct layer_spec l = {0};
    size_t i;
    int rc;

    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!strcmp(w->word, table[i].name)) {
            l.kind = table[i].kind;
            if (table[i].argument && (rc = parse_argument(s, w, &l, e)) < 0) {
                return rc;
            }
            return add_layer(s, &l, e);
        }
    }
    return err_set(e, ERR_USAGE,
                   "layer %d (%s): unknown; expected conv, relu, bn, pool, "
                   "flatten, dense or dropout",
                   s->n, w->word);
}

/* The length of the text with any rates: they may be set later, and the text
 * must still fit. */
static size_t
longest_text(const struct spec *s)
{
    const size_t dropout = strlen("dropout 2.2250738585072014e-308");
    char text[LAYER_TEXT];
    size_t len = 0;
    int i;

    for (i = 0; i < s->n; i++) {
        format_layer(text, &s->layers[i]);
        len += s->layers[i].kind == LAYER_DROPOUT ? dropout : strlen(text);
        len += i > 0;
    }
    return len;
}

static int
check_end(const struct spec *s, struct err *e)
{
    const struct layer_spec *last;

    if (s->n == 0) {
        return err_set(e, ERR_USAGE, "the model has no layers");
    }
    last = &s->layers[s->n - 1];
    if (last->kind != LAYER_DENSE || last->units != 10) {
        return fail_at(e, s, s->n - 1,
                       "the last layer must be \"dense 10\", one output for "
                       "each class");
    }
    if (longest_text(s) >= SPEC_TEXT) {
        return err_set(e, ERR_USAGE,
                       "the model's text is longer than %d characters",
                       SPEC_TEXT - 1);
    }
    return 0;
}

int
spec_parse(const char *text, struct spec *out, struct err *e)
{
    struct words w = {.at = text};
    struct spec s = {0};
    int rc;

    while (words_next(&w)) {
        if ((rc = parse_layer(&s, &w, e)) < 0) {
            return rc;
        }
    }
    if ((rc = check_end(&s, e)) < 0) {
        return rc;
    }
    *out = s;
    return 0;
}

void
spec_format(const struct spec *s, char out[SPEC_TEXT])
{
    char text[LAYER_TEXT];
    size_t n = 0;
    int i;

    out[0] = '\0';
    for (i = 0; i < s->n && n < SPEC_TEXT; i++) {
        format_layer(text, &s->layers[i]);
        n += (size_t)snprintf(out + n, SPEC_TEXT - n, "%s%s", i ? " " : "",
                              text);
    }
}
