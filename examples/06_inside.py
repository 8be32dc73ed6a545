"""See inside one neuron: a backward pass, step by step, in the terminal and on a page.

    python examples/06_inside.py

A neuron takes two numbers, weighs them, adds a bias and squashes the sum with tanh; the loss is how far its
answer is from the one that was wanted. Going back from the loss, each operation multiplies what it was given
by its own derivative and hands the product on. The table shows every one of these products. The page, one
file that opens in any browser, has them as a drawing: the arrow keys run the pass.

Then the neuron learns: a few steps of Adamax, each with gradients that are those of the table.
"""

from common import Options, run

import lucid
import lucid.optim as optim

STEPS, QUICK_STEPS = 60, 30
LEARNING_RATE = 0.1
WANTED = 0.8


def neuron(x: list[lucid.Tensor], w: list[lucid.Tensor], b: lucid.Tensor) -> lucid.Tensor:
    """The squared distance of tanh(w1 x1 + w2 x2 + b) from what is wanted."""
    n = w[0] * x[0] + w[1] * x[1] + b
    out = n.tanh()
    return (out - WANTED) ** 2


def main(argv: list[str] | None = None) -> float:
    """Draw the first backward pass, then train; returns the last loss as a share of the first."""
    parser = Options(__doc__, quick=f"{QUICK_STEPS} steps instead of {STEPS}", out="out/inside.html")
    options = parser.parse_args(argv)

    x1, x2 = lucid.tensor(2.0, device=options.device), lucid.tensor(-1.0, device=options.device)
    w1, w2 = (lucid.tensor(w, device=options.device, requires_grad=True) for w in (0.5 * lucid.randn(2)).tolist())
    b = lucid.zeros((), device=options.device, requires_grad=True)

    with lucid.see.track_provenance():  # each node is to know its line and its value
        loss = neuron([x1, x2], [w1, w2], b)
    steps = lucid.see.steps(loss)
    print(steps)
    lucid.see.page(loss, options.out, title="One neuron")

    loss.backward()  # neither has changed the graph, and all agree to the last bit
    assert all(steps.gradients[theta].item() == theta.grad.item() for theta in (w1, w2, b))

    optimizer = optim.Adamax([w1, w2, b], lr=LEARNING_RATE)
    first = loss.item()
    for _ in range(QUICK_STEPS if options.quick else STEPS):
        optimizer.zero_grad()
        loss = neuron([x1, x2], [w1, w2], b)
        loss.backward()
        optimizer.step()
    print(f"\nloss {first:.4f} -> {loss.item():.6f}; the page: {options.out}")
    return loss.item() / first


if __name__ == "__main__":
    run(main)
