-- SPDX-License-Identifier: MIT
-- The queue: workers, claims, requests, order.

-- name: data_version
PRAGMA data_version;

-- name: worker_insert
INSERT INTO worker (uuid, user, host, boot_id, pid, pid_start, pid_ns, threads,
    started_at, heartbeat_at, heartbeat_clock, log_file)
VALUES (:uuid, :user, :host, :boot_id, :pid, :pid_start, :pid_ns, :threads,
    :now, :now, :clock, nullif(:log_file, ''));

-- name: worker_delete
DELETE FROM worker WHERE id = :id;

-- name: worker_list
SELECT id, uuid, user, host, boot_id, pid, pid_start, pid_ns, threads,
       started_at, heartbeat_at, heartbeat_clock, run_id, epoch, batch, batches,
       loss, acc, samples_per_second, eta_seconds, log_file,
       (SELECT r.epochs FROM run AS r WHERE r.id = worker.run_id)
FROM worker ORDER BY id;

-- name: worker_beat
UPDATE worker SET heartbeat_at = :now, heartbeat_clock = :clock WHERE id = :id;

-- name: worker_progress
UPDATE worker
SET heartbeat_at = :now, heartbeat_clock = :clock, epoch = :epoch,
    batch = :batch, batches = :batches, loss = :loss, acc = :acc,
    samples_per_second = :samples_per_second, eta_seconds = :eta_seconds
WHERE id = :id AND run_id = :run;

-- name: worker_exists
SELECT 1 FROM worker WHERE id = :id;

-- name: worker_takes
UPDATE worker
SET run_id = :run, heartbeat_at = :now, heartbeat_clock = :clock, epoch = NULL,
    batch = NULL, batches = NULL, loss = NULL, acc = NULL,
    samples_per_second = NULL, eta_seconds = NULL
WHERE id = :id;

-- name: worker_idle
UPDATE worker
SET run_id = NULL, epoch = NULL, batch = NULL, batches = NULL, loss = NULL,
    acc = NULL, samples_per_second = NULL, eta_seconds = NULL
WHERE id = :id;

-- Whether a worker's row is still the one that was looked at.
-- name: worker_unchanged
SELECT 1 FROM worker
WHERE id = :id AND uuid = :uuid AND heartbeat_clock = :clock;

-- The runs that a worker leaves behind; worker 0: those that no worker trains.
-- name: worker_runs
SELECT id, request, deaths FROM run
WHERE status = 'running'
  AND CASE WHEN :id THEN worker_id = :id
           ELSE NOT EXISTS (SELECT 1 FROM worker AS w
                            WHERE w.id = run.worker_id) END
ORDER BY id;

-- name: run_bury
UPDATE run
SET status = :status, request = NULL, worker_id = NULL, deaths = deaths + :died,
    error = nullif(:error, ''),
    finished_at = CASE WHEN :status IN ('stopped', 'failed') THEN :now END
WHERE id = :id;

-- What a worker may take: its user's runs, in order, of a kernel that it has
-- where there is a checkpoint to go on from.  :run 0: any.
-- name: claim_next
SELECT r.id FROM run AS r
WHERE r.status = 'queued' AND r.deleted_at IS NULL AND r.engine = 'local'
  AND r.user = :user AND (:run = 0 OR r.id = :run)
  AND (NOT EXISTS (SELECT 1 FROM checkpoint AS c
                   WHERE c.run_id = r.id AND c.kind = 'last')
       OR (r.numerics = :numerics
           AND r.kernel IN (SELECT k.value FROM json_each(:kernels) AS k)))
ORDER BY r.position, r.id LIMIT 1;

-- Queued runs of the user that claim_next passes over.
-- name: claim_passed_over
SELECT r.id, r.kernel, r.numerics FROM run AS r
WHERE r.status = 'queued' AND r.deleted_at IS NULL AND r.engine = 'local'
  AND r.user = :user AND (:run = 0 OR r.id = :run)
  AND EXISTS (SELECT 1 FROM checkpoint AS c
              WHERE c.run_id = r.id AND c.kind = 'last')
  AND NOT (r.numerics = :numerics
           AND r.kernel IN (SELECT k.value FROM json_each(:kernels) AS k))
ORDER BY r.position, r.id LIMIT 1;

-- A run that has a checkpoint goes on with the kernel that made it.
-- name: run_claim
UPDATE run
SET status = 'running', request = NULL, error = NULL, finished_at = NULL,
    started_at = :now, worker_id = nullif(:worker, 0),
    kernel = CASE WHEN EXISTS (SELECT 1 FROM checkpoint AS c
                               WHERE c.run_id = run.id AND c.kind = 'last')
                  THEN kernel ELSE :kernel END,
    numerics = :numerics,
    threads = min(:threads, coalesce(threads_wanted, :threads)),
    program_version = :version, compiler = :compiler, host = :host,
    -- It may have been stopped after its result's epoch.
    (train_loss, train_acc, val_loss, val_acc, test_loss, test_acc) =
        (SELECT e.train_loss, e.train_acc, e.val_loss, e.val_acc, e.test_loss,
                e.test_acc
         FROM epoch AS e
         WHERE e.run_id = run.id AND e.epoch = run.epochs_done)
WHERE id = :id;

-- name: run_owner
SELECT status, coalesce(worker_id, 0), request FROM run WHERE id = :id;

-- name: run_request
UPDATE run SET request = nullif(:request, '') WHERE id = :id;

-- :last 1: to the end of the queue.
-- name: run_status
UPDATE run
SET status = :status, request = NULL,
    error = CASE WHEN :status = 'queued' THEN NULL ELSE error END,
    deaths = CASE WHEN :status = 'queued' THEN 0 ELSE deaths END,
    position = CASE WHEN :last THEN
                   (SELECT coalesce(max(position), 0) + 1 FROM run)
               ELSE position END,
    finished_at = CASE WHEN :status = 'stopped' THEN :now END
WHERE id = :id;

-- name: run_forget_epochs
DELETE FROM epoch WHERE run_id = :id;

-- name: run_forget_checkpoints
DELETE FROM checkpoint WHERE run_id = :id;

-- name: run_forget_figures
UPDATE run
SET epochs_done = 0, result_epoch = NULL, train_loss = NULL, train_acc = NULL,
    val_loss = NULL, val_acc = NULL, test_loss = NULL, test_acc = NULL,
    peak_test_acc = NULL, peak_epoch = NULL, seconds = NULL,
    samples_per_second = NULL, kernel = NULL, numerics = NULL, threads = NULL,
    program_version = NULL, compiler = NULL, host = NULL, started_at = NULL
WHERE id = :id;

-- name: queue_paused
SELECT 1 FROM setting WHERE key = 'queue_paused';

-- name: queue_pause
INSERT INTO setting (key, value) VALUES ('queue_paused', :now)
ON CONFLICT DO NOTHING;

-- name: queue_resume
DELETE FROM setting WHERE key = 'queue_paused';

-- name: queue_order
SELECT id, position FROM run
WHERE status IN ('queued', 'paused') AND deleted_at IS NULL
ORDER BY position, id;

-- The runs that are queued, and how many of them come up to a run.
-- name: queue_place
SELECT count(*),
       count(CASE WHEN (q.position, q.id) <= (r.position, r.id) THEN 1 END)
FROM run AS q JOIN run AS r ON r.id = :id
WHERE q.status = 'queued' AND q.deleted_at IS NULL;

-- name: run_position
UPDATE run SET position = :position WHERE id = :id;

-- name: sweep_insert
INSERT INTO sweep (uuid, name, command, created_at)
VALUES (:uuid, nullif(:name, ''), :command, :now);

-- name: run_edit
UPDATE run
SET name = :name, model = :model, preset = nullif(:preset, ''), spec = :spec,
    epochs = :epochs, batch_size = :batch_size, lr = :lr,
    optimizer = :optimizer, momentum = :momentum, nesterov = :nesterov,
    weight_decay = :weight_decay, dropout = :dropout, schedule = :schedule,
    warmup = :warmup, step_size = :step_size, gamma = :gamma,
    augment = :augment, label_smoothing = :label_smoothing, seed = :seed,
    split_seed = :split_seed, test_fraction = :test_fraction,
    val_fraction = :val_fraction, patience = :patience, precision = :precision,
    dataset_id = :dataset_id, threads_wanted = nullif(:threads, 0)
WHERE id = :id;

-- Runs of the same values, finished ones first; `preset` is only a name.
-- name: run_twins
SELECT id FROM run
WHERE dataset_id = :dataset_id AND deleted_at IS NULL
  AND status IN ('finished', 'running', 'queued', 'paused')
  AND :preset IS NOT NULL AND spec = :spec AND epochs = :epochs
  AND batch_size = :batch_size AND lr = :lr AND optimizer = :optimizer
  AND momentum = :momentum AND nesterov = :nesterov
  AND weight_decay = :weight_decay AND dropout = :dropout
  AND schedule = :schedule AND warmup = :warmup AND step_size = :step_size
  AND gamma = :gamma AND augment = :augment
  AND label_smoothing = :label_smoothing AND seed = :seed
  AND split_seed = :split_seed AND test_fraction = :test_fraction
  AND val_fraction = :val_fraction AND patience = :patience
  AND precision = :precision
ORDER BY status <> 'finished', id;

-- A run that goes on from another begins with all that the other has.
-- name: extend_epochs
INSERT INTO epoch (run_id, epoch, train_loss, train_acc, val_loss, val_acc,
    test_loss, test_acc, lr, seconds, samples_per_second)
SELECT :id, epoch, train_loss, train_acc, val_loss, val_acc, test_loss,
       test_acc, lr, seconds, samples_per_second
FROM epoch WHERE run_id = :parent;

-- name: extend_confusion
INSERT INTO confusion (run_id, epoch, truth, predicted, count)
SELECT :id, epoch, truth, predicted, count FROM confusion
WHERE run_id = :parent;

-- name: extend_epoch_predictions
INSERT INTO epoch_prediction (run_id, epoch, predicted)
SELECT :id, epoch, predicted FROM epoch_prediction WHERE run_id = :parent;

-- name: extend_checkpoints
INSERT INTO checkpoint (run_id, kind, epoch, sha256, state_sha256, created_at,
    weights, state)
SELECT :id, kind, epoch, sha256, state_sha256, created_at, weights, state
FROM checkpoint WHERE run_id = :parent;

-- name: extend_figures
UPDATE run
SET (epochs_done, result_epoch, train_loss, train_acc, val_loss, val_acc,
     test_loss, test_acc, peak_test_acc, peak_epoch, seconds,
     samples_per_second, kernel, numerics) =
    (SELECT p.epochs_done, p.result_epoch, e.train_loss, e.train_acc,
            e.val_loss, e.val_acc, e.test_loss, e.test_acc, p.peak_test_acc,
            p.peak_epoch, p.seconds, p.samples_per_second, p.kernel, p.numerics
     FROM run AS p
     JOIN epoch AS e ON e.run_id = p.id AND e.epoch = p.result_epoch
     WHERE p.id = :parent)
WHERE id = :id;

-- The checkpoint to go on from: its epoch, and whether it has its state.
-- name: extend_from
SELECT epoch, state IS NOT NULL FROM checkpoint
WHERE run_id = :id AND kind = 'last';
