"""Chapter 1, continued. Random numbers: one generator, on the host, so that a seed gives one model on every device."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy

from lucid.backend.dtypes import Array
from lucid.backend.on_cupy import gpu, on
from lucid.devices import Device

# What is drawn at every step, such as which elements dropout drops, must not be sent to a GPU each time. It is made
# where it is needed: a hash of each element's place and of a key, two words of the generator's, so the same on every
# device. Multipliers and shifts are those of lowbias32 (C. Wellons, "Prospecting for Hash Functions", 2018), with the
# second word of the key between its two rounds. On a CPU 16,384 words take 0.76 of the time of drawing them, and 64
# words, where it is all calls, five times it.
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
_KERNEL = (
    "uint32 low, uint32 high", "uint32 x",
    f"""x = (unsigned)i + low;
    x ^= x >> 16; x *= {_FIRST}u; x ^= high;
    x ^= x >> 15; x *= {_SECOND}u; x ^= x >> 16;""",
    "lucid_random_words",
)  # fmt: skip

_generator: numpy.random.Generator | None = None  # made when first asked for: loading numpy.random takes 13 ms


def generator() -> numpy.random.Generator:
    """The one generator that every random number in lucid is drawn from, on the host whatever the device."""
    global _generator
    if _generator is None:
        _generator = numpy.random.default_rng()
    return _generator


def random_words(shape: tuple[int, ...], device: Device) -> Array:
    """Random uint32 numbers on a device: the same on each, for the same state of the generator."""
    key = int(generator().bit_generator.random_raw())
    low, high = key & 0xFFFFFFFF, key >> 32
    if device != "cpu":
        with on(device):
            xp = gpu()
            if "random_words" not in vars(xp):
                xp.random_words = xp.module.ElementwiseKernel(*_KERNEL)
            return xp.random_words(low, high, xp.empty(shape, dtype="uint32"))
    x = numpy.arange(prod(shape), dtype=numpy.uint32)
    x += numpy.uint32(low)
    x ^= x >> 16
    x *= numpy.uint32(_FIRST)
    x ^= numpy.uint32(high)
    x ^= x >> 15
    x *= numpy.uint32(_SECOND)
    x ^= x >> 16
    return x.reshape(shape)


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
