"""Chapter 8, continued. Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.plateau import ReduceLROnPlateau
from lucid.optim.scheduler import POSITIVE_COUNT, LRScheduler, each, several


class Composed(LRScheduler):
    """Base of these: the schedules that they are made of, and their states within its own.

    A schedule takes for its `base` the learning rate that it finds when it is made, which may be what another one has
    made of it. As parts of one schedule all of them are given what the first of them had found.
    """

    schedulers: list[LRScheduler]

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], **numbers: Any) -> None:
        name = type(self).__name__
        if not several(schedulers) or not schedulers:
            raise TypeError(f"{name}: schedulers must be a list of one schedule or more, got {schedulers!r}; make one")
        for i, part in enumerate(schedulers):
            which = f"{name}: schedulers[{i}] must be a schedule of"
            if not isinstance(part, LRScheduler) or isinstance(part, ReduceLROnPlateau):
                raise TypeError(
                    f"{which} the epoch alone, got a {type(part).__name__}; one that must be told the loss is stepped "
                    "beside this one, by you"
                )
            if part.optimizer is not optimizer:
                raise ValueError(f"{which} the same optimizer, got one of another; make all of them with one optimizer")
        self.schedulers = list(schedulers)
        super().__init__(optimizer, **numbers)

    def _made(self, lrs: list[float]) -> None:
        oldest = min(self.schedulers, key=lambda part: part._born)
        self._born, bases = oldest._born, oldest.base_lrs
        self._compose([*bases, *lrs[len(bases) :]])

    def _compose(self, bases: list[float]) -> None:
        """Make one schedule of the parts; the learning rates were `bases` before any of them was made."""
        raise NotImplementedError("a schedule of schedules says how in its _compose; see lucid.optim.SequentialLR")

    def _begin(self, lrs: list[float], bases: list[float]) -> None:
        self.last_epoch, self.base_lrs = 0, list(bases)

    def _all(self) -> Iterator[LRScheduler]:
        """This schedule, and all that it is made of."""
        yield self
        for part in self.schedulers:
            yield from part._all() if isinstance(part, Composed) else [part]

    def state_dict(self) -> dict[str, Any]:
        """A snapshot in plain values, with those of all parts under `"schedulers"`."""
        return {**super().state_dict(), "schedulers": [part.state_dict() for part in self.schedulers]}

    def _read(self, where: str, state_dict: Any) -> Callable[[], None]:
        own = self._entries(where, state_dict)
        states = own.pop("schedulers")
        if not several(states) or len(states) != len(self.schedulers):
            raise ValueError(
                f"{where}: expected the states of {len(self.schedulers)} schedulers, got {states!r}; make it of the "
                "same schedules first"
            )
        parts = enumerate(zip(self.schedulers, states, strict=True))
        takings = [part._read(f"{where}, schedulers[{i}], a {part._name}", state) for i, (part, state) in parts]
        takings.append(self._accepted(where, own))

        def take_over() -> None:
            for take in takings:
                take()

        return take_over


class SequentialLR(Composed):
    """One schedule after the other: each begins at its milestone as if it were new, with the first learning rate.

    That is the one that the optimizer had before the first of these schedules was made.

    Args:
        optimizer: whose groups are scheduled.
        schedulers: a list of schedules of this optimizer, to be stepped by this one alone.
        milestones: the epochs at which the second, the third and so on takes over; increasing, 1 or more.

    Attributes:
        schedulers: as given.

    Raises:
        TypeError, ValueError: as LRScheduler says; also for schedules of another optimizer or that must be told the
            loss, and for milestones that are not one fewer.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> warm_up = lucid.optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> fall = lucid.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = lucid.optim.SequentialLR(optimizer, [warm_up, fall], milestones=[4])
    >>> for epoch in range(7):
    ...     print(scheduler.get_last_lr()[0], end=" ")
    ...     scheduler.step()
    0.25 0.5 0.75 1.0 1.0 0.5 0.25
    """

    checks = {"milestones": each(POSITIVE_COUNT)}
    milestones: list[int]

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        super().__init__(optimizer, schedulers, milestones=milestones)

    def check(self, where: str, numbers: Mapping[str, Any]) -> None:
        """Refuse milestones that do not come one after the other, between the schedules."""
        found, wanted = numbers["milestones"], len(self.schedulers) - 1
        if len(found) != wanted or any(a >= b for a, b in pairwise(found)):
            raise ValueError(
                f"{where}: milestones must be {wanted} epochs, one for each schedule but the first, each later than "
                f"the one before, got {found}; say at which epoch each takes over"
            )

    def _compose(self, bases: list[float]) -> None:
        self._begin(bases, bases)

    def _begin(self, lrs: list[float], bases: list[float]) -> None:
        super()._begin(lrs, bases)
        self.schedulers[0]._begin(lrs, bases)

    def step(self) -> None:
        """Begin the next epoch, with the schedule whose turn it is.

        Raises:
            ValueError: as LRScheduler says.
        """
        epoch, lrs = self.last_epoch + 1, self._lrs(self._name)
        bases = [*self.base_lrs, *lrs[len(self.base_lrs) :]]
        i = bisect_right(self.milestones, epoch)
        if i and self.milestones[i - 1] == epoch:
            self.schedulers[i]._begin(bases, bases)
        else:
            self.schedulers[i].step()
        self.last_epoch, self.base_lrs = epoch, bases


class ChainedScheduler(Composed):
    """Several schedules at once: each changes what the one before it in the list has made of the learning rate.

    Args:
        schedulers: a list of schedules, to be stepped by this one alone.
        optimizer: theirs; not needed.

    Attributes:
        schedulers: as given.

    Raises:
        TypeError, ValueError: as LRScheduler says; also for schedules of different optimizers or that must be told the
            loss.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> half = lucid.optim.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> fall = lucid.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = lucid.optim.ChainedScheduler([half, fall])
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr()[0], end=" ")
    ...     scheduler.step()
    0.5 0.25 0.25 0.125
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None:
            first = next(iter(schedulers), None) if several(schedulers) else None
            optimizer = getattr(first, "optimizer", None)
        super().__init__(optimizer, schedulers)  # type: ignore[arg-type]  # what is none is refused there

    def _compose(self, bases: list[float]) -> None:
        for part in self._all():
            part.base_lrs = list(bases)  # the learning rates already are what all have made of these

    def _begin(self, lrs: list[float], bases: list[float]) -> None:
        super()._begin(lrs, bases)
        for part in self.schedulers:
            part._begin(lrs, bases)
            lrs = self._lrs(self._name)

    def step(self) -> None:
        """Begin the next epoch in all schedules, in the order of the list.

        Raises:
            ValueError: as LRScheduler says; nothing has changed then, in any of them.
        """
        lrs, kept = self._lrs(self._name), [(part, dict(vars(part))) for part in self._all()]
        try:
            for part in self.schedulers:
                part.step()
        except Exception:
            for part, numbers in kept:
                vars(part).update(numbers)
            self._write(self.last_epoch, lrs)
            raise
        self.last_epoch, self.base_lrs = self.last_epoch + 1, [*self.base_lrs, *lrs[len(self.base_lrs) :]]
