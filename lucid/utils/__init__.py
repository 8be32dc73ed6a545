"""What PyTorch has in `torch.utils`: data in batches."""

from lucid.utils import data

__all__ = ["data"]
