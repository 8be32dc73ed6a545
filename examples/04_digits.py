"""Read handwriting: a small network learns real digits, drawn by thirteen people, and shows where it fails.

    python examples/04_digits.py
    python examples/04_digits.py --epochs 10 --save digits-run.npz     # stop early, and
    python examples/04_digits.py --resume digits-run.npz               # go on as if nothing had happened

There are 1,797 digits of 8 by 8 pixels (`examples/DATA.md` says where they come from). A fifth of them is
held out: the network is never trained on it, and every figure it boasts of is measured there.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import numpy

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid.data.datasets import TensorDataset
from lucid.data.loader import DataLoader

try:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator, PercentFormatter
    from tqdm import tqdm
except ModuleNotFoundError as missing:
    raise SystemExit(f"this example needs {missing.name}: pip install --editable '.[examples]'") from None

Array = numpy.ndarray
DIGITS = Path(__file__).with_name("digits.npz")
EPOCHS, QUICK_EPOCHS, BATCH, LR = 40, 8, 32, 1e-2
BLUE, RED, SHOWN = "#2563a8", "#c2452d", 10


def network() -> nn.Module:
    """64 pixels in, 10 scores out; the dropout keeps it from learning the training digits by heart."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def picture(path: Path, history: dict[str, list[float]], images: Array, truth: Array, read: Array) -> None:
    """One page: how it learned, what it confuses with what, and digits that it misread."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(3.5, 1))
    curves, confusion = upper.subfigures(1, 2)

    epochs = range(1, len(history["loss"]) + 1)
    panels = curves.subplots(2, 1, sharex=True)
    panels[0].plot(epochs, history["loss"], color=BLUE)
    panels[0].set(title="training loss", yscale="log")
    panels[1].plot(epochs, history["accuracy"], color=BLUE)
    panels[1].set(title=f"held-out accuracy: {history['accuracy'][-1]:.1%}", ylim=(0.8, 1), xlabel="epoch")
    panels[1].yaxis.set_major_locator(MultipleLocator(0.05))
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
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

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def positive(text: str) -> int:
    """A number of epochs, for argparse to check."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the accuracy on the held-out fifth."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the split, the first weights and the batches")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EPOCHS} epochs instead of {EPOCHS}")
    parser.add_argument("--epochs", type=positive, metavar="N", help="stop after N in all")
    parser.add_argument("--save", type=Path, metavar="PATH", help="write a checkpoint after every epoch")
    parser.add_argument("--resume", type=Path, metavar="PATH", help="go on from a checkpoint, bit for bit")
    parser.add_argument("--out", type=Path, default=Path("out/04_digits.png"), help="where the picture goes")
    options = parser.parse_args(argv)
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)
    try:
        saved = lucid.load(options.resume) if options.resume else None
    except (OSError, ValueError) as error:
        parser.error(f"--resume: {error}")
    if saved is not None and "batches" not in saved:
        parser.error(f"--resume: {options.resume} is not a checkpoint of this example")
    if not options.out.suffix:
        options.out = options.out.with_suffix(".png")
    seed = saved["seed"] if saved else options.seed  # the same fifth must stay held out

    lucid.set_num_threads(1)  # of more, in so small a model, each would wait for the others
    lucid.manual_seed(seed)
    with numpy.load(DIGITS) as file:
        images, labels = file["images"], file["labels"].astype("int64")
    order = lucid.randperm(len(labels)).numpy()
    held_out, trained_on = order[: len(order) // 5], order[len(order) // 5 :]
    pixels = lucid.tensor(images.reshape(-1, 64) / 16, dtype=lucid.float32)  # ink from 0 to 1
    answers = lucid.tensor(labels)
    training = TensorDataset(pixels[trained_on], answers[trained_on])
    batches = DataLoader(training, batch_size=BATCH, shuffle=True, seed=seed)
    test_pixels = pixels[held_out].to(options.device)

    model = network().to(options.device)
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    history: dict[str, list[float]] = {"loss": [], "accuracy": []}

    # A run is these three, the random numbers to come (the dropout draws some), the history and the seed.
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "batches": batches}
    if saved:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        lucid.set_rng_state(saved["random"])
        history = saved["history"]

    def read() -> Array:
        model.eval()
        with lucid.no_grad():
            return model(test_pixels).argmax(dim=1).cpu().numpy()

    progress = tqdm(range(len(history["loss"]), epochs), desc="digits", unit="epoch", disable=None)
    for _ in progress:
        model.train()
        losses = []
        for x, y in batches:
            loss = loss_of(model(x.to(options.device)), y.to(options.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        history["loss"].append(lucid.stack(losses).mean().item())
        history["accuracy"].append(float((read() == labels[held_out]).mean()))
        progress.set_postfix(loss=f"{history['loss'][-1]:.3f}", accuracy=f"{history['accuracy'][-1]:.1%}")
        if options.save:
            states = {name: part.state_dict() for name, part in parts.items()}
            random = lucid.get_rng_state()
            lucid.save({**states, "random": random, "history": history, "seed": seed}, options.save)

    picture(options.out, history, images[held_out], labels[held_out], read())
    accuracy = history["accuracy"][-1]
    print(
        f"{accuracy:.1%} of {len(held_out)} held-out digits read right after {len(history['loss'])} epochs; ",
        end="",
    )
    print(f"picture: {options.out}")
    return accuracy


if __name__ == "__main__":
    main()
