"""Losses as modules: `criterion = nn.CrossEntropyLoss()`; the functions are those of `lucid.nn.functional`.

Each takes (input, target), if it says nothing else, and a `reduction`: "mean", "sum", or "none" for the loss of each
element.
"""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.activations import FunctionModule, OfSignature
from lucid.nn.spellings import with_size_average
from lucid.ops.losses import KL_REDUCTIONS, REDUCTIONS, check_reduction, check_smoothing


class Loss(FunctionModule, options=("reduction",)):
    """A loss function as a module, with a `reduction`; a ValueError if that is not "mean", "sum" or "none"."""

    reductions: tuple[str, ...] = REDUCTIONS
    shown = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = with_size_average(cls.__init__)  # type: ignore[method-assign]

    @with_size_average
    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(type(self).__name__, reduction, self.reductions)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """Two tensors of one shape; logits or log-probabilities (n, classes, ...) go with labels (n, ...), too."""
        if len(self.options) == 1:
            return self.function(input, target, reduction=self.reduction)
        return self.function(input, target, **{name: getattr(self, name) for name in self.options})


class MSELoss(Loss, function=F.mse_loss):
    """(input - target)**2.

    >>> from lucid import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """


class L1Loss(Loss, function=F.l1_loss):
    """|input - target|."""


class HuberLoss(Loss, function=F.huber_loss, options=("delta",)):
    """d**2 / 2 for d = |input - target| up to `delta`, beyond it delta * (d - delta / 2).

    A parabola and then a straight line: outliers pull no harder than delta."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta


class SmoothL1Loss(Loss, function=F.smooth_l1_loss, options=("beta",)):
    """d**2 / (2 * beta) for d = |input - target| up to `beta`, beyond it d - beta / 2: HuberLoss over beta."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta


class KLDivLoss(Loss, function=F.kl_div, options=("log_target",)):
    """target * (log(target) - input) for log-probabilities `input` and probabilities, or their logs, as the target.

    "batchmean" is the reduction that divides by the length of the batch; "mean" divides by the number of elements.
    """

    reductions = KL_REDUCTIONS

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target


class WeightedLoss(Loss, options=("weight",)):
    """A loss with a buffer `weight`, or None."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class BCELoss(WeightedLoss, function=F.binary_cross_entropy):
    """-(target * log(input) + (1 - target) * log(1 - input)), the cross entropy of probabilities in [0, 1].

    No log goes below -100; for logits take BCEWithLogitsLoss, which is exact."""


class BCEWithLogitsLoss(WeightedLoss, function=F.binary_cross_entropy_with_logits, options=("pos_weight",)):
    """BCELoss of sigmoid(input), without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)) for logits x."""

    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)


class CrossEntropyLoss(WeightedLoss, function=F.cross_entropy, options=("ignore_index", "label_smoothing")):
    """-log(softmax(input)[target]): logits (n, classes, ...), and labels (n, ...) or class probabilities."""

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction)
        check_smoothing("CrossEntropyLoss", label_smoothing)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing


class NLLLoss(WeightedLoss, function=F.nll_loss, options=("ignore_index",)):
    """-input[target]: log-probabilities (n, classes, ...) and integer labels (n, ...)."""

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index


class FormulaLoss(OfSignature):
    """A loss with the options of its function, whose formula stands there."""

    shown = ()

    @with_size_average
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        check_reduction(type(self).__name__, self.reduction)  # type: ignore[attr-defined]


class HingeEmbeddingLoss(FormulaLoss, function=F.hinge_embedding_loss, inputs=2):
    """Of distances and targets of 1 (near) and -1 (beyond a margin): `nn.functional.hinge_embedding_loss`."""


class MarginRankingLoss(FormulaLoss, function=F.margin_ranking_loss, inputs=3):
    """Of two inputs and targets of 1 and -1, which should be larger: `nn.functional.margin_ranking_loss`."""


class CosineEmbeddingLoss(FormulaLoss, function=F.cosine_embedding_loss, inputs=3):
    """Of two inputs and targets of 1 (alike) and -1 (not): `nn.functional.cosine_embedding_loss`."""


class TripletMarginLoss(FormulaLoss, function=F.triplet_margin_loss, inputs=3):
    """Of an anchor, what is like it and what is not: `nn.functional.triplet_margin_loss`."""


class PoissonNLLLoss(FormulaLoss, function=F.poisson_nll_loss, inputs=2):
    """Of the logarithms of expected counts, and counts: `nn.functional.poisson_nll_loss`."""


class GaussianNLLLoss(FormulaLoss, function=F.gaussian_nll_loss, inputs=3):
    """Of means, targets and variances: `nn.functional.gaussian_nll_loss`."""
