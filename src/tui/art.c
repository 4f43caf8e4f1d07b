/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/art.h"

#include <assert.h>
#include <string.h>

#define BLANK_MAX 12 /* sensor noise around the garment */
#define RAMP " .:-=+*#%@"
#define RAMP_LEVELS 10

static const char SGR_END[] = "\x1b[0m";

int
art_cols(enum art_size size)
{
    return size == ART_FULL ? 28 : 14;
}

int
art_rows(enum art_size size)
{
    return size == ART_FULL ? 14 : 7;
}

/* The 5th and 97th percentile of the pixels that are ink; 0 where none is. */
static int
ink_range(const uint8_t *pixels, int *low, int *high)
{
    int count[256] = {0}, n = 0;
    for (int i = 0; i < IMAGE_PIXELS; i++) {
        if (pixels[i] > BLANK_MAX) {
            count[pixels[i]]++;
            n++;
        }
    }
    if (n == 0) {
        return 0;
    }
    int seen = 0, at5 = n * 5 / 100, at97 = (n - 1) * 97 / 100;
    *low = -1;
    *high = 255;
    for (int v = 0; v < 256; v++) {
        seen += count[v];
        if (*low < 0 && seen > at5) {
            *low = v;
        }
        if (seen > at97) {
            *high = v;
            break;
        }
    }
    return 1;
}

static int
level_of(double mean, int low, int high, int levels)
{
    if (mean <= BLANK_MAX) {
        return 0;
    }
    double t = high > low ? (mean - low) / (high - low) : 1.0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return 1 + (int)(t * (levels - 2) + 0.5);
}

void
art_levels(const uint8_t pixels[IMAGE_PIXELS], enum art_size size, int halves,
           int levels, uint8_t *out)
{
    int cols = art_cols(size), rows = art_rows(size) * (halves ? 2 : 1);
    int w = IMAGE_SIDE / cols, h = IMAGE_SIDE / rows;
    int low = 0, high = 0;

    assert(levels >= 2);
    if (!ink_range(pixels, &low, &high)) {
        memset(out, 0, (size_t)(rows * cols));
        return;
    }
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < cols; c++) {
            int sum = 0;
            for (int y = 0; y < h; y++) {
                for (int x = 0; x < w; x++) {
                    sum += pixels[(r * h + y) * IMAGE_SIDE + c * w + x];
                }
            }
            out[r * cols + c] =
                (uint8_t)level_of((double)sum / (w * h), low, high, levels);
        }
    }
}

static int
uses_halves(const struct art_style *s)
{
    return s->utf8 && s->colors >= 16;
}

static int
grey_levels(const struct art_style *s)
{
    if (!uses_halves(s)) {
        return RAMP_LEVELS;
    }
    return s->colors >= 256 ? 24 : 5;
}

void
art_image_init(struct art_image *a, const uint8_t pixels[IMAGE_PIXELS],
               enum art_size size, const struct art_style *style)
{
    a->style = *style;
    a->size = size;
    art_levels(pixels, size, uses_halves(style), grey_levels(style), a->levels);
}

/* The palette index of a grey: of xterm's 24, or of the four that 16 colours
 * have (black, bright black, white, bright white). */
static int
grey_color(const struct art_style *s, int level)
{
    static const int four[4] = {0, 8, 7, 15};
    int top = grey_levels(s) - 1;
    int i = s->light ? top - level : level - 1;
    return s->colors >= 256 ? 233 + (i * 22) / (top - 1) : four[i];
}

static void
add_color(struct str *out, const struct art_style *s, int color, int back)
{
    if (s->colors >= 256) {
        str_addf(out, "\x1b[%d;5;%dm", back ? 48 : 38, color);
    } else if (color < 8) {
        str_addf(out, "\x1b[%dm", (back ? 40 : 30) + color);
    } else {
        str_addf(out, "\x1b[%dm", (back ? 100 : 90) + color - 8);
    }
}

/* Two pixels in one cell; a blank half shows the terminal's own background. */
static void
add_half_block(struct str *out, const struct art_style *s, int up, int down)
{
    if (!up && !down) {
        str_addc(out, ' ');
        return;
    }
    add_color(out, s, grey_color(s, up ? up : down), 0);
    if (up && down) {
        add_color(out, s, grey_color(s, down), 1);
    }
    str_add(out, up ? "▀" : "▄");
    str_add(out, SGR_END);
}

void
art_image_row(const struct art_image *a, int row, struct str *out)
{
    int cols = art_cols(a->size);
    if (!uses_halves(&a->style)) {
        for (int c = 0; c < cols; c++) {
            str_addc(out, RAMP[a->levels[row * cols + c]]);
        }
        return;
    }
    const uint8_t *up = a->levels + 2 * row * cols;
    for (int c = 0; c < cols; c++) {
        add_half_block(out, &a->style, up[c], up[cols + c]);
    }
}

static void
add_caption(struct str *out, const struct art_tile *t, int line, int cols,
            const struct art_style *s)
{
    int mark = line == 1 && t->wrong && s->colors > 0;
    if (mark) {
        str_add(out, "\x1b[1m");
    }
    str_add_fit(out, line == 0 ? t->truth : t->predicted, cols, !s->utf8);
    if (mark) {
        str_add(out, SGR_END);
    }
}

static void
trim_blanks(struct str *out)
{
    while (out->len > 0 && out->s[out->len - 1] == ' ') {
        out->s[--out->len] = '\0';
    }
}

void
art_tiles(const struct art_tile *tiles, int n, enum art_size size,
          const struct art_style *style, int cols, struct str *out)
{
    enum { GAP = 2, MAX_ACROSS = 16 };
    struct art_image images[MAX_ACROSS];
    int w = art_cols(size), rows = art_rows(size);
    int across = (cols + GAP) / (w + GAP);

    across = across < 1 ? 1 : across > MAX_ACROSS ? MAX_ACROSS : across;
    for (int first = 0; first < n; first += across) {
        int here = n - first < across ? n - first : across;
        for (int i = 0; i < here; i++) {
            art_image_init(&images[i], tiles[first + i].pixels, size, style);
        }
        for (int r = 0; r < rows + 2; r++) {
            for (int i = 0; i < here; i++) {
                str_addf(out, "%*s", i > 0 ? GAP : 0, "");
                if (r < rows) {
                    art_image_row(&images[i], r, out);
                } else {
                    add_caption(out, &tiles[first + i], r - rows, w, style);
                }
            }
            trim_blanks(out);
            str_addc(out, '\n');
        }
        if (first + here < n) {
            str_addc(out, '\n');
        }
    }
}
