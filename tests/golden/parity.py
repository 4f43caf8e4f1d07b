#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the program's test accuracies against PyTorch's.

    parity.py train PROGRAM DB CONFIG SEEDS OUT   trains, appends to OUT
    parity.py table FOLDER                        prints the table as Markdown

FOLDER has CONFIG.pytorch.csv (of reference.py) and CONFIG.csv.  The means agree
where they differ by at most three standard errors of the difference; on the
full set, or by half a point.
"""
import csv
import math
import os
import sqlite3
import statistics
import subprocess
import sys

CONFIGS = {  # what the table calls it, options of the program
    "ann": ("`ann`", ["--preset", "ann"]),
    "ann-b32": ("`ann`, batch 32", ["--preset", "ann", "--batch-size", "32"]),
    "ann-m09": ("`ann`, momentum 0.9", ["--preset", "ann",
                                        "--momentum", "0.9"]),
    "cnn": ("`cnn`", ["--preset", "cnn"]),
    "cnn-full": ("`cnn`, full set, 10 epochs",
                 ["--preset", "cnn", "--data", "full", "--epochs", "10"]),
}
HEADER = "config,seed,epochs,train_loss,train_acc,test_acc,seconds,threads," \
         "kernel,sha256\n"
COLUMNS = """
    SELECT r.seed, r.epochs_done, e.train_loss, e.train_acc, e.test_acc,
           (SELECT sum(seconds) FROM epoch WHERE run_id = r.id), r.threads,
           r.kernel, (SELECT sha256 FROM checkpoint
                      WHERE run_id = r.id AND kind = 'last')
    FROM run r JOIN epoch e ON e.run_id = r.id AND e.epoch = r.result_epoch
    WHERE r.id = ?"""


def train(program, db, config, seeds, out):
    first, _, last = seeds.partition("-")
    have = {row["seed"] for row in rows(out)} if os.path.exists(out) else set()
    for seed in range(int(first), int(last or first) + 1):
        if str(seed) in have:
            continue
        run_id = subprocess.run(
            [program, "--db", db, "--quiet", "train", *CONFIGS[config][1],
             "--seed", str(seed)], check=True, stdout=subprocess.PIPE,
            text=True).stdout.strip()
        con = sqlite3.connect(db)
        r = con.execute(COLUMNS, [run_id]).fetchone()
        con.close()
        new = not os.path.exists(out)
        with open(out, "a", encoding="ascii") as f:
            f.write(HEADER if new else "")
            f.write(f"{config},{r[0]},{r[1]},{r[2]:.6f},{r[3]:.6f},{r[4]:.6f},"
                    f"{r[5]:.1f},{r[6]},{r[7]},{r[8]}\n")


def rows(path):
    with open(path, encoding="ascii") as f:
        return list(csv.DictReader(f))


def accuracies(path):
    """In per cent."""
    return [100 * float(r["test_acc"]) for r in rows(path)]


def figures(a):
    return (f"{statistics.mean(a):.2f} (sd {statistics.stdev(a):.2f}, "
            f"n = {len(a)})")


def table(folder):
    print("| configuration | this program | PyTorch | difference | "
          "standard error | ratio |")
    print("|---|---|---|---|---|---|")
    agree = True
    for config, (name, _) in CONFIGS.items():
        a = accuracies(os.path.join(folder, config + ".csv"))
        b = accuracies(os.path.join(folder, config + ".pytorch.csv"))
        diff = statistics.mean(a) - statistics.mean(b)
        error = math.sqrt(statistics.variance(a) / len(a)
                          + statistics.variance(b) / len(b))
        limit = max(3 * error, 0.5 if config == "cnn-full" else 0)
        agree = agree and abs(diff) <= limit
        print(f"| {name} | {figures(a)} | {figures(b)} | {diff:+.2f} | "
              f"{error:.2f} | {abs(diff) / error:.1f} |")
    return 0 if agree else 1


def main():
    if len(sys.argv) == 7 and sys.argv[1] == "train":
        return train(*sys.argv[2:])
    if len(sys.argv) == 3 and sys.argv[1] == "table":
        return table(sys.argv[2])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
