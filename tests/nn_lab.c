/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nn_lab.h"

#include <check.h>

#include "fmnist/rng.h"

struct spec
lab_spec(const char *text)
{
    struct spec s;
    struct err e = {0};

    ck_assert_msg(spec_parse(text, &s, &e) == 0, "%s", e.msg);
    return s;
}

struct model *
lab_model(const char *text, const struct kern *k, int threads, int max_batch)
{
    const struct model_options opt = {threads, max_batch, 1};
    struct spec s = lab_spec(text);
    struct model *m;
    struct err e = {0};

    ck_assert_msg(model_new(&s, k, &opt, &m, &e) == 0, "%s", e.msg);
    model_init(m, 1);
    return m;
}

const float *
lab_images(void)
{
    static float x[LAB_BATCH * 784];
    static int made;
    const struct rng r = {77, RNG_SAMPLE, 0};
    uint32_t i;

    for (i = 0; !made && i < LAB_BATCH * 784; i++) {
        x[i] = rng_to_float(rng_u32(&r, i)) *
               (float)((i / 784 * 7 + i % 784 / 28) % 11 + 1) / 11.0f;
    }
    made = 1;
    return x;
}

const uint8_t *
lab_labels(void)
{
    static uint8_t labels[LAB_BATCH];
    int i;

    for (i = 0; i < LAB_BATCH; i++) {
        labels[i] = (uint8_t)((i * 7 + 3) % 10);
    }
    return labels;
}

double
lab_train(struct model *m, int n, uint64_t position)
{
    const struct model_step step = {5, 2, position, 0};
    double loss;
    int correct;

    model_train_batch(m, lab_images(), lab_labels(), n, &step, &loss, &correct);
    return loss / n;
}

int
lab_kernels(void)
{
    int n = 0;

    while (kern_available()[n] != NULL) {
        n++;
    }
    return n;
}

const struct kern *
lab_kernel(int i)
{
    return kern_available()[i];
}
