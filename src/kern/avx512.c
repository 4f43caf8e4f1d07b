/* SPDX-License-Identifier: MIT */
/* The kernels in AVX-512: 32 registers of 16 floats. */
#include "config.h"

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__)
#error "this file needs the compiler's AVX-512 flags"
#endif

#include <immintrin.h>

#include "kern/simd.h"

#define KERN_NAME "avx512"
#define KERN_SYMBOL kern_avx512
#define V_LANES 16

/* Tiles of rows (or pixels) x vectors: 24 to 28 accumulators, the rest for
 * what they are fed from. */
#define GEMM_ROWS 6
#define GEMM_WIDTH 4
#define GEMM_TILES(X) ROWS_6(X, 4) ROWS_6(X, 2) ROWS_6(X, 1)
#define CONV_PIXELS 14
#define CONV_WIDTH 2
#define CONV_TILES(X) ROWS_14(X, 2) ROWS_14(X, 1)
#define DW_ROWS 9
#define DW_WIDTH 4
#define DW_TILES(X) ROWS_6(X, 4) ROWS_9(X, 2) ROWS_9(X, 1)
/* A tile 4 vectors wide has room for 6 rows. */
#define DW_ROWS_OF(width) ((width) == 4 ? 6 : 9)

typedef __m512 V;
typedef __mmask16 VM;

SIMD V
v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

SIMD void
v_store(float *p, V x)
{
    _mm512_storeu_ps(p, x);
}

SIMD V
v_set1(float x)
{
    return _mm512_set1_ps(x);
}

SIMD V
v_add(V a, V b)
{
    return _mm512_add_ps(a, b);
}

SIMD V
v_sub(V a, V b)
{
    return _mm512_sub_ps(a, b);
}

SIMD V
v_mul(V a, V b)
{
    return _mm512_mul_ps(a, b);
}

SIMD V
v_div(V a, V b)
{
    return _mm512_div_ps(a, b);
}

SIMD V
v_sqrt(V a)
{
    return _mm512_sqrt_ps(a);
}

SIMD V
v_fma(V a, V b, V c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* The second operand is the result where either is NaN. */
SIMD V
v_relu(V a)
{
    return _mm512_max_ps(_mm512_setzero_ps(), a);
}

SIMD VM
v_gt(V a, V b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

SIMD VM
v_eq(V a, V b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}

SIMD VM
v_nan(V a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}

SIMD VM
vm_or(VM a, VM b)
{
    return (VM)(a | b);
}

SIMD V
v_blend(VM m, V yes, V no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}

SIMD V
v_load_u8(const uint8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);

    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

SIMD void
v_store_u8(uint8_t *p, V x)
{
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

/* 4 x 4 blocks inside the 128-bit lanes, then the lanes themselves. */
SIMD void
v_transpose(V r[V_LANES])
{
    V t[V_LANES];

    UNROLL
    for (int i = 0; i < 16; i += 4) {
        V lo01 = _mm512_unpacklo_ps(r[i], r[i + 1]);
        V hi01 = _mm512_unpackhi_ps(r[i], r[i + 1]);
        V lo23 = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
        V hi23 = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);

        t[i] = _mm512_shuffle_ps(lo01, lo23, 0x44);
        t[i + 1] = _mm512_shuffle_ps(lo01, lo23, 0xee);
        t[i + 2] = _mm512_shuffle_ps(hi01, hi23, 0x44);
        t[i + 3] = _mm512_shuffle_ps(hi01, hi23, 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        V a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        V b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        V c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        V d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);

        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#include "kern/body.h"
