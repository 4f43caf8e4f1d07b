/* SPDX-License-Identifier: MIT */
/* The schema: made, brought up to date, compared with what it should be. */
#include "config.h"

#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

int
db_newest(const struct store *s)
{
    int n = 0;

    while (s->env.migrations[n])
        n++;
    return n;
}

/* The side whose fault it is that copying failed with rc. */
static const char *
whose(int rc, const char *from, const char *to)
{
    switch (rc & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return from;
    }
    return rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ ? from : to;
}

/* Copies into file `to`; messages name the file that it will be. */
static int
copy_pages(struct store *s, const char *to, const char *name, struct err *e)
{
    struct store copy = {0};
    sqlite3_backup *b = NULL;
    int rc;

    rc = sqlite3_open_v2(to, &copy.db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(copy.db, 1);
        rc = sqlite3_exec(copy.db, sql_text(SQL_NO_JOURNAL), NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        b = sqlite3_backup_init(copy.db, "main", s->db, "main");
        if (b) {
            /* All pages at once, after waiting for a lock as any reader. */
            rc = sqlite3_backup_step(b, -1);
            sqlite3_backup_finish(b);
            rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
        } else {
            rc = sqlite3_extended_errcode(copy.db);
        }
    }
    if (rc != SQLITE_OK) {
        copy.path = (char *)whose(rc, s->path, name);
        rc = db_error(&copy, rc, e);
    }
    sqlite3_close(copy.db);
    return rc;
}

int
db_put_in_place(const char *tmp, const char *to, int replace, struct err *e)
{
    if (!replace) {
        if (link(tmp, to) == 0) {
            unlink(tmp);
            return 0;
        }
        /* File systems without hard links are left to rename. */
        if (errno == EEXIST)
            return err_sys(e, "cannot write %s", to);
    }
    return rename(tmp, to) < 0 ? err_sys(e, "cannot write %s", to) : 0;
}

int
db_temporary(const char *to, struct str *tmp, struct err *e)
{
    char uuid[37];
    int rc = sys_uuid(uuid, e);

    if (rc < 0)
        return rc;
    str_addf(tmp, "%s.%.8s.tmp", to, uuid);
    return str_failed(tmp) ? err_nomem(e, "a path", strlen(to) + 14) : 0;
}

int
db_copy(struct store *s, const char *to, int replace, struct err *e)
{
    struct str tmp;
    int rc;

    str_init(&tmp);
    rc = db_temporary(to, &tmp, e);
    if (rc == 0) {
        /* SQLite has synced the copy when the backup is done. */
        rc = copy_pages(s, tmp.s, to, e);
        if (rc == 0)
            rc = db_put_in_place(tmp.s, to, replace, e);
        if (rc < 0)
            unlink(tmp.s);
    }
    str_release(&tmp);
    return rc;
}

static int
keep_old(struct store *s, int64_t version, struct err *e)
{
    struct str to;
    int rc;

    str_init(&to);
    str_addf(&to, "%s.bak-v%d", s->path, (int)version);
    if (str_failed(&to))
        rc = err_nomem(e, "a path", strlen(s->path) + 16);
    else
        rc = db_copy(s, to.s, 1, e);
    str_release(&to);
    return rc;
}

/* In a transaction: the step from `version`, unless someone else was faster. */
static int
one_step(struct store *s, int64_t version, struct err *e)
{
    int64_t now, faults;
    int rc = db_get_int(s, SQL_USER_VERSION, &now, e);

    if (rc < 0 || now != version)
        return rc;
    rc = sqlite3_exec(s->db, s->env.migrations[version], NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return db_error(s, rc, e);
    rc = db_get_int(s, SQL_FOREIGN_KEY_FAULTS, &faults, e);
    if (rc == 0 && faults)
        rc = err_set(e, ERR_FAIL, "%lld rows refer to rows that do not exist",
                     (long long)faults);
    return rc;
}

static const char *
text(sqlite3_stmt *st, int col)
{
    const char *p = (const char *)sqlite3_column_text(st, col);

    return p ? p : "";
}

static int
refuse(struct store *s, const char *type, const char *name, struct err *e)
{
    return err_set(e, ERR_FAIL,
                   "%s: not as this program made it (%s \"%s\"); refused",
                   s->path, type, name);
}

/* Indexes, tables and views of the user's own do no harm.  SQLite compares the
 * type that a schema's row gives with what its text makes, in any case. */
static int
harmless(const char *type)
{
    return strcmp(type, "index") == 0 || strcmp(type, "table") == 0 ||
           strcmp(type, "view") == 0;
}

/* Both statements list objects by name. */
static int
compare(struct store *s, sqlite3_stmt *is, struct store *ref,
        sqlite3_stmt *should, struct err *e)
{
    int a = db_step(s, is, e);
    int b = db_step(ref, should, e);
    int order, i;

    while (a > 0 || b > 0) {
        order = a <= 0 ? 1 : b <= 0 ? -1 : strcmp(text(is, 1), text(should, 1));
        if (a < 0 || b < 0)
            break;
        if (order > 0)
            return refuse(s, "without", text(should, 1), e);
        if (order < 0) {
            if (!harmless(text(is, 0)))
                return refuse(s, text(is, 0), text(is, 1), e);
            a = db_step(s, is, e);
            continue;
        }
        for (i = 0; i < 4; i++)
            if (strcmp(text(is, i), text(should, i)) != 0)
                return refuse(s, text(is, 0), text(is, 1), e);
        a = db_step(s, is, e);
        b = db_step(ref, should, e);
    }
    return a < 0 ? a : b;
}

int
db_check_schema(struct store *s, int64_t version, struct err *e)
{
    struct store ref = {.path = s->path, .env = s->env};
    sqlite3_stmt *is = NULL, *should = NULL;
    int rc = sqlite3_open_v2(":memory:", &ref.db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int i;

    for (i = 0; rc == SQLITE_OK && i < version; i++)
        rc = sqlite3_exec(ref.db, s->env.migrations[i], NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        rc = db_error(&ref, rc, e);
    if (rc == 0)
        rc = db_stmt(s, SQL_SCHEMA_OBJECTS, &is, e);
    if (rc == 0)
        rc = db_stmt(&ref, SQL_SCHEMA_OBJECTS, &should, e);
    if (rc == 0)
        rc = compare(s, is, &ref, should, e);
    if (is)
        db_done(is);
    sqlite3_finalize(should);
    sqlite3_close(ref.db);
    return rc;
}

/* The version, and whether the schema is that version's: a trigger that is not
 * ours would act while a migration changes rows. */
static int
look(struct store *s, int64_t *version, struct err *e)
{
    int rc = db_read_begin(s, e);

    if (rc < 0)
        return rc;
    rc = db_get_int(s, SQL_USER_VERSION, version, e);
    if (rc == 0 && *version > 0 && *version < db_newest(s))
        rc = db_check_schema(s, *version, e);
    db_read_end(s);
    return rc;
}

int
db_migrate(struct store *s, struct err *e)
{
    int64_t version;
    int rc = look(s, &version, e);

    /* The file may have been changed since it was identified. */
    if (rc == 0 && version < 0)
        rc = err_set(e, ERR_FAIL, "%s: changed while it was opened", s->path);
    if (rc == 0 && version > 0 && version < db_newest(s) && !s->scratch)
        rc = keep_old(s, version, e);
    for (; rc == 0 && version < db_newest(s); version++) {
        /* Rebuilding a table needs them off, which no transaction can do. */
        rc = db_exec(s, SQL_FOREIGN_KEYS_OFF, e);
        if (rc == 0)
            rc = db_begin(s, e);
        if (rc == 0)
            rc = db_end(s, one_step(s, version, e), e);
        if (rc == 0)
            rc = db_exec(s, SQL_FOREIGN_KEYS_ON, e);
        if (rc < 0 && version > 0)
            err_wrap(e, rc, "bringing the database to schema %d",
                     (int)version + 1);
    }
    return rc;
}
