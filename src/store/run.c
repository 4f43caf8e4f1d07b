/* SPDX-License-Identifier: MIT */
/* A run's row: made, read, started, ended. */
#include "config.h"

#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

/* ---- names and tags ------------------------------------------------------ */

/* Printable as it is, and no blanks around it. */
static int
is_plain(const char *s, struct err *e, const char *what)
{
    struct str b;
    int same, failed;

    str_init(&b);
    str_add_visible(&b, s);
    same = strcmp(b.s, s) == 0;
    failed = str_failed(&b);
    str_release(&b);
    if (failed)
        return err_nomem(e, what, strlen(s));
    if (!same)
        return err_set(e, ERR_USAGE,
                       "%s: control characters and bytes that are not UTF-8 "
                       "are not allowed",
                       what);
    if (*s == '\0')
        return err_set(e, ERR_USAGE, "%s: empty", what);
    if (s[0] == ' ' || s[strlen(s) - 1] == ' ')
        return err_set(e, ERR_USAGE, "%s: a blank at its beginning or end",
                       what);
    return 0;
}

int
db_check_name(const char *name, struct err *e)
{
    size_t digits = strspn(name, "0123456789");
    int rc = is_plain(name, e, "name");

    if (rc < 0)
        return rc;
    if (strlen(name) >= sizeof(((struct run *)0)->name))
        return err_set(e, ERR_USAGE, "name: longer than %d bytes",
                       (int)sizeof(((struct run *)0)->name) - 1);
    if (name[digits] == '\0')
        return err_set(e, ERR_USAGE, "name: \"%s\" is all digits, as an id is",
                       name);
    if (strncmp(name + digits, "..", 2) == 0 &&
        name[digits + 2 + strspn(name + digits + 2, "0123456789")] == '\0')
        return err_set(e, ERR_USAGE, "name: \"%s\" reads as a range of ids",
                       name);
    if (strchr(name, '@'))
        return err_set(e, ERR_USAGE, "name: \"%s\" has an @", name);
    return 0;
}

int
db_check_tag(const char *tag, struct err *e)
{
    int rc = is_plain(tag, e, "tag");

    if (rc < 0)
        return rc;
    if (strlen(tag) > 64)
        return err_set(e, ERR_USAGE, "tag: longer than 64 bytes");
    if (strpbrk(tag, " ,\"()|*?"))
        return err_set(e, ERR_USAGE,
                       "tag: \"%s\" has a blank or one of , \" ( ) | * ?", tag);
    return 0;
}

/* 1: a run outside the trash has the name. */
static int
name_taken(struct store *s, const char *name, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_NAME_TAKEN, &st, e);

    if (rc < 0)
        return rc;
    db_text(s, st, ":name", name);
    rc = db_step(s, st, e);
    db_done(st);
    return rc;
}

int
db_unique_name(struct store *s, const char *base, struct str *out,
               struct err *e)
{
    sqlite3_stmt *st;
    int64_t last;
    int rc = name_taken(s, base, e);

    str_clear(out);
    str_add(out, base);
    if (rc <= 0)
        return rc;
    rc = db_stmt(s, SQL_RUN_NAME_SUFFIX, &st, e);
    if (rc < 0)
        return rc;
    db_text(s, st, ":base", base);
    rc = db_step(s, st, e);
    if (rc <= 0)
        return rc;
    last = sqlite3_column_int64(st, 0);
    db_done(st);
    str_addf(out, " #%lld", last < 2 ? 2LL : (long long)last + 1);
    return str_failed(out) ? err_nomem(e, "a name", strlen(base)) : 0;
}

int
db_base_name(const struct hyper *h, struct str *out, struct err *e)
{
    str_clear(out);
    hyper_name(h, out);
    /* Room for the number of one of many. */
    if (out->len > 110) {
        out->len = 110;
        while (((unsigned char)out->s[out->len] & 0xC0) == 0x80)
            out->len--;
        out->s[out->len] = '\0';
    }
    return str_failed(out) ? err_nomem(e, "a name", 64) : 0;
}

/* The user's name if it is free; else the one that the fields make. */
static int
choose_name(struct store *s, const struct run_new *n, struct str *out,
            struct err *e)
{
    struct str base;
    int rc;

    str_clear(out);
    if (n->name) {
        rc = db_check_name(n->name, e);
        if (rc == 0)
            rc = name_taken(s, n->name, e);
        if (rc > 0)
            rc = err_set(e, ERR_USAGE, "a run is called \"%s\" already",
                         n->name);
        str_add(out, n->name);
        return rc;
    }
    str_init(&base);
    rc = db_base_name(n->h, &base, e);
    if (rc == 0)
        rc = db_unique_name(s, base.s, out, e);
    str_release(&base);
    return rc;
}

/* ---- hyperparameters ⇄ columns ------------------------------------------- */

void
db_bind_hyper(struct store *s, sqlite3_stmt *st, const struct hyper *h)
{
    char param[64];
    int i;

    for (i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const char *at = (const char *)h + f->offset;

        snprintf(param, sizeof(param), ":%s", f->column);
        switch (f->type) {
        case HYPER_INT:
            db_int(s, st, param, *(const long long *)(const void *)at);
            break;
        case HYPER_REAL:
            db_real(s, st, param, *(const double *)(const void *)at);
            break;
        case HYPER_CHOICE:
            db_text(s, st, param, f->choices[*(const int *)(const void *)at]);
            break;
        case HYPER_FLAG:
            db_int(s, st, param, *(const int *)(const void *)at);
            break;
        case HYPER_TEXT:
            db_text(s, st, param, at);
            break;
        }
    }
}

static int
column(sqlite3_stmt *st, const char *name)
{
    int i, n = sqlite3_column_count(st);

    for (i = 0; i < n; i++)
        if (strcmp(sqlite3_column_name(st, i), name) == 0)
            return i;
    assert(!"column exists");
    return 0;
}

static int
read_choice(const struct hyper_field *f, const char *text, int *out,
            struct err *e)
{
    int i;

    for (i = 0; f->choices[i]; i++)
        if (text && strcmp(text, f->choices[i]) == 0) {
            *out = i;
            return 0;
        }
    return err_set(e, ERR_FAIL, "%s \"%.40s\" is unknown to this program",
                   f->column, text ? text : "");
}

static int
read_hyper(sqlite3_stmt *st, struct hyper *h, struct err *e)
{
    int i, col, rc = 0;

    memset(h, 0, sizeof(*h));
    for (i = 0; rc == 0 && i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        char *at = (char *)h + f->offset;

        col = column(st, f->column);
        switch (f->type) {
        case HYPER_INT:
            *(long long *)(void *)at = sqlite3_column_int64(st, col);
            break;
        case HYPER_REAL:
            *(double *)(void *)at = sqlite3_column_double(st, col);
            break;
        case HYPER_CHOICE:
            rc = read_choice(f, (const char *)sqlite3_column_text(st, col),
                             (int *)(void *)at, e);
            break;
        case HYPER_FLAG:
            *(int *)(void *)at = sqlite3_column_int(st, col) != 0;
            break;
        case HYPER_TEXT:
            db_column_text(st, col, at, f->size);
            break;
        }
    }
    return rc;
}

/* ---- rows ---------------------------------------------------------------- */

static int
insert_tags(struct store *s, int64_t id, const struct run_new *n, struct err *e)
{
    sqlite3_stmt *st;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < n->n_tags; i++) {
        rc = db_check_tag(n->tags[i], e);
        if (rc == 0)
            rc = db_stmt(s, SQL_TAG_INSERT, &st, e);
        if (rc == 0) {
            db_int(s, st, ":id", id);
            db_text(s, st, ":tag", n->tags[i]);
            rc = db_run(s, st, e);
        }
    }
    return rc;
}

static int
insert(struct store *s, const struct run_new *n, const char *name, int64_t *id,
       struct err *e)
{
    char uuid[37], now[SYS_TIME_LEN], user[128];
    sqlite3_stmt *st;
    int rc = sys_uuid(uuid, e);

    if (rc == 0)
        rc = db_stmt(s, SQL_RUN_INSERT, &st, e);
    if (rc < 0)
        return rc;
    sys_now(now);
    sys_user(user, sizeof(user));
    db_text(s, st, ":uuid", uuid);
    db_text(s, st, ":name", name);
    db_text(s, st, ":model", hyper_model(n->h));
    db_text(s, st, ":user", user);
    db_text(s, st, ":created_at", now);
    db_text(s, st, ":note", n->note ? n->note : "");
    db_int(s, st, ":dataset_id", n->dataset_id);
    db_int(s, st, ":sweep_id", n->sweep_id);
    db_int(s, st, ":parent_id", n->parent_id);
    db_int(s, st, ":threads", n->threads);
    db_bind_hyper(s, st, n->h);
    rc = db_run(s, st, e);
    if (rc == 0) {
        *id = sqlite3_last_insert_rowid(s->db);
        rc = insert_tags(s, *id, n, e);
    }
    return rc;
}

int
store_run_insert(struct store *s, const struct run_new *n, int64_t *id,
                 struct err *e)
{
    struct str name;
    int rc;

    *id = 0;
    rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    str_init(&name);
    rc = choose_name(s, n, &name, e);
    if (rc == 0 && str_failed(&name))
        rc = err_nomem(e, "a name", 128);
    if (rc == 0)
        rc = insert(s, n, name.s, id, e);
    rc = db_end(s, rc, e);
    str_release(&name);
    return rc;
}

static void
read_texts(sqlite3_stmt *st, struct run *r)
{
#define TEXT(member) \
    db_column_text(st, column(st, #member), r->member, sizeof(r->member))
    TEXT(uuid);
    TEXT(name);
    TEXT(status);
    TEXT(request);
    TEXT(user);
    TEXT(engine);
    TEXT(created_at);
    TEXT(started_at);
    TEXT(finished_at);
    TEXT(kernel);
    TEXT(program_version);
    TEXT(compiler);
    TEXT(host);
    TEXT(error);
    TEXT(note);
#undef TEXT
}

static void
read_numbers(sqlite3_stmt *st, struct run *r)
{
#define NUMBER(member) r->member = sqlite3_column_int64(st, column(st, #member))
#define SMALL(member) r->member = sqlite3_column_int(st, column(st, #member))
    NUMBER(dataset_id);
    NUMBER(sweep_id);
    NUMBER(parent_id);
    NUMBER(worker_id);
    NUMBER(position);
    SMALL(epochs_done);
    SMALL(result_epoch);
    SMALL(numerics);
    SMALL(threads);
    SMALL(threads_wanted);
    SMALL(starred);
#undef NUMBER
#undef SMALL
}

int
store_run_get(struct store *s, int64_t id, struct run *r, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_GET, &st, e);

    memset(r, 0, sizeof(*r));
    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = db_step(s, st, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "no run %lld", (long long)id);
    r->id = id;
    read_texts(st, r);
    read_numbers(st, r);
    r->trashed =
        sqlite3_column_type(st, column(st, "deleted_at")) != SQLITE_NULL;
    rc = read_hyper(st, &r->h, e);
    db_done(st);
    return rc < 0 ? err_wrap(e, rc, "run %lld", (long long)id) : 0;
}

int
db_status(struct store *s, int64_t id, struct run_status *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_RUN_STATUS_GET, &st, e);

    if (rc < 0)
        return rc;
    db_int(s, st, ":id", id);
    rc = db_step(s, st, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "no run %lld", (long long)id);
    db_column_text(st, 0, out->status, sizeof(out->status));
    db_column_text(st, 4, out->request, sizeof(out->request));
    db_column_text(st, 1, out->name, sizeof(out->name));
    out->starred = sqlite3_column_int(st, 2);
    out->trashed = sqlite3_column_type(st, 3) != SQLITE_NULL;
    db_done(st);
    return 0;
}

int
db_event(struct store *s, int64_t id, const char *level, const char *text,
         struct err *e)
{
    char now[SYS_TIME_LEN];
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_EVENT_INSERT, &st, e);

    if (rc < 0)
        return rc;
    sys_now(now);
    db_int(s, st, ":id", id);
    db_text(s, st, ":now", now);
    db_text(s, st, ":level", level);
    db_text(s, st, ":text", text);
    return db_run(s, st, e);
}

int
store_event(struct store *s, int64_t id, const char *level, const char *text,
            struct err *e)
{
    int rc = db_begin(s, e);

    if (rc < 0)
        return rc;
    return db_end(s, db_event(s, id, level, text, e), e);
}
