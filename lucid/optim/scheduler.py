"""Chapter 8, continued. How the learning rate changes while one trains.

A schedule reads `group["lr"]` of every group of an optimizer and writes another number there, once an epoch
(or as often as one calls `step()`, after the optimizer's own). It touches nothing else. What a schedule is
stands in its `rate`: the learning rate of an epoch, given that of the epoch before. So two schedules over one
optimizer multiply, and an lr that the user sets by hand is where the schedule goes on from; save where a rate is
computed from nothing but the epoch, and overwrites what stands there. `LRScheduler` is everything around that:
the groups, the checks, saving and loading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import count
from math import inf, isnan
from typing import Any, ClassVar, Self

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, Domain, check_hyperparameter, check_keywords

# -- the door: each of these makes a check, a function of (where, name, value) that gives the value or refuses it

Check = Callable[[str, str, Any], Any]


def real(domain: Domain) -> Check:
    """A number in `domain`."""
    return lambda where, name, value: check_hyperparameter(where, name, value, domain)


def whole(least: int) -> Check:
    """A whole number of at least so many."""
    domain = Domain(f"a whole number of {least} or more", lambda x: least <= x < inf and x == int(x))
    return lambda where, name, value: int(check_hyperparameter(where, name, value, domain))


def word(*known: str) -> Check:
    """One of the words given."""

    def check(where: str, name: str, value: Any) -> str:
        if isinstance(value, str) and value in known:
            return value
        expected = " or ".join(map(repr, known))
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{where}: {name} must be {expected}, got {value!r}; give it one of these")

    return check


def each(check: Check) -> Check:
    """A sequence whose items pass the check; gives a list."""

    def checks(where: str, name: str, value: Any) -> list[Any]:
        if not several(value):
            raise TypeError(f"{where}: {name} must be a list, got {value!r}; write {name}=[...]")
        return [check(where, f"{name}[{i}]", item) for i, item in enumerate(value)]

    return checks


def one_or_each(check: Check) -> Check:
    """What passes the check, or a list of such, one for each group."""
    return lambda where, name, value: (each(check) if several(value) else check)(where, name, value)


def several(value: Any) -> bool:
    """Whether `value` is a sequence of things."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def function(where: str, name: str, value: Any) -> Any:
    """Something that can be called."""
    if not callable(value):
        raise TypeError(
            f"{where}: {name} must be a function of the epoch, got a {type(value).__name__}; "
            "write lambda epoch: 0.95**epoch, say"
        )
    return value


SCORE = Domain("a number", lambda x: not isnan(x))  # infinite before the first one
RATE, FACTOR, COUNT, POSITIVE_COUNT = real(NON_NEGATIVE), real(HALF_OPEN_UNIT), whole(0), whole(1)
SWITCH = real(FLAG)
BIRTHS = count()  # so that schedules know which of them has seen the learning rates first


class LRScheduler:
    """Base of all schedules: which groups there are, one `step`, and the state that makes training resumable.

    A subclass says

    - `rate(epoch, lr, base, i)`: the learning rate of group i from `epoch` on, `lr` being the one before and
      `base` the one that the group had when the schedule was made;
    - `start(lr, base, i)`: the one of epoch 0, if that is not `lr`;
    - `checks`: the numbers that it holds, by name, and what each may be; `per_group` names those that may be
      a list with one for each group, and `functions` those that cannot be saved.

    Args:
        optimizer: whose groups are scheduled. Their learning rates of epoch 0 are written at once.
        numbers: values for all of `checks`; they become attributes.

    Attributes:
        optimizer: as given.
        last_epoch: how often `step` has been called.
        base_lrs: the learning rates that the groups had at first; for a group added later, the one it had at
            the first `step` that saw it.

    Raises:
        TypeError: for what is no Optimizer, and for values that are not of the kind that `checks` asks for.
        ValueError: for numbers that make no sense, and for lists that are not as long as there are groups.
    """

    checks: ClassVar[Mapping[str, Check]] = {}
    per_group: ClassVar[tuple[str, ...]] = ()
    functions: ClassVar[tuple[str, ...]] = ()

    optimizer: Optimizer
    last_epoch: int
    base_lrs: list[float]

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """The learning rate of group i from `epoch` on."""
        raise NotImplementedError("a schedule is a subclass of LRScheduler with a rate; see lucid.optim.StepLR")

    def start(self, lr: float, base: float, i: int) -> float:
        """The learning rate of group i at epoch 0."""
        return lr

    def check(self, where: str, numbers: Mapping[str, Any]) -> None:
        """Raise a ValueError that begins with `where` if the numbers do not go together."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse an unknown keyword in a sentence that lists the known ones."""
        if "last_epoch" in kwargs:
            raise TypeError(
                f"{cls.__name__}: got the keyword 'last_epoch', which no schedule here takes; leave it out, and go on "
                "where one stopped with load_state_dict"
            )
        check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, optimizer: Optimizer, **numbers: Any) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{self._name}: optimizer must be a lucid.optim.Optimizer, got a {type(optimizer).__name__}; make one "
                "first, optimizer = Adamax(model.parameters()), and give that"
            )
        self.optimizer = optimizer
        self._born = next(BIRTHS)
        lrs = self._lrs(self._name)
        vars(self).update(self._checked(self._name, {"last_epoch": 0, "base_lrs": lrs, **numbers}))
        self._made(lrs)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def step(self) -> None:
        """Begin the next epoch: give every group the learning rate that it has there.

        Raises:
            ValueError: if that would not be a finite number of 0 or more; nothing has changed then.
        """
        epoch = self.last_epoch + 1
        lrs = self._lrs(self._name)
        bases = self.base_lrs[: len(lrs)] + lrs[len(self.base_lrs) :]
        self._fit(self._name, vars(self))
        self._write(epoch, [self.rate(epoch, lr, base, i) for i, (lr, base) in enumerate(zip(lrs, bases, strict=True))])
        self.last_epoch, self.base_lrs = epoch, bases

    def _made(self, lrs: list[float]) -> None:
        """Take up the learning rates that there are, when the schedule is made."""
        self._begin(lrs, lrs)

    def _begin(self, lrs: list[float], bases: list[float]) -> None:
        """Be at epoch 0, where the learning rates are `lrs` and were `bases` before any schedule."""
        self._write(0, [self.start(lr, base, i) for i, (lr, base) in enumerate(zip(lrs, bases, strict=True))])
        self.last_epoch, self.base_lrs = 0, list(bases)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as it stands now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _lrs(self, where: str) -> list[float]:
        """The learning rates that stand in the groups, checked."""
        lrs = []
        for i, group in enumerate(self.optimizer.param_groups):
            if "lr" not in group:
                raise ValueError(f"{where}: group {i} of the optimizer has no 'lr' to schedule; set group['lr']")
            lrs.append(check_hyperparameter(f"{where}, group {i}", "lr", group["lr"], NON_NEGATIVE))
        return lrs

    def _write(self, epoch: int, lrs: list[Any]) -> None:
        """Put the learning rates into the groups: all, or none if one of them cannot be."""
        where = f"{self._name}, epoch {epoch}, group"
        lrs = [check_hyperparameter(f"{where} {i}", "lr", lr, NON_NEGATIVE) for i, lr in enumerate(lrs)]
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr

    def _checked(self, where: str, numbers: dict[str, Any]) -> dict[str, Any]:
        """`numbers`, which may be any of those that this schedule holds, each found good."""
        checks = {"last_epoch": COUNT, "base_lrs": each(RATE), **self.checks}
        found = {name: checks[name](where, name, value) for name, value in numbers.items()}
        self.check(where, found)
        self._fit(where, found)
        return found

    def _fit(self, where: str, numbers: Mapping[str, Any]) -> None:
        """Refuse a list that is to have one value for each group and has not."""
        groups = len(self.optimizer.param_groups)
        for name in self.per_group:
            value = numbers.get(name)
            if isinstance(value, list) and len(value) != groups:
                raise ValueError(
                    f"{where}: {name} must be a list of {groups}, as many as the optimizer has groups, got a list of "
                    f"{len(value)}; make them as many, or give one for all"
                )

    def state_dict(self) -> dict[str, Any]:
        """A snapshot in plain values: the epoch, the numbers, and under `"lrs"` the learning rates of now."""
        names = [name for name in ("last_epoch", "base_lrs", *self.checks) if name not in self.functions]
        return {**{name: deepcopy(getattr(self, name)) for name in names}, "lrs": self._lrs(f"{self._name}.state_dict")}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds, and give the groups the learning rates that they had then.

        It does not matter whether the optimizer's own state is loaded before this or after.

        Raises:
            TypeError, ValueError: for the state of another schedule or for another number of groups, and for
                numbers that the constructor would not take; nothing was loaded then.
        """
        self._read(f"{self._name}.load_state_dict", state_dict)()

    def _read(self, where: str, state_dict: Any) -> Callable[[], None]:
        """Check all of a `state_dict`; gives what takes it over."""
        return self._accepted(where, self._entries(where, state_dict))

    def _entries(self, where: str, state_dict: Any) -> dict[str, Any]:
        """A `state_dict` with the right keys, as a dict."""
        expected = sorted(self.state_dict())
        fix = f"give what state_dict() of a {self._name} returned"
        numbers: dict[str, Any] = dict(state_dict) if hasattr(state_dict, "keys") else {}
        if not numbers:
            raise TypeError(f"{where}: expected a dict with the keys {expected}, got {state_dict!r}; {fix}")
        if sorted(map(str, numbers)) != expected:
            raise ValueError(f"{where}: expected the keys {expected}, got {sorted(map(str, numbers))}; {fix}")
        return numbers

    def _accepted(self, where: str, numbers: dict[str, Any]) -> Callable[[], None]:
        """Check the numbers of a `state_dict`; gives what takes them over."""
        lrs = each(RATE)(where, "lrs", numbers.pop("lrs"))
        numbers = self._checked(where, numbers)
        groups = len(self.optimizer.param_groups)
        if len(lrs) != groups or len(numbers["base_lrs"]) > groups:
            raise ValueError(
                f"{where}: expected learning rates for {groups} groups, as the optimizer has here, got {len(lrs)}; "
                "make the optimizer with the same groups first"
            )

        def take_over() -> None:
            vars(self).update(numbers)
            self._write(self.last_epoch, lrs)

        return take_over


def of_group(value: Any, i: int) -> Any:
    """What group i has, if `value` is a list; else what all have."""
    return value[i] if isinstance(value, list) else value
