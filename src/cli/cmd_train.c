/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/new_run.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/split.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

/* ---- one run ------------------------------------------------------------- */

/* All that a run needs before its row is written. */
struct job {
    struct cli *c;
    struct hyper h;
    struct dataset *data;
    int threads;
    uint32_t n[N_PARTS]; /* images of each part */
    struct progress progress;
    struct worker_leave leave;
};

static void
on_batch(const struct batch_report *r, void *arg)
{
    struct job *j = arg;
    progress_batch(&j->progress, r);
}

static void
on_epoch(const struct epoch_report *r, void *arg)
{
    struct job *j = arg;
    progress_epoch(&j->progress, r->metrics);
}

static int
prepare(struct cli *c, struct job *j, struct err *e)
{
    const char *word = cli_text(c, "data");
    int rc = cli_hyper(c, &j->h, e);
    if (rc == 0) {
        rc = cli_store(c, STORE_WRITE, e);
    }
    if (rc == 0) {
        rc = runner_data(c->store, word ? word : "small", &j->data, e);
    }
    if (rc == 0) {
        rc = new_run_test_part(c, j->data, &j->h, e);
    }
    if (rc == 0) {
        rc = new_run_check(j->data, &j->h, j->n, e);
    }
    j->threads = (int)cli_int(c, "threads", sys_cpus());
    return rc;
}

static int
insert(int64_t *id, void *arg, struct err *e)
{
    struct job *j = arg;
    struct cli *c = j->c;
    struct run_new n;
    const char **tags;
    int rc = new_run_init(c, &n, &tags, e);
    n.h = &j->h;
    if (rc == 0) {
        rc = store_dataset_put(c->store, j->data, &n.dataset_id, e);
    }
    if (rc == 0) {
        rc = store_run_insert(c->store, &n, id, e);
    }
    mem_free(tags);
    return rc;
}

static void
on_begins(const struct run *r, const struct dataset *d, void *arg)
{
    struct job *j = arg;
    struct spec spec;
    if (spec_parse(j->h.spec, &spec, NULL) == 0) {
        cli_message(j->c,
                    "run %" PRId64 " \"%s\": %s, %" PRIu32 " images to train, "
                    "%" PRIu32 " to test, %ld parameters, %s, %d thread%s",
                    r->id, r->name, d->name, j->n[PART_TRAIN], j->n[PART_TEST],
                    spec_parameters(&spec), r->kernel, r->threads,
                    r->threads == 1 ? "" : "s");
    }
}

struct summary {
    double test_acc, seconds;
};

static int
take_summary(const struct row *r, void *arg, struct err *e)
{
    struct summary *s = arg;
    (void)e;
    if (r->cells && r->cells[0].type == CELL_REAL) {
        s->test_acc = r->cells[0].r;
    }
    if (r->cells && r->cells[1].type == CELL_REAL) {
        s->seconds = r->cells[1].r;
    }
    return 0;
}

static void
report(const struct cli *c, const struct run *run)
{
    static const char *const COLUMNS[] = {"test_acc", "seconds"};
    struct summary s = {(double)NAN, (double)NAN};
    struct cell id = {.type = CELL_INT, .i = run->id};
    struct run_query q = {.columns = COLUMNS,
                          .n_columns = 2,
                          .where = "id = ?1",
                          .binds = &id,
                          .n_binds = 1};
    struct str text;
    if (store_runs(c->store, &q, take_summary, &s, NULL)) {
        return;
    }
    str_init(&text);
    if (run->epochs_done > 0) {
        str_add(&text, ": test accuracy ");
        format_percent(&text, s.test_acc);
        str_add(&text, " in ");
        format_seconds(&text, s.seconds);
    }
    if (strcmp(run->status, "finished") == 0) {
        cli_message(c, "run %" PRId64 " finished%s", run->id, text.s);
    } else if (strcmp(run->status, "stopped") == 0 && run->epochs_done > 0) {
        cli_message(c,
                    "run %" PRId64 " stopped after epoch %d of %lld%s; its "
                    "epochs are kept: 'fmnist-tui show %" PRId64 "'",
                    run->id, run->epochs_done, run->h.epochs, text.s, run->id);
    } else if (strcmp(run->status, "stopped") == 0) {
        cli_message(c,
                    "run %" PRId64 " stopped before its first epoch was done; "
                    "'fmnist-tui show --command %" PRId64 "' begins again",
                    run->id, run->id);
    } else if (strcmp(run->status, "paused") == 0) {
        cli_message(c,
                    "run %" PRId64 " paused after epoch %d; 'fmnist-tui resume "
                    "%" PRId64 "' queues it for a worker",
                    run->id, run->epochs_done, run->id);
    } else if (strcmp(run->status, "queued") == 0) {
        cli_message(c,
                    "run %" PRId64 " is back in the queue after epoch %d; "
                    "'fmnist-tui worker' goes on with it",
                    run->id, run->epochs_done);
    }
    str_release(&text);
}

static int
train(struct job *j, struct err *e)
{
    const struct worker_options o = {
        .threads = j->threads,
        .leave = &j->leave,
        .begins = on_begins,
        .batch = on_batch,
        .epoch = on_epoch,
        .arg = j,
    };
    struct cli *c = j->c;
    struct run run;
    int64_t id;
    int rc = worker_run_one(c->store, &o, j->data, insert, &id, e);
    progress_clear(&j->progress);
    if (id == 0) {
        return rc;
    }
    fprintf(c->out, "%" PRId64 "\n", id);
    if (store_run_get(c->store, id, &run, NULL)) {
        return rc;
    }
    report(c, &run);
    if (j->leave.signal && strcmp(run.status, "stopped") == 0) {
        c->signal = j->leave.signal;
        return ERR_CANCEL;
    }
    return rc ? err_wrap(e, rc, "run %" PRId64, id) : 0;
}

static int
run_train(struct cli *c, struct err *e)
{
    struct job j = {.c = c, .leave.order = RUNNER_STOP};
    int rc = prepare(c, &j, e);
    if (rc == 0) {
        progress_init(&j.progress, c);
        signals_catch(&j.leave, 1);
        rc = train(&j, e);
        signals_restore();
    }
    dataset_free(j.data);
    return rc;
}

const struct cli_command cmd_train = {
    .name = "train",
    .operands = "",
    .summary = "train one run here, and print its id",
    .group = GROUP_TRAIN,
    .takes = CLI_TAKES_HYPER,
    .notes = "Ctrl-C ends the run at once; its finished epochs are kept, and "
             "its state is \"stopped\". The defaults are those of the preset "
             "ann.",
    .examples = "fmnist-tui train --preset cnn --epochs 10\n"
                "fmnist-tui train --hidden 256-64 --lr 0.01 --batch-size 32 "
                "--tag wide\n"
                "fmnist-tui train --data full --val-fraction 0.1 "
                "--patience 5\n",
    .run = run_train,
};
