"""The mistakes that the doctor knows: of each the name, severity and fix, and the function that looks for it.

A check is a function of the evidence: of a `LossGraph`, the graph of one loss, or of a `TrainingRun`,
everything that was observed. It yields the culprit (a node, or its line) and a message, once for each time it
meets the mistake; a third value is a fix for this case alone. Its decorator has the severity and the usual
fix, its docstring says what the mistake does to a training, and its name is the mistake's: `dead_relu` finds
`dead-relu`. What shows in the order of events is found by `watch`; EVENT_CHECKS has its entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import isfinite
from pathlib import Path
from statistics import median
from types import FunctionType, MethodType, ModuleType
from typing import Any

from lucid.core.array import cpu, is_array, namespace, to_numpy
from lucid.core.node import Node, Tensor
from lucid.nn.activations import Dropout
from lucid.nn.attention import MultiheadAttention
from lucid.nn.layers import Sequential
from lucid.nn.module import Module, own_entries
from lucid.nn.norms import BatchNorm1d, BatchNorm2d
from lucid.optim.lr_scheduler import LRScheduler
from lucid.optim.optimizer import Optimizer
from lucid.see.doctor.evidence import CROSS_ENTROPY, LossGraph, TrainingRun, input_node, parameters_of, rms, skip_views
from lucid.see.names import saved_values
from lucid.see.text import digits, element, escape, first_few, plural

MOST_ITEMS = 10_000  # of a list that are searched for hidden modules; a longer one holds numbers
NO_GRAD_FIX = "move the forward of training out of the no_grad block"
Matches = Iterable[tuple[Any, ...]]  # (culprit, message) or (culprit, message, fix)
LOGITS = (*CROSS_ENTROPY, "log_softmax", "bce_with_logits")
PAIRWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "where"}
ELEMENTWISE = PAIRWISE | {"square", "abs", "power_number", "negative", "exp", "log", "sqrt", "tanh", "clip", "log1p"}
PRODUCTS = ("linear", "matmul", "conv", "conv_transpose", "rnn", "lstm", "gru")
BETWEEN = ("reshape", "transpose", "swapaxes", "masked", "multiply", "stack", "cat")  # an activation and a product

# Thresholds. A check must be silent on every healthy model that the tests have, and on all examples.
SMALL_DATA, LARGE_DATA = 1e-3, 25.0  # root mean squares; the thermometer of examples/02_line.py reads 19
SILENT = 0.75  # share of a layer's units; at the start some tenth of them is silent for a batch
SATURATED = 0.9  # share of a layer's outputs that are within 0.1 percent of the bounds
GROWN, SHRUNK = 1e4, 1e-5  # activations, from the first layer to the last
VANISHED = 1e-6  # gradients of the first layer, relative to those of the last
SMALL_STEP, LARGE_STEP = 1e-6, 0.5  # relative to a weight's own size; Adamax at lr=1e-2 begins with a fifth
LARGEST_STEP = 2.0  # for a single one; where weights begin at 0, a first step of Adamax is as large as they are then
LARGE_TARGET, LARGE_DECAY = 100.0, 10.0  # relative to predictions of about 1, and to gradients
FALLEN = 1e-8  # a learning rate, relative to the largest so far
DECOUPLED = ("AdamW", "AdamaxW", "Lion")  # theta loses lr * weight_decay of itself, beside a step of about lr
SEVERITIES = ("error", "warning")  # the training is wrong; it is probably not what was meant


@dataclass(frozen=True)
class Finding:
    """One mistake."""

    name: str  # what the mistake is called, `softmax-twice`
    severity: str  # "error" where the training is wrong, "warning" where it is probably not what was meant
    message: str  # a sentence that says what is wrong, with its value
    fix: str  # what to do
    line: str | None = None  # at fault, `train.py:12, in step: loss = ...`; None where it was not recorded
    times: int = 1  # in how many of the examined losses it was found

    def __str__(self) -> str:
        at = f"\n  at {self.line}" if self.line else ""
        return f"{self.severity}: {self.name}\n  {self.message}{at}\n  fix: {self.fix}"

    def _repr_html_(self) -> str:
        title, line = element("b", escape(f"{self.severity}: {self.name}")), element("code", escape(self.line or ""))
        parts = [title, escape(self.message), *(["at " + line] if self.line else []), escape(f"fix: {self.fix}")]
        return element("section", *(element("p", part) for part in parts), class_=self.severity)


class Report:
    """The findings, errors first, as text (`print(report)`) and as HTML (in a notebook): `findings`, a list
    of Findings, empty where all is well; `names`, their names; and `examined`, what was examined, in
    words."""

    def __init__(self, findings: list[Finding], examined: str, how_to_get_lines: str = "") -> None:
        self.findings = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.examined = examined
        missing = how_to_get_lines and any(finding.line is None for finding in findings)
        self.hint = f"To see the lines, {how_to_get_lines}." if missing else ""

    @property
    def names(self) -> list[str]:
        """The names of the findings, each once."""
        return list(dict.fromkeys(finding.name for finding in self.findings))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The first finding of that name; a KeyError if there is none."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"no finding {name!r}; there are: {', '.join(self.names) or 'none'}")

    @property
    def _title(self) -> str:
        return f"{plural(len(self), 'finding') if self.findings else 'no findings'} in {self.examined}"

    def __str__(self) -> str:
        return "\n\n".join([self._title, *map(str, self.findings), *([self.hint] if self.hint else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        style = element("style", "\n", (Path(__file__).parent / "report.css").read_text("utf-8"))
        parts = [element("p", escape(self._title)), *(finding._repr_html_() for finding in self.findings)]
        return style + element("div", *parts, escape(self.hint), class_="lucid-report")


@dataclass(frozen=True)
class Check:
    """One entry of the table; `about` says what the mistake is and what it does to a training."""

    name: str
    severity: str
    fix: str
    about: str
    find: Callable[[Any], Matches]

    def __call__(self, evidence: Any) -> Iterator[Finding]:
        """The findings in a LossGraph or a TrainingRun."""
        for culprit, message, *fix in self.find(evidence):
            line = culprit if isinstance(culprit, str) else evidence.line_of(culprit)
            yield Finding(self.name, self.severity, message, fix[0] if fix else self.fix, line)


GRAPH_CHECKS: dict[str, Check] = {}
RUN_CHECKS: dict[str, Check] = {}


def _check(table: dict[str, Check], severity: str, *, fix: str) -> Callable[[Any], Any]:
    def register(find: Any) -> Any:
        name = find.__name__.replace("_", "-")
        table[name] = Check(name, severity, fix, " ".join(find.__doc__.split()), find)
        return find

    return register


graph_check, run_check = partial(_check, GRAPH_CHECKS), partial(_check, RUN_CHECKS)


# (mistake, severity, activation, losses that take logits and are given its output, message, fix, about)
LOGIT_CHECKS = (
    ("softmax-twice", "error", "softmax", (*CROSS_ENTROPY, "log_softmax"),
     "{} takes logits and applies a softmax itself, but was given the output of a softmax",
     "leave out the softmax before the loss; apply it only where you read off probabilities",
     "cross_entropy takes the softmax itself. Given probabilities, all between 0 and 1, it takes the "
     "softmax of those: nearly flat, whatever the network says. Gradients are small, and the loss cannot "
     "fall below a floor, 1.46 for ten classes."),
    ("sigmoid-twice", "error", "sigmoid", ("bce_with_logits",),
     "binary_cross_entropy_with_logits takes logits and applies a sigmoid itself, but was given the output "
     "of a sigmoid",
     "leave out the sigmoid before the loss, or give probabilities to binary_cross_entropy",
     "binary_cross_entropy_with_logits takes the sigmoid itself. Of a sigmoid's output, 0 to 1, that makes "
     "0.5 to 0.73: the network can never say no."),
    ("relu-before-loss", "warning", "relu", LOGITS,
     "{} was given the output of a relu, in which no logit can be negative",
     "leave out the activation after the last layer",
     "Logits are numbers of either sign. After a relu none is negative, and where all are 0 nothing is "
     "learned."),
)  # fmt: skip


def _find_activation(activation: str, losses: tuple[str, ...], message: str, graph: LossGraph) -> Matches:
    for node in graph.nodes_of(*losses):
        source = skip_views(input_node(node, "x"))
        if source is not None and _computes(source, activation):
            yield graph.line_of(source) or node, message.format(node.op.name)


def _computes(node: Node, activation: str) -> bool:
    """Whether a node is an activation, or one written by hand: 1 / (1 + exp(-x)), exp(x) / exp(x).sum()."""
    if node.name() not in ("divide", "reciprocal"):
        return node.name() == activation
    below = {"sigmoid": "add", "softmax": "sum"}.get(activation)
    parts = [part for part in node.inputs if part is not None and part.name() == below]
    return any(source is not None and source.name() == "exp" for part in parts for source in part.inputs)


for _name, _severity, _activation, _losses, _message, _fix, _about in LOGIT_CHECKS:
    _find = partial(_find_activation, _activation, _losses, _message)
    GRAPH_CHECKS[_name] = Check(_name, _severity, _fix, _about, _find)


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
    for node in graph.nodes_of(*PAIRWISE):
        n, shapes = max(node.shape, default=0), [parent.shape for parent in node.inputs if parent is not None]
        fit = n > 1 and node.shape == (n, n) and all(shape in ((n, 1), (n,)) for shape in shapes)
        if fit and (len(shapes) == 1 or shapes[0] != shapes[1]) and _only_reduced(graph, node):
            both = f"{shapes[0]} and {(n,) if shapes[0] == (n, 1) else (n, 1)} broadcasts to {node.shape}"
            yield node, f"{node.op.name} of shapes {both}: each of the {n} predictions meets every target"


def _only_reduced(graph: LossGraph, node: Node) -> bool:
    """Whether a node's result only passes elementwise operations, and then a sum or mean over everything."""
    while len(users := set(graph.users[node])) == 1:
        (node,) = users
        if node.op.name not in ELEMENTWISE:
            return node.op.name in ("sum", "mean") and node.shape == ()
    return False


@graph_check("error", fix="turn them into 0 and 1, (y > 0).float() for instance")
def target_out_of_range(graph: LossGraph) -> Matches:
    """A binary cross-entropy with targets outside of 0 to 1, -1 and 1 say, has no minimum: it falls for ever."""
    for node, target in graph.saved("target", "bce", "bce_with_logits"):
        if target.min() < 0 or target.max() > 1:
            values = f"here they range from {digits(target.min(), 3)} to {digits(target.max(), 3)}"
            yield node, f"the targets of a binary cross-entropy are probabilities, 0 to 1, but {values}"


@graph_check("error", fix="probabilities: F.one_hot(labels, classes).float(), or scores.softmax(1), or give labels")
def target_not_probabilities(graph: LossGraph) -> Matches:
    """A cross-entropy with targets that are negative, or do not add up to 1 in each row, can fall below 0, and has
    another minimum than the probabilities that are looked for, or none."""
    for node, target in graph.saved("x", "weighed"):
        logs = input_node(node, "y")
        logs = input_node(logs, "y") if logs is not None and logs.name() == "weighed" else logs  # by class weights
        if input_node(node, "x") is None and target.shape == node.shape and logs and logs.name() == "log_softmax":
            sums = target.sum(axis=saved_values(logs).get("axis", 1))
            if target.min() < 0 or float(abs(sums - 1).max()) > 0.05:
                here = f"from {digits(target.min(), 3)}, and rows add up to {digits(sums.max(), 3)}"
                yield node, f"the targets of cross_entropy are probabilities, from 0, of sum 1, but here they go {here}"


@graph_check("warning", fix="standardise the targets, (y - y.mean()) / y.std(), and undo that in the predictions")
def target_not_normalised(graph: LossGraph) -> Matches:
    """A network begins with outputs of about 1. To reach targets of thousands, in another unit than it was made for, a
    rate that suits it takes thousands of steps, in which the loss hardly moves."""
    pairs = [(node, x, saved_values(node).get("target")) for node, x in graph.saved("x", "mse", "l1", "huber")]
    for node in graph.nodes_of("subtract"):  # (prediction - target) ** 2, written by hand
        values = [getattr(part, "out", None) for part in (node, *node.inputs)]
        if len(values) == 3 and values[0] is not None and (values[1] is None) is not (values[2] is None):
            known = values[1] if values[2] is None else values[2]
            pairs.append((node, known, known - values[0]))
    for node, x, target in pairs:
        size = 0.0 if target is None or not target.size else rms(target)
        if size > LARGE_TARGET and size > LARGE_TARGET * rms(x):
            yield node, f"targets have a root mean square of {digits(size, 3)}, predictions of {digits(rms(x), 3)}"


@graph_check("warning", fix="softmax(dim=1), or dim=-1: over the classes of a sample, which is what the losses expect")
def softmax_over_batch(graph: LossGraph) -> Matches:
    """A softmax over dim 0 shares 1 out among the samples of a batch: what a sample gets depends on which others are
    with it."""
    for node in graph.nodes_of("softmax", "log_softmax"):
        source, axis = skip_views(input_node(node, "x")), saved_values(node).get("axis")
        of_layer = source is not None and source.name() == "linear" and len(source.shape) == 2 == len(node.shape)
        to_product = any(_leads_to_product(graph, user) for user in graph.users[node])
        if axis in (0, -2) and of_layer and min(node.shape) > 1 and not to_product:
            yield node, f"{node.op.name} of shape {node.shape} runs over dim 0, the {node.shape[0]} samples"


@graph_check("warning", fix="x.transpose(1, 2) or x.permute(...); reshape only cuts the row of numbers anew")
def reshape_for_transpose(graph: LossGraph) -> Matches:
    """reshape keeps the numbers in their order. From (n, time, features) to (n, features, time) it mixes times and
    features; transpose is what swaps them."""
    for node in graph.nodes_of("reshape"):
        parent = node.inputs[0]
        before, after = ([n for n in shape if n > 1] for shape in (parent.shape if parent else (), node.shape))
        if before != after and sorted(before) == sorted(after):
            yield node, f"reshape to {node.shape} gives the dims another order, but leaves the numbers in theirs"


@graph_check("error", fix="leave it out; to train through it pass the gradient by: x + (x.round() - x).detach()")
def rounding_in_path(graph: LossGraph) -> Matches:
    """Rounding is flat: its derivative is 0. No gradient passes it, and what stands before it learns nothing."""
    for node in graph.nodes_of("rint", "floor", "ceil", "trunc", "sign", "floor_divide"):
        parent = next((parent for parent in node.inputs if parent is not None), None)
        if parent is not None and graph.users[parent] == [node]:
            yield node, f"{node.op.name} passes no gradient, and all that {parent.name()} gives goes through it"


@graph_check("error", fix="a causal mask: is_causal=True, or mask=lucid.ones(n, n).triu(1) > 0; no bidirectional layer")
def sees_the_future(graph: LossGraph) -> Matches:
    """A model that is to say the next word, and can look at it, learns to copy: its loss falls to nothing, and it can
    say nothing where the next word is not there yet."""
    words = [] if graph.released else list(graph.nodes_of("getitem"))
    for node, x in graph.saved("x", *CROSS_ENTROPY):
        labels, start = to_numpy(saved_values(node)["labels"]), input_node(node, "x")
        for word in words if start is not None else ():
            index = saved_values(word)["index"]
            ids = to_numpy(index[0]) if isinstance(index, tuple) and len(index) == 1 and is_array(index[0]) else labels
            n = ids.shape[1] if ids.ndim == 2 else 0
            if n < 2 or ids.size != labels.size or (labels.reshape(ids.shape)[:, :-1] != ids[:, 1:]).any():
                continue  # these labels are not the words that come next
            g = namespace(x).zeros_like(x)
            g.reshape(*ids.shape, -1)[:, 0] = 1  # the first place of each sequence
            seen = graph.backward(start, g, {word}).get(word)
            if seen is not None and bool((seen[:, 1:] != 0).any()):
                yield word, "what the model says at the first place depends on the words after it, which are its labels"


@graph_check("warning", fix="look at the data where they are made: wrongly read, multiplied by 0, an empty batch")
def zero_input(graph: LossGraph) -> Matches:
    """From data that are 0 throughout only biases can be learned."""
    saved = graph.saved("x", "linear", "conv", "rnn", "lstm", "gru")
    data = [(node, x) for node, x in saved if input_node(node, "x") is None and x.size > 1 and x.dtype.kind == "f"]
    if data and not any(x.any() for _, x in data):  # a first hidden state of 0 is none of the data
        yield data[0][0], f"all {data[0][1].size:,} numbers that {data[0][0].op.name} is given are 0"


@graph_check("warning", fix="look for a factor 0, dead relus or a mask that hides all: lucid.see.steps(loss)")
def zero_gradients(graph: LossGraph) -> Matches:
    """Where every gradient is exactly 0 nothing moves, whatever the learning rate."""
    gradients = [] if graph.released else [g for leaf, g in graph.gradients.items() if leaf in graph.parameter_names]
    if gradients and not any(bool((g != 0).any()) for g in gradients):
        yield graph.loss, f"the gradients of all {len(gradients)} parameters are exactly 0"


@graph_check("warning", fix="a weight_decay that is a hundred times smaller; 0 to 0.01 is usual")
def weight_decay_too_large(graph: LossGraph) -> Matches:
    """A decay that outweighs the gradients of the loss pulls all weights to 0, and the network learns nothing."""
    weights = {id(p): (name, rms(p._array), rms(g), user) for name, p, g, user in graph.weights()}
    for optimizer in graph.run.optimizers:
        for group in optimizer.param_groups:
            decay, decoupled = group.get("weight_decay", 0.0), type(optimizer).__name__ in DECOUPLED
            known = [weights[id(p)] for p in group["params"] if decay and id(p) in weights]
            if known and all(decay * size > (1.0 if decoupled else LARGE_DECAY * g) > 0 for _, size, g, _ in known):
                name, size, g, user = known[0]
                by = "a step of about 1" if decoupled else f"its gradient, {digits(g, 3)}"
                yield user, f"weight_decay={digits(decay)} pulls {name} by {digits(decay * size, 3)}, beside {by}"


@graph_check("error", fix="run this step in `with lucid.autograd.detect_anomaly():`, which stops where it was made")
def loss_not_finite(graph: LossGraph) -> Matches:
    """From a loss that is NaN or infinite every gradient is NaN, and after one step every weight."""
    array = graph.loss._array
    if not bool(namespace(array).isfinite(array).all()):
        what = f"is {graph.loss.tolist()}" if array.size == 1 else "has NaN or infinite elements"
        yield graph.loss, f"the loss {what}"


@graph_check("error", fix="detach what is carried over: state = state.detach(), total += loss.item()")
def graph_of_an_earlier_step(graph: LossGraph) -> Matches:
    """A hidden state, or a sum of losses, that is carried from step to step takes the whole history along. The backward
    pass would run through what an earlier one has run through and released."""
    nodes = graph.nodes
    released = {node for node in nodes if node.saved is None and not hasattr(node, "recompute")}
    if users := [node for node in nodes if node not in released and not released.isdisjoint(node.inputs)]:
        some = f"{len(released)} of the {len(nodes)} operations of this loss's graph"
        yield users[0], f"backward() has already run through {some}, in an earlier step"


@graph_check("error", fix="initialise weights at random, as nn's layers do, or with nn.init.xavier_uniform_(weight)")
def equal_weights(graph: LossGraph) -> Matches:
    """Units that begin with equal weights, zeros or ones, get equal gradients, and stay equal for ever: a layer of a
    hundred is worth one."""
    for name, p, g, user in graph.weights():
        rows, gradients = (to_numpy(array).reshape(p.shape[0], -1) for array in (p._array, g))
        if len(rows) < 2 or rows.shape[1] < 1 or (rows != rows[:1]).any():
            continue
        if float(abs(gradients - gradients[:1]).max()) <= 1e-5 * float(abs(gradients).max()):
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
        silent = int((to_numpy(out).max(axis=tuple({*range(out.ndim)} - {axis})) <= 0).sum())
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
            one, other = (graph.parameter_names.get(leaf, "a weight") for leaf in (first, second))
            layers = f"{one} ({inputs} to {middle}) and {other} ({middle} to {outputs})"
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
    if wild := [name for name, _, g, _ in weights if not bool(namespace(g).isfinite(g).all())]:
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


@run_check("warning", fix="subtract 1 from the labels, and give the last layer one output less")
def labels_off_by_one(run: TrainingRun) -> Matches:
    """Classes are numbered from 0. With labels from 1 to n the network needs an output more than there are classes, the
    first of which is never right."""
    for classes, counts in run.label_counts.items():
        total = sum(counts.values())
        if classes > 2 and total >= 8 * classes and not counts[0] and all(counts[c] for c in range(1, classes)):
            seen = f"of {classes} classes each but 0 is among the {total} labels seen"
            message = f"{seen}: they run from 1 to {classes - 1}, but classes are numbered from 0"
            yield run.label_lines.get(classes), message


@run_check("warning", fix="DataLoader(..., shuffle=True), or take a random permutation of the samples first")
def labels_sorted(run: TrainingRun) -> Matches:
    """Where one class comes after the other, each step unlearns the class before, and the last one wins."""
    single = [labels for labels in run.label_sets if len(labels) == 1]
    if len(run.label_sets) >= 5 and 2 * len(single) >= len(run.label_sets) and len(set.union(*single)) > 1:
        message = f"{len(single)} of {len(run.label_sets)} batches hold a single class each, and not the same one"
        yield next(iter(run.label_lines.values()), None), message


@run_check("warning", fix="make one for each place: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))")
def module_in_two_places(run: TrainingRun) -> Matches:
    """A module that stands in a Sequential twice is one module with one set of weights, not two layers."""
    for name, module in run.modules.values():
        inner = list(module) if isinstance(module, Sequential) else []
        for each in dict.fromkeys(inner):
            if (times := sum(each is other for other in inner)) > 1 and list(each.parameters()):
                yield run.root_call_line, f"{name} holds the same {type(each).__name__} in {times} places: one layer"


@run_check("error", fix="compute it from the model's output by tensor operations alone, outside of no_grad()")
def loss_without_graph(run: TrainingRun) -> Matches:
    """From a loss without a graph nothing can be learned; its backward() raises."""
    if not run.loss_without_graph:
        return
    if call := run.unrecorded_before_loss:
        name = run.module_name(call.module)
        message = f"the loss has no graph: {name} ran inside no_grad() (or inference_mode), which records nothing"
        yield call, message, NO_GRAD_FIX
    else:
        cuts = "or cut off by detach(), .data, .item() or .numpy(), or computed under no_grad()"
        yield None, f"the loss has no graph: it was computed from nothing that requires a gradient, {cuts}"


@run_check("error", fix="make the optimizer after the model is complete, from model.parameters() of the trained model")
def optimizer_of_another_model(run: TrainingRun) -> Matches:
    """An optimizer updates the parameters that it was given. Those of another model, or of a layer that has been
    replaced since, get no gradient: the loss stays where it is, and no error says so."""
    known = {*run.parameter_names, *run.reached}
    for optimizer in run.optimizers if run.losses else ():
        held = list(parameters_of(optimizer))
        if strange := [p for p in held if id(p) not in known]:
            some = f"{len(strange)} of the {len(held)} parameters that {type(optimizer).__name__} holds"
            yield run.step_line, f"{some} are neither part of the model nor of the loss"


@run_check("error", fix="give the optimizer all of model.parameters(), later ones with add_param_group(...); "
           "freeze with requires_grad_(False) what is to stay as it is")  # fmt: skip
def parameter_without_optimizer(run: TrainingRun) -> Matches:
    """A parameter that no optimizer holds gets gradients and keeps its initial value: a random layer in the middle."""
    held, reached = run.optimized.keys(), run.reached.keys()
    lost = {name: p for name, p in run.parameters.items() if p.requires_grad and id(p) in reached - held}
    if lost and reached & held:
        line = run.used_at.get(id(next(iter(lost.values()))))
        yield line, f"the loss depends on {first_few(list(lost))}, which no optimizer holds"


def _unreached(run: TrainingRun, cause: str) -> str:
    """The parameters that no loss depends on though it should, as text: for "unused", "detached" or "unrecorded"."""
    held, reached = run.optimized if run.optimizers else run.parameter_names, run.reached
    trained = {name: p for name, p in run.parameters.items() if id(p) in reached or p.requires_grad}
    missed = [name for name, p in trained.items() if run.losses and id(p) not in reached and id(p) in held]
    # Without observing which modules ran: where all parameters before some layer are missed, it was detached there.
    all_before = list(trained)[: len(missed)] == missed and len(missed) < len(trained)

    def cause_of(p: Tensor) -> str:
        if not run.observed:
            return "detached" if all_before else "unused"
        owners = [key for key, (_, module) in run.modules.items() if any(t is p for _, t, _ in own_entries(module))]
        unrecorded, recorded = run.call_counts.get(owners[-1] if owners else 0, (0, 0))
        if recorded and run.detached:
            return "detached"
        return "unrecorded" if unrecorded and not recorded else "unused"

    return first_few([name for name in missed if cause_of(trained[name]) == cause])


@run_check("warning", fix="use it in forward, on the way to the loss, or take it out of the model")
def parameter_not_in_loss(run: TrainingRun) -> Matches:
    """A parameter that the loss does not depend on gets no gradient: a layer that forward forgot to call."""
    if names := _unreached(run, "unused"):
        yield run.root_call_line, f"the optimizer holds {names}, on which the loss does not depend"


@run_check("error", fix="leave out detach(), .data, .numpy() or lucid.tensor(...) between these layers and the loss")
def cut_graph(run: TrainingRun) -> Matches:
    """After .detach(), .data, .numpy() or .tolist() a tensor is plain data, without a graph. No gradient gets to what
    was computed before: those layers keep their initial values."""
    if names := _unreached(run, "detached"):
        first_use = (run.used_at[id(p)] for p in run.parameters.values() if id(p) in run.reached)
        line, module = run.detached or (next(first_use, None), "")
        output = f"the output of {module}" if module else "their output"
        yield line, f"no gradient reaches {names}: {output} was used without its graph, as plain data"


@run_check("error", fix=NO_GRAD_FIX)
def unrecorded_forward(run: TrainingRun) -> Matches:
    """Inside no_grad nothing is recorded, and what was computed there is plain data for what comes after."""
    if names := _unreached(run, "unrecorded"):
        yield run.unrecorded_line, f"no gradient reaches {names}: they ran only inside no_grad(), unrecorded"


@run_check("error", fix="keep it in an attribute of the module, or in a list, tuple or dict in one")
def hidden_module(run: TrainingRun) -> Matches:
    """Modules are found in attributes, lists, tuples and dicts. One in a set, in another object or in a lambda is not:
    parameters() leaves it out, and so do state_dict, to and train."""
    for path, module in _hidden(run):
        if lost := [p for p in getattr(module, "parameters", tuple)() if id(p) in run.reached]:
            hidden = f"{path} holds a {type(module).__name__} where modules are not searched for"
            missed = plural(len(lost), "parameter")
            yield run.used_at.get(id(lost[0])), f"{hidden}: parameters() misses its {missed}"


@run_check("error", fix="make it an nn.Parameter(...), in an attribute, list or dict of the module")
def tensor_not_parameter(run: TrainingRun) -> Matches:
    """A plain tensor that requires a gradient gets one, but only a Parameter is part of parameters()."""
    for path, t in _hidden(run):
        if isinstance(t, Tensor) and id(t) in run.reached and id(t) not in run.optimized:
            tensor = f"{path} is a tensor of shape {t.shape} that requires a gradient, but no Parameter"
            yield run.used_at.get(id(t)), f"{tensor}: parameters() does not return it"


def _hidden(run: TrainingRun) -> Iterator[tuple[str, Any]]:
    """(path, object) of the modules, and the leaves that require a gradient, that a walk of the model misses."""
    seen = {*run.modules, *run.parameter_names}
    for name, module in list(run.modules.values()):
        for attribute, value in vars(module).items():
            if attribute != "_hooks":
                yield from _search(value, f"{name}.{attribute}", seen)


def _search(value: Any, path: str, seen: set[int], depth: int = 5) -> Iterator[tuple[str, Any]]:
    if id(value) in seen or depth == 0:
        return
    if isinstance(value, (Module, Tensor)):
        if isinstance(value, Module) or value.requires_grad and value.is_leaf:
            yield path, value
    elif not isinstance(value, (str, bytes, int, float, complex, type, ModuleType, Optimizer, LRScheduler, type(None))):
        seen.add(id(value))
        for suffix, inner in _contents(value):
            yield from _search(inner, path + suffix, seen, depth - 1)


def _contents(value: Any) -> Iterator[tuple[str, Any]]:
    """What a plain Python object holds, each with how the path to it goes on."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
        yield from ((" (a key)", key) for key in value)
    elif isinstance(value, (list, tuple, deque, set, frozenset)):
        form = "{{...}}" if isinstance(value, (set, frozenset)) else "[{}]"
        yield from ((form.format(i), inner) for i, inner in enumerate(islice(value, MOST_ITEMS)))
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # a variable that was not assigned yet
                yield f" (its variable {name})", cell.cell_contents
        yield from ((" (a default)", inner) for inner in value.__defaults__ or ())
        yield from ((f" (the default of {name})", inner) for name, inner in (value.__kwdefaults__ or {}).items())
    elif not is_array(value):
        hidden = {MethodType: ("__self__",), partial: ("func", "args", "keywords")}.get(type(value), ())
        yield from ((f".{name}", getattr(value, name)) for name in hidden)
        yield from ((f".{name}", inner) for name, inner in getattr(value, "__dict__", {}).items())


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
    if 0 < largest < SMALL_STEP and not _clipped_away(run):
        step = f"a step moves no weight by more than {digits(largest, 3)} of its size (root mean squares)"
        yield run.step_line, f"{step}, at lr={_rates(run)}; about 0.001 is usual"


@run_check("warning", fix="give the optimizer an lr; or let the schedule last as long as the training, with "
           "one step() an epoch if it counts epochs")  # fmt: skip
def learning_rate_zero(run: TrainingRun) -> Matches:
    """At a learning rate of 0 nothing moves. A schedule stays at 0 when it has ended there."""
    largest = max((rate for rates in run.rates for rate in rates), default=0.0)
    if run.rates and not any(map(any, run.rates[-2:])):
        groups = len(run.rates[-1])
        yield run.step_line, "the learning rate is 0" + f" in all {groups} groups" * (groups > 1)
    elif len(run.rates) > 5 and all(rate < FALLEN * largest for rates in run.rates[-5:] for rate in rates):
        yield run.step_line, f"the learning rate has fallen from {digits(largest, 3)} to {_rates(run)}"


def _clipped_away(run: TrainingRun) -> bool:
    steps = [size for ratios in run.step_ratios for size, _ in ratios.values()]
    return len(run.clipped) > 2 and median(run.clipped) < 1e-3 and max(steps, default=1.0) < 1e-4


@run_check("warning", fix="a larger max_norm, near the usual norm that clip_grad_norm_ returns; 1 is a common choice")
def clipped_away(run: TrainingRun) -> Matches:
    """Clipping is there for the odd gradient that is far too large. A bound far below all of them leaves steps of next
    to nothing."""
    if _clipped_away(run):
        left = f"of the gradients {digits(median(run.clipped), 2)} of their size is left when step() runs"
        yield run.step_line, f"{left}, and no step moves a weight by a ten-thousandth of its own"


# What `watch` notes in `run.events` as (line, detail): (mistake, severity, message of the detail, fix, about)
EVENT_CHECKS = (
    ("zero-grad-forgotten", "error", "step() used gradients that still contain those of the step before: {}",
     "call optimizer.zero_grad() once per step, before backward()",
     "backward() adds to .grad. Without zero_grad() each step uses the sum of all gradients so far, "
     "including those of weights from long ago."),
    ("step-without-backward", "error", "step() was called without new gradients: {}",
     "zero_grad(), forward, backward(), step(), in this order, and no zero_grad() between the last two",
     "The order is zero_grad, forward, backward, step. A step that comes before backward uses no gradients,"
     " or those of the step before."),
    ("backward-twice", "error",
     "backward() ran {} on the same loss between two steps, and its gradients were added up",
     "call backward() once, on the sum of the losses, and leave out retain_graph=True",
     "After two backward passes a loss counts twice; retain_graph=True, which allows it, hides the mistake."),
    ("graphs-kept-alive", "warning", "the graphs of {} earlier steps are still in memory",
     "total += loss.item(), or losses.append(loss.detach())",
     "`total += loss` makes a number with the graph that computed it, and so every step of the epoch stays "
     "in memory; a list of losses does the same."),
    ("train-mode", "warning", "{} ran inside no_grad() in training mode, and its Dropout dropped units",
     "call model.eval() before validation, and model.train() after it",
     "Validation in training mode drops units at random, and looks worse than the model is."),
)  # fmt: skip


def _find_event(name: str, message: str, run: TrainingRun) -> Matches:
    if name in run.events:
        line, detail = run.events[name]
        yield line, message.format(detail)


for _name, _severity, _message, _fix, _about in EVENT_CHECKS:
    RUN_CHECKS[_name] = Check(_name, _severity, _fix, _about, partial(_find_event, _name, _message))


@run_check("error", fix="call model.train() before training goes on; validation calls eval() first and train() after")
def eval_mode(run: TrainingRun) -> Matches:
    """In eval mode Dropout drops nothing and BatchNorm uses its running averages. After a validation that called eval()
    training goes on without either, until train() is called."""
    modules = [m for m in run.modules.values() if not run.modes.get(id(m[1]), m[1].training) and _has_modes(m[1])]
    if asleep := {name: type(module).__name__ for name, module in modules if _is_trained(run, name)}:
        types, are = ", ".join(sorted(set(asleep.values()))), "is" if len(asleep) == 1 else "are"
        yield run.root_call_line, f"module {first_few(list(asleep))} ({types}) {are} in eval mode during backward()"


def _has_modes(module: Module) -> bool:
    """Whether it does something else in training."""
    if isinstance(module, Dropout | MultiheadAttention):
        return (module.p if isinstance(module, Dropout) else module.dropout) > 0
    return isinstance(module, BatchNorm1d | BatchNorm2d)


def has_dropout(module: Module) -> bool:
    """Whether there is an active Dropout anywhere in it."""
    return any(isinstance(inner, Dropout) and inner.p > 0 for inner in module.modules())


def _is_trained(run: TrainingRun, name: str) -> bool:
    """Whether the innermost module around it (or itself) that has parameters has some that are trained."""
    modules = dict(run.modules.values())
    while name:
        if name in modules and (parameters := list(modules[name].parameters())):
            return any(p.requires_grad and id(p) in run.reached for p in parameters)
        name = name.rpartition(".")[0]
    return any(id(p) in run.reached for p in run.parameters.values())
