"""Where frameworks differ, or a definition has a hole: what lucid does. docs/conventions.md lists these rows."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.nn import functional as F

inf, nan = math.inf, math.nan


def slope(f: Any, *values: Any) -> Any:
    """The gradient of f's sum with respect to its first argument."""
    xs = [lucid.tensor(v, dtype="float64", requires_grad=True) for v in values]
    with np.errstate(all="ignore"):
        f(*xs).sum().backward()
    return xs[0].grad.tolist()


# case -> (what is computed, what must come out); the names stand in docs/conventions.md, and a test compares them
GRADIENTS: dict[str, tuple[Any, Any]] = {
    "ties of `max()` and `amax` share evenly": (lambda: slope(lambda x: x.max(), [3, 3, 1]), [0.5, 0.5, 0]),
    "ties of `min()` and `amin` share evenly": (lambda: slope(lambda x: x.amin(0), [1, 1, 1, 3]), [1 / 3, 1 / 3, 1 / 3, 0]),
    "`maximum(x, x)` gives each side half": (lambda: slope(lambda x: lucid.maximum(x, x.detach()), [2]), [0.5]),
    "`max(dim)` gives all to the element at the index": (lambda: slope(lambda x: x.max(0).values, [3, 3, 1]), [1, 0, 0]),
    "`relu` at 0 has slope 0": (lambda: slope(lambda x: x.relu(), [0, -0.0]), [0, 0]),
    "`abs` at 0 has slope 0": (lambda: slope(lambda x: x.abs(), [0]), [0]),
    "`norm` at 0 has slope 0, for every p": (lambda: [slope(lambda x, p=p: x.norm(p), [0, 0]) for p in (1, 2, 3, 0.5)], [[0, 0]] * 4),
    "`std` of constant data has slope 0": (lambda: slope(lambda x: x.std(), [2, 2, 2]), [0, 0, 0]),
    "`sqrt` at 0 has slope infinity": (lambda: slope(lambda x: x.sqrt(), [0]), [inf]),
    "`log` at 0 has slope infinity": (lambda: slope(lambda x: x.log(), [0]), [inf]),
    "`x ** 0` at 0 has slope 0": (lambda: [slope(lambda x: x**0, [0]), slope(lambda x, y: x**y, [0], [0])], [[0], [0]]),
    "`0 ** y` has slope 0 in y": (lambda: slope(lambda y: lucid.tensor([0.0], dtype="float64") ** y, [2]), [0]),
    "`clamp` passes the gradient at its bounds": (lambda: slope(lambda x: x.clamp(0, 1), [-1, 0, 0.5, 1, 2]), [0, 1, 1, 1, 0]),
    "`leaky_relu`, `elu` at 0 take the slope from below": (lambda: [slope(lambda x: F.leaky_relu(x, 0.1), [0]), slope(lambda x: F.elu(x, 2.0), [0])], [[0.1], [2.0]]),
    "`sign`, `floor`, `ceil`, `round` have slope 0": (lambda: [slope(f, [0.3]) for f in (lucid.sign, lucid.floor, lucid.ceil, lucid.round)], [[0]] * 4),
    "`prod` is right where elements are 0": (lambda: [slope(lambda x: x.prod(), v) for v in ([0, 2, 3], [0, 0, 3])], [[6, 0, 0], [0, 0, 0]]),
    "repeated indices add up": (lambda: slope(lambda x: x[[0, 0, 1]], [1, 2]), [2, 1]),
    "`logsumexp` of all -inf is -inf with slope 0": (lambda: slope(lambda x: x.logsumexp(0), [-inf, -inf]), [0, 0]),
    "`softmax` survives -inf": (lambda: slope(lambda x: x.softmax(0)[0], [0, -inf]), [0, 0]),
    "`where` does not stop NaN from the branch not taken": (lambda: [math.isnan(slope(lambda x: lucid.where(x > 0, x.sqrt(), x), [-1.0])[0])], [True]),
    "`l1_loss` at 0 has slope 0": (lambda: slope(lambda x: F.l1_loss(x, lucid.tensor([1.0], dtype="float64")), [1]), [0]),
    "`binary_cross_entropy` is held at 100 and its slope finite": (lambda: [math.isfinite(slope(lambda x: F.binary_cross_entropy(x, lucid.tensor([1.0], dtype="float64")), [0.0])[0])], [True]),
    "NaN spoils `max`, `maximum` and `relu`": (lambda: [math.isnan(f(lucid.tensor([nan, 1.0])).max().item()) for f in (lambda x: x, lambda x: lucid.maximum(x, 0), lucid.relu)], [True] * 3),
}  # fmt: skip

VALUES: dict[str, tuple[Any, Any]] = {
    "`0 ** 0` is 1": (lambda: (lucid.tensor([0.0]) ** 0).tolist(), [1]),
    "an empty `sum` is 0, an empty `prod` 1": (lambda: [lucid.zeros(0).sum().item(), lucid.zeros(0).prod().item()], [0, 1]),
    "`var` of one element is NaN": (lambda: [math.isnan(lucid.ones(1).var().item())], [True]),
    "`argmax` takes the first of equals": (lambda: lucid.tensor([1, 3, 3]).argmax().item(), 1),
    "`round` goes to the even neighbour": (lambda: lucid.tensor([0.5, 1.5, 2.5]).round().tolist(), [0, 2, 2]),
    "`%` has the sign of the divisor": (lambda: (lucid.tensor([-5.0, 5.0]) % lucid.tensor([3.0, -3.0])).tolist(), [1, -1]),
    "integers divide to float32": (lambda: [(lucid.tensor([1]) / 2).tolist(), str((lucid.tensor([1]) / 2).dtype)], [[0.5], "float32"]),
    "a Python number never changes a dtype's width": (lambda: str((lucid.ones(1) * 2.0).dtype), "float32"),
    "NaN is not equal to itself": (lambda: (lucid.tensor([nan]) == lucid.tensor([nan])).tolist(), [False]),
    "`sigmoid` and `softplus` do not overflow": (lambda: [lucid.tensor([-1e4, 1e4]).sigmoid().tolist(), F.softplus(lucid.tensor([-1e4, 1e4])).tolist()], [[0, 1], [0, 1e4]]),
    "`sigmoid` keeps its relative accuracy": (lambda: [abs(lucid.tensor(-80.0, dtype="float64").sigmoid().item() / math.exp(-80) - 1) < 1e-15], [True]),
}  # fmt: skip

ERRORS: dict[str, tuple[Any, type[Exception]]] = {
    "integer tensors with `requires_grad`": (lambda: lucid.ones(2, dtype="int64").requires_grad_(), TypeError),
    "`backward()` on more than one number": (lambda: (lucid.ones(2, requires_grad=True) * 1).backward(), RuntimeError),
    "a second `backward()`": (lambda: [y := (lucid.ones(1, requires_grad=True) * 1), y.backward(), y.backward()], RuntimeError),
    "losses given differing shapes": (lambda: F.mse_loss(lucid.ones(3, 1), lucid.ones(3)), ValueError),
}  # fmt: skip


def equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(equal, found, expected))
    return found == expected or abs(found - expected) < 1e-12


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients_at_the_edges(case: str) -> None:
    compute, expected = GRADIENTS[case]
    assert equal(found := compute(), expected), found


@pytest.mark.parametrize("case", VALUES)
def test_values_at_the_edges(case: str) -> None:
    compute, expected = VALUES[case]
    with np.errstate(all="ignore"):
        assert equal(found := compute(), expected), found


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_an_error(case: str) -> None:
    compute, error = ERRORS[case]
    with pytest.raises(error):
        compute()


def test_the_page_lists_just_these() -> None:
    page = (Path(__file__).parent.parent / "docs" / "conventions.md").read_text()
    listed = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    assert [row for row in listed if row not in ("case", "---")] == [*GRADIENTS, *VALUES, *ERRORS]


@pytest.mark.parity
@pytest.mark.parametrize(
    "f",
    [lambda m, x: x.max(), lambda m, x: x.amin(0), lambda m, x: m.maximum(x, x), lambda m, x: x.max(0)[0], lambda m, x: m.relu(x), lambda m, x: x.abs(), lambda m, x: (x * 0).norm(), lambda m, x: (x * 0).norm(3),
     lambda m, x: (x * 0 + 1).std(), lambda m, x: x.sqrt(), lambda m, x: x.log(), lambda m, x: x**0, lambda m, x: x.clamp(0, 1), lambda m, x: m.nn.functional.leaky_relu(x), lambda m, x: m.nn.functional.elu(x, 2.0),
     lambda m, x: m.sign(x), lambda m, x: m.round(x), lambda m, x: x.prod(), lambda m, x: x[[0, 0, 1]], lambda m, x: x**x, lambda m, x: m.nn.functional.gelu(x), lambda m, x: m.nn.functional.softplus(x * 30),
     lambda m, x: m.nn.functional.huber_loss(x, m.zeros_like(x)), lambda m, x: m.nn.functional.smooth_l1_loss(x, m.zeros_like(x)), lambda m, x: m.logsumexp(x / 0 * 1, 0), lambda m, x: 0.0**x],
)  # fmt: skip
@pytest.mark.parametrize("values", [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, -1.0, 2.0]], ids=str)
def test_pytorch_does_the_same_at_the_edges(f: Any, values: list[float]) -> None:
    import torch

    found = []
    for m in (lucid, torch):
        x = m.tensor(values, dtype=m.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            y = f(m, x).sum()
            y.backward()
        found.append((y.item(), x.grad.tolist()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)
