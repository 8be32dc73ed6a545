"""Read handwriting: a small network learns real digits, drawn by thirteen people, and shows where it fails.

    python examples/04_digits.py
    python examples/04_digits.py --epochs 10 --save digits-run.npz     # stop early, and
    python examples/04_digits.py --resume digits-run.npz               # go on as if nothing had happened

There are 1,797 digits of 8 by 8 pixels (`lucid/datasets/DATA.md` says where they come from). A fifth of them is
held out: the network is never trained on it, and every figure it boasts of is measured there.
"""

from pathlib import Path

import numpy
from common import Options, Training, figure, needed, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets
from lucid.utils.data import DataLoader, TensorDataset

Array = numpy.ndarray
EPOCHS, QUICK_EPOCHS, BATCH, LR = 40, 8, 32, 1e-2
BLUE, RED, SHOWN = "#2563a8", "#c2452d", 10


def network() -> nn.Module:
    """64 pixels in, 10 scores out; the dropout keeps it from learning the training digits by heart."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def picture(path: Path, history: dict[str, list[float]], images: Array, truth: Array, read: Array) -> None:
    """One page: how it learned, what it confuses with what, and digits that it misread."""
    page, ticker = figure(11, 8), needed("matplotlib.ticker")
    upper, lower = page.subfigures(2, 1, height_ratios=(3.5, 1))
    curves, confusion = upper.subfigures(1, 2)

    epochs = range(1, len(history["loss"]) + 1)
    panels = curves.subplots(2, 1, sharex=True)
    panels[0].plot(epochs, history["loss"], color=BLUE)
    panels[0].set(title="training loss", yscale="log")
    panels[1].plot(epochs, history["accuracy"], color=BLUE)
    panels[1].set(title=f"held-out accuracy: {history['accuracy'][-1]:.1%}", ylim=(0.8, 1), xlabel="epoch")
    panels[1].yaxis.set_major_locator(ticker.MultipleLocator(0.05))
    panels[1].yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)

    counts = numpy.zeros((10, 10), int)
    numpy.add.at(counts, (truth, read), 1)
    axes = confusion.subplots()
    axes.imshow(counts, cmap="Blues", vmax=1.6 * counts.max())
    for row, column in zip(*counts.nonzero(), strict=True):
        style = {"color": "black"} if row == column else {"color": RED, "weight": "bold"}
        axes.text(column, row, counts[row, column], ha="center", va="center", **style)
    axes.set(title="confusion matrix", xlabel="read as", ylabel="is a", xticks=range(10), yticks=range(10))

    wrong = numpy.flatnonzero(truth != read)
    shown = f", {SHOWN} of them" if len(wrong) > SHOWN else ""
    lower.suptitle(f"misread: {len(wrong)}{shown}", x=0.02, ha="left")
    row = lower.subplots(1, SHOWN)
    for axes in row:
        axes.set_axis_off()
    for axes, index in zip(row, wrong, strict=False):
        axes.imshow(images[index], cmap="gray_r")
        axes.set_title(f"{truth[index]} read as {read[index]}", fontsize=9, color=RED)

    write(page, path)


def positive(text: str) -> int:
    """A number of epochs, for argparse to check."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the accuracy on the held-out digits."""
    quick = f"{QUICK_EPOCHS} epochs instead of {EPOCHS}"
    parser = Options(__doc__, quick=quick, out="out/04_digits.png", resumable=True)
    parser.add_argument("--epochs", type=positive, metavar="N", help="stop after N in all")
    options = parser.parse_args(argv)
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)

    images, labels = datasets.digits()
    order = lucid.randperm(len(labels))
    held_out, trained_on = order[: len(order) // 5], order[len(order) // 5 :]
    pixels, digits = images.reshape(-1, 64).to(options.device), labels.to(options.device)
    batches = DataLoader(
        TensorDataset(pixels[trained_on], digits[trained_on]), batch_size=BATCH, shuffle=True, seed=options.seed
    )

    model = network().to(options.device)
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    history: dict[str, list[float]] = {"loss": [], "accuracy": []}

    def read() -> lucid.Tensor:
        model.eval()
        with lucid.no_grad():
            return model(pixels[held_out]).argmax(dim=1)

    parts = {"model": model, "optimizer": optimizer, "batches": batches, "history": history}
    training = Training(options, epochs, "epoch", **parts)
    for _ in training:
        model.train()
        losses = []
        for x, y in batches:
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        history["loss"].append(lucid.stack(losses).mean().item())
        history["accuracy"].append((read() == digits[held_out]).float().mean().item())
        training.show(loss=f"{history['loss'][-1]:.3f}", accuracy=f"{history['accuracy'][-1]:.1%}")

    accuracy = history["accuracy"][-1]
    picture(options.out, history, images[held_out].numpy(), labels[held_out].numpy(), read().cpu().numpy())
    print(f"{accuracy:.1%} of {len(held_out)} held-out digits read right after {len(history['loss'])} epochs; ", end="")
    print(f"picture: {options.out}")
    return accuracy


if __name__ == "__main__":
    run(main)
