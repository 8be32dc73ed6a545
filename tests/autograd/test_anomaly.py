"""Anomaly mode: the first operation that makes a NaN or an infinity, forward or backward, and nobody else's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
import lucid.nn as nn
from lucid.autograd import Function, checkpoint, detect_anomaly, grad
from lucid.core.events import EVENTS
from lucid.core.op import OPS
from lucid.nn import functional as F

INF, NAN = float("inf"), float("nan")


def leaf(*values: Any, dtype: str = "float32") -> lucid.Tensor:
    return lucid.tensor(list(values), dtype=dtype, requires_grad=True)


def trap(x: lucid.Tensor) -> lucid.Tensor:
    return lucid.where(x > 0, x.clamp(min=0).sqrt(), 0.0)


class Slope(Function):
    @staticmethod
    def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
        return g / (g - g)


class Value(Function):
    @staticmethod
    def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
        return x.log()

    @staticmethod
    def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
        return g


# name -> (what is run, how the error begins)
MADE: dict[str, tuple[Callable[[], Any], str]] = {
    "log 0": (lambda: leaf(0.0, 1.0).log(), "forward: log made -inf in 1 of its 2 elements"),
    "log of less": (lambda: leaf(-1.0).log(), "forward: log made NaN, of inputs that have no NaN"),
    "log1p -1": (lambda: leaf(-1.0).log1p(), "forward: log1p made -inf"),
    "root of less": (lambda: leaf(-1.0, 4.0).sqrt(), "forward: sqrt made NaN in 1"),
    "sqrt 0": (lambda: leaf(0.0, 1.0).sqrt().sum(), "backward: sqrt gave inf for its input 'x'"),
    "double where": (lambda: trap(leaf(0.0, -1.0, 4.0)).sum(), "backward: sqrt gave NaN for its input 'x'"),
    "power below 1 at 0": (lambda: (leaf(0.0) ** 0.5).sum(), "backward: power_number gave inf"),
    "0 to a negative power": (lambda: leaf(0.0) ** -1, "forward: power_number made inf"),
    "exp overflow": (lambda: leaf(100.0, 1.0).exp(), "forward: exp made inf in 1 of its 2 elements"),
    "0 / 0": (lambda: leaf(0.0, 1.0) / leaf(0.0, 1.0), "forward: divide made NaN in 1"),
    "1 / 0": (lambda: 1 / leaf(0.0, 1.0), "forward: divide made inf in 1"),
    "division overflow": (lambda: leaf(1e30) / 1e-30, "forward: divide made inf"),
    "square overflow": (lambda: leaf(1e30).square(), "forward: square made inf"),
    "matmul overflow": (lambda: leaf(1e30, 1.0) @ leaf(1e30, 1.0), "forward: matmul made inf"),
    "sum overflow": (lambda: leaf(3e38, 3e38).sum(), "forward: sum made inf"),
    "float16 overflow": (lambda: leaf(1e5, 1.0).half(), "forward: astype made inf"),
    "softmax of nothing": (lambda: lucid.softmax(leaf(1.0, 2.0).masked_fill(lucid.tensor([True, True]), -INF), 0),
                           "forward: softmax made NaN"),
    "log_softmax of nothing": (lambda: lucid.log_softmax(lucid.full((2, 3), -INF), 1), "forward: log_softmax made NaN"),
    "inf - inf": (lambda: lucid.tensor([INF]) - INF, "forward: subtract made NaN"),
    "0 * inf": (lambda: leaf(0.0, 1.0) * INF, "forward: multiply made NaN"),
    "norm by hand at 0": (lambda: leaf(0.0, 0.0).square().sum().sqrt(), "backward: sqrt gave inf"),
    "a Function's forward": (lambda: Value.apply(leaf(0.0)), "forward: log made -inf"),
    "a Function's backward": (lambda: Slope.apply(leaf(1.0)).sum(), "backward: Slope gave inf for its input 0"),
    "in a checkpoint": (lambda: checkpoint(lambda x: x.sqrt(), leaf(0.0)).sum(), "backward: sqrt gave inf"),
    "without a history": (lambda: lucid.zeros(2).log(), "forward: log made -inf in 2 of its 2"),
    "the loss of wild logits": (lambda: F.cross_entropy(leaf(-INF, -INF).unsqueeze(0), lucid.tensor([1])),
                                "forward: cross_entropy made NaN"),
    "a gradient's overflow": (lambda: (leaf(1e-30) * 1e30 * 1e20 * 1e-10 * 1e10).sum(), "backward: multiply gave inf"),
    "cumprod": (lambda: leaf(1e30, 1e30).cumprod(0), "forward: cumprod made inf in 1"),
}  # fmt: skip

# What has infinities, or NaN, and made none.
HANDED_ON: dict[str, Callable[[], Any]] = {
    "a mask before softmax": lambda: lucid.softmax(leaf(1.0, 2.0).masked_fill(lucid.tensor([True, False]), -INF), 0)[1],
    "a mask that is added": lambda: lucid.softmax(leaf(1.0, 2.0) + lucid.tensor([0.0, -INF]), 0)[0],
    "where": lambda: lucid.where(lucid.tensor([True, False]), leaf(1.0, 2.0), -INF).amax(),
    "a causal mask": lambda: F.scaled_dot_product_attention(*(lucid.randn(2, 3, 4, requires_grad=True)
                                                              for _ in range(3)), is_causal=True).sum(),
    "a query with no key": lambda: F.scaled_dot_product_attention(*(lucid.randn(1, 2, 2, requires_grad=True)
                                                                    for _ in range(3)),
                                                                  attn_mask=lucid.zeros(2, 2) < -1).sum(),
    "attention of padding": lambda: nn.MultiheadAttention(4, 2, batch_first=True)(
        *[lucid.randn(2, 3, 4)] * 3, key_padding_mask=lucid.tensor([[False, False, True]] * 2))[0].sum(),
    "max pooling with padding": lambda: F.max_pool2d(lucid.randn(1, 1, 4, 4, requires_grad=True), 3, padding=1).sum(),
    "clamp at infinity": lambda: leaf(1.0).clamp(min=-INF).sum(),
    "infinities in the data": lambda: (lucid.tensor([INF]) * leaf(2.0)).sum(),
    "NaN in the data": lambda: (lucid.tensor([NAN, 1.0]) * 2).sum(),
    "relu at an infinity": lambda: lucid.tensor([INF, -INF]).relu(),
    "sigmoid far out": lambda: leaf(-1000.0, 1000.0).sigmoid().sum(),
    "logsigmoid far out": lambda: F.logsigmoid(leaf(-1000.0, 1000.0)).sum(),
    "bce at the bounds": lambda: F.binary_cross_entropy(leaf(0.0, 1.0), lucid.tensor([0.0, 1.0])),
    "cross-entropy far out": lambda: F.cross_entropy(leaf(1e4, -1e4).unsqueeze(0), lucid.tensor([1])),
    "a class that is masked out": lambda: F.cross_entropy(leaf(1.0,
                                                               2.0).masked_fill(lucid.tensor([True, False]),
                                                                                -INF).unsqueeze(0), lucid.tensor([1])),
    "the safe double where": lambda: lucid.where((x := leaf(0.0, 4.0)) > 0, lucid.where(x > 0, x, 1.0).sqrt(),
                                                 0.0).sum(),
    "the usual norm at 0": lambda: leaf(0.0, 0.0).norm(),
    "norm 0.5 at 0": lambda: lucid.norm(leaf(0.0, 1.0), p=0.5),
    "std of constant data": lambda: leaf(1.0, 1.0).std(),
    "x ** 0 at 0": lambda: (leaf(0.0) ** 0).sum(),
    "comparing infinities": lambda: lucid.allclose(lucid.tensor([INF, -INF]), lucid.tensor([INF, -INF])),
    "logsumexp with a mask": lambda: leaf(1.0, 2.0).masked_fill(lucid.tensor([True, False]), -INF).logsumexp(0),
    "one_hot in a double backward": lambda: grad(F.cross_entropy(x := leaf(1.0, 2.0).unsqueeze(0), lucid.tensor([1])),
                                                 x, create_graph=True)[0].sum(),
}  # fmt: skip


def run(program: Callable[[], Any]) -> None:
    with detect_anomaly():
        out = program()
        if isinstance(out, lucid.Tensor) and out.requires_grad:
            out.sum().backward()


@pytest.mark.parametrize("name", MADE)
def test_the_operation_that_made_it_is_named(name: str) -> None:
    program, begins = MADE[name]
    with pytest.raises(RuntimeError) as error:
        run(program)
    told = str(error.value)
    assert told.startswith(begins), told
    assert "test_anomaly.py:" in told.splitlines()[0] and "\n  usually: " in told


@pytest.mark.parametrize("name", HANDED_ON)
def test_what_is_handed_on_is_no_anomaly(name: str) -> None:
    run(HANDED_ON[name])


def test_the_error_tells_what_went_in() -> None:
    with pytest.raises(RuntimeError) as error:
        run(lambda: leaf(0.0, 1.0, 5.0).log())
    assert "\n  x: shape (3,), float32, from 0 to 5, mean 2; of 3 elements 1 zero\n" in str(error.value)
    with pytest.raises(RuntimeError) as error:
        run(lambda: leaf(INF, -INF, 1.0).sum())
    assert "\n  x: shape (3,), float32, from 1 to 1, mean 1; of 3 elements 2 infinite\n" in str(error.value)


def test_the_module_is_named() -> None:
    class Root(nn.Module):
        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            return x.relu().sqrt()

    model = nn.Sequential(nn.Linear(2, 4), nn.Sequential(Root()))
    with (
        detect_anomaly(),
        pytest.raises(RuntimeError, match=r"sqrt gave .* in forward, in module 1\.0: return x\.relu"),
    ):
        model(lucid.randn(8, 2)).sum().backward()
    with detect_anomaly(), pytest.raises(RuntimeError, match=r"log made -inf .* in module 1: "):
        nn.Sequential(nn.ReLU(), Log())(-lucid.ones(3))


class Log(nn.Module):
    def forward(self, x: lucid.Tensor) -> lucid.Tensor:
        return x.log()


def test_the_trap_of_where_is_told_from_a_plain_infinite_slope() -> None:
    with pytest.raises(RuntimeError, match="make the input safe before"):
        run(MADE["double where"][0])
    with pytest.raises(RuntimeError) as error:
        run(MADE["sqrt 0"][0])
    assert "make the input safe before" not in str(error.value)


def test_derivatives_of_derivatives_name_the_node_and_not_a_step_of_its_formula() -> None:
    x = leaf(0.0)
    with detect_anomaly(), pytest.raises(RuntimeError, match="^backward: sqrt gave inf"):
        grad(x.sqrt().sum(), x, create_graph=True)


def test_an_operation_that_is_made_inside_is_watched() -> None:
    with detect_anomaly():
        @lucid.op(x=lambda xp, g: g)
        def tenfold_overflow(xp: Any, x: Any) -> Any:
            with xp.quiet():
                return x * 1e38 * 1e38

        with pytest.raises(RuntimeError, match="^forward: tenfold_overflow made inf"):
            tenfold_overflow(leaf(1.0))
    assert np.isinf(tenfold_overflow(leaf(1.0)).numpy()).all()  # outside nobody minds
    del OPS["tenfold_overflow"]


def test_off_nothing_is_left_behind() -> None:
    """Off, no event has a handler, and that is all that an operation or a node looks at."""

    def state() -> list[list[Any]]:
        return [list(handlers) for handlers, *_ in EVENTS.values()]

    before = state()
    assert not any(before)
    with pytest.raises(KeyError), detect_anomaly(), detect_anomaly():
        assert all(EVENTS[name][0] for name in ("forward", "node", "vjp"))
        raise KeyError
    assert state() == before
