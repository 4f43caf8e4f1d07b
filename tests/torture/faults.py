# SPDX-License-Identifier: MIT
"""The tests of faults in full: every fault at every call, where `make check`
takes some."""
import os
import subprocess

from common import Report

PROGRAMS = os.environ.get("FAULT_TESTS", "").split()


def phase(seed, long):
    del seed
    report = Report("faults", "programs", "tests")
    env = dict(os.environ, CK_DEFAULT_TIMEOUT="3600")
    if long:
        env["FMNIST_TEST_FULL"] = "1"
    for program in PROGRAMS:
        p = subprocess.run([os.path.abspath(program)], env=env, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        report.count("programs")
        done = [line for line in p.stdout.splitlines()
                if line.startswith(("ok ", "not ok "))]
        report.count("tests", len(done))
        for line in done:
            report.check(line.startswith("ok "), f"{program}: {line}")
        for line in p.stdout.splitlines():
            if line.startswith("# "):
                print(f"    {line[2:]}")
        report.check(p.returncode == 0 and done,
                     f"{program} ended with {p.returncode}")
    return report
