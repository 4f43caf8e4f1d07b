/* SPDX-License-Identifier: MIT */
/* Runs of small models on a tiny data set, and what they left behind. */
#ifndef FMNIST_TESTS_TRAIN_SUPPORT_H
#define FMNIST_TESTS_TRAIN_SUPPORT_H

#include "fmnist/trainer.h"
#include "tiny.h"

#define MAX_EPOCHS 12
#define ANN "dense 16 relu dense 10"
/* Linear layers in a row explode where dead ReLUs would end in peace. */
#define DEEP "dense 16 dense 16 dense 10"
#define CNN                                                                  \
    "conv 5x3 relu bn pool 2 conv 6x3 relu bn pool 2 dense 20 relu dropout " \
    "0.3 dense 10"

/* Checked fixtures, which make and free these: 200 images; the best kernel. */
extern struct dataset *train_data;
extern const struct kern *train_kern;
void train_setup(void);
void train_teardown(void);

/* What a run left behind, and what steers it; zero at first. */
struct record {
    struct epoch_metrics epochs[MAX_EPOCHS];
    struct confusion confusion[MAX_EPOCHS];
    struct checkpoint last[MAX_EPOCHS], best[MAX_EPOCHS];
    int result_epoch[MAX_EPOCHS], final[MAX_EPOCHS];
    int reports; /* calls of the epoch hook */
    int batches; /* calls of the batch hook */
    int max_epoch;

    int stop_at; /* the batch hook's verdict from that call on; 0: never */
    enum trainer_verdict verdict;
    int due_every;  /* checkpoints every so many epochs; 0: each */
    int fail_epoch; /* the epoch hook fails there */
    struct trainer_result result;
    struct err e;
};

void record_release(struct record *c);

/* A quick run: five epochs of five batches of the 160 training images. */
void configure(struct hyper *h, const char *spec);
void part(const struct hyper *h, struct split *s);
/* Trains h, from `from`'s checkpoint of `epoch` if given. */
int train(const struct hyper *h, int threads, const struct record *from,
          int epoch, struct record *c);
/* Trains h; it must finish, with a result that agrees with its epoch. */
void finishes(const struct hyper *h, int threads, struct record *c);
void result_agrees(const struct record *c);

int same_figures(const struct epoch_metrics *a, const struct epoch_metrics *b);
int same_checkpoint(const struct checkpoint *a, const struct checkpoint *b);
void same_predictions(const struct predictions *a, const struct predictions *b);
/* Epochs from `epoch` on, and what they led to, are the same bits. */
void same_from(const struct record *a, const struct record *b, int epoch);

#endif
