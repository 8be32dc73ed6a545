"""The five lines that every training program turns around, with the little they need before them.

    python examples/01_docstring.py

The five are the example in the documentation of `lucid.optim.Adamax`. Adamax divides each gradient by the
largest that it has met in that place, and at the first step that is the gradient itself: so every weight
moves by exactly lr, whether the loss is steep there or nearly flat. The program shows it, and then runs the
same lines in a loop.
"""

from common import Options, run

import lucid
import lucid.nn as nn
import lucid.optim as optim

SAMPLES, STEPS, QUICK_STEPS = 64, 2000, 300


def main(argv: list[str] | None = None) -> float:
    """Train one linear layer; returns its last loss as a fraction of its first."""
    options = Options(__doc__, quick=f"{QUICK_STEPS} steps instead of {STEPS}").parse_args(argv)

    x = lucid.randn(SAMPLES, 3).to(options.device)
    target = x.sum(dim=1, keepdim=True) / 2 - 1  # the weights to be found are 0.5, 0.5, 0.5, the bias -1
    model = nn.Linear(3, 1).to(options.device)
    mean_squared_error = nn.MSELoss()

    before = model.weight.detach().clone()
    loss = mean_squared_error(model(x), target)
    first = loss.item()

    optimizer = optim.Adamax(model.parameters(), lr=2e-3)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    for gradient, moved in zip(
        model.weight.grad[0].tolist(), (model.weight - before)[0].tolist(), strict=True
    ):
        print(f"gradient {gradient:+.4f}  moved the weight by {moved:+.6f}")

    for _ in range(QUICK_STEPS if options.quick else STEPS):
        loss = mean_squared_error(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    found = ", ".join(f"{weight:.3f}" for weight in model.weight[0].tolist())
    print(f"loss {first:.4f} -> {loss.item():.6f}; weights {found}, bias {model.bias.item():.3f}")
    return loss.item() / first


if __name__ == "__main__":
    run(main)
