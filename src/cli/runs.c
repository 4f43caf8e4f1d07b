/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/runs.h"

#include <string.h>

#include "fmnist/mem.h"

int
varying_init(struct varying *v, struct err *e)
{
    int n = hyper_n_fields() + 1;
    *v = (struct varying){.n = n};
    v->columns = mem_zalloc((size_t)n, sizeof *v->columns);
    v->first = mem_zalloc((size_t)n, sizeof *v->first);
    v->differs = mem_zalloc((size_t)n, sizeof *v->differs);
    v->blank = mem_zalloc((size_t)n, sizeof *v->blank);
    if (!v->columns || !v->first || !v->differs || !v->blank) {
        varying_release(v);
        return err_nomem(e, "the columns", (size_t)n * sizeof *v->first);
    }
    for (int i = 0; i < n - 1; i++) {
        v->columns[i] = HYPER_FIELDS[i].column;
    }
    v->columns[n - 1] = "dataset";
    return 0;
}

void
varying_release(struct varying *v)
{
    for (int i = 0; v->first && i < v->n; i++) {
        mem_free(v->first[i]);
    }
    mem_free(v->columns);
    mem_free(v->first);
    mem_free(v->differs);
    mem_free(v->blank);
    *v = (struct varying){0};
}

int
varying_row(const struct row *r, void *arg, struct err *e)
{
    struct varying *v = arg;
    struct str text;
    int rc = 0;
    if (!r->cells) {
        return 0;
    }
    str_init(&text);
    for (int i = 0; i < r->n; i++) {
        int k = 0;
        while (k < v->n && strcmp(v->columns[k], r->names[i]) != 0) {
            k++;
        }
        if (k == v->n) {
            continue;
        }
        str_clear(&text);
        output_cell(&text, &r->cells[i]);
        v->blank[k] |= text.len == 0;
        if (!v->first[k]) {
            v->first[k] = mem_strdup(text.s);
            if (!v->first[k] || str_failed(&text)) {
                rc = err_nomem(e, "the columns", text.len + 1);
                break;
            }
        } else if (strcmp(v->first[k], text.s) != 0) {
            v->differs[k] = 1;
        }
    }
    v->rows++;
    str_release(&text);
    return rc;
}

int
varying_shown(const struct varying *v, int i)
{
    if (!v->differs[i]) {
        return 0;
    }
    for (int k = 0; k < v->n && strcmp(v->columns[i], "spec") == 0; k++) {
        if (strcmp(v->columns[k], "preset") == 0) {
            return v->blank[k];
        }
    }
    return 1;
}

const char *
run_heading(const char *column)
{
    static const char *const SHORT[][2] = {
        {"batch_size", "batch"},       {"weight_decay", "decay"},
        {"label_smoothing", "smooth"}, {"test_fraction", "test part"},
        {"val_fraction", "val part"},  {"dataset", "data"},
        {"step_size", "step"},         {"split_seed", "split seed"},
    };
    for (size_t i = 0; i < sizeof SHORT / sizeof SHORT[0]; i++) {
        if (strcmp(SHORT[i][0], column) == 0) {
            return SHORT[i][1];
        }
    }
    return column;
}

const char *
run_plural(long long n)
{
    return n == 1 ? "run" : "runs";
}

int
run_column_check(struct cli *c, const char *option, const char *name,
                 struct err *e)
{
    const char *const *names = store_run_columns(c->store);
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            return 0;
        }
    }
    const char *like = cli_suggest(name, names);
    if (like) {
        return err_set(e, ERR_USAGE,
                       "%s: unknown column \"%.80s\" (did you mean %s?)",
                       option, name, like);
    }
    return err_set(e, ERR_USAGE,
                   "%s: unknown column \"%.80s\"; 'ls --json' shows them all",
                   option, name);
}
