/* SPDX-License-Identifier: MIT */
/*
 * Part of body.h: passes over slabs of n floats.  The end that fills no
 * register goes through the same arithmetic in a padded one.
 */

static void
dropout(float *restrict x, const uint8_t *restrict mask, float scale, size_t n)
{
    V s = v_set1(scale), zero = v_set1(0.0f);
    size_t i = 0;

    for (; i + V_LANES <= n; i += V_LANES) {
        VM keep = v_gt(v_load_u8(mask + i), zero);

        v_store(x + i, v_blend(keep, v_mul(v_load(x + i), s), zero));
    }
    for (; i < n; i++) {
        x[i] = mask[i] ? x[i] * scale : 0.0f;
    }
}

static void
add(float *restrict y, const float *restrict x, size_t n)
{
    size_t i = 0;

    for (; i + V_LANES <= n; i += V_LANES) {
        v_store(y + i, v_add(v_load(y + i), v_load(x + i)));
    }
    for (; i < n; i++) {
        y[i] += x[i];
    }
}

struct sgd_step {
    V lr, momentum, decay;
    int has_momentum, has_decay, nesterov, first;
};

/* One register of weights; returns its new value. */
SIMD V
sgd_update(const struct sgd_step *o, V w, V *buf, V g)
{
    V d = o->has_decay ? v_fma(o->decay, w, g) : g;

    if (o->has_momentum) {
        *buf = o->first ? d : v_fma(o->momentum, *buf, d);
        d = o->nesterov ? v_fma(o->momentum, *buf, d) : *buf;
    }
    return v_sub(w, v_mul(o->lr, d));
}

static void
sgd(float *restrict w, float *restrict buf, const float *restrict g, size_t n,
    const struct kern_sgd *o)
{
    const struct sgd_step s = {
        .lr = v_set1((float)o->lr),
        .momentum = v_set1((float)o->momentum),
        .decay = v_set1((float)o->weight_decay),
        .has_momentum = o->momentum != 0.0,
        .has_decay = o->weight_decay != 0.0,
        .nesterov = o->nesterov,
        .first = o->first,
    };
    size_t i = 0;
    V b = v_set1(0.0f);

    for (; i + V_LANES <= n; i += V_LANES) {
        if (s.has_momentum) {
            b = v_load(buf + i);
        }
        v_store(w + i, sgd_update(&s, v_load(w + i), &b, v_load(g + i)));
        if (s.has_momentum) {
            v_store(buf + i, b);
        }
    }
    if (i < n) {
        V wv = v_load_part(w + i, n - i), gv = v_load_part(g + i, n - i);

        if (s.has_momentum) {
            b = v_load_part(buf + i, n - i);
        }
        v_store_part(w + i, sgd_update(&s, wv, &b, gv), n - i);
        if (s.has_momentum) {
            v_store_part(buf + i, b, n - i);
        }
    }
}

struct adam_step {
    V beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    V step;                       /* lr / bias1 */
    V sqrt_bias2, eps;
    V l2, shrink; /* Adam's and AdamW's weight decay */
    int has_l2, has_shrink;
};

/* One register of weights; returns its new value. */
SIMD V
adam_update(const struct adam_step *o, V w, V *m, V *v, V g)
{
    V d = o->has_l2 ? v_fma(o->l2, w, g) : g;
    V denominator;

    *m = v_fma(o->rest1, d, v_mul(*m, o->beta1));
    *v = v_fma(v_mul(o->rest2, d), d, v_mul(*v, o->beta2));
    denominator = v_add(v_div(v_sqrt(*v), o->sqrt_bias2), o->eps);
    if (o->has_shrink) {
        w = v_mul(w, o->shrink);
    }
    return v_sub(w, v_div(v_mul(o->step, *m), denominator));
}

static void
adam_init(struct adam_step *s, const struct kern_adam *o)
{
    s->beta1 = v_set1((float)o->beta1);
    s->rest1 = v_set1((float)(1.0 - o->beta1));
    s->beta2 = v_set1((float)o->beta2);
    s->rest2 = v_set1((float)(1.0 - o->beta2));
    s->step = v_set1((float)(o->lr / o->bias1));
    s->sqrt_bias2 = v_set1((float)o->sqrt_bias2);
    s->eps = v_set1((float)o->eps);
    s->l2 = v_set1((float)o->weight_decay);
    s->shrink = v_set1((float)(1.0 - o->lr * o->weight_decay));
    s->has_l2 = !o->decoupled && o->weight_decay != 0.0;
    s->has_shrink = o->decoupled && o->weight_decay != 0.0;
}

static void
adam(float *restrict w, float *restrict m, float *restrict v,
     const float *restrict g, size_t n, const struct kern_adam *o)
{
    struct adam_step s;
    size_t i = 0;

    adam_init(&s, o);
    for (; i + V_LANES <= n; i += V_LANES) {
        V mv = v_load(m + i), vv = v_load(v + i);

        v_store(w + i, adam_update(&s, v_load(w + i), &mv, &vv, v_load(g + i)));
        v_store(m + i, mv);
        v_store(v + i, vv);
    }
    if (i < n) {
        size_t left = n - i;
        V mv = v_load_part(m + i, left), vv = v_load_part(v + i, left);
        V wv = v_load_part(w + i, left), gv = v_load_part(g + i, left);

        v_store_part(w + i, adam_update(&s, wv, &mv, &vv, gv), left);
        v_store_part(m + i, mv, left);
        v_store_part(v + i, vv, left);
    }
}
