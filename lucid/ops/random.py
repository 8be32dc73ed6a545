"""Random numbers: one generator, on the host, so that a seed gives the same model on every device.

Numbers are drawn in float64 and then cast and moved.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import prod
from typing import Any, Self

import numpy

from lucid.core.array import Array, Device, DType, as_device, cpu, float32, float64, int64, on_device
from lucid.core.node import Tensor
from lucid.core.promotion import as_int
from lucid.ops.checks import check_count
from lucid.ops.create import as_tensor, float_dtype, from_host, lengths, like

__all__ = [
    "Generator", "get_rng_state", "manual_seed", "multinomial", "rand", "rand_like", "randint", "randn", "randn_like",
    "randperm", "set_rng_state",
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
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Random integers from `low` (0) up to, but without, `high`: `randint(10, (3,))` or `randint(5, 10, (3,))`.
    Raises ValueError if there is no integer in that range."""
    if size is None:
        low, high, size = (0, low, high) if isinstance(high, (tuple, list)) else (low, high, size)
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
