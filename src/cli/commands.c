/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"

/* clang-format off: one a line, so that additions do not collide. */
/* One a line, so that additions do not collide. */
/* clang-format off */
const struct cli_command *const CLI_COMMANDS[] = {
    &cmd_train,
    &cmd_queue,
    &cmd_clone,
    &cmd_worker,
    &cmd_stop,
    &cmd_pause,
    &cmd_resume,
    &cmd_retry,
    &cmd_move,
    &cmd_edit,
    &cmd_extend,
    &cmd_wait,
    &cmd_ls,
    &cmd_show,
    &cmd_log,
    &cmd_compare,
    &cmd_bench,
    &cmd_sql,
    &cmd_confusion,
    &cmd_classes,
    &cmd_images,
    &cmd_predict,
    &cmd_verify,
    &cmd_tag,
    &cmd_note,
    &cmd_rename,
    &cmd_star,
    &cmd_rm,
    &cmd_restore,
    &cmd_export,
    &cmd_import,
    &cmd_data_info,
    &cmd_data_ls,
    &cmd_data_add,
    &cmd_data_locate,
    &cmd_data_sample,
    &cmd_data_split,
    &cmd_data_check,
    &cmd_db_path,
    &cmd_db_check,
    &cmd_db_vacuum,
    &cmd_db_backup,
    &cmd_db_prune,
    NULL,
};
/* clang-format on */
