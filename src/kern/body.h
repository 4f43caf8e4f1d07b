/* SPDX-License-Identifier: MIT */
/*
 * The body of every SIMD variant: included once, last, by the file of an
 * instruction set, after what simd.h lists.
 */
#include "kern/body_util.h"

#include "kern/body_gemm.h"
#include "kern/body_conv.h"
#include "kern/body_conv_dw.h"
#include "kern/body_map.h"
#include "kern/body_pool.h"
#include "kern/body_bn_pool.h"
#include "kern/body_optim.h"

const struct kern KERN_SYMBOL = {
    .name = KERN_NAME,
    .lanes = V_LANES,
    .gemm_rows = GEMM_ROWS,
    .gemm_cols = GEMM_WIDTH * V_LANES,
    .gemm = gemm,
    .transpose = transpose,
    .sum_rows = sum_rows,
    .conv = conv,
    .conv_dw = conv_dw,
    .relu = relu,
    .relu_dx = relu_dx,
    .bn_stats = bn_stats,
    .bn_norm = bn_norm,
    .bn_sums = bn_sums,
    .bn_dx = bn_dx,
    .pool = pool,
    .pool_dx = pool_dx,
    .bn_pool = bn_pool,
    .bn_pool_sums = bn_pool_sums,
    .bn_pool_dx = bn_pool_dx,
    .dropout = dropout,
    .add = add,
    .sgd = sgd,
    .adam = adam,
    .peak = peak,
};
