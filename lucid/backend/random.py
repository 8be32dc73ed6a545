"""Chapter 1, continued. Random numbers: one generator, on the host, so that a seed gives one model on every device."""

from __future__ import annotations

from typing import Any

import numpy

_generator: numpy.random.Generator | None = None  # made when first asked for: loading numpy.random takes 13 ms


def generator() -> numpy.random.Generator:
    """The one generator that every random number in lucid is drawn from, on the host whatever the device."""
    global _generator
    if _generator is None:
        _generator = numpy.random.default_rng()
    return _generator


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
