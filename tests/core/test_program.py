"""Rules that work in place: the same numbers to the bit, as the plain evaluation is the oracle; and what is refused."""

import itertools
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.array import cpu
from lucid.core.trace import Trace, TracedNamespace, Tracer
from lucid.optim.rule import allocate, compiled_rule, evaluate_rule, last_uses, pattern_of
from tests.optim.training import give, parameter, run_in_place


def both(
    rule: Any, slots: tuple[str | None, ...], numbers: tuple[float, ...], constants: dict[str, Any], dtype: str
) -> None:
    """Evaluate `rule` as it stands and in place, on ordinary and on hostile numbers."""
    rng = np.random.default_rng(0)
    theta, g = (rng.standard_normal(257).astype(dtype) for _ in range(2))
    g[:6] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30]
    memory = [None if slot is None else np.abs(rng.standard_normal(257)).astype(dtype) for slot in slots]
    kept = g.copy()
    with np.errstate(all="ignore"):
        new, state = evaluate_rule(
            rule, cpu, theta.copy(), kept, [None if x is None else x.copy() for x in memory], numbers, constants
        )
        run_in_place(rule, slots, numbers, constants, theta, g, memory)
    np.testing.assert_array_equal(g, kept)
    for found, value in zip([theta, *memory], [new, *state], strict=True):
        if found is not None:
            assert value.dtype == found.dtype
            np.testing.assert_array_equal(found.view("u1"), np.ascontiguousarray(value).view("u1"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [0, 0.0, 0.1])
def test_adamax(dtype: str, decay: float) -> None:
    constants = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": decay}
    both(optim.Adamax.rule, ("m", "u"), (0.02,), constants, dtype)


@pytest.mark.parametrize("momentum, decay, nesterov, maximize",
                         list(itertools.product([0, 0.9], [0, 0.1], [False, True], [False, True])))
def test_sgd(momentum: float, decay: float, nesterov: bool, maximize: bool) -> None:
    constants = {"momentum": momentum, "weight_decay": decay, "nesterov": nesterov, "maximize": maximize}
    both(optim.SGD.rule, ("v" if momentum else None,), (0.02, 0.9), constants, "float32")


RULES: dict[str, Any] = {
    "in and out": lambda xp, theta, g, a, b, lr, *, c: (lr * g, a + b, b * c),
    "a slot kept": lambda xp, theta, g, a, b, lr, *, c: (theta * c, a, b - g),
    "the gradient kept": lambda xp, theta, g, a, b, lr, *, c: (lr * a, g, b),
    "the gradient as it is": lambda xp, theta, g, a, b, lr, *, c: (g, a + lr * g, g),
    "one value in two places": lambda xp, theta, g, a, b, lr, *, c: (n := a * c + g, n, n),
    "slots that change places": lambda xp, theta, g, a, b, lr, *, c: (lr * a, b, a),
    "an old value as the update": lambda xp, theta, g, a, b, lr, *, c: (a, g - c, b * g),
    "old values needed late": lambda xp, theta, g, a, b, lr, *, c: (a * b, a + g * theta, b + theta * a),
    "numbers among themselves": lambda xp, theta, g, a, b, lr, *, c: (-lr / (2 + c) ** 2 * g, a, b,
                                                                      theta * (1 - lr * c)),
    "functions": lambda xp, theta, g, a, b, lr, *, c: (xp.sqrt(xp.abs(a)) * xp.sign(g), xp.maximum(a, c),
                                                       xp.minimum(b, g)),
    "powers, and a minus": lambda xp, theta, g, a, b, lr, *, c: (-theta, g**2 * c, 1 / (b + 2) ** 0.5),
    "where": lambda xp, theta, g, a, b, lr, *, c: (xp.where(g * a > c, g, b), xp.where(g < 0, 2.0 * a, a),
                                                   xp.where(b >= lr, c, a)),
    "where over where": lambda xp, theta, g, a, b, lr, *, c: (xp.where(a <= b, xp.where(c < g, theta, b), 0.0),
                                                              xp.where(g > 0, b, a), b + 1.0),
    "a comparison stays": lambda xp, theta, g, a, b, lr, *, c: (xp.where(n := a > b, theta, g), xp.where(n, b, c * a),
                                                                xp.where(n, a, b)),
    "truth values": lambda xp, theta, g, a, b, lr, *, c: (g * (a > b), xp.where((g > 0) & (a != b), a, b),
                                                          xp.where(~(g < a) | (g == 0), c, b)),
    "theta through the memory": lambda xp, theta, g, a, b, lr, *, c: (lr * (a * c + g), a * c + g, b),
    "theta scaled": lambda xp, theta, g, a, b, lr, *, c: (lr * g, a + theta, b, c * theta),
    "theta another": lambda xp, theta, g, a, b, lr, *, c: (lr * theta, g - a, a * theta, b),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_invented_rules(name: str) -> None:
    for dtype in ("float32", "float64"):
        both(RULES[name], ("a", "b"), (0.5,), {"c": 0.25}, dtype)


@pytest.mark.parametrize(
    "rule",
    [
        lambda xp, theta, g, a: (g if g == 0 else theta, a),
        lambda xp, theta, g, a: (theta, xp.where(True, 1.0, 2.0)),
        lambda xp, theta, g, a: (g if g > 0 else theta, a),
        lambda xp, theta, g, a: (g if g else theta, a),
        lambda xp, theta, g, a: (theta, 0.0),
        lambda xp, theta, g, a: (np.ones(3) + theta, a),
        lambda xp, theta, g, a: (xp.sqrt(2.0), a),
        lambda xp, theta, g, a: (theta * theta.size, a),
        lambda xp, theta, g, a: (theta * xp.sum(g), a),
        lambda xp, theta, g, a: ((g > 0) + (g < 1), a),  # which NumPy takes for "or"
        lambda xp, theta, g, a: ((g > 0) * 0.5, a),  # of another dtype than g
    ],
)
def test_what_cannot_be_traced_is_not_compiled(rule: Any) -> None:
    assert compiled_rule(rule, ("a",), pattern_of((), {})) is None


def test_numbers_that_change_may_not_decide() -> None:
    changing, fixed = pattern_of((0.1,), {}), pattern_of((), {"c": 0.5})
    assert compiled_rule(lambda xp, theta, g, lr: (g if lr else theta,), (), changing) is None
    assert compiled_rule(lambda xp, theta, g, lr: (g if lr > 0 else theta,), (), changing) is None
    assert compiled_rule(lambda xp, theta, g, *, c: (g if c > 0 else theta,), (), fixed) is None


def test_a_number_that_is_a_flag_decides_and_each_of_its_values_is_compiled() -> None:
    def rule(xp, theta, g, uphill, lr):
        return (-(lr / 2) * g if uphill else lr * g,)

    for uphill in (True, False):
        both(rule, (), (uphill, 0.5), {}, "float32")
    up, down = (compiled_rule(rule, (), pattern_of((uphill, 0.5), {})) for uphill in (True, False))
    assert "divide" in str(up.trace) and "divide" not in str(down.trace)
    assert compiled_rule(rule, (), pattern_of((True, 0.25), {})) is up


def test_words_among_the_hyperparameters_are_given_as_they_are() -> None:
    def rule(xp, theta, g, *, way):
        return (-g if way == "up" else g,)

    for way in ("up", "down"):
        both(rule, (), (), {"way": way}, "float32")
    assert pattern_of((), {"way": []}) is None


def test_theta_is_read_only_where_the_rule_does() -> None:
    constants = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    for decay in (0, 0.1):
        compiled = compiled_rule(
            optim.Adamax.rule, ("m", "u"), pattern_of((0.1,), {**constants, "weight_decay": decay})
        )
        assert compiled.uses_theta is bool(decay)


def test_adamax_needs_two_arrays_of_workspace_and_nine_calls_before_the_subtraction() -> None:
    static = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0}
    compiled = compiled_rule(optim.Adamax.rule, ("m", "u"), pattern_of([0.1], static))
    assert compiled.workspace == 2 and len(compiled.calls) == 9
    assert str(compiled).splitlines()[1:4] == ["%w0 = multiply %1 %g", "%m = add %m %w0", "%u = multiply %beta2 %u"]
    assert str(compiled.trace).splitlines()[:3] == [
        "%0 = multiply %beta1 %m",
        "%1 = subtract 1 %beta1",
        "%2 = multiply %1 %g",
    ]
    assert compiled.static_values(static) == [0.9, 1 - 0.9, 0.999, 1e-8] and compiled.step_values(static, [0.1]) == [
        0.1
    ]


def test_a_trace_of_any_function_gets_registers_by_liveness() -> None:
    """Nothing may be overwritten but workspace: three results, of which no two live at once, share one array."""
    trace = Trace(cpu)
    a, b = Tracer(trace, "a"), Tracer(trace, "b")
    xp = TracedNamespace(trace)
    out = xp.exp(xp.sqrt(a * b)) - a
    assert str(trace).splitlines() == ["%0 = multiply %a %b", "%1 = sqrt %0", "%2 = exp %1", "%3 = subtract %2 %a"]
    assert last_uses(trace.instructions, [out])[a] == 3 and last_uses(trace.instructions, [out])[out] == 4
    code, register, workspace = allocate(trace.instructions, [a, b], [out], {})
    assert code == [("multiply", [0, 1], 2), ("sqrt", [2], 2), ("exp", [2], 2), ("subtract", [2, 0], 2)]
    assert workspace == 1 and register[out] == 2
    code, register, _ = allocate(trace.instructions, [a, b], [out], {out: b})
    assert [place for _, _, place in code] == [1, 1, 1, 1] and register[out] == 1


# -- refused where they are defined ----------------------------------------------------------------------------------


def define(slots: tuple[str, ...] = ("m",), **attributes: Any) -> Any:
    attributes = {name: staticmethod(x) if name == "rule" else x for name, x in attributes.items()}
    return type("Own", (optim.Optimizer,), {"slots": slots, **attributes})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"rule": lambda theta, g, m: (g, m)},
     r"^Own.rule: its arguments must begin with the namespace xp, theta, its gradient g and the slots"),
    ({"rule": lambda xp, theta, g, lr: (g, g)},
     r"the slots \['m'\], got \(xp, theta, g, lr\); write rule\(xp, theta, g, m, lr\)"),
    ({"rule": lambda self, xp, theta, g, m, lr: (g, m)}, r"got \(self, xp, .*; write rule\(xp, theta, g, m, lr\)"),
    ({"rule": lambda xp, theta, g: (g,)}, r"got \(xp, theta, g\); write rule\(xp, theta, g, m\)"),
    ({"rule": lambda xp, theta, g, v, m: (g, m, v), "slots": ("m", "v")}, r"write rule\(xp, theta, g, m, v\)"),
    ({"rule": lambda xp, theta, g, m: g},
     r"expected a tuple of the update and the new value of each of its 1 slots.*one value.*; write return update, m$"),
    ({"rule": lambda xp, theta, g, m: (g,)}, r"expected a tuple of the .* got 1 results; write return update, m$"),
    ({"rule": lambda xp, theta, g, m, lr: None}, r"got nothing; write return update, m$"),
    ({"rule": lambda xp, theta, g: g, "slots": ()}, r"got one value and no tuple; write return update,$"),
    ({"rule": lambda xp, theta, g, m, lr, *, way: (g, m) if way else g}, r"got one value and no tuple; write"),
    ({"rule": lambda xp, theta, g, m, lr, beta: (lr * g, beta * m)},
     r"^Own.rule: takes 2 numbers after the slots, \(lr, beta\), expected 1, as step_scalars gives \(lr\); all"),
    ({"rule": lambda xp, theta, g, m, *, lr: (lr * g, m)}, r"takes 0 numbers after the slots, \(\), expected 1"),
    ({"rule": lambda xp, theta, g, m, lr: (lr * (g if g > 0 else -g), m)},
     r"^Own.rule: decides once for all elements of an array, as `if g > 0:` and max\(g, 0\) do; write xp.where"),
    ({"rule": lambda xp, theta, g, m, lr: (lr * max(g, 0), m)}, r"decides once for all elements of an array"),
    ({"rule": lambda xp, theta, g, m, lr: (g, m), "step_scalars": lambda self, options, t: (0.1,)},
     r"^Own.step_scalars: must be a static method, .*; write @staticmethod step_scalars\(options, t\)"),
    ({"rule": lambda xp, theta, g, m: (xp.sgn(g), m)}, r"^Own.rule: xp.sgn: no operation, and not in lucid's"),
    ({"rule": lambda xp, theta, g, m: (g.relu(), m)}, r"^Own.rule: an array has no attribute 'relu'"),
    ({"rule": lambda xp, theta, g, m: (g, m), "torch_slot_names": {"exp_avg": "n"}},
     r"^Own.torch_slot_names: 'n' is no slot"),
    ({"rule": lambda xp, theta, g, m: (g, m), "optional_slots": {"n": "lr"}}, r"^Own.optional_slots: 'n' is no slot"),
]  # fmt: skip


@pytest.mark.parametrize("attributes, text", REFUSED, ids=range(len(REFUSED)))
def test_a_rule_that_cannot_work_is_refused_where_it_is_defined(attributes: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        define(**attributes)


def test_a_rule_that_is_no_static_method_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^Own.rule: must be a static method.*; write @staticmethod rule\(xp, theta, g\)"
    ):
        type("Own", (optim.Optimizer,), {"rule": lambda xp, theta, g: (g,)})


def test_a_hyperparameter_that_the_rule_takes_and_nobody_gives_is_refused() -> None:
    own = define((), rule=lambda xp, theta, g, lr, *, speed: (speed * g,))
    with pytest.raises(TypeError, match=r"^Own.rule: takes 'speed' behind the \*, expected hyperparameters, \['lr'\]"):
        own([parameter(1.0)], {"lr": 0.1})


def test_the_numbers_are_counted_where_the_optimizer_is_made() -> None:
    own = define((), rule=lambda xp, theta, g, a, b: (a * b * g,), step_scalars=staticmethod(lambda options, t: (0.5,)))
    with pytest.raises(TypeError, match=r"takes 2 numbers after the slots, \(a, b\), expected 1, as .* gives \(0.5\)"):
        own([parameter(1.0)], {"lr": 0.1})


def test_a_rule_may_take_all_options_and_all_slots_at_once() -> None:
    p = give(parameter(1.0), 1.0)
    define(rule=lambda xp, theta, g, m, lr, **options: (lr * g, m))([p], {"lr": 0.5, "beta": 1.0}).step()
    define(rule=lambda xp, theta, g, *rest, lr: (lr * g, rest[0]))([p], {"lr": 0.25}).step()
    assert p.item() == 0.25


def normalised(xp: Any, theta: Any, g: Any, m: Any, lr: Any, *, momentum: Any) -> Any:
    m = momentum * m + g / xp.sqrt(xp.sum(g * g))
    return lr * m, m


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_rule_that_is_not_elementwise_sees_one_parameter_at_a_time_and_all_of_it(dtype: str) -> None:
    """Small ones do not share a norm, and a large one has one, not one for each of its chunks."""
    own, rng = define(("m",), rule=normalised), np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(dtype) for shape in [(3,), (2, 2), (700, 600)]]
    gradients = [(size * rng.standard_normal(x.shape)).astype(dtype) for x, size in zip(start, (1, 9, 1), strict=True)]
    wide = np.float64 if dtype == "float64" else np.float32
    m = [np.zeros(x.shape, wide) for x in start]
    ps = [nn.Parameter(x.copy()) for x in start]
    optimizer = own(ps, {"lr": 0.5, "momentum": 0.25})
    for _ in range(2):
        for i, (p, g) in enumerate(zip(ps, gradients, strict=True)):
            p.grad = lucid.tensor(g)
            _, m[i] = normalised(np, None, g.astype(wide), m[i], wide(0.5), momentum=wide(0.25))
            start[i] = (start[i] - wide(0.5) * m[i]).astype(dtype)
        expected = optimizer.explain(ps[1], largest=4).table
        optimizer.step()
        for index, value in zip(expected["index"], expected["theta after"], strict=True):
            assert ps[1]._array[index] == value
    assert all(np.array_equal(p._array, x) for p, x in zip(ps, start, strict=True))
    assert all(np.array_equal(optimizer.state[p]["m"], x) for p, x in zip(ps, m, strict=True))


def test_a_rule_sees_a_parameter_in_its_shape_and_any_function_of_numpys() -> None:
    rule = lambda xp, theta, g, lr: (lr * g / xp.linalg.norm(g, axis=0) + 0 * xp.cumsum(g, axis=1),)
    p = nn.Parameter(np.ones((2, 2)))
    p.grad = lucid.tensor([[3.0, 0.0], [4.0, 2.0]], dtype=lucid.float64)
    define((), rule=rule)([p], {"lr": 1.0}).step()
    np.testing.assert_allclose(p.tolist(), [[0.4, 1.0], [0.2, 0.0]])


def test_a_slot_may_be_the_parameter_before_the_step() -> None:
    rule = lambda xp, theta, g, before, lr: (lr * g / xp.max(g), theta)
    p = give(parameter(1.0, 2.0), 1.0, 4.0)
    optimizer = define(("before",), rule=rule)([p], {"lr": 1.0})
    optimizer.step()
    assert p.tolist() == [0.75, 1.0] and optimizer.state[p]["before"].tolist() == [1.0, 2.0]
