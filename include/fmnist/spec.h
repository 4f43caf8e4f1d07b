/* SPDX-License-Identifier: MIT */
/* A model as text: "conv 32x3 relu bn pool 2 flatten dense 10". */
#ifndef FMNIST_SPEC_H
#define FMNIST_SPEC_H

#include <stddef.h>

#include "fmnist/err.h"

/*
 * Grammar (words separated by blanks; lower case):
 *   conv CxK [same|valid]   C filters of KxK, K odd; default same
 *   relu | bn | flatten
 *   pool K[/S]              max-pool, window K, stride S (default K)
 *   dense N
 *   dropout P               0 <= P < 1
 * The input is a 28x28x1 image; the last layer must be `dense 10`.  A flatten
 * that a dense layer needs is inserted.  Layer number i (from 0) is module i
 * of the equivalent torch.nn.Sequential, so parameter names are "i.weight" ….
 */
enum layer_kind {
    LAYER_CONV,
    LAYER_RELU,
    LAYER_BN,
    LAYER_POOL,
    LAYER_FLATTEN,
    LAYER_DENSE,
    LAYER_DROPOUT,
};

/* Shape of one sample; a flat tensor has h = w = 1 and flat = 1. */
struct shape {
    int h, w, c;
    int flat;
};

struct layer_spec {
    enum layer_kind kind;
    int units;     /* conv: filters; dense: outputs */
    int k, stride; /* conv: k; pool: k and stride */
    int pad;       /* conv: zeros around the input: (k-1)/2 or 0 */
    double rate;   /* dropout */
    struct shape in, out;
};

#define SPEC_MAX_LAYERS 64
#define SPEC_TEXT 1024

struct spec {
    int n;
    struct layer_spec layers[SPEC_MAX_LAYERS];
};

/* Parses and checks shapes.  ERR_USAGE: "layer 4 (conv 64x5 valid): input
 * 3x3x32 is smaller than the kernel". */
int spec_parse(const char *text, struct spec *out, struct err *e) MUST_CHECK;
/* Canonical text, which parses back to the same spec. */
void spec_format(const struct spec *s, char out[SPEC_TEXT]);
int spec_has_conv(const struct spec *s);
/* The first BatchNorm layer that sees one value a channel of a sample, which
 * training with a batch of one image cannot normalise; -1 if there is none. */
int spec_bn_single(const struct spec *s);
/* The common rate of the dropout layers: -1 if there are none or they
 * differ. */
double spec_dropout(const struct spec *s);
/* Sets the rate of every dropout layer; returns how many there are. */
int spec_set_dropout(struct spec *s, double rate);

/* Spec text of a preset ("ann", "cnn"), or NULL. */
const char *spec_preset(const char *name);
/*
 * A preset's spec with other widths: `hidden` "128-64" replaces the hidden
 * dense layers (any number of them), `filters` "32-64" the convolution blocks;
 * NULL keeps the preset's.  ERR_USAGE where the preset has no such layers or a
 * list is wrong.
 */
int spec_build(const char *preset, const char *hidden, const char *filters,
               char out[SPEC_TEXT], struct err *e) MUST_CHECK;

/* Whether both have the same layers, the rates of dropout apart. */
int spec_same_layers(const struct spec *a, const struct spec *b);
/* The preset that s has the layers of, but for the widths and the rates of
 * dropout, and those widths as spec_build takes them (filters "" where the
 * preset has none); NULL for any other spec. */
const char *spec_family(const struct spec *s, char hidden[SPEC_TEXT],
                        char filters[SPEC_TEXT]);

/* Trainable parameters as PyTorch counts them. */
long spec_parameters(const struct spec *s);
/* Multiply-adds x 2 of one sample, forward; training is counted as forward +
 * gradients of weights + gradients of inputs (none for the first layer). */
double spec_flops_forward(const struct spec *s);
double spec_flops_train(const struct spec *s);

#endif
