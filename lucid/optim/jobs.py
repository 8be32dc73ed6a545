"""Chapter 8, continued. How one equation moves a few parameters or many, small ones or one that is big.

Small parameters are copied side by side, moved by a single evaluation of the rule, and copied back (`Packed`).
Only their state lies in common arrays, as views that do not overlap; whoever puts other arrays in their place
finds them copied in by the next plan. On millions of numbers it is memory that takes the time, so a big
parameter is moved a piece at a time (`Alone`), each piece small enough for its ten operations to find it in
the processor's cache; and where there are many pieces, of one parameter or of several, the cores share them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from math import ceil, prod
from typing import Any, NamedTuple

from lucid.core.array import Array, DType, cpu, device_of, float32, is_array, namespace, to_device
from lucid.optim.program import program_of

# Measured on two cores of an EPYC with 1 MB of cache each and 32 MB between them, for Adamax in float32. One thread
# takes 1.54 ns a number in pieces of 131,072 and 1.46 in pieces of 262,144 (5000 x 5000 numbers). Two threads, which is
# what big parameters get, beside PyTorch's loop, all in turn: 10 of 1000 x 1000 numbers 1.17 times as fast in pieces of
# 131,072, 1.10 in pieces of 262,144, 0.87 in pieces of 65,536; 5000 x 5000 numbers 2.50 and 2.30. Where something else
# keeps the other core busy they gain and lose nothing, on the whole. Smaller pieces have threads wait for each other:
# Python has one lock for all that does not happen inside of an operation.
CHUNK = 131_072  # elements in a piece of a big parameter
MANY = 4  # pieces, from which on threads share them

Rule = Callable[..., tuple[Any, ...]]
Numbers = tuple[float, ...]
Entry = dict[str, Any]  # the state of one parameter: its "t", and an array under the name of each slot
Memory = tuple[str | None, ...]  # a rule's slots by name; None for one that a group's options have no use for
Piece = Callable[[int], None]  # a part of a step that may be done at any time, by the worker of that number


class Settings(NamedTuple):
    """A group's hyperparameters as they were read, and found good, at one step."""

    values: tuple[object, ...]  # as they stand in the group
    options: dict[str, Any]  # by name, as Python floats and bools: those never change the dtype of an array
    constants: dict[str, Any]  # the ones that the rule takes by keyword
    memory: Memory
    initial: dict[str, float]  # what a new array of a slot is filled with, where that is not 0


class Part(NamedTuple):
    """What one evaluation of a rule works on, save the gradient."""

    theta: Array
    memory: list[Array | None]
    scratch: list[Array]  # as many as the program has asked for so far
    worker: int = 0  # whose scratch space it is: threads have their own


class Job:
    """Parameters of one group that are moved together, by the same numbers.

    Subclasses say where the state lies (`lay`) and how the parameters are moved, given this step's gradients.
    `owners` says how many of all the parameters that move in a step lie in each memory.
    """

    def __init__(
        self,
        group: int,
        t: int,
        params: list[Any],
        entries: list[Entry],
        settings: Settings,
        room: dict[Any, Array],
        owners: Mapping[int, int],
    ) -> None:
        self.group, self.t, self.entries, self.room, self.owners = group, t, entries, room, owners
        self.names, self.initial = settings.memory, settings.initial
        self.constants: dict[str, Any] | None = None  # what `program` was looked up for
        self.program: Any = None
        self.scalars: list[Any] = []  # what it needs of the numbers and the constants
        self.places: list[Array] | None = None  # the last of these, to be written to at each step
        self.flagged = False  # whether a number that is given anew at each step decides which program it is
        self.arrays: list[Array] = [p._array for p in params]
        theta = self.arrays[0]
        self.xp, self.dtype, self.device = namespace(theta), widened(theta.dtype), device_of(theta)
        self.memory = [None if slot is None else self.lay(slot) for slot in self.names]
        # What must still be so at the next step:
        self.rows = [(p, p._array, p._array.shape, entry) for p, entry in zip(params, entries, strict=True)]
        self.slots = [(entry, slot, entry[slot]) for entry in entries for slot in self.names if slot is not None]

    def gradients(self, state: dict[Any, Entry]) -> list[Array] | None:
        """This step's gradients; None if a parameter or its state is no longer what it was."""
        t, found = self.t, []
        try:
            for p, array, shape, entry in self.rows:
                g = p._grad._array
                if p._array is not array or g.shape != shape or state[p] is not entry or entry["t"] != t:
                    return None
                found.append(g)
            for entry, slot, known in self.slots:
                if entry[slot] is not known:
                    return None
        except (AttributeError, KeyError):  # no gradient, or no state
            return None
        return found

    def lay(self, slot: str) -> Array:
        """Give every entry an array under the name of `slot`; returns the array that the rule will work on."""
        raise NotImplementedError

    def evaluate(self, rule: Rule, part: Part, g: Array, numbers: Numbers, constants: dict[str, Any]) -> None:
        """Put what the rule says into theta and the memory: by its program if it has one, else as it stands.

        The program has been looked up by `prepare`.
        """
        theta, memory, program = part.theta, part.memory, self.program
        if program is None:
            new = rule(self.xp, theta, g, *memory, *numbers, **constants)
            for old, value in zip((theta, *memory), new, strict=True):
                if old is not None:
                    old[...] = value
        else:
            program(self.xp, self.scratch_for(part), theta, g, *memory, *self.scalars)

    def prepare(self, rule: Rule, numbers: Numbers, constants: dict[str, Any]) -> Any:
        """Look up the rule's program, and compute what it needs of the numbers; gives the program, or None.

        An operation takes 0.76 us with a Python float and 0.38 us with an array that has no dimensions (NumPy 2.4, 337
        numbers in float32), so on the CPU they are such arrays, of the dtype that floats would be turned into.
        """
        if self.flagged or (constants is not self.constants and constants != self.constants):
            self.flagged = any(type(number) is bool for number in numbers)
            program, self.places = self.look_up(rule, numbers, constants), None
            self.program = program
            if program is not None:
                fixed, changing = program.fixed(**constants), program.changing(*numbers, **constants)
                self.scalars = [*fixed, *changing]
                if self.device == "cpu" and all(type(value) in (float, int) for value in self.scalars):
                    self.scalars = [self.xp.asarray(value, dtype=self.dtype) for value in self.scalars]
                    self.places = self.scalars[len(fixed) :]
        elif self.program is not None:
            changing = self.program.changing(*numbers, **constants)
            if self.places is None:
                self.scalars = [*self.scalars[: -len(changing) or None], *changing]
            else:
                for place, value in zip(self.places, changing):  # noqa: B905
                    place[()] = value
        self.constants = constants
        return self.program

    def look_up(self, rule: Rule, numbers: Numbers, constants: dict[str, Any]) -> Any:
        """The rule's program for what it is given, or None."""
        return program_of(rule, self.names, numbers, constants)

    def scratch_for(self, part: Part) -> list[Array]:
        """Scratch space of the part's shape, as much as the program asks for."""
        count = self.program.scratch
        if len(part.scratch) < count:
            part.scratch[:] = [self.scratch((part.worker, i), part.theta) for i in range(count)]
        return part.scratch[:count]

    def scratch(self, use: object, like: Array) -> Array:
        """As much of the `room` for this use as `like` takes; there will be more of it if it was too small."""
        key = use, self.dtype, self.device
        flat = self.room.get(key)
        if flat is None or flat.size < like.size:
            flat = self.room[key] = to_device(self.xp.empty(like.size, dtype=self.dtype), self.device)
        return flat[: like.size].reshape(like.shape)

    def move(
        self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]
    ) -> Sequence[Piece]:
        """Evaluate the rule, and store in place what it returns; gives what is left to do, in any order."""
        raise NotImplementedError


class Packed(Job):
    """Small parameters side by side: one evaluation of the rule moves them all.

    The state lives in this job's flat arrays, of which the entries get views. Parameters and gradients only
    visit `room`, scratch space that all jobs share.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        flat = self.zeros()
        self.theta, self.g = self.scratch("theta", flat), self.scratch("g", flat)
        self.pairs = list(zip(self.views(self.theta), self.arrays, strict=True))
        self.g_views = self.views(self.g)
        self.part = Part(self.theta, self.memory, [])
        self.change: Array | None = None  # what was last subtracted, and a view of it for each parameter
        self.change_views: list[Array] = []

    def zeros(self) -> Array:
        """As many zeros as these parameters have elements."""
        size = sum(array.size for array in self.arrays)
        return to_device(self.xp.zeros(size, dtype=self.dtype), self.device)

    def views(self, flat: Array) -> list[Array]:
        """A view of `flat` for each parameter, in its shape."""
        ends = accumulate(array.size for array in self.arrays)
        return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends, self.arrays, strict=True)]

    def lay(self, slot: str) -> Array:
        """A flat array; every entry gets its view."""
        flat = self.zeros()
        for entry, view in zip(self.entries, self.views(flat), strict=True):
            if slot in entry:
                view[...] = to_device(entry[slot], self.device)
            elif slot in self.initial:
                view[...] = self.initial[slot]
            entry[slot] = view
        return flat

    def move(
        self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]
    ) -> Sequence[Piece]:
        """Copy the gradients in, evaluate once, and subtract what comes of it from each parameter; where the rule wants
        more of the parameters than that, they are copied in and out as well."""
        for view, g in zip(self.g_views, gradients):  # noqa: B905 (here and in run, strict=True costs 0.3 us)
            view[...] = g
        program = self.prepare(rule, numbers, constants)
        if program is not None and program.change is not None:
            change = program.change(self.xp, self.scratch_for(self.part), None, self.g, *self.memory, *self.scalars)
            if change is not self.change:
                self.change, self.change_views = change, self.views(change)
            for array, view in zip(self.arrays, self.change_views):  # noqa: B905
                array -= view
            return ()
        for view, array in self.pairs:
            view[...] = array
        self.evaluate(rule, self.part, self.g, numbers, constants)
        for view, array in self.pairs:
            array[...] = view
        return ()


class Alone(Job):
    """One parameter, moved in its own arrays, a piece at a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        (theta,) = self.arrays
        self.own = {owner(array) for array in (theta, *self.memory) if array is not None}
        # Whether its pieces may wait: where no other parameter overlaps this one, and it is worth it.
        self.apart = self.device == "cpu" and self.owners[owner(theta)] == 1 and theta.size * MANY >= CHUNK
        self.parts = [
            (piece, theta[piece], Part(theta[piece], [None if x is None else x[piece] for x in self.memory], []))
            for piece in pieces(theta.shape, CHUNK)
        ]

    def lay(self, slot: str) -> Array:
        """The array in the entry, if it will do."""
        return lay_alone(self.entries[0], slot, self.arrays[0], self.dtype, self.initial)

    def move(
        self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]
    ) -> Sequence[Piece]:
        """Leave the pieces, each to be evaluated in place, to be shared; do them now where the order may matter."""
        (whole,) = gradients
        if owner(whole) in self.own:
            whole = whole.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        program = self.prepare(rule, numbers, constants)
        if self.arrays[0].dtype is self.dtype is whole.dtype:
            # A rule without a program may not be pure.
            if program is not None and self.apart and owner(whole) not in self.owners:
                work = partial(self.one, rule, numbers, constants)
                return [partial(work, part, whole[piece]) for piece, _, part in self.parts]
            for piece, _, part in self.parts:
                self.evaluate(rule, part, whole[piece], numbers, constants)
            return ()
        for piece, theta, part in self.parts:  # half precision: the arithmetic is done in float32
            wide = part._replace(theta=theta.astype(self.dtype))
            self.evaluate(rule, wide, whole[piece].astype(self.dtype), numbers, constants)
            theta[...] = wide.theta
        return ()

    def one(
        self, rule: Rule, numbers: Numbers, constants: dict[str, Any], part: Part, g: Array, worker: int
    ) -> None:
        """Evaluate one piece, in the scratch space of this worker."""
        own = part._replace(scratch=[], worker=worker) if worker else part
        self.evaluate(rule, own, g, numbers, constants)


def share(todo: Sequence[Piece]) -> None:
    """Do all of these; if they are many, on all cores: each thread takes the next one when it is free.

    Pieces do not overlap and the arithmetic is the same, so the result is, to the bit, whoever does what.
    """
    workers = min(cores(), len(todo)) if len(todo) >= MANY else 1
    left, failures = deque(todo), list[BaseException]()

    def work(worker: int) -> None:
        while not failures:
            try:
                piece = left.popleft()
            except IndexError:  # none is left
                return
            try:
                piece(worker)
            except BaseException as failure:  # Ctrl-C too: the others must stop as well
                failures.append(failure)

    quietly = cpu.quiet()(work)  # what the step has said of warnings holds for its own thread only
    helping = [helpers().submit(quietly, worker) for worker in range(1, workers)]
    work(0)
    for each in helping:
        each.result()
    if failures:
        raise failures[0]


_helpers: tuple[int, Any] = (0, None)  # the process that started them, and the threads


def helpers() -> Any:
    """The threads that help, started when first needed and kept; a forked process, which has none, starts its own."""
    global _helpers
    if _helpers[0] != os.getpid():
        from concurrent.futures import ThreadPoolExecutor  # only now: most models are not that big

        _helpers = os.getpid(), ThreadPoolExecutor(thread_name_prefix="lucid.optim")
    return _helpers[1]


def cores() -> int:
    """How many threads may work: as many as this process has cores, or OMP_NUM_THREADS if that is less."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(limit)) if limit.isdecimal() and int(limit) else found


def pieces(shape: tuple[int, ...], size: int) -> Iterator[Any]:
    """Indices that cut an array of `shape`, whatever its strides, into even pieces of about `size` elements.

    >>> list(pieces((4, 3), 6))
    [slice(0, 2, None), slice(2, 4, None)]
    >>> list(pieces((2, 3), 2))
    [(0, slice(0, 2, None)), (0, slice(2, 3, None)), (1, slice(0, 2, None)), (1, slice(2, 3, None))]
    """
    if prod(shape) <= size:
        yield ...
        return
    length, inner = shape[0], prod(shape[1:])
    if inner > size:
        for i in range(length):
            for piece in pieces(shape[1:], size):
                yield (i, *piece) if isinstance(piece, tuple) else (i, piece)
        return
    step = ceil(length / ceil(length / (size // inner)))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def widened(dtype: DType) -> DType:
    """The dtype of the state and of the arithmetic: at least float32, as half precision would lose the momentum."""
    return dtype if dtype.itemsize >= 4 else float32


def owner(array: Array) -> int:
    """Which memory `array` lies in: the same for all views of one array."""
    return id(array if array.base is None else array.base)


def writeable(array: Array) -> bool:
    """Whether `array` may be written to. CuPy's always may, but where one element stands in many places it must not."""
    known = getattr(array.flags, "writeable", None)
    return not (array.size > 1 and 0 in array.strides) if known is None else known


def lay_alone(entry: Entry, slot: str, theta: Array, dtype: DType, initial: Mapping[str, float]) -> Array:
    """The array under the name of `slot`, beside theta and of this dtype: the entry's if it will do, else a new one."""
    old = entry.get(slot, initial.get(slot, 0))
    if not (
        type(old) is type(theta)
        and (old.dtype, device_of(old)) == (dtype, device_of(theta))
        and writeable(old)
        and old.base is None  # else a view of what was packed, which would keep all of that alive
    ):
        entry[slot] = state_array(theta, old)
    return entry[slot]


def state_array(theta: Array, initial: Any = 0) -> Array:
    """A new state array for the parameter with the array `theta`: of its shape and device, at least float32."""
    device = device_of(theta)
    new = to_device(namespace(theta).zeros(theta.shape, dtype=widened(theta.dtype)), device)
    new[...] = to_device(initial, device) if is_array(initial) else initial
    return new
