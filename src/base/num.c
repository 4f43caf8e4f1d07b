/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/num.h"

#include <math.h> /* NAN and INFINITY only: nothing of libm is called */
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the low 21 bits of the first are zero, so that it times
 * any exponent is exact. */
static const double LN2_HI = 0x1.62e42feep-1;
static const double LN2_LO = 0x1.a39ef35793c76p-33;
static const double INV_LN2 = 0x1.71547652b82fep+0;
static const double PI = 0x1.921fb54442d18p+1;

static double
from_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* 2^k for a normal result: -1022 <= k <= 1023. */
static double
power_of_two(int k)
{
    return from_bits((uint64_t)(k + 1023) << 52);
}

double
num_exp(double x)
{
    /* Taylor, 1/13! first: with |r| <= ln(2)/2 the tail is below 5e-18. */
    static const double C[] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0,
        1.0 / 3628800.0,    1.0 / 362880.0,    1.0 / 40320.0,
        1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,
        1.0 / 24.0,         1.0 / 6.0,         0.5,
    };
    double r, p = 0;
    int k, half;
    unsigned i;

    if (x != x)
        return x;
    if (x > 709.8)
        return INFINITY;
    if (x < -745.2)
        return 0;
    k = (int)(x * INV_LN2 + (x < 0 ? -0.5 : 0.5));
    r = (x - k * LN2_HI) - k * LN2_LO;
    for (i = 0; i < sizeof(C) / sizeof(C[0]); i++)
        p = p * r + C[i];
    p = 1 + (r + r * r * p);
    /* In two steps, so that neither factor over- nor underflows. */
    half = k / 2;
    return p * power_of_two(half) * power_of_two(k - half);
}

double
num_log(double x)
{
    /* 2/(2i+1), i = 11 first: with |s| <= 0.1716 the tail is below 1e-20. */
    static const double C[] = {
        2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
        2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3,
    };
    double f, s, z, half, p = 0;
    uint64_t bits;
    int k = 0;
    unsigned i;

    if (x != x || x < 0)
        return NAN;
    if (x == 0)
        return -INFINITY;
    if (x > 0x1.fffffffffffffp1023)
        return x;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    memcpy(&bits, &x, sizeof(bits));
    k += (int)(bits >> 52) - 1023;
    f = from_bits((bits & 0xfffffffffffffU) | (1023ULL << 52));
    if (f > 0x1.6a09e667f3bcdp+0) {
        f *= 0.5;
        k++;
    }
    /* log(1 + f) = f - f^2/2 + s (f^2/2 + z p(z)), s = f / (2 + f), z = s^2 */
    f -= 1;
    s = f / (2 + f);
    z = s * s;
    half = 0.5 * f * f;
    for (i = 0; i < sizeof(C) / sizeof(C[0]); i++)
        p = p * z + C[i];
    return k * LN2_HI - ((half - (s * (half + z * p) + k * LN2_LO)) - f);
}

double
num_powi(double base, unsigned n)
{
    double result = 1;

    for (; n > 0; n >>= 1) {
        if (n & 1)
            result *= base;
        base *= base;
    }
    return result;
}

/* Both for |t| <= pi/4; the tails are below 3e-18. */
static double
cos_small(double t)
{
    double z = t * t, term, sum = 0;
    int i;

    for (i = 16; i >= 2; i -= 2) {
        term = 1.0 / (i * (i - 1.0));
        sum = -z * term * (1 + sum);
    }
    return 1 + sum;
}

static double
sin_small(double t)
{
    double z = t * t, term, sum = 0;
    int i;

    for (i = 17; i >= 3; i -= 2) {
        term = 1.0 / (i * (i - 1.0));
        sum = -z * term * (1 + sum);
    }
    return t + t * sum;
}

double
num_cospi(double x)
{
    if (x > 0.5)
        return -num_cospi(1 - x);
    if (x > 0.25)
        return sin_small(PI * (0.5 - x));
    return cos_small(PI * x);
}
