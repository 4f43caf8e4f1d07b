/* SPDX-License-Identifier: MIT */
/* Every command: one file each. */
#ifndef FMNIST_CLI_COMMANDS_H
#define FMNIST_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_train;
extern const struct cli_command cmd_queue;
extern const struct cli_command cmd_clone;
extern const struct cli_command cmd_worker;
extern const struct cli_command cmd_stop;
extern const struct cli_command cmd_pause;
extern const struct cli_command cmd_resume;
extern const struct cli_command cmd_retry;
extern const struct cli_command cmd_move;
extern const struct cli_command cmd_edit;
extern const struct cli_command cmd_extend;
extern const struct cli_command cmd_wait;
extern const struct cli_command cmd_ls;
extern const struct cli_command cmd_show;
extern const struct cli_command cmd_log;
extern const struct cli_command cmd_compare;
extern const struct cli_command cmd_tag;
extern const struct cli_command cmd_note;
extern const struct cli_command cmd_rename;
extern const struct cli_command cmd_star;
extern const struct cli_command cmd_rm;
extern const struct cli_command cmd_restore;
extern const struct cli_command cmd_bench;
extern const struct cli_command cmd_sql;
extern const struct cli_command cmd_confusion;
extern const struct cli_command cmd_classes;
extern const struct cli_command cmd_images;
extern const struct cli_command cmd_predict;
extern const struct cli_command cmd_verify;
extern const struct cli_command cmd_export;
extern const struct cli_command cmd_import;
extern const struct cli_command cmd_data_info;
extern const struct cli_command cmd_data_ls;
extern const struct cli_command cmd_data_add;
extern const struct cli_command cmd_data_locate;
extern const struct cli_command cmd_data_sample;
extern const struct cli_command cmd_data_split;
extern const struct cli_command cmd_data_check;
extern const struct cli_command cmd_db_path;
extern const struct cli_command cmd_db_check;
extern const struct cli_command cmd_db_vacuum;
extern const struct cli_command cmd_db_backup;
extern const struct cli_command cmd_db_prune;

#endif
