"""Learn what words mean from the company they keep, and put a claim about Adamax to the test.

    python examples/17_word_vectors.py

Every word that Alice in Wonderland has at least five times gets a vector, and the vectors of words that stand near
each other are to point the same way: skip-gram with negative samples (Mikolov et al. 2013). Of two neighbours the
product of the vectors should be large; of a word and one drawn at random, small.

A batch meets some 140 of the 700 words, and only their rows of the table have a gradient; the others get zeros. That is
a case that Adamax is recommended for: "where gradients are sparse". So each optimizer has every learning rate of a
grid, and the loss of held-out pairs judges. The claim turns out to be worth little here. With its best rate Adamax
ends where Adam and Adagrad do, within a hundredth, and as many rates, or one more, end near that. Only one far too
high it forgives more readily: eight times the best costs it 0.16, and Adam 0.23.
"""

import re
from collections import Counter
from pathlib import Path

import numpy
from common import Options, figure, progress, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets

FEATURES, REACH, NEGATIVES, OFTEN = 32, 4, 5, 5  # numbers a word; words to each side; random words a pair; at least
STEPS, QUICK_STEPS, BATCH = 1500, 100, 256
RATES = [2.0**k for k in range(-11, -2)]
NEAR = 0.1  # of its best loss: such a learning rate will do
RACERS = {"Adagrad": "#3a8f5c", "Adam": "#d9822b", "Adamax": "#2563a8"}
ASKED = ["alice", "queen", "said", "she", "little", "two"]


def pairs() -> tuple[list[str], numpy.ndarray]:
    """The words, most frequent first, and all pairs of neighbours as their numbers, (n, 2)."""
    text = re.findall(r"[a-z]+(?:'[a-z]+)?", datasets.text().lower())
    words = [word for word, count in Counter(text).most_common() if count >= OFTEN]
    number = {word: i for i, word in enumerate(words)}
    line = numpy.array([number[word] for word in text if word in number])
    return words, numpy.concatenate([numpy.stack([line[k:], line[:-k]], axis=1) for k in range(1, REACH + 1)])


class Vectors(nn.Module):
    """Two tables: what a word is, and what it is as a neighbour."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.word, self.neighbour = nn.Embedding(words, FEATURES), nn.Embedding(words, FEATURES)
        with lucid.no_grad():
            self.word.weight.mul_(0.1)
            self.neighbour.weight.zero_()

    def loss(self, pair, others):
        """Of each pair (n, 2): how badly its neighbour is told from other words (n, NEGATIVES)."""
        neighbours = self.neighbour(lucid.cat([pair[:, 1:], others], dim=1))  # (n, 1 + NEGATIVES, FEATURES)
        fits = (self.word(pair[:, :1]) * neighbours).sum(dim=2)
        wanted = (lucid.arange(1 + NEGATIVES, device=fits.device) == 0).float().expand(*fits.shape)
        return nn.functional.binary_cross_entropy_with_logits(fits, wanted, reduction="sum") / len(pair)

    def nearest(self, i: int, count: int = 6) -> list[int]:
        """The words whose vectors point most nearly the same way as that of word i."""
        with lucid.no_grad():
            directions = nn.functional.normalize(self.word.weight, dim=1)
            return (directions @ directions[i]).topk(count + 1)[1].tolist()[1:]


def trained(name: str, rate: float, steps: int, data, seed: int) -> tuple[float, Vectors]:
    """The loss of held-out pairs after these steps of this optimizer, and the vectors."""
    known, held_out, words, often = data
    lucid.manual_seed(seed)  # all begin alike, and meet the same pairs
    model = Vectors(words).to(known.device)
    optimizer = getattr(optim, name)(model.parameters(), lr=rate)
    random_words = lambda n: lucid.multinomial(often, n * NEGATIVES, replacement=True).reshape(n, NEGATIVES)
    others = random_words(len(held_out))
    for _ in range(steps):
        chosen = known[lucid.randint(0, len(known), (BATCH,), device=known.device)]
        loss = model.loss(chosen, random_words(BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with lucid.no_grad():
        return model.loss(held_out, others).item(), model


def picture(path: Path, ends: dict[str, dict[float, float]], model: nn.Module, words: list[str]) -> None:
    """Where the optimizers ended; and the 60 most frequent words along the two directions in which they differ most."""
    page = figure(14, 6)
    race, meaning = page.subplots(1, 2, width_ratios=(1, 1.6))
    for name, by_rate in ends.items():
        race.plot(by_rate.keys(), by_rate.values(), ".-", color=RACERS[name], label=name)
    lowest = min(min(by_rate.values()) for by_rate in ends.values())
    race.set(title="loss of held-out pairs", xscale="log", xlabel="lr", ylim=(lowest - 0.02, lowest + 0.5))
    race.legend()
    race.grid(alpha=0.3)
    vectors = nn.functional.normalize(model.word.weight.detach(), dim=1).cpu().numpy()[:60]
    at = (vectors - vectors.mean(axis=0)) @ numpy.linalg.svd(vectors - vectors.mean(axis=0))[2][:2].T
    meaning.scatter(*at.T, s=8, color="#b9c6d6")
    for word, (x, y) in zip(words, at, strict=False):
        meaning.annotate(word, (x, y), fontsize=9)
    meaning.set(title="the 60 most frequent words", xticks=[], yticks=[])
    write(page, path)


def main(argv: list[str] | None = None) -> dict[str, dict[float, float]]:
    """Race, draw, and return where each optimizer ended, by learning rate."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}, and every fourth learning rate"
    options = Options(__doc__, quick=quick, out="out/17_word_vectors.png").parse_args(argv)
    steps, rates = (QUICK_STEPS, RATES[::4]) if options.quick else (STEPS, RATES)

    words, found = pairs()
    often = lucid.tensor(numpy.bincount(found[:, 1]) ** 0.75, dtype=lucid.float32)  # how random words are drawn
    order = lucid.randperm(len(found)).numpy()
    held_out, known = (lucid.tensor(found[part], device=options.device) for part in (order[:2000], order[2000:]))
    data = known, held_out, len(words), often.to(options.device)
    print(f"{len(words)} words, {len(known)} pairs; a batch of {BATCH} meets", end=" ")
    print(f"{len(set(known[:BATCH, 0].tolist()))} of the words, the other rows of the gradient are 0")

    ends: dict[str, dict[float, float]] = {name: {} for name in RACERS}
    vectors: dict[float, Vectors] = {}
    for name, rate in progress([(name, rate) for name in RACERS for rate in rates], "races", "race"):
        ends[name][rate], vectors[rate] = trained(name, rate, steps, data, options.seed)
    chosen = vectors[min(rates, key=ends["Adamax"].__getitem__)]  # Adamax ran last: the vectors kept are its own
    for word in ASKED:
        print(f"{word:>8}: {', '.join(words[i] for i in chosen.nearest(words.index(word)))}")
    picture(options.out, ends, chosen, words)
    for name, by_rate in ends.items():
        lowest = min(by_rate.values())
        near = sum(loss < lowest + NEAR for loss in by_rate.values())
        print(f"{name:>8}: best loss {lowest:.3f}; {near} of {len(rates)} learning rates end within {NEAR} of that")
    print(f"picture: {options.out}")
    return ends


if __name__ == "__main__":
    run(main)
