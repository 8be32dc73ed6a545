"""The table can fail: every formula in turn has one thing wrong with it, and some row must notice.

Two kinds of fault. First the gradient that a formula gives is spoiled, its sign flipped, multiplied by 1.5 or 1 added
to
it, which asks whether the rows look at it at all. Then one expression of its source after the other is changed
(mutants.py), which asks whether they look at all that it says.

Rows that notice are those of the table, by their slopes, and the conventions for gradients at the edges, where there
are no slopes to measure.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lucid
from lucid.autograd import gradcheck, gradgradcheck
from tests.ops.mutants import OWN, Formula, as_it_is, formulas, helpers, mutants
from tests.ops.samples import Row
from tests.ops.test_conventions import GRADIENTS, equal
from tests.ops.test_table import UNSEEN, rows_of, same_when_recorded, tensors
from tests.whole import whole

# Mutants that compute the same, and why. Every other one must be noticed.
EQUIVALENT: dict[str, str] = {
    "elementwise.power.x: 1 in xp.where((x == 0) & (y == 0), 1, x) -> 2 in xp.where((x == 0) & (y == 0), 1, x)":
        "what stands in is multiplied by y, which is 0 there",
    "activations.elu.x: 0 in xp.minimum(x, 0) -> 1 in xp.minimum(x, 0)":
        "any bound that is not below 0 keeps the exponential from overflowing where it is not used",
    "products.linear.x: xp.dot(g, weight) if g.ndim == 2 else _by_rows(xp, g, weight) -> xp.dot(g, weight)":
        "both compute the same, the one in fewer steps and the other in fewer products",
    "products.linear.x: xp.dot(g, weight) if g.ndim == 2 else _by_rows(xp, g, weight) -> _by_rows(xp, g, weight)":
        "the same",
    "products.linear.x: g.ndim == 2 -> g.ndim != 2": "the same",
    "products.linear.weight: xp.dot(g.T, x) if g.ndim == 2 else xp.dot(_rows(xp, g).T, _rows(xp, x)) -> "
    "xp.dot(_rows(xp, g).T, _rows(xp, x))": "rows of a matrix are the matrix",
    "products.linear.bias: g if g.ndim == 2 else _rows(xp, g) -> _rows(xp, g)": "the same",
    "products.linear.bias: 2 in g.ndim == 2 -> 3 in g.ndim == 2": "the same",
    "products.linear.x: 2 in g.ndim == 2 -> 3 in g.ndim == 2": "the same",
    "products._rows: x if x.ndim == 2 else xp.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1])) -> "
    "xp.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))": "a shortcut",
    "statistics._logcumsumexp_vjp: 0 in xp.where(out == -math.inf, 0, out) -> 1 in xp.where(out == -math.inf, 0, out)":
        "exp of -inf, less whatever number",
    "elementwise._over_length: 1 in xp.where(length == 0, 1, length) -> 2 in xp.where(length == 0, 1, length)":
        "what stands in divides a 0",
    "linalg._ratio: 1 in xp.where((a == 0) & (b == 0), 1, b) -> 2 in xp.where((a == 0) & (b == 0), 1, b)":
        "what stands in divides a 0",
    "linalg._eigh_slope: 1 in xp.where(none, 1, gaps) -> 2 in xp.where(none, 1, gaps)":
        "what stands in divides a 0",
    "matmul._vjp_a: grad if len(a_shape) > 1 else xp.reshape(grad, shape=(*grad.shape[:-2], grad.shape[-1])) -> "
    "grad": "backward would sum the axis away",
    "matmul._vjp_b: 1 in len(b_shape) > 1 -> 2 in len(b_shape) > 1 (2)": "a reshape to the shape it has",
    "losses.cross_entropy_ignore_index.error: 0 in xp.where(labels != ignore_index, labels, 0) -> 1 in "
    "xp.where(labels != ignore_index, labels, 0)": "what stands in for an ignored label is masked",
    "losses.cross_entropy_ignore_index.share: 1 / xp.maximum(xp.sum(xp.astype(labels != ignore_index, "
    "dtype=x.dtype)), 1) if reduction == 'mean' else 1 -> 1 / xp.maximum(xp.sum(xp.astype(labels != ignore_index, "
    "dtype=x.dtype)), 1)": "asked for by the mean alone",
    "losses.cross_entropy_ignore_index.share: 1 in 1 / xp.maximum(xp.sum(xp.astype(labels != ignore_index, "
    "dtype=x.dtype)), 1) if reduction == 'mean' else 1 -> 2 in 1 / xp.maximum(xp.sum(xp.astype(labels != "
    "ignore_index, dtype=x.dtype)), 1) if reduction == 'mean' else 1":
        "the same, of the number that stands behind else",
    "losses._row_weights: 0 -> 1": "take_along counts axes round, and the weight has one",
    "losses._for_rows: xp.reshape(g, shape=(-1, 1)) if reduction == 'none' else g -> xp.reshape(g, shape=(-1, 1))":
        "a shortcut for one number",
    "losses._for_rows: 1 in -1 -> 2 in -1": "any negative length is worked out",
    "losses._element_gradient: g if factor == 1 else g * factor -> g * factor": "a shortcut",
    "norms._channels: x if len(x.shape) == 2 else xp.reshape(x, shape=(*x.shape[:2], math.prod(x.shape[2:]))) -> "
    "xp.reshape(x, shape=(*x.shape[:2], math.prod(x.shape[2:])))": "a last dim of length 1 changes no sum",
    "norms._channels: 2 in len(x.shape) == 2 -> 3 in len(x.shape) == 2": "the same",
    "recurrent._lstm_cells: 0 in out[0] -> 1 in out[0]": "zeros of the same shape",
    "reductions._centred: slice(0, 1) if k == 1 else slice(None) -> slice(0, 1)":
        "for the forward's rounding; here the mean takes off what is added",
    "reductions._centred: x - xp.getitem(x, index=(*first, Ellipsis)) -> x + xp.getitem(x, index=(*first, "
    "Ellipsis))": "the same",
    "reductions._norm_vjp: 1 in ord == 1 -> 2 in ord == 1": "a shortcut: ratio ** 0",
    "reductions._norm_vjp: 1 in xp.where(size == 0, 1, size) -> 2 in xp.where(size == 0, 1, size)":
        "what stands in is multiplied by a sign of 0",
    "reductions._norm_vjp: 1 in xp.where(out == 0, 1, out) -> 2 in xp.where(out == 0, 1, out)": "the same",
    "reductions._root_vjp: 0 in known_within(out, 0, math.inf) -> 1 in known_within(out, 0, math.inf)": "a shortcut",
    **{f"reductions.with_room: {changed}": "double precision is as good where single is" for changed in (
        "type(getattr(x, '_array', x)) is ndarray -> type(getattr(x, '_array', x)) is not ndarray",
        "1 / bound -> bound / 1", "1 / bound -> 1 in known_within((out := f(x)), 1 / bound, bound)",
        "1 in 1 / bound -> 2 in 1 / bound")},
    "norms._scale: 1000000000000000.0 in with_room(xp, lambda x: 1 / xp.sqrt(mean(xp, x * x) + eps), x, "
    "1000000000000000.0) -> 1000000000000001.0 in with_room(xp, lambda x: 1 / xp.sqrt(mean(xp, x * x) + eps), x, "
    "1000000000000000.0)": "the same",
    **{f"activations.{name}: 40 in {clip} -> 41 in {clip}": "exp(-800) is 0"
       for name in ("gelu.slope", "gelu_slope.x") for clip in ("-40", "x.clip(-40, 40)")},
    "inplace._written: xp.masked(values, xp.stays(g, index=index)) if may_repeat(index) else values -> "
    "xp.masked(values, xp.stays(g, index=index))": "a shortcut",
    "reductions._shares: 0 in xp.where(out == -math.inf, 0, out) -> 1 in xp.where(out == -math.inf, 0, out)":
        "exp of -inf, less whatever number",
}  # fmt: skip

MOST = 40  # rows that are looked at for one mutant: addition takes part in most of them, but needs few


def noticed(ops: set[str], most: int = MOST) -> bool:
    """Whether some row, or convention, is not as it should be; those in which one of `ops` takes part are looked at."""
    rows = {id(row): row for op in sorted(ops) for row in rows_of().get(op, [])}.values()
    own_first = lambda row: (row.name.rpartition("-")[0] not in ops, sum(a.size for a in row.arrays))
    rows = sorted(rows, key=own_first)[:most]
    checks = (
        *(lambda row=row: slopes(gradcheck, row) for row in rows),
        *(
            lambda compute=compute, expected=expected: equal(compute(), expected)
            for compute, expected in GRADIENTS.values()
        ),
        *(lambda row=row: same_when_recorded(row) for row in rows),
        *(lambda row=row: slopes(gradgradcheck, row) for row in rows),
    )
    return not all(passes(check) for check in checks)


def slopes(check: Callable[..., bool], row: Row) -> bool:
    return check(lambda *xs: row.f(lucid, *xs), tensors(row), eps=row.eps, raise_exception=False)


def passes(check: Callable[[], bool]) -> bool:
    """Whether a check passes; one that ends with an error has noticed something."""
    try:
        return check()
    except Exception:
        return False


@pytest.fixture
def before() -> None:
    """Which operations take part in a row is found out before anything is changed."""
    rows_of()


unchanged = pytest.mark.usefixtures("before")


CODE = {code.label(): code for code in [*formulas(), *helpers()] if code.ops() - UNSEEN}


def test_every_formula_is_found() -> None:
    """An operation that is made in some other way than by a decorator with lambdas would have no mutants."""
    there = {
        (op, kind, name)
        for op, spec in OWN.items()
        for kind in ("vjps", "aux_outputs", "shared")
        for name in getattr(spec, kind)
    }
    assert {(f.op, f.kind, f.name) for f in formulas()} == there
    assert len(CODE) == len([code for code in [*formulas(), *helpers()] if code.ops() - UNSEEN]), "two of one label"


@whole
@unchanged
def test_as_they_are_the_rows_pass() -> None:
    """Else every mutant would be noticed."""
    assert not any(noticed({op}, most=5) for op in rows_of().keys() - UNSEEN)


@whole
@unchanged
@pytest.mark.parametrize("label", CODE)
def test_put_together_again_as_it_was_it_passes(label: str) -> None:
    """Else a mutant might be noticed for the way in which it is put in the formula's place."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        as_it_is(CODE[label]).install(monkeypatch)
        assert not noticed(CODE[label].ops(), most=5)


@whole
@unchanged
@pytest.mark.parametrize("label",
                         [label for label, code in CODE.items()
                          if isinstance(code, Formula) and code.kind != "aux_outputs"])
@pytest.mark.parametrize("change", [lambda g: -g, lambda g: g * 1.5, lambda g: g + 1], ids=["sign", "factor", "offset"])
def test_a_spoiled_gradient_is_noticed(
    label: str, change: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = CODE[label]
    right = getattr(OWN[formula.op], formula.kind)[formula.name]

    def spoiled(part: object) -> object:
        if isinstance(part, list | tuple):
            return [spoiled(p) for p in part]
        return part if part is None else change(part)

    if "zeros_like(g)" in formula.text() and change(1) != 2:
        return  # every multiple of 0 is 0
    formula.install(lambda *given: spoiled(right(*given)), monkeypatch)
    assert noticed(formula.ops())


@whole
@unchanged
@pytest.mark.parametrize("label", CODE)
def test_one_thing_wrong_is_noticed(label: str) -> None:
    missed = []
    for mutant in mutants(CODE[label]):
        with pytest.MonkeyPatch.context() as monkeypatch:
            mutant.install(monkeypatch)
            if noticed(CODE[label].ops()) == (mutant.key() in EQUIVALENT):
                missed.append(mutant.key())
    assert not missed, "no row notices (or, if they are said to be equivalent, some row does): " + "; ".join(missed)


@whole
def test_every_equivalent_mutant_is_one() -> None:
    assert EQUIVALENT.keys() <= {mutant.key() for code in CODE.values() for mutant in mutants(code)}
