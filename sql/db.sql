-- SPDX-License-Identifier: MIT
-- The connection and the file.

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: application_id
PRAGMA application_id;

-- name: user_version
PRAGMA user_version;

-- name: schema_objects
SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
ORDER BY name;

-- name: schema_count
SELECT count(*) FROM sqlite_schema;

-- name: run_summary_columns
SELECT name FROM pragma_table_info('run_summary');

-- name: wal
PRAGMA journal_mode = WAL;

-- name: rollback_journal
PRAGMA journal_mode = DELETE;

-- Of a copy that is thrown away unless it is finished.
-- name: no_journal
PRAGMA journal_mode = OFF;

-- name: pragmas
PRAGMA foreign_keys = ON;
PRAGMA synchronous = NORMAL;
PRAGMA journal_size_limit = 16777216;
PRAGMA secure_delete = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;

-- name: foreign_keys_off
PRAGMA foreign_keys = OFF;

-- name: foreign_keys_on
PRAGMA foreign_keys = ON;

-- name: foreign_key_faults
SELECT count(*) FROM pragma_foreign_key_check;

-- name: synchronous_full
PRAGMA synchronous = FULL;

-- name: query_only_on
PRAGMA query_only = ON;

-- name: query_only_off
PRAGMA query_only = OFF;

-- Composed with a list of columns, a condition, an order and a limit, which
-- hold known names and parameters only.
-- name: runs_from
FROM run_summary WHERE

-- name: runs_not_trash
deleted_at IS NULL

-- name: runs_only_trash
deleted_at IS NOT NULL

-- name: runs_all
1

-- name: runs_default_order
ORDER BY status = 'running' DESC, created_at DESC, id DESC
