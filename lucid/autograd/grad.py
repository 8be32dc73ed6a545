"""The gradient of anything with respect to anything: a backward pass from and to tensors of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lucid.core.array import namespace
from lucid.core.backward import backward as run_backward
from lucid.core.backward import gradients_of
from lucid.core.node import Tensor
from lucid.ops.shapes import stack

Tensors = Tensor | Sequence[Tensor]


def tensor_list(function: str, what: str, value: Any) -> list[Any]:
    """`value`, one Tensor or several, as a list; a TypeError that names `what` for anything else."""
    tensors = [value] if isinstance(value, Tensor) or not hasattr(value, "__iter__") else list(value)
    if not tensors or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError(f"{function}: expected {what} to be a Tensor or a sequence of Tensors, got {value!r}")
    return tensors


def _initial_gradients(function: str, value: Any, outputs: list[Tensor]) -> list[Any]:
    """The gradient to start from at each output, or None."""
    if value is None:
        return [None] * len(outputs)
    gradients = [value] if isinstance(value, Tensor) else list(value)
    if len(gradients) != len(outputs):
        raise ValueError(f"{function}: {len(outputs)} outputs, but {len(gradients)} gradients to start from")
    return gradients


def backward(
    tensors: Tensors, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:  # fmt: skip
    """`Tensor.backward` from several tensors in one backward pass: the leaves' `grad` get the sum of all."""
    outputs = tensor_list("backward", "tensors", tensors)
    gradients = _initial_gradients("backward", grad_tensors, outputs)
    run_backward(outputs, gradients, retain_graph, create_graph, inputs)


def grad(
    outputs: Tensors, inputs: Tensors, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, *, allow_unused: bool | None = None, materialize_grads: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradient of the (sum of) `outputs` with respect to each of `inputs`; no tensor's `grad` is touched.

    Args:
        outputs: one tensor or several; those with more than one element need an entry in `grad_outputs`.
        inputs: leaves or computed tensors; only nodes on a path from them to the outputs are visited. A RuntimeError
            for one that requires no gradient, or that the outputs do not depend on.
        grad_outputs: for each output, the gradient of some later quantity with respect to it, or None for 1.
        retain_graph, create_graph: as in `Tensor.backward`.
        allow_unused: give None, instead of an error, for inputs that the outputs do not depend on.
        materialize_grads: give zeros for these; a ValueError if `allow_unused=False` asks for an error.

    >>> import lucid
    >>> x = lucid.tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True gives zeros where allow_unused=False asks for an error")
    ys, xs = tensor_list("grad", "outputs", outputs), tensor_list("grad", "inputs", inputs)
    for i, x in enumerate(xs):
        if x._node is None:
            given = f"input {i} (shape {x.shape})"
            raise RuntimeError(f"grad: {given} does not require a gradient; call requires_grad_() first")
    starts = _initial_gradients("grad", grad_outputs, ys)
    by_node = dict(gradients_of(ys, starts, retain_graph, create_graph, {x._node for x in xs}))
    gradients: list[Tensor | None] = []
    seen: set[Any] = set()
    for i, x in enumerate(xs):
        g = by_node.get(x._node)
        if g is not None:  # an input that is named twice gets two gradients, each its own
            gradients.append(g.clone() if x._node in seen else g.to(x.dtype))
            seen.add(x._node)
        elif materialize_grads:
            gradients.append(x.new_zeros(x.shape))
        elif allow_unused:
            gradients.append(None)
        else:
            hint = "allow_unused=True gives None for it, materialize_grads=True zeros"
            raise RuntimeError(f"grad: the outputs do not depend on input {i} (shape {x.shape}); {hint}")
    return tuple(gradients)


def jacobians(y: Tensor, xs: list[Tensor], row: Callable[[Tensor], Sequence[Tensor]]) -> list[Tensor]:
    """dy/dx of each x, of shape y.shape + x.shape; `row` gives the gradients of all x, given that of y."""
    xp, n = namespace(y._array), y.numel()
    rows = [row(Tensor(g)) for g in (xp.eye(n, dtype=y.dtype).reshape((n, *y.shape)) if y.requires_grad else ())]
    shapes = [y.shape + x.shape for x in xs]
    if not rows:
        return [x.new_zeros(shape) for x, shape in zip(xs, shapes, strict=True)]
    return [stack(column).reshape(shape) for *column, shape in zip(*rows, shapes, strict=True)]
