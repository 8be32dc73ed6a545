"""The matrix product: 1-D, 2-D and batched operands in every pairing."""

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


# For matrices the vjps are g b' and a' g. A 1-D operand is reshaped to 2-D, as matmul does, and back.


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


def _matmul_rule(shapes):
    if len(shapes) < 2 or () in shapes:
        return "a 0-d tensor has no rows or columns; use * to scale by a number"
    return "the last dimension of the first must equal the second-to-last (or only) one of the second"


# What errors say of shapes that do not fit.
matmul.op.shape_rule = _matmul_rule  # type: ignore[attr-defined]
