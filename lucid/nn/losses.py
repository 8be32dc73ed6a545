"""Losses as modules: `criterion = nn.CrossEntropyLoss()`. The formulas stand at `lucid.nn.functional`.

Each takes (input, target) and a `reduction`: "mean", "sum", or "none" for the loss of each element.
"""

from __future__ import annotations

from lucid.nn import functional as F
from lucid.nn.functional.checks import check_reduction
from lucid.nn.module import Module
from lucid.tensor import Tensor


class Loss(Module):
    """What all losses have: a `reduction`, checked when the loss is made.

    Raises:
        ValueError: if it is not "mean", "sum" or "none".
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction


class MSELoss(Loss):
    """(input - target)**2.

    >>> from lucid import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|input - target|."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """A parabola up to a distance of `delta`, a straight line beyond: outliers pull no harder than delta."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """HuberLoss with delta = beta, divided by beta."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class BCELoss(Loss):
    """Binary cross entropy of probabilities in [0, 1]; for logits take BCEWithLogitsLoss, which is exact."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.binary_cross_entropy(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy of sigmoid(input)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction)


class CrossEntropyLoss(Loss):
    """-log(softmax(input)[target]): logits (n, classes, ...), and labels (n, ...) or class probabilities."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """See `lucid.nn.functional.cross_entropy`."""
        return F.cross_entropy(input, target, reduction=self.reduction)


class NLLLoss(Loss):
    """-input[target]: log-probabilities (n, classes, ...) and integer labels (n, ...)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """See `lucid.nn.functional.nll_loss`."""
        return F.nll_loss(input, target, reduction=self.reduction)
