# SPDX-License-Identifier: MIT
"""The program's counter-based generator (include/fmnist/rng.h) in numpy."""
import numpy as np

KNOWN = [  # counter, key, output: the vectors of the Random123 distribution
    ((0,) * 4, (0,) * 2, (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)),
    ((0xffffffff,) * 4, (0xffffffff,) * 2,
     (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)),
    ((0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
     (0xa4093822, 0x299f31d0),
     (0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)),
]


def philox(counter, key):
    """Philox4x32-10 of counters (4 arrays of equal shape) under one key."""
    c = [np.asarray(v, np.uint64) for v in counter]
    k0, k1 = key
    low = np.uint64(0xffffffff)
    high = np.uint64(32)
    for _ in range(10):
        a = np.uint64(0xD2511F53) * c[0]
        b = np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> high) ^ c[1] ^ np.uint64(k0), b & low,
             (a >> high) ^ c[3] ^ np.uint64(k1), a & low]
        k0 = (k0 + 0x9E3779B9) & 0xffffffff
        k1 = (k1 + 0xBB67AE85) & 0xffffffff
    return c


def words(seed, stream, epoch, n):
    """The first n words of (seed, stream, epoch) as uint32."""
    index = np.arange((n + 3) // 4, dtype=np.uint64)
    out = philox((index & np.uint64(0xffffffff), index >> np.uint64(32),
                  np.full_like(index, epoch), np.full_like(index, stream)),
                 (seed & 0xffffffff, seed >> 32))
    return np.stack(out, 1).reshape(-1)[:n].astype(np.uint32)


def unit(w):
    """Words as float32 in [0, 1) with 24 bits."""
    return (w >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def below(w, n):
    """Words as whole numbers below n."""
    return ((w.astype(np.uint64) * np.uint64(n)) >> np.uint64(32)).astype(int)


def check():
    for counter, key, want in KNOWN:
        got = philox(tuple(np.array([v]) for v in counter), key)
        assert tuple(int(v[0]) for v in got) == want


check()
