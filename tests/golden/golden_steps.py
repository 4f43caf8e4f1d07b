# SPDX-License-Identifier: MIT
"""Ten steps of both reference models from given weights, batches and masks.

The values are PyTorch's in float64; the tolerance is four times the largest
difference that PyTorch's own float32 shows to it over those steps, with one or
two threads, with oneDNN or without.  (Not in channels_last: PyTorch's BatchNorm
has errors of 4e-5 in that layout, a hundred times what it has otherwise.)

Ten steps can carry a ReLU or a maximum across its kink, and then every float32
run differs by what that step changes, not by rounding.  So a seed is taken only
where PyTorch's float32 runs differ by less than CLEAR, even when every output
of a layer is off by a random error of some NOISE units in its last place.
"""
import contextlib

import numpy as np
import torch
from torch import nn

import fmnist
import given
from container import Writer, put_sampled
from golden_layers import Masked, set_tensors

STEPS, BATCH = 10, 64
CLEAR = 1e-6
NOISE, NOISY_RUNS = 8, 3
WAYS = [(1, True), (2, True), (1, False), (2, False)]
CASES = [  # name, preset, optimizer, lr, momentum, first seed to try
    ("ann", "ann", "sgd", 0.001, 0.0, 7000),
    ("ann-momentum", "ann", "sgd", 0.02, 0.9, 7100),
    ("cnn", "cnn", "adam", 0.001, 0.0, 7215),
    ("cnn-sgd", "cnn", "sgd", 0.002, 0.0, 7300),
]


def build(preset):
    """The model in float64, its dropout layers ready for masks."""
    net = fmnist.model(fmnist.PRESETS[preset], torch.float64)
    features = 0
    for i, module in enumerate(net):
        features = getattr(module, "out_features", features)
        if isinstance(module, nn.Dropout):
            net[i] = Masked(module.p, np.zeros(1, np.uint8))
            net[i].rate, net[i].features = module.p, features
    return net


def start(net):
    """(name, base, scale) of each tensor: as PyTorch would begin."""
    plan = []
    for name, _ in net.state_dict().items():
        module = net[int(name.split(".")[0])]
        kind = name.split(".")[1]
        if isinstance(module, nn.BatchNorm2d):
            plan.append((name, int(kind in ("weight", "running_var")), 0))
        else:
            fan_in = int(np.prod(module.weight.shape[1:]))
            plan.append((name, 0, np.float32(fan_in ** -0.5)))
    return plan


def train(net, seed, kind, lr, momentum, last):
    """The mean loss of each step."""
    dtype = next(net.parameters()).dtype
    o = torch.optim.Adam(net.parameters(), lr=lr) if kind == "adam" else \
        torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum)
    losses = []
    for step in range(STEPS):
        n = BATCH if step != 6 else last
        y = given.labels(seed, step, n)
        x = torch.from_numpy(given.patterned(seed, step, y)).to(dtype)
        for i, module in enumerate(net):
            if isinstance(module, Masked):
                mask = given.mask(seed, i, step, module.rate,
                                  n * module.features)
                module.mask = torch.from_numpy(mask).to(dtype)
        loss = nn.CrossEntropyLoss()(net(x.view(n, 1, 28, 28)),
                                     torch.from_numpy(y))
        o.zero_grad()
        loss.backward()
        o.step()
        losses.append(loss.item())
    return np.array(losses)


@contextlib.contextmanager
def way(threads, mkldnn):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.backends.mkldnn.flags(enabled=mkldnn):
        yield
    torch.set_num_threads(before)


def disturb(net, seed):
    """Adds an error to what each layer with weights puts out."""
    generator = torch.Generator().manual_seed(seed)

    def hook(module, args, y):
        error = torch.randn(y.shape, generator=generator)
        return y * (1 + NOISE * 2.0 ** -24 * error)

    for module in net:
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.register_forward_hook(hook)
    return net


def clear(losses, fresh, *how):
    """Whether disturbed runs stay with the undisturbed."""
    return all(
        np.abs(train(disturb(fresh(torch.float32), i), *how) - losses).max()
        <= 2 * CLEAR for i in range(NOISY_RUNS))


def case(out, name, preset, kind, lr, momentum, seed, last):
    plan = start(build(preset))

    def fresh(dtype):
        net = build(preset)
        set_tensors(net, plan, seed)
        return net.to(dtype)

    truth = fresh(torch.float64)
    losses = train(truth, seed, kind, lr, momentum, last)
    off, weights_off = 0.0, 0.0
    want = dict(truth.named_parameters())
    for threads, mkldnn in WAYS:
        net = fresh(torch.float32)
        with way(threads, mkldnn):
            got = train(net, seed, kind, lr, momentum, last)
        off = max(off, np.abs(got - losses).max())
        if off > CLEAR:
            return False
        for key, v in net.named_parameters():
            d = (v.double() - want[key]).abs().max().item()
            weights_off = max(weights_off, d)
    if not clear(losses, fresh, seed, kind, lr, momentum, last):
        return False
    out.put(f"{name}/spec", "text", fmnist.PRESETS[preset])
    out.put(f"{name}/optimizer", "text", kind)
    out.put(f"{name}/options", "f64", [lr, momentum])
    out.put(f"{name}/seed", "i32", [seed])
    out.put(f"{name}/batch", "i32",
            [last if s == 6 else BATCH for s in range(STEPS)])
    out.put(f"{name}/init", "f32", [v for p in plan for v in p[1:]])
    out.put(f"{name}/losses", "f64", losses)
    out.put(f"{name}/tolerance", "f64", [4 * off])
    print(f"  {name}: seed {seed}, losses {losses[0]:.4f} to {losses[-1]:.4f}, "
          f"tolerance {4 * off:.1e}")
    if kind == "sgd":
        for key, v in want.items():
            put_sampled(out, f"{name}/tensor.{key}", "f32", v.detach().numpy())
        out.put(f"{name}/tolerance.weights", "f64", [4 * weights_off])
    return True


def make():
    torch.set_num_threads(1)
    out = Writer()
    out.put("cases", "text", " ".join(c[0] for c in CASES))
    for *c, seed in CASES:
        while not case(out, *c, seed=seed, last=37):
            seed += 1
    return out
