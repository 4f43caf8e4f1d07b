/* SPDX-License-Identifier: MIT */
/* Optimizers and learning-rate schedules, with PyTorch's definitions. */
#ifndef FMNIST_OPTIM_H
#define FMNIST_OPTIM_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/model.h"

enum optimizer { OPTIM_SGD, OPTIM_ADAM, OPTIM_ADAMW, N_OPTIMIZERS };
extern const char *const OPTIM_NAMES[N_OPTIMIZERS];

struct optim_options {
    enum optimizer kind;
    double momentum; /* SGD */
    int nesterov;    /* SGD with momentum > 0 */
    double weight_decay;
};

struct optim; /* opaque: moments and step count */

int optim_new(struct model *m, const struct optim_options *opt,
              struct optim **out, struct err *e) MUST_CHECK;
void optim_free(struct optim *o);
/* One step over the model's slab with its gradients, on its threads. */
void optim_step(struct optim *o, double lr);
uint64_t optim_steps(const struct optim *o);

/*
 * The state as a safetensors file: "momentum.NAME", or "exp_avg.NAME" and
 * "exp_avg_sq.NAME", in PyTorch's shapes; `meta` (n pairs of strings) goes into
 * __metadata__ with "step".  Reading checks everything first.
 */
struct meta_pair {
    char key[24];
    char value[72];
};
int optim_save(const struct optim *o, const struct meta_pair *meta, int n_meta,
               void **out, size_t *size, struct err *e) MUST_CHECK;
/* Fills the values of the keys that meta names; a missing key is an error. */
int optim_load(struct optim *o, const void *bytes, size_t size,
               struct meta_pair *meta, int n_meta, struct err *e) MUST_CHECK;
/* The same for an optimizer that m (an outline will do) would have, with
 * nothing changed but the values of meta. */
int optim_check(struct model *m, const struct optim_options *opt,
                const void *bytes, size_t size, struct meta_pair *meta,
                int n_meta, struct err *e) MUST_CHECK;
/* Compares the tensors of two such files. */
int optim_compare(struct model *m, const struct optim_options *opt,
                  const void *a, size_t a_size, const void *b, size_t b_size,
                  struct tensor_difference *out, struct err *e) MUST_CHECK;

enum schedule {
    SCHED_CONSTANT,
    SCHED_STEP,     /* lr * gamma^floor(epoch / step_size), as StepLR */
    SCHED_COSINE,   /* CosineAnnealingLR to 0, stepped per batch */
    SCHED_ONECYCLE, /* OneCycleLR (cosine, three_phase=False, pct_start 0.3,
                       div_factor 25, final_div_factor 1e4), max_lr = lr,
                       per batch, momentum not cycled */
    N_SCHEDULES
};
extern const char *const SCHED_NAMES[N_SCHEDULES];

struct schedule_options {
    enum schedule kind;
    double lr;
    int epochs;
    int steps_per_epoch;
    int warmup;    /* epochs of linear warm-up before the schedule: step s of w
                      uses lr * (s + 1) / w; the schedule proper runs over the
                      rest */
    int step_size; /* epochs */
    double gamma;
};

/* The learning rate of step `step` (from 0, over the whole run). */
double schedule_lr(const struct schedule_options *o, uint64_t step);

#endif
