"""The GPU as a device, with PyTorch's names: `lucid.cuda.is_available()` and others, from lucid/gpu/cuda.py."""

from lucid.gpu.cuda import *  # noqa: F403
from lucid.gpu.cuda import __all__ as __all__
