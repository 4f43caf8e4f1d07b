# SPDX-License-Identifier: MIT
"""kill -9 of workers at any moment: the database stays sound, no epoch that a
reader saw goes away, and the run goes on by itself to the same bits."""
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time

from common import (CNN, HERE, NARROW, WAL_CHECKPOINT, WAL_WRITE, Lab, Report,
                    alive, children, differences, holder, kill, spin)

# name, options, share of the rounds.  The last is slow enough for the
# checkpoints that a worker writes when nobody asks it for more.
CONFIGS = [
    ("narrow", NARROW + ["--epochs", "60", "--patience", "12"], 5),
    ("preset", ["--epochs", "30", "--patience", "8"], 4),
    ("momentum", NARROW + ["--optimizer", "sgd", "--lr", "0.05", "--momentum",
                           "0.9", "--schedule", "cosine", "--epochs", "50",
                           "--patience", "9", "--batch-size", "32"], 3),
    ("slow", ["--batch-size", "4", "--epochs", "12", "--patience", "4"], 1),
]
KILLS_PER_RUN = (2, 7)
LATE = "  after the first checkpoint"
ROUND_SECONDS = 240  # a run that is not done by then never will be


class Round:
    """One run, killed several times."""

    def __init__(self, lab, rng, report, config, reference):
        self.lab, self.rng, self.report = lab, rng, report
        self.name, self.options = config[0], config[1]
        self.reference = reference
        self.duration = reference["seconds"]
        self.supervisors = []
        self.run = None
        self.killed = set()
        self.patience = {}  # supervisor: how often its trainer was killed

    # ---- the processes ----

    def queue(self):
        lab = self.lab
        self.run = lab.queue(*CNN, *self.options, "--data", lab.images,
                             "--seed", self.reference["seed"])[0]

    def supervise(self):
        """A worker such as a user starts, of any number of threads."""
        every = self.rng.choice([None] if self.name == "slow"
                                else ["0.001", "0.001", "0.2", "0.5"])
        args = ["--drain"] if self.rng.random() < 0.7 else ["--idle-exit", "2"]
        if every:
            args += ["--checkpoint-every", every]
        p = self.lab.start("worker", *args, "--threads",
                           self.rng.choice([1, 1, 2]),
                           log=self.lab.path("worker.log"))
        self.supervisors.append(p)
        return p

    def keep_manned(self):
        """A worker is there; the last one's death is found by a new one."""
        self.supervisors = [p for p in self.supervisors if p.poll() is None]
        if not self.supervisors:
            self.supervise()

    def trainer(self):
        """The process that trains, or one that soon will; 0: none."""
        rows = self.lab.rows("SELECT pid FROM worker ORDER BY run_id IS NULL")
        pids = [r[0] for r in rows]
        for p in self.supervisors:
            pids += children(p.pid)
        return next((p for p in pids if alive(p)), 0)

    def done(self):
        return self.lab.value("SELECT status FROM run WHERE id = ?",
                              self.run) not in ("queued", "running")

    # ---- the moments; each returns the process to kill, 0: none came ----

    def await_trainer(self, fresh=False):
        until = time.monotonic() + 15
        while time.monotonic() < until and not self.done():
            self.keep_manned()
            pid = self.trainer()
            if pid and not (fresh and pid in self.killed):
                return pid
            time.sleep(0.002)
        return 0

    def at_start(self):
        pid = self.await_trainer(fresh=True)
        time.sleep(self.rng.uniform(0, 0.15))
        return pid

    def at_random(self):
        pid = self.await_trainer()
        time.sleep(self.rng.uniform(0, self.duration))
        return pid

    def at_epoch(self):
        """Right after an epoch is there to be seen."""
        pid = self.await_trainer()
        sql = "SELECT epochs_done FROM run WHERE id = ?"
        with self.lab.connect() as c:
            begin = c.execute(sql, (self.run,)).fetchone()[0]
            want = begin + self.rng.randint(1, 8)
            until = time.monotonic() + self.duration
            while time.monotonic() < until and alive(pid):
                if c.execute(sql, (self.run,)).fetchone()[0] >= want:
                    break
        spin(self.rng.choice([0, 0.001, 0.005]))
        return pid

    def at_lock(self, byte=WAL_WRITE, late=0):
        """While it holds a lock of the log: inside a transaction."""
        pid = self.await_trainer()
        if late:
            sql = "SELECT epochs_done FROM run WHERE id = ?"
            until = time.monotonic() + 2 * self.duration
            while (alive(pid) and time.monotonic() < until
                   and self.lab.value(sql, self.run) < late):
                time.sleep(0.005)
        skip = self.rng.randint(0, 3 if late else 12)
        fd = os.open(self.lab.db + "-shm", os.O_RDWR)
        try:
            until = time.monotonic() + self.duration
            while time.monotonic() < until and alive(pid):
                for _ in range(200):
                    if holder(fd, byte) == pid:
                        break
                else:
                    continue
                if skip == 0:
                    spin(self.rng.uniform(0, self.rng.choice([0, 5e-4, 5e-3])))
                    break
                skip -= 1
                while holder(fd, byte) == pid:
                    pass
            # Before the descriptor goes: nothing happens in between.
            return pid
        finally:
            os.close(fd)

    def at_copy(self):
        """While pages go from the log to the file."""
        return self.at_lock(byte=WAL_CHECKPOINT)

    def at_growth(self):
        """While a checkpoint goes into the log."""
        pid = self.await_trainer()
        path = self.lab.db + "-wal"
        until = time.monotonic() + self.duration
        stamp = None
        size = os.stat(path).st_size if os.path.exists(path) else 0
        while time.monotonic() < until and alive(pid):
            try:
                st = os.stat(path)
            except FileNotFoundError:
                continue
            if st.st_size > size + 100000 or (
                    stamp and st.st_mtime_ns != stamp
                    and self.rng.random() < 0.05):
                break
            size, stamp = max(size, st.st_size), st.st_mtime_ns
        spin(self.rng.uniform(0, 0.002))
        return pid

    def at_end(self):
        """In the last transactions of the run."""
        return self.at_lock(late=max(1, self.reference["epochs_done"] - 2))

    MOMENTS = [("starting", at_start, 2), ("at a random time", at_random, 6),
               ("after an epoch", at_epoch, 2),
               ("in a transaction", at_lock, 4),
               ("copying the log", at_copy, 2),
               ("writing a checkpoint", at_growth, 3),
               ("at the end", at_end, 2)]

    # ---- one kill ----

    def strike(self, pid):
        """Kills the trainer, and perhaps more; how."""
        how = self.rng.choices(["alone", "with its supervisor",
                                "supervisor first", "process group"],
                               [6, 1, 1, 2])[0]
        supervisors = [p for p in self.supervisors
                       if pid in children(p.pid)]
        # A supervisor waits ever longer before it starts one again.
        if supervisors and self.patience.get(supervisors[0].pid, 0) >= 3:
            how = "process group"
        if how == "alone" or not supervisors:
            for s in supervisors:
                self.patience[s.pid] = self.patience.get(s.pid, 0) + 1
            kill(pid)
            return "alone"
        s = supervisors[0]
        if how == "process group":
            os.killpg(s.pid, 9)
        elif how == "supervisor first":
            kill(s.pid)
            time.sleep(self.rng.choice([0, 0.01, 0.1]))
        kill(pid)
        kill(s.pid)
        s.wait()
        return how

    def has_checkpoint(self):
        return self.lab.value("SELECT count(*) FROM checkpoint WHERE "
                              "run_id = ?", self.run) > 0

    def await_checkpoint(self):
        """Where kills came too early too often, the next comes later."""
        until = time.monotonic() + 10 * self.duration
        while (2 * self.report.counts[LATE] < self.report.counts["kills"]
               and not self.has_checkpoint() and not self.done()
               and time.monotonic() < until):
            self.keep_manned()
            time.sleep(0.005)

    def kill_once(self, when, moment):
        report = self.report
        pid = moment(self)
        if not pid or not alive(pid) or self.done():
            return False
        how = self.strike(pid)
        self.killed.add(pid)
        report.count("kills")
        report.count(LATE, int(self.has_checkpoint()))
        report.count(f"  {when}")
        report.count(f"  the trainer {how}" if how == "alone" else
                     f"  {how}")
        fault = self.lab.sound()
        report.check(not fault, f"run {self.run}, killed {when}: {fault}")
        if self.rng.random() < 0.2:
            fault = self.lab.db_check()
            report.check(not fault, f"db check, killed {when}: {fault}")
        return True

    def orphan(self):
        """Kills only the supervisor: training goes on, nobody takes the run."""
        pid = self.await_trainer()
        for p in self.supervisors:
            if pid in children(p.pid):
                kill(p.pid)
                p.wait()
                self.report.count("supervisors killed, training goes on")
                break

    # ---- the whole of it ----

    def play(self, kills):
        self.queue()
        done = 0
        if self.rng.random() < 0.3:
            self.supervise()
        began = time.monotonic()
        while done < kills and not self.done():
            if self.rng.random() < 0.1:
                self.orphan()
            self.await_checkpoint()
            names, moments, weights = zip(*self.MOMENTS)
            i = self.rng.choices(range(len(names)), weights)[0]
            done += self.kill_once(names[i], moments[i])
            if time.monotonic() - began > ROUND_SECONDS:
                break
        until = time.monotonic() + ROUND_SECONDS
        while not self.done() and time.monotonic() < until:
            self.keep_manned()
            time.sleep(0.02)
        self.judge()
        return done

    def judge(self):
        lab, report = self.lab, self.report
        what = f"run {self.run} ({self.name})"
        got = lab.outcome(self.run)
        starts = lab.value("SELECT count(*) FROM event WHERE run_id = ? AND "
                           "text LIKE 'started at epoch%'", self.run)
        resumed = lab.value("SELECT count(*) FROM event WHERE run_id = ? AND "
                            "text LIKE 'started at epoch%' AND text NOT LIKE "
                            "'started at epoch 1:%'", self.run)
        report.count("runs finished", int(got["run"][0][0] == "finished"))
        report.count("resumes", starts - 1)
        report.count("  from a checkpoint", resumed)
        report.count("mismatches", 0)
        d = differences(self.reference["outcome"], got)
        if not report.check(not d, f"{what}: not as uninterrupted: {d}"):
            report.count("mismatches")
            for r in lab.rows("SELECT at, text FROM event WHERE run_id = ?",
                              self.run):
                print("#   ", *r, file=sys.stderr)
        fault = lab.db_check()
        report.check(not fault, f"{what}: db check: {fault}")
        for p in self.supervisors:
            try:
                p.wait(timeout=20)
            except subprocess.TimeoutExpired:
                report.check(False, f"{what}: a worker does not end")


COUNTS = ["kills", LATE,
          *(f"  {m[0]}" for m in Round.MOMENTS), "  the trainer alone",
          "  with its supervisor", "  supervisor first", "  process group",
          "supervisors killed, training goes on", "runs finished", "resumes",
          "  from a checkpoint", "mismatches"]


def references(lab, configs, seed):
    """Each configuration trained without interruption."""
    out = {}
    for name, options, _ in configs:
        began = time.monotonic()
        run = int(lab.run("--quiet", "train", *CNN, *options, "--data",
                          lab.images, "--seed", seed, "--threads", 1,
                          db=lab.path("reference.db")))
        outcome = lab.outcome(run, db=lab.path("reference.db"))
        out[name] = {"outcome": outcome, "seed": seed,
                     "epochs_done": outcome["run"][0][2],
                     "early": outcome["run"][0][2] < outcome["run"][0][1],
                     "seconds": time.monotonic() - began}
    return out


def start_reader(lab, mode, file="seen.json"):
    return subprocess.Popen([sys.executable, os.path.join(HERE, "reader.py"),
                             lab.db, mode, lab.path(file)],
                            stdin=subprocess.PIPE)


def stop_reader(lab, reader, report, file="seen.json"):
    reader.communicate()
    with open(lab.path(file), encoding="utf-8") as f:
        seen = json.load(f)
    report.count("epochs that a reader saw", seen["epochs"])
    report.most("most bytes of the log", seen["wal"])
    for fault in seen["faults"]:
        report.check(False, fault)
    report.check(seen["polls"] > 0, "the reader saw nothing")


def lane(seed, kills, configs):
    """Rounds one after the other in one database, with a reader beside."""
    rng = random.Random(seed)
    report = Report("kill-worker", "kills", LATE)
    with Lab() as lab:
        refs = references(lab, configs, rng.randint(1, 1 << 30))
        report.count("reference runs that stopped early",
                     sum(r["early"] for r in refs.values()))
        done = 0
        while done < kills and len(report.faults) < 10:
            mode = rng.choice(["keep", "open", "hold"])
            config = rng.choices(configs, [c[2] for c in configs])[0]
            reader = start_reader(lab, mode)
            r = Round(lab, rng, report, config, refs[config[0]])
            done += r.play(min(rng.randint(*KILLS_PER_RUN), kills - done))
            stop_reader(lab, reader, report)
    return report


def phase(seed, long):
    report = Report("kill-worker", *COUNTS)
    lanes, kills = (2, 200) if long else (1, 10)
    configs = CONFIGS if long else CONFIGS[:2]
    with multiprocessing.Pool(lanes) as pool:
        for r in pool.starmap(lane, [(f"{seed} {i}", kills // lanes, configs)
                                     for i in range(lanes)]):
            report.add(r)
    report.check(report.counts["kills"] >= kills, "too few kills")
    report.check(3 * report.counts[LATE]
                 >= report.counts["kills"],
                 "less than a third of the kills after the first checkpoint")
    return report
