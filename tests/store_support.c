/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "store_support.h"

#include <check.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/store_queue.h"
#include "support.h"

struct dataset *
test_set(uint8_t tint)
{
    struct dataset *d = mem_zalloc(1, sizeof(*d));
    int i;

    ck_assert_ptr_nonnull(d);
    d->name = mem_strdup("tiny");
    d->source = mem_strdup("/nowhere/tiny.csv");
    d->n = TEST_IMAGES;
    d->labels = mem_alloc(TEST_IMAGES);
    d->pixels = mem_alloc(TEST_IMAGES * IMAGE_PIXELS);
    for (i = 0; i < TEST_IMAGES; i++) {
        d->labels[i] = (uint8_t)(i % N_CLASSES);
        memset(d->pixels + i * IMAGE_PIXELS, i + tint, IMAGE_PIXELS);
    }
    for (i = 0; i < N_CLASSES; i++)
        snprintf(d->class_names[i], CLASS_NAME_MAX, "%s", FASHION_CLASSES[i]);
    OK(dataset_identify(d, e));
    return d;
}

char *
test_db(void)
{
    return tmp_path("runs.db");
}

struct store *
test_store(void)
{
    struct store *s;

    OK(store_open(test_db(), STORE_WRITE, &s, e));
    return s;
}

int64_t
test_run_with(struct store *s, const struct hyper *h, const char *name)
{
    struct run_new n = {.name = name, .h = h};
    struct dataset *d = test_set(0);
    int64_t id;

    OK(store_dataset_put(s, d, &n.dataset_id, e));
    dataset_free(d);
    OK(store_run_insert(s, &n, &id, e));
    return id;
}

int64_t
test_run(struct store *s, const char *name)
{
    struct hyper h;

    OK(hyper_preset("ann", &h, e));
    return test_run_with(s, &h, name);
}

void
test_start(struct store *s, int64_t id)
{
    struct run_engine g = {"scalar", "0.1.0", "gcc 12", "here", NUMERICS, 2};

    static const char *const KERNELS[] = {"scalar", NULL};
    struct claim c = {id, g, KERNELS};
    int64_t claimed;

    OK(store_claim(s, &c, &claimed, e));
    ck_assert_int_eq(claimed, id);
}

/* The test part is images 10 … 19; the first `right` predictions are right,
 * the others one class too high. */
static void
classes(int right, uint8_t predicted[TEST_PART], struct confusion *c)
{
    int i;

    confusion_clear(c);
    for (i = 0; i < TEST_PART; i++) {
        predicted[i] = (uint8_t)((i + (i >= right)) % N_CLASSES);
        confusion_add(c, i, predicted[i]);
    }
}

int
test_put_epoch(struct store *s, int64_t id, int epoch, int right, struct err *e)
{
    char weights[32], state[32];
    struct checkpoint last = {
        .epoch = epoch, .weights = weights, .state = state};
    struct epoch_metrics m = {.epoch = epoch,
                              .train_loss = 2.0 / epoch,
                              .train_acc = right / 20.0,
                              .val_loss = NAN,
                              .val_acc = NAN,
                              .test_loss = 3.0 / epoch,
                              .test_acc = right / 10.0,
                              .lr = 0.001,
                              .seconds = 0.5,
                              .samples_per_second = 1000};
    uint8_t predicted[TEST_PART];
    struct confusion c;
    struct epoch_report r = {.metrics = &m,
                             .confusion = &c,
                             .predicted = predicted,
                             .n_test = TEST_PART,
                             .last = &last,
                             .result_epoch = epoch,
                             .result_val_loss = NAN,
                             .peak_epoch = epoch,
                             .peak_test_acc = right / 10.0};

    last.weights_size =
        (size_t)snprintf(weights, sizeof(weights), "weights %d", epoch);
    last.state_size = (size_t)snprintf(state, sizeof(state), "state %d", epoch);
    classes(right, predicted, &c);
    return store_run_epoch(s, id, &r, e);
}

void
test_epoch(struct store *s, int64_t id, int epoch, int right)
{
    OK(test_put_epoch(s, id, epoch, right, e));
}

int
test_put_end(struct store *s, int64_t id, const char *status, int right,
             struct err *e)
{
    uint32_t images[TEST_PART];
    uint8_t truth[TEST_PART], predicted[TEST_PART];
    float p[TEST_PART * N_CLASSES] = {0};
    struct predictions all = {TEST_PART, images, truth, predicted, p};
    struct confusion c;
    int i;

    classes(right, predicted, &c);
    for (i = 0; i < TEST_PART; i++) {
        images[i] = (uint32_t)(10 + i);
        truth[i] = (uint8_t)i;
        p[i * N_CLASSES + predicted[i]] = 0.75f;
        p[i * N_CLASSES + (predicted[i] + 1) % N_CLASSES] = 0.25f;
    }
    return store_run_end(s, id, status, "", &all, e);
}

void
test_end(struct store *s, int64_t id, const char *status, int right)
{
    OK(test_put_end(s, id, status, right, e));
}

int64_t
test_finished(struct store *s, const char *name, int epochs)
{
    int64_t id = test_run(s, name);
    int k;

    test_start(s, id);
    for (k = 1; k <= epochs; k++)
        test_epoch(s, id, k, k);
    test_end(s, id, "finished", epochs);
    return id;
}

static int
take_value(const struct row *r, void *arg, struct err *e)
{
    char *out = arg;

    (void)e;
    if (!r->cells)
        return 0;
    switch (r->cells[0].type) {
    case CELL_NULL:
        break;
    case CELL_INT:
        snprintf(out, 4096, "%lld", (long long)r->cells[0].i);
        break;
    case CELL_REAL:
        snprintf(out, 4096, "%.10g", r->cells[0].r);
        break;
    case CELL_TEXT:
    case CELL_BLOB:
        snprintf(out, 4096, "%s", r->cells[0].s);
        break;
    }
    return 0;
}

const char *
test_value(struct store *s, const char *sql)
{
    static char out[4096];

    out[0] = '\0';
    OK(store_sql(s, sql, 10, take_value, out, e));
    return out;
}

int
test_try_sql(const char *sql)
{
    sqlite3 *db;
    int rc;

    ck_assert_int_eq(sqlite3_open(test_db(), &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
        SQLITE_OK);
    rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

void
test_sql(const char *sql)
{
    ck_assert_msg(test_try_sql(sql), "%s", sql);
}

int
test_row(const struct row *r, void *arg, struct err *e)
{
    struct listing *l = arg;
    size_t n;
    int i;

    if (!r->cells) {
        l->heads++;
        for (i = 0; i < r->n; i++) {
            n = strlen(l->text);
            snprintf(l->text + n, sizeof(l->text) - n, "%s ", r->names[i]);
        }
        n = strlen(l->text);
        snprintf(l->text + n, sizeof(l->text) - n, "| ");
        return 0;
    }
    if (l->stop && l->rows == l->stop)
        return err_set(e, ERR_CANCEL, "enough");
    l->rows++;
    for (i = 0; i < r->n; i++) {
        const struct cell *c = &r->cells[i];

        n = strlen(l->text);
        if (c->type == CELL_NULL)
            snprintf(l->text + n, sizeof(l->text) - n, "- ");
        else if (c->type == CELL_INT)
            snprintf(l->text + n, sizeof(l->text) - n, "%lld ",
                     (long long)c->i);
        else if (c->type == CELL_REAL)
            snprintf(l->text + n, sizeof(l->text) - n, "%g ", c->r);
        else
            snprintf(l->text + n, sizeof(l->text) - n, "%.40s ", c->s);
    }
    return 0;
}

void
test_count_fault(const char *line, void *arg)
{
    ++*(int *)arg;
    if (*(int *)arg == 1 && getenv("FMNIST_TEST_VERBOSE"))
        fprintf(stderr, "# %s\n", line);
}

void
test_case(Suite *s, const char *name, const TTest *const *tests)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, tmp_setup, tmp_teardown);
    tcase_set_timeout(tc, 60);
    for (; *tests; tests++)
        tcase_add_test(tc, *tests);
    suite_add_tcase(s, tc);
}
