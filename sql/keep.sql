-- SPDX-License-Identifier: MIT
-- Choosing runs by what the user typed, and keeping house.

-- name: select_id
SELECT id FROM run WHERE id = :id;

-- name: select_range
SELECT id FROM run WHERE id BETWEEN :first AND :last AND deleted_at IS NULL
ORDER BY id;

-- name: select_name
SELECT id FROM run WHERE name = :name AND deleted_at IS NULL;

-- A prefix in lower case; "g" follows every digit.
-- name: select_uuid
SELECT id FROM run
WHERE uuid >= :prefix AND uuid < :prefix || 'g' AND deleted_at IS NULL
LIMIT 2;

-- name: select_last
SELECT id FROM run WHERE deleted_at IS NULL
ORDER BY created_at DESC, id DESC LIMIT 1;

-- name: select_best
SELECT id FROM leaderboard WHERE board = 1 AND place = 1;

-- name: run_rename
UPDATE run SET name = :name WHERE id = :id;

-- name: run_note
UPDATE run SET note = nullif(:note, '')
WHERE id = :id AND note IS NOT nullif(:note, '');

-- name: run_star
UPDATE run SET starred = :on WHERE id = :id AND starred <> :on;

-- name: run_trash
UPDATE run SET deleted_at = :now
WHERE id = :id AND deleted_at IS NULL AND NOT starred AND status <> 'running';

-- name: run_restore
UPDATE run SET deleted_at = NULL, name = :name
WHERE id = :id AND deleted_at IS NOT NULL;

-- name: run_purge
DELETE FROM run WHERE id = :id AND deleted_at IS NOT NULL;

-- name: run_purge_all
DELETE FROM run WHERE deleted_at IS NOT NULL;
