-- SPDX-License-Identifier: MIT
-- Schema version 1.  A released migration is never edited: a change is a new
-- file with the next number.

-- "FMNi": other programs' SQLite files are told apart by it.
PRAGMA application_id = 0x464d4e69;
PRAGMA user_version = 1;

CREATE TABLE dataset (
    id           INTEGER PRIMARY KEY,
    sha256       TEXT NOT NULL UNIQUE  -- of n, labels and pixels
                 CHECK (typeof(sha256) = 'text' AND length(sha256) = 64),
    name         TEXT NOT NULL UNIQUE
                 CHECK (typeof(name) = 'text' AND name <> ''),
    source       TEXT NOT NULL,        -- where it was last read
    n_images     INTEGER NOT NULL CHECK (n_images > 0),
    n_fixed_test INTEGER NOT NULL      -- the last so many: its own test part
                 CHECK (n_fixed_test BETWEEN 0 AND n_images),
    class_names  TEXT NOT NULL,        -- a JSON array, in label order
    created_at   TEXT NOT NULL
);

CREATE TABLE image (
    dataset_id INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    image      INTEGER NOT NULL CHECK (image >= 0),
    label      INTEGER NOT NULL CHECK (label BETWEEN 0 AND 9),
    pixels     BLOB NOT NULL           -- 28 x 28, row by row, 0 = background
               CHECK (typeof(pixels) = 'blob' AND length(pixels) = 784),
    PRIMARY KEY (dataset_id, image)
) WITHOUT ROWID;

CREATE TABLE sweep (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid       TEXT NOT NULL UNIQUE,
    name       TEXT,
    command    TEXT,                   -- the call that made its runs
    created_at TEXT NOT NULL
);

CREATE TABLE worker (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid               TEXT NOT NULL UNIQUE,
    user               TEXT NOT NULL,
    host               TEXT NOT NULL,
    boot_id            TEXT NOT NULL,
    pid                INTEGER NOT NULL,
    pid_start          INTEGER NOT NULL, -- tells a reused pid apart
    threads            INTEGER,
    started_at         TEXT NOT NULL,
    heartbeat_at       TEXT NOT NULL,
    run_id             INTEGER REFERENCES run (id) ON DELETE SET NULL,
    epoch              INTEGER,          -- the epoch at work
    batch              INTEGER,
    batches            INTEGER,
    loss               REAL,             -- means of that epoch so far
    acc                REAL,
    samples_per_second REAL,
    eta_seconds        REAL,
    log_file           TEXT
);
CREATE INDEX worker_run ON worker (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE run (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE
                    CHECK (typeof(uuid) = 'text' AND length(uuid) = 36),
    name            TEXT NOT NULL
                    CHECK (typeof(name) = 'text' AND name <> ''),
    model           TEXT NOT NULL CHECK (model IN ('ann', 'cnn')),
    preset          TEXT,
    spec            TEXT NOT NULL,
    status          TEXT NOT NULL DEFAULT 'queued'
                    CHECK (status IN ('queued', 'running', 'paused', 'stopped',
                                      'finished', 'failed')),
    request         TEXT CHECK (request IN ('stop', 'stop-now', 'pause')),
    position        INTEGER,           -- in the queue, lowest first
    user            TEXT NOT NULL,
    engine          TEXT NOT NULL DEFAULT 'local',
    epochs          INTEGER NOT NULL CHECK (epochs > 0),
    batch_size      INTEGER NOT NULL CHECK (batch_size > 0),
    lr              REAL NOT NULL CHECK (lr > 0),
    optimizer       TEXT NOT NULL,
    momentum        REAL NOT NULL,
    nesterov        INTEGER NOT NULL CHECK (nesterov IN (0, 1)),
    weight_decay    REAL NOT NULL,
    dropout         REAL NOT NULL,
    schedule        TEXT NOT NULL,
    warmup          INTEGER NOT NULL,
    step_size       INTEGER NOT NULL,
    gamma           REAL NOT NULL,
    augment         TEXT NOT NULL,
    label_smoothing REAL NOT NULL,
    seed            INTEGER NOT NULL,
    split_seed      INTEGER NOT NULL,
    test_fraction   REAL NOT NULL,
    val_fraction    REAL NOT NULL,
    patience        INTEGER NOT NULL,
    precision       TEXT NOT NULL,
    dataset_id      INTEGER NOT NULL REFERENCES dataset (id),
    sweep_id        INTEGER REFERENCES sweep (id) ON DELETE SET NULL,
    parent_id       INTEGER REFERENCES run (id) ON DELETE SET NULL,
    worker_id       INTEGER REFERENCES worker (id) ON DELETE SET NULL,
    created_at      TEXT NOT NULL,     -- ISO-8601, UTC
    started_at      TEXT,
    finished_at     TEXT,
    epochs_done     INTEGER NOT NULL DEFAULT 0 CHECK (epochs_done >= 0),
    result_epoch    INTEGER CHECK (result_epoch BETWEEN 1 AND epochs_done),
    -- Figures of the newest epoch while running, else of result_epoch.
    train_loss      REAL,
    train_acc       REAL,
    val_loss        REAL,
    val_acc         REAL,
    test_loss       REAL,
    test_acc        REAL,
    peak_test_acc   REAL,              -- highest so far; nothing is chosen by it
    peak_epoch      INTEGER,
    seconds         REAL,              -- sum over the epochs
    samples_per_second REAL,           -- mean over the epochs
    kernel          TEXT,
    numerics        INTEGER,
    threads         INTEGER,
    program_version TEXT,
    compiler        TEXT,
    host            TEXT,
    error           TEXT,
    note            TEXT,
    starred         INTEGER NOT NULL DEFAULT 0 CHECK (starred IN (0, 1)),
    deleted_at      TEXT               -- set: in the trash
);
-- Names are unique outside the trash.
CREATE UNIQUE INDEX run_name ON run (name) WHERE deleted_at IS NULL;
CREATE INDEX run_created ON run (created_at);
CREATE INDEX run_queue ON run (position) WHERE status = 'queued';
CREATE INDEX run_running ON run (id) WHERE status = 'running';
CREATE INDEX run_dataset ON run (dataset_id);
CREATE INDEX run_sweep ON run (sweep_id) WHERE sweep_id IS NOT NULL;
CREATE INDEX run_parent ON run (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX run_worker ON run (worker_id) WHERE worker_id IS NOT NULL;

CREATE TRIGGER run_status BEFORE UPDATE OF status ON run
WHEN OLD.status IS NOT NEW.status
 AND (OLD.status, NEW.status) NOT IN (VALUES
    ('queued', 'running'),   ('queued', 'paused'),    ('queued', 'stopped'),
    ('running', 'queued'),   ('running', 'paused'),   ('running', 'stopped'),
    ('running', 'finished'), ('running', 'failed'),
    ('paused', 'queued'),    ('paused', 'stopped'),
    ('stopped', 'queued'),   ('failed', 'queued'))
BEGIN
    SELECT RAISE (ABORT, 'a run cannot go from this status to that one');
END;

CREATE TRIGGER run_result AFTER UPDATE OF status ON run
WHEN OLD.status = 'running' AND NEW.status <> 'running'
BEGIN
    UPDATE run
    SET (train_loss, train_acc, val_loss, val_acc, test_loss, test_acc) =
        (SELECT e.train_loss, e.train_acc, e.val_loss, e.val_acc, e.test_loss,
                e.test_acc
         FROM epoch AS e
         WHERE e.run_id = NEW.id AND e.epoch = NEW.result_epoch)
    WHERE id = NEW.id;
END;

CREATE TABLE epoch (
    run_id             INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    epoch              INTEGER NOT NULL CHECK (epoch > 0),
    train_loss         REAL,
    train_acc          REAL,
    val_loss           REAL,
    val_acc            REAL,
    test_loss          REAL,
    test_acc           REAL,
    lr                 REAL,           -- of its last step
    seconds            REAL,           -- training and evaluation
    samples_per_second REAL,           -- while training
    PRIMARY KEY (run_id, epoch)
) WITHOUT ROWID;

-- Of the test part.
CREATE TABLE confusion (
    run_id    INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    truth     INTEGER NOT NULL CHECK (truth BETWEEN 0 AND 9),
    predicted INTEGER NOT NULL CHECK (predicted BETWEEN 0 AND 9),
    count     INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (run_id, epoch, truth, predicted),
    FOREIGN KEY (run_id, epoch) REFERENCES epoch (run_id, epoch)
        ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE epoch_prediction (
    run_id    INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    predicted BLOB NOT NULL            -- a byte a test image, in image order
              CHECK (typeof(predicted) = 'blob'),
    PRIMARY KEY (run_id, epoch),
    FOREIGN KEY (run_id, epoch) REFERENCES epoch (run_id, epoch)
        ON DELETE CASCADE
);

-- By the weights of result_epoch.
CREATE TABLE prediction (
    run_id     INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    image      INTEGER NOT NULL CHECK (image >= 0),
    truth      INTEGER NOT NULL CHECK (truth BETWEEN 0 AND 9),
    predicted  INTEGER NOT NULL CHECK (predicted BETWEEN 0 AND 9),
    confidence REAL NOT NULL,          -- the probability of `predicted`
    p0 REAL, p1 REAL, p2 REAL, p3 REAL, p4 REAL,
    p5 REAL, p6 REAL, p7 REAL, p8 REAL, p9 REAL,
    PRIMARY KEY (run_id, image)
) WITHOUT ROWID;

CREATE TABLE checkpoint (
    run_id       INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('last', 'best')),
    epoch        INTEGER NOT NULL CHECK (epoch > 0),
    sha256       TEXT NOT NULL,        -- of weights
    state_sha256 TEXT,                 -- of state
    created_at   TEXT NOT NULL,
    weights      BLOB NOT NULL,        -- a safetensors file
    state        BLOB,                 -- optimizer and trainer, likewise
    PRIMARY KEY (run_id, kind)
);

CREATE TABLE tag (
    run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    tag    TEXT NOT NULL CHECK (typeof(tag) = 'text' AND tag <> ''),
    PRIMARY KEY (run_id, tag)
) WITHOUT ROWID;
CREATE INDEX tag_tag ON tag (tag);

CREATE TABLE event (
    id     INTEGER PRIMARY KEY,
    run_id INTEGER REFERENCES run (id) ON DELETE CASCADE,
    at     TEXT NOT NULL,
    level  TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    text   TEXT NOT NULL
);
CREATE INDEX event_run ON event (run_id, id);

CREATE TABLE setting (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE VIEW run_summary AS
SELECT r.id, r.uuid, r.name, r.model, r.preset, r.spec, r.status, r.request,
       r.position, r.user, r.engine, d.name AS dataset,
       coalesce((SELECT group_concat(t.tag, ',')
                 FROM (SELECT tag FROM tag WHERE run_id = r.id
                       ORDER BY tag) AS t), '') AS tags,
       r.epochs_done, r.result_epoch, r.train_loss, r.train_acc, r.val_loss,
       r.val_acc, r.test_loss, r.test_acc, r.peak_test_acc, r.peak_epoch,
       r.seconds, r.samples_per_second,
       r.epochs, r.batch_size, r.lr, r.optimizer, r.momentum, r.nesterov,
       r.weight_decay, r.dropout, r.schedule, r.warmup, r.step_size, r.gamma,
       r.augment, r.label_smoothing, r.seed, r.split_seed, r.test_fraction,
       r.val_fraction, r.patience, r.precision,
       r.dataset_id, r.sweep_id, r.parent_id, r.worker_id,
       r.created_at, r.started_at, r.finished_at,
       r.kernel, r.numerics, r.threads, r.program_version, r.compiler, r.host,
       r.error, r.note, r.starred, r.deleted_at
FROM run AS r JOIN dataset AS d ON d.id = r.dataset_id;

-- One board for each test part (set, seed and fraction of the split): board 1
-- is the one of the newest finished run.  All runs of a board are placed by the
-- same figure, `score`, which chosen_by names.
CREATE VIEW leaderboard AS
WITH b AS (
    SELECT dataset_id, split_seed, test_fraction, max(id) AS newest,
           count(val_acc) = count(*) AS by_val
    FROM run
    WHERE status = 'finished' AND deleted_at IS NULL
    GROUP BY dataset_id, split_seed, test_fraction
), f AS (
    SELECT r.id, b.newest, b.by_val,
           CASE WHEN b.by_val THEN r.val_acc
                ELSE (SELECT e.test_acc FROM epoch AS e
                      WHERE e.run_id = r.id AND e.epoch = r.epochs_done)
           END AS score
    FROM run AS r
    JOIN b ON b.dataset_id = r.dataset_id AND b.split_seed = r.split_seed
          AND b.test_fraction = r.test_fraction
    WHERE r.status = 'finished' AND r.deleted_at IS NULL
), s AS (
    -- Rows as narrow as can be: both windows sort them all.
    SELECT id, by_val, score,
           dense_rank() OVER (ORDER BY newest DESC) AS board,
           row_number() OVER (PARTITION BY newest ORDER BY score DESC, id)
               AS place
    FROM f
)
SELECT s.board, s.place, r.id, r.name, r.model, d.name AS dataset,
       r.split_seed, r.test_fraction, r.val_fraction,
       CASE WHEN s.by_val THEN 'val_acc' ELSE 'last_test_acc' END
           AS chosen_by,
       s.score, r.val_acc, r.test_acc,
       (SELECT e.test_acc FROM epoch AS e
        WHERE e.run_id = r.id AND e.epoch = r.epochs_done) AS last_test_acc,
       r.result_epoch, r.epochs, r.seconds, r.seed
FROM s
JOIN run AS r ON r.id = s.id
JOIN dataset AS d ON d.id = r.dataset_id
ORDER BY s.board, s.place;

-- Of the result; a ratio whose denominator is 0 is NULL.
CREATE VIEW class_metrics AS
SELECT run_id, epoch, class, name, support, predicted,
       1.0 * hits / nullif(predicted, 0) AS precision,
       1.0 * hits / nullif(support, 0) AS recall,
       2.0 * hits / nullif(support + predicted, 0) AS f1
FROM (
    SELECT r.id AS run_id, r.result_epoch AS epoch, k.key AS class,
           k.value AS name,
           (SELECT coalesce(sum(c.count), 0) FROM confusion AS c
            WHERE c.run_id = r.id AND c.epoch = r.result_epoch
              AND c.truth = k.key) AS support,
           (SELECT coalesce(sum(c.count), 0) FROM confusion AS c
            WHERE c.run_id = r.id AND c.epoch = r.result_epoch
              AND c.predicted = k.key) AS predicted,
           (SELECT coalesce(sum(c.count), 0) FROM confusion AS c
            WHERE c.run_id = r.id AND c.epoch = r.result_epoch
              AND c.truth = k.key AND c.predicted = k.key) AS hits
    FROM run AS r
    JOIN dataset AS d ON d.id = r.dataset_id
    JOIN json_each(d.class_names) AS k
    WHERE r.result_epoch IS NOT NULL
);

-- Of the result: wrong predictions by pair, most frequent first in each run.
CREATE VIEW confusion_pair AS
SELECT c.run_id, c.epoch, c.truth, c.predicted, c.count,
       (SELECT k.value FROM json_each(d.class_names) AS k
        WHERE k.key = c.truth) AS truth_name,
       (SELECT k.value FROM json_each(d.class_names) AS k
        WHERE k.key = c.predicted) AS predicted_name
FROM run AS r
JOIN dataset AS d ON d.id = r.dataset_id
JOIN confusion AS c ON c.run_id = r.id AND c.epoch = r.result_epoch
WHERE c.truth <> c.predicted
ORDER BY c.run_id, c.count DESC, c.truth, c.predicted;
