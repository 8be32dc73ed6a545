"""Lazy layers: Linear, convolutions and batch norms that read from their first input how many features it has.

The first call makes a layer of the usual class, takes over what that has, and becomes one of that class itself; the
parameters, which have no shape until then, stay the same objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Signature, signature
from typing import Any

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of
from lucid.core.tensor import Parameter
from lucid.nn.conv import Conv1d, Conv2d
from lucid.nn.layers import Linear
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm1d, BatchNorm2d
from lucid.ops.create import UninitializedParameter

# What the classes become: in which dim of the first input the features are, and how many dims it may have.
KINDS: dict[Any, tuple[int, Sequence[int]]] = {
    Linear: (-1, range(1, 65)), Conv1d: (-2, (2, 3)), Conv2d: (-3, (3, 4)), BatchNorm1d: (1, (2, 3)),
    BatchNorm2d: (1, (4,)),
}  # fmt: skip


class Lazy(Module):
    """What lazy layers have in common. Their arguments are those of the layer they become, but for the first.

    `to` and its kin, `requires_grad_`, `train` and hooks may come before the first call; what needs the shapes of the
    parameters, an optimizer above all, is refused until then. A ValueError if the first input has too few or too many
    dims."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        becomes: Any = next(kind for kind in cls.__mro__ if kind in KINDS)
        cls.__signature__ = Signature(list(signature(becomes).parameters.values())[1:])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(0, *args, **options)  # type: ignore[call-arg]
        self._made_with = args, options
        for parameter in self.parameters():
            parameter.__class__ = UninitializedParameter

    def reset_parameters(self) -> None:
        """Nothing yet: the first call draws them."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become the layer that fits the input, and call that."""
        self.initialize_parameters(*args, **kwargs)
        return self(*args, **kwargs)

    def initialize_parameters(self, input: Tensor) -> None:
        """Become the layer that fits this input; the first call does that."""
        name, (args, options) = type(self).__name__, self._made_with
        becomes = next(kind for kind in type(self).__mro__ if kind in KINDS)
        axis, dims = KINDS[becomes]
        if ndim_of(name, input) not in dims:
            expected = "1 or more" if len(dims) > 2 else " or ".join(map(str, dims))
            raise ValueError(f"{name}: expected a first input of {expected} dims, got shape {input.shape}")
        made = becomes(input.shape[axis], *args, **options)
        for like in [*self.parameters(), *self.buffers()][:1]:
            made.to(like)
        for key, value in vars(made).items():
            mine = vars(self).get(key)
            if isinstance(mine, UninitializedParameter):
                mine.data, mine.__class__ = value.data, Parameter  # type: ignore[assignment]
            elif not isinstance(value, Parameter):  # one that the user has put or tied there stays
                vars(self)[key] = value
        del self._made_with
        self.__class__ = becomes


class LazyLinear(Lazy, Linear):
    """`Linear(in_features, out_features, ...)` whose `in_features` is the last dim of its first input.

    >>> from lucid import nn, randn
    >>> nn.Sequential(nn.LazyLinear(3))(randn(5, 2)).shape
    (5, 3)
    """


class LazyConv1d(Lazy, Conv1d):
    """`Conv1d(in_channels, out_channels, kernel_size, ...)` whose `in_channels` are those of its first input."""


class LazyConv2d(Lazy, Conv2d):
    """`Conv2d(in_channels, out_channels, kernel_size, ...)` whose `in_channels` are those of its first input."""


class LazyBatchNorm1d(Lazy, BatchNorm1d):
    """`BatchNorm1d(num_features, ...)` whose `num_features` are the channels of its first input."""


class LazyBatchNorm2d(Lazy, BatchNorm2d):
    """`BatchNorm2d(num_features, ...)` whose `num_features` are the channels of its first input."""
