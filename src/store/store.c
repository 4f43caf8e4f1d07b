/* SPDX-License-Identifier: MIT */
/* Opening and closing. */
#include "config.h"

#include "store/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"
#include "fmnist/transfer.h"

static int
system_fs_type(const char *path, unsigned long *type)
{
    struct statfs fs;

    if (statfs(path, &fs) < 0)
        return -1;
    *type = (unsigned long)fs.f_type & 0xFFFFFFFFul;
    return 0;
}

/* statfs(2)'s magic numbers of file systems where shared memory or locks do not
 * reach other hosts; FUSE (sshfs and the like) is taken for one. */
static const unsigned long NETWORK_FS[] = {
    0x6969,     /* NFS */
    0x517B,     /* SMB */
    0xFF534D42, /* CIFS */
    0xFE534D42, /* SMB2 */
    0x564C,     /* NCP */
    0x01021997, /* 9P */
    0x5346414F, /* AFS */
    0x6B414653, /* kAFS */
    0x73757245, /* Coda */
    0x00C36400, /* Ceph */
    0x0BD00BD3, /* Lustre */
    0x47504653, /* GPFS */
    0x19830326, /* BeeGFS */
    0x01161970, /* GFS2 */
    0x7461636F, /* OCFS2 */
    0x786F4256, /* VirtualBox shared folder */
    0xBACBACBC, /* VMware shared folder */
    0x65735546, /* FUSE */
};

static int
is_network(const struct store *s)
{
    unsigned long type;
    size_t i;

    if (s->env.fs_type(s->path, &type) < 0)
        return 0;
    for (i = 0; i < sizeof(NETWORK_FS) / sizeof(NETWORK_FS[0]); i++)
        if (type == NETWORK_FS[i])
            return 1;
    return 0;
}

int
store_path(const char *path, char **out, struct err *e)
{
    if (!path)
        path = getenv("FMNIST_DB");
    if (path && *path)
        return sys_absolute(path, out, e);
    return sys_data_path("runs.db", out, e);
}

/* Makes the folders of a new file; SQLite would not tell why it cannot be made
 * in the last one. */
static int
look_above(struct store *s, struct err *e)
{
    char *end = strrchr(s->path, '/');
    int rc = sys_make_parents(s->path, e);

    if (rc < 0 || !end || end == s->path)
        return rc;
    *end = '\0';
    rc = access(s->path, W_OK | X_OK);
    *end = '/';
    return rc < 0 ? err_sys(e, "%s", s->path) : 0;
}

/* What is at the path: *size 0 for a new or an empty file. */
static int
look(struct store *s, off_t *size, struct err *e)
{
    struct stat st;

    *size = 0;
    if (stat(s->path, &st) < 0) {
        if (errno == ENOENT && s->read)
            return err_set(e, ERR_NOTFOUND,
                           "%s: no run database there (`train` makes one)",
                           s->path);
        if (errno == ENOENT)
            return look_above(s, e);
        return err_sys(e, "%s", s->path);
    }
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_FAIL, "%s: a folder, not a run database",
                       s->path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_FAIL, "%s: not a regular file", s->path);
    *size = st.st_size;
    if (*size == 0 && s->read)
        return err_set(e, ERR_NOTFOUND, "%s: empty, no runs yet", s->path);
    if (access(s->path, s->read ? R_OK : R_OK | W_OK) < 0)
        return err_sys(e, "%s", s->path);
    return 0;
}

int
db_beside(const struct store *s, const char *suffix, off_t *size, struct err *e)
{
    struct str b;
    struct stat st;
    int rc;

    str_init(&b);
    str_addf(&b, "%s%s", s->path, suffix);
    if (str_failed(&b))
        rc = err_nomem(e, "a path", strlen(s->path) + 16);
    else
        rc = stat(b.s, &st) == 0;
    *size = rc == 1 ? st.st_size : 0;
    str_release(&b);
    return rc;
}

int
db_connect_frozen(struct store *s, struct err *e)
{
    static const char HEX[] = "0123456789abcdef";
    const unsigned char *p;
    struct str uri;
    int rc;

    str_init(&uri);
    str_add(&uri, "file:");
    for (p = (const unsigned char *)s->path; *p; p++)
        if (strchr("?#%", *p) || *p < 0x20) {
            str_addc(&uri, '%');
            str_addc(&uri, HEX[*p >> 4]);
            str_addc(&uri, HEX[*p & 15]);
        } else {
            str_addc(&uri, (char)*p);
        }
    str_add(&uri, "?immutable=1");
    if (str_failed(&uri)) {
        rc = err_nomem(e, "a path", uri.len);
    } else {
        rc = sqlite3_open_v2(
            uri.s, &s->db,
            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
        rc = rc == SQLITE_OK ? 0 : db_error(s, rc, e);
    }
    str_release(&uri);
    return rc;
}

void
db_disconnect(struct store *s)
{
    int i;

    for (i = 0; i < N_SQL; i++) {
        sqlite3_finalize(s->stmts[i]);
        s->stmts[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

int
db_identify(struct store *s, int64_t *version, struct err *e)
{
    int64_t id, objects = 0;
    int rc = db_get_int(s, SQL_APPLICATION_ID, &id, e);

    if (rc == 0)
        rc = db_get_int(s, SQL_USER_VERSION, version, e);
    if (rc == 0 && id == 0 && *version == 0)
        rc = db_get_int(s, SQL_SCHEMA_COUNT, &objects, e);
    if (rc < 0)
        return rc;
    if (id != STORE_APPLICATION_ID && (id || *version || objects))
        return err_set(e, ERR_FAIL,
                       "%s: a database of another program, not a run database",
                       s->path);
    /* Migrations are counted from it. */
    if (*version < 0)
        return err_set(e, ERR_FAIL,
                       "%s: not as this program made it (schema %lld); refused",
                       s->path, (long long)*version);
    if (*version > db_newest(s))
        return err_set(e, ERR_FAIL,
                       "%s: written by a newer fmnist-tui (schema %lld, this "
                       "one knows %d); update the program",
                       s->path, (long long)*version, db_newest(s));
    return 0;
}

/*
 * Before anything is locked or made beside a file that may not be ours.  A
 * rollback journal means that the file alone tells nothing.  Nor need it be
 * sound without its log, while pages go over from that or after the disk was
 * full: whether it is damaged is found when it is opened in earnest.
 */
static int
probe(struct store *s, struct err *e)
{
    int64_t version;
    off_t size;
    int rc = db_beside(s, "-journal", &size, e);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = db_connect_frozen(s, e);
    if (rc == 0)
        rc = db_identify(s, &version, e);
    if (rc < 0 && (sqlite3_errcode(s->db) & 0xFF) == SQLITE_CORRUPT)
        rc = 0;
    db_disconnect(s);
    return rc;
}

static int
connect_file(struct store *s, struct err *e)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    int rc;

    if (s->read && access(s->path, W_OK) < 0)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |= SQLITE_OPEN_READWRITE;
    if (!s->read)
        flags |= SQLITE_OPEN_CREATE;
    rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    return rc == SQLITE_OK ? 0 : db_error(s, rc, e);
}

static int
configure(struct store *s, struct err *e)
{
    sqlite3_extended_result_codes(s->db, 1);
    s->busy_ms = s->env.busy_ms;
    sqlite3_busy_timeout(s->db, s->busy_ms);
    db_watch_log(s);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return db_exec(s, SQL_PRAGMAS, e);
}

static int
set_notice(struct store *s, const char *text, struct err *e)
{
    struct str b;

    str_init(&b);
    str_addf(&b, "%s: %s", s->path, text);
    s->notice = str_detach(&b);
    return s->notice ? 0 : err_nomem(e, "a notice", strlen(text));
}

static int
use_log(struct store *s, struct err *e)
{
    int rc = sqlite3_exec(s->db, sql_text(SQL_WAL), NULL, NULL, NULL);

    /* Someone else at work in the other mode is no reason to fail. */
    if (rc == SQLITE_OK || (rc & 0xFF) == SQLITE_BUSY)
        return 0;
    return db_error(s, rc, e);
}

static int
open_write(struct store *s, struct err *e)
{
    int64_t version;
    int rc = connect_file(s, e);

    if (rc == 0)
        rc = configure(s, e);
    if (rc == 0)
        rc = db_identify(s, &version, e);
    /* The first transaction is written before WAL is switched on, so that the
     * file's own header has the application id from then on. */
    if (rc == 0)
        rc = db_migrate(s, e);
    if (rc == 0)
        rc = db_check_schema(s, db_newest(s), e);
    if (rc < 0)
        return rc;
    s->shared = is_network(s);
    if (!s->shared)
        return use_log(s, e);
    rc = db_exec(s, SQL_ROLLBACK_JOURNAL, e);
    if (rc == 0)
        rc = db_exec(s, SQL_SYNCHRONOUS_FULL, e);
    if (rc == 0)
        rc = set_notice(s,
                        "on a network file system: a rollback journal is "
                        "used, so readers and writers wait for each other",
                        e);
    return rc;
}

/* Where no -wal or -shm can be made beside the file. */
static int
open_frozen(struct store *s, struct err *e)
{
    off_t size;
    int rc = db_beside(s, "-wal", &size, e);

    if (rc < 0)
        return rc;
    if (size > 0)
        return err_set(e, ERR_FAIL,
                       "%s: cannot be read where it is, as %s-wal holds "
                       "changes and the folder is read-only: copy both to "
                       "another folder",
                       s->path, s->path);
    rc = db_connect_frozen(s, e);
    if (rc == 0)
        rc = configure(s, e);
    return rc;
}

/* What SQLite says where it can make no files beside the database. */
static int
cannot_be_shared(const struct store *s)
{
    int rc = sqlite3_errcode(s->db) & 0xFF;

    return s->db && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY);
}

static int
open_read(struct store *s, struct err *e)
{
    int64_t version;
    int rc = connect_file(s, e);

    if (rc == 0)
        rc = configure(s, e);
    if (rc == 0)
        rc = db_identify(s, &version, e);
    if (rc < 0 && cannot_be_shared(s)) {
        db_disconnect(s);
        rc = open_frozen(s, e);
        if (rc == 0)
            rc = db_identify(s, &version, e);
    }
    if (rc == 0 && version == 0)
        return err_set(e, ERR_NOTFOUND, "%s: empty, no runs yet", s->path);
    if (rc == 0 && version < db_newest(s))
        return err_set(e, ERR_FAIL,
                       "%s: of an older schema (%lld); a command that writes, "
                       "such as `db vacuum`, brings it up to date",
                       s->path, (long long)version);
    if (rc == 0)
        rc = db_check_schema(s, version, e);
    if (rc == 0)
        rc = db_exec(s, SQL_QUERY_ONLY_ON, e);
    s->shared = is_network(s);
    return rc;
}

static int
read_columns(struct store *s, struct err *e)
{
    sqlite3_stmt *st;
    size_t n = 0;
    char **more;
    int rc = db_stmt(s, SQL_RUN_SUMMARY_COLUMNS, &st, e);

    while (rc == 0 && (rc = db_step(s, st, e)) > 0) {
        more = mem_resize(s->columns, n + 2, sizeof(*more));
        if (more) {
            s->columns = more;
            more[n + 1] = NULL;
            more[n] = mem_strdup((const char *)sqlite3_column_text(st, 0));
        }
        rc = more && more[n] ? 0 : err_nomem(e, "a column's name", 64);
        n++;
    }
    if (st)
        db_done(st);
    return rc;
}

int
store_open_env(const char *path, enum store_mode mode,
               const struct store_env *env, struct store **out, struct err *e)
{
    struct store *s = mem_zalloc(1, sizeof(*s));
    off_t size;
    int rc;

    *out = NULL;
    if (!s)
        return err_nomem(e, "a store", sizeof(*s));
    s->env = *env;
    s->read = mode == STORE_READ;
    rc = store_path(path, &s->path, e);
    if (rc == 0)
        rc = look(s, &size, e);
    if (rc == 0 && size > 0)
        rc = probe(s, e);
    if (rc == 0)
        rc = s->read ? open_read(s, e) : open_write(s, e);
    if (rc == 0)
        rc = read_columns(s, e);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    moved_remember(s);
    *out = s;
    return 0;
}

int
db_create(const char *file, const char *name, const struct store_env *env,
          struct store **out, struct err *e)
{
    struct store *s = mem_zalloc(1, sizeof(*s));
    int rc;

    *out = NULL;
    if (!s)
        return err_nomem(e, "a store", sizeof(*s));
    s->env = *env;
    s->scratch = 1;
    s->path = mem_strdup(name);
    if (!s->path) {
        rc = err_nomem(e, "a path", strlen(name));
    } else {
        rc = sqlite3_open_v2(file, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                 SQLITE_OPEN_NOMUTEX,
                             NULL);
        rc = rc == SQLITE_OK ? configure(s, e) : db_error(s, rc, e);
    }
    if (rc == 0)
        rc = db_exec(s, SQL_TRANSFER_UNJOURNALED, e);
    if (rc == 0)
        rc = db_migrate(s, e);
    if (rc == 0)
        rc = read_columns(s, e);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

static const struct store_env *
system_env(struct store_env *env)
{
    *env = (struct store_env){system_fs_type, 30000, sql_migrations()};
    return env;
}

int
store_scratch(struct store **out, struct err *e)
{
    struct store_env env;

    return db_create("", "a new database", system_env(&env), out, e);
}

int
store_open(const char *path, enum store_mode mode, struct store **out,
           struct err *e)
{
    struct store_env env;

    return store_open_env(path, mode, system_env(&env), out, e);
}

void
store_close(struct store *s)
{
    size_t i;
    int stale;

    if (!s)
        return;
    stale = moved_away(s) && moved_complete(s);
    db_disconnect(s);
    if (stale)
        moved_drop_log(s);
    for (i = 0; s->columns && s->columns[i]; i++)
        mem_free(s->columns[i]);
    mem_free(s->columns);
    mem_free(s->notice);
    mem_free(s->path);
    mem_free(s);
}

int
store_begin(struct store *s, struct err *e)
{
    return db_begin(s, e);
}

int
store_end(struct store *s, int rc, struct err *e)
{
    return db_end(s, rc, e);
}

int
store_changed(struct store *s, int *changed, struct err *e)
{
    int64_t now;
    int rc = db_get_int(s, SQL_DATA_VERSION, &now, e);

    *changed = rc == 0 && now != s->data_version;
    if (rc == 0)
        s->data_version = now;
    return rc;
}

const char *
store_file(const struct store *s)
{
    return s->path;
}

const char *
store_notice(const struct store *s)
{
    return s->notice;
}

const char *const *
store_run_columns(struct store *s)
{
    return (const char *const *)s->columns;
}
