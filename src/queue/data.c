/* SPDX-License-Identifier: MIT */
/* Finding the data set that a user means. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/sys.h"

/* Digits of an identity that a message shows. */
#define SHOWN 12

/* Whether word is the very file that a row was read from.  Sets that were
 * never named are called by their path, and a path is not a promise about its
 * content as a name is. */
static int
is_path_of(const char *word, const struct dataset_row *row)
{
    char *path = NULL;
    int same;

    if (sys_absolute(word, &path, NULL) < 0) {
        return 0;
    }
    same = strcmp(path, row->source) == 0;
    mem_free(path);
    return same;
}

/* Gives d the name and classes of its row. */
static int
adopt(struct dataset *d, const struct dataset_row *row, struct err *e)
{
    char *name = mem_strdup(row->name);

    if (!name) {
        return err_nomem(e, "a name", strlen(row->name) + 1);
    }
    mem_free(d->name);
    d->name = name;
    memcpy(d->class_names, row->class_names, sizeof d->class_names);
    return 0;
}

static int
load_registered(const struct dataset_row *row, struct dataset **out,
                struct err *e)
{
    int rc = dataset_load(row->source, out, e);

    if (rc < 0) {
        return err_wrap(e, rc,
                        "data set \"%s\" ('fmnist-tui data locate' mends a "
                        "moved file)",
                        row->name);
    }
    if (strcmp((*out)->sha256, row->sha256) != 0) {
        rc = err_set(e, ERR_FAIL,
                     "data set \"%s\": %s holds other images (%.*s…) than "
                     "those registered (%.*s…); restore the file, or add it "
                     "under another name",
                     row->name, row->source, SHOWN, (*out)->sha256, SHOWN,
                     row->sha256);
    } else {
        rc = adopt(*out, row, e);
    }
    if (rc < 0) {
        dataset_free(*out);
        *out = NULL;
    }
    return rc;
}

int
runner_data(struct store *s, const char *word, struct dataset **out,
            struct err *e)
{
    struct dataset_row row;
    struct err own = {0};
    int rc;

    *out = NULL;
    if (!s || !strcmp(word, "small") || !strcmp(word, "full")) {
        return dataset_load(word, out, e);
    }
    rc = store_dataset_find(s, word, &row, &own);
    if (rc < 0 && rc != ERR_NOTFOUND) {
        return err_set(e, rc, "%s", own.msg);
    }
    if (rc == 0 && !is_path_of(word, &row)) {
        return load_registered(&row, out, e);
    }
    return dataset_load(word, out, e);
}

int
runner_dataset(struct store *s, int64_t id, struct dataset **out, struct err *e)
{
    struct dataset_row row;
    int rc = store_dataset_get(s, id, &row, e);

    *out = NULL;
    if (rc < 0) {
        return rc;
    }
    /* The sets that come with the program move with it. */
    if ((!strcmp(row.name, "small") || !strcmp(row.name, "full")) &&
        access(row.source, F_OK) < 0) {
        snprintf(row.source, sizeof row.source, "%s", row.name);
    }
    return load_registered(&row, out, e);
}
