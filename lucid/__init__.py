"""lucid: a small autograd framework that can be read in an afternoon and still trained with.

    import lucid
    import lucid.nn as nn
    import lucid.optim as optim

The chapters, in reading order: backend, op, ops, graph, tensor (with operands, functions, shaping and creation),
autograd, nn, optim, data, io. Each imports only from those before it. This file says what is public.
"""

import math as _math

# The data types, devices and random numbers of chapter 1
from lucid.autograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from lucid.core.array import Device as device, bool_, float16, float32, float64, get_default_dtype, int16, int32, int64, int8, uint8
from lucid.core.create import empty, from_numpy, ones, tensor, zeros
from lucid.core.elementwise import abs, add, divide as div, equal as eq, exp, greater as gt, greater_equal as ge, less as lt, less_equal as le, log, maximum, minimum, multiply as mul, negative as neg, not_equal as ne, pow, relu, sigmoid, sign, sqrt, subtract as sub, tanh, where
from lucid.core.matmul import matmul
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.reductions import amax, argmax, max, mean, sum
from lucid.core.shapes import broadcast_to, cat, permute, reshape, squeeze, transpose, transpose as swapaxes, unsqueeze
from lucid.ops.create import arange, as_tensor, empty_like, eye, from_dlpack, full, full_like, is_tensor, linspace, ones_like, zeros_like
from lucid.ops.defaults import get_default_device, set_default_device, set_default_dtype
from lucid.ops.elementary import allclose, ceil, clamp, clamp as clip, cos, expm1, floor, isclose, isfinite, isinf, isnan, log10, log1p, log2, reciprocal, round, rsqrt, sin, square, tan, trunc
from lucid.ops.products import bmm, dot, mm, outer
from lucid.ops.random import get_rng_state, manual_seed, multinomial, rand, rand_like, randint, randn, randn_like, randperm, set_rng_state
from lucid.ops.rearrange import chunk, expand, flatten, flip, meshgrid, movedim, roll, split, stack, tile, unbind
from lucid.ops.scans import cumprod, cumsum, prod
from lucid.ops.softmax import all, amin, any, argmin, log_softmax, logsumexp, min, softmax
from lucid.ops.statistics import norm, std, var

# Operations that need no other name than their own (chapter 3)
from lucid.ops.special import erf as erf

# The graph (chapter 4)

# Tensors, and functions of them under PyTorch's names (chapter 5)
from lucid.ops.pad import pad as pad
from lucid.ops.sort_index import argsort as argsort
from lucid.ops.sort_index import diag as diag
from lucid.ops.sort_index import diagonal as diagonal
from lucid.ops.sort_index import gather as gather
from lucid.ops.sort_index import index_add as index_add
from lucid.ops.sort_index import index_select as index_select
from lucid.ops.sort_index import masked_fill as masked_fill
from lucid.ops.sort_index import masked_select as masked_select
from lucid.ops.sort_index import narrow as narrow
from lucid.ops.sort_index import scatter as scatter
from lucid.ops.sort_index import scatter_add as scatter_add
from lucid.ops.sort_index import sort as sort
from lucid.ops.sort_index import take_along_dim as take_along_dim
from lucid.ops.sort_index import topk as topk
from lucid.ops.sort_index import trace as trace
from lucid.ops.sort_index import tril as tril
from lucid.ops.sort_index import triu as triu
from lucid.ops.einsum import einsum as einsum
from lucid.ops.einsum import tensordot as tensordot

# The later chapters
from lucid import autograd as autograd
from lucid import cuda as cuda
from lucid import linalg as linalg
from lucid import nn as nn
from lucid import optim as optim
from lucid import utils as utils
from lucid.io.npz import load as load
from lucid.io.npz import save as save
from lucid.io.safetensors import load_safetensors as load_safetensors
from lucid.io.safetensors import save_safetensors as save_safetensors

pi, inf, nan, newaxis = _math.pi, _math.inf, _math.nan, None
__version__ = "0.1.0"


def _summary(module: nn.Module, *inputs: object, **keywords: object) -> object:
    """A table of the layers as they run on `inputs`: output shapes, parameters, multiply-adds; see `see.summary`.

    >>> nn.Linear(64, 10).summary((32, 64)).multiply_adds
    20480
    """
    import lucid.see

    return lucid.see.summary(module, *inputs, **keywords)


nn.Module.summary = _summary  # from here, because nn must not import what looks inside it


def __getattr__(name: str) -> object:  # only reached when the name is not there
    if name == "see":  # loaded when it is first used
        import lucid.see

        return lucid.see
    from lucid.missing import missing

    raise missing("lucid", name, globals())
