/* SPDX-License-Identifier: MIT */
/* A run's hyperparameters in words: its command and its name. */
#include "config.h"

#include "fmnist/hyper.h"

#include <stdio.h>
#include <string.h>

/* A made-up name stays below this many bytes, so that " #2" fits too. */
#define NAME_BYTES 100

const char *
hyper_model(const struct hyper *h)
{
    const char *conv = strstr(h->spec, "conv");

    return conv ? "cnn" : "ann";
}

/* What h is compared with: its preset, or for a spec of the user's the
 * defaults with that spec. */
static void
baseline(const struct hyper *h, struct hyper *base)
{
    struct hyper d;

    if (hyper_preset(h->preset[0] ? h->preset : "ann", base, NULL) < 0) {
        *base = *h;
    }
    if (h->preset[0]) {
        return;
    }
    /* Its rates are part of the spec. */
    d = *h;
    base->dropout = d.dropout;
    memcpy(base->spec, d.spec, sizeof d.spec);
    base->preset[0] = '\0';
}

/* Whether the value of f differs; writes it into text.  A set with a test part
 * of its own has fraction 0, which is no choice of the user's. */
static int
differs(const struct hyper *h, const struct hyper *base,
        const struct hyper_field *f, struct str *text)
{
    struct str other;
    int yes;

    if (f->offset == offsetof(struct hyper, preset) ||
        f->offset == offsetof(struct hyper, spec) ||
        (f->offset == offsetof(struct hyper, test_fraction) &&
         h->test_fraction == 0)) {
        return 0;
    }
    str_init(&other);
    str_clear(text);
    hyper_get(h, f, text);
    hyper_get(base, f, &other);
    yes = strcmp(text->s, other.s) != 0;
    text->oom |= str_failed(&other);
    str_release(&other);
    return yes;
}

void
hyper_command(const struct hyper *h, struct str *out)
{
    struct hyper base;
    struct str value;

    baseline(h, &base);
    str_init(&value);
    if (h->preset[0]) {
        str_addf(out, "--preset %s", h->preset);
    } else {
        str_add(out, "--spec ");
        str_add_shell(out, h->spec);
    }
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];

        if (!f->option || !differs(h, &base, f, &value)) {
            continue;
        }
        str_addf(out, " %s", f->option);
        if (f->type != HYPER_FLAG) {
            str_addc(out, ' ');
            str_add_shell(out, value.s);
        }
    }
    if (str_failed(&value)) {
        out->oom = 1;
    }
    str_release(&value);
}

/* The word for a field in a name; "" where the value says it all. */
static const char *
name_word(const struct hyper_field *f)
{
    static const struct {
        const char *column, *word;
    } words[] = {
        {"batch_size", "batch"},   {"optimizer", ""},
        {"schedule", ""},          {"augment", ""},
        {"weight_decay", "decay"}, {"label_smoothing", "smoothing"},
        {"step_size", "step"},     {"split_seed", "split"},
        {"test_fraction", "test"}, {"val_fraction", "val"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i].column, f->column)) {
            return words[i].word;
        }
    }
    return f->column;
}

/* " 32-64/128": the filters and hidden widths of a spec of the user's. */
static void
add_widths(const struct hyper *h, struct str *out)
{
    struct spec s;
    const char *glue = " ";
    int convs = 0;

    if (spec_parse(h->spec, &s, NULL) < 0) {
        return;
    }
    for (int i = 0; i < s.n; i++) {
        const struct layer_spec *l = &s.layers[i];
        int hidden = l->kind == LAYER_DENSE && i < s.n - 1;

        if (l->kind == LAYER_CONV || hidden) {
            str_addf(out, "%s%d", hidden && convs ? "/" : glue, l->units);
            convs = l->kind == LAYER_CONV;
            glue = "-";
        }
    }
}

/* Cuts a name at a blank so that it keeps to its limit. */
static void
cut(struct str *name, size_t from)
{
    size_t end = from + NAME_BYTES;

    if (name->len <= end) {
        return;
    }
    while (end > from && name->s[end] != ' ') {
        end--;
    }
    name->s[end] = '\0';
    name->len = end;
}

void
hyper_name(const struct hyper *h, struct str *out)
{
    size_t from = out->len;
    struct hyper base;
    struct str value;

    baseline(h, &base);
    str_init(&value);
    str_add(out, hyper_model(h));
    if (!h->preset[0]) {
        add_widths(h, out);
    }
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const char *word = name_word(f);

        if (!differs(h, &base, f, &value)) {
            continue;
        }
        str_addf(out, "%s%s", *word ? " " : "", word);
        if (f->type != HYPER_FLAG) {
            str_addf(out, " %s", value.s);
        }
    }
    if (str_failed(&value)) {
        out->oom = 1;
    }
    str_release(&value);
    cut(out, from);
}
