"""Reverse-mode differentiation (backpropagation): how one number's gradient reaches every parameter.

The chain rule, applied from the loss backwards: each node is given the gradient of its output, and its vjps give those
of its inputs. A value that was used more than once receives the sum.

Nodes are visited in reverse topological order, so that a node's gradient is complete when its turn comes. Nodes are
numbered as they are created, and whatever uses a value is newer than what computed it: of the nodes that have received
a gradient, the newest has received all of it. It is a loop, not a recursion. But for hooks, checks, several devices,
gradients of gradients and freeing memory it is this one:

    >>> from lucid import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> loss = x * x + x.exp()
    >>> gradients = {loss._node: 1.0}
    >>> for node in reachable([loss._node]):
    ...     g = gradients.pop(node)
    ...     for source, part in zip(node.inputs, node.op.vjp(cpu, g, node.saved, node.inputs)):
    ...         if source is not None:
    ...             gradients[source] = gradients.get(source, 0) + part
    >>> round(float(gradients[x._node]), 4)  # 2 * x + exp(x)
    11.3891

`run_backward` visits only what has received a gradient: a heap says which node is the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from math import inf
from operator import attrgetter
from threading import RLock
from typing import Any

from lucid.core.array import cpu, float16, float32, namespace, ndarray
from lucid.core.events import BACKWARD, VJP, begin, describe, observed
from lucid.core.node import Leaf, Node, Tensor, grad_mode, last_write, method, write_record
from lucid.core.op import on_tensors

NO_GRAPH = (
    "backward: this tensor was not computed from anything that requires a gradient. Was it made under no_grad, "
    "from .data, .detach() or .numpy(), or do no parameters have requires_grad=True?"
)
NOT_A_SCALAR = (
    "backward: the gradient of a tensor of shape {shape} needs a starting point; reduce it to one number first, "
    ".sum().backward() or .mean().backward(), or pass gradient= of that shape"
)
RELEASED = (
    "backward: this graph was already walked and released. Either backward() was called twice on it (pass "
    "retain_graph=True to the first call), or a tensor of an earlier step is still part of this one (use .detach() or "
    ".item() on what is carried over, a running loss or a hidden state). The first operation that has freed its arrays "
    "is {name}; {where}"
)
CHANGED = (
    "backward: {name} needs {what} (shape {shape}) as it was when it ran, but it was changed in place since; write "
    "x = x + ... instead of x += ..., or change a clone(), or call backward() before the change; for a recurrence "
    "h[t] = f(h[t - 1]) keep the steps in a list and stack() them. {where}"
)
_adding_up = RLock()  # held while gradients are added to those of leaves, as another thread may add to the same


def reachable(roots: Iterable[Node | None], after: int = 0) -> list[Node]:
    """Every operation that `roots` were computed from, including the roots' own, if its sequence number is above
    `after`: newest first, which is reverse topological order. No leaves."""
    seen = {root for root in roots if type(root) is Node and root.sequence > after}
    frontier = list(seen)
    while frontier:
        for node in frontier.pop().inputs:
            if type(node) is Node and node.sequence > after and node not in seen:
                seen.add(node)
                frontier.append(node)
    return sorted(seen, key=attrgetter("sequence"), reverse=True)


def nodes_that_reach(targets: set[Node], order: list[Node]) -> set[Node]:
    """`targets`, and the nodes of `order` from which one of them can be reached."""
    reaching = set(targets)
    for node in reversed(order):
        if any(source in reaching for source in node.inputs):
            reaching.add(node)
    return reaching


def unbroadcast(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum `g` down to `shape`.

    Raises:
        ValueError: if `shape` does not broadcast to that of `g`.
    """
    lead = len(g.shape) - len(shape)
    own = shape[-lead:] if lead < 0 else shape  # t[0] = v with v of shape (1, 3), see ops/inplace.py
    stretched = tuple([i for i, n in enumerate(own, max(lead, 0)) if n != g.shape[i]])
    if any(n != 1 for n in shape[: max(-lead, 0)]) or any(own[i - max(lead, 0)] != 1 for i in stretched):
        raise ValueError(f"shape {g.shape} cannot result from broadcasting shape {shape}")
    if lead > 0 or stretched:
        g = xp.sum(g, axis=(*range(lead), *stretched), keepdims=True)
    return xp.reshape(g, shape=shape)


def run_backward(
    seeds: list[tuple[Node, Any]], create_graph: bool, targets: set[Node] | None = None, free_saved: bool = True
) -> Iterator[tuple[Node, Any]]:
    """Run the vjps from `seeds` backwards; yield each leaf (or each node of `targets`) with its whole gradient.

    Gradients are arrays, or with `create_graph` Tensors, which can be differentiated again. With `targets` only the
    paths to those nodes are taken. `free_saved` frees each node's saved values as soon as they have been used.

    A gradient that is yielded is its receiver's own: never the same array as another's, nor a view.

    Raises:
        RuntimeError: where a node was released before, or a value that it saved was changed in place.
    """
    xp = on_tensors if create_graph else cpu
    gradients: dict[Node, Any] = {}  # received, and not yet passed on
    halves: set[Any] = set()  # those of half precision that several gradients have met in: they add up in single
    for node, g in seeds:
        g = _copy(g) if type(node) is Leaf else g
        gradients[node] = gradients[node] + g if node in gradients else g
    queue = [(-node.sequence, node) for node in gradients if type(node) is Node]
    heapify(queue)
    on_path = set() if targets is None else nodes_that_reach(targets, reachable(gradients))
    while queue:
        _, node = heappop(queue)
        g = gradients.pop(node)  # complete: every user of this node is newer, and has had its turn
        if halves and node in halves:
            g = _astype(g, float16)
        if node.hooks is not None or node.retain_hooks is not None:
            g = _after_hooks(node, g)
        inputs = node.inputs
        if targets is not None:
            if node in targets:
                yield node, _copy(g)
            inputs = tuple([source if source in on_path else None for source in inputs])
            if not any(inputs):
                continue  # no target is beyond this node, which can stay as it is
        while node.saved is None:
            _recompute(node)
        if node.sequence < last_write[0]:
            check_versions(node, node.saved, getattr(node, "saved_at", node.sequence))
        saved, vjp = node.saved, node.op.vjp
        if create_graph:
            saved = node.op.saved_as_tensors(node)
        elif type(g) is ndarray:
            xp = cpu
        else:  # another device, for a graph may cross them, or a NumPy scalar (0-d + 0-d)
            xp = namespace(first_array(g))
            vjp = xp.vjp(node.op)
        if VJP:
            vjp = observed(VJP, node, vjp)
        parts = vjp(xp, g, saved, inputs)
        for source, part in zip(inputs, parts):  # noqa: B905 (strict=True is slower)
            if part is None or source is None:
                continue
            if part.shape != source.shape:
                part = _unbroadcast_for(xp, node, part, source.shape)
            before = gradients.get(source)
            if before is not None:
                if getattr(part, "dtype", None) is float16:  # of a Function's several outputs there is none
                    halves.add(source)
                    part = _astype(part, float32)
                gradients[source] = before + part
            elif type(source) is not Leaf:
                gradients[source] = part
                heappush(queue, (-source.sequence, source))
            elif create_graph or part is g or part.base is not None or node.op.user_defined:
                gradients[source] = _copy(part)  # it may be shared with others, or a view
            else:
                gradients[source] = part
        if free_saved:
            node.saved = None  # the inputs stay: a later pass must find its way here, to say that it cannot go on
    for node, g in gradients.items():  # every operation has been popped: these are the leaves
        if targets is None or node in targets:
            g = _astype(g, float16) if node in halves else g
            yield node, _after_hooks(node, g) if node.hooks is not None or node.retain_hooks is not None else g


def first_array(g: Any) -> Any:
    """A gradient's array; of a Function's with several outputs, the one of the first output that has any."""
    return next(iter(g.values())) if isinstance(g, dict) else g


def _astype(g: Any, dtype: Any) -> Any:
    return on_tensors.astype(g, dtype=dtype) if isinstance(g, Tensor) else g.astype(dtype)


def _copy(g: Any) -> Any:
    return on_tensors.positive(g) if isinstance(g, Tensor) else g.copy()


def _recompute(node: Node) -> None:
    """Give a node its saved values again; one that was released has none."""
    if not hasattr(node, "recompute"):
        raise RuntimeError(RELEASED.format(name=node.name(), where=describe[0].node(node)))
    node.recompute()


def check_versions(node: Node, saved: Any, after: float, before: float = inf) -> None:
    """Raise a RuntimeError if one of `saved`, values that `node` saved, was changed in place between two times."""
    for name, value in zip(node.op.saved_names, saved, strict=True):
        time, _ = record = write_record(value)
        if after < time < before:
            what = "its own output" if name == "out" else f"its input {name!r}"
            shape, where = tuple(getattr(value, "shape", ())), describe[0].write(node, value, record)
            raise RuntimeError(CHANGED.format(name=node.op.name, what=what, shape=shape, where=where))


def _after_hooks(node: Node, g: Any) -> Any:
    """What the hooks make of a gradient; `retain_grad` is given the result."""
    for hook in list((node.hooks or {}).values()):
        replaced = hook(g)
        g = g if replaced is None else _copy(replaced)
    for keep in list((node.retain_hooks or {}).values()):
        keep(g)
    return g


def _unbroadcast_for(xp: Any, node: Node, part: Any, shape: tuple[int, ...]) -> Any:
    try:
        return unbroadcast(xp, part, shape)
    except ValueError:
        raise RuntimeError(
            f"backward: {node.op.name} gave a gradient of shape {tuple(part.shape)} for an input of shape {shape}"
        ) from None


# -- from tensors ------------------------------------------------------------------------------------------------------


def gradients_of(
    outputs: list[Tensor], gradients: list[Any], retain_graph: Any, create_graph: Any, targets: set[Node] | None = None
) -> list[tuple[Node, Tensor]]:
    """Run backward from `outputs`: the leaves (or the nodes of `targets`) and their gradients as Tensors."""
    seeds = [initial_gradient(t, g, create_graph) for t, g in zip(outputs, gradients, strict=True)]
    free_saved = not (create_graph if retain_graph is None else retain_graph)
    switch = create_graph and not (before := grad_mode.get())[0]
    with namespace(outputs[0]._array).quiet():  # 0 / 0 on a path whose gradient is 0 anyway needs no warning
        try:
            if switch:
                grad_mode.set((True, before))
            run = run_backward(seeds, create_graph, targets, free_saved)
            return [
                (node, g if create_graph else Tensor(g, False, None) if type(g) is ndarray else Tensor(g))
                for node, g in run  # 0-d + 0-d is a scalar to NumPy
            ]
        finally:
            if switch:
                grad_mode.set(before)


def initial_gradient(output: Tensor, gradient: Any, create_graph: Any) -> tuple[Node, Any]:
    """Where a backward pass starts, and with what: the output's node, and 1 unless a gradient is given."""
    if output._node is None:
        raise RuntimeError(NO_GRAPH)
    if gradient is None:
        if output._array.size != 1:
            raise RuntimeError(NOT_A_SCALAR.format(shape=output.shape))
        one = namespace(output._array).one(output._array)
        return output._node, Tensor(one) if create_graph else one
    if not isinstance(gradient, Tensor):
        gradient = output.new_tensor(gradient)
    if gradient.shape != output.shape:
        raise RuntimeError(f"backward: expected a gradient of shape {output.shape}, got shape {gradient.shape}")
    if gradient.device != (here := output.device):
        raise RuntimeError(f"backward: the tensor is on {here}, its gradient on {gradient.device}; use .to({here!r})")
    gradient = gradient.to(output.dtype)
    return output._node, gradient if create_graph else gradient._array


def backward(
    tensors: list[Tensor], gradients: list[Any], retain_graph: Any = None, create_graph: Any = False, inputs: Any = None
) -> None:
    """`Tensor.backward` from several tensors at once."""
    after = begin(BACKWARD, tensors) if BACKWARD else ()
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, Tensor) or not hasattr(inputs, "__iter__") else list(inputs)
    if inputs is not None and not (inputs and all(isinstance(t, Tensor) and type(t._node) is Leaf for t in inputs)):
        raise ValueError(f"backward: expected inputs to be leaf tensors that require a gradient, got {inputs!r}")
    targets = None if inputs is None else {t._node for t in inputs}
    received = gradients_of(tensors, gradients, retain_graph, create_graph, targets)
    with _adding_up:
        for node, g in received:
            leaf = node.tensor()  # type: ignore[attr-defined]
            if leaf is None:
                continue  # the tensor is gone
            if g._array.dtype is not leaf._array.dtype:
                g = g.to(leaf.dtype)  # a hook, or a user's vjp, gave another dtype
            before = leaf._grad
            if before is None:
                leaf._grad = g
            elif create_graph:
                leaf._grad = before + g
            else:
                leaf._grad = Tensor(before._array + g._array)
    for function in after:
        function()


@method("backward")
def backward_from(
    self: Tensor, gradient: Any = None, retain_graph: Any = None, create_graph: Any = False, inputs: Any = None
) -> None:
    """Add the gradient of this tensor with respect to every leaf it was computed from to that leaf's `grad`.

    Args:
        gradient: the gradient of some later quantity with respect to this tensor, of its shape; 1 by default,
            for a tensor of one element.
        retain_graph: keep the graph for another backward; it is released otherwise.
        create_graph: record this pass too, so that the gradients can be differentiated again.
        inputs: leaves to restrict the gradients to.

    Raises:
        RuntimeError: without a graph, on a released one, on more than one number without `gradient`, or where an
            array that is needed was changed in place.
    """
    backward([self], [gradient], retain_graph, create_graph, inputs)

