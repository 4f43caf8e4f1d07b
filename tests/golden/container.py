# SPDX-License-Identifier: MIT
"""Named arrays in two files: NAME.idx (text) and NAME.bin (see README.md)."""
import os

import numpy as np

TYPES = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "text": "u1"}


MOST = 1500  # elements stored of one array


def primes():
    n = 2
    while True:
        if all(n % d for d in range(2, int(n ** 0.5) + 1)):
            yield n
        n += 1


def put_sampled(out, name, kind, values):
    """Of a large array, every stride-th element, the stride a prime."""
    a = np.asarray(values).reshape(-1)
    if a.size > MOST:
        stride = next(p for p in primes() if p * MOST >= a.size)
        out.put(name + "/stride", "i32", [stride])
        a = a[::stride]
    out.put(name, kind, a)


def put_bounded(out, name, b):
    """Values as float32, and bounds that cover the rounding of both."""
    v = b.v.reshape(-1).numpy()
    e = b.bound.reshape(-1).numpy() + 2.0 ** -24 * np.abs(v)
    put_sampled(out, name, "f32", v)
    put_sampled(out, name + "/bound", "f32", e * (1 + 2.0 ** -20))


class Writer:
    def __init__(self):
        self.items = []

    def put(self, name, kind, values):
        if kind == "text":
            values = np.frombuffer(values.encode("ascii"), np.uint8)
        a = np.ascontiguousarray(values).reshape(-1)
        assert name not in [n for n, _, _ in self.items] and " " not in name
        self.items.append((name, kind, a.astype(TYPES[kind])))

    def write(self, base):
        with open(base + ".idx", "w", encoding="ascii") as idx, \
                open(base + ".bin", "wb") as out:
            for name, kind, a in self.items:
                idx.write(f"{name} {kind} {a.size}\n")
                raw = a.tobytes()
                out.write(raw + b"\0" * (-len(raw) % 8))
        size = os.path.getsize(base + ".bin")
        print(f"{os.path.basename(base)}: {len(self.items)} arrays, "
              f"{size} bytes")
