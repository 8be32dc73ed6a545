"""Checkpointing, memory for time: what a segment of the forward saves for backward is recomputed instead of kept.

The segment is recorded as usual, then its nodes drop what they saved. When the backward pass comes to the
first of them, the function is run again, and each node gets what its copy of that run saved. So the graph is
the same, and all that works on graphs works: hooks, `grad`, higher derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

from lucid.autograd.grad_mode import enable_grad
from lucid.core.backward import check_versions, reachable
from lucid.core.node import Leaf, Node, Tensor, next_sequence, recomputing, write_record
from lucid.ops.random import get_rng_state, set_rng_state


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """`function(*args, **kwargs)`, without the memory that its backward needs: it is run again when backward comes.

    Costs a second forward, and saves every array between the arguments and the outputs. Cutting n equal layers into
    sqrt(n) checkpoints keeps sqrt(n) boundaries and the sqrt(n) layers of one segment at a time (Chen et al. 2016,
    "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174).

    The function must do the same both times, and neither an argument nor a captured parameter may change in between
    (a RuntimeError at backward). Random numbers are drawn alike (dropout drops the same) and the statistics of a batch
    norm move once, but what else it changes it changes twice: a counter, say. Outputs are looked for in tuples, lists
    and dicts; what is returned in another wrapping is right, and saves nothing.

    `use_reentrant` is accepted as PyTorch's users must pass it; there is one way here, which does what False asks for.
    `preserve_rng_state=False` saves the few microseconds that keeping the random state takes.

    >>> import lucid
    >>> x = lucid.tensor([0.5, 1.0], requires_grad=True)
    >>> checkpoint(lambda t: (t.sin() * t).exp(), x).sum().backward()
    >>> x.grad
    tensor([1.1669, 3.2054])
    """
    segment = _Segment(function, args, kwargs, preserve_rng_state)
    segment.drop_saved(out := function(*args, **kwargs))
    return out


class _Segment:
    """A stretch of the forward that can be run again. Its nodes, which hold it, are weak references here."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], preserve: bool) -> None:
        self.function, self.inputs = function, {t._node for t in tensors_in([args, kwargs])}
        self.arguments = _as_leaves((args, kwargs))
        self.random = get_rng_state() if preserve else None
        self.began = next_sequence()
        self.nodes: list[Any] = []  # a weak reference to each node, newest first
        self.leaves: list[tuple[Leaf, Any]] = []  # those that the function captured, and their arrays

    def drop_saved(self, out: Any) -> None:
        """Let the nodes of this segment that `out` was computed from drop what they saved."""
        nodes = reachable([t._node for t in tensors_in(out)], after=self.began)
        self.nodes = [ref(node) for node in nodes]
        leaves = {source for node in nodes for source in node.inputs if type(source) is Leaf} - self.inputs
        self.leaves = [(leaf, t._array) for leaf in leaves if (t := leaf.tensor()) is not None]
        self.inputs = set()
        for node in nodes:
            if node.saved or hasattr(node, "recompute"):  # a checkpoint within is run again by this one's second run
                node.recompute, node.saved = self.recompute, None

    def recompute(self) -> None:
        """Run the function again, and give each node what the corresponding node of this run saved."""
        self._refuse_changed()
        start, out, within = next_sequence(), self._run(), set()
        copies, nodes = reachable([t._node for t in tensors_in(out)], start), [node() for node in self.nodes]
        _refuse_others(nodes, copies)
        for node, copy in zip(nodes, copies, strict=True):
            if node is None or not hasattr(node, "recompute"):
                continue
            valid, node.saved_at = getattr(node, "saved_at", node.sequence), copy.sequence
            if hasattr(copy, "recompute"):  # a checkpoint within: recomputed when the backward pass gets there
                node.recompute = copy.recompute
                within.add(copy.recompute.__self__)  # type: ignore[attr-defined]
                continue
            if copy.saved is not None:  # else the function itself released it, and the backward pass will say so
                check_versions(node, copy.saved, valid, before=start)
            node.saved = copy.saved
            del node.recompute
        originals = dict(zip(copies, self.nodes, strict=True))
        for segment in within:
            segment.nodes = [originals.get(copy(), copy) for copy in segment.nodes]

    def _run(self) -> Any:
        args, kwargs = _as_leaves(self.arguments)
        now, before = None if self.random is None else get_rng_state(), recomputing.get()
        if self.random is not None:
            set_rng_state(self.random)
        try:
            recomputing.set(True)
            with enable_grad():
                return self.function(*args, **kwargs)
        finally:
            recomputing.set(before)
            if now is not None:
                set_rng_state(now)

    def _refuse_changed(self) -> None:
        """Raise a RuntimeError if the function would start from other values now than it did then."""
        leaves = [(leaf.tensor(), array) for leaf, array in self.leaves]
        tensors = [("an argument", "changed in place", t, t._array) for t in tensors_in(self.arguments)]
        tensors += [("a parameter", "changed", t, array) for t, array in leaves if t is not None]
        for what, changed, t, array in tensors:
            if t._array is not array or write_record(array)[0] > self.began:
                raise RuntimeError(
                    f"checkpoint: {what} of shape {t.shape} was {changed} since the function ran, and backward runs it "
                    f"again; call backward() before the change (the optimizer's step), or pass a clone()"
                )


def tensors_in(value: Any) -> Iterator[Tensor]:
    """`value` itself if it is a Tensor, or those in its tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ():
        yield from tensors_in(part)


def _as_leaves(value: Any) -> Any:
    """`value` with a new leaf for each Tensor in it: hooks that a function sets on those are gone with them."""
    if isinstance(value, Tensor):
        return Tensor(value._array, value.requires_grad)
    if type(value) in (tuple, list):
        return type(value)(_as_leaves(part) for part in value)
    return {name: _as_leaves(part) for name, part in value.items()} if type(value) is dict else value


def _refuse_others(nodes: list[Node | None], copies: list[Node]) -> None:
    """Raise a RuntimeError if the second run recorded other operations than the first."""
    differences = [_difference(*pair) for pair in zip(reversed(nodes), reversed(copies), strict=False)]
    if len(nodes) != len(copies):
        differences = [f"{len(nodes)} operations were recorded in the forward, {len(copies)} now"]
    if difference := next(filter(None, differences), ""):
        raise RuntimeError(
            f"checkpoint: the function did something else when it was run again for the backward: {difference}. It may "
            f"depend on its arguments, on lucid's random numbers and on what does not change in between"
        )


def _difference(node: Node | None, copy: Node) -> str:
    """In which respect a node of the second run is another than that of the first; "" where they agree."""
    if node is None:
        return ""
    a, b = (node.op.name, node.shape), (copy.op.name, copy.shape)
    if a != b:
        return f"in the forward it was {a[0]} with an output of shape {a[1]}, now {b[0]} with {b[1]}"
    same = [source is None for source in node.inputs] == [source is None for source in copy.inputs]
    return "" if same else f"other inputs of {a[0]} required a gradient in the forward than do now"
