#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files of golden values that tests/check_golden*.c hold the engine
to.  Run by hand; needs PyTorch and numpy.  See README.md.

    make_golden.py [layers] [optimizers] [schedules] [steps]
"""
import os
import sys

import golden_layers
import golden_optim
import golden_steps

PARTS = {
    "layers": golden_layers.make,
    "optimizers": golden_optim.make_optimizers,
    "schedules": golden_optim.make_schedules,
    "steps": golden_steps.make,
}


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    for part in sys.argv[1:] or PARTS:
        PARTS[part]().write(os.path.join(folder, part))


if __name__ == "__main__":
    main()
