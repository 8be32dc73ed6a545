"""Batches, one after the other, and where one can go on after a break."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from lucid.utils.data.collate import collated, default_collate
from lucid.utils.data.datasets import IterableDataset
from lucid.utils.data.samplers import BatchSampler, RandomSampler, SequentialSampler, checked_count, checked_seed


class DataLoader:
    """Batches of a dataset: iterate over it once an epoch.

    The order of a shuffled epoch depends on `seed` and on how many epochs there were before, and on nothing
    else. There are no worker processes: batches are made when they are asked for.

    Args:
        dataset: has `len()` and `[i]`, a Dataset or a list; or an IterableDataset, which sets the order itself.
        batch_size: samples a batch.
        shuffle: whether every epoch has an order of its own.
        sampler: gives the order instead: an iterable of indices, asked anew each epoch (see Sampler.set_epoch).
        batch_sampler: gives the batches instead: an iterable of lists of indices, asked anew each epoch.
        num_workers: 0, for there are none.
        collate_fn: list of samples -> batch; `default_collate` unless given.
        pin_memory: accepted, and changes nothing: batches lie in the host's ordinary memory, and `x.to("cuda")` waits
            for its copy.
        drop_last: leave out the last batch if it is smaller than the others.
        seed: of the shuffling; without one it is drawn from lucid's generator when the first epoch begins.

    Raises:
        TypeError: for a dataset that is none, and for a batch size or a seed that is not an int.
        ValueError: for a batch size below 1, a negative seed, workers, and options of which one makes the other
            pointless: a sampler and `shuffle`, a batch sampler and `batch_size`.

    >>> from lucid import arange
    >>> from lucid.utils.data import TensorDataset
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
        shuffle: bool | None = False,
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Iterable[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if num_workers != 0:
            raise ValueError(
                f"DataLoader: num_workers must be 0, got {num_workers!r}; batches are made in this process, when they "
                "are asked for (a dataset with a `take` makes them at once)"
            )
        checked_count("DataLoader", "batch_size", batch_size)
        if seed is not None:
            checked_seed("DataLoader", seed)
        chosen = {"shuffle": shuffle, "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
        self.streamed = isinstance(dataset, IterableDataset)
        if self.streamed:
            _refuse("an IterableDataset sets the order itself", {**chosen, "seed": seed is not None})
        elif not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: a dataset has len() and [i], or is an IterableDataset; got {type(dataset).__name__}"
            )
        if batch_sampler is not None:
            others = {"batch_size": batch_size != 1, "drop_last": drop_last, "seed": seed is not None}
            _refuse("a batch_sampler makes the batches itself", {**chosen, "batch_sampler": False, **others})
        elif sampler is not None:
            _refuse("a sampler sets the order itself", {"shuffle": shuffle, "seed": seed is not None})
        self.dataset, self.collate_fn, self.shuffle, self.drop_last = dataset, collate_fn, bool(shuffle), drop_last
        self.batch_size = batch_size if batch_sampler is None else None
        order: Any = sampler
        if self.streamed:
            order = dataset  # in batches come its samples themselves, and not their numbers
        elif batch_sampler is not None:
            order = getattr(batch_sampler, "sampler", None)
        elif sampler is None:
            order = RandomSampler(dataset, seed=seed) if shuffle else SequentialSampler(dataset)
        batches: Any = BatchSampler(order, batch_size, drop_last) if batch_sampler is None else batch_sampler
        self.sampler, self.batch_sampler = order, batches
        self._position = (0, 0)  # epoch and batch that come next
        self._next = (0, 0)  # where the next iteration begins: the same, unless it is to begin anew

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
            if self.streamed:
                yield (self.collate_fn or default_collate)(list(batch))
            else:
                yield collated(self.dataset, list(batch), self.collate_fn)
        self._position = (epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is, in plain values; every batch that was handed out counts as done.

        In a loop that was left early that is the middle of its epoch, although to iterate again would begin the
        next one. The seed of a RandomSampler is part of it; what another sampler, or a dataset that draws random
        numbers, does is theirs to remember.
        """
        epoch, batch = self._position
        return {
            "seed": self.seed, "epoch": epoch, "batch": batch,
            "samples": len(self.dataset) if hasattr(self.dataset, "__len__") else None,
            "batch_size": self.batch_size, "shuffle": self.shuffle,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called: the next iteration gives the batches still to come then.

        An IterableDataset is read from its beginning, and what was handed out before is passed over.

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
        seed = None if state["seed"] is None else checked_seed("DataLoader", state["seed"])
        if isinstance(self.sampler, RandomSampler):
            self.sampler.seed = seed
        self._position = self._next = (state["epoch"], state["batch"])


def _refuse(why: str, given: Mapping[str, Any]) -> None:
    """Refuse options that another one makes pointless; `given` says which of them were used."""
    if idle := [name for name, used in given.items() if used]:
        raise ValueError(f"DataLoader: {why}; leave out {' and '.join(idle)}")
