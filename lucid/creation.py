"""Chapter 5g. Where tensors come from. Every function takes `dtype`, `device` and `requires_grad`.

Random numbers are drawn on the host, in float64, from the one generator that `manual_seed` starts, and then cast and
moved: the same seed gives the same model on every device.
"""

from __future__ import annotations

from typing import Any

from lucid import backend
from lucid.operands import ndim_of
from lucid.shaping import lengths
from lucid.tensor import Tensor


def _made(array: backend.Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A host array as a Tensor; `dtype` None keeps the array's."""
    if dtype is not None:
        array = array.astype(backend.as_dtype(dtype), copy=False)
    return Tensor(backend.to_device(array, device), requires_grad)


def _float(dtype: Any) -> backend.DType:
    return backend.get_default_dtype() if dtype is None else backend.as_dtype(dtype)


def _random(name: str, dtype: Any) -> backend.DType:
    """The dtype of random numbers that are no integers."""
    if (found := _float(dtype)).kind != "f":
        raise TypeError(f"{name}: expected a float dtype, got {found}; use randint, or .to({str(found)!r})")
    return found


def _number(name: str, what: str, n: Any) -> Any:
    """A Python number of what stands for one: a NumPy scalar, a 0-d tensor."""
    n = n.item() if getattr(n, "shape", None) == () else n
    if not isinstance(n, (int, float)):
        raise TypeError(f"{name}: expected a number for {what}, got {n!r}")
    return n


def _integer(name: str, what: str, n: Any) -> int:
    if not hasattr(n, "__index__"):
        raise TypeError(f"{name}: expected an int for {what}, got {n!r}")
    return n.__index__()


def _count(name: str, what: str, n: Any) -> int:
    if (count := _integer(name, what, n)) < 0:
        raise ValueError(f"{name}: expected {what} to be 0 or more, got {count}")
    return count


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor holding a copy of `data`: numbers, nested lists, arrays or tensors.

    Python floats become float32 (see `set_default_dtype`), ints int64; arrays and tensors keep their dtype.

    Raises:
        ValueError: for ragged lists.
        TypeError: for things that are not numbers, and for integers with `requires_grad`.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tensor([0.5, 1.0]).dtype
    dtype('float32')
    """
    if isinstance(data, Tensor):
        data, device = data._array, data.device if device is None else device
    return Tensor(backend.from_data(data, None if dtype is None else backend.as_dtype(dtype), device), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without copying where it is a tensor or a NumPy array of the right dtype already."""
    if isinstance(data, Tensor):
        return data.to(data.dtype if dtype is None else dtype).to(data.device if device is None else device)
    if backend.is_array(data) and str(data.dtype) in backend.DTYPES:
        made = Tensor(data).to(data.dtype if dtype is None else dtype)
        return made if device is None and made.device != "cpu" else made.to(backend.as_device(device))
    return tensor(data, dtype, device)


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what is written to one shows in the other.

    Raises:
        TypeError: for anything but a NumPy array of a dtype that lucid has.
    """
    if not isinstance(array, backend.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use lucid.tensor(...)")
    backend.as_dtype(array.dtype)
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of anything that speaks DLPack: PyTorch, JAX and CuPy arrays.

    >>> import numpy
    >>> from_dlpack(numpy.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: expected what has __dlpack__, such as an array, got {type(source).__name__}")
    return Tensor(backend.from_dlpack(source))


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, of shape `zeros(2, 3)` or `zeros((2, 3))`."""
    return Tensor(backend.made_on(device, "zeros", lengths("zeros", size), dtype=_float(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return Tensor(backend.made_on(device, "ones", lengths("ones", size), dtype=_float(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever the memory held: to be written to before it is read."""
    return Tensor(backend.made_on(device, "empty", lengths("empty", size), dtype=_float(dtype)), requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of shape `size` with one value everywhere, in the dtype that the value calls for."""
    value = backend.from_data(fill_value.tolist() if isinstance(fill_value, Tensor) else fill_value, None, "cpu")
    found = value.dtype if dtype is None else backend.as_dtype(dtype)
    return Tensor(backend.made_on(device, "full", lengths("full", (size,)), value[()], dtype=found), requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of n rows and m (n) columns of zeros."""
    rows, columns = _count("eye", "n", n), _count("eye", "m", n if m is None else m)
    return Tensor(backend.made_on(device, "eye", rows, columns, dtype=_float(dtype)), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """From `start` (0) up to, but without, `end`, in steps; int64 where all are ints, else float32.

    Raises:
        ValueError: if `step` is 0 or leads away from `end`.
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = _number("arange", "start", start), _number("arange", "end", end), _number("arange", "step", step)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: step {step} does not lead from {start} to {end}")
    whole = all(isinstance(n, int) for n in (start, end, step))
    if whole:  # exact wherever it is made
        found = backend.int64 if dtype is None else backend.as_dtype(dtype)
        made = backend.made_on(device, "arange", start, end, step, dtype=backend.int64).astype(found, copy=False)
        return Tensor(made, requires_grad)
    return _made(backend.cpu.arange(start, end, step), _float(dtype), device, requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, evenly apart."""
    start, end = _number("linspace", "start", start), _number("linspace", "end", end)
    return _made(backend.linspace(start, end, _count("linspace", "steps", steps)), _float(dtype), device, requires_grad)


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    # A draw just below 1 rounds up to 1 in float32, once in 2**25: float32 draws are made in float32.
    found, shape = _random("rand", dtype), lengths("rand", size)
    drawn = backend.generator().random(shape, dtype=backend.float64 if found == backend.float64 else backend.float32)
    return _made(backend.cpu.asarray(drawn), found, device, requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal random numbers."""
    found, drawn = _random("randn", dtype), backend.generator().standard_normal(lengths("randn", size))
    return _made(backend.cpu.asarray(drawn), found, device, requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Random integers from `low` (0) up to, but without, `high`: `randint(10, (3,))` or `randint(5, 10, (3,))`.

    Raises:
        ValueError: if there is no integer in that range.
    """
    if size is None:
        low, high, size = (0, low, high) if isinstance(high, (tuple, list)) else (low, high, size)
    if size is None or high is None:
        raise TypeError("randint: expected (high, size) or (low, high, size)")
    low, high = _integer("randint", "low", low), _integer("randint", "high", high)
    if low >= high:
        raise ValueError(f"randint: no integers from {low} up to {high}")
    drawn = backend.generator().integers(low, high, lengths("randint", (size,)))
    return _made(backend.cpu.asarray(drawn), backend.int64 if dtype is None else dtype, device, requires_grad)


def randperm(n: int, dtype: Any = None, device: Any = None) -> Tensor:
    """The integers below n in random order."""
    drawn = backend.generator().permutation(_count("randperm", "n", n))
    return _made(drawn, backend.int64 if dtype is None else dtype, device, False)


def multinomial(probabilities: Tensor, num_samples: int, replacement: bool = False) -> Tensor:
    """Indices drawn at random, index i in proportion to probabilities[i].

    Args:
        probabilities: weights of 0 or more, floats, which need not add up to 1; shape (n,), or (rows, n).
        num_samples: how many indices to draw, from each row.
        replacement: whether one index may be drawn again. Without it each draw is among those that are left.

    Returns:
        int64, shape (num_samples,) or (rows, num_samples), on the device of the weights.

    Raises:
        TypeError: if the weights are not a tensor of floats.
        ValueError: if they have another number of dims, or are negative, not finite, or all 0; or if without
            replacement there are fewer that are not 0 than `num_samples`.

    >>> multinomial(tensor([0.0, 0.3, 0.0]), 4, replacement=True)
    tensor([1, 1, 1, 1])
    """
    who = "multinomial"
    ndim_of(who, probabilities)
    if probabilities.dtype.kind != "f":
        raise TypeError(f"{who}: expected weights of a float dtype, got {probabilities.dtype}; convert with .float()")
    if probabilities.ndim not in (1, 2):
        raise ValueError(f"{who}: expected weights of shape (n,) or (rows, n), got shape {tuple(probabilities.shape)}")
    if (count := _count(who, "num_samples", num_samples)) == 0:
        raise ValueError(f"{who}: expected num_samples to be 1 or more, got 0")
    cpu, device = backend.cpu, probabilities.device
    weights = as_tensor(probabilities).detach().cpu().double().numpy()
    if not (cpu.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"{who}: expected finite weights of 0 or more, got a negative one, inf or nan")
    drawable = (weights > 0).sum(-1)
    if (drawable == 0).any():
        raise ValueError(f"{who}: expected weights that are not all 0")
    if not replacement and (drawable < count).any():
        raise ValueError(
            f"{who}: {count} samples without replacement, but only {drawable.min()} weights above 0; "
            f"draw fewer, or with replacement=True"
        )
    if replacement:
        sums = (weights / weights.max(-1, keepdims=True)).cumsum(-1)
        places = backend.generator().random((*weights.shape[:-1], count)) * sums[..., -1:]
        rows = zip(sums.reshape(-1, sums.shape[-1]), places.reshape(-1, count), strict=True)
        drawn = cpu.asarray([row.searchsorted(place, "right") for row, place in rows]).reshape(places.shape)
    else:  # the order in which exponential clocks of these rates ring is that of successive draws
        with cpu.quiet():
            rings = cpu.log(backend.generator().standard_exponential(weights.shape)) - cpu.log(weights)
        drawn = rings.argsort(-1)[..., :count]
    return _made(drawn, backend.int64, device, False)


def zeros_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape, dtype and device of x."""
    ndim_of("zeros_like", x)
    return zeros(x.shape, **_like(x, dtype, device), requires_grad=requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape, dtype and device of x."""
    ndim_of("ones_like", x)
    return ones(x.shape, **_like(x, dtype, device), requires_grad=requires_grad)


def empty_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Whatever the memory held, in the shape, dtype and device of x."""
    ndim_of("empty_like", x)
    return empty(x.shape, **_like(x, dtype, device), requires_grad=requires_grad)


def full_like(x: Tensor, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere, in the shape, dtype and device of x."""
    ndim_of("full_like", x)
    return full(x.shape, fill_value, **_like(x, dtype, device), requires_grad=requires_grad)


def rand_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in the shape, dtype and device of x."""
    ndim_of("rand_like", x)
    return rand(x.shape, **_like(x, dtype, device), requires_grad=requires_grad)


def randn_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal random numbers in the shape, dtype and device of x."""
    ndim_of("randn_like", x)
    return randn(x.shape, **_like(x, dtype, device), requires_grad=requires_grad)


def _like(x: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    return {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}


def is_tensor(value: Any) -> bool:
    """Whether `value` is a Tensor."""
    return isinstance(value, Tensor)
