"""What layers do with their weights: dropout, embedding and their kin."""

from __future__ import annotations

from lucid.backend import device_of, float32, generator, int64, to_device
from lucid.nn.functional.checks import check_integers, check_probability, check_range
from lucid.ops import indexing
from lucid.tensor import Tensor


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
    check_integers("embedding", "input", input)
    check_range("embedding", "input", input, weight.shape[0], "rows of the weight")
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
    check_integers("one_hot", "tensor", tensor)
    if num_classes == -1:
        if not tensor.numel():
            raise ValueError("one_hot: no labels, so num_classes must be given")
        num_classes = max(int(tensor.max().item()) + 1, 1)
    check_range("one_hot", "tensor", tensor, num_classes, "classes")
    return indexing.one_hot(tensor, classes=num_classes, dtype=int64)
