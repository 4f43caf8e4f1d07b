/* SPDX-License-Identifier: MIT */
/*
 * Runs from one database to another: what the files of it share.
 *
 * Both directions read rows of `from`, hold every value against what its column
 * may have, and insert it into `to` with bound parameters.  What columns there
 * are stands in one list a table, from which the statements are made.
 */
#ifndef FMNIST_STORE_TRANSFER_IMPL_H
#define FMNIST_STORE_TRANSFER_IMPL_H

#include <sys/types.h>
#include <time.h>

#include "fmnist/transfer.h"
#include "store/db.h"

/* What a column may hold. */
enum form {
    FORM_INT,
    FORM_REAL, /* finite */
    FORM_BLOB,
    FORM_TEXT, /* any but NUL */
    FORM_LINE, /* what prints as it is */
    FORM_NAME, /* what db_check_name accepts */
    FORM_TAG,  /* what db_check_tag accepts */
    FORM_WORD, /* one of a list */
    FORM_TIME, /* as sys_now writes it */
    FORM_UUID,
    FORM_SHA256,
};

/* Whose a column of `run` is. */
enum keeper {
    KEEP_BORN, /* came with the run; a database that has it keeps its own */
    KEEP_LIFE, /* follows the run further along */
    KEEP_HERE, /* means something in its own database only */
};

struct field {
    const char *column;
    enum form form;
    int null;                 /* NULL is fine */
    double min, max;          /* of a number; of texts and blobs: bytes */
    const char *const *words; /* FORM_WORD: NULL-ended */
    enum keeper keeper;
};

enum table_id {
    TABLE_SET,
    TABLE_SWEEP,
    TABLE_RUN,
    TABLE_IMAGE,
    TABLE_TAG,
    TABLE_EPOCH,
    TABLE_CONFUSION,
    TABLE_EPOCH_PREDICTION,
    TABLE_PREDICTION,
    TABLE_CHECKPOINT,
    TABLE_EVENT,
    N_TABLES
};

/* What becomes of a row that is there already. */
enum put {
    PUT_NEW,     /* a fault: it should not be there */
    PUT_OVER,    /* it takes the new values */
    PUT_MISSING, /* it stays as it is */
};

/* A table, as rows that belong to something. */
struct table {
    const char *name;
    const char *what;   /* they belong to: for messages */
    const char *of;     /* the column that says to which */
    const char *put_of; /* the column for that number here, or NULL */
    const char *order;
    enum put put;
    int n;
    const struct field *fields;
};

#define RUN_FIELDS_MAX 64

/* What a number there is here. */
struct pair {
    int64_t there, here;
    int64_t images; /* of a set */
};
struct map {
    struct pair *pairs; /* by `there` */
    size_t n, cap;
};

struct transfer {
    struct store *from, *to;
    const char *origin; /* for the events of runs; NULL: it is an export */
    char user[128];     /* whose runs become that are not finished */
    int64_t position;   /* the last in the queue of `to` */
    struct table tables[N_TABLES];
    struct field run_fields[RUN_FIELDS_MAX];
    sqlite3_stmt *get[N_TABLES], *put[N_TABLES], *follow;
    struct map sets, runs;
};

/* ---- transfer_tables.c --------------------------------------------------- */

const char *transfer_table(enum table_id p);
int transfer_init(struct transfer *t, struct store *from, struct store *to,
                  const char *origin, struct err *e) MUST_CHECK;
void transfer_release(struct transfer *t);

/* ---- transfer_rows.c ----------------------------------------------------- */

/* Looks at a row that is as it should be so far, or changes it; 1 leaves it
 * out. */
typedef int (*row_check)(struct transfer *t, struct cell *cells, void *arg,
                         struct err *e);
/* All rows of number `there` go to number `here`. */
int transfer_rows(struct transfer *t, enum table_id p, int64_t there,
                  int64_t here, row_check fn, void *arg,
                  struct err *e) MUST_CHECK;
/* The first row of number `there`, borrowed until table_done; 0: there is none,
 * 1: cells are filled. */
int table_get(struct transfer *t, enum table_id p, int64_t there,
              struct cell *cells, struct err *e) MUST_CHECK;
void table_done(struct transfer *t, enum table_id p);
/* Writes a row that belongs to number `here`. */
int table_put(struct transfer *t, enum table_id p, int64_t here,
              const struct cell *cells, struct err *e) MUST_CHECK;
/* The place of a column; that there is none is a bug. */
int table_field(const struct transfer *t, enum table_id p, const char *column);

/* Puts "FILE: run 7, table epoch: " before a message about content of `from`,
 * and makes ERR_FAIL of ERR_USAGE. */
int transfer_blame(const struct transfer *t, enum table_id p, int64_t there,
                   int rc, struct err *e);
/* Keeps the first line that db_check_run or db_check_set reports, without the
 * number that the run or set has here.  arg: char[TRANSFER_FAULT], "" first. */
#define TRANSFER_FAULT 200
void transfer_fault(const char *line, void *arg);
/* 1: a text that prints as it is. */
int is_line(const char *text, struct err *e) MUST_CHECK;

void map_release(struct map *m);
const struct pair *map_find(const struct map *m, int64_t there);
int map_add(struct map *m, const struct pair *p, struct err *e) MUST_CHECK;

/* ---- transfer_set.c ------------------------------------------------------ */

/* The set that is number `there`, with its images, in `to`: found by its
 * sha256, or added. */
int transfer_set(struct transfer *t, int64_t there, struct pair *out,
                 struct err *e) MUST_CHECK;
/* The same for a sweep, by its uuid. */
int transfer_sweep(struct transfer *t, int64_t there, int64_t *here,
                   struct err *e) MUST_CHECK;

/* ---- transfer_run.c ------------------------------------------------------ */

/* A run of `from` as it is to arrive.  Its cells are borrowed until
 * table_done. */
struct arrival {
    int64_t there;
    struct cell cells[RUN_FIELDS_MAX];
    char uuid[37], name[128];
    char was[12], status[12]; /* there; as it arrives */
    char started_at[32], finished_at[32];
    struct hyper h;
    int64_t set, sweep, parent; /* numbers there; 0: none */
    int64_t result_epoch;       /* what its row says */
    int64_t epochs;             /* rows of `epoch` */
};

/* 0: no such run; 1: all of its row is as it should be. */
int arrival_read(struct transfer *t, int64_t there, struct arrival *a,
                 struct err *e) MUST_CHECK;
/* Adds a run that is not in `to`. */
int arrival_add(struct transfer *t, struct arrival *a, int64_t *here,
                struct err *e) MUST_CHECK;
/* Everything of a table that belongs to the run; see transfer_rows. */
int arrival_rows(struct transfer *t, struct arrival *a, enum table_id p,
                 int64_t here, struct err *e) MUST_CHECK;
/* A row of `checkpoint` with a hash that is right and tensors that fit. */
int arrival_check_checkpoint(struct transfer *t, struct cell *cells, void *arg,
                             struct err *e) MUST_CHECK;
/* No value of `from` is larger than rows of that table need: files of tensors
 * are as large as the spec says, all else is small. */
void arrival_limit(struct transfer *t, const struct arrival *a,
                   enum table_id p);
/* It goes on waiting here, whatever its end there. */
void arrival_requeue(struct transfer *t, struct arrival *a);
/* What `run` says about its epochs, once they are there. */
int arrival_settle(struct transfer *t, int64_t here, struct err *e) MUST_CHECK;
/* Does all that is stored twice agree? */
int arrival_check(struct transfer *t, const struct arrival *a, int64_t here,
                  struct err *e) MUST_CHECK;

/* ---- transfer_source.c --------------------------------------------------- */

/* A file to import from, opened so that nothing in it can act. */
struct source {
    struct store *store;
    int copied; /* it is a copy of the file, as of one moment */
    dev_t dev;  /* else what the file was when it was opened */
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
};
/* ERR_USAGE where the file is the one that `to` has open. */
int source_open(const char *path, const struct store *to, struct source *out,
                struct err *e) MUST_CHECK;
/* ERR_FAIL where the file has changed since. */
int source_unchanged(const struct source *s, struct err *e) MUST_CHECK;
void source_close(struct source *s);

/* ---- transfer_merge.c ---------------------------------------------------- */

/* Brings what `to` has of the same uuid up to date.  *what tells what became of
 * it; for IMPORT_REFUSED `why` says how its history differs. */
int arrival_merge(struct transfer *t, struct arrival *a, int64_t here,
                  enum import_what *what, struct str *why,
                  struct err *e) MUST_CHECK;

#endif
