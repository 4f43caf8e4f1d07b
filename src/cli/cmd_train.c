/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/split.h"
#include "fmnist/sys.h"

/* ---- signals ------------------------------------------------------------ */

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof SIGNALS / sizeof SIGNALS[0] };

static volatile sig_atomic_t caught;

static void
catch_signal(int n)
{
    caught = n;
}

/* The first one asks to stop, the second of its kind kills.  What was ignored
 * (nohup) stays so.  A reader of stderr that goes away must not end the run. */
static void
catch_signals(struct sigaction old[N_SIGNALS])
{
    struct sigaction sa = {.sa_handler = catch_signal};
    sa.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(SIGNALS[i], NULL, &old[i]);
        if (old[i].sa_handler != SIG_IGN) {
            sigaction(SIGNALS[i], &sa, NULL);
        }
    }
    sa.sa_handler = SIG_IGN;
    sa.sa_flags = 0;
    sigaction(SIGPIPE, &sa, NULL);
}

static void
restore_signals(const struct sigaction old[N_SIGNALS])
{
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(SIGNALS[i], &old[i], NULL);
    }
}

/* ---- one run ------------------------------------------------------------ */

/* All that a run needs before its row is written. */
struct job {
    struct hyper h;
    struct dataset *data;
    const struct kern *kern;
    int threads;
    uint32_t n[N_PARTS]; /* images of each part */
    struct progress progress;
};

static enum trainer_verdict
on_batch(const struct batch_report *r, void *arg)
{
    struct job *j = arg;
    progress_batch(&j->progress, r);
    return caught ? TRAINER_STOP_NOW : TRAINER_GO;
}

static void
on_epoch(const struct epoch_report *r, void *arg)
{
    struct job *j = arg;
    progress_epoch(&j->progress, r->metrics);
}

/* A set with a test part of its own is not divided again. */
static int
own_test_part(const struct cli *c, struct job *j, struct err *e)
{
    if (j->data->n_fixed_test == 0) {
        return 0;
    }
    if (cli_given(c, "test-fraction")) {
        return err_set(e, ERR_USAGE,
                       "--test-fraction: the data set \"%s\" has a test part "
                       "of its own",
                       j->data->name);
    }
    j->h.test_fraction = 0;
    return 0;
}

static int
check_split(struct job *j, struct err *e)
{
    struct split s;
    int rc = split_make(j->data, (uint64_t)j->h.split_seed, j->h.test_fraction,
                        j->h.val_fraction, &s, e);
    if (rc) {
        return rc;
    }
    memcpy(j->n, s.n, sizeof j->n);
    rc = trainer_check(&j->h, &s, e);
    split_release(&s);
    return rc;
}

/* Where the system refuses threads, libgomp ends the process: before a row is
 * written then, not after.  The threads stay for the training. */
static void
start_threads(int n)
{
    int started = 0;
#pragma omp parallel num_threads(n) reduction(+ : started)
    started += 1;
    (void)started;
}

static int
prepare(struct cli *c, struct job *j, struct err *e)
{
    const char *word = cli_text(c, "data");
    int rc = cli_hyper(c, &j->h, e);
    if (rc == 0) {
        rc = kern_choose(NULL, &j->kern, e);
    }
    if (rc == 0) {
        rc = cli_store(c, STORE_WRITE, e);
    }
    if (rc == 0) {
        rc = runner_data(c->store, word ? word : "small", &j->data, e);
    }
    if (rc == 0) {
        rc = own_test_part(c, j, e);
    }
    if (rc == 0) {
        rc = check_split(j, e);
    }
    j->threads = (int)cli_int(c, "threads", sys_cpus());
    if (rc == 0) {
        start_threads(j->threads);
    }
    return rc;
}

static int
insert(struct cli *c, struct job *j, int64_t *id, struct err *e)
{
    struct run_new n = {
        .name = cli_text(c, "name"), .note = cli_text(c, "note"), .h = &j->h};
    while (cli_nth(c, "tag", n.n_tags)) {
        n.n_tags++;
    }
    const char **tags = mem_zalloc((size_t)n.n_tags + 1, sizeof *tags);
    if (!tags) {
        return err_nomem(e, "the tags", (size_t)n.n_tags * sizeof *tags);
    }
    for (int i = 0; i < n.n_tags; i++) {
        tags[i] = cli_nth(c, "tag", i);
    }
    n.tags = tags;
    int rc = store_dataset_put(c->store, j->data, &n.dataset_id, e);
    if (rc == 0) {
        rc = store_run_insert(c->store, &n, id, e);
    }
    mem_free(tags);
    return rc;
}

static void
announce(const struct cli *c, const struct job *j, int64_t id)
{
    struct run run;
    struct spec spec;
    if (store_run_get(c->store, id, &run, NULL) == 0 &&
        spec_parse(j->h.spec, &spec, NULL) == 0) {
        cli_message(c,
                    "run %" PRId64 " \"%s\": %s, %" PRIu32 " images to train, "
                    "%" PRIu32 " to test, %ld parameters, %s, %d thread%s",
                    id, run.name, j->data->name, j->n[PART_TRAIN],
                    j->n[PART_TEST], spec_parameters(&spec), j->kern->name,
                    j->threads, j->threads == 1 ? "" : "s");
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
    }
    str_release(&text);
}

/* Trains the run that is in the database now. */
static int
train(struct cli *c, struct job *j, int64_t id, struct err *e)
{
    struct runner_hooks hooks = {
        .batch = on_batch, .epoch = on_epoch, .arg = j};
    struct run run;
    announce(c, j, id);
    int rc =
        runner_execute(c->store, id, j->data, j->kern, j->threads, &hooks, e);
    progress_clear(&j->progress);
    fprintf(c->out, "%" PRId64 "\n", id);
    if (store_run_get(c->store, id, &run, NULL)) {
        return rc;
    }
    report(c, &run);
    if (caught && strcmp(run.status, "stopped") == 0) {
        c->signal = caught;
        return ERR_CANCEL;
    }
    return rc ? err_wrap(e, rc, "run %" PRId64, id) : 0;
}

static int
run_train(struct cli *c, struct err *e)
{
    struct job j = {0};
    struct sigaction old[N_SIGNALS];
    int64_t id;
    int rc = prepare(c, &j, e);
    if (rc == 0) {
        progress_init(&j.progress, c);
        catch_signals(old);
        rc = insert(c, &j, &id, e);
        if (rc == 0) {
            rc = train(c, &j, id, e);
        }
        restore_signals(old);
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
