/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/new_run.h"

#include <string.h>

#include "fmnist/mem.h"

int
new_run_test_part(const struct cli *c, const struct dataset *d, struct hyper *h,
                  struct err *e)
{
    int given = cli_given(c, "test-fraction");
    struct hyper defaults;
    int rc = hyper_preset("ann", &defaults, e);
    if (rc) {
        return rc;
    }
    if (d->n_fixed_test > 0 && given) {
        return err_set(e, ERR_USAGE,
                       "--test-fraction: the data set \"%s\" has a test part "
                       "of its own",
                       d->name);
    }
    if (d->n_fixed_test > 0) {
        h->test_fraction = 0;
    } else if (h->test_fraction == 0 && !given) {
        h->test_fraction = defaults.test_fraction;
    }
    return 0;
}

int
new_run_check(const struct dataset *d, const struct hyper *h,
              uint32_t n[N_PARTS], struct err *e)
{
    struct split s;
    int rc = split_make(d, (uint64_t)h->split_seed, h->test_fraction,
                        h->val_fraction, &s, e);
    if (rc) {
        return rc;
    }
    memcpy(n, s.n, sizeof s.n);
    rc = trainer_check(h, &s, e);
    split_release(&s);
    return rc;
}

int
new_run_init(const struct cli *c, struct run_new *out, const char ***tags,
             struct err *e)
{
    *out = (struct run_new){.name = cli_text(c, "name"),
                            .note = cli_text(c, "note")};
    while (cli_nth(c, "tag", out->n_tags)) {
        out->n_tags++;
    }
    *tags = mem_zalloc((size_t)out->n_tags + 1, sizeof **tags);
    if (!*tags) {
        return err_nomem(e, "the tags", (size_t)out->n_tags * sizeof **tags);
    }
    for (int i = 0; i < out->n_tags; i++) {
        (*tags)[i] = cli_nth(c, "tag", i);
    }
    out->tags = *tags;
    return 0;
}
