"""Random graphs: what backward finds is what differences of the function measure, whatever was computed how often.

A program is a list of small integers, which `step` reads as operations on what has been computed so far. Every
operation
gives numbers between -3 and 3 from numbers between -3 and 3, is smooth there, and changes no more than its inputs do.
So there are no poles and kinks to stay away from, and derivatives of all orders are of the size of 1.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import lucid
import lucid.core.backward as engine
from lucid.autograd import Function, checkpoint, grad
from lucid.core.backward import reachable
from lucid.core.op import Op
from tests.whole import whole

T = lucid.Tensor
REPEATABLE = settings(derandomize=True, deadline=None, database=None, max_examples=200)
STEP, CLOSE = 1e-5, 1e-8  # of central differences, whose error is then 1e-10 by the cubic term and 1e-11 by rounding

# -- the operations --------------------------------------------------------------------------------------------------

UNARY: list[Callable[[T], T]] = [
    lucid.tanh,
    lucid.sin,
    lucid.cos,
    lucid.sigmoid,
    lambda x: lucid.erf(x / 2),
    lambda x: (-x * x).exp(),
    lambda x: 1 / (1 + x * x),
    lambda x: (1 + x * x).log() / 2,
    lambda x: (1 + x * x).sqrt() / 2,
    lambda x: (x / 3) ** 3 / 3,
    lambda x: lucid.nn.functional.softplus(x) / 2,
    lambda x: (x / 4).exp() - 1,
    lambda x: lucid.square(x) / 6,
    lambda x: -x,
]
BINARY: list[Callable[[T, T], T]] = [
    lambda x, y: (x + y) / 2,
    lambda x, y: (x - y) / 2,
    lambda x, y: x * y / 6,
    lambda x, y: x / (1 + y * y) / 3,
    lambda x, y: x * y.sigmoid() / 3,
    lambda x, y: (2 + x / 3) ** (y / 3) / 4,
    lambda x, y: lucid.where(pattern(x, y), x, y),
]
REDUCTIONS: list[Callable[..., T]] = [
    lambda x, dim: x.mean(dim),
    lambda x, dim: x.sum(dim, keepdim=True) / x.shape[dim],
    lambda x, dim: x.logsumexp(dim) / 2,
    lambda x, dim: x.softmax(dim),
    lambda x, dim: x.log_softmax(dim) / 6,
    lambda x, dim: (x / 3).prod(dim),
    lambda x, dim: x.cumsum(dim) / x.shape[dim],
    lambda x, dim: (1 + x * x).norm(dim=dim) / 30,
    lambda x, dim: x.var(dim, correction=0) / 12,
]
SHAPES: list[Callable[..., T]] = [
    lambda x, dim, k: x.reshape(-1),
    lambda x, dim, k: x.transpose(0, dim),
    lambda x, dim, k: x.unsqueeze(dim),
    lambda x, dim, k: x.flip(dim),
    lambda x, dim, k: x.roll(k, dim),
    lambda x, dim, k: x[k % len(x)],
    lambda x, dim, k: x[k % len(x) :],
    lambda x, dim, k: x[::2],
    lambda x, dim, k: x[[k % len(x), 0, k % len(x)]],
    lambda x, dim, k: x[np.arange(len(x)) % 2 == 0],
    lambda x, dim, k: lucid.pad(x, (k % 3, 1), value=0.5),
    lambda x, dim, k: x.gather(dim, lucid.full(x.shape, k % x.shape[dim], dtype="int64")),
    lambda x, dim, k: x.expand(2, *x.shape),
    lambda x, dim, k: x.chunk(2, dim)[k % len(x.chunk(2, dim))],
    lambda x, dim, k: x.tril() if x.ndim > 1 else x.clone(),
]


def pattern(x: T, y: T) -> T:
    """A fixed mask in the shape of both."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return lucid.tensor(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3 == 0)


def fits(x: T, y: T) -> bool:
    try:
        return len(np.broadcast_shapes(x.shape, y.shape)) <= 4
    except ValueError:
        return False


def joined(x: T, values: list[T], b: int, k: int) -> T:
    """cat or stack with others of the same shape."""
    alike = [v for v in (x, *values) if v.shape == x.shape]
    parts = [x, alike[b % len(alike)], x][: 2 + k % 2]
    return lucid.cat(parts, k % x.ndim) if x.ndim and k % 4 < 2 else lucid.stack(parts, k % (x.ndim + 1))


def multiplied(x: T, values: list[T], b: int) -> T:
    right = [v for v in values if v.ndim and x.shape[-1] == v.shape[max(0, v.ndim - 2)] and (x.ndim < 3 or v.ndim < 3)]
    y = right[b % len(right)] if right else x.transpose(-1, -2) if x.ndim > 1 else x
    return x @ y / (6 * x.shape[-1])


class Doubling(Function):
    """Two copies, with a gradient twice as large as theirs."""

    @staticmethod
    def forward(ctx: Any, x: T) -> tuple[T, T]:
        return x.clone(), x.clone()

    @staticmethod
    def backward(ctx: Any, first: T, second: T) -> T:
        return (first + second) * 2


@dataclass
class Run:
    """One way of running a program, and what came of it."""

    doubling: str = ""  # whether a gradient is doubled on its way: by a "hook", by a "function", or not
    constants: list[np.ndarray] | None = None  # what detach() and no_grad() gave in an earlier run
    seen: list[np.ndarray] = field(default_factory=list)
    retained: list[T] = field(default_factory=list)

    def constant(self, compute: Callable[[], T]) -> T:
        """What counts as a number, not as a function: computed in the first run, and the same in those after it."""
        if self.constants is None:
            value = compute()
            assert not value.requires_grad
            self.seen.append(value.numpy().copy())
        else:
            self.seen.append(self.constants[len(self.seen)])
        return lucid.tensor(self.seen[-1])

    def doubled(self, x: T, k: int) -> T:
        if self.doubling == "function":
            return Doubling.apply(x)[k % 2]
        x = x.clone()
        if self.doubling == "hook" and x.requires_grad:
            x.register_hook(lambda g: g * 2)
        return x

    def retain(self, x: T) -> T:
        x = x.clone()
        if x.requires_grad:
            x.retain_grad()
            x.register_hook(lambda g: None)
            self.retained.append(x)
        return x


def under_no_grad(x: T) -> T:
    with lucid.no_grad():
        return x.sin() * x / 3


def written(x: T, y: T, k: int) -> T:
    """A copy of x, changed in place in one of several ways."""
    t = x.clone()
    match k % 5:
        case 0:
            t /= 2
            t += y.mean() / 2
        case 1:
            t *= y.mean().tanh() / 3
            t *= t
        case 2:
            t[k % len(t)] = y.mean()
        case 3:
            t[np.arange(len(t)) % 2 == 1] = t.mean()
        case 4:
            t[k % len(t)] *= 0.5  # through a view
    return t


def step(run: Run, values: list[T], code: tuple[int, int, int, int]) -> T:
    """The next value; `code` says which operation, on which values, and how."""
    kind, a, b, k = code
    x = values[a % len(values)]
    if x.numel() > 40:
        x = x.mean(0) if x.ndim > 1 else x[:5]
    dim = b % x.ndim if x.ndim else 0
    match kind:
        case 0 | 1:
            partners = [v for v in (x, *values) if fits(x, v)]
            return BINARY[k % len(BINARY)](x, partners[b % len(partners)])
        case 2 if x.ndim:
            return REDUCTIONS[k % len(REDUCTIONS)](x, dim)
        case 3 if 0 < x.ndim < 4:
            return SHAPES[k % len(SHAPES)](x, dim, k)
        case 4 if x.ndim < 3:
            return joined(x, values, b, k)
        case 5 if 0 < x.ndim < 4:
            return multiplied(x, values, b)
        case 7 if x.ndim:
            return written(x, values[b % len(values)], k)
        case 8:
            return x * run.constant(x.detach if k % 2 else lambda: under_no_grad(x)) / 3
        case 9:
            return run.retain(x)
        case 10:
            return run.doubled(x, k)
    return UNARY[k % len(UNARY)](x)


FUNCTIONS, ALL = 7, 11  # how many kinds of steps: those of functions alone, and those with writing, constants and hooks


@dataclass
class Program:
    """The first `length` steps of those that a seed stands for: a smaller example of a failure is a shorter one."""

    shapes: list[tuple[int, ...]]
    seed: int
    length: int
    kinds: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.codes = [(int(rng.integers(self.kinds)), *map(int, rng.integers(0, 60, 3))) for _ in range(self.length)]

    def arrays(self) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        return [rng.uniform(-1.5, 1.5, shape) for shape in self.shapes]

    def loss(self, leaves: list[T], run: Run, segments: int = 0) -> T:
        """A weighted sum of the means of all that was computed, so that everything matters."""
        values = list(leaves)
        for part in np.array_split(np.arange(len(self.codes)), segments or 1):

            def more(values: list[T], part: Any = part) -> list[T]:
                for i in part:
                    values = [*values, step(run, values, self.codes[i])]
                return values

            values = checkpoint(more, values) if segments else more(values)
        return sum(v.mean() * np.cos(i + 1.0) for i, v in enumerate(values))

    def gradients(self, arrays: list[np.ndarray], run: Run) -> list[np.ndarray]:
        leaves = [lucid.tensor(x, requires_grad=True) for x in arrays]
        self.loss(leaves, run).backward()
        return [x.grad.numpy() for x in leaves]

    def two_orders(self, run: Run, segments: int = 0) -> list[np.ndarray]:
        """The gradient, recorded, and its own gradient along a fixed direction."""
        leaves = [lucid.tensor(x, requires_grad=True) for x in self.arrays()]
        first = grad(self.loss(leaves, run, segments), leaves, create_graph=True)
        total = sum((g * lucid.tensor(v)).sum() for g, v in zip(first, self.direction(), strict=True))
        second = grad(total, leaves, materialize_grads=True) if total.requires_grad else [x * 0 for x in leaves]
        return [g.detach().numpy() for g in (*first, *second)]

    def direction(self) -> list[np.ndarray]:
        return [np.cos(np.arange(1.0 * x.size)).reshape(x.shape) for x in self.arrays()]


def programs(kinds: int) -> st.SearchStrategy[Program]:
    shapes = st.lists(st.sampled_from([(), (3,), (2, 3), (2, 1), (1, 3), (3, 2)]), min_size=1, max_size=3)
    return st.builds(Program, shapes, st.integers(0, 10**6), st.integers(1, 30), st.just(kinds))


# -- the properties --------------------------------------------------------------------------------------------------


def near(found: Any, expected: Any, tolerance: float = CLOSE) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def gradient_is_the_slope(program: Program) -> None:
    run, arrays = Run(), program.arrays()
    found = program.gradients(arrays, run)
    for x, g in zip(arrays, found, strict=True):
        for at in np.ndindex(x.shape):
            before, ends = x[at], []
            for sign in (1, -1):
                x[at] = before + sign * STEP
                ends.append(program.loss([lucid.tensor(a) for a in arrays], Run(constants=run.seen)).item())
            x[at] = before
            near(g[at], (ends[0] - ends[1]) / (2 * STEP))


def second_derivative_is_the_slope_of_the_first(program: Program) -> None:
    run = Run()
    found = program.two_orders(run)
    arrays, ends = program.arrays(), []
    for a, b in zip(found, program.gradients(arrays, Run(constants=run.seen)), strict=False):
        near(a, b, 1e-13)  # formulas on Tensors give what they give on arrays
    for sign in (1, -1):
        moved = [x + sign * STEP * v for x, v in zip(arrays, program.direction(), strict=True)]
        ends.append(program.gradients(moved, Run(constants=run.seen)))
    for product, high, low in zip(found[len(arrays) :], *ends, strict=True):
        near(product, (high - low) / (2 * STEP))


def gradients_on_the_way_are_those_of_grad(program: Program) -> None:
    run, again = Run(), Run()
    program.gradients(program.arrays(), run)
    leaves = [lucid.tensor(x, requires_grad=True) for x in program.arrays()]
    loss = program.loss(leaves, again)
    if again.retained:
        for t, g in zip(run.retained, grad(loss, again.retained), strict=True):
            near(t.grad.numpy(), g.numpy(), 1e-14)


def a_hook_does_what_a_function_does(program: Program) -> None:
    for a, b in zip(program.two_orders(Run("hook")), program.two_orders(Run("function")), strict=True):
        near(a, b, 1e-12)


def checkpoints_change_no_number(program: Program) -> None:
    expected = program.two_orders(Run("hook"))
    for segments in (1, 3):
        for a, b in zip(program.two_orders(Run("hook"), segments), expected, strict=True):
            np.testing.assert_array_equal(a, b)


PROPERTIES: list[tuple[Callable[[Program], None], int]] = [
    (gradient_is_the_slope, FUNCTIONS),
    (second_derivative_is_the_slope_of_the_first, FUNCTIONS),
    (gradient_is_the_slope, ALL),
    (second_derivative_is_the_slope_of_the_first, ALL),
    (gradients_on_the_way_are_those_of_grad, ALL),
    (a_hook_does_what_a_function_does, ALL),
    (checkpoints_change_no_number, ALL),
]


def holds(what: Callable[[Program], None], kinds: int, rules: settings = REPEATABLE) -> None:
    rules(given(programs(kinds))(lambda program: what(program)))()


properties = pytest.mark.parametrize("what, kinds", PROPERTIES, ids=lambda value: getattr(value, "__name__", None))


@properties
def test_for_random_graphs(what: Callable[[Program], None], kinds: int) -> None:
    holds(what, kinds, settings(REPEATABLE, max_examples=20))


@whole
@properties
def test_for_many_random_graphs(what: Callable[[Program], None], kinds: int) -> None:
    holds(what, kinds)


USUAL = """
add subtract multiply divide power power_number where matmul sum mean prod softmax log_softmax logsumexp
cumsum norm var reshape swapaxes broadcast_to flip roll pad tril getitem take_along cat stack tanh sin cos
sigmoid erf exp log sqrt softplus negative
""".split()


@whole
@pytest.mark.parametrize("kinds, names", [(FUNCTIONS, USUAL), (ALL, ["setitem", "Doubling", "positive"])])
def test_the_programs_are_what_they_should_be(kinds: int, names: list[str]) -> None:
    """Bounded as the docstring says, of up to 30 steps, with values used again and again, and with all the
    operations.
    """
    lengths, most, uses, seen = set(), 0.0, [], set()

    def look(program: Program) -> None:
        nonlocal most
        values: list[T] = [lucid.tensor(x, requires_grad=True) for x in program.arrays()]
        for code in program.codes:
            values.append(step(Run("function"), values, code))
            most = max(most, float(np.abs(values[-1].detach().numpy()).max()))
        seen.update(node.name() for node in reachable([v._node for v in values]))
        lengths.add(len(program.codes))
        uses.append(max(np.bincount([code[1] % (i + len(program.shapes)) for i, code in enumerate(program.codes)])))

    holds(look, kinds)
    assert most <= 3 and max(lengths) == 30 and np.quantile(uses, 0.75) >= 4 and set(names) <= seen, set(names) - seen


# -- planted faults --------------------------------------------------------------------------------------------------

ONLY_FIND = settings(REPEATABLE, phases=[Phase.generate])  # and do not look for a smaller example
TABLE = sys.modules["lucid.core.op"].OPS


@pytest.mark.parametrize("name",
                         ["tanh", "multiply", "divide", "matmul", "getitem", "cat", "sum", "where", "swapaxes",
                          "logsumexp", "power"])
def test_a_wrong_sign_in_a_formula_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TABLE[name]
    right = spec.vjp

    def vjp(*args: Any) -> Any:
        first, *others = right(*args)
        return [first if first is None else -first, *others]

    monkeypatch.setattr(spec, "vjp", vjp)
    with pytest.raises(AssertionError):
        holds(gradient_is_the_slope, FUNCTIONS, ONLY_FIND)


@pytest.mark.parametrize(
    "home, function, right, wrong, what, kinds",
    [
        (engine, "run_backward", "gradients[source] = before + part", "gradients[source] = part",
         gradient_is_the_slope, FUNCTIONS),
        (engine, "run_backward", "(-source.sequence, source)", "(source.sequence, source)",
         gradient_is_the_slope, FUNCTIONS),
        (engine, "run_backward", "part.shape != source.shape", "False", gradient_is_the_slope, FUNCTIONS),
        (engine, "run_backward", "g = _after_hooks(node, g)\n", "pass\n", a_hook_does_what_a_function_does, ALL),
        (engine, "run_backward", "saved = node.op.saved_as_tensors(node)", "pass",
         second_derivative_is_the_slope_of_the_first, FUNCTIONS),
        (Op, "saved_as_tensors", "None if index is None else node.inputs[index]", "None",
         second_derivative_is_the_slope_of_the_first, FUNCTIONS),
        (Op, "saved_as_tensors", 'node if name == "out"', 'None if name == "out"',
         second_derivative_is_the_slope_of_the_first, FUNCTIONS),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_fault_in_the_engine_is_caught(
    home: Any, function: str, right: str, wrong: str, what: Any, kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = textwrap.dedent(inspect.getsource(getattr(home, function)))
    assert source.count(right) == 1
    scope = dict(vars(sys.modules[getattr(home, "__module__", home.__name__)]))
    exec(source.replace(right, wrong), scope)
    monkeypatch.setattr(home, function, scope[function])
    with pytest.raises((AssertionError, RuntimeError, ValueError, KeyError, AttributeError)):
        holds(what, kinds, ONLY_FIND)
