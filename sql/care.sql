-- SPDX-License-Identifier: MIT
-- Care of the file: checking, compacting, pruning.

-- name: read_begin
BEGIN;

-- name: vacuum
VACUUM;

-- Readers that are at work keep it from shrinking the log; that is no fault.
-- name: wal_truncate
PRAGMA wal_checkpoint(TRUNCATE);

-- name: file_size
SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size();

-- What pruning would free: rows and bytes.
-- name: prune_checkpoints_size
SELECT count(*), total(length(state) + CASE WHEN twice THEN length(weights)
                                            ELSE 0 END)
FROM (SELECT coalesce(c.state, x'') AS state, c.weights,
             c.kind = 'last' AND EXISTS
                 (SELECT 1 FROM checkpoint AS b
                  WHERE b.run_id = c.run_id AND b.kind = 'best') AS twice
      FROM checkpoint AS c JOIN run AS r ON r.id = c.run_id
      WHERE r.status = 'finished' AND (r.deleted_at IS NULL OR NOT :trash))
WHERE twice OR length(state) > 0;

-- name: prune_checkpoints_last
DELETE FROM checkpoint
WHERE kind = 'last'
  AND run_id IN (SELECT id FROM run WHERE status = 'finished')
  AND EXISTS (SELECT 1 FROM checkpoint AS b
              WHERE b.run_id = checkpoint.run_id AND b.kind = 'best');

-- name: prune_checkpoints_state
UPDATE checkpoint SET state = NULL, state_sha256 = NULL
WHERE state IS NOT NULL
  AND run_id IN (SELECT id FROM run WHERE status = 'finished');

-- name: prune_predictions_size
SELECT count(*), total(length(p.predicted))
FROM epoch_prediction AS p JOIN run AS r ON r.id = p.run_id
WHERE r.status IN ('finished', 'stopped', 'failed')
  AND p.epoch IS NOT r.result_epoch
  AND (r.deleted_at IS NULL OR NOT :trash);

-- name: prune_predictions
DELETE FROM epoch_prediction
WHERE EXISTS (SELECT 1 FROM run AS r
              WHERE r.id = epoch_prediction.run_id
                AND r.status IN ('finished', 'stopped', 'failed')
                AND r.result_epoch IS NOT epoch_prediction.epoch);

-- Rows without a blob count with their usual size.
-- name: prune_trash_size
SELECT count(*), total(
    (SELECT total(length(weights) + coalesce(length(state), 0))
     FROM checkpoint WHERE run_id = r.id) +
    (SELECT total(length(predicted)) FROM epoch_prediction
     WHERE run_id = r.id) +
    (SELECT count(*) FROM prediction WHERE run_id = r.id) * 110 +
    (SELECT count(*) FROM confusion WHERE run_id = r.id) * 14 +
    r.epochs_done * 100)
FROM run AS r WHERE r.deleted_at IS NOT NULL;

-- Each of the following gives one line of text for each fault.

-- name: check_integrity
SELECT integrity_check FROM pragma_integrity_check
WHERE integrity_check <> 'ok';

-- name: check_references
SELECT 'table ' || "table" || coalesce(', row ' || rowid, '') ||
       ': refers to a row of ' || parent || ' that does not exist'
FROM pragma_foreign_key_check;

-- What the program looks at itself.

-- name: check_runs
SELECT id FROM run ORDER BY id;

-- Of one run.

-- name: check_model
SELECT 'run ' || id || ': model is ' || model || ', but its spec says otherwise'
FROM run
WHERE id = :id
  AND model <> CASE WHEN ' ' || spec LIKE '% conv %' THEN 'cnn' ELSE 'ann' END;

-- name: check_epochs
SELECT 'run ' || id || ': epochs_done is ' || epochs_done || ', the table has ' ||
       n || ' epochs up to ' || newest
FROM (SELECT r.id, r.epochs_done, count(e.epoch) AS n,
             coalesce(max(e.epoch), 0) AS newest
      FROM run AS r LEFT JOIN epoch AS e ON e.run_id = r.id
      WHERE r.id = :id GROUP BY r.id)
WHERE epochs_done <> n OR epochs_done <> newest;

-- name: check_result
SELECT 'run ' || id || ': result_epoch is ' || coalesce(result_epoch, 'unset') ||
       ', should be ' || coalesce(should, 'unset')
FROM (SELECT r.id, r.result_epoch,
             CASE WHEN r.val_fraction > 0
                  THEN (SELECT e.epoch FROM epoch AS e
                        WHERE e.run_id = r.id AND e.val_loss IS NOT NULL
                        ORDER BY e.val_loss, e.epoch LIMIT 1)
                  ELSE nullif(r.epochs_done, 0) END AS should
      FROM run AS r WHERE r.id = :id)
WHERE result_epoch IS NOT should;

-- name: check_metrics
SELECT 'run ' || r.id || ': its metrics are not those of epoch ' ||
       coalesce(e.epoch, 0)
FROM run AS r LEFT JOIN epoch AS e
    ON e.run_id = r.id
   AND e.epoch = CASE WHEN r.status = 'running' THEN r.epochs_done
                      ELSE r.result_epoch END
WHERE r.id = :id
  AND (r.train_loss IS NOT e.train_loss OR r.train_acc IS NOT e.train_acc
       OR r.val_loss IS NOT e.val_loss OR r.val_acc IS NOT e.val_acc
       OR r.test_loss IS NOT e.test_loss OR r.test_acc IS NOT e.test_acc);

-- name: check_peak
SELECT 'run ' || r.id || ': peak_test_acc or peak_epoch is wrong'
FROM run AS r
WHERE r.id = :id
  AND (r.peak_test_acc IS NOT (SELECT max(e.test_acc) FROM epoch AS e
                               WHERE e.run_id = r.id)
       OR r.peak_test_acc IS NOT NULL
      AND r.peak_epoch IS NOT (SELECT e.epoch FROM epoch AS e
                               WHERE e.run_id = r.id AND e.test_acc IS NOT NULL
                               ORDER BY e.test_acc DESC, e.epoch LIMIT 1));

-- Sums of the same numbers may differ in the last digits between versions of
-- SQLite.
-- name: check_times
SELECT 'run ' || id || ': seconds or samples_per_second is wrong'
FROM (SELECT r.id, r.seconds AS s, r.samples_per_second AS v,
             sum(e.seconds) AS s2,
             count(e.samples_per_second) / sum(1 / e.samples_per_second) AS v2
      FROM run AS r LEFT JOIN epoch AS e ON e.run_id = r.id
      WHERE r.id = :id GROUP BY r.id)
WHERE (s IS NULL) <> (s2 IS NULL) OR abs(s - s2) > 1e-9 * s2
   OR (v IS NULL) <> (v2 IS NULL) OR abs(v - v2) > 1e-9 * v2;

-- name: check_confusion
SELECT 'run ' || run_id || ', epoch ' || epoch || ': test_acc is ' ||
       coalesce(test_acc, 'unset') || ', the confusion matrix has ' || hits ||
       ' of ' || n || ' right'
FROM (SELECT e.run_id, e.epoch, e.test_acc,
             coalesce(sum(c.count), 0) AS n,
             coalesce(sum(c.count) FILTER (WHERE c.truth = c.predicted), 0)
                 AS hits
      FROM epoch AS e LEFT JOIN confusion AS c
          ON c.run_id = e.run_id AND c.epoch = e.epoch
      WHERE e.run_id = :id
      GROUP BY e.epoch)
WHERE test_acc IS NOT 1.0 * hits / nullif(n, 0);

-- A run that was stopped or paused before it was begun again has none.
-- name: check_predictions
SELECT 'run ' || id || ': ' || n || ' predictions, ' || hits || ' right, but ' ||
       'test_acc is ' || coalesce(test_acc, 'unset')
FROM (SELECT r.id, r.test_acc, count(p.image) AS n,
             coalesce(sum(p.truth = p.predicted), 0) AS hits
      FROM run AS r LEFT JOIN prediction AS p ON p.run_id = r.id
      WHERE r.id = :id AND r.epochs_done > 0
      GROUP BY r.id
      HAVING r.status = 'finished' OR n > 0)
WHERE test_acc IS NOT 1.0 * hits / nullif(n, 0);

-- name: check_prediction_cells
SELECT 'run ' || :id || ': ' || n || ' predictions of ' || predicted ||
       ' for ' || truth || ', the confusion matrix has ' || m
FROM (SELECT truth, predicted, sum(n) AS n, sum(m) AS m
      FROM (SELECT truth, predicted, count(*) AS n, 0 AS m
            FROM prediction WHERE run_id = :id GROUP BY truth, predicted
            UNION ALL
            SELECT c.truth, c.predicted, 0, c.count
            FROM run AS r
            JOIN confusion AS c ON c.run_id = r.id AND c.epoch = r.result_epoch
            WHERE r.id = :id AND EXISTS (SELECT 1 FROM prediction AS p
                                         WHERE p.run_id = r.id))
      GROUP BY truth, predicted)
WHERE n <> m;

-- name: check_confidence
SELECT 'run ' || run_id || ', image ' || image ||
       ': confidence and probabilities disagree'
FROM prediction
WHERE run_id = :id
  AND (confidence IS NOT CASE predicted
           WHEN 0 THEN p0 WHEN 1 THEN p1 WHEN 2 THEN p2 WHEN 3 THEN p3
           WHEN 4 THEN p4 WHEN 5 THEN p5 WHEN 6 THEN p6 WHEN 7 THEN p7
           WHEN 8 THEN p8 ELSE p9 END
       OR abs(p0 + p1 + p2 + p3 + p4 + p5 + p6 + p7 + p8 + p9 - 1) > 1e-4);

-- name: check_labels
SELECT 'run ' || p.run_id || ', image ' || p.image || ': truth is ' || p.truth ||
       ', the image''s label ' || i.label
FROM prediction AS p
JOIN run AS r ON r.id = p.run_id
JOIN image AS i ON i.dataset_id = r.dataset_id AND i.image = p.image
WHERE p.run_id = :id AND p.truth <> i.label;

-- name: check_epoch_predictions
SELECT 'run ' || p.run_id || ', epoch ' || p.epoch || ': ' ||
       length(p.predicted) || ' predicted classes, the confusion matrix has ' ||
       (SELECT coalesce(sum(c.count), 0) FROM confusion AS c
        WHERE c.run_id = p.run_id AND c.epoch = p.epoch)
FROM epoch_prediction AS p
WHERE p.run_id = :id
  AND length(p.predicted) <>
      (SELECT coalesce(sum(c.count), 0) FROM confusion AS c
       WHERE c.run_id = p.run_id AND c.epoch = p.epoch);

-- Of a run that a worker left behind, the epochs since are trained again.
-- name: check_checkpoints
SELECT 'run ' || r.id || ': checkpoint "' || c.kind || '" of epoch ' || c.epoch ||
       ' does not fit the run (epochs_done ' || r.epochs_done ||
       ', result_epoch ' || coalesce(r.result_epoch, 'unset') || ')'
FROM checkpoint AS c JOIN run AS r ON r.id = c.run_id
WHERE c.run_id = :id
  AND (c.epoch > r.epochs_done
       OR (c.kind = 'best'
           AND (r.result_epoch IS NULL OR c.epoch > r.result_epoch
                OR (c.epoch <> r.result_epoch AND r.status = 'finished')))
       OR (c.kind = 'last' AND c.epoch <> r.epochs_done
           AND r.status = 'finished'));

-- name: check_no_checkpoint
SELECT 'run ' || r.id || ': no checkpoint'
FROM run AS r
WHERE r.id = :id AND r.status = 'finished' AND r.epochs_done > 0
  AND NOT EXISTS (SELECT 1 FROM checkpoint AS c WHERE c.run_id = r.id);

-- What the program looks at itself.

-- name: check_truths
SELECT truth, predicted FROM prediction WHERE run_id = :id ORDER BY image;

-- name: check_predicted
SELECT p.epoch, p.predicted, p.epoch IS r.result_epoch
FROM epoch_prediction AS p JOIN run AS r ON r.id = p.run_id
WHERE p.run_id = :id ORDER BY p.epoch;

-- Of the sets.

-- name: check_images
SELECT 'data set ' || d.id || ': image ' || i.image || ' of ' || d.n_images
FROM dataset AS d JOIN image AS i ON i.dataset_id = d.id
WHERE i.image >= d.n_images;

-- name: check_sets
SELECT id FROM dataset ORDER BY id;

-- name: check_whole_set
SELECT d.sha256, d.n_images FROM dataset AS d
WHERE d.id = :id
  AND d.n_images = (SELECT count(*) FROM image AS i WHERE i.dataset_id = d.id);

-- name: check_set_labels
SELECT label FROM image WHERE dataset_id = :id ORDER BY image;

-- name: check_set_pixels
SELECT pixels FROM image WHERE dataset_id = :id ORDER BY image;
