"""Batches of a dataset, one after the other, from a position that can be saved and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from itertools import islice, repeat
from typing import Any

from lucid.data.collate import batch_of
from lucid.data.datasets import IterableDataset
from lucid.data.samplers import BatchSampler, RandomSampler, SequentialSampler, check_seed
from lucid.data.workers import END, fetch_ahead
from lucid.ops.checks import as_float, check_count
from lucid.ops.random import Generator, stream


class DataLoader:
    """Batches of a dataset: iterate over it once an epoch.

    The order of a shuffled epoch depends on `seed` and on how many epochs there were before, and on nothing else.

    Args:
        dataset: has `len()` and `[i]`, a Dataset or a list; or an IterableDataset, which sets the order itself.
        batch_size: samples a batch.
        shuffle: whether every epoch has an order of its own.
        sampler: gives the order instead: an iterable of indices, iterated over each epoch (see Sampler.set_epoch).
        batch_sampler: gives the batches instead: an iterable of lists of indices, iterated over each epoch.
        num_workers: how many threads fetch batches ahead, in the same order (data/workers.py says when that pays). One
            of them reads an IterableDataset. What a dataset draws from lucid's generator then comes from a stream of
            each batch, which that generator decides.
        collate_fn: list of samples -> batch; `default_collate` unless given.
        pin_memory: changes nothing: batches lie in ordinary memory, and `x.to("cuda")` waits for its copy.
        drop_last: leave out the last batch if it is smaller than the others.
        timeout: seconds after which a batch that workers have not made is a RuntimeError; 0 waits for ever.
        worker_init_fn: called with its number in each thread that fetches, before its first batch of an epoch.
        prefetch_factor: how many batches for each worker are under way ahead of the loop; 2 unless given.
        seed, generator: of the shuffling; without a seed it is drawn from this or lucid's generator at the first epoch.

    A TypeError for what is no dataset, and for a batch size or a seed that is not an int; a ValueError for a
    batch size below 1, a negative seed, and options of which one makes the other pointless: a
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
        drop_last: bool = False, timeout: float = 0, worker_init_fn: Callable[[int], Any] | None = None,
        generator: Generator | None = None, prefetch_factor: int | None = None, seed: int | None = None,
    ) -> None:  # fmt: skip
        self.num_workers = check_count("DataLoader", "num_workers", num_workers)
        self.timeout = as_float("DataLoader", "timeout", timeout)
        factor = 2 if prefetch_factor is None else prefetch_factor
        self.prefetch_factor = check_count("DataLoader", "prefetch_factor", factor, 1)
        self.worker_init_fn, self.generator, _ = worker_init_fn, generator, stream(generator)  # refuses what is none
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
            random = partial(RandomSampler, generator=generator, seed=seed)
            self.sampler = random(dataset) if shuffle else SequentialSampler(dataset)
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
        for number, batch in enumerate(self._fetched(epoch, done), done + 1):
            self._position = (epoch, number)
            yield batch
        self._position = (epoch + 1, 0)

    def _fetched(self, epoch: int, done: int) -> Iterator[Any]:
        """The batches of an epoch after those that are done, made in turn or fetched ahead."""
        samples = islice(self.batch_sampler, done, None)
        dataset = None if self.streamed else self.dataset
        fetch: Callable[[Any], Any] = lambda batch: batch_of(dataset, list(batch), self.collate_fn)
        if not (n := self.num_workers):
            return map(fetch, samples)
        read: Callable[[], Any] = lambda: END if (batch := next(samples, END)) is END else fetch(batch)
        tasks = repeat(read) if self.streamed else (partial(fetch, batch) for batch in samples)
        # A seed that is not drawn, so that all else goes on as without workers.
        seed, ahead = int(deepcopy(stream(self.generator)).integers(2**63)), n * self.prefetch_factor
        workers = 1 if self.streamed else n
        return fetch_ahead(enumerate(tasks, done), (seed, epoch), workers, ahead, self.timeout, self.worker_init_fn)

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
