/* SPDX-License-Identifier: MIT */
/* Data sets and their images. */
#include "config.h"

#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/str.h"
#include "fmnist/sys.h"

int
db_find(struct store *s, enum sql id, const char *param, const char *text,
        int64_t *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    *out = 0;
    if (rc < 0)
        return rc;
    db_text(s, st, param, text);
    rc = db_step(s, st, e);
    if (rc > 0)
        *out = sqlite3_column_int64(st, 0);
    db_done(st);
    return rc < 0 ? rc : 0;
}

int
db_set_name(struct store *s, const char *name, struct str *out, struct err *e)
{
    int64_t other;
    int i, rc;

    for (i = 1;; i++) {
        str_clear(out);
        str_add(out, name);
        if (i > 1)
            str_addf(out, " #%d", i);
        if (str_failed(out))
            return err_nomem(e, "a name", strlen(name));
        rc = db_find(s, SQL_DATASET_NAME_TAKEN, ":name", out->s, &other, e);
        if (rc < 0 || other == 0)
            return rc;
    }
}

void
db_add_classes(struct str *out, const char (*names)[CLASS_NAME_MAX])
{
    int i;

    str_addc(out, '[');
    for (i = 0; i < N_CLASSES; i++) {
        if (i)
            str_addc(out, ',');
        str_add_json(out, names[i]);
    }
    str_addc(out, ']');
}

static int
insert(struct store *s, const struct dataset *d, int64_t *id, struct err *e)
{
    char now[SYS_TIME_LEN];
    struct str name, classes;
    sqlite3_stmt *st;
    int rc;

    str_init(&name);
    str_init(&classes);
    db_add_classes(&classes, d->class_names);
    rc = db_set_name(s, d->name, &name, e);
    if (rc == 0 && str_failed(&classes))
        rc = err_nomem(e, "class names", 512);
    if (rc == 0)
        rc = db_stmt(s, SQL_DATASET_INSERT, &st, e);
    if (rc == 0) {
        sys_now(now);
        db_text(s, st, ":sha256", d->sha256);
        db_text(s, st, ":name", name.s);
        db_text(s, st, ":source", d->source);
        db_int(s, st, ":n_images", d->n);
        db_int(s, st, ":n_fixed_test", d->n_fixed_test);
        db_text(s, st, ":class_names", classes.s);
        db_text(s, st, ":now", now);
        rc = db_run(s, st, e);
        *id = sqlite3_last_insert_rowid(s->db);
    }
    str_release(&name);
    str_release(&classes);
    return rc;
}

static int
set_source(struct store *s, int64_t id, const char *source, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_DATASET_SOURCE, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_text(s, st, ":source", source);
    rc = db_run(s, st, e);
    if (rc == 0 && sqlite3_changes(s->db) == 0)
        rc = err_set(e, ERR_NOTFOUND, "no data set %lld", (long long)id);
    return rc;
}

static int
put(struct store *s, const struct dataset *d, int64_t *id, struct err *e)
{
    int rc = db_find(s, SQL_DATASET_BY_SHA256, ":sha256", d->sha256, id, e);

    if (rc == 0)
        rc = *id ? set_source(s, *id, d->source, e) : insert(s, d, id, e);
    return rc;
}

int
store_dataset_known(struct store *s, const char *sha256, int64_t *id,
                    struct err *e)
{
    return db_find(s, SQL_DATASET_BY_SHA256, ":sha256", sha256, id, e);
}

int
store_dataset_put(struct store *s, const struct dataset *d, int64_t *id,
                  struct err *e)
{
    int rc = db_begin(s, e);

    *id = 0;
    if (rc < 0)
        return rc;
    return db_end(s, put(s, d, id, e), e);
}

/* Small pieces: what is written between them waits for one piece only. */
enum { IMAGES_A_TRANSACTION = 2000 };

static int
put_image(struct store *s, int64_t id, const struct dataset *d, uint32_t image,
          struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_IMAGE_HAS, &st, e);

    assert(image < d->n);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    db_int(s, st, ":image", image);
    rc = db_step(s, st, e);
    db_done(st);
    if (rc == 0)
        rc = db_stmt(s, SQL_IMAGE_INSERT, &st, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    db_int(s, st, ":id", id);
    db_int(s, st, ":image", image);
    db_int(s, st, ":label", d->labels[image]);
    db_blob(s, st, ":pixels", d->pixels + (size_t)image * IMAGE_PIXELS,
            IMAGE_PIXELS);
    return db_run(s, st, e);
}

int
store_dataset_images(struct store *s, int64_t id, const struct dataset *d,
                     const uint32_t *images, uint32_t n, struct err *e)
{
    uint32_t i = 0, end;
    int rc = 0;

    while (rc == 0 && i < n) {
        end = n - i > IMAGES_A_TRANSACTION ? i + IMAGES_A_TRANSACTION : n;
        rc = db_begin(s, e);
        if (rc < 0)
            return rc;
        for (; rc == 0 && i < end; i++)
            rc = put_image(s, id, d, images[i], e);
        rc = db_end(s, rc, e);
    }
    return rc;
}

static int
read_classes(struct store *s, struct dataset_row *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_DATASET_CLASSES, &st, e);
    int k;

    for (k = 0; k < N_CLASSES; k++)
        snprintf(out->class_names[k], CLASS_NAME_MAX, "%d", k);
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", out->id);
    while ((rc = db_step(s, st, e)) > 0) {
        k = sqlite3_column_int(st, 0);
        if (k >= 0 && k < N_CLASSES)
            db_column_text(st, 1, out->class_names[k], CLASS_NAME_MAX);
    }
    return rc;
}

/* The statement is bound; a step gives the row. */
static int
read_row(struct store *s, sqlite3_stmt *st, struct dataset_row *out,
         struct err *e)
{
    int rc = db_step(s, st, e);

    if (rc <= 0)
        return rc < 0 ? rc : ERR_NOTFOUND;
    out->id = sqlite3_column_int64(st, 0);
    db_column_text(st, 1, out->sha256, sizeof(out->sha256));
    db_column_text(st, 2, out->name, sizeof(out->name));
    db_column_text(st, 3, out->source, sizeof(out->source));
    out->n = (uint32_t)sqlite3_column_int64(st, 4);
    out->n_fixed_test = (uint32_t)sqlite3_column_int64(st, 5);
    db_done(st);
    return read_classes(s, out, e);
}

int
store_dataset_get(struct store *s, int64_t id, struct dataset_row *out,
                  struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_DATASET_GET, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = read_row(s, st, out, e);
    if (rc == ERR_NOTFOUND)
        err_set(e, rc, "no data set %lld", (long long)id);
    return rc;
}

int
store_dataset_find(struct store *s, const char *name, struct dataset_row *out,
                   struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_DATASET_FIND, &st, e);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    db_text(s, st, ":name", name);
    rc = read_row(s, st, out, e);
    if (rc == ERR_NOTFOUND)
        err_set(e, rc, "no data set is called \"%s\"", name);
    return rc;
}

/* ERR_USAGE where another set has the name. */
static int
check_name(struct store *s, int64_t id, const char *name, struct err *e)
{
    int64_t other;
    int rc = db_check_name(name, e);

    if (rc == 0)
        rc = db_find(s, SQL_DATASET_NAME_TAKEN, ":name", name, &other, e);
    if (rc == 0 && other && other != id)
        rc = err_set(e, ERR_USAGE, "a data set is called \"%s\" already", name);
    return rc;
}

static int
set_name(struct store *s, int64_t id, const char *name,
         const char (*class_names)[CLASS_NAME_MAX], struct err *e)
{
    struct str classes;
    sqlite3_stmt *st;
    int rc = 0;

    str_init(&classes);
    if (class_names)
        db_add_classes(&classes, class_names);
    if (str_failed(&classes))
        rc = err_nomem(e, "class names", 512);
    if (rc == 0 && name)
        rc = check_name(s, id, name, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_DATASET_NAME, &st, e);
    if (rc == 0) {
        db_int(s, st, ":id", id);
        if (name)
            db_text(s, st, ":name", name);
        if (class_names)
            db_text(s, st, ":class_names", classes.s);
        rc = db_run(s, st, e);
        if (rc == 0 && sqlite3_changes(s->db) == 0)
            rc = err_set(e, ERR_NOTFOUND, "no data set %lld", (long long)id);
    }
    str_release(&classes);
    return rc;
}

int
store_dataset_name(struct store *s, int64_t id, const char *name,
                   const char (*class_names)[CLASS_NAME_MAX], struct err *e)
{
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    return db_end(s, set_name(s, id, name, class_names, e), e);
}

int
store_dataset_add(struct store *s, const struct dataset *d, const char *name,
                  const char (*class_names)[CLASS_NAME_MAX],
                  struct dataset_row *before, struct err *e)
{
    int64_t id = 0;
    int rc = db_begin(s, e);

    memset(before, 0, sizeof(*before));
    if (rc < 0)
        return rc;
    rc = db_find(s, SQL_DATASET_BY_SHA256, ":sha256", d->sha256, &id, e);
    if (rc == 0 && id)
        rc = store_dataset_get(s, id, before, e);
    if (rc == 0)
        rc = put(s, d, &id, e);
    if (rc == 0)
        rc = set_name(s, id, name, class_names, e);
    return db_end(s, rc, e);
}

int
store_dataset_locate(struct store *s, int64_t id, const char *source,
                     struct err *e)
{
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    return db_end(s, set_source(s, id, source, e), e);
}

int
store_datasets(struct store *s, row_fn fn, void *arg, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_DATASET_LIST, &st, e);

    return rc < 0 ? rc : rows_deliver(s, st, fn, arg, e);
}

int
store_image(struct store *s, int64_t dataset_id, uint32_t image,
            uint8_t pixels[IMAGE_PIXELS], uint8_t *label, struct err *e)
{
    sqlite3_stmt *st;
    int class, rc = db_stmt(s, SQL_IMAGE_GET, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", dataset_id);
    db_int(s, st, ":image", image);
    rc = db_step(s, st, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "image %u is not in the database",
                       (unsigned)image);
    class = db_column_class(st, 0);
    if (class < 0 || sqlite3_column_bytes(st, 1) != IMAGE_PIXELS) {
        rc = err_set(e, ERR_FAIL, "image %u is damaged", (unsigned)image);
    } else {
        *label = (uint8_t) class;
        memcpy(pixels, sqlite3_column_blob(st, 1), IMAGE_PIXELS);
        rc = 0;
    }
    db_done(st);
    return rc;
}
