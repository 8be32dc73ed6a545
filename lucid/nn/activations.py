"""Activations as modules, for use in a Sequential; the functions are those of `lucid.nn.functional`.

PyTorch's `inplace` is accepted and changes nothing: here no activation overwrites its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid.creation import full
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.activations import check_approximate
from lucid.tensor import Parameter, Tensor


class Activation(Module):
    """A function of one tensor as a module.

    A subclass names the function, and the attributes that its constructor sets and the function takes as `options`.
    """

    function: Callable[..., Tensor]
    options: tuple[str, ...] = ()

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...); `GLU` halves one dim."""
        if not self.options:
            return self.function(input)
        return self.function(input, *[getattr(self, name) for name in self.options])

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in self.options])


class _Inplace(Activation):
    """One whose only argument is PyTorch's `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        pass


class ReLU(_Inplace):
    """max(x, 0)."""

    function = staticmethod(F.relu)


class ReLU6(_Inplace):
    """min(max(x, 0), 6)."""

    function = staticmethod(F.relu6)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class Tanh(Activation):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""

    function = staticmethod(F.tanh)


class SiLU(_Inplace):
    """x * sigmoid(x), also called swish."""

    function = staticmethod(F.silu)


class GELU(Activation):
    """x * P(Z <= x) for a standard normal Z; `approximate="tanh"` takes the faster approximation.

    Raises:
        ValueError: for another `approximate`.
    """

    function, options = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        self.approximate = approximate


class LeakyReLU(Activation):
    """x where it is positive, negative_slope * x elsewhere."""

    function, options = staticmethod(F.leaky_relu), ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope


class ELU(Activation):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere."""

    function, options = staticmethod(F.elu), ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha


class SELU(_Inplace):
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1."""

    function = staticmethod(F.selu)


class Softplus(Activation):
    """log(1 + exp(beta * x)) / beta, and x where beta * x exceeds `threshold`."""

    function, options = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold


class Mish(_Inplace):
    """x * tanh(softplus(x))."""

    function = staticmethod(F.mish)


class Hardtanh(Activation):
    """min(max(x, min_val), max_val)."""

    function, options = staticmethod(F.hardtanh), ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.min_val, self.max_val = min_val, max_val


class Hardsigmoid(_Inplace):
    """relu6(x + 3) / 6."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(_Inplace):
    """x * relu6(x + 3) / 6."""

    function = staticmethod(F.hardswish)


class Softsign(Activation):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class Tanhshrink(Activation):
    """x - tanh(x)."""

    function = staticmethod(F.tanhshrink)


class LogSigmoid(Activation):
    """log(sigmoid(x)), without overflow."""

    function = staticmethod(F.logsigmoid)


class _AlongDim(Activation):
    """One that works along a dim."""

    options = ("dim",)

    def __init__(self, dim: int) -> None:
        self.dim = dim


class Softmax(_AlongDim):
    """exp(x) / sum(exp(x)) along `dim`."""

    function = staticmethod(F.softmax)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`."""

    function = staticmethod(F.log_softmax)


class GLU(_AlongDim):
    """a * sigmoid(b) for the two halves, a and b, of the input along `dim`: (..., 2 * n, ...) -> (..., n, ...)."""

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class PReLU(Activation):
    """x where it is positive, weight * x elsewhere: (n, channels, ...), or any shape for a single slope.

    Args:
        num_parameters: 1, or as many as there are channels, for a slope for each.
        init: the slope at first.
        device: where the weight lives.
        dtype: its dtype; float32 by default.

    Attributes:
        weight: Parameter (num_parameters,).
    """

    function, options = staticmethod(F.prelu), ("weight",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"
