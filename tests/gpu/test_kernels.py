"""Every optimizer's kernels beside NumPy's evaluation of the same rule: by the system's C++ compiler, and on a GPU."""

import ctypes
import operator
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from lucid import nn, optim
from lucid.core.array import cpu
from lucid.core.trace import FUNCTIONS
from lucid.gpu import optimizer_kernel as kernels
from lucid.gpu.cuda_expressions import CUDA_EXPRESSIONS
from lucid.gpu.namespace import gpu
from lucid.gpu.optimizer_kernel import Table, kernel_of
from lucid.optim.rule import evaluate_rule, pattern_of
from tests.core.test_program import RULES
from tests.gpu import cuda_on_cpu
from tests.whole import whole

compiler = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason=cuda_on_cpu.MISSING)

FLAGS = {
    "Adamax": {"weight_decay": [0, 0.1]},
    "AdamaxW": {"weight_decay": [0, 0.1], "maximize": [False, True]},
    "SGD": {"momentum": [0, 0.9], "weight_decay": [0, 0.1], "nesterov": [False, True], "maximize": [False, True]},
    "Adam": {"weight_decay": [0, 0.1], "amsgrad": [False, True], "maximize": [False, True]},
    "AdamW": {"weight_decay": [0.1], "amsgrad": [False, True], "maximize": [False, True]},
    "NAdam": {"weight_decay": [0, 0.1], "decoupled_weight_decay": [False, True]},
    "RAdam": {"weight_decay": [0, 0.1], "decoupled_weight_decay": [False, True], "t": [1, 30]},
    "Adagrad": {"weight_decay": [0, 0.1], "maximize": [False, True]},
    "Adadelta": {"weight_decay": [0, 0.1], "maximize": [False, True]},
    "RMSprop": {"weight_decay": [0, 0.1], "momentum": [0, 0.9], "centered": [False, True]},
    "Rprop": {"maximize": [False, True]},
    "ASGD": {"weight_decay": [0, 0.1], "t0": [0, 1e6], "t": [1, 30]},
    "Lion": {"weight_decay": [0, 0.1]},
}


class Memory:
    """What a kernel is told of an array: where it lies and how."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.data, self.ptr = array, self, array.ctypes.data
        self.shape, self.strides, self.size, self.dtype = array.shape, array.strides, array.size, array.dtype

    def get(self) -> np.ndarray:
        return self.array


class Compiled:
    """Kernels on the host."""

    module, subnormal = cuda_on_cpu, True

    def put(self, array: np.ndarray, offset: int) -> Memory:
        """A copy of `array` that begins `offset` elements behind an address that vectors may begin at."""
        room = np.empty(array.size + 64, array.dtype)
        start = -room.ctypes.data % 64 // array.itemsize + offset
        room[start : start + array.size] = array
        return Memory(room[start : start + array.size])


class OnGpu:
    """Kernels where they belong. Numbers below the smallest normal one are flushed to zero there."""

    subnormal = False

    def __init__(self) -> None:
        self.module = gpu().module

    def put(self, array: np.ndarray, offset: int) -> Any:
        room = np.zeros(array.size + offset, array.dtype)
        room[offset:] = array
        return self.module.asarray(room)[offset:]


@pytest.fixture(params=[pytest.param(Compiled, marks=[compiler, whole]), pytest.param(OnGpu, marks=pytest.mark.gpu)])
def on(request: pytest.FixtureRequest) -> Any:
    return request.param()


def asked() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each optimizer under each of its flags, and the number of the step."""
    for name, flags in FLAGS.items():
        for values in product(*flags.values()):
            options = dict(zip(flags, values, strict=True))
            if not options.get("nesterov") or options["momentum"]:
                yield name, options.pop("t", 3), options


def test_every_elementwise_optimizer_is_asked() -> None:
    kinds = {
        kind.__name__ for kind in vars(optim).values() if isinstance(kind, type) and issubclass(kind, optim.Optimizer)
    }
    assert kinds - {"Optimizer", "LBFGS"} == FLAGS.keys()


def setting(name: str, t: int, options: dict[str, Any]) -> tuple[Any, ...]:
    """The rule, its slots, the numbers of the t-th step, and the constants."""
    optimizer = getattr(optim, name)([nn.Parameter(np.ones(1))], **options)
    (settings,) = optimizer._read_groups()
    return optimizer.rule, settings.slots, optimizer.step_scalars(settings.checked, t), settings.static


def kernel_for(module: Any, dtype: str, name: str, t: int, options: dict[str, Any]) -> Any:
    rule, slots, numbers, constants = setting(name, t, options)
    return kernel_of(module, np.dtype(dtype), rule, slots, pattern_of(numbers, constants))


def hostile(rng: np.random.Generator, shape: Any, dtype: str, subnormal: bool) -> np.ndarray:
    """Ordinary numbers, and among them what floats have besides."""
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 6, shape)
    info = np.finfo(dtype)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, float(info.max), -1.0, 1.0]
    odd += [float(info.tiny), 3 * float(info.smallest_subnormal)] if subnormal else []
    with np.errstate(all="ignore"):
        return np.where(rng.random(shape) < 0.3, rng.choice(odd, shape), x).astype(dtype)


def wide(dtype: str) -> str:
    return "float64" if dtype == "float64" else "float32"


def make(sizes: list[int], slots: tuple[str | None, ...], dtype: str, subnormal: bool) -> list[list[np.ndarray]]:
    """For each size theta, g and the slots that are in use, not negative every second time, as they mostly are."""
    rng, made = np.random.default_rng(0), []
    for k, n in enumerate(sizes):
        state = [hostile(rng, n, wide(dtype), subnormal) for slot in slots if slot is not None]
        made.append(
            [*(hostile(rng, n, dtype, subnormal) for _ in range(2)), *(np.abs(x) if k % 2 else x for x in state)]
        )
    return made


def by_rule(
    arrays: list[np.ndarray], rule: Any, slots: tuple[str | None, ...], numbers: Any, constants: Any
) -> list[np.ndarray]:
    """What the rule says as it stands: theta and the slots in use."""
    theta, g, *memory = arrays
    kind = wide(str(theta.dtype))
    left = iter(memory)
    with np.errstate(all="ignore"):
        places = [None if slot is None else next(left) for slot in slots]
        new, state = evaluate_rule(rule, cpu, theta.astype(kind), g.astype(kind), places, numbers, constants)
        return [new.astype(theta.dtype), *(x for x, slot in zip(state, slots, strict=True) if slot is not None)]


def same(found: np.ndarray, expected: np.ndarray, ulps: int = 0) -> None:
    """Equal to the bit; of NaNs there is one kind, and of zeros too."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    if ulps:
        np.testing.assert_array_max_ulp(found[~np.isnan(found)], expected[~np.isnan(found)], ulps)
    else:
        np.testing.assert_array_equal(found, expected)


def compare(on: Any, setting: tuple[Any, ...], dtype: str, sizes: list[int], ulps: int = 0, offset: int = 0) -> None:
    """Both kernels, beside the rule."""
    rule, slots, numbers, constants = setting
    kernel = kernel_of(on.module, np.dtype(dtype), rule, slots, pattern_of(numbers, constants))
    assert kernel is not None
    scalars = [*kernel.static_values(constants), *kernel.step_values(constants, numbers)]
    before = make(sizes, slots, dtype, on.subnormal)
    one, many = ([[on.put(x, offset) for x in arrays] for arrays in before] for _ in range(2))
    for theta, g, *memory in one:
        kernel.each(g, *scalars, theta, *memory)
    filled = [arrays for arrays in many if arrays[0].size]
    for start in range(0, len(filled), kernel.rows):
        rows = filled[start : start + kernel.rows]
        table = Table(kernel, [row[0] for row in rows], [row[2:] for row in rows])
        operator.call(*table.launch([row[1].data.ptr for row in rows], scalars))
    for found in (one, many):
        for arrays, old in zip(found, before, strict=True):
            theta, g, *memory = [x.get() for x in arrays]
            assert g.tobytes() == old[1].tobytes()
            for x, y in zip([theta, *memory], by_rule(old, *setting), strict=True):
                same(*((x, y) if on.subnormal else (flushed(x), flushed(y))), ulps)


def flushed(x: np.ndarray) -> np.ndarray:
    """As a GPU leaves it, which has no float32 number between 0 and the smallest normal one."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x).astype(x.dtype) if x.dtype == np.float32 else x


@pytest.mark.parametrize("name, t, options", list(asked()), ids=str)
def test_every_rule_under_every_flag(on: Any, name: str, t: int, options: dict[str, Any]) -> None:
    compare(on, setting(name, t, options), "float32", [1000, 1003])


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("name", FLAGS)
def test_every_rule_in_other_dtypes(on: Any, name: str, dtype: str) -> None:
    compare(on, setting(name, 3, {}), dtype, [1000, 1003])


SIZES = [1, 0, 3, 4, 5, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 9001]


@pytest.mark.parametrize("offset", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sizes_and_alignments(on: Any, dtype: str, offset: int) -> None:
    compare(on, setting("Adamax", 3, {}), dtype, SIZES, offset=offset)


@pytest.mark.parametrize("count", [1, 2, 95, 96, 97, 193])
def test_many_parameters(on: Any, count: int) -> None:
    compare(on, setting("Adamax", 3, {}), "float32", [1 + 37 * k % 50 for k in range(count)])


def test_fewer_blocks_than_chunks(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BLOCKS", 3)
    compare(on, setting("Adamax", 3, {}), "float32", [9001, 5, 20_000, 4096, 1])


@pytest.mark.parametrize("name", RULES)
def test_invented_rules(on: Any, name: str) -> None:
    """NumPy's `x ** 0.5` is a root, of which the power of -inf differs: there the slots have no negative numbers."""
    sizes, ulps = ([0, 257], 2) if "powers" in name else ([257, 257], 0)
    for dtype in ("float32", "float64"):
        compare(on, (RULES[name], ("a", "b"), (0.5,), {"c": 0.25}), dtype, sizes, ulps)


def test_results_that_stand_in_each_others_place(on: Any) -> None:
    compare(on, (lambda xp, theta, g, a, b: (theta - a, b, theta), ("a", "b"), (), {}), "float32", [100])


class Theta:
    """A rule whose every name is something else in a kernel."""

    @staticmethod
    def rule(xp, theta, g, n, i, register, scalars, sign, *, double, table, v1, β, _x):
        return double * g * sign, n * table + xp.sign(i), i - v1 * register, register * _x, scalars * (1 - β)


def test_names_that_are_taken(on: Any) -> None:
    constants = {"double": 2.0, "table": 3.0, "v1": 4.0, "β": 0.25, "_x": 5.0}
    compare(on, (Theta.rule, ("n", "i", "register", "scalars"), (0.5,), constants), "float32", [100])


@whole
@compiler
def test_exponentials_logarithms_and_powers() -> None:
    def rule(xp, theta, g, a, b, d, c):
        return g, xp.exp(g), xp.log(xp.abs(a)), xp.abs(b) ** c

    for dtype in ("float32", "float64"):
        compare(Compiled(), (rule, ("a", "b", "d"), (0.7,), {}), dtype, [1000], ulps=4)


def test_all_that_can_be_traced_can_be_printed() -> None:
    assert CUDA_EXPRESSIONS.keys() > FUNCTIONS


def test_what_a_launch_may_have() -> None:
    """A launch's arguments fit in 4 KB, and of all optimizers but those with three slots or more it takes 96
    parameters.
    """
    for name, t, options in asked():
        for dtype in ("float16", "float32", "float64"):
            kernel = kernel_for(cuda_on_cpu, dtype, name, t, options)
            assert kernel is not None and np.dtype(kernel.layout).itemsize <= kernels.ROOM
            assert kernel.rows == 96 if len(kernel.slots) <= 2 and dtype != "float64" else kernel.rows >= 83


FAULTS = [
    ("return a >= b || a != a ? a : b", "return a >= b || b != b ? a : b"),
    ("v0 + v1", "v0 - v1"),
    ("* m;", "* u;"),
    ("size / 4", "size / 4 + 1"),
    ("4 * fours + threadIdx.x", "4 * fours + 1 + threadIdx.x"),
    ("i < size", "i < size - 1"),
    ("<= at) row", "< at) row"),
    ("four(u, i) = u_four;", ""),
    ("gridDim.x * chunk", "2 * gridDim.x * chunk"),
]


@whole
@compiler
@pytest.mark.parametrize("right, wrong", FAULTS, ids=[wrong for _, wrong in FAULTS])
def test_a_planted_fault_is_caught(right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spoiled(cuda_on_cpu.RawKernel):
        def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
            assert right in code
            super().__init__(code.replace(right, wrong), name)

    kernel_of.cache_clear()
    monkeypatch.setattr(cuda_on_cpu, "RawKernel", Spoiled)
    monkeypatch.setattr(kernels, "BLOCKS", 3)
    with pytest.raises(AssertionError):
        compare(Compiled(), setting("Adamax", 3, {}), "float32", [*SIZES, *range(1, 60)])


@whole
@compiler
@pytest.mark.parametrize("check, misaligned", [("aligned &&", False), ("true ||", True)])
def test_vectors_begin_where_they_may(check: str, misaligned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor reads vectors from anywhere, a GPU does not: here the accesses say where they are."""
    watched = []

    class Watched(cuda_on_cpu.RawKernel):
        def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
            note = "misaligned += (size_t)x % sizeof(Four<number>) != 0; return"
            code = code.replace("aligned &&", check).replace(
                "return ((Four<number>*)x)[i]", f"{note} ((Four<number>*)x)[i]"
            )
            super().__init__(f"int misaligned = 0;\n{code}", name)
            watched.append(self)

    kernel_of.cache_clear()
    monkeypatch.setattr(cuda_on_cpu, "RawKernel", Watched)
    for offset in (0, 1, 2):
        compare(Compiled(), setting("Adamax", 3, {}), "float32", [4099, 7], offset=offset)
    (kernel,) = watched
    assert bool(ctypes.c_int.in_dll(kernel.library, "misaligned").value) is misaligned
