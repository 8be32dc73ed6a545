"""Activations as modules, for use in a Sequential; the functions are those of `lucid.nn.functional`.

PyTorch's `inplace` is accepted and changes nothing: here no activation overwrites its input.
"""

from __future__ import annotations

from typing import Any

from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn.weightless import FunctionModule
from lucid.ops.activations import check_approximate
from lucid.ops.create import full


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


class Tanhshrink(FunctionModule, function=F.tanhshrink):
    """x - tanh(x)."""


class LogSigmoid(FunctionModule, function=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class _AlongDim(FunctionModule, options=("dim",)):
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


class PReLU(FunctionModule, function=F.prelu, options=("weight",)):
    """x where it is positive, weight * x elsewhere: (n, channels, ...), or any shape for a single slope.

    The `weight`, a Parameter (num_parameters,), starts as `init`, on `device` and of `dtype`, float32 by default;
    `num_parameters` is 1, or the number of channels, for a slope for each."""

    shown = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))
