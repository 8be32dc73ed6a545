"""Losses as modules: `criterion = nn.CrossEntropyLoss()`; the functions are those of `lucid.nn.functional`.

Each takes (input, target), if it says nothing else, and a `reduction`: "mean", "sum", or "none" for the loss of each
element.
"""

from __future__ import annotations

from typing import Any

from lucid.nn import functional as F
from lucid.nn.activations import FunctionModule
from lucid.nn.spellings import with_size_average
from lucid.ops.losses import KL_REDUCTIONS, REDUCTIONS, check_reduction, check_smoothing


class Loss(FunctionModule):
    """A loss function as a module, with its options; `weight` and `pos_weight` become buffers. A ValueError for a
    `reduction` that is not "mean", "sum" or "none"."""

    reductions: tuple[str, ...] = REDUCTIONS
    inputs, shown = 2, ()

    @with_size_average
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("weight", "pos_weight"):
            if name in self.options:
                self.register_buffer(name, vars(self).pop(name))

    def check(self) -> None:
        """Refuse an unknown reduction, and a share that is none."""
        check_reduction(type(self).__name__, self.reduction, self.reductions)
        if "label_smoothing" in self.options:
            check_smoothing(type(self).__name__, self.label_smoothing)


class MSELoss(Loss, function=F.mse_loss):
    """(input - target)**2.

    >>> from lucid import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """


class L1Loss(Loss, function=F.l1_loss):
    """|input - target|."""


class HuberLoss(Loss, function=F.huber_loss):
    """d**2 / 2 for d = |input - target| up to `delta`, beyond it delta * (d - delta / 2).

    A parabola and then a straight line: outliers pull no harder than delta."""


class SmoothL1Loss(Loss, function=F.smooth_l1_loss):
    """d**2 / (2 * beta) for d = |input - target| up to `beta`, beyond it d - beta / 2: HuberLoss over beta."""


class KLDivLoss(Loss, function=F.kl_div):
    """target * (log(target) - input) for log-probabilities `input` and probabilities, or their logs, as the target.

    "batchmean" is the reduction that divides by the length of the batch; "mean" divides by the number of elements.
    """

    reductions = KL_REDUCTIONS


class BCELoss(Loss, function=F.binary_cross_entropy):
    """-(target * log(input) + (1 - target) * log(1 - input)), the cross entropy of probabilities in [0, 1].

    No log goes below -100; for logits take BCEWithLogitsLoss, which is exact."""


class BCEWithLogitsLoss(Loss, function=F.binary_cross_entropy_with_logits):
    """BCELoss of sigmoid(input), without overflow: max(x, 0) - x * target + log(1 + exp(-|x|)) for logits x."""


class CrossEntropyLoss(Loss, function=F.cross_entropy):
    """-log(softmax(input)[target]): logits (n, classes, ...), and labels (n, ...) or class probabilities."""


class NLLLoss(Loss, function=F.nll_loss):
    """-input[target]: log-probabilities (n, classes, ...) and integer labels (n, ...)."""


class HingeEmbeddingLoss(Loss, function=F.hinge_embedding_loss):
    """Of distances and targets of 1 (near) and -1 (beyond a margin): `nn.functional.hinge_embedding_loss`."""


class MarginRankingLoss(Loss, function=F.margin_ranking_loss, inputs=3):
    """Of two inputs and targets of 1 and -1, which should be larger: `nn.functional.margin_ranking_loss`."""


class CosineEmbeddingLoss(Loss, function=F.cosine_embedding_loss, inputs=3):
    """Of two inputs and targets of 1 (alike) and -1 (not): `nn.functional.cosine_embedding_loss`."""


class TripletMarginLoss(Loss, function=F.triplet_margin_loss, inputs=3):
    """Of an anchor, what is like it and what is not: `nn.functional.triplet_margin_loss`."""


class PoissonNLLLoss(Loss, function=F.poisson_nll_loss):
    """Of the logarithms of expected counts, and counts: `nn.functional.poisson_nll_loss`."""


class GaussianNLLLoss(Loss, function=F.gaussian_nll_loss, inputs=3):
    """Of means, targets and variances: `nn.functional.gaussian_nll_loss`."""
