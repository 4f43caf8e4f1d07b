/* SPDX-License-Identifier: MIT */
/* The write-ahead log, kept small. */
#include "config.h"

#include "store/db.h"

/* Where SQLite itself would copy the log's pages into the file. */
#define COPY_PAGES 1000
/* 16 MB, as journal_size_limit in sql/db.sql: from here on the log is begun
 * anew, which has to wait for those who still read in it; where they do not
 * end, again after each further 4 MB. */
#define RESTART_PAGES 4096
#define RETRY_PAGES 1024
/* Writers wait meanwhile.  Readers hold a transaction for 100 ms at most, but
 * for the `sql` command. */
#define RESTART_MS 300

/*
 * After a commit in WAL mode.  Without more, a log grows for as long as each
 * reader begins before the one before it has ended: pages go to the file only
 * up to where the oldest reads.
 */
static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;
    int restart = pages >= RESTART_PAGES;

    if (!restart || pages < s->log_pages)
        s->log_pages = 0;
    if (restart && pages >= s->log_pages + RETRY_PAGES) {
        s->log_pages = pages;
        sqlite3_busy_timeout(db, RESTART_MS);
        (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART,
                                        NULL, NULL);
        sqlite3_busy_timeout(db, s->busy_ms);
    } else if (pages >= COPY_PAGES) {
        (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE,
                                        NULL, NULL);
    }
    /* A fault here is none of the transaction, which is done. */
    return SQLITE_OK;
}

void
db_watch_log(struct store *s)
{
    sqlite3_wal_hook(s->db, on_commit, s);
}

void
store_patience(struct store *s, double seconds)
{
    s->busy_ms = (int)(seconds * 1000);
    sqlite3_busy_timeout(s->db, s->busy_ms);
}
