"""What must hold for every layer, driven by the rows of layers.py."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from layers import LAYERS, ROWS, Layer

import lucid
from lucid import nn
from lucid.autograd import grad

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def made(row: Layer, dtype: str = "float64") -> tuple[Any, list[lucid.Tensor]]:
    """The layer and its inputs, both of a dtype, with weights that do not depend on other tests."""
    lucid.manual_seed(1)
    layer = row.make(nn).to(dtype)
    inputs = [lucid.tensor(a, dtype=dtype if a.dtype.kind == "f" else None) for a in row.arrays]
    for x in inputs:
        x.requires_grad = x.is_floating_point()
    return layer, inputs


def flat(out: Any) -> list[Any]:
    """The tensors in what a layer returned."""
    if isinstance(out, (tuple, list)):
        return [t for part in out for t in flat(part)]
    return [] if out is None else [out]


def total(outputs: list[Any], like: Any) -> Any:
    """One number of all outputs, each element with a weight of its own."""
    weights = [np.cos(np.arange(t.numel() if hasattr(t, "numel") else t.size)).reshape(tuple(t.shape)) + 1.5 for t in outputs]
    return sum((t * like(w)).sum() for t, w in zip(outputs, weights, strict=True))


def leaves(layer: Any, inputs: list[Any]) -> list[Any]:
    return [*layer.parameters(), *(x for x in inputs if x.requires_grad)]


def differentiable(outputs: list[Any]) -> list[Any]:
    return [t for t in outputs if t.requires_grad]


def slopes(f: Any, x: lucid.Tensor, eps: float = 1e-6) -> np.ndarray:
    """The central differences of the number f() in each element of x."""
    array = x._array.reshape(-1)
    found = []
    for i, before in enumerate(array.copy()):
        ends = []
        for step in (eps, -eps):
            array[i] = before + step
            ends.append(f().item())
        array[i] = before
        found.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(found).reshape(x.shape)


@rows
def test_first_derivatives_are_the_slopes(row: Layer) -> None:
    layer, inputs = made(row)
    wrt = leaves(layer, inputs)
    run = lambda: total(differentiable(flat(row.call(layer, *inputs))), lucid.tensor)
    out = run()
    assert wrt, "nothing to differentiate"
    for x, g in zip(wrt, grad(out, wrt, allow_unused=True), strict=True):
        np.testing.assert_allclose(0.0 if g is None else g.numpy(), slopes(run, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", [row for row in ROWS if row.second], ids=lambda row: row.name)
def test_second_derivatives_are_the_slopes_of_the_first(row: Layer) -> None:
    layer, inputs = made(row)
    wrt = leaves(layer, inputs)

    def run() -> lucid.Tensor:
        out = total(differentiable(flat(row.call(layer, *inputs))), lucid.tensor)
        firsts = [g for g in grad(out, wrt, create_graph=True, allow_unused=True) if g is not None]
        return total(firsts, lucid.tensor)

    out = run()
    seconds = grad(out, wrt, allow_unused=True) if out.requires_grad else [None] * len(wrt)
    for x, g in zip(wrt, seconds, strict=True):
        np.testing.assert_allclose(0.0 if g is None else g.numpy(), slopes(run, x), rtol=1e-3, atol=2e-5)


@rows
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(row: Layer, dtype: str) -> None:
    layer, inputs = made(row, dtype)
    outputs = differentiable(flat(row.call(layer, *inputs)))
    assert {str(t.dtype) for t in outputs} == {dtype}
    sum(t.sum() for t in outputs).backward()
    assert {str(t.grad.dtype) for t in leaves(layer, inputs) if t.grad is not None} <= {dtype}


@rows
def test_inputs_are_left_alone(row: Layer) -> None:
    layer, inputs = made(row)
    before = [x.detach().clone() for x in inputs]
    total(differentiable(flat(row.call(layer, *inputs))), lucid.tensor).backward()
    for x, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), old.numpy())


@rows
def test_a_copy_and_a_state_compute_the_same(row: Layer) -> None:
    layer, inputs = made(row)
    expected = flat(row.call(copy.deepcopy(layer), *inputs))
    lucid.manual_seed(2)
    fresh = row.make(nn).double()
    fresh.load_state_dict(layer.state_dict())
    for other in (pickle.loads(pickle.dumps(layer)), fresh):
        for a, b in zip(flat(row.call(other, *inputs)), expected, strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parity
@rows
def test_a_torch_state_dict_gives_torchs_outputs_and_gradients(row: Layer) -> None:
    import torch

    torch.manual_seed(3)
    theirs = row.make(torch.nn).double()
    ours, inputs = made(row)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    references = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in row.arrays]
    for mode in (theirs.training, False):
        ours.train(mode)
        theirs.train(mode)
        for t in [*ours.parameters(), *inputs, *theirs.parameters(), *references]:
            t.grad = None
        a, b = flat(row.call(ours, *inputs)), flat(row.call(theirs, *references))
        for x, y in zip(a, b, strict=True):
            assert x.shape == tuple(y.shape)
            np.testing.assert_allclose(x.detach().numpy(), y.numpy(force=True), rtol=1e-9, atol=1e-11)
        total(differentiable(a), lucid.tensor).backward()
        total([y for x, y in zip(a, b, strict=True) if x.requires_grad], torch.tensor).backward()
        names = [*(n for n, _ in ours.named_parameters()), *(f"input {i}" for i, x in enumerate(inputs) if x.requires_grad)]
        other = [*theirs.parameters(), *(r for r in references if r.requires_grad)]
        for name, x, y in zip(names, leaves(ours, inputs), other, strict=True):
            expected = np.zeros(x.shape) if y.grad is None else y.grad.numpy()
            found = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10, err_msg=name)
        for name, value in theirs.state_dict().items():  # running statistics
            np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-10, err_msg=name)


# -- the table is complete -------------------------------------------------------------------------------------------

BASES = {"Module", "ParameterList"}  # what computes nothing


def test_every_layer_has_rows() -> None:
    public = {name for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    assert public - BASES == set(LAYERS)
