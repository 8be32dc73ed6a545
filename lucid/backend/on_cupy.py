"""Chapter 1, continued. CuPy's namespace: what differs from NumPy's settled, and what can go wrong said in a sentence.

CuPy is imported when somebody first asks for a GPU. Arrays lie on the device that was current when they were made, and
kernels run on the one that is current, so whoever works with an array makes its device the current one: `follow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from lucid.backend.dtypes import Array
from lucid.backend.namespaces import SHARED, Namespace, join, leave
from lucid.devices import Device

_INSTALL = 'pip install "cupy-cuda12x[ctk]>=14" (or cuda13x, after the CUDA version that nvidia-smi shows)'
_gpu: Namespace | None = None


def gpu() -> Namespace:
    """CuPy's namespace; the first call imports CuPy.

    Raises:
        RuntimeError: if CuPy is not installed, or finds no GPU to work with.
    """
    global _gpu
    if _gpu is None:
        _gpu = join(_cupy_namespace())
    return _gpu


def loaded() -> Namespace | None:
    """CuPy's namespace if anybody asked for it so far."""
    return _gpu


def forget() -> None:
    """Have the next call of `gpu` look for CuPy anew."""
    global _gpu
    if _gpu is not None:
        leave(_gpu)
    _gpu = None


def _cupy_namespace() -> Namespace:
    try:
        import cupy
        import cupyx
        from cupyx.scipy.special import erf
    except ModuleNotFoundError as error:
        raise RuntimeError(f"device 'cuda' needs CuPy, which is not installed here ({error}); {_INSTALL}") from error
    except ImportError as error:  # of another CUDA than the one that is here
        raise RuntimeError(
            f"device 'cuda': CuPy is installed but does not load ({_first_line(error)}); pip uninstall it, "
            f"then {_INSTALL}"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise RuntimeError(
            f"device 'cuda': CuPy finds no usable GPU ({_first_line(error)}); see whether nvidia-smi lists one, or use "
            "device='cpu'"
        ) from error
    if not count:
        raise RuntimeError("device 'cuda': no GPU on this machine; use device='cpu'")
    xp = Namespace(name="cupy", **{name: getattr(cupy, name) for name in SHARED if hasattr(cupy, name)})
    xp.abs, xp.sum, xp.max, xp.min = cupy.absolute, _reduction("sum"), _reduction("max"), _reduction("min")
    xp.broadcast_to, xp.erf, xp.add_at = cupy.broadcast_to, erf, cupy.add.at
    xp.quiet = nullcontext  # a GPU raises no floating-point warnings
    xp.one, xp.scalar = cupy.ones_like, partial(cupy.full, ())  # asarray would copy the number over
    xp.as_strided = cupy.lib.stride_tricks.as_strided
    xp.diagonal, xp.linalg, xp.strict = cupy.diagonal, cupy.linalg, partial(cupyx.errstate, linalg="raise")
    xp.module, xp.array, xp.devices = cupy, cupy.ndarray, count
    xp.names = [Device("cuda", index) for index in range(count)]
    xp.kernels = {}  # what kernels/ has made for this library
    xp.floor_divide, xp.remainder = (_division(cupy, name) for name in ("floor_divide", "remainder"))
    return xp


def _reduction(name: str) -> Callable[..., Array]:
    """A reduction that takes the axes 0 and -1 of an array without any, as NumPy's do."""

    def reduction(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        return getattr(x, name)(None if not x.ndim and axis in _ONLY else axis, keepdims=keepdims)

    return reduction


_ONLY = (0, -1, (0,), (-1,))

# Python's division with rest: the rest has the sign of b, and a is what quotient and rest make again. CuPy's own take
# the floor of a / b, which is another number where that rounds, or where b is infinite.
_DIVISION = """
    T rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest == 0) rest = copysign(T(0), b);
    else if ((b < 0) != (rest < 0)) { rest += b; quotient -= 1; }
    if (quotient == 0) quotient = copysign(T(0), T(a / b));
    else { const T whole = floor(quotient); quotient = quotient - whole > T(0.5) ? whole + 1 : whole; }
    if (b == 0) { quotient = a / b; rest = b / b; }
"""


def _division(cupy: Any, name: str) -> Callable[..., Array]:
    """`floor_divide` or `remainder`, of floats as NumPy has them; integers are CuPy's to divide."""
    usual, found = getattr(cupy, name), "quotient" if name == "floor_divide" else "rest"
    kernel = cupy.ElementwiseKernel(
        "T a, T b", "T out", f"{_DIVISION} out = {found};", f"lucid_{name}", options=("--fmad=false",)
    )

    def divide(a: Array, b: Array) -> Array:
        dtype = getattr(a, "dtype", None) or b.dtype
        if any(getattr(x, "dtype", dtype) != dtype for x in (a, b)) or dtype.char not in "fd":
            return usual(a, b)
        shape = cupy.broadcast_shapes(*(getattr(x, "shape", ()) for x in (a, b)))
        return kernel(a, b, cupy.empty(shape, dtype=dtype))

    return divide


def _first_line(error: BaseException) -> str:
    """The first line of an error's text; CuPy's go on for a page."""
    lines = [line.strip(" =") for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)


def on(device: Device) -> AbstractContextManager[Any]:
    """Inside, arrays are made on this GPU.

    Raises:
        RuntimeError: if there is no such GPU.
    """
    xp, index = gpu(), device.index
    if index is None or index >= xp.devices:
        names = ", ".join(repr(f"cuda:{i}") for i in range(xp.devices))
        raise RuntimeError(f"device {device!r}: there is no such GPU here; there is {names}")
    return xp.module.cuda.Device(index)


def follow(array: Array) -> Namespace:
    """CuPy's namespace, and from here on the device of `array` is the current one."""
    xp = gpu()
    if xp.devices > 1:
        array.device.use()
    return xp


@contextmanager
def telling() -> Iterator[None]:
    """A GPU that runs out of memory inside says what is left."""
    try:
        yield
    except MemoryError as error:
        if told := memory_told(error):
            raise MemoryError(told) from error
        raise


def memory_told(error: MemoryError) -> str:
    """What a GPU that ran out of memory says, and what is left of it; or "" for the host's own."""
    if _gpu is None or not isinstance(error, _gpu.module.cuda.memory.OutOfMemoryError):
        return ""
    free, total = _gpu.module.cuda.Device().mem_info
    held = _gpu.module.get_default_memory_pool().used_bytes()
    return (
        f"{_first_line(error).rstrip('.')}: {free / 2**20:,.0f} MiB of the GPU's {total / 2**20:,.0f} are free, "
        f"tensors hold {held / 2**20:,.0f}; make the batch smaller, del what is no longer needed, or call "
        "lucid.cuda.empty_cache()"
    )
