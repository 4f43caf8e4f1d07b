/* SPDX-License-Identifier: MIT */
/* An SQLite VFS that does as the system's, until a call is to fail. */
#ifndef FMNIST_TESTS_FAULT_VFS_H
#define FMNIST_TESTS_FAULT_VFS_H

enum fault_call {
    FAULT_OPEN,
    FAULT_DELETE,
    FAULT_ACCESS,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_TRUNCATE,
    FAULT_SYNC,
    FAULT_SIZE,
    FAULT_LOCK,
    FAULT_SHM_MAP,
    FAULT_SHM_LOCK,
    N_FAULT_CALLS
};

/* How long it lasts. */
enum fault_reach {
    FAULT_ONCE,  /* this call only */
    FAULT_STAYS, /* all later calls of this kind, too */
    FAULT_DEATH, /* and no later call of any kind does anything: what the disk
                    holds is what a process that was killed there leaves */
};

struct fault {
    enum fault_call call;
    int code; /* what SQLite is told, SQLITE_FULL or such */
    int torn; /* of a write that fails, the first half is done */
    enum fault_reach reach;
    long nth; /* of the calls from now on; 0: none */
    int sys;  /* errno; 0: ENOSPC with SQLITE_FULL, else EIO */
};

/* Makes it the default VFS of this process, for good.  It waits for no lock and
 * for no disk: sleeping and syncing are done at once. */
void fault_vfs_install(void);
/* NULL: all is well again.  Counting begins anew. */
void fault_arm(const struct fault *f);
/* Whether the armed fault, or the last one armed, has come to pass. */
int fault_fired(void);
/* Calls since the last fault_arm. */
long fault_count(enum fault_call call);

#endif
