"""Chapter 8. The equations of learning: `Optimizer`, and one class for each rule."""

from lucid.optim.adamax import Adamax as Adamax
from lucid.optim.optimizer import Optimizer as Optimizer
from lucid.optim.sgd import SGD as SGD
