"""Chapter 1, continued. Random numbers: one generator, on the host, so that a seed gives one model on every device."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy

from lucid.backend.dtypes import Array, DType
from lucid.backend.on_cupy import gpu, on
from lucid.devices import Device

# What is drawn at every step, such as which elements dropout drops, must not be sent to a GPU each time. It is made
# where it is needed: a hash of each element's place and of a key, two words of the generator's, so the same on every
# device. Multipliers and shifts are those of lowbias32 (C. Wellons, "Prospecting for Hash Functions", 2018), with the
# second word of the key between its two rounds. On a CPU 16,384 words take 0.76 of the time of drawing them, and 64
# words, where it is all calls, five times it.
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
_KERNEL = (
    "uint32 low, uint32 high, uint32 least, T yes, T no", "T out",
    f"""unsigned x = (unsigned)i + low;
    x ^= x >> 16; x *= {_FIRST}u; x ^= high;
    x ^= x >> 15; x *= {_SECOND}u; x ^= x >> 16;
    out = x >= least ? yes : no;""",
    "lucid_random_mask",
)  # fmt: skip

_generator: numpy.random.Generator | None = None  # made when first asked for: loading numpy.random takes 13 ms


def generator() -> numpy.random.Generator:
    """The one generator that every random number in lucid is drawn from, on the host whatever the device."""
    global _generator
    if _generator is None:
        _generator = numpy.random.default_rng()
    return _generator


def random_mask(shape: tuple[int, ...], p: float, dtype: DType, device: Device) -> Array:
    """Each element 0 with probability p, else 1 / (1 - p): the same on every device, for one state of the generator."""
    least, yes = min(int(p * 2**32), 2**32 - 1), 1 / (1 - p) if p < 1 else 0.0
    key = int(generator().bit_generator.random_raw())
    low, high = key & 0xFFFFFFFF, key >> 32
    if device != "cpu":
        with on(device):
            xp = gpu()
            if _KERNEL not in xp.kernels:
                xp.kernels[_KERNEL] = xp.module.ElementwiseKernel(*_KERNEL)
            return xp.kernels[_KERNEL](low, high, least, yes, 0.0, xp.empty(shape, dtype=dtype))
    x = numpy.arange(prod(shape), dtype=numpy.uint32)
    x += numpy.uint32(low)
    x ^= x >> 16
    x *= numpy.uint32(_FIRST)
    x ^= numpy.uint32(high)
    x ^= x >> 15
    x *= numpy.uint32(_SECOND)
    x ^= x >> 16
    mask = (x >= least).astype(dtype)
    mask *= yes
    return mask.reshape(shape)


def manual_seed(seed: int) -> None:
    """Start the random generator anew from `seed`: the same program then draws the same numbers, on every device.

    Raises:
        TypeError: if `seed` is not an int.
        ValueError: if `seed` is negative.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"manual_seed: expected an int, got {seed!r}")
    if seed < 0:
        raise ValueError(f"manual_seed: expected a seed of 0 or more, got {seed}")
    bits = generator().bit_generator
    bits.state = type(bits)(int(seed)).state


def get_rng_state() -> dict[str, Any]:
    """The random generator's state as nested dicts of plain values, to be given to `set_rng_state` later."""
    return generator().bit_generator.state  # type: ignore[return-value]


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the stream of random numbers from where `get_rng_state` was called.

    Raises:
        ValueError: if `state` is not such a state.
    """
    try:
        generator().bit_generator.state = state
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"set_rng_state: expected what get_rng_state() returned, got {state!r}") from error
