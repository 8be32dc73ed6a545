"""Batches that threads fetch ahead of the loop that takes them, in the order of their places.

Threads and no processes: a dataset is not copied, and nothing is pickled. They overlap with each other and with the
loop wherever Python's lock is released: while files and networks answer, and inside of NumPy, zlib, Pillow and the
like. Code that computes in Python itself gains nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from copy import deepcopy
from itertools import count, islice
from threading import local
from typing import Any

from lucid.data.samplers import draw_seed, seeded
from lucid.ops.random import OF_BATCH, Generator, stream

END = object()  # what a task gives that found nothing more


def get_worker_info() -> None:
    """None, which in PyTorch says that there is one reader: threads take their samples from one dataset, so that an
    IterableDataset need not be shared out among workers."""


def fetch_ahead(
    tasks: Iterator[tuple[int, Callable[[], Any]]], seeds: tuple[int, ...], workers: int, ahead: int, timeout: float,
    init: Callable[[int], Any] | None,
) -> Iterator[Any]:  # fmt: skip
    """What each of `tasks`, which are numbered, returns, in their order, up to one that gives END.

    `ahead` of them are under way at once, in so many threads, in which `init` is called first with the number of the
    thread. Random numbers of a task come from a stream that depends on `seeds` and on its number, not on the threads.
    An error is raised where the result would have come. Whenever this ends, nothing that has not begun is begun.
    """
    from concurrent.futures import ThreadPoolExecutor  # takes 5 ms to import

    ids, own = count(), local()

    def work(number: int, task: Callable[[], Any]) -> Any:
        if not hasattr(own, "id"):
            own.id = next(ids)
            if init is not None:
                init(own.id)
        OF_BATCH.set(seeded(*seeds, number))
        return task()

    pool = ThreadPoolExecutor(workers, "lucid.data")
    try:
        waiting: deque[Any] = deque()
        while True:
            for number, task in islice(tasks, ahead - len(waiting)):
                waiting.append(pool.submit(copy_context().run, work, number, task))
            if not waiting:
                return
            future = waiting.popleft()
            try:
                batch = future.result(timeout or None)
            except TimeoutError:
                if future.done():  # it is the dataset's
                    raise
                fix = "give it more time, or see what the dataset waits for"
                raise RuntimeError(f"DataLoader: no batch within timeout={timeout} seconds; {fix}") from None
            if batch is END:
                return
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def seed_of(own: Generator | None) -> int:
    """The seed that would be drawn next; it is not drawn, so that all else goes on as without workers."""
    copied = Generator()
    copied._stream = deepcopy(stream(own))
    return draw_seed(copied)
