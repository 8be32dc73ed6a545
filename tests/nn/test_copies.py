"""What a copy, or a pickle, of a model has of what the model keeps beside its parameters."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn


class Weighted(nn.Module):
    """Keeps a weight that it has computed, as weight normalisation does."""

    def __init__(self) -> None:
        self.v = nn.Parameter(lucid.ones(3, 2))
        self.w = self.v * 2

    def forward(self, x: Any) -> Any:
        self.w = self.v * 2
        return x @ self.w.T


COPIES: list[Callable[[Any], Any]] = [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


@pytest.mark.parametrize("again", COPIES, ids=["deepcopy", "pickle"])
def test_a_computed_tensor_is_copied_without_its_history_and_is_named(again: Any) -> None:
    model = nn.Sequential(nn.Linear(2, 2), Weighted())
    with pytest.warns(UserWarning, match=r"copy: Weighted.w is a computed tensor, .* compute it in forward"):
        other = again(model)
    assert other[1].w.is_leaf and not other[1].w.requires_grad and not model[1].w.is_leaf
    np.testing.assert_array_equal(other[1].w.numpy(), model[1].w.detach().numpy())
    other(lucid.ones(1, 2)).sum().backward()
    assert other[1].v.grad is not None and model[1].v.grad is None


@pytest.mark.parametrize("again", COPIES, ids=["deepcopy", "pickle"])
def test_a_parameter_keeps_its_own_attributes(again: Any) -> None:
    p = nn.Parameter(lucid.ones(2))
    p.tag, p.notes = "first", ["a"]  # type: ignore[attr-defined]
    other = again(p)
    assert type(other) is nn.Parameter and (other.tag, other.notes) == ("first", ["a"])
    assert other.notes is not p.notes  # type: ignore[attr-defined]
