"""Gradients of anything with respect to anything: the walk of chapter 4, started and stopped where one likes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lucid.tensor import Tensor, differentiate
from lucid.tensor import backward as _backward

Tensors = Tensor | Sequence[Tensor]


def listed(name: str, what: str, given: Any) -> list[Any]:
    """`given`, one Tensor or several, as a list."""
    found = [given] if isinstance(given, Tensor) or not hasattr(given, "__iter__") else list(given)
    if not found or not all(isinstance(t, Tensor) for t in found):
        raise TypeError(f"{name}: expected {what} to be a Tensor or a sequence of Tensors, got {given!r}")
    return found


def _starts(name: str, given: Any, outputs: list[Tensor]) -> list[Any]:
    """The gradients to start from, one (or None) for each output."""
    found = [given] if given is None or isinstance(given, Tensor) else list(given)
    if given is None:
        found = [None] * len(outputs)
    if len(found) != len(outputs):
        raise ValueError(f"{name}: {len(outputs)} outputs, but {len(found)} gradients to start from")
    return found


def backward(
    tensors: Tensors, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:  # fmt: skip
    """`Tensor.backward` from several tensors in one walk: the leaves' `grad` get the sum of all."""
    outputs = listed("backward", "tensors", tensors)
    _backward(outputs, _starts("backward", grad_tensors, outputs), retain_graph, create_graph, inputs)


def grad(
    outputs: Tensors, inputs: Tensors, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, *, allow_unused: bool | None = None, materialize_grads: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradient of the (sum of) `outputs` with respect to each of `inputs`; no tensor's `grad` is touched.

    Args:
        outputs: one tensor or several; those with more than one element need an entry in `grad_outputs`.
        inputs: leaves or computed tensors; only the paths from them to the outputs are walked.
        grad_outputs: for each output, the gradient of some later quantity with respect to it, or None for 1.
        retain_graph, create_graph: as in `Tensor.backward`.
        allow_unused: give None, instead of an error, for inputs that the outputs do not depend on.
        materialize_grads: give zeros for these.

    Raises:
        RuntimeError: for an input that requires no gradient, or that the outputs do not depend on.
        ValueError: if `materialize_grads` should give zeros and `allow_unused=False` an error.

    >>> import lucid
    >>> x = lucid.tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True gives zeros where allow_unused=False asks for an error")
    out, wrt = listed("grad", "outputs", outputs), listed("grad", "inputs", inputs)
    for i, x in enumerate(wrt):
        if x._node is None:
            raise RuntimeError(
                f"grad: input {i} (shape {x.shape}) does not require a gradient; call requires_grad_() first"
            )
    starts = _starts("grad", grad_outputs, out)
    found = dict(differentiate(out, starts, retain_graph, create_graph, {x._node for x in wrt}))
    gradients: list[Tensor | None] = []
    given: set[Any] = set()
    for i, x in enumerate(wrt):
        g = found.get(x._node)
        if g is not None:  # an input that is named twice gets two gradients, each its own
            gradients.append(g.clone() if x._node in given else g.to(x.dtype))
            given.add(x._node)
        elif materialize_grads:
            gradients.append(x.new_zeros(x.shape))
        elif allow_unused:
            gradients.append(None)
        else:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i} (shape {x.shape}); allow_unused=True gives None for it, "
                f"materialize_grads=True zeros"
            )
    return tuple(gradients)
