"""Activations as modules, for use in a Sequential. The formulas stand at `lucid.nn.functional`.

PyTorch's `inplace` is accepted and changes nothing: here no activation overwrites its input.
"""

from __future__ import annotations

from typing import Any

from lucid.creation import full
from lucid.nn import functional as F
from lucid.nn.functional.checks import check_approximate
from lucid.nn.module import Module
from lucid.tensor import Parameter, Tensor


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.relu(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.tanh(input)


class SiLU(Module):
    """x * sigmoid(x), also called swish."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.silu(input)


class GELU(Module):
    """x * P(Z <= x) for a standard normal Z; `approximate="tanh"` takes the faster approximation.

    Raises:
        ValueError: for another `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The form."""
        return f"approximate={self.approximate!r}"


class LeakyReLU(Module):
    """x where it is positive, negative_slope * x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """The depth."""
        return f"alpha={self.alpha}"


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, and x where beta * x exceeds `threshold`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The sharpness and the threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class SELU(Module):
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.selu(input)


class Mish(Module):
    """x * tanh(softplus(x))."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.mish(input)


class Hardtanh(Module):
    """min(max(x, min_val), max_val)."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """The bounds."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Module):
    """min(max(x, 0), 6)."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.relu6(input)


class Hardsigmoid(Module):
    """relu6(x + 3) / 6."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.hardsigmoid(input)


class Hardswish(Module):
    """x * relu6(x + 3) / 6."""

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.hardswish(input)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.tanhshrink(input)


class LogSigmoid(Module):
    """log(sigmoid(x)), without overflow."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.logsigmoid(input)


class GLU(Module):
    """a * sigmoid(b) for the two halves, a and b, of the input along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """(..., 2 * n, ...) -> (..., n, ...)."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


class PReLU(Module):
    """x where it is positive, weight * x elsewhere.

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

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, ...) -> (n, channels, ...), or any shape for a single slope."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) along `dim`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """log(softmax(x)) along `dim`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"
