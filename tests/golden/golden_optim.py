# SPDX-License-Identifier: MIT
"""Steps of each optimizer on given gradients; learning rates of schedules."""
import torch
from torch import optim

import fmnist
import given
from bound import B, const
from container import Writer, put_bounded

SPEC = "pool 4 dense 10"
STEPS = 5
RATES = [0.1, 0.1, 0.03, 0.01, 0.1]

OPTIMIZERS = [  # name, kind, momentum, nesterov, weight decay
    ("sgd", "sgd", 0.0, 0, 0.0),
    ("sgd-decay", "sgd", 0.0, 0, 0.01),
    ("momentum", "sgd", 0.9, 0, 0.0),
    ("momentum-decay", "sgd", 0.9, 0, 0.01),
    ("nesterov", "sgd", 0.9, 1, 0.0),
    ("nesterov-decay", "sgd", 0.8, 1, 0.05),
    ("adam", "adam", 0.0, 0, 0.0),
    ("adam-decay", "adam", 0.0, 0, 0.01),
    ("adamw", "adamw", 0.0, 0, 0.0),
    ("adamw-decay", "adamw", 0.0, 0, 0.02),
]

EPOCHS, PER_EPOCH = 12, 7
SCHEDULES = [  # name, kind, lr, warm-up, step size, gamma
    ("constant", "constant", 0.01, 0, 0, 0.0),
    ("constant-warm", "constant", 0.01, 3, 0, 0.0),
    ("step", "step", 0.1, 0, 3, 0.5),
    ("step-one", "step", 0.05, 0, 1, 0.9),
    ("step-warm", "step", 0.1, 2, 4, 0.1),
    ("cosine", "cosine", 0.2, 0, 0, 0.0),
    ("cosine-warm", "cosine", 0.003, 1, 0, 0.0),
    ("onecycle", "onecycle", 0.1, 0, 0, 0.0),
    ("onecycle-warm", "onecycle", 0.01, 2, 0, 0.0),
]


def sgd(w, g, state, lr, momentum, nesterov, decay):
    if decay:
        g = g + const(decay) * w
    if momentum:
        buf = const(momentum) * state["buf"] + g if state else g
        state["buf"] = buf
        g = g + const(momentum) * buf if nesterov else buf
    return w - const(lr) * g


def adam(w, g, state, lr, decay, decoupled):
    zero = B(torch.zeros_like(w.v))
    m, v = state.get("m", zero), state.get("v", zero)
    t = state["t"] = state.get("t", 0) + 1
    if decay and decoupled:
        w = w * const(1 - lr * decay)
    elif decay:
        g = g + const(decay) * w
    state["m"] = const(0.9) * m + const(0.1) * g
    state["v"] = const(0.999) * v + const(0.001) * g * g
    root = const((1 - 0.999 ** t) ** 0.5)
    below = state["v"].sqrt() / root + const(1e-8)
    return w - const(lr / (1 - 0.9 ** t)) * state["m"] / below


def torch_optimizer(kind, params, momentum, nesterov, decay):
    if kind == "sgd":
        return optim.SGD(params, lr=1, momentum=momentum,
                         nesterov=bool(nesterov), weight_decay=decay)
    maker = optim.Adam if kind == "adam" else optim.AdamW
    return maker(params, lr=1, weight_decay=decay)


def one_optimizer(out, seed, name, kind, momentum, nesterov, decay):
    net = fmnist.model(SPEC, torch.float64)
    params = list(net.parameters())
    ours, states = [], []
    for t, p in enumerate(params):
        v = given.tensor(seed, t, 0, 0.5, p.numel())
        p.data = torch.from_numpy(v).double().view_as(p)
        ours.append(B(p.data.clone()))
        states.append({})
    o = torch_optimizer(kind, params, momentum, nesterov, decay)
    for step in range(STEPS):
        for t, p in enumerate(params):
            g = given.gradient(seed + t, step, p.numel())
            p.grad = torch.from_numpy(g).double().view_as(p)
            more = (RATES[step], momentum, nesterov, decay) if kind == "sgd" \
                else (RATES[step], decay, kind == "adamw")
            update = sgd if kind == "sgd" else adam
            ours[t] = update(ours[t], B(p.grad), states[t], *more)
        for group in o.param_groups:
            group["lr"] = RATES[step]
        o.step()
        for t, p in enumerate(params):
            assert (p.data - ours[t].v).abs().max() < 1e-12
            put_bounded(out, f"{name}/{step}.{t}", ours[t])


def make_optimizers():
    out = Writer()
    out.put("cases", "text", " ".join(c[0] for c in OPTIMIZERS))
    out.put("spec", "text", SPEC)
    out.put("rates", "f64", RATES)
    for number, (name, kind, *more) in enumerate(OPTIMIZERS):
        out.put(f"{name}/seed", "i32", [9000 + 10 * number])
        out.put(f"{name}/kind", "text", kind)
        out.put(f"{name}/options", "f64", more)
        one_optimizer(out, 9000 + 10 * number, name, kind, *more)
    return out


def rates(kind, lr, warmup, step_size, gamma):
    """The rate of every step; the warm-up is the program's own, what follows is
    PyTorch's over the steps that are left."""
    warm = warmup * PER_EPOCH
    rest = (EPOCHS - warmup) * PER_EPOCH
    out = [lr * (s + 1) / warm for s in range(warm)]
    p = [torch.nn.Parameter(torch.zeros(1))]
    o = optim.SGD(p, lr=lr)
    per_batch = True
    if kind == "step":
        sched = optim.lr_scheduler.StepLR(o, step_size, gamma)
        per_batch = False
    elif kind == "cosine":
        sched = optim.lr_scheduler.CosineAnnealingLR(o, rest)
    elif kind == "onecycle":
        sched = optim.lr_scheduler.OneCycleLR(o, lr, total_steps=rest,
                                              cycle_momentum=False)
    for s in range(rest):
        out.append(float(o.param_groups[0]["lr"]))
        o.step()
        if kind != "constant" and s + 1 < rest and (
                per_batch or (s + 1) % PER_EPOCH == 0):
            sched.step()
    return out


def make_schedules():
    out = Writer()
    out.put("cases", "text", " ".join(c[0] for c in SCHEDULES))
    out.put("epochs", "i32", [EPOCHS])
    out.put("steps_per_epoch", "i32", [PER_EPOCH])
    for name, kind, lr, warmup, step_size, gamma in SCHEDULES:
        out.put(f"{name}/kind", "text", kind)
        out.put(f"{name}/options", "f64", [lr, warmup, step_size, gamma])
        out.put(f"{name}/rates", "f64",
                rates(kind, lr, warmup, step_size, gamma))
    return out
