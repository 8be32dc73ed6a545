"""How does one step move many parameters, small ones and large ones, in few operations?

A rule is some ten elementwise operations. On a few hundred numbers each takes a microsecond, whatever it computes, so
small parameters are packed: one evaluation of the rule moves all that a `PackedBucket` holds. On millions of numbers
it is memory that takes the time, so a large parameter is moved a chunk at a time (`ChunkedBucket`), each chunk small
enough for its ten operations to find it in the processor's cache; threads share the chunks. On a GPU all parameters go
together (`xp.Bucket`). Which parameter is in which bucket is a `Plan`, kept until something that it was made from has
changed: a gradient that is missing, another array behind a parameter, other state.

Packing copies gradients, and parameters only where the rule reads them. State lives in the packed arrays, of which each
parameter's `state` has a view; parameters and gradients stay in the arrays that the user sees.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from functools import partial
from itertools import accumulate
from math import ceil, prod
from operator import is_
from typing import Any, NamedTuple

from lucid.core.array import Array, DType, cpu, device_of, float32, is_array, is_writable, namespace, to_device
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

    Subclasses say where the state lies (`allocate_state`) and how the parameters are moved (`move`). `storages` says
    how many of the parameters that move in a step lie in each memory; `workspace` is shared by all buckets of a plan.
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
        self.group, self.t, self.params, self.states = group, states[0]["t"], params, states
        self.slots, self.initial, self.workspace, self.storages = options.slots, options.initial, workspace, storages
        self.arrays: list[Array] = [p._array for p in params]
        theta = self.arrays[0]
        self.xp, self.dtype, self.device = namespace(theta), compute_dtype(theta.dtype), device_of(theta)
        self.compiled: Any = None  # the rule, for the hyperparameters `static`
        self.static: dict[str, Any] | None = None
        self.has_flags = False  # whether there are any among the step's scalars: they decide what is compiled
        self.static_scalars: list[Any] = []
        self.step_scalars: list[Any] = []
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

    def compile(self, rule: Rule, pattern: Pattern | None) -> Any:
        """The rule as this bucket runs it; None where it cannot be traced."""
        return compiled_rule(rule, self.slots, pattern)

    def prepare(self, rule: Rule, step_scalars: Sequence[Any], static: dict[str, Any]) -> Any:
        """Compile the rule, if that is new, and fill in the scalars; gives the compiled rule, or None."""
        if self.has_flags or (static is not self.static and static != self.static):
            self.has_flags = any(type(x) is bool for x in step_scalars)
            compiled, self.static = self.compile(rule, pattern_of(step_scalars, static)), static
            if compiled is not None:
                if compiled is not self.compiled:
                    self.static_scalars = [self.new_scalar() for _ in compiled.static]
                    self.step_scalars = [self.new_scalar() for _ in compiled.step]
                    self.bind(compiled)
                self.fill(self.static_scalars, compiled.static_values(static))
            self.compiled = compiled
        if self.compiled is not None:
            self.fill(self.step_scalars, self.compiled.step_values(static, step_scalars))
        return self.compiled

    def new_scalar(self) -> Any:
        """Where a scalar is put.

        An operation takes 0.76 us with a Python float and 0.38 us with an array of no dimensions (NumPy 2.4, 337
        numbers in float32), so it is such an array, of the dtype that floats would be turned into.
        """
        return self.xp.zeros((), dtype=self.dtype)

    @staticmethod
    def fill(scalars: list[Any], values: Sequence[Any]) -> None:
        """Put these values there."""
        for scalar, value in zip(scalars, values):  # noqa: B905
            scalar[()] = value

    def bind(self, compiled: Any) -> None:
        """Get ready to run this compiled rule."""

    def temporary(self, use: object, shape: tuple[int, ...]) -> Array:
        """An array of the workspace for this use, of which there will be more if it was too small."""
        size, key = prod(shape), (use, self.dtype)
        flat = self.workspace.get(key)
        if flat is None or flat.size < size:
            flat = self.workspace[key] = self.xp.empty(size, dtype=self.dtype)
        return flat[:size].reshape(shape)

    def evaluate(self, rule: Rule, theta: Array, g: Array, memory: list[Any], scalars: Any, static: Any) -> None:
        """Put into theta and its state what a rule says that cannot be traced."""
        new, state = evaluate_rule(rule, self.xp, theta, g, memory, scalars, static)
        theta[...] = new
        for old, value in zip(memory, state, strict=True):
            if old is not None:
                old[...] = value

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> Sequence[Task]:
        """Move the parameters, given this step's gradients and numbers; gives what is left to do, in any order."""
        raise NotImplementedError


class PackedBucket(Bucket):
    """Small parameters side by side: one evaluation of the rule moves them all.

    The state lies in this bucket's arrays, of which the parameters' states are views that do not overlap. Gradients,
    and parameters where the rule reads them, are copied into workspace that all buckets share.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.g = self.temporary("g", (self.size,))
        self.g_views = self.views(self.g)
        self.theta_views: list[Array] = []  # where the rule reads theta
        self.calls: list[Callable[[], Any]] = []

    @property
    def size(self) -> int:
        """How many numbers the parameters have."""
        return sum(array.size for array in self.arrays)

    def views(self, flat: Array) -> list[Array]:
        """A view of `flat` for each parameter, in its shape."""
        ends = accumulate(array.size for array in self.arrays)
        return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends, self.arrays, strict=True)]

    def allocate_state(self, slot: str) -> Array:
        """One array, of which every state gets its view."""
        flat = self.xp.zeros(self.size, dtype=self.dtype)
        for state, view in zip(self.states, self.views(flat), strict=True):
            if slot in state:
                view[...] = to_device(state[slot], self.device)
            elif slot in self.initial:
                view[...] = self.initial[slot]
            state[slot] = view
        return flat

    def bind(self, compiled: CompiledRule) -> None:
        """Make a list of all calls of a step, with the arrays that each works on."""
        theta = self.temporary("theta", (self.size,)) if compiled.reads_theta else None
        temporaries = [self.temporary(i, (self.size,)) for i in range(compiled.workspace)]
        registers = [theta, self.g, *(x for x in self.memory if x is not None), *self.static_scalars, *self.step_scalars, *temporaries]
        self.theta_views = [] if theta is None else self.views(theta)
        self.calls = [partial(f, *[registers[i] for i in x], registers[y]) for f, x, y in compiled.calls]
        updates = self.views(registers[compiled.update])
        bases = self.arrays if compiled.theta == 0 else self.views(registers[compiled.theta])
        for array, base, update in zip(self.arrays, bases, updates, strict=True):
            operands = [array, base, update]
            if array.flags.c_contiguous:  # a matrix takes a third longer than the same numbers in a row
                operands = [x.reshape(-1) for x in operands]
            out = operands[0]  # as the base, too, where it is: two views of the same memory take 0.2 us longer
            self.calls.append(partial(self.xp.subtract, out if base is array else operands[1], operands[2], out))

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> Sequence[Task]:
        """Copy the gradients in, evaluate the rule once, and subtract its update from each parameter."""
        for view, g in zip(self.g_views, gradients):  # noqa: B905
            view[...] = g
        if self.prepare(rule, scalars, static) is None:
            theta = self.temporary("theta", (self.size,))
            self.theta_views = self.views(theta)
        for view, array in zip(self.theta_views, self.arrays):  # noqa: B905
            view[...] = array
        if self.compiled is not None:
            for call in self.calls:
                call()
        else:
            self.evaluate(rule, theta, self.g, self.memory, scalars, static)
            for view, array in zip(self.theta_views, self.arrays, strict=True):
                array[...] = view
        return ()


class ChunkedBucket(Bucket):
    """One parameter, moved in its own arrays, a chunk at a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        (theta,) = self.arrays
        self.own = {storage_id(array) for array in (theta, *self.memory) if array is not None}
        # Whether other threads may do it, at any time: where no other parameter overlaps this one, and it is worth it.
        alone, enough = self.storages[storage_id(theta)] == 1, theta.size * PARALLEL >= CHUNK
        self.can_run_in_parallel = alone and enough and theta.dtype == self.dtype
        self.chunks = [
            (index, theta[index], [None if x is None else x[index] for x in self.memory])
            for index in chunk_slices(theta.shape, CHUNK)
        ]

    def allocate_state(self, slot: str) -> Array:
        """The array that the state has, if it will do."""
        return own_state(self.states[0], slot, self.arrays[0], self.dtype, self.initial)

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> Sequence[Task]:
        """Leave the chunks for any thread to do; do them now where the order may matter."""
        (g,) = gradients
        if storage_id(g) in self.own:
            g = g.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        if self.prepare(rule, scalars, static) is None:  # it may not be pure, so it stays in this thread
            for index, theta, memory in self.chunks:
                wide = theta.astype(self.dtype, copy=False)
                self.evaluate(rule, wide, g[index].astype(self.dtype, copy=False), memory, scalars, static)
                theta[...] = wide
            return ()
        tasks = [partial(self.move_chunk, theta, memory, g[index]) for index, theta, memory in self.chunks]
        if self.can_run_in_parallel and g.dtype == self.dtype and storage_id(g) not in self.storages:
            return tasks
        for task in tasks:
            task(0)
        return ()

    def move_chunk(self, theta: Array, memory: list[Array | None], g: Array, worker: int) -> None:
        """Run the compiled rule on one chunk, in the workspace of this worker."""
        rule: CompiledRule = self.compiled
        wide = theta.astype(self.dtype, copy=False) if rule.reads_theta else theta  # half precision: not in half
        temporaries = [self.temporary((worker, i), theta.shape) for i in range(rule.workspace)]
        registers = [wide, g.astype(self.dtype, copy=False), *(x for x in memory if x is not None)]
        registers += self.static_scalars + self.step_scalars + temporaries
        for function, operands, out in rule.calls:
            if len(operands) == 2:  # most have, and this takes 0.3 us less
                a, b = operands
                function(registers[a], registers[b], registers[out])
            else:
                function(*[registers[i] for i in operands], registers[out])
        self.xp.subtract(registers[rule.theta] if rule.theta else theta, registers[rule.update], theta)


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

BUCKETS: dict[str, Callable[[], type[Bucket]]] = {}  # by the name of a namespace: what imports its kind of bucket


class Plan:
    """All buckets of a step. Making a plan checks what could go wrong in a step before it changes anything.

    Args:
        name: the optimizer's, for error texts.
        groups: the optimizer's `param_groups`.
        options: what was read from each group; which slots are in use there decides, the numbers may change.
        state: the optimizer's; a parameter about to be moved for the first time gets its entry here.

    Raises:
        TypeError: for a parameter that is no longer of a float dtype.
        ValueError: for a gradient or state that does not fit its parameter, and for a parameter listed twice.
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
                        raise ValueError(f"{context} {TWICE}")
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
            array, t = p._array, state.setdefault(p, {}).setdefault("t", 0)
            on_cpu = namespace(array) is cpu
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
        for (i, _, _, _, *large), params in together.items():
            xp, own = namespace(params[0]._array), [state[p] for p in params]
            of_kind = BUCKETS[xp.name]() if xp is not cpu else ChunkedBucket if large[0] else PackedBucket
            self.buckets.append(of_kind(i, params, own, options[i], workspace, storages))

    def gradients(
        self, groups: Sequence[dict[str, Any]], options: list[GroupOptions], state: Mapping[Any, State]
    ) -> list[list[Array]] | None:
        """This step's gradients for each bucket; None where the plan no longer holds."""
        if options is not self.options:
            if [each.slots for each in options] != [each.slots for each in self.options]:
                return None
            self.options = options
        for group, known in zip(groups, self.params):  # noqa: B905 (strict=True costs 0.3 us)
            params = group["params"]
            if len(params) != len(known) or not all(map(is_, params, known)):  # never asks a tensor's `==`
                return None
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
        version = new_version(None)
        for bucket, own in zip(self.buckets, gradients):  # noqa: B905
            options = self.options[bucket.group]
            t = bucket.t = bucket.t + 1
            tasks += bucket.move(rule, step_scalars(options.checked, t), options.static, own)
            for state, record in zip(bucket.states, bucket.versions):  # noqa: B905
                state["t"] = t
                record[1:] = version
        if tasks:
            run_parallel(tasks)


# A context of its own, where NumPy warns of nothing: an infinite gradient becomes NaN in its own elements, it must not
# stop a step half-way. Entering it takes 0.1 us, numpy.errstate 1.1.
QUIET = Context()
QUIET.run(cpu.quiet().__enter__)

TWICE = "must be listed once, got it twice; take it out of one of the lists of parameters"


def check_gradient_and_state(context: str, p: Any, state: State, slots: Slots) -> None:
    """Refuse what would go wrong half-way through a step."""
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
        while not failures:
            try:
                task = left.popleft()
            except IndexError:  # none is left
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


def own_state(state: State, slot: str, theta: Array, dtype: DType, initial: Mapping[str, float]) -> Array:
    """The array under the name of `slot`, beside theta and of this dtype: the state's if it will do, else a new one."""
    old = state.get(slot, initial.get(slot, 0))
    if not (
        type(old) is type(theta)
        and (old.dtype, device_of(old)) == (dtype, device_of(theta))
        and is_writable(old)
        and old.base is None  # else a view of what was packed, which would keep all of that alive
    ):
        state[slot] = new_state(theta, old)
    return state[slot]


def new_state(theta: Array, initial: Any = 0) -> Array:
    """A new state array for the parameter with the array `theta`: of its shape and device, at least float32."""
    device = device_of(theta)
    new = to_device(namespace(theta).zeros(theta.shape, dtype=compute_dtype(theta.dtype)), device)
    new[...] = to_device(initial, device) if is_array(initial) else initial
    return new
