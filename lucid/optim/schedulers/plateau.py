"""The one schedule that depends on the loss: reduce the learning rate when it stops getting better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from numbers import Real
from typing import Any

from lucid.core.node import Tensor
from lucid.optim.optimizer import Optimizer
from lucid.optim.schedulers.base import LRScheduler, for_group
from lucid.optim.validation import HALF_OPEN_UNIT, NON_NEGATIVE, NOT_NAN, WHOLE_FROM_0, one_of


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rate by `factor` when a number, the loss say, has not got better for a while.

    `step(metrics)` takes that number. An epoch is bad if it is not better than the best so far by more than

        threshold * best                            where threshold_mode is "rel"
        threshold                                   where it is "abs"

    and after more than `patience` bad epochs in a row

        lr_t = max(lr_{t-1} * factor, min_lr)       unless that is less than eps away

    Then the count of bad epochs begins anew, and the next `cooldown` epochs do not count. A NaN is never better.

    Args:
        mode: "min" where less is better, "max" where more is.
        factor: in [0, 1).
        patience: how many bad epochs are forgiven, 0 or more.
        threshold: how much better is better; below 1 for mode "min" with "rel".
        threshold_mode: "rel" or "abs".
        cooldown: how many epochs do not count after a change, 0 or more.
        min_lr: the lowest learning rate, or a list of them, one for each group.
        eps: the least change worth making.

    Attributes:
        best: the best of `metrics` so far; infinite before the first.
        num_bad_epochs, cooldown_counter: bad epochs in a row, and epochs of the cooldown that are left.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
    ...     scheduler.step(loss)
    ...     print(scheduler.get_last_lr()[0], end=" ")
    1.0 1.0 1.0 0.5 0.5
    """

    checks = {
        "mode": one_of("min", "max"), "factor": HALF_OPEN_UNIT, "patience": WHOLE_FROM_0,
        "threshold": NON_NEGATIVE, "threshold_mode": one_of("rel", "abs"), "cooldown": WHOLE_FROM_0,
        "min_lr": NON_NEGATIVE, "eps": NON_NEGATIVE, "best": NOT_NAN, "num_bad_epochs": WHOLE_FROM_0,
        "cooldown_counter": WHOLE_FROM_0,
    }  # fmt: skip
    per_group = ("min_lr",)

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
        min_lr: float | Sequence[float] = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        self.mode, self.factor, self.patience, self.threshold = mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.min_lr, self.eps = threshold_mode, cooldown, min_lr, eps
        self.best, self.num_bad_epochs, self.cooldown_counter = -inf if mode == "max" else inf, 0, 0
        super().__init__(optimizer)

    def check(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Refuse a threshold that no loss can pass."""
        if numbers["mode"] == "min" and numbers["threshold_mode"] == "rel" and numbers["threshold"] >= 1:
            expected = "threshold must be below 1 for mode='min' and threshold_mode='rel'"
            fix = "1e-4 asks for a loss lower by 0.01 percent, or use threshold_mode='abs'"
            raise ValueError(f"{context}: {expected}, got {numbers['threshold']}; {fix}")

    def step(self, metrics: float | Tensor) -> None:  # type: ignore[override]  # no other schedule needs the loss
        """Begin the next epoch, the last one having ended with `metrics`, a number or a tensor of one
        element; a TypeError for anything else, when nothing has changed."""
        metric = self._number(metrics)
        change = self.threshold if self.mode == "max" else -self.threshold
        goal = self.best * (1 + change) if self.threshold_mode == "rel" else self.best + change
        better = metric > goal if self.mode == "max" else metric < goal
        with self._all_or_nothing():
            self.best = metric if better else self.best
            self.num_bad_epochs = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
            self.cooldown_counter = max(0, self.cooldown_counter - 1)
            super().step()
        if self.num_bad_epochs > self.patience:
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times `factor`, after too many bad epochs."""
        reduced = max(lr * self.factor, for_group(self.min_lr, i))
        return reduced if self.num_bad_epochs > self.patience and lr - reduced > self.eps else lr

    def _number(self, metrics: Any) -> float:
        """`metrics` as a Python float."""
        try:
            number = metrics.item() if hasattr(metrics, "item") else metrics
        except (TypeError, ValueError, RuntimeError):  # several elements
            number = None
        if isinstance(number, Real):
            return float(number)
        shape = getattr(metrics, "shape", None)
        given = repr(metrics) if shape is None else f"a {type(metrics).__name__} of shape {tuple(shape)}"
        expected = "metrics must be one number, the loss of an epoch, say"
        raise TypeError(f"{self._name}: {expected}, got {given}; call step(loss.item())")
