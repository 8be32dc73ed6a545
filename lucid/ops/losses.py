"""Losses: one number for how wrong a prediction is.

Each takes predictions and what they should have been, and a `reduction`: "none" gives the loss of each element, "sum"
adds them up, "mean" divides that by their number.
"""

from __future__ import annotations

import math

from lucid.core.array import cpu, device_of, namespace
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import as_number, ndim_of
from lucid.core.reductions import mean_weight
from lucid.ops.activations import logsigmoid
from lucid.ops.checks import UNSIGNED, as_float, check_integers, check_range, known_within
from lucid.ops.elementwise import clamp, maximum, minimum, where
from lucid.ops.norms import _in_single, pairwise_distance, weighed
from lucid.ops.reductions import minus

REDUCTIONS = ("mean", "sum", "none")
KL_REDUCTIONS = ("batchmean", *REDUCTIONS)


def _reduce(xp, losses, reduction):
    """The losses, their sum or their mean: what a forward returns."""
    if reduction == "none":
        return losses
    total = xp.sum(losses)
    return total if reduction == "sum" else total / losses.size


def _reduce_tensor(losses: Tensor, reduction: str) -> Tensor:
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def _element_gradient(g, shape, reduction, factor=1):
    """The gradient of each element's loss, times `factor`: the vjps multiply it by the derivative of that loss."""
    if reduction == "mean":
        factor = factor * mean_weight(math.prod(shape))
    return g if factor == 1 else g * factor


def check_reduction(caller: str, reduction: str, allowed: tuple[str, ...] = REDUCTIONS) -> None:
    """Refuse a `reduction` that the loss does not have."""
    if reduction not in allowed:
        *others, last = map(repr, allowed)
        raise ValueError(f"{caller}: reduction must be {', '.join(others)} or {last}, got {reduction!r}")


def _check_pair(caller: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Refuse an input and a target that are not Tensors of one shape, and an unknown `reduction`."""
    if reduction not in REDUCTIONS:
        check_reduction(caller, reduction)
    if input._array.shape != target._array.shape:
        hint = "make them equal, with reshape, unsqueeze or expand (broadcasting here is nearly always a mistake)"
        raise ValueError(f"{caller}: input has shape {tuple(input.shape)} but target {tuple(target.shape)}; {hint}")


@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, target, reduction: (x - target) * _element_gradient(g, x.shape, reduction, 2),
    target=lambda xp, g, x, target, reduction: (target - x) * _element_gradient(g, x.shape, reduction, 2),
)  # fmt: skip
def _mse(xp, x, target, *, reduction="mean"):
    difference = x - target
    difference *= difference
    return _reduce(xp, difference, reduction)


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)**2. Raises ValueError if the shapes differ, or `reduction` is unknown."""
    _check_pair("mse_loss", input, target, reduction)
    return _mse(input, target, reduction=reduction)


@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, target, reduction: xp.sign(x - target) * _element_gradient(g, x.shape, reduction),
    target=lambda xp, g, x, target, reduction: xp.sign(target - x) * _element_gradient(g, x.shape, reduction),
)  # fmt: skip
def _l1(xp, x, target, *, reduction="mean"):
    return _reduce(xp, xp.abs(x - target), reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|. Raises ValueError if the shapes differ, or `reduction` is unknown."""
    _check_pair("l1_loss", input, target, reduction)
    return _l1(input, target, reduction=reduction)


@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, target, delta, over, reduction: (
        xp.clip(x - target, min=-delta, max=delta) / over * _element_gradient(g, x.shape, reduction)
    ),
    target=lambda xp, g, x, target, delta, over, reduction: (
        xp.clip(target - x, min=-delta, max=delta) / over * _element_gradient(g, x.shape, reduction)
    ),
)  # fmt: skip
def _huber(xp, x, target, *, delta=1.0, over=1.0, reduction="mean"):
    distance = xp.abs(x - target)
    near = xp.minimum(distance, delta)
    return _reduce(xp, near * (distance - 0.5 * near) / over, reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d**2 / 2 for d = |input - target| up to delta, beyond it delta * (d - delta / 2) (Huber 1964). Raises
    ValueError if the shapes differ, `reduction` is unknown, or `delta` is not positive."""
    _check_pair("huber_loss", input, target, reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return _huber(input, target, delta=float(delta), reduction=reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """huber_loss with delta = beta, divided by beta; with beta = 0, l1_loss (Girshick 2015, arXiv 1504.08083).
    Raises ValueError if the shapes differ, `reduction` is unknown, or `beta` is negative."""
    _check_pair("smooth_l1_loss", input, target, reduction)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must be 0 or more, got {beta}")
    if beta == 0:
        return _l1(input, target, reduction=reduction)
    return _huber(input, target, delta=float(beta), over=float(beta), reduction=reduction)


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target * (log(target) - input) for log-probabilities `input`: the terms of the Kullback-Leibler divergence.

    The target holds probabilities, or with `log_target` their logarithms; 0 * log(0) counts as 0. The reduction
    "batchmean" divides the sum by the first dim's length, which is the divergence by its definition; "mean" divides
    it by the number of elements. Raises ValueError if the shapes differ, or `reduction` is unknown.
    """
    check_reduction("kl_div", reduction, KL_REDUCTIONS)
    _check_pair("kl_div", input, target, "sum")
    logs = target if log_target else where(target == 0, 1.0, target).log()
    with namespace(input._array).quiet():
        losses = weighed(target.exp() if log_target else target, logs - input)
    if reduction == "batchmean":
        return _in_single(lambda x: x.sum() / (input.shape[0] if input.ndim else 1), losses)
    return _reduce_tensor(losses, reduction)


# As in PyTorch the logarithms are held at -100 or more, so that a confident mistake costs 100 and not infinity, and the
# slope's denominator at 1e-12.
@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, target, reduction: (
        (x - target) / xp.maximum(x * (1 - x), 1e-12) * _element_gradient(g, x.shape, reduction)
    ),
    target=lambda xp, g, x, reduction: (
        (_bounded_log(xp, 1 - x) - _bounded_log(xp, x)) * _element_gradient(g, x.shape, reduction)
    ),
)  # fmt: skip
def _bce(xp, x, target, *, reduction="mean"):
    with xp.quiet():  # log 0 is meant
        log_yes, log_no = xp.maximum(xp.log(x), -100), xp.maximum(xp.log(1 - x), -100)
    return _reduce(xp, (target - 1) * log_no - target * log_yes, reduction)


def _bounded_log(xp, x):
    return xp.log(xp.maximum(x, math.exp(-100)))  # bounded inside: the derivative of this is finite at 0 too


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)) * weight for probabilities; no log goes below -100.

    The target has the shape of `input`; the weight of each element's loss broadcasts to that, and the mean divides by
    the number of elements all the same. Raises ValueError if the shapes differ, `reduction` is unknown, or `input` is
    not made of probabilities.
    """
    caller = "binary_cross_entropy"
    _check_pair(caller, input, target, reduction)
    if input.device == "cpu" and input.numel():
        low, high = cpu.min(input._array), cpu.max(input._array)
        if low < 0 or high > 1:  # NaN passes: it shows in the result
            got = f"{low if low < 0 else high}; apply a sigmoid, or give the logits to {caller}_with_logits"
            raise ValueError(f"{caller}: input must hold probabilities, 0 to 1, got {got}")
    if weight is None:
        return _bce(input, target, reduction=reduction)
    _check_weight(caller, "weight", weight, input)
    return _reduce_tensor(_bce(input, target, reduction="none") * weight, reduction)


@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, target, reduction: (xp.sigmoid(x) - target) * _element_gradient(g, x.shape, reduction),
    target=lambda xp, g, x, reduction: xp.weighed(_element_gradient(g, x.shape, reduction), -x),
)  # fmt: skip
def _bce_with_logits(xp, x, target, *, reduction="mean"):
    rest = xp.log1p(xp.exp(-xp.abs(x)))
    with xp.quiet():
        out = _reduce(xp, xp.maximum(x, 0) - x * target + rest, reduction)
        if not known_within(out, -math.inf, math.inf):  # an infinite logit: what it is multiplied by may be 0
            yes, no = xp.weighed(target, xp.maximum(-x, 0)), xp.weighed(1 - target, xp.maximum(x, 0))
            out = _reduce(xp, yes + no + rest, reduction)
    return out


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """binary_cross_entropy(sigmoid(x), target) without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)).

    Arguments are those of `binary_cross_entropy`, with logits as `input`, and `pos_weight`: of the part of the loss
    that belongs to the target, in a shape that broadcasts to it; above 1 it makes a missed 1 worse than a false
    one. Raises ValueError if the shapes differ, or `reduction` is unknown.
    """
    caller = "binary_cross_entropy_with_logits"
    _check_pair(caller, input, target, reduction)
    if pos_weight is None:
        losses = _bce_with_logits(input, target, reduction=reduction if weight is None else "none")
        if weight is None:
            return losses
    else:
        _check_weight(caller, "pos_weight", pos_weight, input)
        losses = -weighed(1 - target, logsigmoid(-input)) - weighed(pos_weight * target, logsigmoid(input))
    if weight is not None:
        _check_weight(caller, "weight", weight, input)
        losses = weighed(weight, losses)
    return _reduce_tensor(losses, reduction)


def _check_weight(caller: str, name: str, weight: Tensor, input: Tensor) -> None:
    pairs = zip(weight.shape[::-1], input.shape[::-1], strict=False)
    if weight.ndim > input.ndim or any(m not in (1, n) for m, n in pairs):
        shapes = f"of shape {weight.shape} does not broadcast to the input's shape {input.shape}"
        raise ValueError(f"{caller}: {name} {shapes}")


@op(
    floats=True, in_single="cpu",
    # The slope is p - y, the probabilities less the one that should have been 1.
    aux_outputs={"error": lambda xp, x, labels: _error_of_rows(xp, x, labels)},
    x=lambda xp, g, error, labels_shape, reduction: (
        error * _for_rows(xp, _element_gradient(g, labels_shape, reduction), reduction)
    ),
)  # fmt: skip
def _cross_entropy(xp, x, labels, *, reduction="mean"):
    """-log(softmax(x)[label]) for each row of the logits x, (n, classes); labels are n integers."""
    losses, error = _row_losses(xp, x, labels)
    return _reduce(xp, losses, reduction), error


def _error_of_rows(xp, x, labels):
    return xp.softmax(x, axis=1) - xp.one_hot(labels, classes=x.shape[1], dtype=x.dtype)


def _row_losses(xp, x, labels):
    """The loss of each row, (n,), and p - y, (n, classes)."""
    # Class by class in memory, unless there are many: what is done to each row is then done to long runs. The step of a
    # 64-128-64-10 network, batch 128, takes 355 us for 372; beyond some 256 classes the copy costs more than it saves.
    x = xp.ascontiguousarray(x.T) if x.shape[1] <= 256 else x.T  # (classes, n)
    rows = xp.arange(len(labels))
    x = minus(xp, x, xp.max(x, axis=0))
    p = xp.exp(x)
    total = xp.sum(p, axis=0)
    losses = xp.log(total)
    losses -= x[labels, rows]
    p /= total
    p[labels, rows] -= 1
    return losses, p.T


def _for_rows(xp, g, reduction):
    """A gradient of losses in a shape that multiplies rows: (n, 1), or one number if they were reduced."""
    return xp.reshape(g, shape=(-1, 1)) if reduction == "none" else g


# Labels on a GPU are not read by the host, which therefore cannot know whether some are to be ignored, and takes this.
@op(
    floats=True, in_single="cpu",
    aux_outputs={
        "error": lambda xp, x, labels, ignore_index: xp.where(
            (labels != ignore_index)[:, None],
            _error_of_rows(xp, x, xp.where(labels != ignore_index, labels, 0)), 0,
        ),
        "share": lambda xp, x, labels, ignore_index, reduction: (
            1 / xp.maximum(xp.sum(xp.astype(labels != ignore_index, dtype=x.dtype)), 1) if reduction == "mean" else 1
        ),
    },
    x=lambda xp, g, error, share, reduction: (
        error * (g * share if reduction == "mean" else _for_rows(xp, g, reduction))
    ),
)  # fmt: skip
def cross_entropy_ignore_index(xp, x, labels, *, ignore_index, reduction="mean"):
    """cross_entropy, to which a row with the label `ignore_index` adds nothing, and for which it does not count."""
    kept = labels != ignore_index
    losses, error = _row_losses(xp, x, xp.where(kept, labels, 0))
    losses, error = xp.where(kept, losses, 0), xp.where(kept[:, None], error, 0)
    if reduction != "mean":
        return _reduce(xp, losses, reduction), error, xp.ones((), dtype=x.dtype)
    count = xp.sum(xp.astype(kept, dtype=x.dtype))
    with xp.quiet():  # no row is kept: 0 / 0 is the answer, and its slope 0
        mean, share = xp.sum(losses) / count, 1 / xp.maximum(count, 1)
    return xp.asarray(mean), error, xp.asarray(share)


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """-log(softmax(input)[target]): how surprised the logits `input` are by the true classes.

    Args:
        input: logits; shape (classes,), (n, classes) or (n, classes, d1, ...).
        target: integer labels from 0, in the shape of `input` without its class dimension; or the probabilities of
            all classes, floating point, in the shape of `input`.
        weight: (classes,), what a surprise by each class counts; the mean of labels divides by their weights' sum.
        ignore_index: a label, not necessarily a class, whose places count for nothing.
        reduction: "mean" (over all labels), "sum" or "none".
        label_smoothing: the share of the target that is spread evenly over all classes (arXiv 1512.00567).

    Raises TypeError if `target` is not a Tensor of integers or floats; ValueError if the shapes do not fit,
    `reduction` is unknown, or `label_smoothing` is not in [0, 1]; IndexError if a label is neither `ignore_index` nor
    one of 0 to classes - 1.

    >>> from lucid import tensor
    >>> round(cross_entropy(tensor([[2.0, 1.0, 0.1]]), tensor([0])).item(), 4)
    0.417
    """
    if label_smoothing:
        label_smoothing = as_number("cross_entropy", "label_smoothing", label_smoothing)
        check_smoothing("cross_entropy", label_smoothing)
    if isinstance(target, Tensor) and target.dtype.kind == "f":
        return _in_single(_soft_cross_entropy, input, target, weight, ignore_index, reduction, label_smoothing)
    rows, labels, all_count = _rows_and_labels("cross_entropy", input, target, weight, ignore_index, reduction)
    if weight is not None or label_smoothing:
        out = _in_single(_weighted_cross_entropy, rows, labels, weight, ignore_index, reduction, label_smoothing)
    elif all_count:
        out = _cross_entropy(rows, labels, reduction=reduction)
    else:
        out = cross_entropy_ignore_index(rows, labels, ignore_index=ignore_index, reduction=reduction)
    return out if rows is input or reduction != "none" else out.reshape(target.shape)


def check_smoothing(caller: str, label_smoothing: float) -> None:
    """Refuse a `label_smoothing` outside of [0, 1]."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{caller}: label_smoothing is a share and must be in [0, 1], got {label_smoothing}")


def _rows_and_labels(
    caller: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Tensor, bool]:
    """Check everything; give the logits as (n, classes), the labels as (n,), and whether all are known to count."""
    if reduction not in REDUCTIONS:
        check_reduction(caller, reduction)
    check_integers(caller, "target", target)
    shape = input.shape
    if not shape:
        raise ValueError(f"{caller}: input needs a class dimension, got a single number")
    expected = _labels_shape(shape)
    if target.shape != expected:
        hint = ""
        if target.shape == shape and caller == "cross_entropy":
            hint = "; probabilities of all classes must be floats: convert them with .float()"
        elif len(shape) > 2 and target.shape == shape[:-1]:
            move = "transpose(1, 2)" if len(shape) == 3 else "movedim(-1, 1)"
            hint = f"; the classes are dim 1 of the input: if they are the last dim here, give input.{move}"
        needs = f"needs a target of shape {expected} (integer labels), got shape {target.shape}{hint}"
        raise ValueError(f"{caller}: input of shape {shape} {needs}")
    classes = shape[1] if len(shape) > 1 else shape[0]
    if weight is not None:
        _check_class_weight(caller, weight, classes)
    labels = target._array  # of labels on a GPU nothing is known at once
    all_count = device_of(labels) == "cpu" and not 0 <= ignore_index < classes
    # Read as unsigned, a negative number is a huge one: one look at the array instead of two.
    if not all_count or labels.size and cpu.max(labels.view(UNSIGNED[labels.itemsize])) >= classes:
        check_range(caller, "target", target, classes, "classes", ignore_index)
        all_count = False
    if len(shape) == 2:
        return input, target, all_count
    rows = (input.movedim(1, -1) if len(shape) > 2 else input).reshape(-1, classes)
    return rows, target.reshape(-1), all_count


def _labels_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the labels for logits of `shape`."""
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


def _check_class_weight(caller: str, weight: Tensor, classes: int) -> None:
    if weight.shape != (classes,):
        raise ValueError(f"{caller}: weight must have shape ({classes},), one for each class, got shape {weight.shape}")


def _weighted_cross_entropy(
    rows: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    logs, weight = rows.log_softmax(1), None if weight is None else weight.detach().to(rows.dtype)
    loss = nll(logs, labels, weight, ignore_index=ignore_index, reduction=reduction)
    if not smoothing:
        return loss
    kept = labels != ignore_index
    spread = where(kept, -(logs if weight is None else weighed(weight, logs)).sum(1), 0.0)
    if reduction != "none":
        spread = spread.sum()
    if reduction == "mean":
        row_weight = kept if weight is None else where(kept, weight[where(kept, labels, 0)], 0.0)
        with namespace(rows._array).quiet():  # no label is kept: 0 / 0 is the answer
            spread = spread / row_weight.sum()
    return loss * (1 - smoothing) + spread * (smoothing / rows.shape[1])


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """cross_entropy for a target of probabilities."""
    if input.shape != target.shape == _labels_shape(input.shape):
        must = f"and labels must be integers, got {target.dtype}; convert it with .long()"
        raise TypeError(f"cross_entropy: target has the shape of labels, {target.shape}, {must}")
    _check_pair("cross_entropy", input, target, reduction)
    if ignore_index >= 0:
        hint = "but target holds probabilities; make those of a place 0 instead"
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} is for labels, {hint}")
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    logs = input.log_softmax(dim)
    if weight is not None:
        _check_class_weight("cross_entropy", weight, classes)
        logs = weighed(weight.detach().to(logs.dtype).reshape((-1,) + (1,) * max(input.ndim - 2, 0)), logs)
    return _reduce_tensor(-weighed(target, logs).sum(dim), reduction)


@op(
    floats=True, in_single=True,
    shared={
        "kept": lambda xp, g, labels, ignore_index: labels != ignore_index,
        "weights": lambda xp, g, x, labels, weight, kept: _row_weights(xp, labels, weight, kept, x.dtype),
    },
    x=lambda xp, g, x, labels, kept, weights, reduction: (
        -xp.one_hot(xp.where(kept, labels, 0), classes=x.shape[1], dtype=x.dtype)
        * xp.where(kept, g * (weights / xp.sum(weights) if reduction == "mean" else weights), 0)[:, None]
    ),
)  # fmt: skip
def nll(xp, x, labels, weight=None, *, ignore_index=-100, reduction="mean"):
    """-x[label] * weight[label] for each row of the log-probabilities x, (n, classes); labels are n integers.

    Rows whose label is `ignore_index` count for nothing. The mean is over the weights: it divides by their sum.
    """
    kept = labels != ignore_index
    picked = xp.where(kept, x[xp.arange(len(labels)), xp.where(kept, labels, 0)], 0)
    weights = _row_weights(xp, labels, weight, kept, x.dtype)
    losses = -xp.weighed(weights, picked)
    if reduction != "none":
        losses = xp.sum(losses)
    if reduction == "mean":
        with xp.quiet():  # no row is kept: 0 / 0 is the answer
            losses = losses / xp.sum(weights)
    return xp.asarray(losses)


def _row_weights(xp, labels, weight, kept, dtype):
    """The weight of each row: that of its label, 1 without weights, 0 where the label is ignored."""
    weights = xp.astype(kept, dtype=dtype)
    if weight is None:
        return weights
    return weights * xp.astype(xp.take_along(weight, xp.where(kept, labels, 0), axis=0), dtype=dtype)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-input[target] * weight[target] for log-probabilities `input`: cross_entropy without its log_softmax.

    Arguments and errors are those of `cross_entropy` with labels.
    """
    rows, labels, _ = _rows_and_labels("nll_loss", input, target, weight, ignore_index, reduction)
    out = nll(rows, labels, weight, ignore_index=ignore_index, reduction=reduction)
    return out if rows is input or reduction != "none" else out.reshape(target.shape)


def _check_dims(caller: str, reduction: str, **tensors: Tensor) -> None:
    """Refuse what is no Tensor, numbers of dims that differ, and an unknown `reduction`."""
    check_reduction(caller, reduction)
    if len({ndim_of(caller, tensor) for tensor in tensors.values()}) > 1:
        *others, last = [f"{name} of shape {tensor.shape}" for name, tensor in tensors.items()]
        raise ValueError(f"{caller}: expected tensors of as many dims, got {', '.join(others)} and {last}")


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """max(0, margin - target * (input1 - input2)): where target is 1 the first should rank higher by `margin`, where it
    is -1 the second. Raises ValueError for other numbers of dims, or an unknown `reduction`."""
    _check_dims("margin_ranking_loss", reduction, input1=input1, input2=input2, target=target)
    return _reduce_tensor(clamp(margin - target * (input1 - input2), min=0), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """A distance `input` where target is 1, and max(0, margin - input) where it is -1: what is alike should be near,
    and the rest beyond `margin`. Raises ValueError for an unknown `reduction`."""
    _check_pair("hinge_embedding_loss", input, target, reduction)
    far, near = where(target == 1, 0.0, clamp(margin - input, min=0)), where(target == -1, 0.0, input)
    return _reduce_tensor(far + near, reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1, for inputs (n, features) and a
    target (n,), or (features,) and (). Raises ValueError for other numbers of dims, or an unknown `reduction`."""
    _check_dims("cosine_embedding_loss", reduction, input1=input1, input2=input2)
    if ndim_of("cosine_embedding_loss", target) != input1.ndim - 1 or input1.ndim > 2:
        expected = "expected two inputs (n, features) and a target (n,), or (features,) and ()"
        raise ValueError(f"cosine_embedding_loss: {expected}, got shapes {input1.shape} and {target.shape}")
    squares = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)  # 1e-12: as PyTorch
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    alike, apart = where(target == 1, 1 - cosine, 0.0), where(target == -1, clamp(cosine - margin, min=0), 0.0)
    return _reduce_tensor(alike + apart, reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, *, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, |anchor - positive| - |anchor - negative| + margin), by `pairwise_distance`; with `swap` the distance of
    the negative from the positive counts where it is less (Balntas et al. 2016). Raises ValueError for a
    margin that is not positive, differing numbers of dims, or an unknown `reduction`."""
    _check_dims("triplet_margin_loss", reduction, anchor=anchor, positive=positive, negative=negative)
    if not margin > 0:
        raise ValueError(f"triplet_margin_loss: margin must be positive, got {margin}")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduce_tensor(clamp(near - far + margin, min=0), reduction)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, eps: float = 1e-8, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """exp(input) - target * input, the negative log-likelihood of counts `target` whose expected number is exp(input);
    without `log_input` input - target * log(input + eps). It lacks log(target!), which `full` adds by Stirling's rule
    where target is above 1. Raises ValueError for an unknown `reduction`."""
    _check_pair("poisson_nll_loss", input, target, reduction)
    eps = as_float("poisson_nll_loss", "eps", eps)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        n = where(target > 1, target, 1.0)  # log(0!) and log(1!) are 0
        losses = losses + where(target > 1, n * n.log() - n + 0.5 * (2 * math.pi * n).log(), 0.0)
    return _reduce_tensor(losses, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """(log(v) + (input - target)**2 / v) / 2 with v = max(var, eps): the negative log-likelihood of `target` under the
    normal distribution of mean `input` and variance `var` (Nix and Weigend 1994); `full` adds log(2 pi) / 2. The
    variance has the shape of `input`, or lacks its last dim, or has 1 there; or is one number. Its slope is that of v,
    below eps too, as in PyTorch. Raises ValueError for another shape, a negative variance (on the CPU), or an unknown
    `reduction`."""
    _check_pair("gaussian_nll_loss", input, target, reduction)
    if not isinstance(var, Tensor):
        var = input.new_tensor(as_float("gaussian_nll_loss", "var", var)).expand(input.shape)
    if var.shape != input.shape:
        if var.shape == input.shape[:-1] and input.ndim:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or var.shape[:-1] != input.shape[:-1] or var.shape[-1] != 1:
            raise ValueError(f"gaussian_nll_loss: var of shape {var.shape} does not go with input of {input.shape}")
    if var.device == "cpu" and var.numel() and (var.detach().min() < 0).item():
        raise ValueError(f"gaussian_nll_loss: var must be 0 or more, got {var.min().item()}")
    bounded = var + (maximum(var, var.new_tensor(as_float("gaussian_nll_loss", "eps", eps))) - var).detach()
    losses = 0.5 * (bounded.log() + (input - target).square() / bounded)
    return _reduce_tensor(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
