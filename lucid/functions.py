"""Chapter 5b. PyTorch's names for reductions, joins and the rest whose arguments need a word.

Each function here is also the method of that name: `lucid.sum(x, dim=0)` and `x.sum(dim=0)` are one object. `dim` and
`keepdim` may be spelled `axis` and `keepdims`. What takes no arguments beside tensors needs no entry: `x.exp()` is the
operation itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lucid import backend, operands
from lucid.ops import arithmetic, functions, fused, indexing, reductions, shapes

if TYPE_CHECKING:
    from lucid.tensor import Tensor

Dim = int | Sequence[int] | None
all_of: Any = all  # this chapter has an `all` of its own


class ValuesIndices(NamedTuple):
    """What `max(dim=...)`, `min(dim=...)`, `sort` and `topk` return."""

    values: Tensor
    indices: Tensor


def numpy_style(name: str, given: dict[str, Any], dim: Any, keepdim: bool = False) -> tuple[Any, bool]:
    """Let `axis` and `keepdims` stand for `dim` and `keepdim`."""
    dim, keepdim = given.pop("axis", dim), given.pop("keepdims", keepdim)
    if given:
        raise TypeError(
            f"{name}: unexpected keyword {next(iter(given))!r}; expected dim and keepdim (or axis and keepdims)"
        )
    return dim, keepdim


def axes(name: str, dim: Any, several: bool = True) -> Any:
    """A `dim` argument as NumPy wants it: None, an int or, where `several` may be given, a tuple.

    Raises:
        TypeError: for anything else.
    """
    if dim is None or isinstance(dim, int):
        return dim
    if several and isinstance(dim, (tuple, list)) and all_of(isinstance(d, int) for d in dim):
        return tuple(dim) or None  # as in PyTorch: no dims named are all of them
    raise TypeError(f"{name}: expected an int{', several ints' * several} or None for dim, got {dim!r}")


def number(value: Any) -> Any:
    """A NumPy scalar as the Python number it stands for, which changes no dtype; anything else as it is."""
    return value.item() if backend.is_scalar(value) else value


# -- reductions ------------------------------------------------------------------------------------------------------


def sum(x: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Any) -> Tensor:
    """The sum over `dim` (an int, several, or None for all); bools and small integers add up as int64.

    >>> import lucid
    >>> lucid.tensor([[1., 2.], [3., 4.]]).sum(dim=0)
    tensor([4., 6.])
    """
    if numpy:
        dim, keepdim = numpy_style("sum", numpy, dim, keepdim)
    x = x if dtype is None else x.to(dtype)
    return reductions.sum(x, axis=axes("sum", dim), keepdims=keepdim)


def mean(x: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Any) -> Tensor:
    """The mean over `dim`, sum(x) / n of n elements; of integers and bools too, as a float."""
    if numpy:
        dim, keepdim = numpy_style("mean", numpy, dim, keepdim)
    x = x if dtype is None else x.to(dtype)
    return reductions.mean(x, axis=axes("mean", dim), keepdims=keepdim)


def prod(x: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Any) -> Tensor:
    """The product over `dim`; its gradient is right where elements are 0."""
    if numpy:
        dim, keepdim = numpy_style("prod", numpy, dim, keepdim)
    x = x if dtype is None else x.to(dtype)
    return reductions.prod(x, axis=axes("prod", dim), keepdims=keepdim)


def amax(x: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """The largest element over `dim`; ties share the gradient evenly."""
    if numpy:
        dim, keepdim = numpy_style("amax", numpy, dim, keepdim)
    return reductions.amax(x, axis=axes("amax", dim), keepdims=keepdim)


def amin(x: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """The smallest element over `dim`; ties share the gradient evenly."""
    if numpy:
        dim, keepdim = numpy_style("amin", numpy, dim, keepdim)
    return reductions.amin(x, axis=axes("amin", dim), keepdims=keepdim)


def max(x: Tensor, dim: Any = None, keepdim: bool = False, **numpy: Any) -> Any:
    """The largest of all elements; with an int `dim`, (values, indices) along it; with a tensor, `maximum`.

    Along a `dim` the gradient goes to the element at the index alone; over all elements ties share it evenly.

    >>> import lucid
    >>> lucid.tensor([[1., 5.], [7., 2.]]).max(dim=1).indices
    tensor([1, 0])
    """
    return _extreme("max", arithmetic.maximum, reductions.amax, reductions.argmax, x, dim, keepdim, numpy)


def min(x: Tensor, dim: Any = None, keepdim: bool = False, **numpy: Any) -> Any:
    """The smallest of all elements; with an int `dim`, (values, indices) along it; with a tensor, `minimum`."""
    return _extreme("min", arithmetic.minimum, reductions.amin, reductions.argmin, x, dim, keepdim, numpy)


def _extreme(name: str, of_two: Any, of_all: Any, where: Any, x: Tensor, dim: Any, keepdim: bool, numpy: Any) -> Any:
    if numpy:
        dim, keepdim = numpy_style(name, numpy, dim, keepdim)
    if dim is None:
        return of_all(x)
    if not isinstance(dim, int):
        return of_two(x, dim)
    indices = where(x, axis=dim, keepdims=True)
    values = indexing.take_along(x, indices, axis=dim) if x.ndim else arithmetic.positive(x)
    if not keepdim and x.ndim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return ValuesIndices(values, indices)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """The int64 index of the largest element, the first of several; without `dim`, into the flattened tensor."""
    if numpy:
        dim, keepdim = numpy_style("argmax", numpy, dim, keepdim)
    return reductions.argmax(x, axis=axes("argmax", dim, False), keepdims=keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """The int64 index of the smallest element, the first of several; without `dim`, into the flattened tensor."""
    if numpy:
        dim, keepdim = numpy_style("argmin", numpy, dim, keepdim)
    return reductions.argmin(x, axis=axes("argmin", dim, False), keepdims=keepdim)


def any(x: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """Whether any element over `dim` is not 0."""
    if numpy:
        dim, keepdim = numpy_style("any", numpy, dim, keepdim)
    return reductions.any(x, axis=axes("any", dim), keepdims=keepdim)


def all(x: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """Whether no element over `dim` is 0."""
    if numpy:
        dim, keepdim = numpy_style("all", numpy, dim, keepdim)
    return reductions.all(x, axis=axes("all", dim), keepdims=keepdim)


def var(x: Tensor, dim: Dim = None, correction: float = 1, keepdim: bool = False, **numpy: Any) -> Tensor:
    """sum((x - mean(x)) ** 2) / (n - `correction`) over `dim`, the variance (1: the unbiased estimate; 0: plainly)."""
    if numpy:
        correction = int(bool(numpy.pop("unbiased", True))) if "unbiased" in numpy else correction
        dim, keepdim = numpy_style("var", numpy, dim, keepdim)
    return reductions.var(x, axis=axes("var", dim), correction=number(correction), keepdims=keepdim)


def std(x: Tensor, dim: Dim = None, correction: float = 1, keepdim: bool = False, **numpy: Any) -> Tensor:
    """The standard deviation over `dim`, sqrt(var(x)); its gradient for constant data is 0."""
    if numpy:
        correction = int(bool(numpy.pop("unbiased", True))) if "unbiased" in numpy else correction
        dim, keepdim = numpy_style("std", numpy, dim, keepdim)
    return reductions.std(x, axis=axes("std", dim), correction=number(correction), keepdims=keepdim)


def logsumexp(x: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow."""
    if numpy:
        dim, keepdim = numpy_style("logsumexp", numpy, dim, keepdim)
    return reductions.logsumexp(x, axis=axes("logsumexp", dim), keepdims=keepdim)


def norm(x: Tensor, p: Any = 2, dim: Dim = None, keepdim: bool = False, **numpy: Any) -> Tensor:
    """(sum |x|**p) ** (1 / p) over `dim`, for any number p; the largest or smallest magnitude for inf or -inf.

    Raises:
        ValueError: for a `p` that is not a number ("fro" is accepted for 2).
    """
    if numpy:
        dim, keepdim = numpy_style("norm", numpy, dim, keepdim)
    p = 2 if p == "fro" else p
    if not isinstance(p, (int, float)) or p != p:
        raise ValueError(f"norm: expected p to be a number, inf or -inf, got {p!r}")
    if p in (float("inf"), float("-inf")):
        largest = reductions.amax if p > 0 else reductions.amin
        return largest(functions.abs(x), axis=axes("norm", dim), keepdims=keepdim)
    return reductions.norm(x, ord=float(p), axis=axes("norm", dim), keepdims=keepdim)


def cumsum(x: Tensor, dim: int | None = None, **numpy: Any) -> Tensor:
    """The running sum along `dim`: out[i] = x[0] + ... + x[i]."""
    return _running("cumsum", reductions.cumsum, x, dim, numpy)


def cumprod(x: Tensor, dim: int | None = None, **numpy: Any) -> Tensor:
    """The running product along `dim`; its gradient is right where elements are 0."""
    return _running("cumprod", reductions.cumprod, x, dim, numpy)


def _running(name: str, op: Any, x: Tensor, dim: int | None, numpy: Any) -> Tensor:
    if numpy:
        dim, _ = numpy_style(name, numpy, dim)
    if not isinstance(dim, int):
        raise TypeError(f"{name}: expected an int for dim, got {dim!r}")
    return op(x, axis=dim) if operands.ndim_of(name, x) else arithmetic.positive(x)


def softmax(x: Tensor, dim: int | None = None, **numpy: Any) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    return _normalized("softmax", fused.softmax, x, dim, numpy)


def log_softmax(x: Tensor, dim: int | None = None, **numpy: Any) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow."""
    return _normalized("log_softmax", fused.log_softmax, x, dim, numpy)


def _normalized(name: str, op: Any, x: Tensor, dim: int | None, numpy: Any) -> Tensor:
    if numpy:
        dim, _ = numpy_style(name, numpy, dim)
    if not isinstance(dim, int):
        raise TypeError(f"{name}: expected an int for dim, got {dim!r}; classes are usually the last one, dim=-1")
    return op(x, axis=dim)


# -- element by element ----------------------------------------------------------------------------------------------


def pow(x: Any, exponent: Any) -> Tensor:
    """x to the power `exponent`, a number or a tensor."""
    x, exponent = number(x), number(exponent)
    if isinstance(exponent, (int, float)) and hasattr(x, "_array"):
        if isinstance(exponent, int) and exponent < 0 and x.dtype.kind in "iu":
            raise ValueError(f"pow: integers to the negative power {exponent} are not integers; use x.float()")
        if isinstance(exponent, float) and x.dtype.kind != "f":
            x = x.to(backend.get_default_dtype())
        x = x.to(backend.int64) if x.dtype.kind == "b" else x
        return arithmetic.power_number(x, exponent=exponent)
    if isinstance(x, (int, float)) and exponent.dtype.kind == "f":
        x = exponent.new_tensor(x)  # the formula takes its logarithm, in the dtype at hand
    return arithmetic.power(x, exponent)


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """x held between `min` and `max`, numbers or tensors, either of which may be None. The gradient passes at a bound.

    Raises:
        ValueError: if both bounds are None.
    """
    if min is None and max is None:
        raise ValueError("clamp: expected min or max (or both), got neither")
    operands.ndim_of("clamp", x)
    min, max = number(min), number(max)
    if hasattr(min, "_array") or hasattr(max, "_array"):
        x = x if min is None else arithmetic.where(x < min, min, x)
        return x if max is None else arithmetic.where(x > max, max, x)
    if x.dtype.kind != "f" and (isinstance(min, float) or isinstance(max, float)):
        x = x.to(backend.get_default_dtype())
    return functions.clip(x, min=min, max=max)


def where(condition: Tensor, x: Any = None, y: Any = None) -> Any:
    """x where `condition` holds, else y; with `condition` alone, the indices where it holds, a tensor for each dim."""
    operands.ndim_of("where", condition)
    if x is None and y is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype.kind != "b":
        raise TypeError(f"where: expected a bool condition, got {condition.dtype}; write where(t != 0, ...)")
    return arithmetic.where(condition, x, y)


def round(x: Tensor, decimals: int = 0) -> Tensor:
    """x rounded to `decimals` places, halves to the even neighbour; the gradient is 0."""
    operands.ndim_of("round", x)
    if x.dtype.kind != "f" and decimals >= 0:
        return arithmetic.positive(x)
    return functions.rint(x * 10.0**decimals) / 10.0**decimals if decimals else functions.rint(x)


def rsqrt(x: Tensor) -> Tensor:
    """1 / sqrt(x)."""
    return functions.reciprocal(functions.sqrt(x))


def isclose(x: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x - other| <= atol + rtol * |other|, element by element."""
    operands.ndim_of("isclose", x)
    if not hasattr(other, "_array"):
        other = x.to(operands.promote([x._array, number(other)])).new_tensor(other)
    at = arithmetic.where(arithmetic.isfinite(other), other, 0)  # nothing is near an infinity: it is that or not
    with backend.namespace(x._array).quiet():  # a difference may overflow
        close = (functions.abs(x - at) <= atol + rtol * functions.abs(at)) & (at == other) | (x == other)
    return close | (arithmetic.isnan(x) & arithmetic.isnan(other)) if equal_nan else close


def allclose(x: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds everywhere, as a Python bool."""
    return bool(isclose(x, other, rtol, atol, equal_nan).all())


# -- products --------------------------------------------------------------------------------------------------------


def dot(x: Tensor, other: Tensor) -> Tensor:
    """sum(x * other), for two 1-D tensors of one length.

    Raises:
        ValueError: for other shapes.
    """
    if operands.ndim_of("dot", x) != 1 or operands.ndim_of("dot", other) != 1 or x.shape != other.shape:
        raise ValueError(f"dot: expected two 1-D tensors of one length, got shapes {x.shape} and {other.shape}")
    return x @ other


def mm(x: Tensor, other: Tensor) -> Tensor:
    """The product of two matrices, out[i, j] = sum over l of x[i, l] * other[l, j]: (n, k) and (k, m) give (n, m).

    Raises:
        ValueError: if one is not 2-D.
    """
    return _product("mm", 2, x, other)


def bmm(x: Tensor, other: Tensor) -> Tensor:
    """The products of the matrices in two batches, pair by pair: (b, n, k) and (b, k, m) give (b, n, m).

    Raises:
        ValueError: if one is not 3-D, or the batches differ in length.
    """
    return _product("bmm", 3, x, other)


def _product(name: str, ndim: int, x: Tensor, other: Tensor) -> Tensor:
    ndims = operands.ndim_of(name, x), operands.ndim_of(name, other)
    if ndims != (ndim, ndim) or x.shape[: ndim - 2] != other.shape[: ndim - 2]:
        raise ValueError(
            f"{name}: expected two {ndim}-D tensors, got shapes {x.shape} and {other.shape}; matmul broadcasts"
        )
    return x @ other


def outer(x: Tensor, other: Tensor) -> Tensor:
    """out[i, j] = x[i] * other[j], for 1-D tensors: (n,) and (m,) give (n, m).

    Raises:
        ValueError: if one is not 1-D.
    """
    if operands.ndim_of("outer", x) != 1 or operands.ndim_of("outer", other) != 1:
        raise ValueError(f"outer: expected two 1-D tensors, got shapes {x.shape} and {other.shape}")
    return x.unsqueeze(1) * other


# -- joins -----------------------------------------------------------------------------------------------------------


def cat(tensors: Sequence[Tensor], dim: int = 0, **numpy: Any) -> Tensor:
    """The tensors joined along a dim they have; the others must agree."""
    if numpy:
        dim, _ = numpy_style("cat", numpy, dim)
    return shapes.cat(*_several("cat", tensors, dim), axis=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0, **numpy: Any) -> Tensor:
    """The tensors, all of one shape, joined along a new dim.

    Raises:
        ValueError: if the shapes differ.
    """
    if numpy:
        dim, _ = numpy_style("stack", numpy, dim)
    tensors = _several("stack", tensors, dim)
    ndim = ([operands.ndim_of("stack", t) for t in tensors] or [0])[0] + 1
    if differing := [t.shape for t in tensors if t.shape != tensors[0].shape]:
        raise ValueError(f"stack: expected tensors of one shape, got {tensors[0].shape} and {differing[0]}")
    if not -ndim <= dim < ndim:
        raise IndexError(f"stack: dim {dim} is out of range; expected {-ndim} to {ndim - 1}")
    return shapes.stack(*tensors, axis=dim)


def _several(name: str, tensors: Any, dim: Any) -> list[Any]:
    if not isinstance(dim, int):
        raise TypeError(
            f"{name}: expected an int for dim, got {type(dim).__name__}; pass the tensors as one list, {name}([x, y])"
        )
    if hasattr(tensors, "_array") and not tensors.ndim or not hasattr(tensors, "__iter__"):
        raise TypeError(f"{name}: expected a sequence of tensors, got {type(tensors).__name__}")
    return list(tensors)
