/* SPDX-License-Identifier: MIT */
/* The kernels in NEON (AArch64): 32 registers of 4 floats. */
#include "config.h"

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "this file is for AArch64 with NEON"
#endif

#include <arm_neon.h>

#include "kern/simd.h"

#define KERN_NAME "neon"
#define KERN_SYMBOL kern_neon
#define V_LANES 4

/* Tiles of rows (or pixels) x vectors: 24 accumulators.  Channels come in
 * fours of vectors, so there is one width. */
#define GEMM_ROWS 6
#define GEMM_WIDTH 4
#define GEMM_TILES(X) ROWS_6(X, 4)
#define CONV_PIXELS 6
#define CONV_WIDTH 4
#define CONV_TILES(X) ROWS_6(X, 4)
#define DW_ROWS 6
#define DW_WIDTH 4
#define DW_TILES(X) ROWS_6(X, 4)
#define DW_ROWS_OF(width) 6

typedef float32x4_t V;
typedef uint32x4_t VM; /* all bits of a lane set or clear */

SIMD V
v_load(const float *p)
{
    return vld1q_f32(p);
}

SIMD void
v_store(float *p, V x)
{
    vst1q_f32(p, x);
}

SIMD V
v_set1(float x)
{
    return vdupq_n_f32(x);
}

SIMD V
v_add(V a, V b)
{
    return vaddq_f32(a, b);
}

SIMD V
v_sub(V a, V b)
{
    return vsubq_f32(a, b);
}

SIMD V
v_mul(V a, V b)
{
    return vmulq_f32(a, b);
}

SIMD V
v_div(V a, V b)
{
    return vdivq_f32(a, b);
}

SIMD V
v_sqrt(V a)
{
    return vsqrtq_f32(a);
}

SIMD V
v_fma(V a, V b, V c)
{
    return vfmaq_f32(c, a, b);
}

SIMD VM
v_gt(V a, V b)
{
    return vcgtq_f32(a, b);
}

SIMD VM
v_eq(V a, V b)
{
    return vceqq_f32(a, b);
}

SIMD VM
v_nan(V a)
{
    return vmvnq_u32(vceqq_f32(a, a));
}

SIMD VM
vm_or(VM a, VM b)
{
    return vorrq_u32(a, b);
}

SIMD V
v_blend(VM m, V yes, V no)
{
    return vbslq_f32(m, yes, no);
}

/* Like the x86 maximum, -0 and NaN stay what they are. */
SIMD V
v_relu(V a)
{
    return v_blend(vcltzq_f32(a), vdupq_n_f32(0.0f), a);
}

SIMD V
v_load_u8(const uint8_t *p)
{
    uint32_t four;

    memcpy(&four, p, sizeof(four));
    return vcvtq_f32_u32(vmovl_u16(
        vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))))));
}

SIMD void
v_store_u8(uint8_t *p, V x)
{
    uint16x4_t half = vmovn_u32(vcvtq_u32_f32(x));
    uint8x8_t bytes = vmovn_u16(vcombine_u16(half, half));
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);

    memcpy(p, &four, sizeof(four));
}

SIMD void
v_transpose(V r[V_LANES])
{
    float32x4x2_t t01 = vtrnq_f32(r[0], r[1]);
    float32x4x2_t t23 = vtrnq_f32(r[2], r[3]);

    r[0] = vcombine_f32(vget_low_f32(t01.val[0]), vget_low_f32(t23.val[0]));
    r[1] = vcombine_f32(vget_low_f32(t01.val[1]), vget_low_f32(t23.val[1]));
    r[2] = vcombine_f32(vget_high_f32(t01.val[0]), vget_high_f32(t23.val[0]));
    r[3] = vcombine_f32(vget_high_f32(t01.val[1]), vget_high_f32(t23.val[1]));
}

#include "kern/body.h"
