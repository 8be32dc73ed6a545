"""Carry on a wave: a recurrent network hears a noisy sine and goes on humming it by itself.

    python examples/09_sine_rnn.py

The network reads one number after the other and guesses the next one; all that it knows of the past is in its state
of 32 numbers. That is easy while somebody sings along: a guess is followed by the truth. The test is the forecast.
From the end of the training data on, each guess is fed back as the next input, for five periods, and nothing corrects
it: an error in amplitude would grow, one in frequency would run out of step.

The figure is the mean squared error of that forecast against the sine without noise. The noise that the network was
trained on has a variance of 0.010, so a forecast below that is nearer to the wave than the data are.
"""

from pathlib import Path

from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets

PERIOD, NOISE = 20, 0.1  # points a period; the standard deviation of what is added
KNOWN, AHEAD = 60 * PERIOD, 5 * PERIOD  # points to train on, and to forecast
WINDOW, BATCH = 5 * PERIOD, 32
STEPS, QUICK_STEPS, LR = 800, 250, 2e-2


class Forecaster(nn.Module):
    """The next number after each of a sequence."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.recurrent = nn.GRU(1, hidden, batch_first=True)
        self.guess = nn.Linear(hidden, 1)

    def forward(self, sequence, state=None):
        """sequence (n, time, 1) -> guesses (n, time, 1), and the state after the last number."""
        states, state = self.recurrent(sequence, state)
        return self.guess(states), state


def forecast(model: nn.Module, past: lucid.Tensor, steps: int) -> lucid.Tensor:
    """`steps` numbers after `past` (time, 1), each guess read as if it were the truth."""
    guesses = []
    with lucid.no_grad():
        answer, state = model(past.unsqueeze(0))
        for _ in range(steps):
            guesses.append(answer[:, -1:])
            answer, state = model(guesses[-1], state)
    return lucid.cat(guesses, dim=1)[0]  # (steps, 1)


def picture(path: Path, wave: lucid.Tensor, guesses: lucid.Tensor, losses: list[float], error: float) -> None:
    """The end of what was known, and the forecast over the truth; below, how it learned."""
    page = figure(11, 6)
    above, below = page.subplots(2, 1, height_ratios=(2, 1))
    past, future = slice(KNOWN - 3 * PERIOD, KNOWN), slice(KNOWN, KNOWN + AHEAD)
    at, dots = range(KNOWN + AHEAD), wave[:, 0].numpy()
    above.plot(at[past], dots[past], ".", color="#8a8f98", markersize=4, label="known, with noise")
    above.plot(at[future], dots[future], ".", color="#d5d8dd", markersize=4, label="not shown to the network")
    above.plot(at[future], guesses[:, 0].numpy(), color="#2563a8", label="forecast, fed by itself")
    above.axvline(KNOWN, color="#c2452d", linewidth=1)
    above.set(title=f"five periods ahead: mean squared error {error:.4f}", xlabel="point", ylim=(-1.8, 1.4))
    above.legend(loc="lower left", ncols=3, fontsize=9)
    below.plot(losses, color="#2563a8", linewidth=1)
    below.axhline(NOISE**2, color="#c2452d", linewidth=1)
    below.set(title="loss of the next number; the line is the variance of the noise", yscale="log", xlabel="step")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, forecast, draw, and return the mean squared error of the forecast."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/09_sine_rnn.png", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    points = KNOWN + AHEAD
    x, wave = (part.to(options.device) for part in datasets.sine(points, points / PERIOD, NOISE))
    window = lucid.arange(WINDOW + 1, device=options.device)

    model = Forecaster().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    history: dict[str, list[float]] = {"loss": []}

    training = Training(options, steps, model=model, optimizer=optimizer, schedule=schedule, history=history)
    for _ in training:
        starts = lucid.randint(0, KNOWN - WINDOW, (BATCH, 1), device=options.device)
        chosen = wave[starts + window]  # (BATCH, WINDOW + 1, 1)
        guesses, _state = model(chosen[:, :-1])
        loss = nn.functional.mse_loss(guesses, chosen[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history["loss"].append(loss.item())
        training.show(loss=f"{loss.item():.4f}")

    guesses = forecast(model, wave[KNOWN - 4 * PERIOD : KNOWN], AHEAD)
    error = nn.functional.mse_loss(guesses, x[KNOWN:].sin()).item()
    picture(options.out, wave.cpu(), guesses.cpu(), history["loss"], error)
    print(f"mean squared error {error:.4f} over {AHEAD} points ahead; picture: {options.out}")
    return error


if __name__ == "__main__":
    run(main)
