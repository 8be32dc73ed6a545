"""Chapter 1. What an array is.

lucid computes with arrays of two libraries: NumPy's on the CPU and CuPy's on a GPU. This chapter is the only one that
knows them by name. It gives each a *namespace* (`cpu`, and `gpu()` once somebody asks for one): the same short list
of functions under the same names, with whatever the two libraries do differently settled here. Everything above is
written against a namespace called `xp`, so one formula serves both.

It also holds what belongs to arrays rather than to tensors: dtypes, devices and random numbers.
"""

from numpy.exceptions import AxisError as AxisError

from lucid.backend.arrays import as_array as as_array
from lucid.backend.arrays import device_of as device_of
from lucid.backend.arrays import from_data as from_data
from lucid.backend.arrays import from_dlpack as from_dlpack
from lucid.backend.arrays import is_array as is_array
from lucid.backend.arrays import is_scalar as is_scalar
from lucid.backend.arrays import linspace as linspace
from lucid.backend.arrays import made_on as made_on
from lucid.backend.arrays import namespace as namespace
from lucid.backend.arrays import text_of as text_of
from lucid.backend.arrays import to_device as to_device
from lucid.backend.arrays import to_list as to_list
from lucid.backend.arrays import to_numpy as to_numpy
from lucid.backend.dtypes import DTYPES as DTYPES
from lucid.backend.dtypes import Array as Array
from lucid.backend.dtypes import DType as DType
from lucid.backend.dtypes import as_dtype as as_dtype
from lucid.backend.dtypes import bool_ as bool_
from lucid.backend.dtypes import float16 as float16
from lucid.backend.dtypes import float32 as float32
from lucid.backend.dtypes import float64 as float64
from lucid.backend.dtypes import get_default_dtype as get_default_dtype
from lucid.backend.dtypes import int8 as int8
from lucid.backend.dtypes import int16 as int16
from lucid.backend.dtypes import int32 as int32
from lucid.backend.dtypes import int64 as int64
from lucid.backend.dtypes import ndarray as ndarray
from lucid.backend.dtypes import set_default_dtype as set_default_dtype
from lucid.backend.dtypes import uint8 as uint8
from lucid.backend.late import look as look
from lucid.backend.late import within as within
from lucid.backend.namespaces import SHARED as SHARED
from lucid.backend.namespaces import Namespace as Namespace
from lucid.backend.namespaces import register as register
from lucid.backend.on_cupy import forget as forget
from lucid.backend.on_cupy import gpu as gpu
from lucid.backend.on_cupy import loaded as loaded
from lucid.backend.on_cupy import memory_told as memory_told
from lucid.backend.on_cupy import on as on
from lucid.backend.on_numpy import cpu as cpu
from lucid.backend.random import generator as generator
from lucid.backend.random import get_rng_state as get_rng_state
from lucid.backend.random import manual_seed as manual_seed
from lucid.backend.random import random_mask as random_mask
from lucid.backend.random import set_rng_state as set_rng_state
from lucid.devices import as_device as as_device
