"""lucid: a small autograd framework that can be read in an afternoon and still trained with.

    import lucid
    import lucid.nn as nn
    import lucid.optim as optim

docs/reading.md says in which order to read the source. This file gathers what is public.
"""
# ruff: noqa: F403  (each file says in its __all__ what of it is public)

import math as _math

from lucid.core.array import Device as device
from lucid.core.array import bool_, float16, float32, float64, get_default_dtype, int8, int16, int32, int64, uint8
from lucid.core.create import *
from lucid.core.elementwise import *
from lucid.core.matmul import *
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.reductions import *
from lucid.core.shapes import *
from lucid.ops.create import *
from lucid.ops.defaults import *
from lucid.ops.einsum import *
from lucid.ops.elementary import *
from lucid.ops.pad import *
from lucid.ops.products import *
from lucid.ops.random import *
from lucid.ops.rearrange import *
from lucid.ops.scans import *
from lucid.ops.softmax import *
from lucid.ops.sort_index import *
from lucid.ops.special import *
from lucid.ops.statistics import *
from lucid.autograd.grad_mode import *

# Operations that need no other name than their own (chapter 3)
from lucid.ops.arithmetic import add as add
from lucid.ops.arithmetic import divide as div
from lucid.ops.arithmetic import equal as eq
from lucid.ops.arithmetic import greater as gt
from lucid.ops.arithmetic import greater_equal as ge
from lucid.ops.arithmetic import isfinite as isfinite
from lucid.ops.arithmetic import isinf as isinf
from lucid.ops.arithmetic import isnan as isnan
from lucid.ops.arithmetic import less as lt
from lucid.ops.arithmetic import less_equal as le
from lucid.ops.arithmetic import maximum as maximum
from lucid.ops.arithmetic import minimum as minimum
from lucid.ops.arithmetic import multiply as mul
from lucid.ops.arithmetic import negative as neg
from lucid.ops.arithmetic import not_equal as ne
from lucid.ops.arithmetic import subtract as sub
from lucid.ops.functions import abs as abs
from lucid.ops.functions import ceil as ceil
from lucid.ops.functions import cos as cos
from lucid.ops.functions import exp as exp
from lucid.ops.functions import expm1 as expm1
from lucid.ops.functions import floor as floor
from lucid.ops.functions import log as log
from lucid.ops.functions import log1p as log1p
from lucid.ops.functions import log2 as log2
from lucid.ops.functions import log10 as log10
from lucid.ops.functions import reciprocal as reciprocal
from lucid.ops.functions import relu as relu
from lucid.ops.functions import sigmoid as sigmoid
from lucid.ops.functions import sign as sign
from lucid.ops.functions import sin as sin
from lucid.ops.functions import sqrt as sqrt
from lucid.ops.functions import square as square
from lucid.ops.functions import tan as tan
from lucid.ops.functions import tanh as tanh
from lucid.ops.functions import trunc as trunc
from lucid.ops.linear import matmul as matmul
from lucid.ops.special import erf as erf

# The graph (chapter 4)
from lucid.recording import enable_grad as enable_grad
from lucid.recording import inference_mode as inference_mode
from lucid.recording import is_grad_enabled as is_grad_enabled
from lucid.recording import no_grad as no_grad
from lucid.recording import set_grad_enabled as set_grad_enabled

# Tensors, and functions of them under PyTorch's names (chapter 5)
from lucid.functions import all as all
from lucid.functions import allclose as allclose
from lucid.functions import amax as amax
from lucid.functions import amin as amin
from lucid.functions import any as any
from lucid.functions import argmax as argmax
from lucid.functions import argmin as argmin
from lucid.functions import bmm as bmm
from lucid.functions import cat as cat
from lucid.functions import clamp as clamp
from lucid.functions import clamp as clip
from lucid.functions import cumprod as cumprod
from lucid.functions import cumsum as cumsum
from lucid.functions import dot as dot
from lucid.functions import isclose as isclose
from lucid.functions import log_softmax as log_softmax
from lucid.functions import logsumexp as logsumexp
from lucid.functions import max as max
from lucid.functions import mean as mean
from lucid.functions import min as min
from lucid.functions import mm as mm
from lucid.functions import norm as norm
from lucid.functions import outer as outer
from lucid.functions import pow as pow
from lucid.functions import prod as prod
from lucid.functions import round as round
from lucid.functions import rsqrt as rsqrt
from lucid.functions import softmax as softmax
from lucid.functions import stack as stack
from lucid.functions import std as std
from lucid.functions import sum as sum
from lucid.functions import var as var
from lucid.functions import where as where
from lucid.shaping import broadcast_to as broadcast_to
from lucid.shaping import chunk as chunk
from lucid.shaping import expand as expand
from lucid.shaping import flatten as flatten
from lucid.shaping import flip as flip
from lucid.shaping import meshgrid as meshgrid
from lucid.shaping import movedim as movedim
from lucid.padding import pad as pad
from lucid.shaping import permute as permute
from lucid.shaping import reshape as reshape
from lucid.shaping import roll as roll
from lucid.shaping import split as split
from lucid.shaping import squeeze as squeeze
from lucid.shaping import tile as tile
from lucid.shaping import transpose as swapaxes
from lucid.shaping import transpose as transpose
from lucid.shaping import unbind as unbind
from lucid.shaping import unsqueeze as unsqueeze
from lucid.selecting import argsort as argsort
from lucid.selecting import diag as diag
from lucid.selecting import diagonal as diagonal
from lucid.selecting import gather as gather
from lucid.selecting import index_add as index_add
from lucid.selecting import index_select as index_select
from lucid.selecting import masked_fill as masked_fill
from lucid.selecting import masked_select as masked_select
from lucid.selecting import narrow as narrow
from lucid.selecting import scatter as scatter
from lucid.selecting import scatter_add as scatter_add
from lucid.selecting import sort as sort
from lucid.selecting import take_along_dim as take_along_dim
from lucid.selecting import topk as topk
from lucid.selecting import trace as trace
from lucid.selecting import tril as tril
from lucid.selecting import triu as triu
from lucid.contraction import einsum as einsum
from lucid.contraction import tensordot as tensordot
from lucid.tensor import Tensor as Tensor
from lucid.creation import arange as arange
from lucid.creation import as_tensor as as_tensor
from lucid.creation import empty as empty
from lucid.creation import empty_like as empty_like
from lucid.creation import eye as eye
from lucid.creation import from_dlpack as from_dlpack
from lucid.creation import from_numpy as from_numpy
from lucid.creation import full as full
from lucid.creation import full_like as full_like
from lucid.creation import is_tensor as is_tensor
from lucid.creation import linspace as linspace
from lucid.creation import multinomial as multinomial
from lucid.creation import ones as ones
from lucid.creation import ones_like as ones_like
from lucid.creation import rand as rand
from lucid.creation import rand_like as rand_like
from lucid.creation import randint as randint
from lucid.creation import randn as randn
from lucid.creation import randn_like as randn_like
from lucid.creation import randperm as randperm
from lucid.creation import tensor as tensor
from lucid.creation import zeros as zeros
from lucid.creation import zeros_like as zeros_like

# The later chapters
from lucid import autograd as autograd
from lucid import cuda as cuda
from lucid import gpu as _gpu
from lucid import linalg as linalg
from lucid import nn as nn
from lucid import optim as optim
from lucid import utils as utils
from lucid.checkpoint import load as load
from lucid.checkpoint import save as save
from lucid.safetensors import load_safetensors as load_safetensors
from lucid.safetensors import save_safetensors as save_safetensors

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
    from lucid._suggest import missing

    raise missing("lucid", name, globals())
