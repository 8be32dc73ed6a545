"""A training run as a program of its own, which test_stop_and_resume.py kills and starts again.

    python run_that_is_killed.py CASE CHECKPOINT [training:STEP | writing:STEP]

It goes on from the checkpoint if there is one. At the step that is named it says so and waits for its end: after
`backward()` and before the optimizer's step, or with half of a checkpoint on the disk.
"""

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy

import lucid
from lucid import nn, optim
from lucid.data.datasets import TensorDataset
from lucid.data.loader import DataLoader
from lucid.optim import lr_scheduler

STEPS, EVERY = 40, 3  # steps of the whole run, and from one checkpoint to the next; an epoch has 7
CASES: dict[str, Any] = {
    "Adamax": lambda params: (
        optimizer := optim.Adamax(groups(params), weight_decay=0.01),
        lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5, T_mult=2),
    ),
    "AdamW": lambda params: (
        optimizer := optim.AdamW(groups(params), lr=0.01, amsgrad=True),
        lr_scheduler.SequentialLR(
            optimizer,
            [lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10), lr_scheduler.ExponentialLR(optimizer, 0.9)],
            milestones=[12],
        ),
    ),
    "SGD": lambda params: (
        optimizer := optim.SGD(groups(params), lr=0.1, momentum=0.9),
        lr_scheduler.ReduceLROnPlateau(optimizer, patience=2),
    ),
    "RMSprop": lambda params: (
        optimizer := optim.RMSprop(groups(params), lr=0.003, momentum=0.5, centered=True),
        lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=STEPS + 1),
    ),
    "NAdam": lambda params: (
        optimizer := optim.NAdam(groups(params)),
        lr_scheduler.ChainedScheduler([
            lr_scheduler.StepLR(optimizer, 4, gamma=0.5), lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 + epoch % 3)
        ]),
    ),
    "LBFGS": lambda params: (
        optimizer := optim.LBFGS(params, max_iter=4, history_size=5, line_search_fn="strong_wolfe"),
        lr_scheduler.MultiStepLR(optimizer, [10, 20], gamma=0.5),
    ),
}  # fmt: skip


def groups(params: Any) -> list[dict[str, Any]]:
    """Weights and biases apart, with learning rates of their own, by name."""
    named = list(params)
    biases = [pair for pair in named if pair[0].endswith("bias")]
    return [{"params": [pair for pair in named if pair not in biases]}, {"params": biases, "lr": 0.02}]


def waiting(what: str) -> None:
    """Say so, and wait for SIGKILL; whoever is not killed has no right to go on."""
    print(what, flush=True)
    time.sleep(120)
    os._exit(3)


def main(case: str, checkpoint: Path, until: str = "") -> None:
    """Train, from the checkpoint if there is one, until the end or the moment that was named."""
    lucid.manual_seed(os.getpid())  # what there is to begin with must come to nothing when resuming
    saved = lucid.load(checkpoint) if checkpoint.exists() else None
    if saved is None:
        lucid.manual_seed(5)
    x = numpy.random.default_rng(0).standard_normal((50, 3)).astype("float32")
    data = TensorDataset(lucid.tensor(x), lucid.tensor(numpy.sin(x.sum(axis=1, keepdims=True))))
    model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
    optimizer, scheduler = CASES[case](model.named_parameters())
    loader, step = DataLoader(data, batch_size=8, shuffle=True), 0
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "loader": loader}
    if saved is not None:
        for group in optimizer.param_groups:
            group["lr"] = 9.0
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        lucid.set_rng_state(saved["random"])
        step = saved["step"]
    print("from", step, flush=True)

    while step < STEPS:
        for inputs, answers in loader:

            def closure(inputs: lucid.Tensor = inputs, answers: lucid.Tensor = answers) -> lucid.Tensor:
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(inputs), answers)
                loss.backward()
                return loss

            step += 1
            if until == f"training:{step}":
                closure()
                waiting("training")
            loss = optimizer.step(closure).item()
            assert math.isfinite(loss)
            scheduler.step(*[loss] if case == "SGD" else [])
            if step % EVERY == 0 or step == STEPS:
                if until == f"writing:{step}":
                    os.fsync = lambda file: waiting("writing")
                states = {name: part.state_dict() for name, part in parts.items()}
                lucid.save({**states, "random": lucid.get_rng_state(), "step": step, "loss": loss}, checkpoint)
            if step == STEPS:
                break


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
