"""Chapter 5d. Operators and methods: every operation in the place where `x + y` and `x.exp()` look for it.

They are the functions of the chapters before, as they are: `Tensor.exp` is `lucid.exp`. That costs no second call, and
there is no second place for a default or a docstring to go wrong in.
"""

from __future__ import annotations

from typing import Any

from lucid import functions, shaping
from lucid.operands import ndim_of
from lucid.ops import arithmetic, linear, shapes, special
from lucid.ops import functions as elementwise
from lucid.ops import sort_index as selecting


class Operations:
    """The operations as methods of Tensor."""

    __slots__ = ()

    __add__, __sub__, __mul__, __truediv__ = arithmetic.add, arithmetic.subtract, arithmetic.multiply, arithmetic.divide
    __mod__, __floordiv__, __matmul__ = arithmetic.remainder, arithmetic.floor_divide, linear.matmul
    __radd__, __rmul__ = arithmetic.add, arithmetic.multiply
    __neg__, __invert__, __abs__, __pow__ = arithmetic.negative, arithmetic.invert, elementwise.abs, functions.pow
    __lt__, __le__, __gt__, __ge__ = (
        arithmetic.less,
        arithmetic.less_equal,
        arithmetic.greater,
        arithmetic.greater_equal,
    )
    __and__, __or__, __xor__ = arithmetic.logical_and, arithmetic.logical_or, arithmetic.logical_xor
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __rsub__(self, other: Any) -> Any:
        return arithmetic.subtract(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return arithmetic.divide(other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return arithmetic.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Any:
        return arithmetic.remainder(other, self)

    def __rpow__(self, other: Any) -> Any:
        return functions.pow(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return linear.matmul(other, self)

    def __eq__(self, other: Any) -> Any:
        return False if other is None else arithmetic.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None else arithmetic.not_equal(self, other)

    __hash__ = object.__hash__  # a tensor is a thing, not its value: dicts and sets go by identity

    exp, log, log1p, log2, log10, expm1 = (
        elementwise.exp, elementwise.log, elementwise.log1p, elementwise.log2, elementwise.log10, elementwise.expm1,
    )  # fmt: skip
    sqrt, square, reciprocal, sin, cos, tan = (
        elementwise.sqrt, elementwise.square, elementwise.reciprocal, elementwise.sin, elementwise.cos, elementwise.tan,
    )  # fmt: skip
    abs, sign, floor, ceil, trunc, erf = (
        elementwise.abs, elementwise.sign, elementwise.floor, elementwise.ceil, elementwise.trunc, special.erf,
    )  # fmt: skip
    tanh, sigmoid, relu, rsqrt, round = (
        elementwise.tanh, elementwise.sigmoid, elementwise.relu, functions.rsqrt, functions.round,
    )  # fmt: skip
    isnan, isinf, isfinite, isclose, allclose = (
        arithmetic.isnan, arithmetic.isinf, arithmetic.isfinite, functions.isclose, functions.allclose,
    )  # fmt: skip
    pow, matmul, maximum, minimum, dot, outer = (
        functions.pow, linear.matmul, arithmetic.maximum, arithmetic.minimum, functions.dot, functions.outer,
    )  # fmt: skip
    clamp = clip = functions.clamp
    mm, bmm = functions.mm, functions.bmm
    sum, mean, prod, max, min, amax, amin = (
        functions.sum, functions.mean, functions.prod, functions.max, functions.min, functions.amax, functions.amin,
    )  # fmt: skip
    argmax, argmin, any, all, var, std = (
        functions.argmax, functions.argmin, functions.any, functions.all, functions.var, functions.std,
    )  # fmt: skip
    logsumexp, norm, cumsum, cumprod, softmax, log_softmax = (
        functions.logsumexp, functions.norm, functions.cumsum, functions.cumprod, functions.softmax,
        functions.log_softmax,
    )  # fmt: skip
    reshape, view, flatten, squeeze, unsqueeze = (
        shaping.reshape, shaping.view, shaping.flatten, shaping.squeeze, shaping.unsqueeze,
    )  # fmt: skip
    transpose, permute, movedim, t, expand, broadcast_to = (
        shaping.transpose, shaping.permute, shaping.movedim, shaping.t, shaping.expand, shaping.broadcast_to,
    )  # fmt: skip
    swapaxes = shaping.transpose
    repeat, tile, split, chunk, unbind, flip, roll = (
        shaping.repeat, shaping.tile, shaping.split, shaping.chunk, shaping.unbind, shaping.flip, shaping.roll,
    )  # fmt: skip
    gather, index_select, masked_fill, masked_select = (
        selecting.gather, selecting.index_select, selecting.masked_fill, selecting.masked_select,
    )  # fmt: skip
    tril, triu, diag, diagonal, trace, narrow = (
        selecting.tril, selecting.triu, selecting.diag, selecting.diagonal, selecting.trace, selecting.narrow,
    )  # fmt: skip
    take_along_dim, scatter, scatter_add, index_add = (
        selecting.take_along_dim, selecting.scatter, selecting.scatter_add, selecting.index_add,
    )  # fmt: skip
    sort, argsort, topk = selecting.sort, selecting.argsort, selecting.topk
    add, sub, mul, div, neg = (
        arithmetic.add, arithmetic.subtract, arithmetic.multiply, arithmetic.divide, arithmetic.negative,
    )  # fmt: skip
    eq, ne, lt, le, gt, ge = (
        arithmetic.equal, arithmetic.not_equal, arithmetic.less, arithmetic.less_equal, arithmetic.greater,
        arithmetic.greater_equal,
    )  # fmt: skip
    clone = arithmetic.positive
    __getitem__ = shaping.getitem

    def dim(self: Any) -> Any:
        """The number of dims."""
        return self._array.ndim

    def numel(self: Any) -> Any:
        """The number of elements."""
        return self._array.size

    nelement = numel

    @property
    def T(self: Any) -> Any:
        """The dims in reverse order: for a matrix, its transpose."""
        return shapes.transpose(self, axes=tuple(range(self.ndim))[::-1])

    @property
    def mT(self: Any) -> Any:
        """The transpose of the last two dims."""
        return shaping.transpose(self, -2, -1)

    def expand_as(self: Any, other: Any) -> Any:
        """Stretched to the shape of `other`."""
        return shaping.expand(self, other.shape)

    def view_as(self: Any, other: Any) -> Any:
        """`view` with the shape of another tensor."""
        ndim_of("view_as", other)
        return self.view(other.shape)

    def reshape_as(self: Any, other: Any) -> Any:
        """`reshape` with the shape of another tensor."""
        ndim_of("reshape_as", other)
        return self.reshape(other.shape)

    def size(self: Any, dim: Any = None) -> Any:
        """The shape, or the length of one dim."""
        return self.shape if dim is None else self.shape[shaping.axis_of("size", dim, self.ndim)]

    def element_size(self: Any) -> Any:
        """The bytes that one element takes."""
        return self._array.itemsize

    def is_floating_point(self: Any) -> Any:
        """Whether the dtype is a float one."""
        return self._array.dtype.kind == "f"

    def is_contiguous(self: Any) -> Any:
        """Whether the elements lie row by row without gaps."""
        return bool(self._array.flags.c_contiguous)
