"""How does one step move many parameters, small ones and large ones, in few operations?

A rule is some ten elementwise operations. On a few hundred numbers each takes a microsecond, whatever it computes, so
small parameters are packed: one evaluation of the rule moves all that a `PackedBucket` holds. On millions of numbers
it is memory that takes the time, so a large parameter is moved a chunk at a time (`ChunkedBucket`), each chunk small
enough for its ten operations to find it in the processor's cache; threads share the chunks. On a GPU all parameters go
together (lucid/gpu). Which parameter is in which bucket is a `Plan`, kept until something that it was made from has
changed: a gradient that is missing, another array behind a parameter, other state.

Packing copies gradients, and parameters only where the rule reads them. Parameters and gradients stay in the arrays
that the user sees; state lies in a bucket's arrays, of which each parameter's state has views that do not overlap.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from functools import partial
from itertools import accumulate
from math import ceil, prod
from typing import Any, NamedTuple

from lucid.core.array import (
    Array,
    DType,
    cpu,
    device_of,
    float32,
    is_array,
    is_writable,
    namespace,
    to_device,
)
from lucid.core.node import new_version, version_record
from lucid.optim.rule import CompiledRule, Pattern, Rule, Slots, compiled_rule, evaluate_rule, pattern_of

# Measured on an EPYC with 1 MB of cache a core, float32 (benchmarks/optimizers.py): a 64-128-64-10 network takes 57 us
# in packs of 16,384 elements and 47 us in packs of 32,768. From 8,192 on packing saves nothing.
PACK = 32_768  # elements in a bucket of small parameters
SMALL = 8_192  # elements in the largest of those

# Measured on two cores of an EPYC with 1 MB of cache each and 32 MB between them, for Adamax in float32. One thread
# takes 1.54 ns a number in chunks of 131,072 and 1.46 in chunks of 262,144 (5000 x 5000 numbers). Two threads, beside
# PyTorch's loop, all in turn: 10 of 1000 x 1000 numbers 1.17 times as fast in chunks of 131,072, 1.10 in chunks of
# 262,144, 0.87 in chunks of 65,536; 5000 x 5000 numbers 2.50 and 2.30. Smaller chunks have threads wait for each other:
# Python has one lock for all that does not happen inside of an operation.
CHUNK = 131_072  # elements in a chunk of a large parameter
PARALLEL = 4  # chunks, from which on threads share them

State = dict[str, Any]  # of one parameter: its "t", and an array under the name of each slot
Task = Callable[[int], None]  # a part of a step that may be done at any time, by the worker of that number


class GroupOptions(NamedTuple):
    """The hyperparameters of a group as they were read, and found valid, at one step."""

    checked: dict[str, Any]  # by name, as Python floats and bools: those never change the dtype of an array
    static: dict[str, Any]  # those that the rule takes by keyword
    slots: Slots
    initial: dict[str, float]  # what a new array of a slot is filled with, where that is not 0


class Bucket:
    """Parameters of one group that are moved together, by the same numbers.

    Subclasses say where the state lies (`allocate_state`) and how the parameters are moved (`move`). `workspace` is
    shared by all buckets of a plan; `storages` says how many of the parameters that move in a step lie in each memory.
    """

    def __init__(
        self,
        group: int,
        params: list[Any],
        states: list[State],
        options: GroupOptions,
        workspace: dict[Any, Array],
        storages: Mapping[int, int],
    ) -> None:
        self.group, self.t, self.states = group, states[0]["t"], states
        self.slots, self.initial, self.workspace, self.storages = options.slots, options.initial, workspace, storages
        self.arrays: list[Array] = [p._array for p in params]
        self.size = sum(array.size for array in self.arrays)
        theta = self.arrays[0]
        self.xp, self.dtype, self.device = namespace(theta), compute_dtype(theta.dtype), device_of(theta)
        self.compiled: Any = None  # the rule, for these hyperparameters, and flags among the step's scalars
        self.static: dict[str, Any] | None = None
        self.flags: list[bool] = []
        self.static_scalars: list[Array] = []
        self.step_scalars: list[Array] = []
        self.memory = [None if slot is None else self.allocate_state(slot) for slot in self.slots]
        self.versions = [version_record(array) for array in self.arrays]
        # What must be the same at the next step:
        self.rows = list(zip(params, self.arrays, [a.shape for a in self.arrays], states, strict=True))
        self.state_arrays = [(state, x, state[x]) for state in states for x in self.slots if x is not None]

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

    def allocate_state(self, slot: str) -> Any:
        """Give every parameter's state an array under the name of `slot`; returns what the rule will work on."""
        raise NotImplementedError

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> list[Task]:
        """Move the parameters, given this step's numbers and gradients; gives what is left to do, in any order."""
        raise NotImplementedError

    def compile(self, rule: Rule, pattern: Pattern | None) -> Any:
        """The rule as this bucket runs it; None where it cannot be traced."""
        return compiled_rule(rule, self.slots, pattern)

    def bind(self, compiled: Any) -> None:
        """Get ready to run this compiled rule."""

    def prepare(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any]) -> Any:
        """Compile the rule, if that is new, and fill in the scalars; gives the compiled rule, or None.

        An operation takes 0.76 us with a Python float and 0.38 us with an array of no dimensions (NumPy 2.4, 337
        numbers in float32), so scalars are such arrays, of the dtype that floats would be turned into.
        """
        flags = [x for x in scalars if type(x) is bool] if self.flags else self.flags
        if flags != self.flags or (static is not self.static and static != self.static):
            compiled, self.static = self.compile(rule, pattern_of(scalars, static)), static
            self.flags = [x for x in scalars if type(x) is bool]
            if compiled is not None:
                if compiled is not self.compiled:
                    self.static_scalars, self.step_scalars = (
                        [cpu.zeros((), dtype=self.dtype) for _ in some] for some in (compiled.static, compiled.step)
                    )
                    self.bind(compiled)
                for scalar, value in zip(self.static_scalars, compiled.static_values(static), strict=True):
                    scalar[()] = value
            self.compiled = compiled
        if self.compiled is not None:
            for scalar, value in zip(self.step_scalars, self.compiled.step_values(static, scalars)):  # noqa: B905
                scalar[()] = value
        return self.compiled

    def registers(self, theta: Any, g: Array, memory: Sequence[Any], use: object) -> list[Any]:
        """The registers of the compiled rule, with workspace that nothing else uses meanwhile."""
        temporaries = [self.temporary((use, i), g.shape) for i in range(self.compiled.workspace)]
        slots = [x for x in memory if x is not None]
        return [theta, g, *slots, *self.static_scalars, *self.step_scalars, *temporaries]

    def temporary(self, use: object, shape: tuple[int, ...]) -> Array:
        """An array of the workspace for this use, of which there will be more if it was too small."""
        size, key = prod(shape), (use, self.dtype)
        flat = self.workspace.get(key)
        if flat is None or flat.size < size:
            flat = self.workspace[key] = self.xp.empty(size, dtype=self.dtype)
        return flat[:size].reshape(shape)

    def evaluate(self, rule: Rule, theta: Array, g: Array, memory: Sequence[Any], scalars: Any, static: Any) -> None:
        """Put into theta and the state what a rule gives that cannot be traced."""
        theta[...], new = evaluate_rule(rule, self.xp, theta, g, memory, scalars, static)
        for old, value in zip(memory, new, strict=True):
            if old is not None:
                old[...] = value


class PackedBucket(Bucket):
    """Small parameters side by side: one evaluation of the rule moves them all."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.g = self.temporary("g", (self.size,))
        self.g_views = self.views(self.g)
        self.thetas: list[tuple[Array, Array]] = []  # where the rule reads parameters: where each is put, and its array
        self.calls: list[Callable[[], Any]] = []  # all of a step

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
        self.compiled = compiled
        theta = self.temporary("theta", (self.size,)) if compiled.reads_theta else None
        self.thetas = [] if theta is None else list(zip(self.views(theta), self.arrays, strict=True))
        registers = self.registers(theta, self.g, self.memory, "")
        self.calls = [partial(f, *[registers[i] for i in x], registers[y]) for f, x, y in compiled.calls]
        updates = self.views(registers[compiled.update])
        bases = self.views(theta) if compiled.scales_theta else self.arrays
        for operands in zip(self.arrays, bases, updates, strict=True):
            if operands[0].flags.c_contiguous:  # a matrix takes a third longer than the same numbers in a row
                operands = tuple([x.reshape(-1) for x in operands])
            array, base, update = operands
            # Two arrays that show the same memory take 0.2 us longer than one that is given twice.
            self.calls.append(partial(self.xp.subtract, base if compiled.scales_theta else array, update, array))

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> list[Task]:
        """Copy the gradients in, evaluate the rule once, and subtract its update from each parameter."""
        for view, g in zip(self.g_views, gradients):  # noqa: B905 (strict=True costs 0.3 us)
            view[...] = g
        if self.prepare(rule, scalars, static) is None:
            theta = self.temporary("theta", (self.size,))
            self.thetas = list(zip(self.views(theta), self.arrays, strict=True))
        for view, array in self.thetas:
            view[...] = array
        if self.compiled is not None:
            for call in self.calls:
                call()
            return []
        self.evaluate(rule, theta, self.g, self.memory, scalars, static)
        for view, array in self.thetas:
            array[...] = view
        return []


class ChunkedBucket(Bucket):
    """One parameter, moved in its own arrays, a chunk at a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        (theta,) = self.arrays
        self.own = {storage_id(array) for array in (theta, *self.memory) if array is not None}
        # Whether any thread may do it, at any time: where no other parameter overlaps this one, and it is worth it.
        alone, enough = self.storages[storage_id(theta)] == 1, theta.size * PARALLEL >= CHUNK
        self.can_run_in_parallel = alone and enough and theta.dtype == self.dtype
        self.chunks = [
            (index, theta[index], [None if x is None else x[index] for x in self.memory])
            for index in chunk_slices(theta.shape, CHUNK)
        ]

    def allocate_state(self, slot: str) -> Array:
        """The array that the state has, if it will do."""
        return own_state(self.states[0], slot, self.arrays[0], self.initial.get(slot, 0))

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> list[Task]:
        """Leave the chunks for any thread to do; do them now where the order may matter."""
        (g,) = gradients
        if storage_id(g) in self.own:
            g = g.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        if self.prepare(rule, scalars, static) is None:  # it may not be pure, so it stays in this thread
            for index, theta, memory in self.chunks:
                wide = theta.astype(self.dtype, copy=False)
                self.evaluate(rule, wide, g[index].astype(self.dtype, copy=False), memory, scalars, static)
                theta[...] = wide
            return []
        tasks: list[Task] = [partial(self.move_chunk, theta, memory, g[index]) for index, theta, memory in self.chunks]
        if self.can_run_in_parallel and g.dtype == self.dtype and storage_id(g) not in self.storages:
            return tasks
        for task in tasks:
            task(0)
        return []

    def move_chunk(self, theta: Array, memory: list[Array | None], g: Array, worker: int) -> None:
        """Run the compiled rule on one chunk, in the workspace of this worker; half precision in single."""
        rule: CompiledRule = self.compiled
        wide = theta.astype(self.dtype, copy=False) if rule.reads_theta else theta
        registers = self.registers(wide, g.astype(self.dtype, copy=False), memory, worker)
        for function, operands, out in rule.calls:
            if len(operands) == 2:  # most have two, and this takes 0.3 us less
                a, b = operands
                function(registers[a], registers[b], registers[out])
            else:
                function(*[registers[i] for i in operands], registers[out])
        self.xp.subtract(wide, registers[rule.update], theta)


def chunk_slices(shape: tuple[int, ...], size: int) -> Iterator[Any]:
    """Indices that cut an array of `shape`, whatever its strides, into even chunks of about `size` elements.

    >>> list(chunk_slices((4, 3), 6))
    [slice(0, 2, None), slice(2, 4, None)]
    >>> list(chunk_slices((2, 3), 2))
    [(0, slice(0, 2, None)), (0, slice(2, 3, None)), (1, slice(0, 2, None)), (1, slice(2, 3, None))]
    """
    if prod(shape) <= size:
        yield ...
        return
    length, inner = shape[0], prod(shape[1:])
    if inner > size:
        for i in range(length):
            for index in chunk_slices(shape[1:], size):
                yield (i, *index) if isinstance(index, tuple) else (i, index)
        return
    step = ceil(length / ceil(length / (size // inner)))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


# -- which parameter is in which bucket ------------------------------------------------------------------------------



class Plan:
    """All buckets of a step. Making a plan checks what could go wrong in a step before it changes anything.

    Args:
        name: the optimizer's, for error texts.
        groups: the optimizer's `param_groups`.
        options: what was read from each group; which slots are in use there decides, the numbers may change.
        state: the optimizer's; a parameter about to be moved for the first time gets its entry here.

    Raises:
        TypeError, ValueError: as `check_gradient_and_state` does; also for a parameter that is listed twice.
    """

    def __init__(
        self, name: str, groups: Sequence[dict[str, Any]], options: list[GroupOptions], state: dict[Any, State]
    ) -> None:
        self.options, self.params = options, [list(group["params"]) for group in groups]
        self.idle = [p for params in self.params for p in params if p._grad is None]
        moving: dict[Any, int] = {}  # parameter -> its group
        for i, params in enumerate(self.params):
            for j, p in enumerate(params):
                if p._grad is not None:
                    context = f"{name}, group {i}: parameter {j}"
                    if p in moving:
                        raise ValueError(f"{context} must be listed once, got it twice; take it out of one list")
                    check_gradient_and_state(context, p, state.get(p, {}), options[i].slots)
                    moving[p] = i
        for p in moving:
            if not is_writable(p._array):  # a broadcast view, or memory that was only lent
                p._array = p._array.copy()

        # Two views of one array may overlap. Each must see what the other wrote, so they go one after the other.
        storages = Counter(storage_id(p._array) for p in moving)
        together: dict[tuple[Any, ...], list[Any]] = {}
        filled: Counter[tuple[Any, ...]] = Counter()
        for p, i in moving.items():
            array, t, on_cpu = p._array, state.setdefault(p, {}).setdefault("t", 0), device_of(p._array) == "cpu"
            kind: tuple[Any, ...] = (i, t, compute_dtype(array.dtype) if on_cpu else array.dtype, device_of(array))
            large = on_cpu and array.size > SMALL
            if large or storages[storage_id(array)] > 1:
                kind += (large, id(p))
            elif on_cpu:
                filled[kind] += array.size
                kind += (large, filled[kind] // PACK)
            together.setdefault(kind, []).append(p)

        workspace: dict[Any, Array] = {}
        self.buckets: list[Bucket] = []
        for (i, _, _, device, *large), params in together.items():
            on_gpu = device != "cpu" and namespace(params[0]._array).Bucket
            bucket = on_gpu or (ChunkedBucket if large[0] else PackedBucket)
            self.buckets.append(bucket(i, params, [state[p] for p in params], options[i], workspace, storages))

    def gradients(
        self, groups: Sequence[dict[str, Any]], options: list[GroupOptions], state: Mapping[Any, State]
    ) -> list[list[Array]] | None:
        """This step's gradients for each bucket; None where the plan no longer holds."""
        if options is not self.options:
            slots, known = [each.slots for each in options], [each.slots for each in self.options]
            params = [list(map(id, group["params"])) for group in groups]  # for a tensor's `==` is another matter
            if slots != known or params != [list(map(id, each)) for each in self.params]:
                return None
            self.options = options
        for p in self.idle:
            if p._grad is not None:
                return None
        found = []
        for bucket in self.buckets:
            gradients = bucket.gradients(state)
            if gradients is None:
                return None
            found.append(gradients)
        return found

    def run(self, rule: Rule, step_scalars: Callable[..., Sequence[Any]], gradients: list[list[Array]]) -> None:
        """Move every parameter once by `rule`, with the gradients that `gradients` gave."""
        QUIET.copy().run(self._run, rule, step_scalars, gradients)

    def _run(self, rule: Rule, step_scalars: Callable[..., Sequence[Any]], gradients: list[list[Array]]) -> None:
        tasks: list[Task] = []
        time, provenance = new_version(None)
        for bucket, own in zip(self.buckets, gradients):  # noqa: B905
            options = self.options[bucket.group]
            t = bucket.t = bucket.t + 1
            tasks += bucket.move(rule, step_scalars(options.checked, t), options.static, own)
            for state, record in zip(bucket.states, bucket.versions):  # noqa: B905
                state["t"] = t
                record[1], record[2] = time, provenance
        if tasks:
            run_parallel(tasks)


# A context in which NumPy warns of nothing: an infinite gradient becomes NaN in its own elements, and must not stop a
# step half-way. Entering a copy of it takes 0.1 us, numpy.errstate 1.1.
QUIET = Context()
QUIET.run(cpu.quiet().__enter__)


def check_gradient_and_state(context: str, p: Any, state: State, slots: Slots) -> None:
    """Refuse what would go wrong half-way through a step.

    Raises:
        TypeError: for a parameter that is no longer of a float dtype.
        ValueError: for a gradient or state that does not fit its parameter.
    """
    theta, g = p._array, p._grad._array
    if theta.dtype.kind != "f":
        raise TypeError(f"{context} must be of a float dtype, got {theta.dtype} by now; assign float data to it")
    if g.shape != theta.shape or device_of(g) != device_of(theta):
        raise ValueError(
            f"{context} has shape {theta.shape} on {device_of(theta)}, its gradient must match, got {g.shape} on "
            f"{device_of(g)}; call zero_grad() and backward() after giving a parameter other data"
        )
    for slot in slots:
        if slot in state and state[slot].shape != theta.shape:
            raise ValueError(
                f"{context} has shape {theta.shape}, its state {slot!r} must match, got {state[slot].shape}, from "
                "before it was given other data; del optimizer.state[parameter] lets it start anew"
            )


# -- threads ---------------------------------------------------------------------------------------------------------


def run_parallel(tasks: Sequence[Task]) -> None:
    """Do all of these; if they are many, on all cores: each thread takes the next one when it is free.

    Chunks do not overlap and the arithmetic is the same, so the result is, to the bit, whoever does what.
    """
    workers = min(worker_count(), len(tasks)) if len(tasks) >= PARALLEL else 1
    left, failures = deque(tasks), list[BaseException]()

    def work(worker: int) -> None:
        while left and not failures:
            try:
                task = left.popleft()
            except IndexError:  # another thread has taken the last one
                return
            try:
                task(worker)
            except BaseException as failure:  # Ctrl-C too: the others must stop as well
                failures.append(failure)

    futures = [thread_pool().submit(QUIET.copy().run, work, worker) for worker in range(1, workers)]
    work(0)
    for future in futures:
        future.result()
    if failures:
        raise failures[0]


_thread_pool: tuple[int, Any] = (0, None)  # the process that started it, and the threads


def thread_pool() -> Any:
    """The threads that help, started when first needed and kept; a forked process, which has none, starts its own."""
    global _thread_pool
    if _thread_pool[0] != os.getpid():
        from concurrent.futures import ThreadPoolExecutor  # only now: most models are not that big

        _thread_pool = os.getpid(), ThreadPoolExecutor(thread_name_prefix="lucid.optim")
    return _thread_pool[1]


def worker_count() -> int:
    """How many threads may work: as many as this process has cores, or OMP_NUM_THREADS if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


# -- arrays ----------------------------------------------------------------------------------------------------------


def compute_dtype(dtype: DType) -> DType:
    """The dtype of the state and of the arithmetic: at least float32, as half precision would lose the momentum."""
    return dtype if dtype.itemsize >= 4 else float32


def storage_id(array: Array) -> int:
    """Which memory `array` lies in: the same for all views of one array."""
    return id(array if array.base is None else array.base)


def own_state(state: State, slot: str, theta: Array, initial: float) -> Array:
    """The array under the name of `slot`, for the parameter with the array `theta`; a new one if the old will not do.

    A view of what was packed will not: it would keep all of that alive.
    """
    old = state.get(slot, initial)
    fits = type(old) is type(theta) and (old.dtype, device_of(old)) == (compute_dtype(theta.dtype), device_of(theta))
    if not fits or old.base is not None or not is_writable(old):
        state[slot] = new_state(theta, old)
    return state[slot]


def new_state(theta: Array, initial: Any = 0) -> Array:
    """A new state array for the parameter with the array `theta`: of its shape and device, at least float32."""
    device = device_of(theta)
    new = to_device(namespace(theta).zeros(theta.shape, dtype=compute_dtype(theta.dtype)), device)
    new[...] = to_device(initial, device) if is_array(initial) else initial
    return new
