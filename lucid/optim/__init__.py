"""Chapter 8. The equations of learning. Read adamax.py first, then optimizer.py, options.py and runner.py.

lr_scheduler.py changes their learning rates; scheduler.py is what the schedules share.
"""

from lucid.optim import lr_scheduler as lr_scheduler
from lucid.optim.adam import Adam as Adam
from lucid.optim.adam import AdamW as AdamW
from lucid.optim.adamax import Adamax as Adamax
from lucid.optim.lr_scheduler import CosineAnnealingLR as CosineAnnealingLR
from lucid.optim.lr_scheduler import ExponentialLR as ExponentialLR
from lucid.optim.lr_scheduler import LambdaLR as LambdaLR
from lucid.optim.lr_scheduler import LinearLR as LinearLR
from lucid.optim.lr_scheduler import LRScheduler as LRScheduler
from lucid.optim.lr_scheduler import MultiStepLR as MultiStepLR
from lucid.optim.lr_scheduler import ReduceLROnPlateau as ReduceLROnPlateau
from lucid.optim.lr_scheduler import StepLR as StepLR
from lucid.optim.optimizer import Optimizer as Optimizer
from lucid.optim.sgd import SGD as SGD
