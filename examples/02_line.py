"""Fit a straight line twice: by hand with plain gradient descent, then with Adamax.

    python examples/02_line.py

A thermometer is read in both scales, and from the noisy readings two numbers are to be found: fahrenheit is
1.8 celsius + 32. Gradient descent has one step size for both. The slope is multiplied by temperatures of
twenty and thirty, so it stands in a steep valley and bears only small steps; the intercept lies along the
flat floor, and crawls. Adamax divides each gradient by the largest in its own place, and sets out for both at
the same pace.
"""

from common import Options, run

import lucid
import lucid.nn as nn
import lucid.optim as optim

READINGS, NOISE = 100, 0.5  # noise in degrees Fahrenheit
STEPS, QUICK_STEPS = 1500, 1000
DESCENT_RATE = 2e-3  # at 3e-3 the slope swings to infinity
ADAMAX_RATE = 1.0  # the first step moves each number by 1


def by_hand(celsius: lucid.Tensor, fahrenheit: lucid.Tensor, steps: int) -> tuple[float, float]:
    """Plain gradient descent, written out: theta -= rate * gradient."""
    slope = lucid.zeros(1, device=celsius.device, requires_grad=True)
    intercept = lucid.zeros(1, device=celsius.device, requires_grad=True)
    for _ in range(steps):
        loss = ((slope * celsius + intercept - fahrenheit) ** 2).mean()
        loss.backward()
        with lucid.no_grad():  # the update is no part of what is differentiated
            for theta in (slope, intercept):
                theta -= DESCENT_RATE * theta.grad
                theta.grad = None  # or the next gradient would be added to this one
    return slope.item(), intercept.item()


def with_adamax(celsius: lucid.Tensor, fahrenheit: lucid.Tensor, steps: int) -> tuple[float, float]:
    """The same line as a layer with one weight and one bias, the same loop with an optimizer."""
    line = nn.Linear(1, 1).to(celsius.device)
    optimizer = optim.Adamax(line.parameters(), lr=ADAMAX_RATE)
    mean_squared_error = nn.MSELoss()
    for _ in range(steps):
        optimizer.zero_grad()
        mean_squared_error(line(celsius), fahrenheit).backward()
        optimizer.step()
    return line.weight.item(), line.bias.item()


def least_squares(celsius: lucid.Tensor, fahrenheit: lucid.Tensor) -> tuple[float, float]:
    """The best line there is, in closed form: what both should arrive at."""
    x, y = celsius.numpy()[:, 0].astype("float64"), fahrenheit.numpy()[:, 0].astype("float64")
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return float(slope), float(y.mean() - slope * x.mean())


def main(argv: list[str] | None = None) -> float:
    """Fit both lines; returns how far Adamax's intercept is from the best one, in degrees Fahrenheit."""
    options = Options(__doc__, quick=f"{QUICK_STEPS} steps instead of {STEPS}").parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    celsius = lucid.rand(READINGS, 1) * 40 - 5
    fahrenheit = 1.8 * celsius + 32 + NOISE * lucid.randn(READINGS, 1)
    readings = celsius.to(options.device), fahrenheit.to(options.device)

    best = least_squares(celsius, fahrenheit)
    print(f"least squares      {best[0]:.4f} celsius + {best[1]:.3f}")
    for name, fit in (("gradient descent", by_hand), ("Adamax", with_adamax)):
        slope, intercept = fit(*readings, steps)
        distance = abs(intercept - best[1])
        print(
            f"{name:16}   {slope:.4f} celsius + {intercept:.3f}   off by {distance:.4f} °F after {steps} steps"
        )
    return distance


if __name__ == "__main__":
    run(main)
