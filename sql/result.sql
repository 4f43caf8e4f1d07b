-- SPDX-License-Identifier: MIT
-- What a run produces: epochs, confusion matrices, predictions, checkpoints.

-- An epoch that a resumed run trains again is replaced by itself.
-- name: epoch_insert
INSERT INTO epoch (run_id, epoch, train_loss, train_acc, val_loss, val_acc,
    test_loss, test_acc, lr, seconds, samples_per_second)
VALUES (:id, :epoch, :train_loss, :train_acc, :val_loss, :val_acc, :test_loss,
    :test_acc, :lr, :seconds, :samples_per_second)
ON CONFLICT (run_id, epoch) DO UPDATE
SET train_loss = excluded.train_loss, train_acc = excluded.train_acc,
    val_loss = excluded.val_loss, val_acc = excluded.val_acc,
    test_loss = excluded.test_loss, test_acc = excluded.test_acc,
    lr = excluded.lr, seconds = excluded.seconds,
    samples_per_second = excluded.samples_per_second;

-- name: confusion_clear
DELETE FROM confusion WHERE run_id = :id AND epoch = :epoch;

-- name: confusion_insert
INSERT INTO confusion (run_id, epoch, truth, predicted, count)
VALUES (:id, :epoch, :truth, :predicted, :count);

-- name: confusion_get
SELECT truth, predicted, count FROM confusion
WHERE run_id = :id
  AND epoch = CASE WHEN :epoch > 0 THEN :epoch
                   ELSE (SELECT result_epoch FROM run WHERE id = :id) END;

-- name: epoch_exists
SELECT 1 FROM epoch
WHERE run_id = :id
  AND epoch = CASE WHEN :epoch > 0 THEN :epoch
                   ELSE (SELECT result_epoch FROM run WHERE id = :id) END;

-- name: epoch_prediction_put
INSERT INTO epoch_prediction (run_id, epoch, predicted)
VALUES (:id, :epoch, :predicted)
ON CONFLICT (run_id, epoch) DO UPDATE SET predicted = excluded.predicted;

-- name: epoch_prediction_get
SELECT predicted FROM epoch_prediction WHERE run_id = :id AND epoch = :epoch;

-- name: prediction_clear
DELETE FROM prediction WHERE run_id = :id;

-- name: prediction_insert
INSERT INTO prediction (run_id, image, truth, predicted, confidence,
    p0, p1, p2, p3, p4, p5, p6, p7, p8, p9)
VALUES (:id, :image, :truth, :predicted, :confidence,
    :p0, :p1, :p2, :p3, :p4, :p5, :p6, :p7, :p8, :p9);

-- name: prediction_count
SELECT count(*) FROM prediction WHERE run_id = :id;

-- name: prediction_get
SELECT image, truth, predicted, p0, p1, p2, p3, p4, p5, p6, p7, p8, p9
FROM prediction WHERE run_id = :id ORDER BY image;

-- name: checkpoint_put
INSERT INTO checkpoint (run_id, kind, epoch, sha256, state_sha256, created_at,
    weights, state)
VALUES (:id, :kind, :epoch, :sha256, :state_sha256, :now, :weights, :state)
ON CONFLICT (run_id, kind) DO UPDATE
SET epoch = excluded.epoch, sha256 = excluded.sha256,
    state_sha256 = excluded.state_sha256, created_at = excluded.created_at,
    weights = excluded.weights, state = excluded.state;

-- name: checkpoint_get
SELECT epoch, sha256, state_sha256, weights, state FROM checkpoint
WHERE run_id = :id AND kind = :kind;

-- name: rows_epochs
SELECT epoch, train_loss, train_acc, val_loss, val_acc, test_loss, test_acc,
       lr, seconds, samples_per_second
FROM epoch WHERE run_id = :id ORDER BY epoch;

-- name: rows_events
SELECT at, level, text FROM event WHERE run_id = :id ORDER BY id;

-- name: rows_tags
SELECT tag FROM tag WHERE run_id = :id ORDER BY tag;

-- name: rows_classes
SELECT class, name, support, predicted, precision, recall, f1
FROM class_metrics WHERE run_id = :id ORDER BY class;

-- name: rows_predictions
SELECT image, truth, predicted, confidence, p0, p1, p2, p3, p4, p5, p6, p7, p8,
       p9
FROM prediction WHERE run_id = :id ORDER BY image;
