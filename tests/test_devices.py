"""A GPU behaves like the CPU: the whole table on the stand-in for CuPy, and on CuPy itself where a GPU answers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import stand_in
from stand_in.arrays import counted
from table import PLAIN_ROWS, ROWS, Row
from test_table import gradients, live, tensors, weights

import lucid
from lucid.autograd import grad


@pytest.fixture(params=["stand-in", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which GPU there is while the test runs."""
    with contextlib.nullcontext() if request.param == "cuda" else stand_in.installed():
        lucid.set_default_device("cuda")  # some rows make tensors of their own
        yield request.param
        lucid.set_default_device("cpu")


# Two rows are about the CPU: x.cpu(), and a NumPy array on the left of @.
rows = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name not in ("conversion-0", "reflected-0")], ids=lambda row: row.name
)


def on_gpu(row: Row, dtype: object = None) -> list[lucid.Tensor]:
    made = [lucid.tensor(array, dtype if array.dtype.kind == "f" else None, "cuda") for array in row.arrays]
    return [t.requires_grad_() if t.is_floating_point() else t for t in made]


def on_cpu(row: Row) -> tuple[lucid.Tensor, list[lucid.Tensor], list[lucid.Tensor]]:
    """Output, gradients and inputs, as the CPU has them."""
    lucid.set_default_device("cpu")
    return *gradients(row, ts := tensors(row)), ts


def close(a: lucid.Tensor, b: lucid.Tensor) -> None:
    """Within what another order of summation and a fused multiply-add may do in double precision."""
    assert a.device == "cuda:0" and b.device == "cpu"
    np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
    assert a.dtype == b.dtype


@rows
def test_values_and_gradients(row: Row, gpu: str) -> None:
    out, found = gradients(row, there := on_gpu(row))
    expected_out, expected, here = on_cpu(row)
    close(out, expected_out)
    for a, b in zip(found, expected, strict=True):
        close(a, b)
    for a, b in zip(there, here, strict=True):
        close(a, b)


@rows
def test_second_derivatives(row: Row, gpu: str) -> None:
    firsts = []
    for device in ("cuda", "cpu"):
        lucid.set_default_device(device)
        ts = on_gpu(row) if device == "cuda" else tensors(row)
        out = row.f(lucid, *ts)
        slope = grad(out, live(ts), lucid.tensor(weights(out.shape), dtype=out.dtype, device=out.device), create_graph=True)
        total = sum((g * g).sum() for g in slope)
        firsts.append(grad(total, live(ts), allow_unused=True) if getattr(total, "requires_grad", False) else slope)
    for a, b in zip(*firsts, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            close(a, b)


@pytest.mark.parametrize("row", PLAIN_ROWS, ids=lambda row: row.name)
def test_plain_values(row: Row, gpu: str) -> None:
    ts = [lucid.tensor(array, device="cuda") for array in row.arrays]
    if not ts:
        return
    found = row.f(lucid, *ts)
    lucid.set_default_device("cpu")
    close(found, row.f(lucid, *tensors(row)))


# Who must wait: how many elements a mask picks, and whether a matrix has an inverse, decide what comes next. And an
# index that is a list has to get there.
MAY_WAIT = {"syncs at linalg.py", "syncs at indexing.py", "uploads at shaping.py"}


@rows
def test_nothing_waits_and_nothing_is_uploaded(row: Row) -> None:
    with stand_in.installed():
        lucid.set_default_device("cuda")
        ts = on_gpu(row)
        for _ in range(2):  # the first run may lay something down for the next ones
            with counted() as found:
                out = row.f(lucid, *ts)
                out.backward(lucid.ones_like(out))
    assert not unasked(found), found


def unasked(found: Counter[str]) -> list[str]:
    """What waited, or was uploaded, without the test itself having asked for it."""
    places = {key.rpartition(":")[0] for key in found if " at " in key}
    own = {f"{kind} at {path.name}" for kind in ("uploads", "syncs") for path in Path(__file__).parent.glob("*.py")}
    return sorted(places - own - MAY_WAIT)
