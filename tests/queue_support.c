/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "queue_support.h"

#include <string.h>

#include "fmnist/mem.h"
#include "store_support.h"

struct claim
queue_claim_of(int64_t run)
{
    static const char *const KERNELS[] = {"scalar", "abacus", NULL};

    return (struct claim){
        run, {"scalar", "0.1.0", "gcc 12", "here", NUMERICS, 2}, KERNELS};
}

int64_t
queue_claim(struct store *s)
{
    struct claim c = queue_claim_of(0);
    int64_t id;

    OK(store_claim(s, &c, &id, e));
    return id;
}

int64_t
queue_join(struct store *s)
{
    int64_t id;

    OK(store_worker_add(s, 2, NULL, &id, e));
    return id;
}

struct worker
queue_worker(struct store *s, size_t i)
{
    struct worker *all, w;
    size_t n;

    OK(store_workers(s, &all, &n, e));
    ck_assert_uint_lt(i, n);
    w = all[i];
    mem_free(all);
    return w;
}

int
queue_bury(struct store *s, const struct worker *w)
{
    int runs;

    OK(store_worker_bury(s, w, &runs, e));
    return runs;
}

int
queue_steer(struct store *s, int64_t id, enum steer what, int fresh,
            struct err *e)
{
    return store_steer(s, &(struct run_ids){&id, 1, 1}, what, fresh, NULL, NULL,
                       e);
}

struct run
queue_run(struct store *s, int64_t id)
{
    struct run r;

    OK(store_run_get(s, id, &r, e));
    return r;
}

void
queue_status_is(struct store *s, int64_t id, const char *status)
{
    struct run r = queue_run(s, id);

    ck_assert_str_eq(r.status, status);
}

void
queue_is_sound(struct store *s)
{
    int faults = 0;

    OK(store_check(s, test_count_fault, &faults, &faults, e));
    ck_assert_int_eq(faults, 0);
}
