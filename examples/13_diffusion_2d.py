"""Make points out of noise: diffusion in two dimensions, drawn as an animation.

    python examples/13_diffusion_2d.py

Two moons of points are drowned in noise, little by little, until nothing is left of them. A network learns to say
what noise a point has caught, the rest is arithmetic (Ho, Jain and Abbeel 2020): beginning with noise alone, what the
network calls noise is taken away in 40 steps, with a little fresh noise after each, and moons come out. Models that
make pictures do the same with a million dimensions in the place of two.
"""

import numpy
from common import Options, Training, figure, needed, run

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid.datasets import moons

NOISE, TIMES = 0.06, 40
STEPS, QUICK_STEPS, BATCH, LR = 5000, 1200, 512, 2e-2
DRAWN, SIDE = 30_000, 80  # points behind the density, and cells along its side

# How much of a point is still there at each time, and how much of it is noise, by the cosine of Nichol and Dhariwal
# (2021): the squares of the two always sum up to 1.

KEPT = (lucid.linspace(0, 1, TIMES + 1)[1:] * 1.5).cos()
LOST = (1 - KEPT**2).sqrt()


class Denoiser(nn.Module):
    """Points (n, 2) and their times (n,) -> the noise in them (n, 2)."""

    def __init__(self, width: int = 96) -> None:
        self.place, self.time = nn.Linear(2, width), nn.Embedding(TIMES, width)
        self.rest = nn.Sequential(
            nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)
        )

    def forward(self, points: lucid.Tensor, times: lucid.Tensor) -> lucid.Tensor:
        return self.rest(self.place(points) + self.time(times))


def sample(model: nn.Module, count: int, device: str) -> list[lucid.Tensor]:
    """Points at each time, from nothing but noise to those that the model makes of it."""
    kept, lost = KEPT.to(device), LOST.to(device)
    points = lucid.randn(count, 2).to(device)
    stages = [points]
    with lucid.no_grad():
        for t in reversed(range(TIMES)):
            noise = model(points, lucid.full((count,), t, device=device))
            clean = ((points - lost[t] * noise) / kept[t]).clamp(-3, 3)
            if t:  # a point of the time before, among those that may have led here
                share = kept[t] / kept[t - 1]
                spread = (1 - share**2).sqrt() * lost[t - 1] / lost[t]
                points = kept[t - 1] * clean + (lost[t - 1] ** 2 - spread**2).sqrt() * noise
                points = points + spread * lucid.randn(count, 2).to(device)
            else:
                points = clean
            stages.append(points)
    return [points.cpu() for points in stages]


def scores(points: lucid.Tensor, moon: lucid.Tensor) -> tuple[float, float]:
    """The share of points near a moon, and the share of the moons that has points near it."""
    far = lucid.cdist(points, moon)
    near, filled = ((far.min(dim).values < 3 * NOISE).float().mean().item() for dim in (1, 0))
    return near, filled


def animate(path: str, stages: list[lucid.Tensor], title: str) -> None:
    """The density of the points at each time, as a picture that moves, and stays at the last for a second."""
    page = figure(4, 4.2)
    axes = page.subplots()
    axes.set(xticks=[], yticks=[], title=title)
    edges = numpy.linspace(-2.4, 2.4, SIDE + 1)
    densities = [numpy.histogram2d(y, x, bins=[edges, edges])[0] for x, y in (points.numpy().T for points in stages)]
    image = axes.imshow(densities[0], cmap="magma", origin="lower", vmax=numpy.percentile(densities[-1], 99))
    animation = needed("matplotlib.animation")
    frames = [*densities, *[densities[-1]] * 12]
    film = animation.FuncAnimation(page, lambda density: [image.set_data(density)], frames=frames)
    film.save(path, writer=animation.PillowWriter(fps=12), dpi=72)


def main(argv: list[str] | None = None) -> tuple[float, float]:
    """Train, draw, and return the shares of points on the moons, and of the moons with points on them."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/13_diffusion_2d.gif", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    def moon_points(count: int, noise: float = NOISE) -> lucid.Tensor:
        points = moons(count // 2, noise)[0]
        return 1.2 * (points - lucid.tensor([0.5, 0.25]))  # about as wide as the noise

    data = moon_points(4000).to(options.device)
    model = Denoiser().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    kept, lost = KEPT.to(options.device), LOST.to(options.device)

    # Each step takes some points, drowns each as far as some time has it, and asks for the noise.

    for _ in Training(options, steps, model=model, optimizer=optimizer, schedule=schedule):
        points = data[lucid.randint(0, len(data), (BATCH,)).to(options.device)]
        times = lucid.randint(0, TIMES, (BATCH,)).to(options.device)
        noise = lucid.randn(BATCH, 2).to(options.device)
        drowned = kept[times].unsqueeze(1) * points + lost[times].unsqueeze(1) * noise
        loss = nn.functional.mse_loss(model(drowned, times), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    stages = sample(model, DRAWN // 10 if options.quick else DRAWN, options.device)
    right, covered = scores(stages[-1][:2000], moon_points(400, noise=0.0))
    animate(options.out, stages[:: 4 if options.quick else 1], f"from noise to moons: in the end {right:.1%} on one")
    print(f"{right:.1%} of the points made are on a moon, and on {covered:.1%} of the moons are points; {options.out}")
    return right, covered


if __name__ == "__main__":
    run(main)
