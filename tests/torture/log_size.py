# SPDX-License-Identifier: MIT
"""The write-ahead log over 1,000 checkpoints, while others read all the time."""
import time

from common import CNN, Lab, Report
from kill_worker import start_reader, stop_reader

LIMIT = 64 << 20


def phase(seed, long):
    del seed
    report = Report("log-size")
    checkpoints = 1000 if long else 25
    with Lab() as lab:
        run = lab.queue(*CNN, "--epochs", checkpoints, "--patience",
                        checkpoints, "--data", lab.images)[0]
        # Two dashboards, each in a transaction of 100 ms at nearly all times.
        readers = [start_reader(lab, "hold", f"seen-{i}.json")
                   for i in range(2)]
        p = lab.start("worker", "--drain", "--checkpoint-every", "0.001")
        seen = set()
        while p.poll() is None:
            seen.update(lab.rows("SELECT epoch FROM checkpoint WHERE "
                                 "kind = 'last'"))
            time.sleep(0.01)
        for i, reader in enumerate(readers):
            stop_reader(lab, reader, report, f"seen-{i}.json")
        epochs, = lab.rows("SELECT epochs_done FROM run WHERE id = ?", run)[0]
        report.count("checkpoints", epochs)
        report.count("  seen by polling", len(seen))
        report.check(epochs == checkpoints, f"{epochs} epochs were trained")
        most = report.counts["most bytes of the log"]
        report.check(0 < most < LIMIT, f"the log had {most} bytes")
        fault = lab.db_check()
        report.check(not fault, f"db check: {fault}")
    return report
