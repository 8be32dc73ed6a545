"""Batches of a dataset, one after the other, from a position that can be saved and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from lucid.data.collate import batch_of
from lucid.data.datasets import IterableDataset
from lucid.data.samplers import BatchSampler, RandomSampler, SequentialSampler, check_seed
from lucid.ops.checks import check_count


class DataLoader:
    """Batches of a dataset: iterate over it once an epoch.

    The order of a shuffled epoch depends on `seed` and on how many epochs there were before, and on nothing else.
    There are no worker processes: a batch is made when the iteration gets there.

    Args:
        dataset: has `len()` and `[i]`, a Dataset or a list; or an IterableDataset, which sets the order itself.
        batch_size: samples a batch.
        shuffle: whether every epoch has an order of its own.
        sampler: gives the order instead: an iterable of indices, iterated over each epoch (see Sampler.set_epoch).
        batch_sampler: gives the batches instead: an iterable of lists of indices, iterated over each epoch.
        num_workers: 0, as there are none.
        collate_fn: list of samples -> batch; `default_collate` unless given.
        pin_memory: changes nothing: batches lie in ordinary memory, and `x.to("cuda")` waits for its copy.
        drop_last: leave out the last batch if it is smaller than the others.
        seed: of the shuffling; without one it is drawn from lucid's generator when the first epoch begins.

    A TypeError for what is no dataset, and for a batch size or a seed that is not an int; a ValueError for a
    batch size below 1, a negative seed, workers, and options of which one makes the other pointless: a
    sampler and `shuffle`, a batch sampler and `batch_size`.

    >>> from lucid import arange
    >>> from lucid.utils.data import TensorDataset
    >>> for (x,) in DataLoader(TensorDataset(arange(5)), batch_size=2):
    ...     print(x.tolist())
    [0, 1]
    [2, 3]
    [4]
    """

    def __init__(
        self, dataset: Any, batch_size: int = 1, shuffle: bool | None = False, *,
        sampler: Iterable[int] | None = None, batch_sampler: Iterable[Iterable[int]] | None = None,
        num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None, pin_memory: bool = False,
        drop_last: bool = False, seed: int | None = None,
    ) -> None:  # fmt: skip
        if num_workers != 0:
            why = "batches are made in this process, when they are needed (a dataset with a `take` makes them at once)"
            raise ValueError(f"DataLoader: num_workers must be 0, got {num_workers!r}; {why}")
        batch_size = check_count("DataLoader", "batch_size", batch_size, 1)
        check_seed("DataLoader", seed)
        order = {"shuffle": shuffle, "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
        batches, seeded = {"batch_size": batch_size != 1, "drop_last": drop_last}, {"seed": seed is not None}
        self.streamed, self.dataset, self.collate_fn = isinstance(dataset, IterableDataset), dataset, collate_fn
        self.sampler: Any = sampler
        if self.streamed:
            _refuse("an IterableDataset sets the order itself", order | seeded)
            self.sampler = dataset  # a batch then holds its samples themselves, not their numbers
        elif isinstance(dataset, tuple) and dataset and all(getattr(x, "shape", ()) for x in dataset):
            instead = "write DataLoader(TensorDataset(x, y)) for the rows of both, or give a list if each is a sample"
            raise TypeError(f"DataLoader: expected a dataset, got a tuple of {len(dataset)} arrays; {instead}")
        elif not hasattr(dataset, "__getitem__"):
            given = type(dataset).__name__
            raise TypeError(f"DataLoader: a dataset has len() and [i], or is an IterableDataset; got {given}")
        elif batch_sampler is not None:
            del order["batch_sampler"]
            _refuse("a batch_sampler makes the batches itself", order | batches | seeded)
            self.sampler = getattr(batch_sampler, "sampler", None)
        elif sampler is not None:
            _refuse("a sampler sets the order itself", {"shuffle": shuffle} | seeded)
        else:
            self.sampler = RandomSampler(dataset, seed=seed) if shuffle else SequentialSampler(dataset)
        own = batch_sampler is None
        self.batch_sampler: Any = BatchSampler(self.sampler, batch_size, drop_last) if own else batch_sampler
        self.batch_size = batch_size if own else None
        self.shuffle, self.drop_last = bool(shuffle), drop_last
        # Epoch and batch that come next, and where an iteration begins: elsewhere after a loop left early.
        self._position = self._next = (0, 0)

    @property
    def seed(self) -> int | None:
        """Of the shuffling, a RandomSampler's; None while it has not been drawn, and where there is no shuffling."""
        return self.sampler.seed if isinstance(self.sampler, RandomSampler) else None

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        (epoch, done), self._next = self._next, (self._next[0] + 1, 0)
        if hasattr(self.batch_sampler, "set_epoch"):
            self.batch_sampler.set_epoch(epoch)
        for number, batch in enumerate(islice(self.batch_sampler, done, None), done + 1):
            self._position = (epoch, number)
            yield batch_of(None if self.streamed else self.dataset, list(batch), self.collate_fn)
        self._position = (epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """The position of the loader, in plain values; every batch that was returned counts as done.

        In a loop that was left early that is the middle of its epoch, although to iterate again would begin the
        next one. The seed of a RandomSampler is part of it; the state of another sampler, or of a dataset that draws
        random numbers, is not."""
        position = {"seed": self.seed, "epoch": self._position[0], "batch": self._position[1]}
        samples = len(self.dataset) if hasattr(self.dataset, "__len__") else None
        return {**position, "samples": samples, "batch_size": self.batch_size, "shuffle": self.shuffle}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was called: the next iteration gives the batches still to come then.

        An IterableDataset is read from its beginning, and the samples of the batches before are skipped. A
        ValueError if it is not such a state, or that of a loader with another dataset length, batch size or
        `shuffle`; nothing has changed then."""
        here, caller = self.state_dict(), "DataLoader.load_state_dict"
        complete = isinstance(state, Mapping) and state.keys() == here.keys()
        if not complete or not all(type(n) is int and n >= 0 for n in (state["epoch"], state["batch"])):
            expected = f"expected what state_dict() gave, with {', '.join(here)}"
            raise ValueError(f"{caller}: {expected}; got {state!r}")
        for key in ("samples", "batch_size", "shuffle"):
            if state[key] != here[key]:
                theirs = f"the state is of a loader with {key}={state[key]!r}"
                raise ValueError(f"{caller}: {theirs}, this one has {here[key]!r}; make it as it was made then")
        seed = check_seed("DataLoader", state["seed"])
        if isinstance(self.sampler, RandomSampler):
            self.sampler.seed = seed
        self._position = self._next = (state["epoch"], state["batch"])


def _refuse(reason: str, given: Mapping[str, Any]) -> None:
    """Refuse options that another one makes pointless; `given` says which of them were used."""
    if pointless := [name for name, used in given.items() if used]:
        raise ValueError(f"DataLoader: {reason}; leave out {' and '.join(pointless)}")
