/* SPDX-License-Identifier: MIT */
/* Other layers for hyperparameters that exist. */
#include "config.h"

#include "fmnist/hyper.h"

#include <string.h>

/* What a preset decides. */
static int
take_preset(struct hyper *h, const char *preset, struct err *e)
{
    struct hyper p;
    int rc = hyper_preset(preset, &p, e);

    if (rc < 0) {
        return rc;
    }
    memcpy(h->preset, p.preset, sizeof h->preset);
    memcpy(h->spec, p.spec, sizeof h->spec);
    h->dropout = p.dropout;
    h->optimizer = p.optimizer;
    return 0;
}

/* Layers of h's family with those widths that are given. */
static int
take_widths(struct hyper *h, const struct hyper_model *m, struct err *e)
{
    const char *option = m->hidden ? "--hidden" : "--filters";
    char hidden[SPEC_TEXT], filters[SPEC_TEXT], text[SPEC_TEXT];
    struct spec s;
    int rc = spec_parse(h->spec, &s, e);
    double rate = rc == 0 ? spec_dropout(&s) : -1;
    const char *family = rc == 0 ? spec_family(&s, hidden, filters) : NULL;

    if (rc == 0 && !family) {
        return err_set(e, ERR_USAGE,
                       "%s: the model is none of a preset, whose widths could "
                       "be changed; give --spec, or --preset too",
                       option);
    }
    if (rc == 0) {
        rc = spec_build(family, m->hidden ? m->hidden : hidden,
                        m->filters   ? m->filters
                        : filters[0] ? filters
                                     : NULL,
                        text, e);
    }
    if (rc == 0) {
        rc = hyper_set(h, hyper_field("spec"), text, e);
    }
    if (rc == 0 && rate >= 0) {
        rc = spec_parse(h->spec, &s, e);
        spec_set_dropout(&s, rate);
        spec_format(&s, h->spec);
        h->dropout = rate;
    }
    return rc;
}

int
hyper_set_model(struct hyper *h, const struct hyper_model *m, struct err *e)
{
    struct hyper next = *h;
    int rc = 0;

    if (m->spec && (m->preset || m->hidden || m->filters)) {
        return err_set(e, ERR_USAGE,
                       "--spec describes the whole model: it excludes "
                       "--preset, --hidden and --filters");
    }
    if (m->spec) {
        rc = hyper_set(&next, hyper_field("spec"), m->spec, e);
    }
    if (m->preset) {
        rc = take_preset(&next, m->preset, e);
    }
    if (rc == 0 && (m->hidden || m->filters)) {
        rc = take_widths(&next, m, e);
    }
    if (rc == 0) {
        *h = next;
    }
    return rc;
}

int
hyper_same(const struct hyper *a, const struct hyper *b)
{
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const char *x = (const char *)a + f->offset;
        const char *y = (const char *)b + f->offset;

        if (f->offset != offsetof(struct hyper, preset) &&
            (f->type == HYPER_TEXT ? strcmp(x, y) != 0
                                   : memcmp(x, y, f->size) != 0)) {
            return 0;
        }
    }
    return 1;
}
