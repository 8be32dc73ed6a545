"""Lucid beside small frameworks of the same kind: their size, what they need, how long they take to import and to step.

    pip install autograd dezero micrograd tinygrad
    python benchmarks/others.py

A step is forward, backward and plain gradient descent for 2-16-16-1 tanh, batch 32, MSE: what all of them can do. All
begin with the same weights and must agree in their first losses. micrograd computes with single numbers and has no
tanh: its network has relu, and its loss is not compared.
"""

import race  # first: it limits the libraries to one thread

# isort: split
import subprocess
import sys
from importlib.metadata import requires, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import report

import lucid
import lucid.nn as nn
import lucid.optim as optim

SIZES, BATCH, LR = (2, 16, 16, 1), 32, 0.05
DISTRIBUTION = {"lucid": "lucid-grad"}  # where it has another name than the module
GENERATED = "runtime/autogen"  # of tinygrad: headers of drivers, written by a program

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((BATCH, 2), dtype=np.float32), rng.standard_normal((BATCH, 1), dtype=np.float32)
W = [rng.standard_normal((a, b), dtype=np.float32) / a**0.5 for a, b in pairwise(SIZES)]
B = [np.zeros(b, dtype=np.float32) for b in SIZES[1:]]


def lucid_step() -> race.Step:
    """lucid: Linear, Tanh, SGD."""
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    model.load_state_dict({f"{2 * i}.{name}": v for i in range(3) for name, v in (("weight", W[i].T), ("bias", B[i]))})
    optimizer, loss_of = optim.SGD(model.parameters(), lr=LR), nn.MSELoss()
    x, y = lucid.tensor(X), lucid.tensor(Y)

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def autograd_step() -> race.Step:
    """HIPS autograd: NumPy, differentiated."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    parameters = [w.copy() for w in (*W, *B)]

    def loss_of(parameters: list[np.ndarray]) -> Any:
        w, b = parameters[:3], parameters[3:]
        h = anp.tanh(anp.dot(anp.tanh(anp.dot(X, w[0]) + b[0]), w[1]) + b[1])
        return anp.mean((anp.dot(h, w[2]) + b[2] - Y) ** 2)

    differentiated = value_and_grad(loss_of)

    def step() -> Any:
        loss, gradients = differentiated(parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= LR * gradient
        return loss

    return step


def dezero_step() -> race.Step:
    """DeZero: its MLP and its SGD."""
    np.__dict__["int"] = int  # which NumPy had when its last release was made, in 2020
    import dezero
    import dezero.functions as F
    from dezero.models import MLP
    from dezero.optimizers import SGD

    model = MLP(SIZES[1:], activation=F.tanh)
    model(X)  # its weights are made when it is first called
    for layer, w, b in zip(model.layers, W, B, strict=True):
        layer.W.data, layer.b.data = w.copy(), b.copy()
    optimizer = SGD(LR).setup(model)

    def step() -> Any:
        loss = F.mean_squared_error(model(dezero.Variable(X)), Y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.data

    return step


def tinygrad_step() -> race.Step:
    """Tinygrad: kernels that clang compiles for the CPU, captured by TinyJit."""
    from tinygrad import Tensor, TinyJit
    from tinygrad.helpers import Context
    from tinygrad.nn.optim import SGD

    w, b = ([Tensor(array).is_param_() for array in arrays] for arrays in (W, B))
    x, y = Tensor(X), Tensor(Y)
    optimizer = SGD([*w, *b], lr=LR)

    @TinyJit
    @Context(TRAINING=1)
    def captured() -> Any:
        optimizer.zero_grad()
        h = ((x @ w[0] + b[0]).tanh() @ w[1] + b[1]).tanh()
        loss = (h @ w[2] + b[2] - y).square().mean()
        loss.backward()
        return loss.realize(*optimizer.schedule_step())  # together, or the loss would be that of the new weights

    return captured


def micrograd_step() -> race.Step:
    """Micrograd: one object a number."""
    from micrograd.nn import MLP

    model = MLP(2, list(SIZES[1:]))

    def step() -> Any:
        loss = sum((model(list(map(float, x))) - float(y[0])) ** 2 for x, y in zip(X, Y, strict=True)) * (1 / BATCH)
        model.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            parameter.data -= LR * parameter.grad
        return loss

    return step


def lines(name: str) -> tuple[int, int]:
    """Lines of Python in a package, and how many of them were generated."""
    (folder,) = find_spec(name).submodule_search_locations
    counted = {path: len(path.read_bytes().splitlines()) for path in Path(folder).rglob("*.py")}
    return sum(counted.values()), sum(n for path, n in counted.items() if GENERATED in path.as_posix())


def needs(name: str) -> str:
    """What pip installs along with it."""
    wanted = [line.split(";")[0] for line in requires(DISTRIBUTION.get(name, name)) or [] if "extra" not in line]
    return ", ".join(sorted({line.strip().split("<")[0].split(">")[0].split("[")[0] for line in wanted})) or "nothing"


def import_time(name: str) -> float:
    """Milliseconds that `import name` adds to a start of Python: the median of nine, in turn with a bare start."""
    added = []
    for _ in range(9):
        seconds = []
        for program in ("pass", f"{'import numpy; numpy.int = int; ' * (name == 'dezero')}import {name}"):
            began = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            seconds.append(perf_counter() - began)
        added.append(1e3 * (seconds[1] - seconds[0]))
    return median(added)


def main() -> None:
    """Measure and publish."""
    rounds = race.rounds(__doc__, 30)
    made = {"lucid": lucid_step, "autograd": autograd_step, "dezero": dezero_step, "tinygrad": tinygrad_step}
    contenders = {name: make() for name, make in made.items() if find_spec(name)}
    race.check_agreement("2-16-16-1", contenders, "lucid")
    if find_spec("micrograd"):
        contenders["micrograd"] = micrograd_step()
    times = race.race(contenders, rounds)
    rows = []
    for name in contenders:
        total, generated = lines(name)
        says = f"{total:,}" if not generated else f"{total - generated:,}, and {generated:,} generated"
        took = f"{median(times[name]) * 1e6:,.0f}"
        relative = f"{race.ratio(times[name], times['lucid']):.2f}"
        release = lucid.__version__ if name == "lucid" else version(name)
        rows.append([f"{name} {release}", says, needs(name), f"{max(0, import_time(name)):.0f}", took, relative])
    head = ["framework", "lines of Python", "needs", "import ms", "step µs", "step / lucid's"]
    notes = f"""A step is forward, backward and gradient descent for 2-16-16-1 tanh (micrograd: relu), batch 32, MSE.
Medians over {rounds} rounds taken in turn. Lines are those of all `.py` files of the package, comments and docstrings
included; what a package loads, NumPy for example, is part of its import. DeZero's last release is of 2020 and needs
`numpy.int` put back. tinygrad's step is captured by TinyJit, and clang compiles its kernels."""
    about = report.surroundings(lucid, np) + "; one thread each."
    report.publish("others", "\n\n".join(["# Small frameworks side by side", about, report.table(head, rows), notes]))


if __name__ == "__main__":
    main()
