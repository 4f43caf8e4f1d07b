/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/num.h"
#include "fmnist/optim.h"

const char *const SCHED_NAMES[N_SCHEDULES] = {
    [SCHED_CONSTANT] = "constant",
    [SCHED_STEP] = "step",
    [SCHED_COSINE] = "cosine",
    [SCHED_ONECYCLE] = "onecycle",
};

/* Half a cosine from `from` (at 0) to `to` (at 1). */
static double
anneal(double from, double to, double at)
{
    return to + (from - to) / 2 * (1 + num_cospi(at));
}

/* Of `total` steps; the rise takes the first 0.3. */
static double
one_cycle(double max, double step, double total)
{
    double start = max / 25, end = start / 1e4;
    double peak = 0.3 * total - 1;

    if (step <= peak) {
        return anneal(start, max, step / peak);
    }
    return anneal(max, end, (step - peak) / (total - 1 - peak));
}

double
schedule_lr(const struct schedule_options *o, uint64_t step)
{
    uint64_t warm = (uint64_t)o->warmup * o->steps_per_epoch;
    uint64_t total = (uint64_t)o->epochs * o->steps_per_epoch;

    if (step < warm) {
        return o->lr * (double)(step + 1) / (double)warm;
    }
    step -= warm;
    total = total > warm ? total - warm : 1;
    if (step >= total) {
        step = total - 1;
    }
    switch (o->kind) {
    case SCHED_CONSTANT:
        return o->lr;
    case SCHED_STEP:
        step /= (uint64_t)o->steps_per_epoch * o->step_size;
        return o->lr * num_powi(o->gamma, (unsigned)step);
    case SCHED_COSINE:
        return anneal(o->lr, 0, (double)step / (double)total);
    case SCHED_ONECYCLE:
        return one_cycle(o->lr, (double)step, (double)total);
    case N_SCHEDULES:
        break;
    }
    return o->lr;
}
