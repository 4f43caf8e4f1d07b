/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"

const struct cli_command *const CLI_COMMANDS[] = {
    &cmd_ls,
    NULL,
};
