"""Unwind a spiral: three arms that no straight line can part, and a small network that learns to.

    python examples/03_spiral.py

Two numbers in, 32 tanh units, 32 more, three scores out. The picture shows what the network believes about
every point of the plane, early, midway and at the end; the points drawn are new ones, on which it was not
trained.
"""

from pathlib import Path
from typing import Any

import numpy
from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid.datasets import spiral

ARMS = 3
STEPS, QUICK_STEPS, LR = 1200, 400, 1e-2
EARLY, MIDWAY = 100, 200  # the steps that the picture looks back at
COLOURS = ("#2563a8", "#d9822b", "#3a8f5c")


def beliefs(model: nn.Module, device: str, side: int = 220) -> numpy.ndarray:
    """The probability of each arm on a grid over the plane, (side, side, ARMS)."""
    line = lucid.linspace(-1.2, 1.2, side)
    x, y = line.expand(side, side), line.unsqueeze(1).expand(side, side)
    grid = lucid.stack([x, y], dim=2).reshape(-1, 2)
    with lucid.no_grad():
        return nn.functional.softmax(model(grid.to(device)), dim=1).cpu().reshape(side, side, ARMS).numpy()


def picture(
    path: Path, stages: dict[str, list[Any]], points: lucid.Tensor, arms: lucid.Tensor
) -> None:
    """One panel a stage: the plane washed in the colours of the beliefs, and the points over it."""
    page = figure(12, 4.3)
    rgb = numpy.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in COLOURS])
    owner = [COLOURS[arm] for arm in arms.tolist()]
    for axes, title, belief in zip(page.subplots(1, 3), stages["title"], stages["belief"], strict=True):
        wash = 0.45 + 0.55 * (belief @ rgb)  # mixed as the beliefs are, and paler than the points
        axes.imshow(wash, extent=(-1.2, 1.2, -1.2, 1.2), origin="lower", interpolation="bilinear")
        axes.scatter(*points.numpy().T, c=owner, s=13, edgecolors="white", linewidths=0.5)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    write(page, path, dpi=130)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the accuracy on points that were not trained on."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/03_spiral.png", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    points, arms = (part.to(options.device) for part in spiral())
    new_points, new_arms = (part.to(options.device) for part in spiral())

    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, ARMS)).to(
        options.device
    )
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adamax(model.parameters(), lr=LR)

    def accuracy() -> float:
        with lucid.no_grad():
            return (model(new_points).argmax(dim=1) == new_arms).float().mean().item()

    stages: dict[str, list[Any]] = {"title": [], "belief": []}
    for step in Training(options, steps, model=model, optimizer=optimizer, stages=stages):
        loss = loss_of(model(points), arms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (taken := step + 1) in (EARLY, MIDWAY, steps):
            stages["title"].append(f"after {taken} steps: {accuracy():.1%} right")
            stages["belief"].append(beliefs(model, options.device))

    picture(options.out, stages, new_points.cpu(), new_arms.cpu())
    print(f"{accuracy():.1%} of {len(new_arms)} new points on the right arm; picture: {options.out}")
    return accuracy()


if __name__ == "__main__":
    run(main)
