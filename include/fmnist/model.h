/* SPDX-License-Identifier: MIT */
/* A network: parameters, forward and backward over batches, in parallel. */
#ifndef FMNIST_MODEL_H
#define FMNIST_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "fmnist/err.h"
#include "fmnist/kern.h"
#include "fmnist/spec.h"

/*
 * One slab each holds parameters, gradients, running statistics and
 * activations; tensors are views.  Parameters live in kernel layout (output
 * channel innermost and padded, see kern.h); model_tensor and the safetensors
 * functions speak PyTorch's layout.
 *
 * The same inputs give the same bits with any number of threads: elements of
 * dense gradients are owned by one thread and summed in sample order;
 * convolution gradients and BatchNorm statistics are summed in min(16, batch)
 * slices of consecutive samples, merged as a fixed binary tree.
 */
struct model; /* opaque */

struct model_options {
    int threads;   /* >= 1 */
    int max_batch; /* largest batch that will be given */
    int train;     /* 0: forward only, needs far less memory */
};

/* Checks the memory the model needs against sys_memory_available first
 * (ERR_NOMEM names both figures). */
int model_new(const struct spec *s, const struct kern *k,
              const struct model_options *opt, struct model **out,
              struct err *e) MUST_CHECK;
void model_free(struct model *m);

/* Weights as PyTorch's nn.Linear and nn.Conv2d draw them: weight and bias
 * uniform in ±1/sqrt(fan_in); BatchNorm 1, 0, running mean 0, variance 1.
 * Draw i of layer l is element i, in PyTorch's element order. */
void model_init(struct model *m, uint64_t seed);

/* What decides the dropout masks of a step: element i of image at position p in
 * the epoch's order uses draw p * features + i of stream (RNG_DROPOUT, layer).
 */
struct model_step {
    uint64_t seed;
    uint32_t epoch;
    uint64_t position; /* of the batch's first image in the epoch */
    double label_smoothing;
};

/*
 * Forward and backward of one batch in training mode: x as struct batch has it
 * (n x 784), labels n.  Fills the gradients with those of the mean loss,
 * updates BatchNorm's running statistics (momentum 0.1, unbiased variance), and
 * returns the *sum* of the losses and the number of correct predictions (by
 * logits, first maximum wins).  The loss may be NaN or infinite: the caller
 * looks.
 */
void model_train_batch(struct model *m, const float *x, const uint8_t *labels,
                       int n, const struct model_step *step, double *loss_sum,
                       int *correct);

/* Forward in evaluation mode: logits n x 10, dense rows. */
void model_forward(struct model *m, const float *x, int n, float *logits);

/*
 * Runs body(arg) on the calling thread with the model's other threads standing
 * by (asleep when there is nothing to do): for loops over batches, which then
 * start no threads.  Nothing else changes; not from within itself.
 */
void model_session(struct model *m, void (*body)(void *arg), void *arg);

/* Sum of softmax cross-entropy over n rows of logits, in order; smoothing as in
 * torch.nn.CrossEntropyLoss; dlogits (may be NULL): gradient of the mean, rows
 * of `stride` floats. */
double loss_cross_entropy(const float *logits, int stride,
                          const uint8_t *labels, int n, double smoothing,
                          float *dlogits);
/* Softmax of one row of ten logits. */
void loss_softmax(const float logits[10], double p[10]);

/* The slabs, for the optimizer: floats, padding included (and zero). */
size_t model_slab_size(const struct model *m);
float *model_params(struct model *m);
float *model_grads(struct model *m);
const struct kern *model_kern(const struct model *m);

/*
 * Named tensors in PyTorch's order of state_dict(): "0.weight", "0.bias",
 * "2.running_mean", "2.num_batches_tracked" ….
 */
struct model_tensor {
    char name[32];
    int ndim;
    int dim[4];
    int is_int64; /* num_batches_tracked: a scalar, ndim 0 */
    int trainable;
};
int model_tensors(const struct model *m); /* how many */
void model_tensor(const struct model *m, int i, struct model_tensor *out);
/* Copies tensor i out of or into a slab in kernel layout, in PyTorch's element
 * order.  slab NULL: the parameters (or statistics) themselves; a slab may be
 * given for trainable tensors: gradients, moments. */
void model_tensor_get(const struct model *m, int i, const float *slab,
                      void *out);
void model_tensor_set(struct model *m, int i, float *slab, const void *in);

/* The bytes of a safetensors file with every tensor; mem_free *out.  Equal
 * weights give equal bytes. */
int model_save(const struct model *m, void **out, size_t *size,
               struct err *e) MUST_CHECK;
/* Reads such bytes.  Names, types, shapes and offsets must all match, else the
 * model is left as it was and the message names the tensor. */
int model_load(struct model *m, const void *bytes, size_t size,
               struct err *e) MUST_CHECK;

/* A model's table of tensors without the tensors, to check files by: no other
 * functions than model_tensors, model_tensor, model_check, model_compare,
 * optim_check, optim_compare and model_free take it. */
int model_outline(const struct spec *s, struct model **out,
                  struct err *e) MUST_CHECK;
/* What model_load would say to such bytes. */
int model_check(const struct model *m, const void *bytes, size_t size,
                struct err *e) MUST_CHECK;

/* Where two files of the same tensors differ first, bit for bit. */
struct tensor_difference {
    int equal;     /* tensors before it, else all */
    char name[64]; /* of the tensor; "" where all are equal */
    size_t element;
    double a, b; /* its values */
};
/* Compares two files that model_check accepts; else its error. */
int model_compare(const struct model *m, const void *a, size_t a_size,
                  const void *b, size_t b_size, struct tensor_difference *out,
                  struct err *e) MUST_CHECK;

#endif
