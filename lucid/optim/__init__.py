"""Chapter 8. The equations of learning. Read adamax.py first, then optimizer.py, options.py and runner.py."""

from lucid.optim.adamax import Adamax as Adamax
from lucid.optim.optimizer import Optimizer as Optimizer
from lucid.optim.sgd import SGD as SGD
