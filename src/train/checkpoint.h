/* SPDX-License-Identifier: MIT */
/* What a run needs to go on: weights, optimizer, and how far it is. */
#ifndef FMNIST_TRAIN_CHECKPOINT_H
#define FMNIST_TRAIN_CHECKPOINT_H

#include "fmnist/model.h"
#include "fmnist/optim.h"
#include "fmnist/trainer.h"

/* How far a run is, as of the end of an epoch; 0 where there is none yet. */
struct progress {
    int epoch;
    int best_epoch; /* of the lowest val_loss; patience counts from it */
    double best_loss;
    int peak_epoch; /* of the highest test_acc */
    double peak_acc;
};

/* Replaces *out by a checkpoint of the present moment. */
int checkpoint_take(struct checkpoint *out, const struct model *m,
                    const struct optim *o, const struct progress *p,
                    struct err *e) MUST_CHECK;
/* Moves the weights, without the state, to an empty checkpoint. */
void checkpoint_move_weights(struct checkpoint *out, struct checkpoint *in);
/* Puts all of it back.  On failure the model may hold c's weights. */
int checkpoint_restore(const struct checkpoint *c, struct model *m,
                       struct optim *o, struct progress *p,
                       struct err *e) MUST_CHECK;

#endif
