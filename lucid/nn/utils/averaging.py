"""The mean of a model's weights over a training: of all that were put in alike (SWA), or the recent ones most (EMA)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from lucid.autograd.grad_mode import no_grad
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm, InstanceNorm
from lucid.ops.create import tensor


class AveragedModel(Module):
    """A copy of a model with averaged weights, which is called as the model is; the model itself does not change.

    Without a function each weight is the mean of those at the calls of `update_parameters` (Izmailov et al. 2018, arXiv
    1803.05407); `get_ema_multi_avg_fn(0.999)` gives the exponential moving average.

    Args:
        model, device: what is copied, and where the copy is to be.
        avg_fn: (the average so far, the model's value, how many models went into the average) -> the new average.
        multi_avg_fn: the same for lists of all averages and values, written to the averages; it goes before `avg_fn`.
        use_buffers: whether buffers of floats, such as BatchNorm's, are averaged too; all others are the model's.

    Attributes: `module`, the copy; `n_averaged`, a buffer: how many models went into the average."""

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[[Tensor, Tensor, int], Any] | None = None,
        multi_avg_fn: Callable[[list[Tensor], list[Tensor], int], Any] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel: expected a Module, got {type(model).__name__}")
        self.module = deepcopy(model) if device is None else deepcopy(model).to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the copy computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Put the present weights of `model` into the average; a ValueError if it has others than the one copied."""
        ours, theirs = ([*m.named_parameters(), *m.named_buffers()] for m in (self.module, model))
        if [(name, x.shape) for name, x in ours] != [(name, x.shape) for name, x in theirs]:
            raise ValueError("AveragedModel.update_parameters: expected a model with the parameters of the one copied")
        n, pairs = int(self.n_averaged), list[tuple[Tensor, Tensor]]()
        for (_, own), (_, x) in zip(ours, theirs, strict=True):
            pair = own.detach(), x.detach().to(own.device)
            if n and own.is_floating_point() and (self.use_buffers or isinstance(own, Parameter)):
                pairs.append(pair)
            else:
                pair[0].copy_(pair[1])
        write = self.multi_avg_fn or _of_lists(self.avg_fn or (lambda mean, x, n: mean + (x - mean) / (n + 1)))
        write([own for own, _ in pairs], [x for _, x in pairs], n)
        self.n_averaged.add_(1)


def _of_lists(average: Callable[[Tensor, Tensor, int], Any]) -> Callable[[list[Tensor], list[Tensor], int], Any]:
    return lambda means, values, n: [own.copy_(average(own, x, n)) for own, x in zip(means, values, strict=True)]


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, int], Tensor]:
    """The exponential moving average: decay * average + (1 - decay) * value; a ValueError for one outside of [0, 1]."""
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must be in [0, 1], got {decay}")
    return lambda average, value, n: decay * average + (1 - decay) * value


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[list[Tensor], list[Tensor], int], Any]:
    """`get_ema_avg_fn` for lists, in place."""
    return _of_lists(get_ema_avg_fn(decay))


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Give the BatchNorm layers of a model the statistics of all batches of `loader`, as averaged weights need them. Of
    a list or tuple the first entry is the input, moved to `device` if that is given."""
    layers = [m for m in model.modules() if isinstance(m, BatchNorm) and not isinstance(m, InstanceNorm)]
    before = [(m, "training", m.training) for m in model.modules()] + [(m, "momentum", m.momentum) for m in layers]
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # all batches weigh alike
        model.train()
        for batch in loader if layers else ():
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            with no_grad():
                model(batch if device is None else batch.to(device))
    finally:
        for module, name, value in before:
            setattr(module, name, value)
