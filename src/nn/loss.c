/* SPDX-License-Identifier: MIT */
/* In double, with the program's own exp and log: a loss feeds decisions that
 * must not depend on the C library. */
#include "config.h"

#include "nn/loss.h"

#include "fmnist/model.h"
#include "fmnist/num.h"

#define CLASSES 10

/* p = exp(logits - max), unnormalised; returns its sum.  The maximum skips
 * NaNs, which then reach the sum through their own term. */
static double
exp_row(const float *logits, double p[CLASSES], double *max)
{
    double sum = 0;
    int j;

    *max = logits[0];
    for (j = 1; j < CLASSES; j++) {
        if (!(logits[j] <= *max)) {
            *max = logits[j];
        }
    }
    for (j = 0; j < CLASSES; j++) {
        p[j] = num_exp(logits[j] - *max);
        sum += p[j];
    }
    return sum;
}

void
loss_softmax(const float logits[10], double p[10])
{
    double max, sum = exp_row(logits, p, &max);
    int j;

    for (j = 0; j < CLASSES; j++) {
        p[j] /= sum;
    }
}

double
loss_row(const float *logits, int label, double smoothing, double count,
         float *d)
{
    double p[CLASSES], max, sum, lse, loss, share = smoothing / CLASSES;
    int j;

    sum = exp_row(logits, p, &max);
    lse = max + num_log(sum);
    loss = (1 - smoothing) * (lse - logits[label]);
    for (j = 0; j < CLASSES && smoothing > 0; j++) {
        loss += share * (lse - logits[j]);
    }
    for (j = 0; j < CLASSES && d != NULL; j++) {
        double target = share + (j == label ? 1 - smoothing : 0);

        d[j] = (float)((p[j] / sum - target) / count);
    }
    return loss;
}

double
loss_cross_entropy(const float *logits, int stride, const uint8_t *labels,
                   int n, double smoothing, float *dlogits)
{
    double sum = 0;
    int i;

    for (i = 0; i < n; i++) {
        sum += loss_row(logits + (ptrdiff_t)i * stride, labels[i], smoothing, n,
                        dlogits ? dlogits + (ptrdiff_t)i * stride : NULL);
    }
    return sum;
}

int
loss_argmax(const float *logits)
{
    int best = 0, j;

    for (j = 1; j < CLASSES; j++) {
        if (logits[j] > logits[best]) {
            best = j;
        }
    }
    return best;
}
