"""Averaged weights, under PyTorch's name for where they are: the models of lucid/nn/utils/averaging.py, and SWALR."""

from lucid.nn.utils.averaging import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, update_bn
from lucid.optim.schedulers.decay import SWALR

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "update_bn"]
