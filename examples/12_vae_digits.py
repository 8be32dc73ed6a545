"""Invent digits: a variational autoencoder learns where digits lie, and is then asked for new ones.

    python examples/12_vae_digits.py

An encoder says of an image where it lies in a space of 8 numbers, and how sure it is of that: a mean and a deviation
for each. A point is drawn from there, and a decoder makes an image of the point. The loss has two parts. The image
must come back (squared error, in units of a deviation of 0.2 of the ink of a pixel); and the places must not differ
from a normal distribution around 0 more than they need to (the divergence of Kullback and Leibler). The second part
fills the space: the decoder can be given any point of that distribution, and answers with a digit nobody wrote.

The loss is that of Kingma and Welling, "Auto-Encoding Variational Bayes" (2013), in nats an image.
"""

from pathlib import Path

import numpy
from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets
from lucid.utils.data import DataLoader, TensorDataset

PLACES, HIDDEN, DEVIATION = 8, 128, 0.2  # numbers that say where an image lies; a pixel may be off by so much
EPOCHS, QUICK_EPOCHS, BATCH, LR = 200, 20, 32, 3e-3
SHOWN, WALKS = 12, [(3, 8), (4, 9), (1, 7)]  # images in a row, and from which digit to which a row leads


class VAE(nn.Module):
    """An encoder, a decoder, and the loss that they are trained with together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * PLACES))
        self.decoder = nn.Sequential(nn.Linear(PLACES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 64), nn.Sigmoid())

    def where(self, images):
        """images (n, 64) -> the mean (n, PLACES) of each, and the logarithm of its variance."""
        return self.encoder(images).chunk(2, dim=1)

    def image(self, places):
        """places (n, PLACES) -> images (n, 8, 8), ink from 0 to 1."""
        with lucid.no_grad():
            return self.decoder(places).reshape(-1, 8, 8).cpu().numpy()

    def loss(self, images):
        """What it costs to say which images (n, 64) these are: pixels and places, in nats an image."""
        mean, log_variance = self.where(images)
        place = mean + (log_variance / 2).exp() * lucid.randn_like(mean)  # so that mean and variance get gradients
        pixels = ((self.decoder(place) - images) / DEVIATION) ** 2 / 2
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
        return (pixels.sum() + divergence.sum()) / len(images)


def picture(path: Path, rows: dict[str, numpy.ndarray], losses: list[float]) -> None:
    """Rows of digits under what they are; at the right how the loss of held-out digits fell."""
    page = figure(13, 1.05 * sum(len(each) // SHOWN for each in rows.values()) + 1.2)
    left, right = page.subfigures(1, 2, width_ratios=(2.6, 1))
    parts = left.subfigures(len(rows), 1, height_ratios=[len(each) // SHOWN + 0.25 for each in rows.values()])
    for part, (title, images) in zip(parts, rows.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontsize=11)
        for axes, image in zip(part.subplots(len(images) // SHOWN, SHOWN).flatten(), images, strict=True):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axes.set_axis_off()
    axes = right.subplots()
    axes.plot(range(1, len(losses) + 1), losses, color="#2563a8")
    axes.set(title=f"held out: {losses[-1]:.2f} nats an image", xlabel="epoch")
    axes.grid(alpha=0.3)
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the loss of held-out digits."""
    quick = f"{QUICK_EPOCHS} epochs instead of {EPOCHS}"
    options = Options(__doc__, quick=quick, out="out/12_vae_digits.png", resumable=True).parse_args(argv)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS

    images, labels = datasets.digits()
    images = images.reshape(-1, 64).to(options.device)
    order = lucid.randperm(len(images))
    held_out, trained_on = images[order[: len(order) // 5]], images[order[len(order) // 5 :]]
    batches = DataLoader(TensorDataset(trained_on), batch_size=BATCH, shuffle=True, seed=options.seed)

    model = VAE().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    history: dict[str, list[float]] = {"loss": []}
    parts = {"model": model, "optimizer": optimizer, "batches": batches, "history": history}
    training = Training(options, epochs, "epoch", **parts)
    for _ in training:
        for (x,) in batches:
            loss = model.loss(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with lucid.no_grad():
            history["loss"].append(model.loss(held_out).item())
        training.show(loss=f"{loss.item():.2f}", held_out=f"{history['loss'][-1]:.2f}")

    with lucid.no_grad():
        mean, _log_variance = model.where(held_out[:SHOWN])
        along = lucid.linspace(0, 1, SHOWN, device=options.device).unsqueeze(1)
        places = model.where(images)[0]
        find = lambda digit: places[labels.tolist().index(digit)]
        walks = lucid.cat([find(a) * (1 - along) + find(b) * along for a, b in WALKS])  # (3 * SHOWN, PLACES)
    rows = {
        "held-out digits": held_out[:SHOWN].reshape(-1, 8, 8).cpu().numpy(),
        "what comes back of them": model.image(mean),
        "digits nobody wrote": model.image(lucid.randn(3 * SHOWN, PLACES, device=options.device)),
        "walks: " + ", ".join(f"from a {a} to a {b}" for a, b in WALKS): model.image(walks),
    }
    picture(options.out, rows, history["loss"])
    print(f"loss {history['loss'][-1]:.2f} nats an image on {len(held_out)} held-out digits; picture: {options.out}")
    return history["loss"][-1]


if __name__ == "__main__":
    run(main)
