/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic.  One set of kernels per instruction set, chosen at run time;
 * all are single-threaded, pure, and allocate nothing: threads live in nn.
 *
 * Layout.  Activations are channels-last (NHWC) float.  The channel (or
 * feature) dimension is padded to a multiple of KERN_LANES floats, whatever the
 * instruction set; padding is zero and every kernel keeps it zero.  The one
 * exception is the input image, whose channel count 1 is not padded.  A tensor
 * that a convolution reads has a halo of zeros around each image, so that no
 * tile needs an edge case; pointers given to kernels point at the first
 * *interior* element unless said otherwise.
 *
 * Rounding.  Every sum has one order, given below, that depends on shapes only:
 * never on tile sizes, on which thread calls, or on how work was divided.  A
 * SIMD variant adds with fma (one rounding), the scalar truth with * then +.
 * So one variant always gives the same bits, and all that have fma (avx2,
 * avx512, neon) give the same; scalar agrees with them within bounds.
 */
#ifndef FMNIST_KERN_H
#define FMNIST_KERN_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"

#define KERN_LANES 16
#define KERN_PAD(n) (((n) + KERN_LANES - 1) / KERN_LANES * KERN_LANES)

/* Geometry of one convolution, per image.  Strides are in floats. */
struct kern_conv {
    int h, w;          /* output rows and columns */
    int k;             /* side of the square kernel, odd */
    int c_in;          /* input channels summed over (not the padding) */
    ptrdiff_t in_pix;  /* from one input pixel to the next */
    ptrdiff_t in_row;  /* from one input row (with halo) to the next */
    int c_out;         /* output channels, padded: a multiple of KERN_LANES */
    ptrdiff_t out_pix; /* >= c_out */
    ptrdiff_t out_row;
};

/* Geometry of a per-channel pass over one image of h x w pixels, c channels
 * (padded). */
struct kern_map {
    int h, w, c;
    ptrdiff_t x_pix, x_row; /* of the tensor called x below */
    ptrdiff_t y_pix, y_row; /* of the tensor called y below */
};

/* A max-pool window; x is the larger map (h, w its size), y the smaller. */
struct kern_pool {
    int k, s;   /* window side and stride; no padding, floor mode */
    int oh, ow; /* rows and columns of y */
    struct kern_map map;
};

/* Hyperparameters are double, and what the kernel needs (1 - beta2, lr / bias1)
 * is rounded to float only after it is computed: 1 - 0.999f is off by 1e-5. */
struct kern_adam {
    double lr; /* of this step */
    double beta1, beta2, eps;
    double bias1;      /* 1 - beta1^t */
    double sqrt_bias2; /* sqrt(1 - beta2^t) */
    double weight_decay;
    int decoupled; /* 0: Adam (L2 added to the gradient), 1: AdamW */
};

struct kern_sgd {
    double lr, momentum, weight_decay;
    int nesterov;
    int first; /* the momentum buffer is empty: it becomes the gradient */
};

struct kern {
    const char *name; /* "scalar", "avx2", "avx512", "neon" */
    int lanes;        /* floats in a register */
    int gemm_rows;    /* rows and columns of a gemm tile: hints for dividing */
    int gemm_cols;    /* work; results do not depend on them */

    /*
     * c[i][j] = init + sum over p = 0 … k-1, in that order, of
     *           a[i * a_row + p * a_col] * b[p * b_row + j]
     * for i < m, j < n (n a multiple of KERN_LANES).  init is bias[j] if bias
     * is given, else c[i][j] if accumulate, else 0.  relu: c = max(c, 0) at
     * the end.  a with a_row = 1 reads a transposed matrix.
     */
    void (*gemm)(float *restrict c, ptrdiff_t c_row, const float *restrict a,
                 ptrdiff_t a_row, ptrdiff_t a_col, const float *restrict b,
                 ptrdiff_t b_row, const float *restrict bias, int accumulate,
                 int relu, int m, int n, int k);

    /* t[j][i] = s[i][j], i < m, j < n. */
    void (*transpose)(float *restrict t, ptrdiff_t t_row,
                      const float *restrict s, ptrdiff_t s_row, int m, int n);

    /* y[j] (+)= sum over i < m, in order, of x[i * x_row + j], j < n. */
    void (*sum_rows)(float *restrict y, const float *restrict x,
                     ptrdiff_t x_row, int accumulate, int m, int n);

    /*
     * One image: out[y][x][co] = bias[co] + sum over (ky, kx, ci), in that
     * order, of in[y + ky][x + kx][ci] * w[((ky * k + kx) * c_in + ci) * c_out
     * + co].  `in` points at the window of output (0, 0): inside the halo.
     * bias may be NULL (0).  relu: max(., 0) at the end.  Also serves the
     * gradient of the input, with turned and transposed weights.
     */
    void (*conv)(float *restrict out, const float *restrict in,
                 const float *restrict w, const float *restrict bias, int relu,
                 const struct kern_conv *g);

    /*
     * One image, added to what dw and db hold: dw[(ky, kx, ci)][co] += sum over
     * (y, x), in that order, of in[y + ky][x + kx][ci] * dout[y][x][co];
     * db[co] += sum of dout.  The running total is the start of the chain (one
     * chain over all images that a slice gives).
     */
    void (*conv_dw)(float *restrict dw, float *restrict db,
                    const float *restrict in, const float *restrict dout,
                    const struct kern_conv *g);

    /* One image: y = max(x, 0); and dx = y > 0 ? dy : 0 (dx may be dy; x is
     * the tensor of dx and dy, y that of the saved output). */
    void (*relu)(float *y, const float *x, const struct kern_map *g);
    void (*relu_dx)(float *dx, const float *dy, const float *y,
                    const struct kern_map *g);

    /*
     * BatchNorm, one image.  bn_stats adds the image to the slice's running
     * (count, mean[c], m2[c]): mean of the image over (y, x) in order, then its
     * sum of squared deviations, merged by Chan, Golub and LeVeque (1979).
     */
    void (*bn_stats)(int64_t *count, float *restrict mean, float *restrict m2,
                     const float *restrict x, const struct kern_map *g);
    /* y = fma(x, scale, shift) per channel; padding stays 0 as scale, shift
     * are 0 there. */
    void (*bn_norm)(float *restrict y, const float *restrict x,
                    const float *restrict scale, const float *restrict shift,
                    const struct kern_map *g);
    /* sum_dy[c] += dy;  sum_dyx[c] += dy * (x - mean) * rstd, over (y, x) in
     * order.  Here y-strides are dy's. */
    void (*bn_sums)(float *restrict sum_dy, float *restrict sum_dyx,
                    const float *restrict dy, const float *restrict x,
                    const float *restrict mean, const float *restrict rstd,
                    const struct kern_map *g);
    /* dx = a * dy + b * x + c per channel (the caller folds gamma, rstd and the
     * two means into a, b, c), set to 0 where relu and x <= 0: the gradient of
     * a ReLU that made x.  dx may be dy, and has its strides (y). */
    void (*bn_dx)(float *dx, const float *dy, const float *restrict x,
                  const float *restrict a, const float *restrict b,
                  const float *restrict c, int relu, const struct kern_map *g);

    /* Max-pool, one image.  which[(y * ow + x) * c + ch]: index ky * k + kx of
     * the first greatest element (NaN wins, as in PyTorch). */
    void (*pool)(float *restrict y, uint8_t *restrict which,
                 const float *restrict x, const struct kern_pool *g);
    /* dx = 0, then dx[winner] += dy, windows in order. */
    void (*pool_dx)(float *restrict dx, const float *restrict dy,
                    const uint8_t *restrict which, const struct kern_pool *g);

    /*
     * BatchNorm and the max-pool after it in one pass, one image: the bits of
     * the two calls, without the full-size tensor between them.  x is what
     * BatchNorm read, of the larger map; y and dy are of the smaller.
     *
     * bn_pool: bn_norm(t, x, scale, shift), pool(y, which, t).
     *
     * The other two need windows that tile (s == k): with t the result of
     * pool_dx(t, dy, which), bn_pool_sums is bn_sums(sum_dy, sum_dyx, t, x,
     * mean, rstd) and bn_pool_dx is bn_dx(dx, t, x, a, b, c, relu), where dx
     * has strides of its own.
     */
    void (*bn_pool)(float *restrict y, uint8_t *restrict which,
                    const float *restrict x, const float *restrict scale,
                    const float *restrict shift, const struct kern_pool *g);
    void (*bn_pool_sums)(float *restrict sum_dy, float *restrict sum_dyx,
                         const float *restrict dy,
                         const uint8_t *restrict which, const float *restrict x,
                         const float *restrict mean, const float *restrict rstd,
                         const struct kern_pool *g);
    void (*bn_pool_dx)(float *restrict dx, ptrdiff_t dx_pix, ptrdiff_t dx_row,
                       const float *restrict dy, const uint8_t *restrict which,
                       const float *restrict x, const float *restrict a,
                       const float *restrict b, const float *restrict c,
                       int relu, const struct kern_pool *g);

    /* x[i] *= scale where keep bit i of mask (one byte an element, 0 or 1),
     * else 0. */
    void (*dropout)(float *restrict x, const uint8_t *restrict mask,
                    float scale, size_t n);

    /* y[i] += x[i]. */
    void (*add)(float *restrict y, const float *restrict x, size_t n);

    /* One step over a slab, with PyTorch's order of operations. */
    void (*sgd)(float *restrict w, float *restrict buf, const float *restrict g,
                size_t n, const struct kern_sgd *o);
    void (*adam)(float *restrict w, float *restrict m, float *restrict v,
                 const float *restrict g, size_t n, const struct kern_adam *o);

    /* The measured-peak loop: `n` rounds of independent fma (or * +) on all
     * registers; returns the flops done, and a value in *sink so that nothing
     * is optimised away. */
    double (*peak)(long n, float *sink);
};

/* The plain-loop truth that every variant is tested against. */
extern const struct kern kern_scalar;

/*
 * The variant to use: the best one that this build has, the processor and the
 * operating system support, and that passes kern_selftest; or the one that
 * `name` (or $FMNIST_CPU if name is NULL) asks for.  ERR_USAGE when that one is
 * unknown or cannot run here.  The result is static.
 */
int kern_choose(const char *name, const struct kern **out,
                struct err *e) MUST_CHECK;

/* Variants built in that this processor can run, best first, NULL-ended. */
const struct kern *const *kern_available(void);

/* Compares a variant with kern_scalar on small awkward shapes, within bounds
 * derived from the length of each sum.  A few milliseconds. */
int kern_selftest(const struct kern *k, struct err *e) MUST_CHECK;

/* Sets flush-to-zero and denormals-are-zero in the calling thread (no-op where
 * there is none).  Every thread that computes calls it first. */
void kern_thread_init(void);

#endif
