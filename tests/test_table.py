"""What must hold for every operation, driven by the rows of table.py."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from table import PLAIN, PLAIN_ROWS, ROWS, TABLE, Row

import lucid
from lucid.autograd import grad, gradcheck, gradgradcheck
from lucid.graph import history

op_module = sys.modules["lucid.op"]  # `lucid.op` itself is the decorator
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
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
    out.backward(lucid.tensor(weights(out.shape), dtype=out.dtype))
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


@rows
def test_second_derivative_is_the_slope_of_the_first(row: Row) -> None:
    ts = tensors(row)
    if all(t.numel() for t in ts):
        assert gradgradcheck(lambda *xs: row.f(lucid, *xs), ts, eps=row.eps)
    else:
        out = row.f(lucid, *ts)
        firsts = grad(out, live(ts), lucid.ones_like(out), create_graph=True)
        assert [g.shape for g in firsts] == [t.shape for t in live(ts)]


@rows
@pytest.mark.parametrize("dtype", [lucid.float32, lucid.float64], ids=str)
def test_dtype_is_kept(row: Row, dtype: object) -> None:
    ts = tensors(row, dtype)
    out, found = gradients(row, ts)
    if not row.name.startswith(("astype", "setitem-4")):  # which name a dtype themselves
        assert out.dtype == dtype
    assert [g.dtype for g in found] == [dtype] * len(found)


@rows
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


@rows
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


@rows
def test_one_input_alone_can_require_the_gradient(row: Row) -> None:
    ts = tensors(row)
    _, expected = gradients(row, ts)
    for i, t in enumerate(t for t in ts if t.requires_grad):
        alone = tensors(row, only=next(k for k, other in enumerate(ts) if other is t))
        _, (found,) = gradients(row, alone)
        np.testing.assert_allclose(found.numpy(), expected[i].numpy(), rtol=1e-13)


@rows
def test_nothing_is_recorded_without_need(row: Row) -> None:
    ts = tensors(row)
    with lucid.no_grad():
        assert not row.f(lucid, *ts).requires_grad
    for t in ts:
        t.requires_grad = False
    assert row.f(lucid, *ts).grad_fn is None


@rows
def test_what_is_saved_is_what_the_formulas_ask_for(row: Row) -> None:
    ts = tensors(row)
    for node in history([row.f(lucid, *ts)._node]):
        if node.op is None or node.op.variadic:
            continue
        asked = {want for name, parent in zip(node.op.formulas, node.parents, strict=True) if parent is not None
                 for want in node.op.wants[name]}  # fmt: skip
        for name, value in zip(node.op.saved, node.saved, strict=True):
            if name not in asked and not name.endswith("_shape") and name not in node.op.options:
                assert value is None, f"{node.op.name} keeps {name} for nothing"


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


# -- the table is complete, and can fail -----------------------------------------------------------------------------


def operations_of(row: Row) -> set[str]:
    """The operations in the graph of a row and in that of its gradient."""
    ts = tensors(row)
    out = row.f(lucid, *ts)
    firsts = grad(out, live(ts), lucid.ones_like(out, requires_grad=True), create_graph=True)
    nodes = history([out._node, *(g._node for g in firsts if g._node is not None)])
    return {node.op.name for node in nodes if node.op is not None}


@pytest.fixture(scope="module")
def rows_of() -> dict[str, list[Row]]:
    """Operation -> the rows in which it takes part."""
    found: dict[str, list[Row]] = {}
    for row in ROWS:
        if all(a.size for a in row.arrays):
            for name in operations_of(row):
                found.setdefault(name, []).append(row)
    return found


OWN = {name: spec for name, spec in op_module.TABLE.items() if spec.forward.__module__.startswith("lucid.")}
UNSEEN = {"transfer", "eye_like"}  # moves between devices: see the GPU's tests; a constant inside prod's formula


def test_every_operation_has_rows(rows_of: dict[str, list[Row]]) -> None:
    missing = [
        name for name, spec in OWN.items() if name not in (rows_of if spec.formulas else PLAIN) and name not in UNSEEN
    ]
    assert not missing, f"no row in tests/table.py runs {missing}"


def test_every_row_is_about_something() -> None:
    assert all(rows for rows in [*TABLE.values(), *PLAIN.values()])


MUTANTS = [(op, name) for op, spec in OWN.items() if op not in UNSEEN for name in spec.formulas]


@pytest.mark.parametrize("op, name", MUTANTS, ids=lambda value: value)
@pytest.mark.parametrize("change", ["sign", "factor", "offset"])
def test_a_wrong_formula_is_caught(
    op: str, name: str, change: str, rows_of: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each formula in turn gets its sign flipped, a factor dropped in, or an offset: some row must notice."""
    spec = OWN[op]

    def wrong(part: object) -> object:
        if part is None:
            return None
        if isinstance(part, list):
            return [wrong(p) for p in part]
        return -part if change == "sign" else part * 1.5 if change == "factor" else part + 1

    right, place = spec.back, list(spec.formulas).index(name)

    def back(xp: object, g: object, saved: tuple, parents: tuple) -> object:
        parts = right(xp, g, saved, parents)
        return wrong(parts) if spec.variadic else tuple(wrong(p) if i == place else p for i, p in enumerate(parts))

    if change != "offset" and op in ("floor", "ceil", "trunc", "rint", "sign", "floor_divide"):
        change = "offset"  # their gradient is 0, and so is every multiple of it
    monkeypatch.setattr(spec, "back", back)
    for row in rows_of[op]:
        ts = tensors(row)
        checks = (gradcheck, gradgradcheck)
        if any(
            not check(lambda *xs, row=row: row.f(lucid, *xs), ts, eps=row.eps, raise_exception=False)
            for check in checks
        ):
            return
    pytest.fail(f"no row notices a wrong {change} in the formula of {op} for {name}")


def names_of_xp(tree: ast.AST) -> set[str]:
    return {
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "xp"
    }


def test_formulas_speak_of_operations_alone() -> None:
    """Every xp.name in a formula, or in a helper it calls, must exist on Tensors too, or create_graph would fail there."""
    for path in (Path(lucid.__file__).parent / "ops").glob("*.py"):
        tree = ast.parse(path.read_text())
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        formulas = [
            k.value for f in functions.values() for d in f.decorator_list if isinstance(d, ast.Call) for k in d.keywords if k.arg != "view"
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
            strange = [name for name in names_of_xp(tree) if not hasattr(op_module.RECORDED, name)]
            assert not strange, f"{path.name}, line {tree.lineno}: xp.{strange} is not an operation"


def test_generated_text_is_what_runs() -> None:
    from lucid.ops.functions import tanh

    lucid.tanh(lucid.ones(1))
    assert "forward(xp, x_a)" in tanh.op.source and tanh.op.call is tanh is lucid.tanh
    assert tanh.__code__.co_filename == "<generated for op tanh>"
