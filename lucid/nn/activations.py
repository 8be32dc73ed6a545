"""Activations as modules, for use in a Sequential; the functions are those of `lucid.nn.functional`.

PyTorch's `inplace` is accepted and changes nothing: here no activation overwrites its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.activations import check_approximate
from lucid.ops.create import full


class Activation(Module):
    """A function of one tensor as a module.

    A subclass names the function, and as `options` the attributes that it takes.
    """

    function: Callable[..., Tensor]
    options: tuple[str, ...] = ()

    def __init_subclass__(cls, function: Callable[..., Tensor] | None = None, options: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        cls.options += options
        if function is not None:
            cls.function = staticmethod(function)

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...); `GLU` halves one dim."""
        if not self.options:
            return self.function(input)
        return self.function(input, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in self.options])


class _Inplace(Activation):
    """One whose only argument is PyTorch's `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        pass


class ReLU(_Inplace, function=F.relu):
    """max(x, 0)."""


class ReLU6(_Inplace, function=F.relu6):
    """min(max(x, 0), 6)."""


class Sigmoid(Activation, function=F.sigmoid):
    """1 / (1 + exp(-x))."""


class Tanh(Activation, function=F.tanh):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""


class SiLU(_Inplace, function=F.silu):
    """x * sigmoid(x), also called swish."""


class GELU(Activation, function=F.gelu, options=("approximate",)):
    """x * P(Z <= x) for a standard normal Z; `approximate="tanh"` takes the faster approximation.

    Raises:
        ValueError: for another `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        self.approximate = approximate


class LeakyReLU(Activation, function=F.leaky_relu, options=("negative_slope",)):
    """x where it is positive, negative_slope * x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope


class ELU(Activation, function=F.elu, options=("alpha",)):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha


class SELU(_Inplace, function=F.selu):
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1."""


class Softplus(Activation, function=F.softplus, options=("beta", "threshold")):
    """log(1 + exp(beta * x)) / beta, and x where beta * x exceeds `threshold`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold


class Mish(_Inplace, function=F.mish):
    """x * tanh(softplus(x))."""


class Hardtanh(Activation, function=F.hardtanh, options=("min_val", "max_val")):
    """min(max(x, min_val), max_val)."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.min_val, self.max_val = min_val, max_val


class Hardsigmoid(_Inplace, function=F.hardsigmoid):
    """relu6(x + 3) / 6."""


class Hardswish(_Inplace, function=F.hardswish):
    """x * relu6(x + 3) / 6."""


class Softsign(Activation, function=F.softsign):
    """x / (1 + |x|)."""


class Tanhshrink(Activation, function=F.tanhshrink):
    """x - tanh(x)."""


class LogSigmoid(Activation, function=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class _AlongDim(Activation, options=("dim",)):
    """One that works along a dim."""

    def __init__(self, dim: int) -> None:
        self.dim = dim


class Softmax(_AlongDim, function=F.softmax):
    """exp(x) / sum(exp(x)) along `dim`."""


class LogSoftmax(_AlongDim, function=F.log_softmax):
    """log(softmax(x)) along `dim`."""


class GLU(_AlongDim, function=F.glu):
    """a * sigmoid(b) for the two halves, a and b, of the input along `dim`: (..., 2 * n, ...) -> (..., n, ...)."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class PReLU(Activation, function=F.prelu, options=("weight",)):
    """x where it is positive, weight * x elsewhere: (n, channels, ...), or any shape for a single slope.

    Args:
        num_parameters: 1, or as many as there are channels, for a slope for each.
        init: the slope at first.
        device: where the weight lives.
        dtype: its dtype; float32 by default.

    Attributes:
        weight: Parameter (num_parameters,).
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"
