"""Datasets and loaders: every sample once an epoch, in an order that can be had again."""

from collections import namedtuple

import numpy as np
import pytest

import lucid
from lucid.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)


class Squares(Dataset):
    """Sample by sample, without `take`."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return {"x": float(i), "square": i * i}


def numbers(n=10):
    return TensorDataset(lucid.arange(n), lucid.arange(n) * lucid.ones(n))


def seen(loader):
    return [batch[0].tolist() for batch in loader]


def flat(loader):
    return [i for batch in seen(loader) for i in batch]


def test_tensor_dataset():
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    data = TensorDataset(x, lucid.tensor([7, 8, 9]))
    assert len(data) == 3 and [part.tolist() for part in data[1]] == [[2.0, 3.0], 8]
    assert [part.tolist() for part in data[-1]] == [[4.0, 5.0], 9]
    assert [part.tolist() for part in data.take([2, 0])] == [[[4.0, 5.0], [0.0, 1.0]], [9, 7]]
    x[0] = 5.0
    assert data[0][0].tolist() == [5, 5]  # wrapped, not copied
    assert [len(row) for row in data] == [2, 2, 2]  # an IndexError ends the iteration


def test_batches_in_order():
    loader = DataLoader(numbers(), batch_size=4)
    assert seen(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] == seen(loader) and len(loader) == 3
    loader = DataLoader(numbers(), batch_size=4, drop_last=True)
    assert seen(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]] and len(loader) == 2
    x, y = next(iter(DataLoader(numbers(), 2)))
    assert x.dtype == lucid.int64 and y.dtype == lucid.float32 and not y.requires_grad
    assert seen(DataLoader(numbers(0), 2)) == []


def test_shuffling_shows_every_sample_once_and_a_new_order_each_epoch():
    loader = DataLoader(numbers(50), batch_size=7, shuffle=True, seed=1)
    first, second = flat(loader), flat(loader)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second and first != sorted(first)
    pairs = [(int(a), int(b)) for x, y in loader for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert all(a == b for a, b in pairs)  # the columns stay together
    again = DataLoader(numbers(50), batch_size=7, shuffle=True, seed=1)
    assert [flat(again), flat(again)] == [first, second]
    other = DataLoader(numbers(50), batch_size=7, shuffle=True, seed=2)
    assert flat(other) != first


def test_without_a_seed_the_order_comes_from_lucids_generator():
    def order(seed):
        loader = DataLoader(numbers(20), 20, shuffle=True)
        lucid.manual_seed(seed)  # after it was made, before it is used
        return seen(loader)

    assert order(3) == order(3) != order(4)
    state = lucid.get_rng_state()
    seen(DataLoader(numbers(20), 5, shuffle=True, seed=0))
    assert lucid.get_rng_state() == state  # with one, that generator is left alone


def test_sample_by_sample_and_at_once_are_the_same():
    fast = DataLoader(numbers(), 3, shuffle=True, seed=4)
    slow = DataLoader(numbers(), 3, shuffle=True, seed=4, collate_fn=default_collate)
    for a, b in zip(fast, slow, strict=True):
        assert [t.tolist() for t in a] == [t.tolist() for t in b] and [t.dtype for t in a] == [
            t.dtype for t in b
        ]


def test_any_sequence_is_a_dataset():
    batches = list(DataLoader(Squares(3), 2))
    assert [{k: v.tolist() for k, v in batch.items()} for batch in batches] == [
        {"x": [0.0, 1.0], "square": [0, 1]},
        {"x": [2.0], "square": [4]},
    ]
    assert list(DataLoader(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]
    assert list(DataLoader([3, 4, 5], 2, collate_fn=sum)) == [7, 5]
    assert seen(DataLoader(numbers(), 2, sampler=[3, 1, 4, 1])) == [[3, 1], [4, 1]]
    assert len(DataLoader(numbers(), 2, sampler=[3])) == 1


def test_subsets_and_sums_of_datasets():
    some = Subset(numbers(), [7, 2, 5])
    assert len(some) == 3 and some[1][0].item() == 2 and seen(DataLoader(some, 2)) == [[7, 2], [5]]
    assert seen(DataLoader(Subset(some, np.array([2, 0])), 2)) == [[5, 7]]
    assert next(iter(DataLoader(Subset(Squares(9), [8]), 2)))["square"].tolist() == [64]
    both = ConcatDataset([numbers(2), numbers(0), numbers(3)])
    assert (
        len(both) == 5
        and [both[i][0].item() for i in range(5)] == [0, 1, 0, 1, 2]
        and both[-1][0].item() == 2
    )
    assert seen(DataLoader(both, 3)) == [[0, 1, 0], [1, 2]]
    with pytest.raises(IndexError, match="ConcatDataset has 5 samples, and so no sample 5"):
        both[5]


def test_random_split():
    parts = random_split(range(10), [0.55, 0.25, 0.2], seed=0)
    assert [len(part) for part in parts] == [6, 2, 2]  # 5.5, 2.5, 2 rounded down, and the rest to the first
    assert sorted(i for part in parts for i in part) == list(range(10))
    assert [part.indices for part in random_split(range(10), [6, 2, 2], seed=0)] == [
        part.indices for part in parts
    ]
    assert random_split(range(10), [6, 4], seed=1)[0].indices != parts[0].indices
    lucid.manual_seed(1)
    drawn = random_split(range(10), [10])[0].indices
    lucid.manual_seed(1)
    assert random_split(range(10), [10])[0].indices == drawn != random_split(range(10), [10])[0].indices
    assert [len(part) for part in random_split(range(1), [1, 0], seed=0)] == [1, 0]
    assert [len(part) for part in random_split(range(7), [1 / 3] * 3, seed=0)] == [3, 2, 2]


@pytest.mark.parametrize("at", [0, 1, 3, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_resumed_loader_goes_on_as_if_nothing_had_been(shuffle, at):
    def make(seed):
        return DataLoader(numbers(10), 3, shuffle=shuffle, seed=seed)

    straight = make(5)
    expected = [seen(straight) for _ in range(3)]

    loader, resumed = make(5), make(6)
    seen(loader)
    state = loader.state_dict() if at == 0 else None
    for number, _ in enumerate(loader, 1):
        if number == at:
            state = loader.state_dict()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert seen(resumed) == expected[1][at:]
    assert seen(resumed) == expected[2]


def test_a_loop_left_early_resumes_there_but_starts_anew_when_repeated():
    straight = DataLoader(numbers(10), 3, shuffle=True, seed=5)
    expected = [seen(straight) for _ in range(2)]
    loader, resumed = (DataLoader(numbers(10), 3, shuffle=True, seed=5) for _ in range(2))
    for _ in loader:
        break
    resumed.load_state_dict(loader.state_dict())
    assert seen(resumed) == expected[0][1:]
    assert seen(loader) == expected[1]


def test_two_iterations_at_once_are_two_epochs():
    loader = DataLoader(numbers(10), 5, shuffle=True, seed=0)
    straight = DataLoader(numbers(10), 5, shuffle=True, seed=0)
    pairs = [(a[0].tolist(), b[0].tolist()) for a, b in zip(loader, loader, strict=True)]
    assert [list(x) for x in zip(*pairs, strict=True)] == [seen(straight), seen(straight)]


def test_the_state_is_plain_values():
    loader = DataLoader(numbers(10), 3, shuffle=True)
    assert loader.state_dict() == {
        "seed": None, "epoch": 0, "batch": 0, "samples": 10, "batch_size": 3, "shuffle": True,
    }  # fmt: skip
    next(iter(loader))
    state = loader.state_dict()
    assert state["batch"] == 1 and type(state["seed"]) is int


STATE = {"seed": 1, "epoch": 0, "batch": 1, "samples": 10, "batch_size": 3, "shuffle": True}


@pytest.mark.parametrize(
    "state, words",
    [
        (
            {**STATE, "samples": 11},
            "the state is of a loader with samples=11, this one has 10; make it as it was",
        ),
        ({**STATE, "batch_size": 4}, "with batch_size=4, this one has 3"),
        ({**STATE, "shuffle": False}, "with shuffle=False, this one has True"),
        ({**STATE, "seed": -1}, "seed must be 0 or more, got -1"),
        ({**STATE, "batch": -1}, "expected what state_dict() gave, with seed, epoch, batch"),
        ({**STATE, "epoch": 1.0}, "expected what state_dict() gave, with seed, epoch, batch"),
        (
            {"epoch": 1},
            "expected what state_dict() gave, with seed, epoch, batch, samples, batch_size, shuffle; got {'epoch': 1}",
        ),
        (None, "got None"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    loader = DataLoader(numbers(10), 3, shuffle=True, seed=9)
    before = loader.state_dict()
    with pytest.raises(ValueError) as raised:
        loader.load_state_dict(state)
    assert words in str(raised.value)
    assert loader.state_dict() == before


def test_collating():
    Pair = namedtuple("Pair", "x label")
    batch = default_collate([Pair(np.ones(2, np.float32), "a"), Pair(np.zeros(2, np.float32), "b")])
    assert type(batch) is Pair and batch.x.tolist() == [[1, 1], [0, 0]] and batch.label == ["a", "b"]
    assert batch.x.dtype == lucid.float32
    floats, ints, bools, halves = default_collate(
        [(1.5, 2, True, np.float16(1)), (2.5, 3, False, np.float16(2))]
    )
    assert [t.dtype for t in (floats, ints, bools, halves)] == [
        lucid.float32,
        lucid.int64,
        lucid.bool_,
        lucid.float16,
    ]
    assert default_collate([[lucid.ones(1), 1]])[0].shape == (1, 1) and type(default_collate([[1]])) is list
    assert default_collate([{"a": {"b": 1}}])["a"]["b"].tolist() == [1]


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: TensorDataset(), ValueError, "expected tensors of one length, got shapes none at all"),
        (
            lambda: TensorDataset(lucid.ones(2), lucid.ones(3, 1)),
            ValueError,
            "of one length, got shapes (2,), (3, 1)",
        ),
        (lambda: TensorDataset(lucid.tensor(1.0)), ValueError, "of one length, got shapes ()"),
        (lambda: TensorDataset([1, 2]), TypeError, "TensorDataset: expected Tensors, got list; wrap it"),
        (lambda: ConcatDataset([]), ValueError, "ConcatDataset: expected at least one dataset, got none"),
        (
            lambda: random_split(range(5), [2, 2]),
            ValueError,
            "must add up to the 5 samples there are, or be fractions",
        ),
        (lambda: random_split(range(5), [0.5, 0.4]), ValueError, "add up to 1; got [0.5, 0.4]"),
        (lambda: random_split(range(5), [6, -1]), ValueError, "got [6, -1]"),
        (lambda: random_split(range(5), [2.5, 2.5]), ValueError, "got [2.5, 2.5]"),
        (
            lambda: random_split(range(5), [5], seed=-1),
            ValueError,
            "random_split: seed must be 0 or more, got -1",
        ),
        (
            lambda: random_split(range(5), [5], seed=0.5),
            TypeError,
            "random_split: seed must be an int or None, got 0.5",
        ),
        (lambda: DataLoader(range(5), 0), ValueError, "DataLoader: batch_size must be 1 or more, got 0"),
        (lambda: DataLoader(range(5), 2.0), TypeError, "DataLoader: batch_size must be an int, got 2.0"),
        (
            lambda: DataLoader(range(5), shuffle=True, sampler=[1]),
            ValueError,
            "a sampler sets the order itself",
        ),
        (
            lambda: DataLoader(range(5), seed="x"),
            TypeError,
            "DataLoader: seed must be an int or None, got 'x'",
        ),
        (
            lambda: default_collate([{1}]),
            TypeError,
            "cannot make a batch of samples of type set; return Tensors",
        ),
        (lambda: default_collate([None]), TypeError, "cannot make a batch of samples of type NoneType"),
        (
            lambda: default_collate([(1, 2), (1,)]),
            ValueError,
            "samples of differing lengths [2, 1]; pad them",
        ),
        (lambda: default_collate([lucid.ones(2), lucid.ones(3)]), ValueError, "got (2,) and (3,)"),
        (
            lambda: Dataset()[0],
            NotImplementedError,
            "Dataset has no __getitem__; define what sample number i is",
        ),
        (
            lambda: len(Dataset()),
            NotImplementedError,
            "Dataset has no __len__; define how many samples there are",
        ),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)
