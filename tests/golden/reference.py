#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the reference models in PyTorch, with PyTorch's defaults.

    fmnist-tui data split --csv > split.csv
    reference.py --config ann --seeds 1-8 --data small.csv.gz \
                 --split split.csv --out ann.csv
    reference.py --config cnn-full --seeds 1-3 --out cnn-full.csv

Appends one line a run to --out; a seed that stands there already is left out.
Batches of 64 (ann-b32: 32), reshuffled every epoch, the short last one kept;
learning rate 0.001; the accuracy is that of the last epoch.
"""
import argparse
import os
import sys
import time

import torch
from torch import nn

import fmnist

CONFIGS = {  # preset, epochs, batch size, momentum
    "ann": ("ann", 100, 64, 0.0),
    "ann-b32": ("ann", 100, 32, 0.0),
    "ann-m09": ("ann", 100, 64, 0.9),
    "cnn": ("cnn", 100, 64, 0.0),
    "cnn-full": ("cnn", 10, 64, 0.0),
}
HEADER = "config,seed,epochs,train_loss,train_acc,test_acc,seconds," \
         "samples_per_second,threads,torch\n"


def load(args):
    """Training and test images as tensors; the split decides which."""
    if args.config == "cnn-full":
        labels, pixels, n_test = fmnist.read_idx()
        n = len(labels)
        parts = {"train": range(n - n_test), "test": range(n - n_test, n)}
    else:
        labels, pixels = fmnist.read_csv(args.data)
        parts = fmnist.read_split(args.split)
    x = torch.from_numpy(pixels).float().div_(255).view(-1, 1, 28, 28)
    y = torch.from_numpy(labels).long()
    train, test = (torch.as_tensor(parts[p]) for p in ("train", "test"))
    return x[train], y[train], x[test], y[test]


def accuracy(net, x, y):
    net.eval()
    with torch.inference_mode():
        hits = [(net(a).argmax(1) == b).sum()
                for a, b in zip(x.split(500), y.split(500))]
    net.train()
    return sum(hits).item() / len(y)


def train_epoch(net, optimizer, x, y, batch_size):
    """Sample-weighted mean loss and accuracy of the batches as trained."""
    criterion = nn.CrossEntropyLoss()
    loss_sum, hits = torch.zeros(()), torch.zeros((), dtype=torch.long)
    for rows in torch.randperm(len(y)).split(batch_size):
        xb, yb = x[rows], y[rows]
        logits = net(xb)
        loss = criterion(logits, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(rows)
        hits += (logits.detach().argmax(1) == yb).sum()
    return loss_sum.item() / len(y), hits.item() / len(y)


def run(config, seed, data):
    preset, epochs, batch_size, momentum = CONFIGS[config]
    x, y, x_test, y_test = data
    torch.manual_seed(seed)
    net = fmnist.model(fmnist.PRESETS[preset])
    if preset == "cnn":
        net = net.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.001,
                                    momentum=momentum)
    seconds = 0.0
    for epoch in range(1, epochs + 1):
        start = time.monotonic()
        loss, acc = train_epoch(net, optimizer, x, y, batch_size)
        seconds += time.monotonic() - start
        if epoch % max(1, epochs // 10) == 0:
            print(f"{config} seed {seed} epoch {epoch}: loss {loss:.4f} "
                  f"acc {acc:.4f} test {accuracy(net, x_test, y_test):.4f} "
                  f"{seconds:.1f} s", flush=True)
    test_acc = accuracy(net, x_test, y_test)
    rate = len(y) * epochs / seconds
    return (f"{config},{seed},{epochs},{loss:.6f},{acc:.6f},{test_acc:.6f},"
            f"{seconds:.1f},{rate:.0f},{torch.get_num_threads()},"
            f"{torch.__version__}\n")


def done(path):
    """The (config, seed) pairs that a file of results has."""
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.write(HEADER)
    with open(path, encoding="ascii") as f:
        return {tuple(line.split(",")[:2]) for line in f}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--config", choices=CONFIGS, required=True)
    p.add_argument("--seeds", default="1", help="first-last")
    p.add_argument("--data", help="CSV file; not for cnn-full")
    p.add_argument("--split", help="output of data split --csv")
    p.add_argument("--out", required=True)
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    if args.config != "cnn-full" and not (args.data and args.split):
        p.error(f"{args.config} needs --data and --split")
    torch.set_num_threads(args.threads)
    first, _, last = args.seeds.partition("-")
    have = done(args.out)
    data = load(args)
    for seed in range(int(first), int(last or first) + 1):
        if (args.config, str(seed)) in have:
            continue
        line = run(args.config, seed, data)
        with open(args.out, "a", encoding="ascii") as f:
            f.write(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
