-- SPDX-License-Identifier: MIT
-- Runs from one database to another; what reads and writes whole rows is made
-- of lists of columns.

-- name: transfer_position
SELECT coalesce(max(position), 0) FROM run;

-- name: transfer_find_run
SELECT id FROM run WHERE uuid = :uuid;

-- name: transfer_find_sweep
SELECT id FROM sweep WHERE uuid = :uuid;

-- name: transfer_find_set
SELECT id, n_images FROM dataset WHERE sha256 = :sha256;

-- name: transfer_set_hash
SELECT sha256 FROM dataset WHERE id = :id;

-- Whether each is a text of an array, and it.
-- name: transfer_classes
SELECT typeof(k.key) = 'integer' AND k.type = 'text', k.value
FROM json_each(CASE WHEN json_valid(:names) THEN :names ELSE '[]' END) AS k;

-- name: transfer_links
SELECT r.dataset_id, r.sweep_id, r.parent_id, r.result_epoch,
       (SELECT count(*) FROM epoch AS e WHERE e.run_id = r.id)
FROM run AS r WHERE r.id = :id;

-- What a run says of its epochs.
-- name: transfer_counts
UPDATE run
SET (epochs_done, seconds, samples_per_second, peak_test_acc) =
        (SELECT count(*), sum(e.seconds),
                count(e.samples_per_second) / sum(1 / e.samples_per_second),
                max(e.test_acc)
         FROM epoch AS e WHERE e.run_id = :id),
    peak_epoch = (SELECT e.epoch FROM epoch AS e
                  WHERE e.run_id = :id AND e.test_acc IS NOT NULL
                  ORDER BY e.test_acc DESC, e.epoch LIMIT 1),
    result_epoch = CASE WHEN val_fraction > 0
                        THEN (SELECT e.epoch FROM epoch AS e
                              WHERE e.run_id = :id AND e.val_loss IS NOT NULL
                              ORDER BY e.val_loss, e.epoch LIMIT 1)
                        ELSE (SELECT max(e.epoch) FROM epoch AS e
                              WHERE e.run_id = :id) END
WHERE id = :id;

-- name: transfer_figures
UPDATE run
SET (train_loss, train_acc, val_loss, val_acc, test_loss, test_acc) =
        (SELECT e.train_loss, e.train_acc, e.val_loss, e.val_acc, e.test_loss,
                e.test_acc
         FROM epoch AS e
         WHERE e.run_id = :id
           AND e.epoch = CASE WHEN run.status = 'running' THEN run.epochs_done
                              ELSE run.result_epoch END)
WHERE id = :id;

-- name: transfer_status
UPDATE run SET status = :status WHERE id = :id;

-- name: transfer_event_known
SELECT 1 FROM event
WHERE run_id = :id AND at = :at AND level = :level AND text = :text;

-- name: transfer_checkpoint
SELECT epoch, sha256, state IS NOT NULL FROM checkpoint
WHERE run_id = :id AND kind = :kind;

-- Those of a run that has finished meanwhile.
-- name: transfer_checkpoints_old
DELETE FROM checkpoint
WHERE run_id = :id
  AND EXISTS (SELECT 1 FROM run AS r
              WHERE r.id = checkpoint.run_id AND r.status = 'finished'
                AND checkpoint.epoch <> CASE checkpoint.kind
                                        WHEN 'best' THEN r.result_epoch
                                        ELSE r.epochs_done END);

-- A parent, unless the run descends to it.
-- name: transfer_parent
UPDATE run SET parent_id = :parent
WHERE id = :id AND parent_id IS NULL AND status <> 'running'
  AND id NOT IN (WITH RECURSIVE up (id) AS
                     (SELECT :parent UNION
                      SELECT r.parent_id FROM run AS r JOIN up ON r.id = up.id
                      WHERE r.parent_id IS NOT NULL)
                 SELECT id FROM up);

-- name: transfer_sweep
UPDATE run SET sweep_id = :sweep
WHERE id = :id AND sweep_id IS NULL AND status <> 'running';

-- name: transfer_quick_check
SELECT quick_check FROM pragma_quick_check(:table)
WHERE quick_check <> 'ok' LIMIT 1;

-- name: transfer_cell_check
PRAGMA cell_size_check = ON;
PRAGMA mmap_size = 0;

-- name: transfer_unjournaled
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = FULL;
