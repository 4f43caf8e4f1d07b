# SPDX-License-Identifier: MIT
"""What the phases of the torture programme share: a laboratory with a database
of its own, what a run came to, who holds which lock, and the counts."""
import collections
import contextlib
import fcntl
import os
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

SRC = os.path.abspath(os.environ.get("srcdir", "."))
PROGRAM = os.path.abspath(
    os.path.join(os.environ.get("top_builddir", "."), "fmnist-tui"))
HERE = os.path.dirname(os.path.abspath(__file__))

# Runs that are tortured: 600 images, dropout, augmentation, a validation part,
# early stopping.
ROWS = 600
CNN = ["--preset", "cnn", "--dropout", "0.3", "--augment",
       "shift:2+flip+erase:4", "--val-fraction", "0.2"]
NARROW = ["--filters", "8-16", "--hidden", "32-16"]

# Bytes of the shared-memory file that SQLite locks in WAL mode (walIndexHdr in
# its file format), and of the database file in the other modes.
WAL_WRITE, WAL_CHECKPOINT = 120, 121
FILE_RESERVED = 0x40000001


class Report:
    """The counts of a phase, in the order in which they were named or first
    touched, and what was violated."""

    def __init__(self, name, *counts):
        self.name = name
        self.counts = collections.OrderedDict((c, 0) for c in counts)
        self.faults = []
        self.checks = 0

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def most(self, what, n):
        self.counts[what] = max(self.counts.get(what, 0), n)

    def check(self, ok, message):
        """One thing that must hold."""
        self.checks += 1
        if not ok:
            self.faults.append(message)
            print(f"# {self.name}: VIOLATED: {message}", file=sys.stderr,
                  flush=True)
        return ok

    def add(self, other):
        for what, n in other.counts.items():
            if what.startswith("most "):
                self.most(what, n)
            else:
                self.count(what, n)
        self.faults += other.faults
        self.checks += other.checks

    def lines(self):
        width = max([len(k) for k in self.counts] + [20])
        return [f"{k:<{width}}  {v:>8}" for k, v in self.counts.items()]


class Lab:
    """A folder with a set of images and databases; nothing in it outlives the
    lab, neither a file nor a process."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fmnist-torture-")
        self.db = self.path("runs.db")
        self.images = self.path("images.csv")
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ("FMNIST_DB", "FMNIST_CPU")}
        self.env.update(LC_ALL="C.UTF-8", XDG_DATA_HOME=self.path("share"),
                        XDG_STATE_HOME=self.path("state"),
                        XDG_CONFIG_HOME=self.path("config"),
                        FMNIST_DATA_DIR=os.path.join(SRC, "data"),
                        OMP_WAIT_POLICY="passive")
        self.started = []

    def __enter__(self):
        subprocess.run([PROGRAM, "--quiet", "data", "sample", "--data", "small",
                        "-n", str(ROWS), "--seed", "3", "-o", self.images],
                       env=self.env, check=True, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *unused):
        for p in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            if p.stdin:
                p.stdin.close()
        if os.environ.get("FMNIST_TORTURE_KEEP"):
            print(f"# kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *args, db=None):
        return [PROGRAM, "--db", db or self.db, *map(str, args)]

    def run(self, *args, db=None, fails=False, timeout=300):
        """A command to its end; its standard output."""
        p = self.attempt(*args, db=db, timeout=timeout)
        if not fails and p.returncode:
            raise RuntimeError(f"{' '.join(map(str, args))}: {p.returncode}: "
                               f"{p.stderr}")
        return p.stdout

    def attempt(self, *args, db=None, timeout=300):
        return subprocess.run(self.command(*args, db=db), env=self.env,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout)

    def start(self, *args, db=None, log=os.devnull, **more):
        """A command beside this process, in a process group of its own."""
        with open(log, "a", encoding="utf-8") as f:
            p = subprocess.Popen(self.command(*args, db=db), env=self.env,
                                 stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                 start_new_session=True, **more)
        self.started.append(p)
        return p

    def queue(self, *options, db=None):
        """Queues runs; their ids."""
        return [int(w) for w in
                self.run("--quiet", "queue", *options, db=db).split()]

    def has(self, *command):
        return self.attempt(*command, "--help").returncode == 0

    @contextlib.contextmanager
    def connect(self, db=None):
        """Closed again at once: a process that closes another descriptor of a
        file loses the locks that SQLite holds on it."""
        db = db or self.db
        # What a transaction left in a rollback journal has to be undone.
        mode = "rw" if os.path.exists(db + "-journal") else "ro"
        c = sqlite3.connect(f"file:{db}?mode={mode}", uri=True, timeout=60)
        try:
            yield c
        finally:
            c.close()

    def rows(self, sql, *args, db=None):
        with self.connect(db) as c:
            return c.execute(sql, args).fetchall()

    def value(self, sql, *args, db=None):
        r = self.rows(sql, *args, db=db)
        return r[0][0] if r else None

    def sound(self, db=None):
        """What is wrong with the file as SQLite sees it; "" if nothing is."""
        try:
            with self.connect(db) as c:
                found = [r[0] for r in c.execute("PRAGMA integrity_check")]
                if found == ["ok"]:
                    found = [str(r) for r in
                             c.execute("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as e:
            found = [str(e)]
        return "; ".join(found[:3])

    def db_check(self, db=None):
        """What `db check` finds; "" if nothing."""
        p = self.attempt("db", "check", db=db)
        return "" if p.returncode == 0 else p.stdout + p.stderr

    def outcome(self, run, db=None):
        """All that a run came to but names and times."""
        one = {"run": "status, epochs, epochs_done, result_epoch, train_loss, "
                      "val_loss, test_loss, test_acc, peak_test_acc, "
                      "peak_epoch, kernel, numerics, error",
               "epoch": "epoch, train_loss, train_acc, val_loss, val_acc, "
                        "test_loss, test_acc, lr",
               "confusion": "epoch, truth, predicted, count",
               "epoch_prediction": "epoch, predicted",
               "prediction": "image, truth, predicted, confidence, p0, p1, p2, "
                             "p3, p4, p5, p6, p7, p8, p9",
               "checkpoint": "kind, epoch, sha256, state_sha256"}
        with self.connect(db) as c:
            c.execute("BEGIN")
            return {t: sorted(c.execute(
                f"SELECT {cols} FROM {t} WHERE "
                f"{'id' if t == 'run' else 'run_id'} = ?", (run,)), key=repr)
                for t, cols in one.items()}


def differences(a, b):
    """The tables in which two outcomes differ, with the first rows that do."""
    out = []
    for t in a:
        if a[t] != b[t]:
            pairs = [(x, y) for x, y in zip(a[t], b[t]) if x != y]
            out.append(f"{t}: {len(a[t])} and {len(b[t])} rows, first "
                       f"{pairs[0] if pairs else 'all of the shorter agree'}")
    return "; ".join(out)


# ---- processes and locks -----------------------------------------------------

def alive(pid):
    """There, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(w) for w in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(pid):
    """SIGKILL, and wait until it has done its work."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.001)


def holder(fd, byte):
    """The process that has a byte of a file locked, 0: none."""
    ask = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = struct.unpack("hhqqi4x",
                                       fcntl.fcntl(fd, fcntl.F_GETLK, ask))
    return 0 if kind == fcntl.F_UNLCK else pid


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


# ---- dumps -------------------------------------------------------------------

NOISE = [(re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
         (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-"
                     r"[0-9a-f]{12}"), "UUID"),
         (re.compile(r"process \d+"), "process N")]


def plain(value):
    if isinstance(value, str):
        for pattern, word in NOISE:
            value = pattern.sub(word, value)
    return value


def columns_of(c):
    """The columns of each table."""
    return {t: [r[1] for r in c.execute(f'PRAGMA table_info("{t}")')]
            for (t,) in c.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                "name NOT LIKE 'sqlite_stat%' ORDER BY name").fetchall()}


def dump(c, columns=None):
    """All rows, times and UUIDs made equal; columns: only those of each
    table."""
    out = {}
    for table, names in (columns or columns_of(c)).items():
        names = ", ".join(f'"{n}"' for n in names)
        rows = c.execute(f'SELECT {names} FROM "{table}"').fetchall()
        out[table] = sorted((tuple(map(plain, r)) for r in rows), key=repr)
    return out
