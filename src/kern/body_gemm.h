/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: matrix products.  A tile of c stays in registers while a
 * block of k passes; between blocks it is stored and loaded, which rounds
 * nothing, so that each element is one chain however k is cut.
 */

/* Rows of b that pass before the next panel: they stay in the L1 cache. */
enum { GEMM_BLOCK = 192 };

struct gemm_tile {
    float *c;
    const float *a, *b;
    const float *bias; /* start of the chain; NULL: c if load, else 0 */
    ptrdiff_t c_row, a_row, a_col, b_row;
    int load, relu, k;
};

SIMD void
gemm_start(const struct gemm_tile *t, V acc[GEMM_ROWS][GEMM_WIDTH], int rows,
           int width)
{
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            const float *c = t->c + i * t->c_row;

            if (t->bias) {
                c = t->bias;
            }
            acc[i][j] =
                t->bias || t->load ? v_load(c + j * V_LANES) : v_set1(0.0f);
        }
    }
}

SIMD void
gemm_rows_x_width(const struct gemm_tile *t, int rows, int width)
{
    V acc[GEMM_ROWS][GEMM_WIDTH];
    const float *a = t->a, *b = t->b;
    ptrdiff_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;

    gemm_start(t, acc, rows, width);
    for (int p = 0; p < t->k; p++) {
        V bv[GEMM_WIDTH];

        UNROLL
        for (int j = 0; j < width; j++) {
            bv[j] = v_load(b + j * V_LANES);
        }
        UNROLL
        for (int i = 0; i < rows; i++) {
            V ai = v_set1(a[i * a_row]);

            UNROLL
            for (int j = 0; j < width; j++) {
                acc[i][j] = v_fma(ai, bv[j], acc[i][j]);
            }
        }
        a += a_col;
        b += b_row;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < width; j++) {
            V x = t->relu ? v_relu(acc[i][j]) : acc[i][j];

            v_store(t->c + i * t->c_row + j * V_LANES, x);
        }
    }
}

#define GEMM_DEFINE(rows, width)                                 \
    static void gemm_##rows##x##width(const struct gemm_tile *t) \
    {                                                            \
        gemm_rows_x_width(t, rows, width);                       \
    }
#define GEMM_ENTRY(rows, width) [rows][width] = gemm_##rows##x##width,

GEMM_TILES(GEMM_DEFINE)

static void (*const gemm_tiles[GEMM_ROWS + 1][GEMM_WIDTH + 1])(
    const struct gemm_tile *) = {GEMM_TILES(GEMM_ENTRY)};

/* One panel of columns, all rows, one block of k. */
static void
gemm_panel(struct gemm_tile *t, struct shares split, int m, int width)
{
    int rows;

    for (int i = 0; i < m; i += rows) {
        rows = shares_next(&split);
        gemm_tiles[rows][width](t);
        t->a += rows * t->a_row;
        t->c += rows * t->c_row;
    }
}

static void
gemm(float *restrict c, ptrdiff_t c_row, const float *restrict a,
     ptrdiff_t a_row, ptrdiff_t a_col, const float *restrict b, ptrdiff_t b_row,
     const float *restrict bias, int accumulate, int relu, int m, int n, int k)
{
    struct gemm_tile t = {.c_row = c_row,
                          .a_row = a_row,
                          .a_col = a_col,
                          .b_row = b_row,
                          .load = accumulate};
    const struct shares split = shares_of(m, GEMM_ROWS);
    int p = 0;

    do {
        int width;

        t.k = k - p < GEMM_BLOCK ? k - p : GEMM_BLOCK;
        t.relu = relu && p + t.k == k;
        for (int j = 0; j < n; j += width * V_LANES) {
            width = tile_width((n - j) / V_LANES, GEMM_WIDTH);
            t.a = a + p * a_col;
            t.b = b + p * b_row + j;
            t.c = c + j;
            t.bias = bias ? bias + j : NULL;
            gemm_panel(&t, split, m, width);
        }
        bias = NULL;
        t.load = 1;
        p += t.k;
    } while (p < k);
}

/* Whole blocks of V_LANES x V_LANES go through registers. */
static void
transpose(float *restrict t, ptrdiff_t t_row, const float *restrict s,
          ptrdiff_t s_row, int m, int n)
{
    int m_whole = m / V_LANES * V_LANES, n_whole = n / V_LANES * V_LANES;

    for (int j = 0; j < n_whole; j += V_LANES) {
        for (int i = 0; i < m_whole; i += V_LANES) {
            V r[V_LANES];

            UNROLL
            for (int q = 0; q < V_LANES; q++) {
                r[q] = v_load(s + (i + q) * s_row + j);
            }
            v_transpose(r);
            UNROLL
            for (int q = 0; q < V_LANES; q++) {
                v_store(t + (j + q) * t_row + i, r[q]);
            }
        }
    }
    for (int i = 0; i < m; i++) {
        for (int j = i < m_whole ? n_whole : 0; j < n; j++) {
            t[j * t_row + i] = s[i * s_row + j];
        }
    }
}

static void
sum_rows(float *restrict y, const float *restrict x, ptrdiff_t x_row,
         int accumulate, int m, int n)
{
    int j = 0;

    for (; j + V_LANES <= n; j += V_LANES) {
        V sum = accumulate ? v_load(y + j) : v_set1(0.0f);

        for (int i = 0; i < m; i++) {
            sum = v_add(sum, v_load(x + i * x_row + j));
        }
        v_store(y + j, sum);
    }
    for (; j < n; j++) {
        float sum = accumulate ? y[j] : 0.0f;

        for (int i = 0; i < m; i++) {
            sum += x[i * x_row + j];
        }
        y[j] = sum;
    }
}
