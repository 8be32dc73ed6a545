"""Write like Lewis Carroll, letter by letter: a small transformer reads Alice in Wonderland.

    python examples/10_char_gpt.py
    python examples/10_char_gpt.py --save gpt.npz
    python examples/10_char_gpt.py --resume gpt.npz --prompt "The Cat said" --top-k 5    # at once

The network sees up to 64 characters and guesses the next one. It begins with 72 kinds of characters and no idea of
what they are; words, quotation marks that close and who "said the" what, it has from 130,000 of them. Two layers of
attention look back, each position at those before it and never at those to come: that is the mask. To write, the guess
is drawn from the `k` likeliest characters, put behind the text, and the network is asked again.

The loss is in nats a character, on the last tenth of the book, which it was not trained on. To guess by how frequent
characters are costs 3.16 there, by how frequent they are after the one before 2.45.
"""

import math
from pathlib import Path
from typing import Any

import numpy
from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets

CONTEXT, FEATURES, HEADS, LAYERS = 64, 64, 4, 2
BATCH, LR, STEPS, QUICK_STEPS, LOOK = 16, 1e-2, 3000, 60, 20  # held-out loss is measured every LOOK steps
WRITTEN = 400  # characters
TEXT = datasets.text()
LETTERS = sorted(set(TEXT))


class GPT(nn.Module):
    """Scores of the next character after each of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.letter = nn.Embedding(len(LETTERS), FEATURES)
        self.place = nn.Embedding(CONTEXT, FEATURES)
        options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(FEATURES, HEADS, 4 * FEATURES, **options)
        self.layers = nn.TransformerEncoder(layer, LAYERS, norm=nn.LayerNorm(FEATURES))
        self.scores = nn.Linear(FEATURES, len(LETTERS))
        self.register_buffer("future", lucid.full((CONTEXT, CONTEXT), -math.inf).triu(1))  # added to the attention

    def forward(self, text):
        """text (n, time), numbers of characters -> scores (n, time, characters); time is CONTEXT at most."""
        time = text.shape[1]
        x = self.letter(text) + self.place.weight[:time]
        return self.scores(self.layers(x, self.future[:time, :time]))


def losses(model: nn.Module, text: lucid.Tensor) -> lucid.Tensor:
    """Of each character of `text` (n, time + 1) after the first: how much it surprised, in nats, (n, time)."""
    scores = model(text[:, :-1]).transpose(1, 2)  # (n, characters, time), as cross_entropy wants it
    return nn.functional.cross_entropy(scores, text[:, 1:], reduction="none")


def continued(model: nn.Module, prompt: str, count: int, top_k: int) -> str:
    """The prompt and `count` more characters, each drawn from the `top_k` likeliest."""
    text, device = [LETTERS.index(letter) for letter in prompt], model.future.device
    with lucid.no_grad():
        for _ in range(count):
            scores = model(lucid.tensor([text[-CONTEXT:]], device=device))[0, -1]
            best, letters = scores.topk(top_k)
            text.append(letters[lucid.multinomial(nn.functional.softmax(best, dim=0), 1)].item())
    return "".join(LETTERS[number] for number in text)


def picture(path: Path, history: dict[str, list[float]], text: str, surprise: numpy.ndarray) -> None:
    """How it learned; and a piece of the book that it does not know, dark where the next character surprised it."""
    page = figure(11, 7.5)
    above, below = page.subplots(2, 1, height_ratios=(2, 1))
    above.plot(history["loss"], color="#b9c6d6", linewidth=1, label="training")
    above.plot(range(LOOK, len(history["loss"]) + 1, LOOK), history["held out"], color="#2563a8", label="held out")
    above.set(title="loss, in nats a character", xlabel="step", ylim=(1, 4))
    above.grid(alpha=0.3)
    above.legend()
    below.imshow(surprise, cmap="Oranges", vmin=0, vmax=6, aspect="auto")
    for i, letter in enumerate(text):
        below.text(i % CONTEXT, i // CONTEXT, letter.replace("\n", "¶"), ha="center", va="center", family="monospace")
    below.set(title="text it has never seen; the darker, the less it was expected")
    below.set_axis_off()
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, write, draw, and return the loss on the last tenth of the book."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    parser = Options(__doc__, quick=quick, out="out/10_char_gpt.png", resumable=True)
    parser.add_argument("--prompt", default="Alice ", metavar="TEXT", help="what the sample begins with")
    parser.add_argument("--top-k", type=int, default=8, metavar="K", help="draw from the K likeliest (8)")
    options = parser.parse_args(argv)
    if unknown := set(options.prompt) - set(LETTERS):
        parser.error(f"--prompt: {min(unknown)!r} is no character of the book; it has {''.join(LETTERS).strip()}")
    if not options.prompt or not 1 <= options.top_k <= len(LETTERS):
        parser.error(f"--prompt needs a character, and --top-k a number from 1 to {len(LETTERS)}")
    steps = QUICK_STEPS if options.quick else STEPS
    book = lucid.tensor([LETTERS.index(letter) for letter in TEXT], device=options.device)
    window = lucid.arange(CONTEXT + 1, device=options.device)
    known = len(book) * 9 // 10
    rest = book[lucid.arange(known, len(book) - CONTEXT, CONTEXT, device=options.device).unsqueeze(1) + window]

    model = GPT().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    history: dict[str, list[float]] = {"loss": [], "held out": []}

    training = Training(options, steps, model=model, optimizer=optimizer, schedule=schedule, history=history)
    for step in training:
        starts = lucid.randint(0, known - CONTEXT, (BATCH, 1), device=options.device)
        loss = losses(model, book[starts + window]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history["loss"].append(loss.item())
        if (step + 1) % LOOK == 0:
            with lucid.no_grad():
                history["held out"].append(losses(model, rest[::4]).mean().item())
            training.show(loss=f"{loss.item():.3f}", held_out=f"{history['held out'][-1]:.3f}")

    with lucid.no_grad():
        surprise = losses(model, rest)  # (pieces, CONTEXT)
    reached, shown = surprise.mean().item(), slice(100, 104)
    text = "".join(LETTERS[number] for number in rest[shown, 1:].reshape(-1).tolist())
    picture(options.out, history, text, surprise[shown].cpu().numpy())
    print(continued(model, options.prompt, WRITTEN, options.top_k))
    print(f"\nloss {reached:.3f} nats a character on the part held out; picture: {options.out}")
    return reached


if __name__ == "__main__":
    run(main)
