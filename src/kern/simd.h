/* SPDX-License-Identifier: MIT */
/*
 * What the files of the instruction sets share.  Each defines the type V (a
 * register of V_LANES floats), VM (a mask of lanes), the operations v_* on
 * them, its tile sizes, and then includes body.h.
 *
 * v_fma(a, b, c) is a b + c in one rounding; v_gt and v_eq are false for NaN;
 * v_relu keeps NaN; v_load_u8 and v_store_u8 convert between bytes and floats;
 * v_transpose turns V_LANES registers in place.
 */
#ifndef KERN_SIMD_H
#define KERN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fmnist/kern.h"
#include "kern/variants.h"

#define SIMD static inline __attribute__((always_inline, unused))

/* Unrolls the next loop, whose count is a constant, completely: only then do
 * arrays of V live in registers.  UNROLL_2: two rounds at a time, which halves
 * the counting in short loops. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_2 _Pragma("clang loop unroll_count(2)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_2 _Pragma("GCC unroll 2")
#endif

/* X(rows, width) for 1 to 6, 9 or 14 rows: the tiles that are instantiated. */
#define ROWS_6(X, width) \
    X(1, width) X(2, width) X(3, width) X(4, width) X(5, width) X(6, width)
#define ROWS_9(X, width) ROWS_6(X, width) X(7, width) X(8, width) X(9, width)
#define ROWS_14(X, width) \
    ROWS_9(X, width)      \
    X(10, width) X(11, width) X(12, width) X(13, width) X(14, width)

#endif
