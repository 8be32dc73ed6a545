"""Chapter 8, continued. How one equation moves many parameters.

A rule is elementwise, about ten array operations, and what they cost depends on how many numbers they are
given. On the few hundred numbers of a toy model one operation takes a microsecond whatever it computes, so
small parameters are copied side by side, moved by a single evaluation of the rule, and copied back
(`Packed`). On millions of numbers it is memory that takes the time, so a big parameter is moved a piece at a
time, each piece small enough for its ten operations to find it in the processor's cache (`Alone`).

Who moves with whom is a `Plan`. It is kept for as long as nothing that it was made from has changed: a
gradient that is missing, another array behind a parameter, another state. Nothing that a user can see is
flattened or moves house: parameters and gradients are copied in and out. Only the state of small parameters
lies in common arrays, as views that do not overlap; whoever puts other arrays in their place finds them
copied in by the next plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from math import ceil, prod
from operator import is_
from typing import Any, NamedTuple

from lucid.backend import Array, DType, cpu, device_of, float32, is_array, namespace, to_device
from lucid.graph import written
from lucid.optim.program import program_of

# Measured on an EPYC with 1 MB of cache a core, float32. Parameters of 784 x 512 and 512 x 512 take 1.4 ns an element
# in pieces of 65,536 elements, 1.5 in pieces of 32,768 and 1.75 in pieces of 16,384. A 64-128-64-10 network takes 57 us
# in packs of 16,384 elements and 47 us in packs of 32,768. From 8,192 on packing saves nothing.
CHUNK = 65_536  # elements in a piece of a big parameter
PACK = 32_768  # elements in a pack of small ones
SMALL = 8_192  # elements in the largest of those

Rule = Callable[..., tuple[Any, ...]]
Numbers = tuple[float, ...]
Entry = dict[str, Any]  # the state of one parameter: its "t", and an array under the name of each slot
Memory = tuple[str | None, ...]  # a rule's slots by name; None for one that a group's options have no use for


class Settings(NamedTuple):
    """A group's hyperparameters as they were read, and found good, at one step."""

    values: tuple[object, ...]  # as they stand in the group
    options: dict[str, Any]  # by name, as Python floats and bools: those never change the dtype of an array
    constants: dict[str, Any]  # the ones that the rule takes by keyword
    memory: Memory


class Plan:
    """Who moves together. Making a plan checks all that could go wrong in a step before it changes anything.

    Args:
        name: the optimizer's, for error texts.
        groups: the optimizer's `param_groups`.
        settings: what was read from each group; which slots are in use there decides, the numbers may change.
        state: the optimizer's; a parameter about to be moved for the first time gets its entry here.

    Raises:
        TypeError: for a parameter that is no longer of a float dtype.
        ValueError: for a gradient or state that does not fit its parameter, and for a parameter listed twice.
    """

    def __init__(
        self, name: str, groups: Sequence[dict[str, Any]], settings: list[Settings], state: dict[Any, Entry]
    ) -> None:
        self.settings, memories = settings, [each.memory for each in settings]
        self.params = [list(group["params"]) for group in groups]
        self.idle = [p for params in self.params for p in params if p._grad is None]
        moving: dict[Any, int] = {}  # parameter -> its group
        for i, params in enumerate(self.params):
            for j, p in enumerate(params):
                if p._grad is not None:
                    check(f"{name}, group {i}: parameter {j}", p, p in moving, state.get(p, {}), memories[i])
                    moving[p] = i
        for p in moving:
            if not writeable(p._array):  # a broadcast view, or memory that was only lent
                p._array = p._array.copy()

        # Two views of one array may overlap. Each must see what the other wrote: one goes after the other.
        owners = Counter(owner(p._array) for p in moving)
        batches: dict[tuple[Any, ...], list[Any]] = {}
        filled: Counter[tuple[Any, ...]] = Counter()
        for p, i in moving.items():
            array, t = p._array, state.setdefault(p, {}).setdefault("t", 0)
            kind: tuple[Any, ...] = (i, t, widened(array.dtype), device_of(array))
            if array.size > SMALL or owners[owner(array)] > 1:
                kind += (id(p),)
            else:
                filled[kind] += array.size
                kind += ("packed", filled[kind] // PACK)
            batches.setdefault(kind, []).append(p)

        self.jobs: list[Job] = []
        room: dict[tuple[Any, ...], Array] = {}
        for (i, t, *_), params in batches.items():
            entries = [state[p] for p in params]
            kind_of_job = Packed if len(params) > 1 else Alone
            self.jobs.append(kind_of_job(i, t, params, entries, memories[i], room))

    def gradients(
        self, groups: Sequence[dict[str, Any]], settings: list[Settings], state: dict[Any, Entry]
    ) -> list[list[Array]] | None:
        """This step's gradients for each job, or None where the plan no longer holds."""
        if settings is not self.settings:
            if [each.memory for each in settings] != [each.memory for each in self.settings]:
                return None
            self.settings = settings
        for i, known in enumerate(self.params):
            params = groups[i]["params"]
            if len(params) != len(known) or not all(map(is_, params, known)):  # never asks a tensor's `==`
                return None
        for p in self.idle:
            if p._grad is not None:
                return None
        found = []
        for job in self.jobs:
            arrays = job.gradients(state)
            if arrays is None:
                return None
            found.append(arrays)
        return found

    @cpu.quiet()  # an infinite gradient becomes NaN in its own elements; it must not stop a step half-way
    def run(
        self, rule: Rule, numbers: Callable[[dict[str, Any], int], Numbers], found: list[list[Array]]
    ) -> None:
        """Move every parameter once by `rule`, with the gradients that `gradients` found."""
        for job, arrays in zip(self.jobs, found):  # noqa: B905
            _, options, constants, _ = self.settings[job.group]
            t = job.t = job.t + 1
            job.move(rule, numbers(options, t), constants, arrays)
            for entry in job.entries:
                entry["t"] = t
            for array in job.arrays:
                written(array)


class Part(NamedTuple):
    """What one evaluation of a rule works on, save the gradient."""

    theta: Array
    memory: list[Array | None]
    scratch: list[Array]  # as many as the program has asked for so far


class Job:
    """Parameters of one group that are moved together, by the same numbers.

    Subclasses say where the state lies (`lay`) and how the parameters are moved, given this step's gradients.
    """

    def __init__(
        self, group: int, t: int, params: list[Any], entries: list[Entry], memory: Memory, room: dict[Any, Array]
    ) -> None:
        self.group, self.t, self.entries, self.names, self.room = group, t, entries, memory, room
        self.constants: dict[str, Any] | None = None  # what `program` was looked up for
        self.program: Any = None
        self.arrays: list[Array] = [p._array for p in params]
        theta = self.arrays[0]
        self.xp, self.dtype, self.device = namespace(theta), widened(theta.dtype), device_of(theta)
        self.memory = [None if slot is None else self.lay(slot) for slot in memory]
        # What must still be so at the next step:
        self.rows = [(p, p._array, p._array.shape, entry) for p, entry in zip(params, entries, strict=True)]
        self.slots = [(entry, slot, entry[slot]) for entry in entries for slot in memory if slot is not None]

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
        """Put what the rule says into theta and the memory: by its program if it has one, else as it stands."""
        theta, memory, program = part.theta, part.memory, self.program_for(rule, part, numbers, constants)
        if program is None:
            new = rule(self.xp, theta, g, *memory, *numbers, **constants)
            for old, value in zip((theta, *memory), new, strict=True):
                if old is not None:
                    old[...] = value
        else:
            program(self.xp, part.scratch[: program.scratch], theta, g, *memory, *numbers, **constants)

    def program_for(self, rule: Rule, part: Part, numbers: Numbers, constants: dict[str, Any]) -> Any:
        """The rule's program, and scratch space for it in `part`; None if the rule has none."""
        if constants is not self.constants:
            self.program, self.constants = program_of(rule, self.names, len(numbers), constants), constants
        program = self.program
        if program is not None and len(part.scratch) < program.scratch:
            part.scratch[:] = [self.scratch(i, part.theta) for i in range(program.scratch)]
        return program

    def scratch(self, use: object, like: Array) -> Array:
        """As much of the `room` for this use as `like` takes; there will be more of it if it was too small."""
        key = use, self.dtype, self.device
        flat = self.room.get(key)
        if flat is None or flat.size < like.size:
            flat = self.room[key] = to_device(self.xp.empty(like.size, dtype=self.dtype), self.device)
        return flat[: like.size].reshape(like.shape)

    def move(self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]) -> None:
        """Evaluate the rule, and store in place what it returns."""
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
            entry[slot] = view
        return flat

    def move(self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]) -> None:
        """Copy the gradients in, evaluate once, and subtract what comes of it from each parameter; where the rule wants
        more of the parameters than that, they are copied in and out as well."""
        for view, g in zip(self.g_views, gradients):  # noqa: B905 (here and in run, strict=True costs 0.3 us)
            view[...] = g
        part = self.part
        program = self.program_for(rule, part, numbers, constants)
        if program is not None and program.change is not None:
            scratch = part.scratch[: program.scratch]
            change = program.change(self.xp, scratch, None, self.g, *self.memory, *numbers, **constants)
            if change is not self.change:
                self.change, self.change_views = change, self.views(change)
            for array, view in zip(self.arrays, self.change_views):  # noqa: B905
                array -= view
            return
        for view, array in self.pairs:
            view[...] = array
        self.evaluate(rule, self.part, self.g, numbers, constants)
        for view, array in self.pairs:
            array[...] = view


class Alone(Job):
    """One parameter, moved in its own arrays, a piece at a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        (theta,) = self.arrays
        self.owners = {owner(array) for array in (theta, *self.memory) if array is not None}
        self.parts = [
            (piece, theta[piece], Part(theta[piece], [None if x is None else x[piece] for x in self.memory], []))
            for piece in pieces(theta.shape, CHUNK)
        ]

    def lay(self, slot: str) -> Array:
        """The array in the entry, if it will do."""
        entry, theta = self.entries[0], self.arrays[0]
        old = entry.get(slot, 0)
        if not (
            type(old) is type(theta)
            and (old.dtype, device_of(old)) == (self.dtype, self.device)
            and writeable(old)
            and old.base is None  # else a view of what was packed, which would keep all of that alive
        ):
            entry[slot] = state_array(theta, old)
        return entry[slot]

    def move(self, rule: Rule, numbers: Numbers, constants: dict[str, Any], gradients: list[Array]) -> None:
        """Evaluate piece by piece, in place."""
        (whole,) = gradients
        if owner(whole) in self.owners:
            whole = whole.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        if self.arrays[0].dtype is self.dtype is whole.dtype:
            for piece, _, part in self.parts:
                self.evaluate(rule, part, whole[piece], numbers, constants)
            return
        for piece, theta, part in self.parts:  # half precision: the arithmetic is done in float32
            wide = part._replace(theta=theta.astype(self.dtype))
            self.evaluate(rule, wide, whole[piece].astype(self.dtype), numbers, constants)
            theta[...] = wide.theta


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
    """Whether `array` may be written to; CuPy's always may."""
    return getattr(array.flags, "writeable", True)


def state_array(theta: Array, initial: Any = 0) -> Array:
    """A new state array for the parameter with the array `theta`: of its shape and device, at least float32."""
    device = device_of(theta)
    new = to_device(namespace(theta).zeros(theta.shape, dtype=widened(theta.dtype)), device)
    new[...] = to_device(initial, device) if is_array(initial) else initial
    return new


def check(where: str, p: Any, again: bool, entry: Entry, memory: Memory) -> None:
    """Refuse what would go wrong half-way through a step."""
    theta, g = p._array, p._grad._array
    if again:
        raise ValueError(f"{where} must be listed once, got it twice; take it out of one of the lists of parameters")
    if theta.dtype.kind != "f":
        raise TypeError(f"{where} must be of a float dtype, got {theta.dtype} by now; assign float data to it")
    if g.shape != theta.shape or device_of(g) != device_of(theta):
        raise ValueError(
            f"{where} has shape {theta.shape} on {device_of(theta)}, its gradient must match, got {g.shape} on "
            f"{device_of(g)}; call zero_grad() and backward() after giving a parameter other data"
        )
    for slot in memory:
        if slot in entry and entry[slot].shape != theta.shape:
            raise ValueError(
                f"{where} has shape {theta.shape}, its state {slot!r} must match, got {entry[slot].shape}, from before "
                "it was given other data; del optimizer.state[parameter] lets it start anew"
            )
