"""Chapter 8, continued. The schedules: each is one `rate`; what they share stands in scheduler.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi

from lucid.optim.optimizer import Optimizer
from lucid.optim.options import NON_NEGATIVE, Domain, checked
from lucid.optim.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from lucid.optim.scheduler import POSITIVE_COUNT, RATE, each, function, of_group, one_or_each, real
from lucid.optim.scheduler import LRScheduler as LRScheduler


class StepLR(LRScheduler):
    """Multiply the learning rate by `gamma` every `step_size` epochs.

        lr_t = base * gamma^floor(t / step_size)

    Args:
        optimizer: whose groups are scheduled.
        step_size: epochs between one change and the next, 1 or more.
        gamma: the factor, 0 or more.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(5):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()  # as often as there are batches
    ...     scheduler.step()
    [1.0]
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    """

    checks = {"step_size": POSITIVE_COUNT, "gamma": RATE}
    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By `gamma` at every multiple of `step_size`."""
        return lr if epoch % self.step_size else lr * self.gamma


class MultiStepLR(LRScheduler):
    """Multiply the learning rate by `gamma` at each of the `milestones`.

        lr_t = base * gamma^(how many milestones are t or less)

    Args:
        optimizer: whose groups are scheduled.
        milestones: a list of epochs, 1 or more each; one that is listed twice counts twice.
        gamma: the factor, 0 or more.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for epoch in range(3):
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.5]
    [0.5]
    [0.25]
    """

    checks = {"milestones": each(POSITIVE_COUNT), "gamma": RATE}
    milestones: list[int]
    gamma: float

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        super().__init__(optimizer, milestones=milestones, gamma=gamma)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By `gamma` at a milestone."""
        return lr * self.gamma ** self.milestones.count(epoch)


class ExponentialLR(LRScheduler):
    """Multiply the learning rate by `gamma` at every epoch.

        lr_t = base * gamma^t

    Args:
        optimizer: whose groups are scheduled.
        gamma: the factor, 0 or more.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    checks = {"gamma": RATE}
    gamma: float

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, gamma=gamma)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By `gamma`, always."""
        return lr * self.gamma


class LinearLR(LRScheduler):
    """Begin at a part of the learning rate and go in a straight line to another: a warm-up.

        f_t  = start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters
        lr_t = base * f_t

    Args:
        optimizer: whose groups are scheduled.
        start_factor: f at epoch 0, in (0, 1].
        end_factor: f from epoch `total_iters` on, in [0, 1].
        total_iters: how many epochs the line takes, 1 or more.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> for epoch in range(5):
    ...     print(scheduler.get_last_lr())
    ...     scheduler.step()
    [0.25]
    [0.5]
    [0.75]
    [1.0]
    [1.0]
    """

    checks = {
        "start_factor": real(Domain("a number in (0, 1]", lambda x: 0 < x <= 1)),
        "end_factor": real(Domain("a number in [0, 1]", lambda x: 0 <= x <= 1)),
        "total_iters": POSITIVE_COUNT,
    }
    start_factor: float
    end_factor: float
    total_iters: int

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        super().__init__(optimizer, start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)

    def factor(self, epoch: int) -> float:
        """f_t, up to epoch `total_iters`."""
        return self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters

    def start(self, base: float, i: int) -> float:
        """A part of `base`."""
        return base * self.start_factor

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By f_t / f_{t-1}, as long as the line goes on."""
        return lr if epoch > self.total_iters else lr * (self.factor(epoch) / self.factor(epoch - 1))


class CosineAnnealingLR(LRScheduler):
    """Let the learning rate fall along half a wave of the cosine (Loshchilov and Hutter 2017, arXiv 1608.03983).

        lr_t = eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2

    At epoch T_max it is `eta_min`. As in PyTorch it then climbs back along the wave, and falls again; the paper
    has it leap back at once, which is another schedule.

    Args:
        optimizer: whose groups are scheduled.
        T_max: how many epochs the fall takes, 1 or more.
        eta_min: the lowest learning rate.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.CosineAnnealingLR(optimizer, T_max=3)
    >>> for epoch in range(4):
    ...     print(f"{scheduler.get_last_lr()[0]:.2f}")
    ...     scheduler.step()
    1.00
    0.75
    0.25
    0.00
    """

    checks = {"T_max": POSITIVE_COUNT, "eta_min": RATE}
    T_max: int
    eta_min: float

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """What is above `eta_min` changes by the ratio of two heights of the wave."""
        if (epoch - 1) % (2 * self.T_max) == self.T_max:  # out of a trough: the ratio would be x/0
            return lr + (base - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
        ratio = (1 + cos(pi * epoch / self.T_max)) / (1 + cos(pi * (epoch - 1) / self.T_max))
        return max(0.0, ratio * (lr - self.eta_min) + self.eta_min)  # lr may have been set below eta_min


class LambdaLR(LRScheduler):
    """Multiply the first learning rate by any function f of the epoch.

        lr_t = base * f(t)

    The functions are not part of the `state_dict`: give the same ones again when you resume. As each rate is
    computed from `base`, this is the one schedule that overwrites what others, or you, have put in `lr`.

    Args:
        optimizer: whose groups are scheduled.
        lr_lambda: f, or a list of them, one for each group.

    Raises:
        TypeError, ValueError: as LRScheduler says; in `step`, for an f(t) that is not a finite number of 0 or more.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    checks = {"lr_lambda": one_or_each(function)}
    per_group = functions = ("lr_lambda",)
    lr_lambda: Callable[[int], float] | list[Callable[[int], float]]

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        super().__init__(optimizer, lr_lambda=lr_lambda)

    def start(self, base: float, i: int) -> float:
        """As at every epoch."""
        return self.rate(0, base, base, i)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """What the function of this group says."""
        factor = of_group(self.lr_lambda, i)(epoch)
        return base * checked(f"{self._name}, group {i}", f"lr_lambda({epoch})", factor, NON_NEGATIVE)
