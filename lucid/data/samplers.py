"""In which order do samples come? Their numbers, one by one (a Sampler) or in batches (BatchSampler)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import chain, islice
from typing import Any

from lucid.ops.checks import check_count
from lucid.ops.random import Generator, generator, stream

DRAWN = 65_536  # numbers drawn at once with replacement


class Sampler:
    """Numbers of samples, in the order in which they are wanted: a subclass defines `__iter__()`, and `__len__()`.

    One whose epochs differ also defines `set_epoch(epoch)`: a DataLoader calls it before each of them, with 0, 1, 2
    and so on. The order should depend on that number, not on how often it was iterated over: a loader that is resumed
    in epoch 7 begins there. One whose length depends on the batches defines `set_batches(batch_size, drop_last)`."""

    def __init__(self, data_source: Any = None) -> None:  # which PyTorch's took, and kept nothing of
        pass

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__; define the order of the samples")


class SequentialSampler(Sampler):
    """0, 1, 2, ... up to the length of `data_source`."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """The numbers of the samples in random order, another one each epoch.

    Args:
        data_source: has a length.
        replacement: draw each number anew from all of them, so that it may come twice, and another not at all.
        num_samples: how many numbers an epoch has; `len(data_source)` unless given. Without replacement a greater
            number goes through the samples again, in another order.
        generator: what the seed is drawn from, when the first epoch begins; lucid's own unless given.
        seed: of the order, to know it beforehand.

    Numbers are drawn as they are asked for, at most 65,536 at a time or as many as there are samples. A TypeError or
    ValueError for a `replacement` that is no bool, a `num_samples` that is not an int of 1 or more, and a seed that is
    negative.

    >>> sampler = RandomSampler(range(4), seed=0)
    >>> list(sampler), list(sampler)
    ([2, 0, 1, 3], [3, 0, 2, 1])
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
        generator: Generator | None = None, *, seed: int | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be True or False, got {replacement!r}")
        if num_samples is not None:
            num_samples = check_count("RandomSampler", "num_samples", num_samples, 1)
        self.data_source, self.replacement, self._num_samples = data_source, replacement, num_samples
        self.generator, self.seed, self.epoch = generator, check_seed("RandomSampler", seed), 0

    @property
    def num_samples(self) -> int:
        """How many numbers an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration give the order of this epoch, counted from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        if self.seed is None:
            self.seed = draw_seed(self.generator)
        epoch, self.epoch, count = self.epoch, self.epoch + 1, len(self.data_source)
        if not count:
            return iter(())
        if self.replacement:
            drawn, sizes = seeded(self.seed, epoch), range(0, len(self), DRAWN)
            orders = (drawn.integers(count, size=min(DRAWN, len(self) - at)).tolist() for at in sizes)
        else:
            seeds = (self.seed, epoch)
            orders = (permutation(count, *seeds, *[i] * (i > 0)) for i in range(-(-len(self) // count)))
        return islice(chain.from_iterable(orders), len(self))

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` of the numbers that `sampler` gives, the last of them shorter, or left out
    (`drop_last`); a TypeError or ValueError for a batch size that is not an int of 1 or more.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size, 1)
        self.sampler, self.drop_last = sampler, drop_last
        if hasattr(sampler, "set_batches"):
            sampler.set_batches(self.batch_size, drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the sampler, if it has a `set_epoch`."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[Any]]:
        numbers = iter(self.sampler)
        while batch := list(islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def permutation(count: int, *seeds: int) -> list[int]:
    """The numbers below `count` in an order that depends on `seeds` alone."""
    return seeded(*seeds).permutation(count).tolist()


def seeded(*seeds: int) -> Any:
    """A generator of the kind of lucid's own, started from `seeds`."""
    ours = generator()
    return type(ours)(type(ours.bit_generator)(seeds))


def draw_seed(own: Generator | None = None) -> int:
    """A seed from this generator, or from lucid's."""
    return int(stream(own).integers(2**63))


def check_seed(caller: str, seed: int | None) -> int | None:
    """`seed` as an int, or None; refuses everything else."""
    return None if seed is None else check_count(caller, "seed", seed)
