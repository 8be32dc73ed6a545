"""Lazy layers: Linear, convolutions and batch norms that read from their first input how many features it has.

Until then their parameters have no shape. The first call makes a layer of the usual class, takes over what that has,
and becomes one of that class itself; the parameters stay the same objects.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of
from lucid.core.tensor import Parameter, UninitializedParameter
from lucid.nn.conv import Conv1d, Conv2d
from lucid.nn.layers import Linear
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm1d, BatchNorm2d


class Lazy(Module):
    """What lazy layers have in common. Their arguments are those of the layer they become, but for the first.

    `to` and its kin, `requires_grad_`, `train` and hooks may come before the first call; what needs the shapes of the
    parameters, an optimizer above all, is refused until then. A ValueError if the first input has too few or too many
    dims."""

    becomes: ClassVar[Any]
    axis: ClassVar[int]  # where the features are
    ranks: ClassVar[tuple[int, ...]]  # how many dims the input may have; any if empty

    def __init_subclass__(cls, **attributes: Any) -> None:
        super().__init_subclass__()
        if attributes:
            cls.becomes, cls.axis, cls.ranks = cls.__bases__[1], attributes["axis"], attributes.get("ranks", ())

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
        name = type(self).__name__
        if ndim_of(name, input) not in (self.ranks or range(1, 65)):
            dims = " or ".join(map(str, self.ranks)) or "1 or more"
            raise ValueError(f"{name}: expected a first input of {dims} dims, got shape {input.shape}")
        args, options = self._made_with
        made = self.becomes(input.shape[self.axis], *args, **options)
        for like in [*self.parameters(), *self.buffers()][:1]:
            made.to(like)
        for key, value in vars(made).items():
            mine = vars(self).get(key)
            if isinstance(mine, UninitializedParameter):
                mine.data, mine.__class__ = value.data, Parameter  # type: ignore[assignment]
            elif not isinstance(value, Parameter):  # one that the user has put or tied there stays
                vars(self)[key] = value
        del self._made_with
        self.__class__ = self.becomes


class LazyLinear(Lazy, Linear, axis=-1):
    """`Linear(in_features, out_features, ...)` whose `in_features` is the last dim of its first input.

    >>> from lucid import nn, randn
    >>> nn.Sequential(nn.LazyLinear(3))(randn(5, 2)).shape
    (5, 3)
    """


class LazyConv1d(Lazy, Conv1d, axis=-2, ranks=(2, 3)):
    """`Conv1d(in_channels, out_channels, kernel_size, ...)` whose `in_channels` are those of its first input."""


class LazyConv2d(Lazy, Conv2d, axis=-3, ranks=(3, 4)):
    """`Conv2d(in_channels, out_channels, kernel_size, ...)` whose `in_channels` are those of its first input."""


class LazyBatchNorm1d(Lazy, BatchNorm1d, axis=1, ranks=(2, 3)):
    """`BatchNorm1d(num_features, ...)` whose `num_features` are the channels of its first input."""


class LazyBatchNorm2d(Lazy, BatchNorm2d, axis=1, ranks=(4,)):
    """`BatchNorm2d(num_features, ...)` whose `num_features` are the channels of its first input."""
