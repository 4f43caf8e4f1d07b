/* SPDX-License-Identifier: MIT */
/* What the commands that evaluate one run have in common. */
#ifndef FMNIST_CLI_SUBJECT_H
#define FMNIST_CLI_SUBJECT_H

#include "cli/cli.h"
#include "fmnist/art.h"
#include "fmnist/store.h"

/* One run and the data set that it was trained on. */
struct subject {
    struct run run;
    struct dataset_row data;
};

/* Opens the database for reading and finds the run that `word` names; it must
 * have finished an epoch. */
int subject_load(struct cli *c, const char *word, struct subject *out,
                 struct err *e) MUST_CHECK;

extern const char *const CHECKPOINT_KINDS[]; /* "last", "best", NULL */

/* The weights that an option over CHECKPOINT_KINDS chooses, else the result's;
 * checkpoint_release them. */
int subject_weights(struct cli *c, const struct run *r, const char *option,
                    struct checkpoint *out, struct err *e) MUST_CHECK;

/* How to draw on c->out. */
struct art_style subject_style(const struct cli *c);

/* "run 17 (ann batch 32)", control characters shown. */
void subject_add_name(struct str *b, const struct run *r);

/* A row that a command makes itself: up to ROW_MAX cells. */
#define ROW_MAX 24
struct row_builder {
    struct row row;
    const char *names[ROW_MAX];
    struct cell cells[ROW_MAX];
};
void row_begin(struct row_builder *b);
void row_int(struct row_builder *b, const char *name, int64_t v);
void row_real(struct row_builder *b, const char *name, double v);
void row_text(struct row_builder *b, const char *name, const char *v);

#endif
