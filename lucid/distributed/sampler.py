"""Which samples of an epoch are this rank's?"""

from __future__ import annotations

from collections.abc import Iterator, Sized

from lucid.data.samplers import Sampler, permutation
from lucid.distributed.world import world
from lucid.ops.checks import check_count


class DistributedSampler(Sampler):
    """Every `num_replicas`-th number of an epoch's order, from the `rank`-th on: a share that no other rank has.

    In a DataLoader, which also sets the epoch, the k-th batches of all ranks together are the k-th batch of one process
    that takes as many times the samples. No sample comes twice, but where a rank would have none in the last step.

    With `shuffle` every epoch has an order of its own, which depends on `seed`. `drop_last` leaves out the samples that
    would make some shares longer than others. `num_replicas` and `rank` are `world_size()` and `rank()` unless given. A
    TypeError or ValueError for numbers that are no ints of 0 or more, and a rank that there is not.

    >>> [list(DistributedSampler(range(7), num_replicas=2, rank=rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4, 6], [1, 3, 5, 0]]
    """

    def __init__(
        self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
        seed: int = 0, drop_last: bool = False,
    ) -> None:  # fmt: skip
        name = "DistributedSampler"
        ranks = world(name).size if num_replicas is None else check_count(name, "num_replicas", num_replicas, 1)
        self.rank = world(name).rank if rank is None else check_count(name, "rank", rank)
        if self.rank >= ranks:
            raise ValueError(f"{name}: rank must be 0 to {ranks - 1}, got {self.rank}")
        self.dataset, self.num_replicas, self.shuffle, self.drop_last = dataset, ranks, shuffle, drop_last
        self.seed, self.epoch, self._batch, self._whole = check_count(name, "seed", seed), 0, 1, False

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration give the order of this epoch, counted from 0."""
        self.epoch = epoch

    def set_batches(self, batch_size: int, drop_last: bool) -> None:
        """Let every rank have as many batches of this size; a DataLoader calls it."""
        self._batch, self._whole = check_count("set_batches", "batch_size", batch_size, 1), drop_last

    def _places(self) -> range:
        """This rank's places in the order of all; from its end on the order begins again."""
        count, ranks = len(self.dataset), self.num_replicas
        left = count % (ranks * self._batch)  # in the last step of all ranks
        if self.drop_last or self._whole:
            count -= count % ranks
        elif 0 < left < ranks:
            count += ranks - left
        return range(self.rank, count, ranks)

    def __iter__(self) -> Iterator[int]:
        epoch, self.epoch, count = self.epoch, self.epoch + 1, len(self.dataset)
        order = permutation(count, self.seed, epoch) if self.shuffle else range(count)
        return iter([order[i % count] for i in self._places()])

    def __len__(self) -> int:
        return len(self._places())
