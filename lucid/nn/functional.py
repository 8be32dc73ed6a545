"""Functions of neural networks that have no memory: `import lucid.nn.functional as F`.

The mathematics is in `lucid.ops`. Here arguments get PyTorch's names and are checked: what an operation would
broadcast, wrap around or turn into NaN without a word is refused, with what was wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Callable

from lucid.backend import cpu, device_of, float32, generator, int64, to_device
from lucid.functions import log_softmax as log_softmax
from lucid.functions import softmax as softmax
from lucid.ops import functions, indexing, losses
from lucid.ops.functions import relu as relu
from lucid.ops.functions import sigmoid as sigmoid
from lucid.ops.functions import silu as silu
from lucid.ops.functions import tanh as tanh
from lucid.ops.fused import linear as linear
from lucid.shaping import pad as pad
from lucid.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")

# -- activations ---------------------------------------------------------------------------------------------


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * P(Z <= x), Z standard normal (arXiv 1606.08415); `approximate="tanh"` takes the paper's tanh form.

    Raises:
        ValueError: for another `approximate`.
    """
    check_approximate(approximate)
    return functions.gelu(input, approximate=approximate)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (Maas et al. 2013)."""
    return functions.leaky_relu(input, negative_slope=float(negative_slope))


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (arXiv 1511.07289)."""
    return functions.elu(input, alpha=float(alpha))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, a smooth relu; x itself where beta * x exceeds `threshold`."""
    return functions.softplus(input, beta=float(beta), threshold=float(threshold))


# -- layers without weights of their own ---------------------------------------------------------------------


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each element to 0 with probability `p` and divide the others by 1 - p; nothing unless `training`.

    The mean stays what it was, so that nothing needs scaling when training is over. Source: Srivastava et al.
    2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Raises:
        ValueError: if `p` is not in [0, 1].
    """
    check_probability("dropout", p)
    if not training or p == 0:
        return input
    kept = generator().random(input.shape, dtype=float32) >= p
    mask = kept.astype(input.dtype if input.is_floating_point() else float32)
    if p < 1:
        mask /= 1 - p
    return input * Tensor(to_device(mask, device_of(input._array)))


def embedding(input: Tensor, weight: Tensor) -> Tensor:
    """The rows of `weight`, (entries, features), that integers `input` name: (...) gives (..., features).

    Raises:
        TypeError: if `input` is not a Tensor of integers.
        IndexError: if it names a row that is not there.
    """
    _check_integers("embedding", "input", input)
    _check_range("embedding", "input", input, weight.shape[0], "rows of the weight")
    return weight[input]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """For each label a row of `num_classes` zeros with a 1 at the label: (...) gives (..., num_classes).

    The result is int64. `num_classes=-1` takes the largest label plus one.

    Raises:
        TypeError: if `tensor` is not a Tensor of integers.
        IndexError: if a label is negative, or not below `num_classes`.
        ValueError: if there are no labels to take `num_classes` from.

    >>> from lucid import tensor
    >>> one_hot(tensor([0, 2]), num_classes=3).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    _check_integers("one_hot", "tensor", tensor)
    if num_classes == -1:
        if not tensor.numel():
            raise ValueError("one_hot: no labels, so num_classes must be given")
        num_classes = max(int(tensor.max().item()) + 1, 1)
    _check_range("one_hot", "tensor", tensor, num_classes, "classes")
    return indexing.one_hot(tensor, classes=num_classes, dtype=int64)


# -- losses --------------------------------------------------------------------------------------------------
# `reduction` is "mean", "sum", or "none" for the loss of each element.


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)**2.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    _check_pair("mse_loss", input, target, reduction)
    return losses.mse(input, target, reduction=reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|.

    Raises:
        ValueError: if the shapes differ, or `reduction` is unknown.
    """
    _check_pair("l1_loss", input, target, reduction)
    return losses.l1(input, target, reduction=reduction)


def huber_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """away**2 / 2 for away = |input - target| up to delta, beyond it delta * (away - delta / 2) (Huber 1964).

    Raises:
        ValueError: if the shapes differ, `reduction` is unknown, or `delta` is not positive.
    """
    _check_pair("huber_loss", input, target, reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return losses.huber(input, target, delta=float(delta), reduction=reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """huber_loss with delta = beta, divided by beta; with beta = 0, l1_loss (arXiv 1504.08083).

    Raises:
        ValueError: if the shapes differ, `reduction` is unknown, or `beta` is negative.
    """
    _check_pair("smooth_l1_loss", input, target, reduction)
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
    _check_pair("binary_cross_entropy", input, target, reduction)
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
    _check_pair("binary_cross_entropy_with_logits", input, target, reduction)
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
    _check_integers(who, "target", target)
    _check_tensor(who, "input", input)
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
    _check_range(who, "target", target, classes, "classes")
    if len(shape) == 2:
        return loss(input, target, reduction=reduction)
    rows = (input.movedim(1, -1) if len(shape) > 2 else input).reshape(-1, classes)
    out = loss(rows, target.reshape(-1), reduction=reduction)
    return out.reshape(expected) if reduction == "none" else out


def _soft_cross_entropy(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    _check_pair("cross_entropy", input, target, reduction)
    dim = 1 if input.ndim > 1 else 0
    each = -(target * input.log_softmax(dim)).sum(dim)
    return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()


UNSIGNED = {size: cpu.zeros(0, dtype=f"u{size}").dtype for size in (1, 2, 4, 8)}

# -- checks --------------------------------------------------------------------------------------------------


def check_reduction(who: str, reduction: str) -> None:
    """Refuse a `reduction` that no loss has."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{who}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def check_approximate(approximate: str) -> None:
    """Refuse a form that gelu does not have."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


def check_probability(who: str, p: float) -> None:
    """Refuse a `p` that is no probability."""
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: p is a probability and must be in [0, 1], got {p}")


def _check_pair(who: str, input: Tensor, target: Tensor, reduction: str) -> None:
    if reduction not in REDUCTIONS:
        check_reduction(who, reduction)
    _check_tensor(who, "target", target)
    _check_tensor(who, "input", input)
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"{who}: input has shape {tuple(input.shape)} but target {tuple(target.shape)}; make them equal, "
            "with reshape, unsqueeze or expand (broadcasting here is nearly always a mistake)"
        )


def _check_tensor(who: str, name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{who}: {name} must be a Tensor, got {type(value).__name__}; use lucid.tensor(...)")


def _check_integers(who: str, name: str, indices: Tensor) -> None:
    _check_tensor(who, name, indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{who}: {name} must hold integers, got {indices.dtype}; convert it with .long()")


def _check_range(who: str, name: str, indices: Tensor, count: int, of: str) -> None:
    """Refuse an index that is not one of 0 to count - 1 (NumPy wraps below 0); a GPU is not waited for."""
    array = indices._array
    if not array.size or device_of(array) != "cpu":
        return
    # Read as unsigned, a negative number is a huge one: one look at the array instead of two.
    if cpu.max(array.view(UNSIGNED[array.itemsize])) >= count:
        found = min(cpu.min(array), 0) or cpu.max(array)
        raise IndexError(
            f"{who}: {name} holds {found}, but there are {count} {of}, numbered from 0; "
            f"expected 0 to {count - 1}: correct {name}, or make room for more {of}"
        )
