# SPDX-License-Identifier: MIT
"""What the scripts in this folder share: data sets, splits, weights, models.

Needs numpy; `model` also needs torch.
"""
import gzip
import io
import json
import os
import struct

import numpy as np

PRESETS = {
    "ann": "flatten dense 128 relu dense 64 relu dense 10",
    "cnn": "conv 32x3 same relu bn pool 2 conv 64x3 same relu bn pool 2 "
           "flatten dense 128 relu dropout 0.4 dense 64 relu dropout 0.4 "
           "dense 10",
}
FULL = "/usr/share/datasets/fashion-mnist"


def parse(spec):
    """A spec's layers as tuples: ("conv", 32, 3, pad), ("pool", 2, 2) …."""
    words = spec.split()
    layers = []
    i = 0
    while i < len(words):
        w = words[i]
        if w == "conv":
            units, k = (int(v) for v in words[i + 1].split("x"))
            valid = words[i + 2] == "valid"
            named = words[i + 2] in ("valid", "same")
            layers.append(("conv", units, k, 0 if valid else k // 2))
            i += 3 if named else 2
        elif w == "pool":
            k, _, s = words[i + 1].partition("/")
            layers.append(("pool", int(k), int(s or k)))
            i += 2
        elif w == "dense":
            layers.append(("dense", int(words[i + 1])))
            i += 2
        elif w == "dropout":
            layers.append(("dropout", float(words[i + 1])))
            i += 2
        elif w in ("relu", "bn", "flatten"):
            layers.append((w,))
            i += 1
        else:
            raise ValueError(f"spec: {w}")
    return layers


def model(spec, dtype=None):
    """The torch.nn.Sequential of a spec: module i is layer i."""
    from torch import nn

    shape = [1, 28, 28]
    modules = []
    for kind, *arg in parse(spec):
        if kind in ("dense", "flatten"):
            if kind == "dense" and len(shape) == 3:
                modules.append(nn.Flatten())
            shape = [int(np.prod(shape))]
        if kind == "conv":
            units, k, pad = arg
            modules.append(nn.Conv2d(shape[0], units, k, padding=pad))
            shape = [units] + [n + 2 * pad - k + 1 for n in shape[1:]]
        elif kind == "relu":
            modules.append(nn.ReLU())
        elif kind == "bn":
            bn = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            modules.append(bn(shape[0]))
        elif kind == "pool":
            k, s = arg
            modules.append(nn.MaxPool2d(k, s))
            shape = [shape[0]] + [(n - k) // s + 1 for n in shape[1:]]
        elif kind == "flatten":
            modules.append(nn.Flatten())
        elif kind == "dense":
            modules.append(nn.Linear(shape[0], arg[0]))
            shape = [arg[0]]
        elif kind == "dropout":
            modules.append(nn.Dropout(arg[0]))
    net = nn.Sequential(*modules)
    return net if dtype is None else net.to(dtype)


def read_csv(path):
    """Labels (n) and pixels (n x 784) of the CSV form, gzipped or not."""
    with open(path, "rb") as f:
        raw = f.read()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    rows = np.loadtxt(io.BytesIO(raw), dtype=np.uint8, delimiter=",",
                      skiprows=1 if raw[:1] == b"l" else 0)
    return rows[:, 0].copy(), rows[:, 1:].copy()


def read_idx(folder=FULL):
    """Labels and pixels of an IDX folder, training file first, and the number
    of images that its test file has."""
    def one(name, head):
        path = os.path.join(folder, name)
        opener = open if os.path.exists(path) else gzip.open
        path = path if os.path.exists(path) else path + ".gz"
        with opener(path, "rb") as f:
            return np.frombuffer(f.read(), np.uint8, offset=head)

    labels = [one(f"{p}-labels-idx1-ubyte", 8) for p in ("train", "t10k")]
    pixels = [one(f"{p}-images-idx3-ubyte", 16) for p in ("train", "t10k")]
    return (np.concatenate(labels),
            np.concatenate(pixels).reshape(-1, 784), len(labels[1]))


def read_split(path):
    """Image numbers of each part, from `fmnist-tui data split --csv`."""
    parts = {"train": [], "val": [], "test": []}
    with open(path, encoding="ascii") as f:
        if f.readline().strip() != "image,part":
            raise ValueError(f"{path}: not a split")
        for line in f:
            image, part = line.strip().split(",")
            parts[part].append(int(image))
    return {k: np.array(v, np.int64) for k, v in parts.items()}


def read_safetensors(path):
    """{name: array} of a safetensors file, with json and struct only."""
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    kinds = {"F32": "<f4", "I64": "<i8"}
    out = {}
    for name, t in head.items():
        a, b = t["data_offsets"]
        data = np.frombuffer(raw[8 + size + a:8 + size + b], kinds[t["dtype"]])
        out[name] = data.reshape(t["shape"])
    return out
