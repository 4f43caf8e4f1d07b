/* SPDX-License-Identifier: MIT */
/* Data sets that the database knows: info, ls, add, locate. */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

#include <stdlib.h>
#include <string.h>

#include "cli/data_arg.h"
#include "fmnist/mem.h"

/* ---- data info -- */

static void
count_classes(const struct dataset *d, uint32_t count[N_CLASSES])
{
    memset(count, 0, N_CLASSES * sizeof(*count));
    for (uint32_t i = 0; i < d->n; i++) {
        count[d->labels[i]]++;
    }
}

static void
add_info_text(struct str *b, const struct dataset *d)
{
    uint32_t count[N_CLASSES];
    count_classes(d, count);
    str_add(b, "name      ");
    str_add_visible(b, d->name);
    str_addf(b, "\nimages    %u", d->n);
    if (d->n_fixed_test > 0) {
        str_addf(b, ", the last %u are its own test part", d->n_fixed_test);
    }
    str_add(b, "\nsource    ");
    str_add_visible(b, d->source);
    str_addf(b, "\nsha256    %s\n\n", d->sha256);
    for (int k = 0; k < N_CLASSES; k++) {
        str_addf(b, "%d %8u  ", k, count[k]);
        str_add_visible(b, d->class_names[k]);
        str_addc(b, '\n');
    }
}

static void
add_info_json(struct str *b, const struct dataset *d)
{
    uint32_t count[N_CLASSES];
    count_classes(d, count);
    str_add(b, "{\"name\":");
    str_add_json(b, d->name);
    str_addf(b, ",\"images\":%u,\"fixed_test\":%u,\"source\":", d->n,
             d->n_fixed_test);
    str_add_json(b, d->source);
    str_addf(b, ",\"sha256\":\"%s\",\"classes\":[", d->sha256);
    for (int k = 0; k < N_CLASSES; k++) {
        str_addf(b, "%s{\"class\":%d,\"name\":", k ? "," : "", k);
        str_add_json(b, d->class_names[k]);
        str_addf(b, ",\"images\":%u}", count[k]);
    }
    str_add(b, "]}\n");
}

static const struct cli_option INFO_OPTIONS[] = {
    {.name = "json", .help = "one object"}, {0}};

static int
run_info(struct cli *c, struct err *e)
{
    struct dataset *d = NULL;
    struct str b;
    int rc = data_arg_load(c, c->argc > 0 ? c->argv[0] : "small", &d, e);
    if (rc) {
        return rc;
    }
    str_init(&b);
    if (cli_given(c, "json")) {
        add_info_json(&b, d);
    } else {
        add_info_text(&b, d);
    }
    rc = output_text(c, &b, e);
    str_release(&b);
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_data_info = {
    .name = "data info",
    .operands = "[DATA]",
    .summary = "count the images of a set and print its identity",
    .group = GROUP_DATA,
    .options = INFO_OPTIONS,
    .min = 0,
    .max = 1,
    .notes = DATA_ARG_NOTES,
    .examples = "fmnist-tui data info full\n",
    .run = run_info,
};

/* ---- data ls -- */

static const struct output_column LS_COLUMNS[] = {
    {"id", NULL, FORM_PLAIN, NULL, 4},
    {"name", NULL, FORM_PLAIN, NULL, 0},
    {"n_images", "images", FORM_PLAIN, NULL, 1},
    {"n_fixed_test", "own test", FORM_PLAIN, NULL, 5},
    {"runs", NULL, FORM_PLAIN, NULL, 3},
    {"source", NULL, FORM_PLAIN, NULL, 2},
};

static int
run_ls(struct cli *c, struct err *e)
{
    static const struct output_spec spec = {
        .columns = LS_COLUMNS,
        .n_columns = sizeof(LS_COLUMNS) / sizeof(LS_COLUMNS[0]),
    };
    struct output *o = NULL;
    int empty = 0;

    int rc = cli_store_or_empty(c, &empty, e);
    if (!rc) {
        rc = output_open(c, &spec, &o, e);
    }
    if (!rc && !empty) {
        rc = store_datasets(c->store, output_row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    if (output_rows(o) == 0) {
        cli_message(c, "no set has been used or added yet; small and full need "
                       "no adding");
    }
    return output_close(o, e);
}

const struct cli_command cmd_data_ls = {
    .name = "data ls",
    .operands = "",
    .summary = "list the sets that the database knows",
    .group = GROUP_DATA,
    .takes = CLI_TAKES_OUTPUT,
    .run = run_ls,
};

/* ---- data add -- */

static const struct cli_option ADD_OPTIONS[] = {
    {.name = "name",
     .type = CLI_TEXT,
     .arg = "NAME",
     .help = "how --data finds it; needed"},
    {.name = "class-names",
     .type = CLI_TEXT,
     .arg = "A,B,...",
     .help = "ten names, in the order of the labels"},
    {0}};

static int
parse_class_names(const char *text, char names[N_CLASSES][CLASS_NAME_MAX],
                  struct err *e)
{
    int n = 0;
    for (const char *p = text;; n++) {
        size_t len = strcspn(p, ",");
        if (n == N_CLASSES || len == 0 || len >= CLASS_NAME_MAX) {
            return err_set(e, ERR_USAGE,
                           "--class-names: expected %d names of 1 to %d bytes, "
                           "separated by commas; see number %d",
                           N_CLASSES, CLASS_NAME_MAX - 1, n + 1);
        }
        memcpy(names[n], p, len);
        names[n][len] = '\0';
        for (int i = 0; i < n; i++) {
            if (strcmp(names[i], names[n]) == 0) {
                return err_set(e, ERR_USAGE,
                               "--class-names: \"%s\" is given "
                               "twice",
                               names[n]);
            }
        }
        if (p[len] == '\0') {
            break;
        }
        p += len + 1;
    }
    return n + 1 == N_CLASSES ? 0
                              : err_set(e, ERR_USAGE,
                                        "--class-names: expected %d names, "
                                        "found %d",
                                        N_CLASSES, n + 1);
}

/* A name that --data can tell from a path and a listing can show. */
static int
check_name(const char *name, struct err *e)
{
    static const char *const taken[] = {"small", "full"};
    size_t len = strlen(name);
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, taken[i]) == 0) {
            return err_set(e, ERR_USAGE,
                           "--name: \"%s\" is the name of a "
                           "built-in set",
                           name);
        }
    }
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '/') {
            len = 0;
        }
    }
    return len >= 1 && len < 128 ? 0
                                 : err_set(e, ERR_USAGE,
                                           "--name: expected 1 to 127 bytes "
                                           "without / and control characters");
}

static int
run_add(struct cli *c, struct err *e)
{
    char names[N_CLASSES][CLASS_NAME_MAX];
    const char *name = cli_text(c, "name");
    const char *classes = cli_text(c, "class-names");
    struct dataset_row before;
    struct dataset *d = NULL;

    if (!name) {
        return err_set(e, ERR_USAGE, "--name is needed");
    }
    int rc = check_name(name, e);
    if (!rc && classes) {
        rc = parse_class_names(classes, names, e);
    }
    if (!rc) {
        rc = dataset_load(c->argv[0], &d, e);
    }
    if (!rc) {
        rc = cli_store(c, STORE_WRITE, e);
    }
    if (!rc) {
        rc = store_dataset_add(
            c->store, d, name,
            classes ? (const char(*)[CLASS_NAME_MAX])names : NULL, &before, e);
    }
    if (!rc) {
        cli_message(c, "%s: %u images, sha256 %s", name, d->n, d->sha256);
    }
    if (!rc && before.id && strcmp(before.name, name) != 0) {
        cli_message(c, "the same images were called \"%s\" until now",
                    before.name);
    }
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_data_add = {
    .name = "data add",
    .operands = "FILE",
    .summary = "name a set and its classes",
    .group = GROUP_DATA,
    .options = ADD_OPTIONS,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui data add digits.csv.gz --name digits\n",
    .run = run_add,
};

/* ---- data locate -- */

static int
run_locate(struct cli *c, struct err *e)
{
    struct dataset_row row;
    struct dataset *d = NULL;

    int rc = cli_store_existing(c, e);
    if (!rc) {
        rc = store_dataset_find(c->store, c->argv[0], &row, e);
    }
    if (!rc) {
        rc = dataset_load(c->argv[1], &d, e);
    }
    if (!rc && strcmp(d->sha256, row.sha256) != 0) {
        rc = err_set(e, ERR_FAIL,
                     "%s: other images than those of %s: sha256 %s, expected "
                     "%s",
                     c->argv[1], row.name, d->sha256, row.sha256);
    }
    if (!rc) {
        rc = store_dataset_locate(c->store, row.id, d->source, e);
    }
    if (!rc) {
        cli_message(c, "%s: now at %s", row.name, d->source);
    }
    dataset_free(d);
    return rc;
}

const struct cli_command cmd_data_locate = {
    .name = "data locate",
    .operands = "NAME FILE",
    .summary = "tell where a set's file has moved to",
    .group = GROUP_DATA,
    .min = 2,
    .max = 2,
    .examples = "fmnist-tui data locate digits /mnt/digits.csv.gz\n",
    .run = run_locate,
};
