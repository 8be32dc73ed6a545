"""A GPU behaves like the CPU: the whole table on the stand-in for CuPy, and on CuPy itself where a GPU answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.autograd import grad
from tests.gpu.gpus import gpu as gpu
from tests.gpu.gpus import there, unasked
from tests.gpu.stand_in.arrays import counted
from tests.nn.layers import ROWS as LAYERS_ROWS
from tests.nn.layers import Layer
from tests.nn.test_layer_table import differentiable, flat, made, total
from tests.ops.table import PLAIN_ROWS, ROWS, Row
from tests.ops.test_table import gradients, live, tensors, weights
from tests.whole import whole

pytestmark = whole  # the second copy of the tables; models and what users do there are in test_cuda.py

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
        slope = grad(
            out, live(ts), lucid.tensor(weights(out.shape), dtype=out.dtype, device=out.device), create_graph=True
        )
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


# The host must know how long the result is, or how much of it is taken, and that depends on the numbers.
WAITS = ("astype_of_weights", "masked_scatter", "repeat_interleave-2", "repeat_interleave-5")


@rows
def test_nothing_waits_and_nothing_is_uploaded(row: Row) -> None:
    if row.name.startswith(WAITS):
        return
    with there("stand-in"):
        ts = on_gpu(row)
        for _ in range(2):  # the first run may lay something down for the next ones
            with counted() as found:
                out = row.f(lucid, *ts)
                out.backward(lucid.ones_like(out))
    assert not unasked(found), found


# -- layers, each in a training step ---------------------------------------------------------------------------------


def train(row: Layer, steps: int = 3) -> Iterator[tuple[Any, list[lucid.Tensor]]]:
    """Training steps of a layer: forward, loss, backward, clipping by norm, Adamax, schedule. Yields before each."""
    layer, inputs = made(row)
    layer = layer.to(lucid.get_default_device())
    inputs = [x.detach().to(lucid.get_default_device()).requires_grad_(x.requires_grad) for x in inputs]
    leaves = [p for p in [*layer.parameters(), *inputs] if p.requires_grad]
    optimizer = optim.Adamax(leaves, lr=0.01)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=10)
    for _ in range(steps):
        yield layer, leaves
        optimizer.zero_grad()
        out = differentiable(flat(row.call(layer, *inputs)))
        total(out, lucid.tensor).backward()
        nn.utils.clip_grad_norm_(leaves, 1.0)
        optimizer.step()
        schedule.step()
    yield layer, leaves


layers = pytest.mark.parametrize("row", LAYERS_ROWS, ids=lambda row: row.name)


@layers
def test_layers_train_alike(row: Layer, gpu: str) -> None:
    *_, (layer, leaves) = train(row)
    lucid.set_default_device("cpu")
    *_, (other, expected) = train(row)
    for a, b in zip(leaves, expected, strict=True):
        assert a.device == "cuda:0"
        np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-9)
    for (name, a), (_, b) in zip(layer.named_buffers(), other.named_buffers(), strict=True):
        np.testing.assert_allclose(a.cpu().numpy(), b.numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


@layers
def test_a_training_step_neither_waits_nor_uploads(row: Layer) -> None:
    with there("stand-in"):
        steps = train(row, 4)
        for _ in range(3):  # the first steps make state and lay things down
            next(steps)
        with counted() as found:
            next(steps)
    assert not unasked(found), found
