"""Data in batches: PyTorch's name for `lucid.data`, which tells how the order of a run is kept and resumed."""

from lucid.data import *  # noqa: F403
from lucid.data import __all__ as __all__


def __getattr__(name: str) -> object:  # only reached when the name is not there
    if name == "DistributedSampler":  # loaded when it is first used
        from lucid.distributed.sampler import DistributedSampler

        return DistributedSampler
    raise AttributeError(f"lucid.utils.data has no {name!r}")
