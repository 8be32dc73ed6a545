"""Losses as modules: `criterion = nn.CrossEntropyLoss()`. The formulas stand at `lucid.nn.functional`.

Each takes (input, target) and a `reduction`: "mean", "sum", or "none" for the loss of each element.
"""

from __future__ import annotations

from lucid.nn import functional as F
from lucid.nn.functional.checks import check_kl_reduction, check_reduction, check_smoothing
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
    """away**2 / 2 for away = |input - target| up to `delta`, beyond it delta * (away - delta / 2).

    A parabola and then a straight line: outliers pull no harder than delta.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """away**2 / (2 * beta) for away = |input - target| up to `beta`, beyond it away - beta / 2: HuberLoss over beta."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class KLDivLoss(Loss):
    """target * (log(target) - input) for log-probabilities `input` and probabilities, or their logs, as the target.

    "batchmean" is the reduction that divides by the length of the batch; "mean" divides by the number of elements.
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        check_kl_reduction("KLDivLoss", reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class WeightedLoss(Loss):
    """A loss with a buffer `weight`, or None."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class BCELoss(WeightedLoss):
    """-(target * log(input) + (1 - target) * log(1 - input)), the cross entropy of probabilities in [0, 1].

    No log goes below -100; for logits take BCEWithLogitsLoss, which is exact.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """BCELoss of sigmoid(input), without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)) for logits x."""

    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class CrossEntropyLoss(WeightedLoss):
    """-log(softmax(input)[target]): logits (n, classes, ...), and labels (n, ...) or class probabilities."""

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        check_smoothing("CrossEntropyLoss", label_smoothing)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """See `lucid.nn.functional.cross_entropy`."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(WeightedLoss):
    """-input[target]: log-probabilities (n, classes, ...) and integer labels (n, ...)."""

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """See `lucid.nn.functional.nll_loss`."""
        return F.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )
