"""What PyTorch's programs call besides, and what is no other name of a thing that is here: methods in place, tensors
made by their type, Variable, threads, and switches that change nothing. Plain second names stand in lucid/_suggest.py.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

from lucid._suggest import METHODS, TYPES, pairs
from lucid.core.array import as_dtype
from lucid.core.node import Leaf, Node, Tensor, method
from lucid.core.promotion import type_name
from lucid.ops.checks import check_count
from lucid.ops.create import float_dtype, given, tensor
from lucid.ops.inplace import in_place, reshape_in_place

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "is_available", "is_built", "version"]  # of backends

IN_PLACE = """
    abs acos acosh addcdiv addcmul addmm asin asinh atan atan2 atanh baddbmm ceil clamp clip copysign cos cosh cumprod
    cumsum digamma eq erf erfc erfinv exp exp2 expm1 floor floor_divide fmod ge gt hypot index_add index_fill index_put
    le lerp lgamma log log10 log1p log2 logical_and logical_not logical_or logical_xor lt masked_fill masked_scatter
    nan_to_num ne neg reciprocal relu remainder round rsqrt scatter scatter_add sigmoid sign sin sinh sqrt square tan
    tanh tril triu trunc
""".split()
for _name in IN_PLACE:
    in_place(getattr(Tensor, _name), f"{_name}_")
for _name, _operator in (("and", "__iand__"), ("or", "__ior__"), ("xor", "__ixor__")):
    in_place(getattr(Tensor, f"bitwise_{_name}"), f"bitwise_{_name}_", _operator)
for _name in ("squeeze", "swapaxes", "t", "transpose", "unsqueeze"):
    in_place(getattr(Tensor, _name), f"{_name}_", write=reshape_in_place)
for _new, _old in pairs(METHODS).items():
    setattr(Tensor, _new, getattr(Tensor, _old))
    if hasattr(Tensor, f"{_old}_"):
        setattr(Tensor, f"{_new}_", getattr(Tensor, f"{_old}_"))


class Made(type):
    """A class of PyTorch's that is not here: a function makes what it is called for, and another says what is one."""

    make: Any
    holds: Any

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return cls.make(*args, **options)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and cls.holds(value)


def _variable(data: Tensor, requires_grad: bool = False, volatile: Any = None) -> Tensor:
    if not isinstance(data, Tensor):
        raise TypeError(f"Variable: expected a Tensor, got {type_name(data)}; lucid.tensor(...) makes one")
    if volatile is not None:
        warnings.warn("Variable: volatile has no effect; write `with lucid.no_grad():`", stacklevel=3)
    return data.detach().requires_grad_(requires_grad)


def _type(name: str, dtype: Any, place: str) -> Any:
    """FloatTensor and its kin: `FloatTensor([1, 2])` of data and `FloatTensor(2, 3)` of zeros."""
    make = staticmethod(lambda *args: Tensor(given(name, args, dtype, place)))
    holds = staticmethod(lambda x: (x.dtype, x.device.type) == (dtype, place))
    return Made(name, (), {"make": make, "holds": holds, "dtype": dtype, "place": place})


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor without dims, of the default dtype unless told otherwise: of an int, too."""
    return tensor(s, float_dtype(dtype), device, requires_grad)


# What tensors with gradients once were: `Variable(x, requires_grad=True)` is x without its history, as a leaf.
Variable = Made("Variable", (), {"make": staticmethod(_variable), "holds": staticmethod(lambda x: True)})
for _name, _dtype in TYPES.items():
    globals()[_name] = _type(_name, as_dtype(_dtype), "cpu")
    globals()[_name].cuda = _type(_name, as_dtype(_dtype), "cuda")


@method()
def type(self: Tensor, dtype: Any = None) -> Any:
    """The tensor in a dtype, `lucid.FloatTensor` or "torch.FloatTensor"; without one its own, "lucid.FloatTensor"."""
    if dtype is None:
        name = next(name for name, dtype in TYPES.items() if dtype == str(self.dtype))
        return f"lucid.cuda.{name}" if self.is_cuda else f"lucid.{name}"
    if isinstance(dtype, str) and (kind := globals().get(dtype.rpartition(".")[2])) is not None:
        dtype = kind.cuda if ".cuda." in dtype else kind
    place = getattr(dtype, "place", self.device.type)
    return self.to(dtype) if place == self.device.type else self.to(dtype).to(place)


# As in PyTorch, the node of each input and which of its outputs it is, always the first; and the tensor of a leaf.
Node.next_functions = property(lambda self: tuple([(node, 0) for node in self.inputs]))  # type: ignore[attr-defined]
Leaf.variable = property(lambda self: self.tensor())  # type: ignore[attr-defined]

allow_tf32 = benchmark = deterministic = enabled = False  # of cuDNN and its kin: a program may set them
is_available = is_built = lambda: False  # NumPy is what there is, and CuPy, of which `lucid.cuda` knows
version = set_float32_matmul_precision = use_deterministic_algorithms = lambda *given, **options: None


def _pools(caller: str) -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        way = "pip install it, or set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS before Python starts"
        return warnings.warn(f"{caller}: NumPy's threads need threadpoolctl; {way}", stacklevel=3)
    return ThreadpoolController()


def set_num_threads(num_threads: int) -> None:
    """Let matrix products and optimizers have so many threads. One is best for small models where the machine has other
    work: threads that wait for each other took 20 times as long. Warns that products stay as they are where
    threadpoolctl is not installed."""
    count = check_count("set_num_threads", "num_threads", num_threads, 1)
    os.environ["OMP_NUM_THREADS"] = str(count)  # which optimizers go by, and processes started from here
    if (pools := _pools("set_num_threads")) is not None:
        pools.limit(limits=count)


def get_num_threads() -> int:
    """How many threads a matrix product may have; without threadpoolctl, and with a warning, the number of cores."""
    pools = _pools("get_num_threads")
    return max([pool["num_threads"] for pool in pools.info()] if pools else [], default=os.cpu_count() or 1)
