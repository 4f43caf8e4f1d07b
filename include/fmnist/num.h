/* SPDX-License-Identifier: MIT */
/*
 * The program's own transcendental functions.  glibc picks its versions by CPU,
 * and they differ in the last bit; whatever reaches weights goes through these,
 * which use + - x / and integer operations only.
 */
#ifndef FMNIST_NUM_H
#define FMNIST_NUM_H

/* Relative error below 1e-15 over the whole range; 0 below -745.2, +inf above
 * 709.8; NaN in, NaN out. */
double num_exp(double x);
/* x > 0; absolute error below 1e-15 near 1, else relative; -inf at 0. */
double num_log(double x);
/* base to a whole power by repeated squaring. */
double num_powi(double base, unsigned n);
/* cos(pi * x) for 0 <= x <= 1; absolute error below 1e-15. */
double num_cospi(double x);

#endif
