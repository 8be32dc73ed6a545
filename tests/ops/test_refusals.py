"""What a refused call says, and what its traceback shows."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import numpy as np
import pytest

import lucid
from lucid import nn

SHAPES: dict[str, tuple[Callable[..., object], tuple[int, ...]]] = {
    "broadcast_to": (lambda x: lucid.broadcast_to(x, (3, 2, 2)), (2, 2)),
    "chunk": (lambda x: lucid.chunk(x, 2), (2, 2)),
    "expand": (lambda x: lucid.expand(x, 3, 2, 2), (2, 2)),
    "flatten": (lucid.flatten, (2, 2)),
    "flatten a number": (lucid.flatten, ()),
    "narrow": (lambda x: lucid.narrow(x, 0, 0, 1), (2, 2)),
    "permute": (lambda x: lucid.permute(x, 1, 0), (2, 2)),
    "reshape": (lambda x: lucid.reshape(x, (2, 2)), (4,)),
    "reshape by -1": (lambda x: lucid.reshape(x, -1, 2), (2, 2)),
    "split": (lambda x: lucid.split(x, 1), (2, 2)),
    "transpose": (lambda x: lucid.transpose(x, 0, 1), (2, 2)),
    "transpose a number": (lambda x: lucid.transpose(x, 0, 0), ()),
    "unbind": (lucid.unbind, (2, 2)),
    "unsqueeze": (lambda x: lucid.unsqueeze(x, 0), (2, 2)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_functions_on_shapes_take_numpy_arrays(name: str) -> None:
    call, shape = SHAPES[name]
    array = np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape)
    found, expected = call(array), call(lucid.tensor(array))
    for a, b in zip(*[out if isinstance(out, tuple) else [out] for out in (found, expected)], strict=True):
        assert isinstance(a, lucid.Tensor)
        np.testing.assert_array_equal(a, b)


def test_an_error_passes_modules_without_further_frames() -> None:
    def frames(depth: int) -> list[str]:
        model: nn.Module = nn.Linear(2, 3)
        for _ in range(depth):
            model = nn.Sequential(model)
        with pytest.raises(ValueError, match=r"^linear: shapes") as raised:
            model(lucid.ones(4, 5))
        return [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]

    assert frames(3)[1:] == ["__call__", "forward"] * 3 + frames(0)[1:]
    x = lucid.ones(3)
    with pytest.raises(RuntimeError, match="add_") as raised:
        x.requires_grad_().add_(1)
    assert "after" not in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]


def test_what_a_guarded_module_imports_is_not_wrapped() -> None:
    """Engine and checks are called at every step, and an error that passed through two wrappers would name both."""
    from lucid.core import array, node
    from lucid.ops import checks, random

    quick = [array.device_of, array.to_device, node.bump_version, checks.as_float, random.generator]
    assert not [function.__name__ for function in quick if hasattr(function, "__wrapped__")]
    with pytest.raises(TypeError, match="^init: expected a number for timeout, got 'x'"):
        lucid.distributed.init("x")
