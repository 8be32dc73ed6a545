"""One training step of small models on a GPU: the host's time, the launches, what is copied and what is waited for.

    python benchmarks/gpu.py

Toy models are too small for a GPU, which is idle most of the time and waits for the host to launch the next kernel. So
what counts is how many launches a step takes, and what the host does for each; the batches lie on the GPU already.
"""

import race  # first: it limits the libraries to one thread

# isort: split
from collections import Counter
from typing import Any

import models
import numpy as np
import report
from gpu_optimizers import race as gpu_race

import lucid


def mlp(nn: Any) -> Any:
    """The middle one of train_step.py's networks."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )  # fmt: skip


CASES = [models.Case("64-128-64-10 relu, batch 128, cross-entropy", mlp, (128, 64), None), *models.CASES]


def contenders(torch: Any, case: models.Case) -> dict[str, Any]:
    """Every contender's step, all at the same weights; their first losses must agree."""
    torch.manual_seed(0)
    weights = {name: value.numpy() for name, value in case.build(torch.nn).state_dict().items()}
    batches = case.batches(np.random.default_rng(0))

    def made() -> dict[str, Any]:
        return {
            "lucid": models.step_of(lucid, case, batches, weights, "cuda"),
            race.TORCH[0]: models.step_of(torch, case, batches, weights, "cuda", foreach=False),
            race.TORCH[1]: models.step_of(torch, case, batches, weights, "cuda", foreach=True),
        }

    race.check_agreement(case.name, made(), race.TORCH[0])
    return made()


def seen(torch: Any, step: Any) -> Counter[str]:
    """What CUDA was asked for in a step, whoever asked, as PyTorch's profiler sees it, less what it asks for itself."""
    for _ in range(5):
        step()
    found = asked(torch, step)
    found.subtract(asked(torch, lambda: None))
    return found


def asked(torch: Any, run: Any) -> Counter[str]:
    """Launches, copies and waits while `run` runs."""
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        run()
    torch.cuda.synchronize()
    counts: Counter[str] = Counter()
    for event in found.events():
        name, on_gpu = event.name.lower(), "CUDA" in str(event.device_type)
        if on_gpu and "memcpy" in name:
            counts["uploads" if "htod" in name else "downloads" if "dtoh" in name else "copies"] += 1
        elif on_gpu and "memset" not in name:
            counts["launches"] += 1
        elif "synchronize" in name and name.startswith("cu"):
            counts["waits"] += 1
    return counts


def section(cupy: Any, torch: Any) -> str:
    """The table, in markdown."""
    rows = []
    for case in CASES:
        steps = contenders(torch, case)
        times = gpu_race(cupy, steps)
        counts = {name: seen(torch, step) for name, step in steps.items()}
        variant = min(race.TORCH, key=lambda name: times[name][1])
        (_, ours), (_, theirs) = times["lucid"], times[variant]
        here, beside = counts["lucid"], counts[variant]
        rows.append([
            case.name, f"{ours * 1e6:,.0f}", f"{theirs * 1e6:,.0f}", f"{theirs / ours:.2f}", str(here["launches"]),
            str(beside["launches"]), f"{here['uploads']} / {here['downloads']} / {here['waits']}",
            f"{beside['uploads']} / {beside['downloads']} / {beside['waits']}",
        ])  # fmt: skip
    head = [
        "model", "lucid µs", "PyTorch µs", "PyTorch / lucid", "launches", "PyTorch's",
        "uploads / downloads / waits", "PyTorch's",
    ]  # fmt: skip
    return (
        "## One training step on a GPU\n\n"
        f"{report.table(head, rows)}\n\n"
        "The host's time for zero_grad, forward, backward and Adamax. PyTorch is eager, with the faster of its two\n"
        "Adamax variants. Uploads, downloads and waits are to be 0: the loss stays on the GPU until somebody asks."
    )
