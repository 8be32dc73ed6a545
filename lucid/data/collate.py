"""Many samples as one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lucid.core.array import cpu, is_scalar
from lucid.core.node import Tensor
from lucid.ops.create import as_tensor, tensor
from lucid.ops.shapes import stack

OWN = "or give the DataLoader a collate_fn"


def default_collate(samples: Sequence[Any]) -> Any:
    """Samples as one batch: Tensors, arrays and pandas Series stacked, numbers in a Tensor, tuples and dicts by entry.

    Python floats become float32, ints int64; strings stay a list. A TypeError for samples of another type, a
    ValueError if there are none, or their shapes, lengths or keys differ.

    >>> from lucid import tensor
    >>> default_collate([(tensor([1.0, 2.0]), 0), (tensor([3.0, 4.0]), 1)])
    (tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1]))
    """
    if not samples:
        raise ValueError("default_collate: expected at least one sample, got none")
    first = samples[0]
    if isinstance(first, Tensor) or (hasattr(first, "__array__") and not is_scalar(first)):
        _check_equal("shapes", samples, lambda sample: tuple(sample.shape))
        return stack([as_tensor(sample) for sample in samples])
    if is_scalar(first):
        return as_tensor(cpu.asarray(samples))
    if isinstance(first, bool | int | float):
        return tensor(list(samples))
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        _check_equal("keys", samples, lambda sample: set(sample.keys()))
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple | list):
        _check_equal("lengths", samples, len)
        fields = [default_collate(field) for field in zip(*samples, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else type(first)(fields)  # a namedtuple, or another
    problem = f"cannot make a batch of samples of type {type(first).__name__}"
    allowed = "return Tensors, arrays, numbers, strings, or tuples, lists or dicts of these"
    raise TypeError(f"default_collate: {problem}; {allowed}, {OWN}")


def _check_equal(what: str, samples: Sequence[Any], of: Callable[[Any], Any]) -> None:
    """Refuse samples that differ in something that a batch has only one of."""
    expected = of(samples[0])
    for sample in samples:
        try:
            given = of(sample)
        except (AttributeError, TypeError):
            given = f"none, for one is of type {type(sample).__name__}"
        if given != expected:
            problem = f"samples of differing {what}, {expected} and {given}"
            raise ValueError(f"default_collate: {problem}; make them alike (pad them), {OWN}")


def batch_of(dataset: Any, indices: list[int], collate_fn: Callable[[list[Any]], Any] | None = None) -> Any:
    """The batch of these samples: at once if the dataset has `take`, else sample by sample. Without a dataset the
    samples themselves stand in place of their numbers. `take` of an array means other things, and `[i]` of a pandas
    Series the row that is labelled i."""
    if collate_fn is None and hasattr(dataset, "take") and not hasattr(dataset, "__array__"):
        return dataset.take(indices)
    rows = getattr(dataset, "iloc", dataset)
    return (collate_fn or default_collate)(indices if dataset is None else [rows[i] for i in indices])
