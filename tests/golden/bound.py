# SPDX-License-Identifier: MIT
"""Values with the error that single precision is expected to make of them.

A `B` holds values v (float64) and the variances s of the errors that a float32
evaluation of the same formula makes, with sums in any order and products fused
or not.  The rules are those of probabilistic rounding error analysis (N. Higham
and T. Mary, "A new approach to probabilistic rounding error analysis", SIAM J.
Sci. Comput. 41, 2019), with u = 2^-24:
  - fl(a op b) = (a op b)(1 + d), d of mean zero and at most u in size;
  - a sum of n products errs by at most L sqrt(n) u sum |a b| but for a chance
    of 2 exp(-L^2 / 2); here L = 6, so 3e-8;
  - what comes from different operands adds in quadrature.
`bound` is L standard deviations.  (The worst-case rules, with n for sqrt(n) and
plain sums for quadrature, let through half the value after three layers.)
"""
import torch

U = 2.0 ** -24
L = 6.0


class B:
    def __init__(self, v, s=None):
        self.v = torch.as_tensor(v, dtype=torch.float64)
        self.s = torch.zeros_like(self.v) if s is None else s

    @property
    def bound(self):
        return L * self.s.sqrt()

    def _round(self, ulps=1):
        self.s = self.s + (ulps * U * self.v) ** 2
        return self

    def __add__(self, o):
        return B(self.v + o.v, self.s + o.s)._round()

    def __sub__(self, o):
        return B(self.v - o.v, self.s + o.s)._round()

    def __mul__(self, o):
        return bilinear(torch.mul, self, o, 1)

    def __truediv__(self, o):
        v = self.v / o.v
        return B(v, self.s / o.v ** 2 + o.s * (v / o.v) ** 2)._round()

    def sqrt(self):
        v = self.v.sqrt()
        return B(v, self.s / (4 * self.v).clamp(min=1e-300))._round()

    def exp(self):
        v = self.v.exp()
        return B(v, v ** 2 * self.s)._round(2)

    def log(self):
        return B(self.v.log(), self.s / self.v ** 2 + U ** 2)._round()

    def sum(self, dims, n):
        """Sum over dims: n terms go into each."""
        total = self.v.abs().sum(dims, keepdim=True)
        return B(self.v.sum(dims, keepdim=True),
                 self.s.sum(dims, keepdim=True) + n * (U * total) ** 2)

    def view(self, *shape):
        return self.pick(lambda t: t.reshape(*shape))

    def expand(self, *shape):
        return self.pick(lambda t: t.expand(*shape))

    def pick(self, f):
        """The same selection of elements from values and variances."""
        return B(f(self.v), f(self.s))

    def where(self, mask):
        return B(self.v * mask, self.s * mask)

    def __neg__(self):
        return B(-self.v, self.s)


def const(v):
    """A constant that float32 holds with one rounding."""
    return B(v)._round()


def bilinear(f, a, b, n):
    """f(a, b), linear in both, each element a sum of at most n products."""
    s = f(a.s, b.v ** 2) + f(a.v ** 2, b.s)
    return B(f(a.v, b.v), s + n * (U * f(a.v.abs(), b.v.abs())) ** 2)
