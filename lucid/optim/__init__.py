"""Optimizers. Read optimizer.py first, then adamax.py, rule.py, buckets.py and chunks.py.

lbfgs.py is the one that is no rule. lr_scheduler.py changes learning rates.
"""

from lucid.optim import chunks as chunks  # adds its bucket
from lucid.optim import lr_scheduler
from lucid.optim.adagrad import Adadelta, Adagrad, RMSprop
from lucid.optim.adam import Adam, AdamW
from lucid.optim.adamax import Adamax
from lucid.optim.adamaxw import AdamaxW
from lucid.optim.asgd import ASGD
from lucid.optim.lbfgs import LBFGS
from lucid.optim.lr_scheduler import *  # noqa: F403
from lucid.optim.nadam import NAdam, RAdam
from lucid.optim.optimizer import Optimizer
from lucid.optim.rprop import Lion, Rprop
from lucid.optim.sgd import SGD
from lucid.optim.validation import decay_groups

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "AdamaxW", "Lion", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "decay_groups", "lr_scheduler",
]  # fmt: skip
__all__ += [*lr_scheduler.__all__, "swa_utils"]  # noqa: F405  (which lucid imports)
