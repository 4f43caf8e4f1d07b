/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/data_arg.h"

#include "fmnist/runner.h"

int
data_arg_load(struct cli *c, const char *word, struct dataset **out,
              struct err *e)
{
    int empty = 0;
    int rc = c->store ? 0 : cli_store_or_empty(c, &empty, e);
    return rc ? rc : runner_data(c->store, word, out, e);
}
