"""The handle: creation, conversion, dtypes, display, copies, indexing, and the sentence for each wrong use."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import lucid

F32, F64, I64 = lucid.float32, lucid.float64, lucid.int64


# -- creation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, dtype",
    [(1.5, "float32"), ([1, 2], "int64"), ([1, 2.5], "float32"), (True, "bool"), ([], "float32"),
     ([[True], [False]], "bool"),
     (np.float64(2), "float64"), (np.zeros(2), "float64"), (np.arange(2, dtype="int32"), "int32"), ((1, 2), "int64"),
     (np.zeros(2, ">f4"), "float32"), (lucid.float64.type(3), "float64")],
)  # fmt: skip
def test_what_tensor_makes_of_data(data: Any, dtype: str) -> None:
    assert lucid.tensor(data).dtype == dtype


def test_tensor_copies_and_from_numpy_shares() -> None:
    array = np.zeros(2, "float32")
    copied, shared, wrapped = lucid.tensor(array), lucid.from_numpy(array), lucid.as_tensor(array)
    array[0] = 5
    assert copied.tolist() == [0, 0] and shared.tolist() == wrapped.tolist() == [5, 0]
    shared[1] = 7
    assert array.tolist() == [5, 7]


def test_tensor_of_tensors_and_arrays() -> None:
    assert lucid.tensor([lucid.tensor(1.0), 2]).tolist() == [1, 2]
    assert lucid.tensor([np.float32(1), 2]).dtype == F32


@pytest.mark.parametrize("dtype", ["float32", lucid.float32, np.float32, np.dtype("float32"), float])
def test_dtypes_may_be_named_in_many_ways(dtype: Any) -> None:
    assert lucid.zeros(2, dtype=dtype).dtype == F32


def test_the_default_dtype_can_be_changed() -> None:
    lucid.set_default_dtype(lucid.float64)
    assert {t.dtype for t in (lucid.tensor(0.5), lucid.zeros(1), lucid.randn(1), lucid.arange(3) / 2)} == {F64}
    with pytest.raises(TypeError, match="expected float16, float32 or float64, got int64"):
        lucid.set_default_dtype("int64")


@pytest.mark.parametrize(
    "made, expected",
    [
        (lucid.zeros(2, 3), np.zeros((2, 3))), (lucid.zeros((2, 3)), np.zeros((2, 3))), (lucid.ones(()), np.ones(())),
        (lucid.full((2,), 7), np.full(2, 7)), (lucid.full((2,), 0.5), np.full(2, 0.5)), (lucid.eye(2), np.eye(2)),
        (lucid.eye(2, 3), np.eye(2, 3)),
        (lucid.arange(3), np.arange(3)), (lucid.arange(1, 4), np.arange(1, 4)),
        (lucid.arange(5, 0, -2), np.arange(5, 0, -2)),
        (lucid.arange(0, 1, 0.25), np.arange(0, 1, 0.25)), (lucid.linspace(0, 1, 5), np.linspace(0, 1, 5)),
        (lucid.zeros_like(lucid.ones(2)), np.zeros(2)), (lucid.full_like(lucid.ones(2), 3), np.full(2, 3.0)),
    ],
)  # fmt: skip
def test_creation(made: lucid.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(made.numpy(), expected)
    assert made.dtype == (F32 if expected.dtype.kind == "f" else I64)


def test_empty_has_the_shape() -> None:
    assert lucid.empty(2, 3, dtype=F64).shape == (2, 3) and lucid.empty_like(lucid.ones(4)).shape == (4,)


def test_random_numbers_repeat_from_a_seed() -> None:
    def draw() -> list[Any]:
        lucid.manual_seed(3)
        drawn = (lucid.rand(2), lucid.randn(2), lucid.randint(10, (3,)), lucid.randint(5, 8, (3,)), lucid.randperm(5))
        return [t.tolist() for t in drawn]

    first = draw()
    assert first == draw() and sorted(first[4]) == [0, 1, 2, 3, 4] and set(first[3]) <= {5, 6, 7}
    state = lucid.get_rng_state()
    later = lucid.rand(4).tolist()
    lucid.set_rng_state(state)
    assert lucid.rand(4).tolist() == later


def test_multinomial_draws_in_proportion() -> None:
    weights = lucid.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    drawn = lucid.multinomial(weights, 20_000, replacement=True)
    assert drawn.shape == (2, 20_000) and drawn.dtype == I64
    shares = [[(row == i).float().mean().item() for i in range(3)] for row in drawn]
    np.testing.assert_allclose(shares, [[0.25, 0, 0.75], [0.5, 0.5, 0]], atol=0.015)
    assert shares[0][1] == shares[1][2] == 0
    assert lucid.multinomial(lucid.zeros(0, 3), 2, replacement=True).shape == (0, 2)


def test_multinomial_without_replacement_draws_one_after_the_other() -> None:
    weights = lucid.tensor([1.0, 0.0, 2.0, 5.0]).requires_grad_()
    orders = lucid.multinomial(weights.expand(40_000, 4), 3)
    assert not orders.requires_grad and sorted(lucid.multinomial(weights, 3).tolist()) == [0, 2, 3]
    orders = orders.numpy()
    assert (np.sort(orders, 1) == [0, 2, 3]).all()
    np.testing.assert_allclose([(orders[:, 0] == i).mean() for i in (0, 2, 3)], [1 / 8, 2 / 8, 5 / 8], atol=0.015)
    second = orders[orders[:, 0] == 3, 1]  # among 0 and 2, then
    np.testing.assert_allclose((second == 2).mean(), 2 / 3, atol=0.015)


def test_multinomial_never_draws_what_has_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lowest:
        def random(self, shape: Any) -> np.ndarray:
            return np.zeros(shape)

    monkeypatch.setattr(lucid.ops.random, "generator", Lowest)
    assert lucid.multinomial(lucid.tensor([0.0, 0.0, 1.0]), 2, replacement=True).tolist() == [2, 2]


def test_multinomial_repeats_from_a_seed() -> None:
    def draw(replacement: bool) -> list[int]:
        lucid.manual_seed(3)
        return lucid.multinomial(lucid.ones(50), 20, replacement).tolist()

    assert draw(True) == draw(True) and draw(False) == draw(False) and len(set(draw(False))) == 20


def test_another_librarys_tensor_is_named_with_it() -> None:
    theirs = type("Tensor", (), {"__module__": "torch"})()
    for use in (
        lambda: lucid.nn.functional.mse_loss(theirs, lucid.ones(2)),
        lambda: lucid.ones(2) + theirs,
        lambda: lucid.cat([lucid.ones(2), theirs]),
        lambda: lucid.flatten(theirs),
    ):
        with pytest.raises(TypeError, match="got torch.Tensor"):
            use()


def test_rand_and_randn_have_their_distributions() -> None:
    u, n = lucid.rand(20_000), lucid.randn(20_000)
    assert u.min().item() >= 0 and u.max().item() < 1 and abs(u.mean().item() - 0.5) < 0.01
    assert abs(n.mean().item()) < 0.03 and abs(n.std().item() - 1) < 0.03
    assert lucid.rand_like(n).shape == lucid.randn_like(n).shape == n.shape


# -- dtypes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [lambda x: x * 2.0, lambda x: 2 / x, lambda x: x + np.float64(1), lambda x: x * np.int64(2), lambda x: x ** 0.5,
     lambda x: 2**x, lambda x: x * True,
     lambda x: x + lucid.tensor(1.0, dtype="float64"), lambda x: x * np.array(2.0), lambda x: x * lucid.arange(3),
     lambda x: x - lucid.arange(3) % 2, lambda x: x.mean() * 3,
     lambda x: lucid.where(x > 0, x, 0.0), lambda x: lucid.maximum(x, 0.5), lambda x: x.clamp(0, 1),
     lambda x: x.sum() / 3, lambda x: np.float64(2) * x, lambda x: x.var(),
     lambda x: lucid.erf(x), lambda x: x.softmax(0), lambda x: x * (x > 0), lambda x: x.norm(3), lambda x: x.prod(),
     lambda x: x.logsumexp(0), lambda x: x.std(), lambda x: x.round(2)],
)  # fmt: skip
def test_nothing_silently_becomes_float64(f: Any) -> None:
    x = lucid.tensor([0.25, 0.5, 1.0], requires_grad=True)
    y = f(x)
    assert y.dtype == F32
    y.sum().backward()
    assert x.grad.dtype == F32


@pytest.mark.parametrize(
    "f",
    [lambda i: i / 2, lambda i: i * 0.5, lambda i: i.exp(), lambda i: i.mean(), lambda i: i.sqrt(),
     lambda i: i.sigmoid(), lambda i: i**0.5, lambda i: 1 / i,
     lambda i: i.clamp(0.5), lambda i: i.softmax(0), lambda i: i.float(), lambda i: lucid.erf(i),
     lambda i: (i > 1).mean(), lambda i: i + 1.0, lambda i: i.var(), lambda i: i * lucid.ones(2)],
)  # fmt: skip
def test_integers_become_the_default_float_where_they_must(f: Any) -> None:
    assert f(lucid.tensor([1, 2])).dtype == F32


def test_integers_stay_integers_where_they_can() -> None:
    i = lucid.tensor([1, 2], dtype="int32")
    assert {(i + 1).dtype, (i * i).dtype, abs(i).dtype, i.clamp(0, 1).dtype, (i**2).dtype, i.max().dtype} == {
        lucid.int32
    }
    assert i.sum().dtype == I64 and (i > 1).sum().dtype == I64 and (i == 1).dtype == lucid.bool_
    assert (
        i.double().dtype == F64
        and i.long().dtype == I64
        and i.bool().dtype == lucid.bool_
        and i.half().dtype == lucid.float16
    )


def test_both_float_widths_in_one_graph() -> None:
    a, b = lucid.tensor([1.0, 2.0], requires_grad=True), lucid.tensor([3.0, 4.0], dtype=F64, requires_grad=True)
    y = a * b
    assert y.dtype == F64
    y.sum().backward()
    assert a.grad.dtype == F32 and a.grad.tolist() == [3, 4] and b.grad.dtype == F64


@pytest.mark.parity
@pytest.mark.parametrize("left", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize(
    "right",
    [
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
        "0-d float64",
        "0-d int64",
        "2",
        "2.0",
    ],
)
def test_promotion_is_pytorchs(left: str, right: str) -> None:
    import torch

    def operand(m: Any, name: str) -> Any:
        if name in ("2", "2.0"):
            return float(name) if "." in name else int(name)
        if name.startswith("0-d"):
            return m.tensor(2, dtype=getattr(m, name[4:]))
        return m.ones(3, dtype=getattr(m, "bool_" if name == "bool" and m is lucid else name))

    ours = operand(lucid, left) * operand(lucid, right)
    theirs = operand(torch, left) * operand(torch, right)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    ours = operand(lucid, left) / operand(lucid, right)
    theirs = operand(torch, left) / operand(torch, right)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")


# -- NumPy, DLPack, Python -------------------------------------------------------------------------------------------


def test_arrays_on_the_left_stay_out_of_the_way() -> None:
    x, a = lucid.tensor([1.0, 2.0], dtype=F64, requires_grad=True), np.array([3.0, 4.0])
    for y in (a + x, a - x, a * x, a / x, a @ x, a**x, np.float64(2) * x):
        assert isinstance(y, lucid.Tensor) and y.requires_grad
    assert (a > x).tolist() == [True, True]


def test_numpy_sees_the_same_memory() -> None:
    x = lucid.zeros(2)
    x.numpy()[0] = 5
    assert x.tolist() == [5, 0] and np.asarray(x)[0] == 5 and np.array(x, dtype="float64").dtype == "float64"
    w = lucid.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="read-only"):
        w.numpy()[0] = 5
    assert np.shares_memory(w.numpy(), w.detach().numpy())


def test_dlpack_both_ways() -> None:
    x = lucid.ones(3)
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.numpy())
    assert np.shares_memory(lucid.from_dlpack(array).numpy(), array)
    with pytest.raises(BufferError, match=r"use .detach\(\)"):
        np.from_dlpack(lucid.ones(3, requires_grad=True))


@pytest.mark.parity
def test_dlpack_with_pytorch() -> None:
    import torch

    x = lucid.ones(3)
    theirs = torch.from_dlpack(x)
    theirs[0] = 7
    assert x.tolist() == [7, 1, 1] and lucid.from_dlpack(theirs).tolist() == [7, 1, 1]


def test_python_protocols() -> None:
    x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]] and 3 in x and 5 not in x
    one = lucid.tensor(2.0)
    assert (
        float(one) == 2
        and int(one) == 2
        and bool(one)
        and f"{one:.2f}" == "2.00"
        and [10, 20, 30][lucid.tensor(1)] == 20
    )
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert len({x, x, one}) == 2 and x.item() if x.numel() == 1 else True


# -- attributes ------------------------------------------------------------------------------------------------------


def test_attributes() -> None:
    x = lucid.zeros(2, 3)
    assert (x.shape, x.size(), x.size(-1), x.ndim, x.dim(), x.numel(), x.device) == ((2, 3), (2, 3), 3, 2, 2, 6, "cpu")
    assert x.element_size() == 4 and x.is_floating_point() and x.is_leaf and x.grad_fn is None and lucid.is_tensor(x)
    y = x.requires_grad_() * 2
    assert y.grad_fn.name() == "multiply" and not y.is_leaf and x.is_leaf and y.requires_grad
    assert y.detach().is_leaf and not y.detach().requires_grad and np.shares_memory(y.detach().numpy(), y.numpy())
    assert x.new_zeros(3).dtype == x.dtype and x.double().new_ones(2, 2).tolist() == [[1, 1], [1, 1]]
    assert x.T.contiguous().is_contiguous() and not x.T.is_contiguous() and x.contiguous() is x


def test_requires_grad_can_be_switched_on_leaves() -> None:
    x = lucid.ones(2)
    x.requires_grad = True
    assert (x * 2).requires_grad
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    with pytest.raises(RuntimeError, match=r"use \.detach\(\)"):
        (x.requires_grad_() * 2).requires_grad = False


def test_to_returns_itself_where_nothing_changes() -> None:
    x = lucid.ones(2)
    assert x.to("cpu") is x and x.to(F32) is x and x.to(x) is x and x.cpu() is x and x.float() is x
    assert (
        x.to("cpu", F64).dtype == F64
        and x.to(device="cpu", dtype="int64").dtype == I64
        and x.type_as(lucid.arange(2)).dtype == I64
    )


def test_grad_takes_only_what_fits() -> None:
    x = lucid.ones(2, requires_grad=True)
    x.grad = lucid.zeros(2)
    x.grad = None
    with pytest.raises(TypeError, match="expected a Tensor or None, got ndarray"):
        x.grad = np.zeros(2)
    with pytest.raises(
        ValueError, match=r"expected shape \(2,\) and float32 on cpu, got shape \(3,\) and float32 on cpu"
    ):
        x.grad = lucid.zeros(3)


def test_data_reads_as_a_tensor_and_can_be_replaced() -> None:
    w = lucid.nn.Parameter(lucid.ones(2))
    w.data.mul_(3)
    assert w.tolist() == [3, 3] and not w.data.requires_grad
    w.data = lucid.zeros(3)
    (w * 2).sum().backward()
    assert w.grad.shape == (3,) and w.requires_grad
    with pytest.raises(TypeError, match="cannot hold int64"):
        w.data = lucid.arange(3)


def test_parameter_owns_a_copy_in_its_dtype() -> None:
    source = np.ones(2)
    p = lucid.nn.Parameter(source)
    source[0] = 5
    assert p.tolist() == [1, 1] and p.dtype == F64 and p.requires_grad and p.is_leaf
    assert not lucid.nn.Parameter(lucid.arange(2), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="int64 has no gradients; use a float dtype"):
        lucid.nn.Parameter(lucid.arange(2))


# -- display, copies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "t, text",
    [
        (lambda: lucid.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: lucid.tensor(3), "tensor(3)"),
        (lambda: lucid.tensor([1.0], dtype=F64), "tensor([1.], dtype=float64)"),
        (lambda: lucid.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: lucid.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<multiply>)"),
        (lambda: lucid.zeros(0, 3), "tensor([], shape=(0, 3))"),
        (lambda: lucid.nn.Parameter(lucid.ones(1)), "Parameter(tensor([1.], requires_grad=True))"),
        (lambda: lucid.tensor([[True], [False]]), "tensor([[ True],\n        [False]])"),
    ],
)
def test_repr(t: Any, text: str) -> None:
    assert repr(t()) == text


def test_repr_of_large_tensors_is_short() -> None:
    assert len(repr(lucid.zeros(1000, 1000))) < 600


@pytest.mark.parametrize("again", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
def test_leaves_can_be_copied(again: Any) -> None:
    for t in (lucid.nn.Parameter([1.0, 2.0]), lucid.tensor([1, 2]), lucid.ones(2, requires_grad=True)):
        if t.requires_grad:
            t.grad = lucid.tensor([3.0, 4.0])
        twin = again(t)
        assert type(twin) is type(t) and twin.requires_grad == t.requires_grad and twin.tolist() == t.tolist()
        assert not np.shares_memory(twin.numpy(), t.numpy())
        assert (twin.grad is None) == (t.grad is None)
    x = lucid.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"only leaves can be .*an output of <multiply>; use \.detach\(\)"):
        again(x * 2)
    a, b = again((x, x))
    assert a is b


# -- indexing --------------------------------------------------------------------------------------------------------

X = np.arange(24.0).reshape(2, 3, 4)
INDICES: list[Any] = [
    0, -1, slice(None), slice(None, None, -1), slice(2, None, -2), (0, 1, 2), (..., 0), (None, ...),
    (slice(None), None, 0), (0, slice(1, 3)), (slice(None), slice(None, None, -2), -1),
    [0, 1, 1], np.array([1, 0]), (slice(None), [0, 2]), ([0, 1], [2, 0]), ([[0], [1]], [0, 2]), X > 5, X[:, :, 0] > 8,
    (slice(None), [True, False, True]), (0, X[0] > 3),
    ([0, 1], slice(None), [3, 0]), (slice(None), [0, 2], None, [1, 1]), (..., [0, -1]), (True,), np.int64(1),
    (np.array(1), 2), [], (0, [], slice(None)), (slice(0, 0), 1), ((slice(None),) * 3), ([1, 0], 0),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_follows_numpy_in_value_and_gradient(index: Any) -> None:
    x = lucid.tensor(X, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.detach().numpy(), X[index])
    weights = np.cos(np.arange(y.numel())).reshape(y.shape)
    expected = np.zeros_like(X)
    np.add.at(expected, index, weights)
    y.backward(lucid.tensor(weights))
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assignment_follows_numpy(index: Any) -> None:
    expected, x = X.copy(), lucid.tensor(X)
    expected[index] = -1
    x[index] = -1
    np.testing.assert_array_equal(x.numpy(), expected)


def test_tensors_index_tensors() -> None:
    x = lucid.arange(6).reshape(2, 3)
    assert x[lucid.tensor([1, 0])].tolist() == [[3, 4, 5], [0, 1, 2]] and x[x > 3].tolist() == [4, 5]
    assert x[lucid.tensor(1), lucid.tensor(2)].item() == 5 and x[[lucid.tensor(1), 0]].tolist() == [
        [3, 4, 5],
        [0, 1, 2],
    ]


def test_one_element_is_a_view_too() -> None:
    x = lucid.zeros(3)
    x[1].fill_(5)
    assert x.tolist() == [0, 5, 0]


# -- the sentence for a wrong use: see also errors.py ------------------------------------------------------------------


def test_a_gpu_that_is_not_there_says_what_to_do() -> None:
    from lucid.gpu.namespace import gpu

    try:
        gpu()
    except RuntimeError as missing:
        with pytest.raises(RuntimeError) as caught:
            lucid.zeros(2, device="cuda")
        assert str(caught.value) == f"zeros: {missing}"
        assert "pip install" in str(missing) or "device='cpu'" in str(missing)


def test_a_formula_for_nothing_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="bad: a vjp of 'z', but the inputs are x"):

        @lucid.op(z=lambda xp, g: g)
        def bad(xp: Any, x: Any) -> Any:
            return x

    with pytest.raises(TypeError, match="worse: the vjp of 'x' asks for y; it can have out, x, x_dtype, x_shape"):

        @lucid.op(x=lambda xp, g, y: g)
        def worse(xp: Any, x: Any) -> Any:
            return x


def test_errors_of_the_users_own_forward_come_through() -> None:
    @lucid.op(x=lambda xp, g: g)
    def divides(xp: Any, x: Any) -> Any:
        return x * (1 // 0)

    with pytest.raises(ZeroDivisionError):
        divides(lucid.ones(2))

    @lucid.op(x=lambda xp, g: g)
    def asks(xp: Any, x: Any) -> Any:
        return xp.nothing(x)

    with pytest.raises(AttributeError, match="xp.nothing: no operation, and not in lucid's array namespace"):
        asks(lucid.ones(2))


def test_a_users_operation_cannot_take_the_place_of_another() -> None:
    """The formulas of gelu say xp.erf, and mean lucid's."""
    with pytest.raises(
        TypeError, match="op: lucid.ops.special has an operation 'erf' already.*give yours another name"
    ):

        @lucid.op(x=lambda xp, g: g)
        def erf(xp: Any, x: Any) -> Any:
            return x * 7.0

    assert abs(lucid.nn.functional.gelu(lucid.tensor([1.0])).item() - 0.8413) < 1e-4
    for factor in (2.0, 3.0):  # one's own may be defined anew, as in a notebook

        @lucid.op(x=lambda xp, g: g)
        def scaled(xp: Any, x: Any, factor: float = factor) -> Any:
            return x * factor

        assert scaled(lucid.ones(1), factor).item() == factor


def test_operations_look_like_functions() -> None:
    assert (
        lucid.tanh.__name__ == lucid.tanh.__qualname__ == "tanh"
        and pickle.loads(pickle.dumps(lucid.tanh)) is lucid.tanh
    )
    with pytest.raises(TypeError, match=r"^tanh\(\)"):
        lucid.tanh(lucid.ones(1), inplace=True)


@pytest.mark.parametrize("name", "histc mode sinc mvlgamma softmin dsplit gcd".split())
def test_another_name_of_pytorchs_is_not_taken_for_a_typo(name: str) -> None:
    with pytest.raises(AttributeError, match=f"^lucid has no '{name}'$"):
        getattr(lucid, name)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: lucid.logdet, r"lucid has no 'logdet': write lucid.linalg.slogdet\(x\)"),
        (lambda: lucid.fft, "lucid has no 'fft': there are no complex numbers; write two real tensors"),
        (lambda: lucid.jit, "lucid has no 'jit': operations run as they are called; leave it out"),
        (lambda: lucid.nn.Conv3d, "lucid.nn has no 'Conv3d': there are no layers of volumes"),
        (lambda: lucid.optim.Adamw, "lucid.optim has no 'Adamw'; there is 'AdamW'"),
        (lambda: lucid.utils.data.get_worker, "lucid.utils.data has no 'get_worker'$"),
        (lambda: lucid.sofmax, "lucid has no 'sofmax'; there is 'softmax'"),
        (lambda: lucid.zeross, "lucid has no 'zeross'; there is 'zeros'"),
        (lambda: lucid.matmull, "lucid has no 'matmull'; there is 'matmul'"),
        (lambda: lucid.nn.CrossEntropyLos, "lucid.nn has no 'CrossEntropyLos'; there is 'CrossEntropyLoss'"),
        (lambda: lucid.nn.functional.cross_entrpy,
         "lucid.nn.functional has no 'cross_entrpy'; there is 'cross_entropy'"),
        (lambda: lucid.nn.utils.clip_grad_values, "lucid.nn.utils has no .*; there is 'clip_grad_value_'"),
        (lambda: lucid.linalg.choleski, "lucid.linalg has no 'choleski'; there is 'cholesky'"),
        (lambda: lucid.optim.Adamaxx, "lucid.optim has no 'Adamaxx'; there is 'Adamax'"),
        (lambda: lucid.autograd.jacobean, "lucid.autograd has no 'jacobean'; there is 'jacobian'"),
    ],
)
def test_what_is_not_there_is_said_to_be(use: Any, message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        use()
