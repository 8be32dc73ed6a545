"""What is a correct gradient? It is the slope that differences of the function itself measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lucid.autograd.grad import Tensors, grad, jacobians, tensor_list
from lucid.autograd.grad_mode import enable_grad
from lucid.core.array import cpu, float64, to_device, to_numpy
from lucid.core.node import Tensor

_RANDOM = (
    "gradcheck: func gave something else when it was called again; take the randomness out, or have it begin with "
    "lucid.manual_seed"
)


Func = Callable[..., Any]


class GradcheckError(RuntimeError):
    """What `gradcheck` found wrong."""


def gradcheck(
    func: Func, inputs: Tensors, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Whether the gradients of `func(*inputs)` are the slopes that central differences of step `eps` measure.

    Every element of every output is checked against every element of every input that requires a gradient:
    keep them few. Inputs must be float64, for in float32 the differences drown in rounding. An output without
    a history must not change with the inputs. That `func` gives the same twice, and leaves its inputs alone,
    is checked first.

    Where slopes differ by more than atol + rtol * |slope|, raises GradcheckError, a RuntimeError that names
    output, input and both slopes; or gives False, with raise_exception=False. Raises TypeError for an input
    that requires a gradient and is not float64, and ValueError if no input requires one.

    >>> import lucid
    >>> gradcheck(lucid.tanh, lucid.linspace(-1, 1, 4, dtype=lucid.float64, requires_grad=True))
    True
    """
    originals = tensor_list("gradcheck", "inputs", inputs)
    for i, x in enumerate(originals):
        if x.requires_grad and x.dtype != float64:
            raise TypeError(f"gradcheck: input {i} is {x.dtype}; expected float64, use x.double()")
    if not any(x.requires_grad for x in originals):
        raise ValueError("gradcheck: none of the inputs requires a gradient")
    try:
        _check(func, [x.detach().clone().requires_grad_(x.requires_grad) for x in originals], eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func: Func, xs: list[Tensor], eps: float, atol: float, rtol: float) -> None:
    before = [x._array.copy() for x in xs]
    outputs = _outputs(func, xs)
    for i, (x, old) in enumerate(zip(xs, before, strict=True)):
        if not _same(x._array, old):
            raise GradcheckError(f"gradcheck: func changed its input {i} in place; have it work on a clone()")
    again = _outputs(func, xs, outputs)
    if not all(map(_same, (y._array for y in again), (y._array for y in outputs))):
        raise GradcheckError(_RANDOM)
    numbers = [i for i, x in enumerate(xs) if x.requires_grad]
    active = [xs[i] for i in numbers]
    numeric = [_numeric_jacobians(func, xs, x, outputs, eps) for x in active]
    for k, y in ((k, y) for k, y in enumerate(outputs) if y.dtype.kind == "f"):
        gradient = partial(grad, y, active, retain_graph=True, materialize_grads=True)
        measured = [of_outputs[k] for of_outputs in numeric]
        for i, analytic, slopes in zip(numbers, jacobians(y, active, gradient), measured, strict=True):
            jacobian = to_numpy(analytic._array).reshape(slopes.shape)  # (elements of y, elements of x)
            wrong = ~(abs(jacobian - slopes) <= atol + rtol * abs(slopes))  # so that NaN is wrong
            if wrong.any():
                j, e = (int(indices[0]) for indices in wrong.nonzero())
                found = f"{jacobian[j, e]:.8g} by backward and {slopes[j, e]:.8g} by central differences"
                place = f"output {k}, element {j}, along input {i}, element {e}"
                raise GradcheckError(f"gradcheck: the slope of {place}, is {found}")


def _outputs(func: Func, xs: list[Tensor], like: list[Tensor] | None = None) -> list[Tensor]:
    """What func gives, in a list; of the shapes of `like`, what it gave before."""
    outputs = tensor_list("gradcheck", "what func returns", func(*xs))
    if like is not None and [y.shape for y in outputs] != [y.shape for y in like]:
        raise GradcheckError(_RANDOM)
    return outputs


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, NaN included."""
    return a.shape == b.shape and bool(((a == b) | (a != a) & (b != b)).all())




def _numeric_jacobians(func: Func, xs: list[Tensor], x: Tensor, ys: list[Tensor], eps: float) -> list[Any]:
    """dy/dx of each output y for one of `xs`, by central differences."""
    flat, jacobians = x._array.reshape(-1), [cpu.zeros((y.numel(), x.numel())) for y in ys]
    for e in range(flat.size):
        before = float(flat[e])
        for step in (eps, -eps):
            flat[e] = before + step
            with enable_grad():  # func may take gradients itself
                ends = _outputs(func, xs, ys)
            for jacobian, y in zip(jacobians, ends, strict=True):
                jacobian[:, e] += to_numpy(y._array).reshape(-1) / (2 * step)
        flat[e] = before
    return jacobians


def gradgradcheck(
    func: Func, inputs: Tensors, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradients of `func`: whether its second derivatives are right. `grad_outputs` are
    the gradients to start from; without them a fixed, uneven pattern is used."""
    xs = tensor_list("gradgradcheck", "inputs", inputs)
    outputs = [t for t in _outputs(func, xs) if t.requires_grad]
    if grad_outputs is None:
        cosine: Any = lambda t: cpu.cos(cpu.arange(t.numel(), dtype=t.dtype).reshape(t.shape)) + 1.5
        starts = [Tensor(to_device(cosine(t), t.device), t.dtype == float64) for t in outputs]
    else:
        given = tensor_list("gradgradcheck", "grad_outputs", grad_outputs)
        starts = [t.detach().clone().requires_grad_() for t in given]
    active = [i for i, x in enumerate(xs) if x.requires_grad]

    def first(*tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, starts = tensors[: len(xs)], tensors[len(xs) :]
        out = [t for t in _outputs(func, list(inputs)) if t.requires_grad]
        return grad(out, [inputs[i] for i in active], starts, create_graph=True, materialize_grads=True)

    return gradcheck(first, [*xs, *starts], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)
