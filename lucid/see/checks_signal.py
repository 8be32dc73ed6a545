"""Checks of what flows: data in, activations forward, gradients back, and the steps that come of them."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from statistics import median
from typing import Any

from lucid.core.array import namespace, to_numpy
from lucid.core.node import Node
from lucid.see.checks import Found, of_a_loss, of_a_run
from lucid.see.findings import rounded, some
from lucid.see.view import Case, Run, behind, given, rms, saved

PRODUCTS = ("linear", "matmul", "conv", "conv_transpose", "rnn", "lstm", "gru")

# Where the line is drawn. A check must be silent on every healthy model that the tests have, and on all examples.
LARGE_DATA = 25.0  # root mean square; the thermometer of examples/02_line.py reads 19
SMALL_DATA = 1e-3
SILENT = 0.75  # share of a layer's units; at the start some tenth of them is silent for a batch
SATURATED = 0.9  # share of a layer's outputs that are within 0.1 percent of the bounds
GROWN, SHRUNK = 1e4, 1e-5  # activations, from the first layer to the last
VANISHED = 1e-6  # gradients of the first layer, by those of the last
LARGE_STEP = 0.5  # of a weight's own size; Adamax at lr=1e-2 begins with a fifth
LARGEST_STEP = 2.0  # for a single one; where weights begin at 0, a first step of Adamax is as large as they are then
SMALL_STEP = 1e-6


@of_a_loss("data-not-normalised", "warning")
def data_not_normalised(case: Case) -> Iterator[Found]:
    """First weights are drawn for data of mean 0 and size 1. Pixels from 0 to 255 make sums of hundreds: activations
    saturate, and the learning rate that suits the rest of the network throws the first layer about."""
    for node in case.of("linear", "conv", "rnn", "lstm", "gru"):
        x = saved(node, "x")
        if x is None or given(node, "x") is not None or x.size < 2 or x.dtype.kind != "f":
            continue
        size = rms(x)
        if size > LARGE_DATA or 0 < size < SMALL_DATA:
            low, high = float(x.min()), float(x.max())
            yield Found(
                f"the data that {node.op.name} is given has a root mean square of {rounded(size)} (from {rounded(low)} "
                f"to {rounded(high)}), where about 1 is expected",
                "subtract the mean and divide by the standard deviation of the training data; pixels: x / 255",
                case.run.where(node),
            )
            return


@of_a_loss("dead-relu", "warning")
def dead_relu(case: Case) -> Iterator[Found]:
    """A relu whose input is negative for all data gives 0 and passes no gradient: that unit is out of the game, and
    usually for good. Too large a learning rate or a negative bias does that."""
    for node in case.of("relu"):
        out = saved(node, "out")
        if out is None or out.ndim < 2 or not out.size:
            continue
        axis = 1 if out.ndim > 3 else out.ndim - 1
        units, batch = out.shape[axis], out.size // out.shape[axis]
        rest = tuple(i for i in range(out.ndim) if i != axis)
        silent = int((to_numpy(out).max(axis=rest) <= 0).sum())
        if batch >= 16 and silent >= SILENT * units:
            yield Found(
                f"{silent} of {units} relu units are 0 for all {batch} samples",
                "a smaller learning rate, a bias that starts at 0, weights that start as nn's layers draw them, or "
                "LeakyReLU",
                case.run.where(node),
            )


@of_a_loss("saturated", "warning")
def saturated(case: Case) -> Iterator[Found]:
    """At its bounds a tanh or sigmoid is flat, and passes next to no gradient to the layers before."""
    for node in case.of("tanh", "sigmoid"):
        out = saved(node, "out")
        hidden = any(_leads_to_product(case, user) for user in case.users[node])
        if out is None or out.size < 64 or not hidden:
            continue
        far = abs(out) if node.op.name == "tanh" else abs(2 * out - 1)
        share = float((far > 0.999).mean())
        if share > SATURATED:
            yield Found(
                f"{share:.0%} of the outputs of this {node.op.name} are within a thousandth of its bounds",
                "normalise the data, let the weights start smaller, or lower the learning rate",
                case.run.where(node),
            )


def _leads_to_product(case: Case, node: Node) -> bool:
    while True:
        if node.op.name in PRODUCTS:
            return True
        users = case.users[node]
        if node.op.name not in ("reshape", "transpose", "swapaxes", "masked", "multiply", "stack", "cat") or not users:
            return False
        node = users[0]


@of_a_loss("no-activation", "warning")
def no_activation(case: Case) -> Iterator[Found]:
    """Two linear layers in a row are one linear layer: the product of their matrices."""
    for node in case.of("linear"):
        before = behind(given(node, "x"))
        if before is None or before.name() != "linear" or len(case.users[before]) > 1:
            continue  # one that several share, as queries and keys share an embedding, is not for this one alone
        first, second = given(before, "weight"), given(node, "weight")
        if first is None or second is None or case.names.get(first, "").endswith("out_proj.weight"):
            continue
        (middle, inputs), outputs = first.shape, second.shape[0]
        if middle >= min(inputs, outputs):  # a narrow middle is a bottleneck, and may be meant
            names = [case.names.get(each, "a weight") for each in (first, second)]
            yield Found(
                f"{names[0]} ({inputs} to {middle}) and {names[1]} ({middle} to {outputs}) stand one behind the other "
                "with no activation between: together they are one linear layer",
                "put a ReLU or a Tanh between them",
                case.run.where(node),
            )


def _layers(case: Case) -> list[tuple[Node, float, float]]:
    """(node, size of its input, size of its output) of each layer, in order."""
    found = []
    for node in case.of("linear", "conv"):
        x, out = saved(node, "x"), getattr(node, "out", None)
        if x is not None:
            found.append((node, rms(x), rms(out) if out is not None else 0.0))
    return found


@of_a_loss("exploding", "error")
def exploding(case: Case) -> Iterator[Found]:
    """Where every layer makes numbers larger, a few of them multiply to millions, and so do the gradients."""
    if not isfinite(float(abs(case.loss._array).max())):
        return  # which is told by itself
    wild = [name for name, _, g, _ in case.weights() if not bool(namespace(g).isfinite(g).all())]
    layers = _layers(case)
    if wild:
        yield Found(f"the gradient of {some(wild)} is infinite or NaN", _CALM, case.run.where(case.weights()[0][3]))
    elif len(layers) > 2 and layers[0][1]:
        last = max(layers[-1][2], layers[-1][1])
        if last > GROWN * layers[0][1]:
            yield Found(
                f"numbers grow from {rounded(layers[0][1])} (root mean square) at the first layer to {rounded(last)} "
                f"behind the last of {len(layers)}",
                _CALM,
                case.run.where(layers[0][0]),
            )


_CALM = "weights that start smaller (nn's layers draw them so), a norm between the layers, or clip_grad_norm_"


@of_a_loss("vanishing", "warning")
def vanishing(case: Case) -> Iterator[Found]:
    """Where every layer makes gradients smaller, the first ones hear nothing: ten sigmoids leave a millionth."""
    sizes = [(name, size, use) for name, _, g, use in case.weights() if isfinite(size := rms(g)) and size > 0]
    layers = _layers(case)
    if len(sizes) > 2 and sizes[0][1] < VANISHED * sizes[-1][1]:
        yield Found(
            f"the gradient of {sizes[0][0]} is {rounded(sizes[0][1])} (root mean square), that of {sizes[-1][0]} "
            f"{rounded(sizes[-1][1])}",
            "relu instead of sigmoid or tanh, a norm between the layers, or a sum around them (x + layer(x))",
            case.run.where(sizes[0][2]),
        )
    elif len(layers) > 2 and 0 < layers[-1][1] < SHRUNK * layers[0][1]:
        yield Found(
            f"numbers shrink from {rounded(layers[0][1])} (root mean square) at the first layer to "
            f"{rounded(layers[-1][1])} before the last of {len(layers)}",
            "weights that start larger (nn's layers draw them so), or a norm between the layers",
            case.run.where(layers[0][0]),
        )


# -- steps -------------------------------------------------------------------------------------------------------------


def _steps(run: Run) -> list[dict[str, tuple[float, int]]]:
    return [ratios for ratios in run.noted.get("ratios", []) if ratios]


@of_a_run("learning-rate-too-large", "warning")
def learning_rate_too_large(run: Run) -> Iterator[Found]:
    """A step should change a weight by about a thousandth of its size. One of its own size leaves nothing of what was
    learned before."""
    typical = [median(size for size, _ in ratios.values()) for ratios in _steps(run)]
    if typical and (median(typical) > LARGE_STEP or max(typical) > LARGEST_STEP):
        yield Found(
            f"a step moves the weights by up to {rounded(max(typical))} of their own size (root mean squares), at lr="
            f"{_rates(run)}; about 0.001 is usual",
            "a learning rate that is ten or a hundred times smaller",
            run.noted.get("step-at"),
        )


@of_a_run("learning-rate-too-small", "warning")
def learning_rate_too_small(run: Run) -> Iterator[Found]:
    """A step of a millionth of a weight's size is lost in rounding, and a thousand of them change nothing."""
    early = [ratios for ratios in _steps(run) if max(t for _, t in ratios.values()) <= 10]
    largest = [max(size for size, _ in ratios.values()) for ratios in early]
    if largest and 0 < max(largest) < SMALL_STEP:
        yield Found(
            f"a step moves no weight by more than {rounded(max(largest))} of its size (root mean squares), at lr="
            f"{_rates(run)}; about 0.001 is usual",
            "a learning rate that is a hundred or a thousand times larger",
            run.noted.get("step-at"),
        )


@of_a_run("learning-rate-zero", "warning")
def learning_rate_zero(run: Run) -> Iterator[Found]:
    """At a learning rate of 0 nothing moves. A schedule that has come to its end goes on giving that."""
    rates: list[list[float]] = run.noted.get("rates", [])
    if rates and all(not any(each) for each in rates[-2:]):
        yield Found(
            "the learning rate is 0" + f" in all {len(rates[-1])} groups" * (len(rates[-1]) > 1),
            "let the schedule run over as many steps as the training has, and step() it once an epoch if it counts "
            "epochs; or give the optimizer an lr",
            run.noted.get("step-at"),
        )


def _rates(run: Run) -> Any:
    rates = sorted({rate for group in run.noted.get("rates", [])[-1:] for rate in group})
    return some([rounded(rate) for rate in rates]) or "?"
