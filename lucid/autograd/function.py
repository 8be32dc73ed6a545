"""Operations with a backward of one's own, for what one gradient formula for each input cannot say.

To the walk a Function is a node like any other. It may have several outputs, where all other nodes have one: then each
output gets a small node of its own in front of the Function's, which puts the output's gradient into its place of a
`Bundle`, and bundles are what the walk adds up and brings to the Function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, NoReturn
from weakref import ref

from lucid import backend
from lucid.graph import Node, grad_mode, memory_of, no_grad, set_grad_enabled
from lucid.op import RECORDED
from lucid.tensor import Tensor


class FunctionCtx:
    """What a `Function`'s forward hands to its backward: saved tensors, and any attribute set on it.

    Attributes:
        needs_input_grad: for each argument, whether a gradient of it is wanted.
        saved_tensors: what `save_for_backward` was given.
    """

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _constant: tuple[Any, ...] = ()
    _materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward, where they are `saved_tensors`; a change in place before then is caught.

        Arguments and outputs come back with their history, so that a derivative can be differentiated again.
        """
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward: expected Tensors and None, got {type(t).__name__} at place {i}; "
                    f"anything else can be an attribute of ctx"
                )
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs have no gradient. Outputs of integers and bools need not be named."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the gradient of an output that nobody used arrives as zeros (True, the default) or as None."""
        self._materialize = value

    def mark_dirty(self, *tensors: Tensor) -> NoReturn:
        """Not supported: a forward may not change its arguments in place."""
        raise RuntimeError(
            "mark_dirty: a Function cannot change its arguments in place; return a new tensor, and leave it to the "
            "caller to write x.copy_(MyFunction.apply(x))"
        )


class Function:
    """An operation given by a forward and a backward on Tensors.

    Subclass it with static methods `forward(ctx, *args)`, which returns a Tensor or a tuple of them, and
    `backward(ctx, *grads)`, which takes the gradient of each output and returns a gradient (or None) for each argument;
    call `apply`. Instead of taking `ctx`, the forward can leave it to `setup_context(ctx, inputs, output)`. A backward
    made of Tensor operations is differentiable in its turn.

    >>> import lucid
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x * x
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The output or a tuple of outputs, computed from `ctx` and the arguments of `apply`; not recorded."""
        raise NotImplementedError("Function: define a static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Where this is defined the forward takes no `ctx`, and this fills it from the arguments and the output."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """A gradient, or None, for each argument, given those of the outputs."""
        raise NotImplementedError("Function: define a static method backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the forward on `args`, and record it if a Tensor among them requires a gradient.

        Keywords, and defaults of the forward's arguments, are for functions that define `setup_context`. Outputs that
        are not Tensors are handed on as they are.

        Raises:
            TypeError: if there is no Tensor among the outputs.
        """
        ctx = FunctionCtx()
        separate = cls.setup_context is not Function.setup_context
        if separate and (kwargs or getattr(cls.forward, "__defaults__", None)):
            bound = signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        elif kwargs:
            raise TypeError(
                f"{cls.__name__}: apply takes keywords, such as {next(iter(kwargs))!r}, only where setup_context is "
                f"defined; pass the arguments by position"
            )
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        with no_grad():
            if separate:
                out = cls.forward(*args)
                cls.setup_context(ctx, args, out)
            else:
                out = cls.forward(ctx, *args)
        several = isinstance(out, tuple)
        outs = out if several else (out,)
        if not any(isinstance(t, Tensor) for t in outs):
            raise TypeError(f"{cls.__name__}: forward must return a Tensor or a tuple of Tensors, got {out!r}")
        if not any(ctx.needs_input_grad) or not grad_mode.recording:
            return out
        return _record(cls, ctx, args, outs, several)


def _record(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outs: tuple[Any, ...], several: bool) -> Any:
    """The outputs, with the history that they came out of this Function."""
    op = _FunctionOp(cls, ctx, args, outs, several)
    parents = tuple(arg._node if isinstance(arg, Tensor) else None for arg in args)
    saved = tuple(t if t is None else t._array for t in ctx.saved_tensors)
    constant = {id(t) for t in ctx._constant}
    ctx.saved_tensors = ctx._constant = ()  # the node keeps the arrays, and so it can let go of them
    shapes = tuple(t.shape if isinstance(t, Tensor) else None for t in outs)
    node = Node(op, parents, saved, shapes if several else shapes[0])  # type: ignore[arg-type]
    results: list[Any] = []
    for place, t in enumerate(outs):
        if isinstance(t, Tensor):
            source = None
            if t.dtype.kind == "f" and id(t) not in constant:
                source = _place(node, place, t.shape) if several else node
                op.places[place] = ref(source)
            results.append(Tensor(t._array, False, source))
        else:
            results.append(t)
    owners = [(arg, memory_of(arg._array)) for arg in args if isinstance(arg, Tensor)]
    for t in results:  # a forward that hands memory on: nobody who has it may then change it in place within the graph
        if isinstance(t, Tensor):
            memory = memory_of(t._array)
            for other, same in owners:
                if same is memory:
                    t.shared = other.shared = True
            owners.append((t, memory))
    return tuple(results) if several else results[0]


class _FunctionOp:
    """Makes a Function look like an operation to the walk."""

    foreign = True

    def __init__(
        self, cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outs: tuple[Any, ...], several: bool
    ) -> None:
        self.name, self.function, self.ctx, self.several = cls.__name__, cls, ctx, several
        self.dtypes = [arg.dtype if isinstance(arg, Tensor) else None for arg in args]
        self.blanks = [(t.shape, t.dtype, t.device) if isinstance(t, Tensor) else None for t in outs]
        self.places: dict[int, Any] = {}  # output -> a weak reference to the node that its tensor came out of
        # Where each saved tensor's history begins: a node, or the place of an output, whose node is yet to be made.
        given = {id(arg): f"argument {i}" for i, arg in enumerate(args)}
        made = {id(t): i for i, t in enumerate(outs) if id(t) not in given}
        saved = ctx.saved_tensors
        self.saved = [given.get(id(t), "out" if id(t) in made else f"saved tensor {i}") for i, t in enumerate(saved)]
        self.origins = [None if t is None else made.get(id(t), t._node) for t in saved]

    def lift(self, node: Node) -> tuple[Any, ...]:
        """What was saved, as Tensors with their history."""
        saved = zip(node.saved or (), self.origins, strict=True)
        return tuple(None if array is None else Tensor(array, False, self._source(node, at)) for array, at in saved)

    def _source(self, node: Node, origin: Any) -> Node | None:
        """The node that a saved tensor came out of; for an output a new one, where its own is gone: `node` cannot keep
        what keeps `node`."""
        if type(origin) is not int:
            return origin
        if origin not in self.places or not self.several:
            return node if origin in self.places else None
        return self.places[origin]() or _place(node, origin, node.shape[origin])

    def back(self, xp: Any, g: Any, saved: tuple[Any, ...], parents: tuple[Node | None, ...]) -> list[Any]:
        recorded = xp is RECORDED
        grads = [self._gradient(g.parts.get(i), i) for i in range(len(self.blanks))] if self.several else [g]
        self.ctx.saved_tensors = tuple(t if t is None or isinstance(t, Tensor) else Tensor(t) for t in saved)
        try:
            with set_grad_enabled(recorded):
                returned = self.function.backward(
                    self.ctx, *[t if t is None or isinstance(t, Tensor) else Tensor(t) for t in grads]
                )
        finally:
            self.ctx.saved_tensors = ()
        parts = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        while len(parts) > len(parents) and parts[-1] is None:
            parts.pop()
        if len(parts) != len(parents):
            raise RuntimeError(f"{self.name}: backward returned {len(parts)} gradients for {len(parents)} arguments")
        for i, (part, dtype) in enumerate(zip(parts, self.dtypes, strict=True)):
            if part is not None and not isinstance(part, Tensor):
                raise TypeError(
                    f"{self.name}: backward must return Tensors and None, got {type(part).__name__} for argument {i}"
                )
            if part is not None and dtype is None:
                raise RuntimeError(
                    f"{self.name}: backward returned a gradient for argument {i}, which is no Tensor; return None there"
                )
            part = None if parents[i] is None or part is None else part.to(dtype)
            parts[i] = part if recorded or part is None else part._array
        return parts

    def _gradient(self, part: Any, place: int) -> Any:
        """What the backward is given for an output: zeros, or None, where no gradient came."""
        blank = self.blanks[place]
        if part is not None or blank is None or not self.ctx._materialize:
            return part
        shape, dtype, device = blank
        return Tensor(backend.to_device(backend.cpu.zeros(shape, dtype), device))


class Bundle:
    """Gradients of several outputs, by place: the gradient of a Function's node, as far as the walk is concerned."""

    __slots__ = ("parts", "shape")

    def __init__(self, shape: Any, parts: dict[int, Any]) -> None:
        self.shape, self.parts = shape, parts

    def __add__(self, other: Bundle) -> Bundle:
        both = dict(self.parts)
        for place, g in other.parts.items():
            both[place] = both[place] + g if place in both else g
        return Bundle(self.shape, both)


class _Place:
    """The operation between a Function and one of its outputs: it puts the gradient into its place."""

    foreign, saved = False, ()

    def __init__(self, name: str, place: int, shape: Any) -> None:
        self.name, self.place, self.shape = name, place, shape

    def lift(self, node: Node) -> tuple[Any, ...]:
        return ()

    def back(self, xp: Any, g: Any, saved: tuple[Any, ...], parents: tuple[Node | None, ...]) -> tuple[Bundle]:
        return (Bundle(self.shape, {self.place: g}),)


def _place(node: Node, place: int, shape: Any) -> Node:
    return Node(_Place(node.op.name, place, node.shape), (node,), (), shape)  # type: ignore[arg-type]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a Function's backward that is no mathematics on Tensors: its result cannot be differentiated again.

    Without this a backward that goes through NumPy gives a second derivative of 0, and no one is told.
    """

    @wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            found = backward(ctx, *grads)
        nodes = tuple(t._node for t in (*grads, *ctx.saved_tensors) if isinstance(t, Tensor) and t._node is not None)
        if not grad_mode.recording or not nodes:
            return found
        barred = [
            Tensor(t._array, False, Node(_Once(), nodes, (), t.shape)) if isinstance(t, Tensor) else t  # type: ignore[arg-type]
            for t in (found if isinstance(found, (tuple, list)) else [found])
        ]
        return tuple(barred)

    return once


class _Once:
    name, foreign, saved = "once_differentiable", False, ()

    def lift(self, node: Node) -> tuple[Any, ...]:
        return ()

    def back(self, xp: Any, g: Any, saved: tuple[Any, ...], parents: tuple[Node | None, ...]) -> NoReturn:
        raise RuntimeError(
            "backward: this is the second derivative of a Function whose backward is marked once_differentiable; take "
            "the mark off and write the backward with Tensor operations"
        )
