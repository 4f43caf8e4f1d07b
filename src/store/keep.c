/* SPDX-License-Identifier: MIT */
/* Housekeeping: names, notes, stars, tags, the trash. */
#include "config.h"

#include "store/db.h"

#include <string.h>

#include "fmnist/sys.h"

/* One parameter that a statement has besides :id. */
struct param {
    const char *name; /* NULL: none */
    const char *text; /* NULL: the number counts */
    int64_t i;
};

static int
change(struct store *s, enum sql id, int64_t run, const struct param *p,
       int *changed, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", run);
    if (p && p->text)
        db_text(s, st, p->name, p->text);
    else if (p)
        db_int(s, st, p->name, p->i);
    rc = db_run(s, st, e);
    if (rc == 0)
        *changed += sqlite3_changes(s->db);
    return rc;
}

/* The same for each run, in one transaction. */
static int
change_all(struct store *s, enum sql id, const struct run_ids *r,
           const struct param *p, int *changed, struct err *e)
{
    size_t i;
    int rc = db_begin(s, e);

    *changed = 0;
    if (rc < 0)
        return rc;
    for (i = 0; rc == 0 && i < r->n; i++)
        rc = change(s, id, r->ids[i], p, changed, e);
    rc = db_end(s, rc, e);
    if (rc < 0)
        *changed = 0;
    return rc;
}

/* ERR_USAGE where another run outside the trash has the name. */
static int
name_is_free(struct store *s, int64_t id, const char *name, struct err *e)
{
    sqlite3_stmt *st;
    int64_t other = id;
    int rc = db_stmt(s, SQL_RUN_NAME_TAKEN, &st, e);

    if (rc < 0)
        return rc;
    db_text(s, st, ":name", name);
    rc = db_step(s, st, e);
    if (rc > 0)
        other = sqlite3_column_int64(st, 0);
    db_done(st);
    if (rc >= 0 && other != id)
        rc = err_set(e, ERR_USAGE, "run %lld is called \"%s\" already",
                     (long long)other, name);
    return rc < 0 ? rc : 0;
}

int
store_run_rename(struct store *s, int64_t id, const char *name, struct err *e)
{
    struct param p = {":name", name, 0};
    struct run_status is;
    int changed = 0;
    int rc = db_check_name(name, e);

    if (rc == 0)
        rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    rc = db_status(s, id, &is, e);
    if (rc == 0 && !is.trashed)
        rc = name_is_free(s, id, name, e);
    if (rc == 0)
        rc = change(s, SQL_RUN_RENAME, id, &p, &changed, e);
    return db_end(s, rc, e);
}

int
store_run_note(struct store *s, const struct run_ids *r, const char *note,
               int *changed, struct err *e)
{
    struct param p = {":note", note, 0};

    *changed = 0;
    if (strlen(note) >= sizeof(((struct run *)0)->note))
        return err_set(e, ERR_USAGE, "note: longer than %d bytes",
                       (int)sizeof(((struct run *)0)->note) - 1);
    return change_all(s, SQL_RUN_NOTE, r, &p, changed, e);
}

int
store_run_star(struct store *s, const struct run_ids *r, int on, int *changed,
               struct err *e)
{
    struct param p = {":on", NULL, on != 0};

    return change_all(s, SQL_RUN_STAR, r, &p, changed, e);
}

int
store_run_tag(struct store *s, const struct run_ids *r, const char *tag, int on,
              int *changed, struct err *e)
{
    struct param p = {":tag", tag, 0};
    int rc = on ? db_check_tag(tag, e) : 0;

    *changed = 0;
    if (rc < 0)
        return rc;
    return change_all(s, on ? SQL_TAG_INSERT : SQL_TAG_DELETE, r, &p, changed,
                      e);
}

/* Why a run stays, or 0: it can go. */
static int
kept_because(struct store *s, int64_t id, int single, struct err *e)
{
    struct run_status is;
    int rc = db_status(s, id, &is, e);

    if (rc < 0)
        return rc;
    if (is.trashed)
        return 0;
    if (strcmp(is.status, "running") == 0)
        return single
                   ? err_set(e, ERR_FAIL, "run %lld is running; stop it first",
                             (long long)id)
                   : 1;
    if (is.starred)
        return single ? err_set(e, ERR_FAIL,
                                "run %lld is starred; take the star off first",
                                (long long)id)
                      : 1;
    return 0;
}

int
store_run_trash(struct store *s, const struct run_ids *r, int *changed,
                int *kept, struct err *e)
{
    char now[SYS_TIME_LEN];
    struct param p = {":now", now, 0};
    size_t i;
    int rc = db_begin(s, e);

    *changed = *kept = 0;
    if (rc < 0)
        return rc;
    sys_now(now);
    for (i = 0; rc == 0 && i < r->n; i++) {
        rc = kept_because(s, r->ids[i], r->n == 1, e);
        if (rc == 0)
            rc = change(s, SQL_RUN_TRASH, r->ids[i], &p, changed, e);
        if (rc > 0) {
            ++*kept;
            rc = 0;
        }
    }
    rc = db_end(s, rc, e);
    if (rc < 0)
        *changed = *kept = 0;
    return rc;
}

/* A run whose name was taken meanwhile comes back as "name #2". */
static int
restore_one(struct store *s, int64_t id, int *changed, struct err *e)
{
    struct param p = {":name", NULL, 0};
    struct run_status is;
    struct str name;
    int rc = db_status(s, id, &is, e);

    if (rc < 0 || !is.trashed)
        return rc;
    str_init(&name);
    rc = db_unique_name(s, is.name, &name, e);
    if (rc == 0 && str_failed(&name))
        rc = err_nomem(e, "a name", sizeof(is.name));
    p.text = name.s;
    if (rc == 0)
        rc = change(s, SQL_RUN_RESTORE, id, &p, changed, e);
    str_release(&name);
    return rc;
}

int
store_run_restore(struct store *s, const struct run_ids *r, int *changed,
                  struct err *e)
{
    size_t i;
    int rc = db_begin(s, e);

    *changed = 0;
    if (rc < 0)
        return rc;
    for (i = 0; rc == 0 && i < r->n; i++)
        rc = restore_one(s, r->ids[i], changed, e);
    rc = db_end(s, rc, e);
    if (rc < 0)
        *changed = 0;
    return rc;
}

static int
purge_one(struct store *s, int64_t id, int *changed, struct err *e)
{
    struct run_status is;
    int rc = db_status(s, id, &is, e);

    if (rc == 0 && !is.trashed)
        rc =
            err_set(e, ERR_FAIL, "run %lld is not in the trash", (long long)id);
    return rc < 0 ? rc : change(s, SQL_RUN_PURGE, id, NULL, changed, e);
}

int
store_run_purge(struct store *s, const struct run_ids *r, int *changed,
                struct err *e)
{
    size_t i;
    int rc = db_begin(s, e);

    *changed = 0;
    if (rc < 0)
        return rc;
    for (i = 0; r && rc == 0 && i < r->n; i++)
        rc = purge_one(s, r->ids[i], changed, e);
    if (!r) {
        rc = db_exec(s, SQL_RUN_PURGE_ALL, e);
        *changed = sqlite3_changes(s->db);
    }
    rc = db_end(s, rc, e);
    if (rc < 0)
        *changed = 0;
    return rc;
}
