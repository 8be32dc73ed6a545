"""What PyTorch has in `torch.nn.utils`: gradients clipped, weights normalised, sequences padded."""

from lucid.nn.utils import rnn
from lucid.nn.utils.gradients import *  # noqa: F403
from lucid.nn.utils.gradients import __all__ as _gradients
from lucid.nn.utils.weights import remove_weight_norm, weight_norm

__all__ = sorted([*_gradients, "remove_weight_norm", "rnn", "weight_norm"])
