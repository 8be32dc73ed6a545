"""What the doctor examines: a `TrainingRun`, what was observed of a training, and the `LossGraph`, the graph of a loss.

A check reads one and changes nothing: a LossGraph computes gradients without hooks, touching no `.grad`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, NamedTuple

from lucid.autograd.provenance import provenance
from lucid.core.array import cpu, is_array, namespace, storage_of, to_numpy
from lucid.core.backward import reachable, run_backward
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see.names import saved_values

# Operations that return the same numbers in another shape, order or memory.
VIEWS = {"reshape", "swapaxes", "transpose", "getitem", "positive", "astype", "transfer", "flip", "roll", "diagonal"}
CROSS_ENTROPY = ("cross_entropy", "cross_entropy_ignore_index")  # the second is what a GPU takes


class ModuleCall(NamedTuple):
    """One call of a module."""

    provenance: Any  # the calling line, as a node holds it
    module: Module
    recorded: bool
    outputs: list[Tensor]


@dataclass
class TrainingRun:
    """Some steps of a training: everything that was observed of them."""

    models: list[Module]
    optimizers: list[Optimizer]
    observed: bool  # whether modules were observed while they ran; if not, what comes up to `first_uses` is empty
    calls: list[ModuleCall] = field(default_factory=list)  # since the last backward pass
    call_counts: dict[int, list[int]] = field(default_factory=dict)  # id of a module -> [unrecorded, recorded] calls
    modes: dict[int, bool] = field(default_factory=dict)  # id of a module -> its mode when it last ran recorded
    root_call_line: str | None = None  # of the first recorded call of a model
    unrecorded_line: str | None = None  # of the first call of a module that was not recorded
    first_uses: dict[int, Any] = field(default_factory=dict)  # id of an output's memory -> line of its first reader

    losses: int = 0  # how many were examined, and of how many operations
    operations: int = 0
    loss_without_graph: bool = False  # whether there was one
    unrecorded_before_loss: ModuleCall | None = None  # the last unrecorded call of a module before it
    reached: dict[int, Tensor] = field(default_factory=dict)  # id -> leaf that some loss was computed from
    used_at: dict[int, str | None] = field(default_factory=dict)  # its id -> the line that used it first
    label_counts: dict[int, Counter[int]] = field(default_factory=dict)  # number of classes -> label -> how often
    label_sets: list[set[int]] = field(default_factory=list)  # of each loss with eight labels or more
    label_lines: dict[int, str | None] = field(default_factory=dict)
    detached: tuple[str | None, str] | None = None  # the line that read an output as plain data, and whose it was

    rates: list[list[float]] = field(default_factory=list)  # of all groups, at each step
    # at each step: name of a weight -> (the size of its step relative to its own, number of the step)
    step_ratios: list[dict[str, tuple[float, int]]] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)  # at each step: the gradients' size by that after backward()
    step_line: str | None = None  # of the first step
    events: dict[str, tuple[str | None, Any]] = field(default_factory=dict)  # mistake -> line and detail
    module_paths: dict[int, dict[int, str]] = field(default_factory=dict)  # a cache for `origin`

    @cached_property
    def modules(self) -> dict[int, tuple[str, Module]]:
        """id -> (dotted name, module), of all models."""
        modules: dict[int, tuple[str, Module]] = {}
        for model, prefix in self._prefixes():
            for name, module in model.named_modules(prefix=prefix):
                modules.setdefault(id(module), (name or type(model).__name__, module))
        return modules

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Name -> parameter; with several models the name begins with its model's."""
        return {name: p for model, prefix in self._prefixes() for name, p in model.named_parameters(prefix=prefix)}

    def _prefixes(self) -> Iterator[tuple[Module, str]]:
        several = len(self.models) > 1
        return ((model, f"{type(model).__name__}{i}" * several) for i, model in enumerate(dict.fromkeys(self.models)))

    @property
    def parameter_names(self) -> dict[int, str]:
        """id -> name of each parameter."""
        return {id(p): name for name, p in self.parameters.items()}

    @property
    def optimized(self) -> dict[int, Tensor]:
        """id -> parameter, of all that an optimizer holds."""
        return {id(p): p for optimizer in self.optimizers for p in parameters_of(optimizer)}

    def module_name(self, module: Module) -> str:
        """The dotted name of a module, or its class."""
        return self.modules.get(id(module), (type(module).__name__, module))[0]

    def line_of(self, source: Any) -> str | None:
        """The line that a node, a Tensor, a ModuleCall or a record of `here()` came from, if it was recorded."""
        record = SimpleNamespace(provenance=source) if type(source) is tuple else source
        made_at = provenance(record, self.module_paths)
        return None if made_at is None else str(made_at)

    def forget_calls(self) -> None:
        """Drop what modules have computed."""
        self.calls.clear()
        self.first_uses.clear()

    def add_loss_without_graph(self) -> None:
        """Note that a loss has no graph, and the module call before it that was not recorded."""
        self.loss_without_graph = True
        self.unrecorded_before_loss = next((call for call in reversed(self.calls) if not call.recorded), None)

    def add_loss(self, graph: LossGraph) -> None:
        """Take from a graph what checks of the whole run need; nothing that keeps the graph alive."""
        self.losses += 1
        self.operations += len(graph.nodes)
        for leaf in graph.leaves:
            if (t := leaf.tensor()) is not None and id(t) not in self.reached:
                self.reached[id(t)] = t
                self.used_at[id(t)] = self.line_of(next(iter(graph.users[leaf]), None))
        tables = (node.inputs[0] for node in graph.nodes_of("getitem"))  # of words, the first of which may be none
        entries = {table.shape[0] for table in tables if table is not None and table.shape}
        for node, x in graph.saved("x", *CROSS_ENTROPY, "nll"):
            if (labels := saved_values(node).get("labels")) is not None and x.shape[1] not in entries:
                self.label_counts.setdefault(x.shape[1], Counter()).update(to_numpy(labels).ravel().tolist())
                self.label_lines.setdefault(x.shape[1], self.line_of(node))
                if labels.size >= 8:
                    self.label_sets.append(set(to_numpy(labels).ravel().tolist()))
        self.detached = self.detached or graph.find_detached()


class LossGraph:
    """The graph of one loss, which is part of a run."""

    def __init__(self, loss: Tensor, run: TrainingRun) -> None:
        self.loss, self.run, self.line_of = loss, run, run.line_of
        self.loss_node: Any = loss._node
        self.nodes = reachable([loss._node])[::-1]  # its operations, oldest first
        self.users: dict[Any, list[Node]] = defaultdict(list)  # node -> the nodes that used it, oldest first
        for node in self.nodes:
            for parent in filter(None, node.inputs):
                self.users[parent].append(node)
        self.leaves: list[Leaf] = [node for node in (loss._node, *self.users) if type(node) is Leaf]

    def nodes_of(self, *names: str) -> Iterator[Node]:
        """The nodes of these operations, oldest first."""
        return (node for node in self.nodes if node.op.name in names)

    def saved(self, name: str, *operations: str) -> Iterator[tuple[Node, Any]]:
        """(node, array) of the nodes of these operations, oldest first, that saved a value of this name."""
        values = ((node, saved_values(node).get(name)) for node in self.nodes_of(*operations))
        return ((node, value) for node, value in values if value is not None and value.size)

    @cached_property
    def parameter_names(self) -> dict[Any, str]:
        """Leaf -> the parameter's name."""
        return {p._node: name for name, p in self.run.parameters.items() if p._node is not None}

    @cached_property
    def released(self) -> bool:
        """Whether a backward pass has run through some of it, or would have to compute some of it anew."""
        return any(node.saved is None or hasattr(node, "recompute") for node in self.nodes)

    @cached_property
    def gradients(self) -> dict[Any, Any]:
        """Leaf -> its gradient as an array: of this loss, or where the graph was released, what `.grad` holds."""
        if self.released:
            tensors = {leaf: leaf.tensor() for leaf in self.leaves}
            return {leaf: t.grad._array for leaf, t in tensors.items() if t is not None and t.grad is not None}
        return self.backward(self.loss_node, namespace(self.loss._array).ones_like(self.loss._array))

    def backward(self, start: Any, g: Any, targets: set[Node] | None = None) -> dict[Any, Any]:
        """Node -> gradient, of the leaves or of `targets`, from gradient `g` of the node `start` on; without hooks."""
        hooked = [(node, node.hooks, node.retain_hooks) for node in [*self.nodes, *self.leaves]]
        for node, _, _ in hooked:
            node.hooks = node.retain_hooks = None
        try:
            with namespace(g).quiet():
                return dict(run_backward([(start, g)], False, targets, free_saved=False))
        finally:
            for node, hooks, retained in hooked:
                node.hooks, node.retain_hooks = hooks, retained

    def weights(self) -> list[tuple[str, Tensor, Any, Node]]:
        """(name, parameter, gradient, first use) of each weight matrix of the loss, in the order of first use."""
        found = [(leaf, leaf.tensor(), g) for leaf, g in self.gradients.items() if leaf in self.parameter_names]
        used = [(leaf, t, g) for leaf, t, g in found if t is not None and t.ndim >= 2 and self.users[leaf]]
        weights = [(self.parameter_names[leaf], t, g, self.users[leaf][0]) for leaf, t, g in used]
        return sorted(weights, key=lambda weight: weight[3].sequence)

    def find_detached(self) -> tuple[str | None, str] | None:
        """The first line that read, as plain data, what an observed module had computed with a graph."""
        mine = set(self.nodes)
        name_of = self.run.module_name
        outputs: list[tuple[Any, str]] = [(t, name_of(c.module)) for c in self.run.calls for t in c.outputs]
        computed = [(t, name) for t, name in outputs if type(t._node) is Node and t._node not in mine]
        for node in self.nodes if computed else ():
            inputs = getattr(node.op, "input_index", {})
            for key, value in saved_values(node).items():
                if not is_array(value) or value.dtype.kind != "f" or key not in inputs:
                    continue
                for t, name in computed if node.inputs[inputs[key]] is None else ():
                    if value.shape == t.shape and value.size > 1 and bool((value == t._array).all()):
                        return self.line_of(node), name
        for t, name in sorted(computed, key=lambda pair: -pair[0]._node.sequence):  # the latest stands before the cut
            if (reader := self.run.first_uses.get(id(storage_of(t._array)))) is not None:
                return self.line_of(reader), name
        return None


def input_node(node: Node, name: str) -> Node | None:
    """The node that an input came from, or None."""
    edges = getattr(node.op, "input_index", {})
    return node.inputs[edges[name]] if name in edges else None


def skip_views(node: Node | None) -> Node | None:
    """The operation that computed the numbers that `node` returns; a leaf, or None, as it is."""
    while type(node) is Node and node.op.name in VIEWS:
        node = next((parent for parent in node.inputs if parent is not None), None)
    return node


def parameters_of(optimizer: Optimizer) -> Iterator[Tensor]:
    """All parameters that an optimizer holds."""
    return (p for group in optimizer.param_groups for p in group["params"])


def rms(array: Any) -> float:
    """The root of the mean square, in double."""
    x = to_numpy(array).astype("float64")
    with cpu.quiet():
        return float((x * x).mean() ** 0.5) if x.size else 0.0
