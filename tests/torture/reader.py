# SPDX-License-Identifier: MIT
"""A reader beside the torture: remembers every figure that it has ever seen, and
tells what went away or changed.

    reader.py DATABASE keep|open|hold FILE

keep: one connection, short transactions; open: a connection each time; hold:
one connection, transactions of 100 ms that follow each other.  It ends when its
standard input does, and writes what it saw to FILE, as JSON."""
import json
import os
import select
import sqlite3
import sys
import time

EPOCHS = ("SELECT e.run_id, e.epoch, e.train_loss, e.train_acc, e.val_loss, "
          "e.val_acc, e.test_loss, e.test_acc, e.lr FROM epoch AS e")
RUNS = "SELECT id, epochs_done FROM run"


class Memory:
    def __init__(self):
        self.epochs = {}
        self.done = {}
        self.polls = 0
        self.faults = []

    def look(self, c):
        c.execute("BEGIN")
        epochs = {r[:2]: r[2:] for r in c.execute(EPOCHS)}
        done = dict(c.execute(RUNS))
        self.compare(epochs, done)
        self.polls += 1

    def compare(self, epochs, done):
        # A run that was deleted takes its epochs along.
        for key, figures in self.epochs.items():
            if key[0] not in done:
                continue
            if key not in epochs:
                self.faults.append(f"run {key[0]}: epoch {key[1]} is gone")
            elif epochs[key] != figures:
                self.faults.append(f"run {key[0]}: epoch {key[1]} was "
                                   f"{figures}, is {epochs[key]}")
        for run, n in self.done.items():
            if done.get(run, n) < n:
                self.faults.append(f"run {run}: {n} epochs were done, now "
                                   f"{done[run]}")
        self.epochs.update(epochs)
        self.done.update(done)


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def main():
    db, mode, out = sys.argv[1:]
    memory, wal, c = Memory(), 0, None
    uri = f"file:{db}?mode=ro"
    while not select.select([sys.stdin], [], [],
                            0 if mode == "hold" else 0.005)[0]:
        try:
            if not c:
                c = sqlite3.connect(uri, uri=True, timeout=60,
                                    isolation_level=None)
            memory.look(c)
            if mode == "hold":
                time.sleep(0.1)
            c.execute("COMMIT")
        except sqlite3.OperationalError as e:
            # Not there yet.
            if "unable to open" not in str(e) and "no such table" not in str(e):
                memory.faults.append(f"the reader: {e}")
            c = None
        if mode == "open" and c:
            c.close()
            c = None
        wal = max(wal, size(db + "-wal"))
    with open(out, "w", encoding="utf-8") as f:
        json.dump({"epochs": len(memory.epochs), "polls": memory.polls,
                   "wal": wal, "faults": memory.faults[:20]}, f)


main()
