# SPDX-License-Identifier: MIT
"""Clocks that jump, pids that are used again, hosts that change their name: no
run is taken from a living worker, none stays with a dead one."""
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time

from common import CNN, NARROW, Lab, Report, differences

OPTIONS = CNN + NARROW + ["--epochs", "16", "--patience", "16", "--seed", "5"]
FAR = ["1999-12-31T23:59:59.000Z", "2047-01-01T00:00:00.000Z"]


class Case:
    """A queued run in a database of its own."""

    def __init__(self, lab, report, name, reference):
        self.lab, self.report, self.name = lab, report, name
        self.reference = reference
        self.db = lab.path(name.replace(" ", "-") + ".db")
        self.run = lab.queue(*OPTIONS, "--data", lab.images, db=self.db)[0]

    def change(self, sql, *args):
        c = sqlite3.connect(self.db, timeout=60)
        with contextlib.closing(c), c:
            c.execute(sql, args)

    def status(self):
        return self.lab.rows("SELECT status, worker_id FROM run WHERE id = ?",
                             self.run, db=self.db)[0]

    def others_act(self):
        """Commands that write, and a worker that has nothing better to do."""
        self.lab.run("tag", self.run, "seen", db=self.db)
        self.lab.run("note", self.run, "seen", db=self.db)
        self.lab.attempt("worker", "--idle-exit", "0.3", db=self.db)

    def finish(self):
        """It ends as a run does that nobody disturbed."""
        self.lab.run("worker", "--drain", db=self.db)
        d = differences(self.reference, self.lab.outcome(self.run, db=self.db))
        self.report.check(not d, f"{self.name}: {d}")
        fault = self.lab.db_check(db=self.db)
        self.report.check(not fault, f"{self.name}: {fault}")

    # ---- dead workers, made of rows ----

    def pretend(self, pid, **other):
        """A worker that this kernel has not got, and has the run."""
        me = dict(zip(("pid_start", "pid_ns", "boot_id"), self.own()))
        row = {"uuid": "00000000-0000-4000-8000-000000000000",
               "host": os.uname().nodename, "pid": pid, "threads": 1,
               "started_at": FAR[0], "heartbeat_at": FAR[0],
               "heartbeat_clock": time.monotonic(), **me, **other}
        row["user"] = self.lab.value("SELECT user FROM run", db=self.db)
        self.change(f"INSERT INTO worker ({', '.join(row)}, run_id) VALUES "
                    f"({', '.join('?' * len(row))}, {self.run})",
                    *row.values())
        self.change("UPDATE run SET status = 'running', started_at = ?, "
                    "worker_id = (SELECT max(id) FROM worker), "
                    "kernel = 'scalar', numerics = 1", FAR[0])

    @staticmethod
    def own():
        with open("/proc/self/stat", encoding="ascii") as f:
            start = int(f.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            boot = f.read().strip()
        return start, os.stat("/proc/self/ns/pid").st_ino, boot

    def lost(self, **row):
        """The next command that writes puts the run back."""
        self.pretend(**row)
        self.lab.run("tag", self.run, "seen", db=self.db)
        self.report.count("dead workers")
        self.report.check(self.status() == ("queued", None),
                          f"{self.name}: the run is {self.status()}")
        self.finish()

    def kept(self, **row):
        """It may live: nobody takes its run."""
        self.pretend(**row)
        before = self.status()
        self.others_act()
        self.report.count("workers that may live")
        self.report.check(self.status() == before,
                          f"{self.name}: the run is {self.status()}")

    # ---- a living worker ----

    def living(self, *changes, stopped=False):
        """A worker whose row is changed, or that stands still, keeps its
        run."""
        p = self.lab.start("worker", "--solo", "--drain", db=self.db)
        while self.lab.value("SELECT epochs_done FROM run", db=self.db) < 2:
            time.sleep(0.005)
        if stopped:
            p.send_signal(signal.SIGSTOP)
        before = self.status()
        for sql in changes:
            self.change(sql)
        self.others_act()
        after = self.status()
        if stopped:
            p.send_signal(signal.SIGCONT)
        self.report.count("living workers")
        self.report.check(before[0] == "running" and after in (
            before, ("finished", before[1]), ("finished", None)),
            f"{self.name}: the run was {before}, is {after}")
        try:
            p.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.report.check(False, f"{self.name}: the worker does not end")
        starts = self.lab.value("SELECT count(*) FROM event WHERE text LIKE "
                                "'started at epoch%'", db=self.db)
        self.report.check(starts == 1, f"{self.name}: started {starts} times")
        self.finish()


def gone_pid():
    p = subprocess.Popen(["true"])
    p.wait()
    return p.pid


def phase(seed, long):
    rng = random.Random(seed)
    report = Report("identity")
    with Lab() as lab:
        run = int(lab.run("--quiet", "train", *OPTIONS, "--data", lab.images,
                          db=lab.path("reference.db")))
        reference = lab.outcome(run, db=lab.path("reference.db"))

        def case(name):
            return Case(lab, report, name, reference)

        now, pid = time.monotonic(), gone_pid()
        dead = {"no such process": {"pid": pid},
                "its pid is another's": {"pid": os.getpid(),
                                         "pid_start": 12345},
                "before a reboot": {"pid": os.getpid(), "boot_id": "earlier"},
                "dead, host renamed": {"pid": pid, "host": "elsewhere"},
                "dead, beats in the future": {"pid": pid,
                                              "heartbeat_at": FAR[1],
                                              "heartbeat_clock": now + 1e9},
                "container, still for long": {"pid": pid, "pid_ns": 1,
                                              "heartbeat_clock": now - 1000}}
        for name in rng.sample(list(dead), len(dead) if long else 3):
            case(name).lost(**dead[name])
        case("container, beats").kept(pid=pid, pid_ns=1)
        case("renamed host").living("UPDATE worker SET host = 'elsewhere'")
        case("clock jumps").living(
            f"UPDATE worker SET heartbeat_at = '{rng.choice(FAR)}'",
            f"UPDATE worker SET started_at = '{rng.choice(FAR)}'",
            f"UPDATE run SET started_at = '{rng.choice(FAR)}'",
            f"UPDATE worker SET heartbeat_clock = {now + 1e9}")
        case("stopped for long").living(
            f"UPDATE worker SET heartbeat_at = '{FAR[0]}', "
            f"heartbeat_clock = {now - 1e5}", stopped=True)
    return report
