"""The table: sample calls for every operation. Each row drives a dozen generic tests (test_table.py).

A row is an expression `f(m, *tensors)` and the arrays to call it on. `m` is `lucid` or `torch`: the public names are
the
same, so one expression says what both must give. Arrays are drawn away from kinks and poles; what happens at those is
in test_conventions.py.
"""

from __future__ import annotations

import operator
import sys
import zlib

import numpy as np

import lucid
from tests.ops import rows_functions, rows_images, rows_norms, rows_recurrent, rows_tensors
from tests.ops.samples import BINARY, LABELS, MASK, D, P, Row, U, each, fixed, put, quietly, row, uniform

RECORDED = sys.modules["lucid.core.op"].on_tensors  # `lucid.op` itself is the decorator

TABLE: dict[str, list[Row]] = {
    # arithmetic
    "add": [row(lambda m, x, y: x + y, *pair) for pair in BINARY]
    + [row(lambda m, x: 2 + x + 1.5, U(3)), row(lambda m, x, y: x.add(y).mul(x).sub(y).div(2).neg(), U(2, 3), U(3))],
    "subtract": [row(lambda m, x, y: x - y, *pair) for pair in BINARY] + [row(lambda m, x: 2 - x - 1.5, U(3))],
    "multiply": [row(lambda m, x, y: x * y, *pair) for pair in BINARY] + [row(lambda m, x: 2 * x * 1.5, U(3))],
    "divide": [row(lambda m, x, y: x / y, U(3, 4), P(4)), row(lambda m, x, y: x / y, U(3), P(2, 1)),
               row(lambda m, x: 2 / x / 4, P(3)), row(lambda m, x, y: m.div(x, y), U(), P())],
    "negative": each(lambda m, x: -x, U),
    "positive": each(lambda m, x: x.clone(), U),
    "power": [row(lambda m, x, y: x**y, P(3, 4), U(4)), row(lambda m, x, y: m.pow(x, y), P(3), U(2, 1)),
              row(lambda m, y: 2.5**y, U(3)),
              # 0 ** 0: NaN in PyTorch
              row(lambda m, x: x ** x.new_tensor([2.0, 3.0, 0.0]), fixed([0.0, 0.0, 0.0]), second=False),
              row(lambda m, y: y.new_zeros(2) ** y, fixed([0.5, 2.0]), second=False)],
    "power_number": [row(lambda m, x, n=n: x**n, P(4)) for n in (2, 3, -1, 0.5, 2.5, 1, 0)]
    + [row(lambda m, x: x**2, U(2, 3)), row(lambda m, x: x**3, U())],
    "remainder": [row(lambda m, x, y: x % y, fixed([5.3, -2.2, 7.9]), fixed([2.0, 3.0, -2.5]), second=False)],
    # PyTorch has no derivative of x // y; that of the staircase is 0
    "floor_divide": [row(lambda m, x, y: (x // y if m is lucid else m.floor(x / y)) * x * y, fixed([5.3, -2.2, 7.9]),
                         fixed([2.0, 3.0, -2.5]))],
    "maximum": [row(lambda m, x, y: m.maximum(x, y), D(3, 4), fixed([0.01, 0.3, -0.2, 0.5])),
                row(lambda m, x: m.maximum(x, x * 2), D(4))],
    "minimum": [row(lambda m, x, y: m.minimum(x, y), D(3, 4), fixed([0.01, 0.3, -0.2, 0.5])),
                row(lambda m, x: m.minimum(x, x * 2), D(4))],
    "where": [row(lambda m, c, x, y: m.where(c, x, y), MASK, U(2, 3), U(3)),
              row(lambda m, c, x: m.where(c, x, 0.0), MASK, U(2, 3)),
              row(lambda m, c, x: m.where(c, 1.0, x), MASK, U(3))],
    "astype": [row(lambda m, x: x.to(m.float64) * 1, U(3)),
               row(lambda m, x: x.float() * 3, fixed([0.5, 0.25]), second=False, eps=1e-2),
               *(row(lambda m, x: x.float() * 3, fixed(v), second=False, eps=1e-2) for v in (0.5, np.zeros((0, 3)))),
               row(lambda m, x: x.half() * 3, fixed([0.5, 0.25]), second=False, eps=2.0**-6),
               row(lambda m, x: x.double() * 2, U(3))],
    "conversion": [row(lambda m, x: x.cpu() * 2, U(3)), row(lambda m, x: x.contiguous() * 2, U(3)),
                   row(lambda m, x: x.T.contiguous(), U(2, 3)), row(lambda m, x, y: x.type_as(y) * y, U(3), U(3)),
                   row(lambda m, x, y: x.expand_as(y) * y, U(3), U(2, 3))],
    "reflected": [row(lambda m, x: (np.eye(2, dtype="float32") if m is lucid else m.eye(2, dtype=x.dtype)) @ x,
                      U(2, 3)),
                  row(lambda m, x: 5.5 % x if m is lucid else 5.5 - m.floor(5.5 / x) * x, fixed([2.0, 3.0, -2.5])),
                  row(lambda m, x: (5.5 // x if m is lucid else m.floor(5.5 / x)) * x, fixed([2.0, 3.0, -2.5]))],
    # functions of one number
    "exp": each(lambda m, x: m.exp(x), U),
    "expm1": each(lambda m, x: m.expm1(x), U),
    "log": each(lambda m, x: m.log(x), P),
    "log1p": each(lambda m, x: m.log1p(x), P),
    "log2": each(lambda m, x: m.log2(x), P),
    "log10": each(lambda m, x: m.log10(x), P),
    "sqrt": each(lambda m, x: m.sqrt(x), P),
    "rsqrt": each(lambda m, x: m.rsqrt(x), P),
    "square": each(lambda m, x: m.square(x), U),
    "reciprocal": each(lambda m, x: m.reciprocal(x), P),
    "abs": each(lambda m, x: m.abs(x), D) + each(lambda m, x: abs(x), D),
    "sign": each(lambda m, x: m.sign(x) * x, D),
    "floor": each(lambda m, x: m.floor(x + 0.33) * x, D),
    "ceil": each(lambda m, x: m.ceil(x + 0.33) * x, D),
    "trunc": each(lambda m, x: m.trunc(x + 0.33) * x, D),
    "rint": each(lambda m, x: m.round(x + 0.33) * x, D),
    "sin": each(lambda m, x: m.sin(x), U),
    "cos": each(lambda m, x: m.cos(x), U),
    "tan": each(lambda m, x: m.tan(x * 0.5), U),
    "tanh": each(lambda m, x: m.tanh(x), U),
    "sigmoid": each(lambda m, x: m.sigmoid(x), U),
    "erf": each(lambda m, x: m.erf(x), U),
    "clip": each(lambda m, x: m.clamp(x, -0.5, 0.7), D) + each(lambda m, x: x.clamp(min=0.0), D)
    + each(lambda m, x: x.clamp(max=0.2), D)
    + [row(lambda m, x, lo, hi: m.clamp(x, lo, hi), D(3, 4), fixed([-0.31, -0.2, -0.1, 0.01]),
           fixed([[0.42], [0.11], [0.36]]))],
    "relu": each(lambda m, x: m.relu(x), D),
    "leaky_relu": each(lambda m, x: m.nn.functional.leaky_relu(x, 0.1), D),
    "elu": each(lambda m, x: m.nn.functional.elu(x, 1.3), D),
    "silu": each(lambda m, x: m.nn.functional.silu(x), U),
    "softplus": each(lambda m, x: m.nn.functional.softplus(x), U)
    + [row(lambda m, x: m.nn.functional.softplus(x, 2.0, 1.5), fixed([-3.0, 0.1, 0.5, 1.0, 2.0]))],
    "gelu": each(lambda m, x: m.nn.functional.gelu(x), U)
    + each(lambda m, x: m.nn.functional.gelu(x, approximate="tanh"), U),
    # reductions
    "sum": [row(lambda m, x: x.sum(), U(3, 4)), row(lambda m, x: m.sum(x, dim=1), U(3, 4)),
            row(lambda m, x: x.sum((0, 2), keepdim=True), U(2, 3, 2)),
            row(lambda m, x: x.sum(-1), U(2, 3)), row(lambda m, x: x.sum(), U()), row(lambda m, x: x.sum(0), U(0, 3)),
            row(lambda m, x: x.sum(1, True), U(2, 3)), row(lambda m, x: x.sum(0), U())],
    "mean": [row(lambda m, x: x.mean(), U(3, 4)), row(lambda m, x: m.mean(x, 1), U(3, 4)),
             row(lambda m, x: x.mean((0, 1), keepdim=True), U(2, 3, 2)), row(lambda m, x: x.mean(), U()),
             row(quietly(lambda m, x: x.mean(0)), U(0, 3))],
    "prod": [row(lambda m, x: x.prod(), U(2, 3)), row(lambda m, x: m.prod(x, 1), U(3, 4)),
             row(lambda m, x: x.prod(0, keepdim=True), U(3, 2)),
             row(lambda m, x: x.prod(), fixed([2.0, 0.0, 3.0])),
             row(lambda m, x: x.prod(1), fixed([[0.0, 0.0, 3.0], [1.0, 2.0, 0.0]])), row(lambda m, x: x.prod(), U()),
             row(lambda m, x: x.prod((0, 2)) if m is lucid else x.prod(2).prod(0), U(2, 3, 2)),
             row(lambda m, x: x.prod(-1), U(2, 3)), row(lambda m, x: x.prod(1), U(2, 3, 2))],
    "amax": [row(lambda m, x: x.max(), D(3, 4)), row(lambda m, x: m.amax(x, 1), D(3, 4)),
             row(lambda m, x: x.amax((0, 2), keepdim=True), D(2, 3, 2)), row(lambda m, x: x.amax(), D(1))],
    "amin": [row(lambda m, x: x.min(), D(3, 4)), row(lambda m, x: m.amin(x, 1), D(3, 4)),
             row(lambda m, x: x.amin((0, 2), keepdim=True), D(2, 3, 2))],
    "max_dim": [row(lambda m, x: m.max(x, dim=1).values, D(3, 4)),
                row(lambda m, x: m.min(x, dim=0, keepdim=True)[0], D(3, 4))],
    "var": [row(lambda m, x: x.var(), U(3, 4)), row(lambda m, x: m.var(x, 1), U(3, 4)),
            row(lambda m, x: x.var((0, 2), correction=0, keepdim=True), U(2, 3, 2))],
    "std": [row(lambda m, x: x.std(), U(3, 4)), row(lambda m, x: m.std(x, 1), U(3, 4)),
            row(lambda m, x: x.std((0, 2), correction=0, keepdim=True), U(2, 3, 2))],
    "logsumexp": [row(lambda m, x: m.logsumexp(x, 1), U(3, 4)),
                  row(lambda m, x: m.logsumexp(x, (0, 1), keepdim=True), U(3, 4)),
                  row(lambda m, x: m.logsumexp(x * 1e3, 0), D(3))],
    "norm": [row(lambda m, x, p=p: m.norm(x, p, 1), P(3, 4)) for p in (2, 1, 3, 2.5, 0.5)]
    + [row(lambda m, x: m.norm(x), U(3, 4)), row(lambda m, x: x.norm(float("inf")), D(3, 4)),
       row(lambda m, x: x.norm(float("-inf"), 0), D(3, 4)),
       row(lambda m, x: m.norm(x, 3, 0, True), U(2, 3)), row(lambda m, x: x.norm(0, 0) + x.sum(0), P(2, 3))],
    "cumsum": [row(lambda m, x: m.cumsum(x, 1), U(3, 4)), row(lambda m, x: x.cumsum(0), U(3, 2)),
               row(lambda m, x: x.cumsum(-1), U(4))],
    # shapes
    "reshape": [row(lambda m, x: x.reshape(2, 6), U(3, 4)), row(lambda m, x: x.reshape(-1).view(6, 2), U(3, 4)),
                row(lambda m, x: m.reshape(x, (1,)), U()), row(lambda m, x: x.reshape(4, 0), U(0, 3)),
                row(lambda m, x: m.flatten(x, 1), U(2, 3, 2)), row(lambda m, x: x.squeeze(), U(1, 3, 1)),
                row(lambda m, x: x.squeeze(0), U(1, 3, 1)), row(lambda m, x: m.unsqueeze(x, -1), U(3)),
                row(lambda m, x: x.t().reshape(-1), U(3, 2)), row(lambda m, x: x.flatten(), U())],
    "swapaxes": [row(lambda m, x: x.transpose(0, 2), U(2, 3, 4)), row(lambda m, x: x.t(), U(2, 3)),
                 row(lambda m, x: x.mT, U(2, 3, 4))],
    "transpose": [row(lambda m, x: x.permute(2, 0, 1), U(2, 3, 4)), row(lambda m, x: x.T, U(2, 3)),
                  row(lambda m, x: m.movedim(x, 0, -1), U(2, 3, 4)),
                  row(lambda m, x: m.permute(x, (1, -1, 0)), U(2, 3, 4)),
                  row(lambda m, x: RECORDED.transpose(x, axes=(-1, 0, 1)) if m is lucid else x.permute(2, 0, 1),
                      U(2, 3, 4))],
    "broadcast_to": [row(lambda m, x: x.expand(2, -1, 4), U(3, 1)), row(lambda m, x: m.broadcast_to(x, (3, 2)), U(2)),
                     row(lambda m, x: x.expand(2, 2), U()), row(lambda m, x: x.repeat(2, 1, 3), U(2, 3)),
                     row(lambda m, x: m.tile(x, (2,)), U(2, 3))],
    "cat": [row(lambda m, x, y: m.cat([x, y], 1), U(2, 3), U(2, 1)),
            row(lambda m, x, y: m.cat((x, y, x), dim=-2), U(2, 3), U(1, 3)),
            row(lambda m, x, y: m.cat([x, y]), U(0, 3), U(2, 3))],
    "stack": [row(lambda m, x, y: m.stack([x, y], 1), U(2, 3), U(2, 3)),
              row(lambda m, x, y: m.stack((x, y, x), dim=-1), U(2), U(2)),
              row(lambda m, x, y: m.stack([x, y]), U(), U())],
    "pad": [row(lambda m, x: m.nn.functional.pad(x, (1, 2)), U(2, 3)),
            row(lambda m, x: m.nn.functional.pad(x, (0, 1, 2, 0), value=3.0), U(2, 3)),
            row(lambda m, x: m.nn.functional.pad(x, (-1, 1)), U(2, 3))],
    "flip": [row(lambda m, x: m.flip(x, (0, 1)), U(2, 3)), row(lambda m, x: x.flip(-1), U(2, 3))],
    "roll": [row(lambda m, x: m.roll(x, 1, 1), U(2, 3)), row(lambda m, x: x.roll(-2), U(2, 3)),
             row(lambda m, x: m.roll(x, (1, -4), (0, 1)), U(2, 3)), row(lambda m, x: m.roll(x, 1, 0), U(0, 2))],
    "split": [row(lambda m, x: m.split(x, 2, 1)[1] * m.split(x, 2, 1)[0], U(2, 4)),
              row(lambda m, x: x.split([1, 2])[1], U(3, 2)),
              row(lambda m, x: m.chunk(x, 3)[2] + x.chunk(3)[0][:1], U(5)), row(lambda m, x: x.unbind(1)[2], U(2, 3))],
    # products
    "matmul": [row(lambda m, a, b: a @ b, U(*a), U(*b)) for a, b in [
        ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (2, 4, 2)), ((2, 3, 4), (4, 2)),
        ((3, 4), (2, 4, 2)), ((4,), (2, 4, 2)),
        ((2, 3, 4), (4,)), ((2, 1, 2, 3), (4, 3, 2)), ((1, 2, 3), (3, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
        ((2, 0, 3), (3, 2))]]
    + [row(lambda m, a, b: m.mm(a, b), U(2, 3), U(3, 2)), row(lambda m, a, b: a.bmm(b), U(2, 2, 3), U(2, 3, 2)),
       row(lambda m, a, b: m.dot(a, b), U(3), U(3)), row(lambda m, a, b: m.outer(a, b), U(3), U(2))],
    "linear": [row(lambda m, x, w, b: m.nn.functional.linear(x, w, b), U(5, 3), U(2, 3), U(2)),
               row(lambda m, x, w: m.nn.functional.linear(x, w), U(3), U(2, 3)),
               row(lambda m, x, w, b: m.nn.functional.linear(x, w, b), U(2, 4, 3), U(2, 3), U(2)),
               row(lambda m, x, w, b: m.nn.functional.linear(x, w, b), U(0, 3), U(2, 3), U(2)),
               row(lambda m, x, w, b: m.nn.functional.linear(x, w, b), U(3), U(2, 3), U(2))],
    # indexing
    "getitem": [row(lambda m, x: x[1], U(3, 4)), row(lambda m, x: x[:, 1:3], U(3, 4)),
                row(lambda m, x: x[..., None, 0], U(3, 4)), row(lambda m, x: x[-1, ::2], U(3, 4)),
                row(lambda m, x: x[None], U()),
                row(lambda m, x: x[1:1], U(3, 4))],
    "scatter_add": [row(lambda m, x, i: x[i], U(3, 4), fixed([0, 2, 0, 0], "int64")),
                    row(lambda m, x, i: x[:, i], U(2, 3), fixed([[0, 1], [1, 1]], "int64")),
                    row(lambda m, x, i, j: x[i, j], U(3, 3), fixed([0, 2, 0], "int64"), fixed([1, 1, 1], "int64")),
                    row(lambda m, x, mask: x[mask], U(2, 3), MASK),
                    row(lambda m, x, i: x[i, 1:, None], U(3, 4), fixed([2, 2, -1], "int64")),
                    row(lambda m, x, i: m.index_select(x, 1, i), U(2, 3), fixed([2, 0, 2], "int64")),
                    row(lambda m, x, mask: x.masked_select(mask), U(2, 3), MASK),
                    row(lambda m, x, i, j: x[i, :, j], U(2, 3, 4), fixed([0, 1], "int64"), fixed([3, 0], "int64"))],
    "setitem": [row(lambda m, x, v: put(x * 1, 1, v), U(3, 4), U(4)),
                row(lambda m, x, v: put(x * 2, (slice(None), slice(0, 4, 2)), v), U(3, 4), U(3, 1)),
                row(lambda m, x: put(x * x, 0, 2.0), U(3)),
                row(lambda m, x, v, mask: put(x * 1, mask, v), U(2, 3), U(), MASK),
                row(lambda m, v: put(m.zeros(3, dtype=m.float64), slice(1, 3), v), U(2))],
    "in_place": [row(lambda m, x, y, f=f: f(x * 1, y), U(2, 3), P(3)) for f in (
                    lambda x, y: x.add_(y), lambda x, y: x.add_(y, alpha=2), lambda x, y: x.sub_(y),
                    lambda x, y: x.sub_(y, alpha=2), lambda x, y: x.mul_(y), lambda x, y: x.div_(y),
                    lambda x, y: x.copy_(y),
                    operator.iadd, operator.isub, operator.imul, operator.itruediv)]
    + [row(lambda m, x, f=f: f(x * 1), P(3))
       for f in (lambda x: x.pow_(3), lambda x: operator.ipow(x, 2.5), lambda x: x.clamp_(0.7, 1.5),
                 lambda x: x.relu_(), lambda x: x * x.clone().fill_(2), lambda x: x + x.clone().zero_())],
    "take_along": [row(lambda m, x, i: m.gather(x, 1, i), U(3, 4), fixed([[0, 0], [3, 1], [2, 2]], "int64")),
                   row(lambda m, x, i: x.gather(0, i), U(3, 2), fixed([[2, 2]], "int64"))],
    "embedding": [row(lambda m, w, i: m.nn.functional.embedding(i, w), U(4, 3), LABELS),
                  row(lambda m, w, i: m.nn.functional.embedding(i, w), U(4, 2), fixed([[3, 3], [0, 1]], "int64"))],
    "masked_fill": [row(lambda m, x, mask: x.masked_fill(mask, 2.5), U(2, 3), MASK)],
    # fused
    "softmax": [row(lambda m, x: m.softmax(x, dim=-1), U(3, 4)), row(lambda m, x: m.softmax(x, 0), U(3, 2)),
                row(lambda m, x: m.nn.functional.softmax(x, dim=1), U(0, 3)), row(lambda m, x: x.softmax(0), U(3))],
    "log_softmax": [row(lambda m, x: m.log_softmax(x, dim=-1), U(3, 4)),
                    row(lambda m, x: m.nn.functional.log_softmax(x, dim=0), U(3, 2)),
                    row(lambda m, x: x.log_softmax(0), U(3))],
    # losses
    **{name: [row(lambda m, x, y, r=r, f=f: f(m)(x, y, reduction=r), D(3, 4), uniform(3, 4, lo=4.0, hi=7.0))
              for r in ("mean", "sum", "none")]
       for name, f in {"mse": lambda m: m.nn.functional.mse_loss, "l1": lambda m: m.nn.functional.l1_loss}.items()},
    "l1_both_ways": [row(lambda m, x, y: m.nn.functional.l1_loss(x, y), D(6), fixed([0.01, 0.3, -3, 2, 0.5, -0.4]))],
    "huber": [row(lambda m, x, y, r=r: m.nn.functional.huber_loss(x, y, reduction=r, delta=0.8), D(6),
                  fixed([0.01, 0.3, -3, 2, 0.5, -0.4])) for r in ("mean", "sum", "none")],
    "smooth_l1": [row(lambda m, x, y, r=r: m.nn.functional.smooth_l1_loss(x, y, reduction=r, beta=0.8), D(6),
                      fixed([0.01, 0.3, -3, 2, 0.5, -0.4])) for r in ("mean", "sum", "none")],
    "bce": [row(lambda m, x, y, r=r: m.nn.functional.binary_cross_entropy(x, y, reduction=r),
                uniform(5, lo=0.1, hi=0.9), uniform(5, lo=0.1, hi=0.9)) for r in ("mean", "sum", "none")],
    "bce_with_logits": [row(lambda m, x, y, r=r: m.nn.functional.binary_cross_entropy_with_logits(x, y, reduction=r),
                            U(5), uniform(5, lo=0.1, hi=0.9)) for r in ("mean", "sum", "none")],
    "cross_entropy": [row(lambda m, x, t, r=r: m.nn.functional.cross_entropy(x, t, reduction=r), U(4, 3), LABELS)
                      for r in ("mean", "sum", "none")]
    + [row(lambda m, x, t: m.nn.functional.cross_entropy(x, t), U(2, 3, 2), fixed([[0, 2], [1, 1]], "int64")),
       row(lambda m, x, t: m.nn.functional.cross_entropy(x, t), U(3), fixed(1, "int64")),
       row(lambda m, x, t: m.nn.functional.cross_entropy(x, t.softmax(-1)), U(4, 3), U(4, 3))],
    "nll": [row(lambda m, x, t, r=r: m.nn.functional.nll_loss(x, t, reduction=r), U(4, 3), LABELS)
            for r in ("mean", "sum", "none")]
    + [row(lambda m, x, t: m.nn.functional.nll_loss(x, t, x.new_tensor([0.7])), U(2, 1), fixed([0, -100], "int64"))],
    # one number, nothing at all, and broadcasting, where the rows above have none of that
    "0-d": [row(f, U())
            for f in (lambda m, x: x.max(), lambda m, x: m.amin(x, 0), lambda m, x: x.norm(),
                      lambda m, x: m.norm(x, 3, 0), lambda m, x: m.logsumexp(x, 0) * x,
                      lambda m, x: m.softmax(x, 0) + x,
                      lambda m, x: m.log_softmax(x, -1) + x, lambda m, x: x.cumsum(0) * x,
                      lambda m, x: m.permute(x, ()) * x, lambda m, x: m.where(x > 9, x, x * x), lambda m, x: x[...],
                      lambda m, x: x.var(correction=0) + x, lambda m, x: x.std(correction=0) + x)]
    + [row(f, P(), uniform(lo=0.1, hi=0.4))
       for f in (lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.minimum(x, y) * x, lambda m, x, y: x**y,
                 lambda m, x, y: m.nn.functional.mse_loss(x, y), lambda m, x, y: m.nn.functional.l1_loss(x, y),
                lambda m, x, y: m.nn.functional.huber_loss(x, y), lambda m, x, y: m.nn.functional.smooth_l1_loss(x, y),
                 lambda m, x, y: m.nn.functional.binary_cross_entropy_with_logits(x, y))]
    + [row(lambda m, x, y: m.nn.functional.binary_cross_entropy(x, y), uniform(lo=0.1, hi=0.9),
           uniform(lo=0.1, hi=0.9)),
       row(lambda m, x, y: x % y, fixed(5.3), fixed(2.0), second=False),
       row(lambda m, x, y: (x // y if m is lucid else m.floor(x / y)) * x * y, fixed(5.3), fixed(2.0))],
    "nothing": [row(f, U(0, 3))
                for f in (lambda m, x: x.max(1).values, lambda m, x: m.amax(x, 1), lambda m, x: m.amin(x, 1),
                          lambda m, x: x.norm(dim=1), lambda m, x: m.norm(x, 3, 1), lambda m, x: m.logsumexp(x, 1),
                          lambda m, x: m.log_softmax(x, 1),
                         lambda m, x: x.cumsum(0), lambda m, x: x.t(), lambda m, x: m.permute(x, (1, 0)),
                          lambda m, x: x.var(1) if m is lucid else x.sum(1),
                          lambda m, x: x.std(1) if m is lucid else x.sum(1), lambda m, x: x.prod(1),
                         lambda m, x: m.flip(x, (0,)), lambda m, x: m.nn.functional.pad(x, (1, 0)),
                          lambda m, x: x[:, 1:], lambda m, x: put(x * 1, slice(None), 2.0),
                          lambda m, x: m.stack([x, x]),
                         lambda m, x: m.broadcast_to(x, (2, 0, 3)), lambda m, x: x**2,
                          lambda m, x: m.where(x > 9, x, x * x), lambda m, x: x[:, [0, 0]], lambda m, x: x.relu())]
    + [row(f, U(0, 3), P(0, 3))
       for f in (lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.minimum(x, y), lambda m, x, y: y**x,
                 lambda m, x, y: x / y, lambda m, x, y: put(x * 1, slice(None), y))]
    + [row(lambda m, x, y: x % y, U(0, 3), P(0, 3), second=False),
       row(lambda m, x, y: (x // y if m is lucid else m.floor(x / y)) * x * y, U(0, 3), P(3)),
       row(lambda m, x, i: m.gather(x, 1, i), U(0, 3), fixed(np.zeros((0, 2)), "int64"))]
    + [row(lambda m, x, y, f=f, r=r: getattr(m.nn.functional, f)(x, y, reduction=r), P(0, 3), P(0, 3))
       for r in ("sum", "none")
       for f in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy",
                 "binary_cross_entropy_with_logits")]
    + [row(lambda m, x, y, f=f, r=r: getattr(m.nn.functional, f)(x, y, reduction=r), U(0, 3), fixed([], "int64"))
       for f in ("cross_entropy", "nll_loss") for r in ("sum", "none")],
    "broadcasting": [row(f, *shapes)
                     for shapes in ((D(3, 1), fixed([0.01, 0.32, -0.21])), (fixed([0.01, 0.32, -0.21]), D(3, 1)))
                     for f in (lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.minimum(x, y))]
    + [row(lambda m, x, y: x % y, fixed([[5.3], [-2.2]]), fixed([2.0, 3.0]), second=False),
       row(lambda m, x, y: (x // y if m is lucid else m.floor(x / y)) * x * y, fixed([[5.3], [-2.2]]),
           fixed([2.0, 3.0]))],
}  # fmt: skip

# Operations without a gradient: their values alone are compared.
PLAIN: dict[str, list[Row]] = {
    **{name: [row(f, *pair) for pair in BINARY]
       + [row(f, fixed([1.0, 2.0, np.nan]), fixed([1.0, 3.0, 1.0])),
          row(f, fixed([1, 2, 3], "int64"), fixed([1.0, 2.5, 0.0]))]
       for name, f in {"equal": lambda m, x, y: m.eq(x, y), "not_equal": lambda m, x, y: x != y,
                       "less": lambda m, x, y: x < y, "less_equal": lambda m, x, y: x <= y,
                       "greater": lambda m, x, y: x > y, "greater_equal": lambda m, x, y: x >= y}.items()},
    **{name: [row(f, MASK, fixed([True, False, True], "bool")), row(f, fixed([5, 6], "int64"), fixed([3, 3], "int64"))]
       for name, f in {"bitwise_and": lambda m, x, y: x & y, "bitwise_or": lambda m, x, y: x | y,
                       "bitwise_xor": lambda m, x, y: x ^ y}.items()},
    "invert": [row(lambda m, x: ~x, MASK), row(lambda m, x: ~x, fixed([5, -6], "int64"))],
    "isnan": [row(lambda m, x: m.isnan(x), fixed([1, np.nan, np.inf]))],
    "isinf": [row(lambda m, x: m.isinf(x), fixed([1, np.nan, -np.inf]))],
    "isfinite": [row(lambda m, x: m.isfinite(x), fixed([1, np.nan, -np.inf]))],
    "isclose": [row(lambda m, x, y: m.isclose(x, y), fixed([1, np.nan, np.inf, np.inf, 2]),
                    fixed([1 + 1e-9, np.nan, np.inf, -np.inf, 2.1]))],
    "zeros_like": [row(lambda m, x: m.zeros_like(x), U(2, 3))],
    "argmax": [row(lambda m, x: m.argmax(x), U(3, 4)), row(lambda m, x: x.argmax(1), U(3, 4)),
               row(lambda m, x: x.argmax(0, keepdim=True), U(3, 4)), row(lambda m, x: m.argmax(x), fixed([1, 3, 3.0]))],
    "argmin": [row(lambda m, x: m.argmin(x), U(3, 4)), row(lambda m, x: x.argmin(1), U(3, 4)),
               row(lambda m, x: x.argmin(-1, True), U(3, 4))],
    "argsort": [row(lambda m, x: m.argsort(x, 1), D(3, 4)), row(lambda m, x: x.argsort(0, True), D(3, 4))],
    "max_indices": [row(lambda m, x: m.max(x, 1).indices, U(3, 4)),
                    row(lambda m, x: x.min(dim=0, keepdim=True)[1], U(3, 4))],
    "any": [row(lambda m, x: m.any(x), MASK), row(lambda m, x: x.any(0), MASK), row(lambda m, x: x.any(1, True), MASK)],
    "all": [row(lambda m, x: m.all(x), MASK), row(lambda m, x: x.all(0), MASK), row(lambda m, x: x.all(1, True), MASK)],
    "one_hot": [row(lambda m, x: m.nn.functional.one_hot(x, 4), LABELS),
                row(lambda m, x: m.nn.functional.one_hot(x), LABELS)],
    "floor_divide": [row(lambda m, x, y: x // y, fixed([5.3, -2.2, 7.9]), fixed([2.0, 3.0, -2.5])),
                     row(lambda m, x, y: x // y, fixed([5, -2, 7], "int64"), fixed([2, 3, -2], "int64"))],
    "casts": [row(f, fixed([0.0, -1.7, 3.2]))
              for f in (lambda m, x: x.int(), lambda m, x: x.long(), lambda m, x: x.bool())]
    + [row(lambda m, x: m.tensor(m.allclose(x, x + 1e-7)), U(3)), row(lambda m, x: m.tensor(x.allclose(x + 1)), U(3))],
    "creation": [row(f) for f in (
        lambda m: m.zeros(2, 3), lambda m: m.ones((2, 3)), lambda m: m.full((2,), 7), lambda m: m.full((2,), 0.5),
        lambda m: m.eye(2), lambda m: m.eye(2, 3), lambda m: m.arange(3), lambda m: m.arange(1, 4),
        lambda m: m.arange(5, 0, -2), lambda m: m.arange(0, 1, 0.25), lambda m: m.linspace(0, 1, 5),
        lambda m: m.tensor([[1, 2], [3, 4]]), lambda m: m.tensor([0.5]), lambda m: m.tensor(True),
        lambda m: m.as_tensor([1, 2]),
        lambda m: m.from_numpy(np.arange(3.0)))]
    + [row(f, fixed([[1, 2]], "int32"))
       for f in (lambda m, x: m.ones_like(x), lambda m, x: m.full_like(x, 3), lambda m, x: x.new_zeros(2),
                 lambda m, x: x.new_ones(2, 1), lambda m, x: x.new_tensor([1.5]))],
    "nonzero": [row(lambda m, x: m.where(x)[1], MASK), row(lambda m, x: x.nonzero(), MASK)],
    "sum_of_bools": [row(lambda m, x: x.sum(1), MASK), row(lambda m, x: x.sum(), fixed([1, 2], "int32"))],
    "int_division": [row(lambda m, x, y: (x / y).double(), fixed([1, 2, 3], "int64"), fixed([2, 2, 2], "int64"))],
}  # fmt: skip

for part in (rows_functions, rows_images, rows_norms, rows_recurrent, rows_tensors):  # the tables of the other files
    for table, more in ((TABLE, part.TABLE), (PLAIN, part.PLAIN)):
        assert not table.keys() & more.keys(), f"{part.__name__} has rows of {table.keys() & more.keys()} again"
        table.update(more)

for table in (TABLE, PLAIN):
    for name, rows in table.items():
        for i, sample in enumerate(rows):
            sample.name = f"{name}-{i}"
            rng = np.random.default_rng(zlib.crc32(sample.name.encode()))
            sample.arrays = [np.array(make(rng), order="C") for make in sample.inputs]

ROWS = [sample for rows in TABLE.values() for sample in rows]
PLAIN_ROWS = [sample for rows in PLAIN.values() for sample in rows]
