/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

/* What was being done when the system refused; its errno is not always kept. */
static const char *
doing(int rc)
{
    switch (rc) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
        return " while reading";
    case SQLITE_IOERR_FSTAT:
    case SQLITE_IOERR_ACCESS:
        return " while looking for files";
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_TRUNCATE:
        return " while writing";
    case SQLITE_IOERR_DELETE:
        return " while deleting the journal";
    case SQLITE_IOERR_LOCK:
    case SQLITE_IOERR_RDLOCK:
    case SQLITE_IOERR_UNLOCK:
    case SQLITE_IOERR_CHECKRESERVEDLOCK:
    case SQLITE_IOERR_SHMLOCK:
        return " while locking";
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return " while syncing";
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMMAP:
        return " while sharing memory";
    }
    return "";
}

/* The code in full: not all calls return more than its lowest byte. */
static int
extended(const struct store *s, int rc)
{
    int more = s->db ? sqlite3_extended_errcode(s->db) : rc;

    return (more & 0xFF) == rc ? more : rc;
}

/* The system's errno, 0 if none is known: at a commit the files have it. */
static int
system_error(const struct store *s)
{
    sqlite3_file *log = NULL;
    int sys = s->db ? sqlite3_system_errno(s->db) : 0;

    if (!s->db || sys)
        return sys;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_LAST_ERRNO, &sys);
    if (sys == 0)
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    /* A journal in memory has no such call. */
    if (log && log->pMethods && log->pMethods->xFileControl)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &sys);
    return sys;
}

/* SQLite's message on one line: it may quote a schema of many. */
static void
message(const struct store *s, int rc, char out[300])
{
    const char *text = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    size_t n = 0;

    for (; *text && n < 299; text++)
        if (*text != '\n')
            out[n++] = *text;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    out[n] = '\0';
}

int
db_error(struct store *s, int rc, struct err *e)
{
    char text[300];
    int code = ERR_FAIL;
    int sys;

    message(s, rc, text);
    sys = system_error(s);
    rc = extended(s, rc);
    if (rc == SQLITE_IOERR_NOMEM)
        rc = SQLITE_NOMEM;
    if ((rc & 0xFF) == SQLITE_IOERR && sys == ENOSPC)
        rc = SQLITE_FULL;
    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return err_set(e, ERR_NOMEM, "out of memory: %s", s->path);
    case SQLITE_INTERRUPT:
        return err_set(e, ERR_CANCEL, "%s: interrupted", s->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return err_set(e, ERR_FAIL,
                       "%s: locked by another program; try again when that "
                       "is done",
                       s->path);
    case SQLITE_NOTADB:
        return err_set(e, ERR_FAIL, "%s: not a run database (no SQLite file)",
                       s->path);
    case SQLITE_CORRUPT:
        return err_set(e, ERR_FAIL,
                       "%s: the database is damaged (%s); see `db check`, or "
                       "put back a backup",
                       s->path, text);
    case SQLITE_READONLY:
        return err_set(e, ERR_FAIL, "%s: read-only", s->path);
    case SQLITE_FULL:
        code = err_set(e, ERR_IO, "%s: the disk is full; nothing was changed",
                       s->path);
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        code = err_set(e, ERR_IO, "%s: %s%s%s%s", s->path, text, doing(rc),
                       sys ? ": " : "", sys ? strerror(sys) : "");
        break;
    default:
        code = err_set(e, ERR_FAIL, "%s: %s", s->path, text);
        break;
    }
    if (e)
        e->sys = sys;
    return code;
}

int
db_exec(struct store *s, enum sql id, struct err *e)
{
    int rc = sqlite3_exec(s->db, sql_text(id), NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(s, rc, e);
}

int
db_stmt(struct store *s, enum sql id, sqlite3_stmt **st, struct err *e)
{
    int rc;

    *st = NULL;
    if (!s->stmts[id]) {
        rc = sqlite3_prepare_v3(s->db, sql_text(id), -1,
                                SQLITE_PREPARE_PERSISTENT, &s->stmts[id], NULL);
        if (rc != SQLITE_OK)
            return db_error(s, rc, e);
    }
    *st = s->stmts[id];
    db_done(*st);
    s->bind_rc = 0;
    return 0;
}

static int
parameter(sqlite3_stmt *st, const char *name)
{
    int i = sqlite3_bind_parameter_index(st, name);

    assert(i > 0);
    return i;
}

static void
bound(struct store *s, int rc)
{
    if (rc != SQLITE_OK && s->bind_rc == 0)
        s->bind_rc = rc;
}

void
db_int(struct store *s, sqlite3_stmt *st, const char *name, int64_t v)
{
    bound(s, sqlite3_bind_int64(st, parameter(st, name), v));
}

void
db_real(struct store *s, sqlite3_stmt *st, const char *name, double v)
{
    /* SQLite makes NULL of NaN by itself, but keeps an infinity. */
    if (isfinite(v))
        bound(s, sqlite3_bind_double(st, parameter(st, name), v));
    else
        bound(s, sqlite3_bind_null(st, parameter(st, name)));
}

void
db_text(struct store *s, sqlite3_stmt *st, const char *name, const char *v)
{
    bound(s, sqlite3_bind_text(st, parameter(st, name), v, -1, SQLITE_STATIC));
}

void
db_blob(struct store *s, sqlite3_stmt *st, const char *name, const void *v,
        size_t n)
{
    bound(s, sqlite3_bind_blob64(st, parameter(st, name), v, n, SQLITE_STATIC));
}

void
db_cell(struct store *s, sqlite3_stmt *st, int i, const struct cell *c)
{
    int rc = SQLITE_OK;

    switch (c->type) {
    case CELL_NULL:
        rc = sqlite3_bind_null(st, i);
        break;
    case CELL_INT:
        rc = sqlite3_bind_int64(st, i, c->i);
        break;
    case CELL_REAL:
        rc = sqlite3_bind_double(st, i, c->r);
        break;
    case CELL_TEXT:
        rc = sqlite3_bind_text64(st, i, c->s, c->n, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case CELL_BLOB:
        /* No bytes at all are no NULL. */
        rc = sqlite3_bind_blob64(st, i, c->n ? c->s : "", c->n, SQLITE_STATIC);
        break;
    }
    bound(s, rc);
}

int
db_step(struct store *s, sqlite3_stmt *st, struct err *e)
{
    int rc = s->bind_rc;

    s->bind_rc = 0;
    if (rc == 0)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    rc = rc == SQLITE_DONE ? 0 : db_error(s, rc, e);
    db_done(st);
    return rc;
}

int
db_run(struct store *s, sqlite3_stmt *st, struct err *e)
{
    int rc;

    do
        rc = db_step(s, st, e);
    while (rc > 0);
    return rc;
}

void
db_done(sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

int
db_get_int(struct store *s, enum sql id, int64_t *out, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    *out = 0;
    if (rc < 0)
        return rc;
    rc = db_step(s, st, e);
    if (rc <= 0)
        return rc;
    *out = sqlite3_column_int64(st, 0);
    db_done(st);
    return 0;
}

/* SQLite would go on writing to a file that has no name any more. */
static int
has_moved(struct store *s, struct err *e)
{
    if (!moved_away(s))
        return 0;
    return err_set(e, ERR_FAIL,
                   "%s: removed or replaced while in use; nothing more is "
                   "written to it",
                   s->path);
}

/* Its statement is made before there is anything to roll back: later there may
 * be no memory for it. */
static void
roll_back(struct store *s)
{
    sqlite3_stmt *st = s->stmts[SQL_ROLLBACK];

    /* A full disk or an I/O error may have rolled back by itself. */
    if (!sqlite3_get_autocommit(s->db)) {
        sqlite3_step(st);
        sqlite3_reset(st);
    }
}

static int
begin(struct store *s, enum sql how, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, SQL_ROLLBACK, &st, e);

    if (rc < 0)
        return rc;
    rc = db_exec(s, how, e);
    if (rc < 0)
        roll_back(s);
    return rc;
}

int
db_read_begin(struct store *s, struct err *e)
{
    assert(s->depth == 0);
    return begin(s, SQL_READ_BEGIN, e);
}

void
db_read_end(struct store *s)
{
    roll_back(s);
}

int
db_begin(struct store *s, struct err *e)
{
    int rc;

    if (s->read)
        return err_set(e, ERR_FAIL, "%s: opened for reading only", s->path);
    if (s->depth == 0) {
        /* A statement that was not done would be a reader of old. */
        assert(sqlite3_txn_state(s->db, "main") == SQLITE_TXN_NONE);
        rc = has_moved(s, e);
        if (rc == 0)
            rc = begin(s, SQL_BEGIN, e);
        if (rc < 0)
            return rc;
    }
    s->depth++;
    return 0;
}

int
db_end(struct store *s, int rc, struct err *e)
{
    assert(s->depth > 0);
    s->depth--;
    if (s->depth > 0)
        return rc < 0 ? rc : 0;
    if (rc >= 0) {
        rc = db_exec(s, SQL_COMMIT, e);
        if (rc == 0)
            return 0;
    }
    roll_back(s);
    return rc;
}

void
db_column_text(sqlite3_stmt *st, int col, char *out, size_t size)
{
    const char *p = (const char *)sqlite3_column_text(st, col);
    size_t n = p ? strlen(p) : 0;

    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)p[n] & 0xC0) == 0x80)
            n--;
    }
    if (n)
        memcpy(out, p, n);
    out[n] = '\0';
}

int
db_column_class(sqlite3_stmt *st, int col)
{
    int64_t class = sqlite3_column_int64(st, col);

    return class >= 0 && class < N_CLASSES ? (int)class : -1;
}
