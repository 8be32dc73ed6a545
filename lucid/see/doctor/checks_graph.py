"""Checks of the graph of one loss: its end (is it the loss that was meant?), and the numbers that run through it."""

from __future__ import annotations

from math import isfinite

from lucid.core.array import cpu, namespace, to_numpy
from lucid.core.node import Node
from lucid.see.doctor.checks import Matches, graph_check
from lucid.see.doctor.evidence import LossGraph, input_node, rms, skip_views
from lucid.see.text import digits, first_few

CROSS_ENTROPY = ("cross_entropy", "cross_entropy_of_kept")  # the second is what a GPU takes
LOGITS = (*CROSS_ENTROPY, "log_softmax", "bce_with_logits")
PAIRWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "where"}
ELEMENTWISE = PAIRWISE | {"square", "abs", "power_number", "negative", "exp", "log", "sqrt", "tanh", "clip", "log1p"}
PRODUCTS = ("linear", "matmul", "conv", "conv_transpose", "rnn", "lstm", "gru")
BETWEEN = ("reshape", "transpose", "swapaxes", "masked", "multiply", "stack", "cat")  # an activation and a product

# Thresholds. A check must be silent on every healthy model that the tests have, and on all examples.
LARGE_DATA = 25.0  # root mean square; the thermometer of examples/02_line.py reads 19
SMALL_DATA = 1e-3
SILENT = 0.75  # share of a layer's units; at the start some tenth of them is silent for a batch
SATURATED = 0.9  # share of a layer's outputs that are within 0.1 percent of the bounds
GROWN, SHRUNK = 1e4, 1e-5  # activations, from the first layer to the last
VANISHED = 1e-6  # gradients of the first layer, relative to those of the last


def _given_output_of(activation: str, graph: LossGraph, losses: tuple[str, ...], message: str) -> Matches:
    """The losses whose logits are the output of an activation."""
    for node in graph.nodes_of(*losses):
        source = skip_views(input_node(node, "x"))
        if source is not None and source.name() == activation:
            yield graph.line_of(source) or node, message.format(node.op.name)


@graph_check("error", fix="leave out the softmax before the loss; apply it only where you read off probabilities")
def softmax_twice(graph: LossGraph) -> Matches:
    """cross_entropy takes the softmax itself. Given probabilities, all between 0 and 1, it takes the softmax of those:
    nearly flat, whatever the network says. Gradients are small, and the loss cannot fall below a floor, 1.46 for ten
    classes."""
    message = "{} takes logits and applies a softmax itself, but was given the output of a softmax"
    return _given_output_of("softmax", graph, (*CROSS_ENTROPY, "log_softmax"), message)


@graph_check("error", fix="leave out the sigmoid before the loss, or give probabilities to binary_cross_entropy")
def sigmoid_twice(graph: LossGraph) -> Matches:
    """binary_cross_entropy_with_logits takes the sigmoid itself. Of a sigmoid's output, 0 to 1, that makes 0.5 to 0.73:
    the network can never say no."""
    name = "binary_cross_entropy_with_logits"
    message = f"{name} takes logits and applies a sigmoid itself, but was given the output of a sigmoid"
    return _given_output_of("sigmoid", graph, ("bce_with_logits",), message)


@graph_check("warning", fix="leave out the activation after the last layer")
def relu_before_loss(graph: LossGraph) -> Matches:
    """Logits are numbers of either sign. After a relu none is negative, and where all are 0 nothing is learned."""
    message = "{} was given the output of a relu, in which no logit can be negative"
    return _given_output_of("relu", graph, LOGITS, message)


@graph_check("error", fix="give it log_softmax(logits, dim=1), or give the logits to cross_entropy")
def nll_without_log(graph: LossGraph) -> Matches:
    """nll_loss only picks an element of each row: of log-probabilities. Given logits or probabilities it rewards making
    the right one large, without end."""
    for node, x in graph.saved("x", "nll"):
        with cpu.quiet():
            total = float(cpu.exp(to_numpy(x).astype("float64")).sum(axis=1).mean())
        if abs(total - 1) > 0.05:
            here = f"here it adds up to {digits(total, 3)}"
            yield node, f"nll_loss takes log-probabilities, whose exp adds up to 1 in each row, but {here}"


@graph_check("error", fix="prediction.squeeze(1), or target.unsqueeze(1); mse_loss itself refuses differing shapes")
def broadcast_loss(graph: LossGraph) -> Matches:
    """Predictions (n, 1) and targets (n,) are not compared one by one: they broadcast to (n, n), every prediction with
    every target. The mean over that is smallest where every prediction is the mean of all targets."""
    for node in graph.nodes:
        shape = node.shape
        if node.op.name not in PAIRWISE or not isinstance(shape, tuple) or len(shape) != 2:
            continue
        n, shapes = shape[0], [parent.shape for parent in node.inputs if parent is not None]
        if n < 2 or shape != (n, n) or any(each not in ((n, 1), (n,)) for each in shapes):
            continue
        if (len(shapes) == 1 or shapes[0] != shapes[1]) and _only_reduced(graph, node):
            other = (n,) if shapes[0] == (n, 1) else (n, 1)
            broadcast = f"{node.op.name} of shapes {shapes[0]} and {other} broadcasts to {shape}"
            yield node, f"{broadcast}: each of the {n} predictions meets every target"


def _only_reduced(graph: LossGraph, node: Node) -> bool:
    """Whether a node's result only passes elementwise operations, and then a sum or mean over everything."""
    while True:
        users = set(graph.users[node])
        if len(users) != 1:
            return False
        (node,) = users
        if node.op.name in ("sum", "mean"):
            return node.shape == ()
        if node.op.name not in ELEMENTWISE:
            return False


@graph_check("error", fix="turn them into 0 and 1, (y > 0).float() for instance")
def target_out_of_range(graph: LossGraph) -> Matches:
    """A binary cross-entropy with targets outside of 0 to 1, -1 and 1 say, has no minimum: it falls for ever."""
    for node, target in graph.saved("target", "bce", "bce_with_logits"):
        if target.min() < 0 or target.max() > 1:
            values = f"here they range from {digits(target.min(), 3)} to {digits(target.max(), 3)}"
            yield node, f"the targets of a binary cross-entropy are probabilities, 0 to 1, but {values}"


@graph_check("error", fix="run this step in `with lucid.autograd.detect_anomaly():`, which stops where it was made")
def loss_not_finite(graph: LossGraph) -> Matches:
    """From a loss that is NaN or infinite every gradient is NaN, and after one step every weight."""
    array = graph.loss._array
    if not bool(namespace(array).isfinite(array).all()):
        message = f"is {graph.loss.tolist()}" if array.size == 1 else "has NaN or infinite elements"
        yield graph.loss, f"the loss {message}"


@graph_check("error", fix="detach what is carried over: state = state.detach(), total += loss.item()")
def graph_of_an_earlier_step(graph: LossGraph) -> Matches:
    """A hidden state, or a sum of losses, that is carried from step to step takes the whole history along. The backward
    pass would run through what an earlier one has run through and released."""
    released = {node for node in graph.nodes if node.saved is None and not hasattr(node, "recompute")}
    for node in graph.nodes:
        if node not in released and any(parent in released for parent in node.inputs):
            some = f"{len(released)} of the {len(graph.nodes)} operations of this loss's graph"
            yield node, f"backward() has already run through {some}, in an earlier step"
            return


@graph_check("error", fix="initialise weights at random, as nn's layers do, or with nn.init.xavier_uniform_(weight)")
def equal_weights(graph: LossGraph) -> Matches:
    """Units that begin with equal weights, zeros or ones, get equal gradients, and stay equal for ever: a layer of a
    hundred is worth one."""
    for name, p, g, user in graph.weights():
        rows, gradients = (to_numpy(array).reshape(p.shape[0], -1) for array in (p._array, g))
        if len(rows) < 2 or rows.shape[1] < 1 or (rows != rows[:1]).any():
            continue
        largest = float(abs(gradients).max()) if gradients.size else 0.0
        if float(abs(gradients - gradients[:1]).max()) <= 1e-5 * largest:
            equal = f"all {len(rows)} rows of {name} are equal, and so are their gradients"
            yield user, f"{equal}: these units will never differ"


@graph_check("warning", fix="subtract the data's mean and divide by their standard deviation; pixels: x / 255")
def data_not_normalised(graph: LossGraph) -> Matches:
    """Weights are initialised for data of mean 0 and size 1. Pixels from 0 to 255 make sums of hundreds: activations
    saturate, and the learning rate that suits the rest of the network is far too large for the first layer."""
    for node, x in graph.saved("x", "linear", "conv", "rnn", "lstm", "gru"):
        size = rms(x) if input_node(node, "x") is None and x.size > 1 and x.dtype.kind == "f" else 0.0
        if size > LARGE_DATA or 0 < size < SMALL_DATA:
            numbers = f"a root mean square of {digits(size, 3)} (from {digits(x.min(), 3)} to {digits(x.max(), 3)})"
            yield node, f"the data that {node.op.name} is given have {numbers}, where about 1 is expected"
            return


@graph_check("warning", fix="a smaller learning rate, initial biases of 0, weights as in nn's layers, or LeakyReLU")
def dead_relu(graph: LossGraph) -> Matches:
    """A relu whose input is negative for all data returns 0 and passes no gradient: that unit has stopped learning, and
    usually for good. Too large a learning rate or a negative bias does that."""
    for node, out in graph.saved("out", "relu"):
        if out.ndim < 2:
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
    for node, out in graph.saved("out", "tanh", "sigmoid"):
        share = float((abs(out if node.op.name == "tanh" else 2 * out - 1) > 0.999).mean())
        hidden = any(_leads_to_product(graph, user) for user in graph.users[node])
        if share > SATURATED and out.size >= 64 and hidden:
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
    layers = graph.saved("x", "linear", "conv")
    return [(node, rms(x), rms(node.out) if hasattr(node, "out") else 0.0) for node, x in layers]


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
