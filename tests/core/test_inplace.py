"""Writes in place, to views and to what has views: beside PyTorch, and where it refuses, beside central differences.

Each program starts from x = [1, 2, 3, 4] and returns a loss. It must give PyTorch's value and gradient, or be refused
with
a sentence, or give the right gradient where PyTorch refuses; never a wrong one.
"""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.autograd import gradcheck, gradgradcheck
from lucid.core.events import NODE
from tests.gpu.gpus import there
from tests.optim.test_shared_memory import WAYS


def two(m: Any, x: Any) -> Any:
    """A computed 2 x 2 matrix: [[2, 4], [6, 8]]."""
    return (x * 2).reshape(2, 2).clone()


def weigh(m: Any, t: Any) -> Any:
    """A loss that is curved, and different in each element of t."""
    return (t * t * m.tensor(np.arange(1.0, t.numel() + 1).reshape(tuple(t.shape)))).sum()


def view_written(m: Any, x: Any) -> Any:
    y = x * 2
    z = y[0]
    z += 1
    z *= 3
    return weigh(m, y) + z


def base_written_view_read(m: Any, x: Any) -> Any:
    y = x * 2
    z = y[:2]
    y *= 3
    return weigh(m, z)


def base_assigned_view_read(m: Any, x: Any) -> Any:
    y = x * 2
    z = y[:2]
    y[0] = x[2] * x[3]
    return weigh(m, z) + y.sum()


def slice_of_a_slice(m: Any, x: Any) -> Any:
    y = two(m, x)
    z = y[1]
    w = z[1:]
    w *= x[0]
    return weigh(m, y) + weigh(m, z) + weigh(m, w)


def transposed(m: Any, x: Any) -> Any:
    y = two(m, x)
    y.t()[0] = x[:2] * x[2:]
    return weigh(m, y)


def flattened(m: Any, x: Any) -> Any:
    y = two(m, x)
    flat = y.view(-1)
    flat[1:3] *= x[1:3]
    return weigh(m, y) + weigh(m, flat)


def diagonal(m: Any, x: Any) -> Any:
    y = two(m, x)
    y.diagonal().add_(x[:2])
    return weigh(m, y)


def permuted(m: Any, x: Any) -> Any:
    y = (x * 2).reshape(1, 2, 2).clone()
    y.permute(2, 0, 1)[1].mul_(x[:2])
    return weigh(m, y)


def rows_of_plain_memory(m: Any, x: Any) -> Any:
    out = m.zeros(3, 4, dtype=m.float64)
    out[0] = x * 2
    first = out[0]
    out[1] = first + 1
    out[2] = x
    return weigh(m, out) + weigh(m, first)


def transposed_then_flattened(m: Any, x: Any) -> Any:
    y = two(m, x).t() * 1  # lies column by column, so that its transpose can be seen flat
    y.t().view(-1)[1:3] *= x[1:3]
    return weigh(m, y)


def recurrence(m: Any, x: Any) -> Any:
    h = m.zeros(4, 4, dtype=m.float64)
    h[0] = x
    for t in range(1, 4):
        h[t] = (h[t - 1] * 0.5 + 0.1).tanh()
    return weigh(m, h)


def view_taken_before_its_base_joins(m: Any, x: Any) -> Any:
    out = m.zeros(4, dtype=m.float64)
    v = out[:2]
    out[0] = x[0] * x[1]
    return weigh(m, v) + out.sum()


def view_of_plain_memory_written(m: Any, x: Any) -> Any:
    out = m.ones(4, dtype=m.float64)
    v = out[:2]
    v *= x[:2]
    return weigh(m, out)


def under_no_grad(m: Any, x: Any) -> Any:
    y = x * 2
    v = y[:2]
    with m.no_grad():
        v *= 3
    return y.sum() + v.sum()


def expanded_before_the_write(m: Any, x: Any) -> Any:
    y = x * 2
    e = y.expand(2, 4)
    y *= x
    return weigh(m, e)


def index_within_a_view(m: Any, x: Any) -> Any:
    y = two(m, x)
    v = y[1]
    v[[1, 0]] = x[:2] * x[:2]
    return weigh(m, y)


def mask_within_a_view(m: Any, x: Any) -> Any:
    y = two(m, x)
    v = y.t()
    v[v > 5] = 0.0
    return weigh(m, y)


def used_before_the_write(m: Any, x: Any) -> Any:
    y = x * 2
    z = y[:2]
    before = z.sum() * 5
    z *= 3
    return before + weigh(m, y)


def halves_exchanged(m: Any, x: Any) -> Any:
    y = x * 2
    y[:2] = y[2:]
    return weigh(m, y)


def cleared(m: Any, x: Any) -> Any:
    y = x * 2
    y[:2].zero_()
    y[3:].fill_(5)
    return weigh(m, y)


def masked(m: Any, x: Any) -> Any:
    y = x * 2
    y[1:].masked_fill_(m.tensor([True, False, True]), 7.0)
    return weigh(m, y)


def scattered(m: Any, x: Any) -> Any:
    y = two(m, x)
    y[0].scatter_add_(0, m.tensor([1, 1]), x[:2])
    y[1].scatter_(0, m.tensor([0]), x[3:])
    return weigh(m, y)


def another_dtype(m: Any, x: Any) -> Any:
    out = m.zeros(4, dtype=m.float32)
    out[:2][1] = x[1]
    return (out * out).sum().double() + x.sum()


def whole_replaced(m: Any, x: Any) -> Any:
    y = x * 2
    v = y[1:]
    y.copy_(x * x)
    v.copy_(x[:3])
    return weigh(m, y)


SAME = [view_written, base_written_view_read, base_assigned_view_read, slice_of_a_slice, transposed, flattened,
        transposed_then_flattened, diagonal, permuted, rows_of_plain_memory, recurrence,
        view_taken_before_its_base_joins, view_of_plain_memory_written, expanded_before_the_write, index_within_a_view,
        mask_within_a_view, used_before_the_write, halves_exchanged,
        cleared, masked, scattered, whole_replaced]  # fmt: skip
# their slope is not the gradient, on purpose, and too coarse for differences
UNMEASURED = [under_no_grad, another_dtype]


def multiplied_by_its_own_view(m: Any, x: Any) -> Any:
    y = x * 2
    y *= y[0]
    return weigh(m, y)


def shifted(m: Any, x: Any) -> Any:
    y = x * 2
    y[1:] = y[:-1]
    return weigh(m, y)


def columns_by_each_other(m: Any, x: Any) -> Any:
    y = two(m, x)
    a, b = y[:, 0], y[:, 1]
    a *= b
    b *= a
    return weigh(m, y)


def rows_by_iteration(m: Any, x: Any) -> Any:
    y = two(m, x)
    for row in y:
        row *= x[:2]
    return weigh(m, y)


def plain_view_from_under_no_grad(m: Any, x: Any) -> Any:
    out = m.ones(4, dtype=m.float64)
    with m.no_grad():
        v = out[:2]
    v *= x[0]
    return weigh(m, out)


FOLLOWED = [multiplied_by_its_own_view, shifted, columns_by_each_other, rows_by_iteration,
            plain_view_from_under_no_grad]


def saved_view(m: Any, x: Any) -> Any:
    y = x * 2
    z = y[:2]
    s = z * z
    y[3] = 0.0
    return s.sum() + y.sum()


def recurrence_through_a_saved_view(m: Any, x: Any) -> Any:
    h = m.zeros(4, 4, dtype=m.float64)
    h[0] = x
    for t in range(1, 4):
        h[t] = h[t - 1] * h[t - 1]
    return weigh(m, h)


def leaf_view(m: Any, x: Any) -> Any:
    v = x[:2]
    v += 1
    return v.sum()


def leaf_view_from_under_no_grad(m: Any, x: Any) -> Any:
    with m.no_grad():
        v = x[:2]
    v += 1
    return weigh(m, x)


def leaf_after_its_view(m: Any, x: Any) -> Any:
    p = m.ones(3, dtype=m.float64)
    v = p[:2]
    p.requires_grad_()
    v *= x[0]
    return weigh(m, p)


def view_from_under_no_grad(m: Any, x: Any) -> Any:
    y = x * 2
    with m.no_grad():
        v = y[:2]
    v *= 3
    return y.sum()


def expanded(m: Any, x: Any) -> Any:
    e = (x * 2).expand(2, 4)
    e += 1
    return e.sum()


def view_detached_in_place(m: Any, x: Any) -> Any:
    y = x * 2
    y[:2].detach_()
    return y.sum()


REFUSED = [
    (saved_view, "backward: multiply needs its input '[xy]'.*changed in place since"),
    (recurrence_through_a_saved_view, r"changed in place since.*keep the steps in a list and stack\(\) them"),
    (leaf_view, "add_: this tensor is a view of a leaf that requires a gradient, .*with lucid.no_grad"),
    (leaf_view_from_under_no_grad, "add_: this tensor is a view of a leaf"),
    (leaf_after_its_view, "mul_: this tensor is a view of a leaf"),
    (view_from_under_no_grad,
     r"mul_: this tensor is a view, taken under no_grad\(\), of a tensor whose history would not include"),
    (expanded, r"add_: the memory of this tensor is read-only \(expand\(\).*write to a .clone\(\)"),
    (view_detached_in_place, r"detach_: a view has its history from the tensor that it shows; use x = x.detach\(\)"),
]


def run(m: Any, program: Any) -> tuple[float, list[float]]:
    x = m.tensor([1.0, 2.0, 3.0, 4.0], dtype=m.float64, requires_grad=True)
    loss = program(m, x)
    loss.backward()
    return loss.item(), x.grad.tolist()


@pytest.mark.parametrize("program", SAME + FOLLOWED, ids=lambda f: f.__name__)
def test_gradients_follow_writes_through_views(program: Any) -> None:
    x = lucid.tensor([1.0, 2.0, 3.0, 4.0], dtype="float64", requires_grad=True)
    assert gradcheck(lambda t: program(lucid, t), x) and gradgradcheck(lambda t: program(lucid, t), x)


@pytest.mark.parity
@pytest.mark.parametrize("program", SAME + UNMEASURED, ids=lambda f: f.__name__)
def test_programs_that_write_in_place_do_as_in_pytorch(program: Any) -> None:
    import torch

    (value, slope), (expected, expected_slope) = run(lucid, program), run(torch, program)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12)


@pytest.mark.parametrize("program, message", REFUSED, ids=lambda v: getattr(v, "__name__", ""))
def test_what_cannot_be_followed_is_refused(program: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        run(lucid, program)


@pytest.mark.parity
@pytest.mark.parametrize("program", [program for program, _ in REFUSED] + FOLLOWED, ids=lambda f: f.__name__)
def test_pytorch_refuses_these(program: Any) -> None:
    import torch

    with pytest.raises(RuntimeError):
        run(torch, program)


# -- any program -----------------------------------------------------------------------------------------------------


def wander(x: Any, seed: int) -> Any:
    """A random program of views, writes in place and reads, on a tensor computed from x and one of plain memory."""
    rng = np.random.default_rng(seed)
    tensors, loss = [(x * 2).reshape(2, 2, 2).clone(), lucid.ones(2, 3, dtype="float64")], x.sum()
    for _ in range(14):
        t = tensors[rng.integers(len(tensors))]
        kind, n = rng.integers(9), t.ndim
        if kind == 0 and n and t.shape[0]:
            tensors.append(t[int(rng.integers(t.shape[0]))])
        elif kind == 1 and n:
            tensors.append(t[..., int(rng.integers(2)) : int(rng.integers(1, 4))])
        elif kind == 2 and n > 1:
            view = [t.mT, t.flip(0), t.diagonal(0, -2, -1), t.permute(*range(1, n), 0)][rng.integers(4)]
            tensors.append(view)
        elif kind == 3:
            tensors.append(t.reshape(-1))
        elif kind == 4:
            t *= x[int(rng.integers(8))] * 0.7
        elif kind == 5:
            t += float(rng.uniform(-1, 1))
        elif kind == 6 and n and t.shape[0]:
            t[int(rng.integers(t.shape[0]))] = x[int(rng.integers(8))] * 0.5
        elif kind == 7:
            t.mul_(tensors[rng.integers(len(tensors))].sum().tanh())
        else:
            loss = loss + ((t.cos() if rng.integers(2) else t) * float(rng.uniform(0.5, 1.5))).sum()  # cos keeps t
    return loss + sum((t.sin() * (i + 1)).sum() for i, t in enumerate(tensors))


def test_random_programs_are_right_or_refused() -> None:
    right = 0
    for seed in range(150):
        values = np.random.default_rng(seed).uniform(-1, 1, 8)
        x = lucid.tensor(values, requires_grad=True)
        try:
            loss = wander(x, seed)
            loss.backward()
        except RuntimeError as refused:
            assert "changed in place since" in str(refused)
            continue
        slopes = []
        for i in range(8):
            ends = [wander(lucid.tensor(values + step * np.eye(8)[i]), seed).item() for step in (1e-6, -1e-6)]
            slopes.append((ends[0] - ends[1]) / 2e-6)
        np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-5, atol=1e-6, err_msg=f"seed {seed}")
        right += 1
    assert 50 < right < 150  # of 150: the others read what was changed later


# -- the rest --------------------------------------------------------------------------------------------------------


def test_retained_gradients_move_with_the_history() -> None:
    x = lucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    z = y[:2]
    y.retain_grad()
    z.retain_grad()
    y *= x
    ((z * z).sum() + y.sum()).backward()
    assert z.grad.tolist() == [4, 16] and y.grad.tolist() == [5, 17, 1]


def test_a_leaf_that_shows_plain_memory_is_not_written_over() -> None:
    x = lucid.tensor([2.0, 3.0], requires_grad=True)
    out = lucid.ones(2)
    v = out[:1].requires_grad_()
    with pytest.raises(RuntimeError, match=r"mul_: a view of this tensor, of shape \(1,\), has a history of its own"):
        out *= x
    assert v.is_leaf and out.tolist() == [1, 1]


def test_a_root_without_history_does_not_spoil_that_of_its_views() -> None:
    x = lucid.tensor([2.0, 3.0], requires_grad=True)
    y = x * 2
    v = y[:1]
    y.detach_()
    with pytest.raises(RuntimeError, match="mul_: a view of this tensor"):
        y *= 3
    assert v.requires_grad


def test_new_data_leaves_the_views_where_they_were() -> None:
    x = lucid.tensor([2.0, 3.0], requires_grad=True)
    y = x * 2
    v = y[:1]
    y.data = lucid.tensor([7.0, 8.0])
    v *= 3
    assert v.tolist() == [12] and y.tolist() == [7, 8]
    (v.sum() * 5 + y.sum()).backward()
    assert x.grad.tolist() == [32, 2]


def test_a_view_with_new_data_is_one_no_longer() -> None:
    x = lucid.tensor([2.0, 3.0], requires_grad=True)
    y = x * 2
    v = y[:1]
    v.data = lucid.tensor([7.0])
    v *= 3
    assert v.tolist() == [21] and y.tolist() == [4, 6]
    (v.sum() * 5 + y.sum()).backward()
    assert x.grad.tolist() == [32, 2]


def test_a_view_taken_under_no_grad_stays_without_a_history() -> None:
    x = lucid.tensor([2.0, 3.0], requires_grad=True)
    y = x * 2
    with lucid.no_grad():
        v = y[:1]
    y *= 3
    assert v.tolist() == [12] and not v.requires_grad and y[:1].requires_grad


def test_a_read_only_array_is_not_written_to() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    t = lucid.from_numpy(array)
    for write in (lambda: t.add_(1), lambda: t.__setitem__(0, 5.0), lambda: t.zero_()):
        with pytest.raises(RuntimeError, match="the memory of this tensor is read-only"):
            write()
        with lucid.no_grad(), pytest.raises(RuntimeError, match="the memory of this tensor is read-only"):
            write()


def test_a_users_operation_that_hands_its_input_on_is_not_followed() -> None:
    @lucid.op(view=True, x=lambda xp, g: g)
    def same_again(xp: Any, x: Any) -> Any:
        return x

    y = lucid.tensor([1.0, 2.0], requires_grad=True) * 1
    part = y[:1]
    same_again(part)
    for t in (y, part):
        with pytest.raises(RuntimeError, match="is a view of another or has views, made by a function"):
            t *= 2


def test_views_are_forgotten_when_they_are_gone() -> None:
    x = lucid.zeros(10, 3)
    kept = x[0]
    for _ in range(1000):
        x[1]
    assert len(x.views) < 64 and x.views[0]() is kept
    gone = weakref.ref(x)
    gc.disable()
    try:
        del x
        assert gone() is not None  # kept shows it
        del kept
        assert gone() is None
    finally:
        gc.enable()


def test_a_long_chain_of_views_dies_without_recursion() -> None:
    t = lucid.zeros(3)
    for _ in range(100_000):
        t = t[:]
    first = weakref.ref(t)
    del t
    assert first() is None


def test_writing_row_by_row_keeps_no_copies() -> None:
    x = lucid.ones(100_000, requires_grad=True)
    out = lucid.zeros(50, 100_000)
    tracemalloc.start()
    for i in range(50):
        out[i] = x
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 100_000 * 4  # less than one row
    out.sum().backward()
    assert x.grad[0].item() == 50


def test_assigning_what_is_no_tensor() -> None:
    x = lucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y[0] = np.float64(5)
    y[1:] = [6, 7]
    y[2:] = np.array([8])
    y[0:1] = 9
    y.sum().backward()
    assert y.tolist() == [9, 6, 8] and y.dtype == lucid.float32 and x.grad.tolist() == [0, 0, 0]
    with pytest.raises(TypeError, match="cannot make a tensor of"):
        y[0] = "a"
    with pytest.raises(IndexError, match="setitem: index 7 is out of bounds"):
        y[7] = 1.0


# -- several values for one place --------------------------------------------------------------------------------------

AGAIN, OTHER = np.array([[0, 2, -1, 0], [2, 2, 1, -3]]), np.array([[1, 0, 0, 1], [0, 0, 1, -1]])
# name -> (the shape of what is written, the write, its places among the 12 of a (3, 2, 2) tensor, in the order of rows)
REPEATS: dict[str, tuple[tuple[int, ...], Any, Any]] = {
    "one array": ((2, 4, 2, 2), lambda x, v: x.__setitem__(lucid.tensor(AGAIN), v), AGAIN),
    "a list": ((3, 2, 2), lambda x, v: x.__setitem__([0, 0, 1], v), [0, 0, 1]),
    "two arrays": ((2, 4, 2), lambda x, v: x.__setitem__((AGAIN, OTHER), v), (AGAIN, OTHER)),
    "arrays that broadcast": ((2, 3, 2), lambda x, v: x.__setitem__((np.array([[0], [0]]), [1, 0, 1]), v),
                              (np.array([[0], [0]]), [1, 0, 1])),
    "an array in columns": ((4, 2, 2, 2), lambda x, v: x.__setitem__(AGAIN.T, v), AGAIN.T),
    "an array from the end": ((2, 4, 2, 2), lambda x, v: x.__setitem__(AGAIN[::-1, ::-1], v), AGAIN[::-1, ::-1]),
    "an array and a slice": ((3, 4, 1), lambda x, v: x.__setitem__((slice(None), OTHER[1], slice(1, 2)), v),
                             (slice(None), OTHER[1], slice(1, 2))),
    "arrays apart": ((4, 2), lambda x, v: x.__setitem__((AGAIN[0], slice(None), OTHER[0]), v),
                     (AGAIN[0], slice(None), OTHER[0])),
    "a mask and an array": ((3, 2), lambda x, v: x.__setitem__((np.array([True, True, True]), [1, 1, 0]), v),
                            (np.array([True, True, True]), [1, 1, 0])),
    "a value that is stretched": ((4, 1, 2), lambda x, v: x.__setitem__(AGAIN, v), AGAIN),
    "a number": ((), lambda x, v: x.__setitem__(AGAIN, v), AGAIN),
    "a view": ((3, 2), lambda x, v: x[1].__setitem__([1, 1, 0], v), (1, [1, 1, 0])),
    "a view of a view": ((3,), lambda x, v: x.transpose(0, 2)[1][0].__setitem__([2, 2, 0], v), ([2, 2, 0], 0, 1)),
    "scatter_": ((4, 2), lambda x, v: x[0].scatter_(0, lucid.tensor([[0, 1], [1, 1], [0, 0], [0, 1]]), v),
                 (0, np.array([[0, 1], [1, 1], [0, 0], [0, 1]]), np.array([[0, 1]] * 4))),
    "scatter": ((4, 2), lambda x, v: x.copy_(x.reshape(6, 2).scatter(
                    0, lucid.tensor([[0, 1], [5, 1], [0, 5], [5, 1]]), v).reshape(3, 2, 2)),
                (np.array([[0, 0], [2, 0], [0, 2], [2, 0]]), np.array([[0, 1], [1, 1], [0, 1], [1, 1]]),
                 np.array([[0, 1]] * 4))),
}  # fmt: skip
LAYOUTS = {"rows": lambda a: a, "columns": np.asfortranarray, "from the end": lambda a: a[::-1] if a.ndim else a}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", REPEATS)
def test_of_several_values_for_one_place_the_last_stays_and_has_the_gradient(name: str, device: str) -> None:
    shape, write, places = REPEATS[name]
    rng = np.random.default_rng(0)
    start, seen = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2, 2))
    places = np.arange(12).reshape(3, 2, 2)[places]
    with there("stand-in") if device == "cuda" else contextlib.nullcontext():
        for layout in LAYOUTS.values():
            values = layout(rng.normal(size=shape))
            x = lucid.tensor(start, requires_grad=True)
            v = lucid.as_tensor(values) if device == "cpu" else lucid.tensor(values)
            v.requires_grad_()
            y = x * 1
            write(y, v)
            (y * lucid.tensor(seen)).sum().backward()
            out, owner = start.copy().reshape(-1), {}
            of_value = np.broadcast_to(np.arange(values.size).reshape(shape), places.shape)
            for place, number in zip(places.ravel(), of_value.ravel(), strict=True):  # one after the other, in rows
                out[place], owner[place] = values.reshape(-1)[number], number
            slope, kept = np.zeros(values.size), seen.copy().reshape(-1)
            for place, number in owner.items():
                slope[number] += seen.reshape(-1)[place]
                kept[place] = 0
            np.testing.assert_array_equal(y.detach().cpu().numpy().reshape(-1), out)
            np.testing.assert_allclose(v.grad.cpu().numpy().reshape(-1), slope, rtol=1e-14)
            np.testing.assert_array_equal(x.grad.cpu().numpy().reshape(-1), kept)


@pytest.mark.parametrize("name", REPEATS)
def test_central_differences_agree_about_values_that_were_written_over(name: str) -> None:
    def squared(x: lucid.Tensor, v: lucid.Tensor) -> lucid.Tensor:
        y = x * 1
        REPEATS[name][1](y, v * v)
        return y * y

    rng = np.random.default_rng(0)
    inputs = [lucid.tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 2, 2), REPEATS[name][0])]
    assert gradcheck(squared, inputs) and gradgradcheck(squared, inputs)
@pytest.mark.parametrize(
    "view", [lambda v: v[:], lambda v: v.T, lambda v: v.reshape(3, 3), lambda v: v.unsqueeze(0)[0]]
)
@pytest.mark.parametrize("depth", [3, 1100])
def test_a_write_through_a_chain_of_views_however_long(view, depth):
    """With a gradient of a gradient, which repeats the write, and then for all who share the memory."""
    start, value = lucid.ones(3, 3, requires_grad=True), lucid.tensor([2.0], requires_grad=True)
    x = start * 1
    last, views = view(x), []
    for _ in range(depth - 1):
        last, views = view(last), [*views[:5], last]
    last[0, 1] = value.sum()
    loss = (x**3).sum() + (last**2).sum() + (views[-1] ** 2).sum()
    first, second = lucid.autograd.grad(loss, [start, value], create_graph=True)
    assert first.sum().item() == 8 * 7 and second.tolist() == [3 * 4 + 4 * 2]
    second.sum().backward()
    assert value.grad.tolist() == [6 * 2 + 4]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_backward_notices_a_write_through_another_tensor_of_the_same_memory(way):
    whole, part, beside = map(lucid.from_numpy, way(np.arange(8.0), [(0, 4), (2, 4), (4, 8)]))
    w = lucid.ones(4, requires_grad=True)
    out = (whole * w).sum()
    part += 1
    with pytest.raises(RuntimeError, match="multiply needs its input 'x' .* changed in place"):
        out.backward()
    out = (w * whole).sum()
    out.backward()  # the write came before
    assert w.grad.tolist() == [0, 1, 3, 4] and beside.tolist() == [4, 5, 6, 7]


def test_a_write_gives_a_new_history_to_what_shows_the_same_elements_and_to_nothing_else():
    w, made = lucid.ones(2, requires_grad=True), []
    base = lucid.zeros(50, 2) * w
    rows = [base[i] for i in range(50)]
    NODE.append(lambda node, out: made.append(node))
    try:
        for row in rows:
            row += w
    finally:
        NODE.pop()
    assert len(made) <= 5 * len(rows)
    rows[0].mul_(3)
    base[1:3].mul_(2)
    (base.sum() + rows[1].sum() + rows[2].square().sum()).backward()
    assert w.grad.tolist() == [47 + 3 + 2 + 2 + 2 + 8] * 2
