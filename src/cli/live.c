/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/live.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "fmnist/sys.h"

/* A heart beats every five seconds; three beats that do not come are told. */
#define SILENT_SECONDS 15

int
live_load(struct cli *c, struct live *out, struct err *e)
{
    *out = (struct live){.store = c->store};
    return store_workers(c->store, &out->workers, &out->n, e);
}

void
live_release(struct live *l)
{
    mem_free(l->workers);
    *l = (struct live){0};
}

const struct worker *
live_worker(const struct live *l, int64_t run)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->workers[i].run_id == run) {
            return &l->workers[i];
        }
    }
    return NULL;
}

double
live_share(const struct worker *w)
{
    return w->at.batches > 0 ? (double)w->at.batch / w->at.batches : 0;
}

/* Of a wall clock that may be another machine's: to show, not to decide by. */
static double
seconds_since(const char *time_text)
{
    struct tm tm = {0};
    if (sscanf(time_text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6) {
        return 0;
    }
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return difftime(time(NULL), timegm(&tm));
}

static double
silence(const struct worker *w)
{
    struct process self;
    sys_process_self(&self);
    return strcmp(self.boot_id, w->process.boot_id) == 0 && self.boot_id[0]
               ? sys_monotonic() - w->heartbeat_clock
               : seconds_since(w->heartbeat_at);
}

/* The epoch after which a run stops that is asked to now.  What its worker
 * tells may be older than what it has recorded. */
static int
last_epoch(const struct live_run *r, const struct worker *w)
{
    return w && w->at.epoch > r->epochs_done ? w->at.epoch : r->epochs_done + 1;
}

void
live_request(const struct live *l, const struct live_run *r, char out[64])
{
    const char *request = r->request ? r->request : "";
    out[0] = '\0';
    if (strcmp(r->status, "running") != 0) {
        return;
    }
    if (strcmp(request, "stop") == 0) {
        snprintf(out, 64, "stops after epoch %d",
                 last_epoch(r, live_worker(l, r->id)));
    } else if (strcmp(request, "stop-now") == 0) {
        snprintf(out, 64, "stops now");
    } else if (strcmp(request, "pause") == 0) {
        snprintf(out, 64, "pauses");
    }
}

void
live_state(const struct live *l, const struct live_run *r, struct str *b)
{
    const struct worker *w = live_worker(l, r->id);
    char request[64];
    str_add_visible(b, r->status);
    if (strcmp(r->status, "running") != 0) {
        return;
    }
    live_request(l, r, request);
    str_addf(b, "%s%s", request[0] ? ", " : "", request);
    if (!w || worker_life(l->store, w) == WORKER_DEAD) {
        str_add(b, ", its worker is gone");
    } else if (silence(w) >= SILENT_SECONDS) {
        str_add(b, ", silent for ");
        format_seconds(b, silence(w));
    }
}

/* ---- rows with more ------------------------------------------------------ */

enum { MORE = 3 };

void
live_rows_init(struct live_rows *r, const struct live *l, row_fn fn, void *arg)
{
    *r = (struct live_rows){.live = l, .fn = fn, .arg = arg};
    str_init(&r->state);
    str_init(&r->epoch);
}

void
live_rows_release(struct live_rows *r)
{
    mem_free(r->names);
    mem_free(r->cells);
    str_release(&r->state);
    str_release(&r->epoch);
}

int
live_has_eta(const struct live *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->workers[i].run_id && isfinite(l->workers[i].at.eta_seconds)) {
            return 1;
        }
    }
    return 0;
}

static const struct cell *
find_cell(const struct live_rows *r, const char *name)
{
    static const struct cell NONE = {.type = CELL_NULL};
    for (int i = 0; i < r->n; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return &r->cells[i];
        }
    }
    return &NONE;
}

static const char *
find_text(const struct live_rows *r, const char *name)
{
    const struct cell *c = find_cell(r, name);
    return c->type == CELL_TEXT ? c->s : "";
}

static struct cell
text_cell(const struct str *b)
{
    return (struct cell){.type = CELL_TEXT, .s = b->s, .n = b->len};
}

/* The first row brings the names. */
static int
begin(struct live_rows *r, const struct row *from, struct err *e)
{
    static const char *const NAMES[MORE] = {"live_state", "live_epoch",
                                            "live_eta"};
    size_t n = (size_t)from->n;
    r->names = mem_zalloc(n + MORE, sizeof *r->names);
    r->cells = mem_zalloc(n + MORE, sizeof *r->cells);
    if (!r->names || !r->cells) {
        return err_nomem(e, "a row", (n + MORE) * sizeof *r->cells);
    }
    r->n = from->n;
    memcpy(r->names, from->names, n * sizeof *r->names);
    memcpy(r->names + n, NAMES, sizeof NAMES);
    return 0;
}

/* The cells that the row lacks. */
static void
fill(struct live_rows *r)
{
    struct live_run run = {
        .id = find_cell(r, "id")->i,
        .status = find_text(r, "status"),
        .request = find_text(r, "request"),
        .epochs_done = (int)find_cell(r, "epochs_done")->i,
    };
    int trains = strcmp(run.status, "running") == 0;
    const struct worker *w = trains ? live_worker(r->live, run.id) : NULL;
    str_clear(&r->state);
    str_clear(&r->epoch);
    live_state(r->live, &run, &r->state);
    if (w && w->at.epoch > 0) {
        /* Cut, not rounded: what is not done is not shown as done. */
        str_addf(&r->epoch, "%d.%d", w->at.epoch - 1 + (int)live_share(w),
                 (int)(live_share(w) * 10) % 10);
    } else {
        str_addf(&r->epoch, "%d", run.epochs_done);
    }
    r->cells[r->n] = text_cell(&r->state);
    r->cells[r->n + 1] = text_cell(&r->epoch);
    r->cells[r->n + 2] = (struct cell){.type = CELL_NULL};
    if (w && isfinite(w->at.eta_seconds)) {
        r->cells[r->n + 2] =
            (struct cell){.type = CELL_REAL, .r = w->at.eta_seconds};
    }
}

int
live_row(const struct row *from, void *rows, struct err *e)
{
    struct live_rows *r = rows;
    int rc = r->names ? 0 : begin(r, from, e);
    if (rc) {
        return rc;
    }
    struct row row = {r->n + MORE, r->names, NULL};
    if (from->cells) {
        memcpy(r->cells, from->cells, (size_t)r->n * sizeof *r->cells);
        fill(r);
        row.cells = r->cells;
    }
    return r->fn(&row, r->arg, e);
}
