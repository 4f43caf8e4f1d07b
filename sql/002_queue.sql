-- SPDX-License-Identifier: MIT
-- Schema version 2: what tells a living worker from a dead one whatever the
-- wall clock does, and what a queued run asks of its worker.

PRAGMA user_version = 2;

-- Process ids mean nothing outside their namespace.
ALTER TABLE worker ADD COLUMN pid_ns INTEGER NOT NULL DEFAULT 0;
-- Seconds of the monotonic clock of boot_id: never set back or forward.
ALTER TABLE worker ADD COLUMN heartbeat_clock REAL NOT NULL DEFAULT 0;

-- Threads that the user asked for; NULL: as many as its worker has.
ALTER TABLE run ADD COLUMN threads_wanted INTEGER CHECK (threads_wanted > 0);
-- Workers that died in a row while training it, since its last new epoch.
ALTER TABLE run ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;

-- The end of the queue, and runs that are alike, are looked for by every run
-- that is made: in one step each, however many there are.
CREATE INDEX run_position ON run (position);
CREATE INDEX run_alike ON run (dataset_id, seed, lr, batch_size, epochs,
    momentum, weight_decay, dropout, optimizer, schedule, label_smoothing,
    split_seed, val_fraction, patience, warmup, step_size, gamma, augment,
    spec);
DROP INDEX run_dataset;
