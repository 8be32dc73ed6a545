"""Moving many parameters at once: how many evaluations, over what memory, and what is refused."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.optim import Adamax, AdamW, Rprop, chunks
from tests.interrupts import at_every_moment
from tests.optim.training import Naive, equal, give, parameter

# -- how many evaluations, and over what ---------------------------------------------------------------------


class Counted(Adamax):
    """Adamax that tells how many numbers each evaluation of its rule is given."""

    def sizes_of_step(self) -> list[int]:
        self.step()
        assert self._plan is not None
        pieces = [getattr(bucket, "chunks", [(..., bucket, [])]) for bucket in self._plan.buckets]
        return [piece.size for each in pieces for _, piece, _ in each]


class Normalised(Adamax):
    """One whose rule is not elementwise."""

    @staticmethod
    def rule(xp, theta, g, m, u, step, *, beta1, beta2, eps, weight_decay):
        return step * g / xp.max(u), m, xp.abs(g)


def toy() -> list[nn.Parameter]:
    """The parameters of a 2-16-16-1 network, each with a gradient."""
    ps = [nn.Parameter(np.ones(s, "float32")) for s in [(16, 2), (16,), (16, 16), (16,), (1, 16), (1,)]]
    for p in ps:
        p.grad = lucid.ones(*p.shape)
    return ps


def test_a_toy_model_costs_one_evaluation() -> None:
    optimizer = Counted(toy())
    assert optimizer.sizes_of_step() == optimizer.sizes_of_step() == [337]


def test_a_missing_gradient_another_t_dtype_or_group_splits_the_pack() -> None:
    ps = toy()
    optimizer = Counted(ps)
    ps[1].grad = None
    assert optimizer.sizes_of_step() == [321]
    give(ps[1], *[1.0] * 16)
    assert optimizer.sizes_of_step() == optimizer.sizes_of_step() == [321, 16]
    double = [give(parameter(1.0, 2.0), 1.0, 1.0) for _ in range(2)]
    optimizer.add_param_group({"params": double})
    assert optimizer.sizes_of_step() == [321, 16, 4]
    one_group = Counted(toy() + [give(parameter(1.0), 1.0) for _ in range(2)])
    assert one_group.sizes_of_step() == [337, 2]
    one_group.param_groups.append(
        {**one_group.param_groups[0], "params": [one_group.param_groups[0]["params"].pop(0)]}
    )
    assert one_group.sizes_of_step() == [305, 2, 32]


def test_lists_of_parameters_that_users_edit_are_followed() -> None:
    ps, other = toy(), give(parameter(1.0, 1.0, dtype="float32"), 1.0, 1.0)
    optimizer = Counted(ps)
    listed = optimizer.param_groups[0]["params"]
    assert optimizer.sizes_of_step() == [337]
    listed.append(other)
    assert optimizer.sizes_of_step() == [337, 2]
    listed[0] = listed.pop()  # as many as before, but another
    assert sorted(optimizer.sizes_of_step()) == [2, 305]
    del listed[0]
    assert optimizer.sizes_of_step() == [305]
    assert [optimizer.state[p]["t"] for p in (ps[0], ps[1], other)] == [2, 4, 2]


def test_state_keeps_its_arrays_while_the_plan_holds() -> None:
    ps = toy()
    optimizer = Adamax(ps)
    optimizer.step()
    arrays = [optimizer.state[p][slot] for p in ps for slot in "mu"]
    for _ in range(3):
        optimizer.step()
    assert all(
        a is b for a, b in zip(arrays, [optimizer.state[p][slot] for p in ps for slot in "mu"], strict=True)
    )
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    assert not any(np.shares_memory(a, x) for a in arrays for p in ps for x in (p._array, p.grad._array))


def test_state_that_left_a_pack_does_not_keep_the_pack_alive() -> None:
    ps = toy()
    optimizer = Adamax(ps)
    optimizer.step()
    for p in ps[1:]:
        p.grad = None
    optimizer.step()
    assert optimizer.state[ps[0]]["m"].base.size == ps[0]._array.size


def test_big_parameters_go_in_even_pieces_and_small_ones_in_full_packs() -> None:
    rng = np.random.default_rng(0)
    ps = [
        nn.Parameter(rng.standard_normal(s).astype("float32"))
        for s in [(900, 500), (1, 600_000), (3, 16), (270_000,)]
    ]
    ps += [nn.Parameter(rng.standard_normal((80, 100)).astype("float32")) for _ in range(5)]
    for p in ps:
        p.grad = lucid.Tensor(rng.standard_normal(p.shape).astype("float32"))
    optimizer = Counted(ps)
    expected = Naive(Adamax(ps)).predict(optimizer.param_groups)
    sizes = optimizer.sizes_of_step()
    assert all(np.array_equal(p._array, theta) for p, theta in expected.items())
    assert sizes == [112_500] * 4 + [120_000] * 5 + [32_048] + [90_000] * 3 + [8_000]


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4), (2, 1, 9), (1, 1, 1), (4, 0, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_pieces_cover_every_element_once(shape: tuple[int, ...], size: int) -> None:
    count = np.zeros(shape, int)
    for piece in chunks.chunk_slices(shape, size):
        count[piece] += 1
        assert count[piece].size <= size
    assert (count == 1).all()


# -- threads ---------------------------------------------------------------------------------------------------


def big(dtype: str = "float32") -> tuple[nn.Parameter, Adamax]:
    """One parameter of eleven pieces, and its optimizer."""
    p = nn.Parameter(np.random.default_rng(0).standard_normal((44, 256, 256)).astype(dtype))
    p.grad = lucid.Tensor(np.random.default_rng(1).standard_normal(p.shape).astype(dtype))
    p.grad._array[3, 5, 7] = np.inf
    return p, Adamax([p], weight_decay=0.1)


@pytest.mark.parametrize("workers", [2, 5, 20])
def test_threads_give_the_same_bits(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in (1, workers):
        monkeypatch.setattr(chunks, "worker_count", lambda count=count: count)
        p, optimizer = big()
        for _ in range(3):
            optimizer.step()
        found.append([p._array, optimizer.state[p]["m"], optimizer.state[p]["u"]])
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*found, strict=True))
    assert np.isnan(found[0][0]).sum() == 1


def test_what_a_thread_raises_is_raised_by_the_step_and_the_others_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "worker_count", lambda: 3)
    _, optimizer = big()
    optimizer.step()
    calls: list[int] = []

    def fails(self: object, theta: object, memory: object, g: object, worker: int) -> list[Any]:
        calls.append(worker)
        if worker:
            raise IndexError("a thread's own")
        time.sleep(0.05)
        return []

    monkeypatch.setattr(chunks.ChunkedBucket, "calls_of", fails)
    with pytest.raises(IndexError, match="a thread's own"):
        optimizer.step()
    assert len(calls) < 11 and any(calls)


def test_a_rule_without_a_program_and_half_precision_stay_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "run_parallel", None)
    p, _ = big()
    Normalised([p]).step()  # it need not be pure
    big("float16")[1].step()
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        big()[1].step()


def test_several_parameters_are_shared_together_and_few_pieces_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    helped: list[int] = []
    helpers = chunks.helpers
    monkeypatch.setattr(chunks, "worker_count", lambda: 2)
    monkeypatch.setattr(chunks, "helpers", lambda wanted: (helped.append(1), helpers(wanted))[1])
    for count, expected in ((3, 0), (5, 1)):
        ps = [nn.Parameter(np.ones((2, 50_000), "float32")) for _ in range(count)]
        for p in ps:
            p.grad = lucid.ones(2, 50_000)
        optimizer = Adamax(ps, lr=0.25, eps=0)
        optimizer.step()
        assert len(helped) == expected and all((p._array == 0.75).all() for p in ps)


FORK = """
import os, sys
import numpy as np
import lucid
from lucid.optim import Adamax, chunks

chunks.worker_count = lambda: 3
p = lucid.nn.Parameter(np.ones(2_000_000, "float32"))
p.grad = lucid.ones(2_000_000)
optimizer = Adamax([p], lr=0.25, eps=0)
optimizer.step()
child = os.fork()
optimizer.step()
right = bool((p._array == 0.5).all())
if not child:
    os._exit(0 if right else 1)
sys.exit(not right or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_threads_of_its_own() -> None:
    if hasattr(os, "fork"):
        root = str(Path(lucid.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORK], env={**os.environ, "PYTHONPATH": root}, timeout=60
        )
        assert done.returncode == 0


def test_a_gradient_that_is_another_parameters_memory_is_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the two orders there is one, whatever the threads do: what overlaps is not shared."""
    found = []
    for count in (1, 3):
        monkeypatch.setattr(chunks, "worker_count", lambda count=count: count)
        (p, optimizer), (q, _) = big(), big()
        optimizer.add_param_group({"params": [q]})
        q.grad = lucid.Tensor(p._array)
        for _ in range(3):
            optimizer.step()
        found.append((p._array.tobytes(), q._array.tobytes()))
    assert found[0] == found[1]


def test_how_many_threads_there_are_is_for_the_user_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for value, expected in (("1", 1), ("", available), ("0", available), ("100000", available), ("4,2", available)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert chunks.worker_count() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert chunks.worker_count() == available
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert chunks.worker_count() == os.cpu_count()


# -- interrupts ------------------------------------------------------------------------------------------------


class Unreadable(Adamax):
    """A rule that cannot be traced."""

    @staticmethod
    def rule(xp, theta, g, m, u, step, *, beta1, beta2, eps, weight_decay):
        if g.size and float(g.reshape(-1)[0]) > 1e30:
            g = g * 0
        return Adamax.rule(xp, theta, g, m, u, step, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)


SETTINGS: dict[str, Any] = {
    "packed": (Adamax, [(4,), (2, 3), ()], "float32", 1), "packed, decay": (AdamW, [(4,), (2, 3)], "float32", 1),
    "where": (Rprop, [(4,), (3,)], "float32", 1), "half": (Adamax, [(4,), (9_000,)], "float16", 1),
    "half, decay": (AdamW, [(9_000,)], "float16", 1), "one chunk": (Adamax, [(9_000,), (3,)], "float32", 1),
    "chunks": (Adamax, [(300, 100), (200, 100)], "float32", 1),
    "not traced": (Unreadable, [(4,), (300, 100)], "float32", 1),
    "threads": (Adamax, [(300, 100), (4,), (200, 100), (400, 100)], "float32", 3),
}  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_interrupted_step_has_moved_each_parameter_or_has_not(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, shapes, dtype, workers = SETTINGS[setting]
    monkeypatch.setattr(chunks, "CHUNK", 10_000)
    monkeypatch.setattr(chunks, "worker_count", lambda: workers)
    values = np.random.default_rng(0)
    start = [values.standard_normal(shape).astype(dtype) for shape in shapes]
    slopes = [values.standard_normal(shape).astype(dtype) for shape in shapes]

    def make() -> Any:
        ps = [nn.Parameter(x.copy()) for x in start]
        for p, g in zip(ps, slopes, strict=True):
            p.grad = lucid.Tensor(g)
        return kind([{"params": ps[:1], "lr": 0.1}, {"params": ps[1:]}]), ps

    def state_of(optimizer: Any, p: nn.Parameter) -> list[Any]:
        state = optimizer.state.get(p, {})
        return [p._array.tobytes(), *(x if isinstance(x, int) else x.tobytes() for x in state.values())]

    optimizer, ps = make()
    states = []  # of each parameter after each step, none of which was interrupted
    for _ in range(4):
        optimizer.step()
        states.append([state_of(optimizer, p) for p in ps])
    running, moments, partly = None, 0, 0

    def fresh() -> Callable[[], object]:
        nonlocal running
        running = make()
        running[0].step()
        return running[0].step

    for _ in at_every_moment(fresh):
        moments += 1
        optimizer, ps = running
        found = [state_of(optimizer, p) for p in ps]
        steps = [optimizer.state[p]["t"] for p in ps]
        for j, t in enumerate(steps):
            assert found[j] == states[t - 1][j], (setting, moments, j, t)
        partly += len(set(steps)) > 1
        time.sleep(0.0002 * (workers > 1))
        assert [state_of(optimizer, p) for p in ps] == found  # nothing moves any more
        for p in ps:  # and it goes on from there, each parameter from where it is
            if optimizer.state[p]["t"] > 1:
                p.grad = None
        if any(p.grad is not None for p in ps):
            optimizer.step()
        assert [state_of(optimizer, p) for p in ps] == states[1]
    assert moments > 20 and (partly or len(shapes) == 1)


class Refusing(Adamax):
    """One whose numbers cannot be had in one of the groups."""

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        return (options["lr"] / (t - 2 * (options["lr"] == 0.5)),)


def test_all_numbers_are_asked_for_before_anything_moves() -> None:
    ps = [give(parameter(1.0), 1.0) for _ in range(3)]
    optimizer = Refusing([{"params": [p], "lr": lr} for p, lr in zip(ps, (0.1, 0.5, 0.2), strict=True)])
    optimizer.step()
    before = [(p.item(), optimizer.state[p]["t"], optimizer.state[p]["m"].item()) for p in ps]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            optimizer.step()
    assert [(p.item(), optimizer.state[p]["t"], optimizer.state[p]["m"].item()) for p in ps] == before
    optimizer.param_groups[1]["lr"] = 0.3
    optimizer.step()
    assert [optimizer.state[p]["t"] for p in ps] == [2, 2, 2]


PROGRAM = """
import atexit, signal, sys, threading, time
import numpy as np
import lucid
from lucid.optim import Adamax, chunks

chunks.worker_count = lambda: 3
p = lucid.nn.Parameter(np.ones(1_000_000, "float32"))
p.grad = lucid.ones(1_000_000)
optimizer = Adamax([p], lr=0.25, eps=0)

def steps(n):
    for _ in range(n):
        optimizer.step()
    print(set((1 - p._array).tolist()), optimizer.state[p]["t"], flush=True)

"""
ENDINGS = {
    "a training thread outlives the main one": "threading.Timer(0.3, steps, [3]).start()",
    "helpers are there already": "optimizer.step(); threading.Timer(0.3, steps, [2]).start()",
    "at exit": "atexit.register(steps, 3)",
    "no thread can be started": """
def refuse(*args): raise RuntimeError("can't start new thread")
chunks.start_new_thread = refuse
steps(3)""",
}  # fmt: skip


def output_of(program: str, seconds: float = 60) -> str:
    env = {**os.environ, "PYTHONPATH": str(Path(lucid.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", program], env=env, timeout=seconds, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("case", ENDINGS)
def test_a_step_is_taken_whatever_becomes_of_the_main_thread(case: str) -> None:
    assert output_of(PROGRAM + ENDINGS[case]) == "{0.75} 3\n"


def test_interrupts_by_signal_never_hang_and_leave_what_is_right() -> None:
    program = """
def interrupt(*args): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
rng, interrupted = np.random.default_rng(0), 0
optimizer.param_groups[0]["lr"] = 2.0**-15
for _ in range(150):
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 4e-3))
        optimizer.step()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
        before, t = p._array.copy(), optimizer.state.get(p, {}).get("t", 0)
        time.sleep(1e-3)
        assert (before == p._array).all() and (before == 1 - t * 2.0**-15).all(), t
assert interrupted > 20, interrupted
print("right")
"""
    assert output_of(PROGRAM + program) == "right\n"


# -- what users do to memory ---------------------------------------------------------------------------------


def test_parameters_that_share_memory_are_both_moved() -> None:
    """Overlapping views of one array: packed, the second would overwrite what the first had done."""
    base = np.zeros(8)
    ps = [nn.Parameter(np.zeros(5)) for _ in range(2)]
    ps[0].data, ps[1].data = lucid.Tensor(base[:5]), lucid.Tensor(base[3:])
    optimizer = Adamax(ps, lr=0.25, eps=0)
    for p in ps:
        give(p, *[1.0] * 5)
    optimizer.step()
    np.testing.assert_allclose(base, [-0.25, -0.25, -0.25, -0.5, -0.5, -0.25, -0.25, -0.25], rtol=1e-15)


def test_memory_that_was_only_lent_is_not_written_to() -> None:
    lent = np.ones(3)
    lent.flags.writeable = False
    p = parameter(0.0, 0.0, 0.0)
    p.data = lucid.Tensor(lent)
    give(p, 1.0, 1.0, 1.0)
    Adamax([p], lr=0.25, eps=0).step()
    assert lent.tolist() == [1, 1, 1] and p.detach().numpy().tolist() == [0.75] * 3


def test_the_optimizer_keeps_no_gradient_alive() -> None:
    ps = toy() + [nn.Parameter(np.ones(20_000, "float32"))]
    ps[-1].grad = lucid.ones(20_000)
    optimizer = Adamax(ps)
    optimizer.step()
    gradients = [weakref.ref(p.grad._array) for p in ps]
    optimizer.zero_grad()
    assert all(g() is None for g in gradients)


def test_extra_memory_does_not_grow_with_the_model() -> None:
    """Scratch space is shared: a hundred packs have two arrays between them."""
    ps = [nn.Parameter(np.ones(4_000, "float32")) for _ in range(60)]
    for p in ps:
        p.grad = lucid.ones(4_000)
    optimizer = Adamax(ps)
    optimizer.step()
    packs = optimizer._plan.buckets
    assert len(packs) > 5 and len({id(bucket.g.base) for bucket in packs}) <= 3


def test_a_step_makes_no_cycles_for_the_collector() -> None:
    optimizer = Adamax(toy())
    optimizer.step()
    while gc.collect():  # what earlier tests left may only come apart piece by piece
        pass
    gc.disable()
    try:
        for _ in range(10):
            optimizer.step()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_writing_parameters_between_forward_and_backward_is_noticed() -> None:
    """The step is a write in place: a graph that still needs the old weights must not go on without a word."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    for p in model.parameters():
        p.grad = lucid.ones(*p.shape)
    loss = model(lucid.ones(1, 2)).sum()
    Adamax(model.parameters()).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


# -- refused before anything moves ---------------------------------------------------------------------------


def misfit(p: nn.Parameter) -> None:
    p.data = lucid.ones(3, 3)  # the gradient is of the old shape


def regrown(p: nn.Parameter) -> None:
    p.grad = None
    p.data = lucid.ones(3, 3)
    p.grad = lucid.ones(3, 3)


REFUSED = [
    (
        misfit,
        ValueError,
        r"^Adamax, group 0: parameter 2 has shape \(3, 3\) on cpu, its gradient must match, got \(16, 16\)",
    ),
    (
        regrown,
        ValueError,
        r"parameter 2 has shape \(3, 3\), its state 'm' must match, got \(16, 16\), from before it was",
    ),
]


@pytest.mark.parametrize("spoil, error, text", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_moves(spoil, error: type[Exception], text: str) -> None:
    ps = toy()
    optimizer = Adamax(ps)
    optimizer.step()
    spoil(ps[2])
    before, state = [p._array.copy() for p in ps], optimizer.state_dict()["state"]
    with pytest.raises(error, match=text):
        optimizer.step()
    assert equal([p._array for p in ps], before)
    after = optimizer.state_dict()["state"]
    assert all(np.array_equal(after[i][k], state[i][k]) for i in state for k in ("t", "m", "u"))
    del optimizer.state[ps[2]]  # the advice that the message gives
    ps[2].grad = lucid.ones(*ps[2].shape)
    optimizer.step()
    assert optimizer.state[ps[2]]["t"] == 1 and optimizer.state[ps[0]]["t"] == 2


def test_a_gradient_of_another_shape_is_not_broadcast() -> None:
    """It can only come about by giving a parameter other data, a gradient, and its old data back."""
    ps = toy()
    optimizer, own = Adamax(ps), lucid.Tensor(ps[2]._array)
    optimizer.step()
    ps[2].data = lucid.ones(1, 16)
    ps[2].grad = lucid.ones(1, 16)
    ps[2].data = own
    with pytest.raises(
        ValueError, match=r"has shape \(16, 16\) on cpu, its gradient must match, got \(1, 16\)"
    ):
        optimizer.step()


def test_a_parameter_that_became_integer_is_refused() -> None:
    p = nn.Parameter(np.ones(2), requires_grad=False)
    p.grad = lucid.ones(2, dtype=lucid.float64)
    optimizer = Adamax([p])
    p.data = lucid.tensor([1, 2])
    with pytest.raises(
        TypeError, match=r"parameter 0 must be of a float dtype, got int64 by now; assign float data"
    ):
        optimizer.step()


def test_a_parameter_put_into_two_lists_is_refused() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = Adamax([{"params": [p]}, {"params": [parameter(1.0)]}])
    optimizer.param_groups[1]["params"].append(p)
    with pytest.raises(
        ValueError, match=r"group 1: parameter 1 must be listed once, got it twice; take it out"
    ):
        optimizer.step()
    assert p.item() == 1.0


def test_copies_of_an_optimizer_do_not_share_a_plan() -> None:
    ps = toy()
    optimizer = Adamax(ps)
    optimizer.step()
    ps2, twin = copy.deepcopy((ps, optimizer))
    ps3, third = pickle.loads(pickle.dumps((ps, optimizer)))
    for each, params in ((optimizer, ps), (twin, ps2), (third, ps3)):
        for p in params:
            p.grad = lucid.ones(*p.shape)
        each.step()
    for others in (ps2, ps3):
        assert equal([p._array for p in ps], [p._array for p in others])
        assert not any(np.shares_memory(p._array, q._array) for p, q in zip(ps, others, strict=True))
