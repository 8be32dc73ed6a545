"""Newton's method down Rosenbrock's valley: the hessian says how the ground curves, and a few steps are enough.

    python examples/14_newton.py

f(x, y) = (1 - x)^2 + 100 (y - x^2)^2 has its minimum at (1, 1), in a bent valley that is steep across and almost flat
along (Rosenbrock 1960). Newton's step is the one that would end at the minimum were the ground a bowl: H d = -g, with
the gradient g and the matrix of second derivatives H. LBFGS guesses H from the gradients that it has met. Adamax knows
none of it, and needs thousands of steps; but a step of it costs the same for a million parameters, and H would then
have 10^12 elements.
"""

from typing import Any

from common import Options, figure, progress, run, write

import lucid
import lucid.optim as optim

STEPS, QUICK_STEPS, RATE, ENOUGH = 6000, 500, 0.1, 1e-8  # a walk ends where f is at most that
COLOURS = {"Adamax": "#2563a8", "LBFGS": "#3a8f5c", "Newton": "#c2410c"}


def rosenbrock(at: lucid.Tensor) -> lucid.Tensor:
    """The height of the ground at `at`, (2,)."""
    x, y = at
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


# `hessian` differentiates the gradient once more. As the ground is no bowl after all, a step that would end higher than
# it began is halved until it does not. (Where the ground curves downwards, as it does nowhere on this way, a bowl has
# no bottom, and Newton's method needs more care than this.)


def newton_step(at: lucid.Tensor) -> lucid.Tensor:
    """Where one step of Newton's method leads."""
    height = rosenbrock(at)
    (gradient,) = lucid.autograd.grad(height, at)
    step = -lucid.linalg.solve(lucid.autograd.functional.hessian(rosenbrock, at), gradient)
    with lucid.no_grad():
        while rosenbrock(at + step) > height:
            step = step / 2
        return at + step


def newton(start: lucid.Tensor, steps: int) -> list[list[float]]:
    """The places that Newton's method passes, the start first."""
    at, path = start, [start.tolist()]
    while len(path) <= steps and rosenbrock(at) > ENOUGH:
        at = newton_step(at.detach().requires_grad_())
        path.append(at.tolist())
    return path


def descend(name: str, start: lucid.Tensor, steps: int) -> list[list[float]]:
    """The places that an optimizer of lucid passes."""
    at = start.clone().requires_grad_()
    wolfe: dict[str, Any] = {"max_iter": 1, "max_eval": 25, "line_search_fn": "strong_wolfe"}  # may look ahead so often
    optimizer = optim.Adamax([at], lr=RATE) if name == "Adamax" else optim.LBFGS([at], **wolfe)
    path = [at.tolist()]

    def loss() -> lucid.Tensor:
        optimizer.zero_grad()
        height = rosenbrock(at)
        height.backward()
        return height

    while len(path) <= steps and rosenbrock(at) > ENOUGH:
        optimizer.step(loss)
        path.append(at.tolist())
    return path


def main(argv: list[str] | None = None) -> dict[str, int]:
    """Walk, draw, and return the steps that each took."""
    quick = f"at most {QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/14_newton.png").parse_args(argv)
    most = QUICK_STEPS if options.quick else STEPS
    where = lucid.tensor([-1.5, 1.5]) + 0.3 * lucid.randn(2)
    start = where.to(lucid.float64).to(options.device)  # curvatures of 0.1 beside 1000: too much for float32

    paths = {}
    for name in progress(list(COLOURS), "walks", "walk"):
        paths[name] = newton(start, most) if name == "Newton" else descend(name, start, most)
    heights = {name: rosenbrock(lucid.tensor(path, dtype=lucid.float64).T) for name, path in paths.items()}

    page = figure(10, 4)
    left, right = page.subplots(1, 2, width_ratios=(3, 2))
    x, y = lucid.linspace(-2.3, 1.7, 200), lucid.linspace(-0.8, 2.8, 200)
    ground = rosenbrock(lucid.stack([x.expand(200, 200), y.unsqueeze(1).expand(200, 200)]))
    left.contourf(x.numpy(), y.numpy(), (ground + 1e-3).log().numpy(), levels=24, cmap="Greys", vmax=20)
    for name, path in paths.items():
        mark = "o" if name == "Newton" else "."
        label = f"{name}: {len(path) - 1}"
        left.plot(*zip(*path, strict=True), mark + "-", color=COLOURS[name], ms=4, lw=1, label=label)
        right.loglog(range(1, len(path) + 1), heights[name].numpy(), color=COLOURS[name])
    left.plot(1, 1, "*", color="black", ms=12)
    left.set(xlim=(-2.3, 1.7), ylim=(-0.8, 2.8), title="steps to the star")
    left.legend(frameon=False, loc="lower left")
    right.set(title="height above the minimum", xlabel="step")
    write(page, options.out)

    taken = {name: len(path) - 1 for name, path in paths.items()}
    for name, steps in taken.items():
        print(f"{name:8}{steps:5} steps, {heights[name][-1].item():.1e} above the minimum")
    print(f"picture: {options.out}")
    return taken


if __name__ == "__main__":
    run(main)
