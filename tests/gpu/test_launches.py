"""Optimizers on a GPU, or on the stand-in for one: who moves in which launch, beside the same steps on the CPU."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.array import to_device
from lucid.gpu.namespace import gpu
from lucid.gpu.optimizer_kernel import GpuBucket, kernel_of
from tests.gpu import cuda_on_cpu, stand_in
from tests.optim.test_hostile import CASES
from tests.whole import whole

launched: list[str] = []  # the kernels launched, by name
compiler = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason=cuda_on_cpu.MISSING)


def counted(kind: Any) -> Any:
    """This class of kernels, with every launch noted."""

    class Counted(kind):
        def __call__(self, *args: Any) -> Any:
            launched.append(self.name)
            return super().__call__(*args)

    return Counted


stand_in_only = pytest.param("stand-in", marks=[compiler, whole])


@pytest.fixture(autouse=True, params=[stand_in_only, pytest.param("gpu", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    kernel_of.cache_clear()
    launched.clear()
    with stand_in.installed(2) if request.param == "stand-in" else nullcontext():
        cupy = gpu().module
        source = cuda_on_cpu if request.param == "stand-in" else cupy
        monkeypatch.setattr(cupy, "RawKernel", counted(source.RawKernel), raising=False)
        monkeypatch.setattr(cupy, "ElementwiseKernel", counted(source.ElementwiseKernel), raising=False)
        yield request.param


def parameters(*shapes: tuple[int, ...], dtype: str = "float32", device: str = "cpu") -> list[nn.Parameter]:
    """Each with a gradient; the same numbers on every device."""
    rng = np.random.default_rng(0)
    ps = []
    for shape in shapes:
        p = nn.Parameter(np.ones(shape, dtype))
        p.data = lucid.Tensor(to_device(rng.standard_normal(shape).astype(dtype), device))
        p.grad = lucid.Tensor(to_device(rng.standard_normal(shape).astype(dtype), device))
        ps.append(p)
    return ps


def gradients(ps: list[nn.Parameter], seed: int) -> None:
    """New ones, among them hostile numbers, each on its parameter's device."""
    rng = np.random.default_rng(seed)
    for p in ps:
        g = rng.standard_normal(p.shape) * 10.0 ** rng.integers(-3, 3, p.shape)
        g = np.where(rng.random(p.shape) < 0.02, rng.choice([np.inf, np.nan, 0.0, -0.0], p.shape), g)
        p.grad = lucid.Tensor(to_device(np.asarray(g, p.dtype), p.device))


def arrays(optimizer: optim.Optimizer) -> list[np.ndarray]:
    """The parameters, and their state."""
    ps = [p for group in optimizer.param_groups for p in group["params"]]
    state = [x for p in ps for x in optimizer.state.get(p, {}).values() if not isinstance(x, int)]
    return [to_device(x, "cpu").copy() for x in [*(p._array for p in ps), *state]]


def equal(ours: optim.Optimizer, theirs: optim.Optimizer) -> None:
    for x, y in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.dtype == y.dtype


SHAPES = [(), (0, 3), (5,), (3, 4), (2, 3, 5), (70, 110), (1, 1), (33,)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name, options", CASES, ids=[name for name, _ in CASES])
def test_ten_steps_are_the_cpus_to_the_bit(name: str, options: dict[str, Any], dtype: str) -> None:
    made = []
    for device in ("cpu", "cuda"):
        ps = parameters(*SHAPES, dtype=dtype, device=device)
        optimizer = getattr(optim, name)([{"params": ps[:4]}, {"params": ps[4:], "lr": 0.05}], lr=0.01, **options)
        for t in range(10):
            gradients(ps, t)
            if t == 4:
                ps[2].grad = None  # its t stays behind
            optimizer.step()
        made.append(optimizer)
    equal(*made)
    assert all(state[slot].device.id == 0 for state in made[1].state.values() for slot in state if slot != "t")


def test_one_launch_for_96_parameters_and_nothing_else() -> None:
    ps = parameters(*[(3, 1 + k % 7) for k in range(97)], device="cuda")
    optimizer = optim.Adamax(ps)
    optimizer.step()
    launched.clear()
    for n, kernels in ((97, 2), (96, 1)):
        for p in ps[n:]:
            p.grad = None
        optimizer.step()
        launched.clear()
        before = stand_in.counts.copy()
        optimizer.step()
        assert launched == ["adamax_many"] * kernels
        assert stand_in.counts == before  # no upload, no wait, no other launch: on the stand-in, which counts


def test_a_new_gradient_each_step_is_found() -> None:
    ours, theirs = (optim.Adamax(parameters((3,), (4,), device=device)) for device in ("cuda", "cpu"))
    for t in range(4):
        for optimizer in (ours, theirs):
            gradients(optimizer.param_groups[0]["params"], t)
            optimizer.step()
    equal(ours, theirs)
    assert launched == ["adamax_many"] * 4


def test_numbers_are_read_at_each_step_and_another_pattern_of_them_is_another_kernel() -> None:
    made = []
    for device in ("cuda", "cpu"):
        ps = parameters((3,), (4,), device=device)
        optimizer = optim.Adamax(ps)
        for lr, decay in ((0.1, 0.0), (0.2, 0.0), (0.2, 0.1), (0.2, 0.2), (0.1, 0.0)):
            optimizer.param_groups[0].update(lr=lr, weight_decay=decay, beta1=0.5 + lr)
            optimizer.step()
        made.append(optimizer)
    equal(*made)


def transposed(x: Any) -> Any:
    return x.T.copy().T


def strided(x: Any) -> Any:
    room = to_device(np.zeros((*x.shape, 2), x.dtype), "cuda")
    room[..., 0] = x
    return room[..., 0]


@pytest.mark.parametrize("how", [transposed, strided])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_has_gaps_moves_by_itself(how: Any, dtype: str) -> None:
    ours, theirs = (parameters((3, 4), (5,), (6, 2), (2, 2), dtype=dtype, device=device) for device in ("cuda", "cpu"))
    ours[0].data = lucid.Tensor(how(ours[0]._array))
    ours[2].grad = lucid.Tensor(how(ours[2].grad._array))
    optimizers = [optim.Adamax(ps, weight_decay=0.1) for ps in (ours, theirs)]
    for _ in range(3):
        for optimizer in optimizers:
            optimizer.step()
    equal(*optimizers)
    assert launched == ["adamax_each", "adamax_each", "adamax_many"] * 3


def test_state_that_was_given_other_arrays() -> None:
    ours, theirs = (optim.Adamax(parameters((3, 4), (5,), device=device)) for device in ("cuda", "cpu"))
    for t in range(4):
        for optimizer in (ours, theirs):
            first, second = optimizer.param_groups[0]["params"]
            optimizer.step()
            if t == 0:
                optimizer.load_state_dict(optimizer.state_dict())
            elif t == 1:
                optimizer.state[first]["m"] = optimizer.state[first]["m"].T.copy().T
            else:
                del optimizer.state[second]
    equal(ours, theirs)


def test_a_broadcast_parameter_is_given_memory_of_its_own() -> None:
    (p,) = parameters((3, 4), device="cuda")
    cupy = gpu().module
    lent = cupy.zeros(4, dtype="float32")
    p.data = lucid.Tensor(cupy.broadcast_to(lent, (3, 4)))
    optim.Adamax([p]).step()
    assert not lent.get().any() and p._array.flags.c_contiguous and p._array.get().all()


def test_a_broadcast_gradient() -> None:
    ours, theirs = (parameters((3, 4), device=device) for device in ("cuda", "cpu"))
    cupy = gpu().module
    ours[0].grad = lucid.Tensor(cupy.broadcast_to(to_device(np.arange(4.0, dtype="f4"), "cuda"), (3, 4)))
    theirs[0].grad = lucid.Tensor(np.broadcast_to(np.arange(4.0, dtype="f4"), (3, 4)))
    optimizers = [optim.Adam(ps) for ps in (ours, theirs)]
    for optimizer in optimizers:
        optimizer.step()
    equal(*optimizers)


def test_gradients_that_are_parameters_are_read_as_they_were() -> None:
    """Also where the parameter has gaps and is moved first."""
    ours, theirs = (parameters((3, 4), (3, 4), (3, 4), device=device) for device in ("cuda", "cpu"))
    ours[0].data = lucid.Tensor(transposed(ours[0]._array))
    for ps in (ours, theirs):
        ps[0].grad, ps[1].grad, ps[2].grad = (lucid.Tensor(p._array) for p in (ps[1], ps[2], ps[0]))
    optimizers = [optim.Adamax(ps) for ps in (ours, theirs)]
    for optimizer in optimizers:
        optimizer.step()
    equal(*optimizers)


def test_parameters_that_overlap_move_one_after_the_other() -> None:
    base = to_device(np.zeros(8, "f4"), "cuda")
    ps = parameters((5,), (5,), (2,), device="cuda")
    ps[0].data, ps[1].data = lucid.Tensor(base[:5]), lucid.Tensor(base[3:])
    for p in ps:
        p.grad = lucid.Tensor(to_device(np.ones(p.shape, "f4"), "cuda"))
    optim.Adamax(ps, lr=0.25, eps=0).step()
    np.testing.assert_allclose(base.get(), [-0.25, -0.25, -0.25, -0.5, -0.5, -0.25, -0.25, -0.25], rtol=1e-6)
    assert launched == ["adamax_many"] * 3


def test_a_gradient_of_another_dtype() -> None:
    """It comes about by giving a parameter data of another dtype; the rule is evaluated as it stands."""
    ours, theirs = (parameters((3,), (4,), dtype="float64", device=device) for device in ("cuda", "cpu"))
    for ps in (ours, theirs):
        ps[0].data = lucid.Tensor(ps[0]._array.astype("f4"))
    optimizers = [optim.Adamax(ps) for ps in (ours, theirs)]
    for optimizer in optimizers:
        optimizer.step()
    equal(*optimizers)


@pytest.mark.parametrize("backend", [stand_in_only], indirect=True)  # it has two devices
def test_each_device_has_a_launch_of_its_own() -> None:
    ours, theirs = parameters((3,), (4,), (5,), device="cuda:1"), parameters((3,), (4,), (5,))
    moved = [lucid.Tensor(to_device(getattr(ours[2], each)._array.get(), "cuda:0")) for each in ("data", "grad")]
    ours[2].data, ours[2].grad = moved
    mixed, plain = optim.Adamax(ours), optim.Adamax(theirs)
    for _ in range(2):
        mixed.step()
        plain.step()
    equal(mixed, plain)
    assert launched == ["adamax_many"] * 4
    assert [mixed.state[p]["m"].device.id for p in ours] == [1, 1, 0]


def test_moving_a_model_to_the_gpu_between_steps() -> None:
    ours, theirs = parameters((3, 4), (5,)), parameters((3, 4), (5,))
    moving, staying = optim.Adamax(ours), optim.Adamax(theirs)
    for device in ("cpu", "cuda", "cpu", "cuda"):
        for p in ours:
            grad, p.grad = to_device(p.grad._array, device), None
            p.data, p.grad = lucid.Tensor(to_device(p._array, device)), lucid.Tensor(grad)
        moving.step()
        staying.step()
    equal(moving, staying)


def test_a_rule_without_a_tape_is_evaluated_as_it_stands() -> None:
    class Halving(optim.SGD):
        @staticmethod
        def rule(xp, theta, g, v, lr, fresh, **constants):
            return lr * g.astype(theta.dtype), v

    made = []
    for device in ("cuda", "cpu"):
        optimizer = Halving(parameters((3, 4), (), device=device), lr=0.5)
        optimizer.step()
        optimizer.step()
        made.append(optimizer)
    equal(*made)
    assert not launched


def test_the_tables_stay_while_the_plan_does() -> None:
    ps = parameters((3,), (4, 4), device="cuda")
    optimizer = optim.Adamax(ps)
    optimizer.step()
    (bucket,) = optimizer._plan.buckets
    assert type(bucket) is GpuBucket
    tables = bucket.tables
    gradients(ps, 1)
    optimizer.step()
    assert optimizer._plan.buckets == [bucket] and bucket.tables is tables
    ps[0].data = lucid.Tensor(ps[0]._array * 2)
    optimizer.step()
    assert optimizer._plan.buckets != [bucket]
