"""Schedules that compute the learning rate from the step alone: cycles, restarts and warm-ups.

Only the one with restarts also uses the first learning rate. They are usually stepped after every batch
rather than after every epoch.
"""
# ruff: noqa: F401  (the doctests use first_rates)

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from math import cos, pi
from typing import Any, ClassVar

from lucid.optim.optimizer import Optimizer
from lucid.optim.schedulers.base import AbsoluteLR, Rate, first_rates, for_group
from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, POSITIVE, UNIT_INTERVAL, WHOLE, function, one_of


class CosineAnnealingWarmRestarts(AbsoluteLR):
    """Fall along half a wave of the cosine, again and again (SGDR; Loshchilov and Hutter 2017, arXiv 1608.03983).

        lr_t = eta_min + (base - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2

    T_cur counts from the last restart; the i-th fall takes T_i = T_0 * T_mult^i epochs, down to eta_min, and
    then the learning rate jumps back to `base`. T_0 and T_mult are whole numbers of 1 or more.

    >>> first_rates(CosineAnnealingWarmRestarts, 7, T_0=2, T_mult=2)
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    checks = {"T_0": WHOLE, "T_mult": WHOLE, "eta_min": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """The height of the wave T_cur epochs after the last restart."""
        T_cur, T_i = epoch, self.T_0
        if self.T_mult == 1:
            T_cur %= T_i
        while T_cur >= T_i:
            T_cur, T_i = T_cur - T_i, T_i * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * T_cur / T_i)) / 2


class MomentumLR(AbsoluteLR):
    """Base of those that cycle the momentum, `group["momentum"]` or else `group["beta1"]`, against the rate."""

    checks = {"cycle_momentum": FLAG, "base_momentum": HALF_OPEN_UNIT, "max_momentum": HALF_OPEN_UNIT}
    functions: ClassVar[tuple[str, ...]] = tuple(checks)
    cycle_momentum: bool
    base_momentum: float | Sequence[float]
    max_momentum: float | Sequence[float]
    _between: Callable[..., float]  # (epoch, first, top, last): where a value is that goes between these

    def check(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Refuse to cycle a momentum that there is not."""
        for i, group in enumerate(self.optimizer.param_groups if numbers.get("cycle_momentum") else ()):
            if group.keys().isdisjoint(("momentum", "beta1")):
                needs = f"cycle_momentum=True needs a momentum or betas, and group {i} of the optimizer has neither"
                raise ValueError(f"{context}: {needs}; give cycle_momentum=False")

    def _write(self, epoch: int, lrs: list[Rate]) -> None:
        super()._write(epoch, lrs)
        for i, group in enumerate(self.optimizer.param_groups if self.cycle_momentum else ()):
            high = for_group(self.max_momentum, i)
            now = self._between(epoch, high, for_group(self.base_momentum, i), high)
            group["momentum" if "momentum" in group else "beta1"] = now


class CyclicLR(MomentumLR):
    """Go up and down between two learning rates in straight lines (Smith 2017, arXiv 1506.01186, section 3).

        lr_t = base_lr + (max_lr - base_lr) * h_t * s_t

    h_t goes from 0 to 1 in `step_size_up` steps and back in `step_size_down`, and so on; s_t is, by `mode`,

        "triangular"    1
        "triangular2"   1 / 2^(cycles that are over)
        "exp_range"     gamma^t

    or the value of `scale_fn`. The momentum, `group["momentum"]` or where there is none `group["beta1"]`, goes the
    other way, from max_momentum down to base_momentum and back, by the same h_t * s_t.

    Args:
        optimizer: the learning rates that its groups have are not used.
        base_lr, max_lr: the two learning rates, or lists of them, one for each group.
        step_size_up, step_size_down: steps from one to the other, 1 or more; the same number unless both are given.
        mode, gamma: as above, gamma in [0, 1].
        scale_fn: s as a function of the cycle, counted from 1, or of t; `mode` is then not used. It is not
            part of the `state_dict`: give the same one again when you resume.
        scale_mode: what `scale_fn` is a function of, "cycle" or "iterations".
        cycle_momentum: whether the momentum is cycled; a ValueError if the optimizer has none.
        base_momentum, max_momentum: its two ends, in [0, 1), or lists; like `scale_fn` not part of the `state_dict`.

    >>> first_rates(CyclicLR, 8, base_lr=0.0, max_lr=1.0, step_size_up=2, mode="triangular2")
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
    """

    checks = MomentumLR.checks | {
        "base_lr": NON_NEGATIVE, "max_lr": NON_NEGATIVE, "step_size_up": WHOLE, "step_size_down": WHOLE,
        "mode": one_of("triangular", "triangular2", "exp_range"), "gamma": UNIT_INTERVAL,
        "scale_fn": lambda context, name, value: None if value is None else function(context, name, value),
        "scale_mode": one_of("cycle", "iterations"),
    }  # fmt: skip
    per_group = ("base_lr", "max_lr", "base_momentum", "max_momentum")
    functions = ("scale_fn", *MomentumLR.functions)

    def __init__(
        self, optimizer: Optimizer, base_lr: float | Sequence[float], max_lr: float | Sequence[float],
        step_size_up: int = 2000, step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle", cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8, max_momentum: float | Sequence[float] = 0.9,
    ) -> None:  # fmt: skip
        self.cycle_momentum, self.base_momentum, self.max_momentum = cycle_momentum, base_momentum, max_momentum
        self.base_lr, self.max_lr, self.step_size_up = base_lr, max_lr, step_size_up
        self.step_size_down = step_size_up if step_size_down is None else step_size_down
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """base_lr + (max_lr - base_lr) * h * s."""
        low = for_group(self.base_lr, i)
        return self._between(epoch, low, for_group(self.max_lr, i), low)

    def _between(self, epoch: int, first: float, top: float, last: float) -> float:
        """From `first` up to `top` and back."""
        up, down = self.step_size_up, self.step_size_down
        over, step = divmod(epoch, up + down)
        height = step / up if step <= up else (up + down - step) / down
        return first + (top - first) * height * self.scale(epoch, over)

    def scale(self, epoch: int, over: int) -> float:
        """s_t, after `over` whole cycles."""
        if self.scale_fn is None:
            return {"triangular": 1.0, "triangular2": 0.5**over, "exp_range": self.gamma**epoch}[self.mode]
        x = over + 1 if self.scale_mode == "cycle" else epoch
        return NON_NEGATIVE(self._name, f"scale_fn({x})", self.scale_fn(x))


class OneCycleLR(MomentumLR):
    """Go up once and down once, far below where it began (Smith and Topin 2018, arXiv 1708.07120).

    With first = max_lr / div_factor and last = first / final_div_factor, along half waves of the cosine or in
    straight lines,

        from first to max_lr    until step pct_start * total_steps - 1
        from max_lr to last     until step total_steps - 1

    and with `three_phase` from max_lr back to first in as many steps as it went up in, and only then to last.

    The momentum goes the other way, from max_momentum to base_momentum and back, as in CyclicLR, and the learning rates
    of the groups are not used.

    Args:
        max_lr: the highest learning rate, or a list of them, one for each group.
        total_steps: how many steps there are; once none is left, `step` raises a ValueError. Or else give
        epochs, steps_per_epoch: whose product it is; a ValueError without either.
        pct_start: the part of them in which it goes up, in [0, 1], with `three_phase` in [0, 0.5].
        anneal_strategy: "cos" or "linear".
        cycle_momentum, base_momentum, max_momentum: as for CyclicLR.
        div_factor, final_div_factor, three_phase: as above, the factors above 0.

    >>> first_rates(OneCycleLR, 10, max_lr=1.0, total_steps=10, anneal_strategy="linear")
    [0.04, 0.52, 1.0, 0.8571, 0.7143, 0.5714, 0.4286, 0.2857, 0.1429, 0.0]
    """

    checks = MomentumLR.checks | {
        "max_lr": NON_NEGATIVE, "total_steps": WHOLE, "pct_start": UNIT_INTERVAL, "three_phase": FLAG,
        "anneal_strategy": one_of("cos", "linear"), "div_factor": POSITIVE, "final_div_factor": POSITIVE,
    }  # fmt: skip
    per_group = ("max_lr", "base_momentum", "max_momentum")

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.cycle_momentum, self.base_momentum, self.max_momentum = cycle_momentum, base_momentum, max_momentum
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                expected = "expected total_steps, or epochs and steps_per_epoch, got total_steps=None"
                got, fix = f"{epochs=} and {steps_per_epoch=}", "give total_steps=epochs * len(loader), say"
                raise ValueError(f"{name}: {expected}, {got}; {fix}")
            total_steps = WHOLE(name, "epochs", epochs) * WHOLE(name, "steps_per_epoch", steps_per_epoch)
        self.max_lr, self.total_steps, self.pct_start, self.three_phase = max_lr, total_steps, pct_start, three_phase
        self.anneal_strategy, self.div_factor, self.final_div_factor = anneal_strategy, div_factor, final_div_factor
        super().__init__(optimizer)

    def check(self, context: str, numbers: Mapping[str, Any]) -> None:
        """Refuse a rise and an equally long fall that together take more steps than there are."""
        super().check(context, numbers)
        if numbers["three_phase"] and numbers["pct_start"] > 0.5:
            got = f"as the fall takes as long, got {numbers['pct_start']}; 0.3 is usual"
            raise ValueError(f"{context}: pct_start must be at most 0.5 with three_phase=True, {got}")

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """From first to max_lr to last."""
        if epoch > self.total_steps:
            got = f"got a step more than the {self.total_steps} that there are"
            raise ValueError(f"{self._name}: {got}; give more total_steps, or stop stepping")
        highest = for_group(self.max_lr, i)
        first = highest / self.div_factor
        return self._between(epoch, first, highest, first / self.final_div_factor)

    def _between(self, epoch: int, first: float, top: float, last: float) -> float:
        """Between the two points, of a step and a value, that `epoch` lies between."""
        up, end = self.pct_start * self.total_steps - 1, self.total_steps - 1
        middle = [(up, top), (2 * up, first)] if self.three_phase else [(up, top)]
        points = [(0.0, first), *middle, (end, last)]
        k = bisect_left([step for step, _ in middle], epoch)
        (begin, start), (end, goal) = points[k : k + 2]
        # Beyond the last step it stays at the goal; PyTorch's goes a little further.
        part = min(1.0, (epoch - begin) / (end - begin)) if end > begin else 1.0
        return goal + (start - goal) * ((1 + cos(pi * part)) / 2 if self.anneal_strategy == "cos" else 1 - part)


class NoamScheduler(AbsoluteLR):
    """Warm up in a straight line, then fall with the root of the step (Vaswani et al. 2017, arXiv 1706.03762, 5.3).

        lr_t = factor * model_size^(-1/2) * min(t^(-1/2), t * warmup_steps^(-3/2))

    The two meet at t = `warmup_steps`, where it is highest. The paper counts steps from 1; step 0, before the
    first `step()`, has the learning rate of step 1. `model_size` is the width of the model, d_model in the
    paper; it and `warmup_steps` are 1 or more. The learning rates of the optimizer's groups are not used.

    >>> first_rates(NoamScheduler, 10, model_size=4, warmup_steps=4)
    [0.0625, 0.0625, 0.125, 0.1875, 0.25, 0.2236, 0.2041, 0.189, 0.1768, 0.1667]
    """

    checks = {"model_size": WHOLE, "warmup_steps": WHOLE, "factor": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, model_size: int, warmup_steps: int, factor: float = 1.0) -> None:
        self.model_size, self.warmup_steps, self.factor = model_size, warmup_steps, factor
        super().__init__(optimizer)

    def rate(self, epoch: int, lr: float, base: float, i: int) -> float:
        """The formula of section 5.3."""
        t = max(epoch, 1)
        return self.factor * self.model_size**-0.5 * min(t**-0.5, t * self.warmup_steps**-1.5)
