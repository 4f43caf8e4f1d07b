/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "fmnist/hook.h"
#include "fmnist/mem.h"
#include "fmnist/settings.h"
#include "fmnist/sys.h"
#include "fmnist/worker.h"

/* Other work on the machine comes first. */
#define NICE 5

/* ---- what it says -------------------------------------------------------- */

struct voice {
    struct cli *c;
    struct progress progress;
    struct run run; /* at work */
    char *on_finish;
};

/* In a log file every line tells when; on a terminal it would only be in the
 * way. */
static void
say(struct voice *v, const char *line)
{
    char now[SYS_TIME_LEN] = "";
    progress_clear(&v->progress);
    if (!isatty(fileno(v->c->log))) {
        sys_now(now);
        cli_message(v->c, "%.19sZ %ld %s", now, (long)getpid(), line);
    } else {
        cli_message(v->c, "%s", line);
    }
    fflush(v->c->log);
}

static void
on_says(const char *line, void *arg)
{
    say(arg, line);
}

static void
on_begins(const struct run *r, const struct dataset *d, void *arg)
{
    struct voice *v = arg;
    char line[300];
    v->run = *r;
    snprintf(line, sizeof line, "run %" PRId64 " \"%s\" begins: %.60s, %s",
             r->id, r->name, d->name, r->kernel);
    say(v, line);
}

static void
on_batch(const struct batch_report *r, void *arg)
{
    struct voice *v = arg;
    progress_batch(&v->progress, r);
}

static void
on_epoch(const struct epoch_report *r, void *arg)
{
    struct voice *v = arg;
    progress_epoch(&v->progress, r->metrics);
}

static void
on_ended(const struct run *r, const char *fault, void *arg)
{
    struct voice *v = arg;
    const char *how = r->status;
    struct err e = {0};
    char line[900];
    if (strcmp(r->status, "queued") == 0) {
        how = "is back in the queue";
    } else if (strcmp(r->status, "running") == 0) {
        how = "goes back to the queue";
    }
    snprintf(line, sizeof line, "run %" PRId64 " \"%s\" %s after epoch %d%s%s",
             r->id, r->name, how, r->epochs_done, fault[0] ? ": " : "", fault);
    say(v, line);
    hook_reap();
    if (v->on_finish &&
        (!strcmp(r->status, "finished") || !strcmp(r->status, "failed") ||
         !strcmp(r->status, "stopped"))) {
        if (hook_start(v->on_finish, r, store_file(v->c->store), &e) < 0) {
            say(v, e.msg);
        }
    }
}

/* ---- the kinds of worker ------------------------------------------------- */

static int
hook_command(const struct cli *c, char **out, struct err *e)
{
    const char *typed = cli_text(c, "on-finish");
    if (!typed) {
        return settings_get("on_finish", out, e);
    }
    *out = mem_strdup(typed);
    return *out ? 0 : err_nomem(e, "the hook", strlen(typed) + 1);
}

/* The process that trains is not asked to be quick about its end: its work is
 * back in the queue. */
static void
leave_now(int signal)
{
    _exit(128 + signal);
}

static int
solo(struct cli *c, struct worker_leave *leave, struct err *e)
{
    struct voice v = {.c = c};
    struct worker_options o = {
        .threads = (int)cli_int(c, "threads", sys_cpus()),
        .drain = cli_given(c, "drain"),
        .idle_exit = cli_real(c, "idle-exit", -1),
        .checkpoint_every = cli_real(c, "checkpoint-every", 0),
        .log_file = cli_text(c, "log"),
        .leave = leave,
        .begins = on_begins,
        .batch = on_batch,
        .epoch = on_epoch,
        .ended = on_ended,
        .says = on_says,
        .arg = &v,
    };
    leave->overdue = leave_now;
    progress_init(&v.progress, c);
    /* One that was started politely already stays so. */
    if (getpriority(PRIO_PROCESS, 0) < NICE) {
        setpriority(PRIO_PROCESS, 0, NICE);
    }
    int rc = hook_command(c, &v.on_finish, e);
    if (rc == 0) {
        rc = worker_run(c->store, &o, e);
    }
    progress_clear(&v.progress);
    mem_free(v.on_finish);
    return rc;
}

static struct worker_spawn
spawn_options(const struct cli *c)
{
    return (struct worker_spawn){
        .db = store_file(c->store),
        .jobs = (int)cli_int(c, "jobs", 1),
        .threads = (int)cli_int(c, "threads", 0),
        .pin = cli_given(c, "pin"),
        .drain = cli_given(c, "drain"),
        .idle_exit = cli_real(c, "idle-exit", -1),
        .checkpoint_every = cli_real(c, "checkpoint-every", 0),
        .log_file = cli_text(c, "log"),
        .on_finish = cli_text(c, "on-finish"),
        .quiet = c->quiet,
    };
}

static int
supervise(struct cli *c, struct worker_leave *leave, struct err *e)
{
    struct worker_spawn o = spawn_options(c);
    struct voice v = {.c = c};
    progress_init(&v.progress, c);
    return worker_supervise(&o, leave, on_says, &v, e);
}

static int
detach(struct cli *c, struct err *e)
{
    struct worker_spawn o = spawn_options(c);
    char log_file[1024];
    int rc = worker_start(c->store, &o, log_file, e);
    if (rc == 0) {
        fprintf(c->out, "%s\n", log_file);
    }
    return rc;
}

/* What this process and those that it starts say goes there. */
static int
redirect(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int rc = fd < 0 || dup2(fd, 2) < 0 ? err_sys(e, "%s", path) : 0;
    if (fd > 2) {
        close(fd);
    }
    return rc;
}

static int
check(const struct cli *c, struct err *e)
{
    if (cli_given(c, "solo") && (cli_given(c, "jobs") || cli_given(c, "pin"))) {
        return err_set(e, ERR_USAGE, "--solo excludes --jobs and --pin");
    }
    if (cli_given(c, "detach") &&
        (cli_given(c, "solo") || cli_given(c, "log"))) {
        return err_set(e, ERR_USAGE, "--detach excludes --solo and --log");
    }
    return 0;
}

static int
run_worker(struct cli *c, struct err *e)
{
    struct worker_leave leave = {.order = RUNNER_LEAVE};
    int rc = check(c, e);
    if (rc == 0 && cli_given(c, "log")) {
        rc = redirect(cli_text(c, "log"), e);
    }
    if (rc == 0) {
        rc = cli_store(c, STORE_WRITE, e);
    }
    if (rc) {
        return rc;
    }
    if (cli_given(c, "detach")) {
        return detach(c, e);
    }
    signals_catch(&leave, 0);
    rc = cli_given(c, "solo") ? solo(c, &leave, e) : supervise(c, &leave, e);
    signals_restore();
    if (rc == 0 && leave.signal) {
        c->signal = leave.signal;
        return ERR_CANCEL;
    }
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "jobs",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 256,
     .preset = "1",
     .help = "train N runs side by side, dividing the processors"},
    {.name = "threads",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1024,
     .preset = "processors / jobs",
     .help = "threads of each run"},
    {.name = "drain", .help = "end when nothing is left in the queue"},
    {.name = "idle-exit",
     .type = CLI_REAL,
     .arg = "S",
     .min = 0,
     .max = 1e9,
     .preset = "never",
     .help = "end after S seconds without work"},
    {.name = "checkpoint-every",
     .type = CLI_REAL,
     .arg = "S",
     .min = 0.001,
     .max = 86400,
     .preset = "5",
     .help = "seconds of training that a kill can cost; slow epochs each have "
             "a checkpoint"},
    {.name = "on-finish",
     .type = CLI_TEXT,
     .arg = "CMD",
     .preset = "the setting on_finish",
     .help = "shell command to start when a run has ended"},
    {.name = "detach",
     .help = "start it in the background, and print its log file"},
    {.name = "log",
     .type = CLI_TEXT,
     .arg = "FILE",
     .help = "append what it says to FILE"},
    {.name = "pin", .help = "keep each job to processors of its own"},
    {.name = "solo",
     .help = "train in this very process, which nobody starts again"},
    {.name = NULL},
};

const struct cli_command cmd_worker = {
    .name = "worker",
    .operands = "",
    .summary = "train what is queued",
    .group = GROUP_TRAIN,
    .options = OPTIONS,
    .notes = "It waits for work until it is told to leave; Ctrl-C and SIGTERM "
             "put its run back in the queue, from where it goes on later to "
             "the same result. A process that is killed is started again.",
    .examples = "fmnist-tui worker --drain\n"
                "fmnist-tui worker --jobs 2 --detach\n"
                "fmnist-tui worker --on-finish 'notify-send \"run "
                "$FMNIST_RUN_ID\"'\n",
    .run = run_worker,
};
