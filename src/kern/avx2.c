/* SPDX-License-Identifier: MIT */
/* The kernels in AVX2 with FMA: 16 registers of 8 floats. */
#include "config.h"

#if !defined(__AVX2__) || !defined(__FMA__)
#error "this file needs the compiler's AVX2 and FMA flags"
#endif

#include <immintrin.h>

#include "kern/simd.h"

#define KERN_NAME "avx2"
#define KERN_SYMBOL kern_avx2
#define V_LANES 8

/* Tiles of rows (or pixels) x vectors: 12 accumulators.  Channels come in
 * pairs of vectors, so there is one width. */
#define GEMM_ROWS 6
#define GEMM_WIDTH 2
#define GEMM_TILES(X) ROWS_6(X, 2)
#define CONV_PIXELS 6
#define CONV_WIDTH 2
#define CONV_TILES(X) ROWS_6(X, 2)
#define DW_ROWS 6
#define DW_WIDTH 2
#define DW_TILES(X) ROWS_6(X, 2)
#define DW_ROWS_OF(width) 6

typedef __m256 V;
typedef __m256 VM; /* all bits of a lane set or clear */

SIMD V
v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

SIMD void
v_store(float *p, V x)
{
    _mm256_storeu_ps(p, x);
}

SIMD V
v_set1(float x)
{
    return _mm256_set1_ps(x);
}

SIMD V
v_add(V a, V b)
{
    return _mm256_add_ps(a, b);
}

SIMD V
v_sub(V a, V b)
{
    return _mm256_sub_ps(a, b);
}

SIMD V
v_mul(V a, V b)
{
    return _mm256_mul_ps(a, b);
}

SIMD V
v_div(V a, V b)
{
    return _mm256_div_ps(a, b);
}

SIMD V
v_sqrt(V a)
{
    return _mm256_sqrt_ps(a);
}

SIMD V
v_fma(V a, V b, V c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The second operand is the result where either is NaN. */
SIMD V
v_relu(V a)
{
    return _mm256_max_ps(_mm256_setzero_ps(), a);
}

SIMD VM
v_gt(V a, V b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

SIMD VM
v_eq(V a, V b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}

SIMD VM
v_nan(V a)
{
    return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}

SIMD VM
vm_or(VM a, VM b)
{
    return _mm256_or_ps(a, b);
}

SIMD V
v_blend(VM m, V yes, V no)
{
    return _mm256_blendv_ps(no, yes, m);
}

SIMD V
v_load_u8(const uint8_t *p)
{
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);

    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

SIMD void
v_store_u8(uint8_t *p, V x)
{
    __m256i words = _mm256_cvtps_epi32(x);
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(words),
                                   _mm256_extracti128_si256(words, 1));

    _mm_storel_epi64((__m128i *)(void *)p, _mm_packus_epi16(half, half));
}

/* 4 x 4 blocks inside the 128-bit lanes, then the lanes themselves. */
SIMD void
v_transpose(V r[V_LANES])
{
    V t[V_LANES];

    UNROLL
    for (int i = 0; i < 8; i += 4) {
        V lo01 = _mm256_unpacklo_ps(r[i], r[i + 1]);
        V hi01 = _mm256_unpackhi_ps(r[i], r[i + 1]);
        V lo23 = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
        V hi23 = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);

        t[i] = _mm256_shuffle_ps(lo01, lo23, 0x44);
        t[i + 1] = _mm256_shuffle_ps(lo01, lo23, 0xee);
        t[i + 2] = _mm256_shuffle_ps(hi01, hi23, 0x44);
        t[i + 3] = _mm256_shuffle_ps(hi01, hi23, 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

#include "kern/body.h"
