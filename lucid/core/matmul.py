"""Matrix products: 1-D, 2-D and batched operands in every pairing, and the linear layer."""

from __future__ import annotations

import math

from lucid.core.node import method
from lucid.core.op import op

__all__ = ["matmul"]


@method("matmul", "__matmul__", reflected="__rmatmul__")
@op(a=lambda xp, g, a_shape, b: _vjp_a(xp, g, a_shape, b), b=lambda xp, g, a, b_shape: _vjp_b(xp, g, a, b_shape))
def matmul(xp, a, b):
    """The matrix product a @ b: out[i, j] = sum over k of a[i, k] * b[k, j].

    A 1-D operand is a row on the left, a column on the right; leading axes broadcast.
    """
    return xp.matmul(a, b)


# For matrices the vjps are g b' and a' g. A 1-D operand gets the axis that matmul gave it for the while.


def _vjp_a(xp, g, a_shape, b):
    if len(b.shape) == 1:
        b, g = xp.reshape(b, shape=(b.shape[0], 1)), xp.reshape(g, shape=(*g.shape, 1))
    if len(a_shape) == 1:
        g = xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]))
    grad = xp.matmul(g, xp.swapaxes(b, a=-1, b=-2))
    return grad if len(a_shape) > 1 else xp.reshape(grad, shape=(*grad.shape[:-2], grad.shape[-1]))


def _vjp_b(xp, g, a, b_shape):
    if len(a.shape) == 1:
        a = xp.reshape(a, shape=(1, a.shape[0]))
        g = xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])) if len(b_shape) > 1 else xp.reshape(g, shape=(1, 1))
    elif len(b_shape) == 1:
        g = xp.reshape(g, shape=(*g.shape, 1))
    if len(a.shape) > 2 and len(b_shape) <= 2:  # one product over all the batches, not one for each and then their sum
        rows = math.prod(a.shape[:-1])
        a, g = xp.reshape(a, shape=(rows, a.shape[-1])), xp.reshape(g, shape=(rows, g.shape[-1]))
    grad = xp.matmul(xp.swapaxes(a, a=-1, b=-2), g)
    return grad if len(b_shape) > 1 else xp.reshape(grad, shape=b_shape)


@op(
    x=lambda xp, g, weight: xp.matmul(g, weight) if g.ndim == 2 else _by_rows(xp, g, weight),
    weight=lambda xp, g, x: xp.matmul(_rows(xp, g).T, _rows(xp, x)),
    bias=lambda xp, g: xp.sum(_rows(xp, g), axis=0),
)
def linear(xp, x, weight, bias=None):
    """x @ weight.T + bias: x is (..., in), weight (out, in), bias (out,) or None, the result (..., out)."""
    out = xp.matmul(x, weight.T) if x.ndim == 2 else _by_rows(xp, x, weight.T)
    if bias is not None:
        out += bias
    return out


def _by_rows(xp, x, weight):
    """x @ weight as one product; NumPy makes one for each matrix in x, at twice the time where they are small."""
    return xp.reshape(xp.matmul(_rows(xp, x), weight), shape=(*x.shape[:-1], weight.shape[1]))


def _rows(xp, x):
    """x as a matrix, its leading axes made one."""
    return x if x.ndim == 2 else xp.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _linear_rule(shapes):
    if not shapes[0]:
        return "the input is a single number; expected (..., features)"
    got, (out, expected) = shapes[0][-1], shapes[1] if len(shapes[1]) == 2 else ("?", "?")
    return f"the input has {got} features, the weight of {out} outputs takes {expected}"


def _matmul_rule(shapes):
    if len(shapes) < 2 or () in shapes:
        return "a 0-d tensor has no rows or columns; use * to scale by a number"
    return "the last dimension of the first must equal the second-to-last (or only) one of the second"


matmul.op.shape_rule, linear.op.shape_rule = _matmul_rule, _linear_rule  # what errors say of shapes that do not fit
