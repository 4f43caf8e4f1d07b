/* SPDX-License-Identifier: MIT */
/* A run that goes to a database which does not have it. */
#include "config.h"

#include "store/transfer.h"

#include <stdio.h>
#include <string.h>

#include "fmnist/sha256.h"
#include "fmnist/str.h"

static struct cell *
cell_of(const struct transfer *t, struct arrival *a, const char *column)
{
    return &a->cells[table_field(t, TABLE_RUN, column)];
}

static void
set_null(struct cell *c)
{
    memset(c, 0, sizeof(*c));
}

static void
set_int(struct cell *c, int64_t i)
{
    *c = (struct cell){.type = CELL_INT, .i = i};
}

static void
set_text(struct cell *c, const char *s)
{
    *c = (struct cell){.type = CELL_TEXT, .s = s, .n = strlen(s)};
}

/* ---- its row ------------------------------------------------------------- */

static int
choice(const struct hyper_field *f, const char *text)
{
    int i;

    for (i = 0; f->choices[i + 1] && strcmp(f->choices[i], text) != 0; i++) {
    }
    return i;
}

/* The fields come first in the row, and each holds what it may. */
static void
read_fields(struct arrival *a)
{
    long long whole;
    double real;
    int i, small;

    memset(&a->h, 0, sizeof(a->h));
    for (i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const struct cell *c = &a->cells[i];
        char *at = (char *)&a->h + f->offset;

        switch (f->type) {
        case HYPER_INT:
            whole = c->i;
            memcpy(at, &whole, sizeof(whole));
            break;
        case HYPER_REAL:
            real = c->type == CELL_INT ? (double)c->i : c->r;
            memcpy(at, &real, sizeof(real));
            break;
        case HYPER_FLAG:
            small = (int)c->i;
            memcpy(at, &small, sizeof(small));
            break;
        case HYPER_CHOICE:
            small = choice(f, c->s);
            memcpy(at, &small, sizeof(small));
            break;
        case HYPER_TEXT:
            if (c->type == CELL_TEXT)
                memcpy(at, c->s, c->n + 1);
            break;
        }
    }
}

/* What is stored is what the check makes of the texts. */
static int
check_hyper(const struct transfer *t, struct arrival *a, struct err *e)
{
    int i, rc;

    read_fields(a);
    rc = hyper_check(&a->h, e);
    for (i = 0; rc == 0 && i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        const char *text = (const char *)&a->h + f->offset;

        if (f->type == HYPER_TEXT && *text)
            set_text(&a->cells[i], text);
        else if (f->type == HYPER_TEXT)
            set_null(&a->cells[i]);
    }
    if (rc == 0 && strcmp(cell_of(t, a, "model")->s, hyper_model(&a->h)) != 0)
        rc = err_set(e, ERR_FAIL, "model: the spec makes a %s",
                     hyper_model(&a->h));
    return rc;
}

void
arrival_limit(struct transfer *t, const struct arrival *a, enum table_id p)
{
    const double small = 1 << 20, most = 1e9;
    double bytes = small;
    struct spec spec;

    if (!t->origin)
        return;
    /* BatchNorm has as many statistics as parameters; Adam two moments. */
    if (p == TABLE_CHECKPOINT && spec_parse(a->h.spec, &spec, NULL) == 0)
        bytes += 4.0 * sizeof(float) * (double)spec_parameters(&spec);
    if (p == TABLE_EPOCH_PREDICTION && map_find(&t->sets, a->set))
        bytes += (double)map_find(&t->sets, a->set)->images;
    sqlite3_limit(t->from->db, SQLITE_LIMIT_LENGTH,
                  (int)(bytes < most ? bytes : most));
}

/* Numbers of other rows, and how many epochs there are. */
static int
read_links(struct transfer *t, struct arrival *a, struct err *e)
{
    sqlite3_stmt *st;
    int rc = db_stmt(t->from, SQL_TRANSFER_LINKS, &st, e);

    if (rc < 0)
        return rc;
    db_int(t->from, st, ":id", a->there);
    rc = db_step(t->from, st, e);
    if (rc > 0) {
        a->set = sqlite3_column_int64(st, 0);
        a->sweep = sqlite3_column_int64(st, 1);
        a->parent = sqlite3_column_int64(st, 2);
        a->result_epoch = sqlite3_column_int64(st, 3);
        a->epochs = sqlite3_column_int64(st, 4);
    }
    db_done(st);
    if (rc > 0 && a->epochs > a->h.epochs)
        return err_set(e, ERR_FAIL, "%lld epochs of %lld", (long long)a->epochs,
                       a->h.epochs);
    return rc < 0 ? rc : 0;
}

static int
is_live(const char *status)
{
    return strcmp(status, "queued") == 0 || strcmp(status, "running") == 0 ||
           strcmp(status, "paused") == 0;
}

/* Nobody here trains a run unasked, nor can go on with another user's. */
static void
adapt(struct transfer *t, struct arrival *a)
{
    if (!t->origin)
        return;
    if (is_live(a->was))
        strcpy(a->status, "paused");
    set_text(cell_of(t, a, "status"), a->status);
    set_null(cell_of(t, a, "request"));
    set_int(cell_of(t, a, "deaths"), 0);
    set_int(cell_of(t, a, "position"), t->position + 1);
    if (strcmp(a->status, "finished") != 0) {
        set_text(cell_of(t, a, "user"), t->user);
        set_text(cell_of(t, a, "engine"), "local");
    }
}

void
arrival_requeue(struct transfer *t, struct arrival *a)
{
    set_null(cell_of(t, a, "finished_at"));
    set_null(cell_of(t, a, "error"));
}

static void
keep_text(char *out, size_t size, const struct cell *c)
{
    snprintf(out, size, "%s", c->type == CELL_TEXT ? c->s : "");
}

static void
keep_texts(const struct transfer *t, struct arrival *a)
{
    keep_text(a->uuid, sizeof(a->uuid), cell_of(t, a, "uuid"));
    keep_text(a->name, sizeof(a->name), cell_of(t, a, "name"));
    keep_text(a->was, sizeof(a->was), cell_of(t, a, "status"));
    keep_text(a->status, sizeof(a->status), cell_of(t, a, "status"));
    keep_text(a->started_at, sizeof(a->started_at),
              cell_of(t, a, "started_at"));
    keep_text(a->finished_at, sizeof(a->finished_at),
              cell_of(t, a, "finished_at"));
}

int
arrival_read(struct transfer *t, int64_t there, struct arrival *a,
             struct err *e)
{
    int rc;

    memset(a, 0, sizeof(*a));
    a->there = there;
    arrival_limit(t, a, TABLE_RUN);
    rc = table_get(t, TABLE_RUN, there, a->cells, e);
    if (rc <= 0)
        return rc;
    keep_texts(t, a);
    rc = check_hyper(t, a, e);
    if (rc == 0)
        rc = read_links(t, a, e);
    if (rc < 0) {
        table_done(t, TABLE_RUN);
        return transfer_blame(t, TABLE_RUN, there, rc, e);
    }
    adapt(t, a);
    return 1;
}

/* ---- rows that belong to it ---------------------------------------------- */

static int
check_epoch(struct transfer *t, struct cell *cells, void *arg, struct err *e)
{
    const struct arrival *a = arg;

    (void)t;
    /* As all are different and none is beyond, none is missing. */
    if (cells[0].i > a->epochs)
        return err_set(e, ERR_FAIL, "epoch %lld of %lld", (long long)cells[0].i,
                       (long long)a->epochs);
    return 0;
}

static int
check_classes(struct transfer *t, struct cell *cells, void *arg, struct err *e)
{
    size_t i;

    for (i = 0; i < cells[1].n; i++)
        if ((unsigned char)cells[1].s[i] >= N_CLASSES)
            return err_set(e, ERR_FAIL, "epoch %lld: class %d",
                           (long long)cells[0].i, (unsigned char)cells[1].s[i]);
    return check_epoch(t, cells, arg, e);
}

static int
check_prediction(struct transfer *t, struct cell *cells, void *arg,
                 struct err *e)
{
    const struct arrival *a = arg;
    const struct pair *set = map_find(&t->sets, a->set);

    if (set && cells[0].i >= set->images)
        return err_set(e, ERR_FAIL, "image %lld of %lld", (long long)cells[0].i,
                       (long long)set->images);
    return 0;
}

static int
check_hash(const struct cell *bytes, const struct cell *sha256,
           const char *what, struct err *e)
{
    char is[SHA256_HEX];
    int rc;

    if ((bytes->type == CELL_NULL) != (sha256->type == CELL_NULL))
        return err_set(e, ERR_FAIL, "%s and its SHA-256: one is missing", what);
    if (bytes->type == CELL_NULL)
        return 0;
    rc = sha256_of(bytes->s, bytes->n, is, e);
    if (rc == 0 && strcmp(is, sha256->s) != 0)
        rc = err_set(e, ERR_FAIL,
                     "%s: its SHA-256 is %.16s…, recorded is %.16s…", what, is,
                     sha256->s);
    return rc;
}

int
arrival_check_checkpoint(struct transfer *t, struct cell *cells, void *arg,
                         struct err *e)
{
    const struct arrival *a = arg;
    const struct cell *weights, *state;
    struct checkpoint c = {0};
    int rc;

    weights = &cells[table_field(t, TABLE_CHECKPOINT, "weights")];
    state = &cells[table_field(t, TABLE_CHECKPOINT, "state")];
    c.epoch = (int)cells[table_field(t, TABLE_CHECKPOINT, "epoch")].i;
    c.weights = (void *)weights->s;
    c.weights_size = weights->n;
    c.state = (void *)state->s;
    c.state_size = state->n;
    rc = check_hash(weights, &cells[table_field(t, TABLE_CHECKPOINT, "sha256")],
                    "weights", e);
    if (rc == 0)
        rc = check_hash(
            state, &cells[table_field(t, TABLE_CHECKPOINT, "state_sha256")],
            "state", e);
    if (rc == 0)
        rc = checkpoint_check(&c, &a->h, e);
    if (rc < 0)
        err_wrap(e, rc, "\"%s\"", cells[0].s);
    return rc;
}

int
arrival_rows(struct transfer *t, struct arrival *a, enum table_id p,
             int64_t here, struct err *e)
{
    static const row_check CHECKS[N_TABLES] = {
        [TABLE_EPOCH] = check_epoch,
        [TABLE_CONFUSION] = check_epoch,
        [TABLE_EPOCH_PREDICTION] = check_classes,
        [TABLE_PREDICTION] = check_prediction,
        [TABLE_CHECKPOINT] = arrival_check_checkpoint,
    };

    arrival_limit(t, a, p);
    return transfer_rows(t, p, a->there, here, CHECKS[p], a, e);
}

/* ---- in its place -------------------------------------------------------- */

int
arrival_settle(struct transfer *t, int64_t here, struct err *e)
{
    static const enum sql STEPS[] = {SQL_TRANSFER_COUNTS, SQL_TRANSFER_FIGURES};
    sqlite3_stmt *st;
    int i, rc = 0;

    for (i = 0; rc == 0 && i < 2; i++) {
        rc = db_stmt(t->to, STEPS[i], &st, e);
        if (rc < 0)
            break;
        db_int(t->to, st, ":id", here);
        rc = db_run(t->to, st, e);
    }
    return rc;
}

int
arrival_check(struct transfer *t, const struct arrival *a, int64_t here,
              struct err *e)
{
    char fault[TRANSFER_FAULT] = "";
    int rc = db_check_run(t->to, here, transfer_fault, fault, e);

    if (rc == 0 && *fault)
        rc = err_set(e, ERR_FAIL, "%s: run %lld%s", t->from->path,
                     (long long)a->there, fault);
    return rc;
}

static int
tell_origin(struct transfer *t, const struct arrival *a, int64_t here,
            struct err *e)
{
    struct str b;
    int rc;

    if (!t->origin)
        return 0;
    str_init(&b);
    str_addf(&b, "imported from %s", t->origin);
    if (is_live(a->was))
        str_addf(&b, ", where it was %s", a->was);
    rc = str_failed(&b) ? err_nomem(e, "a message", b.len)
                        : db_event(t->to, here, "info", b.s, e);
    str_release(&b);
    return rc;
}

/* A name that no other run outside the trash has, in `name`. */
static int
choose_name(struct transfer *t, struct arrival *a, struct str *name,
            struct err *e)
{
    char base[sizeof(a->name)];
    size_t n = 110; /* leaves room for the number of one of many */
    int rc = db_unique_name(t->to, a->name, name, e);

    if (rc == 0 && name->len >= sizeof(a->name)) {
        strcpy(base, a->name);
        while (((unsigned char)base[n] & 0xC0) == 0x80)
            n--;
        base[n] = '\0';
        rc = db_unique_name(t->to, base, name, e);
    }
    if (rc == 0 && str_failed(name))
        rc = err_nomem(e, "a name", sizeof(a->name));
    return rc;
}

static int
put_row(struct transfer *t, struct arrival *a, int64_t set, int64_t *here,
        struct err *e)
{
    int trashed = cell_of(t, a, "deleted_at")->type != CELL_NULL, rc = 0;
    struct str name;

    str_init(&name);
    if (!trashed) {
        rc = choose_name(t, a, &name, e);
        set_text(cell_of(t, a, "name"), name.s);
    }
    if (rc == 0)
        rc = table_put(t, TABLE_RUN, set, a->cells, e);
    if (rc == 0) {
        *here = sqlite3_last_insert_rowid(t->to->db);
        t->position++;
    }
    str_release(&name);
    return rc;
}

int
arrival_add(struct transfer *t, struct arrival *a, int64_t *here, struct err *e)
{
    static const enum table_id TABLES[] = {
        TABLE_TAG,        TABLE_EPOCH,
        TABLE_CONFUSION,  TABLE_EPOCH_PREDICTION,
        TABLE_PREDICTION, TABLE_CHECKPOINT,
        TABLE_EVENT};
    struct pair set;
    size_t i;
    int rc = transfer_set(t, a->set, &set, e);

    if (rc == 0)
        rc = put_row(t, a, set.here, here, e);
    for (i = 0; rc == 0 && i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        rc = arrival_rows(t, a, TABLES[i], *here, e);
    if (rc == 0)
        rc = arrival_settle(t, *here, e);
    if (rc == 0)
        rc = arrival_check(t, a, *here, e);
    return rc < 0 ? rc : tell_origin(t, a, *here, e);
}
