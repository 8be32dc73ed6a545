"""Forwards that are written for NumPy's speed, written again in plain arithmetic.

On a GPU an elementwise operation becomes one kernel where it can be traced (fuse.py). A row of zeros, a view of the
bits, or a write in place cannot; so an operation that uses these has a second forward here.
"""

import math

from lucid.ops.activations import ROOT_HALF, _tanh_gate, _tanh_gelu_slope


def _gelu(xp, x, approximate):
    """gelu and its slope, by the tail behind |x|: far below 0, 1 + erf has no digits left."""
    if approximate == "tanh":
        near = x.clip(-40, 40)  # further out nothing changes, but x * x overflows
        gate = _tanh_gate(xp, near)
        return x * gate, _tanh_gelu_slope(xp, near, gate)
    size = xp.abs(x.clip(-40, 40))  # as good as infinity, but 40 * 0 is 0
    tail = 0.5 * xp.erfc(size * ROOT_HALF)
    below = size * (1 / math.sqrt(2 * math.pi)) * xp.exp(-0.5 * size * size) - tail  # the slope there, negated
    return xp.maximum(x, 0) - size * tail, xp.where(x < 0, -below, 1 + below)


PORTABLE_FORWARDS = {
    "relu": lambda xp, x: xp.maximum(x, 0),
    "erf": lambda xp, x: xp.erf(x),
    "gelu": _gelu,
}
