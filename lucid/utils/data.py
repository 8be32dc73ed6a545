"""Data in batches: what to learn from (Dataset), and in which order (DataLoader).

The order of a shuffled loader is a function of two numbers, its seed and the epoch. So "how far are we?" is
answered by plain numbers (`DataLoader.state_dict`), and a run that is resumed sees exactly the batches it
would have seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import floor, isclose
from operator import index
from typing import Any

from lucid.backend import Array, cpu, generator, int64, is_array
from lucid.creation import as_tensor, tensor
from lucid.functions import stack
from lucid.tensor import Tensor

# -- datasets ------------------------------------------------------------------------------------------------


class Dataset:
    """Samples by number: a subclass defines `__getitem__(i)`, for i from 0 to len - 1, and `__len__()`.

    One that can pick many samples faster than one by one also defines `take(indices)`, for a list of ints: it
    returns what collating the samples would give.
    """

    def __getitem__(self, i: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__; define what sample number i is")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__; define how many samples there are")


class TensorDataset(Dataset):
    """Tensors side by side: sample i is the tuple of their rows i. NumPy arrays are wrapped, not copied.

    Raises:
        TypeError: for something that is neither Tensor nor array.
        ValueError: if there are none, one has no dimensions, or their lengths differ.

    >>> from lucid import tensor
    >>> pairs = TensorDataset(tensor([[1.0], [2.0], [3.0]]), tensor([0, 1, 0]))
    >>> len(pairs), pairs[1]
    (3, (tensor([2.]), tensor(1)))
    """

    def __init__(self, *tensors: Tensor | Array) -> None:
        for one in tensors:
            if not isinstance(one, Tensor) and not is_array(one):
                raise TypeError(
                    f"TensorDataset: expected Tensors, got {type(one).__name__}; wrap it: lucid.tensor(...)"
                )
        shapes = [tuple(one.shape) for one in tensors]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                "TensorDataset: expected tensors of one length, got shapes "
                f"{', '.join(map(str, shapes)) or 'none at all'}"
            )
        self.tensors = tuple(as_tensor(one) for one in tensors)

    def __getitem__(self, i: Any) -> tuple[Tensor, ...]:
        return tuple(one[i] for one in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def take(self, indices: list[int]) -> tuple[Tensor, ...]:
        """The rows `indices` of every tensor: a batch in one indexing operation each."""
        rows = cpu.asarray(indices, dtype=int64)
        return tuple(one[rows] for one in self.tensors)


class Subset(Dataset):
    """The samples of `dataset` with the numbers `indices`, in that order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, [index(i) for i in indices]

    def __getitem__(self, i: int) -> Any:
        return self.dataset[self.indices[i]]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: list[int]) -> Any:
        """The batch of these samples, at once if the dataset can do that."""
        return collated(self.dataset, [self.indices[i] for i in indices])


class ConcatDataset(Dataset):
    """Several datasets, one after the other.

    Raises:
        ValueError: if there are none.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset, got none")
        self.ends = list(accumulate(len(dataset) for dataset in self.datasets))

    def __getitem__(self, i: int) -> Any:
        i = _in_range("ConcatDataset", i, len(self))
        which = bisect_right(self.ends, i)
        return self.datasets[which][i - (self.ends[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.ends[-1]


def random_split(dataset: Any, lengths: Iterable[float], seed: int | None = None) -> list[Subset]:
    """Deal the samples out at random into Subsets of these lengths, or of these fractions of the whole.

    What rounding fractions down leaves over goes to the first subsets, one each. `seed` fixes the split;
    without one it is drawn from lucid's generator.

    Raises:
        ValueError: if the lengths do not add up to `len(dataset)`, or the fractions to 1; or one is negative.

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
        raise ValueError(
            f"random_split: lengths must add up to the {total} samples there are, or be fractions that "
            f"add up to 1; got {lengths}"
        )
    order = permutation(total, drawn_seed() if seed is None else checked_seed("random_split", seed))
    ends = list(accumulate(sizes))
    return [Subset(dataset, order[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


# -- batches -------------------------------------------------------------------------------------------------


def default_collate(samples: Sequence[Any]) -> Any:
    """Samples as one batch: Tensors and arrays stacked, numbers in a Tensor, tuples and dicts by entry.

    Python floats become float32, ints int64; strings stay a list.

    Raises:
        TypeError: for samples of another type.
        ValueError: if the samples' shapes or lengths differ.

    >>> from lucid import tensor
    >>> default_collate([(tensor([1.0, 2.0]), 0), (tensor([3.0, 4.0]), 1)])
    (tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1]))
    """
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(list(samples))
    if is_array(first):
        return stack([as_tensor(sample) for sample in samples])
    if hasattr(first, "dtype") and hasattr(first, "item"):  # a NumPy scalar
        return as_tensor(cpu.asarray(samples))
    if isinstance(first, bool | int | float):
        return tensor(list(samples))
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple | list):
        if len({len(sample) for sample in samples}) > 1:
            raise ValueError(
                f"default_collate: samples of differing lengths {[len(s) for s in samples]}; pad them, or "
                "give the DataLoader a collate_fn of your own"
            )
        fields = [default_collate(field) for field in zip(*samples, strict=True)]
        if hasattr(first, "_fields"):  # a namedtuple
            return type(first)(*fields)
        return type(first)(fields)
    raise TypeError(
        f"default_collate: cannot make a batch of samples of type {type(first).__name__}; return Tensors, "
        "arrays, numbers, strings, or tuples, lists or dicts of these, or give the DataLoader a collate_fn"
    )


def collated(dataset: Any, indices: list[int], collate_fn: Callable[[list[Any]], Any] | None = None) -> Any:
    """The batch of these samples: at once if the dataset has `take`, else sample by sample."""
    if collate_fn is None and hasattr(dataset, "take"):
        return dataset.take(indices)
    return (collate_fn or default_collate)([dataset[i] for i in indices])


class DataLoader:
    """Batches of a dataset: iterate over it once an epoch.

    The order of a shuffled epoch depends on `seed` and on how many epochs there were before, and on nothing
    else. There are no worker processes: batches are made when they are asked for.

    Args:
        dataset: has `len()` and `[i]`; a Dataset, or a list.
        batch_size: samples a batch.
        shuffle: whether every epoch has an order of its own.
        drop_last: leave out the last batch if it is smaller than the others.
        collate_fn: list of samples -> batch; `default_collate` unless given.
        sampler: gives the order instead: an iterable of indices, asked anew each epoch; excludes `shuffle`.
        seed: of the shuffling; without one it is drawn from lucid's generator when the first epoch begins.

    Raises:
        TypeError, ValueError: for a batch size that is not an int of 1 or more, a negative seed, or a sampler
            together with `shuffle`.

    >>> from lucid import arange
    >>> for (x,) in DataLoader(TensorDataset(arange(5)), batch_size=2):
    ...     print(x.tolist())
    [0, 1]
    [2, 3]
    [4]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        sampler: Iterable[int] | None = None,
        seed: int | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int):
            raise TypeError(f"DataLoader: batch_size must be an int, got {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be 1 or more, got {batch_size}")
        if sampler is not None and shuffle:
            raise ValueError(
                "DataLoader: a sampler sets the order itself; leave out shuffle=True, or the sampler"
            )
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.drop_last, self.collate_fn, self.sampler = drop_last, collate_fn, sampler
        self.seed = None if seed is None else checked_seed("DataLoader", seed)
        self._position = (0, 0)  # epoch and batch that come next
        self._next = (0, 0)  # where the next iteration begins: the same, unless it is to begin anew

    def __len__(self) -> int:
        """How many batches an epoch has."""
        samples = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        (epoch, done), self._next = self._next, (self._next[0] + 1, 0)
        order, size = self._order(epoch), self.batch_size
        end = len(order) - len(order) % size if self.drop_last else len(order)
        for start in range(done * size, end, size):
            self._position = (epoch, start // size + 1)
            yield collated(self.dataset, order[start : start + size], self.collate_fn)
        self._position = (epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is, in plain values; every batch that was handed out counts as done.

        In a loop that was left early that is the middle of its epoch, although to iterate again would begin the
        next one. What a sampler, or a dataset that draws random numbers, does is theirs to remember.
        """
        epoch, batch = self._position
        return {
            "seed": self.seed, "epoch": epoch, "batch": batch,
            "samples": len(self.dataset), "batch_size": self.batch_size, "shuffle": self.shuffle,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called: the next iteration gives the batches still to come then.

        Raises:
            ValueError: if it is not such a state, or that of a loader with another dataset length, batch size
                or `shuffle`; nothing has changed then.
        """
        here = self.state_dict()
        if (
            not isinstance(state, Mapping)
            or state.keys() != here.keys()
            or not all(type(state[key]) is int and state[key] >= 0 for key in ("epoch", "batch"))
        ):
            raise ValueError(
                f"DataLoader.load_state_dict: expected what state_dict() gave, with {', '.join(here)}; got {state!r}"
            )
        for key in ("samples", "batch_size", "shuffle"):
            if state[key] != here[key]:
                raise ValueError(
                    f"DataLoader.load_state_dict: the state is of a loader with {key}={state[key]!r}, this "
                    f"one has {here[key]!r}; make it as it was made then"
                )
        self.seed = None if state["seed"] is None else checked_seed("DataLoader", state["seed"])
        self._position = self._next = (state["epoch"], state["batch"])

    def _order(self, epoch: int) -> list[int]:
        if self.sampler is not None:
            return list(self.sampler)
        if not self.shuffle:
            return list(range(len(self.dataset)))
        if self.seed is None:
            self.seed = drawn_seed()
        return permutation(len(self.dataset), self.seed, epoch)


# -- order ---------------------------------------------------------------------------------------------------


def permutation(count: int, *seeds: int) -> list[int]:
    """The numbers below `count` in an order that depends on `seeds` alone."""
    ours = generator()
    order: list[int] = type(ours)(type(ours.bit_generator)(seeds)).permutation(count).tolist()
    return order


def drawn_seed() -> int:
    """A seed from lucid's generator."""
    return int(generator().integers(2**63))


def checked_seed(who: str, seed: int) -> int:
    """Refuse what is no seed."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"{who}: seed must be an int or None, got {seed!r}")
    if index(seed) < 0:
        raise ValueError(f"{who}: seed must be 0 or more, got {seed}")
    return index(seed)


def _in_range(who: str, i: int, count: int) -> int:
    if not -count <= index(i) < count:
        raise IndexError(f"{who} has {count} samples, and so no sample {i}")
    return index(i) % count
