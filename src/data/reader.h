/* SPDX-License-Identifier: MIT */
/* What the readers of the file formats share. */
#ifndef FMNIST_DATA_READER_H
#define FMNIST_DATA_READER_H

#include "data/input.h"
#include "fmnist/dataset.h"

/*
 * A set being filled.  Loading ends at the first fault; checking (`report` is
 * set) passes each one to it, up to `max`, and reads on where that is possible.
 */
struct reader {
    struct dataset *d;
    uint32_t cap;   /* images that d's arrays have room for */
    int unlabelled; /* labels may be missing: d->labels NULL afterwards */
    dataset_report_fn report;
    void *arg;
    int max;
    long faults;
};

/*
 * Reports a fault of the content.  Returns 0 where the reader goes on (leaving
 * out what is at fault), else ERR_FAIL with the message in e.
 */
int reader_fault(struct reader *r, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) MUST_CHECK;

/* Makes room for at least `extra` images behind the d->n present ones. */
int reader_reserve(struct reader *r, uint32_t extra, struct err *e) MUST_CHECK;

/* Rows of `label,pixel1,…,pixel784`; where labels may be missing, all rows
 * without them. */
int reader_csv(struct reader *r, struct input *in, struct err *e) MUST_CHECK;

/* The train pair of a folder and, if it is there, the t10k pair. */
int reader_idx_folder(struct reader *r, const char *dir,
                      struct err *e) MUST_CHECK;

/* One file of IDX images, without labels. */
int reader_idx_images(struct reader *r, struct input *in,
                      struct err *e) MUST_CHECK;

/* What the first bytes of a file say it is. */
enum idx_kind { IDX_NONE, IDX_LABELS, IDX_IMAGES };
int idx_kind(struct input *in, enum idx_kind *out, struct err *e) MUST_CHECK;

#endif
