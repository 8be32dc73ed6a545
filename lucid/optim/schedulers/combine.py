"""Schedules made of other schedules: one after the other, or all at once."""
# ruff: noqa: F401  (the doctests use other schedules)

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.schedulers.base import LRScheduler, Rate, first_rates
from lucid.optim.schedulers.decay import SWALR, ConstantLR, ExponentialLR, LinearLR, ReduceLROnPlateau
from lucid.optim.validation import WHOLE_FROM_0, is_sequence, list_of


class CompositeLR(LRScheduler):
    """Base of these: the schedules that they are made of, whose states are saved within their own.

    As parts of one schedule all of them get, as `base`, the learning rates that the first one found."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        if not is_sequence(schedulers) or not schedulers:
            raise TypeError(f"{name}: schedulers must be a list of one schedule or more, got {schedulers!r}; make one")
        for i, scheduler in enumerate(schedulers):
            expected = f"{name}: schedulers[{i}] must be a schedule of"
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                got = f"got a {type(scheduler).__name__}"
                fix = "one that needs the loss is stepped beside this one, by you"
                raise TypeError(f"{expected} the epoch alone, {got}; {fix}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{expected} the same optimizer, got one of another; make all with one optimizer")
        self.schedulers = list(schedulers)
        super().__init__(optimizer)

    def _initialize(self, lrs: list[Rate]) -> None:
        oldest = min(self.schedulers, key=lambda scheduler: scheduler._created)
        self._created, bases = oldest._created, oldest.base_lrs
        self._combine([*bases, *(lr for lr, _ in lrs[len(bases) :])])

    def _combine(self, bases: list[float]) -> None:
        """Make the parts one schedule; the learning rates were `bases` before any of them was made."""
        self._move(0, [(base, 0) for base in bases], bases)


class SequentialLR(CompositeLR):
    """One schedule after the other: each begins at its milestone as if it were new, with the first learning rate.

    That is the one that the optimizer had before the first of these schedules was made; SWALR goes on from where it is.

    Args:
        schedulers: a list of schedules, to be stepped by this one alone; a TypeError for one that needs the
            loss, a ValueError for one of another optimizer.
        milestones: the epochs, increasing, at which the second, the third and so on takes over.

    >>> parts = lambda optimizer: [LinearLR(optimizer, 0.25, total_iters=3), ExponentialLR(optimizer, gamma=0.5)]
    >>> first_rates(lambda optimizer: SequentialLR(optimizer, parts(optimizer), milestones=[4]), 7)
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.25]
    """

    checks = {"milestones": list_of(WHOLE_FROM_0)}

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        self.milestones = milestones
        super().__init__(optimizer, schedulers)

    def check(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Refuse milestones that do not increase, or are not one fewer than the schedules."""
        milestones, count = numbers["milestones"], len(self.schedulers) - 1
        if len(milestones) != count or any(a >= b for a, b in pairwise(milestones)):
            expected = f"{count} epochs, one for each schedule but the first, each later than the one before"
            got = f"got {milestones}; say at which epoch each takes over"
            raise ValueError(f"{context}: milestones must be {expected}, {got}")

    def _move(self, epoch: int, lrs: list[Rate], bases: list[float]) -> None:
        k = bisect_right(self.milestones, epoch)
        if epoch and epoch not in self.milestones:
            self.schedulers[k].step()
        else:
            as_found = not epoch or isinstance(self.schedulers[k], SWALR)
            self.schedulers[k]._move(0, lrs if as_found else [(base, 0) for base in bases], bases)
        self.last_epoch, self.base_lrs = epoch, list(bases)


class ChainedScheduler(CompositeLR):
    """Several schedules at once: each changes what the one before it in the list has made of the learning rate.

    Args:
        schedulers: as for SequentialLR.
        optimizer: theirs; not needed.

    >>> parts = lambda optimizer: [ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> first_rates(lambda optimizer: ChainedScheduler(parts(optimizer)), 4)
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None:
            first = next(iter(schedulers), None) if is_sequence(schedulers) else None
            optimizer = getattr(first, "optimizer", None)
        super().__init__(optimizer, schedulers)  # type: ignore[arg-type]  # refused there if it is None

    def _combine(self, bases: list[float]) -> None:
        if any(part.last_epoch for part in self._all()):
            for part in self._all():
                vars(part).update(base_lrs=list(bases), _made=())  # the learning rates are what all have made of these
        else:
            super()._combine(bases)

    def _move(self, epoch: int, lrs: list[Rate], bases: list[float]) -> None:
        with self._all_or_nothing():
            for part in self.schedulers:
                if epoch:
                    part.step()
                else:
                    part._move(0, lrs, bases)
                    lrs = self._current_lrs(self._name)
            self.last_epoch, self.base_lrs = epoch, list(bases)
