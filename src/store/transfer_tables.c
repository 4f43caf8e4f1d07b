/* SPDX-License-Identifier: MIT */
/* The tables that runs go by, column by column, and the statements that these
 * lists make. */
#include "config.h"

#include "store/transfer.h"

#include <assert.h>
#include <float.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/str.h"
#include "fmnist/sys.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* A column, what it may hold, and whose it is. */
#define COL(name, ...)                \
    {                                 \
        .column = (name), __VA_ARGS__ \
    }
#define OR_NULL .null = 1
#define BETWEEN(a, b) .min = (a), .max = (b)
#define WHOLE(a, b) .form = FORM_INT, BETWEEN(a, b)
#define COUNTED WHOLE(1, UINT32_MAX)
#define EPOCH WHOLE(1, 1e6)
#define IMAGE WHOLE(0, UINT32_MAX)
#define CLASS WHOLE(0, N_CLASSES - 1)
#define FLAG WHOLE(0, 1)
#define REAL(a, b) .form = FORM_REAL, BETWEEN(a, b)
#define SHARE REAL(0, 1)
#define LOSS OR_NULL, REAL(-DBL_MAX, DBL_MAX)
#define RATE OR_NULL, REAL(0, DBL_MAX)
#define TEXT(n) .form = FORM_TEXT, BETWEEN(0, n)
#define LINE(n) .form = FORM_LINE, BETWEEN(1, n)
#define WORD(list) .form = FORM_WORD, .words = (list)
#define BYTES(a, b) .form = FORM_BLOB, BETWEEN(a, b)
#define TENSORS BYTES(8, 1e9)
#define NAME .form = FORM_NAME
#define TIME .form = FORM_TIME
#define UUID .form = FORM_UUID
#define SHA256 .form = FORM_SHA256
#define FOLLOWS .keeper = KEEP_LIFE
#define STAYS .keeper = KEEP_HERE

static const struct field SET[] = {
    COL("sha256", SHA256),
    COL("name", LINE(1023)),
    COL("source", TEXT(4095)),
    COL("n_images", COUNTED),
    COL("n_fixed_test", WHOLE(0, UINT32_MAX)),
    COL("class_names", TEXT(8191)),
    COL("created_at", TIME),
};

static const struct field SWEEP[] = {
    COL("uuid", UUID),
    COL("name", LINE(1023), OR_NULL),
    COL("command", TEXT(1 << 18), OR_NULL),
    COL("created_at", TIME),
};

static const char *const MODELS[] = {"ann", "cnn", NULL};
static const char *const STATES[] = {"queued",   "running", "paused", "stopped",
                                     "finished", "failed",  NULL};
static const char *const REQUESTS[] = {"stop", "stop-now", "pause", NULL};

/* The hyperparameters stand before these. */
static const struct field RUN[] = {
    COL("uuid", UUID),
    COL("name", NAME),
    COL("model", WORD(MODELS)),
    COL("status", WORD(STATES), STAYS),
    COL("request", WORD(REQUESTS), OR_NULL, STAYS),
    COL("position", WHOLE(-1e15, 1e15), OR_NULL, STAYS),
    COL("user", LINE(127), FOLLOWS),
    COL("engine", LINE(31), FOLLOWS),
    COL("created_at", TIME),
    COL("started_at", TIME, OR_NULL, FOLLOWS),
    COL("finished_at", TIME, OR_NULL, FOLLOWS),
    COL("kernel", LINE(15), OR_NULL, FOLLOWS),
    COL("numerics", WHOLE(0, 1e6), OR_NULL, FOLLOWS),
    COL("threads", WHOLE(1, 65536), OR_NULL, FOLLOWS),
    COL("program_version", LINE(255), OR_NULL, FOLLOWS),
    COL("compiler", LINE(255), OR_NULL, FOLLOWS),
    COL("host", LINE(255), OR_NULL, FOLLOWS),
    COL("error", TEXT(4095), OR_NULL, FOLLOWS),
    COL("threads_wanted", WHOLE(1, 65536), OR_NULL),
    COL("deaths", WHOLE(0, 1e9), STAYS),
    COL("note", TEXT(4095), OR_NULL),
    COL("starred", FLAG),
    COL("deleted_at", TIME, OR_NULL),
};

static const struct field IMAGES[] = {
    COL("image", IMAGE),
    COL("label", CLASS),
    COL("pixels", BYTES(IMAGE_PIXELS, IMAGE_PIXELS)),
};

static const struct field TAG[] = {COL("tag", .form = FORM_TAG)};

static const struct field EPOCHS[] = {
    COL("epoch", EPOCH),
    COL("train_loss", LOSS),
    COL("train_acc", SHARE, OR_NULL),
    COL("val_loss", LOSS),
    COL("val_acc", SHARE, OR_NULL),
    COL("test_loss", LOSS),
    COL("test_acc", SHARE, OR_NULL),
    COL("lr", RATE),
    COL("seconds", RATE),
    COL("samples_per_second", RATE),
};

static const struct field CONFUSION[] = {
    COL("epoch", EPOCH),
    COL("truth", CLASS),
    COL("predicted", CLASS),
    COL("count", COUNTED),
};

static const struct field EPOCH_PREDICTION[] = {
    COL("epoch", EPOCH),
    COL("predicted", BYTES(0, 1e9)),
};

static const struct field PREDICTION[] = {
    COL("image", IMAGE),      COL("truth", CLASS), COL("predicted", CLASS),
    COL("confidence", SHARE), COL("p0", SHARE),    COL("p1", SHARE),
    COL("p2", SHARE),         COL("p3", SHARE),    COL("p4", SHARE),
    COL("p5", SHARE),         COL("p6", SHARE),    COL("p7", SHARE),
    COL("p8", SHARE),         COL("p9", SHARE),
};

static const char *const KINDS[] = {"last", "best", NULL};

static const struct field CHECKPOINT[] = {
    COL("kind", WORD(KINDS)),       COL("epoch", EPOCH),
    COL("sha256", SHA256),          COL("state_sha256", SHA256, OR_NULL),
    COL("created_at", TIME),        COL("weights", TENSORS),
    COL("state", TENSORS, OR_NULL),
};

static const char *const LEVELS[] = {"info", "warning", "error", NULL};

static const struct field EVENT[] = {
    COL("at", TIME),
    COL("level", WORD(LEVELS)),
    COL("text", TEXT(65535)),
};

/* A table whose rows belong to number ?1 of another. */
#define ROWS(table_, what_, of_, order_, put_, list)                         \
    {                                                                        \
        .name = (table_), .what = (what_), .of = (of_), .put_of = (of_),     \
        .order = (order_), .put = (put_), .n = COUNT(list), .fields = (list) \
    }

static const struct table TABLES[N_TABLES] = {
    [TABLE_SET] = {.name = "dataset",
                   .what = "data set",
                   .of = "id",
                   .order = "id",
                   .n = COUNT(SET),
                   .fields = SET},
    [TABLE_SWEEP] = {.name = "sweep",
                     .what = "sweep",
                     .of = "id",
                     .order = "id",
                     .n = COUNT(SWEEP),
                     .fields = SWEEP},
    [TABLE_RUN] = {.name = "run",
                   .what = "run",
                   .of = "id",
                   .put_of = "dataset_id",
                   .order = "id"},
    [TABLE_IMAGE] =
        ROWS("image", "data set", "dataset_id", "image", PUT_NEW, IMAGES),
    [TABLE_TAG] = ROWS("tag", "run", "run_id", "tag", PUT_NEW, TAG),
    [TABLE_EPOCH] = ROWS("epoch", "run", "run_id", "epoch", PUT_OVER, EPOCHS),
    [TABLE_CONFUSION] = ROWS("confusion", "run", "run_id",
                             "epoch, truth, predicted", PUT_MISSING, CONFUSION),
    [TABLE_EPOCH_PREDICTION] = ROWS("epoch_prediction", "run", "run_id",
                                    "epoch", PUT_MISSING, EPOCH_PREDICTION),
    [TABLE_PREDICTION] =
        ROWS("prediction", "run", "run_id", "image", PUT_NEW, PREDICTION),
    [TABLE_CHECKPOINT] =
        ROWS("checkpoint", "run", "run_id", "kind", PUT_OVER, CHECKPOINT),
    [TABLE_EVENT] = ROWS("event", "run", "run_id", "id", PUT_NEW, EVENT),
};

const char *
transfer_table(enum table_id p)
{
    return TABLES[p].name;
}

/* What a hyperparameter's column may hold; what needs several columns is
 * hyper_check's. */
static struct field
field_of_hyper(const struct hyper_field *h)
{
    struct field f = {.column = h->column, .min = h->min, .max = h->max};

    switch (h->type) {
    case HYPER_INT:
    case HYPER_FLAG:
        f.form = FORM_INT;
        break;
    case HYPER_REAL:
        f.form = FORM_REAL;
        break;
    case HYPER_CHOICE:
        f.form = FORM_WORD;
        f.words = h->choices;
        break;
    case HYPER_TEXT:
        f.form = FORM_LINE;
        f.null = 1;
        f.min = 1;
        f.max = h->size - 1;
        break;
    }
    return f;
}

static void
list_run(struct transfer *t)
{
    int i, n = hyper_n_fields();

    assert(n + COUNT(RUN) <= RUN_FIELDS_MAX);
    for (i = 0; i < n; i++)
        t->run_fields[i] = field_of_hyper(&HYPER_FIELDS[i]);
    memcpy(t->run_fields + n, RUN, sizeof(RUN));
    t->tables[TABLE_RUN].n = n + COUNT(RUN);
    t->tables[TABLE_RUN].fields = t->run_fields;
}

/* ---- statements: of known names and parameters only ---------------------- */

static void
add_names(struct str *b, const struct table *p)
{
    int i;

    for (i = 0; i < p->n; i++)
        str_addf(b, "%s%s", i ? ", " : "", p->fields[i].column);
}

static void
compose_get(struct str *b, const struct table *p)
{
    str_add(b, "SELECT ");
    add_names(b, p);
    str_addf(b, " FROM %s WHERE %s = ?1 ORDER BY %s", p->name, p->of, p->order);
}

static void
compose_put(struct str *b, const struct table *p)
{
    int i, n = p->n + (p->put_of != NULL);

    str_addf(b, "INSERT INTO %s (", p->name);
    if (p->put_of)
        str_addf(b, "%s, ", p->put_of);
    add_names(b, p);
    str_add(b, ") VALUES (");
    for (i = 1; i <= n; i++)
        str_addf(b, "%s?%d", i > 1 ? ", " : "", i);
    str_add(b, ")");
    if (p->put == PUT_MISSING)
        str_add(b, " ON CONFLICT DO NOTHING");
    else if (p->put == PUT_OVER)
        str_add(b, " ON CONFLICT DO UPDATE SET ");
    for (i = 0; p->put == PUT_OVER && i < p->n; i++)
        str_addf(b, "%s%s = excluded.%s", i ? ", " : "", p->fields[i].column,
                 p->fields[i].column);
}

/* What follows a run's life; its parameters are numbered as those of its
 * insertion. */
static void
compose_follow(struct str *b, const struct table *p)
{
    const char *glue = "";
    int i;

    str_addf(b, "UPDATE %s SET ", p->name);
    for (i = 0; i < p->n; i++)
        if (p->fields[i].keeper == KEEP_LIFE) {
            str_addf(b, "%s%s = ?%d", glue, p->fields[i].column, i + 2);
            glue = ", ";
        }
    str_add(b, " WHERE id = ?1");
}

static int
prepare(struct store *s, struct str *sql, sqlite3_stmt **st, struct err *e)
{
    int rc;

    if (str_failed(sql))
        return err_nomem(e, "a statement", sql->len);
    rc = sqlite3_prepare_v3(s->db, sql->s, -1, SQLITE_PREPARE_PERSISTENT, st,
                            NULL);
    str_clear(sql);
    return rc == SQLITE_OK ? 0 : db_error(s, rc, e);
}

static int
prepare_all(struct transfer *t, struct err *e)
{
    struct str sql;
    int i, rc = 0;

    str_init(&sql);
    for (i = 0; rc == 0 && i < N_TABLES; i++) {
        compose_get(&sql, &t->tables[i]);
        rc = prepare(t->from, &sql, &t->get[i], e);
        if (rc == 0) {
            compose_put(&sql, &t->tables[i]);
            rc = prepare(t->to, &sql, &t->put[i], e);
        }
    }
    if (rc == 0) {
        compose_follow(&sql, &t->tables[TABLE_RUN]);
        rc = prepare(t->to, &sql, &t->follow, e);
    }
    str_release(&sql);
    return rc;
}

int
transfer_init(struct transfer *t, struct store *from, struct store *to,
              const char *origin, struct err *e)
{
    int rc;

    memset(t, 0, sizeof(*t));
    t->from = from;
    t->to = to;
    t->origin = origin;
    sys_user(t->user, sizeof(t->user));
    memcpy(t->tables, TABLES, sizeof(TABLES));
    list_run(t);
    rc = prepare_all(t, e);
    if (rc == 0)
        rc = db_get_int(to, SQL_TRANSFER_POSITION, &t->position, e);
    if (rc < 0)
        transfer_release(t);
    return rc;
}

void
transfer_release(struct transfer *t)
{
    int i;

    for (i = 0; i < N_TABLES; i++) {
        sqlite3_finalize(t->get[i]);
        sqlite3_finalize(t->put[i]);
    }
    sqlite3_finalize(t->follow);
    map_release(&t->sets);
    map_release(&t->runs);
    memset(t, 0, sizeof(*t));
}
