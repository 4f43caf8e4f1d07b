/* SPDX-License-Identifier: MIT */
/*
 * Opening a database that may have been made to harm.
 *
 * It has a connection of its own, which can change nothing and has no more of
 * SQLite than reading needs.  The file is read as it stands, without locks and
 * without anything made beside it, and looked at again at the end.  Where it is
 * not all of the database, or is of an older schema, a copy is read that has no
 * name.
 */
#include "config.h"

#include "store/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

/* ---- the file ------------------------------------------------------------ */

static int
is_file_of(const struct store *to, const struct stat *st)
{
    struct stat own;

    return stat(to->path, &own) == 0 && own.st_dev == st->st_dev &&
           own.st_ino == st->st_ino;
}

static void
remember(struct source *s, const struct stat *st)
{
    s->dev = st->st_dev;
    s->ino = st->st_ino;
    s->size = st->st_size;
    s->mtime = st->st_mtim;
    s->ctime = st->st_ctim;
}

static int
is_as_remembered(const struct source *s, const struct stat *st)
{
    return s->dev == st->st_dev && s->ino == st->st_ino &&
           s->size == st->st_size && s->mtime.tv_sec == st->st_mtim.tv_sec &&
           s->mtime.tv_nsec == st->st_mtim.tv_nsec &&
           s->ctime.tv_sec == st->st_ctim.tv_sec &&
           s->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

/* Before anything of it is opened: a pipe would wait, a device might act. */
static int
look(struct source *src, const struct store *to, struct err *e)
{
    const char *path = src->store->path;
    struct stat st;

    if (stat(path, &st) < 0)
        return err_sys(e, "%s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_FAIL, "%s: a folder, not a run database", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_FAIL, "%s: not a regular file", path);
    if (is_file_of(to, &st))
        return err_set(e, ERR_USAGE, "%s: this is the database itself", path);
    if (st.st_size == 0)
        return err_set(e, ERR_FAIL, "%s: empty", path);
    if (access(path, R_OK) < 0)
        return err_sys(e, "%s", path);
    remember(src, &st);
    return 0;
}

int
source_unchanged(const struct source *s, struct err *e)
{
    struct stat st;

    if (s->copied)
        return 0;
    if (stat(s->store->path, &st) < 0)
        return err_sys(e, "%s", s->store->path);
    if (!is_as_remembered(s, &st))
        return err_set(e, ERR_FAIL,
                       "%s: changed while it was read; nothing was imported",
                       s->store->path);
    return 0;
}

/* ---- copies -------------------------------------------------------------- */

/* Makes *to, a database without a name, a copy of what `from` reads. */
static int
copy_pages(struct store *s, sqlite3 *from, sqlite3 **to, struct err *e)
{
    struct store copy = {.path = s->path};
    sqlite3_backup *b;
    int rc = sqlite3_open_v2(
        "", &copy.db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(copy.db, 1);
        b = sqlite3_backup_init(copy.db, "main", from, "main");
        rc = b ? sqlite3_backup_step(b, -1) : sqlite3_extended_errcode(copy.db);
        sqlite3_backup_finish(b);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    if (rc == SQLITE_OK) {
        *to = copy.db;
        return 0;
    }
    rc = db_error(&copy, rc, e);
    sqlite3_close(copy.db);
    return rc;
}

static int
copy_bytes(int in, int out, const char *path, struct err *e)
{
    enum { PIECE = 1 << 18 };
    char *buf = mem_alloc(PIECE), *p;
    ssize_t n = 0, m = 0;
    int rc = 0;

    if (!buf)
        return err_nomem(e, "copying a file", PIECE);
    while (rc == 0 && (n = read(in, buf, PIECE)) > 0)
        for (p = buf; rc == 0 && n > 0; p += m, n -= m) {
            m = write(out, p, (size_t)n);
            if (m < 0)
                rc = err_sys(e, "copying %s", path);
        }
    if (rc == 0 && n < 0)
        rc = err_sys(e, "%s", path);
    mem_free(buf);
    return rc;
}

static int
copy_file(const char *from, const char *to, struct err *e)
{
    int in = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC), out = -1, rc = 0;

    if (in < 0)
        return err_sys(e, "%s", from);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        rc = err_sys(e, "copying %s", from);
    if (rc == 0)
        rc = copy_bytes(in, out, from, e);
    if (out >= 0 && close(out) < 0 && rc == 0)
        rc = err_sys(e, "copying %s", from);
    close(in);
    return rc;
}

/* Names of the file, its log, and their copies in a folder. */
struct paths {
    struct str wal, db_copy, wal_copy, shm_copy;
};

static int
make_paths(struct paths *p, const char *path, const char *folder, struct err *e)
{
    str_init(&p->wal);
    str_init(&p->db_copy);
    str_init(&p->wal_copy);
    str_init(&p->shm_copy);
    str_addf(&p->wal, "%s-wal", path);
    str_addf(&p->db_copy, "%s/db", folder);
    str_addf(&p->wal_copy, "%s/db-wal", folder);
    str_addf(&p->shm_copy, "%s/db-shm", folder);
    if (str_failed(&p->wal) || str_failed(&p->db_copy) ||
        str_failed(&p->wal_copy) || str_failed(&p->shm_copy))
        return err_nomem(e, "a path", strlen(path));
    return 0;
}

static void
remove_copies(struct paths *p)
{
    unlink(p->db_copy.s);
    unlink(p->wal_copy.s);
    unlink(p->shm_copy.s);
    str_release(&p->wal);
    str_release(&p->db_copy);
    str_release(&p->wal_copy);
    str_release(&p->shm_copy);
}

/* The file and then its log, which may grow meanwhile: of the file itself
 * nothing may have been written then. */
static int
copy_both(struct source *src, const struct paths *p, struct err *e)
{
    const char *path = src->store->path;
    struct stat st;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < 5; i++) {
        if (stat(path, &st) < 0)
            return err_sys(e, "%s", path);
        remember(src, &st);
        rc = copy_file(path, p->db_copy.s, e);
        if (rc == 0)
            rc = copy_file(p->wal.s, p->wal_copy.s, e);
        if (rc == 0 && stat(path, &st) == 0 && is_as_remembered(src, &st))
            return 0;
    }
    if (rc < 0)
        return rc;
    return err_set(e, ERR_FAIL,
                   "%s: written to all the time; import a copy that `db "
                   "backup` makes",
                   path);
}

/* Reads a database whose newest pages are in its log still: from copies of both
 * files, so that nothing is made or changed beside them. */
static int
connect_with_log(struct source *src, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    struct store with = {.path = src->store->path};
    struct paths p;
    char folder[1024];
    int rc;

    if (!tmp || !*tmp)
        tmp = access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp" : "/tmp";
    snprintf(folder, sizeof(folder), "%.1000s/fmnist-XXXXXX", tmp);
    if (!mkdtemp(folder))
        return err_sys(e, "%s", folder);
    rc = make_paths(&p, src->store->path, folder, e);
    if (rc == 0)
        rc = copy_both(src, &p, e);
    if (rc == 0) {
        rc = sqlite3_open_v2(p.db_copy.s, &with.db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        sqlite3_db_config(with.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = rc == SQLITE_OK ? copy_pages(&with, with.db, &src->store->db, e)
                             : db_error(&with, rc, e);
    }
    sqlite3_close(with.db);
    remove_copies(&p);
    rmdir(folder);
    src->copied = 1;
    return rc;
}

/* ---- the connection ------------------------------------------------------ */

static int
connect_source(struct source *src, struct err *e)
{
    struct store *s = src->store;
    off_t journal, log;
    int rc = db_beside(s, "-journal", &journal, e);

    if (rc >= 0)
        rc = db_beside(s, "-wal", &log, e);
    if (rc < 0)
        return rc;
    if (journal > 0)
        return err_set(e, ERR_FAIL,
                       "%s: being written to, or left by a crash (%s-journal); "
                       "import a copy that `db backup` makes",
                       s->path, s->path);
    return log > 0 ? connect_with_log(src, e) : db_connect_frozen(s, e);
}

static int
configure(struct store *s, struct err *e)
{
    static const struct {
        int id, value;
    } LIMITS[] = {
        {SQLITE_LIMIT_SQL_LENGTH, 1 << 18},
        {SQLITE_LIMIT_COLUMN, 200},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 50},
        {SQLITE_LIMIT_VDBE_OP, 1 << 17},
        {SQLITE_LIMIT_FUNCTION_ARG, 32},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 100},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    size_t i;

    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    for (i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++)
        sqlite3_limit(s->db, LIMITS[i].id, LIMITS[i].value);
    return db_exec(s, SQL_TRANSFER_CELL_CHECK, e);
}

/* Keeps the first. */
static void
take_line(const char *line, void *arg)
{
    char *first = arg;

    if (!*first)
        snprintf(first, 200, "%s", line);
}

/* Of the tables that are read. */
static int
quick_check(struct store *s, struct err *e)
{
    char first[200] = "";
    sqlite3_stmt *st;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < N_TABLES; i++) {
        rc = db_stmt(s, SQL_TRANSFER_QUICK_CHECK, &st, e);
        if (rc < 0)
            break;
        db_text(s, st, ":table", transfer_table((enum table_id)i));
        rc = db_integrity(s, st, take_line, first, e);
        if (rc == 0 && *first)
            rc = err_set(e, ERR_FAIL, "%s: damaged: %s", s->path, first);
    }
    return rc;
}

/* An older schema is brought up to date in a copy. */
static int
modernize(struct source *src, struct err *e)
{
    struct store *s = src->store;
    sqlite3 *copy = NULL;
    int rc = 0;

    if (!src->copied) {
        rc = copy_pages(s, s->db, &copy, e);
        if (rc < 0)
            return rc;
        db_disconnect(s);
        s->db = copy;
        src->copied = 1;
        rc = configure(s, e);
    }
    s->read = 0;
    if (rc == 0)
        rc = db_migrate(s, e);
    s->read = 1;
    return rc < 0 ? rc : db_check_schema(s, db_newest(s), e);
}

static int
open_store(struct source *src, const struct store *to, struct err *e)
{
    struct store *s = src->store;
    int64_t version;
    int rc = look(src, to, e);

    if (rc == 0)
        rc = connect_source(src, e);
    if (rc == 0)
        rc = configure(s, e);
    if (rc == 0)
        rc = db_identify(s, &version, e);
    if (rc == 0 && version == 0)
        rc = err_set(e, ERR_FAIL, "%s: empty", s->path);
    if (rc == 0)
        rc = db_check_schema(s, version, e);
    if (rc == 0)
        rc = quick_check(s, e);
    if (rc == 0 && version < db_newest(s))
        rc = modernize(src, e);
    return rc < 0 ? rc : db_exec(s, SQL_QUERY_ONLY_ON, e);
}

int
source_open(const char *path, const struct store *to, struct source *out,
            struct err *e)
{
    struct store *s = mem_zalloc(1, sizeof(*s));
    int rc;

    memset(out, 0, sizeof(*out));
    if (!s)
        return err_nomem(e, "a store", sizeof(*s));
    out->store = s;
    s->env = to->env;
    s->read = 1;
    s->scratch = 1;
    rc = sys_absolute(path, &s->path, e);
    if (rc == 0)
        rc = open_store(out, to, e);
    if (rc < 0)
        source_close(out);
    return rc;
}

void
source_close(struct source *s)
{
    store_close(s->store);
    memset(s, 0, sizeof(*s));
}
