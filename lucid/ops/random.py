"""Random numbers, drawn on the host by lucid's generator or one that is given: a seed is the same on every device.

Numbers are drawn in float64 and then cast and moved.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import inf, prod
from typing import Any, Self

import numpy

from lucid.core.array import Array, Device, DType, as_device, cpu, float32, float64, int64, on_device, to_numpy
from lucid.core.node import Tensor, method
from lucid.core.promotion import as_int, shown
from lucid.ops.checks import as_float, check_count
from lucid.ops.create import as_tensor, float_dtype, from_host, lengths, like
from lucid.ops.inplace import assign_at
from lucid.ops.shapes import joint_shape

__all__ = [
    "Generator", "bernoulli", "get_rng_state", "manual_seed", "multinomial", "normal", "rand", "rand_like", "randint",
    "randn", "randn_like", "randperm", "set_rng_state",
]  # fmt: skip

OF_BATCH: ContextVar[numpy.random.Generator | None] = ContextVar("OF_BATCH", default=None)
_generator: numpy.random.Generator | None = None  # made when it is first needed: loading numpy.random takes 13 ms


def generator() -> numpy.random.Generator:
    """The one generator that every random number in lucid is drawn from, on the host whatever the device; in a thread
    that loads data that of its batch."""
    global _generator
    if (own := OF_BATCH.get()) is not None:
        return own
    if _generator is None:
        _generator = numpy.random.default_rng()
    return _generator


class Generator:
    """A stream of random numbers of its own, for `generator=`. As in PyTorch a new one always begins with one seed;
    `device` is for PyTorch's sake: numbers are drawn on the host. With one seed it draws what `lucid.manual_seed` does.

    >>> rand(2, generator=Generator().manual_seed(7))
    tensor([0.9449, 0.6251])
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = as_device(device)
        self.manual_seed(67280421310721)  # PyTorch's

    def manual_seed(self, seed: int) -> Self:
        """Begin anew from `seed`, an int of 0 or more; returns the generator."""
        self._seed = check_count("Generator.manual_seed", "seed", seed)
        self._stream = numpy.random.default_rng(self._seed)
        return self

    def seed(self) -> int:
        """Begin anew from a seed that nobody knows, which is returned."""
        return self.manual_seed(int(numpy.random.default_rng().integers(2**63)))._seed

    def initial_seed(self) -> int:
        """The seed that it began with."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """Where it is, in plain values: what `set_state` takes."""
        return self._stream.bit_generator.state  # type: ignore[return-value]

    def set_state(self, new_state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called; a ValueError for what is no such state."""
        _restore("Generator.set_state: expected what get_state()", self._stream, new_state)


def stream(own: Generator | None) -> numpy.random.Generator:
    """What to draw from: the stream of the generator that is given, else lucid's."""
    if not isinstance(own, Generator | None):
        raise TypeError(f"generator must be a lucid.Generator, got {own!r}; write lucid.Generator().manual_seed(0)")
    return generator() if own is None else own._stream


def _restore(text: str, to: numpy.random.Generator, state: Any) -> None:
    try:
        to.bit_generator.state = state
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{text} returned, got {state!r}") from error


def manual_seed(seed: int) -> None:
    """Start the random generator anew from `seed`: the same program then draws the same numbers, on every device.
    Raises TypeError if `seed` is not an int, and ValueError if `seed` is negative."""
    bits, start = generator().bit_generator, check_count("manual_seed", "seed", seed)
    bits.state = type(bits)(start).state


def get_rng_state() -> dict[str, Any]:
    """The random generator's state as nested dicts of plain values, to be given to `set_rng_state` later."""
    return generator().bit_generator.state  # type: ignore[return-value]


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the stream of random numbers from where `get_rng_state` was called. Raises ValueError if `state` is
    not such a state."""
    _restore("set_rng_state: expected what get_rng_state()", generator(), state)


def _random(name: str, dtype: Any) -> DType:
    """The dtype of random numbers that are no integers."""
    if (dtype := float_dtype(dtype)).kind != "f":
        raise TypeError(f"{name}: expected a float dtype, got {dtype}; use randint, or .to({str(dtype)!r})")
    return dtype


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform random numbers in [0, 1), of `generator` if one is given."""
    # A draw just below 1 rounds up to 1 in float32, once in 2**25: float32 draws are made in float32.
    dtype, shape = _random("rand", dtype), lengths("rand", size)
    drawn = stream(generator).random(shape, dtype=float64 if dtype == float64 else float32)
    return from_host(cpu.asarray(drawn), dtype, device, requires_grad)


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Standard normal random numbers, of `generator` if one is given."""
    dtype, drawn = _random("randn", dtype), stream(generator).standard_normal(lengths("randn", size))
    return from_host(cpu.asarray(drawn), dtype, device, requires_grad)


def randint(
    low: int = 0, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Random integers from `low` (0) up to, but without, `high`: `randint(10, (3,))` or `randint(5, 10, (3,))`.
    Raises ValueError if there is no integer in that range."""
    if size is None:
        low, high, size = (0, low, high) if isinstance(high, (tuple, list)) else (low, high, size)
    elif high is None:
        low, high = 0, low
    if size is None or high is None:
        raise TypeError("randint: expected (high, size) or (low, high, size)")
    low, high = as_int("randint", "low", low), as_int("randint", "high", high)
    if low >= high:
        raise ValueError(f"randint: no integers from {low} up to {high}")
    drawn = stream(generator).integers(low, high, lengths("randint", (size,)))
    return from_host(cpu.asarray(drawn), int64 if dtype is None else dtype, device, requires_grad)


def randperm(n: int, dtype: Any = None, device: Any = None, *, generator: Generator | None = None) -> Tensor:
    """The integers below n in random order."""
    drawn = stream(generator).permutation(check_count("randperm", "n", n))
    return from_host(drawn, int64 if dtype is None else dtype, device, False)


def multinomial(
    probabilities: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Indices drawn at random, index i in proportion to probabilities[i].

    Args:
        probabilities: weights of 0 or more, floats, which need not add up to 1; shape (n,), or (rows, n).
        num_samples: how many indices to draw, from each row.
        replacement: whether one index may be drawn again. Without it each draw is among those that are left.
        generator: a lucid.Generator to draw from; lucid's own unless given.

    Returns int64, shape (num_samples,) or (rows, num_samples), on the device of the weights. Raises TypeError
    if these are not a tensor of floats, and ValueError if they have another number of dims, or are negative,
    not finite, or all 0; or if without replacement there are fewer that are not 0 than `num_samples`.

    >>> from lucid import tensor
    >>> multinomial(tensor([0.0, 0.3, 0.0]), 4, replacement=True)
    tensor([1, 1, 1, 1])
    """
    if probabilities.dtype.kind != "f":
        got = f"got {probabilities.dtype}; convert with .float()"
        raise TypeError(f"multinomial: expected weights of a float dtype, {got}")
    if len(shape := probabilities.shape) not in (1, 2):
        raise ValueError(f"multinomial: expected weights of shape (n,) or (rows, n), got shape {shape}")
    count = check_count("multinomial", "num_samples", num_samples, 1)
    weights = as_tensor(probabilities).detach().cpu().double().numpy()
    if not (cpu.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("multinomial: expected finite weights of 0 or more, got a negative one, inf or nan")
    drawable = (weights > 0).sum(-1)
    if (drawable == 0).any():
        raise ValueError("multinomial: expected weights that are not all 0")
    if not replacement and (drawable < count).any():
        few = f"only {drawable.min()} weights above 0; draw fewer, or with replacement=True"
        raise ValueError(f"multinomial: {count} samples without replacement, but {few}")
    if replacement:
        sums = (weights / weights.max(-1, keepdims=True)).cumsum(-1)
        places = stream(generator).random((*weights.shape[:-1], count)) * sums[..., -1:]
        rows = zip(sums.reshape(-1, sums.shape[-1]), places.reshape(-1, count), strict=True)
        drawn = cpu.asarray([row.searchsorted(place, "right") for row, place in rows]).reshape(places.shape)
    else:  # the order in which exponential clocks of these rates ring is that of successive draws
        with cpu.quiet():
            rings = cpu.log(stream(generator).standard_exponential(weights.shape)) - cpu.log(weights)
        drawn = rings.argsort(-1)[..., :count]
    return from_host(drawn, int64, probabilities.device, False)


rand_like = like(rand, "Uniform random numbers")
randn_like = like(randn, "Standard normal random numbers")


# What is drawn at every step, such as which elements dropout drops, must not be sent to a GPU each time. It is made
# where it is needed: a hash of each element's place and of a key, two words of the generator's, so the same on every
# device. Multipliers and shifts are those of lowbias32 (C. Wellons, "Prospecting for Hash Functions", 2018), with the
# second word of the key between its two rounds. On a CPU 16,384 words take 0.76 of the time of drawing them, and 64
# words, where it is all calls, five times it.


def random_mask(shape: tuple[int, ...], p: float, dtype: DType, device: Device) -> Array:
    """Each element 0 with probability p, else 1 / (1 - p): the same on every device, for one state of the generator."""
    least, yes = min(int(p * 2**32), 2**32 - 1), 1 / (1 - p) if p < 1 else 0.0
    key = int(generator().bit_generator.random_raw())
    words = key & 0xFFFFFFFF, key >> 32
    if device != "cpu":
        return on_device(device).random_mask(shape, words, least, yes, dtype, device)
    x = numpy.arange(prod(shape), dtype=numpy.uint32)
    x += numpy.uint32(words[0])
    x ^= x >> 16
    x *= numpy.uint32(0x7FEB352D)
    x ^= numpy.uint32(words[1])
    x ^= x >> 15
    x *= numpy.uint32(0x846CA68B)
    x ^= x >> 16
    mask = (x >= least).astype(dtype)
    mask *= yes
    return mask.reshape(shape)


def _numbers(name: str, argument: str, value: Any, low: float, high: float = inf) -> Any:
    """A number, or the values of a tensor, as an array of float64 on the host; a ValueError if one is out of bounds."""
    array = getattr(value, "_array", None)
    values = cpu.asarray(as_float(name, argument, value) if array is None else to_numpy(array).astype("float64"))
    if not ((values >= low) & (values <= high)).all():
        raise ValueError(f"{name}: {argument} must lie in [{low}, {high}], got {shown(value)}")
    return values


def normal(
    mean: Tensor | float = 0.0, std: Tensor | float = 1.0, size: Any = None, *, generator: Generator | None = None,
    dtype: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Normal random numbers: of shape `size` with one mean and standard deviation, or one for each element of `mean`
    and `std`, of which one or both are tensors. Raises ValueError if a `std` is negative.

    >>> normal(5.0, 0.0, (3,))
    tensor([5., 5., 5.])
    """
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if (size is None) is not bool(tensors):
        raise TypeError("normal: expected a size, normal(0.0, 1.0, (2, 3)), or a tensor for mean or std, and one only")
    shape = joint_shape("normal", *[x.shape for x in tensors]) if tensors else lengths("normal", (size,))
    center, spread = _numbers("normal", "mean", mean, -inf), _numbers("normal", "std", std, 0)
    drawn = stream(generator).standard_normal(shape) * spread + center
    dtype = _random("normal", tensors[0].dtype if tensors and dtype is None else dtype)
    return from_host(drawn, dtype, tensors[0].device if tensors and device is None else device, requires_grad)


def bernoulli(input: Tensor, p: Tensor | float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element of `input` is, or with `p`, else 0; a ValueError if it is no such."""
    return input.new_zeros(input.shape).bernoulli_(input if p is None else p, generator=generator)


def _filled(name: str, x: Tensor, drawn: Any, floats: bool = True) -> Tensor:
    """x with numbers that were drawn, of its shape; a TypeError if it should be of a float dtype and is not."""
    dtype = _random(name, x.dtype) if floats else x.dtype
    return assign_at(x, name, (Ellipsis,), from_host(cpu.asarray(drawn), dtype, x.device, False))


@method()
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal random numbers. Raises ValueError if `std` is negative."""
    drawn = normal(mean, std, self.shape, generator=generator, dtype=float64, device="cpu")
    return _filled("normal_", self, drawn._array)


@method()
def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn evenly from [a, b). Raises ValueError if a > b."""
    _numbers("uniform_", "b", b, as_float("uniform_", "a", a))
    return _filled("uniform_", self, stream(generator).uniform(a, b, self.shape))


@method()
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential random numbers of mean 1 / lambd. Raises ValueError if `lambd` is not above 0."""
    scale = 1 / _numbers("exponential_", "lambd", lambd, 1e-300)
    return _filled("exponential_", self, stream(generator).exponential(scale, self.shape))


@method()
def bernoulli_(self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 with probability `p`, a number or one for each element, else 0; a ValueError if it is no such."""
    drawn = stream(generator).random(self.shape) < _numbers("bernoulli_", "p", p, 0, 1)
    return _filled("bernoulli_", self, drawn, False)


@method()
def random_(
    self: Tensor, low: int | None = None, high: int | None = None, *, generator: Generator | None = None
) -> Tensor:  # fmt: skip
    """Fill with integers from `low` (0) up to, but without, `high`: `random_(10)`, `random_(5, 10)`; without either all
    from 0 on that the dtype holds exactly. Raises ValueError if there is no integer in that range."""
    bits, (low, high) = 8 * self.element_size(), (0, low) if high is None else (low or 0, high)
    exact = {"f": {16: 11, 32: 24}.get(bits, 53), "i": bits - 1, "u": bits, "b": 1}[self.dtype.kind]
    high = 2**exact - (exact == 63) if high is None else high
    drawn = randint(low, high, self.shape, generator=generator, device="cpu")
    return _filled("random_", self, drawn._array, False)
