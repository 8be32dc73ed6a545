"""The layers that most models are made of: weighted sums, one after the other.

Shapes and parameter names are PyTorch's: `Linear.weight` is (out, in), so weights move between the two as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.containers import IndexedModules
from lucid.nn.module import Module
from lucid.ops.checks import check_count
from lucid.ops.create import empty


class Linear(Module):
    """x @ weight.T + bias: every output a weighted sum of all inputs.

    Weights and bias start evenly spread over [-b, b] with b = 1 / sqrt(in_features), as in PyTorch.

    Args:
        in_features, out_features: numbers in, the last dimension of the input, and out; a TypeError or ValueError if
            one is not an int, or is negative.
        bias: whether there is one.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight: Parameter (out_features, in_features).
        bias: Parameter (out_features,), or None.

    >>> from lucid import nn, randn
    >>> layer = nn.Linear(2, 3)
    >>> layer(randn(5, 2)).shape
    (5, 3)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        self.in_features = check_count("Linear", "in_features", in_features)
        self.out_features = check_count("Linear", "out_features", out_features)
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.bias: Parameter | Any = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and the bias anew."""
        init._weighted_sum_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Sequential(IndexedModules[Module]):
    """Modules applied one after the other: `Sequential(first, second, ...)`, or a dict of names and modules.

    Indexing gives a module, a slice a Sequential of the same modules. A TypeError for an entry that is no Module.

    >>> from lucid import nn
    >>> nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    Sequential(
      (0): Linear(in_features=2, out_features=16, bias=True)
      (1): Tanh()
      (2): Linear(in_features=16, out_features=1, bias=True)
    )
    """

    _kind = Module

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, self._checked(module))
        elif len(modules) == 1 and isinstance(modules[0], (list, tuple)):
            raise TypeError("Sequential: expected modules, got a list of them; write Sequential(*layers)")
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, input: Any) -> Tensor:
        """Each module is applied to the output of the one before it, the first to `input`."""
        for module in self:
            input = module(input)
        return input
