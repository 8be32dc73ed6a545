"""Wrong uses of the rest of the elementary functions, of statistics, of cutting and joining, and of factors
(see errors.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lucid

Error = tuple[Callable[[], Any], type[Exception], str]

x3, x23, square = lucid.ones(3), lucid.ones(2, 3), lucid.ones(2, 2)
ints, mask = lucid.tensor([0, 2, 1]), lucid.tensor([True, False, True])
four = lucid.ones(4)
stretch = r"shapes \(2, 3\) and \(4,\) do not broadcast together"
live = lambda: lucid.ones(3, requires_grad=True)


def unlike(name: str) -> list[Error]:
    f = getattr(lucid, name)
    return [
        (lambda: f(x23, four), ValueError, rf"{name}: {stretch}"),
        (lambda: f(x3, "a"), TypeError, f"{name}: expected a Tensor, .* for 'y', got str"),
    ]


def along(name: str, f: Callable[..., Any]) -> list[Error]:
    return [
        (lambda: f(2), IndexError, rf"{name}: dim 2 is out of range"),
        (lambda: f("a"), TypeError, f"{name}: expected an int.* for dim, got 'a'"),
    ]


def of_matrices(name: str, f: Callable[..., Any]) -> list[Error]:
    return [
        (lambda: f(x3), ValueError, rf"{name}: expected .* matri.* got .*shape \(3,\)"),
        (lambda: f("a"), TypeError, f"{name}: expected a Tensor, got str"),
    ]


ERRORS: dict[str, list[Error]] = {
    **{name: unlike(name) for name in "atan2 copysign fmod hypot logaddexp logical_and logical_or logical_xor".split()},
    "Tensor.__add__": [(lambda: x23 + four, ValueError, f"add: {stretch}")],
    "Tensor.__sub__": [(lambda: x23 - four, ValueError, f"subtract: {stretch}")],
    "Tensor.__truediv__": [(lambda: x23 / four, ValueError, f"divide: {stretch}")],
    "Tensor.__lshift__": [
        (lambda: x3 << 1, TypeError, "left_shift: not defined for float32"),
        (lambda: ints << lucid.tensor([1, 2]), ValueError, r"left_shift: shapes \(3,\) and \(2,\)"),
    ],
    "Tensor.__rshift__": [(lambda: ints >> 0.5, TypeError, "right_shift: not defined for")],
    "Tensor.__rlshift__": [(lambda: 1 << x3, TypeError, "left_shift: not defined for")],
    "Tensor.__rrshift__": [(lambda: 1 >> x3, TypeError, "right_shift: not defined for")],
    "addcmul": [(lambda: x23.addcmul(x3, four), ValueError, r"multiply: shapes \(3,\) and \(4,\) do not broadcast")],
    "addcdiv": [(lambda: x23.addcdiv(x3, four), ValueError, r"divide: shapes \(3,\) and \(4,\) do not broadcast")],
    "lerp": [
        (lambda: x23.lerp(four, 0.5), ValueError, r"subtract: shapes \(4,\) and \(2, 3\) do not broadcast"),
        (lambda: x3.lerp(x3, "a"), TypeError, "lerp: expected a Tensor or a number for 'weight', got str"),
    ],
    # statistics
    "median": [
        *along("median", x23.median),
        (lambda: lucid.ones(0, 3).median(0), IndexError, "median: expected elements"),
    ],
    "quantile": [
        *along("quantile", lambda d: x23.quantile(0.5, d)),
        (lambda: x3.quantile(1.5), ValueError, r"quantile: expected .* q to be a number in \[0, 1\].*got.* 1.5"),
        (lambda: lucid.ones(0).quantile(0.5), ValueError, "quantile: expected elements"),
        (lambda: ints.quantile(0.5), ValueError, "quantile: expected floats.* got int64"),
        (
            lambda: x3.quantile(0.5, interpolation="cubic"),
            ValueError,
            "quantile: .*'midpoint' or 'nearest', got .*'cubic'",
        ),
    ],
    **{
        name: along(name, getattr(x23, name))
        for name in ("nanmean", "count_nonzero", "cummax", "cummin", "logcumsumexp")
    }
    | {
        "nanmean": [(lambda: x23.nanmean("a"), TypeError, "sum: expected an int.* for dim, got 'a'")],
        "count_nonzero": [(lambda: x23.count_nonzero("a"), TypeError, "sum: expected an int.* for dim, got 'a'")],
    },
    "digamma": [(lambda: lucid.digamma("a"), TypeError, "digamma: expected a Tensor for 'x', got str")],
    "std_mean": [(lambda: lucid.std_mean(x23, "a"), TypeError, "std: expected an int.* for dim, got 'a'")],
    "var_mean": [(lambda: lucid.var_mean(x23, 2), IndexError, "var: dim 2 is out of range")],
    "equal": [(lambda: lucid.equal(x3, "a"), TypeError, "equal: expected a Tensor for 'other', got str")],
    "unique": along("unique", lambda d: x23.unique(dim=d)),
    "bincount": [
        (lambda: lucid.bincount(x3), TypeError, "bincount: x must hold integers, got float32"),
        (lambda: lucid.bincount(-ints), ValueError, "bincount: expected x to be 1-D with integers of 0 or more"),
        (lambda: lucid.bincount(ints, four), ValueError, r"bincount: .* got shapes \(3,\) and \(4,\)"),
        (lambda: lucid.bincount(ints, minlength=-1), ValueError, "bincount: minlength must be 0 or more, got -1"),
    ],
    "searchsorted": [
        (
            lambda: lucid.searchsorted(x23, four),
            ValueError,
            r"searchsorted: expected a 1-D sequence, .* got shapes \(2, 3\) and \(4,\)",
        ),
        (lambda: lucid.searchsorted(x3, 1.0, side="up"), ValueError, "searchsorted: expected side to be .* got 'up'"),
        (lambda: lucid.searchsorted([1.0], x3), TypeError, "searchsorted: expected a Tensor, got list"),
    ],
    # shapes
    "select": [
        *along("select", lambda d: x23.select(d, 0)),
        (lambda: x23.select(1, 3), IndexError, "select: index 3 is out of range for the 3 of dim 1"),
        (lambda: x23.select(1, 0.5), TypeError, "select: expected an int for index, got 0.5"),
    ],
    "unflatten": [
        *along("unflatten", lambda d: x23.unflatten(d, (1, -1))),
        (lambda: x23.unflatten(1, (2, -1)), ValueError, r"unflatten: the 3 of dim 1 do not make sizes \(2, -1\)"),
    ],
    "tensor_split": [
        *along("tensor_split", lambda d: x23.tensor_split(2, d)),
        (lambda: x3.tensor_split(0), ValueError, "tensor_split: expected 1 or more sections, .*got 0"),
        (lambda: x3.tensor_split([0.5]), TypeError, "tensor_split: expected ints"),
    ],
    "hstack": [
        (lambda: lucid.hstack([x3, 2.0]), TypeError, "hstack: expected a Tensor, got float"),
        (lambda: lucid.hstack(3), TypeError, "hstack: expected a sequence of tensors, got int"),
    ],
    "vstack": [
        (lambda: lucid.vstack([x3, four]), ValueError, "cat: "),
        (lambda: lucid.vstack(None), TypeError, "vstack: expected a sequence of tensors, got NoneType"),
    ],
    "diff": [
        *along("diff", lambda d: x23.diff(dim=d)),
        (lambda: x3.diff(-1), ValueError, "diff: n must be 0 or more, got -1"),
    ],
    "repeat_interleave": [
        *along("repeat_interleave", lambda d: x23.repeat_interleave(2, d)),
        (lambda: x3.repeat_interleave(-1), ValueError, "repeat_interleave: repeats must be 0 or more, got -1"),
        (lambda: x3.repeat_interleave(lucid.tensor([1, 2])), ValueError, "repeat_interleave: expected .* 3 integers"),
        (lambda: x3.repeat_interleave(x3), ValueError, "repeat_interleave: expected repeats to be an int"),
    ],
    **{
        f"{name}_indices": [
            (lambda f=f: f(-1, 2), ValueError, f"{name}_indices: row must be 0 or more, got -1"),
            (lambda f=f: f(2, 2.5), TypeError, f"{name}_indices: expected an int for col, got 2.5"),
        ]
        for name, f in (("tril", lucid.tril_indices), ("triu", lucid.triu_indices))
    },
    # by index
    "index_put": [
        (
            lambda: x3.index_put(ints, x3),
            TypeError,
            "index_put: expected indices to be a tuple of tensors, got Tensor",
        ),
        (lambda: x3.index_put((ints,), four), ValueError, "setitem: "),
    ],
    "Tensor.index_put_": [(lambda: live().index_put_((ints,), x3), RuntimeError, "index_put_: this tensor is a leaf")],
    "index_fill": [
        (lambda: x3.index_fill(0, lucid.tensor([7]), 1.0), IndexError, "index_fill: index 7 is out of range"),
        (lambda: x3.index_fill(0, lucid.tensor([[0]]), 1.0), ValueError, "index_fill: expected a 1-D index"),
        (lambda: x3.index_fill(0, ints, "a"), TypeError, "index_fill: expected a number for value, got 'a'"),
    ],
    "Tensor.index_fill_": [
        (lambda: live().index_fill_(0, ints, 1.0), RuntimeError, "index_fill_: this tensor is a leaf")
    ],
    "Tensor.index_add_": [(lambda: live().index_add_(0, ints, x3), RuntimeError, "index_add_: this tensor is a leaf")],
    "masked_scatter": [
        (lambda: x3.masked_scatter(ints, x3), TypeError, "masked_scatter: expected a bool mask, got int64"),
        (
            lambda: x3.masked_scatter(mask, lucid.ones(1)),
            ValueError,
            "masked_scatter: the mask holds 2 times, but source has 1 element",
        ),
    ],
    "Tensor.masked_scatter_": [
        (lambda: live().masked_scatter_(mask, x3), RuntimeError, "masked_scatter_: this tensor is a leaf")
    ],
    # products
    "mv": [(lambda: x23.mv(four), ValueError, r"mv: expected shapes \(n, k\) and \(k,\), got \(2, 3\) and \(4,\)")],
    "addmm": [
        (lambda: x3.addmm(x23, x3), ValueError, "addmm: expected two 2-D tensors"),
        (lambda: square.addmm(square, square, beta="a"), TypeError, "addmm: expected a number for 'beta', got 'a'"),
    ],
    "baddbmm": [(lambda: x3.baddbmm(x23, x23), ValueError, "baddbmm: expected two 3-D tensors")],
    "kron": [(lambda: x3.kron([1.0]), TypeError, "kron: expected a Tensor, got list")],
    "cross": [
        (lambda: four.cross(four), ValueError, r"cross: expected 3 elements along dim None, got shapes \(4,\)"),
        (lambda: x23.cross(four, 1), ValueError, f"cross: {stretch}"),
    ],
    "cdist": [
        (lambda: lucid.cdist(x23, x3), ValueError, r"cdist: expected shapes .* got \(2, 3\) and \(3,\)"),
        (lambda: lucid.cdist(x23, square), ValueError, r"cdist: expected shapes .* got \(2, 3\) and \(2, 2\)"),
    ],
    # factors
    "linalg.qr": [
        *of_matrices("qr", lucid.linalg.qr),
        (lambda: lucid.linalg.qr(x23, "full"), ValueError, "qr: expected mode to be .* got 'full'"),
        (
            lambda: lucid.linalg.qr(lucid.ones(3, 2, requires_grad=True), "complete"),
            ValueError,
            r"qr: a Q of shape \(3, 3\) has no gradient",
        ),
    ],
    "linalg.svd": [
        *of_matrices("svd", lucid.linalg.svd),
        (lambda: lucid.linalg.svd(lucid.full((2, 2), lucid.nan)), ValueError, "svd: the matrix has no such factors"),
    ],
    "linalg.pinv": of_matrices("pinv", lucid.linalg.pinv),
    "linalg.lstsq": [
        *of_matrices("lstsq", lambda A: lucid.linalg.lstsq(A, x3)),
        (lambda: lucid.linalg.lstsq(x23, x3), ValueError, r"lstsq: expected shapes .* got \(2, 3\) and \(3, 1\)"),
    ],
    "linalg.vector_norm": [
        (lambda: lucid.linalg.vector_norm(x3, "fro2"), TypeError, "vector_norm: expected a number for 'ord'"),
        (lambda: lucid.linalg.vector_norm("a"), TypeError, "vector_norm: expected a Tensor for 'x', got str"),
    ],
    "linalg.matrix_norm": [
        *of_matrices("matrix_norm", lucid.linalg.matrix_norm),
        (lambda: lucid.linalg.matrix_norm(x23, dim=1), ValueError, "matrix_norm: expected two dims .* got dim 1"),
    ],
}
