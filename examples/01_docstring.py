"""The five lines that every training program turns around, with the little they need before them.

    python examples/01_docstring.py

The five are the example in the documentation of `lucid.optim.Adamax`. Adamax divides each gradient by the
largest that it has met in that place, and at the first step that is the gradient itself: so every weight
moves by exactly lr, whether the loss is steep there or nearly flat. The program shows it, and then runs the
same lines in a loop.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

import lucid
import lucid.nn as nn
import lucid.optim as optim

SAMPLES, STEPS, QUICK_STEPS = 64, 2000, 300


def main(argv: list[str] | None = None) -> float:
    """Train one linear layer; returns its last loss as a fraction of its first."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of the data and of the first weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps instead of {STEPS}")
    options = parser.parse_args(argv)

    lucid.manual_seed(options.seed)
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
    main()
