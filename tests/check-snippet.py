#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the Python program of fmnist-tui(1), as it stands there, on weights that
fmnist-tui has trained and exported, and holds its answers against those of
`fmnist-tui predict`.  Prints TAP; skips without torch.
"""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

SRC = os.environ.get("srcdir", ".")
PROGRAM = os.path.abspath(
    os.path.join(os.environ.get("top_builddir", "."), "fmnist-tui"))
MODELS = [
    ("the preset ann", ["--preset", "ann"]),
    ("the preset cnn", ["--preset", "cnn"]),
    ("all kinds of layers",
     ["--spec", "conv 5x5 valid relu bn pool 3/2 conv 7x3 bn relu pool 2 "
      "dense 12 bn relu dropout 0.25 dense 10"]),
]
ROWS, TESTED = 300, 100
U, L = 2.0 ** -24, 6.0  # rounding unit; standard deviations allowed


def run(*args):
    return subprocess.run([PROGRAM, "--quiet", *args], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def snippet():
    """The display of the manual that begins with "import json"."""
    with open(os.path.join(SRC, "man", "fmnist-tui.1"), encoding="utf-8") as f:
        text = re.search(r"\.Bd -literal[^\n]*\n(import json\n.*?)\n\.Ed",
                         f.read(), re.S).group(1)
    names = {}
    exec(compile(text.replace("\\e", "\\"), "fmnist-tui.1", "exec"), names)
    return names


def logits(net, pixels):
    """The logits in double precision, and the variances of the errors that
    single precision makes of them: each product sum of n terms errs by about
    sqrt(n) u times the sum of their sizes (Higham and Mary 2019)."""
    import torch
    from torch import nn

    v = (pixels.double() / 255).view(-1, 1, 28, 28)
    s = (U * v) ** 2
    for m in net.double():
        if isinstance(m, (nn.Linear, nn.Conv2d)):
            f = nn.functional.linear
            if isinstance(m, nn.Conv2d):
                def f(x, w, b=None, pad=m.padding):
                    return nn.functional.conv2d(x, w, b, padding=pad)
            n = m.weight[0].numel() + 1
            size = f(v.abs(), m.weight.abs(), m.bias.abs())
            s = f(s, m.weight ** 2) + n * (U * size) ** 2
            v = m(v)
        elif isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            shape = [1, -1] + [1] * (v.dim() - 2)
            scale = m.weight / (m.running_var + m.eps).sqrt()
            mean, scale = m.running_mean.view(shape), scale.view(shape)
            size = (v.abs() + mean.abs()) * scale.abs()
            s = s * scale ** 2 + 4 * (U * size) ** 2
            v = m(v)
            s = s + (U * v) ** 2
        elif isinstance(m, nn.MaxPool2d):
            v, s = m(v), m(s)
        elif isinstance(m, nn.Flatten):
            v, s = m(v), m(s)
        else:
            v = m(v)
    return v, s


def faults(options, folder, names):
    """What is wrong with one model, as lines."""
    import torch

    db, images = folder + "/runs.db", folder + "/images.csv"
    weights = folder + "/w.safetensors"
    run_id = run("--db", db, "train", *options, "--data", images,
                 "--epochs", "3").strip()
    run("--db", db, "export", run_id, "--weights", weights)
    spec = json.loads(run("--db", db, "show", run_id, "--json"))["spec"]
    answers = json.loads(run("--db", db, "predict", run_id, images, "--json"))

    net = names["Net"](spec)
    net.load_state_dict(names["read_weights"](weights), strict=True)
    net.eval()
    with open(images, encoding="ascii") as f:
        rows = [[int(x) for x in line.split(",")[1:]]
                for line in f.readlines()[1:TESTED + 1]]
    with torch.no_grad():
        v, s = logits(net, torch.tensor(rows))
    p = torch.tensor([[a[f"p{k}"] for k in range(10)]
                      for a in answers[:TESTED]], dtype=torch.float64)
    # Differences to the largest logit: what the probabilities tell of them.
    top = v.argmax(1, keepdim=True)
    want = v - v.gather(1, top)
    got = (p / p.gather(1, top)).log()
    bound = L * (s + s.gather(1, top)).sqrt() + 8 * U * (1 + want.abs())
    bad = ((got - want).abs() > bound) & (p > 1e-35)
    return [f"image {i}, class {k}: {got[i, k]:.8f}, expected "
            f"{want[i, k]:.8f} within {bound[i, k]:.2g}"
            for i, k in bad.nonzero().tolist()][:5]


def main():
    try:
        import torch
    except ImportError:
        print("1..0 # SKIP no torch for this Python")
        return
    torch.set_num_threads(1)
    names = snippet()
    with tempfile.TemporaryDirectory() as folder:
        small = os.path.join(SRC, "data", "fmnist_small.csv.gz")
        with gzip.open(small, "rt") as f, \
                open(folder + "/images.csv", "w", encoding="ascii") as out:
            for _ in range(ROWS + 1):
                out.write(f.readline())
        for i, (name, options) in enumerate(MODELS, 1):
            found = faults(options, folder, names)
            print(f"{'not ' if found else ''}ok {i} - {name}", flush=True)
            for line in found:
                print("#", line)
    print(f"1..{len(MODELS)}")


if __name__ == "__main__":
    sys.exit(main())
