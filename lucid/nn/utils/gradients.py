"""All gradients, or all parameters, at once: their norm, clipping, and one long vector of them.

PyTorch's `foreach` chooses among its implementations, and changes nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from lucid._suggest import suggesting as _suggesting
from lucid.core.array import Array, cpu, device_of, float16, float32, namespace, to_device
from lucid.core.node import Tensor, bump_version
from lucid.ops.shapes import cat

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "vector_to_parameters",
]  # fmt: skip
__getattr__ = _suggesting(__name__, globals())

Tensors = Tensor | Iterable[Tensor] | Iterable[tuple[str, Tensor]]  # several may come with their names


def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors together, as of one long vector: a Tensor with one number, not recorded.

    Args:
        tensors: one Tensor or several, which may be named as in `model.named_parameters()`; without any the norm is 0.
        norm_type: p of the p-norm, above 0 (else a ValueError); `float("inf")` takes the largest magnitude.
        error_if_nonfinite: whether a NaN or infinite norm is a RuntimeError (True makes the program wait for the GPU).
    """
    if not norm_type > 0:
        raise ValueError(f"norm_type must be above 0 (2.0 or float('inf'), say), got {norm_type}")
    named = _named(tensors)
    arrays = [tensor._array for _, tensor in named]
    if not arrays:
        return Tensor(cpu.zeros((), dtype=float32))
    xp, device = namespace(arrays[0]), device_of(arrays[0])
    norms = xp.concatenate([to_device(_norm(array, norm_type), device).reshape(1) for array in arrays])
    total = _norm(norms, norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        odd = [f"gradient {name}, of shape {tuple(t.shape)}, has the norm {float(norm)}"
               for (name, t), norm in zip(named, norms, strict=True) if not math.isfinite(norm)]  # fmt: skip
        odd = odd or ["it is too large"]
        fix = "find what makes a gradient NaN or infinite, or pass error_if_nonfinite=False to go on"
        raise RuntimeError(f"the total norm is {float(total)}: {odd[0]}; {fix} regardless")
    return Tensor(total)


def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients by one factor, in place, to a total norm of at most `max_norm`; gives the norm before.

    The factor is max_norm / (norm + 1e-6), as in PyTorch. Parameters without a gradient are passed over; of those that
    come from `model.named_parameters()` errors tell the name. Source: Pascanu et al. 2013, "On the difficulty of
    training recurrent neural networks", arXiv 1211.5063, algorithm 1. Errors as `get_total_norm`, when nothing has
    changed, and a ValueError if `max_norm` is negative or NaN.

    >>> from lucid import nn, tensor
    >>> w = nn.Parameter([3.0, 4.0])
    >>> w.grad = tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_(w, max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6, 0.8])
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must be 0 or more, got {max_norm}")
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    if gradients:
        xp = namespace(total._array)
        factor = xp.minimum(max_norm / (total._array + 1e-6), 1.0)  # no branch, which would wait for the GPU
        for _, gradient in gradients:
            array = gradient._array
            with xp.quiet():  # an infinite norm makes NaN of what is infinite, and 0 of the rest
                array *= to_device(factor, device_of(array)).astype(array.dtype)
            bump_version(array)
    return total


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Hold every element of every gradient in [-clip_value, clip_value], in place; a ValueError if that is negative
    or NaN."""
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must be 0 or more, got {clip_value}")
    for _, gradient in _gradients(parameters):
        array = gradient._array
        array[...] = namespace(array).maximum(namespace(array).minimum(array, clip_value), -clip_value)
        bump_version(array)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters in one vector, in order; gradients flow back. A ValueError if there are none."""
    flat = [parameter.reshape(-1) for parameter in parameters]
    if not flat:
        raise ValueError("parameters_to_vector: got no parameters; was a generator such as model.parameters() used up?")
    return cat(flat)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of `vec` into the parameters, in order: the inverse of `parameters_to_vector`. A ValueError if
    `vec` is not a vector with as many elements as the parameters; nothing changes then."""
    parameters = list(parameters)
    total = sum(parameter.numel() for parameter in parameters)
    if tuple(vec.shape) != (total,):
        expected = f"the parameters have {total} elements, so vec must have shape ({total},)"
        raise ValueError(f"vector_to_parameters: {expected}, got {tuple(vec.shape)}")
    values = namespace(vec._array).copy(vec._array)  # vec may be a view of the parameters themselves
    for parameter in parameters:
        array, n = parameter._array, parameter.numel()
        array[...] = to_device(values[:n], device_of(array)).reshape(array.shape)
        bump_version(array)
        values = values[n:]


def _named(tensors: Tensors) -> list[tuple[str, Tensor]]:
    """The tensors with their names; for a name that is not given stands which of how many it is."""
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    return [x if isinstance(x, tuple) else (f"{i} of {len(given)}", x) for i, x in enumerate(given, 1)]


def _gradients(parameters: Tensors) -> list[tuple[str, Tensor]]:
    return [(name, parameter.grad) for name, parameter in _named(parameters) if parameter.grad is not None]


def _norm(array: Array, p: float) -> Array:
    """The p-norm of all elements, a 0-d array; half precision is summed in float32."""
    xp, wide = namespace(array), array.astype(float32) if array.dtype == float16 else array
    if p == math.inf:
        return xp.asarray(xp.max(xp.abs(wide))) if wide.size else xp.zeros((), dtype=wide.dtype)
    return xp.asarray(xp.norm(wide, ord=float(p)))
