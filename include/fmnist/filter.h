/* SPDX-License-Identifier: MIT */
/* The filter language: "lr<=0.001 model:cnn -tag:old test_acc>0.8 | is:starred"
 * compiled to SQL over run_summary, values as bound parameters only. */
#ifndef FMNIST_FILTER_H
#define FMNIST_FILTER_H

#include "fmnist/err.h"
#include "fmnist/store.h"

/*
 * Grammar: alternatives separated by "|", each a row of terms (and); "-"
 * negates a term; ( ) group.  A term is
 *   FIELD OP VALUE    OP one of = != < <= > >=
 *   FIELD:VALUE       equal; for numbers also a range 1e-3..0.1, ..0.1, 5..;
 *                     for texts * and ? are wildcards
 *   tag:NAME, is:starred|trash|live
 *   WORD              found in name, tags or note, case ignored
 * "…" quotes a value or word with blanks; \ before " or \ takes it as it is.
 * FIELD is a column of run_summary.  FIELD:TEXT ignores case, FIELD=TEXT does
 * not.  A time compares with as much of it as the value gives:
 * created_at>=2026-01.  is:live is queued, running or paused.  A term on a
 * value that is not known (NULL) is false, and so is its negation.
 */
struct filter {
    char *where; /* SQL */
    struct cell *binds;
    int n_binds;
    int trash; /* 1: is:trash occurs; such a query looks in the trash too */
};

/* ERR_USAGE: "filter, column 7: unknown field "lrr" (did you mean lr?)"; with
 * `column` (may be NULL) the 1-based column of the text at fault. */
int filter_compile(const char *text, const char *const *columns,
                   struct filter *out, int *column, struct err *e) MUST_CHECK;
void filter_release(struct filter *f);

#endif
