"""Rows picked by integers (embedding, one_hot), and elements dropped at random (dropout)."""

from __future__ import annotations

from lucid.core.array import float32, int64, to_device
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import as_int
from lucid.ops.checks import check_absent, check_integers, check_probability, check_range
from lucid.ops.elementwise import where
from lucid.ops.indexing import _getitem
from lucid.ops.random import random_mask
from lucid.ops.reductions import norm


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """weight[input], the rows of `weight`, (entries, features), that integers name: (...) gives (..., features).

    The row `padding_idx`, counted from the end if negative, gets no gradient. With `max_norm` the rows named whose
    `norm_type`-norm is above it are first scaled down to it, in place and not recorded. Raises TypeError if `input` is
    not a Tensor of integers, IndexError if it, or `padding_idx`, names a row that is not there, and ValueError for
    `scale_grad_by_freq` and `sparse`, which are not there.
    """
    check_absent("embedding", scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)
    check_integers("embedding", "input", input)
    check_range("embedding", "input", input, weight.shape[0], "rows of the weight")
    ids = to_device(input._array, weight.device)
    if max_norm is not None:
        table = weight.detach()
        rows = _getitem(table, index=(ids,))
        sizes = norm(rows, norm_type, -1, True)
        short = where(sizes > max_norm, max_norm / (sizes + 1e-7), 1.0)  # 1e-7: as PyTorch
        table[Tensor(ids)] = rows * short
    rows = _getitem(weight, index=(ids,))  # they are in range: weight[ids] would look again
    if padding_idx is None:
        return rows
    padding = (input == row_number("embedding", padding_idx, weight.shape[0])).unsqueeze(-1)
    return where(padding, rows.detach(), rows)


def row_number(caller: str, padding_idx: int, count: int) -> int:
    """`padding_idx` as one of 0 to count - 1."""
    row, count = as_int(caller, "padding_idx", padding_idx), as_int(caller, "num_embeddings", count)
    if not -count <= row < count:
        expected = f"expected {-count} to {count - 1}"
        raise IndexError(f"{caller}: padding_idx {padding_idx} is not one of the {count} rows; {expected}")
    return row % count


@op()
def _one_hot(xp, x, *, classes, dtype):
    out = xp.zeros((x.size, classes), dtype=dtype)
    out[xp.arange(x.size), x.reshape(-1)] = 1
    return out.reshape((*x.shape, classes))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """For each label a row of `num_classes` zeros with a 1 at the label: (...) gives (..., num_classes).

    The result is int64. `num_classes=-1` takes the largest label plus one. Raises TypeError if `tensor` is not a
    Tensor of integers; IndexError if a label is negative, or not below `num_classes`; and ValueError if there are
    no labels to take `num_classes` from.

    >>> from lucid import tensor
    >>> one_hot(tensor([0, 2]), num_classes=3).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    check_integers("one_hot", "tensor", tensor)
    if as_int("one_hot", "num_classes", num_classes) == -1:
        if not tensor.numel():
            raise ValueError("one_hot: no labels, so num_classes must be given")
        num_classes = max(int(tensor.max().item()) + 1, 1)
    check_range("one_hot", "tensor", tensor, num_classes, "classes")
    return _one_hot(tensor, classes=num_classes, dtype=int64)


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """x * kept / (1 - p), where each `kept` is 0 with probability `p` and else 1; x itself unless `training`. The mean
    stays what it was. Raises ValueError if `p` is not in [0, 1]. Source: Srivastava et al. 2014, "Dropout: a simple way
    to prevent neural networks from overfitting"."""
    return _dropout("dropout", input, p, training, input.shape)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """`dropout` of whole channels of (n, channels, length) or (channels, length), as neighbours in one are so alike
    that single elements would hardly be missed (arXiv 1411.4280). Raises ValueError also for other numbers of dims."""
    if input.ndim not in (2, 3):
        raise ValueError(f"dropout1d: expected (n, channels, length) or (channels, length), got shape {input.shape}")
    return _dropout("dropout1d", input, p, training, (*input.shape[:-1], 1))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """`dropout1d` of images, (n, channels, height, width). (Of an input of three dims PyTorch takes the second for the
    channels, and warns that this will change.)"""
    if input.ndim != 4:
        hint = "for one image write x.unsqueeze(0), and for (n, channels, length) use dropout1d"
        raise ValueError(f"dropout2d: expected (n, channels, height, width), got shape {input.shape}; {hint}")
    return _dropout("dropout2d", input, p, training, (*input.shape[:2], 1, 1))


def _dropout(caller: str, input: Tensor, p: float, training: bool, shape: tuple[int, ...]) -> Tensor:
    """`input` times a mask of `shape`, scaled; unless `training`, the input itself."""
    check_probability(caller, p)
    if not (training and p):
        return input
    dtype = input.dtype if input.is_floating_point() else float32
    return input * Tensor(random_mask(shape, p, dtype, input.device))
