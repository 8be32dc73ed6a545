"""Learn what words mean from the company they keep, and put a claim about Adamax to the test.

    python examples/17_word_vectors.py

Every word of Alice in Wonderland that occurs at least five times gets a vector, and vectors of words that stand near each
other are to point the same way: skip-gram with negative samples (Mikolov et al. 2013). Of each pair of neighbours, the
product of the vectors should be large; of a word and one drawn at random, small.

A batch meets some 150 of the 700 words, and only their rows of the first table have a gradient; all the others get zeros.
That is the case that Adamax is recommended for, "where gradients are sparse". So each optimizer has every learning
rate of a grid. What comes of it, by the loss of held-out pairs: with its best rate Adamax ends where Adam does, or a
little above. But it forgives: it ends near its best with more of the rates than Adam, and 16 times the best rate
costs it less. For a word that is rarely met, Adam's root of a mean of squares forgets in a few hundred steps how large
its gradients are, and the next one makes a leap; Adamax's maximum bounds it. Adagrad, which never forgets, is best here.
"""

import math
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
STEPS, QUICK_STEPS, BATCH, LOOKS = 1500, 100, 256, 20
RATES = [2.0**k for k in range(-11, -2)]  # SGD, whose steps shrink with the gradients, has 100 times these
NEAR = 0.1  # of its best loss: such a learning rate will do
RACERS = {"SGD": "#8a8f98", "Adagrad": "#3a8f5c", "Adam": "#d9822b", "Adamax": "#2563a8"}
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

    def forward(self, word, neighbours):
        """word (n,), neighbours (n, k) -> how well each fits, (n, k)."""
        return (self.word(word).unsqueeze(1) * self.neighbour(neighbours)).sum(dim=2)


def loss_of(model: nn.Module, pair: lucid.Tensor, others: lucid.Tensor) -> lucid.Tensor:
    """Of each pair (n, 2): is the neighbour told from NEGATIVES other words (n, NEGATIVES)?"""
    fits = model(pair[:, 0], lucid.cat([pair[:, 1:], others], dim=1))
    wanted = lucid.zeros_like(fits)
    wanted[:, 0] = 1
    return nn.functional.binary_cross_entropy_with_logits(fits, wanted, reduction="sum") / len(pair)


def trained(name: str, rate: float, steps: int, data, seed: int) -> tuple[nn.Module, list[float]]:
    """Vectors learned with this optimizer, and the loss of held-out pairs on the way."""
    known, held_out, words, often = data
    lucid.manual_seed(seed)  # all begin alike, and meet the same pairs
    model = Vectors(words).to(known.device)
    optimizer = getattr(optim, name)(model.parameters(), lr=rate)
    random_words = lambda n: lucid.multinomial(often, n * NEGATIVES, replacement=True).reshape(n, NEGATIVES)
    others, losses = random_words(len(held_out)), []
    for step in range(steps):
        chosen = known[lucid.randint(0, len(known), (BATCH,), device=known.device)]
        loss = loss_of(model, chosen, random_words(BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % (steps // LOOKS) == 0:
            with lucid.no_grad():
                losses.append(loss_of(model, held_out, others).item())
    return model, losses


def nearest(model: nn.Module, words: list[str], asked: str, count: int = 6) -> list[str]:
    """The words whose vectors point most nearly the same way."""
    with lucid.no_grad():
        directions = nn.functional.normalize(model.word.weight, dim=1)
        return [words[i] for i in (directions @ directions[words.index(asked)]).topk(count + 1)[1].tolist()[1:]]


def picture(path: Path, steps: range, results: dict, model: nn.Module, words: list[str]) -> None:
    """How the optimizers fared; and the 60 most frequent words along the two directions in which they differ most."""
    page = figure(14, 7)
    curves, meaning = page.subfigures(1, 2, width_ratios=(1, 1.4))
    above, below = curves.subplots(2, 1)
    for name, by_rate in results.items():
        best = min(by_rate, key=lambda rate: by_rate[rate][-1])
        above.plot(steps, by_rate[best], color=RACERS[name], label=f"{name}, lr {100 * best if name == 'SGD' else best:.2g}")
        below.plot(by_rate.keys(), [losses[-1] for losses in by_rate.values()], ".-", color=RACERS[name])
    lowest = min(losses[-1] for by_rate in results.values() for losses in by_rate.values())
    above.set(title="loss of held-out pairs, each at its best rate", xlabel="step", ylim=(lowest - 0.02, lowest + 0.5))
    below.set(title="where it ends", xscale="log", xlabel="lr (SGD: a hundredth of it)", ylim=(lowest - 0.02, lowest + 0.5))
    above.legend(fontsize=9)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    vectors = nn.functional.normalize(model.word.weight.detach(), dim=1).cpu().numpy()[:60]
    at = (vectors - vectors.mean(axis=0)) @ numpy.linalg.svd(vectors - vectors.mean(axis=0))[2][:2].T
    axes = meaning.subplots()
    axes.scatter(*at.T, s=8, color="#b9c6d6")
    for word, (x, y) in zip(words, at, strict=False):
        axes.annotate(word, (x, y), fontsize=9)
    axes.set(title="the 60 most frequent words", xticks=[], yticks=[])
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

    results: dict[str, dict[float, list[float]]] = {name: {} for name in RACERS}
    best, chosen = math.inf, None
    for name, rate in progress([(name, rate) for name in RACERS for rate in rates], "races", "race"):
        model, results[name][rate] = trained(name, rate * (100 if name == "SGD" else 1), steps, data, options.seed)
        if name == "Adamax" and results[name][rate][-1] < best:
            best, chosen = results[name][rate][-1], model
    for word in ASKED:
        print(f"{word:>8}: {', '.join(nearest(chosen, words, word))}")
    every = steps // LOOKS
    picture(options.out, range(every, steps + 1, every), results, chosen, words)
    ends = {name: {rate: losses[-1] for rate, losses in by_rate.items()} for name, by_rate in results.items()}
    for name, by_rate in ends.items():
        lowest = min(by_rate.values())
        near = sum(loss < lowest + NEAR for loss in by_rate.values())
        print(f"{name:>8}: best loss {lowest:.3f}; {near} of {len(rates)} learning rates end within {NEAR} of that")
    print(f"picture: {options.out}")
    return ends


if __name__ == "__main__":
    run(main)
