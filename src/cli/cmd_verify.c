/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/runs.h"
#include "cli/signals.h"
#include "cli/subject.h"
#include "fmnist/mem.h"
#include "fmnist/sys.h"
#include "fmnist/verify.h"

struct job {
    struct cli *c;
    struct output *rows; /* NULL: a line of text for each run */
    struct progress progress;
    struct worker_leave leave;
    int threads;
    size_t failed; /* runs that differ or cannot be trained again */
};

static int
on_batch(const struct batch_report *r, void *arg)
{
    struct job *j = arg;
    progress_batch(&j->progress, r);
    return j->leave.signal != 0;
}

static void
on_epoch(const struct epoch_metrics *m, void *arg)
{
    struct job *j = arg;
    progress_epoch(&j->progress, m);
}

static int
print_line(struct job *j, const struct run *run, const struct verify_report *v,
           struct err *e)
{
    struct str text;
    str_init(&text);
    subject_add_name(&text, run);
    str_addf(&text, ": %s: ", VERIFY_NAMES[v->outcome]);
    str_add_visible(&text, v->text);
    str_addc(&text, '\n');
    int rc = output_text(j->c, &text, e);
    fflush(j->c->out); /* the next run takes its time */
    str_release(&text);
    return rc;
}

static int
print_row(struct job *j, const struct run *run, const struct verify_report *v,
          struct err *e)
{
    struct row_builder b;
    row_begin(&b);
    row_int(&b, "id", run->id);
    row_text(&b, "name", run->name);
    row_text(&b, "outcome", VERIFY_NAMES[v->outcome]);
    row_int(&b, "epochs", v->epochs);
    row_int(&b, "tensors", v->tensors);
    if (v->differs_at > 0) {
        row_int(&b, "differs_at", v->differs_at);
    } else {
        row_text(&b, "differs_at", NULL);
    }
    row_text(&b, "tensor", v->tensor[0] ? v->tensor : NULL);
    row_text(&b, "kernel", v->kernel);
    row_text(&b, "text", v->text);
    return output_row(&b.row, j->rows, e);
}

static int
verify_one(struct job *j, int64_t id, struct err *e)
{
    const struct verify_hooks hooks = {on_batch, on_epoch, j};
    struct verify_report v;
    struct run run;
    int rc = store_run_get(j->c->store, id, &run, e);
    if (rc) {
        return rc;
    }
    cli_message(j->c, "run %" PRId64 " \"%s\": %d epoch%s to train again", id,
                run.name, run.epochs_done, run.epochs_done == 1 ? "" : "s");
    progress_init(&j->progress, j->c);
    rc = verify_run(j->c->store, id, j->threads, &hooks, &v, e);
    progress_clear(&j->progress);
    if (rc == ERR_CANCEL) {
        j->c->signal = j->leave.signal;
    }
    if (rc == 0) {
        j->failed += v.outcome == VERIFY_DIFFERS || v.outcome == VERIFY_CANNOT;
        rc = j->rows ? print_row(j, &run, &v, e) : print_line(j, &run, &v, e);
    }
    return rc;
}

static int
verify_all(struct job *j, const struct run_ids *ids, struct err *e)
{
    int rc = 0;
    runner_start_threads(j->threads);
    signals_catch(&j->leave, 1);
    for (size_t i = 0; rc == 0 && i < ids->n; i++) {
        rc = verify_one(j, ids->ids[i], e);
    }
    signals_restore();
    if (rc == 0 && j->rows) {
        struct output *rows = j->rows;
        j->rows = NULL;
        rc = output_close(rows, e);
    }
    if (rc == 0 && j->failed > 0 && ids->n == 1) {
        return err_set(e, ERR_FAIL, "run %" PRId64 " is not verified",
                       ids->ids[0]);
    }
    if (rc == 0 && j->failed > 0) {
        return err_set(e, ERR_FAIL, "%zu of %zu runs are not verified",
                       j->failed, ids->n);
    }
    return rc;
}

static int
run_verify(struct cli *c, struct err *e)
{
    struct job j = {.c = c, .threads = (int)cli_int(c, "threads", sys_cpus())};
    struct run_ids ids = {0};
    struct output_spec spec = {0};
    enum output_mode mode;
    int rc = output_mode(c, &mode, e);
    if (rc == 0) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc == 0 && (mode != OUTPUT_TABLE || cli_given(c, "columns"))) {
        spec.single = ids.n == 1;
        rc = output_open(c, &spec, &j.rows, e);
    }
    if (rc == 0) {
        rc = verify_all(&j, &ids, e);
    }
    output_free(j.rows);
    mem_free(ids.ids);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "threads",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1024,
     .help = "threads to use; the outcome does not depend on it",
     .preset = "all processors"},
    {.name = NULL},
};

const struct cli_command cmd_verify = {
    .name = "verify",
    .operands = "RUN...",
    .summary = "train a run again in memory, and compare",
    .group = GROUP_EVALUATE,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT | CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "Nothing is written. Ends with 1 where a run differs or cannot be "
             "trained again.",
    .examples = "fmnist-tui verify @last\n"
                "fmnist-tui verify --filter 'tag:paper' --json\n",
    .run = run_verify,
};
