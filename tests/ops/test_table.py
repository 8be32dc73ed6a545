"""What must hold for every operation, driven by the rows of table.py."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.autograd import grad, gradcheck, gradgradcheck
from lucid.core.backward import reachable
from tests.ops.samples import with_numpy_ints
from tests.ops.table import PLAIN, PLAIN_ROWS, ROWS, TABLE, Row
from tests.whole import one_of_each

op_module = sys.modules["lucid.core.op"]  # `lucid.op` itself is the decorator
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
# What holds for an operation however it is called: `make test` asks it of the row with most inputs and dims of each.
of_each = one_of_each(ROWS, lambda row: row.name.rpartition("-")[0],
                      lambda row: (len(row.arrays), max((a.ndim for a in row.arrays), default=0)))
some = pytest.mark.parametrize("row", of_each, ids=lambda row: row.name)
plain = pytest.mark.parametrize("row", PLAIN_ROWS, ids=lambda row: row.name)


def tensors(row: Row, dtype: object = None, only: int | None = None) -> list[lucid.Tensor]:
    """Fresh tensors of a row's arrays; the float ones (or just one of them) require a gradient."""
    made = []
    for i, array in enumerate(row.arrays):
        live = array.dtype.kind == "f"
        t = lucid.tensor(array, dtype=dtype if live else None)
        made.append(t.requires_grad_(live and only in (None, i)))
    return made


def live(ts: list[lucid.Tensor]) -> list[lucid.Tensor]:
    return [t for t in ts if t.requires_grad]


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """An uneven starting gradient: with ones, mistakes cancel in sums."""
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape) + 1.5


def gradients(row: Row, ts: list[lucid.Tensor]) -> tuple[lucid.Tensor, list[lucid.Tensor]]:
    out = row.f(lucid, *ts)
    out.backward(lucid.tensor(weights(out.shape), dtype=out.dtype, device=out.device))
    return out, [t.grad for t in live(ts)]


# -- every row -------------------------------------------------------------------------------------------------------


@rows
def test_first_derivative_is_the_slope(row: Row) -> None:
    ts = tensors(row)
    if all(t.numel() for t in ts):
        assert gradcheck(lambda *xs: row.f(lucid, *xs), ts, eps=row.eps)
    else:
        _, found = gradients(row, ts)
        assert [g.shape for g in found] == [t.shape for t in live(ts)]


@some
def test_second_derivative_is_the_slope_of_the_first(row: Row) -> None:
    ts = tensors(row)
    if all(t.numel() for t in ts):
        assert gradgradcheck(lambda *xs: row.f(lucid, *xs), ts, eps=row.eps)
    else:
        out = row.f(lucid, *ts)
        firsts = grad(out, live(ts), lucid.ones_like(out), create_graph=True)
        assert [g.shape for g in firsts] == [t.shape for t in live(ts)]


@some
def test_a_recorded_gradient_is_the_same(row: Row) -> None:
    """Under create_graph the formulas run on Tensors, and what a forward kept is computed anew by its recipe."""
    assert same_when_recorded(row)


def same_when_recorded(row: Row) -> bool:
    _, plain = gradients(row, tensors(row))
    out = row.f(lucid, *(ts := tensors(row)))
    recorded = grad(out, live(ts), lucid.tensor(weights(out.shape), dtype=out.dtype), create_graph=True)
    return all(np.allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13) for a, b in zip(plain, recorded, strict=True))


@some
def test_an_int_of_numpys_is_as_good(row: Row) -> None:
    """Every dim, size and count that is written in the row, and the result is the same to the bit."""
    with np.errstate(all="ignore"):
        expected, found = (f(lucid, *tensors(row)) for f in (row.f, with_numpy_ints(row.f)))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())


@some
@pytest.mark.parametrize("dtype", [lucid.float32, lucid.float64], ids=str)
def test_dtype_is_kept(row: Row, dtype: object) -> None:
    ts = tensors(row, dtype)
    out, found = gradients(row, ts)
    if not row.name.startswith(("astype", "setitem-4")):  # which name a dtype themselves
        assert out.dtype == dtype
    assert [g.dtype for g in found] == [dtype] * len(found)


@some
def test_inputs_are_left_alone_and_gradients_are_owned(row: Row) -> None:
    ts = tensors(row)
    before = [t.detach().clone() for t in ts]
    _, found = gradients(row, ts)
    for t, old in zip(ts, before, strict=True):
        np.testing.assert_array_equal(t.detach().numpy(), old.numpy())
    arrays = [g.numpy() for g in found]
    for i, a in enumerate(arrays):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays[:i] + [t.detach().numpy() for t in ts])


@some
def test_memory_layout_does_not_matter(row: Row) -> None:
    expected_out, expected = gradients(row, tensors(row))
    spread, frozen = [], []
    for array in row.arrays:
        wide = np.zeros([2 * n for n in array.shape], array.dtype)
        view = wide[(..., *(slice(None, None, 2) for _ in array.shape))]
        view[...] = array
        spread.append(lucid.from_numpy(view))
        copy = array.copy()
        copy.flags.writeable = False
        frozen.append(lucid.from_numpy(copy))
    for ts in (spread, frozen):
        for t in ts:
            t.requires_grad = t.is_floating_point()
        out, found = gradients(row, ts)
        np.testing.assert_allclose(out.detach().numpy(), expected_out.detach().numpy(), rtol=1e-13)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13)


@some
def test_one_input_alone_can_require_the_gradient(row: Row) -> None:
    ts = tensors(row)
    _, expected = gradients(row, ts)
    for i, t in enumerate(t for t in ts if t.requires_grad):
        alone = tensors(row, only=next(k for k, other in enumerate(ts) if other is t))
        _, (found,) = gradients(row, alone)
        np.testing.assert_allclose(found.numpy(), expected[i].numpy(), rtol=1e-13)


@some
def test_nothing_is_recorded_without_need(row: Row) -> None:
    ts = tensors(row)
    with lucid.no_grad():
        assert not row.f(lucid, *ts).requires_grad
    for t in ts:
        t.requires_grad = False
    assert row.f(lucid, *ts).grad_fn is None


def asked_for(spec: Any, formula: Callable[..., Any]) -> set[str]:
    """What must be saved for a formula: what it names, in place of what is computed once what that names, and with
    what was kept the ingredients of its recipe."""
    names = set(list(inspect.signature(formula).parameters)[2:])
    for name in names & spec.shared.keys():
        names = names - {name} | asked_for(spec, spec.shared[name])
    for name in names & spec.aux_outputs.keys():
        names |= set(list(inspect.signature(spec.aux_outputs[name]).parameters)[1:])
    return names


@some
def test_what_is_saved_is_what_the_formulas_ask_for(row: Row) -> None:
    """All of it, and no other array; of what runs for one input alone as well."""
    for only in [None, *(i for i, array in enumerate(row.arrays) if array.dtype.kind == "f")]:
        for node in reachable([row.f(lucid, *tensors(row, only=only))._node]):
            spec = node.op
            running = (
                list(spec.vjps)
                if spec.variadic
                else [n for n, p in zip(spec.vjps, node.inputs, strict=True) if p is not None]
            )
            asked = set().union(*(asked_for(spec, spec.vjps[name]) for name in running))
            saved = dict(zip(spec.saved_names, node.saved, strict=True))
            assert asked <= saved.keys(), f"{spec.name} keeps no {asked - saved.keys()}"
            for name, value in saved.items():
                if name in spec.options:
                    continue
                if name.endswith("_shape"):
                    assert holds_ints_alone(value), f"{spec.name} keeps {name}={value!r}"
                elif name in asked and name not in spec.nullable:
                    assert value is not None, f"{spec.name} keeps no {name}, which its formula for {running} needs"
                elif name not in asked:
                    assert value is None, f"{spec.name} keeps {name} for nothing"


def holds_ints_alone(shape: Any) -> bool:
    return type(shape) is int or isinstance(shape, tuple) and all(map(holds_ints_alone, shape))


@plain
def test_operations_without_gradient_are_not_recorded(row: Row) -> None:
    ts = [t.requires_grad_(t.is_floating_point()) for t in map(lucid.tensor, row.arrays)]
    if row.name.startswith(("int_division", "sum_of_bools", "floor_divide")):
        return
    assert not row.f(lucid, *ts).requires_grad


# -- beside PyTorch --------------------------------------------------------------------------------------------------


@pytest.mark.parity
@rows
def test_values_and_gradients_equal_pytorchs(row: Row) -> None:
    import torch

    ts = tensors(row)
    out, found = gradients(row, ts)
    theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in row.arrays]
    reference = row.f(torch, *theirs)
    assert tuple(reference.shape) == out.shape
    np.testing.assert_allclose(out.detach().numpy(), reference.detach().numpy(), rtol=1e-10, atol=1e-12)
    reference.backward(torch.tensor(weights(out.shape)).to(reference.dtype))
    for a, b in zip(found, (t for t in theirs if t.requires_grad), strict=True):
        np.testing.assert_allclose(a.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parity
@pytest.mark.parametrize("row", [r for r in ROWS if r.second], ids=lambda row: row.name)
def test_second_derivatives_equal_pytorchs(row: Row) -> None:
    import torch

    def second(m: object, xs: list, make: object) -> list:
        out = row.f(m, *xs)
        active = [x for x in xs if x.requires_grad]
        firsts = m.autograd.grad(out, active, make(weights(tuple(out.shape))), create_graph=True)
        total = sum((g * make(weights(tuple(g.shape)))).sum() for g in firsts if g.requires_grad)
        if isinstance(total, int):
            return [None for _ in active]
        return list(m.autograd.grad(total, active, allow_unused=True))

    ours = second(lucid, tensors(row), lambda a: lucid.tensor(a))
    theirs = second(
        torch, [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in row.arrays], lambda a: torch.tensor(a)
    )
    for a, b in zip(ours, theirs, strict=True):
        # a derivative that is 0 everywhere is None for whoever noticed it
        a, b = (0.0 if a is None else a.numpy()), (0.0 if b is None else b.numpy(force=True))
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parity
@plain
def test_plain_values_equal_pytorchs(row: Row) -> None:
    import torch

    ours = row.f(lucid, *map(lucid.tensor, row.arrays))
    theirs = row.f(torch, *map(torch.tensor, row.arrays))
    assert str(theirs.dtype).removeprefix("torch.") == str(ours.dtype)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


# -- the table is complete; that it can fail is in test_mutants.py ---------------------------------------------------


def nodes_of(row: Row) -> list[Any]:
    """The nodes in the graph of a row and in that of its gradient."""
    ts = tensors(row)
    out = row.f(lucid, *ts)
    firsts = grad(out, live(ts), lucid.ones_like(out, requires_grad=True), create_graph=True)
    return reachable([out._node, *(g._node for g in firsts if g._node is not None)])


@cache
def rows_of() -> dict[str, list[Row]]:
    """Operation -> the rows in which it takes part."""
    found: dict[str, list[Row]] = {}
    for row in ROWS:
        for name in {node.op.name for node in nodes_of(row)}:
            found.setdefault(name, []).append(row)
    return found


OWN = {name: spec for name, spec in op_module.OPS.items() if spec.forward.__module__.startswith("lucid.")}
UNSEEN = {"transfer", "stays"}  # the one moves between devices, the other is run by a vjp: see their tests


def test_every_operation_has_rows() -> None:
    missing = [
        name for name, spec in OWN.items() if name not in (rows_of() if spec.vjps else PLAIN) and name not in UNSEEN
    ]
    assert not missing, f"no row in tests/ops/table.py runs {missing}"


# Operations that are not given a single number: they need a dim to work along, or are spared by the function around
# them.
NO_NUMBER = set("attention_weights batch_norm cat cholesky cofactor cofactor_along col2im conv conv_transpose "
                "conv_weight cross_entropy cross_entropy_ignore_index cumprod cumsum det diagonal eigh flip gru im2col "
                "inv layer_norm linear logcumsumexp lstm matmul max_pool median nll pad pinv qr scatter_add_along "
                "put_diagonal recurrence resample rms_norm rnn roll singular slogdet solve swapaxes take_along "
                "to_maxima tril triu".split())


def test_every_operation_has_rows_at_0_d_of_nothing_and_with_broadcasting() -> None:
    number, nothing, stretched = set(), set(), set()
    for row in ROWS:
        for node in nodes_of(row):
            shapes = [p.shape for p in node.inputs if p is not None]
            number |= {node.op.name} if () in shapes else set()
            nothing |= {node.op.name} if any(0 in shape for shape in shapes) else set()
            if len(shapes) == len(node.inputs):
                stretched |= {(node.op.name, i) for i, shape in enumerate(shapes) if shape != node.shape}
    ours = {name for name, spec in OWN.items() if spec.vjps} - UNSEEN
    assert not ours - number - NO_NUMBER, f"no row gives a single number to {sorted(ours - number - NO_NUMBER)}"
    assert not ours - nothing, f"no row gives an empty tensor to {sorted(ours - nothing)}"
    both_ways = {
        (name, i)
        for name in ours
        if OWN[name].forward.__module__.endswith(".elementwise") and len(OWN[name].vjps) == 2
        for i in (0, 1)
    }
    assert not both_ways - stretched, f"no row stretches {sorted(both_ways - stretched)}"


def surface() -> dict[str, Any]:
    """Every public function, and every method and property of Tensor, by name."""
    places = {"lucid": vars(lucid), "lucid.nn.functional": vars(lucid.nn.functional)}
    if hasattr(lucid, "linalg"):
        places["lucid.linalg"] = {name: getattr(lucid.linalg, name) for name in lucid.linalg.__all__}
    found = {
        f"{place}.{name}": value
        for place, names in places.items()
        for name, value in names.items()
        if not name.startswith("_")
    }
    for name in dir(lucid.Tensor):
        value = inspect.getattr_static(lucid.Tensor, name)
        found[f"Tensor.{name}"] = value.fget if isinstance(value, property) else value
    private = lambda name: name.startswith("Tensor._") and not name.startswith("Tensor.__")
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value) and value.__module__.startswith("lucid") and not private(name)
    }


# What is not called by a row, and why. All of it has tests elsewhere.
NO_ROWS = {
    "draws random numbers":
        "lucid.multinomial lucid.rand lucid.rand_like lucid.randint lucid.randn lucid.randn_like lucid.randperm "
        "lucid.nn.functional.dropout lucid.nn.functional.dropout1d lucid.nn.functional.dropout2d "
        "lucid.nn.functional.gumbel_softmax",
    "has no values": "lucid.empty lucid.empty_like",
    "reads or writes": "lucid.save lucid.load lucid.save_safetensors lucid.load_safetensors lucid.from_dlpack",
    "is a setting":
        "lucid.manual_seed lucid.get_rng_state lucid.set_rng_state lucid.get_default_dtype lucid.set_default_dtype "
        "lucid.get_default_device lucid.set_default_device lucid.is_grad_enabled lucid.inference_mode",
    "makes operations": "lucid.op",
    "speaks of the graph":
        "Tensor.backward Tensor.detach Tensor.detach_ Tensor.grad Tensor.grad_fn Tensor.is_leaf Tensor.register_hook "
        "Tensor.requires_grad Tensor.requires_grad_ Tensor.retain_grad Tensor.data",
    "says what a tensor is":
        "lucid.is_tensor Tensor.device Tensor.dim Tensor.dtype Tensor.element_size Tensor.is_contiguous "
        "Tensor.is_cuda Tensor.is_floating_point Tensor.ndim Tensor.nelement Tensor.numel Tensor.shape Tensor.size",
    "needs a GPU": "Tensor.cuda",
    "gives Python, or NumPy, something": "Tensor.item Tensor.tolist Tensor.numpy",
    "is Python's":
        "Tensor.__array__ Tensor.__array_function__ Tensor.__array_namespace__ Tensor.__bool__ "
        "Tensor.__contains__ Tensor.__copy__ Tensor.__cuda_array_interface__ Tensor.__deepcopy__ "
        "Tensor.__dlpack__ Tensor.__dlpack_device__ Tensor.__eq__ Tensor.__float__ Tensor.__format__ Tensor.__index__ "
    "Tensor.__init__ Tensor.__int__ Tensor.__iter__ Tensor.__len__ Tensor.__reduce__ Tensor.__repr__",
}


def test_every_public_function_has_rows() -> None:
    """By watching what the rows call, themselves and not by way of others."""
    called: set[CodeType] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if (
            event == "call"
            and frame.f_back is not None
            and Path(frame.f_back.f_code.co_filename).parent == Path(__file__).parent
        ):
            called.add(frame.f_code)

    for row in [*ROWS, *PLAIN_ROWS]:
        ts = tensors(row)
        row.f(lucid, *ts)  # an operation is compiled when it is called for the first time
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            row.f(lucid, *ts)
        finally:
            sys.setprofile(before)
    excused = {name for names in NO_ROWS.values() for name in names.split()}
    without = {name for name, function in surface().items() if function.__code__ not in called}
    assert not without - excused, f"no row calls {sorted(without - excused)}"
    assert not excused - surface().keys(), f"these are not there: {sorted(excused - surface().keys())}"


def test_every_row_is_about_something() -> None:
    assert all(rows for rows in [*TABLE.values(), *PLAIN.values()])


def names_of_xp(tree: ast.AST) -> set[str]:
    return {
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "xp"
    }


def test_formulas_speak_of_operations_alone() -> None:
    """Every xp.name in a formula, or in a helper it calls, must exist on Tensors too, or create_graph would fail
    there.
    """
    root = Path(lucid.__file__).parent
    for path in [*(root / "core").glob("*.py"), *(root / "ops").glob("*.py")]:
        tree = ast.parse(path.read_text())
        made = [n.value for n in tree.body if isinstance(n, ast.Assign)]  # floor = library_function("floor", ...)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        formulas = [
            k.value
            for d in [*made, *(d for f in functions.values() for d in f.decorator_list)]
            if isinstance(d, ast.Call) and ast.unparse(d.func) in ("op", "library_function")
            for k in d.keywords
            if k.arg not in ("view", "first")
        ]
        helpers, frontier = set(), list(formulas)
        while frontier:
            for n in ast.walk(frontier.pop()):
                if (
                    isinstance(n, ast.Name)
                    and n.id in functions
                    and n.id not in helpers
                    and not functions[n.id].decorator_list
                ):
                    helpers.add(n.id)
                    frontier.append(functions[n.id])
        for tree in [*formulas, *(functions[name] for name in helpers)]:
            strange = [name for name in names_of_xp(tree) if not hasattr(op_module.on_tensors, name)]
            assert not strange, f"{path.name}, line {tree.lineno}: xp.{strange} is not an operation"
