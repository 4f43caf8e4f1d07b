/* SPDX-License-Identifier: MIT */
/* The argument that names a data set. */
#ifndef FMNIST_CLI_DATA_ARG_H
#define FMNIST_CLI_DATA_ARG_H

#include "cli/cli.h"
#include "fmnist/dataset.h"

#define DATA_ARG_NOTES                                                        \
    "DATA is small (shipped), full (Debian's dataset-fashion-mnist), a name " \
    "given with data add, a .csv or .csv.gz file, or a folder of IDX files.\n"

/* Loads the set that `word` names; registered names need a database, but none
 * is made here. */
int data_arg_load(struct cli *c, const char *word, struct dataset **out,
                  struct err *e) MUST_CHECK;

#endif
