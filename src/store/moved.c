/* SPDX-License-Identifier: MIT */
/* The write-ahead log of a database that was taken away. */
#include "config.h"

#include "store/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* SQLite locks these bytes of the shared memory: the last one by whoever has it
 * open (SQLite's file format, "WAL-index locks"). */
enum { SHM_LOCKS = 120, N_SHM_LOCKS = 9 };

static int
path_beside(const struct store *s, const char *suffix, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%s%s", s->path, suffix) < size;
}

/* The log at the path of the database. */
static int
look(const struct store *s, struct stat *st)
{
    char path[4200];

    return path_beside(s, "-wal", path, sizeof(path)) && stat(path, st) == 0;
}

void
moved_remember(struct store *s)
{
    struct stat st;

    if (look(s, &st)) {
        s->log_dev = st.st_dev;
        s->log_ino = st.st_ino;
    }
}

int
moved_away(const struct store *s)
{
    int moved = 0;

    if (s->db)
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved;
}

/* Whether no connection of any process has it open; then none comes either,
 * until fd is closed. */
static int
lock_all(int fd)
{
    struct flock l = {.l_type = F_WRLCK,
                      .l_whence = SEEK_SET,
                      .l_start = SHM_LOCKS,
                      .l_len = N_SHM_LOCKS};

    return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

/* Whether the file, whatever its name, has all that the log has. */
int
moved_complete(struct store *s)
{
    int in_log = 0, copied = 0;

    return sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE,
                                     &in_log, &copied) == SQLITE_OK &&
           in_log == copied;
}

void
moved_drop_log(const struct store *s)
{
    char wal[4200], shm[4200];
    struct stat st;
    int fd;

    if (!look(s, &st) || st.st_dev != s->log_dev || st.st_ino != s->log_ino ||
        !path_beside(s, "-wal", wal, sizeof(wal)) ||
        !path_beside(s, "-shm", shm, sizeof(shm)))
        return;
    fd = open(shm, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    if (lock_all(fd)) {
        unlink(wal);
        unlink(shm);
    }
    close(fd);
}
