"""PyTorch's name for where `lucid.distributed.DistributedDataParallel` is."""

from lucid.distributed.parallel import DistributedDataParallel as DistributedDataParallel
