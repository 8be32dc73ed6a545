"""Losses: one number for how wrong a prediction is.

`reduction` is "mean", "sum", or "none" for the loss of each element.
"""

from __future__ import annotations

from lucid.backend import cpu, namespace
from lucid.functions import where
from lucid.nn.functional.checks import (
    REDUCTIONS,
    check_integers,
    check_kl_reduction,
    check_labels,
    check_pair,
    check_reduction,
    check_smoothing,
    check_tensor,
)
from lucid.ops import losses
from lucid.ops.activations import logsigmoid
from lucid.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)**2.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    check_pair("mse_loss", input, target, reduction)
    return losses.mse(input, target, reduction=reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    check_pair("l1_loss", input, target, reduction)
    return losses.l1(input, target, reduction=reduction)


def huber_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """away**2 / 2 for away = |input - target| up to delta, beyond it delta * (away - delta / 2) (Huber 1964).

    Raises:
        ValueError: if the shapes differ, `reduction` is unknown, or `delta` is not positive.
    """
    check_pair("huber_loss", input, target, reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return losses.huber(input, target, delta=float(delta), reduction=reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """huber_loss with delta = beta, divided by beta; with beta = 0, l1_loss (arXiv 1504.08083).

    Raises:
        ValueError: if the shapes differ, `reduction` is unknown, or `beta` is negative.
    """
    check_pair("smooth_l1_loss", input, target, reduction)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must be 0 or more, got {beta}")
    if beta == 0:
        return losses.l1(input, target, reduction=reduction)
    return losses.smooth_l1(input, target, beta=float(beta), reduction=reduction)


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target * (log(target) - input) for log-probabilities `input`: how much is lost by taking them for the target's.

    Args:
        input: log-probabilities.
        target: probabilities, or with `log_target` their logarithms; 0 * log(0) counts as 0.
        reduction: "batchmean" divides the sum by the first dim's length, which is the divergence by its definition;
            "mean" divides it by the number of elements.
        log_target: whether the target holds logarithms.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    check_kl_reduction("kl_div", reduction)
    check_pair("kl_div", input, target, "sum")
    if log_target:
        each = target.exp() * (target - input)
    else:
        each = target * (where(target == 0, 1.0, target).log() - input)
    if reduction == "batchmean":
        return each.sum() / (input.shape[0] if input.ndim else 1)
    return _reduced(each, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)) * weight for probabilities; no log goes below -100.

    Args:
        input: probabilities.
        target: what they should have been, in the same shape.
        weight: of each element's loss, in a shape that broadcasts to that; the mean divides by the number of
            elements all the same.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ, `reduction` is unknown, or `input` is not made of probabilities.
    """
    check_pair("binary_cross_entropy", input, target, reduction)
    if input.device == "cpu" and input.numel():
        low, high = cpu.min(input._array), cpu.max(input._array)
        if low < 0 or high > 1:  # NaN passes: it shows in the result
            found = low if low < 0 else high
            raise ValueError(
                f"binary_cross_entropy: input must hold probabilities, 0 to 1, got {found}; "
                "apply a sigmoid, or give the logits to binary_cross_entropy_with_logits"
            )
    if weight is None:
        return losses.bce(input, target, reduction=reduction)
    _check_weight("binary_cross_entropy", "weight", weight, input)
    return _reduced(losses.bce(input, target, reduction="none") * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy(sigmoid(x), target) without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)).

    Args:
        input: logits x.
        target: what their sigmoids should have been, in the same shape.
        weight: of each element's loss, in a shape that broadcasts to that.
        reduction: "mean", "sum" or "none".
        pos_weight: of the part of the loss that belongs to the target, in a shape that broadcasts: above 1 it makes
            a missed 1 worse than a false one.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    who = "binary_cross_entropy_with_logits"
    check_pair(who, input, target, reduction)
    if weight is None and pos_weight is None:
        return losses.bce_with_logits(input, target, reduction=reduction)
    if pos_weight is None:
        each = losses.bce_with_logits(input, target, reduction="none")
    else:
        _check_weight(who, "pos_weight", pos_weight, input)
        each = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    if weight is not None:
        _check_weight(who, "weight", weight, input)
        each = each * weight
    return _reduced(each, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log(softmax(input)[target]): how surprised the logits `input` are by the true classes.

    Args:
        input: logits; shape (classes,), (n, classes) or (n, classes, d1, ...).
        target: integer labels from 0, in the shape of `input` without its class dimension; or the
            probabilities of all classes, floating point, in the shape of `input`.
        weight: (classes,), what a surprise by each class counts; the mean of labels divides by the sum of their
            weights.
        ignore_index: a label, not necessarily a class, whose places count for nothing.
        reduction: "mean" (over all labels), "sum" or "none".
        label_smoothing: the share of the target that is spread evenly over all classes (arXiv 1512.00567).

    Raises:
        TypeError: if `target` is not a Tensor of integers or floats.
        ValueError: if the shapes do not fit, `reduction` is unknown, or `label_smoothing` is not in [0, 1].
        IndexError: if a label is negative, or not below the number of classes, and not `ignore_index`.

    >>> from lucid import tensor
    >>> round(cross_entropy(tensor([[2.0, 1.0, 0.1]]), tensor([0])).item(), 4)
    0.417
    """
    who = "cross_entropy"
    if label_smoothing:
        check_smoothing(who, label_smoothing)
    if isinstance(target, Tensor) and target.dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    rows, labels, everyone = _laid_out(who, input, target, weight, ignore_index, reduction)
    if everyone and weight is None and not label_smoothing:
        out = losses.cross_entropy(rows, labels, reduction=reduction)
    elif weight is None and not label_smoothing:
        out = losses.cross_entropy_of_kept(rows, labels, ignore_index=ignore_index, reduction=reduction)
    else:
        weight = None if weight is None else weight.detach().to(rows.dtype)
        out = _weighted_cross_entropy(rows, labels, weight, ignore_index, reduction, label_smoothing)
    return out if rows is input or reduction != "none" else out.reshape(target.shape)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[target] * weight[target] for log-probabilities `input`: cross_entropy without its log_softmax.

    Arguments and errors are those of `cross_entropy` with labels.
    """
    rows, labels, _ = _laid_out("nll_loss", input, target, weight, ignore_index, reduction)
    out = losses.nll(rows, labels, weight, ignore_index=ignore_index, reduction=reduction)
    return out if rows is input or reduction != "none" else out.reshape(target.shape)


def _laid_out(
    who: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Tensor, bool]:
    """Check everything; give the logits as (n, classes), the labels as (n,), and whether all are known to count."""
    if reduction not in REDUCTIONS:
        check_reduction(who, reduction)
    check_integers(who, "target", target)
    check_tensor(who, "input", input)
    shape = input.shape
    if not shape:
        raise ValueError(f"{who}: input needs a class dimension, got a single number")
    expected = _labels_shape(shape)
    if target.shape != expected:
        hint = ""
        if target.shape == shape and who == "cross_entropy":
            hint = "; probabilities of all classes must be floats: convert them with .float()"
        elif len(shape) > 2 and target.shape == shape[:-1]:
            move = "transpose(1, 2)" if len(shape) == 3 else "movedim(-1, 1)"
            hint = f"; the classes are dim 1 of the input: if they are the last dim here, give input.{move}"
        raise ValueError(
            f"{who}: input of shape {shape} needs a target of shape {expected} (integer labels), "
            f"got shape {target.shape}{hint}"
        )
    classes = shape[1] if len(shape) > 1 else shape[0]
    if weight is not None:
        _check_class_weight(who, weight, classes)
    everyone = check_labels(who, "target", target, classes, ignore_index)
    if len(shape) == 2:
        return input, target, everyone
    rows = (input.movedim(1, -1) if len(shape) > 2 else input).reshape(-1, classes)
    return rows, target.reshape(-1), everyone


def _labels_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the labels for logits of `shape`."""
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


def _weighted_cross_entropy(
    rows: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    logs = rows.log_softmax(1)
    loss = losses.nll(logs, labels, weight, ignore_index=ignore_index, reduction=reduction)
    if not smoothing:
        return loss
    kept = labels != ignore_index
    spread = where(kept, -(logs if weight is None else logs * weight).sum(1), 0.0)
    if reduction != "none":
        spread = spread.sum()
    if reduction == "mean":
        worth = kept if weight is None else where(kept, weight[where(kept, labels, 0)], 0.0)
        with namespace(rows._array).quiet():  # no label is kept: 0 / 0 is the answer
            spread = spread / worth.sum()
    return loss * (1 - smoothing) + spread * (smoothing / rows.shape[1])


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    if isinstance(input, Tensor) and input.shape != target.shape == _labels_shape(input.shape):
        raise TypeError(
            f"cross_entropy: target has the shape of labels, {target.shape}, and labels must be integers, got "
            f"{target.dtype}; convert it with .long()"
        )
    check_pair("cross_entropy", input, target, reduction)
    if ignore_index >= 0:
        raise ValueError(
            f"cross_entropy: ignore_index={ignore_index} is for labels, but target holds probabilities; make those "
            "of a place 0 instead"
        )
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    logs = input.log_softmax(dim)
    if weight is not None:
        _check_class_weight("cross_entropy", weight, classes)
        logs = logs * weight.detach().to(logs.dtype).reshape((-1,) + (1,) * max(input.ndim - 2, 0))
    return _reduced(-(target * logs).sum(dim), reduction)


def _reduced(each: Tensor, reduction: str) -> Tensor:
    return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()


def _check_weight(who: str, name: str, weight: Tensor, input: Tensor) -> None:
    check_tensor(who, name, weight)
    pairs = zip(weight.shape[::-1], input.shape[::-1], strict=False)
    if weight.ndim > input.ndim or any(m not in (1, n) for m, n in pairs):
        raise ValueError(f"{who}: {name} of shape {weight.shape} does not broadcast to the input's shape {input.shape}")


def _check_class_weight(who: str, weight: Tensor, classes: int) -> None:
    check_tensor(who, "weight", weight)
    if weight.shape != (classes,):
        raise ValueError(f"{who}: weight must have shape ({classes},), one for each class, got shape {weight.shape}")
