/* SPDX-License-Identifier: MIT */
/* Presets, and what can be said of a spec without building the model. */
#include "config.h"

#include "fmnist/spec.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/str.h"

static const struct preset {
    const char *name;
    const char *hidden;  /* widths of the hidden dense layers */
    const char *filters; /* filters of the convolution blocks; NULL: none */
    const char *after;   /* what follows each hidden layer */
    const char *text;
} PRESETS[] = {
    {"ann", "128-64", NULL, "relu",
     "flatten dense 128 relu dense 64 relu dense 10"},
    {"cnn", "128-64", "32-64", "relu dropout 0.4",
     "conv 32x3 relu bn pool 2 conv 64x3 relu bn pool 2 flatten "
     "dense 128 relu dropout 0.4 dense 64 relu dropout 0.4 dense 10"},
};

static const struct preset *
find_preset(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++) {
        if (!strcmp(PRESETS[i].name, name)) {
            return &PRESETS[i];
        }
    }
    return NULL;
}

const char *
spec_preset(const char *name)
{
    const struct preset *p = find_preset(name);

    return p == NULL ? NULL : p->text;
}

/* Adds one piece of text for each width of a list such as "128-64". */
static int
add_widths(struct str *b, const char *list, const char *before,
           const char *after, const char *what, struct err *e)
{
    const char *s = list;

    for (;;) {
        size_t n = strspn(s, "0123456789");

        if (n == 0 || n > 5 || (s[n] != '-' && s[n] != '\0')) {
            return err_set(e, ERR_USAGE,
                           "--%s: expected widths joined by \"-\", such as "
                           "128-64, found \"%.80s\"",
                           what, list);
        }
        str_addf(b, "%s%.*s%s ", before, (int)n, s, after);
        if (s[n] == '\0') {
            return 0;
        }
        s += n + 1;
    }
}

int
spec_build(const char *preset, const char *hidden, const char *filters,
           char out[SPEC_TEXT], struct err *e)
{
    const struct preset *p = find_preset(preset);
    struct spec check;
    struct str b;
    char after[40];
    int rc = 0;

    if (p == NULL) {
        return err_set(e, ERR_USAGE, "unknown preset \"%s\": ann or cnn",
                       preset);
    }
    if (filters != NULL && p->filters == NULL) {
        return err_set(e, ERR_USAGE,
                       "--filters: the preset %s has no convolutions", preset);
    }
    str_init(&b);
    if (p->filters != NULL) {
        rc = add_widths(&b, filters ? filters : p->filters, "conv ",
                        "x3 relu bn pool 2", "filters", e);
    }
    str_add(&b, "flatten ");
    snprintf(after, sizeof after, " %s", p->after);
    if (rc == 0) {
        rc = add_widths(&b, hidden ? hidden : p->hidden, "dense ", after,
                        "hidden", e);
    }
    str_add(&b, "dense 10");
    if (rc == 0 && str_failed(&b)) {
        rc = err_nomem(e, "the model's text", SPEC_TEXT);
    }
    if (rc == 0 && (rc = spec_parse(b.s, &check, e)) == 0) {
        spec_format(&check, out);
    }
    str_release(&b);
    return rc;
}

int
spec_has_conv(const struct spec *s)
{
    int i;

    for (i = 0; i < s->n; i++) {
        if (s->layers[i].kind == LAYER_CONV) {
            return 1;
        }
    }
    return 0;
}

int
spec_bn_single(const struct spec *s)
{
    int i;

    for (i = 0; i < s->n; i++) {
        const struct layer_spec *l = &s->layers[i];

        if (l->kind == LAYER_BN && l->in.h * l->in.w == 1) {
            return i;
        }
    }
    return -1;
}

double
spec_dropout(const struct spec *s)
{
    double rate = -1;
    int i;

    for (i = 0; i < s->n; i++) {
        if (s->layers[i].kind != LAYER_DROPOUT) {
            continue;
        }
        if (rate >= 0 && s->layers[i].rate != rate) {
            return -1;
        }
        rate = s->layers[i].rate;
    }
    return rate;
}

int
spec_set_dropout(struct spec *s, double rate)
{
    int i, n = 0;

    for (i = 0; i < s->n; i++) {
        if (s->layers[i].kind == LAYER_DROPOUT) {
            s->layers[i].rate = rate;
            n++;
        }
    }
    return n;
}

int
spec_same_layers(const struct spec *a, const struct spec *b)
{
    struct spec x = *a, y = *b;
    char xs[SPEC_TEXT], ys[SPEC_TEXT];

    spec_set_dropout(&x, 0);
    spec_set_dropout(&y, 0);
    spec_format(&x, xs);
    spec_format(&y, ys);
    return !strcmp(xs, ys);
}

/* The widths of one kind of layer joined by "-", the output layer's left out;
 * SPEC_MAX_LAYERS of them fit. */
static void
join_widths(const struct spec *s, enum layer_kind kind, char out[SPEC_TEXT])
{
    size_t n = 0;
    int i;

    out[0] = '\0';
    for (i = 0; i < s->n - 1; i++) {
        if (s->layers[i].kind == kind) {
            n += (size_t)snprintf(out + n, SPEC_TEXT - n, "%s%d", n ? "-" : "",
                                  s->layers[i].units);
        }
    }
}

const char *
spec_family(const struct spec *s, char hidden[SPEC_TEXT],
            char filters[SPEC_TEXT])
{
    struct spec built;
    char text[SPEC_TEXT];
    size_t i;

    join_widths(s, LAYER_DENSE, hidden);
    join_widths(s, LAYER_CONV, filters);
    for (i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++) {
        const struct preset *p = &PRESETS[i];

        if (!p->filters == !filters[0] &&
            spec_build(p->name, hidden, filters[0] ? filters : NULL, text,
                       NULL) == 0 &&
            spec_parse(text, &built, NULL) == 0 &&
            spec_same_layers(s, &built)) {
            return p->name;
        }
    }
    return NULL;
}

static long
layer_parameters(const struct layer_spec *l)
{
    if (l->kind == LAYER_CONV) {
        return ((long)l->k * l->k * l->in.c + 1) * l->units;
    }
    if (l->kind == LAYER_DENSE) {
        return ((long)l->in.c + 1) * l->units;
    }
    return l->kind == LAYER_BN ? 2L * l->in.c : 0;
}

long
spec_parameters(const struct spec *s)
{
    long n = 0;
    int i;

    for (i = 0; i < s->n; i++) {
        n += layer_parameters(&s->layers[i]);
    }
    return n;
}

static double
layer_flops(const struct layer_spec *l)
{
    if (l->kind == LAYER_CONV) {
        return 2.0 * l->k * l->k * l->in.c * l->units * l->out.h * l->out.w;
    }
    return l->kind == LAYER_DENSE ? 2.0 * l->in.c * l->units : 0;
}

double
spec_flops_forward(const struct spec *s)
{
    double sum = 0;
    int i;

    for (i = 0; i < s->n; i++) {
        sum += layer_flops(&s->layers[i]);
    }
    return sum;
}

double
spec_flops_train(const struct spec *s)
{
    double sum = 0;
    int i, inner = 0; /* is there anything to train before this layer? */

    for (i = 0; i < s->n; i++) {
        sum += (inner ? 3 : 2) * layer_flops(&s->layers[i]);
        inner |= layer_parameters(&s->layers[i]) > 0;
    }
    return sum;
}
