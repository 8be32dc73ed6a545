"""Rules as programs that work in place: the same numbers to the bit, as the plain evaluation is the oracle."""

import itertools
from typing import Any

import numpy as np
import pytest

from lucid import optim
from lucid.backend import cpu
from lucid.optim.program import program, program_of


def both(
    rule: Any, slots: tuple[str | None, ...], numbers: tuple[float, ...], constants: dict[str, Any], dtype: str
) -> None:
    """Evaluate `rule` as it stands and as a program, on ordinary and on hostile numbers."""
    run = program(rule, slots, numbers, constants)
    assert run is not None
    rng = np.random.default_rng(0)
    theta, g = (rng.standard_normal(257).astype(dtype) for _ in range(2))
    g[:6] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30]
    memory = [None if slot is None else np.abs(rng.standard_normal(257)).astype(dtype) for slot in slots]
    kept, start = g.copy(), [None if x is None else x.copy() for x in (theta, *memory)]
    with np.errstate(all="ignore"):
        expected = rule(cpu, theta, g, *memory, *numbers, **constants)
        scalars = [*run.fixed(**constants), *run.changing(*numbers, **constants)]
        run(cpu, [np.empty_like(theta) for _ in range(run.scratch)], theta, g, *memory, *scalars)
    np.testing.assert_array_equal(g, kept)
    if run.change is not None:  # the same but for the subtraction
        with np.errstate(all="ignore"):
            again = [None if x is None else x.copy() for x in start[1:]]
            step = run.change(cpu, [np.empty_like(theta) for _ in range(run.scratch)], None, g, *again, *scalars)
            np.testing.assert_array_equal((start[0] - step).view("u1"), theta.view("u1"))
    for found, value in zip([theta, *memory], expected, strict=True):
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
    "in and out": lambda xp, theta, g, a, b, lr, *, c: (theta - lr * g, a + b, b * c),
    "a slot kept": lambda xp, theta, g, a, b, lr, *, c: (theta * c, a, b - g),
    "the gradient kept": lambda xp, theta, g, a, b, lr, *, c: (theta - lr * a, g, b),
    "one value in two places": lambda xp, theta, g, a, b, lr, *, c: (theta - (n := a * c + g), n, n),
    "old values needed late": lambda xp, theta, g, a, b, lr, *, c: (theta + a * b, a + g * theta, b + theta * a),
    "numbers among themselves": lambda xp, theta, g, a, b, lr, *, c: (theta * (1 - lr * c) - -lr / (2 + c) ** 2 * g, a,
                                                                      b),
    "functions": lambda xp, theta, g, a, b, lr, *, c: (theta - xp.sqrt(xp.abs(a)) * xp.sign(g), xp.maximum(a, c),
                                                       xp.minimum(b, g)),
    "powers, and a minus": lambda xp, theta, g, a, b, lr, *, c: (-theta, g**2 * c, 1 / (b + 2) ** 0.5),
    "where": lambda xp, theta, g, a, b, lr, *, c: (theta - xp.where(g * a > c, g, b), xp.where(g < 0, 2.0 * a, a),
                                                   xp.where(b >= lr, c, a)),
    "where over where": lambda xp, theta, g, a, b, lr, *, c: (xp.where(a <= b, xp.where(c < g, theta, b), 0.0),
                                                              xp.where(g > 0, b, a), b + 1.0),
    "a comparison stays": lambda xp, theta, g, a, b, lr, *, c: (xp.where(n := a > b, theta, g), xp.where(n, b, c * a),
                                                                xp.where(n, a, b)),
    "theta through the memory": lambda xp, theta, g, a, b, lr, *, c: (theta - lr * (a * c + g), a * c + g, b),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_invented_rules(name: str) -> None:
    for dtype in ("float32", "float64"):
        both(RULES[name], ("a", "b"), (0.5,), {"c": 0.25}, dtype)


@pytest.mark.parametrize(
    "rule",
    [
        lambda xp, theta, g, a: (theta - g if g == 0 else theta, a),
        lambda xp, theta, g, a: (theta, xp.where(True, 1.0, 2.0)),
        lambda xp, theta, g, a: (theta - g if g > 0 else theta, a),
        lambda xp, theta, g, a: (theta - g if g else theta, a),
        lambda xp, theta, g, a: (a, theta),
        lambda xp, theta, g, a: (theta, 0.0),
        lambda xp, theta, g, a: (theta + np.ones(3), a),
        lambda xp, theta, g, a: (theta + xp.sqrt(2.0), a),
        lambda xp, theta, g, a: (theta * theta.size, a),
    ],
)
def test_what_symbols_cannot_say_has_no_program(rule: Any) -> None:
    assert program(rule, ("a",), (), {}) is None


def test_numbers_that_change_may_not_decide() -> None:
    assert program(lambda xp, theta, g, lr: (theta - g if lr else theta,), (), [0.1], {}) is None
    assert program(lambda xp, theta, g, lr: (theta - g if lr > 0 else theta,), (), [0.1], {}) is None
    assert program(lambda xp, theta, g, *, c: (theta - g if c > 0 else theta,), (), [], {"c": 0.5}) is None


def test_a_number_that_is_a_flag_decides_and_has_a_program_for_each_of_its_values() -> None:
    def rule(xp, theta, g, lr, uphill):
        return (theta + lr * g if uphill else theta - lr * g,)

    for uphill in (True, False):
        both(rule, (), (0.5, uphill), {}, "float32")
    up, down = (program_of(rule, (), (0.5, uphill), {}) for uphill in (True, False))
    assert "subtract" in down.source and "subtract" not in up.source
    assert program_of(rule, (), (0.25, True), {}) is up


def test_the_change_alone_is_to_be_had_where_theta_is_only_subtracted_from() -> None:
    constants = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    assert program(optim.Adamax.rule, ("m", "u"), [0.1], {**constants, "weight_decay": 0}).change is not None
    assert program(optim.Adamax.rule, ("m", "u"), [0.1], {**constants, "weight_decay": 0.1}).change is None


def test_adamax_needs_two_scratch_arrays_and_ten_steps() -> None:
    run = program(optim.Adamax.rule, ("m", "u"), [0.1], {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0})
    assert run.scratch == 2 and run.source.count("xp.") == 10
