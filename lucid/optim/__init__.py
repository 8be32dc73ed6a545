"""Optimizers. Read optimizer.py first, then adamax.py, rule.py and buckets.py.

lbfgs.py is the one that is no rule. lr_scheduler.py changes learning rates.
"""

from lucid.optim import lr_scheduler as lr_scheduler
from lucid.optim.adagrad import Adadelta as Adadelta
from lucid.optim.adagrad import Adagrad as Adagrad
from lucid.optim.adagrad import RMSprop as RMSprop
from lucid.optim.adam import Adam as Adam
from lucid.optim.adam import AdamW as AdamW
from lucid.optim.adamax import Adamax as Adamax
from lucid.optim.asgd import ASGD as ASGD
from lucid.optim.lbfgs import LBFGS as LBFGS
from lucid.optim.lr_scheduler import ChainedScheduler as ChainedScheduler
from lucid.optim.lr_scheduler import ConstantLR as ConstantLR
from lucid.optim.lr_scheduler import CosineAnnealingLR as CosineAnnealingLR
from lucid.optim.lr_scheduler import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from lucid.optim.lr_scheduler import CyclicLR as CyclicLR
from lucid.optim.lr_scheduler import ExponentialLR as ExponentialLR
from lucid.optim.lr_scheduler import LambdaLR as LambdaLR
from lucid.optim.lr_scheduler import LinearLR as LinearLR
from lucid.optim.lr_scheduler import LRScheduler as LRScheduler
from lucid.optim.lr_scheduler import MultiplicativeLR as MultiplicativeLR
from lucid.optim.lr_scheduler import MultiStepLR as MultiStepLR
from lucid.optim.lr_scheduler import NoamScheduler as NoamScheduler
from lucid.optim.lr_scheduler import OneCycleLR as OneCycleLR
from lucid.optim.lr_scheduler import PolynomialLR as PolynomialLR
from lucid.optim.lr_scheduler import ReduceLROnPlateau as ReduceLROnPlateau
from lucid.optim.lr_scheduler import SequentialLR as SequentialLR
from lucid.optim.lr_scheduler import StepLR as StepLR
from lucid.optim.nadam import NAdam as NAdam
from lucid.optim.nadam import RAdam as RAdam
from lucid.optim.optimizer import Optimizer as Optimizer
from lucid.optim.rprop import Lion as Lion
from lucid.optim.rprop import Rprop as Rprop
from lucid.optim.sgd import SGD as SGD


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid.missing import missing

    raise missing("lucid.optim", name, globals())
