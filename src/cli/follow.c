/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/follow.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/signals.h"

#define LOOK_SECONDS 0.25

struct follower {
    struct cli *c;
    int64_t id;
    enum output_mode mode;
    struct str text;
    int64_t epoch;   /* the newest that is printed */
    int64_t seen;    /* messages printed */
    int64_t nth;     /* message at hand */
    int has_heading; /* of the CSV */
};

static int
take_message(const struct row *r, void *arg, struct err *e)
{
    struct follower *f = arg;
    (void)e;
    if (!r->cells || r->n < 3 || f->nth++ < f->seen) {
        return 0;
    }
    f->seen++;
    output_form(&f->text, FORM_TIME, &r->cells[0], f->c->ascii);
    str_add(&f->text, "  ");
    output_form(&f->text, FORM_PLAIN, &r->cells[1], f->c->ascii);
    str_add(&f->text, ": ");
    output_form(&f->text, FORM_PLAIN, &r->cells[2], f->c->ascii);
    str_addc(&f->text, '\n');
    return 0;
}

/* A value with its name, where it has one. */
static void
add_figure(struct follower *f, const struct row *r, const char *column,
           const char *title, enum form form)
{
    for (int i = 0; i < r->n; i++) {
        if (strcmp(r->names[i], column) == 0 && r->cells[i].type != CELL_NULL) {
            str_addf(&f->text, "  %s ", title);
            output_form(&f->text, form, &r->cells[i], f->c->ascii);
        }
    }
}

static void
add_line(struct follower *f, const struct row *r)
{
    str_addf(&f->text, "epoch %" PRId64, r->cells[0].i);
    add_figure(f, r, "train_loss", "train loss", FORM_LOSS);
    add_figure(f, r, "train_acc", "acc", FORM_PERCENT);
    add_figure(f, r, "val_loss", "val loss", FORM_LOSS);
    add_figure(f, r, "val_acc", "acc", FORM_PERCENT);
    add_figure(f, r, "test_loss", "test loss", FORM_LOSS);
    add_figure(f, r, "test_acc", "acc", FORM_PERCENT);
    add_figure(f, r, "seconds", "time", FORM_SECONDS);
    str_addc(&f->text, '\n');
}

static void
add_csv(struct follower *f, const struct row *r)
{
    struct str cell;
    for (int i = 0; !f->has_heading && i < r->n; i++) {
        str_addf(&f->text, "%s%s", i ? "," : "", r->names[i]);
    }
    if (!f->has_heading) {
        str_addc(&f->text, '\n');
        f->has_heading = 1;
    }
    for (int i = 0; i < r->n; i++) {
        str_init(&cell);
        output_cell(&cell, &r->cells[i]);
        str_add(&f->text, i ? "," : "");
        str_add_csv(&f->text, cell.s);
        str_release(&cell);
    }
    str_addc(&f->text, '\n');
}

static int
take_epoch(const struct row *r, void *arg, struct err *e)
{
    struct follower *f = arg;
    (void)e;
    /* Epochs that are trained again after a crash are the same. */
    if (!r->cells || r->cells[0].i <= f->epoch) {
        return 0;
    }
    f->epoch = r->cells[0].i;
    switch (f->mode) {
    case OUTPUT_TABLE:
        add_line(f, r);
        break;
    case OUTPUT_JSON:
        str_addc(&f->text, '{');
        output_json_members(&f->text, r);
        str_add(&f->text, "}\n");
        break;
    case OUTPUT_CSV:
        add_csv(f, r);
        break;
    case OUTPUT_IDS:
        str_addf(&f->text, "%" PRId64 "\n", f->epoch);
        break;
    }
    return 0;
}

/* Prints what is new. */
static int
print_news(struct follower *f, struct err *e)
{
    int rc = store_run_rows(f->c->store, f->id, RUN_EPOCHS, take_epoch, f, e);
    f->nth = 0;
    if (rc == 0 && f->mode == OUTPUT_TABLE) {
        rc = store_run_rows(f->c->store, f->id, RUN_EVENTS, take_message, f, e);
    }
    if (rc == 0) {
        rc = output_text(f->c, &f->text, e);
    }
    fflush(f->c->out);
    return rc;
}

static int
has_ended(const struct run *r)
{
    return strcmp(r->status, "queued") != 0 &&
           strcmp(r->status, "running") != 0;
}

static int
follow(struct follower *f, const struct worker_leave *leave, struct err *e)
{
    const struct timespec pause = {0, (long)(LOOK_SECONDS * 1e9)};
    struct run r;
    int changed;
    int rc = 0;
    while (rc == 0 && !leave->signal) {
        rc = store_changed(f->c->store, &changed, e);
        if (rc == 0 && changed) {
            /* The status first: what comes before an end is printed then. */
            rc = store_run_get(f->c->store, f->id, &r, e);
            if (rc == 0) {
                rc = print_news(f, e);
            }
            if (rc == 0 && (has_ended(&r) || r.trashed)) {
                break;
            }
        }
        if (rc == 0) {
            nanosleep(&pause, NULL);
        }
    }
    return rc;
}

int
follow_run(struct cli *c, int64_t id, enum output_mode mode, struct err *e)
{
    struct follower f = {.c = c, .id = id, .mode = mode};
    struct worker_leave leave = {0};
    str_init(&f.text);
    signals_catch(&leave, 1);
    int rc = follow(&f, &leave, e);
    signals_restore();
    str_release(&f.text);
    if (rc == 0 && leave.signal) {
        c->signal = leave.signal;
        return ERR_CANCEL;
    }
    return rc;
}
