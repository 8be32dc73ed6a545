"""Derivatives as functions: grad, Jacobians and Hessians, checkpoints, Functions, anomalies, gradcheck."""

import gc
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import (
    Function,
    checkpoint,
    detect_anomaly,
    functional,
    grad,
    gradcheck,
    gradgradcheck,
    set_detect_anomaly,
)
from lucid.autograd.function import once_differentiable
from lucid.autograd.gradcheck import GradcheckError
from lucid.core.events import EVENTS
from lucid.nn import functional as F


def leaf(*values: Any) -> lucid.Tensor:
    return lucid.tensor(
        values[0] if isinstance(values[0], list) else [float(v) for v in values], dtype="float64", requires_grad=True
    )


@pytest.fixture
def no_collector() -> Iterator[Callable[[], int]]:
    """A test without the garbage collector; what it is given says how many objects only that one could free."""
    gc.collect()
    gc.disable()
    yield gc.collect
    gc.enable()


# -- grad ------------------------------------------------------------------------------------------------------------


def test_grad_takes_a_tensor_a_list_or_whatever_can_be_walked() -> None:
    model = nn.Linear(2, 1)
    loss = model(lucid.ones(1, 2)).sum()
    for inputs in (model.weight, [model.weight], (model.weight, model.bias), model.parameters()):
        assert grad(loss, inputs, retain_graph=True)[0].tolist() == [[1, 1]]


def test_grad_of_an_input_named_twice_gives_two_gradients() -> None:
    x = leaf(1, 2)
    first, second = grad((x * x).sum(), [x, x])
    first.zero_()
    assert second.tolist() == [2, 4]


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 1], ids=["leaf", "computed"])
def test_the_gradient_of_an_output_by_itself_is_the_start_and_a_copy_of_it(make: Any) -> None:
    y = make(leaf(1, 2))
    start = lucid.tensor([5.0, 6.0], dtype="float64")
    (g,) = grad(y, y, start)
    g.zero_()
    assert start.tolist() == [5, 6] and grad(y.sum(), y)[0].tolist() == [1, 1]


def test_gradients_of_computed_tensors_are_nobody_elses() -> None:
    x = leaf(1, 2)
    a, b = x * 2, x * 3
    found = grad((a + b).sum(), [a, b])
    found[0].zero_()  # and neither is the read-only view that sum's formula made
    assert found[1].tolist() == [1, 1]


def test_grad_starts_with_none_where_an_output_is_one_number() -> None:
    x = leaf(1, 2)
    (g,) = grad([x.sum(), x * 3], x, [None, lucid.tensor([1.0, 10.0])])
    assert g.tolist() == [4, 31]


def test_materialized_gradients_are_zeros() -> None:
    x, other = leaf(1, 2), leaf(3)
    assert [g.tolist() for g in grad(x.sum(), [x, other], materialize_grads=True)] == [[1, 1], [0]]
    assert grad(x.sum(), [other], allow_unused=True) == (None,)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda x, y: grad(x.sum(), y), RuntimeError,
         "grad: the outputs do not depend on input 0 .*allow_unused=True.*materialize_grads=True"),
        (lambda x, y: grad(x.sum(), y, allow_unused=False, materialize_grads=True), ValueError,
         "materialize_grads=True gives zeros where allow_unused=False"),
        (lambda x, y: grad(x.sum(), 3), TypeError,
         "grad: expected inputs to be a Tensor or a sequence of Tensors, got 3"),
        (lambda x, y: grad([], x), TypeError, "grad: expected outputs to be"),
        (lambda x, y: grad([x.sum(), y.sum()], x, [None]), ValueError,
         "grad: 2 outputs, but 1 gradients to start from"),
        (lambda x, y: grad(x.sum(), x.detach()), RuntimeError, "input 0 .* does not require a gradient"),
        (lambda x, y: grad(x.detach().sum(), x), RuntimeError,
         "was not computed from anything that requires a gradient"),
        (lambda x, y: grad(x * 2, x), RuntimeError, "needs a starting point"),
    ],
)  # fmt: skip
def test_what_grad_refuses(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(leaf(1, 2), leaf(3))


# -- Jacobians and Hessians ------------------------------------------------------------------------------------------

# name -> (a function of tensors, the shapes of its inputs)
FUNCTIONS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "square": (lambda x: x * x, [(3,)]),
    "of a number": (lambda x: x.sin() * x, [()]),
    "number of a matrix": (lambda x: (x.sin() * x).sum(), [(2, 3)]),
    "matrix of a number": (lambda x: x.reshape(1, 1) * x, [()]),
    "matrix of a matrix": (lambda x: x @ x.transpose(0, 1), [(2, 3)]),
    "two inputs": (lambda x, y: x * y.sum(0), [(3,), (2, 3)]),
    "two outputs": (lambda x: (x.tanh(), (x * x).sum()), [(2,)]),
    "two of both": (lambda x, y: (x * y, x.sum()), [(2,), (2,)]),
    "a tuple of one": (lambda x: (x.exp(),), [(2,)]),
    "identity": (lambda x: x, [(2,)]),
    "an unused input": (lambda x, y: x * 2, [(2,), (3,)]),
    "a constant output": (lambda x: (x * 2, x.detach() * 3), [(2,)]),
    "nothing depends": (lambda x: x.detach() * 3, [(2,)]),
}
SCALARS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "cubes": (lambda x: (x * x * x).sum(), [(3,)]),
    "of a number": (lambda x: x.sin(), [()]),
    "one element": (lambda x: (x.sin() * x).sum().reshape(1, 1), [(2,)]),
    "of a matrix": (lambda x: (x @ x.transpose(0, 1)).tanh().sum(), [(2, 3)]),
    "two inputs": (lambda x, y: (x * y.sin().sum(1)).sum() + (x * x).sum(), [(2,), (2, 3)]),
    "linear": (lambda x: x.sum() * 2, [(2,)]),
    "linear in one": (lambda x, y: x.sum() * (y * y).sum(), [(2,), (3,)]),
    "an unused input": (lambda x, y: (x * x).sum(), [(2,), (3,)]),
    "nothing depends": (lambda x: x.detach().sum(), [(2,)]),
}


def inputs_of(shapes: list[tuple[int, ...]], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape) for shape in shapes]


def given(m: Any, arrays: list[np.ndarray]) -> Any:
    made = tuple(m.tensor(a) for a in arrays)
    return made if len(made) > 1 else made[0]


def numbers(result: Any) -> Iterator[Any]:
    for part in result if isinstance(result, tuple) else [result]:
        yield from numbers(part) if isinstance(part, tuple) else [part.detach().numpy()]


def assert_alike(ours: Any, theirs: Any) -> None:
    assert type(ours) is tuple if isinstance(theirs, tuple) else isinstance(ours, lucid.Tensor)
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_alike(a, b)
    else:
        assert ours.shape == tuple(theirs.shape) and ours.requires_grad == theirs.requires_grad
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("what", ["jacobian", "vjp", "jvp"])
def test_products_with_the_jacobian_equal_pytorchs(what: str, name: str, create_graph: bool) -> None:
    import torch

    f, shapes = FUNCTIONS[name]
    arrays, found = inputs_of(shapes), []
    for m in (lucid, torch):
        x = given(m, arrays)
        out = f(*x) if isinstance(x, tuple) else f(x)
        like = x if what == "jvp" else out
        v = given(m, inputs_of([tuple(t.shape) for t in (like if isinstance(like, tuple) else (like,))], seed=1))
        v = (v,) if isinstance(like, tuple) and not isinstance(v, tuple) else v
        extra = () if what == "jacobian" else (v,)
        found.append(getattr(m.autograd.functional, what)(f, x, *extra, create_graph=create_graph))
    ours, theirs = found
    # PyTorch calls some zeros variables
    if name in ("nothing depends", "a constant output", "an unused input") and create_graph:
        ours, theirs = [tuple(numbers(r)) for r in found]
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b)
    else:
        assert_alike(ours, theirs)


@pytest.mark.parity
@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("what", ["hessian", "hvp", "vhp"])
def test_products_with_the_hessian_equal_pytorchs(what: str, name: str) -> None:
    import torch

    f, shapes = SCALARS[name]
    found = []
    for m in (lucid, torch):
        extra = () if what == "hessian" else (given(m, inputs_of(shapes, seed=1)),)
        found.append(getattr(m.autograd.functional, what)(f, given(m, inputs_of(shapes)), *extra))
    assert_alike(*found)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "nothing depends"])
def test_the_products_are_products_with_the_jacobian(name: str) -> None:
    f, shapes = FUNCTIONS[name]
    x = given(lucid, inputs_of(shapes))
    xs = x if isinstance(x, tuple) else (x,)
    y = f(*xs)
    ys = y if isinstance(y, tuple) else (y,)
    rows = lucid.autograd.jacobian(f, x)
    rows = rows if isinstance(y, tuple) else (rows,)
    rows = [row if isinstance(x, tuple) else (row,) for row in rows]
    u, v = inputs_of([t.shape for t in xs], 1), inputs_of([t.shape for t in ys], 2)
    _, along = lucid.autograd.jvp(f, x, given(lucid, u))
    _, back = lucid.autograd.vjp(f, x, tuple(map(lucid.tensor, v)) if isinstance(y, tuple) else lucid.tensor(v[0]))
    for i, t in enumerate(along if isinstance(y, tuple) else (along,)):
        expected = sum(np.tensordot(rows[i][j].numpy(), u[j], u[j].ndim) for j in range(len(xs)))
        np.testing.assert_allclose(t.numpy(), expected, atol=1e-12)
    for j, t in enumerate(back if isinstance(x, tuple) else (back,)):
        expected = sum(np.tensordot(v[i], rows[i][j].numpy(), v[i].ndim) for i in range(len(ys)))
        np.testing.assert_allclose(t.numpy(), expected, atol=1e-12)


def test_a_jacobian_of_nothing_has_the_shape_of_one() -> None:
    assert lucid.autograd.jacobian(lambda x: x[:0], lucid.ones(3)).shape == (0, 3)
    assert lucid.autograd.jacobian(lambda x: x.sum(), lucid.ones(0, 2)).shape == (0, 2)
    assert lucid.autograd.hessian(lambda x: x.sum(), lucid.ones(0)).shape == (0, 0)


def test_functional_derivatives_leave_the_callers_tensors_alone() -> None:
    w, x = leaf(2, 3), lucid.ones(2, dtype="float64")
    w.sum().backward()
    before = w.grad
    with lucid.no_grad():
        for what in (functional.jacobian, functional.hessian):
            what(lambda t: (t * t * w).sum(), x)
        for what in (functional.vjp, functional.jvp, functional.vhp, functional.hvp):
            y, found = what(lambda t: (t * t * w).sum(), x, lucid.ones_like(x) if what is not functional.vjp else None)
            assert not y.requires_grad and not found.requires_grad
        assert functional.jacobian(lambda t: t * t, x).tolist() == [[2, 0], [0, 2]]
    assert w.grad is before and w.grad.tolist() == [1, 1] and x.grad is None and not x.requires_grad


@pytest.mark.parametrize("what", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_with_create_graph_results_are_functions_of_the_inputs_and_of_what_was_captured(what: str) -> None:
    def result(x: lucid.Tensor, w: lucid.Tensor) -> lucid.Tensor:
        def f(t: lucid.Tensor) -> lucid.Tensor:
            return (t**3 * w).sum()

        extra = {"jacobian": (), "hessian": (), "vjp": (lucid.tensor(2.0, dtype="float64"),)}.get(what, (w * w,))
        found = getattr(lucid.autograd, what)(f, x, *extra, create_graph=True)
        return found[1] if isinstance(found, tuple) else found

    assert gradcheck(result, [leaf(0.3, -0.7), leaf(1.5, 0.4)])
    assert gradgradcheck(result, [leaf(0.3, -0.7), leaf(1.5, 0.4)])


def test_a_function_may_change_its_input_in_place() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        x *= 2
        return x * x

    x = leaf(1, 2) * 1
    assert functional.jacobian(f, x, create_graph=True).tolist() == [[8, 0], [0, 16]] and x.tolist() == [1, 2]


X = lucid.ones(2)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: functional.vjp(lambda x: x * 2, X), RuntimeError,
         r"vjp: v may be left out where the function returns one number, got shapes \(2,\)"),
        (lambda: functional.jvp(lambda x: x * 2, X), RuntimeError,
         "jvp: v may be left out where the function takes one number"),
        (lambda: functional.hvp(lambda x: x.sum(), X), RuntimeError, "hvp: v may be left out"),
        (lambda: functional.vjp(lambda x: x * 2, X, lucid.ones(3)), RuntimeError,
         r"vjp: expected v of shapes \(2,\), as the function returns, got \(3,\)"),
        (lambda: functional.vhp(lambda x: x.sum(), X, (X, X)), RuntimeError,
         r"vhp: expected v of shapes \(2,\), as the function takes, got \(2,\), \(2,\)"),
        (lambda: functional.vjp(lambda x: x.sum(), X, 2.0), TypeError,
         "vjp: expected v to be a Tensor or a sequence of Tensors, got 2.0"),
        (lambda: functional.jacobian(lambda x: 3.0, X), TypeError,
         "jacobian: expected what func returns to be a Tensor or a sequence of Tensors, got 3.0"),
        (lambda: functional.jacobian(lambda x: x, 3.0), TypeError,
         "jacobian: expected inputs to be a Tensor or a sequence"),
        (lambda: functional.jacobian(lambda x: x, lucid.arange(3)), TypeError,
         "jacobian: input 0 is int64 and has no derivative"),
        (lambda: functional.hessian(lambda x: x * 2, X), RuntimeError,
         r"hessian: expected func to return one number, got shapes \(2,\)"),
        (lambda: functional.hvp(lambda x: (x.sum(), x.sum()), X, X), RuntimeError,
         "hvp: expected func to return one number"),
        (lambda: functional.jacobian(lambda x: lucid.ones(2), X, strict=True), RuntimeError,
         "jacobian: output 0 does not depend on the inputs, which strict"),
        (lambda: functional.vjp(lambda x, y: x.sum(), (X, X), strict=True), RuntimeError,
         "vjp: part 1 of the result is 0 whatever the inputs"),
        (lambda: functional.jvp(lambda x: (x, X), X, X, strict=True), RuntimeError, "jvp: output 1 does not depend"),
        (lambda: functional.hessian(lambda x: x.sum(), X, strict=True), RuntimeError,
         "hessian: part 0 of the result is constant, and its own derivative 0"),
        (lambda: functional.jacobian(lambda x: x * 2, X, create_graph=True, strict=True), RuntimeError,
         "jacobian: part 0 of the result is constant"),
    ],
)  # fmt: skip
def test_what_functional_derivatives_refuse(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- checkpoints -----------------------------------------------------------------------------------------------------


class Net:
    """What checkpoints must get right at once: captured parameters, dropout, two outputs, an option, an in-place
    change.
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.w = lucid.tensor(rng.standard_normal((3, 3)), requires_grad=True)
        self.b = lucid.tensor(rng.standard_normal(3), requires_grad=True)
        self.runs = 0

    def __call__(self, x: lucid.Tensor, *, scale: float = 1.0) -> tuple[lucid.Tensor, lucid.Tensor]:
        self.runs += 1
        h = F.dropout((x @ self.w + self.b).tanh(), 0.4)
        h = h * h
        h += 1
        h = h.exp() * h * scale
        return h, (h.sin() * x).sum()


def outcome(call: Any, order: int = 1, how: str = "grad") -> list[np.ndarray]:
    """Value, the random numbers after the forward and after the backward, and derivatives, of `call(net, x)`."""
    lucid.manual_seed(1)
    net, x = Net(), leaf([[0.3, -0.2, 0.5], [0.1, 0.9, -0.4]])
    y = x * 2
    h, s = call(net, y)
    after = lucid.rand(2).numpy()
    loss, wanted = (h * h).sum() + s * s, [net.w, net.b, x]
    if how == "backward":
        loss.backward()
        return [loss.detach().numpy(), after, lucid.rand(2).numpy(), *(t.grad.numpy() for t in wanted)]
    found = grad(loss, wanted, create_graph=order > 1)
    for i in range(order - 1):
        found = grad(sum((g * g).sum() for g in found), wanted, create_graph=i < order - 2)
    return [loss.detach().numpy(), after, lucid.rand(2).numpy(), *(g.numpy() for g in found)]


WAYS: dict[str, Any] = {
    "whole": lambda net, x: checkpoint(net, x, use_reentrant=False, scale=3.0),
    "nested": lambda net, x: checkpoint(lambda t: checkpoint(net, t, scale=3.0), x),
    "deeply nested": lambda net, x: checkpoint(lambda t: checkpoint(lambda u: checkpoint(net, u, scale=3.0), t * 1), x),
    "with a list": lambda net, x: checkpoint(lambda ts, scale: net(ts[0]["x"], scale=scale), [{"x": x}], 3.0),
}


def plainly(net: Net, x: lucid.Tensor) -> Any:
    return net(x, scale=3.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order, how", [(1, "backward"), (1, "grad"), (2, "grad"), (3, "grad")])
def test_a_checkpoint_changes_no_number(way: str, order: int, how: str) -> None:
    for found, expected in zip(outcome(WAYS[way], order, how), outcome(plainly, order, how), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_checkpoints_of_parts_within_a_checkpoint() -> None:
    w = leaf([[0.5, -0.3], [0.2, 0.8]])

    def run(run: Any) -> list[list[float]]:
        def block(x: lucid.Tensor) -> lucid.Tensor:
            a = (x @ w).sin()
            a = a * 1
            a += 0.5  # changed in place within the outer one, and an argument and a captured tensor of inner ones
            c = run(lambda t: (t * t).exp() * w.sum() * a, a)
            _, d = run(lambda t: (t.cos(), t.sin() * a), c)
            return run(lambda t: run(lambda u: u.cos() * a, t), d) * x

        x = leaf([[0.1, 0.7]])
        firsts = grad((run(block, x) ** 2).sum(), [x, w], create_graph=True)
        return [g.tolist() for g in (*firsts, *grad(sum((g * g).sum() for g in firsts), [x, w]))]

    assert run(checkpoint) == run(lambda f, *args: f(*args))


def test_the_function_runs_twice_and_not_where_no_gradient_is_wanted() -> None:
    for expected, wanted, mode in ((2, True, True), (1, False, True), (1, True, False)):
        net, x = Net(), lucid.ones(1, 3, dtype="float64")
        net.w.requires_grad_(wanted)
        net.b.requires_grad_(wanted)
        with lucid.set_grad_enabled(mode):
            h, _ = checkpoint(net, x)
        if h.requires_grad:
            h.sum().backward(retain_graph=True)
            h.sum().backward()  # kept, as retain_graph says
        assert net.runs == expected


def test_backward_under_no_grad_runs_a_checkpoint_again_all_the_same() -> None:
    x = leaf(1, 2)
    y = checkpoint(lambda t: t * t, x).sum()
    with lucid.no_grad():
        y.backward()
    assert x.grad.tolist() == [2, 4]


def test_a_second_backward_through_a_checkpoint_is_refused_as_ever() -> None:
    y = checkpoint(lambda t: t.exp() * t, leaf(1, 2))
    y.sum().backward()
    with pytest.raises(RuntimeError, match="already walked and released"):
        y.sum().backward()
    runs: list[int] = []

    def walks(t: lucid.Tensor) -> lucid.Tensor:
        h = t.exp()
        runs.append(1)
        if len(runs) == 2:
            grad(h.sum(), t)
        return h * h

    y = checkpoint(walks, leaf(1, 2))
    with pytest.raises(RuntimeError, match="already walked and released"):
        y.sum().backward()


def test_a_checkpoint_keeps_only_its_arguments() -> None:
    def held(run: Any) -> tuple[float, float]:
        """Megabytes held by 8 times 8 operations on 1 MB after the forward, and at the height of the backward."""

        def layer(t: lucid.Tensor) -> lucid.Tensor:
            for _ in range(8):
                t = t.sin()
            return t

        x = lucid.ones(131_072, dtype="float64", requires_grad=True)
        tracemalloc.start()
        y = x
        for _ in range(8):
            y = run(layer, y)
        forward = tracemalloc.get_traced_memory()[0]
        y.backward(lucid.ones_like(y))
        height = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return forward / 2**20, height / 2**20

    forward, height = held(lambda f, t: f(t))
    assert forward > 63 and height > 63
    forward, height = held(checkpoint)
    assert forward < 9 and height < 24  # 8 boundaries; with one layer's 8, and gradients in flight


def test_what_a_checkpoint_computes_in_between_is_gone() -> None:
    kept: list[Any] = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        h = x.exp()
        kept.append(weakref.ref(h._array))
        return h * h

    x = leaf(1, 2)
    y = checkpoint(f, x)
    assert kept[0]() is None
    y.sum().backward()
    assert kept[1]() is None
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2 * x.detach().numpy()))


def test_a_checkpoint_within_another_keeps_nothing_before_its_turn() -> None:
    kept: list[Any] = []

    def outer(x: lucid.Tensor) -> lucid.Tensor:
        h = x.exp()
        kept.append(weakref.ref(h._array))
        return checkpoint(lambda t: t.sin() * t, h)

    x = leaf(1, 2)
    y = checkpoint(outer, x)
    assert kept[0]() is None
    y.sum().backward()
    assert kept[1]() is None and x.grad is not None


def test_checkpoints_leave_nothing_to_the_collector(no_collector: Callable[[], int]) -> None:
    for way in WAYS.values():
        for order in (1, 2):
            outcome(way, order)
    y = checkpoint(lambda t: (t * 2).exp(), leaf(1))  # never walked
    y += 1
    del y
    assert no_collector() == 0


def test_a_long_chain_of_checkpoints_walks_and_dies_without_recursion() -> None:
    x = y = leaf(1)
    for _ in range(5_000):
        y = checkpoint(lambda t: t * 1.0, y)
    y.backward()
    assert x.grad.tolist() == [1]
    x = y = leaf(1)
    for _ in range(2 * sys.getrecursionlimit()):
        y = checkpoint(lambda t: t * t, y)
    del y


def test_what_was_put_aside_in_a_checkpoint_has_its_history_too() -> None:
    aside = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        h = x.exp()
        aside.append(h)
        return h * h

    x = leaf(1, 2)
    y = checkpoint(f, x)
    (y.sum() + (aside[0] ** 3).sum()).backward()
    e = np.exp(x.detach().numpy())
    np.testing.assert_allclose(x.grad.numpy(), 2 * e**2 + 3 * e**3)


def test_hooks_inside_a_checkpoint_run_once() -> None:
    seen: list[Any] = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        x.register_hook(lambda g: seen.append(("x", g.tolist())))
        h = x * 3
        h.register_hook(lambda g: seen.append(("h", g.tolist())) or g * 10)
        return h * h

    x = leaf(1)
    checkpoint(f, x * 1).sum().backward()
    assert seen == [("h", [6]), ("x", [180])] and x.grad.tolist() == [180]


def test_a_function_with_several_outputs_in_a_checkpoint() -> None:
    x = leaf(0.3, 0.5)
    for run in (checkpoint, lambda f, t: f(t)):
        a, b = run(lambda t: SinCos.apply(t * 2), x)
        (g,) = grad((a * a * b).sum(), x, create_graph=True)
        (h,) = grad(g.sum(), x)
        t = 2 * x.detach().numpy()
        np.testing.assert_allclose(g.detach().numpy(), 2 * (2 * np.sin(t) * np.cos(t) ** 2 - np.sin(t) ** 3))
        np.testing.assert_allclose(h.numpy(), 4 * (2 * np.cos(t) ** 3 - 7 * np.sin(t) ** 2 * np.cos(t)))


@pytest.mark.parametrize("wrap", [lambda y: y, lambda y: [y], lambda y: {"a": (y, 3)}, lambda y: (None, [y])])
def test_the_outputs_of_a_checkpoint_may_be_nested(wrap: Any) -> None:
    x, kept = leaf(1), []

    def f(t: lucid.Tensor) -> Any:
        h = t * 2
        kept.append(weakref.ref(h._array))
        return wrap(h * h)

    out = checkpoint(f, x)
    assert kept[0]() is None
    while not isinstance(out, lucid.Tensor):
        out = out["a"] if isinstance(out, dict) else out[-1] if out[0] is None else out[0]
    out.backward()
    assert x.grad.tolist() == [8]


def test_random_numbers_without_their_state_kept() -> None:
    drawn = []
    x = leaf(1, 2)
    for keep in (True, False):
        y = checkpoint(
            lambda t: t * (drawn.append(lucid.rand(2).tolist()) or lucid.tensor(drawn[-1])) * t,
            x,
            preserve_rng_state=keep,
        )
        y.sum().backward()
    assert drawn[0] == drawn[1] and drawn[2] != drawn[3]


def test_an_error_in_the_second_run_puts_the_random_state_back() -> None:
    runs = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        runs.append(lucid.rand(1))
        if len(runs) == 2:
            raise KeyError
        return x * x

    y = checkpoint(f, leaf(1))
    lucid.rand(3)
    state = lucid.get_rng_state()
    with pytest.raises(KeyError):
        y.backward()
    assert lucid.get_rng_state() == state


def changed(what: str) -> None:
    """A checkpoint whose backward cannot be right any more."""
    runs: list[int] = []
    x, w = leaf(1, 2), leaf(3, 4)
    h, mask = x * 1, lucid.ones(2, dtype="float64")

    def f(t: lucid.Tensor) -> lucid.Tensor:
        runs.append(1)
        if what == "another operation" and len(runs) == 2:
            return (t * w).exp()
        if what == "more operations" and len(runs) == 2:
            t = t * 1
        return (t * w * mask).sin()

    y = checkpoint(f, h)
    with lucid.no_grad():
        if what == "argument":
            h += 1
        if what == "parameter":
            w += 1
        if what == "data":
            w.data = lucid.zeros(2, dtype="float64")
        if what == "captured":
            mask += 1
        if what == "frozen":
            w.requires_grad_(False)
    y.sum().backward()


@pytest.mark.parametrize(
    "what, message",
    [
        ("argument", r"checkpoint: an argument of shape \(2,\) was changed in place since the function ran"),
        ("parameter", r"checkpoint: a parameter of shape \(2,\) was changed since the function ran"),
        ("data", r"checkpoint: a parameter of shape \(2,\) was changed since"),
        ("captured", r"backward: multiply needs its input 'y' .* changed in place"),
        ("frozen", "did something else when it was run again .* other inputs of multiply required a gradient"),
        ("another operation", r"something else .*: 3 operations were recorded in the forward, 2 now"),
        ("more operations", "3 operations were recorded in the forward, 4 now"),
    ],
)
def test_a_checkpoint_that_cannot_be_run_again_says_so(what: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        changed(what)


def test_a_checkpoint_that_takes_another_turn_names_the_operations() -> None:
    turns = iter([lucid.sin, lucid.cos])
    y = checkpoint(lambda t: next(turns)(t), leaf(1, 2))
    with pytest.raises(
        RuntimeError, match=r"in the forward it was sin with an output of shape \(2,\), now cos with \(2,\)"
    ):
        y.sum().backward()


def test_an_output_of_a_checkpoint_may_be_changed() -> None:
    x = leaf(1, 2)
    y = checkpoint(lambda t: (t * 2).tanh(), x)
    y *= 3  # tanh keeps its output; but this one makes it anew
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * (1 - np.tanh(2 * x.detach().numpy()) ** 2))


@pytest.mark.parity
def test_checkpoints_beside_pytorchs() -> None:
    import torch
    import torch.utils.checkpoint

    found = []
    for m, run in ((lucid, checkpoint), (torch, torch.utils.checkpoint.checkpoint)):
        w, x = (m.tensor([[0.1, 0.2], [0.3, -0.4]], dtype=m.float64, requires_grad=True) for _ in range(2))
        y = run(lambda t, k, w=w: ((t @ w).tanh() * k, t.exp()), x, 3, use_reentrant=False)
        firsts = m.autograd.grad((y[0] * y[1]).sum(), [x, w], create_graph=True)
        found.append([*firsts, *m.autograd.grad(sum((g * g).sum() for g in firsts), [x, w])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


# -- Functions -------------------------------------------------------------------------------------------------------


class SinCos(Function):
    @staticmethod
    def forward(ctx: Any, x: lucid.Tensor) -> tuple[lucid.Tensor, lucid.Tensor]:
        s, c = x.sin(), x.cos()
        ctx.save_for_backward(s, c)
        return s, c

    @staticmethod
    def backward(ctx: Any, ds: Any, dc: Any) -> lucid.Tensor:
        s, c = ctx.saved_tensors
        return ds * c - dc * s


class Scaled(Function):
    """x * y + k in the newer style, with an argument that has a default."""

    @staticmethod
    def forward(x: lucid.Tensor, y: lucid.Tensor, k: int = 1) -> lucid.Tensor:
        return x * y + k

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: lucid.Tensor) -> None:
        x, y, ctx.k = inputs
        ctx.save_for_backward(x, y)

    @staticmethod
    def backward(ctx: Any, g: lucid.Tensor) -> tuple[Any, ...]:
        x, y = ctx.saved_tensors
        assert ctx.k in (1, 5)
        return g * y, g * x, None


def test_a_function_of_several_outputs_to_every_order() -> None:
    x = leaf(0.3, -1.2)
    assert gradcheck(SinCos.apply, x) and gradgradcheck(SinCos.apply, x)
    s, c = SinCos.apply(x)
    orders, y = [], s * c
    for _ in range(4):
        (y,) = grad(y.sum(), x, create_graph=True)
        orders.append(y.detach().numpy())
    t = 2 * x.detach().numpy()  # sin(x) cos(x) = sin(2x) / 2
    for found, expected in zip(orders, [np.cos(t), -2 * np.sin(t), -4 * np.cos(t), 8 * np.sin(t)], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_saved_output_has_its_history_even_if_nobody_holds_it() -> None:
    x = leaf(0.3, -1.2)
    s, _ = SinCos.apply(x)
    del _
    (g,) = grad(s.sum(), x, create_graph=True)
    (again,) = grad(s.sum(), x, create_graph=True)
    found = grad((g * 3 + again * again).sum(), x)[0].numpy()
    np.testing.assert_allclose(found, -np.sin(x.detach().numpy()) * (3 + 2 * np.cos(x.detach().numpy())))
    s, c = SinCos.apply(x)
    (g,) = grad(s.sum(), x, create_graph=True)  # which is c, and known to be
    assert grad(g.sum(), c)[0].tolist() == [1, 1]


def test_gradients_of_outputs_that_nobody_used_are_zeros_or_none() -> None:
    seen: list[Any] = []

    class Two(Function):
        wanted = True

        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> Any:
            ctx.set_materialize_grads(Two.wanted)
            return x * 2, x * 3, x.long(), "text"

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            seen.append([g if g is None else (g.tolist(), g.dtype) for g in grads])
            return grads[0] * 2

    x = lucid.ones(2, requires_grad=True)
    for Two.wanted in (True, False):
        a, _, number, text = Two.apply(x)
        assert text == "text" and not number.requires_grad and a.grad_fn is not None
        a.sum().backward()
    one, zero = ([1, 1], lucid.float32), ([0, 0], lucid.float32)
    assert seen == [[one, zero, ([0, 0], lucid.int64), None], [one, None, None, None]]


def test_outputs_can_be_marked_as_constants() -> None:
    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> Any:
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            return a, b

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            assert b.tolist() == [0, 0]
            return a * 2

    x = leaf(1, 2)
    a, b = Two.apply(x)
    assert a.requires_grad and not b.requires_grad
    (a * b).sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_each_output_has_hooks_and_a_gradient_of_its_own() -> None:
    x, seen = leaf(0.5), []
    s, c = SinCos.apply(x)
    s.retain_grad()
    c.register_hook(lambda g: seen.append(g.item()) or g * 2)
    (s * 3 + c * 5).sum().backward()
    assert s.grad.tolist() == [3] and seen == [5] and x.grad.item() == pytest.approx(3 * np.cos(0.5) - 10 * np.sin(0.5))
    s, c = SinCos.apply(x)
    assert [g.tolist() for g in grad((s * 3 + c * 5).sum(), [c, s])] == [[5], [3]]


def test_outputs_of_a_function_may_be_changed_in_place_as_others() -> None:
    x = leaf(0.5)
    a, b = SinCos.apply(x)
    a += 1
    with pytest.raises(RuntimeError, match="SinCos needs its own output .* changed in place"):
        a.sum().backward()

    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> Any:
            return x * 2, x

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            return a * 2 + b

    a, b = Two.apply(x)
    a *= 3
    (a + b).sum().backward()
    assert x.grad.tolist() == [7]
    with pytest.raises(RuntimeError, match="is a view of another"):
        Two.apply(x)[1].mul_(2)  # x itself, handed on


def test_outputs_that_share_memory_with_each_other_cannot_be_changed() -> None:
    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> Any:
            h = x * 2
            return h, h[:1]

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            return a * 2 + lucid.cat([b, b * 0]) * 2

    x = leaf(1, 2)
    a, b = Two.apply(x)
    with pytest.raises(RuntimeError, match="is a view of another"):
        a += 1
    (a.sum() + b.sum()).backward()
    assert x.grad.tolist() == [4, 2]


def test_a_function_that_was_walked_lets_go_of_what_it_saved() -> None:
    kept: list[Any] = []

    class Squared(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            h = x * 2
            kept.append(weakref.ref(h._array))
            ctx.save_for_backward(h)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g * ctx.saved_tensors[0]

    x = leaf(1, 2)
    y = Squared.apply(x)
    assert kept[0]() is not None
    y.sum().backward()
    assert kept[0]() is None and x.grad.tolist() == [2, 4]
    y = checkpoint(Squared.apply, x)
    assert kept[1]() is None
    y.sum().backward()
    assert x.grad.tolist() == [4, 8]


def test_the_newer_style_with_a_context_of_its_own() -> None:
    x, y = leaf(1, 2), leaf(3, 4)
    assert Scaled.apply(x, y).tolist() == [4, 9] and Scaled.apply(x, y, k=5).tolist() == Scaled.apply(
        x, y, 5
    ).tolist() == [8, 13]
    assert gradcheck(Scaled.apply, [x, y]) and gradgradcheck(Scaled.apply, [x, y])


def test_a_function_may_save_what_it_was_not_given() -> None:
    x, w = leaf(1, 2), leaf(3, 4)

    class Times(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            ctx.save_for_backward(w)
            return x * w

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g * ctx.saved_tensors[0]

    (g,) = grad(Times.apply(x).sum(), x, create_graph=True)
    assert grad((g * g).sum(), w)[0].tolist() == [6, 8]  # its history is known all the same


def test_needs_input_grad_says_whose_gradient_is_wanted() -> None:
    class Seen(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor, y: lucid.Tensor, k: int) -> lucid.Tensor:
            assert ctx.needs_input_grad == (True, False, False)
            return x * y

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> Any:
            assert ctx.needs_input_grad == (True, False, False)
            return g * 2, g * 3, None, None  # more than there are arguments, but nothing in it

    x = leaf(1, 2)
    Seen.apply(x, lucid.ones(2, dtype="float64"), 3).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_functions_leave_nothing_to_the_collector(no_collector: Callable[[], int]) -> None:
    for call in (lambda x: sum(SinCos.apply(x)), lambda x: Scaled.apply(x, x, 5), lambda x: SinCos.apply(x)[1]):
        x = leaf(0.5, 1.5)
        (g,) = grad(call(x).sum(), x, create_graph=True)
        g.sum().backward()
        node = weakref.ref(call(x)._node)  # never walked
        assert node() is None
    del x, g
    assert no_collector() == 0


def test_a_backward_marked_once_differentiable_is_no_zero_at_the_second_time() -> None:
    class Through(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            ctx.save_for_backward(x)
            return lucid.from_numpy(x.numpy() ** 2)

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return lucid.from_numpy(g.numpy() * 2 * ctx.saved_tensors[0].numpy())

    x = leaf(1, 2)
    assert gradcheck(Through.apply, x)
    (g,) = grad(Through.apply(x).sum(), x, create_graph=True)
    assert g.tolist() == [2, 4]
    with pytest.raises(
        RuntimeError, match="second derivative of a Function whose backward is marked once_differentiable"
    ):
        grad(g.sum(), x)


# A forward of (2 x) ** 2 that keeps 2 x, and x, and how backward finds the first of them. All give 8 x.
def _saved(ctx: Any, x: Any, t: Any) -> None:
    ctx.save_for_backward(x, t)


KEPT: dict[str, tuple[Any, Any]] = {
    "an attribute": (lambda ctx, x, t: setattr(ctx, "t", t), lambda ctx: ctx.t),
    "a list": (lambda ctx, x, t: setattr(ctx, "t", [None, (t,)]), lambda ctx: ctx.t[1][0]),
    "a dict": (lambda ctx, x, t: setattr(ctx, "t", {"t": t}), lambda ctx: ctx.t["t"]),
    "an array": (lambda ctx, x, t: setattr(ctx, "t", t.numpy()), lambda ctx: ctx.t),
    "a saved tensor": (_saved, lambda ctx: ctx.saved_tensors[1]),
    "a saved input without its history": (lambda ctx, x, t: ctx.save_for_backward(x.detach()),
                                          lambda ctx: ctx.saved_tensors[0] * 2),
}  # fmt: skip


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("how", KEPT)
def test_what_a_forward_computed_and_backward_reads_is_differentiated_once(how: str, beside: bool) -> None:
    keep, found = KEPT[how]

    class Kept(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            keep(ctx, x, t := x * 2)
            ctx.x = x
            return t * t

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g * (found(ctx) * 2 + ctx.x * 4) if beside else g * found(ctx) * 4

    x = leaf(0.7, 1.3)
    assert gradcheck(Kept.apply, x)
    y = (Kept.apply(x) + x**3).sum()  # with other ways to x, which know nothing of it
    (g,) = grad(y, x, create_graph=True)
    np.testing.assert_allclose(g.tolist(), [8 * v + 3 * v * v for v in (0.7, 1.3)])
    for ask in (lambda: grad(g.sum(), x, retain_graph=True), lambda: (g * g).sum().backward()):
        with pytest.raises(RuntimeError, match=r"second derivative of Kept, whose forward computed and kept something"):
            ask()


def test_what_a_forward_may_keep_and_be_differentiated_twice() -> None:
    class Kept(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: Any, pair: Any) -> Any:
            y, ctx.mask, ctx.factor = x * x * scale * pair[0], (x > 1).to(x.dtype), lucid.tensor([2.0, 2.0])
            ctx.mark_non_differentiable(ctx.mask, ctx.factor)
            ctx.x, ctx.scale, ctx.pair, ctx.positive, ctx.count, ctx.n = x, scale, pair, x > 0, lucid.tensor([3]), 0.5
            ctx.save_for_backward(x, y, scale, pair[0], None)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y, scale, first, _ = ctx.saved_tensors
            return (g * (y / x + x * scale * first) * (ctx.mask + 1 - ctx.mask) * ctx.factor * ctx.n * ctx.positive
                    + 0 * ctx.count * ctx.x * ctx.scale * ctx.pair[0]), None, None  # fmt: skip

    scale, pair = lucid.tensor([3.0, 4.0], dtype="float64"), [lucid.tensor([0.5, 0.25], dtype="float64")]
    x = leaf(0.7, 1.3)
    assert gradcheck(lambda x: Kept.apply(x, scale, pair), x) and gradgradcheck(lambda x: Kept.apply(x, scale, pair), x)


def function(forward: Any = lambda ctx, x: x * 2, backward: Any = lambda ctx, g: g * 2) -> Any:
    return type("Odd", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda x: Function.apply(x), NotImplementedError, r"define a static method forward\(ctx, \*args\)"),
        (lambda x: type("F", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2)}).apply(x),
         NotImplementedError, r"define a static method backward\(ctx, \*grads\)"),
        (lambda x: function(forward=lambda ctx, x: 3).apply(x), TypeError,
         "Odd: forward must return a Tensor or a tuple of Tensors, got 3"),
        (lambda x: function(forward=lambda ctx, x: [x]).apply(x), TypeError,
         "Odd: forward must return a Tensor or a tuple"),
        (lambda x: function(forward=lambda ctx, x: ctx.save_for_backward(x, 3)).apply(x), TypeError,
         "save_for_backward: expected Tensors and None, got int at place 1"),
        (lambda x: function(forward=lambda ctx, x: ctx.mark_dirty(x)).apply(x), RuntimeError,
         "mark_dirty: a Function cannot change its arguments in place"),
        (lambda x: function().apply(x=x), TypeError,
         "Odd: apply takes keywords, such as 'x', only where setup_context is defined"),
        (lambda x: function(backward=lambda ctx, g: (g, g)).apply(x), RuntimeError,
         "Odd: backward returned 2 gradients for 1 arguments"),
        (lambda x: function(backward=lambda ctx, g: 3).apply(x), TypeError,
         "Odd: backward must return Tensors and None, got int for argument 0"),
        (lambda x: function(lambda ctx, x, k: x * k, lambda ctx, g: (g, g)).apply(x, 3), RuntimeError,
         "Odd: backward returned a gradient for argument 1, which is no Tensor"),
    ],
)  # fmt: skip
def test_what_functions_refuse(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(leaf(1, 2)).sum().backward()


@pytest.mark.parity
def test_functions_beside_pytorchs() -> None:
    import torch

    found = []
    for m in (lucid, torch):

        class Odd(m.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any, y: Any, k: int) -> Any:
                p, q = x * y * k, (x + y).exp()
                ctx.save_for_backward(x, y, q)
                ctx.k = k
                return p, q, x.detach() * 5

            @staticmethod
            def backward(ctx: Any, p: Any, q: Any, r: Any) -> Any:
                x, y, e = ctx.saved_tensors
                return p * y * ctx.k + q * e, p * x * ctx.k + q * e + r * 0, None

        x, y = (m.tensor(v, dtype=m.float64, requires_grad=True) for v in ([0.1, 0.2], [0.3, -0.4]))
        p, q, _ = Odd.apply(x, y, 3)
        firsts = m.autograd.grad((p * q * q).sum(), [x, y], create_graph=True)
        seconds = m.autograd.grad(sum((g * g).sum() for g in firsts), [x, y], create_graph=True)
        found.append([*firsts, *seconds, *m.autograd.grad(sum((g * g).sum() for g in seconds), [x, y])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


# -- modes -----------------------------------------------------------------------------------------------------------


def test_inference_mode_is_a_context_a_decorator_and_has_a_switch() -> None:
    x = leaf(1, 2)

    @lucid.inference_mode()
    def double(t: lucid.Tensor) -> lucid.Tensor:
        return t * 2

    assert not double(x).requires_grad and (x * 2).requires_grad
    with lucid.autograd.inference_mode():
        assert not (x * 2).requires_grad
        with lucid.inference_mode(False):
            assert (x * 2).requires_grad
        with lucid.inference_mode(mode=True):
            assert not lucid.is_grad_enabled()
    assert lucid.is_grad_enabled()
    (x * double(x)).sum().backward()  # what it gave is an ordinary constant
    assert x.grad.tolist() == [2, 4]
    with pytest.raises(TypeError, match=r"inference_mode: expected True or False, got <function .*@inference_mode\(\)"):
        lucid.inference_mode(double)


def test_an_anomaly_is_told_with_the_operation_and_the_line() -> None:
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        y = x.sqrt()
        loss = (y * 0).sum()
        with pytest.raises(RuntimeError) as error:
            loss.backward()
    told = str(error.value)
    assert told.startswith(
        "backward: sqrt gave NaN for its input 'x' (the gradient it was given has none); it was run at "
    )
    assert (
        "test_autograd.py" in told
        and "in test_an_anomaly_is_told_with_the_operation_and_the_line: y = x.sqrt()\n" in told
    )


def test_the_line_is_the_users_also_where_lucids_own_code_runs_the_operation() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(1))
    with lucid.no_grad():
        model[0].weight.fill_(float("nan"))
    with detect_anomaly():
        out = model(lucid.ones(1, 2))  # this line
        with pytest.raises(RuntimeError, match=r"log_softmax gave NaN .*: out = model\(lucid.ones\(1, 2\)\)"):
            out.sum().backward()


@pytest.mark.parametrize(
    "forward, message",
    [
        (lambda x: lucid.cat([x.sqrt() * 0, x]), "sqrt gave NaN for its input 'x'"),
        (lambda x: sum(function(lambda ctx, x: (x * 2, x * 3), lambda ctx, a, b: a / 0 - b / 0).apply(x)),
         "Odd gave NaN for its input 0"),
        (lambda x: x * float("nan"), "multiply gave NaN for its input 'x'"),
        (lambda x: lucid.stack([x, x * (x / 0)]), "NaN"),
    ],
)
def test_where_else_nan_comes_from(forward: Any, message: str) -> None:
    with np.errstate(all="ignore"), detect_anomaly(), pytest.raises(RuntimeError, match=message):
        forward(leaf(0.0, 1.0)).sum().backward()


def test_nan_that_was_there_before_is_told_as_such() -> None:
    x = leaf(1.0)
    with (
        detect_anomaly(),
        pytest.raises(RuntimeError, match=r"multiply gave NaN .* \(the gradient it was given has NaN already\)"),
    ):
        (x * 2).backward(lucid.tensor([float("nan")], dtype="float64"))


def test_second_derivatives_are_watched_too() -> None:
    x = leaf(0.0)
    with detect_anomaly():
        (g,) = grad((x**1.5).sum(), x, create_graph=True)  # 1.5 sqrt(x): its slope at 0 is inf
        with pytest.raises(RuntimeError, match="power_number gave NaN"):
            grad((g * 0).sum(), x)


def test_a_forward_outside_has_no_line_and_says_why() -> None:
    loss = (leaf(0.0).sqrt() * 0).sum()
    with detect_anomaly(), pytest.raises(RuntimeError, match=r"run the forward inside detect_anomaly\(\) too"):
        loss.backward()


def test_detecting_anomalies_ends_with_its_block() -> None:
    off = [list(handlers) for handlers, *_ in EVENTS.values()]
    now = lambda: [list(handlers) for handlers, *_ in EVENTS.values()]
    x = leaf(0.0)
    with detect_anomaly():
        assert now() != off
        with set_detect_anomaly(False):
            (x.sqrt() * 0).sum().backward()
            assert now() == off
        with detect_anomaly(check_nan=False):
            (x.sqrt() * 0).sum().backward()
        with pytest.raises(KeyError), detect_anomaly():
            raise KeyError
        assert now() != off
    assert now() == off
    (x.sqrt() * 0).sum().backward()
    set_detect_anomaly(True)
    with pytest.raises(RuntimeError, match="gave NaN"):
        (x.sqrt() * 0).sum().backward()
    set_detect_anomaly(False)
    assert now() == off and np.isnan(x.grad.numpy()).all()


# -- gradcheck -------------------------------------------------------------------------------------------------------


def wrong(x: lucid.Tensor) -> lucid.Tensor:
    return function(lambda ctx, x: x * x, lambda ctx, g: g * 3).apply(x)


@pytest.mark.parametrize(
    "func, message",
    [
        (wrong,
         "the slope of output 0, element 0, along input 0, element 0, is 3 by backward and 2 by central differences"),
        (lambda x: (x * 2, wrong(x)), "the slope of output 1, element 0"),
        (lambda x: x * 2 + lucid.rand(2), "func gave something else when it was called again"),
        (lambda x: x[: lucid.randint(1, 3, ()).item()] if lucid.rand(1).item() < 0.99 else x.sum(),
         "func gave something else"),
        (lambda x: x.detach() * 2, "is 0 by backward and 2 by central differences"),
        (lambda x: x * float("nan"), "is nan by backward and nan by central"),
    ],
)
def test_gradcheck_finds_what_is_wrong(func: Any, message: str) -> None:
    lucid.manual_seed(3)
    with pytest.raises(GradcheckError, match=message):
        gradcheck(func, leaf(1, 2))
    lucid.manual_seed(3)
    assert gradcheck(func, leaf(1, 2), raise_exception=False) is False


def test_gradcheck_finds_a_function_that_changes_its_inputs() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        y = x * 2
        with lucid.no_grad():
            x += 1
        return y

    x = leaf(1, 2)
    with pytest.raises(GradcheckError, match="func changed its input 0 in place"):
        gradcheck(f, x)
    assert x.tolist() == [1, 2]


def test_gradcheck_leaves_the_inputs_alone_and_calls_no_more_than_it_must() -> None:
    calls = []

    def f(x: lucid.Tensor, y: lucid.Tensor, k: lucid.Tensor) -> Any:
        calls.append(1)
        assert sum(a != b for a, b in zip(x.tolist() + y.tolist(), [1, 2, 3, 4], strict=True)) <= 1  # one at a time
        return x * y, (x * k).sum(), x.argmax()

    x, y = leaf(1, 2), leaf(3, 4)
    assert gradcheck(f, [x, y, lucid.tensor([1, 2])])
    assert len(calls) == 2 + 2 * 4 and x.grad is None and x.tolist() == [1, 2]  # twice each way along 4 elements


def test_gradcheck_of_second_order_finds_a_wrong_backward_of_a_right_function() -> None:
    square = function(
        lambda ctx, x: (ctx.save_for_backward(x), x * x)[1], lambda ctx, g: g * 2 * ctx.saved_tensors[0].detach()
    )
    x = leaf(1, 2)
    assert gradcheck(square.apply, x)
    with pytest.raises(GradcheckError, match="slope of output 0, element 0, along input 0"):
        gradgradcheck(square.apply, x)
    assert gradgradcheck(lambda x: x**3, x, lucid.ones(2, dtype="float64"))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: gradcheck(lucid.sin, lucid.ones(2, requires_grad=True)), TypeError,
         r"input 0 is float32; expected float64, use x.double\(\)"),
        (lambda: gradcheck(lucid.sin, lucid.ones(2)), ValueError, "none of the inputs requires a gradient"),
        (lambda: gradcheck(lambda x: 3, leaf(1)), TypeError,
         "expected what func returns to be a Tensor or a sequence of Tensors, got 3"),
        (lambda: gradcheck(lucid.sin, leaf(1), 1e-6), TypeError, "positional"),
    ],
)
def test_what_gradcheck_refuses(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_places_that_pytorch_users_look_in() -> None:
    names = "vjp jvp jacobian hessian hvp vhp".split()
    assert all(getattr(lucid.autograd, name) is getattr(lucid.autograd.functional, name) for name in names)
    assert lucid.autograd.function.once_differentiable is once_differentiable
    assert lucid.autograd.inference_mode is lucid.inference_mode


def test_threads_take_derivatives_side_by_side() -> None:
    found: list[Any] = []

    def work() -> None:
        x = leaf(0.3, 0.5)
        found.append(functional.hessian(lambda t: checkpoint(lambda u: (u.sin() * u).sum(), t), x).tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(f == found[0] for f in found)
