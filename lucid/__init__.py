"""lucid: a small autograd framework that can be read in an afternoon and still trained with.

    import lucid
    import lucid.nn as nn
    import lucid.optim as optim

docs/reading.md says in which order to read the source. This file gathers what is public.
"""
# ruff: noqa: F403  (each file says in its __all__ what of it is public)

import math as _math
import sys as _sys
from importlib import import_module as _import_module

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

from lucid.ops.refusals import guard as _guard

_guard(_sys.modules[__name__], nn, nn.functional, nn.init, nn.utils, linalg, autograd, optim, utils.data, io, cuda)

pi, inf, nan, newaxis = _math.pi, _math.inf, _math.nan, None
__version__ = "0.1.0"
_LATER = {"datasets", "distributions", "see"}  # loaded when they are first used
__all__ = sorted({name for name in globals() if not name.startswith("_")} - {"core", "gpu", "ops"} | _LATER)


def _summary(module: nn.Module, *inputs: object, **keywords: object) -> object:
    """A table of the layers as they run on `inputs`: output shapes, parameters, multiply-adds; see `see.summary`.

    >>> nn.Linear(64, 10).summary((32, 64)).multiply_adds
    20480
    """
    import lucid.see

    return lucid.see.summary(module, *inputs, **keywords)


nn.Module.summary = _summary  # from here, because nn must not import what looks inside it


def __getattr__(name: str) -> object:  # only reached when the name is not there
    if name in _LATER:
        return _import_module(f"lucid.{name}")
    from lucid._suggest import missing

    raise missing("lucid", name, globals())
