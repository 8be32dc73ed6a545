"""What the doctor looks at: the model, its optimizers, what was run, and the graph of a loss. All of it read-only.

`Run` is everything there is to know about some steps of a training, or about one loss; `Case` is the graph of one loss,
while it is there. A check asks questions of one of them, and changes nothing: the gradients of a Case are computed
beside the training, without hooks, and no `.grad` is touched.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from lucid.autograd.provenance import provenance
from lucid.core.array import cpu, is_array, namespace, storage_of, to_numpy
from lucid.core.backward import reachable, run_backward
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module, own_entries
from lucid.optim.optimizer import Optimizer

# Operations that hand on the same numbers in another shape, order or memory.
SHAPES = {"reshape", "swapaxes", "transpose", "getitem", "positive", "astype", "transfer", "flip", "roll", "diagonal"}


class Call:
    """One call of a module: in which mode it was, whether it was recorded, what it gave, and from which line."""

    def __init__(self, module: Module, recorded: bool, output: Any, made: Any) -> None:
        self.module, self.recorded, self.training, self.made = module, recorded, module.training, made
        parts = output if isinstance(output, (tuple, list)) else [output]
        self.outputs = [t for t in parts if isinstance(t, Tensor)]


class Run:
    """Some steps of a training.

    Attributes:
        models, optimizers: as given, each a list.
        watched: whether modules were looked at while they ran.
        calls: the calls of modules since the last walk back, where they were watched.
        called: id of a module -> how often it ran unrecorded, and recorded.
        reached: id -> parameter (or other leaf) that some loss was computed from.
        labels: number of classes -> how often each label came.
        losses: how many were looked at.
        noted: what `watch` noted over time, by the name of the check that asks for it.
    """

    def __init__(self, models: list[Module], optimizers: list[Optimizer], watched: bool) -> None:
        self.models, self.optimizers, self.watched = models, optimizers, watched
        self.calls: list[Call] = []
        self.called: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        self.reached: dict[int, Tensor] = {}
        self.users: dict[int, str | None] = {}  # id of what was reached -> the line that used it first
        self.labels: dict[int, Counter[int]] = {}
        self.labels_at: dict[int, str | None] = {}
        self.losses = self.operations = 0
        self.noted: dict[str, Any] = {}
        self.cut: tuple[str | None, str] | None = None  # the line that got mere data, and whose output it was
        self.used: dict[int, Any] = {}  # id of the memory of a module's output -> the line that first computed with it
        self.paths: dict[int, dict[int, str]] = {}

    @cached_property
    def modules(self) -> dict[int, tuple[str, Module]]:
        """id -> (dotted name, module), of all models."""
        found: dict[int, tuple[str, Module]] = {}
        for model in self.models:
            for name, module in model.named_modules(prefix=self._prefix(model)):
                found.setdefault(id(module), (name or type(model).__name__, module))
        return found

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Name -> parameter; with several models the name begins with its model's."""
        found: dict[str, Parameter] = {}
        for model in self.models:
            found |= dict(model.named_parameters(prefix=self._prefix(model)))
        return found

    def _prefix(self, model: Module) -> str:
        if len(self.models) == 1:
            return ""
        return f"{type(model).__name__}{next(i for i, each in enumerate(self.models) if each is model)}"

    @property
    def held(self) -> dict[int, Tensor]:
        """id -> parameter, of all that an optimizer holds."""
        return {id(p): p for each in self.optimizers for group in each.param_groups for p in group["params"]}

    def owner(self, p: Tensor) -> Module | None:
        """The module in which the parameter stands."""
        for _, module in reversed(self.modules.values()):
            if any(entry is p for _, entry, _ in own_entries(module)):
                return module
        return None

    def where(self, node: Any) -> str | None:
        """The line that a node, a call or an event came from, if it was noted."""
        found = provenance(node, self.paths)
        return None if found is None else str(found)

    def forget_calls(self) -> None:
        """Let go of what modules have computed."""
        self.calls.clear()
        self.used.clear()

    def take(self, case: Case) -> None:
        """Remember of a case what is asked about the whole run; nothing that keeps its graph alive."""
        self.losses += 1
        self.operations += len(case.nodes)
        for leaf in case.leaves:
            if (t := leaf.tensor()) is not None and id(t) not in self.reached:
                self.reached[id(t)] = t
                self.users[id(t)] = self.where(case.users[leaf][0]) if case.users[leaf] else None
        for node, x, labels in case.classified():
            seen = self.labels.setdefault(x.shape[1], Counter())
            seen.update(to_numpy(labels).ravel().tolist())
            self.labels_at.setdefault(x.shape[1], self.where(node))
        if self.cut is None:
            self.cut = case.cut()


class Case:
    """The graph of one loss.

    Attributes:
        loss: the Tensor.
        run: what it is part of.
        nodes: its operations, oldest first.
        leaves: where it ends.
        users: node -> the nodes that used it, oldest first.
    """

    def __init__(self, loss: Tensor, run: Run) -> None:
        self.loss, self.run = loss, run
        root = loss._node
        self.nodes = reachable([root])[::-1]
        self.leaves: list[Leaf] = [root] if type(root) is Leaf else []
        self.users: dict[Any, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for parent in node.inputs:
                if parent is not None:
                    self.users[parent].append(node)
                    if type(parent) is Leaf and len(self.users[parent]) == 1:
                        self.leaves.append(parent)

    @property
    def released(self) -> bool:
        """Whether the graph was walked and let go of what it had saved."""
        return any(node.saved is None and not hasattr(node, "remake") for node in self.nodes)

    def of(self, *names: str) -> Iterator[Node]:
        """The nodes of these operations, oldest first."""
        return (node for node in self.nodes if node.op.name in names)

    @cached_property
    def names(self) -> dict[Any, str]:
        """Leaf -> the parameter's name."""
        return {p._node: name for name, p in self.run.parameters.items() if p._node is not None}

    @cached_property
    def gradients(self) -> dict[Any, Any]:
        """Leaf -> its gradient as an array: of this loss, or where the graph is gone, what `.grad` holds."""
        if self.released or any(hasattr(node, "remake") for node in self.nodes):
            tensors = {leaf: leaf.tensor() for leaf in self.leaves}
            return {leaf: t.grad._array for leaf, t in tensors.items() if t is not None and t.grad is not None}
        everyone: list[Node] = [*self.nodes, *self.leaves]
        hooked = [(node, node.hooks, node.retain_hooks) for node in everyone if node.hooks is not None]
        for node, _, _ in hooked:
            node.hooks = node.retain_hooks = None
        xp = namespace(self.loss._array)
        try:
            with xp.quiet():
                return dict(run_backward([(self.loss._node, xp.ones_like(self.loss._array))], xp, release=False))
        finally:
            for node, hooks, retained in hooked:
                node.hooks, node.retain_hooks = hooks, retained

    def weights(self) -> list[tuple[str, Tensor, Any, Node]]:
        """(name, parameter, gradient, first use) of each matrix of weights that the loss depends on, in that order."""
        found = []
        for leaf in sorted(self.gradients, key=lambda leaf: self.users[leaf][0].sequence if self.users[leaf] else 0):
            t = leaf.tensor()
            if t is not None and t.ndim >= 2 and leaf in self.names and self.users[leaf]:
                found.append((self.names[leaf], t, self.gradients[leaf], self.users[leaf][0]))
        return found

    def classified(self) -> Iterator[tuple[Node, Any, Any]]:
        """(node, scores, labels) of each loss over classes."""
        for node in self.of("cross_entropy", "cross_entropy_ignore_index", "nll"):
            x, labels = saved(node, "x"), saved(node, "labels")
            if x is not None and labels is not None:
                yield node, x, labels

    def cut(self) -> tuple[str | None, str] | None:
        """The first line that was given, as mere data, what a watched module had computed with a history."""
        mine = set(self.nodes)
        computed = [
            (t, self.run.modules.get(id(call.module), (type(call.module).__name__, None))[0])
            for call in self.run.calls
            for t in call.outputs
            if type(t._node) is Node and t._node not in mine
        ]
        for node in self.nodes if computed else ():
            for value in _without_history(node):
                for t, name in computed:
                    if value.shape == t.shape and value.size > 1 and bool((value == t._array).all()):
                        return self.run.where(node), name
        for t, name in sorted(computed, key=lambda pair: -pair[0]._node.sequence):  # the last of them stands before the cut
            if (made := self.run.used.get(id(storage_of(t._array)))) is not None:
                return self.run.where(made), name
        return None


def _without_history(node: Node) -> Iterator[Any]:
    """The float arrays among a node's inputs that came as mere data."""
    edges = getattr(node.op, "edges", {})
    for name, value in zip(node.op.saved_names, node.saved or (), strict=False):
        if is_array(value) and value.dtype.kind == "f" and name in edges and node.inputs[edges[name]] is None:
            yield value


def saved(node: Node, name: str) -> Any:
    """What a node keeps under a name, an input or "out"; None where it keeps no such thing, or no longer."""
    if name == "out" and hasattr(node, "out"):
        return node.out
    if node.saved is None or name not in node.op.saved_names:
        return None
    return node.saved[node.op.saved_names.index(name)]


def given(node: Node, name: str) -> Node | None:
    """The node that an input came from, or None."""
    edges = getattr(node.op, "edges", {})
    return node.inputs[edges[name]] if name in edges else None


def behind(node: Node | None, through: Iterable[str] = SHAPES) -> Node | None:
    """The operation that computed what `node` hands on; a leaf, or None, as it is."""
    while type(node) is Node and node.op.name in through:
        node = next((parent for parent in node.inputs if parent is not None), None)
    return node


def rms(array: Any) -> float:
    """The root of the mean square, in double."""
    x = to_numpy(array).astype("float64")
    with cpu.quiet():
        return float((x * x).mean() ** 0.5) if x.size else 0.0


def listed(who: str, what: str, kind: type, value: Any) -> list[Any]:
    """One thing of a kind, or several, as a list."""
    several = [] if value is None else [value] if isinstance(value, kind) else value
    if not isinstance(several, (list, tuple)) or not all(isinstance(each, kind) for each in several):
        found = type(value).__name__
        raise TypeError(f"{who}: expected {what} to be a {kind.__name__} or a list of them, got a {found}")
    return list(several)
