# SPDX-License-Identifier: MIT
"""Forward and backward of each layer type, in small networks.

The values are PyTorch's in float64.  The same network is evaluated a second
time by the formulas below on `B`s, which must give the same values and yield
the bound of each.
"""
import copy
import re

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

import fmnist
import given
from bound import U, B, bilinear, const
from container import Writer, put_bounded

CASES = [  # name, spec, batch, label smoothing
    ("dense", "flatten dense 11 dense 10", 5, 0.0),
    ("dense-one", "pool 4 dense 7 relu dense 10", 1, 0.0),
    ("smoothing", "pool 4 dense 24 relu dense 10", 7, 0.1),
    ("conv3-valid", "conv 5x3 valid relu pool 4 dense 10", 2, 0.0),
    ("conv5-same", "conv 3x5 same pool 4 dense 10", 2, 0.0),
    ("conv3-wide", "pool 2 conv 6x3 relu conv 17x3 pool 7 dense 10", 2, 0.0),
    ("conv5-valid", "pool 2 conv 8x5 valid relu conv 4x5 valid pool 2 dense 10",
     3, 0.0),
    ("conv5-deep", "pool 4 conv 18x3 relu conv 5x5 conv 33x3 valid dense 10",
     2, 0.0),
    ("conv1", "pool 4 conv 20x1 relu conv 3x1 dense 10", 3, 0.0),
    ("relu-bn", "pool 4 conv 6x3 relu bn dense 10", 4, 0.0),
    ("bn-relu", "pool 4 conv 6x3 bn relu dense 10", 4, 0.0),
    ("bn-first", "pool 4 bn conv 4x3 relu dense 10", 19, 0.0),
    ("bn-flat", "pool 4 dense 16 bn relu dense 10", 9, 0.0),
    ("relu-bn-flat", "pool 4 dense 21 relu bn dense 10", 18, 0.0),
    ("pool-overlap", "pool 3/2 conv 4x3 pool 3/2 flatten dense 10", 3, 0.0),
    ("pool-first", "pool 3/2 pool 2 dense 10", 3, 0.0),
    ("dropout-flat",
     "pool 4 dense 24 relu dropout 0.4 dense 16 dropout 0.25 dense 10", 6, 0.0),
    ("dropout-map", "pool 4 conv 5x3 relu dropout 0.3 dense 10", 3, 0.0),
    ("small-cnn",
     "conv 4x3 relu bn pool 2 conv 6x3 relu bn pool 2 flatten dense 20 relu "
     "dropout 0.4 dense 12 relu dropout 0.4 dense 10", 17, 0.05),
]


class Retry(Exception):
    """A value lies so near a kink that its side is not certain."""


class Masked(nn.Module):
    """Dropout with a given mask."""

    def __init__(self, rate, mask):
        super().__init__()
        self.scale = 1 / (1 - rate)
        self.mask = torch.from_numpy(mask).double()

    def forward(self, x):
        if not self.training:
            return x
        return x * self.mask.view_as(x) * self.scale


def tensor_plan(net):
    """(name, base, scale) of each tensor that is set: as PyTorch draws weights,
    but with BatchNorm off its neutral start."""
    plan = []
    for name, t in net.state_dict().items():
        module = net[int(name.split(".")[0])]
        norm = isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
        kind = name.split(".")[1]
        if kind == "num_batches_tracked":
            plan.append((name, 0, 0))
        elif kind == "running_var":
            plan.append((name, 1, 0.5))
        elif norm:
            plan.append((name, 1 if kind == "weight" else 0, 0.25))
        else:
            fan_in = int(np.prod(module.weight.shape[1:]))
            plan.append((name, 0, np.float32(fan_in ** -0.5)))
    return plan


def set_tensors(net, plan, seed):
    state = net.state_dict()
    for t, (name, base, scale) in enumerate(plan):
        if not name.endswith("tracked"):
            v = given.tensor(seed, t, base, scale, state[name].numel())
            state[name].copy_(torch.from_numpy(v).view_as(state[name]))


def conv_ops(module):
    """The three bilinear forms of a convolution."""
    pad = module.padding

    def forward(x, w):
        return F.conv2d(x, w, padding=pad)

    def by_weight(shape):
        return lambda x, dy: conv2d_weight(x, shape, dy, padding=pad)

    def by_input(shape):
        return lambda w, dy: conv2d_input(shape, w, dy, padding=pad)

    return forward, by_weight, by_input


def affine(x):
    """How a tensor of one value a channel is seen beside x."""
    return (1, -1, 1, 1) if x.v.dim() == 4 else (1, -1)


def kind(module):
    return re.sub("[12]d$", "", type(module).__name__)


class Bounded:
    """Forward and backward of a torch.nn.Sequential on Bs."""

    def __init__(self, net):
        self.net = net
        self.param = {k: B(v.detach()) for k, v in net.state_dict().items()}
        self.grad = {}
        self.saved = {}
        self.outputs = []
        self.dinputs = []

    def forward(self, x, train):
        self.outputs = []
        for i, module in enumerate(self.net):
            self.saved[i] = x
            x = getattr(self, "fwd_" + kind(module))(i, module, x, train)
            self.outputs.append(x)
        return x

    def backward(self, dy):
        self.dinputs = [None] * len(self.net)
        for i in reversed(range(len(self.net))):
            module = self.net[i]
            dy = getattr(self, "bwd_" + kind(module))(
                i, module, self.saved[i], dy)
            self.dinputs[i] = dy

    def fwd_Linear(self, i, module, x, train):
        w, b = self.param[f"{i}.weight"], self.param[f"{i}.bias"]
        n = module.in_features
        return bilinear(F.linear, x, w, n + 2) + b.view(1, -1)

    def bwd_Linear(self, i, module, x, dy):
        n = len(dy.v)
        self.grad[f"{i}.weight"] = bilinear(lambda a, b: a.T @ b, dy, x, n + 1)
        self.grad[f"{i}.bias"] = dy.sum(0, n)
        w = self.param[f"{i}.weight"]
        return bilinear(torch.matmul, dy, w, module.out_features + 1)

    def fwd_Conv(self, i, module, x, train):
        w, b = self.param[f"{i}.weight"], self.param[f"{i}.bias"]
        n = int(np.prod(w.v.shape[1:]))
        return bilinear(conv_ops(module)[0], x, w, n + 2) + b.view(1, -1, 1, 1)

    def bwd_Conv(self, i, module, x, dy):
        _, by_weight, by_input = conv_ops(module)
        w = self.param[f"{i}.weight"]
        n = dy.v.numel() // dy.v.shape[1]
        k2 = w.v.shape[2] * w.v.shape[3]
        self.grad[f"{i}.weight"] = bilinear(by_weight(w.v.shape), x, dy, n + 5)
        self.grad[f"{i}.bias"] = dy.sum((0, 2, 3), n + 5)
        return bilinear(by_input(x.v.shape), w, dy, k2 * w.v.shape[0] + 1)

    def fwd_ReLU(self, i, module, x, train):
        if ((x.v.abs() <= x.bound) & (x.s > 0)).any():
            raise Retry
        return x.where(x.v > 0)

    def bwd_ReLU(self, i, module, x, dy):
        return dy.where(x.v > 0)

    def fwd_Flatten(self, i, module, x, train):
        return x.view(len(x.v), -1)

    def bwd_Flatten(self, i, module, x, dy):
        return dy.view(*x.v.shape)

    def fwd_Masked(self, i, module, x, train):
        if not train:
            return x
        return x.where(module.mask.view_as(x.v)) * const(module.scale)

    def bwd_Masked(self, i, module, x, dy):
        return dy.where(module.mask.view_as(x.v)) * const(module.scale)

    def fwd_MaxPool(self, i, module, x, train):
        k, s = module.kernel_size, module.stride
        y, where = F.max_pool2d(x.v, k, s, return_indices=True)
        self.saved[i, "where"] = where
        patches = x.pick(lambda t: t.unfold(2, k, s).unfold(3, k, s)
                         .reshape(*where.shape, k * k))
        y = B(y, x.s.flatten(2).gather(2, where.flatten(2)).view_as(y))
        near = patches.v + patches.bound >= (y.v - y.bound)[..., None]
        if (near & (patches.v != y.v[..., None])).any():
            raise Retry
        return y

    def bwd_MaxPool(self, i, module, x, dy):
        where = self.saved[i, "where"].flatten(2)

        def scatter(t):
            zero = torch.zeros_like(x.v).flatten(2)
            return zero.scatter_add(2, where, t.flatten(2)).view_as(x.v)

        overlap = (-(-module.kernel_size // module.stride)) ** 2
        out = dy.pick(scatter)
        high = scatter(dy.v.abs())
        return B(out.v, out.s + (overlap - 1) * (U * high) ** 2)

    def fwd_BatchNorm(self, i, module, x, train):
        shape, dims = affine(x), (0, 2, 3)[:len(affine(x)) - 1]
        gamma, beta, mean, var = (
            self.param[f"{i}.{k}"].view(*shape)
            for k in ("weight", "bias", "running_mean", "running_var"))
        if train:
            n = x.v.numel() // x.v.shape[1]
            mean = x.sum(dims, n) * const(1 / n)
            d = x - mean
            m2 = (d * d).sum(dims, n)
            var = m2 * const(1 / n)
            self.track(i, mean, m2 * const(1 / (n - 1)), shape)
        rstd = const(1.0) / (var + const(module.eps)).sqrt()
        scale = gamma * rstd
        self.saved[i, "bn"] = mean, rstd, scale
        return x * scale + (beta - mean * scale)

    def track(self, i, mean, var, shape):
        """The running estimates, momentum 0.1."""
        for kind, new in (("running_mean", mean), ("running_var", var)):
            old = self.param[f"{i}.{kind}"]
            self.param[f"{i}.{kind}"] = (
                old.view(*shape) * const(0.9) + new * const(0.1)
            ).view(*old.v.shape)

    def bwd_BatchNorm(self, i, module, x, dy):
        dims = (0, 2, 3)[:len(affine(x)) - 1]
        n = x.v.numel() // x.v.shape[1]
        mean, rstd, a = self.saved[i, "bn"]
        sum_dy = dy.sum(dims, n)
        sum_dyx = (dy * ((x - mean) * rstd)).sum(dims, n)
        self.grad[f"{i}.weight"] = sum_dyx
        self.grad[f"{i}.bias"] = sum_dy
        b = -a * rstd * sum_dyx * const(1 / n)
        c = -a * sum_dy * const(1 / n) - b * mean
        return a * dy + b * x + c


def cross_entropy(z, y, smoothing):
    """Sum of the losses and the gradient of their mean, as Bs."""
    n = len(y)
    s = z - z.pick(lambda t: t.gather(1, z.v.argmax(1, keepdim=True)))
    e = s.exp()
    total = e.sum(1, 10)
    target = torch.full((n, 10), smoothing / 10, dtype=torch.float64)
    target[torch.arange(n), y] += 1 - smoothing
    t = const(target)
    losses = (t * (total.log().expand(n, 10) - s)).sum(1, 10)
    dlogits = (e / total.expand(n, 10) - t) * const(1 / n)
    return losses.sum(0, n), dlogits


def agree(name, ours, theirs):
    theirs = theirs.detach().reshape(ours.v.shape)
    worst = (ours.v - theirs).abs().max().item()
    scale = theirs.abs().max().item()
    assert worst <= 1e-12 * max(scale, 1), (name, worst)


def hook_all(net, x):
    """Runs net, keeping every output and its gradient."""
    values = [x.requires_grad_()]
    for module in net:
        x = module(x)
        x.retain_grad()
        values.append(x)
    return values


def visible(net):
    """Layers whose output, and whose gradient by the input, the engine shows:
    what works in place hides its neighbour's, and a flatten has none."""
    hides = [isinstance(m, (nn.ReLU, Masked)) for m in net] + [False]
    shown = [i for i, m in enumerate(net) if not isinstance(m, nn.Flatten)]
    outputs = [i for i in shown if not hides[i + 1]]
    inputs = [i for i in shown if i == 0 or not hides[i - 1] and not hides[i]]
    return outputs, inputs


def case(out, name, spec, n, smoothing, seed):
    net = fmnist.model(spec, torch.float64)
    y = torch.from_numpy(given.labels(seed, 0, n))
    for i, module in enumerate(net):
        if isinstance(module, nn.Dropout):
            width = [m for m in net[:i] if hasattr(m, "weight")][-1]
            per = width.weight.shape[0] * (49 if width.weight.dim() == 4 else 1)
            net[i] = Masked(module.p, given.mask(seed, i, 0, module.p, n * per))
    plan = tensor_plan(net)
    set_tensors(net, plan, seed)
    x = torch.from_numpy(given.images(seed, 0, n)).double()
    x = x.view(n, 1, 28, 28)
    bounded = Bounded(net)
    logits = bounded.forward(B(x), True)
    loss, dlogits = cross_entropy(logits, y, smoothing)
    top = logits.v.topk(2, 1)
    if (top.values[:, 0] - top.values[:, 1] <= 2 * logits.bound.max()).any():
        raise Retry
    bounded.backward(dlogits)
    train_outputs = bounded.outputs
    eval_logits = bounded.forward(B(x), False)

    values = hook_all(net, x.clone())
    criterion = nn.CrossEntropyLoss(label_smoothing=smoothing)
    mean = criterion(values[-1], y)
    mean.backward()
    agree("loss", loss, mean * n)

    out.put(f"{name}/seed", "i32", [seed])
    out.put(f"{name}/spec", "text", spec)
    out.put(f"{name}/batch", "i32", [n])
    out.put(f"{name}/smoothing", "f64", [smoothing])
    out.put(f"{name}/init", "f32", [v for p in plan for v in p[1:]])
    hits = (values[-1].argmax(1) == y).sum().item()
    out.put(f"{name}/correct", "i32", [hits])
    put_bounded(out, f"{name}/loss", loss)
    outputs, inputs = visible(net)
    for i in outputs:
        agree(f"output {i}", train_outputs[i], values[i + 1])
        put_bounded(out, f"{name}/output.{i}", train_outputs[i])
    for i in inputs:
        agree(f"input {i}", bounded.dinputs[i], values[i].grad)
        put_bounded(out, f"{name}/dinput.{i}", bounded.dinputs[i])
    for key, p in net.named_parameters():
        agree(key, bounded.grad[key], p.grad)
        put_bounded(out, f"{name}/grad.{key}", bounded.grad[key])
    for key, b in net.named_buffers():
        if not key.endswith("tracked"):
            agree(key, bounded.param[key], b)
            put_bounded(out, f"{name}/stat.{key}", bounded.param[key])
    net.eval()
    agree("eval", eval_logits, net(x))
    put_bounded(out, f"{name}/eval", eval_logits)
    print(f"  {name}: seed {seed}, ", end="")
    single(net, x, y, criterion, bounded)


def single(net, x, y, criterion, bounded):
    """PyTorch's own float32 must lie within the bounds too."""
    net = copy.deepcopy(net).float().train()
    for module in net:
        if isinstance(module, Masked):
            module.mask = module.mask.float()
    net.zero_grad()
    criterion(net(x.detach().float()), y).backward()
    share = size = 0.0
    for key, p in net.named_parameters():
        b = bounded.grad[key]
        limit = b.bound.view_as(p) + U * b.v.abs().view_as(p)
        off = (p.grad.double() - b.v.view_as(p)).abs()
        assert (off <= limit).all(), key
        share = max(share, (off / limit.clamp(min=1e-300)).max().item())
        if b.v.abs().max() > 1e-12:
            size = max(size, (limit.max() / b.v.abs().max()).item())
    print(f"bounds up to {size:.1e} of a tensor's greatest element, "
          f"PyTorch's float32 uses up to {share:.0%} of them")


def make():
    out = Writer()
    out.put("cases", "text", " ".join(c[0] for c in CASES))
    for number, (name, spec, n, smoothing) in enumerate(CASES):
        for seed in range(100 * (number + 1), 100 * (number + 2)):
            part = Writer()
            try:
                case(part, name, spec, n, smoothing, seed)
            except Retry:
                continue
            out.items += part.items
            break
        else:
            raise SystemExit(f"{name}: no seed keeps clear of the kinks")
    return out
