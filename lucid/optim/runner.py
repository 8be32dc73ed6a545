"""Chapter 8, continued. Who moves together.

A rule is elementwise, about ten array operations, and what they cost depends on how many numbers they are
given. On the few hundred numbers of a toy model one operation takes a microsecond whatever it computes, so
small parameters are moved side by side by a single evaluation of the rule; a big one is moved alone. How
either is done stands in jobs.py, and in launches.py for a GPU, where all go together. Who goes with whom is a
`Plan`, and the question of this file.

A plan is kept for as long as nothing that it was made from has changed: a gradient that is missing, another
array behind a parameter, another state. Nothing that a user can see is flattened or moves house.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

from lucid.core.array import Array, cpu, device_of
from lucid.core.node import bump_version
from lucid.optim.jobs import (
    Alone,
    Entry,
    Job,
    Memory,
    Numbers,
    Packed,
    Piece,
    Rule,
    Settings,
    owner,
    share,
    widened,
    writeable,
)

# Measured on an EPYC with 1 MB of cache a core, float32: a 64-128-64-10 network takes 57 us in packs of 16,384 elements
# and 47 us in packs of 32,768. From 8,192 on packing saves nothing.
PACK = 32_768  # elements in a pack of small parameters
SMALL = 8_192  # elements in the largest of those


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
            device = device_of(array)
            kind: tuple[Any, ...] = (i, t, widened(array.dtype) if device == "cpu" else array.dtype, device)
            if owners[owner(array)] > 1 or array.size > SMALL and device == "cpu":
                kind += (id(p),)
            elif device == "cpu":
                filled[kind] += array.size
                kind += ("packed", filled[kind] // PACK)
            batches.setdefault(kind, []).append(p)

        self.jobs: list[Job] = []
        room: dict[tuple[Any, ...], Array] = {}
        for (i, t, _, device, *_), params in batches.items():
            entries = [state[p] for p in params]
            kind_of_job = on_gpu() if device != "cpu" else Packed if len(params) > 1 else Alone
            self.jobs.append(kind_of_job(i, t, params, entries, settings[i], room, owners))

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
        todo: list[Piece] = []
        for job, arrays in zip(self.jobs, found):  # noqa: B905
            _, options, constants, _, _ = self.settings[job.group]
            t = job.t = job.t + 1
            todo += job.move(rule, numbers(options, t), constants, arrays)
            for entry in job.entries:
                entry["t"] = t
            for array in job.arrays:
                bump_version(array)
        if todo:
            share(todo)


def on_gpu() -> type[Job]:
    """The kind of job for parameters on a GPU; its chapters are not loaded before there is one."""
    from lucid.optim.launches import Launched

    return Launched


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
