"""Parameters and gradients that overlap move as slices of one array do, to the bit, whatever lies behind the memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.array import extent_of
from tests.whole import first

Cut = tuple[int, int]  # where a parameter begins and ends, in elements


def slices(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    return [memory[a:b] for a, b in cuts]


def strided(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    return [np.lib.stride_tricks.as_strided(memory[a:b], (b - a,), memory.strides) for a, b in cuts]


def buffers(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    behind = bytearray(memory.tobytes())
    return [np.frombuffer(behind, memory.dtype, b - a, a * memory.itemsize) for a, b in cuts]


def mapped(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    behind = mmap.mmap(-1, memory.nbytes)
    behind[:] = memory.tobytes()
    return [np.frombuffer(behind, memory.dtype, b - a, a * memory.itemsize) for a, b in cuts]


def by_dlpack(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    return [np.from_dlpack(memory[a:b]) for a, b in cuts]


def by_interface(memory: np.ndarray, cuts: list[Cut]) -> list[np.ndarray]:
    class Foreign:
        def __init__(self, a: int, b: int) -> None:
            self.keep, found = memory, memory[a:b].__array_interface__
            self.__array_interface__ = {**found, "strides": memory.strides}

    return [np.asarray(Foreign(a, b)) for a, b in cuts]


WAYS = [slices, strided, buffers, mapped, by_dlpack, by_interface]
RULES: dict[str, Callable[[list[Any]], Any]] = {
    "SGD": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), "Adamax": lambda ps: optim.Adamax(ps, weight_decay=0.1),
    "AdamW": lambda ps: optim.AdamW(ps, lr=0.1), "Rprop": optim.Rprop,
}  # fmt: skip


def trained(way: Any, rule: str, size: int, of_gradient: bool) -> list[bytes]:
    """What two overlapping parameters are after three steps; a gradient may be in it."""
    memory = np.random.default_rng(0).normal(size=3 * size).astype("float32")
    arrays = way(memory, [(0, 2 * size), (size, 3 * size), (size // 2, 5 * size // 2)])
    ps = [nn.Parameter(np.zeros(2 * size, "float32")) for _ in range(2)]
    for p, array in zip(ps, arrays, strict=False):
        p.data = lucid.from_numpy(array)
    optimizer = RULES[rule](ps)
    for _ in range(3):
        for p, shift in zip(ps, (0.5, -0.25), strict=True):
            p.grad = lucid.full((2 * size,), shift)
        if of_gradient:
            ps[1].grad = lucid.from_numpy(arrays[2])
        optimizer.step()
    return [p._array.tobytes() for p in ps]


@pytest.mark.parametrize("size", [4, 10_000, 300_000])
@pytest.mark.parametrize("of_gradient", [False, True], ids=["own gradients", "a gradient in it"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("rule", first(["AdamW", *(name for name in RULES if name != "AdamW")]))
def test_what_overlaps_moves_as_slices_do(
    way: Any, rule: str, size: int, of_gradient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optim.chunks, "worker_count", lambda: 3)
    assert trained(way, rule, size, of_gradient) == trained(slices, rule, size, of_gradient)


def test_one_array_in_two_parameters_is_moved_twice() -> None:
    ps = [nn.Parameter(np.zeros(3)) for _ in range(2)]
    ps[1]._array = ps[0]._array
    for p in ps:
        p.grad = lucid.ones(3, dtype=lucid.float64)
    optim.SGD(ps, lr=0.5).step()
    assert ps[0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_write_in_place_keeps_what_it_replaces(way: Any) -> None:
    """The second product saves x, and goes into y, which shows the same memory."""
    x, y = (lucid.from_numpy(a) for a in way(np.array([2.0, 3.0, 5.0]), [(0, 3), (0, 3)]))
    live = lucid.ones(3, dtype=lucid.float64, requires_grad=True)
    y *= live
    y *= x
    y.sum().backward()
    assert live.grad.tolist() == [4, 9, 25]


def test_an_extent_is_from_the_first_byte_to_the_last() -> None:
    x = np.zeros((4, 6))
    start = x.__array_interface__["data"][0]
    for view, expected in ((x, (0, 192)), (x[1:, 2], (64, 168)), (x[::-1], (0, 192)), (x[:0], (0, 0)),
                           (x[2, ::-2], (104, 144)), (np.broadcast_to(x[3, 5:], (7, 7)), (184, 192))):  # fmt: skip
        assert [at - start for at in extent_of(view)] == list(expected)
