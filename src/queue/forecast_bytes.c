/* SPDX-License-Identifier: MIT */
/* The size of a run in the database, from what its tables hold. */
#include "config.h"

#include "fmnist/forecast.h"

#include <math.h>

/* SQLite's file format: pages, and what a leaf of a table can hold of a row
 * before the rest goes into pages of its own ("1.6 B-tree Pages": U, X, M). */
#define PAGE 4096
#define USABLE (PAGE - 12)    /* of a leaf, its header and type */
#define LOCAL_MAX (PAGE - 35) /* X */
#define LOCAL_MIN ((PAGE - 12) * 32 / 255 - 23) /* M */
#define OVERFLOW (PAGE - 4)

/* Bytes of a row, its share of its page's free space included. */
static double
row_bytes(double payload)
{
    double kept = LOCAL_MIN + fmod(payload - LOCAL_MIN, OVERFLOW);

    if (payload <= LOCAL_MAX) {
        /* Rowid, length and pointer. */
        return PAGE / floor(USABLE / (payload + 6));
    }
    if (kept > LOCAL_MAX) {
        kept = LOCAL_MIN;
    }
    return kept + 6 + ceil((payload - kept) / OVERFLOW) * PAGE;
}

/* Columns beside the blobs: two hashes, a time, numbers. */
#define CHECKPOINT_COLUMNS 170
/* A tensor in the header of a safetensors file. */
#define TENSOR_HEADER 80
/* Of `run`, its entries in indices, messages. */
#define RUN_BYTES 1500
/* Of `epoch`, and the index of epoch_prediction. */
#define EPOCH_BYTES 101
/* A cell of a confusion matrix, and how many of the hundred are not zero. */
#define CELL_BYTES 15.4
#define CELLS 50
/* Rows without a rowid, filled as appending does. */
#define PREDICTION_BYTES 128
#define IMAGE_BYTES 826

/* The values of a model's tensors. */
struct sizes {
    double trained;    /* floats that the optimizer moves */
    double statistics; /* bytes of what it does not */
    int tensors;       /* trained */
    int more;          /* others */
};

static void
add_layer(struct sizes *z, const struct layer_spec *l)
{
    if (l->kind == LAYER_CONV || l->kind == LAYER_DENSE) {
        z->tensors += 2;
    } else if (l->kind == LAYER_BN) {
        z->tensors += 2;
        z->more += 3;
        z->statistics += 2.0 * l->in.c * sizeof(float) + 8;
    }
}

double
forecast_bytes(const struct hyper *h, const uint32_t n[N_PARTS])
{
    struct sizes z = {0};
    struct spec s;
    double moments, weights, state, bytes;

    if (spec_parse(h->spec, &s, NULL) < 0) {
        return (double)NAN;
    }
    z.trained = (double)spec_parameters(&s);
    for (int i = 0; i < s.n; i++) {
        add_layer(&z, &s.layers[i]);
    }
    moments = h->optimizer != OPTIM_SGD ? 2 : h->momentum > 0;
    weights = z.trained * sizeof(float) + z.statistics +
              TENSOR_HEADER * (z.tensors + z.more);
    state =
        moments * (z.trained * sizeof(float) + TENSOR_HEADER * z.tensors) + 136;
    bytes = RUN_BYTES + row_bytes(weights + state + CHECKPOINT_COLUMNS);
    if (h->val_fraction > 0) {
        bytes += row_bytes(weights + CHECKPOINT_COLUMNS);
    }
    bytes += (double)h->epochs *
             (EPOCH_BYTES + CELLS * CELL_BYTES + row_bytes(n[PART_TEST] + 5.0));
    return bytes + PREDICTION_BYTES * (double)n[PART_TEST];
}

double
forecast_image_bytes(double images)
{
    return IMAGE_BYTES * images;
}
