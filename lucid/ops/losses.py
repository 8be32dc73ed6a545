"""Chapter 3i. Losses: one number for how wrong a prediction is.

Each takes predictions `x` and what they should have been, and a `reduction`: "none" gives the loss of each element,
"sum" adds them up, "mean" divides that by their number.
"""

import math

from lucid.op import op
from lucid.ops.reductions import share_of


def reduced(xp, losses, reduction):
    """What a forward returns: the losses, their sum or their mean."""
    if reduction == "none":
        return losses
    if losses.dtype.char == "e":  # see reductions.half_in_single
        return reduced(xp, losses.astype("float32"), reduction).astype(losses.dtype)
    total = xp.sum(losses)
    return total if reduction == "sum" else total / losses.size


def per_element(g, shape, reduction, factor=1):
    """What each element's loss is worth in the result, times `factor`: what its own formula is multiplied by."""
    if reduction == "mean":
        factor = factor * share_of(math.prod(shape))
    return g if factor == 1 else g * factor


@op(
    floats=True,
    x=lambda xp, g, x, target, reduction: (x - target) * per_element(g, x.shape, reduction, 2),
    target=lambda xp, g, x, target, reduction: (target - x) * per_element(g, x.shape, reduction, 2),
)
def mse(xp, x, target, *, reduction="mean"):
    """(x - target)**2."""
    away = x - target
    away *= away
    return reduced(xp, away, reduction)


@op(
    floats=True,
    x=lambda xp, g, x, target, reduction: xp.sign(x - target) * per_element(g, x.shape, reduction),
    target=lambda xp, g, x, target, reduction: xp.sign(target - x) * per_element(g, x.shape, reduction),
)
def l1(xp, x, target, *, reduction="mean"):
    """|x - target|."""
    return reduced(xp, xp.abs(x - target), reduction)


@op(
    floats=True,
    x=lambda xp, g, x, target, delta, reduction: (
        xp.clip(x - target, min=-delta, max=delta) * per_element(g, x.shape, reduction)
    ),
    target=lambda xp, g, x, target, delta, reduction: (
        xp.clip(target - x, min=-delta, max=delta) * per_element(g, x.shape, reduction)
    ),
)
def huber(xp, x, target, *, delta=1.0, reduction="mean"):
    """away**2 / 2 up to a distance of delta, then the tangent delta * (|away| - delta / 2) (Huber 1964)."""
    away = xp.abs(x - target)
    near = xp.minimum(away, delta)
    return reduced(xp, near * (away - 0.5 * near), reduction)


@op(
    floats=True,
    x=lambda xp, g, x, target, beta, reduction: (
        xp.clip((x - target) / beta, min=-1, max=1) * per_element(g, x.shape, reduction)
    ),
    target=lambda xp, g, x, target, beta, reduction: (
        xp.clip((target - x) / beta, min=-1, max=1) * per_element(g, x.shape, reduction)
    ),
)
def smooth_l1(xp, x, target, *, beta=1.0, reduction="mean"):
    """huber with delta = beta, divided by beta: its slope goes to 1 whatever beta (Girshick 2015, arXiv 1504.08083)."""
    away = xp.abs(x - target)
    near = xp.minimum(away, beta)
    return reduced(xp, near * (away - 0.5 * near) / beta, reduction)


# As in PyTorch the logarithms are held at -100 or more, so that a confident mistake costs 100 and not infinity, and the
# slope's denominator at 1e-12.
@op(
    floats=True,
    x=lambda xp, g, x, target, reduction: (
        (x - target) / xp.maximum(x * (1 - x), 1e-12) * per_element(g, x.shape, reduction)
    ),
    target=lambda xp, g, x, target, reduction: (_log(xp, 1 - x) - _log(xp, x)) * per_element(g, x.shape, reduction),
)
def bce(xp, x, target, *, reduction="mean"):
    """-(target * log(x) + (1 - target) * log(1 - x)) for probabilities x."""
    with xp.quiet():  # log 0 is meant
        yes, no = xp.maximum(xp.log(x), -100), xp.maximum(xp.log(1 - x), -100)
    return reduced(xp, (target - 1) * no - target * yes, reduction)


def _log(xp, x):
    return xp.log(xp.maximum(x, math.exp(-100)))  # held inside: the derivative of this is finite at 0 too


@op(
    floats=True,
    x=lambda xp, g, x, target, reduction: (xp.sigmoid(x) - target) * per_element(g, x.shape, reduction),
    target=lambda xp, g, x, reduction: -x * per_element(g, x.shape, reduction),
)
def bce_with_logits(xp, x, target, *, reduction="mean"):
    """bce(sigmoid(x), target) without overflow or cut-off: max(x, 0) - x * target + log(1 + exp(-|x|)) for logits x."""
    return reduced(xp, xp.maximum(x, 0) - x * target + xp.log1p(xp.exp(-xp.abs(x))), reduction)


@op(
    floats=True,
    # p - y, the probabilities less the one that should have been 1: that the slope is just this is why everybody
    # takes softmax and cross-entropy together.
    keeps={
        "error": lambda xp, x, labels: xp.softmax(x, axis=1) - xp.one_hot(labels, classes=x.shape[1], dtype=x.dtype)
    },
    x=lambda xp, g, error, labels_shape, reduction: (
        error * _by_row(xp, per_element(g, labels_shape, reduction), reduction)
    ),
)
def cross_entropy(xp, x, labels, *, reduction="mean"):
    """-log(softmax(x)[label]) for each row of the logits x, (n, classes); labels are n integers."""
    losses, error = _row_by_row(xp, x, labels)
    return reduced(xp, losses, reduction), error


def _row_by_row(xp, x, labels):
    """The loss of each row, and p - y."""
    # Class by class in memory, unless there are many: what is done to each row is then done to long runs. The step of a
    # 64-128-64-10 network, batch 128, takes 355 us for 372; beyond some 256 classes the copy costs more than it saves.
    x = xp.ascontiguousarray(x.T) if x.shape[1] <= 256 else x.T
    rows = xp.arange(len(labels))
    x = x - xp.max(x, axis=0)
    p = xp.exp(x)
    total = xp.sum(p, axis=0)
    losses = xp.log(total)
    losses -= x[labels, rows]
    p /= total
    p[labels, rows] -= 1
    return losses, p.T


# The labels of a GPU are not looked at, so whether some are to be ignored is not known there, and this one is taken.
@op(
    floats=True,
    keeps={
        "error": lambda xp, x, labels, ignore_index: xp.where(
            xp.reshape(labels != ignore_index, shape=(-1, 1)),
            xp.softmax(x, axis=1)
            - xp.one_hot(xp.where(labels != ignore_index, labels, 0), classes=x.shape[1], dtype=x.dtype),
            0,
        ),
        "share": lambda xp, x, labels, ignore_index, reduction: (
            1 / xp.maximum(xp.sum(xp.astype(labels != ignore_index, dtype=x.dtype)), 1) if reduction == "mean" else 1
        ),
    },
    x=lambda xp, g, error, share, reduction: error * (g * share if reduction == "mean" else _by_row(xp, g, reduction)),
)
def cross_entropy_of_kept(xp, x, labels, *, ignore_index, reduction="mean"):
    """cross_entropy, to which a row with the label `ignore_index` adds nothing, and for which it does not count."""
    kept = labels != ignore_index
    losses, error = _row_by_row(xp, x, xp.where(kept, labels, 0))
    losses, error = xp.where(kept, losses, 0), xp.where(kept[:, None], error, 0)
    if reduction != "mean":
        return reduced(xp, losses, reduction), error, xp.ones((), dtype=x.dtype)
    wide = losses.astype("float32") if x.dtype.char == "e" else losses
    count = xp.sum(xp.astype(kept, dtype=wide.dtype))
    with xp.quiet():  # no row is kept: 0 / 0 is the answer, and its slope 0
        mean, share = xp.sum(wide) / count, 1 / xp.maximum(count, 1)
    return xp.asarray(mean).astype(x.dtype), error, xp.asarray(share).astype(x.dtype)


def _by_row(xp, g, reduction):
    return xp.reshape(g, shape=(-1, 1)) if reduction == "none" else g


@op(
    floats=True,
    once={"kept": lambda xp, g, labels, ignore_index: labels != ignore_index},
    x=lambda xp, g, x, labels, weight, kept, reduction: (
        -xp.one_hot(xp.where(kept, labels, 0), classes=x.shape[1], dtype=x.dtype)
        * _by_row(xp, xp.where(kept, g * _share_of_row(xp, labels, weight, kept, x.dtype, reduction), 0), "none")
    ),
)
def nll(xp, x, labels, weight=None, *, ignore_index=-100, reduction="mean"):
    """-x[label] * weight[label] for each row of the log-probabilities x, (n, classes); labels are n integers.

    Rows whose label is `ignore_index` count for nothing. The mean is over the weights: it divides by their sum.
    """
    kept = labels != ignore_index
    picked = xp.where(kept, x[xp.arange(len(labels)), xp.where(kept, labels, 0)], 0)
    if x.dtype.char == "e":  # see reductions.half_in_single
        picked = picked.astype("float32")
    worth = _worth(xp, labels, weight, kept, picked.dtype)
    losses = -picked * worth
    if reduction != "none":
        losses = xp.sum(losses)
    if reduction == "mean":
        with xp.quiet():  # no row is kept: 0 / 0 is the answer
            losses = losses / xp.sum(worth)
    return xp.asarray(losses).astype(x.dtype, copy=False)


def _worth(xp, labels, weight, kept, dtype):
    """The weight of each row: that of its label, 1 without weights, 0 where the label is ignored."""
    worth = xp.astype(kept, dtype=dtype)
    if weight is None:
        return worth
    return worth * xp.astype(xp.take_along(weight, xp.where(kept, labels, 0), axis=0), dtype=dtype)


def _share_of_row(xp, labels, weight, kept, dtype, reduction):
    worth = _worth(xp, labels, weight, kept, dtype)
    return worth / xp.sum(worth) if reduction == "mean" else worth
