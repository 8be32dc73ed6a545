"""Layers that are one function each: activations, dropout, changes of shape.

The functions are those of `lucid.nn.functional`. PyTorch's `inplace` is accepted and changes nothing: here no
layer overwrites its input.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature, signature
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
    """A function of one tensor as a module; a subclass names it, and as `options` the attributes that it takes."""

    function: Callable[..., Any]
    options: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None  # in the repr, where that is not all options

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, options: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        cls.options += options
        if function is not None:
            cls.function = staticmethod(getattr(function, "plain", function))

    def forward(self, input: Tensor) -> Any:
        """(...) -> (...), where the class says nothing else."""
        if not self.options:
            return self.function(input)
        return self.function(input, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        """The options."""
        shown = self.options if self.shown is None else self.shown
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])


class OfSignature(FunctionModule):
    """One whose arguments are those of its function behind the first `inputs`, which its calls take."""

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, inputs: int = 1, **attributes: Any) -> None:
        super().__init_subclass__(function)
        for name, value in attributes.items():
            setattr(cls, name, value)
        if function is not None:
            cls.signature = Signature(list(signature(function).parameters.values())[inputs:])
            cls.options = tuple(name for name in cls.signature.parameters if name != "inplace")

    signature: Signature

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            bound = self.signature.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}; it takes {self.signature}") from None
        bound.apply_defaults()
        vars(self).update({name: bound.arguments[name] for name in self.options})

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the function gives of these and the options."""
        return self.function(*inputs, **named, **{name: getattr(self, name) for name in self.options})


class _Inplace(FunctionModule):
    """One whose only argument is PyTorch's `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        pass


class ReLU(_Inplace, function=F.relu):
    """max(x, 0)."""


class ReLU6(_Inplace, function=F.relu6):
    """min(max(x, 0), 6)."""


class Sigmoid(FunctionModule, function=F.sigmoid):
    """1 / (1 + exp(-x))."""


class Tanh(FunctionModule, function=F.tanh):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""


class SiLU(_Inplace, function=F.silu):
    """x * sigmoid(x), also called swish."""


class GELU(FunctionModule, function=F.gelu, options=("approximate",)):
    """x * P(Z <= x) for a standard normal Z; `approximate="tanh"` takes the faster approximation; a ValueError for
    another name."""

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        self.approximate = approximate


class LeakyReLU(FunctionModule, function=F.leaky_relu, options=("negative_slope",)):
    """x where it is positive, negative_slope * x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope


class ELU(FunctionModule, function=F.elu, options=("alpha",)):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha


class CELU(OfSignature, function=F.celu):
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere."""


class SELU(_Inplace, function=F.selu):
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1."""


class Softplus(FunctionModule, function=F.softplus, options=("beta", "threshold")):
    """log(1 + exp(beta * x)) / beta, and x where beta * x exceeds `threshold`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold


class Mish(_Inplace, function=F.mish):
    """x * tanh(softplus(x))."""


class Hardtanh(FunctionModule, function=F.hardtanh, options=("min_val", "max_val")):
    """min(max(x, min_val), max_val)."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.min_val, self.max_val = min_val, max_val


class Hardsigmoid(_Inplace, function=F.hardsigmoid):
    """relu6(x + 3) / 6."""


class Hardswish(_Inplace, function=F.hardswish):
    """x * relu6(x + 3) / 6."""


class Softsign(FunctionModule, function=F.softsign):
    """x / (1 + |x|)."""


class Hardshrink(OfSignature, function=F.hardshrink):
    """x where |x| > lambd, 0 elsewhere."""


class Softshrink(OfSignature, function=F.softshrink):
    """x - lambd above lambd, x + lambd below -lambd, 0 between."""


class Threshold(OfSignature, function=F.threshold):
    """x where it is above `threshold`, `value` elsewhere."""


class Tanhshrink(FunctionModule, function=F.tanhshrink):
    """x - tanh(x)."""


class LogSigmoid(FunctionModule, function=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class _AlongDim(FunctionModule, options=("dim",)):
    """One that works along a dim."""

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim


class Softmax(_AlongDim, function=F.softmax):
    """exp(x) / sum(exp(x)) along `dim`; without it, along one that `nn.functional.softmax` warns of."""


class LogSoftmax(_AlongDim, function=F.log_softmax):
    """log(softmax(x)) along `dim`."""


class Softmin(_AlongDim, function=F.softmin):
    """softmax(-x) along `dim`."""


class GLU(_AlongDim, function=F.glu):
    """a * sigmoid(b) for the two halves, a and b, of the input along `dim`: (..., 2 * n, ...) -> (..., n, ...)."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


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

    def forward(self, input: Tensor) -> Tensor:
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

    def forward(self, input: Tensor) -> Tensor:
        """(..., product, ...) -> (..., *unflattened_size, ...)."""
        dim = range(input.ndim)[self.dim]
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])
