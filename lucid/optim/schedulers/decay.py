"""Schedules of the epoch or the loss: each multiplies the learning rate it finds; LambdaLR the first one."""
# ruff: noqa: F401, I001  (several names a line; the doctests use first_rates)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import cos, inf, isinf, pi
from numbers import Real
from typing import Any

from lucid.core.node import Tensor
from lucid.optim.optimizer import Optimizer
from lucid.optim.schedulers.base import AbsoluteLR, LRScheduler, Rate, first_rates, for_group
from lucid.optim.validation import (
    ABOVE_0_TO_1, HALF_OPEN_UNIT, NON_NEGATIVE, NOT_NAN, UNIT_INTERVAL, WHOLE, WHOLE_FROM_0, function,
    list_of, one_of,
)  # fmt: skip

Factor = Callable[[int], float]


class StepLR(LRScheduler):
    """Multiply the learning rate by `gamma` every `step_size` epochs.

        lr_t = base * gamma^floor(t / step_size)

    Args:
        step_size: epochs between one change and the next, 1 or more.
        gamma: the factor, 0 or more.

    >>> first_rates(StepLR, 5, step_size=2, gamma=0.5)
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    checks = {"step_size": WHOLE, "gamma": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times `gamma` at every multiple of `step_size`."""
        return lr if epoch % self.step_size else lr * self.gamma


class MultiStepLR(LRScheduler):
    """Multiply the learning rate by `gamma` at each of the `milestones`.

        lr_t = base * gamma^(how many milestones are t or less)

    `milestones` is a list of epochs, 0 or more each; one listed twice counts twice. `gamma` is 0 or more.

    >>> first_rates(MultiStepLR, 4, milestones=[1, 3], gamma=0.5)
    [1.0, 0.5, 0.5, 0.25]
    """

    checks = {"milestones": list_of(WHOLE_FROM_0), "gamma": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = milestones, gamma
        super().__init__(optimizer)

    def start(self, lr: float, base: float, i: int) -> float:
        """Times `gamma` at milestone 0."""
        return self.rate(0, lr, base, i)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times `gamma` at a milestone."""
        return lr * self.gamma ** self.milestones.count(epoch)


class ExponentialLR(LRScheduler):
    """Multiply the learning rate by `gamma` at every epoch.

        lr_t = base * gamma^t                           with a gamma of 0 or more

    >>> first_rates(ExponentialLR, 3, gamma=0.5)
    [1.0, 0.5, 0.25]
    """

    checks = {"gamma": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times `gamma`."""
        return lr * self.gamma


class ConstantLR(AbsoluteLR):
    """Use a part of the learning rate at first, and all of it from epoch `total_iters` on.

        lr_t = base * factor                            for t < total_iters
        lr_t = base                                     after that

    `factor` is in [0, 1]. A `total_iters` of 0 is no epoch that comes: the part is used for good, as in PyTorch.

    >>> first_rates(ConstantLR, 4, factor=0.25, total_iters=2)
    [0.25, 0.25, 1.0, 1.0]
    """

    checks = {"factor": UNIT_INTERVAL, "total_iters": WHOLE_FROM_0}

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times `factor`, before epoch `total_iters`."""
        return base if epoch >= self.total_iters > 0 else base * self.factor


class LinearLR(LRScheduler):
    """Go in a straight line from one part of the learning rate to another: a warm-up.

        f_t  = start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters
        lr_t = base * f_t

    `start_factor` is in (0, 1], `end_factor` in [0, 1], and `total_iters` 1 or more.

    >>> first_rates(LinearLR, 5, start_factor=0.25, total_iters=3)
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    checks = {"start_factor": ABOVE_0_TO_1, "end_factor": UNIT_INTERVAL, "total_iters": WHOLE}

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        """f_t, up to epoch `total_iters`."""
        line = self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters
        return max(0.0, line)  # rounding may end it below 0

    def start(self, lr: float, base: float, i: int) -> float:
        """Times f_0."""
        return lr * self.start_factor

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times f_t / f_{t-1}, up to epoch `total_iters`."""
        return lr if epoch > self.total_iters else lr * (self.factor(epoch) / self.factor(epoch - 1))


class PolynomialLR(LRScheduler):
    """Let the learning rate fall to zero along a power of the epochs that are left.

        lr_t = base * (1 - min(t, total_iters) / total_iters)^power

    The fall takes `total_iters` epochs, 1 or more: a straight line for `power` 1, steeper at first for more.

    >>> first_rates(PolynomialLR, 5, total_iters=4, power=2)
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    checks = {"total_iters": WHOLE, "power": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Times the ratio of what is left now to what was left before, to the power."""
        left = self.total_iters - epoch
        return lr if left < 0 else lr * (left / (left + 1)) ** self.power


class CosineAnnealingLR(AbsoluteLR):
    """Let the learning rate fall along half a wave of the cosine (Loshchilov and Hutter 2017, arXiv 1608.03983).

        lr_t = eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2

    At epoch T_max, 1 or more, it is `eta_min`. As in PyTorch it then climbs back along the wave, and falls
    again; the paper restarts at `base` at once, which is CosineAnnealingWarmRestarts.

    >>> first_rates(CosineAnnealingLR, 4, T_max=3)
    [1.0, 0.75, 0.25, 0.0]
    """

    checks = {"T_max": WHOLE, "eta_min": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def start(self, lr: float, base: float, i: int) -> float:
        """The learning rate of group i at epoch 0."""
        return lr

    def _move(self, epoch: int, lrs: list[Rate], bases: list[float]) -> None:
        (LRScheduler if self.eta_min else AbsoluteLR)._move(self, epoch, lrs, bases)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """What is above `eta_min`, times the ratio of two heights of the wave."""
        if not self.eta_min:
            return base * (1 + cos(pi * epoch / self.T_max)) / 2
        if (epoch - 1) % (2 * self.T_max) == self.T_max:  # out of a trough: the ratio would be x/0
            return lr + (base - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
        ratio = (1 + cos(pi * epoch / self.T_max)) / (1 + cos(pi * (epoch - 1) / self.T_max))
        return max(0.0, ratio * (lr - self.eta_min) + self.eta_min)  # lr may have been set below eta_min


class LambdaLR(AbsoluteLR):
    """Multiply the first learning rate by any function f of the epoch.

        lr_t = base * f(t)

    `lr_lambda` is f, or a list of them, one for each group; an f(t) that is not a finite number of 0 or more
    is refused in `step`. The functions are not part of the `state_dict`: give the same ones again when you
    resume.

    >>> first_rates(LambdaLR, 2, lambda epoch: 1 / (1 + epoch))
    [1.0, 0.5]
    """

    checks = {"lr_lambda": function}
    per_group = functions = ("lr_lambda",)

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, epoch: int, i: int) -> float:
        """f(epoch) for group i, checked."""
        factor = for_group(self.lr_lambda, i)(epoch)
        return NON_NEGATIVE(f"{self._name}, group {i}", f"lr_lambda({epoch})", factor)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """f(t) of the first one."""
        return base * self.factor(epoch, i)


class MultiplicativeLR(LambdaLR):
    """Multiply the learning rate at every epoch by any function f of the epoch.

        lr_t = lr_{t-1} * f(t)                          from epoch 1 on

    Args and errors as LambdaLR.

    >>> first_rates(MultiplicativeLR, 3, lambda epoch: 0.5)
    [1.0, 0.5, 0.25]
    """

    _move = LRScheduler._move

    def start(self, lr: float, base: float, i: int) -> float:
        """As it is: f is not called for epoch 0."""
        return lr

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """f(t) of the one before."""
        return lr * self.factor(epoch, i)


class SWALR(LRScheduler):
    """Go from the learning rate that it finds to `swa_lr` in `anneal_epochs` epochs, 1 or more, and stay there: for
    averaged weights (Izmailov et al. 2018, arXiv 1803.05407).

        lr_t = a_t * swa_lr + (1 - a_t) * lr            a from 0 to 1, by half a wave of the cosine or "linear"

    `lr` is that of its first `step()`, whatever schedule came before; `swa_lr` may be a list with one for each group.

    >>> first_rates(SWALR, 4, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    [1.0, 0.75, 0.5, 0.5]
    """

    checks = {"swa_lr": NON_NEGATIVE, "anneal_epochs": WHOLE, "anneal_strategy": one_of("cos", "linear")}
    per_group = ("swa_lr",)

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | Sequence[float], anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
    ) -> None:  # fmt: skip
        self.swa_lr, self.anneal_epochs, self.anneal_strategy = swa_lr, anneal_epochs, anneal_strategy
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """The mean of two ends, the first of which is the one that makes `lr` that of the epoch before."""
        t, goal = [min(1.0, e / self.anneal_epochs) for e in (epoch - 1, epoch)], for_group(self.swa_lr, i)
        before, now = [(1 - cos(pi * x)) / 2 for x in t] if self.anneal_strategy == "cos" else t
        return goal if before == 1 else max(0.0, goal * now + (lr - before * goal) / (1 - before) * (1 - now))


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rate by `factor` when a number, the loss say, has not got better for a while.

    `step(metrics)` takes that number. An epoch is bad if it is not better than the best so far by more than

        threshold * |best|                          where threshold_mode is "rel"
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
        eps: the least change worth making, where the learning rate was larger when the schedule was made.

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
        self.base_lrs = [lr for lr, _ in self._current_lrs(self._name)]  # with what others made of it: see `rate`

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
        # Of a negative best, which PyTorch moves the wrong way, and of an infinite one, which no change moves.
        relative = 1 + change if self.best > 0 or isinf(self.best) else 1 - change
        goal = self.best * relative if self.threshold_mode == "rel" else self.best + change
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
        least = self.eps if base > self.eps else 0.0  # a rate that began below eps would never change
        return reduced if self.num_bad_epochs > self.patience and lr - reduced > least else lr

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
