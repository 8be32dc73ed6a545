"""How the learning rate changes during training: every schedule, under PyTorch's name for it.

What they share stands in schedulers/base.py. Those that multiply the learning rate of the epoch before, or the first
one, are in decay.py; those that compute it from the step alone in cyclic.py; those made of other schedules in
combine.py; and the one that looks at the loss in plateau.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi

from lucid.optim.composed import ChainedScheduler as ChainedScheduler
from lucid.optim.composed import SequentialLR as SequentialLR
from lucid.optim.cycles import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from lucid.optim.cycles import CyclicLR as CyclicLR
from lucid.optim.cycles import NoamScheduler as NoamScheduler
from lucid.optim.cycles import OneCycleLR as OneCycleLR
from lucid.optim.optimizer import Optimizer
from lucid.optim.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from lucid.optim.scheduler import POSITIVE_COUNT, RATE, each, function, of_group, one_or_each, real
from lucid.optim.scheduler import LRScheduler as LRScheduler
from lucid.optim.validation import NON_NEGATIVE, UNIT_INTERVAL, Domain, check_hyperparameter

PART = Domain("a number in (0, 1]", lambda x: 0 < x <= 1)


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
    >>> for epoch in range(5):  # with an optimizer.step() for every batch in it
    ...     print(scheduler.get_last_lr())
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


class ConstantLR(LRScheduler):
    """Begin with a part of the learning rate, and have all of it from epoch `total_iters` on.

        lr_t = base * factor                            for t < total_iters
        lr_t = base                                     after that

    Args:
        optimizer: whose groups are scheduled.
        factor: the part, in (0, 1].
        total_iters: how many epochs that is, 1 or more.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     scheduler.step()
    [0.25]
    [0.25]
    [1.0]
    [1.0]
    """

    checks = {"factor": real(PART), "total_iters": POSITIVE_COUNT}
    factor: float
    total_iters: int

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        super().__init__(optimizer, factor=factor, total_iters=total_iters)

    def start(self, lr: float, base: float, i: int) -> float:
        """A part of it."""
        return lr * self.factor

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """Back to the whole, once."""
        return lr / self.factor if epoch == self.total_iters else lr


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
        "start_factor": real(PART),
        "end_factor": real(UNIT_INTERVAL),
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
        line = self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters
        return max(0.0, line)  # rounding may end it below 0

    def start(self, lr: float, base: float, i: int) -> float:
        """A part of it."""
        return lr * self.start_factor

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By f_t / f_{t-1}, as long as the line goes on."""
        return lr if epoch > self.total_iters else lr * (self.factor(epoch) / self.factor(epoch - 1))


class PolynomialLR(LRScheduler):
    """Let the learning rate fall to zero along a power of the epochs that are left.

        lr_t = base * (1 - min(t, total_iters) / total_iters)^power

    Args:
        optimizer: whose groups are scheduled.
        total_iters: how many epochs the fall takes, 1 or more.
        power: 1 for a straight line, more for a fall that is steeper at first.

    Raises:
        TypeError, ValueError: as LRScheduler says.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.PolynomialLR(optimizer, total_iters=4, power=2)
    >>> for epoch in range(5):
    ...     print(f"{scheduler.get_last_lr()[0]:.4f}")
    ...     scheduler.step()
    1.0000
    0.5625
    0.2500
    0.0625
    0.0000
    """

    checks = {"total_iters": POSITIVE_COUNT, "power": RATE}
    total_iters: int
    power: float

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        super().__init__(optimizer, total_iters=total_iters, power=power)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """By what is left now of what was left before."""
        left = self.total_iters - epoch
        return lr if left < 0 else lr * (left / (left + 1)) ** self.power


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
    computed from `base`, this schedule overwrites what others, or you, have put in `lr`.

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

    def factor(self, epoch: int, i: int) -> float:
        """What the function of group i says."""
        factor = of_group(self.lr_lambda, i)(epoch)
        return check_hyperparameter(f"{self._name}, group {i}", f"lr_lambda({epoch})", factor, NON_NEGATIVE)

    def start(self, lr: float, base: float, i: int) -> float:
        """As at every epoch."""
        return base * self.factor(0, i)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """f(t) of the first one."""
        return base * self.factor(epoch, i)


class MultiplicativeLR(LambdaLR):
    """Multiply the learning rate at every epoch by any function f of the epoch.

        lr_t = lr_{t-1} * f(t)                          from epoch 1 on

    Args:
        optimizer, lr_lambda: as for LambdaLR.

    Raises:
        TypeError, ValueError: as LambdaLR does.

    >>> import lucid
    >>> optimizer = lucid.optim.SGD([lucid.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = lucid.optim.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> scheduler.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def start(self, lr: float, base: float, i: int) -> float:
        """As it stands: f is not asked."""
        return lr

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """f(t) of the last one."""
        return lr * self.factor(epoch, i)
