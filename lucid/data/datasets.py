"""What to learn from: samples by number (Dataset), or one after the other (IterableDataset).

A subclass defines what a sample is; the rest here joins datasets, or takes parts of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import floor, isclose
from operator import index
from typing import Any

from lucid.core.array import Array, cpu, int64
from lucid.core.node import Tensor
from lucid.data.collate import batch_of
from lucid.data.samplers import check_seed, draw_seed, permutation
from lucid.ops.create import as_tensor
from lucid.ops.random import Generator


class Dataset:
    """Samples by number: a subclass defines `__getitem__(i)`, for i from 0 to len - 1, and `__len__()`.

    One that can pick many samples faster than one by one also defines `take(indices)`, for a list of ints: it
    returns what collating the samples would give."""

    def __getitem__(self, i: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__; define what sample number i is")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__; define how many samples there are")


class IterableDataset:
    """Samples in the order in which they come: a subclass defines `__iter__()`, which begins anew each time.

    For what has no numbers, or no end: a stream, the lines of a file. One that knows how many samples there
    are also defines `__len__()`, and one whose epochs differ `set_epoch(epoch)`, which a DataLoader calls
    before each of them."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__; define what its samples are")


class TensorDataset(Dataset):
    """Tensors side by side: sample i is the tuple of their rows i. NumPy arrays are wrapped, not copied; a pandas
    Series is an array, too. A TypeError for what is neither; a ValueError if there are none, one has no dimensions,
    or their lengths differ.

    >>> from lucid import tensor
    >>> pairs = TensorDataset(tensor([[1.0], [2.0], [3.0]]), tensor([0, 1, 0]))
    >>> len(pairs), pairs[1]
    (3, (tensor([2.]), tensor(1)))
    """

    def __init__(self, *tensors: Tensor | Array) -> None:
        for x in tensors:
            if not hasattr(x, "__array__"):
                raise TypeError(f"TensorDataset: expected Tensors, got {type(x).__name__}; wrap it: lucid.tensor(...)")
        shapes = [tuple(x.shape) for x in tensors]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            given = ", ".join(map(str, shapes)) or "none at all"
            raise ValueError(f"TensorDataset: expected tensors of one length, got shapes {given}")
        self.tensors = tuple(as_tensor(x) for x in tensors)

    def __getitem__(self, i: Any) -> tuple[Tensor, ...]:
        return tuple(x[i] for x in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def take(self, indices: list[int]) -> tuple[Tensor, ...]:
        """The rows `indices` of every tensor: a batch in one indexing operation each."""
        rows = cpu.asarray(indices, dtype=int64)
        return tuple(x[rows] for x in self.tensors)


class Subset(Dataset):
    """The samples of `dataset` with the numbers `indices`, in that order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, [index(i) for i in indices]

    def __getitem__(self, i: int) -> Any:
        return self.dataset[self.indices[i]]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: list[int]) -> Any:
        """The batch of these samples, at once if the dataset has `take`."""
        return batch_of(self.dataset, [self.indices[i] for i in indices])


class ConcatDataset(Dataset):
    """Several datasets, one after the other; a ValueError if there are none."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset, got none")
        self.ends = list(accumulate(len(dataset) for dataset in self.datasets))

    def __getitem__(self, i: int) -> Any:
        count = len(self)
        if not -count <= index(i) < count:
            raise IndexError(f"ConcatDataset has {count} samples, and so no sample {i}")
        i = index(i) % count
        k = bisect_right(self.ends, i)
        return self.datasets[k][i - (self.ends[k - 1] if k else 0)]

    def __len__(self) -> int:
        return self.ends[-1]


def random_split(
    dataset: Any, lengths: Iterable[float], seed: int | None = None, *, generator: Generator | None = None
) -> list[Subset]:
    """Distribute the samples at random over Subsets of these lengths, or of these fractions of the whole.

    What rounding fractions down leaves over goes to the first subsets, one each. `seed` fixes the split;
    without one it is drawn from `generator`, lucid's own unless given. A ValueError if the lengths do not add up to
    `len(dataset)`, or the fractions to 1; or one is negative.

    >>> train, test = random_split(range(10), [0.8, 0.2], seed=0)
    >>> len(train), len(test)
    (8, 2)
    """
    total, lengths = len(dataset), list(lengths)
    if all(0 <= fraction <= 1 for fraction in lengths) and isclose(sum(lengths), 1, abs_tol=1e-9):
        sizes = [floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
    elif sum(lengths) == total and all(length >= 0 and length % 1 == 0 for length in lengths):
        sizes = [int(length) for length in lengths]
    else:
        expected = f"lengths must add up to the {total} samples there are, or be fractions that add up to 1"
        raise ValueError(f"random_split: {expected}; got {lengths}")
    seed = check_seed("random_split", seed)
    order = permutation(total, draw_seed(generator) if seed is None else seed)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(accumulate(sizes), sizes, strict=True)]
