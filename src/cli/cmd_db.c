/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"

#include "fmnist/mem.h"
#include "fmnist/str.h"

/* ---- db path -- */

static int
run_path(struct cli *c, struct err *e)
{
    char *path = NULL;
    struct str b;

    int rc = store_path(c->db, &path, e);
    if (rc) {
        return rc;
    }
    str_init(&b);
    str_addf(&b, "%s\n", path);
    rc = output_text(c, &b, e);
    str_release(&b);
    mem_free(path);
    return rc;
}

const struct cli_command cmd_db_path = {
    .name = "db path",
    .operands = "",
    .summary = "print where the run database is",
    .group = GROUP_DB,
    .run = run_path,
};

/* ---- db check -- */

static void
print_fault(const char *line, void *arg)
{
    struct cli *c = arg;
    struct str b;
    str_init(&b);
    str_add_visible(&b, line);
    fprintf(c->out, "%s\n", b.s);
    str_release(&b);
}

static int
run_check(struct cli *c, struct err *e)
{
    int faults = 0;
    int rc = cli_store(c, STORE_READ, e);
    if (!rc) {
        rc = store_check(c->store, print_fault, c, &faults, e);
    }
    if (!rc && faults > 0) {
        rc = err_set(e, ERR_FAIL,
                     "%s: %d fault%s found; keep a copy of the "
                     "file before anything else",
                     store_file(c->store), faults, faults == 1 ? "" : "s");
    }
    if (!rc) {
        cli_message(c, "%s: no fault found", store_file(c->store));
    }
    return rc;
}

const struct cli_command cmd_db_check = {
    .name = "db check",
    .operands = "",
    .summary = "verify the file, its hashes and its figures",
    .group = GROUP_DB,
    .run = run_check,
};

/* ---- db vacuum -- */

static int
run_vacuum(struct cli *c, struct err *e)
{
    uint64_t before = 0, after = 0;
    int rc = cli_store_existing(c, e);
    if (!rc) {
        rc = store_vacuum(c->store, &before, &after, e);
    }
    if (!rc) {
        cli_message(c, "%s: %.1f MB before, %.1f MB now", store_file(c->store),
                    (double)before / 1e6, (double)after / 1e6);
    }
    return rc;
}

const struct cli_command cmd_db_vacuum = {
    .name = "db vacuum",
    .operands = "",
    .summary = "give free pages back to the file system",
    .group = GROUP_DB,
    .run = run_vacuum,
};

/* ---- db backup -- */

static const struct cli_option BACKUP_OPTIONS[] = {
    {.name = "force", .help = "replace FILE if it exists"}, {0}};

static int
run_backup(struct cli *c, struct err *e)
{
    int rc = cli_store(c, STORE_READ, e);
    if (!rc) {
        rc = store_backup(c->store, c->argv[0], cli_given(c, "force"), e);
    }
    if (!rc) {
        cli_message(c, "%s: saved", c->argv[0]);
    }
    return rc;
}

const struct cli_command cmd_db_backup = {
    .name = "db backup",
    .operands = "FILE",
    .summary = "copy the database, also while runs train",
    .group = GROUP_DB,
    .options = BACKUP_OPTIONS,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui db backup runs-before-cleanup.db\n",
    .run = run_backup,
};

/* ---- db prune -- */

static const struct cli_option PRUNE_OPTIONS[] = {
    {.name = "checkpoints",
     .help = "what only going on with a finished run needs: optimizer state, "
             "and last weights where there are best ones"},
    {.name = "predictions",
     .help = "predicted classes of epochs other than the result's"},
    {.name = "trash", .help = "runs in the trash, for good"},
    {.name = "dry-run", .help = "only say how much each would free"},
    {0}};

/* Only what was asked for is counted. */
static void
say_prune(struct cli *c, const struct prune_options *o,
          const struct prune_result *r, const char *verb)
{
    const struct {
        int asked;
        int64_t n;
        const char *before, *what;
    } parts[] = {
        {o->checkpoints, r->checkpoints, "", "checkpoint"},
        {o->predictions, r->predictions, "predictions of ", "epoch"},
        {o->trash, r->runs, "", "run"},
    };
    struct str b;
    str_init(&b);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].asked) {
            str_addf(&b, "%s %s%lld %s%s", b.len ? "," : "", parts[i].before,
                     (long long)parts[i].n, parts[i].what,
                     parts[i].n == 1 ? "" : "s");
        }
    }
    cli_message(c, "%s %.1f MB:%s", verb, (double)r->bytes / 1e6, b.s);
    str_release(&b);
}

static int
run_prune(struct cli *c, struct err *e)
{
    struct prune_options o = {
        .checkpoints = cli_given(c, "checkpoints"),
        .predictions = cli_given(c, "predictions"),
        .trash = cli_given(c, "trash"),
        .dry_run = 1,
    };
    struct prune_result r;

    if (!o.checkpoints && !o.predictions && !o.trash) {
        return err_set(e, ERR_USAGE,
                       "say what to free: --checkpoints, --predictions, "
                       "--trash");
    }
    int dry = cli_given(c, "dry-run");
    int rc = dry ? cli_store(c, STORE_READ, e) : cli_store_existing(c, e);
    if (!rc) {
        rc = store_prune(c->store, &o, &r, e);
    }
    if (rc) {
        return rc;
    }
    say_prune(c, &o, &r, dry ? "would free" : "freeing");
    if (dry) {
        return 0;
    }
    o.dry_run = 0;
    rc = store_prune(c->store, &o, &r, e);
    if (!rc) {
        cli_message(c, "done; db vacuum makes the file smaller");
    }
    return rc;
}

const struct cli_command cmd_db_prune = {
    .name = "db prune",
    .operands = "",
    .summary = "free what old runs no longer need",
    .group = GROUP_DB,
    .options = PRUNE_OPTIONS,
    .notes = "Figures, confusion matrices and the result's predictions and "
             "weights of a run are never pruned.\n",
    .examples = "fmnist-tui db prune --checkpoints --dry-run\n",
    .run = run_prune,
};
