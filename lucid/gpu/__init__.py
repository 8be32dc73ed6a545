"""What is CuPy's alone: the kernels of optimizers and their launches, which are loaded when a GPU is first used."""

from lucid.optim.buckets import BUCKETS, Bucket


def _gpu_bucket() -> type[Bucket]:
    from lucid.gpu.optimizer_launch import GpuBucket

    return GpuBucket


BUCKETS["cupy"] = _gpu_bucket
