"""Operations with a backward of one's own, for what one vjp for each input cannot say.

To the backward pass a Function's node is like any other. A Function may have several outputs, where all other
operations have one. Then each output comes from a node of its own between its users and the Function's, which makes
of the output's gradient an `OutputGradients` for the Function's node, where these add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, NoReturn
from weakref import ref

from lucid.autograd.grad_mode import enable_grad, no_grad
from lucid.core.array import cpu, is_array, overlap, to_device
from lucid.core.node import Node, Tensor, grad_mode
from lucid.core.op import on_tensors
from lucid.core.promotion import type_name

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

Values = tuple[Any, ...]
MARKED = """a Function whose backward is marked once_differentiable; take the mark off and write the backward \
with Tensor operations"""
KEPT = """{name}, whose forward computed and kept something that has no history ({kept}), so that the result would \
lack a term; save the inputs and compute it again in backward, or ctx.mark_non_differentiable(...) what is constant"""


class FunctionCtx:
    """What a `Function`'s forward leaves for its backward: saved tensors, and any attribute set on it."""

    needs_input_grad: tuple[bool, ...] = ()  # for each argument, whether its gradient is needed
    saved_tensors: Values = ()  # what `save_for_backward` was given
    _constant: Values = ()
    _materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward, where they are `saved_tensors`; a change in place before then is
        caught. Arguments and outputs come back with their history, so that a derivative can be differentiated
        again."""
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor | None):
                at = f"at place {i}; anything else can be an attribute of ctx"  # type: ignore[unreachable]
                raise TypeError(f"save_for_backward: expected Tensors and None, got {type_name(t)} {at}")
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs have no gradient, and what of all that the forward keeps is constant, a mask for instance.
        Integers and bools need not be named."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the gradient of an output that nobody used arrives as zeros (True, the default) or as None."""
        self._materialize = value

    def mark_dirty(self, *tensors: Tensor) -> NoReturn:
        """Not supported: a forward may not change its arguments in place."""
        instead = "return a new tensor, and leave it to the caller to write x.copy_(MyFunction.apply(x))"
        raise RuntimeError(f"mark_dirty: a Function cannot change its arguments in place; {instead}")


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
    def setup_context(ctx: Any, inputs: Values, output: Any) -> None:
        """Where this is defined the forward takes no `ctx`, and this fills it from the arguments and the output."""

    @staticmethod
    def backward(ctx: Any, *grads: Any, **named: Any) -> Any:
        """A gradient, or None, for each argument, given those of the outputs."""
        raise NotImplementedError("Function: define a static method backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the forward on `args`, and record it if a Tensor among them requires a gradient. Keywords, and
        defaults of the forward's arguments, are for functions that define `setup_context`. Outputs that are
        not Tensors are handed on as they are; a TypeError if all are."""
        ctx = FunctionCtx()
        separate = cls.setup_context is not Function.setup_context
        if separate and (kwargs or getattr(cls.forward, "__defaults__", None)):
            bound = signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        elif kwargs:
            what = f"keywords, such as {next(iter(kwargs))!r}, only where setup_context is defined"
            raise TypeError(f"{cls.__name__}: apply takes {what}; pass the arguments by position")
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        with no_grad():
            out = cls.forward(*args) if separate else cls.forward(ctx, *args)
            if separate:
                cls.setup_context(ctx, args, out)
        outs = out if isinstance(out, tuple) else (out,)
        if not any(isinstance(t, Tensor) for t in outs):
            raise TypeError(f"{cls.__name__}: forward must return a Tensor or a tuple of Tensors, got {out!r}")
        record = any(ctx.needs_input_grad) and grad_mode.get()[0]
        return _record(FunctionOp(cls, ctx, args, outs, isinstance(out, tuple)), args, outs) if record else out


def _record(op: FunctionOp, args: Values, outs: Values) -> Any:
    """The outputs as Tensors whose history begins at a new node of this Function."""
    ctx, several = op.ctx, op.several
    parents = tuple(arg._node if isinstance(arg, Tensor) else None for arg in args)
    saved = tuple(t if t is None else t._array for t in ctx.saved_tensors)
    constant = {id(t) for t in ctx._constant}
    ctx.saved_tensors = ctx._constant = ()  # the node has the arrays, and lets go of them when it is released
    shapes = tuple(t.shape if isinstance(t, Tensor) else None for t in outs)
    node = Node(op, parents, saved, OutputGradients({}, shapes) if several else outs[0])
    results, tensors = list(outs), [arg for arg in args if isinstance(arg, Tensor)]
    for i, t in enumerate(outs):
        if isinstance(t, Tensor):
            source = None
            if t.dtype.kind == "f" and id(t) not in constant:
                source = _select_output(node, i, t) if several else node
                op.output_nodes[i] = ref(source)
            results[i] = t = Tensor(t._array, False, source)
            for other in tensors:  # where memory is also another's, neither may be changed in place in the graph
                if overlap(other._array, t._array):
                    t.untracked_alias = other.untracked_alias = True
            tensors.append(t)
    return tuple(results) if several else results[0]


class BackwardOp:
    """What the backward pass uses of a node's operation: all that the operations here, which are no `Op`, must have."""

    saved_names: Sequence[str] = ()  # of the values in a node's `saved`, for errors and pictures
    user_defined: bool = False  # whether its gradients may be arrays that somebody else has as well, and must be copied

    def __init__(self, name: str, vjp: Callable[..., Any]) -> None:
        self.name = name  # what errors call it
        self.vjp: Any = vjp  # a function of (xp, g, saved, inputs): each input's gradient, or None, given the output's

    def saved_as_tensors(self, node: Node) -> Values:
        """A node's saved arrays as Tensors with their history: what `vjp` is given under create_graph."""
        return ()


class FunctionOp(BackwardOp):
    """The operation of a Function's node: it calls the Function's backward."""

    user_defined = True

    def __init__(self, cls: Any, ctx: FunctionCtx, args: Values, outs: Values, several: bool) -> None:
        self.name, self.function, self.ctx, self.several = cls.__name__, cls, ctx, several
        self.dtypes = [arg.dtype if isinstance(arg, Tensor) else None for arg in args]
        self.outputs: list[Any] = [(t.shape, t.dtype, t.device) if isinstance(t, Tensor) else None for t in outs]
        self.output_nodes: dict[int, Any] = {}  # output -> a weak reference to the node that its tensor comes from
        # Where each saved tensor's history begins: a node, or the number of an output, whose node is yet to be made.
        arguments = {id(arg): f"argument {i}" for i, arg in enumerate(args)}
        made = {id(t): i for i, t in enumerate(outs) if id(t) not in arguments}
        names = {**dict.fromkeys(made, "out"), **arguments}
        self.saved_names = [names.get(id(t), f"saved tensor {i}") for i, t in enumerate(ctx.saved_tensors)]
        self.sources = [None if t is None else made.get(id(t), t._node) for t in ctx.saved_tensors]
        # What the forward computed and kept has no history: if there is any, backward cannot be differentiated in turn.
        self.parents = tuple(arg._node for arg in args if isinstance(arg, Tensor) and arg._node is not None)
        names |= {id(t): "known" for t in _flat((args, ctx._constant))}
        kept = [(name, value) for name, value in vars(ctx).items() if name != "saved_tensors"]
        kept += [("saved_tensors", t) for t in ctx.saved_tensors if names.get(id(t)) != "out"]
        self.kept = [name for name, value in kept for t in _flat(value)
                     if t.dtype.kind == "f" and names.get(id(t)) != "known" and getattr(t, "_node", None) is None]

    def saved_as_tensors(self, node: Node) -> Values:
        saved = zip(node.saved or (), self.sources, strict=True)
        return tuple(None if array is None else Tensor(array, False, self._node_at(node, at)) for array, at in saved)

    def _node_at(self, node: Node, source: Any) -> Node | None:
        """The node that a saved tensor came from; for an output whose own is gone a new one, since `node` cannot hold
        what holds `node`."""
        if type(source) is not int or source not in self.output_nodes:
            return None if type(source) is int else source
        return (self.output_nodes[source]() or _select_output(node, source)) if self.several else node

    def vjp(self, xp: Any, g: Any, saved: Values, inputs: tuple[Node | None, ...]) -> list[Any]:
        create_graph = xp is on_tensors
        gradients = [self._gradient_of(i, g.get(i)) for i in range(len(self.outputs))] if self.several else [g]
        self.ctx.saved_tensors = tuple(map(_as_tensor, saved))
        try:
            with enable_grad() if create_graph else no_grad():
                returned = self.function.backward(self.ctx, *map(_as_tensor, gradients))
        finally:
            self.ctx.saved_tensors = ()
        parts = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        while len(parts) > len(inputs) and parts[-1] is None:
            parts.pop()
        if len(parts) != len(inputs):
            raise RuntimeError(f"{self.name}: backward returned {len(parts)} gradients for {len(inputs)} arguments")
        for i, (part, dtype) in enumerate(zip(parts, self.dtypes, strict=True)):
            if part is None:
                continue
            if not isinstance(part, Tensor):
                got = f"{type(part).__name__} for argument {i}"
                raise TypeError(f"{self.name}: backward must return Tensors and None, got {got}")
            if dtype is None:
                given = f"a gradient for argument {i}, which is no Tensor"
                raise RuntimeError(f"{self.name}: backward returned {given}; return None there")
            part = None if inputs[i] is None else part.to(dtype)
            if create_graph and self.kept and part is not None:
                part = _differentiable_once(part, self.parents, KEPT.format(name=self.name, kept=self.kept[0]))
            parts[i] = part if create_graph or part is None else part._array
        return parts

    def _gradient_of(self, output: int, g: Any) -> Any:
        """What the backward is given for an output: where no gradient came, zeros or None."""
        if g is not None or self.outputs[output] is None or not self.ctx._materialize:
            return g
        shape, dtype, device = self.outputs[output]
        return Tensor(to_device(cpu.zeros(shape, dtype), device))


def _flat(value: Any) -> list[Any]:
    """The Tensors and arrays in a value, and in the lists, tuples and dicts that it is made of."""
    if isinstance(value, (list, tuple, dict)):
        return [t for each in (value.values() if isinstance(value, dict) else value) for t in _flat(each)]
    return [value] if isinstance(value, Tensor) or is_array(value) else []


def _as_tensor(value: Any) -> Tensor | None:
    return value if value is None or isinstance(value, Tensor) else Tensor(value)


class OutputGradients(dict[int, Any]):
    """The gradient of a Function's node with several outputs: output -> its gradient, where one came; they add up."""

    __slots__ = ("shape",)  # of each output, as in the node

    def __init__(self, gradients: dict[int, Any], shape: Any) -> None:
        super().__init__(gradients)
        self.shape = shape

    def __add__(self, other: dict[int, Any]) -> OutputGradients:
        return OutputGradients(self | {i: self[i] + g if i in self else g for i, g in other.items()}, self.shape)


def _select_output(node: Node, index: int, out: Tensor | None = None) -> Node:
    """A node between a Function's and one of its outputs."""
    op = BackwardOp(node.op.name, lambda xp, g, saved, inputs: (OutputGradients({index: g}, node.shape),))
    return Node(op, (node,), (), OutputGradients({}, node.shape[index]) if out is None else out)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a Function's backward that is not made of Tensor operations: its result cannot be
    differentiated again. Without this a backward that goes through NumPy silently gives a second derivative
    of 0."""

    @wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            returned = backward(ctx, *grads)
        parents = tuple(t._node for t in (*grads, *ctx.saved_tensors) if isinstance(t, Tensor) and t._node is not None)
        if not grad_mode.get()[0] or not parents:
            return returned
        parts = returned if isinstance(returned, (tuple, list)) else [returned]
        return tuple(_differentiable_once(t, parents, MARKED) if isinstance(t, Tensor) else t for t in parts)

    return once


def _differentiable_once(t: Tensor, parents: tuple[Node | None, ...], what: str) -> Tensor:
    """The same numbers, whose derivative is an error."""

    def vjp(xp: Any, g: Any, saved: Values, inputs: tuple[Node | None, ...]) -> NoReturn:
        raise RuntimeError(f"backward: this is the second derivative of {what}")

    return Tensor(t._array, False, Node(BackwardOp("once_differentiable", vjp), (*parents, t._node), (), t))
