"""einops on Tensors: a backend, which its functions find once both are imported, and its layers as Modules.

    from lucid.interop.einops import Rearrange
    nn.Sequential(nn.Conv2d(1, 8, 3), Rearrange("b c h w -> b (c h w)"), nn.LazyLinear(10))
"""

import sys
from typing import Any

try:
    from einops._backends import NumpyBackend
    from einops.layers import RearrangeMixin, ReduceMixin
    from einops.layers._einmix import _EinmixMixin
except ImportError as error:
    raise ImportError("lucid.interop.einops needs einops; install it with: pip install einops") from error

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn.init import uniform_
from lucid.nn.module import Module
from lucid.ops.create import empty, tensor
from lucid.ops.products import einsum

__all__ = ["EinMix", "Rearrange", "Reduce"]


class LucidBackend(NumpyBackend):
    """As for NumPy, with the array API in its place. einops finds it among the subclasses of its own classes."""

    framework_name = "lucid"

    def __init__(self) -> None:
        self.np = empty(0).__array_namespace__()

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        return tensor(x, requires_grad=x.dtype.kind == "f")

    def to_numpy(self, x: Tensor) -> Any:
        return x.numpy()

    def transpose(self, x: Tensor, axes: Any) -> Tensor:
        return x.permute(*axes)

    def layers(self) -> Any:
        return sys.modules["lucid.interop.einops"]

    def reduce(self, x: Tensor, operation: str, axes: Any) -> Any:
        return getattr(self.np, operation)(x, axis=tuple(axes))


class Rearrange(RearrangeMixin, Module):
    """`einops.rearrange` with a fixed pattern."""

    def forward(self, x: Tensor) -> Tensor:
        """x in the pattern's new order."""
        return self._apply_recipe(x)


class Reduce(ReduceMixin, Module):
    """`einops.reduce` with a fixed pattern and reduction."""

    forward = Rearrange.forward


class EinMix(_EinmixMixin, Module):
    """An einsum of x and a weight, and a bias where `bias_shape` names its axes."""

    def _create_parameters(self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float) -> None:
        self.weight = uniform_(Parameter(empty(*weight_shape)), -weight_bound, weight_bound)
        self.bias = None if bias_shape is None else uniform_(Parameter(empty(*bias_shape)), -bias_bound, bias_bound)

    def _create_rearrange_layers(self, before: Any, lengths: Any, after: Any, after_lengths: Any) -> None:
        self.before = Rearrange(before, **lengths) if before is not None else None
        self.after = Rearrange(after, **after_lengths) if after is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """The einsum of x and the weight, plus the bias."""
        out = einsum(self.einsum_pattern, self.before(x) if self.before else x, self.weight)
        out = out if self.bias is None else out + self.bias
        return self.after(out) if self.after else out
