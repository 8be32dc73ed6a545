"""Losses: one number for how wrong a prediction is.

`reduction` is "mean", "sum", or "none" for the loss of each element.
"""

from __future__ import annotations

from collections.abc import Callable

from lucid.backend import cpu
from lucid.nn.functional.checks import (
    REDUCTIONS,
    check_integers,
    check_pair,
    check_range,
    check_reduction,
    check_tensor,
)
from lucid.ops import losses
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


def binary_cross_entropy(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)) for probabilities; no log goes below -100.

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
    return losses.bce(input, target, reduction=reduction)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """binary_cross_entropy(sigmoid(x), target) without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)).

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    check_pair("binary_cross_entropy_with_logits", input, target, reduction)
    return losses.bce_with_logits(input, target, reduction=reduction)


def cross_entropy(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-log(softmax(input)[target]): how surprised the logits `input` are by the true classes.

    Args:
        input: logits; shape (classes,), (n, classes) or (n, classes, d1, ...).
        target: integer labels from 0, in the shape of `input` without its class dimension; or the
            probabilities of all classes, floating point, in the shape of `input`.
        reduction: "mean" (over all labels), "sum" or "none".

    Raises:
        TypeError: if `target` is not a Tensor of integers or floats.
        ValueError: if the shapes do not fit, or `reduction` is unknown.
        IndexError: if a label is negative, or not below the number of classes.

    >>> from lucid import tensor
    >>> round(cross_entropy(tensor([[2.0, 1.0, 0.1]]), tensor([0])).item(), 4)
    0.417
    """
    if isinstance(target, Tensor) and target.dtype.kind == "f":
        return _soft_cross_entropy(input, target, reduction)
    return _of_labels("cross_entropy", losses.cross_entropy, input, target, reduction)


def nll_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-input[target] for log-probabilities `input`; shapes and errors as `cross_entropy` with labels."""
    return _of_labels("nll_loss", losses.nll, input, target, reduction)


def _of_labels(
    who: str, loss: Callable[..., Tensor], input: Tensor, target: Tensor, reduction: str
) -> Tensor:
    """Check the labels, lay logits out as (n, classes), and give each loss back its label's place."""
    if reduction not in REDUCTIONS:
        check_reduction(who, reduction)
    check_integers(who, "target", target)
    check_tensor(who, "input", input)
    shape = input.shape
    if not shape:
        raise ValueError(f"{who}: input needs a class dimension, got a single number")
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if target.shape != expected:
        raise ValueError(
            f"{who}: input of shape {shape} needs a target of shape {expected} (integer labels), "
            f"got shape {target.shape}"
        )
    classes = shape[1] if len(shape) > 1 else shape[0]
    check_range(who, "target", target, classes, "classes")
    if len(shape) == 2:
        return loss(input, target, reduction=reduction)
    rows = (input.movedim(1, -1) if len(shape) > 2 else input).reshape(-1, classes)
    out = loss(rows, target.reshape(-1), reduction=reduction)
    return out.reshape(expected) if reduction == "none" else out


def _soft_cross_entropy(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    check_pair("cross_entropy", input, target, reduction)
    dim = 1 if input.ndim > 1 else 0
    each = -(target * input.log_softmax(dim)).sum(dim)
    return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()
