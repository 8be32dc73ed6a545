"""How the learning rate changes during training: every schedule, under PyTorch's name for it.

What they share stands in schedulers/base.py. Those that multiply the learning rate of the epoch before, or
the first one, are in decay.py; those that compute it from the step alone in cyclic.py; those made of others
in combine.py.
"""
# ruff: noqa: I001  (several names a line)

from lucid.optim.schedulers.base import LRScheduler
from lucid.optim.schedulers.combine import ChainedScheduler, SequentialLR
from lucid.optim.schedulers.cyclic import CosineAnnealingWarmRestarts, CyclicLR, NoamScheduler, OneCycleLR
from lucid.optim.schedulers.decay import (
    ConstantLR, CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, MultiplicativeLR, MultiStepLR,
    PolynomialLR, ReduceLROnPlateau, StepLR,
)  # fmt: skip

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
    "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR",
    "NoamScheduler", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
