/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/live.h"
#include "cli/output.h"
#include "cli/runs.h"
#include "fmnist/mem.h"
#include "fmnist/metrics.h"
#include "fmnist/runner.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"

/* One run, and the page in the making. */
struct page {
    struct cli *c;
    int dim; /* colours: what is not to be ranked by is dimmed */
    struct run run;
    struct dataset_row data;
    struct record record;
    struct live live;
    struct str text;
};

static int
page_load(struct cli *c, int64_t id, struct page *p, struct err *e)
{
    *p = (struct page){.c = c, .dim = cli_colors(c, c->out) > 0};
    str_init(&p->text);
    int rc = store_run_get(c->store, id, &p->run, e);
    if (rc == 0) {
        rc = store_dataset_get(c->store, p->run.dataset_id, &p->data, e);
    }
    if (rc == 0) {
        rc = live_load(c, &p->live, e);
    }
    return rc ? rc : record_load(c, id, &p->record, e);
}

static void
page_release(struct page *p)
{
    record_release(&p->record);
    live_release(&p->live);
    str_release(&p->text);
}

static void
heading(struct page *p, const char *title)
{
    str_addf(&p->text, "\n%s%s%s\n", p->dim ? "\033[1m" : "", title,
             p->dim ? "\033[0m" : "");
}

static void
label(struct page *p, const char *name)
{
    str_addf(&p->text, "  %-16s ", name);
}

/* A line with a text of the database; none if it is empty. */
static void
line(struct page *p, const char *name, const char *value)
{
    if (value[0]) {
        label(p, name);
        str_add_visible(&p->text, value);
        str_addc(&p->text, '\n');
    }
}

static void
line_time(struct page *p, const char *name, const char *column)
{
    const struct cell *cell = record_cell(&p->record, column);
    if (cell->type == CELL_TEXT) {
        label(p, name);
        output_form(&p->text, FORM_TIME, cell, p->c->ascii);
        str_add(&p->text, " UTC\n");
    }
}

/* What its worker is at. */
static void
add_progress(struct page *p)
{
    const struct worker *w = live_worker(&p->live, p->run.id);
    if (strcmp(p->run.status, "running") != 0 || !w) {
        return;
    }
    if (w->at.epoch > 0) {
        label(p, "at");
        str_addf(&p->text, "epoch %d of %lld, batch %d of %d", w->at.epoch,
                 p->run.h.epochs, w->at.batch, w->at.batches);
        str_addf(&p->text, "; loss %.4f, ", w->at.loss);
        format_rate(&p->text, w->at.samples_per_second);
        str_add(&p->text, " images/s\n");
        label(p, "time left");
        format_seconds(&p->text, w->at.eta_seconds);
        str_addc(&p->text, '\n');
    }
    label(p, "worker");
    str_addf(&p->text, "process %" PRId64 " on ", w->process.pid);
    str_add_visible(&p->text, w->host);
    str_addf(&p->text, ", %d thread%s\n", w->threads,
             w->threads == 1 ? "" : "s");
    line(p, "its log", w->log_file);
}

/* Why no worker takes a queued run now; "": nothing keeps it. */
static int
find_reason(struct page *p, char why[200], struct err *e)
{
    const struct run *r = &p->run;
    struct runner_engine g;
    struct claim claim;
    char user[sizeof r->user];
    int64_t other;
    int paused, workers;
    int rc = store_queue_paused(p->c->store, &paused, e);
    sys_user(user, sizeof user);
    why[0] = '\0';
    if (rc == 0 && strcmp(r->engine, "local") != 0) {
        snprintf(why, 200, "for the engine \"%s\"", r->engine);
    } else if (rc == 0 && strcmp(r->user, user) != 0) {
        snprintf(why, 200, "for a worker of user %s", r->user);
    } else if (rc == 0 && paused) {
        snprintf(why, 200, "the queue is paused: 'fmnist-tui resume --queue'");
    } else if (rc == 0) {
        rc = runner_engine_init(&g, 1, e);
        claim = (struct claim){r->id, g.run, g.kernels};
        rc = rc ? rc : store_claim_waits(p->c->store, &claim, &other, why, e);
        rc = rc ? rc : worker_count(p->c->store, &workers, e);
        if (rc == 0 && !why[0] && workers == 0) {
            snprintf(why, 200, "no worker is alive: 'fmnist-tui worker'");
        }
    }
    return rc;
}

static int
add_place(struct page *p, struct err *e)
{
    char why[200];
    int place, of;
    if (strcmp(p->run.status, "queued") != 0 || p->run.trashed) {
        return 0;
    }
    int rc = store_place(p->c->store, p->run.id, &place, &of, e);
    if (rc == 0) {
        label(p, "place");
        str_addf(&p->text, "%d of %d in the queue\n", place, of);
        rc = find_reason(p, why, e);
    }
    if (rc == 0) {
        line(p, "waits", why);
    }
    return rc;
}

static int
add_head(struct page *p, struct err *e)
{
    const struct run *r = &p->run;
    const struct live_run at = {r->id, r->status, r->request, r->epochs_done};
    str_addf(&p->text, "run %" PRId64 " \"", r->id);
    str_add_visible(&p->text, r->name);
    str_addf(&p->text, "\": %s ", state_symbol(r->status, p->c->ascii));
    live_state(&p->live, &at, &p->text);
    str_addf(&p->text, "%s%s\n", r->starred ? ", starred" : "",
             r->trashed ? ", in the trash" : "");
    line(p, "error", r->error);
    add_progress(p);
    int rc = add_place(p, e);
    line(p, "tags", record_text(&p->record, "tags"));
    line(p, "note", r->note);
    return rc;
}

static void
add_model(struct page *p)
{
    struct spec spec;
    const struct run *r = &p->run;
    heading(p, "Model");
    label(p, "model");
    str_addf(&p->text, "%s%s%s", hyper_model(&r->h),
             r->h.preset[0] ? ", preset " : "", r->h.preset);
    if (spec_parse(r->h.spec, &spec, NULL) == 0) {
        str_addf(&p->text, ", %ld parameters", spec_parameters(&spec));
    }
    str_addc(&p->text, '\n');
    line(p, "layers", r->h.spec);
}

static void
add_part(struct page *p, const char *name, const char *acc, const char *loss)
{
    double a = record_number(&p->record, acc);
    double l = record_number(&p->record, loss);
    if (!isfinite(a) && !isfinite(l)) {
        return;
    }
    label(p, name);
    if (isfinite(a)) {
        format_percent(&p->text, a);
    } else {
        str_addc(&p->text, '-');
    }
    str_add(&p->text, ", loss ");
    output_form(&p->text, FORM_LOSS, record_cell(&p->record, loss),
                p->c->ascii);
}

/* How sure the test accuracy is, from the confusion matrix. */
static void
add_interval(struct page *p)
{
    struct confusion m;
    double low, high;
    if (store_confusion(p->c->store, p->run.id, 0, &m, NULL)) {
        return;
    }
    uint32_t n = confusion_total(&m);
    uint32_t right = confusion_correct(&m);
    wilson_interval(right, n, &low, &high);
    str_addf(&p->text,
             "; %" PRIu32 " of %" PRIu32 " right, 95 %% interval "
             "%.1f to %.1f %%",
             right, n, low * 100, high * 100);
}

static void
add_peak(struct page *p)
{
    double peak = record_number(&p->record, "peak_test_acc");
    double epoch = record_number(&p->record, "peak_epoch");
    if (!isfinite(peak) || !isfinite(epoch)) {
        return;
    }
    str_add(&p->text, p->dim ? "\033[2m" : "");
    label(p, "peak");
    str_add(&p->text, "test ");
    format_percent(&p->text, peak);
    str_addf(&p->text, " at epoch %.0f (shown, never chosen by)%s\n", epoch,
             p->dim ? "\033[0m" : "");
}

static void
add_result(struct page *p)
{
    const struct run *r = &p->run;
    heading(p, "Result");
    label(p, "epochs");
    str_addf(&p->text, "%d of %lld", r->epochs_done, r->h.epochs);
    if (r->result_epoch > 0) {
        str_addf(&p->text, "; the result is epoch %d%s", r->result_epoch,
                 r->h.val_fraction > 0 ? ", of lowest validation loss"
                 : r->result_epoch == r->epochs_done ? ", the last"
                                                     : "");
    }
    str_addc(&p->text, '\n');
    if (r->epochs_done == 0) {
        return;
    }
    add_part(p, "test", "test_acc", "test_loss");
    add_interval(p);
    str_addc(&p->text, '\n');
    size_t before = p->text.len;
    add_part(p, "validation", "val_acc", "val_loss");
    str_add(&p->text, p->text.len > before ? "\n" : "");
    add_part(p, "training", "train_acc", "train_loss");
    str_addc(&p->text, '\n');
    add_peak(p);
    label(p, "time");
    output_form(&p->text, FORM_SECONDS, record_cell(&p->record, "seconds"),
                p->c->ascii);
    str_add(&p->text, ", ");
    output_form(&p->text, FORM_RATE,
                record_cell(&p->record, "samples_per_second"), p->c->ascii);
    str_add(&p->text, " images/s\n");
}

static void
add_hyper(struct page *p)
{
    struct hyper base;
    struct str value, other;
    const struct hyper *h = &p->run.h;
    if (hyper_preset(h->preset[0] ? h->preset : "ann", &base, NULL)) {
        return;
    }
    str_init(&value);
    str_init(&other);
    heading(p, "Hyperparameters (* other than the preset's)");
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        if (strcmp(f->column, "preset") == 0 ||
            strcmp(f->column, "spec") == 0) {
            continue;
        }
        str_clear(&value);
        str_clear(&other);
        hyper_get(h, f, &value);
        hyper_get(&base, f, &other);
        str_addf(&p->text, "%s %-16s %s\n",
                 strcmp(value.s, other.s) ? "*" : " ", f->column, value.s);
    }
    str_release(&value);
    str_release(&other);
}

static void
add_data(struct page *p)
{
    const struct dataset_row *d = &p->data;
    heading(p, "Data");
    label(p, "set");
    str_add_visible(&p->text, d->name);
    str_addf(&p->text, ", %" PRIu32 " images", d->n);
    if (d->n_fixed_test > 0) {
        str_addf(&p->text, ", the last %" PRIu32 " of them its test part",
                 d->n_fixed_test);
    }
    str_addc(&p->text, '\n');
    line(p, "SHA-256", d->sha256);
    label(p, "last read from");
    str_add_visible(&p->text, d->source);
    str_addf(&p->text, " (%s)\n",
             access(d->source, R_OK) == 0 ? "still there" : "not there now");
}

static void
add_origin(struct page *p)
{
    const struct run *r = &p->run;
    heading(p, "Made by");
    line(p, "program", r->program_version);
    if (r->kernel[0]) {
        label(p, "kernel");
        str_addf(&p->text, "%s, numerics %d, %d thread%s\n", r->kernel,
                 r->numerics, r->threads, r->threads == 1 ? "" : "s");
    }
    line(p, "compiler", r->compiler);
    line(p, "host", r->host);
    line(p, "user", record_text(&p->record, "user"));
    line(p, "UUID", r->uuid);
    line_time(p, "created", "created_at");
    line_time(p, "started", "started_at");
    line_time(p, "ended", "finished_at");
    if (r->parent_id > 0) {
        label(p, "goes on from");
        str_addf(&p->text, "run %" PRId64 "\n", r->parent_id);
    }
}

static int
add_command(struct page *p, struct err *e)
{
    struct str raw;
    str_init(&raw);
    int rc = run_command_line(&p->run, &p->data, &raw, e);
    str_add_visible(&p->text, raw.s);
    str_addc(&p->text, '\n');
    str_release(&raw);
    return rc;
}

static int
show_page(struct page *p, struct err *e)
{
    int rc = add_head(p, e);
    if (rc) {
        return rc;
    }
    add_model(p);
    add_result(p);
    add_hyper(p);
    add_data(p);
    add_origin(p);
    heading(p, "The same again");
    rc = add_command(p, e);
    return rc ? rc : output_text(p->c, &p->text, e);
}

struct json_rows {
    struct str *text;
    int n;
};

static int
add_json_row(const struct row *r, void *arg, struct err *e)
{
    struct json_rows *j = arg;
    (void)e;
    if (r->cells) {
        str_add(j->text, j->n++ ? ",\n    {" : "\n    {");
        output_json_members(j->text, r);
        str_addc(j->text, '}');
    }
    return 0;
}

/* The columns of run_summary, then what they do not say. */
static int
show_json(struct page *p, struct err *e)
{
    struct str command;
    struct json_rows epochs = {&p->text, 0};
    const struct record *r = &p->record;
    struct row row = {r->n, r->names, r->cells};
    str_init(&command);
    str_addc(&p->text, '{');
    output_json_members(&p->text, &row);
    int rc = run_command_line(&p->run, &p->data, &command, e);
    str_add(&p->text, ",\n  \"dataset_sha256\": ");
    str_add_json(&p->text, p->data.sha256);
    str_add(&p->text, ", \"dataset_source\": ");
    str_add_json(&p->text, p->data.source);
    str_add(&p->text, ", \"command\": ");
    str_add_json(&p->text, command.s);
    str_add(&p->text, ",\n  \"epochs_log\": [");
    if (rc == 0) {
        rc = store_run_rows(p->c->store, p->run.id, RUN_EPOCHS, add_json_row,
                            &epochs, e);
    }
    str_add(&p->text, epochs.n ? "\n  ]}" : "]}");
    str_release(&command);
    return rc ? rc : output_text(p->c, &p->text, e);
}

/* Every run as a page, as its command, or as an object. */
static int
show_each(struct cli *c, const struct run_ids *ids, enum output_mode mode,
          struct err *e)
{
    int many = ids->n != 1;
    int command = cli_given(c, "command");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ids->n; i++) {
        struct page p;
        rc = page_load(c, ids->ids[i], &p, e);
        if (rc == 0 && mode == OUTPUT_JSON) {
            str_add(&p.text, !many ? "" : i ? ",\n" : "[\n");
            rc = show_json(&p, e);
        } else if (rc == 0 && command) {
            rc = add_command(&p, e);
            rc = rc ? rc : output_text(c, &p.text, e);
        } else if (rc == 0) {
            str_add(&p.text, i ? "\n" : "");
            rc = show_page(&p, e);
        }
        page_release(&p);
    }
    if (rc == 0 && mode == OUTPUT_JSON) {
        fputs(!many ? "\n" : ids->n ? "\n]\n" : "[]\n", c->out);
    }
    return rc;
}

/* CSV, ids, or chosen columns: as ls prints them. */
static int
show_rows(struct cli *c, const struct run_ids *ids, struct err *e)
{
    struct output_spec spec = {.single = ids->n == 1};
    struct output *o;
    int rc = output_open(c, &spec, &o, e);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < ids->n; i++) {
        struct record r;
        rc = record_load(c, ids->ids[i], &r, e);
        if (rc == 0) {
            struct row row = {r.n, r.names, r.cells};
            rc = output_row(&row, o, e);
            record_release(&r);
        }
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

static int
run_show(struct cli *c, struct err *e)
{
    enum output_mode mode;
    struct run_ids ids;
    int rc = output_mode(c, &mode, e);
    if (rc == 0 && cli_given(c, "command") &&
        (mode != OUTPUT_TABLE || cli_given(c, "columns"))) {
        rc = err_set(e, ERR_USAGE,
                     "--command prints commands only; it excludes the options "
                     "of listings");
    }
    if (rc == 0) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (rc == 0) {
        rc = cli_runs(c, c->argc, &ids, e);
    }
    if (rc) {
        return rc;
    }
    if (mode == OUTPUT_CSV || mode == OUTPUT_IDS || cli_given(c, "columns")) {
        rc = show_rows(c, &ids, e);
    } else {
        rc = show_each(c, &ids, mode, e);
    }
    mem_free(ids.ids);
    return rc;
}

static const struct cli_option OPTIONS[] = {
    {.name = "command", .help = "print only the command that trains it again"},
    {.name = NULL},
};

const struct cli_command cmd_show = {
    .name = "show",
    .operands = "RUN...",
    .summary = "all about a run, and the command that trains it again",
    .group = GROUP_LOOK,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT | CLI_TAKES_RUNS,
    .min = 1,
    .max = -1,
    .notes = "With --json the epochs are in \"epochs_log\".",
    .examples = "fmnist-tui show @last\n"
                "fmnist-tui show 17 --json\n"
                "sh -c \"$(fmnist-tui show 17 --command)\"\n",
    .run = run_show,
};
