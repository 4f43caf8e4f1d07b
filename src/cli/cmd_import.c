/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/runs.h"
#include "fmnist/mem.h"
#include "fmnist/transfer.h"

/* Runs that were refused: the last in words, those before it said already. */
struct refusals {
    struct cli *c;
    int n;
    struct str last;
};

static void
on_refused(const char *uuid, const char *name, const char *why, void *arg)
{
    struct refusals *r = arg;
    if (r->n > 0) {
        cli_warning(r->c, "%s", r->last.s);
    }
    r->n++;
    str_clear(&r->last);
    str_addf(&r->last, "run \"%s\" (%s) has another history here: %s", name,
             uuid, why);
}

/* "12 runs imported, 3 brought up to date"; only what there is. */
static void
add_counts(struct str *b, const struct import_result *r)
{
    static const char *const WORDS[N_IMPORT] = {
        [IMPORT_NEW] = "imported",
        [IMPORT_UPDATED] = "brought up to date",
        [IMPORT_KNOWN] = "already there",
        [IMPORT_BUSY] = "left alone, being trained here",
        [IMPORT_REFUSED] = "refused",
    };
    size_t begin = b->len;
    for (int i = 0; i < N_IMPORT; i++) {
        long long n = r->runs[i];
        if (n > 0 && b->len == begin) {
            str_addf(b, "%lld %s %s", n, run_plural(n), WORDS[i]);
        } else if (n > 0) {
            str_addf(b, ", %lld %s", n, WORDS[i]);
        }
    }
    if (b->len == begin) {
        str_add(b, "no runs");
    }
}

/* What was done, or ERR_FAIL where a run was refused. */
static int
say(struct cli *c, const struct import_result *result, struct refusals *r,
    struct err *e)
{
    struct str b;
    int rc = 0;
    str_init(&b);
    str_add(&b, cli_given(c, "dry-run") ? "dry run: " : "");
    add_counts(&b, result);
    if (r->n == 1) {
        str_addf(&b, ": %s", r->last.s);
    } else if (r->n > 1) {
        cli_warning(c, "%s", r->last.s);
    }
    if (str_failed(&b) || str_failed(&r->last)) {
        rc = err_nomem(e, "a message", b.len);
    } else if (r->n > 0) {
        rc = err_set(e, ERR_FAIL, "%s", b.s);
    } else {
        cli_message(c, "%s", b.s);
    }
    str_release(&b);
    return rc;
}

/* A dry run makes no database where there is none. */
static int
open_target(struct cli *c, struct err *e)
{
    char *path = NULL;
    int rc = store_path(c->db, &path, e);
    if (rc == 0 && cli_given(c, "dry-run") && access(path, F_OK) != 0 &&
        errno == ENOENT) {
        rc = store_scratch(&c->store, e);
    }
    mem_free(path);
    return rc ? rc : cli_store(c, STORE_WRITE, e);
}

static int
run_import(struct cli *c, struct err *e)
{
    struct refusals r = {.c = c};
    const struct import_options o = {
        .dry_run = cli_given(c, "dry-run"), .refused = on_refused, .arg = &r};
    struct import_result result;
    int rc = open_target(c, e);
    if (rc) {
        return rc;
    }
    str_init(&r.last);
    rc = store_import(c->store, c->argv[0], &o, &result, e);
    if (rc == 0) {
        rc = say(c, &result, &r, e);
    }
    str_release(&r.last);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "dry-run", .help = "only say what would be done"},
    {.name = NULL},
};

const struct cli_command cmd_import = {
    .name = "import",
    .operands = "FILE",
    .summary = "take all runs of another run database",
    .group = GROUP_KEEP,
    .options = OPTIONS,
    .min = 1,
    .max = 1,
    .notes = "Runs are told apart by their UUIDs: importing again, or files in "
             "another order, changes nothing.  Everything in the file is "
             "checked first.",
    .examples = "fmnist-tui import their-runs.db\n"
                "fmnist-tui import runs-of-the-other-machine.db --dry-run\n",
    .run = run_import,
};
