"""The vjps as mathematics: none is missing, and those that can be evaluated give what backward() gives."""

import ast
import html
import math
import re
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

import lucid
from lucid import nn
from lucid.core import events
from lucid.core.op import OPS, Op
from lucid.see.formulas import _table, expression, typeset
from lucid.see.names import source_text
from tests.ops.table import ROWS, Row
from tests.ops.test_table import tensors, weights

OURS = [op for op in OPS.values() if not op.user_defined]
READABLE = set("exp log sin cos tan sinh cosh sqrt sign abs sigmoid hypot where minimum maximum floor_divide".split())


def names_of(formula: str) -> tuple[set[str], set[str]]:
    """The names in an expression, and those of them that it calls."""
    tree = ast.parse(formula, mode="eval")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}, called


def test_every_vjp_has_a_line_of_mathematics_and_every_line_its_vjp() -> None:
    assert set(_table()) <= {f"{op.name} {name}" for op in OURS for name in op.vjps}
    for op in OURS:
        for name, vjp in op.vjps.items():
            formula, note = expression(op, name, source_text(vjp))
            used, called = names_of(formula)
            if f"{op.name} {name}" in _table():
                explained = set(re.findall(r"\w+", note))
                known = {*op.inputs, *op.options, *op.aux_outputs, "g", "out", "n", "pi", "mean"}
                assert used - called - known <= explained, (op.name, name)
            else:  # the source is as good: without helpers, and without options by keyword
                assert used - called <= {*op.inputs, *op.options, "g", "out", "xp", "math"}, (op.name, name)
                calls = [node for node in ast.walk(ast.parse(formula, mode="eval")) if isinstance(node, ast.Call)]
                assert all(getattr(call.func, "attr", "") in READABLE and not call.keywords for call in calls), op.name
            assert "xp." not in typeset(formula) and "lambda" not in typeset(formula)


class Matrix(np.ndarray):
    """An array whose .T transposes its matrices."""

    T = property(lambda self: self.swapaxes(-1, -2))


def matrices(a: Any) -> Any:
    return np.asarray(a).view(Matrix)


# What no short expression says: what is summed, moved or solved, in words.
IN_WORDS = {
    "lgamma", "polygamma", "gelu", "cat", "stack", "pad", "diagonal", "put_diagonal", "setitem", "im2col",
    "col2im", "resample", "prod", "recurrence", "cholesky", "cofactor", "cofactor_along", "eigh", "qr",
    "singular", "pinv", "batch_norm", "nll", "cross_entropy_ignore_index", "conv", "conv_transpose",
    "conv_weight", "max_pool", "to_maxima", "rnn", "lstm", "gru", "getitem", "take_along", "scatter_add_along",
    "transfer", "slogdet", "masked", "median", "gelu_slope",
}  # fmt: skip


def spread(g: Any, like: Any, axis: Any, keepdims: bool) -> Any:
    if not keepdims and axis is not None and g.ndim < like.ndim:
        g = np.expand_dims(g, normalize_axis_tuple(axis, like.ndim))
    return np.broadcast_to(g, like.shape)


def evaluated(op: Op, name: str, arrays: dict[str, Any], options: dict[str, Any], out: Any, g: Any) -> Any:
    """The line of an input, computed by NumPy's functions."""
    axis, x = options.get("axis"), np.asarray(arrays[op.inputs[0]])
    n = x.shape[0] if "labels" in op.inputs else x.size // max(out.size, 1)
    formula, _ = expression(op, name, source_text(op.vjps[name]))
    if options.get("reduction", "mean") != "mean":
        formula = formula.removesuffix(" / n")
    functions = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "each": lambda g: spread(np.asarray(g), x, axis, options.get("keepdims", False)),
        "sum": lambda x, axis=None: np.sum(x, axis=axis, keepdims=axis is not None),
        "mean": lambda x: np.mean(x, axis=axis, keepdims=True),
        "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
        "onehot": lambda labels: np.eye(x.shape[1])[labels], "inside": lambda x, low, high: (
            (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))),
        "cumsum_from_end": lambda x: np.flip(np.cumsum(np.flip(x, axis), axis), axis),
        "swapaxes": np.swapaxes, "roll": np.roll, "flip": np.flip, "tril": np.tril, "triu": np.triu,
        "reshape": np.reshape,
        "solve": np.linalg.solve, "inv": np.linalg.inv,
        "cofactor": lambda a: np.linalg.det(a)[..., None, None] * np.linalg.inv(a).swapaxes(-1, -2),
        "transpose": np.transpose, "argsort": lambda axes: np.argsort(np.mod(axes, x.ndim)),
        "xp": np, "math": math, "pi": math.pi,
    }  # fmt: skip
    if op.name == "det":
        g = g[..., None, None]  # one for each matrix
    if op.name == "cross_entropy" and g.ndim:
        g = g[:, None]  # one for each row
    told = {}  # what the note of a line says
    if op.name == "mish":
        told["gate"] = np.tanh(np.log(1 + np.exp(x)))
    if op.name == "attention_weights":
        told["d"] = matrices(out * (g - (g * out).sum(-1, keepdims=True)))
    if op.name in ("amax", "amin"):
        told["ties"] = (x == functions["each"](out)).sum(axis, keepdims=True)
    if op.name in ("layer_norm", "rms_norm"):
        over = tuple(range(-options["dims"], 0))
        functions["mean"] = lambda x: np.mean(x, axis=over, keepdims=True)
        centred = x - functions["mean"](x) if op.name == "layer_norm" else x
        sigma = np.sqrt(functions["mean"](centred**2) + options["eps"])
        weight = 1 if arrays["weight"] is None else arrays["weight"]
        told |= {"h": g * weight, "unit": centred / sigma, "sigma": sigma}
        functions["sum"] = lambda g: g.sum(tuple(range(x.ndim - options["dims"])))
    plain = {name: getattr(np, name) for name in "exp log sqrt sin cos sign abs floor trunc where clip".split()}
    scope = {**plain, **functions, **told, "n": n, "g": g, "out": out, **options, **arrays}
    return eval(formula, {"__builtins__": {}}, scope)


def undone(g: Any, shape: tuple[int, ...]) -> Any:
    """A gradient in an input's shape, broadcasting undone by sums."""
    g = np.asarray(g, dtype=float)
    if g.size == math.prod(shape):
        return g.reshape(shape)
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1), keepdims=True).reshape(shape)


def calls(row: Row) -> list[tuple[Op, tuple[Any, ...], dict[str, Any]]]:
    """What operations a row runs, with the arrays and options of each."""
    found = []

    def observe(op: Op, forward: Any) -> Any:
        def noted(xp: Any, *inputs: Any, **options: Any) -> Any:
            found.append((op, inputs, options))
            return forward(xp, *inputs, **options)

        return noted

    with events.on("forward", observe):
        row.f(lucid, *tensors(row))
    return found


def is_plain(op: Op, inputs: tuple[Any, ...]) -> bool:
    """Whether the line is meant for it as it stands: matrix products of matrices, not of vectors or stacks of rows."""
    ranks = [np.ndim(a) for a in inputs if a is not None]
    if op.name == "linear":
        return ranks[0] == 2
    return op.name not in ("matmul", "solve", "inv", "det") or (min(ranks) >= 2 and inputs[0].size > 0)


def test_the_lines_give_what_backward_gives() -> None:
    checked: set[str] = set()
    for row in {row.name.rpartition("-")[0] + str([a.shape for a in row.arrays]): row for row in ROWS}.values():
        for op, inputs, options in calls(row):
            if op.name in IN_WORDS or op.user_defined or not op.vjps or not is_plain(op, inputs):
                continue
            if any(isinstance(a, np.ndarray) and not a.size for a in inputs):
                continue
            double = [a.astype("f8") if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in inputs]
            ts = [lucid.tensor(a) if isinstance(a, np.ndarray) else a for a in double]
            named = dict(zip(op.inputs, ts, strict=False))
            wanted = [name for name in op.vjps if lucid.is_tensor(named[name]) and named[name].dtype.kind == "f"]
            for name in wanted:
                named[name].requires_grad_(True)
            with np.errstate(all="ignore"):
                out = op.call(*ts, **options)
                if not wanted or out.dtype != lucid.float64:
                    continue
                g = weights(out.shape)
                out.backward(lucid.tensor(g))
            arrays = {name: matrices(t.numpy()) if isinstance(t, lucid.Tensor) else t for name, t in named.items()}
            options = {**op.options, **options}
            for name in wanted:
                with np.errstate(all="ignore"):
                    said = evaluated(op, name, arrays, options, matrices(out.detach().numpy()), matrices(g))
                got, said = named[name].grad.numpy(), undone(said, named[name].shape)
                # where a formula has no value, at 0 / 0 or log 0, or a tie is shared, conventions.md says what holds
                same = np.isclose(got, said, rtol=1e-6, atol=1e-9) | ~np.isfinite(said) | ~np.isfinite(got)
                if op.name in ("maximum", "minimum"):
                    same |= undone(arrays["x"] == arrays["y"], named[name].shape) > 0
                assert same.all(), (row.name, op.name, name, options, got, said)
                checked.add(op.name)
    assert checked ^ IN_WORDS == {op.name for op in OURS if op.vjps}


def test_steps_say_it_as_mathematics_with_the_source_behind_a_click() -> None:
    x, w = lucid.randn(5, 3), lucid.randn(2, 3, requires_grad=True)
    loss = nn.functional.cross_entropy(nn.functional.linear(x, w), lucid.tensor([0, 1, 0, 1, 1]))
    one, two = lucid.see.steps(loss)
    assert [sent.math for sent in one.contributions] == ["(softmax(x) − onehot(labels)) · g / n"]
    source = source_text(OPS["linear"].vjps["weight"])
    assert [(sent.math, sent.formula) for sent in two.contributions] == [("gᵀ x", source)]
    page = lucid.see.steps(loss)._repr_html_()
    assert f"<summary>gᵀ x</summary><code>{html.escape(source)}</code>" in page
    total = nn.functional.mse_loss(w, lucid.zeros(2, 3), reduction="sum")
    assert lucid.see.steps(total)[0].contributions[0].math == "2 · (x − target) · g"  # nothing is divided by n
    a = lucid.tensor(3.0, requires_grad=True)
    (sent,) = lucid.see.steps(nn.functional.mse_loss(a, lucid.tensor(1.0)))[0].contributions
    assert sent.equation == "2 · (x − target) · g / n = 2 · (3 − 1) · 1 / 1"
    assert repr(sent) == f"x: {sent.equation} = 4 to a"


def test_an_operation_of_a_user_is_shown_as_it_is_written() -> None:
    @lucid.op(x=lambda xp, g, x: g * 3 * x**2)
    def tanh_of_mine(xp: Any, x: Any) -> Any:
        return x**3

    (step,) = lucid.see.steps(tanh_of_mine(lucid.tensor(2.0, requires_grad=True)))
    assert step.contributions[0].equation == "g · 3 · x² = 1 · 3 · 2²"
    assert typeset("not an expression, = 3") == "not an expression, = 3"


def test_a_line_of_code_is_shown_once_and_a_name_is_that_of_one_tensor() -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), lucid.randn(5, 3)
    with lucid.see.track_provenance():
        h = model(x)
        for _ in range(3):
            h = h * 2
        loss = nn.functional.cross_entropy(h, lucid.tensor([0, 1, 0, 1, 1]), label_smoothing=0.1)
    steps = lucid.see.steps(loss)
    said = str(steps)
    assert said.count("label_smoothing") == 1 and said.count("   model(x)") == 1 and "   in 2" in said
    names = [step.name for step in steps if step.name]
    assert names == ["loss", "h"] and repr(steps[0]) == str(steps[0])
    assert str(steps[0]).startswith("step 1: add -> loss")
