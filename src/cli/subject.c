/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/subject.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int
subject_load(struct cli *c, const char *word, struct subject *out,
             struct err *e)
{
    int64_t id;
    int rc = cli_store(c, STORE_READ, e);
    if (!rc) {
        rc = cli_run(c, word, &id, e);
    }
    if (!rc) {
        rc = store_run_get(c->store, id, &out->run, e);
    }
    if (!rc) {
        rc = store_dataset_get(c->store, out->run.dataset_id, &out->data, e);
    }
    if (!rc && out->run.result_epoch == 0) {
        rc = err_set(e, ERR_NOTFOUND, "run %lld is %s and has no epoch yet",
                     (long long)id, out->run.status);
    }
    return rc;
}

const char *const CHECKPOINT_KINDS[] = {"last", "best", NULL};

int
subject_weights(struct cli *c, const struct run *r, const char *option,
                struct checkpoint *out, struct err *e)
{
    int best = cli_choice(c, option, r->h.val_fraction > 0);
    if (best && r->h.val_fraction <= 0) {
        return err_set(e, ERR_NOTFOUND,
                       "run %lld has no best weights, as it had no validation "
                       "part",
                       (long long)r->id);
    }
    int rc = store_checkpoint(c->store, r->id, CHECKPOINT_KINDS[best], out, e);
    if (rc == ERR_NOTFOUND) {
        rc = err_set(e, rc, "run %lld is %s and has no %s weights stored",
                     (long long)r->id, r->status, CHECKPOINT_KINDS[best]);
    }
    if (rc == 0 && out->epoch < (best ? r->result_epoch : r->epochs_done)) {
        cli_message(c, "run %lld is %s; its %s weights stored are of epoch %d",
                    (long long)r->id, r->status, CHECKPOINT_KINDS[best],
                    out->epoch);
    }
    return rc;
}

/* Terminals that tell their background do it as "FOREGROUND;BACKGROUND". */
static int
background_is_light(void)
{
    const char *v = getenv("COLORFGBG");
    const char *last = v ? strrchr(v, ';') : NULL;
    return last && (strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0);
}

struct art_style
subject_style(const struct cli *c)
{
    struct art_style s = {cli_colors(c, c->out), !c->ascii,
                          background_is_light()};
    return s;
}

void
subject_add_name(struct str *b, const struct run *r)
{
    str_addf(b, "run %lld (", (long long)r->id);
    str_add_visible(b, r->name);
    str_addc(b, ')');
}

void
row_begin(struct row_builder *b)
{
    memset(b, 0, sizeof(*b));
    b->row.names = b->names;
    b->row.cells = b->cells;
}

static struct cell *
row_next(struct row_builder *b, const char *name)
{
    assert(b->row.n < ROW_MAX);
    b->names[b->row.n] = name;
    return &b->cells[b->row.n++];
}

void
row_int(struct row_builder *b, const char *name, int64_t v)
{
    struct cell *c = row_next(b, name);
    c->type = CELL_INT;
    c->i = v;
}

void
row_real(struct row_builder *b, const char *name, double v)
{
    struct cell *c = row_next(b, name);
    c->type = isfinite(v) ? CELL_REAL : CELL_NULL;
    c->r = v;
}

void
row_text(struct row_builder *b, const char *name, const char *v)
{
    struct cell *c = row_next(b, name);
    c->type = v ? CELL_TEXT : CELL_NULL;
    c->s = v;
    c->n = v ? strlen(v) : 0;
}
