"""The GPU as a device, with PyTorch's names: `lucid.cuda.is_available()` and the rest, which lucid/gpu/cuda.py defines."""

from lucid.gpu.cuda import *  # noqa: F403
from lucid.gpu.cuda import __all__ as __all__
