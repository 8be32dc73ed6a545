"""How does an optimizer move a large parameter? A chunk at a time, on all cores.

On millions of numbers it is memory that takes the time. So each chunk is small enough for the ten operations of a rule
to find it in the processor's cache, and threads share the chunks of all large parameters. What is small, or on a GPU,
is moved by other buckets (optim/buckets.py, gpu/optimizer_kernel.py).

The thread that asks for a step only waits for those that help: Ctrl-C comes to the main thread alone, so it breaks off
no chunk, and is raised when all are done.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count, starmap
from math import ceil, prod
from operator import call
from queue import SimpleQueue
from typing import Any

from lucid.core.array import Array, cpu, device_of, is_array, is_writable, namespace, to_device
from lucid.optim.buckets import QUIET, Bucket, Memory, State, Task, compute_dtype
from lucid.optim.rule import Call, CompiledRule

SMALL = 32_768  # elements in the largest parameter that is packed with others: from there on packing saves nothing

# Measured on two cores of an EPYC with 1 MB of cache each and 32 MB between them, for Adamax in float32. One thread
# takes 1.54 ns a number in chunks of 131,072 and 1.46 in chunks of 262,144 (5000 x 5000 numbers). Two threads, beside
# PyTorch's loop, all in turn: 10 of 1000 x 1000 numbers 1.17 times as fast in chunks of 131,072, 1.10 in chunks of
# 262,144, 0.87 in chunks of 65,536; 5000 x 5000 numbers 2.50 and 2.30. Smaller chunks have threads wait for each other:
# Python has one lock for all that does not happen inside of an operation.
CHUNK = 131_072  # elements in a chunk of a large parameter
PARALLEL = 4  # chunks, from which on threads share them


class ChunkedBucket(Bucket):
    """One parameter, moved in its own arrays, a chunk at a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        (theta,) = self.arrays
        self.own = Memory([array for array in (theta, *self.memory) if array is not None])
        # Whether any thread may do it, at any time: where no other parameter overlaps this one, and it is worth it.
        alone, enough = self.storages.count(theta) == 1, theta.size * PARALLEL >= CHUNK
        self.can_run_in_parallel = alone and enough and theta.dtype == self.dtype
        self.chunks = [
            (index, theta[index], [None if x is None else x[index] for x in self.memory])
            for index in chunk_slices(theta.shape, CHUNK)
        ]

    @classmethod
    def takes(cls, array: Array) -> bool:
        """Whether it is large."""
        return array.size > SMALL

    @staticmethod
    def finish(tasks: list[Task], counted: Iterator[None]) -> None:
        """Do all of these, on all cores if they are many."""
        run_parallel(tasks, counted)

    def allocate_state(self, slot: str) -> Array:
        """The array that the state has, if it will do."""
        return own_state(self.states[0], slot, self.arrays[0], self.initial.get(slot, 0))

    def move(self, gradients: list[Array]) -> list[Task]:
        """Leave the chunks for any thread to do; do them now where the order may matter."""
        (g,) = gradients
        if self.own.count(g):
            g = g.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        if self.compiled is None:
            deque(chain(starmap(call, self.as_it_stands(0, g)), self.counted()), 0)
            return []
        tasks: list[Task] = [partial(self.calls_of, theta, memory, g[index]) for index, theta, memory in self.chunks]
        if self.can_run_in_parallel and g.dtype == self.dtype and not self.storages.count(g):
            return tasks
        run_here(tasks, self.counted())
        return []

    def calls_of(self, theta: Array, memory: list[Array | None], g: Array, worker: int) -> list[Call]:
        """What the compiled rule does to one chunk, in the workspace of this worker; half precision in single."""
        rule: CompiledRule = self.compiled
        wide = theta.astype(self.dtype, copy=False) if rule.uses_theta else theta
        registers = self.registers(wide, g.astype(self.dtype, copy=False), memory, worker)
        return [*rule.bound(registers), (self.xp.subtract, wide, registers[rule.update], theta)]


cpu.buckets.insert(0, ChunkedBucket)


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


def run_here(tasks: list[Task], counted: Iterator[None]) -> None:
    """Do all of these and what counts them: in one call in C, which Ctrl-C does not break off."""
    deque(chain(starmap(call, chain.from_iterable([task(0) for task in tasks])), counted), 0)


def run_parallel(tasks: list[Task], counted: Iterator[None]) -> None:
    """Do all of these and then what counts them; if they are many, on all cores: each thread takes the next one when it
    is free. Chunks do not overlap and the arithmetic is the same, so the result does not depend on the threads."""
    workers = min(worker_count(), len(tasks)) if len(tasks) >= PARALLEL else 1
    submit = helpers(workers) if workers > 1 else None
    if submit is None:
        run_here(tasks, counted)
        return
    left, failures, interrupts = deque(tasks), list[BaseException](), list[BaseException]()
    is_last, over, done = partial(next, map(len(left).__eq__, count(1))), list[bool](), allocate_lock()

    def work(worker: int) -> None:
        while left:
            try:
                task = left.popleft()
            except IndexError:  # another thread has taken the last one
                return
            try:
                if not failures:
                    deque(starmap(call, task(worker)), 0)
            except BaseException as failure:  # the others must stop as well
                failures.append(failure)
            if is_last():  # which counts them, in one operation in C
                deque(() if failures else counted, 0)
                over.append(True)
                done.release()

    def until_over(begin: Callable[..., object], *args: Any) -> None:
        try:
            begin(*args)
            while not over:
                done.acquire()
        except BaseException as interrupt:  # as often as it comes
            interrupts.append(interrupt)
            until_over(list)

    done.acquire()
    until_over(deque, map(submit, [partial(QUIET.copy().run, work, worker) for worker in range(workers)]), 0)
    for error in interrupts + failures:
        raise error


_helpers: tuple[int, SimpleQueue[Any], list[int]] = (0, SimpleQueue(), [])  # the process, what to do, the threads


def helpers(wanted: int) -> Callable[[Any], None] | None:
    """What gives the threads that help something to do; they are started when first needed and kept. A forked process,
    which has none, starts its own. None where no thread can be started, as at the end of a program."""
    global _helpers
    if _helpers[0] != os.getpid():
        _helpers = os.getpid(), SimpleQueue(), []
    _, queue, threads = _helpers
    try:
        while len(threads) < wanted:
            threads.append(start_new_thread(deque, (map(call, iter(queue.get, None)), 0)))  # it calls what it gets
    except RuntimeError:
        pass
    return queue.put if threads and not sys.is_finalizing() else None


def worker_count() -> int:
    """How many threads may work: as many as this process has cores, or OMP_NUM_THREADS if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def own_state(state: State, slot: str, theta: Array, initial: float) -> Array:
    """The array under the name of `slot`, for the parameter with the array `theta`; a new one if the old will
    not do. A view of what was packed will not: it would keep all of that alive."""
    old = state.get(slot, initial)
    new = as_state(theta, old)
    if new is old and (old.base is not None or not is_writable(old)):
        new = new_state(theta, old)
    state[slot] = new
    return new


def as_state(theta: Array, old: Any) -> Array:
    """`old` itself if it is an array as the state of `theta` has, of its device and dtype; else a new one."""
    dtype, device = compute_dtype(theta.dtype), device_of(theta)
    fits = type(old) is type(theta) and old.dtype == dtype and device_of(old) == device
    return old if fits else new_state(theta, old)


def new_state(theta: Array, initial: Any = 0) -> Array:
    """A new state array for the parameter with the array `theta`: of its shape and device, at least float32."""
    device = device_of(theta)
    new = to_device(namespace(theta).zeros(theta.shape, dtype=compute_dtype(theta.dtype)), device)
    new[...] = to_device(initial, device) if is_array(initial) else initial
    return new
