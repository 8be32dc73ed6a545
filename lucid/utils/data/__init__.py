"""Data in batches: what to learn from (`datasets`), in which order (`samplers`), and the two together (`loader`).

The order of a shuffled loader is a function of two numbers, its seed and the epoch. So "how far are we?" is
answered by plain numbers (`DataLoader.state_dict`), and a run that is resumed sees exactly the batches it
would have seen.
"""

from lucid.utils.data.collate import default_collate as default_collate
from lucid.utils.data.datasets import ConcatDataset as ConcatDataset
from lucid.utils.data.datasets import Dataset as Dataset
from lucid.utils.data.datasets import IterableDataset as IterableDataset
from lucid.utils.data.datasets import Subset as Subset
from lucid.utils.data.datasets import TensorDataset as TensorDataset
from lucid.utils.data.datasets import random_split as random_split
from lucid.utils.data.loader import DataLoader as DataLoader
from lucid.utils.data.samplers import BatchSampler as BatchSampler
from lucid.utils.data.samplers import RandomSampler as RandomSampler
from lucid.utils.data.samplers import Sampler as Sampler
from lucid.utils.data.samplers import SequentialSampler as SequentialSampler
