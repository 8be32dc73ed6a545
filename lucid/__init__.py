"""lucid: a small autograd framework that can be read in an afternoon and still trained with.

    import lucid
    import lucid.nn as nn
    import lucid.optim as optim

docs/reading.md says in which order to read the source. This file gathers what is public.
"""
# ruff: noqa: F403  (each file says in its __all__ what of it is public)

import math as _math
import sys as _sys
from typing import Any as _Any

from lucid.core.array import Device as device
from lucid.core.array import bool_, float16, float32, float64, get_default_dtype, int8, int16, int32, int64, uint8
from lucid.core.elementwise import *
from lucid.core.matmul import *
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.reductions import *
from lucid.core.shapes import *
from lucid.ops.create import *
from lucid.ops.products import *
from lucid.ops.elementwise import *
from lucid.ops.pad import *
from lucid.ops.random import *
from lucid.ops.shapes import *
from lucid.ops.reductions import *
from lucid.ops.sort_index import *
from lucid.ops.special import *
from lucid.ops.statistics import *
from lucid.autograd.grad_mode import *

from lucid import ops  # attaches the remaining methods of Tensor
from lucid import autograd, cuda, data, io, linalg, nn, optim, utils
from lucid.io import *
from lucid.optim import swa_utils as _swa_utils

from lucid import interop
from lucid._suggest import suggest as _know_other_names
from lucid.ops.refusals import guard as _guard

_public = (nn, nn.functional, nn.init, nn.utils, linalg, autograd, optim, _swa_utils, utils.data, io, cuda)
_guard(_sys.modules[__name__], *_public)
_know_other_names(_sys.modules[__name__], *_public, nn.utils.rnn, optim.lr_scheduler, utils)

e, pi, inf, nan, newaxis = _math.e, _math.pi, _math.inf, _math.nan, None
__version__ = "0.1.0"
__all__ = sorted({name for name in globals() if not name.startswith("_")} - {"core", "gpu", "interop", "ops"})
__all__ += ["datasets", "distributed", "distributions", "learn", "see"]  # noqa: F405  (loaded when they are first used)
__getattr__: _Any  # for these and for other names; _suggest.py sets it


def _summary(module: nn.Module, *inputs: object, **keywords: object) -> object:
    """A table of the layers as they run on `inputs`: output shapes, parameters, multiply-adds; see `see.summary`.

    >>> nn.Linear(64, 10).summary((32, 64)).multiply_adds
    20480
    """
    import lucid.see

    return lucid.see.summary(module, *inputs, **keywords)


def _array_namespace(self: Tensor, *, api_version: str | None = None) -> object:
    """The functions of the array API standard, 2024.12, for Tensors; `api_version` is not looked at."""
    from lucid.interop.array_api import namespace

    return namespace(_sys.modules[__name__])


# From here, because nn and core must not import what is above them.
nn.Module.summary, Tensor.__array_namespace__ = _summary, _array_namespace  # type: ignore[attr-defined]
