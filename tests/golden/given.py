# SPDX-License-Identifier: MIT
"""What both sides are given: weights, images, labels, masks, gradients.

Nothing of this is stored: tests/golden.c draws the same numbers from the same
generator.  All values are exact in float32 or rounded the same way on both
sides.
"""
import numpy as np

import philox

WEIGHTS, IMAGES, LABELS, MASKS, GRADIENTS, PATTERN = (
    1000, 2000, 2001, 3000, 4000, 5000)


def signed(seed, stream, epoch, n):
    """In [-1, 1), exact."""
    u = philox.unit(philox.words(seed, stream, epoch, n))
    return np.float32(2) * u - np.float32(1)


def tensor(seed, t, base, scale, n):
    """Elements of tensor number t of a model."""
    return (np.float32(base)
            + np.float32(scale) * signed(seed, WEIGHTS + t, 0, n))


def images(seed, batch, n):
    """n x 784 pixels in [0, 1): noise, each 4x4 block with a factor of its
    own."""
    u = philox.unit(philox.words(seed, IMAGES, batch, n * 784))
    block = philox.unit(philox.words(seed, PATTERN, batch, n * 49))
    big = block.reshape(n, 7, 7).repeat(4, 1).repeat(4, 2)
    return u.reshape(n, 784) * big.reshape(n, 784)


def labels(seed, batch, n):
    return philox.below(philox.words(seed, LABELS, batch, n), 10)


def patterned(seed, batch, y):
    """Images that can be learnt, more than half of them background: a 7x7
    pattern for each class, enlarged four times, with noise; bytes / 255."""
    n = len(y)
    noise = philox.words(seed, IMAGES, batch, n * 784).reshape(n, 28, 28)
    pattern = philox.words(seed, PATTERN, 0, 490).reshape(10, 7, 7)
    big = pattern.repeat(4, 1).repeat(4, 2)[y]
    pixels = (big & 255).astype(int) * 3 // 2 + (noise & 127).astype(int) - 255
    pixels = np.clip(pixels, 0, 255)
    return pixels.astype(np.float32).reshape(n, 784) / np.float32(255)


def mask(seed, layer, batch, rate, n):
    u = philox.unit(philox.words(seed, MASKS + layer, batch, n))
    return (u >= np.float32(rate)).astype(np.uint8)


def gradient(seed, step, n):
    """Gradients of many magnitudes, some of them zero: ±v 2^-k, k < 20."""
    v = signed(seed, GRADIENTS, step, n)
    k = philox.below(philox.words(seed, GRADIENTS + 1, step, n), 20)
    g = v * np.float32(2) ** -k.astype(np.float32)
    g[k == 19] = 0
    return g
