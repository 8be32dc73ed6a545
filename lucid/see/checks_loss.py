"""Checks of the end of the graph: what the loss is given, and whether it is the loss that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lucid.core.array import cpu, namespace, to_numpy
from lucid.core.node import Node
from lucid.see.checks import Found, of_a_loss, of_a_run
from lucid.see.findings import rounded
from lucid.see.view import Case, Run, behind, given, saved

CROSS_ENTROPY = ("cross_entropy", "cross_entropy_ignore_index")  # the second is what a GPU takes
LOGITS = (*CROSS_ENTROPY, "log_softmax", "bce_with_logits")
PAIRWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "where"}
ONE_BY_ONE = PAIRWISE | {"square", "abs", "power_number", "negative", "exp", "log", "sqrt", "tanh", "clip", "log1p"}


@of_a_loss("softmax-twice", "error")
def softmax_twice(case: Case) -> Iterator[Found]:
    """cross_entropy takes the softmax itself. Given probabilities, all between 0 and 1, it takes the softmax of those:
    nearly flat, whatever the network says. Gradients are small, and the loss cannot fall below a floor, 1.46 for ten
    classes."""
    for node in case.of(*CROSS_ENTROPY, "log_softmax"):
        source = behind(given(node, "x"))
        if source is not None and source.name() == "softmax":
            yield Found(
                f"{node.op.name} takes logits and applies a softmax itself, but was given the output of a softmax",
                "leave out the softmax before the loss; apply it only where you read off probabilities",
                case.run.where(source) or case.run.where(node),
            )


@of_a_loss("sigmoid-twice", "error")
def sigmoid_twice(case: Case) -> Iterator[Found]:
    """binary_cross_entropy_with_logits takes the sigmoid itself. Of a sigmoid's output, 0 to 1, that makes 0.5 to 0.73:
    the network can never say no."""
    for node in case.of("bce_with_logits"):
        source = behind(given(node, "x"))
        if source is not None and source.name() == "sigmoid":
            yield Found(
                "binary_cross_entropy_with_logits takes logits and applies a sigmoid itself, but was given the output "
                "of a sigmoid",
                "leave out the sigmoid before the loss, or take binary_cross_entropy, which is for probabilities",
                case.run.where(source) or case.run.where(node),
            )


@of_a_loss("relu-before-loss", "warning")
def relu_before_loss(case: Case) -> Iterator[Found]:
    """Logits are numbers of either sign. Behind a relu none is negative, and where all are 0 nothing is learned."""
    for node in case.of(*LOGITS):
        source = behind(given(node, "x"))
        if source is not None and source.name() == "relu":
            yield Found(
                f"{node.op.name} was given the output of a relu, in which no logit can be negative",
                "leave out the activation behind the last layer",
                case.run.where(source) or case.run.where(node),
            )


@of_a_loss("nll-without-log", "error")
def nll_without_log(case: Case) -> Iterator[Found]:
    """nll_loss only picks an element of each row: of log-probabilities. Given logits or probabilities it rewards making
    the right one large, without end."""
    for node in case.of("nll"):
        x = saved(node, "x")
        total = 1.0 if x is None or not x.size else _mean_sum_of_exp(x)
        if abs(total - 1) > 0.05:
            yield Found(
                "nll_loss takes log-probabilities, whose exp adds up to 1 in each row, but here it adds up to "
                f"{rounded(total)}",
                "give it log_softmax(logits, dim=1), or give the logits to cross_entropy",
                case.run.where(node),
            )


def _mean_sum_of_exp(x: Any) -> float:
    with cpu.quiet():
        return float(cpu.exp(to_numpy(x).astype("float64")).sum(axis=1).mean())


@of_a_loss("broadcast-loss", "error")
def broadcast_loss(case: Case) -> Iterator[Found]:
    """Predictions (n, 1) and targets (n,) do not meet one by one: they broadcast to (n, n), every prediction with every
    target. The mean over that is smallest where every prediction is the mean of all targets."""
    for node in case.nodes:
        shape = node.shape
        if node.op.name not in PAIRWISE or not isinstance(shape, tuple) or len(shape) != 2:
            continue
        n, shapes = shape[0], [parent.shape for parent in node.inputs if parent is not None]
        if n < 2 or shape != (n, n) or any(each not in ((n, 1), (n,)) for each in shapes):
            continue
        if (len(shapes) == 1 or shapes[0] != shapes[1]) and _reduced_alone(case, node):
            other = (n,) if shapes[0] == (n, 1) else (n, 1)
            yield Found(
                f"{node.op.name} of shapes {shapes[0]} and {other} broadcasts to {shape}: each of the {n} predictions "
                "meets every target",
                "bring both to one shape, prediction.squeeze(1) or target.unsqueeze(1); mse_loss and its kin refuse "
                "differing shapes",
                case.run.where(node),
            )


def _reduced_alone(case: Case, node: Node) -> bool:
    """Whether nothing happens to a node's result but steps element by element, and then a sum or mean over all."""
    while True:
        users = list(dict.fromkeys(case.users[node]))
        if len(users) != 1:
            return False
        node = users[0]
        if node.op.name in ("sum", "mean"):
            return node.shape == ()
        if node.op.name not in ONE_BY_ONE:
            return False


@of_a_loss("target-out-of-range", "error")
def target_out_of_range(case: Case) -> Iterator[Found]:
    """A binary cross-entropy with targets outside of 0 to 1, -1 and 1 say, has no least value: it falls for ever."""
    for node in case.of("bce", "bce_with_logits"):
        target = saved(node, "target")
        if target is not None and target.size and (target.min() < 0 or target.max() > 1):
            yield Found(
                "the targets of a binary cross-entropy are probabilities, 0 to 1, but here they go from "
                f"{rounded(target.min())} to {rounded(target.max())}",
                "turn them into 0 and 1, (y > 0).float() for instance",
                case.run.where(node),
            )


@of_a_loss("loss-not-finite", "error")
def loss_not_finite(case: Case) -> Iterator[Found]:
    """From a loss that is NaN or infinite every gradient is NaN, and after one step every weight."""
    array = case.loss._array
    if not bool(namespace(array).isfinite(array).all()):
        yield Found(
            f"the loss is {case.loss.tolist()}" if array.size == 1 else "the loss has NaN or infinite elements",
            "run this step inside `with lucid.autograd.detect_anomaly():`, which stops at the operation that made it",
            case.run.where(case.loss),
        )


@of_a_loss("graph-of-an-earlier-step", "error")
def graph_of_an_earlier_step(case: Case) -> Iterator[Found]:
    """A hidden state, or a sum of losses, that is carried from step to step takes the whole history along. The walk
    back would go through what was walked, and let go of, before."""
    gone = {node for node in case.nodes if node.saved is None and not hasattr(node, "remake")}
    for node in case.nodes:
        if node not in gone and any(parent in gone for parent in node.inputs):
            yield Found(
                f"{len(gone)} of the {len(case.nodes)} operations behind this loss were walked back already, in an "
                "earlier step",
                "cut what is carried over: state = state.detach(), total += loss.item()",
                case.run.where(node),
            )
            return


@of_a_run("labels-off-by-one", "warning")
def labels_off_by_one(run: Run) -> Iterator[Found]:
    """Classes are numbered from 0. With labels from 1 to n the network needs an output more than there are classes, the
    first of which is never right."""
    for classes, seen in run.labels.items():
        total = sum(seen.values())
        if classes > 2 and total >= 8 * classes and not seen[0] and all(seen[c] for c in range(1, classes)):
            yield Found(
                f"of {classes} classes each but 0 is among the {total} labels seen: they run from 1 to {classes - 1}, "
                "and classes are numbered from 0",
                f"subtract 1 from the labels, and let the last layer have {classes - 1} outputs",
                run.labels_at.get(classes),
            )


@of_a_run("loss-without-graph", "error")
def loss_without_graph(run: Run) -> Iterator[Found]:
    """From a loss without a graph nothing can be learned; its backward() raises."""
    if (call := run.noted.get("loss-without-graph")) is None:
        return
    if call:  # of a module that ran unrecorded
        name = run.modules.get(id(call.module), (type(call.module).__name__, None))[0]
        yield Found(
            f"the loss has no graph: {name} ran inside no_grad() (or inference_mode), which records nothing",
            "take the forward of training out of the no_grad block",
            run.where(call),
        )
    else:
        yield Found(
            "the loss has no graph: it was computed from nothing that requires a gradient, or cut off by detach(), "
            ".data, .item() or .numpy(), or under no_grad()",
            "compute it from the model's output by operations on tensors alone, outside of no_grad()",
            None,
        )
