/* SPDX-License-Identifier: MIT */
/* Compacting, copying and pruning the file. */
#include "config.h"

#include "store/db.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
file_size(struct store *s, uint64_t *out, struct err *e)
{
    int64_t n;
    int rc = db_get_int(s, SQL_FILE_SIZE, &n, e);

    *out = (uint64_t)n;
    return rc;
}

int
store_vacuum(struct store *s, uint64_t *before, uint64_t *after, struct err *e)
{
    int rc = file_size(s, before, e);

    *after = *before;
    if (rc == 0 && s->read)
        rc = err_set(e, ERR_FAIL, "%s: opened for reading only", s->path);
    if (rc == 0)
        rc = db_exec(s, SQL_VACUUM, e);
    if (rc == 0)
        rc = db_exec(s, SQL_WAL_TRUNCATE, e);
    if (rc == 0)
        rc = file_size(s, after, e);
    return rc;
}

static int
is_this_file(const struct store *s, const struct stat *to)
{
    struct stat st;

    return stat(s->path, &st) == 0 && st.st_dev == to->st_dev &&
           st.st_ino == to->st_ino;
}

int
db_check_target(const struct store *s, const char *to, int force, struct err *e)
{
    struct stat st;

    if (stat(to, &st) == 0) {
        if (is_this_file(s, &st))
            return err_set(e, ERR_USAGE, "%s: this is the database itself", to);
        if (S_ISDIR(st.st_mode))
            return err_set(e, ERR_USAGE, "%s: a folder; name a file in it", to);
        /* It would be replaced by a file, not written to. */
        if (!S_ISREG(st.st_mode))
            return err_set(e, ERR_USAGE, "%s: not a regular file", to);
        if (!force)
            return err_set(e, ERR_FAIL,
                           "%s: exists already (--force overwrites it)", to);
    }
    return 0;
}

int
store_backup(struct store *s, const char *to, int force, struct err *e)
{
    int rc = db_check_target(s, to, force, e);

    return rc < 0 ? rc : db_copy(s, to, force, e);
}

/* Rows and bytes by a measuring statement. */
static int
measure(struct store *s, enum sql id, const struct prune_options *o,
        int64_t *rows, uint64_t *bytes, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(s, id, &st, e);

    if (rc < 0)
        return rc;
    if (sqlite3_bind_parameter_count(st))
        db_int(s, st, ":trash", o->trash);
    rc = db_step(s, st, e);
    if (rc <= 0)
        return rc;
    *rows = sqlite3_column_int64(st, 0);
    *bytes += (uint64_t)sqlite3_column_int64(st, 1);
    db_done(st);
    return 0;
}

static int
measure_all(struct store *s, const struct prune_options *o,
            struct prune_result *out, struct err *e)
{
    int rc = 0;

    if (o->checkpoints)
        rc = measure(s, SQL_PRUNE_CHECKPOINTS_SIZE, o, &out->checkpoints,
                     &out->bytes, e);
    if (rc == 0 && o->predictions)
        rc = measure(s, SQL_PRUNE_PREDICTIONS_SIZE, o, &out->predictions,
                     &out->bytes, e);
    if (rc == 0 && o->trash)
        rc = measure(s, SQL_PRUNE_TRASH_SIZE, o, &out->runs, &out->bytes, e);
    return rc;
}

int
store_prune(struct store *s, const struct prune_options *o,
            struct prune_result *out, struct err *e)
{
    int rc;

    memset(out, 0, sizeof(*out));
    if (o->dry_run)
        return measure_all(s, o, out, e);
    rc = db_begin(s, e);
    if (rc < 0)
        return rc;
    rc = measure_all(s, o, out, e);
    if (rc == 0 && o->trash)
        rc = db_exec(s, SQL_RUN_PURGE_ALL, e);
    if (rc == 0 && o->checkpoints)
        rc = db_exec(s, SQL_PRUNE_CHECKPOINTS_LAST, e);
    if (rc == 0 && o->checkpoints)
        rc = db_exec(s, SQL_PRUNE_CHECKPOINTS_STATE, e);
    if (rc == 0 && o->predictions)
        rc = db_exec(s, SQL_PRUNE_PREDICTIONS, e);
    rc = db_end(s, rc, e);
    if (rc < 0)
        memset(out, 0, sizeof(*out));
    return rc;
}
