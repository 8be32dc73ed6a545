"""Read handwriting again, now with a convolutional network, and look at what it looks for.

    python examples/08_digits_cnn.py

`04_digits.py` gave a network 64 numbers in a row, and it had to find out by itself which of them are neighbours.
A convolution is told: each of its filters looks at 3 by 3 pixels, and slides over the whole picture, so that a
stroke learned in one corner is known in all of them. That is worth two of every three mistakes.

The picture shows the first filters, what they find in some digits, and the digits that are still misread.
"""

from pathlib import Path

import numpy
from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets
from lucid.utils.data import DataLoader, TensorDataset

EPOCHS, QUICK_EPOCHS, BATCH, LR = 25, 8, 32, 5e-3
FILTERS, SHOWN = 8, 4  # drawn, of the first layer's; digits drawn with what the filters find in them
RED = "#c2452d"


def network() -> nn.Sequential:
    """Images (n, 1, 8, 8) in, scores (n, 10) out."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),  # (n, 16, 8, 8)
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),  # (n, 32, 4, 4)
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 4 * 4, 10),
    )  # fmt: skip


def picture(path: Path, model: nn.Sequential, images: lucid.Tensor, truth: lucid.Tensor, read: lucid.Tensor) -> None:
    """Above the filters, a row of what they find for each of a few digits; below, what is misread."""
    page = figure(11, 8.5)
    upper, lower = page.subfigures(2, 1, height_ratios=(4, 1))
    with lucid.no_grad():
        found = nn.functional.relu(model[0](images[:SHOWN].to(model[0].weight.device))).cpu().numpy()
    grid = upper.subplots(1 + SHOWN, 1 + FILTERS)
    for column, axes in enumerate(grid[0, 1:]):
        kernel = model[0].weight[column, 0].detach().cpu().numpy()
        axes.imshow(kernel, cmap="RdBu_r", vmin=-abs(kernel).max(), vmax=abs(kernel).max())
    for row in range(SHOWN):
        grid[1 + row, 0].imshow(images[row, 0].numpy(), cmap="gray_r")
        for column, axes in enumerate(grid[1 + row, 1:]):
            axes.imshow(found[row, column], cmap="viridis", vmin=0, vmax=found.max())
    upper.suptitle("the first filters (red: ink wanted, blue: ink not wanted), and where they find it")

    wrong = numpy.flatnonzero((truth != read).numpy())
    lower.suptitle(f"misread: {len(wrong)} of {len(truth)}", x=0.02, ha="left")
    strip = lower.subplots(1, 10)
    for axes, i in zip(strip, wrong, strict=False):
        axes.imshow(images[i, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{truth[i].item()} read as {read[i].item()}", fontsize=9, color=RED)
    for axes in [*grid.flatten(), *strip]:
        axes.set_axis_off()
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the accuracy on the held-out digits."""
    quick = f"{QUICK_EPOCHS} epochs instead of {EPOCHS}"
    options = Options(__doc__, quick=quick, out="out/08_digits_cnn.png", resumable=True).parse_args(argv)

    images, labels = datasets.digits()
    images = images.unsqueeze(1)  # (1797, 1, 8, 8): one channel, of grey
    order = lucid.randperm(len(labels))
    held_out, trained_on = order[: len(order) // 5], order[len(order) // 5 :]
    training_set = TensorDataset(images[trained_on], labels[trained_on])
    batches = DataLoader(training_set, batch_size=BATCH, shuffle=True, seed=options.seed)

    model = network().to(options.device)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.CosineAnnealingLR(optimizer, epochs)

    def read() -> lucid.Tensor:
        model.eval()
        with lucid.no_grad():
            return model(images[held_out].to(options.device)).argmax(dim=1).cpu()

    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "batches": batches}
    training = Training(options, epochs, "epoch", **parts)
    for _ in training:
        model.train()
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x.to(options.device)), y.to(options.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        training.show(loss=f"{loss.item():.4f}", accuracy=f"{(read() == labels[held_out]).float().mean().item():.1%}")

    answers = read()
    accuracy = (answers == labels[held_out]).float().mean().item()
    picture(options.out, model, images[held_out], labels[held_out], answers)
    print(f"{accuracy:.1%} of {len(held_out)} held-out digits read right after {epochs} epochs; picture: {options.out}")
    return accuracy


if __name__ == "__main__":
    run(main)
