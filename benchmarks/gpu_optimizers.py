"""How long one optimizer.step() takes on a GPU: lucid beside PyTorch's variants, and beside the GPU's own copy.

    python benchmarks/gpu.py

Gradients are given, so that a step is the optimizer alone. All contenders start from the same numbers and must first
take the same steps. They take turns on one stream; the device's time is between two events on it, the host's is what
the calls take before anybody waits. About a minute.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import report

import lucid
import lucid.nn
import lucid.optim

ROUNDS, FIRST_STEPS, SAMPLE = 15, 3, 100_000
SLICE = 0.02  # seconds that a contender runs before the next has its turn
LR = 2e-3
# Arrays read and written by a step: what a kernel cannot do without.
PASSES = {"Adamax": 7, "Adam": 7, "AdamW": 7, "SGD": 5}
VARIANTS: dict[str, dict[str, Any]] = {
    "foreach": {"foreach": True}, "fused": {"fused": True}, "capturable": {"foreach": True, "capturable": True},
    "loop": {"foreach": False},
}  # fmt: skip
Arrays = list[np.ndarray]


def resnet50() -> list[tuple[int, ...]]:
    """The shapes of ResNet-50's 161 parameters: convolutions, their norms' weights and biases, and the classifier."""
    shapes: list[tuple[int, ...]] = []

    def convolution(out: int, into: int, size: int) -> None:
        shapes.extend([(out, into, size, size), (out,), (out,)])

    convolution(64, 3, 7)
    into = 64
    for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            convolution(width, into, 1)
            convolution(width, width, 3)
            convolution(4 * width, width, 1)
            if block == 0:
                convolution(4 * width, into, 1)
            into = 4 * width
    return [*shapes, (1000, into), (1000,)]


@dataclass
class Case:
    """Parameters by their shapes."""

    name: str
    shapes: list[tuple[int, ...]]
    made: dict[int, Arrays] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def arrays(self, seed: int) -> Arrays:
        """Random numbers, of which there are a million, over and over; made once."""
        if seed not in self.made:
            source = np.random.default_rng(seed).standard_normal(1_000_003, dtype=np.float32)
            self.made[seed] = [np.resize(source, shape) for shape in self.shapes]
        return self.made[seed]


CASES = [Case("1 of 100,000,000", [(100_000_000,)]), Case("ResNet-50's 161", resnet50())]
KINDS: list[tuple[str, dict[str, Any]]] = [("Adamax", {}), ("Adam", {}), ("AdamW", {}), ("SGD", {"momentum": 0.9})]


@dataclass
class Contender:
    """One step, and where it has led: the first numbers of each parameter."""

    step: Callable[[], Any]
    where: Callable[[], Arrays]


def of_lucid(cupy: Any, kind: str, options: dict[str, Any], case: Case) -> Contender:
    parameters = [lucid.nn.Parameter(np.zeros(1, np.float32)) for _ in case.shapes]
    for p, array, g in zip(parameters, case.arrays(0), case.arrays(1), strict=True):
        p.data = lucid.Tensor(cupy.asarray(array))
        p.grad = lucid.Tensor(cupy.asarray(g))
    optimizer = getattr(lucid.optim, kind)(parameters, lr=LR, **options)
    return Contender(optimizer.step, lambda: [cupy.asnumpy(p._array.ravel()[:SAMPLE]) for p in parameters])


def of_torch(torch: Any, kind: str, options: dict[str, Any], case: Case, device: str) -> Contender:
    parameters = [torch.nn.Parameter(torch.tensor(array, device=device)) for array in case.arrays(0)]
    for p, g in zip(parameters, case.arrays(1), strict=True):
        p.grad = torch.tensor(g, device=device)
    optimizer = getattr(torch.optim, kind)(parameters, lr=LR, **options)
    return Contender(optimizer.step, lambda: [p.detach().view(-1)[:SAMPLE].cpu().numpy() for p in parameters])


def contenders(
    cupy: Any, torch: Any, kind: str, options: dict[str, Any], case: Case, device: str
) -> dict[str, Contender]:
    """All that there are, each after the same first steps. What PyTorch refuses for an optimizer is left out."""
    made = {"lucid": of_lucid(cupy, kind, options, case)}
    for _ in range(FIRST_STEPS):
        made["lucid"].step()
    expected = made["lucid"].where()
    for name, variant in VARIANTS.items() if torch is not None else ():
        try:
            contender = of_torch(torch, kind, {**options, **variant}, case, device)
            for _ in range(FIRST_STEPS):
                contender.step()
        except (TypeError, RuntimeError, AssertionError) as error:
            print(f"{kind}: PyTorch has no variant {name} ({error})", file=sys.stderr)
            continue
        for mine, other in zip(expected, contender.where(), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5, err_msg=f"{kind}, {case.name}: {name}")
        made[f"PyTorch, {name}"] = contender
    return made


def timed(cupy: Any, step: Callable[[], Any], count: int) -> tuple[float, float]:
    """Seconds a step: of the device, and of the host."""
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    end.record()
    end.synchronize()
    start.record()
    began = perf_counter()
    for _ in range(count):
        step()
    host = perf_counter() - began
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(start, end) / 1000 / count, host / count


def race(cupy: Any, made: dict[str, Callable[[], Any]]) -> dict[str, tuple[float, float]]:
    """The median seconds a step of each, of the device and of the host; they take turns."""
    counts = {}
    for name, step in made.items():
        seconds = min(max(timed(cupy, step, 3)) for _ in range(2))
        counts[name] = min(200, max(3, round(SLICE / max(seconds, 1e-6))))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    order = list(made)
    gc.collect()
    gc.disable()
    for turn in range(ROUNDS):
        first = turn % len(order)
        for name in order[first:] + order[:first]:
            times[name].append(timed(cupy, made[name], counts[name]))
    gc.enable()
    return {name: (median(d for d, _ in each), median(h for _, h in each)) for name, each in times.items()}


def launches(torch: Any, step: Callable[[], Any]) -> str:
    """How many kernels a step launches, as PyTorch's profiler sees them, whoever launches; "" where it cannot tell."""
    try:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as found:
            step()
            torch.cuda.synchronize()
        kernels = [e for e in found.events() if "CUDA" in str(e.device_type) and "memset" not in e.name.lower()]
        return str(len(kernels)) if kernels else ""
    except Exception:
        return ""


def copied(cupy: Any, size: int) -> float:
    """Bytes a second, read and written, of the device's copy of as many floats."""
    source, target = cupy.ones(size, dtype="float32"), cupy.empty(size, dtype="float32")
    (seconds, _) = race(cupy, {"copy": partial(cupy.copyto, target, source)})["copy"]
    return 2 * 4 * size / seconds


def section(cupy: Any, torch: Any, device: str = "cuda") -> str:
    """The tables, in markdown."""
    bandwidth = copied(cupy, CASES[0].size)
    rows, details = [], []
    for kind, options in KINDS:
        for case in CASES:
            made = contenders(cupy, torch, kind, options, case, device)
            times = race(cupy, {name: each.step for name, each in made.items()})
            counted = {name: launches(torch, each.step) for name, each in made.items()}
            ours, host = times["lucid"]
            foreach = times.get("PyTorch, foreach")
            others = {name: each for name, each in times.items() if name != "lucid"}
            best = min(others, key=lambda name: others[name][0], default=None)
            speed = PASSES[kind] * 4 * case.size / ours
            rows.append([
                kind, case.name, f"{ours * 1e6:,.0f}", f"{100 * speed / bandwidth:.0f}",
                f"{foreach[0] / ours:.2f}" if foreach else "", f"{times[best][0] / ours:.2f} ({best})" if best else "",
                f"{host * 1e6:,.0f}", f"{foreach[1] * 1e6:,.0f}" if foreach else "",
            ])  # fmt: skip
            details += [
                [kind, case.name, name, f"{d * 1e6:,.0f}", f"{h * 1e6:,.0f}", counted[name]]
                for name, (d, h) in times.items()
            ]
            del made
            gc.collect()
            cupy.get_default_memory_pool().free_all_blocks()
            if torch is not None and device != "cpu":
                torch.cuda.empty_cache()
    head = ["optimizer", "parameters", "lucid µs", "% of copy", "foreach / lucid", "best / lucid"]
    return (
        "## One optimizer.step() on a GPU\n\n"
        f"{report.table([*head, 'host µs', 'foreach host µs'], rows)}\n\n"
        f"Medians over {ROUNDS} rounds, taken in turn. `% of copy`: the arrays that a step must read and write, over\n"
        f"its time, beside the device's copy of {CASES[0].size:,} floats, {bandwidth / 1e9:,.0f} GB/s. PyTorch is\n"
        "eager; SGD has momentum 0.9. Targets for Adamax: at least 85 percent at 100,000,000, and 3 times foreach.\n\n"
        f"{report.table(['optimizer', 'parameters', 'who', 'device µs', 'host µs', 'launches'], details)}"
    )
