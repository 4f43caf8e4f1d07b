#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills, crowds and confuses the program, and counts what held.

    torture.py [--short] [--seed N] [PHASE...]

Without --short, `make check-torture`: the counts of each phase and, at the end,
their sum; it fails where anything was violated.  --short prints TAP, for `make
check`.  A seed draws the same moments again; what the program is at then is up
to the machine."""
import argparse
import importlib
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

PHASES = ["kill-worker", "kill-command", "stress", "log-size", "identity",
          "faults"]


def run_phase(name, seed, long):
    module = importlib.import_module(name.replace("-", "_"))
    began = time.monotonic()
    report = module.phase(f"{seed} {name}", long)
    report.seconds = time.monotonic() - began
    return report


def tap(names, seed):
    print(f"1..{len(names)}\n# seed {seed}", flush=True)
    for i, name in enumerate(names, 1):
        r = run_phase(name, seed, False)
        print(f"{'not ' if r.faults else ''}ok {i} - {name}, "
              f"{r.checks} checks in {r.seconds:.0f} s")
        for line in r.lines() + [f"VIOLATED: {f}" for f in r.faults]:
            print("#", line)
        sys.stdout.flush()
    return 0


def table(names, seed):
    passed = failed = 0
    print(f"seed {seed}", flush=True)
    for name in names:
        r = run_phase(name, seed, True)
        print(f"\n{name} ({r.seconds:.0f} s)")
        for line in r.lines() + [f"VIOLATED: {f}" for f in r.faults]:
            print("   ", line)
        print(f"    {r.checks} checks, {len(r.faults)} violated", flush=True)
        passed += r.checks - len(r.faults)
        failed += len(r.faults)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main(argv):
    p = argparse.ArgumentParser()
    p.add_argument("--short", action="store_true")
    p.add_argument("--seed", default="")
    p.add_argument("phases", nargs="*", metavar="PHASE")
    o = p.parse_args(argv)
    unknown = set(o.phases) - set(PHASES)
    if unknown:
        p.error(f"phases are {' '.join(PHASES)}, not {' '.join(unknown)}")
    seed = o.seed or str(int.from_bytes(os.urandom(4), "big"))
    # What is cleaned up at the end of a phase is so when it is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The tests of faults are in `make check` themselves.
    phases = o.phases or (PHASES[:-1] if o.short else PHASES)
    return (tap if o.short else table)(phases, seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
