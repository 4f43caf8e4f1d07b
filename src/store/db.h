/* SPDX-License-Identifier: MIT */
/* What the files of this layer share: connection, statements, errors. */
#ifndef FMNIST_STORE_DB_H
#define FMNIST_STORE_DB_H

#include <sqlite3.h>
#include <stdint.h>
#include <sys/types.h>

#include "fmnist/err.h"
#include "fmnist/store.h"
#include "fmnist/str.h"
#include "store/sql.h"

/* What a test replaces to see other systems and ages. */
struct store_env {
    /* The statfs type of the file system that holds path. */
    int (*fs_type)(const char *path, unsigned long *type);
    int busy_ms;                   /* wait for a lock */
    const char *const *migrations; /* NULL-ended */
};

struct store {
    sqlite3 *db;
    char *path;
    char *notice;
    int read;                   /* STORE_READ: nothing may change */
    int shared;                 /* on a network file system */
    int scratch;                /* nobody's: needs no backup */
    int64_t worker;             /* who it acts as; 0: no worker */
    int depth;                  /* transactions begun, one inside the other */
    int64_t data_version;       /* when store_changed last looked */
    int busy_ms;                /* wait for a lock */
    int log_pages;              /* of the log when it was last begun anew in
                                   vain; 0: not */
    int bind_rc;                /* first failure to bind, until the step */
    sqlite3_stmt *stmts[N_SQL]; /* prepared on first use */
    char **columns;             /* of run_summary, NULL-ended */
    dev_t log_dev;              /* of the write-ahead log in use */
    ino_t log_ino;              /* 0: none */
    struct store_env env;
};

int store_open_env(const char *path, enum store_mode mode,
                   const struct store_env *env, struct store **out,
                   struct err *e) MUST_CHECK;

/* ---- store.c ------------------------------------------------------------- */

/* A new database in `file`, or with "" in none that has a name; messages call
 * it `name`.  Its journal is in memory: a crash spoils it. */
int db_create(const char *file, const char *name, const struct store_env *env,
              struct store **out, struct err *e) MUST_CHECK;
/* Opens the file as it is on the disk: no lock, no journal, nothing made beside
 * it. */
int db_connect_frozen(struct store *s, struct err *e) MUST_CHECK;
void db_disconnect(struct store *s);
/* 1 where PATH with that suffix exists, 0 where not; *size of it. */
int db_beside(const struct store *s, const char *suffix, off_t *size,
              struct err *e) MUST_CHECK;
/* Is it ours, and of a schema that this program knows? */
int db_identify(struct store *s, int64_t *version, struct err *e) MUST_CHECK;

/* ---- migrate.c ----------------------------------------------------------- */

/* "FMNi", in the file's header. */
#define STORE_APPLICATION_ID 0x464d4e69

/* The newest schema that the store's migrations make. */
int db_newest(const struct store *s);
/* Runs the migrations that the database lacks, each in a transaction of its
 * own; a database that had rows is copied to PATH.bak-vN first. */
int db_migrate(struct store *s, struct err *e) MUST_CHECK;
/* Refuses a schema that is not what the migrations up to `version` make: a view
 * in a table's place or a trigger more would act on what this program reads and
 * writes. */
int db_check_schema(struct store *s, int64_t version, struct err *e) MUST_CHECK;
/* Copies the database to a file `to`, at once or not at all; without `replace`
 * only where there is none. */
int db_copy(struct store *s, const char *to, int replace,
            struct err *e) MUST_CHECK;
/* The name of a file beside `to` that becomes it by db_put_in_place: without
 * `replace` only where there is none. */
int db_temporary(const char *to, struct str *tmp, struct err *e) MUST_CHECK;
int db_put_in_place(const char *tmp, const char *to, int replace,
                    struct err *e) MUST_CHECK;

/* ---- care.c -------------------------------------------------------------- */

/* Whether a copy of s may be written to `to`: ERR_USAGE for its own file and
 * for what is no file, ERR_FAIL for one that exists unless `force`. */
int db_check_target(const struct store *s, const char *to, int force,
                    struct err *e) MUST_CHECK;

/* ---- wal.c --------------------------------------------------------------- */

/* Keeps the write-ahead log of what s commits from now on small. */
void db_watch_log(struct store *s);

/* ---- moved.c ------------------------------------------------------------- */

/*
 * Where a database is taken away or replaced while it is open, its write-ahead
 * log stays at the path, and SQLite would take it for that of the next database
 * there.  The last connection that has it open removes it, once all of it is in
 * the file, which may have another name now: moved_remember when the log is in
 * use, moved_away and moved_complete before the connection is closed,
 * moved_drop_log after.
 */
void moved_remember(struct store *s);
int moved_away(const struct store *s);
int moved_complete(struct store *s);
void moved_drop_log(const struct store *s);

/* ---- db.c ---------------------------------------------------------------- */

/* Describes SQLite's result code rc, with the message that the connection holds
 * now: call it before anything else touches the connection. */
int db_error(struct store *s, int rc, struct err *e);
int db_exec(struct store *s, enum sql id, struct err *e) MUST_CHECK;
int db_get_int(struct store *s, enum sql id, int64_t *out,
               struct err *e) MUST_CHECK;

/* The cached statement, reset, nothing bound. */
int db_stmt(struct store *s, enum sql id, sqlite3_stmt **st,
            struct err *e) MUST_CHECK;
/* Binding cannot fail at the call; the step reports it.  Texts and blobs must
 * live until the statement is done.  Parameters that the statement lacks are
 * a bug. */
void db_int(struct store *s, sqlite3_stmt *st, const char *name, int64_t v);
void db_real(struct store *s, sqlite3_stmt *st, const char *name, double v);
void db_text(struct store *s, sqlite3_stmt *st, const char *name,
             const char *v);
void db_blob(struct store *s, sqlite3_stmt *st, const char *name, const void *v,
             size_t n);
/* The parameter of that number, from 1. */
void db_cell(struct store *s, sqlite3_stmt *st, int i, const struct cell *c);
/* 1: a row; 0: done, the statement is reset; negative: failed and reset. */
int db_step(struct store *s, sqlite3_stmt *st, struct err *e) MUST_CHECK;
/* Steps to the end. */
int db_run(struct store *s, sqlite3_stmt *st, struct err *e) MUST_CHECK;
/* Ends a statement before its last row. */
void db_done(sqlite3_stmt *st);

/* A write transaction, or a part of the one that is open.  The outermost db_end
 * commits if rc is 0, else rolls back; an inner one that fails must make all
 * outer ones fail.  Returns rc, or why the commit failed.  ERR_FAIL on a store
 * opened for reading, and where the file is no longer at its path. */
int db_begin(struct store *s, struct err *e) MUST_CHECK;
int db_end(struct store *s, int rc, struct err *e) MUST_CHECK;
/* One that only reads, outside all others. */
int db_read_begin(struct store *s, struct err *e) MUST_CHECK;
void db_read_end(struct store *s);

/* Text of a result column into a fixed buffer, cut at a character; NULL: "". */
void db_column_text(sqlite3_stmt *st, int col, char *out, size_t size);
/* A class of a result column; -1 where it is none of 0 … 9, which a database
 * that others made or that is damaged may hold in spite of its checks. */
int db_column_class(sqlite3_stmt *st, int col);

/* ---- run.c --------------------------------------------------------------- */

/* What a name and a tag may be; ERR_USAGE. */
int db_check_name(const char *name, struct err *e) MUST_CHECK;
int db_check_tag(const char *tag, struct err *e) MUST_CHECK;
/* base, or "base #2" … where runs outside the trash have it. */
int db_unique_name(struct store *s, const char *base, struct str *out,
                   struct err *e) MUST_CHECK;

struct run_status {
    char status[12], request[12], name[128];
    int starred, trashed;
};
int db_status(struct store *s, int64_t id, struct run_status *out,
              struct err *e) MUST_CHECK;
/* ERR_LOST where the run is not running as the run of the worker of s. */
int db_require_own(struct store *s, int64_t id, struct err *e) MUST_CHECK;
/* A row of `run`, its parameters bound to those of h: ":lr" and so on. */
void db_bind_hyper(struct store *s, sqlite3_stmt *st, const struct hyper *h);
/* A log line, inside a transaction. */
int db_event(struct store *s, int64_t id, const char *level, const char *text,
             struct err *e) MUST_CHECK;
/* The name that the values make: "base"; " #2" and so on is the caller's. */
int db_base_name(const struct hyper *h, struct str *out,
                 struct err *e) MUST_CHECK;

/* ---- dataset.c ----------------------------------------------------------- */

/* The id found by one text parameter, 0 if there is none. */
int db_find(struct store *s, enum sql id, const char *param, const char *text,
            int64_t *out, struct err *e) MUST_CHECK;
/* The set's name, or with " #2" … where another set has it. */
int db_set_name(struct store *s, const char *name, struct str *out,
                struct err *e) MUST_CHECK;
/* As column class_names has them. */
void db_add_classes(struct str *out, const char (*names)[CLASS_NAME_MAX]);

/* ---- select.c ------------------------------------------------------------ */

/* Appends an id unless it is there. */
int db_append_id(struct run_ids *out, int64_t id, struct err *e) MUST_CHECK;

/* ---- rows.c -------------------------------------------------------------- */

/* A statement's rows, kept so that no reader holds a transaction while they are
 * printed. */
int rows_deliver(struct store *s, sqlite3_stmt *st, row_fn fn, void *arg,
                 struct err *e) MUST_CHECK;
/* Appends to a list that the caller owns (mem_free ids). */
int rows_add_id(struct run_ids *ids, int64_t id, struct err *e) MUST_CHECK;
/* The ids that a statement without parameters gives: for a walk over them that
 * holds no transaction. */
int rows_ids(struct store *s, enum sql id, struct run_ids *out,
             struct err *e) MUST_CHECK;

/* ---- check.c ------------------------------------------------------------- */

/* Steps a check of SQLite's and reports each line of what it finds; ERR_IO
 * where it could not read the file, which is no damage. */
int db_integrity(struct store *s, sqlite3_stmt *st, fault_fn report, void *arg,
                 struct err *e) MUST_CHECK;

/* What store_check looks at in one run, except the hashes of its checkpoints.
 * In a transaction of the caller's, if it is to be of one moment. */
int db_check_run(struct store *s, int64_t id, fault_fn report, void *arg,
                 struct err *e) MUST_CHECK;
/* The same of the images of a set, if all of them are stored. */
int db_check_set(struct store *s, int64_t id, fault_fn report, void *arg,
                 struct err *e) MUST_CHECK;

#endif
