"""PyTorch's other words: methods in place, fills, tensors by their type, out=, and what a call may be given besides."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.ops.spellings import IN_PLACE
from tests.project.errors_spellings import CALLS

VALUES = np.array([[0.35, 0.62], [0.81, 0.47]])


def given(name: str, m: Any = lucid) -> Any:
    """A matrix that the function is defined on, in double precision."""
    return m.tensor(VALUES + (1 if name == "acosh" else 0))


def loss_and_gradients(m: Any, grad: Any, name: str, in_place: bool) -> list[np.ndarray]:
    """The result of the function of 1.1 x, and the first and second derivative of the sum of its squares."""
    x = given(name, m).requires_grad_()
    y = x * 1.1
    others = CALLS[name](m, x)
    out = getattr(y, f"{name}_")(*others) if in_place else getattr(y, name)(*others)
    assert not in_place or out is y
    out = out.double()
    if not out.requires_grad:
        return [out.numpy(), 0 * VALUES, 0 * VALUES]
    (slope,) = grad((out * out).sum(), x, create_graph=True)
    results = [out, slope, grad((slope * slope).sum(), x)[0] if slope.requires_grad else slope * 0]
    return [r.detach().numpy() for r in results]


@pytest.mark.parametrize("name", CALLS)
def test_a_method_in_place_writes_what_the_function_gives_with_its_derivatives(name: str) -> None:
    apart = loss_and_gradients(lucid, lucid.autograd.grad, name, in_place=False)
    written = loss_and_gradients(lucid, lucid.autograd.grad, name, in_place=True)
    for a, b in zip(apart, written, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parity
@pytest.mark.parametrize("name", CALLS)
def test_a_method_in_place_does_what_pytorchs_does(name: str) -> None:
    import torch

    ours = loss_and_gradients(lucid, lucid.autograd.grad, name, in_place=True)
    if name == "floor_divide" or name.startswith(
        "logical"
    ):  # no derivative there, or one as if nothing had been written
        x = given(name, torch)
        theirs = [getattr(x * 1.1, f"{name}_")(*CALLS[name](torch, x))]
    else:  # of these there is none in place
        in_place = name not in ("acosh", "asinh", "atanh")
        theirs = loss_and_gradients(torch, torch.autograd.grad, name, in_place)
    for a, b in zip(ours, theirs, strict=len(theirs) > 1):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


def test_all_methods_in_place_have_a_call() -> None:
    apart = {
        "baddbmm",
        "index_add",
        "index_fill",
        "index_put",
        "masked_fill",
        "masked_scatter",
        "scatter",
        "scatter_add",
    }
    assert set(IN_PLACE) == set(CALLS) | apart  # these have rows in the table
    x = lucid.ones(1, 2, 2)
    assert (x * 1).baddbmm_(x, x).tolist() == [[[3, 3], [3, 3]]]


def test_bits_in_place_are_written_where_others_see_them() -> None:
    for operator, expected in (("__iand__", [True, False]), ("__ior__", [True, True]), ("__ixor__", [False, True])):
        mask = lucid.tensor([True, True])
        seen = mask
        mask = getattr(mask, operator)(lucid.tensor([True, False]))
        assert mask is seen and seen.tolist() == expected
    mask = seen
    mask |= lucid.tensor([True, False])
    assert mask is seen and seen.tolist() == [True, True]


# -- another shape in place --------------------------------------------------------------------------------------------


def test_another_shape_in_place_keeps_the_memory_the_history_and_the_views() -> None:
    x = lucid.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 2
    row, at = y[1], y.data_ptr()
    assert y.t_() is y and y.shape == (3, 2) and y.data_ptr() == at and y.grad_fn.name() == "transpose"
    y[0, 1] = 7.0  # the element [1, 0] of what it was
    assert row.tolist() == [7.0, 8.0, 10.0]
    row.mul_(x[0])
    assert y.tolist() == [[0.0, 0.0], [2.0, 8.0], [4.0, 20.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[9.0, 10.0, 12.0], [0.0, 2.0, 4.0]]


def test_another_shape_in_place_of_a_view_leaves_what_it_shows() -> None:
    x = lucid.ones(2, 3, requires_grad=True)
    y = x * 2
    z = y[0]
    z.unsqueeze_(1)
    z.mul_(5)
    assert z.shape == (3, 1) and y.shape == (2, 3) and y.tolist() == [[10.0] * 3, [2.0] * 3]
    (y * z.t()).sum().backward()
    assert x.grad.tolist() == [[220.0] * 3, [20.0] * 3]


def test_without_history_or_with_one_kept_under_no_grad() -> None:
    x = lucid.ones(1, 3)
    assert x.squeeze_().shape == (3,) and x.unsqueeze_(0).squeeze_(0).shape == (3,) and x.t_() is x
    y = lucid.ones(3, requires_grad=True) * 2
    y.retain_grad()
    with lucid.no_grad(), pytest.raises(RuntimeError, match=r"unsqueeze_: .* write x = x.unsqueeze\("):
        y.unsqueeze_(0)
    y.unsqueeze_(0)
    y.sum().backward()
    assert y.grad.shape == (1, 3)


# -- out= --------------------------------------------------------------------------------------------------------------

OUT = [
    ("add", 2),
    ("matmul", 2),
    ("mm", 2),
    ("mul", 2),
    ("exp", 1),
    ("sum", 1),
    ("mean", 1),
    ("sigmoid", 1),
    ("sqrt", 1),
    ("div", 2),
    ("maximum", 2),
    ("cumsum", None),
    ("clamp", None),
    ("cat", None),
    ("stack", None),
]
SPECIAL: dict[str, Any] = {
    "cumsum": lambda x: (x, 0),
    "clamp": lambda x: (x, 0.4),
    "cat": lambda x: ([x, x],),
    "stack": lambda x: ([x, x],),
}


def arguments(m: Any, name: str, count: int | None) -> Any:
    x = m.tensor(VALUES)
    return SPECIAL[name](x) if count is None else (x,) * count


@pytest.mark.parametrize("name, count", OUT)
def test_out_is_written_to_and_returned(name: str, count: int | None) -> None:
    f, args = getattr(lucid, name), arguments(lucid, name, count)
    expected = f(*args)
    out, empty = lucid.zeros_like(expected), lucid.tensor([], dtype=lucid.float64)
    view, memory = out.view(-1), out.data_ptr()
    assert f(*args, out=out) is out and out.data_ptr() == memory and view.tolist() == expected.reshape(-1).tolist()
    assert f(*args, out=empty) is empty and empty.tolist() == expected.tolist()


@pytest.mark.parametrize("name, count", OUT)
def test_out_is_refused_where_it_cannot_hold_the_result(name: str, count: int | None) -> None:
    f, args = getattr(lucid, name), arguments(lucid, name, count)
    shape = f(*args).shape
    with pytest.raises(ValueError, match=rf"{name}.*: the result has shape .* cannot be stored in shape \(7, 7\)"):
        f(*args, out=lucid.zeros(7, 7, dtype=lucid.float64))
    with pytest.raises(TypeError, match="a float64 result cannot be stored in a tensor of int64"):
        f(*args, out=lucid.zeros(shape, dtype=lucid.int64))
    with pytest.raises(RuntimeError, match="out= is not recorded, and a gradient is asked for; leave it out"):
        f(*args, out=lucid.zeros(shape, dtype=lucid.float64, requires_grad=True))
    args[0][0].requires_grad_() if isinstance(args[0], list) else args[0].requires_grad_()
    with pytest.raises(RuntimeError, match="out= is not recorded, and a gradient is asked for; leave it out"):
        f(*args, out=lucid.zeros(shape, dtype=lucid.float64))
    with lucid.no_grad():
        assert f(*args, out=lucid.zeros(shape, dtype=lucid.float64)).shape == shape
    with pytest.raises(TypeError, match="out= is for the one Tensor that comes out, got "):
        f(*args, out=[1])


@pytest.mark.parity
@pytest.mark.parametrize("name, count", OUT)
def test_out_is_as_pytorchs(name: str, count: int | None) -> None:
    import torch

    ours, theirs = lucid.zeros(0, dtype=lucid.float64), torch.zeros(0, dtype=torch.float64)
    getattr(lucid, name)(*arguments(lucid, name, count), out=ours)
    f, args = getattr(torch, name), arguments(torch, name, count)
    theirs = f(*args, out=theirs) if name not in ("sum", "mean") else f(*args)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


# -- other words of a call ---------------------------------------------------------------------------------------------

WORDS = [
    lambda m, x: m.zeros(size=(2, 3)),
    lambda m, x: m.ones(size=(2, 3)),
    lambda m, x: m.full(size=(2,), fill_value=1.5),
    lambda m, x: m.empty(size=(2, 3), pin_memory=False).zero_(),
    lambda m, x: m.rand(size=(2, 3)) * 0,
    lambda m, x: m.randn(size=(2,), layout=None) * 0 if m is lucid else m.randn(size=(2,)) * 0,
    lambda m, x: m.randint(3, 4, size=(2,)),
    lambda m, x: m.randint(1, size=(2,)),
    lambda m, x: m.randint(high=1, size=(2,)),
    lambda m, x: m.sum(input=x, dim=0),
    lambda m, x: m.softmax(input=x, dim=1),
    lambda m, x: m.mm(x, mat2=x),
    lambda m, x: m.topk(input=x, k=1)[0],
    lambda m, x: m.permute(x, dims=(1, 0)),
    lambda m, x: m.reshape(x, shape=(4,)),
    lambda m, x: m.tile(x, dims=(1, 2)),
    lambda m, x: m.flip(x, dims=[0]),
    lambda m, x: x.permute(dims=(1, 0)),
    lambda m, x: m.where(condition=x > 0.5, input=x, other=-x),
    lambda m, x: m.clamp(input=x, min=0.5),
    lambda m, x: x.to("cpu", non_blocking=True),
    lambda m, x: x.contiguous(memory_format=m.preserve_format) if m is not lucid else x.contiguous(memory_format=None),
    lambda m, x: x.new_zeros(size=(2,)),
    lambda m, x: m.add(x, other=x, alpha=2),
    lambda m, x: x.numpy(force=True),
    lambda m, x: m.exp(input=x),
    lambda m, x: m.mul(input=x, other=2),
    lambda m, x: x.lt(other=0.5),
    lambda m, x: m.matmul(input=x, other=x),
    lambda m, x: m.maximum(x, other=x * 2),
    lambda m, x: m.nn.functional.linear(input=x, weight=x),
    lambda m, x: m.cat(tensors=(x, x), dim=1),
    lambda m, x: m.div(x, 0.2, rounding_mode="floor"),
    lambda m, x: m.movedim(x, (0, 1), (1, 0)),
    lambda m, x: m.cumsum(x, 0, dtype=m.float64),
    lambda m, x: m.sum(x, dtype=m.float64),
    lambda m, x: +x,
    lambda m, x: m.tensor(2.0).sum(dim=0),
    lambda m, x: m.tensor([1, 2]) << 1,
    lambda m, x: 8 >> m.tensor([1, 2]),
    lambda m, x: m.einsum("ij,jk->ik", x, x),
    lambda m, x: m.einsum(x, [0, 1], x, [1, 2], [0, 2]),
    lambda m, x: x.repeat_interleave(2, dim=0),
    lambda m, x: x.new([[1, 2]]),
    lambda m, x: x.short() + x.byte() + x.char(),
    lambda m, x: x.type(m.LongTensor),
    lambda m, x: x.type("torch.IntTensor"),
    lambda m, x: x.type(m.float16),
    lambda m, x: m.FloatTensor([1, 2]),
    lambda m, x: m.LongTensor(np.array([1, 2])),
    lambda m, x: m.ByteTensor([[1], [2]]),
    lambda m, x: m.Tensor([1, 2]),
    lambda m, x: m.Tensor([[0.5]]),
    lambda m, x: m.BoolTensor([0, 1]),
    lambda m, x: m.scalar_tensor(3),
    lambda m, x: m.scalar_tensor(3, dtype=m.int64),
    lambda m, x: m.DoubleTensor(),
    lambda m, x: m.Tensor(),
    lambda m, x: m.HalfTensor(2).zero_(),
    lambda m, x: m.Tensor(2, 3, 1, 2).zero_(),
    lambda m, x: m.Tensor(4).zero_(),
    lambda m, x: m.Tensor(2, 3).zero_(),
    lambda m, x: m.normal(m.zeros(2), 0.0),
    lambda m, x: m.normal(1.0, m.zeros(2)),
    lambda m, x: m.normal(x, x * 0),
    lambda m, x: m.normal(mean=2.0, std=0.0, size=(2,)),
    lambda m, x: m.normal(0, 0, (2,), dtype=m.float64),
    lambda m, x: m.bernoulli(m.ones(3)),
    lambda m, x: m.zeros(3).bernoulli_(1.0),
    lambda m, x: m.zeros(3).random_(1),
    lambda m, x: m.zeros(3).random_(4, 5),
    lambda m, x: m.zeros(3).uniform_(2, 2),
    lambda m, x: m.zeros(2).normal_(1, 0),
    lambda m, x: m.autograd.Variable(x),
    lambda m, x: m.autograd.Variable(x, requires_grad=True).detach(),
]


@pytest.mark.parametrize("call", WORDS, ids=[str(i) for i in range(len(WORDS))])
def test_words_of_pytorchs_are_understood(call: Any) -> None:
    assert call(lucid, lucid.tensor(VALUES)) is not None


@pytest.mark.parity
@pytest.mark.parametrize("call", WORDS, ids=[str(i) for i in range(len(WORDS))])
def test_words_mean_what_they_mean_in_pytorch(call: Any) -> None:
    import torch

    ours, theirs = (call(m, m.tensor(VALUES)) for m in (lucid, torch))
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.") and tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-12)


def test_words_that_are_nobodys_are_refused_as_before() -> None:
    x = lucid.ones(2)
    for call, says in [
        (lambda: lucid.sum(x, dimm=0), r"sum.* unexpected keyword argument 'dimm'"),
        (lambda: lucid.exp(x, inplace=True), r"exp\(\).* unexpected keyword argument 'inplace'"),
        (lambda: lucid.zeros(2, size=(2,)), "zeros: expected ints"),
        (lambda: lucid.zeros(size="a"), "zeros: expected ints"),
        (lambda: lucid.mm(x, x, mat2=x), "mm"),
        (lambda: lucid.zeros(2, out=3), "zeros: out= is for the one"),
        (lambda: lucid.exp(input=x, other=x), "exp"),
        (lambda: lucid.mul(x), r"multiply\(\) missing 1 required positional argument: 'y'"),
        (lambda: lucid.mul(other=x, odd=2), r"multiply\(\) missing 1 required positional argument: 'x'"),
        (lambda: x.__add__(), "missing 1 required positional argument: 'y'"),
    ]:
        with pytest.raises(TypeError, match=says):
            call()  # type: ignore[no-untyped-call]


# -- tensors by their type, and fills ----------------------------------------------------------------------------------


def test_tensors_by_their_type() -> None:
    x = lucid.FloatTensor([1, 2])
    assert isinstance(x, lucid.FloatTensor) and not isinstance(x, lucid.LongTensor) and isinstance(x, lucid.Tensor)
    assert not isinstance(x, lucid.cuda.FloatTensor) and not isinstance(2.0, lucid.FloatTensor)
    assert x.type() == "lucid.FloatTensor" and x.long().type() == "lucid.LongTensor" and x.is_cuda is False
    assert lucid.IntTensor(2, 3).tolist() == [[0, 0, 0], [0, 0, 0]] and x.new(2).tolist() == [0, 0]
    assert (
        lucid.zeros(2, dtype=lucid.DoubleTensor).dtype == lucid.float64 and x.type(lucid.ShortTensor).dtype == "int16"
    )
    assert lucid.Tensor(np.ones(2)).dtype == lucid.float64  # an array keeps its dtype, and its memory
    assert lucid.Tensor(2, 3, 4, 5).shape == (2, 3, 4, 5) and lucid.Tensor([1], requires_grad=True).requires_grad
    with pytest.raises(
        TypeError, match=r"FloatTensor: expected a shape, FloatTensor\(2, 3\), or data, FloatTensor\(\[2, 3"
    ):
        lucid.FloatTensor(x.shape)


def test_a_variable_is_a_tensor() -> None:
    x = lucid.ones(2, requires_grad=True)
    y = lucid.autograd.Variable(x * 2, requires_grad=True)
    assert isinstance(y, lucid.autograd.Variable) and isinstance(x, lucid.autograd.Variable) and y.is_leaf
    assert not lucid.autograd.Variable(x).requires_grad and lucid.autograd.Variable(x).data_ptr() == x.data_ptr()
    with pytest.warns(UserWarning, match="volatile has no effect; write `with lucid.no_grad"):
        lucid.autograd.Variable(x, volatile=True)
    with pytest.raises(TypeError, match=r"Variable: expected a Tensor, got list; lucid.tensor\(...\) makes one"):
        lucid.autograd.Variable([1.0])


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: lucid.normal(0.0, 1.0, (4,), generator=g),
        lambda g: lucid.bernoulli(lucid.full((9,), 0.5), generator=g),
        *[lambda g, name=name: getattr(lucid.empty(4), name)(generator=g)
          for name in ("normal_", "uniform_", "exponential_", "bernoulli_", "random_")],
    ],
)  # fmt: skip
def test_a_generator_of_ones_own_is_drawn_from(draw) -> None:
    before = str(lucid.get_rng_state())
    first, second = (draw(lucid.Generator().manual_seed(3)).tolist() for _ in range(2))
    assert first == second and str(lucid.get_rng_state()) == before
    own = lucid.Generator().manual_seed(3)
    draw(own)
    assert draw(own).tolist() != first


def test_fills_draw_from_the_one_generator_and_cut_the_history() -> None:
    lucid.manual_seed(0)
    expected = lucid.randn(2000)
    lucid.manual_seed(0)
    np.testing.assert_array_equal(lucid.zeros(2000).normal_().numpy(), expected.numpy())
    lucid.manual_seed(1)
    big = lucid.zeros(20000)
    assert abs(float(big.normal_(3, 2).mean()) - 3) < 0.05 and abs(float(big.std()) - 2) < 0.05
    assert abs(float(big.uniform_(2, 4).mean()) - 3) < 0.05 and float(big.min()) >= 2 and float(big.max()) < 4
    assert abs(float(big.exponential_(0.5).mean()) - 2) < 0.1 and float(big.min()) >= 0
    assert abs(float(big.bernoulli_(0.3).mean()) - 0.3) < 0.02 and set(big.tolist()) == {0.0, 1.0}
    assert set(big.random_(2, 5).tolist()) == {2.0, 3.0, 4.0}
    for dtype, most in (("uint8", 2**8), ("int8", 2**7), ("int64", 2**63), ("float16", 2**11), ("float32", 2**24)):
        values = lucid.zeros(4000, dtype=dtype).random_().numpy().astype("float64")
        assert values.min() >= 0 and 0.95 * most < values.max() <= most
    spread = lucid.normal(lucid.tensor([0.0, 100.0]), lucid.tensor([0.0, 1.0]))
    assert spread[0].item() == 0 and 90 < spread[1].item() < 110
    p = lucid.tensor([0.0, 1.0, 0.5], requires_grad=True)
    assert lucid.bernoulli(p)[:2].tolist() == [0, 1] and not lucid.bernoulli(p).requires_grad
    x = lucid.ones(3, requires_grad=True)
    y = x * 2
    y.uniform_()
    (y + x).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_the_graph_is_walked_as_in_pytorch() -> None:
    x = lucid.ones(2, requires_grad=True)
    (first, place), nothing = (x * lucid.ones(2) + 1).grad_fn.next_functions
    assert place == 0 and first.name() == "multiply" and nothing == (None, 0)
    assert first.next_functions[0][0].variable is x


# -- the process -------------------------------------------------------------------------------------------------------


def test_threads_are_set_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before = lucid.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(before))
    try:
        lucid.set_num_threads(1)
        assert lucid.get_num_threads() == 1 and os.environ["OMP_NUM_THREADS"] == "1"
    finally:
        lucid.set_num_threads(before)


def test_without_threadpoolctl_a_warning_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.warns(
        UserWarning, match="set_num_threads: NumPy's threads need threadpoolctl; pip install it, or set OMP"
    ):
        lucid.set_num_threads(2)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    with pytest.warns(UserWarning, match="get_num_threads: NumPy's threads need threadpoolctl"):
        assert lucid.get_num_threads() == os.cpu_count()
    for wrong, error in ((0, ValueError), ("a", TypeError), (True, TypeError)):
        with pytest.raises(error, match="set_num_threads: "), warnings.catch_warnings():
            lucid.set_num_threads(wrong)  # type: ignore[arg-type]
