/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: the weight gradient of a convolution.  A tile is some rows of
 * dw (each one a weight's place: ky, kx, ci) times some vectors of output
 * channels; it stays in registers while all pixels of the image pass.
 */

struct dw_tile {
    float *dw;
    const float *in[DW_ROWS]; /* what each row meets at output (0, 0) */
    const float *dout;
    const struct kern_conv *g;
};

SIMD void
dw_rows_x_width(const struct dw_tile *t, int rows, int width)
{
    const struct kern_conv *g = t->g;
    ptrdiff_t in_pix = g->in_pix, out_pix = g->out_pix;
    const float *in[DW_ROWS];
    V acc[DW_ROWS][DW_WIDTH];

    UNROLL
    for (int i = 0; i < rows; i++) {
        in[i] = t->in[i];
        UNROLL
        for (int j = 0; j < width; j++) {
            acc[i][j] = v_load(t->dw + i * (ptrdiff_t)g->c_out + j * V_LANES);
        }
    }
    for (int y = 0; y < g->h; y++) {
        const float *d = t->dout + y * g->out_row;
        ptrdiff_t at = y * g->in_row;

        UNROLL_2
        for (int x = 0; x < g->w; x++) {
            V dv[DW_WIDTH];

            UNROLL
            for (int j = 0; j < width; j++) {
                dv[j] = v_load(d + j * V_LANES);
            }
            UNROLL
            for (int i = 0; i < rows; i++) {
                V a = v_set1(in[i][at]);

                UNROLL
                for (int j = 0; j < width; j++) {
                    acc[i][j] = v_fma(a, dv[j], acc[i][j]);
                }
            }
            at += in_pix;
            d += out_pix;
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            v_store(t->dw + i * (ptrdiff_t)g->c_out + j * V_LANES, acc[i][j]);
        }
    }
}

#define DW_DEFINE(rows, width)                               \
    static void dw_##rows##x##width(const struct dw_tile *t) \
    {                                                        \
        dw_rows_x_width(t, rows, width);                     \
    }
#define DW_ENTRY(rows, width) [rows][width] = dw_##rows##x##width,

DW_TILES(DW_DEFINE)

static void (*const dw_tiles[DW_ROWS + 1][DW_WIDTH + 1])(
    const struct dw_tile *) = {DW_TILES(DW_ENTRY)};

/* db += dout over all pixels, in order. */
SIMD void
dw_bias(float *db, const float *dout, const struct kern_conv *g, int width)
{
    V sum[4];

    UNROLL
    for (int j = 0; j < width; j++) {
        sum[j] = v_load(db + j * V_LANES);
    }
    for (int y = 0; y < g->h; y++) {
        const float *d = dout + y * g->out_row;

        for (int x = 0; x < g->w; x++, d += g->out_pix) {
            UNROLL
            for (int j = 0; j < width; j++) {
                sum[j] = v_add(sum[j], v_load(d + j * V_LANES));
            }
        }
    }
    UNROLL
    for (int j = 0; j < width; j++) {
        v_store(db + j * V_LANES, sum[j]);
    }
}

/* A row of dw: a weight's place, and what it meets at output (0, 0). */
struct dw_place {
    const float *in;
    int kx, ci;
};

/* Counted on, not divided: a division costs as much as two pixels of a tile. */
static inline void
dw_next(struct dw_place *p, const struct kern_conv *g)
{
    p->in++;
    if (++p->ci == g->c_in) {
        p->ci = 0;
        p->in += g->in_pix - g->c_in;
        if (++p->kx == g->k) {
            p->kx = 0;
            p->in += g->in_row - g->k * g->in_pix;
        }
    }
}

static void
conv_dw(float *restrict dw, float *restrict db, const float *restrict in,
        const float *restrict dout, const struct kern_conv *g)
{
    struct dw_tile t = {.g = g};
    int total = g->k * g->k * g->c_in;
    int width, rows;

    for (int co = 0; co < g->c_out; co += width * V_LANES) {
        struct dw_place place = {.in = in};
        struct shares split;

        width = tile_width((g->c_out - co) / V_LANES, DW_WIDTH);
        split = shares_of(total, DW_ROWS_OF(width));
        t.dout = dout + co;
        for (int row = 0; row < total; row += rows) {
            rows = shares_next(&split);
            t.dw = dw + (ptrdiff_t)row * g->c_out + co;
            for (int i = 0; i < rows; i++) {
                t.in[i] = place.in;
                dw_next(&place, g);
            }
            dw_tiles[rows][width](&t);
        }
    }
    MAP_BLOCKS(co, g->c_out, dw_bias, db + co, dout + co, g)
}
