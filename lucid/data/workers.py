"""Batches that threads fetch ahead of the loop that takes them, in the order of their places.

Threads and no processes: a dataset is not copied, and nothing is pickled. They overlap wherever Python's lock is
released, as while files and networks answer, and in NumPy; what computes in Python itself gains nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from itertools import count, islice
from threading import local
from typing import Any

from lucid.data.samplers import seeded
from lucid.ops.random import OF_BATCH

END = object()  # what a task gives that found nothing more


def get_worker_info() -> None:
    """None, which in PyTorch says that there is one reader: an IterableDataset need not share itself out."""


def fetch_ahead(
    tasks: Iterator[tuple[int, Callable[[], Any]]], seeds: tuple[int, ...], workers: int, ahead: int, timeout: float,
    init: Callable[[int], Any] | None,
) -> Iterator[Any]:  # fmt: skip
    """What each of `tasks`, which are numbered, returns, in their order, up to one that gives END.

    `ahead` of them are under way at once, in so many threads, in which `init` is called first with the thread's number.
    Random numbers of a task depend on `seeds` and its number. An error is raised where the result would have come.
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

    pool, waiting = ThreadPoolExecutor(workers, "lucid.data"), deque[Any]()
    try:
        while True:
            for number, task in islice(tasks, ahead - len(waiting)):
                waiting.append(pool.submit(copy_context().run, work, number, task))
            if not waiting:
                return
            try:
                batch = (future := waiting.popleft()).result(timeout or None)
            except TimeoutError:
                if future.done():  # it is the dataset's
                    raise
                text = f"DataLoader: no batch within timeout={timeout} seconds; give it more time"
                raise RuntimeError(text) from None
            if batch is END:
                return
            yield batch
    finally:  # left early, too: nothing that has not begun is begun
        pool.shutdown(wait=False, cancel_futures=True)
