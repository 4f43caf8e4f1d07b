-- SPDX-License-Identifier: MIT
-- What runs took, and what is still to be trained.

-- Runs alike in all that decides their speed are one row: the mean of the
-- newest five.  Older ones than the last 5,000 runs tell of another time.
-- name: cost_past
WITH p AS (
    SELECT id, spec, dataset_id, test_fraction, val_fraction, batch_size,
           optimizer, kernel, host, threads, seconds / epochs_done AS seconds,
           row_number() OVER (
               PARTITION BY spec, dataset_id, test_fraction, val_fraction,
                            batch_size, optimizer, kernel, host, threads
               ORDER BY id DESC) AS place
    FROM run
    WHERE epochs_done > 0 AND seconds > 0
      AND id > (SELECT max(id) FROM run) - 5000
)
SELECT max(p.id) AS id, p.spec, p.dataset_id, d.n_images, d.n_fixed_test,
       p.test_fraction, p.val_fraction, p.batch_size, p.optimizer, p.kernel,
       p.host, p.threads, avg(p.seconds) AS seconds, count(*) AS runs
FROM p JOIN dataset AS d ON d.id = p.dataset_id
WHERE p.place <= 5
GROUP BY p.spec, p.dataset_id, p.test_fraction, p.val_fraction, p.batch_size,
         p.optimizer, p.kernel, p.host, p.threads
ORDER BY max(p.id) DESC;

-- name: cost_live
SELECT r.id, r.spec, r.dataset_id, d.n_images, d.n_fixed_test,
       r.test_fraction, r.val_fraction, r.batch_size, r.optimizer, r.momentum,
       r.kernel, r.host, r.threads, r.epochs, r.epochs_done,
       r.status = 'running' AS running, r.seconds / r.epochs_done AS seconds
FROM run AS r JOIN dataset AS d ON d.id = r.dataset_id
WHERE r.status IN ('queued', 'running') AND r.deleted_at IS NULL
  AND r.engine = 'local' AND r.user = :user
ORDER BY running DESC, r.position, r.id;

-- name: cost_images
SELECT count(*) FROM image WHERE dataset_id = :dataset_id;
