"""What "correct" means for a gradient: it is the slope that differences of the function itself measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid import backend
from lucid.autograd.gradients import Tensors, grad, listed
from lucid.recording import enable_grad
from lucid.tensor import Tensor

_RANDOM = (
    "gradcheck: func gave something else when it was called again; take the randomness out, or have it begin with "
    "lucid.manual_seed"
)


class GradcheckError(RuntimeError):
    """What `gradcheck` found wrong."""


def gradcheck(
    func: Callable[..., Any], inputs: Tensors, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Whether the gradients of `func(*inputs)` are the slopes that central differences of step `eps` measure.

    Every element of every output is checked against every element of every input that requires a gradient: keep them
    few. Inputs must be float64, for in float32 the differences drown in rounding. An output without a history must not
    change with the inputs. That `func` gives the same twice, and leaves its inputs alone, is checked first.

    Raises:
        GradcheckError: (a RuntimeError) naming output, input and both slopes where they differ by more than
            atol + rtol * |slope|; or False, with raise_exception=False.
        TypeError: for an input that requires a gradient and is not float64.
        ValueError: if no input requires a gradient.

    >>> import lucid
    >>> gradcheck(lucid.tanh, lucid.linspace(-1, 1, 4, dtype=lucid.float64, requires_grad=True))
    True
    """
    originals = listed("gradcheck", "inputs", inputs)
    for i, x in enumerate(originals):
        if x.requires_grad and x.dtype != backend.float64:
            raise TypeError(f"gradcheck: input {i} is {x.dtype}; expected float64, use x.double()")
    if not any(x.requires_grad for x in originals):
        raise ValueError("gradcheck: none of the inputs requires a gradient")
    xs = [x.detach().clone().requires_grad_(x.requires_grad) for x in originals]
    try:
        _check(func, xs, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func: Callable[..., Any], xs: list[Tensor], eps: float, atol: float, rtol: float) -> None:
    before = [x._array.copy() for x in xs]
    outputs = _outputs(func, xs)
    for i, (x, old) in enumerate(zip(xs, before, strict=True)):
        if not _same(x._array, old):
            raise GradcheckError(f"gradcheck: func changed its input {i} in place; have it work on a clone()")
    again = _outputs(func, xs, outputs)
    if not all(map(_same, (y._array for y in again), (y._array for y in outputs))):
        raise GradcheckError(_RANDOM)
    active = [(i, x) for i, x in enumerate(xs) if x.requires_grad]
    numeric = [_slopes(func, xs, x, outputs, eps) for _, x in active]
    for k, y in enumerate(outputs):
        if y.dtype.kind != "f":
            continue
        for (i, _), found, slopes in zip(active, _gradients(y, [x for _, x in active]), numeric, strict=True):
            wrong = ~(abs(found - slopes[k]) <= atol + rtol * abs(slopes[k]))  # so that NaN is wrong
            if wrong.any():
                j, e = (int(where[0]) for where in wrong.nonzero())
                raise GradcheckError(
                    f"gradcheck: the slope of output {k}, element {j}, along input {i}, element {e}, is "
                    f"{found[j, e]:.8g} by backward and {slopes[k][j, e]:.8g} by central differences"
                )


def _outputs(func: Callable[..., Any], xs: list[Tensor], like: list[Tensor] | None = None) -> list[Tensor]:
    """What func gives, in a list; of the shapes of `like`, what it gave before."""
    found = listed("gradcheck", "what func returns", func(*xs))
    if like is not None and [y.shape for y in found] != [y.shape for y in like]:
        raise GradcheckError(_RANDOM)
    return found


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, NaN included."""
    return a.shape == b.shape and bool(((a == b) | (a != a) & (b != b)).all())


def _gradients(y: Tensor, xs: list[Tensor]) -> list[Any]:
    """For each x an array with a row for each element of y: how that changes with each element of x, by backward."""
    found = [backend.cpu.zeros((y.numel(), x.numel())) for x in xs]
    for j in range(y.numel() if y.requires_grad else 0):
        start = backend.cpu.zeros(y.numel(), dtype=y.dtype)
        start[j] = 1
        start = Tensor(backend.to_device(start.reshape(y.shape), y.device))
        for rows, g in zip(found, grad(y, xs, start, retain_graph=True, allow_unused=True), strict=True):
            if g is not None:
                rows[j] = backend.to_numpy(g._array).reshape(-1)
    return found


def _slopes(func: Callable[..., Any], xs: list[Tensor], x: Tensor, outputs: list[Tensor], eps: float) -> list[Any]:
    """For each output such an array for one x, by central differences."""
    flat, found = x._array.reshape(-1), [backend.cpu.zeros((y.numel(), x.numel())) for y in outputs]
    for e in range(flat.size):
        before = float(flat[e])
        for step in (eps, -eps):
            flat[e] = before + step
            with enable_grad():  # func may take gradients itself
                ends = _outputs(func, xs, outputs)
            for slopes, y in zip(found, ends, strict=True):
                slopes[:, e] += backend.to_numpy(y._array).reshape(-1) / (2 * step)
        flat[e] = before
    return found


def gradgradcheck(
    func: Callable[..., Any], inputs: Tensors, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradients of `func`: whether its second derivatives are right.

    `grad_outputs` are the starting gradients; without them a fixed, uneven pattern is used.
    """
    xs = listed("gradgradcheck", "inputs", inputs)
    outputs = [t for t in _outputs(func, xs) if t.requires_grad]
    if grad_outputs is None:
        starts = [_pattern(t).requires_grad_(t.dtype == backend.float64) for t in outputs]
    else:
        starts = [t.detach().clone().requires_grad_() for t in listed("gradgradcheck", "grad_outputs", grad_outputs)]
    active = [i for i, x in enumerate(xs) if x.requires_grad]

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        xs, starts = given[: len(given) - len(outputs)], given[len(given) - len(outputs) :]
        out = [t for t in _outputs(func, list(xs)) if t.requires_grad]
        return grad(out, [xs[i] for i in active], starts, create_graph=True, materialize_grads=True)

    return gradcheck(first, [*xs, *starts], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _pattern(t: Tensor) -> Tensor:
    steps = backend.cpu.arange(t.numel(), dtype=t.dtype).reshape(t.shape)
    return Tensor(backend.to_device(backend.cpu.cos(steps) + 1.5, t.device))
