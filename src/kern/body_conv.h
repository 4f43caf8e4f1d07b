/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: convolution.  A tile is some pixels of one output row times
 * some vectors of output channels, all in registers; weights are loaded, inputs
 * broadcast.  The halo means that no tile has an edge case.
 */

struct conv_tile {
    float *out;
    const float *in, *w, *bias;
    int relu;
    const struct kern_conv *g;
};

/* c_in weights in a row, and what they meet from `in` on. */
SIMD void
conv_taps(V acc[CONV_PIXELS][CONV_WIDTH], const float *in, const float *w,
          ptrdiff_t in_pix, ptrdiff_t w_row, int c_in, int pixels, int width)
{
    for (int ci = 0; ci < c_in; ci++) {
        V wv[CONV_WIDTH];

        UNROLL
        for (int j = 0; j < width; j++) {
            wv[j] = v_load(w + j * V_LANES);
        }
        UNROLL
        for (int i = 0; i < pixels; i++) {
            V a = v_set1(in[i * in_pix + ci]);

            UNROLL
            for (int j = 0; j < width; j++) {
                acc[i][j] = v_fma(a, wv[j], acc[i][j]);
            }
        }
        w += w_row;
    }
}

SIMD void
conv_pixels_x_width(const struct conv_tile *t, int pixels, int width)
{
    const struct kern_conv *g = t->g;
    V acc[CONV_PIXELS][CONV_WIDTH];
    const float *w = t->w;
    /* Taps of a kernel row that lie one after the other in the input. */
    int run = g->in_pix == g->c_in ? g->k : 1;

    UNROLL
    for (int i = 0; i < pixels; i++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            acc[i][j] = t->bias ? v_load(t->bias + j * V_LANES) : v_set1(0.0f);
        }
    }
    for (int ky = 0; ky < g->k; ky++) {
        for (int kx = 0; kx < g->k; kx += run) {
            conv_taps(acc, t->in + ky * g->in_row + kx * g->in_pix, w,
                      g->in_pix, g->c_out, run * g->c_in, pixels, width);
            w += (ptrdiff_t)run * g->c_in * g->c_out;
        }
    }
    UNROLL
    for (int i = 0; i < pixels; i++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            V x = t->relu ? v_relu(acc[i][j]) : acc[i][j];

            v_store(t->out + i * g->out_pix + j * V_LANES, x);
        }
    }
}

#define CONV_DEFINE(pixels, width)                                 \
    static void conv_##pixels##x##width(const struct conv_tile *t) \
    {                                                              \
        conv_pixels_x_width(t, pixels, width);                     \
    }
#define CONV_ENTRY(pixels, width) [pixels][width] = conv_##pixels##x##width,

CONV_TILES(CONV_DEFINE)

static void (*const conv_tiles[CONV_PIXELS + 1][CONV_WIDTH + 1])(
    const struct conv_tile *) = {CONV_TILES(CONV_ENTRY)};

static void
conv(float *restrict out, const float *restrict in, const float *restrict w,
     const float *restrict bias, int relu, const struct kern_conv *g)
{
    struct conv_tile t = {.relu = relu, .g = g};
    const struct shares row = shares_of(g->w, CONV_PIXELS);
    int width, pixels;

    for (int co = 0; co < g->c_out; co += width * V_LANES) {
        width = tile_width((g->c_out - co) / V_LANES, CONV_WIDTH);
        t.w = w + co;
        t.bias = bias ? bias + co : NULL;
        for (int y = 0; y < g->h; y++) {
            struct shares split = row;

            for (int x = 0; x < g->w; x += pixels) {
                pixels = shares_next(&split);
                t.out = out + y * g->out_row + x * g->out_pix + co;
                t.in = in + y * g->in_row + x * g->in_pix;
                conv_tiles[pixels][width](&t);
            }
        }
    }
}
