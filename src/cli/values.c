/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "cli/cli.h"

/* "-x" asks for a letter, all else for a long name. */
static int
is_named(const struct cli_option *o, const char *name)
{
    if (name[0] == '-') {
        return o->letter == name[1];
    }
    return strcmp(o->name, name) == 0;
}

static const struct cli_value *
last_value(const struct cli *c, const char *name)
{
    for (int i = c->n_values - 1; i >= 0; i--) {
        if (is_named(c->values[i].option, name)) {
            return &c->values[i];
        }
    }
    return NULL;
}

int
cli_given(const struct cli *c, const char *option)
{
    return last_value(c, option) != NULL;
}

const char *
cli_text(const struct cli *c, const char *option)
{
    const struct cli_value *v = last_value(c, option);
    return v ? v->text : NULL;
}

const char *
cli_nth(const struct cli *c, const char *option, int i)
{
    for (int k = 0; k < c->n_values; k++) {
        if (is_named(c->values[k].option, option) && i-- == 0) {
            return c->values[k].text;
        }
    }
    return NULL;
}

long long
cli_int(const struct cli *c, const char *option, long long none)
{
    const char *text = cli_text(c, option);
    long long v = none;
    if (text) {
        int bad = str_to_i64(text, &v);
        assert(!bad); /* the parser has checked it */
        (void)bad;
    }
    return v;
}

double
cli_real(const struct cli *c, const char *option, double none)
{
    const char *text = cli_text(c, option);
    double v = none;
    if (text) {
        int bad = str_to_double(text, &v);
        assert(!bad); /* the parser has checked it */
        (void)bad;
    }
    return v;
}

int
cli_choice(const struct cli *c, const char *option, int none)
{
    const struct cli_value *v = last_value(c, option);
    if (!v) {
        return none;
    }
    for (int i = 0; v->option->choices[i]; i++) {
        if (strcmp(v->option->choices[i], v->text) == 0) {
            return i;
        }
    }
    return none;
}

int
cli_hyper_change(const struct cli *c, struct hyper *h, struct err *e)
{
    const struct hyper_model model = {
        .preset = cli_text(c, "preset"),
        .spec = cli_text(c, "spec"),
        .hidden = cli_text(c, "hidden"),
        .filters = cli_text(c, "filters"),
    };
    int rc = hyper_set_model(h, &model, e);
    for (int i = 0; rc == 0 && i < c->n_values; i++) {
        const struct hyper_field *f = c->values[i].option->field;
        if (!f || strcmp(f->column, "preset") == 0 ||
            strcmp(f->column, "spec") == 0) {
            continue;
        }
        const char *text = c->values[i].text;
        rc = hyper_set(h, f, text ? text : "1", e);
    }
    return rc ? rc : hyper_check(h, e);
}

int
cli_hyper(const struct cli *c, struct hyper *out, struct err *e)
{
    int rc = hyper_preset("ann", out, e);
    return rc ? rc : cli_hyper_change(c, out, e);
}
