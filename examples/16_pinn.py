"""Solve a differential equation: a network that obeys u'' + 2 d u' + w^2 u = 0 is the solution.

    python examples/16_pinn.py

A weight on a spring, pulled out by 1 and let go: u is where it is at time t, d the friction, w the frequency. Nobody
tells the network any value of u but the first. It is punished where the equation does not hold, at 80 moments anew in
each step, and the equation needs its first and second derivative by t: gradients of gradients, which are then
differentiated once more, by the weights (Raissi, Perdikaris and Karniadakis 2019).
"""

import math

from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim

FRICTION, FREQUENCY, END = 0.4, 3.0, 5.0  # d, w, and the last moment
POINTS, LR = 80, 2e-2
STEPS, QUICK_STEPS = 4000, 800


def exact(t: lucid.Tensor) -> lucid.Tensor:
    """The solution as a textbook has it."""
    slow = math.sqrt(FREQUENCY**2 - FRICTION**2)
    return (-FRICTION * t).exp() * ((slow * t).cos() + FRICTION / slow * (slow * t).sin())


# The first derivative of all moments at once is the gradient of their sum, for no moment's u depends on another's t.
# `create_graph` records how it was computed, so that it can be differentiated as u was.


def derivative(u: lucid.Tensor, t: lucid.Tensor) -> lucid.Tensor:
    """du/dt, (n, 1), from u and t, (n, 1)."""
    return lucid.autograd.grad(u.sum(), t, create_graph=True)[0]


class Sine(nn.Module):
    """sin as a layer: swings come easily to it, where tanh needs a unit for every bend."""

    def forward(self, x: lucid.Tensor) -> lucid.Tensor:
        return x.sin()


class Solution(nn.Module):
    """u(t) = 1 + tanh(t)^2 N(3 t): begins at 1 with velocity 0, whatever the network N says."""

    def __init__(self) -> None:
        self.network = nn.Sequential(nn.Linear(1, 32), Sine(), nn.Linear(32, 32), Sine(), nn.Linear(32, 1))

    def forward(self, t: lucid.Tensor) -> lucid.Tensor:
        return 1 + t.tanh() ** 2 * self.network(3 * t)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the largest distance from the exact solution."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/16_pinn.png", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    model = Solution().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses: dict[str, list[float]] = {"residual": []}

    for _ in Training(options, steps, model=model, optimizer=optimizer, schedule=schedule, losses=losses):
        t = (END * lucid.rand(POINTS, 1)).to(options.device).requires_grad_()
        u = model(t)
        velocity = derivative(u, t)
        residual = derivative(velocity, t) + 2 * FRICTION * velocity + FREQUENCY**2 * u
        loss = residual.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses["residual"].append(loss.item())

    # Only now is it compared with the solution that it never saw.

    t = lucid.linspace(0, END, 400).unsqueeze(1)
    with lucid.no_grad():
        u = model(t.to(options.device)).cpu()
    distance = (u - exact(t)).abs().max().item()

    page = figure(9, 3.4)
    left, right = page.subplots(1, 2, width_ratios=(3, 2))
    left.plot(t.numpy(), exact(t).numpy(), color="#b9c6d3", lw=6, label="exact")
    left.plot(t.numpy(), u.numpy(), color="#c2410c", label="the network")
    left.set(title=f"at most {distance:.4f} from the exact solution", xlabel="t", ylabel="u")
    left.legend(frameon=False)
    right.semilogy(losses["residual"], color="#2563a8", lw=0.7)
    right.set(title="how far the equation is from holding", xlabel="step", ylabel="mean squared residual")
    write(page, options.out)
    print(f"at most {distance:.4f} from the exact solution, which swings between 1 and -0.65; picture: {options.out}")
    return distance


if __name__ == "__main__":
    run(main)
