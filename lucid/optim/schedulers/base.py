"""What do all schedules share? The groups of the optimizer, the checks, one `step`, saving and loading.

A schedule reads `group["lr"]` of every group of an optimizer and writes another number there, once an epoch (or as
often as `step()` is called, after the optimizer's own). It touches nothing else. Its equation is `rate`: the learning
rate of an epoch, given that of the epoch before. So several schedules over one optimizer multiply, in any order, and an
lr set by hand is where they go on from. That holds for the subclasses of AbsoluteLR, too, whose `rate` knows the epoch
alone: what they find is multiplied by the ratio of two rates. While a rate is 0, which is no factor to divide by, the
group has, as `"lr_without_zeros"`, the product of all the others, and how many zeros there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import count
from math import isclose
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary, WeakSet

from lucid.core.tensor import Parameter
from lucid.optim.optimizer import Optimizer
from lucid.optim.sgd import SGD
from lucid.optim.validation import NON_NEGATIVE, WHOLE_FROM_0, Check, check_keywords, is_sequence, list_of

CREATION = count()  # numbers the schedules, so that it is known which one saw the optimizer's own learning rates
WARNED: WeakSet[Optimizer] = WeakSet()  # those whose schedules were stepped first
NO_LAST_EPOCH = "which no schedule here takes; leave it out, and go on where one stopped with load_state_dict"
Rate = tuple[float, int]  # the product of all factors of a learning rate that are not 0, and how many are
# While no schedule has been stepped: the class of the last one made, and each group's lr before all and after it.
STARTS: WeakKeyDictionary[Optimizer, tuple[type, list[tuple[float, Rate]]]] = WeakKeyDictionary()


class LRScheduler:
    """Base of all schedules: which groups there are, one `step`, and the state that makes training resumable.

    A subclass sets its numbers as attributes, calls `super().__init__(optimizer)`, and defines

    - `rate(epoch, lr, base, i)`: the learning rate of group i from `epoch` on, `lr` being the one before and
      `base` the one that the group had when the schedule was made. Or, in PyTorch's way, `get_lr()`: a list of the
      learning rates of all groups from `self.last_epoch` on, of `self.base_lrs` or of those that the groups have;
    - `start(lr, base, i)`: the one of epoch 0, if that is not `lr`;
    - `checks`: its numbers, by name, and what each may be; `per_group` names those that may be a list with one for
      each group, and `functions` those that cannot be saved.

    Args:
        optimizer: whose groups are scheduled. Their learning rates of epoch 0 are written at once.

    Attributes:
        optimizer: as given; so are all other arguments, by their names.
        last_epoch: how often `step` has been called.
        base_lrs: the learning rates that the groups had at first, before any of the schedules that begin together;
            for a group added later, the one it had at the first `step` that saw it.

    Every schedule raises a TypeError for what is no Optimizer, and for values that are not of the kind that
    `checks` asks for; a ValueError for numbers that make no sense, and lists that are not as long as there
    are groups."""

    checks: ClassVar[Mapping[str, Check]] = {}
    per_group: ClassVar[tuple[str, ...]] = ()
    functions: ClassVar[tuple[str, ...]] = ()
    schedulers: Sequence[LRScheduler] = ()  # those that it is made of (combine.py): their states are part of its own

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """The learning rate of group i from `epoch` on."""
        raise NotImplementedError("a schedule is a subclass of LRScheduler with a rate; see lucid.optim.StepLR")

    def start(self, lr: float, base: float, i: int) -> float:
        """The learning rate of group i at epoch 0."""
        return lr

    def check(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Raise a ValueError that begins with `context` if the numbers do not go together."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse an unknown keyword with an error that lists the known ones."""
        if kwargs.get("last_epoch", -1) != -1:
            raise TypeError(f"{cls.__name__}: got the keyword 'last_epoch', {NO_LAST_EPOCH}")
        check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1, verbose: Any = False) -> None:
        if last_epoch != -1:
            raise TypeError(f"{self._name}: got last_epoch={last_epoch!r}, {NO_LAST_EPOCH}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{self._name}: optimizer must be a lucid.optim.Optimizer, got a {type(optimizer).__name__}; make one "
                "first, optimizer = Adamax(model.parameters()), and give that"
            )
        self.optimizer, self._created, self.last_epoch = optimizer, next(CREATION), 0
        lrs = self._current_lrs(self._name)
        kind, starts = STARTS.get(optimizer, (type(self), []))
        again = kind is type(self) and isinstance(self, AbsoluteLR)  # one made anew takes the place of the other
        bases = [first if left == lr and not again else lr[0] for lr, (first, left) in zip(lrs, starts, strict=False)]
        self.base_lrs = [*bases, *(lr for lr, _ in lrs[len(bases) :])]  # an lr set by hand is a new start
        vars(self).update(self._checked(self._name, {name: getattr(self, name) for name in self.checks}))
        self._initialize(lrs)
        lefts = self._current_lrs(self._name)
        STARTS[optimizer] = type(self), list(zip(self.base_lrs, lefts, strict=True))

    @property
    def _name(self) -> str:
        return type(self).__name__

    def step(self) -> None:
        """Begin the next epoch: give every group the learning rate that it has there. A ValueError if that
        would not be a finite number of 0 or more; nothing has changed then. Warns, once, with a UserWarning if the
        optimizer has not made a step yet."""
        self._check_lengths(self._name, vars(self))
        self._move(*self._next())

    def _next(self) -> tuple[int, list[Rate], list[float]]:
        """The next epoch, the learning rates that stand in the groups, and `base_lrs`, for groups added since those."""
        optimizer, lrs = self.optimizer, self._current_lrs(self._name)
        STARTS.pop(optimizer, None)  # a schedule made from here on begins with what it finds
        own_step = type(optimizer).step is not Optimizer.step  # which need not leave any state
        stepped = self.last_epoch or optimizer.state or optimizer._plan or optimizer in WARNED or own_step
        if not stepped and type(self).step is LRScheduler.step:  # a first loss may be older than all batches
            WARNED.add(optimizer)
            text = "step() before the first optimizer.step(), so that no batch sees the first learning rate; step the"
            warnings.warn(f"{self._name}: {text} schedule after the optimizer", UserWarning, stacklevel=3)
        return self.last_epoch + 1, lrs, self.base_lrs[: len(lrs)] + [lr for lr, _ in lrs[len(self.base_lrs) :]]

    def _initialize(self, lrs: list[Rate]) -> None:
        """Begin with the learning rates that the groups have when the schedule is made."""
        self._move(0, lrs, self.base_lrs)

    def _move(self, epoch: int, lrs: list[Rate], bases: list[float]) -> None:
        """Go to `epoch` from where the learning rates are `lrs`; they were `bases` before any schedule."""
        if hasattr(self, "get_lr"):
            with self._all_or_nothing():
                self._write(epoch, lrs)
                self.last_epoch, self.base_lrs = epoch, list(bases)
                made = list_of(NON_NEGATIVE)(self._name, "get_lr()", self.get_lr())
                if len(made) != len(lrs):
                    raise ValueError(f"{self._name}: get_lr() must give {len(lrs)} learning rates, got {len(made)}")
                self._write(epoch, [(lr, 0) for lr in made])
            return
        rate = partial(self.rate, epoch) if epoch else self.start
        self._write(epoch, [(rate(lr, bases[i], i), zeros) for i, (lr, zeros) in enumerate(lrs)])
        self.last_epoch, self.base_lrs = epoch, list(bases)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as it stands now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _current_lrs(self, context: str) -> list[Rate]:
        """The learning rates that stand in the groups, checked, the zeros apart that schedules have put into them."""
        groups = self.optimizer.param_groups
        if without := [i for i, group in enumerate(groups) if "lr" not in group]:
            raise ValueError(f"{context}: group {without[0]} of the optimizer has no 'lr' to schedule; set group['lr']")
        lrs = [NON_NEGATIVE(f"{context}, group {i}", "lr", group["lr"]) for i, group in enumerate(groups)]
        found = [lr or group.get("lr_without_zeros", lr) for lr, group in zip(lrs, groups, strict=True)]
        return list_of(RATE)(context, "lr_without_zeros", found)

    def _write(self, epoch: int, lrs: list[Rate]) -> None:
        """Put the learning rates into the groups: all, or none if one of them is out of range."""
        context = f"{self._name}, epoch {epoch}, group"
        lrs = [(NON_NEGATIVE(f"{context} {i}", "lr", lr), zeros) for i, (lr, zeros) in enumerate(lrs)]
        for group, (lr, zeros) in zip(self.optimizer.param_groups, lrs, strict=True):
            group.pop("lr_without_zeros", None)
            group.update({"lr": 0.0, "lr_without_zeros": [lr, zeros]} if zeros else {"lr": lr})

    def _checked(self, context: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """`numbers`, any of those that this schedule holds, checked and converted."""
        checks: dict[str, Check] = {"last_epoch": WHOLE_FROM_0, "base_lrs": list_of(NON_NEGATIVE), **self.checks}
        lists = {name: list_of(checks[name]) for name in self.per_group if is_sequence(numbers.get(name))}
        converted = {name: (checks | lists)[name](context, name, value) for name, value in numbers.items()}
        self.check(context, converted)
        self._check_lengths(context, converted)
        return converted

    def _check_lengths(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Refuse a list that should have one value for each group and has more or fewer."""
        groups = len(self.optimizer.param_groups)
        for name in self.per_group:
            value = numbers.get(name)
            if isinstance(value, list) and len(value) != groups:
                expected = f"a list of {groups}, as many as the optimizer has groups, got a list of {len(value)}"
                raise ValueError(f"{context}: {name} must be {expected}; make them as many, or give one for all")

    def state_dict(self) -> dict[str, Any]:
        """A snapshot in plain values: epoch, numbers, `"lrs"`, those of now, and the states of `"schedulers"`."""
        names = [name for name in ("last_epoch", "base_lrs", *self.checks) if name not in self.functions]
        lrs = [[lr, zeros] if zeros else lr for lr, zeros in self._current_lrs(f"{self._name}.state_dict")]
        parts = {"schedulers": [part.state_dict() for part in self.schedulers]} if self.schedulers else {}
        return {**{name: deepcopy(getattr(self, name)) for name in names}, "lrs": lrs, **parts}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` returned, and give the groups the learning rates that they had then.

        It does not matter whether the optimizer's own state is loaded before this or after. A TypeError or
        ValueError for the state of another schedule or for another number of groups, and for numbers that the
        constructor would not take; nothing was loaded then."""
        with self._all_or_nothing():
            self._load(f"{self._name}.load_state_dict", state_dict)

    def _load(self, context: str, state_dict: Any) -> None:
        numbers: dict[str, Any] = dict(state_dict) if hasattr(state_dict, "keys") else {}
        keys, got = sorted(self.state_dict()), sorted(map(str, numbers))
        if got != keys:
            fix = f"give what state_dict() of a {self._name} returned"
            if not numbers:
                raise TypeError(f"{context}: expected a dict with the keys {keys}, got {state_dict!r}; {fix}")
            raise ValueError(f"{context}: expected the keys {keys}, got {got}; {fix}")
        if self.schedulers:
            states, expected = numbers.pop("schedulers"), f"the states of {len(self.schedulers)} schedulers"
            if not is_sequence(states) or len(states) != len(self.schedulers):
                raise ValueError(f"{context}: expected {expected}, got {states!r}; make it of the same schedules first")
            for i, (part, state) in enumerate(zip(self.schedulers, states, strict=True)):
                part._load(f"{context}, schedulers[{i}], a {part._name}", state)
        lrs = list_of(RATE)(context, "lrs", numbers.pop("lrs"))
        numbers = self._checked(context, numbers)
        groups = len(self.optimizer.param_groups)
        if len(lrs) != groups or len(numbers["base_lrs"]) > groups:
            expected = f"expected learning rates for {groups} groups, as the optimizer has here, got {len(lrs)}"
            raise ValueError(f"{context}: {expected}; make the optimizer with the same groups first")
        vars(self).update(numbers, _made=())
        self._write(self.last_epoch, lrs)

    def _all(self) -> Iterator[LRScheduler]:
        """This schedule, and all that it is made of."""
        yield self
        for part in self.schedulers:
            yield from part._all()

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo what the block has changed, in the schedules and the groups, if it ends with an error."""
        groups = [(group, dict(group)) for group in self.optimizer.param_groups]
        numbers = [(part, dict(vars(part))) for part in self._all()]
        try:
            yield
        except Exception:
            for part, values in numbers:
                vars(part).update(values)
            for group, old in groups:
                group.pop("lr_without_zeros", None)
                group.update(old)
            raise


class AbsoluteLR(LRScheduler):
    """Base of the schedules whose `rate` does not use the learning rate before: epoch 0 is like any other."""

    _made: Sequence[float] = ()  # the rates of the last epoch

    def start(self, lr: float, base: float, i: int) -> float:
        """The `rate` of epoch 0."""
        return self.rate(0, lr, base, i)

    def _move(self, epoch: int, lrs: list[Rate], bases: list[float]) -> None:
        made = [self.rate(epoch, base, base, i) for i, base in enumerate(bases)]
        known = self.base_lrs if epoch else []  # elsewhere the base is what it begins with
        before = self._made or [self.rate(epoch - 1, base, base, i) for i, base in enumerate(known)]
        before = [*before[: len(known)], *bases[len(known) :]]
        self._write(epoch, list(map(times_ratio, lrs, before, made, bases)))
        self.last_epoch, self.base_lrs, self._made = epoch, list(bases), made


def times_ratio(rate: Rate, before: float, now: float, base: float) -> Rate:
    """`rate`, which has `before` as one of its factors, with `now` in its place; `base` in that of one that is 0."""
    lr, zeros = rate[0], rate[1] + (now == 0) - (before == 0)
    if zeros < 0:  # the group has lost what 0 was multiplied with, or a new one was set
        return now, 0
    before, now = before or base or 1.0, now or base or 1.0
    return now if isclose(lr, before, rel_tol=1e-12) else lr * (now / before), zeros


def RATE(context: str, name: str, value: Any) -> Rate:
    """A check for a learning rate, or a list of one and of how many zeros it is to be multiplied with."""
    lr, zeros = value if is_sequence(value) and len(value) == 2 else (value, 0)
    return NON_NEGATIVE(context, name, lr), WHOLE_FROM_0(context, name, zeros)


def for_group(value: Any, i: int) -> Any:
    """The value of group i, if `value` is a list with one for each; else `value`, which all groups have."""
    return value[i] if isinstance(value, list) else value


def first_rates(schedule: Callable[..., LRScheduler], epochs: int, *args: Any, **options: Any) -> list[float]:
    """The learning rates of the first `epochs`, rounded to four decimals, where the optimizer's own is 1:
    what the examples of the schedules show. A training has this loop, with the optimizer's steps in it."""
    scheduler, rates = schedule(SGD([Parameter([1.0])], lr=1.0), *args, **options), []
    WARNED.add(scheduler.optimizer)  # which makes no step
    for _ in range(epochs):
        rates.append(round(scheduler.get_last_lr()[0], 4))
        scheduler.step()
    return rates
