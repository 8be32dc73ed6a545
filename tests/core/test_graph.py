"""The graph: what is recorded, how it is walked, when it goes away."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.backward import reachable
from tests.interrupts import at_every_moment
from tests.whole import whole


def leaf(*values: float) -> lucid.Tensor:
    return lucid.tensor([float(value) for value in values], requires_grad=True)


# -- grad mode -------------------------------------------------------------------------------------------------------


def test_no_grad_is_a_context_manager_and_a_decorator() -> None:
    x = leaf(1, 2)

    @lucid.no_grad()
    def double(t: lucid.Tensor) -> lucid.Tensor:
        return t * 2

    assert not double(x).requires_grad and (x * 2).requires_grad
    with lucid.no_grad():
        assert not (x * 2).requires_grad
        with lucid.enable_grad():
            assert (x * 2).requires_grad
        assert not lucid.is_grad_enabled()
    assert lucid.is_grad_enabled()


def test_no_grad_ends_with_an_error_too() -> None:
    with pytest.raises(KeyError), lucid.no_grad():
        raise KeyError
    assert lucid.is_grad_enabled()


def test_set_grad_enabled_works_at_once_and_as_a_context() -> None:
    lucid.set_grad_enabled(False)
    assert not lucid.is_grad_enabled()
    with lucid.set_grad_enabled(True):
        assert lucid.is_grad_enabled()
    assert not lucid.is_grad_enabled()


def test_no_grad_without_parentheses_says_so() -> None:
    with pytest.raises(TypeError, match=r"@no_grad\(\) with parentheses"):
        lucid.no_grad(lambda: None)


def test_grad_mode_belongs_to_the_thread() -> None:
    seen = []
    with lucid.no_grad():
        worker = threading.Thread(target=lambda: seen.append(lucid.is_grad_enabled()))
        worker.start()
        worker.join()
    assert seen == [True]


@pytest.mark.parametrize("context", [lucid.no_grad, lucid.enable_grad, lucid.inference_mode])
def test_an_interrupt_never_leaves_recording_switched(context: Callable[[], Any]) -> None:
    def make() -> Callable[[], object]:
        x, once = leaf(1, 2), context()

        def run() -> None:
            with context():
                x * 2
            with once, once:
                x.exp()
            context()(lambda: x + 1)()

        return run

    for outside in (lucid.enable_grad, lucid.no_grad):
        with outside():
            mode, moments = lucid.is_grad_enabled(), 0
            for _ in at_every_moment(make):
                moments += 1
                assert lucid.is_grad_enabled() is mode
            assert moments > 30


def test_blocks_that_do_not_end_in_the_order_in_which_they_began_leave_nothing_behind() -> None:
    def generator(context: Callable[[], Any]) -> Iterator[bool]:
        with context():
            yield lucid.is_grad_enabled()

    for first, second in product((lucid.no_grad, lucid.enable_grad), repeat=2):
        a, b = generator(first), generator(second)
        assert [next(a), next(b)] == [first is lucid.enable_grad, second is lucid.enable_grad]
        a.close()
        b.close()
        assert lucid.is_grad_enabled()


def test_tasks_of_asyncio_have_a_mode_each() -> None:
    async def task(context: Callable[[], Any], turns: int) -> list[bool]:
        seen = []
        with context():
            for _ in range(turns):
                await asyncio.sleep(0)
                seen.append(lucid.is_grad_enabled())
        return [*seen, lucid.is_grad_enabled()]

    @lucid.no_grad()
    async def decorated() -> list[bool]:
        await asyncio.sleep(0)
        return [lucid.is_grad_enabled()]

    async def main() -> list[list[bool]]:
        found = await asyncio.gather(task(lucid.no_grad, 3), task(lucid.enable_grad, 1), decorated(), decorated())
        return [*found, [lucid.is_grad_enabled()]]

    assert asyncio.run(main()) == [[False, False, False, True], [True, True], [False], [False], [True]]


def test_one_object_serves_several_blocks_and_threads() -> None:
    off, barrier, seen = lucid.no_grad(), threading.Barrier(2), list[bool]()

    def work() -> None:
        with off, off:
            barrier.wait()
            seen.append(lucid.is_grad_enabled())
        seen.append(lucid.is_grad_enabled())

    in_threads(work, work)
    assert sorted(seen) == [False, False, True, True]
    with ExitStack() as stack:
        stack.enter_context(off)
        assert not lucid.is_grad_enabled()
    assert lucid.is_grad_enabled()


def test_throw_and_close_reach_a_generator_that_runs_without_recording() -> None:
    log: list[Any] = []

    @lucid.no_grad()
    def generator() -> Iterator[str]:
        try:
            while True:
                try:
                    log.append((yield "value"))
                except KeyError as error:
                    log.append((type(error), lucid.is_grad_enabled()))
                    yield "caught"
        finally:
            log.append(("closed", lucid.is_grad_enabled()))

    running = generator()
    assert [next(running), running.send(5)] == ["value", "value"]
    assert [running.throw(KeyError("k")), next(running)] == ["caught", "value"]
    assert lucid.is_grad_enabled()
    running.close()
    assert lucid.is_grad_enabled() and log == [5, (KeyError, False), ("closed", False)]
    with pytest.raises(StopIteration):
        next(running)

    @lucid.no_grad()
    def stubborn() -> Iterator[int]:
        try:
            yield 1
        except ValueError:
            return 7

    running = stubborn()
    next(running)
    with pytest.raises(StopIteration) as stop:
        running.throw(ValueError)
    assert stop.value.value == 7 and lucid.is_grad_enabled()
    running = stubborn()
    next(running)
    with pytest.raises(OSError):
        running.throw(OSError)
    assert lucid.is_grad_enabled()


def test_an_async_generator_is_told_where_the_block_belongs() -> None:
    async def generator() -> Any:
        yield 1

    with pytest.raises(TypeError, match=r"^no_grad: expected no async generator; write `with no_grad"):
        lucid.no_grad()(generator)


def in_threads(*functions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("create_graph", [False, True])
def test_threads_that_walk_back_into_the_same_leaves_lose_no_gradient(create_graph: bool) -> None:
    x, y, turns, workers = leaf(*[1] * 50_000), leaf(3), 20, 4  # NumPy adds so many without Python's lock

    def work() -> None:
        for _ in range(turns):
            (x * y).sum().backward(create_graph=create_graph)

    in_threads(*[work] * workers)
    assert set(x.grad.tolist()) == {3 * turns * workers} and y.grad.item() == 50_000 * turns * workers


# -- backward --------------------------------------------------------------------------------------------------------


def test_gradients_add_up_over_uses_and_over_backwards() -> None:
    x = leaf(3)
    (x * x + x).backward()
    assert x.grad.item() == 7
    (2 * x).backward()
    assert x.grad.item() == 9


def test_a_gradient_that_was_kept_does_not_change_behind_ones_back() -> None:
    x = leaf(1, 2)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert first.tolist() == [1, 1] and x.grad.tolist() == [2, 2]


def test_leaves_never_share_a_gradient() -> None:
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward()
    x.grad.numpy()[:] = 9
    assert y.grad.tolist() == [1, 1]


def test_the_starting_gradient_stays_the_callers() -> None:
    x, start = leaf(1, 2), lucid.tensor([5.0, 6.0])
    (x + 0).backward(start)
    x.grad.numpy()[:] = 0
    assert start.tolist() == [5, 6]


def test_backward_on_the_leaf_itself() -> None:
    x = leaf(2)
    x.backward()
    assert x.grad.tolist() == [1]


def test_only_leaves_keep_gradients_unless_asked() -> None:
    x = leaf(2)
    y = x * 3
    z = y * y
    y.retain_grad()
    z.backward()
    assert y.grad.tolist() == [12] and x.grad.tolist() == [36]
    with pytest.warns(UserWarning, match="computed, here by multiply; call retain_grad"):
        assert z.grad is None


def test_frozen_parts_get_no_gradient() -> None:
    w, frozen = leaf(2), lucid.tensor([3.0])
    (w * frozen).backward()
    assert frozen.grad is None and w.grad.tolist() == [3]


def test_detach_stops_the_gradient() -> None:
    x = leaf(2)
    (x * x.detach()).backward()
    assert x.grad.tolist() == [2]


def test_retain_graph_allows_a_second_walk_and_nothing_else_does() -> None:
    x = leaf(2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8]
    with pytest.raises(RuntimeError, match="retain_graph=True to the first call.*an earlier step"):
        y.backward()


def test_a_released_part_of_a_new_graph_is_named_too() -> None:
    x = leaf(2)
    hidden = x * x
    hidden.sum().backward()
    with pytest.raises(RuntimeError, match="released"):
        (hidden * 3).sum().backward()


def test_create_graph_keeps_the_graph_and_gives_every_order() -> None:
    x = lucid.tensor(2.0, dtype="float64", requires_grad=True)
    y, orders = x**4, []
    for _ in range(4):
        (y,) = lucid.autograd.grad(y, x, create_graph=True)
        orders.append(y.item())
    assert orders == [32, 48, 48, 24]


def test_backward_with_create_graph_leaves_differentiable_gradients() -> None:
    x = leaf(2)
    (x**3).sum().backward(create_graph=True)
    penalty = (x.grad**2).sum()  # (3 x^2)^2, slope 36 x^3
    x.grad = None
    penalty.backward()
    assert x.grad.item() == pytest.approx(288)


def test_grad_touches_no_grad_field_and_walks_only_the_paths_it_needs() -> None:
    x, w = leaf(2), leaf(3)
    hidden = x * w
    seen = []
    w.register_hook(lambda g: seen.append(g))
    found = lucid.autograd.grad((hidden * hidden).sum(), [hidden, x])
    assert [g.tolist() for g in found] == [[12], [36]] and x.grad is None and not seen


def test_grad_of_several_outputs_and_of_the_output_itself() -> None:
    x = leaf(2)
    y = x * 3
    found = lucid.autograd.grad([y, y * y], [x, y], [lucid.ones(1), lucid.ones(1)])
    assert [g.tolist() for g in found] == [[39], [13]]


def test_grad_of_an_unused_input() -> None:
    x, other = leaf(2), leaf(1)
    with pytest.raises(RuntimeError, match="do not depend on input 1 .*allow_unused=True"):
        lucid.autograd.grad((x * 1).sum(), [x, other], retain_graph=True)
    assert lucid.autograd.grad((x * 1).sum(), [x, other], allow_unused=True)[1] is None


def test_backward_to_chosen_inputs() -> None:
    x, w = leaf(2), leaf(3)
    (x * w).backward(inputs=[x])
    assert x.grad.tolist() == [3] and w.grad is None


def test_autograd_backward_from_several_tensors() -> None:
    x = leaf(2)
    lucid.autograd.backward([x * 2, x * 3])
    assert x.grad.tolist() == [5]


# -- hooks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 1], ids=["leaf", "computed"])
def test_a_hook_sees_the_whole_gradient_and_may_replace_it(make: object) -> None:
    x, seen = leaf(2), []
    y = make(x)
    z = y * y + y
    handle = y.register_hook(lambda g: seen.append(g.item()) or g * 10)
    z.backward(retain_graph=True)
    assert seen == [5] and x.grad.tolist() == [50]
    handle.remove()
    handle.remove()  # twice is harmless
    x.grad = None
    z.backward()
    assert x.grad.tolist() == [5]


def test_a_hook_that_returns_something_else_is_refused() -> None:
    x = leaf(2)
    x.register_hook(lambda g: 3)
    with pytest.raises(RuntimeError, match="the hook must return None or a Tensor of shape"):
        (x * 1).backward()


def test_a_hook_writing_to_its_gradient_changes_nobody_elses() -> None:
    x, y = leaf(1), leaf(1)
    x.register_hook(lambda g: g.numpy().fill(7))
    (x + y).backward()
    assert y.grad.tolist() == [1]


# -- in place --------------------------------------------------------------------------------------------------------


def test_a_leaf_may_be_changed_only_under_no_grad() -> None:
    w = leaf(1, 2)
    with pytest.raises(RuntimeError, match=r"add_: this tensor is a leaf.*with lucid.no_grad\(\)"):
        w += 1
    with pytest.raises(RuntimeError, match="setitem: this tensor is a leaf"):
        w[0] = 1
    with lucid.no_grad():
        w += 1
        w[0] = 7
    assert w.tolist() == [7, 3] and w.requires_grad


def test_a_recorded_change_in_place_is_part_of_the_graph() -> None:
    x = leaf(2, 3)
    y = x * 2
    y *= 3
    y += x
    y[0] = 0
    y.sum().backward()
    assert y.tolist() == [0, 21] and x.grad.tolist() == [0, 7]


def test_plain_memory_can_join_the_graph() -> None:
    x, out = leaf(5), lucid.zeros(3)
    out[1:2] = x * x
    out.sum().backward()
    assert x.grad.tolist() == [10] and out.tolist() == [0, 25, 0]


@pytest.mark.parametrize(
    "op, name, needed",
    [
        (lambda x: x.exp(), "exp", "its own output"),
        (lambda x: x.tanh(), "tanh", "its own output"),
        (lambda x: x.softmax(0), "softmax", "its own output"),
    ],
)
def test_a_change_to_what_backward_needs_is_caught(op: object, name: str, needed: str) -> None:
    x = leaf(1, 2)
    y = op(x * 1)
    y += 1
    with pytest.raises(RuntimeError, match=f"{name} needs {needed}.*changed in place"):
        y.sum().backward()


def test_a_change_through_another_handle_is_caught() -> None:
    x, w = leaf(1, 2), leaf(3, 4)
    loss = (x * w).sum()
    with lucid.no_grad():
        w.detach()[0] = 9  # the same memory under another name, and only a part of it
    with pytest.raises(RuntimeError, match="multiply needs its input 'y'"):
        loss.backward()


def test_a_step_of_the_optimizer_between_forward_and_backward_is_caught() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = optim.Adamax(model.parameters())
    loss = model(lucid.ones(1, 2)).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="linear needs its input 'weight'"):
        loss.backward()


def test_a_change_before_the_forward_is_nobodys_business() -> None:
    x = leaf(1, 2)
    with lucid.no_grad():
        x += 1
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_new_data_is_no_change_in_place() -> None:
    w = leaf(2)
    y = w * w
    w.data = lucid.tensor([5.0])
    y.backward()
    assert w.grad.tolist() == [4]


def test_an_in_place_result_must_fit() -> None:
    with pytest.raises(ValueError, match=r"add_: the result has shape \(2, 3\)"):
        lucid.ones(3).add_(lucid.ones(2, 3))
    with pytest.raises(TypeError, match="mul_: a float32 result cannot be stored in a tensor of int64"):
        lucid.arange(3).mul_(0.5)


# -- size, time and memory -------------------------------------------------------------------------------------------


def chain(n: int) -> tuple[lucid.Tensor, lucid.Tensor]:
    x = leaf(1)
    y = x
    for _ in range(n):
        y = y + 1
    return x, y


def test_a_long_chain_walks_and_dies_without_recursion() -> None:
    assert sys.getrecursionlimit() <= 1000
    x, y = chain(100_000)
    y.backward()
    assert x.grad.item() == 1
    x, y = chain(100_000)  # dropped with its graph intact
    last = weakref.ref(y._node)
    del y
    assert last() is None


def test_doublings_are_linear() -> None:
    x = leaf(1e-30)
    y = x
    for _ in range(200):
        y = y + y  # 2**200 paths
    y.backward()
    assert x.grad.numpy()[0] == np.inf  # 2**200 is beyond float32
    assert len(reachable([(x * 2)._node])) == 1


@whole
def test_time_is_linear_in_the_operations() -> None:
    def seconds(n: int) -> float:
        _, y = chain(n)
        start = time.perf_counter()
        y.backward()
        return (time.perf_counter() - start) / n

    seconds(2000)
    small, large = median(seconds(2_000) for _ in range(5)), median(seconds(40_000) for _ in range(5))
    assert large < 4 * small


def test_training_leaves_nothing_to_the_garbage_collector() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optim.Adamax(model.parameters())
    x = lucid.randn(16, 4)

    def step() -> None:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()

    step()
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 2_000_000 and gc.collect() < 50


def test_a_graph_dies_with_its_loss() -> None:
    x = leaf(1)
    loss = (x.exp() * x).sum()
    node = weakref.ref(loss._node)
    gc.disable()
    try:
        del loss
        assert node() is None
    finally:
        gc.enable()


def test_backward_frees_arrays_as_it_goes() -> None:
    x = lucid.ones(1_000_000, requires_grad=True)
    y = x.exp()
    kept = weakref.ref(y._array)
    loss = y.sum()
    del y
    assert kept() is not None
    loss.backward()
    assert kept() is None


def test_the_leaf_may_be_gone_before_its_gradient_comes() -> None:
    x = leaf(1)
    y = x * 2
    del x
    y.backward()


def test_hash_seed_does_not_matter() -> None:
    program = """
import lucid
lucid.manual_seed(0)
m = lucid.nn.Sequential(lucid.nn.Linear(3, 5), lucid.nn.Tanh(), lucid.nn.Linear(5, 2))
o = lucid.optim.Adamax(m.parameters())
for _ in range(5):
    o.zero_grad(); (m(lucid.randn(4, 3)) ** 2).sum().backward(); o.step()
print([p.numpy().tobytes().hex() for p in m.parameters()])
"""
    runs = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(runs) == 1


def test_the_gradient_of_a_computed_tensor_is_asked_for_in_vain_and_that_is_said() -> None:
    x = leaf(1, 2)
    h, kept = x * 2, x * 3
    kept.retain_grad()
    (h + kept).sum().backward()
    says = r"^grad: .*computed, here by multiply; call retain_grad\(\) before it$"
    with pytest.warns(UserWarning, match=says) as seen:
        assert h.grad is None
    assert seen[0].filename == __file__  # the line of whoever asks
    assert kept.grad.tolist() == [1, 1] and x.grad.tolist() == [5, 5]
    assert leaf(1).grad is None and x.detach().grad is None
    h.grad = lucid.ones(2)
    assert h.grad.tolist() == [1, 1]
