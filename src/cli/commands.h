/* SPDX-License-Identifier: MIT */
/* Every command: one file each. */
#ifndef FMNIST_CLI_COMMANDS_H
#define FMNIST_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_ls;

#endif
