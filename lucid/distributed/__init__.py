"""Training on several processes, on one machine or many: data parallelism over MPI. docs/distributed.md shows how."""

import sys as _sys

from lucid._suggest import suggest as _know_other_names
from lucid.distributed.collectives import all_gather, all_reduce, barrier, broadcast
from lucid.distributed.parallel import DistributedDataParallel, SyncBatchNorm
from lucid.distributed.sampler import DistributedSampler
from lucid.distributed.world import init, local_rank, rank, world_size
from lucid.ops.refusals import guard as _guard

__all__ = [
    "DistributedDataParallel", "DistributedSampler", "SyncBatchNorm", "all_gather", "all_reduce", "barrier",
    "broadcast", "init", "local_rank", "rank", "world_size",
]  # fmt: skip
_guard(_sys.modules[__name__])
_know_other_names(_sys.modules[__name__])
