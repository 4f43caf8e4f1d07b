#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The short version of the torture programme, for `make check`; TAP."""
import sys

sys.dont_write_bytecode = True
from torture import main

sys.exit(main(["--short"]))
