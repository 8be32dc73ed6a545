"""Datasets and loaders: every sample once an epoch, in an order that can be had again."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import lucid
from lucid.data.collate import default_collate
from lucid.data.datasets import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from lucid.data.loader import DataLoader
from lucid.data.samplers import BatchSampler, RandomSampler, Sampler, SequentialSampler


class Squares(Dataset):
    """Sample by sample, without `take`."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return {"x": float(i), "square": i * i}


class Stream(IterableDataset):
    """Samples without numbers; another beginning each epoch."""

    def __init__(self, n, epoch=0):
        self.n, self.epoch = n, epoch

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter([(self.epoch * 100 + i,) for i in range(self.n)])


class Backwards(Sampler):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n - 1, -1, -1))

    def __len__(self):
        return self.n


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


# -- samplers, streams ---------------------------------------------------------------------------------------


def test_samplers_give_the_order():
    assert list(SequentialSampler(range(3))) == [0, 1, 2] and len(SequentialSampler("abc")) == 3
    assert seen(DataLoader(numbers(4), 3, sampler=Backwards(4))) == [[3, 2, 1], [0]]
    assert seen(DataLoader(numbers(4), 3, sampler=Backwards(3), drop_last=True)) == [[2, 1, 0]]
    assert seen(DataLoader(numbers(4), batch_sampler=[[3], (0, 1), np.array([2, 2]), iter([1])])) == [
        [3],
        [0, 1],
        [2, 2],
        [1],
    ]
    assert seen(DataLoader(numbers(4), batch_sampler=[])) == []
    loader = DataLoader(numbers(5), batch_sampler=BatchSampler(Backwards(5), 2, drop_last=True))
    assert seen(loader) == [[4, 3], [2, 1]] and len(loader) == 2 and loader.batch_size is None


def test_a_random_sampler_draws_with_and_without_replacement():
    sampler = RandomSampler(range(30), seed=1)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(30)) and first != second and len(sampler) == 30
    sampler.set_epoch(0)
    assert list(sampler) == first
    few = RandomSampler(range(30), num_samples=7, seed=1)
    assert list(few) == first[:7] and len(few) == few.num_samples == 7
    many = list(RandomSampler(range(30), num_samples=70, seed=1))
    assert many[:30] == first and sorted(many[30:60]) == list(range(30)) and many[30:60] != first
    assert len(set(many[60:])) == 10 and many[60:] != many[30:40]
    drawn = list(RandomSampler(range(30), replacement=True, num_samples=3000, seed=1))
    counts = np.bincount(drawn, minlength=30)
    assert len(drawn) == 3000 and counts.min() > 60 and counts.max() < 150  # 100 each, give or take 10
    assert len(list(RandomSampler(range(30), replacement=True))) == 30
    for empty in (RandomSampler([]), RandomSampler([], replacement=True, num_samples=3)):
        assert list(empty) == []
    a, b = list(RandomSampler(range(30))), list(RandomSampler(range(30)))
    assert a != b and sorted(a) == sorted(b) == list(range(30))


def test_shuffling_is_a_random_sampler():
    loader = DataLoader(numbers(20), 6, shuffle=True, seed=3)
    other = DataLoader(numbers(20), 6, sampler=RandomSampler(numbers(20), seed=3))
    batches = DataLoader(numbers(20), batch_sampler=BatchSampler(RandomSampler(numbers(20), seed=3), 6, False))
    assert seen(loader) == seen(other) == seen(batches) and seen(loader) == seen(other) == seen(batches)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: DataLoader(numbers(), 3, sampler=RandomSampler(numbers(), seed=seed)),
        lambda seed: DataLoader(numbers(), 3, sampler=RandomSampler(numbers(), True, 11, seed=seed)),
        lambda seed: DataLoader(numbers(), batch_sampler=BatchSampler(RandomSampler(numbers(), seed=seed), 3, True)),
        lambda seed: DataLoader(numbers(), 3, sampler=Backwards(10)),
        lambda seed: DataLoader(Stream(10), 3),
        lambda seed: DataLoader(Stream(10), 3, drop_last=True),
    ],
)
def test_these_resume_exactly_too(make):
    straight = make(5)
    expected = [seen(straight) for _ in range(3)]
    loader, resumed = make(5), make(6)
    assert seen(loader) == expected[0]
    for _ in zip(range(2), loader, strict=False):
        state = loader.state_dict()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state and state["epoch"] == 1 and state["batch"] == 2
    assert next(iter(resumed))[0].tolist() == expected[1][2]
    assert resumed.state_dict()["batch"] == 3
    resumed.load_state_dict(resumed.state_dict())
    assert seen(resumed) == expected[1][3:]
    assert seen(resumed) == expected[2]


def test_a_stream_comes_in_batches():
    loader = DataLoader(Stream(5), 2)
    assert seen(loader) == [[0, 1], [2, 3], [4]] and seen(loader) == [[100, 101], [102, 103], [104]]
    assert seen(DataLoader(Stream(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(5), 2, collate_fn=len)) == [2, 2, 1]
    with pytest.raises(TypeError, match="has no len"):
        len(loader)

    class Known(Stream):
        def __len__(self):
            return self.n

    assert len(DataLoader(Known(5), 2)) == 3 and len(DataLoader(Known(5), 2, drop_last=True)) == 2

    class Endless(IterableDataset):
        def __iter__(self):
            n = 0
            while True:
                yield n
                n += 1

    batches = iter(DataLoader(Endless(), 2))
    assert [next(batches).tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_options_of_others_that_change_nothing():
    loader = DataLoader(numbers(3), 2, num_workers=0, pin_memory=True, shuffle=None)
    assert seen(loader) == [[0, 1], [2]] and loader.state_dict()["shuffle"] is False


@pytest.mark.parity
def test_pytorch_makes_the_same_batches():
    import torch.utils.data as theirs

    import lucid.utils.data as ours

    def batches(m, made):
        return [
            [[int(i) for i in part] for part in batch] if isinstance(batch, list | tuple) else batch.tolist()
            for batch in made(m)
        ]

    class Numbers:
        def __len__(self):
            return 7

        def __getitem__(self, i):
            return i * 10

    def stream(m):
        class Counting(m.IterableDataset):
            def __iter__(self):
                return iter(range(7))

        return Counting()

    for made in (
        lambda m: m.DataLoader(Numbers(), 3),
        lambda m: m.DataLoader(Numbers(), 3, drop_last=True),
        lambda m: m.DataLoader(Numbers(), 3, sampler=[4, 4, 0, 1]),
        lambda m: m.DataLoader(Numbers(), sampler=m.SequentialSampler(range(3))),
        lambda m: m.DataLoader(Numbers(), batch_sampler=[[1, 2], [3]]),
        lambda m: m.DataLoader(
            Numbers(), batch_sampler=m.BatchSampler(m.SequentialSampler(Numbers()), 3, drop_last=True)
        ),
        lambda m: m.DataLoader(stream(m), 3),
        lambda m: m.DataLoader(stream(m), 3, drop_last=True),
        lambda m: m.DataLoader(m.ConcatDataset([Numbers(), range(2)]), 4),
        lambda m: m.DataLoader(m.Subset(Numbers(), [5, 2]), 4),
        lambda m: m.DataLoader([(1, 2), (3, 4), (5, 6)], 2),
    ):
        assert batches(ours, made) == batches(theirs, made)
    for sampler in (
        lambda m: m.BatchSampler(range(7), 3, False),
        lambda m: m.BatchSampler(range(7), 3, True),
        lambda m: m.SequentialSampler(range(4)),
        lambda m: m.RandomSampler(range(4), num_samples=9),
    ):
        assert len(sampler(ours)) == len(sampler(theirs)) == len(list(sampler(ours)))


@pytest.mark.parity
def test_pytorch_collates_the_same():
    import torch
    from torch.utils.data import default_collate as theirs

    Pair = namedtuple("Pair", "x y")
    for samples in (
        lambda m: [1, 2], lambda m: ["a", "b"], lambda m: [{"a": 1, "b": "x"}, {"b": "y", "a": 2}],
        lambda m: [Pair(1, {"k": [1, 2]}), Pair(3, {"k": [3, 4]})],
        lambda m: [np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")],
        lambda m: [m.ones(2), m.zeros(2)], lambda m: [OrderedDict(a=np.float32(1)), OrderedDict(a=np.float32(2))],
        lambda m: [True, False],
    ):  # fmt: skip

        def plain(value):
            if isinstance(value, lucid.Tensor | torch.Tensor):
                return value.tolist(), str(value.dtype).removeprefix("torch.")
            if isinstance(value, dict):
                return {key: plain(part) for key, part in value.items()}
            return value if isinstance(value, str) else [plain(part) for part in value]

        ours = default_collate(samples(lucid))
        assert plain(ours) == plain(theirs(samples(torch)))


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
            "random_split: expected an int for seed, got 0.5",
        ),
        (lambda: DataLoader(range(5), 0), ValueError, "DataLoader: batch_size must be 1 or more, got 0"),
        (lambda: DataLoader(range(5), 2.0), TypeError, "DataLoader: expected an int for batch_size, got 2.0"),
        (
            lambda: DataLoader(range(5), shuffle=True, sampler=[1]),
            ValueError,
            "a sampler sets the order itself; leave out shuffle",
        ),
        (lambda: DataLoader(range(5), seed=1, sampler=[1]), ValueError, "sets the order itself; leave out seed"),
        (
            lambda: DataLoader(range(5), 2, True, batch_sampler=[[1]], drop_last=True, seed=1, sampler=[1]),
            ValueError,
            "a batch_sampler makes the batches itself; leave out shuffle and sampler and batch_size and drop_last and "
            "seed",
        ),
        (
            lambda: DataLoader(Stream(5), 2, True, sampler=[1], batch_sampler=[[1]]),
            ValueError,
            "DataLoader: an IterableDataset sets the order itself; leave out shuffle and sampler and batch_sampler",
        ),
        (lambda: DataLoader(Stream(5), seed=2), ValueError, "an IterableDataset sets the order itself; leave out seed"),
        (lambda: DataLoader(i for i in range(3)), TypeError,
         "a dataset has len() and [i], or is an IterableDataset; got generator"),
        (lambda: DataLoader(range(5), True), TypeError, "DataLoader: expected an int for batch_size, got True"),
        (lambda: list(IterableDataset()), NotImplementedError,
         "IterableDataset has no __iter__; define what its samples are"),
        (lambda: list(Sampler()), NotImplementedError, "Sampler has no __iter__; define the order of the samples"),
        (lambda: RandomSampler(range(5), 1), TypeError, "RandomSampler: replacement must be True or False, got 1"),
        (lambda: RandomSampler(range(5), num_samples=0), ValueError,
         "RandomSampler: num_samples must be 1 or more, got 0"),
        (lambda: RandomSampler(range(5), num_samples=1.5), TypeError,
         "RandomSampler: expected an int for num_samples, got 1.5"),
        (lambda: RandomSampler(range(5), seed=-1), ValueError, "RandomSampler: seed must be 0 or more, got -1"),
        (lambda: BatchSampler(range(5), 0, False), ValueError, "BatchSampler: batch_size must be 1 or more, got 0"),
        (lambda: default_collate([]), ValueError, "default_collate: expected at least one sample, got none"),
        (lambda: default_collate([{"a": 1}, {"b": 1}]), ValueError,
         "samples of differing keys, {'a'} and {'b'}; make them alike"),
        (lambda: default_collate([lucid.ones(2), 1]), ValueError,
         "samples of differing shapes, (2,) and none, for one is of type int"),
        (lambda: default_collate([(1,), 1]), ValueError,
         "samples of differing lengths, 1 and none, for one is of type int"),
        (lambda: default_collate([1, None]), TypeError,
         "cannot make a tensor of object values such as array([1, None]"),
        (
            lambda: DataLoader(range(5), seed="x"),
            TypeError,
            "DataLoader: expected an int for seed, got 'x'",
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
            "samples of differing lengths, 2 and 1; make them alike (pad them), or give the DataLoader a collate_fn",
        ),
        (lambda: default_collate([lucid.ones(2), lucid.ones(3)]), ValueError,
         "samples of differing shapes, (2,) and (3,)"),
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


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 2)])
def test_an_array_is_a_dataset_of_its_rows(shape):
    """`take` of an array is another thing: that of a matrix gives single numbers."""
    rows = np.arange(np.prod(shape), dtype=float).reshape(shape)
    for dataset in (rows, lucid.tensor(rows)):
        batches = [batch.tolist() for batch in DataLoader(dataset, batch_size=2)]
        assert batches == [rows[:2].tolist(), rows[2:4].tolist(), rows[4:].tolist()]


class Rows:
    """What answers like a pandas Series with other labels than 0, 1, 2."""

    __array__ = lambda self, dtype=None, copy=None: np.asarray([1.0, 2.0, 3.0])
    __len__ = lambda self: 3
    shape = (3,)

    iloc = np.asarray([1.0, 2.0, 3.0])

    def __getitem__(self, label):
        raise KeyError(label)


def test_a_series_is_a_dataset_of_its_rows_whatever_their_labels():
    assert [batch.tolist() for batch in DataLoader(Rows(), batch_size=2)] == [[1.0, 2.0], [3.0]]
    assert TensorDataset(Rows())[1][0].item() == 2.0 and default_collate([Rows(), Rows()]).shape == (2, 3)


@pytest.mark.libraries
def test_columns_and_rows_of_a_pandas_frame():
    import pandas

    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}, index=[7, 8, 9])

    class Table(Dataset):
        __len__ = lambda self: 3
        __getitem__ = lambda self, i: (frame.iloc[i], frame["a"].iloc[i])

    (x, y), _ = DataLoader(Table(), batch_size=2)
    assert x.tolist() == [[1.0, 4.0], [2.0, 5.0]] and y.tolist() == [1.0, 2.0]
    (x, y), _ = DataLoader(TensorDataset(frame, frame["b"]), batch_size=2)
    assert x.tolist() == [[1.0, 4.0], [2.0, 5.0]] and y.tolist() == [4.0, 5.0]
    assert [batch.tolist() for batch in DataLoader(frame["b"], batch_size=2)] == [[4.0, 5.0], [6.0]]
    with pytest.raises(TypeError, match="cannot make a tensor of object values"):
        default_collate([pandas.Series(["a", "b"])])


def test_a_tuple_of_arrays_is_asked_whether_it_is_a_tensor_dataset():
    x, y = lucid.ones(4, 2), np.ones(4)
    with pytest.raises(TypeError, match=r"a tuple of 2 arrays; write DataLoader\(TensorDataset\(x, y\)\) .* a list"):
        DataLoader((x, y), batch_size=2)
    assert [batch.shape for batch in DataLoader([x, x])] == [(1, 4, 2)] * 2
    assert next(iter(DataLoader((np.float64(1), 2.0), batch_size=2))).tolist() == [1, 2]
