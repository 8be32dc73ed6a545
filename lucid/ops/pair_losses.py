"""Losses of pairs and triplets, which compare by a margin, and of the parameters of a distribution.

Each is a formula of other operations. As in losses.py a `reduction` is "none", "sum" or "mean", and an input and a
target of one shape are asked for; what is compared with each other broadcasts.
"""

from __future__ import annotations

import math

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of
from lucid.ops.elementwise import clamp, maximum, minimum, where
from lucid.ops.losses import _check_pair, _reduce_tensor, check_reduction
from lucid.ops.norms import pairwise_distance


def _check(caller: str, reduction: str, **tensors: Tensor) -> None:
    """Refuse what is no Tensor, numbers of dims that differ, and an unknown `reduction`."""
    check_reduction(caller, reduction)
    if len({ndim_of(caller, tensor) for tensor in tensors.values()}) > 1:
        *others, last = [f"{name} of shape {tensor.shape}" for name, tensor in tensors.items()]
        raise ValueError(f"{caller}: expected tensors of as many dims, got {', '.join(others)} and {last}")


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """max(0, margin - target * (input1 - input2)): where target is 1 the first should rank higher by `margin`, where it
    is -1 the second. Raises ValueError for other numbers of dims, or an unknown `reduction`."""
    _check("margin_ranking_loss", reduction, input1=input1, input2=input2, target=target)
    return _reduce_tensor(clamp(margin - target * (input1 - input2), min=0), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """A distance `input` where target is 1, and max(0, margin - input) where it is -1: what is alike should be near,
    and the rest beyond `margin`. Raises ValueError for an unknown `reduction`."""
    _check_pair("hinge_embedding_loss", input, target, reduction)
    far, near = where(target == 1, 0.0, clamp(margin - input, min=0)), where(target == -1, 0.0, input)
    return _reduce_tensor(far + near, reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1, for inputs (n, features) and a
    target (n,), or (features,) and (). Raises ValueError for other numbers of dims, or an unknown `reduction`."""
    _check("cosine_embedding_loss", reduction, input1=input1, input2=input2)
    if ndim_of("cosine_embedding_loss", target) != input1.ndim - 1 or input1.ndim > 2:
        expected = "expected two inputs (n, features) and a target (n,), or (features,) and ()"
        raise ValueError(f"cosine_embedding_loss: {expected}, got shapes {input1.shape} and {target.shape}")
    squares = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)  # 1e-12: as PyTorch
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    alike, apart = where(target == 1, 1 - cosine, 0.0), where(target == -1, clamp(cosine - margin, min=0), 0.0)
    return _reduce_tensor(alike + apart, reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, *, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, |anchor - positive| - |anchor - negative| + margin), by `pairwise_distance`; with `swap` the distance of
    the negative from the positive counts where it is less (Balntas et al. 2016). Raises ValueError for a
    margin that is not positive, differing numbers of dims, or an unknown `reduction`."""
    _check("triplet_margin_loss", reduction, anchor=anchor, positive=positive, negative=negative)
    if not margin > 0:
        raise ValueError(f"triplet_margin_loss: margin must be positive, got {margin}")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduce_tensor(clamp(near - far + margin, min=0), reduction)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, eps: float = 1e-8, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """exp(input) - target * input, the negative log-likelihood of counts `target` whose expected number is exp(input);
    without `log_input` input - target * log(input + eps). It lacks log(target!), which `full` adds by Stirling's rule
    where target is above 1. Raises ValueError for an unknown `reduction`."""
    _check_pair("poisson_nll_loss", input, target, reduction)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        n = where(target > 1, target, 1.0)  # log(0!) and log(1!) are 0
        losses = losses + where(target > 1, n * n.log() - n + 0.5 * (2 * math.pi * n).log(), 0.0)
    return _reduce_tensor(losses, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """(log(v) + (input - target)**2 / v) / 2 with v = max(var, eps): the negative log-likelihood of `target` under the
    normal distribution of mean `input` and variance `var`; `full` adds log(2 pi) / 2. The variance
    has the shape of `input`, or lacks its last dim, or has 1 there; or is one number. Its slope is that of v, below eps
    too, as in PyTorch (Nix and Weigend 1994). Raises ValueError for another shape, a negative variance (on the CPU), or
    an unknown `reduction`."""
    _check_pair("gaussian_nll_loss", input, target, reduction)
    if not isinstance(var, Tensor):
        var = input.new_tensor(float(var)).expand(input.shape)
    if var.shape != input.shape:
        if var.shape == input.shape[:-1] and input.ndim:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or var.shape[:-1] != input.shape[:-1] or var.shape[-1] != 1:
            raise ValueError(f"gaussian_nll_loss: var of shape {var.shape} does not go with input of {input.shape}")
    if var.device == "cpu" and var.numel() and (var.detach().min() < 0).item():
        raise ValueError(f"gaussian_nll_loss: var must be 0 or more, got {var.min().item()}")
    bounded = var + (maximum(var, var.new_tensor(float(eps))) - var).detach()
    losses = 0.5 * (bounded.log() + (input - target).square() / bounded)
    return _reduce_tensor(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
