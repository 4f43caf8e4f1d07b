/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fault_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

/* The system's file follows in the same memory. */
struct file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs shim;
static sqlite3_vfs *real;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static struct fault armed;
static long counts[N_FAULT_CALLS];
static int fired;

void
fault_arm(const struct fault *f)
{
    pthread_mutex_lock(&lock);
    memset(counts, 0, sizeof(counts));
    memset(&armed, 0, sizeof(armed));
    if (f) {
        armed = *f;
        fired = 0;
    }
    pthread_mutex_unlock(&lock);
}

int
fault_fired(void)
{
    return fired;
}

long
fault_count(enum fault_call call)
{
    return counts[call];
}

/* What the calls of a dead process give: nobody cares but SQLite. */
static const int DEAD[N_FAULT_CALLS] = {
    [FAULT_OPEN] = SQLITE_CANTOPEN,
    [FAULT_DELETE] = SQLITE_IOERR_DELETE,
    [FAULT_ACCESS] = SQLITE_IOERR_ACCESS,
    [FAULT_READ] = SQLITE_IOERR_READ,
    [FAULT_WRITE] = SQLITE_IOERR_WRITE,
    [FAULT_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
    [FAULT_SYNC] = SQLITE_IOERR_FSYNC,
    [FAULT_SIZE] = SQLITE_IOERR_FSTAT,
    [FAULT_LOCK] = SQLITE_IOERR_LOCK,
    [FAULT_SHM_MAP] = SQLITE_IOERR_SHMMAP,
    [FAULT_SHM_LOCK] = SQLITE_IOERR_SHMLOCK,
};

static int
fault_of(enum fault_call call)
{
    int now;

    counts[call]++;
    if (armed.nth == 0)
        return SQLITE_OK;
    if (fired && armed.reach == FAULT_DEATH)
        return DEAD[call];
    now = call == armed.call &&
          (armed.reach == FAULT_ONCE ? counts[call] == armed.nth
                                     : counts[call] >= armed.nth);
    fired |= now;
    return now ? armed.code : SQLITE_OK;
}

/* The code that a call is to fail with, or SQLITE_OK. */
static int
fault(enum fault_call call)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = fault_of(call);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int
last_error(void)
{
    if (armed.sys)
        return armed.sys;
    return armed.code == SQLITE_FULL ? ENOSPC : EIO;
}

static sqlite3_file *
file(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

/* ---- files --------------------------------------------------------------- */

static int
x_close(sqlite3_file *f)
{
    sqlite3_file *r = file(f);

    return r->pMethods ? r->pMethods->xClose(r) : SQLITE_OK;
}

static int
x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    int rc = fault(FAULT_READ);

    return rc ? rc : file(f)->pMethods->xRead(file(f), p, n, at);
}

static int
x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int before = fired, rc = fault(FAULT_WRITE);

    if (!rc)
        return file(f)->pMethods->xWrite(file(f), p, n, at);
    if (armed.torn && (!before || armed.reach == FAULT_STAYS))
        file(f)->pMethods->xWrite(file(f), p, n / 2, at);
    return rc;
}

static int
x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = fault(FAULT_TRUNCATE);

    return rc ? rc : file(f)->pMethods->xTruncate(file(f), size);
}

static int
x_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fault(FAULT_SYNC);
}

static int
x_size(sqlite3_file *f, sqlite3_int64 *size)
{
    int rc = fault(FAULT_SIZE);

    return rc ? rc : file(f)->pMethods->xFileSize(file(f), size);
}

static int
x_lock(sqlite3_file *f, int level)
{
    int rc = fault(FAULT_LOCK);

    return rc ? rc : file(f)->pMethods->xLock(file(f), level);
}

static int
x_unlock(sqlite3_file *f, int level)
{
    return file(f)->pMethods->xUnlock(file(f), level);
}

static int
x_reserved(sqlite3_file *f, int *out)
{
    return file(f)->pMethods->xCheckReservedLock(file(f), out);
}

static int
x_control(sqlite3_file *f, int op, void *arg)
{
    if (op == SQLITE_FCNTL_LAST_ERRNO && fired && armed.nth) {
        *(int *)arg = last_error();
        return SQLITE_OK;
    }
    return file(f)->pMethods->xFileControl(file(f), op, arg);
}

static int
x_sector(sqlite3_file *f)
{
    return file(f)->pMethods->xSectorSize(file(f));
}

static int
x_device(sqlite3_file *f)
{
    return file(f)->pMethods->xDeviceCharacteristics(file(f));
}

static int
x_shm_map(sqlite3_file *f, int page, int size, int write, volatile void **out)
{
    int rc = fault(FAULT_SHM_MAP);

    *out = NULL;
    return rc ? rc
              : file(f)->pMethods->xShmMap(file(f), page, size, write, out);
}

static int
x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    int rc = flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : fault(FAULT_SHM_LOCK);

    return rc ? rc : file(f)->pMethods->xShmLock(file(f), offset, n, flags);
}

static void
x_shm_barrier(sqlite3_file *f)
{
    file(f)->pMethods->xShmBarrier(file(f));
}

static int
x_shm_unmap(sqlite3_file *f, int delete)
{
    /* What is dead deletes nothing. */
    if (fired && armed.nth && armed.reach == FAULT_DEATH)
        delete = 0;
    return file(f)->pMethods->xShmUnmap(file(f), delete);
}

/* Version 2: without memory-mapped pages, which no call would be seen of. */
static const sqlite3_io_methods METHODS = {
    2,        x_close,   x_read,     x_write,       x_truncate,  x_sync,
    x_size,   x_lock,    x_unlock,   x_reserved,    x_control,   x_sector,
    x_device, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap, NULL,
    NULL,
};

/* ---- the file system ----------------------------------------------------- */

static int
v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;
    int rc = fault(FAULT_OPEN);

    (void)v;
    file->real = (sqlite3_file *)(file + 1);
    f->pMethods = NULL;
    if (rc)
        return rc;
    rc = real->xOpen(real, name, file->real, flags, out);
    /* Also a file that failed to open may want to be closed. */
    if (file->real->pMethods)
        f->pMethods = &METHODS;
    return rc;
}

static int
v_delete(sqlite3_vfs *v, const char *name, int sync)
{
    int rc = fault(FAULT_DELETE);

    (void)v;
    (void)sync;
    return rc ? rc : real->xDelete(real, name, 0);
}

static int
v_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    int rc = fault(FAULT_ACCESS);

    (void)v;
    *out = 0;
    return rc ? rc : real->xAccess(real, name, flags, out);
}

static int
v_sleep(sqlite3_vfs *v, int microseconds)
{
    (void)v;
    return microseconds;
}

static int
v_last_error(sqlite3_vfs *v, int n, char *text)
{
    (void)v;
    if (fired && armed.nth)
        return last_error();
    return real->xGetLastError(real, n, text);
}

void
fault_vfs_install(void)
{
    if (real)
        return;
    real = sqlite3_vfs_find(NULL); /* there is always one */
    shim = *real;
    shim.zName = "fault";
    shim.szOsFile += (int)sizeof(struct file);
    shim.xOpen = v_open;
    shim.xDelete = v_delete;
    shim.xAccess = v_access;
    shim.xSleep = v_sleep;
    shim.xGetLastError = v_last_error;
    sqlite3_vfs_register(&shim, 1);
}
