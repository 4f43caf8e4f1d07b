# SPDX-License-Identifier: MIT
"""kill -9 of commands that write: what they do is there, or nothing of it."""
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

from common import (FILE_RESERVED, SRC, WAL_WRITE, Lab, Report, alive,
                    columns_of, dump, holder, kill, spin)

# What is typed, by the name of the count.  {images}, {export}: files of the
# lab.  A command that this program does not have is left out.
COMMANDS = {
    "queue": "queue --hidden 16,32 --lr 0.1,0.01,0.001 --seed 1..20 "
             "--data {images}",
    "clone": "clone 1 --seed 30..80",
    "rm": "rm 1..14",
    "rm --purge": "rm --purge 21 22 23 24 25 26",
    "restore": "restore 21 22 23 24 25 26",
    "tag": "tag 1..14 killed",
    "note": "note 1..14 killed",
    "star": "star 1..14",
    "rename": "rename 1 killed",
    "edit": "edit 31..40 --lr 0.5",
    "move": "move 31..40 --bottom",
    "stop": "stop 31..40",
    "pause": "pause 31..40",
    "resume": "resume 28..30",
    "retry --fresh": "retry 27 --fresh",
    "extend": "extend 1 --epochs 5",
    "import": "import {export}",
    "db prune": "db prune --checkpoints --predictions --trash",
    "db vacuum": "db vacuum",
    "train": "train --hidden 8 --epochs 2000 --data {images} --tag a --tag b",
    "migration": "tag 1..14 old",
}


COUNTS = ["kills", "  at a random time", "  while it writes",
          "  stopped, then killed", "  inside a transaction",
          "  nothing was done", "  all was done"]


def fill(lab):
    """Twenty finished runs, six more in the trash, one that was stopped, three
    paused and eleven queued."""
    lab.queue("--hidden", "16", "--epochs", "2", "--val-fraction", "0.2",
              "--seed", "1..26", "--data", lab.images)
    lab.run("worker", "--drain", "--quiet")
    lab.run("rm", "21..26")
    lab.queue("--hidden", "16", "--epochs", "50000", "--data", lab.images)
    worker = lab.start("worker", "--drain")
    while lab.value("SELECT epochs_done FROM run WHERE id = 27") < 3:
        time.sleep(0.01)
    lab.run("stop", "27", "--now")
    worker.wait(timeout=60)
    lab.queue("--hidden", "24", "--seed", "1..14", "--data", lab.images)
    lab.run("pause", "28..30")


def make_schema_1(source, to):
    """The same rows in a database of the first schema."""
    with open(os.path.join(SRC, "sql", "001_schema.sql"),
              encoding="utf-8") as f:
        schema = f.read()
    c = sqlite3.connect(to, isolation_level=None)
    c.executescript(schema)
    columns = columns_of(c)
    c.execute("ATTACH ? AS now", (source,))
    c.execute("BEGIN")
    for table, names in columns.items():
        if table != "sqlite_sequence":
            names = ", ".join(names)
            c.execute(f"INSERT INTO main.{table} ({names}) "
                      f"SELECT {names} FROM now.{table}")
    c.execute("COMMIT")
    c.close()


def make_fewer(lab):
    """A database without runs that an exported file has."""
    lab.run("export", "1..14", "--sqlite", lab.path("export.db"))
    lab.run("db", "backup", lab.path("fewer.db"))
    lab.run("rm", "1..14", db=lab.path("fewer.db"))
    lab.run("rm", "--purge", db=lab.path("fewer.db"))
    return lab.path("fewer.db")


@contextlib.contextmanager
def opened(path, byte):
    """The file whose byte a writer locks, when it is there; None: not yet."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        yield lambda: holder(fd, byte)
    finally:
        os.close(fd)


class Trial:
    """One command in a copy of the database that it changes."""

    def __init__(self, lab, rng, report, name, base):
        self.lab, self.rng, self.report, self.name = lab, rng, report, name
        self.base = base
        self.db = lab.path("trial/runs.db")
        self.argv = COMMANDS[name].format(
            images=lab.images, export=lab.path("export.db")).split()
        with self.open(base) as c:
            self.columns = columns_of(c)
        self.before = self.state(base)
        began = time.monotonic()
        self.copy()
        if name != "train":
            lab.run(*self.argv, db=self.db)
            self.after = self.state(self.db)
        else:
            self.after = None
        self.duration = time.monotonic() - began
        if name == "train":
            self.duration = 0.3

    @contextlib.contextmanager
    def open(self, db):
        c = sqlite3.connect(f"file:{db}?mode=rw", uri=True, timeout=60)
        try:
            yield c
        finally:
            c.close()

    def copy(self):
        shutil.rmtree(self.lab.path("trial"), ignore_errors=True)
        os.mkdir(self.lab.path("trial"))
        shutil.copyfile(self.base, self.db)

    def state(self, db):
        with self.open(db) as c:
            return dump(c, self.columns)

    # ---- the kill ----

    def await_lock(self, pid):
        """Until it writes; 0: it never did."""
        places = [(self.db + "-shm", WAL_WRITE), (self.db, FILE_RESERVED)]
        skip = self.rng.choice([0, 0, 0, 1, 2])
        while alive(pid):
            for path, byte in places:
                with opened(path, byte) as who:
                    for _ in range(50):
                        if who and who() == pid:
                            break
                    else:
                        continue
                    if skip:
                        skip -= 1
                        while who() == pid:
                            pass
                        continue
                    spin(self.rng.uniform(0, self.duration / 2)
                         * self.rng.choice([0, 0.01, 0.1, 1]))
                    return 1
        return 0

    def strike(self, p):
        """At some moment; how, "" where it was too late."""
        how = self.rng.choice(["at a random time", "while it writes",
                               "while it writes", "stopped, then killed"])
        if how == "at a random time":
            time.sleep(self.rng.uniform(0, self.duration))
        elif not self.await_lock(p.pid):
            return ""
        if how == "stopped, then killed":
            p.send_signal(signal.SIGSTOP)
            self.look_while_stopped(p)
        if p.poll() is not None:
            return ""
        kill(p.pid)
        return how if p.wait() == -signal.SIGKILL else ""

    def look_while_stopped(self, p):
        """A reader does not wait for it, and sees all or nothing; unless the
        index of the log is just being written, for a moment."""
        index = b""
        with opened(self.db + "-shm", WAL_WRITE) as who:
            if who and who() == p.pid:
                with open(self.db + "-shm", "rb") as f:
                    index = f.read(96)
        # Two copies of a header; byte 12: it is valid.
        if len(index) == 96 and index[12] and index[:48] == index[48:]:
            self.report.count("  inside a transaction")
            self.all_or_nothing("a reader beside it")

    # ---- what holds ----

    def all_or_nothing(self, who):
        try:
            got = self.state(self.db)
        except sqlite3.DatabaseError as e:
            return self.report.check(False, f"{self.name}: {who}: {e}")
        if self.name == "train":
            return self.report.check(self.is_run_or_none(got),
                                     f"train: {who}: part of a run")
        ok = got in (self.before, self.after)
        bad = [t for t in got if got[t] not in (self.before[t], self.after[t])]
        return self.report.check(ok, f"{self.name}: {who}: neither all nor "
                                     f"nothing of it {bad}")

    def is_run_or_none(self, got):
        more = {t: len(got[t]) - len(self.before[t])
                for t in ("run", "tag", "epoch", "dataset")}
        return (more["run"], more["tag"], more["dataset"]) in (
            (0, 0, 0), (1, 2, 0)) and (more["run"] or not more["epoch"])

    def judge(self):
        lab, report = self.lab, self.report
        fault = lab.sound(db=self.db)
        report.check(not fault, f"{self.name}: {fault}")
        self.all_or_nothing("after the kill")
        if os.path.exists(self.db + ".bak-v1"):
            with self.open(self.db + ".bak-v1") as c:
                report.check(dump(c) == self.before,
                             "migration: the backup is not the database")
        p = lab.attempt("note", "31", "next", db=self.db)
        report.check(p.returncode == 0,
                     f"{self.name}: the next command: {p.stderr.strip()}")
        fault = lab.db_check(db=self.db)
        report.check(not fault, f"{self.name}: db check: {fault}")
        if self.name == "train":
            report.check(not lab.rows("SELECT 1 FROM run WHERE "
                                      "status = 'running'", db=self.db),
                         "train: the next command leaves the run running")

    def play(self):
        self.copy()
        p = subprocess.Popen(self.lab.command(*self.argv, db=self.db),
                             env=self.lab.env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            how = self.strike(p)
        finally:
            p.kill()
            p.wait()
        if not how:
            return False
        self.report.count("kills")
        self.report.count(f"  {how}")
        self.report.count(f"  of {self.name}")
        self.judge()
        if self.name != "train":
            done = self.after_is_there()
            self.report.count("  nothing was done", int(not done))
            self.report.count("  all was done", int(done))
        return True

    def after_is_there(self):
        """The note of judge() is put aside."""
        got = self.state(self.db)
        return all(got[t] == self.after[t] for t in got
                   if t not in ("run", "sqlite_sequence")) and \
            len(got["run"]) == len(self.after["run"])


def phase(seed, long):
    rng, report = random.Random(seed), Report("kill-command", *COUNTS)
    kills = 200 if long else 8
    with Lab() as lab:
        fill(lab)
        make_schema_1(lab.db, lab.path("schema-1.db"))
        bases = {"migration": lab.path("schema-1.db")}
        if lab.has("import"):
            bases["import"] = make_fewer(lab)
        names = [n for n, line in COMMANDS.items()
                 if lab.has(*line.split()[:1 + line.startswith("db")])]
        if not long:
            names = ["queue", "migration"] + rng.sample(names, 2)
        for i, name in enumerate(names):
            trial = Trial(lab, rng, report, name, bases.get(name, lab.db))
            want = (i + 1) * kills // len(names) - i * kills // len(names)
            tries = 0
            while want and tries < 60 * kills and len(report.faults) < 10:
                want -= trial.play()
                tries += 1
    report.check(report.counts.get("kills", 0) >= kills, "too few kills")
    return report
