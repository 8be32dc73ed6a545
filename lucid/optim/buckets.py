"""How does one step move many parameters in few operations?

A rule is some ten elementwise operations. On a few hundred numbers each takes a microsecond, whatever it computes, so
small parameters are packed: one evaluation of the rule moves all that a `PackedBucket` holds. Large parameters and
those on a GPU have buckets of their own (optim/chunks.py, gpu/optimizer_kernel.py). Which parameter is in which bucket
is a `Plan`, kept until something that it was made from has changed: a gradient that is missing, another array in a
parameter, other state.

Packing copies gradients, and parameters only where the rule reads them. Parameters and gradients stay in the arrays
that the user sees; state lies in a bucket's arrays, of which each parameter's state has views that do not overlap.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from itertools import accumulate, chain, repeat, starmap
from math import prod
from operator import call, setitem
from typing import Any, NamedTuple

from lucid.core.array import Array, DType, cpu, device_of, extent_of, float32, is_writable, namespace, to_device
from lucid.core.node import new_version, version_record
from lucid.optim.rule import Call, CompiledRule, Pattern, Rule, Slots, compiled_rule, pattern_of, writes_of
from lucid.optim.validation import params_to_move

EACH_T = repeat("t")
State = dict[str, Any]  # of one parameter: its "t", and an array under the name of each slot
Task = Callable[[int], list[Call]]  # the calls of a part of a step, in the workspace of the worker of that number


class GroupOptions(NamedTuple):
    """The hyperparameters of a group as they were read, and found valid, at one step."""

    checked: dict[str, Any]  # by name, as Python floats and bools: those never change the dtype of an array
    static: dict[str, Any]  # those that the rule takes by keyword
    slots: Slots
    initial: dict[str, float]  # what a new array of a slot is filled with, where that is not 0


class Bucket:
    """Parameters of one group that are moved together, by the same numbers.

    Subclasses say which parameters they take (`xp.buckets` lists the kinds for arrays of `xp`, in the order in which
    they are asked), where the state lies, and how the parameters are moved. `workspace` is shared by all buckets of a
    plan; `storages` says where in memory the parameters lie that move in a step.
    """

    # allocate_state(slot): give every parameter's state an array of this name; returns what the rule will work on.
    # move(gradients): move the parameters by the rule and the numbers that `prepare` was given, and count them, all in
    # one call in C, which Ctrl-C does not break off. What it returns is left to do, in any order, by `finish`, which
    # one bucket does for all of its kind, and what counts them.
    allocate_state: Callable[[str], Any]
    move: Callable[..., list[Task] | None]
    finish: Callable[[list[Task], Iterator[None]], None]
    capacity: float = 1  # how many elements one bucket takes before there is a second one

    def __init__(
        self, group: int, params: list[Any], states: list[State], options: GroupOptions, workspace: dict[Any, Array],
        storages: Memory,
    ) -> None:  # fmt: skip
        self.group, self.t, self.states = group, states[0]["t"], states
        self.slots, self.initial, self.workspace, self.storages = options.slots, options.initial, workspace, storages
        self.arrays: list[Array] = [p._array for p in params]
        self.size = sum(array.size for array in self.arrays)
        theta = self.arrays[0]
        self.xp, self.dtype, self.device = namespace(theta), compute_dtype(theta.dtype), device_of(theta)
        self.compiled: Any = None  # the rule, for these hyperparameters, and flags among the step's scalars
        self.static: dict[str, Any] | None = None
        self.flags, self.static_scalars, self.step_scalars = list[bool](), list[Array](), list[Array]()
        self.memory = [None if slot is None else self.allocate_state(slot) for slot in self.slots]
        self.writes = list(map(version_record, self.arrays))
        # What must be the same at the next step:
        self.rows = list(zip(params, self.arrays, [a.shape for a in self.arrays], states, strict=True))
        self.state_arrays = [(state, x, state[x]) for state in states for x in self.slots if x is not None]

    @classmethod
    def takes(cls, array: Array) -> bool:
        """Whether a parameter with this array belongs here."""
        return True

    def gradients(self, state: Mapping[Any, State]) -> list[Array] | None:
        """This step's gradients; None if a parameter or its state is no longer what it was."""
        t, gradients = self.t, []
        try:
            for p, array, shape, own in self.rows:
                g = p._grad._array
                if p._array is not array or g.shape != shape or state[p] is not own or own["t"] != t:
                    return None
                gradients.append(g)
            for own, slot, array in self.state_arrays:
                if own[slot] is not array:
                    return None
        except (AttributeError, KeyError):  # no gradient, or no state
            return None
        return gradients

    def compile(self, rule: Rule, pattern: Pattern | None) -> Any:
        """The rule as this bucket runs it; None where it cannot be traced."""
        return compiled_rule(rule, self.slots, pattern)

    def bind(self, compiled: Any) -> None:
        """Get ready to run this compiled rule."""

    def prepare(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any]) -> None:
        """Compile the rule, if that is new, and fill in the scalars.

        An operation takes 0.76 us with a Python float and 0.38 us with an array of no dimensions (NumPy 2.4, 337
        numbers in float32), so scalars are such arrays, of the dtype that floats would be turned into.
        """
        self.given = rule, scalars, static
        flags = [x for x in scalars if type(x) is bool] if self.flags else self.flags  # a rule has them or never has
        if static is not self.static or flags != self.flags:
            compiled, self.static = self.compile(rule, pattern_of(scalars, static)), static
            self.flags = [x for x in scalars if type(x) is bool]
            if compiled is not None:
                if compiled is not self.compiled:
                    self.static_scalars = [cpu.zeros((), dtype=self.dtype) for _ in compiled.static]
                    self.step_scalars = [cpu.zeros((), dtype=self.dtype) for _ in compiled.step]
                    self.bind(compiled)
                for scalar, value in zip(self.static_scalars, compiled.static_values(static), strict=True):
                    scalar[()] = value
            self.compiled = compiled
        compiled = self.compiled
        if compiled is not None:
            values = scalars if compiled.takes_scalars else compiled.step_values(static, scalars)
            for scalar, value in zip(self.step_scalars, values):  # noqa: B905
                scalar[()] = value

    def as_it_stands(self, i: int, g: Array) -> list[Call]:
        """The calls that move parameter i, whole and in its shape, by the rule as it stands: it may take sums."""
        memory = [None if slot is None else self.states[i][slot] for slot in self.slots]
        return writes_of(*self.given, self.xp, self.arrays[i], g, memory, self.dtype)

    def counted(self) -> Iterator[None]:
        """Sets t in each parameter's state, when it is run through."""
        return map(setitem, self.states, EACH_T, repeat(self.t))

    def registers(self, theta: Any, g: Array, memory: Sequence[Any], use: object) -> list[Any]:
        """The registers of the compiled rule, with workspace that nothing else uses meanwhile."""
        temporaries = [self.temporary((use, i), g.shape) for i in range(self.compiled.workspace)]
        slots = [x for x in memory if x is not None]
        return [theta, g, *slots, *self.static_scalars, *self.step_scalars, *temporaries]

    def temporary(self, use: object, shape: tuple[int, ...]) -> Array:
        """An array of the workspace for this use, which grows if it was too small."""
        size, key = prod(shape), (use, self.dtype)
        flat = self.workspace.get(key)
        if flat is None or flat.size < size:
            flat = self.workspace[key] = self.xp.empty(size, dtype=self.dtype)
        return flat[:size].reshape(shape)


class PackedBucket(Bucket):
    """Small parameters side by side: one evaluation of the rule moves them all."""

    # Measured on an EPYC with 1 MB of cache a core, float32 (benchmarks/optimizers.py): a 64-128-64-10 network takes
    # 57 us in packs of 16,384 elements and 47 us in packs of 32,768.
    capacity = 32_768

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.g = self.temporary("g", (self.size,))
        self.g_views = self.views(self.g)
        self.thetas: list[tuple[Array, Array]] = []  # where the rule reads parameters: where each is put, and its array
        self.calls: list[Call] = []  # all of a step

    def views(self, flat: Array) -> list[Array]:
        """A view of `flat` for each parameter, in its shape."""
        ends = accumulate(array.size for array in self.arrays)
        return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends, self.arrays, strict=True)]

    def allocate_state(self, slot: str) -> Array:
        """One array, of which every state gets its view."""
        flat = self.xp.zeros(self.size, dtype=self.dtype)
        for state, view in zip(self.states, self.views(flat), strict=True):
            view[...] = to_device(state[slot], self.device) if slot in state else self.initial.get(slot, 0)
            state[slot] = view
        return flat

    def bind(self, compiled: CompiledRule) -> None:
        """List the calls of a step, each with the arrays that it works on."""
        self.compiled, theta = compiled, self.temporary("theta", (self.size,)) if compiled.uses_theta else None
        self.thetas = [] if theta is None else list(zip(self.views(theta), self.arrays, strict=True))
        registers = self.registers(theta, self.g, self.memory, "")
        self.calls = compiled.bound(registers)
        if compiled.uses_theta:
            self.calls.append((self.xp.subtract, theta, registers[compiled.update], theta))
            self.calls += [(setitem, array, ..., view) for view, array in self.thetas]
            return
        for array, update in zip(self.arrays, self.views(registers[compiled.update]), strict=True):
            if array.flags.c_contiguous:  # a matrix takes a third longer than the same numbers in a row
                array, update = array.reshape(-1), update.reshape(-1)
            self.calls.append((self.xp.subtract, array, update, array))

    def move(self, gradients: list[Array]) -> None:
        """Copy the gradients in, evaluate the rule once, and subtract its update from each parameter."""
        for view, g in zip(self.g_views, gradients):  # noqa: B905 (strict=True costs 0.3 us)
            view[...] = g
        for view, array in self.thetas:
            view[...] = array
        calls = self.calls
        if self.compiled is None:
            calls = [each for i, g in enumerate(self.g_views) for each in self.as_it_stands(i, g)]
        deque(chain(starmap(call, calls), map(setitem, self.states, EACH_T, repeat(self.t))), 0)


cpu.buckets = [PackedBucket]


class Plan:
    """All buckets of a step. Making a plan checks what could go wrong in a step before it changes anything.

    `groups` and `state` are the optimizer's; a parameter about to be moved for the first time gets its entry in
    `state`. `options` is what was read from each group: other slots need another plan, other numbers do not.
    Errors, which begin with `name`: those of `check_gradient_and_state`, and a ValueError for what is listed twice.
    """

    def __init__(
        self, name: str, groups: Sequence[dict[str, Any]], options: list[GroupOptions], state: dict[Any, State]
    ) -> None:
        self.options, self.params = options, [list(group["params"]) for group in groups]
        self.idle = [p for params in self.params for p in params if p._grad is None]
        moving = params_to_move(name, self.params, options, state)  # parameter -> its group
        for p in moving:
            if not is_writable(p._array):  # a broadcast view, or read-only memory of somebody else
                p._array = p._array.copy()

        # Of two that overlap each must see what the other wrote, so they go one after the other.
        storages = Memory([p._array for p in moving])
        together: dict[tuple[Any, ...], list[Any]] = {}
        filled: Counter[tuple[Any, ...]] = Counter()
        for p, i in moving.items():
            array, t = p._array, state.setdefault(p, {}).setdefault("t", 0)
            kind = next(kind for kind in namespace(array).buckets if kind.takes(array))
            key: tuple[Any, ...] = (kind, i, t, array.dtype, device_of(array))
            filled[key] += array.size
            key += (filled[key] // kind.capacity,) if storages.count(array) == 1 else ("shared", id(p))
            together.setdefault(key, []).append(p)
        workspace: dict[Any, Array] = {}
        self.buckets: list[Bucket] = [
            kind(i, params, [state[p] for p in params], options[i], workspace, storages)
            for (kind, i, *_), params in together.items()
        ]

    def gradients(
        self, groups: Sequence[dict[str, Any]], options: list[GroupOptions], state: Mapping[Any, State]
    ) -> list[list[Array]] | None:
        """This step's gradients for each bucket; None where the plan no longer holds."""
        if options is not self.options:
            slots, known = [each.slots for each in options], [each.slots for each in self.options]
            params = [list(map(id, group["params"])) for group in groups]  # a tensor's `==` compares elements
            if slots != known or params != [list(map(id, each)) for each in self.params]:
                return None
            self.options = options
        for p in self.idle:
            if p._grad is not None:
                return None
        gradients = []
        for bucket in self.buckets:
            own = bucket.gradients(state)
            if own is None:
                return None
            gradients.append(own)
        return gradients

    def run(self, rule: Rule, step_scalars: Callable[..., Sequence[Any]], gradients: list[list[Array]]) -> None:
        """Move every parameter once by `rule`, with the gradients that `gradients` gave. Where Ctrl-C breaks it off,
        a parameter has moved, its state and t with it, or has not; but this plan holds no more then."""
        for bucket in self.buckets:  # what a rule or `step_scalars` may refuse, before anything moves
            options = self.options[bucket.group]
            t = bucket.t = bucket.t + 1
            bucket.prepare(rule, step_scalars(options.checked, t), options.static)
        time, provenance = new_version(None)  # one write, of all parameters
        tasks: list[Task] = []
        counted: list[Iterator[None]] = []
        for bucket, own in zip(self.buckets, gradients):  # noqa: B905
            for record in bucket.writes:
                record[1], record[2] = time, provenance
            if left := bucket.move(own):
                tasks += left
                counted.append(bucket.counted())
                finish = bucket.finish
        if tasks:
            finish(tasks, chain.from_iterable(counted))  # those that leave any are of one kind


# A context in which NumPy warns of nothing: an infinite gradient becomes NaN in its own elements, and must not stop a
# step half-way. Entering a copy of it takes 0.1 us, numpy.errstate 1.1.
QUIET = Context()
QUIET.run(cpu.quiet().__enter__)


def compute_dtype(dtype: DType) -> DType:
    """The dtype of the state and of the arithmetic: at least float32, as half precision would lose the momentum."""
    return dtype if dtype.itemsize >= 4 else float32


class Memory:
    """The stretches of memory that some arrays lie in, those that overlap made one. If each is `owned`, another that
    has memory of its own shares none, unless its id is one of `ids`: that tells at a tenth of the price."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.owned, self.ids = all(array.base is None for array in arrays), Counter(map(id, arrays))
        self.stretches: list[list[int]] = []  # [start, end, how many arrays], by address
        for start, end in sorted(map(extent_of, arrays)):
            if not self.stretches or start >= self.stretches[-1][1]:
                self.stretches.append([start, end, 0])
            self.stretches[-1][1:] = max(end, self.stretches[-1][1]), self.stretches[-1][2] + 1

    def count(self, array: Array) -> int:
        """How many of the arrays lie in stretches that `array` reaches."""
        if self.owned and array.base is None:
            return self.ids[id(array)]
        start, end = extent_of(array)
        return sum(count for low, high, count in self.stretches if low < end and start < high)
