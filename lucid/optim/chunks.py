"""How does an optimizer move a large parameter? A chunk at a time, on all cores.

On millions of numbers it is memory that takes the time. So each chunk is small enough for the ten operations of a rule
to find it in the processor's cache, and threads share the chunks of all large parameters. What is small, or on a GPU,
is moved by other buckets (optim/buckets.py, gpu/optimizer_kernel.py).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil, prod
from typing import Any

from lucid.core.array import Array, cpu, device_of, is_array, is_writable, namespace, to_device
from lucid.optim.buckets import QUIET, Bucket, Memory, State, Task, compute_dtype
from lucid.optim.rule import CompiledRule, Rule, evaluate_in_place

SMALL = 8_192  # elements in the largest parameter that is packed with others: from there on packing saves nothing

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
    def finish(tasks: list[Task]) -> None:
        """Do all of these, on all cores if they are many."""
        run_parallel(tasks)

    def allocate_state(self, slot: str) -> Array:
        """The array that the state has, if it will do."""
        return own_state(self.states[0], slot, self.arrays[0], self.initial.get(slot, 0))

    def move(self, rule: Rule, scalars: Sequence[Any], static: dict[str, Any], gradients: list[Array]) -> list[Task]:
        """Leave the chunks for any thread to do; do them now where the order may matter."""
        (g,) = gradients
        if self.own.count(g):
            g = g.copy()  # somebody's gradient is the parameter itself: it must not change on the way
        if self.prepare(rule, scalars, static) is None:  # it may not be pure, so it stays in this thread
            for index, theta, memory in self.chunks:
                wide = theta.astype(self.dtype, copy=False)
                evaluate_in_place(rule, self.xp, wide, g[index].astype(self.dtype, copy=False), memory, scalars, static)
                theta[...] = wide
            return []
        tasks: list[Task] = [partial(self.move_chunk, theta, memory, g[index]) for index, theta, memory in self.chunks]
        if self.can_run_in_parallel and g.dtype == self.dtype and not self.storages.count(g):
            return tasks
        for task in tasks:
            task(0)
        return []

    def move_chunk(self, theta: Array, memory: list[Array | None], g: Array, worker: int) -> None:
        """Run the compiled rule on one chunk, in the workspace of this worker; half precision in single."""
        rule: CompiledRule = self.compiled
        wide = theta.astype(self.dtype, copy=False) if rule.uses_theta else theta
        registers = self.registers(wide, g.astype(self.dtype, copy=False), memory, worker)
        for function, operands, out in rule.calls:
            if len(operands) == 2:  # most have two, and this takes 0.3 us less
                a, b = operands
                function(registers[a], registers[b], registers[out])
            else:
                function(*[registers[i] for i in operands], registers[out])
        self.xp.subtract(wide, registers[rule.update], theta)


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


def run_parallel(tasks: Sequence[Task]) -> None:
    """Do all of these; if they are many, on all cores: each thread takes the next one when it is free.
    Chunks do not overlap and the arithmetic is the same, so the result does not depend on the threads."""
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
