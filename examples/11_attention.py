"""Turn sequences around with one layer of attention, and see that it looks where it must.

    python examples/11_attention.py

To write "tac" for "cat", position 0 needs the letter of position 2, and position 2 that of position 0. A linear layer
would need a weight for every pair of positions and letters. Attention has something simpler: each position asks a
question (a query), each position shows what it is (a key), and where the two fit, the letter (a value) is fetched.
Where a position is must be told to it, by a vector for each place that is added to the letter's.

Nobody says to the network what to ask. The picture shows what it asks after a few steps, midway and at the end: each
row is a position of the answer, and bright is where it looks. A sequence is right only if all its letters are.
"""

from pathlib import Path

from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim

LETTERS, LENGTH, FEATURES = 26, 16, 64
BATCH, STEPS, QUICK_STEPS, LR = 64, 400, 150, 1e-2
EARLY, MIDWAY = 8, 25  # the steps that the picture looks back at


class Reverser(nn.Module):
    """One attention between an embedding and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.letter = nn.Embedding(LETTERS, FEATURES)
        self.place = nn.Embedding(LENGTH, FEATURES)
        self.attention = nn.MultiheadAttention(FEATURES, num_heads=1, batch_first=True)
        self.answer = nn.Linear(FEATURES, LETTERS)

    def forward(self, letters):
        """letters (n, LENGTH) -> scores (n, LENGTH, LETTERS), and who looked where (n, LENGTH, LENGTH)."""
        x = self.letter(letters) + self.place(lucid.arange(LENGTH, device=letters.device))  # (n, LENGTH, FEATURES)
        found, weights = self.attention(x, x, x)
        return self.answer(found), weights


def picture(path: Path, looks: dict[str, list], word: str, answer: str) -> None:
    """Where each position of the answer looked, at three times."""
    page = figure(13, 4.8)
    for axes, title, weights in zip(page.subplots(1, 3), looks["title"], looks["weights"], strict=True):
        axes.imshow(weights, cmap="magma", vmin=0, vmax=1)
        axes.set(title=title, xticks=range(LENGTH), xticklabels=word, yticks=range(LENGTH), xlabel="looked at")
        axes.tick_params(length=0, labelsize=8)
    page.axes[0].set(ylabel="position of the answer")
    page.axes[-1].set(yticklabels=answer)
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return how many of 1,000 new sequences were turned around without a mistake."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/11_attention.png", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    model = Reverser().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    tests = lucid.randint(0, LETTERS, (1000, LENGTH), device=options.device)
    looks: dict[str, list] = {"title": [], "weights": []}

    def whole_sequences() -> float:
        with lucid.no_grad():
            return (model(tests)[0].argmax(dim=2) == tests.flip(1)).all(dim=1).float().mean().item()

    training = Training(options, steps, model=model, optimizer=optimizer, schedule=schedule, looks=looks)
    for step in training:
        letters = lucid.randint(0, LETTERS, (BATCH, LENGTH), device=options.device)  # none is seen twice
        scores, _weights = model(letters)
        loss = nn.functional.cross_entropy(scores.reshape(-1, LETTERS), letters.flip(1).reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        training.show(loss=f"{loss.item():.4f}")
        if step + 1 in (EARLY, MIDWAY, steps):
            looks["title"].append(f"after {step + 1} steps: {whole_sequences():.1%} right")
            looks["weights"].append(model(tests[:1])[1][0].detach().cpu().numpy())

    right = whole_sequences()
    spelled = lambda numbers: "".join(chr(ord("a") + number) for number in numbers)
    word, answer = spelled(tests[0].tolist()), spelled(model(tests[:1])[0].argmax(dim=2)[0].tolist())
    picture(options.out, looks, word, answer)
    print(f"{word} -> {answer}; {right:.1%} of 1,000 new sequences without a mistake; picture: {options.out}")
    return right


if __name__ == "__main__":
    run(main)
