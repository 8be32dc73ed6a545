"""Layers that are one function each: activations, dropout, changes of shape.

The functions are those of `lucid.nn.functional`. PyTorch's `inplace` is accepted and changes nothing: here no
layer overwrites its input.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature, signature
from itertools import zip_longest
from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.activations import check_approximate
from lucid.ops.checks import check_probability
from lucid.ops.create import full
from lucid.ops.shapes import flatten


class FunctionModule(Module):
    """A function as a module. Its arguments are those of the function behind the first `inputs`, which its calls take;
    a class with an `__init__` of its own says as `options` which attributes the function takes."""

    function: Callable[..., Any]
    inputs: int = 1
    options: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None  # in the repr, where that is not all options
    takes: Signature = Signature()
    __signature__: Signature | None = takes

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, **attributes: Any) -> None:
        super().__init_subclass__()
        for name, value in attributes.items():
            setattr(cls, name, value)
        if "__init__" in vars(cls):
            cls.__signature__ = None  # which leaves it to `inspect`
        if function is not None:
            cls.function = staticmethod(getattr(function, "plain", function))
        if function is not None and not cls.options:
            cls.__signature__ = cls.takes = Signature(list(signature(function).parameters.values())[cls.inputs :])
            cls.options = tuple(name for name in cls.takes.parameters if name != "inplace")

    def __init__(self, *args: Any, **options: Any) -> None:
        kinds = [str(p.annotation) for p in self.takes.parameters.values()]
        if any(isinstance(x, Tensor) and "Tensor" not in kind for x, kind in zip_longest(args, kinds, fillvalue="")):
            name, data = type(self).__name__, ", ".join([*signature(self.function).parameters][: self.inputs])
            raise TypeError(f"{name}: got a Tensor in place of an option; make it, then call it: nn.{name}()({data})")
        try:
            bound = self.takes.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}; it takes {self.takes}") from None
        bound.apply_defaults()
        vars(self).update({name: bound.arguments[name] for name in self.options})
        self.check()

    def check(self) -> None:
        """Refuse options, when the module is made, that no input goes with."""

    def forward(self, *inputs: Tensor, **named: Any) -> Tensor:
        """(...) -> (...), where the class says nothing else."""
        if not self.options:
            return self.function(*inputs, **named)
        return self.function(*inputs, **named, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        """The options."""
        shown = self.options if self.shown is None else self.shown
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])


class ReLU(FunctionModule, function=F.relu):
    """max(x, 0)."""


class ReLU6(FunctionModule, function=F.relu6):
    """min(max(x, 0), 6)."""


class Sigmoid(FunctionModule, function=F.sigmoid):
    """1 / (1 + exp(-x))."""


class Tanh(FunctionModule, function=F.tanh):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""


class SiLU(FunctionModule, function=F.silu):
    """x * sigmoid(x), also called swish."""


class GELU(FunctionModule, function=F.gelu):
    """x * P(Z <= x) for a standard normal Z; `approximate="tanh"` takes the faster approximation; a ValueError for
    another name."""

    def check(self) -> None:
        """Refuse another name."""
        check_approximate(self.approximate)


class LeakyReLU(FunctionModule, function=F.leaky_relu):
    """x where it is positive, negative_slope * x elsewhere."""


class ELU(FunctionModule, function=F.elu):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere."""


class CELU(FunctionModule, function=F.celu):
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere."""


class SELU(FunctionModule, function=F.selu):
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1."""


class Softplus(FunctionModule, function=F.softplus):
    """log(1 + exp(beta * x)) / beta, and x where beta * x exceeds `threshold`."""


class Mish(FunctionModule, function=F.mish):
    """x * tanh(softplus(x))."""


class Hardtanh(FunctionModule, function=F.hardtanh):
    """min(max(x, min_val), max_val)."""


class Hardsigmoid(FunctionModule, function=F.hardsigmoid):
    """relu6(x + 3) / 6."""


class Hardswish(FunctionModule, function=F.hardswish):
    """x * relu6(x + 3) / 6."""


class Softsign(FunctionModule, function=F.softsign):
    """x / (1 + |x|)."""


class Hardshrink(FunctionModule, function=F.hardshrink):
    """x where |x| > lambd, 0 elsewhere."""


class Softshrink(FunctionModule, function=F.softshrink):
    """x - lambd above lambd, x + lambd below -lambd, 0 between."""


class Threshold(FunctionModule, function=F.threshold):
    """x where it is above `threshold`, `value` elsewhere."""


class Tanhshrink(FunctionModule, function=F.tanhshrink):
    """x - tanh(x)."""


class LogSigmoid(FunctionModule, function=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class Softmax(FunctionModule, function=F.softmax):
    """exp(x) / sum(exp(x)) along `dim`; without it, along one that `nn.functional.softmax` warns of."""


class LogSoftmax(FunctionModule, function=F.log_softmax):
    """log(softmax(x)) along `dim`."""


class Softmin(FunctionModule, function=F.softmin):
    """softmax(-x) along `dim`."""


class GLU(FunctionModule, function=F.glu):
    """a * sigmoid(b) for the two halves, a and b, of the input along `dim`: (..., 2 * n, ...) -> (..., n, ...)."""


class PReLU(FunctionModule, function=F.prelu, options=("weight",)):
    """x where it is positive, weight * x elsewhere: (n, channels, ...), or any shape for a single slope.

    The `weight`, a Parameter (num_parameters,), starts as `init`, on `device` and of `dtype`, float32 by default;
    `num_parameters` is 1, or the number of channels, for a slope for each."""

    shown = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))


class Dropout(FunctionModule, function=F.dropout, options=("p",)):
    """In training x * kept / (1 - p), where each `kept` is 0 with probability `p` and else 1; x itself otherwise. A
    ValueError if `p` is not in [0, 1]."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        check_probability(type(self).__name__, p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        """(...) -> (...)."""
        return self.function(input, self.p, self.training)


class Dropout1d(Dropout, function=F.dropout1d):
    """Dropout of whole channels of (n, channels, length) or (channels, length)."""


class Dropout2d(Dropout, function=F.dropout2d):
    """Dropout of whole channels of images, (n, channels, height, width)."""


class Identity(Module):
    """Gives back what it is given; ignores the arguments it is made with, so it can replace any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...), unchanged."""
        return input


class Flatten(FunctionModule, function=flatten, options=("start_dim", "end_dim")):
    """Joins the dimensions from `start_dim` to `end_dim` into one: by default (n, ...) -> (n, product of the rest)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim


class Unflatten(FunctionModule, options=("dim", "unflattened_size")):
    """Splits dimension `dim` into several: the inverse of Flatten."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        """(..., product, ...) -> (..., *unflattened_size, ...)."""
        dim = range(input.ndim)[self.dim]
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])
