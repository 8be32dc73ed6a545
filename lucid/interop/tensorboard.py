"""TensorBoard, through tensorboardX: `SummaryWriter`, which takes Tensors for numbers and arrays."""

from functools import wraps
from typing import Any

try:
    import tensorboardX
except ImportError as error:
    raise ImportError("SummaryWriter needs tensorboardX; install it with: pip install tensorboardX") from error

from lucid.core.node import Tensor

__all__ = ["SummaryWriter"]


def _plain(x: Any) -> Any:
    return {k: _plain(v) for k, v in x.items()} if isinstance(x, dict) else x.numpy() if isinstance(x, Tensor) else x


def _with_arrays(add: Any) -> Any:
    return wraps(add)(lambda *args, **options: add(*map(_plain, args), **_plain(options)))


SummaryWriter = type("SummaryWriter", (tensorboardX.SummaryWriter,), {
    name: _with_arrays(add) for name, add in vars(tensorboardX.SummaryWriter).items() if name.startswith("add_")
})  # fmt: skip
