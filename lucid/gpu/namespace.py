"""CuPy's namespace, with its differences from NumPy settled, and errors that say what is missing.

CuPy is imported when a GPU is first used. Arrays are on the device that was current when they were created, and kernels
run on the one that is current, so code that works with an array first makes its device the current one: `follow`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from lucid.core.array import LOADERS, SHARED_FUNCTIONS, Array, Device, Namespace, is_array, register_namespace
from lucid.core.node import Tensor
from lucid.gpu import deferred_errors
from lucid.gpu.cuda_expressions import OPTIONS

INSTALL = 'pip install "cupy-cuda12x[ctk]>=14" (or cuda13x, after the CUDA version that nvidia-smi shows)'
loaded: CupyNamespace | None = None  # from the first use of a GPU on


def gpu() -> CupyNamespace:
    """CuPy's namespace; the first call imports CuPy. RuntimeError if it is not installed, or finds no GPU."""
    global loaded
    if loaded is None:
        loaded = _load()
        register_namespace(loaded)
    return loaded


LOADERS["cuda"] = LOADERS["cupy", "ndarray"] = gpu


class CupyNamespace(Namespace):
    """CuPy's functions under the names that lucid uses, and what a GPU does in its own way.

    Attributes:
        module: CuPy.
        devices: how many GPUs there are.
        kernels: what has been compiled for this library so far.
        checks: device -> the kernel of deferred_errors.py, where it writes, and the messages since that was read.
        buckets: how parameters on a GPU are moved by an optimizer.
    """

    def follow(self, array: Array) -> Namespace:
        """This namespace; from here on the device of `array` is the current one."""
        if self.devices > 1:
            array.device.use()
        return self

    def device_of(self, array: Array) -> Device:
        """The device that an array is on."""
        return self.names[array.device.id if self.devices > 1 else 0]

    def to_host(self, array: Array) -> Array:
        """A copy as a NumPy array. The host waits for the device here, and deferred errors are raised."""
        deferred_errors.raise_pending(self)
        return array.get()

    def to_device(self, array: Array, device: Device) -> Array:
        """A copy on a GPU."""
        return self.create(device, "asarray", array)

    def create(self, device: Device, function: str, *args: Any, **options: Any) -> Array:
        """What a function of this namespace creates on a GPU; a MemoryError says what is left of that."""
        with on(device):
            try:
                return getattr(self, function)(*args, **options)
            except MemoryError as error:
                raise MemoryError(self.memory_error(error) or str(error)) from error

    def check_index(self, shape: tuple[int, ...], parts: tuple[Any, ...]) -> None:
        """Raise an IndexError for indices out of bounds, as NumPy does; a GPU would wrap them silently."""
        pairs, dim = [(part, part.dtype.kind if is_array(part) else "") for part in parts], 0
        dims = [p.ndim if kind == "b" else int(p is not None and p is not Ellipsis) for p, kind in pairs]
        for (part, kind), taken in zip(pairs, dims, strict=True):
            if kind in ("i", "u"):
                n = shape[dim]
                text = f"is out of bounds for the {n} of dim {dim} of shape {shape}"
                if isinstance(part, self.array):
                    self.assert_in_range(part, -n, n, f"getitem: an index {text}")
                elif part.size and not (-n <= part.min() and part.max() < n):
                    raise IndexError(f"getitem: index {low if (low := part.min()) < -n else part.max()} {text}")
            dim += len(shape) - sum(dims) if part is Ellipsis else taken

    def quick_operands(self, op: Any, operands: Any) -> Any:
        """The operands as `promote_operands` gives them, for tensors of one float dtype on the only GPU, and numbers:
        the usual case there, at a fifth of the price. None for all else."""
        if self.devices > 1 or op.variadic:
            return None
        arrays, nodes, dtype = [], [], None
        for name, x in zip(op.inputs, operands, strict=True):
            array, node = x, None
            if isinstance(x, Tensor):
                array, node = x._array, x._node
                if type(array) is not self.array:
                    return None
                if name in op.promoted:
                    if dtype is None and array.dtype.kind == "f":
                        dtype = array.dtype
                    if array.dtype is not dtype:
                        return None
            elif not (x is None and name in op.nullable) and (type(x) not in (float, int) or dtype is None):
                return None
            arrays.append(array)
            nodes.append(node)
        half = dtype is not None and dtype.char == "e" and (op.in_single is True or not op.vjps)
        return (self, arrays, nodes) if dtype is not None and not half else None

    def memory_error(self, error: MemoryError) -> str:
        """What a GPU that ran out of memory says, and what is left of it; or "" for the host's own."""
        if not isinstance(error, self.module.cuda.memory.OutOfMemoryError):
            return ""
        sizes = *self.module.cuda.Device().mem_info, self.module.get_default_memory_pool().used_bytes()
        free, total, held = (f"{size / 2**20:,.0f}" for size in sizes)
        left = f"{free} MiB of the GPU's {total} are free, tensors hold {held}"
        fix = "make the batch smaller, del what is no longer needed, or call lucid.cuda.empty_cache()"
        return f"{_first_line(error).rstrip('.')}: {left}; {fix}"


def _load() -> CupyNamespace:
    try:
        import cupy
        import cupyx
        from cupyx.scipy.special import erf
    except ModuleNotFoundError as error:
        raise RuntimeError(f"device 'cuda' needs CuPy, which is not installed here ({error}); {INSTALL}") from error
    except ImportError as error:  # another CUDA's
        text = f"CuPy is installed but does not load ({_first_line(error)}); pip uninstall it, then {INSTALL}"
        raise RuntimeError(f"device 'cuda': {text}") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        text = f"CuPy finds no usable GPU ({_first_line(error)}); see whether nvidia-smi lists one"
        raise RuntimeError(f"device 'cuda': {text}, or use device='cpu'") from error
    if not count:
        raise RuntimeError("device 'cuda': no GPU on this machine; use device='cpu'")
    from lucid.gpu.dispatch import forward_on, vjp_on
    from lucid.gpu.optimizer_kernel import GpuBucket

    names = (*SHARED_FUNCTIONS, "broadcast_to", "diagonal", "from_dlpack", "linalg")
    xp = CupyNamespace(name="cupy", **{name: getattr(cupy, name) for name in names if hasattr(cupy, name)})
    xp.module, xp.array, xp.devices = cupy, cupy.ndarray, count
    xp.names, xp.kernels, xp.checks = [Device("cuda", index) for index in range(count)], {}, {}
    vars(xp).update(forward=partial(forward_on, xp), vjp=partial(vjp_on, xp), buckets=[GpuBucket])
    xp.assert_in_range = partial(deferred_errors.assert_in_range, xp)
    xp.abs, xp.sum, xp.max, xp.min = cupy.absolute, _reduction("sum"), _reduction("max"), _reduction("min")
    xp.erf, xp.as_strided = erf, cupy.lib.stride_tricks.as_strided
    xp.quiet = nullcontext  # a GPU raises no floating-point warnings
    xp.one, xp.scalar = cupy.ones_like, partial(cupy.full, ())  # asarray would copy the number over
    xp.strict = partial(cupyx.errstate, linalg="raise")
    xp.floor_divide, xp.remainder = (_division(cupy, name) for name in ("floor_divide", "remainder"))
    xp.random_mask = partial(_random_mask, xp)
    return xp


def _reduction(name: str) -> Callable[..., Array]:
    """A reduction that takes the axes 0 and -1 of an array without any, as NumPy's do; sums of half are in single."""

    def reduction(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        axis = None if not x.ndim and axis in (0, -1, (0,), (-1,)) else axis
        if name == "sum" and x.dtype.char == "e":
            return x.sum(axis, dtype="float32", keepdims=keepdims).astype(x.dtype)
        return getattr(x, name)(axis, keepdims=keepdims)

    return reduction


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
    usual, text = getattr(cupy, name), f"{_DIVISION} out = {'quotient' if name == 'floor_divide' else 'rest'};"
    kernel = cupy.ElementwiseKernel("T a, T b", "T out", text, f"lucid_{name}", options=OPTIONS)

    def divide(a: Array, b: Array) -> Array:
        dtype = getattr(a, "dtype", None) or b.dtype
        if any(getattr(x, "dtype", dtype) != dtype for x in (a, b)) or dtype.char not in "fd":
            return usual(a, b)
        shape = cupy.broadcast_shapes(*(getattr(x, "shape", ()) for x in (a, b)))
        return kernel(a, b, cupy.empty(shape, dtype=dtype))

    return divide


_MASK = (
    "uint32 low, uint32 high, uint32 least, T yes, T no", "T out",
    """unsigned x = (unsigned)i + low;
    x ^= x >> 16; x *= 0x7FEB352Du; x ^= high;
    x ^= x >> 15; x *= 0x846CA68Bu; x ^= x >> 16;
    out = x >= least ? yes : no;""",
    "lucid_random_mask",
)  # fmt: skip


def _random_mask(xp: Any, shape: Any, key: Any, least: int, yes: float, dtype: Any, device: Any) -> Any:
    """What ops/random.py computes on the CPU, as one kernel."""
    with on(device):
        if _MASK not in xp.kernels:
            xp.kernels[_MASK] = xp.module.ElementwiseKernel(*_MASK)
        return xp.kernels[_MASK](*key, least, yes, 0.0, xp.empty(shape, dtype=dtype))


def _first_line(error: BaseException) -> str:
    """The first line of an error's text; CuPy's go on for a page."""
    lines = filter(None, (line.strip(" =") for line in str(error).splitlines()))
    return next(lines, type(error).__name__)


def on(device: Device) -> AbstractContextManager[Any]:
    """Inside, arrays are made on this GPU; a RuntimeError if there is none such."""
    xp, index = gpu(), device.index
    if index is None or index >= xp.devices:
        names = ", ".join(repr(f"cuda:{i}") for i in range(xp.devices))
        raise RuntimeError(f"device {device!r}: there is no such GPU here; there is {names}")
    return xp.module.cuda.Device(index)
