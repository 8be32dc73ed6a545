"""Memory for time: what a stretch of the forward would keep for the walk back is computed a second time instead.

The stretch is recorded as ever, and then its nodes are emptied: they stay in the graph, and let go of the arrays they
saved. When the walk comes to the first of them the function is run again, and each node is given what its twin of the
second run has saved. So the graph is the same as without a checkpoint, and everything that works on graphs works:
parameters that the function captured, several outputs, hooks, `grad`, derivatives of any order, and checkpoints within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

from lucid import backend
from lucid.graph import Leaf, Node, history, last_write, refuse_changed, tick
from lucid.recording import enable_grad
from lucid.tensor import Tensor


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """`function(*args, **kwargs)`, without the memory that its backward needs: it is run again when backward comes.

    Costs a second forward, and saves every array between the arguments and the outputs. Cutting n equal layers into
    sqrt(n) checkpoints keeps sqrt(n) boundaries and the sqrt(n) layers of one stretch at a time (Chen et al. 2016,
    "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174).

    The function must do the same both times. Random numbers are drawn alike (dropout drops the same), but what else it
    changes it changes twice: the running statistics of a batch norm, a counter. Outputs are looked for in tuples, lists
    and dicts; what is returned in another wrapping is right, and saves nothing.

    Args:
        use_reentrant: accepted as PyTorch's users must pass it; there is one way here, which does what False asks for.
        preserve_rng_state: False saves the few microseconds that keeping the random state takes.

    Raises:
        RuntimeError: at backward, if the function does something else the second time, or if an argument or a captured
            parameter was changed in between.

    >>> import lucid
    >>> x = lucid.tensor([0.5, 1.0], requires_grad=True)
    >>> checkpoint(lambda t: (t.sin() * t).exp(), x).sum().backward()
    >>> x.grad
    tensor([1.1669, 3.2054])
    """
    segment = _Segment(function, args, kwargs, preserve_rng_state)
    out = function(*args, **kwargs)
    segment.empty(out)
    return out


class _Segment:
    """A stretch of the forward that can be run again.

    It holds its arguments as arrays, and its nodes weakly, for they hold it: no cycles.
    """

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], preserve: bool) -> None:
        self.function, self.given = function, {t._node for t in _all(Tensor, [args, kwargs])}
        self.args, self.kwargs = _each(_Held, Tensor, args), _each(_Held, Tensor, kwargs)
        self.random = backend.get_rng_state() if preserve else None
        self.began = tick()
        self.nodes: list[Any] = []  # a weak reference to each node, newest first
        self.leaves: list[tuple[Leaf, Any]] = []  # those that the function captured, and their arrays

    def empty(self, out: Any) -> None:
        """Let the nodes behind `out` that were born in this stretch forget what they saved."""
        nodes = history([t._node for t in _all(Tensor, out)], since=self.began)
        self.nodes = [ref(node) for node in nodes]
        leaves = {parent for node in nodes for parent in node.parents if type(parent) is Leaf} - self.given
        self.leaves = [(leaf, t._array) for leaf in leaves if (t := leaf.tensor()) is not None]
        self.given = set()
        for node in nodes:
            if node.saved or hasattr(node, "remake"):  # those of a checkpoint within are ours until they are made again
                node.remake, node.saved = self.refill, None

    def refill(self) -> None:
        """Run the function again, and give each node what its twin has saved."""
        self._refuse_changed()
        start = tick()
        out = self._run()
        twins, nodes = history([t._node for t in _all(Tensor, out)], since=start), [node() for node in self.nodes]
        _refuse_others(nodes, twins)
        within = set()
        for node, twin in zip(nodes, twins, strict=True):
            if node is None or not hasattr(node, "remake"):
                continue
            valid, node.since = getattr(node, "since", node.born), twin.born
            if hasattr(twin, "remake"):  # a checkpoint within: its turn comes when the walk gets there
                node.remake = twin.remake
                within.add(twin.remake.__self__)  # type: ignore[attr-defined]
                continue
            if twin.saved is not None:  # else the function itself let go of it, and the walk will say so
                refuse_changed(node, twin.saved, valid, before=start)
            node.saved = twin.saved
            del node.remake
        places = dict(zip(twins, self.nodes, strict=True))
        for segment in within:
            segment.nodes = [places.get(twin(), twin) for twin in segment.nodes]

    def _run(self) -> Any:
        args, kwargs = _each(_Held.tensor, _Held, self.args), _each(_Held.tensor, _Held, self.kwargs)
        if self.random is None:
            with enable_grad():
                return self.function(*args, **kwargs)
        now = backend.get_rng_state()
        backend.set_rng_state(self.random)
        try:
            with enable_grad():
                return self.function(*args, **kwargs)
        finally:
            backend.set_rng_state(now)

    def _refuse_changed(self) -> None:
        """Raise a RuntimeError if what the function would now start from is not what it started from then."""
        for t in _all(_Held, [self.args, self.kwargs]):
            if last_write(t.array) > self.began:
                raise RuntimeError(
                    f"checkpoint: an argument of shape {t.array.shape} was changed in place since the function ran, "
                    f"and backward runs it again; call backward() before the change, or pass a clone()"
                )
        for leaf, array in self.leaves:
            t = leaf.tensor()
            if t is not None and (t._array is not array or last_write(array) > self.began):
                raise RuntimeError(
                    f"checkpoint: a parameter of shape {t.shape} was changed since the function ran, and backward runs "
                    f"it again; call backward() before the step of the optimizer"
                )


class _Held:
    """A Tensor argument as it was: its array, and whether it needed a gradient."""

    def __init__(self, t: Tensor) -> None:
        self.array, self.requires_grad = t._array, t.requires_grad

    def tensor(self) -> Tensor:
        """The argument for another run, as a leaf: hooks that the function sets on it are gone with that run."""
        return Tensor(self.array, self.requires_grad)


def _all(kind: type, value: Any) -> Iterator[Any]:
    """What is of a kind in `value`: itself, or in tuples, lists and dicts."""
    if isinstance(value, kind):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ():
        yield from _all(kind, part)


def _each(change: Callable[[Any], Any], kind: type, value: Any) -> Any:
    """`value` with what is of a kind in it changed."""
    if isinstance(value, kind):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(_each(change, kind, part) for part in value)
    if type(value) is dict:
        return {name: _each(change, kind, part) for name, part in value.items()}
    return value


def _refuse_others(nodes: list[Node | None], twins: list[Node]) -> None:
    """Raise a RuntimeError if the second run recorded other operations than the first."""
    if len(nodes) != len(twins):
        what = f"{len(nodes)} operations were recorded in the forward, {len(twins)} now"
    else:
        first, second = [], []
        for node, twin in zip(reversed(nodes), reversed(twins), strict=True):
            if node is not None and _described(node) != _described(twin):
                first, second = _described(node), _described(twin)
                break
        if not first:
            return
        what = f"in the forward it was {first[0]} with an output of shape {first[1]}, now {second[0]} with {second[1]}"
        if first[:2] == second[:2]:
            what = f"other inputs of {first[0]} required a gradient in the forward than do now"
    raise RuntimeError(
        f"checkpoint: the function did something else when it was run again for the backward: {what}. It may depend on "
        f"its arguments, on lucid's random numbers and on what does not change in between"
    )


def _described(node: Node) -> list[Any]:
    return [node.op.name, node.shape, [parent is None for parent in node.parents]]
