"""What a hunt for wrong results found: each of these once went wrong, most of them without a word."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.autograd import Function, grad
from lucid.nn import functional as F


def leaf(*values: float, dtype: str = "float32") -> lucid.Tensor:
    return lucid.tensor([float(v) for v in values], dtype=dtype, requires_grad=True)


# -- the walk --------------------------------------------------------------------------------------------------------


def test_a_released_path_is_an_error_whichever_way_it_is_asked_for() -> None:
    for ask in (
        lambda y, x: grad(y, x),
        lambda y, x: y.backward(inputs=[x]),
        lambda y, x: grad(y, x, allow_unused=True),
    ):
        x = leaf(1, 1)
        a = (x * 2).exp()
        a.sum().backward()
        with pytest.raises(RuntimeError, match="released"):
            ask((a * 3).sum() + (x * 5).sum(), x)


def test_asking_for_a_computed_tensor_leaves_what_is_below_it_alone() -> None:
    w = leaf(0.3, 0.6)
    h = (w * 2).tanh()
    (first,) = grad((h * 3).sum(), h)
    (second,) = grad((h * h).sum(), h)
    h.backward(first + second)
    np.testing.assert_allclose(w.grad.numpy(), ((3 + 2 * h) * (1 - h * h) * 2).detach().numpy(), rtol=1e-6)
    h = (w * 1).exp()
    z = (h * 2).sum()
    with lucid.no_grad():
        h.detach().add_(1)  # exp's own output: its formula is not asked for
    assert grad(z, h)[0].tolist() == [2, 2]


def test_casts_to_integers_have_no_gradient() -> None:
    a = leaf(1.5, 2.5)
    (a.long().float() * a).sum().backward()
    assert a.grad.tolist() == [1, 2] and not a.long().requires_grad and not a.bool().requires_grad


def test_a_gradient_of_a_wrong_shape_is_refused() -> None:
    class Wrong(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            return x.T * 2

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g * 2

    x = lucid.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Wrong gave a gradient of shape \(3, 2\) for an input of shape \(2, 3\)"):
        Wrong.apply(x).sum().backward()


def test_leading_ones_are_folded_back() -> None:
    v, b = lucid.ones(1, 3, requires_grad=True), lucid.zeros(2, 3)
    b[0] = v
    b.sum().backward()
    assert v.grad.tolist() == [[1, 1, 1]]
    bias = lucid.zeros(1, 3, requires_grad=True)
    F.linear(lucid.ones(2, 4), lucid.ones(3, 4), bias).sum().backward()
    assert bias.grad.tolist() == [[2, 2, 2]]


def test_retained_gradients() -> None:
    x = leaf(1)
    h = x * 2
    h.retain_grad()
    h.retain_grad()  # twice is once
    h.register_hook(lambda g: g * 10)
    h.sum().backward()
    assert h.grad.tolist() == [10]  # after the hooks, whenever they came
    x = leaf(1)
    h = x * 2
    h.retain_grad()
    h.mul_(3)
    (h * h).sum().backward()
    assert h.grad.tolist() == [12] and x.grad.tolist() == [72]  # of the tensor as it is now


def test_no_grad_on_a_generator() -> None:
    @lucid.no_grad()
    def modes() -> Iterator[bool]:
        sent = yield lucid.is_grad_enabled()
        yield lucid.is_grad_enabled(), sent

    running = modes()
    assert next(running) is False and lucid.is_grad_enabled()
    assert running.send("x") == (False, "x") and lucid.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator() -> None:
    @lucid.set_grad_enabled(False)
    def mode() -> bool:
        return lucid.is_grad_enabled()

    assert lucid.is_grad_enabled() and mode() is False and lucid.is_grad_enabled()


# -- whose memory ----------------------------------------------------------------------------------------------------


def test_gradients_are_nobody_elses() -> None:
    kept = lucid.tensor([7.0])

    class Saved(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return ctx.saved_tensors[0]

    x = leaf(3)
    Saved.apply(x).sum().backward()
    x.grad.zero_()
    assert x.tolist() == [3]
    y, start = leaf(1), lucid.tensor([5.0])
    y.register_hook(lambda g: kept)
    (y * 1).sum().backward()
    y.grad.zero_()
    assert kept.tolist() == [7]
    z = leaf(1)
    z.backward(start)
    z.grad.zero_()
    assert start.tolist() == [5]
    s = lucid.tensor(2.0, requires_grad=True)
    s.backward()
    s.grad.zero_()
    t = lucid.tensor(2.0, requires_grad=True)
    t.backward()
    assert t.grad.item() == 1


def test_a_function_that_hands_its_input_on_does_not_open_it_to_writes() -> None:
    class Same(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            return x

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g

    @lucid.op(x=lambda xp, g: g)
    def same(xp: Any, x: Any) -> Any:
        return x

    for identity in (Same.apply, same):
        x = leaf(1)
        with pytest.raises(RuntimeError, match="is a view of another"):
            identity(x).mul_(3)
        assert x.tolist() == [1]


def test_copies_made_by_indexing_can_be_changed_in_the_graph() -> None:
    x = leaf(1, 2, 3)
    y = x[[0, 2]]
    y += 1
    y *= y
    y.sum().backward()
    assert y.tolist() == [4, 16] and x.grad.tolist() == [4, 0, 8]


CHANGES = {
    "clamp_": (lambda y, z: y.clamp_(0, 2), lambda y, z: y.clamp(0, 2)),
    "pow_": (lambda y, z: y.pow_(3), lambda y, z: y**3),
    "mul_": (lambda y, z: y.mul_(z), lambda y, z: y * z),
    "div_": (lambda y, z: y.div_(z), lambda y, z: y / z),
    "relu_": (lambda y, z: y.relu_(), lambda y, z: y.relu()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_in_place_needs_itself_is_kept(name: str) -> None:
    found = []
    for change in CHANGES[name]:
        x, z = leaf(-1, 1.5, 3), leaf(2, 3, 4)
        y = change(x * 1, z)
        (y * lucid.tensor([1.0, 2.0, 3.0])).sum().backward()
        found.append((y.tolist(), x.grad.tolist(), None if z.grad is None else z.grad.tolist()))
    assert found[0] == found[1]


def test_function_may_save_a_tensor_twice_and_none() -> None:
    class Twice(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            ctx.save_for_backward(x, x, None)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            a, b, nothing = ctx.saved_tensors
            assert nothing is None
            return g * (a + b)

    x = leaf(3)
    (first,) = grad(Twice.apply(x).sum(), x, create_graph=True)
    assert first.item() == 6 and grad(first.sum(), x)[0].item() == 2


# -- numbers ---------------------------------------------------------------------------------------------------------

SMALL = {
    "sigmoid": (lambda x: x.sigmoid(), np.array([0, 1, 12, 200], "uint8"), [0.5, 0.7310586, 0.9999939, 1.0]),
    "exp": (lambda x: x.exp(), np.array([12], "uint8"), [162754.79]),
    "exp of bools": (lambda x: x.exp(), np.array([True]), [2.7182817]),
    "sqrt": (lambda x: x.sqrt(), np.array([200], "uint8"), [14.142136]),
    "logsumexp": (lambda x: x.logsumexp(0), np.array([-100, 100], "int8"), 100.0),
    "norm": (lambda x: x.norm(), np.array([100, 100], "int8"), 141.42136),
    "softmax": (lambda x: x.softmax(0), np.array([0, 200], "uint8"), [0.0, 1.0]),
    "mean": (lambda x: x.mean(), np.array([200, 100], "uint8"), 150.0),
    "sum": (lambda x: x.sum() - 300, np.array([200, 13], "uint8"), -87),
    "prod": (lambda x: -x.prod(), np.array([200, 13], "uint8"), -2600),
    "cumsum": (lambda x: x.cumsum(0) - 300, np.array([200, 13], "uint8"), [-100, -87]),
}


@pytest.mark.parametrize("name", SMALL)
def test_functions_of_small_integers(name: str) -> None:
    f, array, expected = SMALL[name]
    found = f(lucid.from_numpy(array))
    assert found.dtype == (lucid.int64 if name in ("sum", "prod", "cumsum") else lucid.float32)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "f, expected",
    [
        (lambda: lucid.full((70_000,), 0.5, dtype="float16").mean(), 0.5),
        (lambda: lucid.ones(100_000, dtype="float16").mean(), 1),
        (lambda: lucid.full((2,), 40_000.0, dtype="float16").mean(), 40_000),
        (lambda: lucid.full((4,), 300.0, dtype="float16").norm(), 600),
        (lambda: (lucid.ones(1000, dtype="float16") * 100).var(), 0),
        (lambda: F.mse_loss(lucid.full((9,), 200.0, dtype="float16"), lucid.zeros(9, dtype="float16")), 40_000),
    ],
)  # fmt: skip
def test_half_precision_sums_in_single(f: Any, expected: float) -> None:
    assert f().dtype == lucid.float16 and f().item() == expected


def test_the_gradient_of_a_long_mean_in_half_precision() -> None:
    x = lucid.zeros(70_000, dtype="float16", requires_grad=True)
    x.mean().backward()
    assert abs(x.grad[0].item() * 70_000 - 1) < 0.01


@pytest.mark.parametrize("axis, correction", list(itertools.product([0, (0, 1), None], [0, 1, 2, 0.5])))
def test_numpys_words_leave_the_correction_alone(axis: Any, correction: float) -> None:
    x = lucid.tensor(np.arange(12.0).reshape(3, 4) ** 2)
    for ours, theirs in ((lucid.var, np.var), (lucid.std, np.std)):
        found = ours(x, axis=axis, correction=correction, keepdims=True).numpy()
        np.testing.assert_allclose(found, theirs(x.numpy(), axis=axis, ddof=correction, keepdims=True))
    assert x.var(unbiased=False).item() == pytest.approx(np.var(x.numpy()))


def test_constant_data_has_no_spread_whatever_the_constant() -> None:
    rng = np.random.default_rng(0)
    for n, c in zip(rng.integers(3, 40, 300), rng.standard_normal(300).astype("float32"), strict=True):
        x = lucid.full((int(n),), float(c), requires_grad=True)
        spread = x.std()
        spread.backward()
        assert spread.item() == 0 and not x.grad.numpy().any()


@pytest.mark.parametrize(
    "f",
    [lambda x, s: x**s, lambda x, s: x.clamp(s, s * 2), lambda x, s: F.leaky_relu(x, s), lambda x, s: F.elu(x, s),
     lambda x, s: F.softplus(x, s), lambda x, s: x.var(correction=s),
     lambda x, s: F.huber_loss(x, x * 2, delta=s), lambda x, s: F.smooth_l1_loss(x, x * 2, beta=s),
     lambda x, s: x.std(correction=s)],
)  # fmt: skip
def test_numpy_scalars_as_options_change_no_dtype(f: Any) -> None:
    x = leaf(0.5, 1.5, 3)
    y = f(x, np.float64(0.5))
    y.sum().backward()
    assert y.dtype == x.grad.dtype == lucid.float32


def test_a_hook_or_function_in_double_leaves_a_single_gradient() -> None:
    class Double(Function):
        @staticmethod
        def forward(ctx: Any, x: lucid.Tensor) -> lucid.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: lucid.Tensor) -> lucid.Tensor:
            return g.double() * 2

    x = leaf(1)
    x.register_hook(lambda g: g.double())
    Double.apply(x).sum().backward()
    assert x.grad.dtype == lucid.float32 and x.grad.tolist() == [2]


def test_remainders_gradient_is_that_of_its_value() -> None:
    x, y = leaf(1.0, dtype="float64"), leaf(0.1, dtype="float64")
    (x % y).sum().backward()
    assert y.grad.tolist() == [-9]  # 1.0 / 0.1 is 10.0, but 1.0 % 0.1 is 1.0 - 9 * 0.1


def test_smaller_things() -> None:
    assert lucid.isclose(lucid.tensor([1]), 1.5).tolist() == [False]
    big = lucid.tensor([2**24 + 1])
    assert big.round().tolist() == [2**24 + 1] and big.round().dtype == lucid.int64
    assert lucid.arange(np.int64(3)).dtype == lucid.int64 and (lucid.tensor([True]) ** 2).dtype == lucid.int64
    assert lucid.ones(2, 3).sum(()).item() == 6
    x = lucid.tensor(2.0, requires_grad=True)
    x.prod(0).backward()
    assert x.grad.item() == 1
    assert lucid.zeros(2, 0).softmax(1).shape == lucid.zeros(2, 0).log_softmax(1).shape == (2, 0)


def test_an_infinite_gradient_does_not_reach_through_a_mask() -> None:
    for f in (lucid.relu, lambda x: x.clamp(0, 1)):
        x = leaf(-1, 0.5)
        f(x).backward(lucid.tensor([float("inf"), 2.0]))
        assert x.grad.tolist() == [0, 2]


def test_arguments_may_have_any_names() -> None:
    """Those that the engine itself uses, too."""

    @lucid.op(out_=lambda xp, g, type, op: g * type, xp_=lambda xp, g: -g)
    def odd_names(xp: Any, out_: Any, xp_: Any, *, type: int = 1, op: int = 2, saved: int = 3) -> Any:
        return out_ * type - xp_

    x, y = lucid.ones(2, requires_grad=True), lucid.ones(2, requires_grad=True)
    odd_names(x, xp_=y, type=5).sum().backward()
    assert x.grad.tolist() == [5, 5] and y.grad.tolist() == [-1, -1]


def test_cross_entropy_of_columns_first_logits() -> None:
    """Row-major code on a transposed array: each label's own place must be found all the same."""
    logits = lucid.tensor(np.asfortranarray(np.random.default_rng(0).standard_normal((40, 3))), requires_grad=True)
    labels = lucid.arange(40) % 3
    for x in (logits, logits.T.detach().clone().requires_grad_().T):
        F.cross_entropy(x, labels, reduction="sum").backward()
    p = logits.detach().softmax(1).numpy()
    p[np.arange(40), labels.numpy()] -= 1
    np.testing.assert_allclose(logits.grad.numpy(), p, rtol=1e-12)


def test_lbfgs_moves_a_single_number_beside_others() -> None:
    """In NumPy arithmetic on a 0-d array gives a number, which `+=` does not change in place."""

    def run(shape: tuple[int, ...]) -> list[float]:
        p = lucid.tensor([2.0, 3.0], dtype="float64", requires_grad=True)
        b = lucid.ones(shape, dtype="float64", requires_grad=True)
        optimizer = lucid.optim.LBFGS([p, b], lr=0.1)

        def closure() -> lucid.Tensor:
            optimizer.zero_grad()
            loss = ((p - b) ** 2).sum() + (3 * (b - 4) ** 2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        again = lucid.optim.LBFGS([p, b], lr=0.1)
        again.load_state_dict(optimizer.state_dict())
        return [*p.tolist(), b.sum().item()]

    np.testing.assert_allclose(run(()), run((1,)), rtol=1e-12)


def test_linear_lr_does_not_end_below_zero() -> None:
    w = lucid.ones(1, requires_grad=True)
    optimizer = lucid.optim.SGD([w], lr=0.1)
    schedule = lucid.optim.LinearLR(optimizer, start_factor=0.1, end_factor=0.0, total_iters=3)
    w.sum().backward()
    optimizer.step()
    for _ in range(4):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0


@pytest.mark.parametrize("f",
                         [lambda x: x.flip(0), lambda x: x.repeat(1, 1), lambda x: x.tile(1, 1),
                          lambda x: x[:1].repeat(2, 1), lambda x: x[:1, :1].repeat(1, 3)])
def test_flip_and_repeat_give_copies(f: Callable[..., lucid.Tensor]) -> None:
    x = lucid.ones(2, 2)
    y = f(x)
    y += 1
    assert x.tolist() == [[1, 1], [1, 1]] and (y == 2).all()


def test_cosine_similarity_where_its_dim_broadcasts() -> None:
    F = lucid.nn.functional
    np.testing.assert_allclose(
        F.cosine_similarity(lucid.ones(1, 1, 4), lucid.ones(1, 4, 4), dim=1).numpy(), np.ones((1, 4)), rtol=1e-6
    )
    np.testing.assert_allclose(
        F.cosine_similarity(lucid.ones(3, 4), lucid.ones(4), dim=0).numpy(), np.ones(4), rtol=1e-6
    )


@pytest.mark.parametrize("x", [-1e15, 1e15])
def test_gelu_far_out_has_a_slope(x: float) -> None:
    t = lucid.tensor([x], requires_grad=True)
    lucid.nn.functional.gelu(t, approximate="tanh").sum().backward()
    assert t.grad.tolist() == [1.0 if x > 0 else 0.0]


def test_a_short_distance_in_half_precision_has_a_slope() -> None:
    x = np.array([[10000, 10008]], np.float16)
    t = lucid.tensor(x, requires_grad=True)
    lucid.nn.functional.pairwise_distance(t, lucid.tensor(x)).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), [[0.5**0.5] * 2], rtol=1e-3)
