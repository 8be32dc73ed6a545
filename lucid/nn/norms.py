"""Normalisation as layers. The formulas, their sources and what each is for stand at `lucid.nn.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lucid.core.node import Tensor, recomputing
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.activations import FunctionModule
from lucid.nn.module import Module
from lucid.ops.create import ones, tensor, zeros
from lucid.ops.norms import as_shape, check_groups


class Norm(Module):
    """What layers that normalise have in common: a weight and a bias, either of which may be None, and their repr."""

    weight: Parameter | None
    bias: Parameter | None
    sizes: tuple[str, ...]  # the attributes that the repr shows,
    options: tuple[str, ...]  # and those that it names

    def learn(self, shape: Any, device: Any, dtype: Any, **learned: bool) -> None:
        """Make a Parameter of each name that is to be `learned`, and None of the others."""
        for name, wanted in learned.items():
            fill = ones if name == "weight" else zeros
            setattr(self, name, Parameter(fill(shape, device=device, dtype=dtype)) if wanted else None)

    def reset_parameters(self) -> None:
        """Make the weight ones and the bias zeros again."""
        for name, fill_ in (("weight", init.ones_), ("bias", init.zeros_)):
            if (parameter := getattr(self, name, None)) is not None:
                fill_(parameter)

    def extra_repr(self) -> str:
        """The sizes and the options."""
        sizes = [str(getattr(self, name)) for name in self.sizes]
        return ", ".join(sizes + [f"{name}={getattr(self, name)}" for name in self.options])


class LayerNorm(Norm):
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last dims.

    Args:
        normalized_shape: the lengths of these dims, or of the last one; a ValueError if one is no positive int.
        eps: keeps the root away from 0.
        elementwise_affine, bias: whether there are weight and bias; the bias only if there is a weight.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight, bias: Parameters of shape normalized_shape, ones and zeros at first; or None."""

    sizes, options = ("normalized_shape",), ("eps", "elementwise_affine")

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self.normalized_shape = as_shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.learn(self.normalized_shape, device, dtype, weight=elementwise_affine, bias=elementwise_affine and bias)

    def forward(self, input: Tensor) -> Tensor:
        """(..., *normalized_shape) -> the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Norm):
    """x / sqrt(mean(x**2) + eps) * weight, with the mean over the last dims.

    Arguments, attributes and errors are those of `LayerNorm`, but that there is no bias, and `eps=None` is the gap
    between 1 and the next number of the input's dtype."""

    sizes, options = ("normalized_shape",), ("eps", "elementwise_affine")

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self.normalized_shape = as_shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.learn(self.normalized_shape, device, dtype, weight=elementwise_affine)

    def forward(self, input: Tensor) -> Tensor:
        """(..., *normalized_shape) -> the same shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Norm):
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over each group of channels of a sample.

    The channels, `num_channels` of them in the second dim of the input, are split into `num_groups` of one size; a
    ValueError if that does not divide. `weight` and `bias` are (num_channels,); the rest is as in `LayerNorm`, whose
    `elementwise_affine` is called `affine`."""

    sizes, options = ("num_groups", "num_channels"), ("eps", "affine")

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        check_groups("GroupNorm", num_groups, num_channels)
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.learn(num_channels, device, dtype, weight=affine, bias=affine and bias)

    def forward(self, input: Tensor) -> Tensor:
        """(n, num_channels, ...) -> the same shape."""
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise ValueError(f"GroupNorm: expected (n, {self.num_channels}, ...), got shape {input.shape}")
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class BatchNorm(Norm):
    """What BatchNorm1d and BatchNorm2d have: (x - mean) / sqrt(var + eps) * weight + bias for each channel.

    In training mean and variance are those of the batch, and running averages of them are kept. In evaluation
    the averages are used, so that a sample's result does not depend on the batch that it came in.

    Args:
        num_features: how many channels there are, the second dim of the input.
        momentum: the weight of the newest batch in the running averages; None weighs all batches alike.
        track_running_stats: whether averages are kept; without them evaluation takes the batch's own statistics. Set
            to False later, training leaves them as they are.
        eps, affine, bias, device, dtype: as in `GroupNorm`; device and dtype of the buffers, too.

    Attributes:
        weight, bias: Parameters (num_features,), ones and zeros at first; or None.
        running_mean, running_var: buffers (num_features,), zeros and ones at first, the variance with n - 1 in the
            denominator; or None.
        num_batches_tracked: buffer, an int64: how many batches, but for empty ones, went into them; or None."""

    sizes, options = ("num_features",), ("eps", "momentum", "affine", "track_running_stats")
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    dims: tuple[int, ...]  # how many the input may have
    layout: str

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.learn(num_features, device, dtype, weight=affine, bias=affine and bias)
        made, track = {"device": device, "dtype": dtype}, track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **made) if track else None)
        self.register_buffer("running_var", ones(num_features, **made) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if track else None)

    def reset_running_stats(self) -> None:
        """Forget the averages."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Make the weight ones and the bias zeros again, and forget the averages."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """(n, num_features, ...) -> the same shape; a ValueError in training if a channel has one value."""
        if input.ndim not in self.dims or input.shape[1] != self.num_features:
            expected = self.layout.replace("num_features", str(self.num_features))
            raise ValueError(f"{type(self).__name__}: expected {expected}, got shape {input.shape}")
        counts = input.numel()  # of an array fails here, before the averages move
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        mean, var, counter = self.running_mean, self.running_var, self.num_batches_tracked
        training = self.training or mean is None
        if self.training and not self.track_running_stats:  # also where that was set later
            mean = var = counter = None
        if self.momentum is None and mean is not None and counter is not None:  # a tensor: a GPU is not waited for
            momentum = 1 / (counter + 1).to(mean.dtype)
        out = F.batch_norm(input, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if self.training and counter is not None and counts and not recomputing.get():
            counter.add_(1)
        return out


class BatchNorm1d(BatchNorm):
    """Batch normalisation of (n, num_features), or (n, num_features, length); see `BatchNorm`."""

    dims, layout = (2, 3), "(n, num_features) or (n, num_features, length)"


class BatchNorm2d(BatchNorm):
    """Batch normalisation of images, (n, num_features, height, width); see `BatchNorm`."""

    dims, layout = (4,), "(n, num_features, height, width)"


class InstanceNorm(BatchNorm):
    """What InstanceNorm1d and InstanceNorm2d have: (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance
    over each channel of each sample.

    Arguments and attributes are those of `BatchNorm`; by default there are neither parameters nor averages, which
    evaluation takes where there are some. The n of the input may be left out."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(n, num_features, ...) or (num_features, ...) -> the same shape; a ValueError if a channel has one value."""
        if input.ndim not in self.dims or input.shape[input.ndim - self.dims[0]] != self.num_features:
            expected = self.layout.replace("num_features", str(self.num_features))
            raise ValueError(f"{type(self).__name__}: expected {expected}, got shape {input.shape}")
        if input.ndim == self.dims[0]:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        state, training = (self.running_mean, self.running_var), self.training or not self.track_running_stats
        return F.instance_norm(input, *state, self.weight, self.bias, training, self.momentum or 0.0, self.eps)


class InstanceNorm1d(InstanceNorm):
    """Instance normalisation of (n, num_features, length); see `InstanceNorm`."""

    dims, layout = (2, 3), "(n, num_features, length) or (num_features, length)"


class InstanceNorm2d(InstanceNorm):
    """Instance normalisation of images, (n, num_features, height, width); see `InstanceNorm`."""

    dims, layout = (3, 4), "(n, num_features, height, width) or (num_features, height, width)"


class CosineSimilarity(FunctionModule, function=F.cosine_similarity, inputs=2):
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`; the shapes of the two broadcast."""


class PairwiseDistance(FunctionModule, function=F.pairwise_distance, inputs=2):
    """|x1 - x2 + eps|, the p-norm over the last dim: (..., features) twice -> (...), or (..., 1) with keepdim."""
