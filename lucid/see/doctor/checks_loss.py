"""Checks of the end of the graph: what the loss is given, and whether it is the loss that was meant."""

from __future__ import annotations

from lucid.core.array import cpu, namespace, to_numpy
from lucid.core.node import Node
from lucid.see.doctor.checks import Matches, graph_check, run_check
from lucid.see.doctor.evidence import LossGraph, TrainingRun, input_node, skip_views
from lucid.see.formulas import saved_values
from lucid.see.text import digits

CROSS_ENTROPY = ("cross_entropy", "cross_entropy_ignore_index")  # the second is what a GPU takes
LOGITS = (*CROSS_ENTROPY, "log_softmax", "bce_with_logits")
PAIRWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "where"}
ELEMENTWISE = PAIRWISE | {"square", "abs", "power_number", "negative", "exp", "log", "sqrt", "tanh", "clip", "log1p"}

NO_GRAD_FIX = "move the forward of training out of the no_grad block"


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
    for node in graph.nodes_of("nll"):
        x = saved_values(node).get("x")
        if x is None or not x.size:
            continue
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
    for node in graph.nodes_of("bce", "bce_with_logits"):
        target = saved_values(node).get("target")
        if target is not None and target.size and (target.min() < 0 or target.max() > 1):
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
