/* SPDX-License-Identifier: MIT */
/* The run database: one SQLite file.  Nothing above this layer sees SQLite. */
#ifndef FMNIST_STORE_H
#define FMNIST_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/err.h"
#include "fmnist/hyper.h"
#include "fmnist/split.h"
#include "fmnist/trainer.h"

struct store; /* opaque; one thread at a time */

enum store_mode {
    STORE_READ,  /* never writes, works on read-only media; the file must exist
                    (ERR_NOTFOUND) */
    STORE_WRITE, /* creates file and folders, migrates after a backup */
};

/* path NULL: $FMNIST_DB, else the default under $XDG_DATA_HOME.  Refuses a file
 * that is not one of ours (application_id), and one of a newer schema, without
 * touching it. */
int store_open(const char *path, enum store_mode mode, struct store **out,
               struct err *e) MUST_CHECK;
void store_close(struct store *s);
/* The path in use; mem_free it.  For `db path`. */
int store_path(const char *path, char **out, struct err *e) MUST_CHECK;
const char *store_file(const struct store *s);
/* A line for the user about how the file is used ("on a network file system
 * …"), or NULL. */
const char *store_notice(const struct store *s);

/*
 * A write transaction over several calls: every function here that writes joins
 * the one that is open.  store_end commits where rc is 0, else rolls all back;
 * it returns rc, or why the commit failed.
 */
int store_begin(struct store *s, struct err *e) MUST_CHECK;
int store_end(struct store *s, int rc, struct err *e) MUST_CHECK;
/* How long a call waits for other writers; 30 s if never set. */
void store_patience(struct store *s, double seconds);
/* *changed is 1 where another connection has committed since the last call, and
 * at the first one.  Cheap enough to poll. */
int store_changed(struct store *s, int *changed, struct err *e) MUST_CHECK;

/* ---- generic rows -------------------------------------------------------- */

enum cell_type { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT, CELL_BLOB };

struct cell {
    enum cell_type type;
    int64_t i;     /* INT */
    double r;      /* REAL */
    const char *s; /* TEXT (NUL-terminated) or BLOB */
    size_t n;      /* bytes of TEXT or BLOB */
};

/* Borrowed during the callback. */
struct row {
    int n;
    const char *const *names;
    const struct cell *cells;
};

/* Called once with cells NULL before the first row, so that an empty listing
 * has its header.  A nonzero result ends the query and is returned. */
typedef int (*row_fn)(const struct row *r, void *arg, struct err *e);

/* Rows of view run_summary. */
struct run_query {
    const char *const *columns; /* names in run_summary; NULL: all */
    int n_columns;
    const char *where; /* SQL with ?1 … (filter_compile); NULL: all */
    const struct cell *binds;
    int n_binds;
    const char *sort; /* a column; NULL: running first, then newest */
    int descending;
    int trash;     /* 0: without, 1: only runs in the trash, 2: all */
    int64_t limit; /* 0: none */
};
int store_runs(struct store *s, const struct run_query *q, row_fn fn, void *arg,
               struct err *e) MUST_CHECK;
/* Names of all columns of run_summary, NULL-ended. */
const char *const *store_run_columns(struct store *s);

/* The user's SQL: one statement, read-only (refused by SQLite's authorizer and
 * query_only, not by looking at the text), interrupted after `seconds`. */
int store_sql(struct store *s, const char *sql, double seconds, row_fn fn,
              void *arg, struct err *e) MUST_CHECK;

/* ---- runs ---------------------------------------------------------------- */

/* What `run` holds besides hyperparameters; texts are "" where NULL. */
struct run {
    int64_t id;
    char uuid[37];
    char name[128];
    char status[12]; /* queued running paused stopped finished failed */
    struct hyper h;
    int64_t dataset_id;
    int64_t sweep_id, parent_id, worker_id; /* 0: none */
    int64_t position;                       /* in the queue, lowest first */
    int epochs_done, result_epoch;
    char created_at[32], started_at[32], finished_at[32];
    char request[12]; /* stop stop-now pause */
    char user[128], engine[32];
    char kernel[16], program_version[64], compiler[64], host[80];
    int numerics, threads;
    int threads_wanted; /* 0: as many as its worker has */
    char error[512];
    char note[1024];
    int starred, trashed;
};

struct run_new {
    const char *name; /* NULL: hyper_name, made unique with " #2" … */
    const char *note;
    const char *const *tags;
    int n_tags;
    const struct hyper *h;
    int64_t dataset_id;
    int64_t sweep_id, parent_id; /* 0: none */
    int threads;                 /* 0: as many as its worker has */
};

/* Inserts a queued run.  A name that exists already gets " #2" if it was made
 * up, and is ERR_USAGE if the user gave it. */
int store_run_insert(struct store *s, const struct run_new *n, int64_t *id,
                     struct err *e) MUST_CHECK;
int store_run_get(struct store *s, int64_t id, struct run *out,
                  struct err *e) MUST_CHECK;

/* What trains a run: set when it is claimed (fmnist/store_queue.h). */
struct run_engine {
    const char *kernel, *version, *compiler, *host;
    int numerics, threads;
};
/* One transaction: the epoch, its confusion matrix and predicted classes, the
 * checkpoints that are due, and the denormalised columns of `run`.  ERR_LOST
 * where the run is not (any more) trained by the worker of s. */
int store_run_epoch(struct store *s, int64_t id, const struct epoch_report *r,
                    struct err *e) MUST_CHECK;
/* One transaction: the running run's new status (finished, stopped, failed; or
 * paused, queued, from where it goes on later), error ("" = none), the result's
 * predictions.  ERR_LOST as above. */
int store_run_end(struct store *s, int64_t id, const char *status,
                  const char *error, const struct predictions *p,
                  struct err *e) MUST_CHECK;
/* A log line of a run: level "info", "warning", "error". */
int store_event(struct store *s, int64_t id, const char *level,
                const char *text, struct err *e) MUST_CHECK;

/*
 * Resolves a RUN word (id, range a..b, exact name, UUID prefix of >= 8 digits,
 * @last, @best) to ids, ascending, appended to a caller-owned list (mem_free
 * ids).  A range takes what exists in it, at least one.  Trashed runs are found
 * by id only.  ERR_NOTFOUND, or ERR_USAGE where a prefix is ambiguous.
 */
struct run_ids {
    int64_t *ids;
    size_t n, cap;
};
int store_run_resolve(struct store *s, const char *word, struct run_ids *out,
                      struct err *e) MUST_CHECK;

/* Housekeeping of a set of runs in one transaction; *changed counts. */
int store_run_rename(struct store *s, int64_t id, const char *name,
                     struct err *e) MUST_CHECK;
int store_run_note(struct store *s, const struct run_ids *r, const char *note,
                   int *changed, struct err *e) MUST_CHECK;
int store_run_star(struct store *s, const struct run_ids *r, int on,
                   int *changed, struct err *e) MUST_CHECK;
int store_run_tag(struct store *s, const struct run_ids *r, const char *tag,
                  int on, int *changed, struct err *e) MUST_CHECK;
/* To the trash; starred and running runs are kept and counted in *kept, unless
 * only one run is given: then ERR_FAIL says why. */
int store_run_trash(struct store *s, const struct run_ids *r, int *changed,
                    int *kept, struct err *e) MUST_CHECK;
int store_run_restore(struct store *s, const struct run_ids *r, int *changed,
                      struct err *e) MUST_CHECK;
/* Deletes for good: the given runs (which must be in the trash), or with r NULL
 * all of the trash. */
int store_run_purge(struct store *s, const struct run_ids *r, int *changed,
                    struct err *e) MUST_CHECK;

/* ---- what a run produced ------------------------------------------------- */

/* Generic rows of one run, ready to print: see sql/ for the columns. */
enum run_rows {
    RUN_EPOCHS,      /* columns of `epoch` without run_id, by epoch */
    RUN_EVENTS,      /* at, level, text */
    RUN_TAGS,        /* tag */
    RUN_CLASSES,     /* class, name, support, predicted, precision … */
    RUN_PREDICTIONS, /* columns of `prediction` without run_id */
};
int store_run_rows(struct store *s, int64_t id, enum run_rows what, row_fn fn,
                   void *arg, struct err *e) MUST_CHECK;

/* epoch 0: the result's.  ERR_NOTFOUND where the run has none. */
int store_confusion(struct store *s, int64_t id, int epoch,
                    struct confusion *out, struct err *e) MUST_CHECK;
/* The predicted classes of an epoch, in the order of the test part; mem_free
 * *out, which is NULL where they were pruned. */
int store_predicted(struct store *s, int64_t id, int epoch, uint8_t **out,
                    uint32_t *n, struct err *e) MUST_CHECK;
/* Predictions of the result (p too), by image. */
int store_predictions(struct store *s, int64_t id, struct predictions *out,
                      struct err *e) MUST_CHECK;
/* kind "last" or "best"; verifies the SHA-256 of both parts. */
int store_checkpoint(struct store *s, int64_t id, const char *kind,
                     struct checkpoint *out, struct err *e) MUST_CHECK;

/* ---- data sets ----------------------------------------------------------- */

struct dataset_row {
    int64_t id;
    char sha256[SHA256_HEX];
    char name[128];
    char source[1024];
    uint32_t n, n_fixed_test;
    char class_names[N_CLASSES][CLASS_NAME_MAX];
};

/* Makes sure that the set has a row (found by sha256), and returns it.  A set
 * known already keeps its name and class names; its source is updated. */
int store_dataset_put(struct store *s, const struct dataset *d, int64_t *id,
                      struct err *e) MUST_CHECK;
/* The row of a set by its identity; *id 0: none. */
int store_dataset_known(struct store *s, const char *sha256, int64_t *id,
                        struct err *e) MUST_CHECK;
/* Stores those images (label, pixels) that the database lacks. */
int store_dataset_images(struct store *s, int64_t id, const struct dataset *d,
                         const uint32_t *images, uint32_t n,
                         struct err *e) MUST_CHECK;
int store_dataset_get(struct store *s, int64_t id, struct dataset_row *out,
                      struct err *e) MUST_CHECK;
/* By exact name; ERR_NOTFOUND. */
int store_dataset_find(struct store *s, const char *name,
                       struct dataset_row *out, struct err *e) MUST_CHECK;
/* Names a set and its classes (class_names NULL: kept). */
int store_dataset_name(struct store *s, int64_t id, const char *name,
                       const char (*class_names)[CLASS_NAME_MAX],
                       struct err *e) MUST_CHECK;
/* Both in one transaction.  *before is the set's row as it was, or has id 0
 * where the database did not know the set. */
int store_dataset_add(struct store *s, const struct dataset *d,
                      const char *name,
                      const char (*class_names)[CLASS_NAME_MAX],
                      struct dataset_row *before, struct err *e) MUST_CHECK;
int store_dataset_locate(struct store *s, int64_t id, const char *source,
                         struct err *e) MUST_CHECK;
int store_datasets(struct store *s, row_fn fn, void *arg,
                   struct err *e) MUST_CHECK;
/* Pixels and label of one stored image; ERR_NOTFOUND. */
int store_image(struct store *s, int64_t dataset_id, uint32_t image,
                uint8_t pixels[IMAGE_PIXELS], uint8_t *label,
                struct err *e) MUST_CHECK;

/* ---- care of the file ---------------------------------------------------- */

/* Integrity check, foreign keys, and that every denormalised column, test_acc,
 * confusion trace and prediction rows of each run agree, and all hashes.
 * Reports each fault; *faults counts. */
typedef void (*fault_fn)(const char *line, void *arg);
int store_check(struct store *s, fault_fn report, void *arg, int *faults,
                struct err *e) MUST_CHECK;
int store_vacuum(struct store *s, uint64_t *before, uint64_t *after,
                 struct err *e) MUST_CHECK;
/* A consistent copy, atomically; refuses to overwrite unless `force`. */
int store_backup(struct store *s, const char *to, int force,
                 struct err *e) MUST_CHECK;

struct prune_options {
    int checkpoints; /* of finished runs: `last` where there is a `best`,
                          optimizer state */
    int predictions; /* epoch_prediction of epochs other than the result */
    int trash;
    int dry_run; /* only measure */
};
struct prune_result {
    int64_t checkpoints, predictions, runs; /* rows */
    uint64_t bytes;                         /* that they free */
};
int store_prune(struct store *s, const struct prune_options *o,
                struct prune_result *out, struct err *e) MUST_CHECK;

#endif
