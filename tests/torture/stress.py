# SPDX-License-Identifier: MIT
"""Four workers, three writers and three readers on one database: each run is
trained once, no write is lost, and nobody is told that the file is locked."""
import contextlib
import random
import re
import signal
import subprocess
import threading
import time

from common import CNN, Lab, Report
from kill_worker import start_reader, stop_reader

OPTIONS = CNN + ["--filters", "4-8", "--hidden", "16", "--epochs", "8",
                 "--patience", "4"]
LOCKED = re.compile(r"lock|busy|SQLITE_|malformed|corrupt", re.I)
QUEUE_LENGTH = 24  # writers wait with new runs beyond it


class Crowd:
    """What they all share."""

    def __init__(self, lab, report, seconds):
        self.lab, self.report = lab, report
        self.until = time.monotonic() + seconds
        self.mutex = threading.Lock()
        self.commands = {"queue", "tag", "note", "star", "rename", "rm",
                         "restore"}
        self.commands |= {c for c in ("stop", "pause", "resume", "retry",
                                      "move", "edit", "clone") if lab.has(c)}

    def over(self):
        return (time.monotonic() >= self.until
                or len(self.report.faults) >= 10)

    def run(self, kind, *args):
        """A command; its standard output, None where it was refused."""
        p = self.lab.attempt("--quiet", *args, timeout=120)
        with self.mutex:
            self.report.count(f"commands of {kind}")
            self.report.count("  refused, with the reason", p.returncode == 1)
            self.report.check(
                p.returncode in (0, 1) and not LOCKED.search(p.stderr),
                f"{' '.join(map(str, args))}: {p.returncode}: {p.stderr}")
        return p.stdout if p.returncode == 0 else None


class Belief:
    """What its writer knows of a run, which nobody else changes."""

    def __init__(self):
        self.tags, self.note, self.name = set(), None, None
        self.starred = self.trashed = self.steered = False


class Writer(threading.Thread):
    def __init__(self, crowd, rng, number):
        super().__init__()
        self.crowd, self.rng, self.number = crowd, rng, number
        self.runs = {}
        self.serial = 0

    def run(self):
        while not self.crowd.over():
            self.turn()

    def call(self, *args):
        return self.crowd.run("writers", *args)

    def turn(self):
        command = self.rng.choice(sorted(self.crowd.commands) + ["queue"] * 2)
        if command in ("queue", "clone") or not self.runs:
            waiting = self.crowd.lab.value(
                "SELECT count(*) FROM run WHERE status = 'queued'") \
                if self.runs else 0
            if waiting < QUEUE_LENGTH:
                self.add(command if self.runs else "queue")
            return
        run = self.rng.choice(list(self.runs))
        self.serial += 1
        getattr(self, command)(run, self.runs[run],
                               f"w{self.number}-{self.serial}")

    def add(self, command):
        first = self.rng.randint(1, 6)
        seeds = f"{first}..{first + self.rng.randint(0, 2)}"
        if command == "clone":
            out = self.call("clone", self.rng.choice(list(self.runs)),
                            "--seed", seeds)
        else:
            out = self.call("queue", *OPTIONS, "--data",
                            self.crowd.lab.images, "--seed", seeds)
        for word in (out or "").split():
            self.runs[int(word)] = Belief()

    # ---- what it does to a run of its own ----

    def tag(self, run, b, word):
        if b.tags and self.rng.random() < 0.3:
            word = self.rng.choice(sorted(b.tags))
            if self.call("tag", "--remove", run, word) is not None:
                b.tags.discard(word)
        elif self.call("tag", run, word) is not None:
            b.tags.add(word)

    def note(self, run, b, word):
        if self.call("note", run, word) is not None:
            b.note = word

    def rename(self, run, b, word):
        if self.call("rename", run, word) is not None:
            b.name = word

    def star(self, run, b, word):
        del word
        on = not b.starred
        if self.call("star", *([] if on else ["--remove"]), run) is not None:
            b.starred = on

    def rm(self, run, b, word):
        del word
        if self.rng.random() < 0.3 and self.call("rm", run) is not None:
            b.trashed = True

    def restore(self, run, b, word):
        del word
        if b.trashed and self.call("restore", run) is not None:
            b.trashed = False

    def steer(self, run, b, *args):
        b.steered = True
        self.call(*args[:1], run, *args[1:])

    def stop(self, run, b, word):
        del word
        self.steer(run, b, "stop", *self.rng.choice([[], ["--now"]]))

    def pause(self, run, b, word):
        del word
        self.steer(run, b, "pause")

    def resume(self, run, b, word):
        del word
        self.steer(run, b, "resume")

    def retry(self, run, b, word):
        del word
        self.steer(run, b, "retry")

    def edit(self, run, b, word):
        del word
        self.steer(run, b, "edit", "--seed", self.rng.randint(1, 8))

    def move(self, run, b, word):
        del b, word
        self.call("move", run, self.rng.choice(["--top", "--bottom", "--up",
                                                "--down"]))


class Reader(threading.Thread):
    COMMANDS = [["ls", "--json"], ["ls", "--filter", "status:running"],
                ["show", "@last", "--json"], ["log", "@last"],
                ["compare", "1", "2"], ["ls", "--trash"],
                ["sql", "SELECT status, count(*) FROM run GROUP BY 1"]]

    def __init__(self, crowd, rng):
        super().__init__()
        self.crowd, self.rng = crowd, rng

    def run(self):
        while not self.crowd.over():
            self.crowd.run("readers", *self.rng.choice(self.COMMANDS))


# ---- when the crowd has gone -------------------------------------------------

def drain(lab, report, workers):
    """All that was left aside is trained too; then the workers leave."""
    if lab.has("resume"):
        lab.attempt("resume", "--filter", "status:paused")
        lab.attempt("resume", "--filter", "status:stopped")
    until = time.monotonic() + 180
    while (time.monotonic() < until and lab.value(
            "SELECT count(*) FROM run WHERE deleted_at IS NULL AND "
            "status IN ('queued', 'running')")):
        time.sleep(0.1)
    for p in workers:
        p.send_signal(signal.SIGTERM)
    for p in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(timeout=20)
        report.check(p.poll() is not None, "a worker does not leave")
    left = lab.rows("SELECT id, status, error FROM run WHERE deleted_at IS "
                    "NULL AND status <> 'finished'")
    report.check(not left, f"not finished: {left[:5]}")
    report.check(not lab.value("SELECT count(*) FROM worker"),
                 "a worker's row is left")


def check_beliefs(lab, report, writer):
    """No update is lost."""
    for run, b in writer.runs.items():
        row = lab.rows("SELECT note, name, starred, deleted_at IS NOT NULL "
                       "FROM run WHERE id = ?", run)
        tags = {t for t, in lab.rows("SELECT tag FROM tag WHERE run_id = ?",
                                     run)}
        ok = (row and row[0][0] == b.note and row[0][2:] == (
            b.starred, b.trashed) and tags == b.tags
            and b.name in (None, row[0][1]))
        report.check(ok, f"run {run}: {row} {tags}, not {vars(b)}")
        report.count("runs")
        report.count("updates that are there", len(b.tags) + (
            b.note is not None) + (b.name is not None) + b.starred + b.trashed)


def check_once(lab, report, steered):
    """Each run was trained by one worker after the other, and those that nobody
    steered by one at all."""
    begun = {}
    for run, text in lab.rows("SELECT run_id, text FROM event ORDER BY id"):
        starts, at_work = begun.get(run, (0, False))
        if text.startswith("started at epoch"):
            report.check(not at_work, f"run {run}: started while it trains")
            begun[run] = (starts + 1, True)
        elif re.match(r"(finished|stopped|paused|back in the queue) after|"
                      r"its worker|killed by", text):
            begun[run] = (starts, False)
        report.check(" is gone" not in text, f"run {run}: {text}")
    for run, status in lab.rows("SELECT id, status FROM run"):
        starts = begun.get(run, (0, False))[0]
        if run not in steered and status == "finished":
            report.check(starts == 1, f"run {run}: trained {starts} times")
            report.count("runs that nobody steered, trained once",
                         int(starts == 1))
        report.count("times a run was taken up again", max(0, starts - 1))


def check_equal(lab, report):
    """Runs of the same values have the same weights."""
    by_values = {}
    for run, seed, sha in lab.rows(
            "SELECT r.id, r.seed, group_concat(c.sha256) FROM run AS r "
            "JOIN (SELECT * FROM checkpoint ORDER BY kind) AS c "
            "ON c.run_id = r.id WHERE r.status = 'finished' GROUP BY r.id"):
        first = by_values.setdefault(seed, (run, sha))
        report.check(first[1] == sha,
                     f"runs {first[0]} and {run}: not the same weights")


def phase(seed, long):
    rng = random.Random(seed)
    report = Report("stress")
    with Lab() as lab:
        lab.queue(*OPTIONS, "--data", lab.images, "--seed", "1..3")
        logs = [lab.path(f"workers-{i}.log") for i in range(2)]
        workers = [lab.start("worker", "--jobs", 2, "--threads", 1,
                             "--checkpoint-every", every, log=log)
                   for every, log in zip(("0.001", "5"), logs)]
        reader = start_reader(lab, "keep")
        crowd = Crowd(lab, report, 600 if long else 6)
        writers = [Writer(crowd, random.Random(rng.random()), i)
                   for i in range(3)]
        readers = [Reader(crowd, random.Random(rng.random()))
                   for i in range(2)]
        for t in writers + readers:
            t.start()
        for t in writers + readers:
            t.join()
        drain(lab, report, workers)
        stop_reader(lab, reader, report)
        for log in logs:
            with open(log, encoding="utf-8", errors="replace") as f:
                said = LOCKED.findall(f.read())
            report.check(not said, f"a worker said {said[:3]}")
        for w in writers:
            check_beliefs(lab, report, w)
        check_once(lab, report, {run for w in writers
                                 for run, b in w.runs.items() if b.steered})
        check_equal(lab, report)
        for fault in (lab.sound(), lab.db_check()):
            report.check(not fault, fault)
        report.check(report.counts["most bytes of the log"] < 64 << 20,
                     "the log grew")
    return report
