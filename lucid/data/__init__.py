"""Data in batches: what to learn from (datasets.py), in which order (samplers.py), and the two together (loader.py).

The order of a shuffled loader is a function of two numbers, its seed and the epoch. So the position in a run is a few
plain numbers (`DataLoader.state_dict`), and a run that is resumed gets exactly the batches it would have got.
"""

from lucid.data.collate import default_collate
from lucid.data.datasets import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from lucid.data.loader import DataLoader
from lucid.data.samplers import BatchSampler, RandomSampler, Sampler, SequentialSampler
from lucid.data.workers import get_worker_info

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset", "RandomSampler", "Sampler",
    "SequentialSampler", "Subset", "TensorDataset", "default_collate", "get_worker_info", "random_split",
]  # fmt: skip
