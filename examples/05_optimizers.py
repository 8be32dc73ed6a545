"""Race the optimizers: down two valleys, and through gradients that are noisy, sparse, or wrong now and then.

    python examples/05_optimizers.py

Adamax is said to be steadier than Adam where gradients are sparse or have large outliers; here that is put to
the test. A race is fair only if everybody runs at the right speed, so each optimizer has every learning rate
of a grid, 2^-14 to 1 by factors of 2, and is shown with its best: chosen on one half of the runs, measured on
the other. Two pictures are drawn, of the races and of the paths down the valleys.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
from common import Options, figure, progress, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim

Array = numpy.ndarray
RATES = [2.0**k for k in range(-14, 1)]
STEPS, QUICK_STEPS = 1500, 400
RUNS, SIZE = 60, 10  # independent runs of a race, and the numbers that each has to find
RACERS = ["SGD", "RMSprop", "Adagrad", "Adam", "Adamax"]
COLOURS = {"SGD": "#8a8f98", "RMSprop": "#7b5ea7", "Adagrad": "#3a8f5c", "Adam": "#d9822b", "Adamax": "#2563a8",
           "LBFGS": "#c2452d"}  # fmt: skip

DOWNHILL, QUICK_DOWNHILL = 500, 100  # steps down a valley
ALL = ["Adamax", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Rprop", "Lion", "SGD", "ASGD",
       "LBFGS"]  # fmt: skip
FEW = ["SGD", "Adam", "Adamax", "LBFGS"]
VALLEYS: dict[str, tuple[Any, tuple[float, float], tuple[float, float]]] = {  # the ground, the start, the lowest point
    "Rosenbrock": (lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2, (-1.2, 1.0), (1.0, 1.0)),
    "100 times as steep across": (lambda x, y: (x * x + 100 * y * y) / 2, (-1.5, 1.0), (0.0, 0.0)),
    "the same, turned by 45 degrees": (
        lambda x, y: ((x + y) ** 2 + 100 * (y - x) ** 2) / 4, (-1.77, -0.35), (0.0, 0.0),
    ),
}  # fmt: skip
CELLS = [("Rosenbrock", [name]) for name in ALL] + [(valley, FEW) for valley in list(VALLEYS)[1:]]  # of the picture


def runs(
    name: str,
    rates: list[float],
    start: lucid.Tensor,
    loss_of: Callable[[lucid.Tensor, int], lucid.Tensor],
    steps: int,
) -> Iterator[lucid.Tensor]:
    """Where the optimizer gets to with each of the rates, (rates, *start.shape): before each step and after the last.

    Each learning rate has a parameter and a group of its own. In a parameter may stand many independent runs,
    for these optimizers work element by element and cannot tell.
    """
    params = [nn.Parameter(start) for _ in rates]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(params, rates, strict=True)]
    optimizer = getattr(optim, name)(groups, **({"momentum": 0.9} if name == "SGD" else {}))
    for step in range(steps):
        theta = lucid.stack(params)
        yield theta.detach()
        optimizer.zero_grad()
        loss_of(theta, step).sum().backward()
        optimizer.step()
    yield lucid.stack(params).detach()


# -- down the valleys ---------------------------------------------------------------------------------------


def walk(name: str, valley: str, rates: list[float], steps: int, device: str) -> tuple[Array, float | None]:
    """The path with the best of the learning rates, (steps + 1, 2), and that rate; best is who is lowest at last."""
    height, start, _ = VALLEYS[valley]
    begin = lucid.tensor(start, dtype=lucid.float64, device=device)
    if name == "LBFGS":  # finds its step sizes itself
        return descend(begin, height, steps), None

    def loss_of(theta: lucid.Tensor, step: int) -> lucid.Tensor:
        return height(theta[..., 0], theta[..., 1])

    paths = lucid.stack(list(runs(name, rates, begin, loss_of, steps))).cpu().numpy()  # (steps + 1, rates, 2)
    heights = numpy.nan_to_num(height(paths[..., 0], paths[..., 1]), nan=numpy.inf)
    best = heights[-10:].max(axis=0).argmin()
    return paths[:, best], rates[best]


def descend(begin: lucid.Tensor, height: Any, steps: int) -> Array:
    """The path of LBFGS, (steps + 1, 2), one iteration a step."""
    p = nn.Parameter(begin)
    optimizer = optim.LBFGS([p], max_iter=1, max_eval=25, line_search_fn="strong_wolfe")

    def closure() -> lucid.Tensor:
        optimizer.zero_grad()
        loss = height(p[0], p[1])
        loss.backward()
        return loss

    path = [p.detach().clone()]
    for _ in range(steps):
        optimizer.step(closure)
        path.append(p.detach().clone())
    return lucid.stack(path).cpu().numpy()


def draw_walks(path: Path, walks: dict[tuple[str, str], tuple[Array, float | None]]) -> None:
    """Rosenbrock's valley once for each optimizer, and the other two with a few in them."""
    picture = figure(15, 9.5)
    for axes, (valley, names) in zip(picture.subplots(3, 5).flatten(), CELLS, strict=True):
        height, start, goal = VALLEYS[valley]
        extent = ((-1.9, 1.9), (-0.9, 2.1)) if valley == "Rosenbrock" else ((-2.1, 0.9), (-1.4, 1.4))
        x, y = numpy.meshgrid(*(numpy.linspace(*ends, 160) for ends in extent))
        axes.contourf(x, y, numpy.log10(height(x, y) + 1e-3), levels=14, cmap="Greys", alpha=0.4)
        for name in names:
            track, rate = walks[name, valley]
            shown = f"{name}, lr {rate:.2g}" if rate else name
            colour = COLOURS[name if len(names) > 1 else "Adamax"]
            axes.plot(*track.T, "-", color=colour, linewidth=1.2, marker=".", markersize=3, label=shown)
        axes.set_title(f"{shown}: {height(*track[-1]):.0e}" if len(names) == 1 else valley, fontsize=10)
        axes.plot(*start, "o", color="black", markersize=4)
        axes.plot(*goal, "*", color="#c2452d", markersize=11, markeredgecolor="white")
        axes.set(xlim=extent[0], ylim=extent[1], xticks=[], yticks=[])
        if len(names) > 1:
            axes.legend(fontsize=8, loc="upper right")
    write(picture, path, dpi=90)


# -- the races ----------------------------------------------------------------------------------------------


class Race:
    """Find `target` from one example (x, y) a step, where y = x target + an error: RUNS runs of it side by side."""

    def __init__(self, kind: str, steps: int, device: str) -> None:
        self.target = lucid.randn(RUNS, SIZE, device=device)
        self.x = lucid.randn(steps, RUNS, SIZE, device=device)
        self.weight = lucid.ones(SIZE, device=device)  # how much a number matters: how often it has a gradient
        error = 0.5 * lucid.randn(steps, RUNS, device=device)
        if kind == "sparse":  # as words are: the k-th is there once in k examples
            self.weight = 1 / lucid.arange(1, SIZE + 1, device=device).float()
            self.x = self.x * (lucid.rand(steps, RUNS, SIZE, device=device) < self.weight)
        if kind == "outliers":  # one answer in a hundred is nonsense
            nonsense = 100 * lucid.randn(steps, RUNS, device=device)
            error = lucid.where(lucid.rand(steps, RUNS, device=device) < 0.01, nonsense, error)
        self.y = (self.x * self.target).sum(dim=-1) + error

    def loss_of(self, theta: lucid.Tensor, step: int) -> lucid.Tensor:
        """Of this step's example, (rates, RUNS), where theta is (rates, RUNS, SIZE)."""
        return ((theta * self.x[step]).sum(dim=-1) - self.y[step]) ** 2 / 2

    def excess(self, theta: lucid.Tensor) -> lucid.Tensor:
        """By how much the expected loss is above the lowest possible, (rates, RUNS)."""
        return (self.weight * (theta - self.target) ** 2).sum(dim=-1) / 2


class Result:
    """How one optimizer did in one race, with its best learning rate."""

    def __init__(self, rates: list[float], losses: Array, moves: Array) -> None:
        """Both (steps + 1, rates, RUNS): the excess losses, and the largest moves of any element, divided by lr."""
        last = numpy.nan_to_num(losses[-len(losses) // 5 :].mean(axis=0), nan=numpy.inf)
        half = RUNS // 2
        best = int(numpy.median(last[:, :half], axis=1).argmin())
        self.rate, self.at_the_edge = rates[best], best in (0, len(rates) - 1)
        self.by_rate = numpy.median(last[:, half:], axis=1)
        self.loss, self.move = float(self.by_rate[best]), float(moves[:, best, half:].max())
        self.curve = numpy.quantile(losses[:, best, half:], (0.25, 0.5, 0.75), axis=1)


def compete(race: Race, name: str, rates: list[float]) -> Result:
    """All learning rates and all runs."""
    start = lucid.zeros_like(race.target)
    scale = lucid.tensor(rates, device=start.device).unsqueeze(1)
    losses, moves, before = [], [], start
    for theta in runs(name, rates, start, race.loss_of, len(race.y)):
        losses.append(race.excess(theta))
        moves.append((theta - before).abs().amax(dim=-1) / scale)
        before = theta
    return Result(rates, *(lucid.stack(each).cpu().numpy() for each in (losses, moves)))


def spike(name: str, steps: int = 1500, at: int = 200, size: float = 1000.0) -> Array:
    """Moves, in units of lr, of a parameter whose gradient is 1 at every step but one, where it is 1000."""
    p = nn.Parameter([0.0])
    optimizer, moves = getattr(optim, name)([p], lr=1.0), []
    for step in range(steps):
        p.grad, before = lucid.tensor([size if step == at else 1.0]), p.item()
        optimizer.step()
        moves.append(before - p.item())
    return numpy.array(moves)


def draw_races(path: Path, rates: list[float], results: dict[str, dict[str, Result]]) -> None:
    """Above how the loss falls, below where it ends for each rate; at the right one spike, and what follows."""
    picture = figure(15, 7)
    panels = picture.subplots(2, len(results) + 1)
    for column, (kind, racers) in enumerate(results.items()):
        above, below = panels[:, column]
        for name, result in racers.items():
            low, middle, high = result.curve
            above.plot(middle, color=COLOURS[name], linewidth=1.3, label=f"{name}, lr {result.rate:.2g}")
            above.fill_between(range(len(low)), low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
            below.plot(rates, result.by_rate, color=COLOURS[name], marker=".", linewidth=1.3)
            below.plot(result.rate, result.loss, "o", color=COLOURS[name], markersize=8, fillstyle="none")
        above.set(title=f"{kind}: excess loss", yscale="log", xlabel="step")
        above.legend(fontsize=8)
        lowest = min(result.loss for result in racers.values())
        below.set(title=f"{kind}: where it ends", xscale="log", yscale="log", xlabel="lr", ylim=(lowest / 2, 50))
    for name in ("Adam", "Adamax"):
        moves = spike(name)
        panels[0, -1].plot(moves, color=COLOURS[name], label=name)
        panels[1, -1].plot(moves.cumsum(), color=COLOURS[name], label=name)
    panels[0, -1].set(title="one gradient of 1000: move / lr", yscale="log", xlabel="step")
    panels[1, -1].set(title="one gradient of 1000: how far / lr", xlabel="step")
    panels[0, -1].legend(fontsize=8)
    for axes in panels.flatten():
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    write(picture, path, dpi=90)


def table(results: dict[str, dict[str, Result]]) -> str:
    """The best learning rate, where the loss ended with it, and the largest single move."""
    lines = [" " * 8 + "".join(f"{kind:>30}" for kind in results)]
    lines += [" " * 8 + f"{'lr':>10} {'loss':>9}{'move / lr':>10}" * len(results)]
    for name in RACERS:
        line = f"{name:8}"
        for racers in results.values():
            result = racers[name]
            line += f"{result.rate:>10.2g}{'*' if result.at_the_edge else ' '}{result.loss:>9.4f}{result.move:>10.4g}"
        lines.append(line)
    if any("*" in line for line in lines):
        lines.append("* at the edge of the grid: there may be a better one")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> dict[str, dict[str, Result]]:
    """Walk, race, draw, and return the results of the races by kind and name."""
    quick = "fewer steps, and every second learning rate"
    options = Options(__doc__, quick=quick, out="out/05_optimizers.png").parse_args(argv)
    steps, downhill, rates = (QUICK_STEPS, QUICK_DOWNHILL, RATES[::2]) if options.quick else (STEPS, DOWNHILL, RATES)

    races = {kind: Race(kind, steps, options.device) for kind in ("noise", "sparse", "outliers")}
    results: dict[str, dict[str, Result]] = {kind: {} for kind in races}
    starts = [(name, valley) for valley, names in CELLS for name in names]
    with numpy.errstate(all="ignore"):  # with a learning rate that is too high it ends in NaN, and is not chosen
        walks = {
            (name, valley): walk(name, valley, rates, downhill, options.device)
            for name, valley in progress(starts, "valleys", "walk")
        }
        for kind, name in progress([(k, n) for k in races for n in RACERS], "races", "racer"):
            results[kind][name] = compete(races[kind], name, rates)

    paths = options.out.with_stem(options.out.stem + "_paths")
    draw_races(options.out, rates, results)
    draw_walks(paths, walks)
    print(table(results))
    quotients = ", ".join(f"{kind} {r['Adamax'].loss / r['Adam'].loss:.2f}" for kind, r in results.items())
    print(f"Adamax's loss divided by Adam's: {quotients}; pictures: {options.out}, {paths}")
    return results


if __name__ == "__main__":
    run(main)
