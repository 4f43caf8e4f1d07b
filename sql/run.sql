-- SPDX-License-Identifier: MIT
-- Rows of `run`: made, read, ended.

-- name: run_insert
INSERT INTO run (uuid, name, model, preset, spec, position, user,
    epochs, batch_size, lr, optimizer, momentum, nesterov, weight_decay,
    dropout, schedule, warmup, step_size, gamma, augment, label_smoothing,
    seed, split_seed, test_fraction, val_fraction, patience, precision,
    dataset_id, sweep_id, parent_id, threads_wanted, created_at, note)
VALUES (:uuid, :name, :model, nullif(:preset, ''), :spec,
    (SELECT coalesce(max(position), 0) + 1 FROM run), :user,
    :epochs, :batch_size, :lr, :optimizer, :momentum, :nesterov, :weight_decay,
    :dropout, :schedule, :warmup, :step_size, :gamma, :augment,
    :label_smoothing, :seed, :split_seed, :test_fraction, :val_fraction,
    :patience, :precision, :dataset_id, nullif(:sweep_id, 0),
    nullif(:parent_id, 0), nullif(:threads, 0), :created_at,
    nullif(:note, ''));

-- name: run_get
SELECT * FROM run WHERE id = :id;

-- name: run_name_taken
SELECT id FROM run WHERE name = :name AND deleted_at IS NULL;

-- The numbers of the names "BASE #2", "BASE #3" … so far.
-- name: run_name_suffix
SELECT max(CAST(substr(name, length(:base) + 3) AS INTEGER)) FROM run
WHERE name >= :base || ' #' AND name < :base || ' #:' AND deleted_at IS NULL
  AND substr(name, length(:base) + 3) NOT GLOB '*[^0-9]*'
  AND length(name) - length(:base) < 12;

-- name: run_status_get
SELECT status, name, starred, deleted_at, request FROM run WHERE id = :id;

-- name: run_end
UPDATE run
SET status = :status, request = NULL, worker_id = NULL, deaths = 0,
    error = nullif(:error, ''),
    finished_at = CASE WHEN :status IN ('finished', 'stopped', 'failed')
                       THEN :now END
WHERE id = :id;

-- name: run_epoch
UPDATE run
SET epochs_done = :epoch,
    deaths = CASE WHEN epochs_done < :epoch THEN 0 ELSE deaths END,
    result_epoch = nullif(:result_epoch, 0),
    train_loss = :train_loss, train_acc = :train_acc, val_loss = :val_loss,
    val_acc = :val_acc, test_loss = :test_loss, test_acc = :test_acc,
    peak_test_acc = :peak_test_acc, peak_epoch = nullif(:peak_epoch, 0)
WHERE id = :id AND epochs_done <= :epoch;

-- An epoch that is trained again takes another time than it did.
-- name: run_times
UPDATE run
SET (seconds, samples_per_second) =
        (SELECT sum(e.seconds),
                count(e.samples_per_second) / sum(1 / e.samples_per_second)
         FROM epoch AS e WHERE e.run_id = :id)
WHERE id = :id;

-- name: event_insert
INSERT INTO event (run_id, at, level, text)
VALUES (nullif(:id, 0), :now, :level, :text);

-- name: tag_insert
INSERT INTO tag (run_id, tag) VALUES (:id, :tag) ON CONFLICT DO NOTHING;

-- name: tag_delete
DELETE FROM tag WHERE run_id = :id AND tag = :tag;
