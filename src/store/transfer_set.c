/* SPDX-License-Identifier: MIT */
/* Data sets with their images, and sweeps, from one database to another. */
#include "config.h"

#include "store/transfer.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/str.h"

static struct cell *
cell_of(const struct transfer *t, enum table_id p, struct cell *cells,
        const char *column)
{
    return &cells[table_field(t, p, column)];
}

static void
set_text(struct cell *c, const char *s)
{
    *c = (struct cell){.type = CELL_TEXT, .s = s, .n = strlen(s)};
}

/* ---- class names --------------------------------------------------------- */

/* Row k of the array that `st` takes apart. */
static int
take_class(sqlite3_stmt *st, int k, char out[CLASS_NAME_MAX], struct err *e)
{
    const char *name = (const char *)sqlite3_column_text(st, 1);
    int n = sqlite3_column_bytes(st, 1);
    int ok = k < N_CLASSES && sqlite3_column_int(st, 0) && name && n > 0 &&
             n < CLASS_NAME_MAX && strlen(name) == (size_t)n;

    if (ok)
        ok = is_line(name, e);
    if (ok > 0)
        memcpy(out, name, (size_t)n + 1);
    return ok < 0 ? ok : ok > 0 ? 1 : 0;
}

/* The names, if the text is a JSON array of ten of them. */
static int
read_classes(struct transfer *t, const struct cell *text,
             char out[N_CLASSES][CLASS_NAME_MAX], struct err *e)
{
    sqlite3_stmt *st;
    int k = 0, rc = db_stmt(t->to, SQL_TRANSFER_CLASSES, &st, e);

    if (rc < 0)
        return rc;
    db_text(t->to, st, ":names", text->s);
    while ((rc = db_step(t->to, st, e)) > 0) {
        rc = take_class(st, k, out[k < N_CLASSES ? k : 0], e);
        if (rc <= 0)
            break;
        k++;
    }
    db_done(st);
    if (rc < 0)
        return rc;
    if (k != N_CLASSES)
        return err_set(e, ERR_FAIL,
                       "class_names: expected a JSON array of %d names of 1 to "
                       "%d bytes, found \"%.60s\"",
                       N_CLASSES, CLASS_NAME_MAX - 1, text->s);
    return 0;
}

/* ---- the set ------------------------------------------------------------- */

/* The number of the set here, 0 where it is not known. */
static int
find_set(struct transfer *t, const struct cell *cells, struct pair *out,
         struct err *e)
{
    const char *sha256 = cells[table_field(t, TABLE_SET, "sha256")].s;
    int64_t n = cells[table_field(t, TABLE_SET, "n_images")].i;
    sqlite3_stmt *st;
    int rc = db_stmt(t->to, SQL_TRANSFER_FIND_SET, &st, e);

    if (rc < 0)
        return rc;
    db_text(t->to, st, ":sha256", sha256);
    rc = db_step(t->to, st, e);
    out->here = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
    out->images = rc > 0 ? sqlite3_column_int64(st, 1) : n;
    db_done(st);
    if (rc > 0 && out->images != n)
        return err_set(e, ERR_FAIL,
                       "n_images: the set of SHA-256 %.16s… has %lld images, "
                       "not %lld",
                       sha256, (long long)out->images, (long long)n);
    return rc < 0 ? rc : 0;
}

static int
add_set(struct transfer *t, struct cell *cells, struct pair *out, struct err *e)
{
    char names[N_CLASSES][CLASS_NAME_MAX];
    struct str name, classes;
    int rc =
        read_classes(t, cell_of(t, TABLE_SET, cells, "class_names"), names, e);

    if (rc < 0)
        return rc;
    str_init(&name);
    str_init(&classes);
    db_add_classes(&classes, (const char(*)[CLASS_NAME_MAX])names);
    rc = db_set_name(t->to, cell_of(t, TABLE_SET, cells, "name")->s, &name, e);
    if (rc == 0 && str_failed(&classes))
        rc = err_nomem(e, "class names", 512);
    if (rc == 0) {
        set_text(cell_of(t, TABLE_SET, cells, "name"), name.s);
        set_text(cell_of(t, TABLE_SET, cells, "class_names"), classes.s);
        rc = table_put(t, TABLE_SET, 0, cells, e);
        out->here = sqlite3_last_insert_rowid(t->to->db);
    }
    str_release(&name);
    str_release(&classes);
    return rc;
}

/* Finds the set by its row, or adds it. */
static int
place_set(struct transfer *t, int64_t there, struct pair *out, struct err *e)
{
    struct cell cells[RUN_FIELDS_MAX];
    int rc = table_get(t, TABLE_SET, there, cells, e);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_FAIL,
                       "%s: a run refers to data set %lld, which does not "
                       "exist",
                       t->from->path, (long long)there);
    if (cell_of(t, TABLE_SET, cells, "n_fixed_test")->i >
        cell_of(t, TABLE_SET, cells, "n_images")->i)
        rc = err_set(e, ERR_FAIL, "n_fixed_test: more than there are images");
    else
        rc = find_set(t, cells, out, e);
    if (rc == 0 && out->here == 0)
        rc = add_set(t, cells, out, e);
    table_done(t, TABLE_SET);
    return transfer_blame(t, TABLE_SET, there, rc, e);
}

/* ---- images -------------------------------------------------------------- */

struct gallery {
    const struct pair *set;
    int added;
};

/* 1 where the image is here already; it must be the same then. */
static int
check_image(struct transfer *t, struct cell *cells, void *arg, struct err *e)
{
    struct gallery *g = arg;
    const struct cell *label = &cells[1], *pixels = &cells[2];
    sqlite3_stmt *st;
    int rc, same;

    if (cells[0].i >= g->set->images)
        return err_set(e, ERR_FAIL, "image %lld of %lld", (long long)cells[0].i,
                       (long long)g->set->images);
    rc = db_stmt(t->to, SQL_IMAGE_GET, &st, e);
    if (rc < 0)
        return rc;
    db_int(t->to, st, ":id", g->set->here);
    db_int(t->to, st, ":image", cells[0].i);
    rc = db_step(t->to, st, e);
    g->added |= rc == 0;
    if (rc <= 0)
        return rc;
    same = sqlite3_column_int64(st, 0) == label->i &&
           (size_t)sqlite3_column_bytes(st, 1) == pixels->n &&
           memcmp(sqlite3_column_blob(st, 1), pixels->s, pixels->n) == 0;
    db_done(st);
    return same ? 1
                : err_set(e, ERR_FAIL,
                          "image %lld is not the same as here, though the set "
                          "is",
                          (long long)cells[0].i);
}

int
transfer_set(struct transfer *t, int64_t there, struct pair *out, struct err *e)
{
    const struct pair *known = map_find(&t->sets, there);
    char fault[TRANSFER_FAULT] = "";
    struct gallery g = {out, 0};
    int rc;

    if (known) {
        *out = *known;
        return 0;
    }
    out->there = there;
    rc = place_set(t, there, out, e);
    if (rc == 0)
        rc =
            transfer_rows(t, TABLE_IMAGE, there, out->here, check_image, &g, e);
    if (rc == 0 && g.added)
        rc = db_check_set(t->to, out->here, transfer_fault, fault, e);
    if (rc == 0 && *fault)
        rc = err_set(e, ERR_FAIL, "%s: data set %lld%s", t->from->path,
                     (long long)there, fault);
    return rc < 0 ? rc : map_add(&t->sets, out, e);
}

/* ---- sweeps -------------------------------------------------------------- */

int
transfer_sweep(struct transfer *t, int64_t there, int64_t *here, struct err *e)
{
    struct cell cells[RUN_FIELDS_MAX];
    int rc = table_get(t, TABLE_SWEEP, there, cells, e);

    *here = 0;
    if (rc <= 0)
        return rc;
    rc = db_find(t->to, SQL_TRANSFER_FIND_SWEEP, ":uuid",
                 cell_of(t, TABLE_SWEEP, cells, "uuid")->s, here, e);
    if (rc == 0 && *here == 0) {
        rc = table_put(t, TABLE_SWEEP, 0, cells, e);
        *here = sqlite3_last_insert_rowid(t->to->db);
    }
    table_done(t, TABLE_SWEEP);
    return rc;
}
