"""What a row of the table is, and the arrays that rows are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

import numpy as np


@dataclass
class Row:
    """One sample call; `constants` are inputs without gradients (indices, masks)."""

    f: Callable[..., Any]
    inputs: tuple[Any, ...]
    second: bool = True  # whether torch too can differentiate this twice
    eps: float = 1e-6  # the step of the numeric slope
    name: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)


def row(f: Callable[..., Any], *inputs: Any, second: bool = True, eps: float = 1e-6) -> Row:
    return Row(f, inputs, second, eps)


def uniform(*shape: int, lo: float = -2.0, hi: float = 2.0) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(lo, hi, shape)


def positive(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return uniform(*shape, lo=0.5, hi=2.0)


def apart(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Distinct values, at least 0.1 apart and 0.03 from 0, so are their magnitudes by 0.04: no ties, no kinks
    within reach of a difference.
    """
    return lambda rng: ((rng.permutation(int(np.prod(shape))) - int(np.prod(shape)) // 2) * 0.1 + 0.03).reshape(shape)


def fixed(values: Any, dtype: str = "float64") -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: np.asarray(values, dtype=dtype)


def put(t: Any, index: Any, value: Any) -> Any:
    """t[index] = value, as an expression."""
    t[index] = value
    return t


def quietly(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, without NumPy's word on 0 / 0."""

    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*args)

    return quiet


def with_numpy_ints(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with each int that is written in it an `int64` of NumPy's, in tuples and lambdas too."""

    def changed(constant: Any) -> Any:
        if type(constant) is int:
            return np.int64(constant)
        if isinstance(constant, tuple):
            return tuple(map(changed, constant))
        inner = isinstance(constant, CodeType)
        return constant.replace(co_consts=tuple(map(changed, constant.co_consts))) if inner else constant

    new = FunctionType(changed(f.__code__), f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    new.__kwdefaults__ = f.__kwdefaults__
    return new


U, P, D = uniform, positive, apart
BINARY = [(U(3, 4), U(4)), (U(2, 1, 3), U(4, 1)), (U(3), U(3)), (U(), U(3)), (U(), U()), (U(0, 3), U(3)),
          (U(1, 1), U(2, 3))]


def each(f: Callable[..., Any], *inputs: Any, second: bool = True) -> list[Row]:
    """One function of one input on the usual shapes."""
    shapes = [(3, 4), (5,), (), (0, 3)]
    return [row(f, *(make(*shape) for make in inputs), second=second) for shape in shapes]


LABELS, MASK = fixed([0, 2, 1, 2], "int64"), fixed([[1, 0, 1], [0, 1, 1]], "bool")
