/* SPDX-License-Identifier: MIT */
/*
 * The text of a model.  After a first byte of "h" or "w" it is the widths of
 * hidden layers or of convolutions, for spec_build.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "fmnist/kern.h"
#include "fmnist/mem.h"
#include "fmnist/model.h"
#include "fmnist/spec.h"
#include "fuzz.h"

/* What is small enough to be built and trained for each input. */
#define MAX_FLOPS 2e6
enum { MAX_BUILT = 20000 };

static int
same_shape(const struct shape *a, const struct shape *b)
{
    return a->h == b->h && a->w == b->w && a->c == b->c && a->flat == b->flat;
}

static int
same(const struct spec *a, const struct spec *b)
{
    int i;

    for (i = 0; i < a->n && i < b->n; i++) {
        const struct layer_spec *k = &a->layers[i], *l = &b->layers[i];

        if (k->kind != l->kind || k->units != l->units || k->k != l->k ||
            k->stride != l->stride || k->pad != l->pad || k->rate != l->rate ||
            !same_shape(&k->in, &l->in) || !same_shape(&k->out, &l->out))
            return 0;
    }
    return a->n == b->n;
}

/* Its text is canonical, and reads back to the same spec. */
static void
comes_back(const struct spec *s)
{
    char text[SPEC_TEXT], again[SPEC_TEXT];
    struct spec back;
    struct err e = {0};

    spec_format(s, text);
    MUST(text[0]);
    MUST(spec_parse(text, &back, &e) == 0);
    MUST(same(s, &back));
    spec_format(&back, again);
    MUST(strcmp(text, again) == 0);
}

static void
sound(const struct spec *s)
{
    const struct shape *in = &(const struct shape){28, 28, 1, 0};
    int i;

    MUST(s->n > 0 && s->n <= SPEC_MAX_LAYERS);
    for (i = 0; i < s->n; i++) {
        const struct layer_spec *l = &s->layers[i];

        MUST(same_shape(&l->in, in));
        MUST(l->out.h > 0 && l->out.w > 0 && l->out.c > 0);
        MUST(l->rate >= 0 && l->rate < 1);
        in = &l->out;
    }
    MUST(same_shape(in, &(const struct shape){1, 1, 10, 1}));
    MUST(spec_parameters(s) > 0);
    MUST(spec_flops_forward(s) > 0 && isfinite(spec_flops_train(s)));
    MUST(spec_flops_train(s) >= 2 * spec_flops_forward(s));
    MUST(spec_bn_single(s) < s->n && spec_dropout(s) < 1);
}

/* The number of values that a sample has between any two layers. */
static double
activations(const struct spec *s)
{
    double sum = 0;
    int i;

    for (i = 0; i < s->n; i++)
        sum +=
            1.0 * s->layers[i].out.h * s->layers[i].out.w * s->layers[i].out.c;
    return sum;
}

/* A small model is built and takes a step. */
static void
train(const struct spec *s)
{
    static const uint8_t labels[2] = {3, 9};
    static float x[2 * 784];
    const struct model_options opt = {1, 2, 1};
    const struct model_step step = {1, 1, 0, 0};
    struct model *m;
    struct err e = {0};
    float logits[2 * 10];
    double loss;
    int correct;

    if (spec_parameters(s) > MAX_BUILT || activations(s) > MAX_BUILT ||
        spec_flops_train(s) > MAX_FLOPS)
        return;
    x[300] = x[784 + 500] = 1;
    MUST(model_new(s, &kern_scalar, &opt, &m, &e) == 0);
    model_init(m, 1);
    model_train_batch(m, x, labels, 2, &step, &loss, &correct);
    MUST(isfinite(loss) && correct >= 0 && correct <= 2);
    model_forward(m, x, 2, logits);
    MUST(isfinite(logits[0]) && isfinite(logits[19]));
    model_free(m);
}

static void
check(const struct spec *s)
{
    struct spec other = *s;

    sound(s);
    comes_back(s);
    /* The longest text that a rate can have. */
    spec_set_dropout(&other, 0x1.fffffffffffffp-1022);
    comes_back(&other);
    train(s);
}

static void
build(const char *list, int filters)
{
    char text[SPEC_TEXT];
    struct spec s;
    struct err e = {0};
    int rc = spec_build("cnn", filters ? NULL : list, filters ? list : NULL,
                        text, &e);

    if (rc < 0) {
        fuzz_refused(rc, &e);
        return;
    }
    MUST(spec_parse(text, &s, &e) == 0);
    check(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    char *text = fuzz_text(&in);
    struct err e = {0};
    struct spec s;
    int rc;

    if (text[0] == 'h' || text[0] == 'w') {
        build(text + 1, text[0] == 'w');
    } else {
        rc = spec_parse(text, &s, &e);
        if (rc == 0)
            check(&s);
        else
            fuzz_refused(rc, &e);
    }
    mem_free(text);
    return 0;
}
