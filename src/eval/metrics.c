/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/metrics.h"

#include <math.h>
#include <string.h>

/* The 97.5 % quantile of the normal distribution. */
#define Z95 1.959963984540054

void
confusion_clear(struct confusion *c)
{
    memset(c, 0, sizeof *c);
}

void
confusion_add(struct confusion *c, int truth, int predicted)
{
    c->count[truth][predicted]++;
}

uint32_t
confusion_total(const struct confusion *c)
{
    uint32_t n = 0;

    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            n += c->count[t][p];
        }
    }
    return n;
}

uint32_t
confusion_correct(const struct confusion *c)
{
    uint32_t n = 0;

    for (int t = 0; t < N_CLASSES; t++) {
        n += c->count[t][t];
    }
    return n;
}

static double
ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

void
class_metrics_of(const struct confusion *c, struct class_metrics out[N_CLASSES])
{
    for (int k = 0; k < N_CLASSES; k++) {
        struct class_metrics *m = &out[k];

        m->support = 0;
        m->predicted = 0;
        for (int j = 0; j < N_CLASSES; j++) {
            m->support += c->count[k][j];
            m->predicted += c->count[j][k];
        }
        m->precision = ratio(c->count[k][k], m->predicted);
        m->recall = ratio(c->count[k][k], m->support);
        /* 2PR / (P + R) in counts: defined where only one of the two is. */
        m->f1 = ratio(2.0 * c->count[k][k],
                      (double)m->support + (double)m->predicted);
    }
}

double
class_metrics_macro_f1(const struct class_metrics m[N_CLASSES])
{
    double sum = 0;
    int n = 0;

    for (int k = 0; k < N_CLASSES; k++) {
        if (m[k].support > 0) {
            sum += m[k].f1;
            n++;
        }
    }
    return ratio(sum, n);
}

/* Whether pair a goes before pair b. */
static int
pair_before(const struct confusion_pair *a, const struct confusion_pair *b)
{
    if (a->count != b->count) {
        return a->count > b->count;
    }
    if (a->truth != b->truth) {
        return a->truth < b->truth;
    }
    return a->predicted < b->predicted;
}

int
confusion_pairs(const struct confusion *c,
                struct confusion_pair out[N_CLASSES * (N_CLASSES - 1)])
{
    int n = 0;

    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            struct confusion_pair pair = {t, p, c->count[t][p]};
            int at = n;

            if (t == p || pair.count == 0) {
                continue;
            }
            for (; at > 0 && pair_before(&pair, &out[at - 1]); at--) {
                out[at] = out[at - 1];
            }
            out[at] = pair;
            n++;
        }
    }
    return n;
}

void
paired_of(const uint8_t *truth, const uint8_t *a, const uint8_t *b, uint32_t n,
          struct paired *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        int right_a = a[i] == truth[i], right_b = b[i] == truth[i];

        out->both_right += right_a && right_b;
        out->only_a += right_a && !right_b;
        out->only_b += !right_a && right_b;
        out->both_wrong += !right_a && !right_b;
    }
    out->p = paired_mcnemar(out->only_a, out->only_b);
}

/*
 * The tail is its greatest term, C(n, k) / 2^n, times 1 + k/(n-k+1) + …, whose
 * terms fall.  C(n, k) leaves the range of a double from n = 1030 on, so the
 * greatest term is carried as mantissa and exponent; all is + x and /, and the
 * relative error stays below about 3 n roundings.
 */
double
paired_mcnemar(uint32_t only_a, uint32_t only_b)
{
    double n = (double)only_a + (double)only_b;
    uint32_t k = only_a < only_b ? only_a : only_b;
    double mantissa = 1, sum = 1, term = 1;
    long exponent = 1 - (long)n; /* two-sided: twice the tail */

    if (only_a == only_b) {
        return 1;
    }
    for (uint32_t i = 1; i <= k; i++) {
        int shift;

        mantissa = frexp(mantissa * ((n - k + i) / i), &shift);
        exponent += shift;
    }
    for (uint32_t i = k; i > 0 && term > sum * 1e-20; i--) {
        term *= i / (n - i + 1);
        sum += term;
    }
    if (exponent < -2000) {
        return 0;
    }
    mantissa = ldexp(mantissa * sum, (int)exponent);
    return mantissa < 1 ? mantissa : 1;
}

void
wilson_interval(uint32_t correct, uint32_t n, double *low, double *high)
{
    double p, z2, centre, half;

    if (n == 0) {
        *low = 0;
        *high = 1;
        return;
    }
    p = (double)correct / n;
    z2 = Z95 * Z95 / n;
    centre = (p + z2 / 2) / (1 + z2);
    half = Z95 * sqrt(p * (1 - p) / n + z2 / (4.0 * n)) / (1 + z2);
    /* Rounding must not push the ends past 0 and 1. */
    *low = correct == 0 ? 0 : centre - half;
    *high = correct == n ? 1 : centre + half;
}
