"""Checks of the numbers: the data, the activations, the gradients, and the size of the steps."""

from __future__ import annotations

from math import isfinite
from statistics import median

from lucid.core.array import namespace, to_numpy
from lucid.core.node import Node
from lucid.see.doctor.checks import Matches, graph_check, run_check
from lucid.see.doctor.evidence import LossGraph, TrainingRun, input_node, rms, skip_views
from lucid.see.formulas import saved_values
from lucid.see.text import digits, first_few

PRODUCTS = ("linear", "matmul", "conv", "conv_transpose", "rnn", "lstm", "gru")
BETWEEN = ("reshape", "transpose", "swapaxes", "masked", "multiply", "stack", "cat")  # an activation and a product

# Thresholds. A check must be silent on every healthy model that the tests have, and on all examples.
LARGE_DATA = 25.0  # root mean square; the thermometer of examples/02_line.py reads 19
SMALL_DATA = 1e-3
SILENT = 0.75  # share of a layer's units; at the start some tenth of them is silent for a batch
SATURATED = 0.9  # share of a layer's outputs that are within 0.1 percent of the bounds
GROWN, SHRUNK = 1e4, 1e-5  # activations, from the first layer to the last
VANISHED = 1e-6  # gradients of the first layer, relative to those of the last
LARGE_STEP = 0.5  # relative to a weight's own size; Adamax at lr=1e-2 begins with a fifth
LARGEST_STEP = 2.0  # for a single one; where weights begin at 0, a first step of Adamax is as large as they are then
SMALL_STEP = 1e-6


@graph_check("warning", fix="subtract the data's mean and divide by their standard deviation; pixels: x / 255")
def data_not_normalised(graph: LossGraph) -> Matches:
    """Weights are initialised for data of mean 0 and size 1. Pixels from 0 to 255 make sums of hundreds: activations
    saturate, and the learning rate that suits the rest of the network is far too large for the first layer."""
    for node in graph.nodes_of("linear", "conv", "rnn", "lstm", "gru"):
        x = saved_values(node).get("x")
        if x is None or input_node(node, "x") is not None or x.size < 2 or x.dtype.kind != "f":
            continue
        size = rms(x)
        if size > LARGE_DATA or 0 < size < SMALL_DATA:
            numbers = f"a root mean square of {digits(size, 3)} (from {digits(x.min(), 3)} to {digits(x.max(), 3)})"
            yield node, f"the data that {node.op.name} is given have {numbers}, where about 1 is expected"
            return


@graph_check("warning", fix="a smaller learning rate, initial biases of 0, weights as in nn's layers, or LeakyReLU")
def dead_relu(graph: LossGraph) -> Matches:
    """A relu whose input is negative for all data returns 0 and passes no gradient: that unit has stopped learning, and
    usually for good. Too large a learning rate or a negative bias does that."""
    for node in graph.nodes_of("relu"):
        out = saved_values(node).get("out")
        if out is None or out.ndim < 2 or not out.size:
            continue
        axis = 1 if out.ndim > 3 else out.ndim - 1
        units, batch = out.shape[axis], out.size // out.shape[axis]
        rest = tuple(i for i in range(out.ndim) if i != axis)
        silent = int((to_numpy(out).max(axis=rest) <= 0).sum())
        if batch >= 16 and silent >= SILENT * units:
            yield node, f"{silent} of {units} relu units are 0 for all {batch} samples"


@graph_check("warning", fix="normalise the data, initialise smaller weights, or lower the learning rate")
def saturated(graph: LossGraph) -> Matches:
    """At its bounds a tanh or sigmoid is flat, and passes next to no gradient to the layers before."""
    for node in graph.nodes_of("tanh", "sigmoid"):
        out = saved_values(node).get("out")
        hidden = any(_leads_to_product(graph, user) for user in graph.users[node])
        if out is None or out.size < 64 or not hidden:
            continue
        distance = abs(out) if node.op.name == "tanh" else abs(2 * out - 1)
        share = float((distance > 0.999).mean())
        if share > SATURATED:
            yield node, f"{share:.0%} of the outputs of this {node.op.name} are within a thousandth of its bounds"


def _leads_to_product(graph: LossGraph, node: Node) -> bool:
    while node.op.name in BETWEEN and graph.users[node]:
        node = graph.users[node][0]
    return node.op.name in PRODUCTS


@graph_check("warning", fix="put a ReLU or a Tanh between them")
def no_activation(graph: LossGraph) -> Matches:
    """Two linear layers in a row are one linear layer: the product of their matrices."""
    for node in graph.nodes_of("linear"):
        before = skip_views(input_node(node, "x"))
        if before is None or before.name() != "linear" or len(graph.users[before]) > 1:
            continue  # an output that several layers use, as queries and keys share an embedding, has other reasons
        first, second = input_node(before, "weight"), input_node(node, "weight")
        if first is None or second is None or graph.parameter_names.get(first, "").endswith("out_proj.weight"):
            continue
        (middle, inputs), outputs = first.shape, second.shape[0]
        if middle >= min(inputs, outputs):  # a narrow middle is a bottleneck, and may be meant
            names = [graph.parameter_names.get(leaf, "a weight") for leaf in (first, second)]
            layers = f"{names[0]} ({inputs} to {middle}) and {names[1]} ({middle} to {outputs})"
            yield node, f"{layers} have no activation between them: together they are one linear layer"


def _layers(graph: LossGraph) -> list[tuple[Node, float, float]]:
    """(node, size of its input, size of its output) of each layer, in order."""
    layers = []
    for node in graph.nodes_of("linear", "conv"):
        x, out = saved_values(node).get("x"), getattr(node, "out", None)
        if x is not None:
            layers.append((node, rms(x), rms(out) if out is not None else 0.0))
    return layers


@graph_check("error", fix="smaller initial weights (as in nn's layers), a norm between the layers, or clip_grad_norm_")
def exploding(graph: LossGraph) -> Matches:
    """Where every layer makes numbers larger, a few of them multiply to millions, and so do the gradients."""
    if not isfinite(float(abs(graph.loss._array).max())):
        return  # loss_not_finite says so
    weights, layers = graph.weights(), _layers(graph)
    wild = [name for name, _, g, _ in weights if not bool(namespace(g).isfinite(g).all())]
    if wild:
        yield weights[0][3], f"the gradient of {first_few(wild)} is infinite or NaN"
    elif len(layers) > 2:
        (node, first, _), last = layers[0], max(layers[-1][1:])
        if last > GROWN * first > 0:
            grow = f"grow from {digits(first, 3)} at the first layer to {digits(last, 3)} after"
            yield node, f"numbers (their root mean square) {grow} the last of {len(layers)}"


@graph_check("warning", fix="relu instead of sigmoid or tanh, a norm between the layers, or x + layer(x) around them")
def vanishing(graph: LossGraph) -> Matches:
    """Where every layer makes gradients smaller, hardly any reaches the first ones: ten sigmoids leave a millionth."""
    sizes = [(name, size, user) for name, _, g, user in graph.weights() if isfinite(size := rms(g)) and size > 0]
    layers = _layers(graph)
    if len(sizes) > 2 and sizes[0][1] < VANISHED * sizes[-1][1]:
        first, last = (f"{name} is {digits(size, 3)}" for name, size, _ in (sizes[0], sizes[-1]))
        yield sizes[0][2], f"the gradient (its root mean square) of {first}, that of {last}"
    elif len(layers) > 2 and 0 < layers[-1][1] < SHRUNK * layers[0][1]:
        shrink = f"shrink from {digits(layers[0][1], 3)} at the first layer to {digits(layers[-1][1], 3)} before"
        fix = "larger initial weights (as in nn's layers), or a norm between the layers"
        yield layers[0][0], f"numbers (their root mean square) {shrink} the last of {len(layers)}", fix


def _rates(run: TrainingRun) -> str:
    rates = sorted({rate for group in run.rates[-1:] for rate in group})
    return first_few([digits(rate, 3) for rate in rates]) or "?"


@run_check("warning", fix="a learning rate that is ten or a hundred times smaller")
def learning_rate_too_large(run: TrainingRun) -> Matches:
    """A step should change a weight by about a thousandth of its size. One of its own size leaves nothing of what was
    learned before."""
    typical = [median(size for size, _ in ratios.values()) for ratios in run.step_ratios if ratios]
    if typical and (median(typical) > LARGE_STEP or max(typical) > LARGEST_STEP):
        step = f"a step moves the weights by up to {digits(max(typical), 3)} of their own size (root mean squares)"
        yield run.step_line, f"{step}, at lr={_rates(run)}; about 0.001 is usual"


@run_check("warning", fix="a learning rate that is a hundred or a thousand times larger")
def learning_rate_too_small(run: TrainingRun) -> Matches:
    """A step of a millionth of a weight's size is lost in rounding, and a thousand of them change nothing."""
    early = [ratios for ratios in run.step_ratios if ratios and max(t for _, t in ratios.values()) <= 10]
    largest = max((size for ratios in early for size, _ in ratios.values()), default=0.0)
    if 0 < largest < SMALL_STEP:
        step = f"a step moves no weight by more than {digits(largest, 3)} of its size (root mean squares)"
        yield run.step_line, f"{step}, at lr={_rates(run)}; about 0.001 is usual"


@run_check(
    "warning",
    fix="give the optimizer an lr; or let the schedule last as long as the training, with one step() an epoch if it "
    "counts epochs",
)
def learning_rate_zero(run: TrainingRun) -> Matches:
    """At a learning rate of 0 nothing moves. A schedule stays at 0 when it has ended there."""
    if run.rates and not any(map(any, run.rates[-2:])):
        groups = len(run.rates[-1])
        yield run.step_line, "the learning rate is 0" + f" in all {groups} groups" * (groups > 1)
