/* SPDX-License-Identifier: MIT */
/* Images and confusion matrices as text, for commands and screens alike. */
#ifndef FMNIST_ART_H
#define FMNIST_ART_H

#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/metrics.h"
#include "fmnist/str.h"

/* What the output can show. */
struct art_style {
    int colors; /* 0 (none), 8, 16 or 256 */
    int utf8;   /* half-blocks and symbols may be used */
    int light;  /* the background is light: more ink is darker */
};

enum art_size {
    ART_FULL,  /* 28 x 14 cells */
    ART_SHEET, /* 14 x 7 cells */
};
#define ART_MAX_ROWS 14
int art_cols(enum art_size size);
int art_rows(enum art_size size);

/*
 * Grey levels of the cells of one image, 0 (blank) … levels - 1.  Contrast is
 * stretched for this image: pixels up to 12 are blank; of the others the 5th to
 * the 97th percentile spans levels 1 … levels - 1, so that a light shirt does
 * not vanish and ink is never blank.  With `halves` a cell row holds two rows
 * of levels (upper, lower half), else each level is a mean over the cell.
 * out: art_rows * (halves ? 2 : 1) rows of art_cols bytes.
 */
void art_levels(const uint8_t pixels[IMAGE_PIXELS], enum art_size size,
                int halves, int levels, uint8_t *out);

/* Appends one cell row of an image, without newline: exactly art_cols(size)
 * terminal columns; colours are ended at its end. */
struct art_image {
    struct art_style style;
    enum art_size size;
    uint8_t levels[28 * 28];
};
void art_image_init(struct art_image *a, const uint8_t pixels[IMAGE_PIXELS],
                    enum art_size size, const struct art_style *style);
void art_image_row(const struct art_image *a, int row, struct str *out);

/* One picture of a sheet: pixels and two caption lines. */
struct art_tile {
    uint8_t pixels[IMAGE_PIXELS];
    char truth[64];     /* "Shirt" */
    char predicted[64]; /* "x T-shirt 93%" */
    int wrong;
};
/* Appends tiles side by side, as many as fit into `cols`, captions below. */
void art_tiles(const struct art_tile *tiles, int n, enum art_size size,
               const struct art_style *style, int cols, struct str *out);

/*
 * Appends a confusion matrix: truth down, predicted across, five-column cells
 * under the first four letters of the class; recall and F1 at the right,
 * precision below (75 columns).  Off-diagonal heat is scaled on the greatest
 * off-diagonal cell; without colour a ramp character follows the value.
 */
enum art_cells { ART_COUNTS, ART_ROW_PERCENT, ART_COLUMN_PERCENT };
void art_confusion(const struct confusion *c,
                   const char names[N_CLASSES][CLASS_NAME_MAX],
                   enum art_cells cells, const struct art_style *style,
                   struct str *out);

#endif
