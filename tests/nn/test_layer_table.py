"""What must hold for every layer, driven by the rows of layers.py."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import grad
from tests.nn.layers import LAYERS, ROWS, Layer
from tests.ops.samples import with_numpy_ints
from tests.whole import one_of_each, whole

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
some = pytest.mark.parametrize("row", one_of_each(ROWS, lambda row: row.name.rpartition("-")[0]),
                               ids=lambda row: row.name)


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
    weights = [
        np.cos(np.arange(t.numel() if hasattr(t, "numel") else t.size)).reshape(tuple(t.shape)) + 1.5 for t in outputs
    ]
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


@whole  # the operations' own are tests of test_table.py
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


@some
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(row: Layer, dtype: str) -> None:
    layer, inputs = made(row, dtype)
    outputs = differentiable(flat(row.call(layer, *inputs)))
    assert {str(t.dtype) for t in outputs} == {dtype}
    sum(t.sum() for t in outputs).backward()
    assert {str(t.grad.dtype) for t in leaves(layer, inputs) if t.grad is not None} <= {dtype}


def gradients(layer: Any, inputs: list[Any], row: Layer) -> list[np.ndarray | None]:
    for t in [*layer.parameters(), *inputs]:
        t.grad = None
    total(differentiable(flat(row.call(layer, *inputs))), lucid.tensor).backward()
    return [None if t.grad is None else t.grad.numpy() for t in [*layer.parameters(), *inputs]]


def close(found: list[np.ndarray | None], expected: list[np.ndarray | None]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@some
def test_inputs_and_parameters_are_left_alone_and_gradients_are_owned(row: Layer) -> None:
    layer, inputs = made(row)
    given = [*inputs, *layer.parameters()]
    before = [x.detach().clone() for x in given]
    found = [g for g in gradients(layer, inputs, row) if g is not None]
    for x, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), old.numpy())
    for i, g in enumerate(found):
        assert g.flags.writeable
        assert not any(np.shares_memory(g, other) for other in [*found[:i], *(x.detach().numpy() for x in given)])


@some
def test_memory_layout_does_not_matter(row: Layer) -> None:
    layer, inputs = made(row)
    start = copy.deepcopy(layer)
    expected = flat(row.call(layer, *inputs))
    slopes = gradients(copy.deepcopy(start), inputs, row)
    spread, frozen = [], []
    for array in row.arrays:
        wide = np.zeros([2 * n for n in array.shape], array.dtype)
        view = wide[(..., *(slice(None, None, 2) for _ in array.shape))]
        view[...] = array
        spread.append(lucid.from_numpy(view))
        fixed = array.copy()
        fixed.flags.writeable = False
        frozen.append(lucid.from_numpy(fixed))
    for others in (spread, frozen):
        for x in others:
            x.requires_grad = x.is_floating_point()
        for a, b in zip(flat(row.call(copy.deepcopy(start), *others)), expected, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-14)
        close(gradients(copy.deepcopy(start), others, row), slopes)


@some
def test_one_of_them_alone_can_require_the_gradient(row: Layer) -> None:
    layer, inputs = made(row)
    start = copy.deepcopy(layer)
    expected = gradients(layer, inputs, row)
    for i, one in enumerate(expected):
        if one is not None:
            twin = copy.deepcopy(start)
            given = [x.detach() for x in inputs]
            for t in twin.parameters():
                t.requires_grad = False
            [*twin.parameters(), *given][i].requires_grad = True
            alone = gradients(twin, given, row)
            assert [j for j, g in enumerate(alone) if g is not None] == [i]
            close([alone[i]], [one])


@some
def test_nothing_is_recorded_without_need(row: Layer) -> None:
    layer, inputs = made(row)
    with lucid.no_grad():
        assert not any(t.grad_fn is not None for t in flat(row.call(layer, *inputs)))  # Identity hands a leaf on


@some
def test_a_layer_says_what_it_is_and_keeps_the_dtypes_of_its_memory(row: Layer) -> None:
    layer, inputs = made(row, "float32")
    before = {name: (value.dtype, value.shape) for name, value in layer.state_dict().items()}
    row.call(layer, *inputs)
    assert {name: (value.dtype, value.shape) for name, value in layer.state_dict().items()} == before
    assert repr(layer).startswith(type(layer).__name__ + "(")


@some
def test_an_int_of_numpys_is_as_good(row: Layer) -> None:
    layer, inputs = made(row)
    other, _ = made(replace(row, make=with_numpy_ints(row.make)))
    for a, b in zip(flat(row.call(layer, *inputs)), flat(row.call(other, *inputs)), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@some
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
        names = [
            *(n for n, _ in ours.named_parameters()),
            *(f"input {i}" for i, x in enumerate(inputs) if x.requires_grad),
        ]
        other = [*theirs.parameters(), *(r for r in references if r.requires_grad)]
        for name, x, y in zip(names, leaves(ours, inputs), other, strict=True):
            expected = np.zeros(x.shape) if y.grad is None else y.grad.numpy()
            found = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10, err_msg=name)
        for name, value in theirs.state_dict().items():  # running statistics
            np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-10, err_msg=name)


# -- the table is complete -------------------------------------------------------------------------------------------

BASES = {"Module", "ParameterList"}  # what computes nothing


@pytest.mark.parametrize("hooked", [False, True])
@some
def test_numpy_arrays_do_as_well_as_tensors_and_have_effects_once(row: Layer, hooked: bool) -> None:
    found: list[Any] = []
    for kind in (lucid.tensor, np.array):
        layer, _ = made(row)
        for module in layer.modules():
            if isinstance(getattr(module, "p", None), float) and module.p == 0:
                module.p = 0.5  # so that it draws
        calls: list[bool] = []
        note = lambda module, args, *output, calls=calls: calls.append(isinstance(args[0], lucid.Tensor))
        if hooked:
            layer.register_forward_pre_hook(note)
            layer.register_forward_hook(note)
        outputs = flat(row.call(layer, *map(kind, row.arrays)))
        found.append([outputs, calls, [*layer.state_dict().values(), lucid.rand(3)]])
    (a, called, state), (b, called_too, state_too) = found
    assert len(called) == len(called_too) and len(a) == len(b)
    assert all(called_too) or isinstance(layer, nn.Sequential)  # which gives what it gets to the first of its modules
    for x, y in zip([*a, *state], [*b, *state_too], strict=True):
        np.testing.assert_array_equal(x, y)


def test_every_layer_has_rows() -> None:
    public = {name for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    assert public - BASES == set(LAYERS)
