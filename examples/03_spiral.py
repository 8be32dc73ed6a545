"""Unwind a spiral: three arms that no straight line can part, and a small network that learns to.

    python examples/03_spiral.py

Two numbers in, 32 tanh units, 32 more, three scores out. The picture shows what the network believes about
every point of the plane, early, midway and at the end; the points drawn are new ones, on which it was not
trained.
"""

import math
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import lucid
import lucid.nn as nn
import lucid.optim as optim

try:
    from matplotlib.figure import Figure
    from tqdm import tqdm
except ModuleNotFoundError as missing:
    raise SystemExit(f"this example needs {missing.name}: pip install --editable '.[examples]'") from None

ARMS, POINTS, TURNS, NOISE = 3, 150, 1.25, 0.2  # points an arm; noise in radians
STEPS, QUICK_STEPS, LR = 1200, 400, 1e-2
EARLY, MIDWAY = 100, 200  # the steps that the picture looks back at
COLOURS = ("#2563a8", "#d9822b", "#3a8f5c")


def spiral() -> tuple[lucid.Tensor, lucid.Tensor]:
    """Points on noisy arms, (ARMS * POINTS, 2), and the number of the arm that each belongs to."""
    arm = lucid.arange(ARMS).unsqueeze(1).expand(ARMS, POINTS)
    radius = lucid.linspace(0.05, 1, POINTS).expand(ARMS, POINTS)
    angle = 2 * math.pi * (TURNS * radius + arm / ARMS) + NOISE * lucid.randn(ARMS, POINTS)
    points = lucid.stack([radius * lucid.cos(angle), radius * lucid.sin(angle)], dim=2)
    return points.reshape(-1, 2), arm.reshape(-1)


def beliefs(model: nn.Module, device: str, side: int = 220) -> lucid.Tensor:
    """The probability of each arm on a grid over the plane, (side, side, ARMS)."""
    line = lucid.linspace(-1.2, 1.2, side)
    x, y = line.expand(side, side), line.unsqueeze(1).expand(side, side)
    grid = lucid.stack([x, y], dim=2).reshape(-1, 2)
    with lucid.no_grad():
        return nn.functional.softmax(model(grid.to(device)), dim=1).cpu().reshape(side, side, ARMS)


def picture(
    path: Path, stages: list[tuple[str, lucid.Tensor]], points: lucid.Tensor, arms: lucid.Tensor
) -> None:
    """One panel a stage: the plane washed in the colours of the beliefs, and the points over it."""
    figure = Figure(figsize=(4 * len(stages), 4.3), layout="constrained")
    rgb = lucid.tensor([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in COLOURS])
    owner = [COLOURS[arm] for arm in arms.tolist()]
    for axes, (title, belief) in zip(figure.subplots(1, len(stages)), stages, strict=True):
        wash = 0.45 + 0.55 * (belief @ rgb)  # mixed as the beliefs are, and paler than the points
        axes.imshow(wash.numpy(), extent=(-1.2, 1.2, -1.2, 1.2), origin="lower", interpolation="bilinear")
        axes.scatter(*points.numpy().T, c=owner, s=13, edgecolors="white", linewidths=0.5)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the accuracy on points that were not trained on."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of the points and of the first weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps instead of {STEPS}")
    parser.add_argument("--out", type=Path, default=Path("out/03_spiral.png"), help="where the picture goes")
    options = parser.parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    lucid.set_num_threads(1)  # of more, in so small a model, each would wait for the others
    lucid.manual_seed(options.seed)
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

    stages = []
    for step in tqdm(range(1, steps + 1), desc="spiral", unit="step", disable=None):
        loss = loss_of(model(points), arms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (EARLY, MIDWAY, steps):
            stages.append((f"after {step} steps: {accuracy():.1%} right", beliefs(model, options.device)))

    picture(options.out, stages, new_points.cpu(), new_arms.cpu())
    print(f"{accuracy():.1%} of {len(new_arms)} new points on the right arm; picture: {options.out}")
    return accuracy()


if __name__ == "__main__":
    main()
