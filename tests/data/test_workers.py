"""Batches that threads fetch ahead: what comes is what would have come without them; errors, Ctrl-C, clean ends."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.data import DataLoader, Dataset, IterableDataset, RandomSampler, get_worker_info, random_split
from lucid.data.samplers import DRAWN, seeded
from lucid.ops.random import generator


class Slow(Dataset):
    """Samples that take longer the earlier they come, so that threads overtake each other."""

    def __init__(self, n: int = 14, noise: float = 0.0, fails_at: int = -1) -> None:
        self.n, self.noise, self.fails_at, self.threads = n, noise, fails_at, set[str]()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        time.sleep(0.003 if i % 4 == 0 else 0.0005)
        self.threads.add(threading.current_thread().name)
        if i == self.fails_at:
            raise LookupError(f"no sample {i}")
        assert lucid.is_grad_enabled()
        with lucid.no_grad():
            return i, i + (self.noise * lucid.rand(()) if self.noise else 0.0)


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        assert get_worker_info() is None
        yield from range(7)


def values(loader: DataLoader) -> list[list[float]]:
    return [batch[1].tolist() for batch in loader]


def until_no_threads_are_left() -> bool:
    for _ in range(200):
        if not [t for t in threading.enumerate() if t.name.startswith("lucid.data")]:
            return True
        time.sleep(0.01)
    return False


ORDERS: list[dict[str, Any]] = [
    {}, {"shuffle": True}, {"shuffle": True, "seed": 3}, {"drop_last": True}, {"sampler": [3, 1, 4, 1]},
    {"shuffle": True, "generator": 5}, {"shuffle": True, "prefetch_factor": 1, "persistent_workers": True},
]  # fmt: skip


@pytest.mark.parametrize("options", ORDERS, ids=range(len(ORDERS)))
def test_the_order_and_all_other_random_numbers_are_as_without_workers(options: dict[str, Any]) -> None:
    def run(workers: int) -> Any:
        lucid.manual_seed(0)
        given = {k: lucid.Generator().manual_seed(v) if k == "generator" else v for k, v in options.items()}
        dataset = Slow()
        loader = DataLoader(dataset, 3, num_workers=workers, **given)
        epochs = [values(loader), values(loader)]
        assert all(name.startswith("lucid.data") == (workers > 0) for name in dataset.threads)
        return epochs, lucid.rand(3).tolist()

    assert run(0) == run(1) == run(3)


def test_what_a_dataset_draws_depends_on_the_seed_and_the_batch_and_not_on_the_threads() -> None:
    def run(workers: int, seed: int) -> list[list[list[float]]]:
        lucid.manual_seed(seed)
        loader = DataLoader(Slow(noise=1.0), 3, num_workers=workers)
        return [values(loader), values(loader)]

    first, second = run(2, 0)
    assert [first, second] == run(4, 0) and first != second and first != run(2, 1)[0]


def test_a_run_with_workers_is_resumed_without_them() -> None:
    loader = DataLoader(Slow(), 3, shuffle=True, seed=1, num_workers=2)
    batches = iter(loader)
    list(islice(batches, 2))
    state = loader.state_dict()
    assert (state["epoch"], state["batch"]) == (0, 2)  # what was returned counts, not what was fetched
    other = DataLoader(Slow(), 3, shuffle=True)
    other.load_state_dict(state)
    assert values(other) == [batch[1].tolist() for batch in batches]


def test_an_error_comes_where_its_batch_would_have() -> None:
    taken = []
    with pytest.raises(LookupError, match="no sample 7"):
        for _, x in DataLoader(Slow(fails_at=7), 2, num_workers=3):
            taken += x.tolist()
    assert taken == [0, 1, 2, 3, 4, 5] and until_no_threads_are_left()


def test_leaving_early_ends_the_threads_and_begins_nothing_more() -> None:
    dataset = Slow(2_000)
    loader = DataLoader(dataset, 1, num_workers=3)
    for _ in loader:
        break
    assert until_no_threads_are_left()
    first, second = iter(loader), iter(loader)  # at once
    assert [int(next(it)[0]) for it in (first, second, first)] == [0, 0, 1]
    del first, second
    assert until_no_threads_are_left()


def test_ctrl_c_is_raised_in_the_loop() -> None:
    class Stuck(Slow):
        def __getitem__(self, i: int) -> int:
            if i:
                time.sleep(1)
            return i

    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(DataLoader(Stuck(), num_workers=1))
    assert until_no_threads_are_left()


def test_a_stream_is_read_by_one_thread_ahead() -> None:
    for workers in (1, 3):
        loader = DataLoader(Stream(), 2, num_workers=workers)
        assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4, 5], [6]]


def test_workers_overlap() -> None:
    class Waits(Slow):
        def __getitem__(self, i: int) -> int:
            time.sleep(0.1)
            return i

    start = time.perf_counter()
    assert len(list(DataLoader(Waits(8), num_workers=8))) == 8
    assert time.perf_counter() - start < 0.6  # one after the other would take 0.8


def test_each_worker_is_told_its_number_first() -> None:
    told: list[int] = []
    list(DataLoader(Slow(), num_workers=3, worker_init_fn=told.append))
    assert sorted(told) == [0, 1, 2]

    def fails(number: int) -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        list(DataLoader(Slow(), num_workers=3, worker_init_fn=fails))


def test_a_batch_that_takes_too_long() -> None:
    class Stuck(Slow):
        def __getitem__(self, i: int) -> int:
            time.sleep(0.3)
            return i

    with pytest.raises(RuntimeError, match=r"^DataLoader: no batch within timeout=0.01 seconds; give it more time"):
        list(DataLoader(Stuck(), num_workers=1, timeout=0.01))

    class Late(Slow):
        def __getitem__(self, i: int) -> int:
            raise TimeoutError("the server does not answer")

    with pytest.raises(TimeoutError, match="the server"):
        list(DataLoader(Late(), num_workers=1, timeout=9))


@pytest.mark.parametrize("options, text", [
    ({"num_workers": -1}, "num_workers must be 0 or more, got -1"),
    ({"num_workers": 0.5}, "expected an int for num_workers, got 0.5"),
    ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor must be 1 or more, got 0"),
    ({"timeout": "soon"}, "expected a number for timeout, got 'soon'"),
    ({"generator": 3}, r"generator must be a lucid.Generator, got 3; write lucid.Generator\(\).manual_seed"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^DataLoader: .*{text}"):
        DataLoader(Slow(), **options)


def test_pytorchs_other_options_change_nothing() -> None:
    neutral = {"pin_memory": True, "pin_memory_device": "", "multiprocessing_context": None, "in_order": True}
    neutral["persistent_workers"] = True
    assert values(DataLoader(Slow(), 3, num_workers=1, timeout=0, **neutral)) == values(DataLoader(Slow(), 3))


# -- generators, and samplers that draw as they go -------------------------------------------------------------------


def test_ten_billion_draws_are_made_as_they_are_taken() -> None:
    sampler = RandomSampler(range(1000), replacement=True, num_samples=10**10, seed=0)
    assert len(sampler) == 10**10 and all(0 <= i < 1000 for i in islice(sampler, 5))
    orders = RandomSampler(range(3), num_samples=10**10, seed=0)
    drawn = list(islice(orders, 9))
    assert [sorted(drawn[i : i + 3]) for i in (0, 3, 6)] == [[0, 1, 2]] * 3


@pytest.mark.parametrize("count", [7, 1000, 2**33])
def test_drawing_in_parts_gives_what_drawing_at_once_gave(count: int) -> None:
    class Long:
        def __len__(self) -> int:
            return count

    n = 2 * DRAWN + 5
    drawn = list(RandomSampler(Long(), replacement=True, num_samples=n, seed=4))
    assert drawn == seeded(4, 0).integers(count, size=n).tolist()


def test_a_generator_is_a_stream_of_its_own() -> None:
    g = lucid.Generator().manual_seed(3)
    lucid.manual_seed(3)
    before = generator().bit_generator.state
    draw: list[Any] = [
        lambda **given: lucid.randn(3, **given), lambda **given: lucid.rand(3, **given),
        lambda **given: lucid.randint(0, 99, (5,), **given), lambda **given: lucid.randperm(9, **given),
        lambda **given: lucid.multinomial(lucid.ones(9), 3, **given),
        lambda **given: lucid.multinomial(lucid.ones(9), 3, True, **given),
    ]  # fmt: skip
    own = [f(generator=g).tolist() for f in draw]
    assert generator().bit_generator.state == before
    assert own == [f().tolist() for f in draw]  # the numbers of lucid's generator with that seed
    state = g.get_state()
    first = lucid.rand(3, generator=g).tolist()
    g.set_state(state)
    assert lucid.rand(3, generator=g).tolist() == first and g.initial_seed() == 3
    assert g.seed() == g.initial_seed() != lucid.Generator().seed()
    assert lucid.rand(1, generator=lucid.Generator()) == lucid.rand(1, generator=lucid.Generator(device="cuda"))
    with pytest.raises(ValueError, match=r"^Generator.set_state: expected what get_state\(\) returned, got 3"):
        g.set_state(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^rand: generator must be a lucid.Generator, got Generator"):
        lucid.rand(1, generator=np.random.default_rng())  # type: ignore[arg-type]


def test_splits_and_samplers_take_a_generator() -> None:
    split = lambda seed: random_split(range(9), [5, 4], generator=lucid.Generator().manual_seed(seed))[0].indices
    assert split(0) == split(0) != split(1)
    order = lambda seed: list(RandomSampler(range(9), generator=lucid.Generator().manual_seed(seed)))
    assert order(0) == order(0) != order(1)
